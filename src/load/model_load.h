// A parsed GGUF file -> a Model that contexts can run: shapes checked, tensors placed, weights verified and packed.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "bitnet.h"
#include "src/gguf/gguf_reader.h"
#include "src/model/model.h"

namespace bitnet {

struct LoadOptions {
    bool check_weights = true;
    bool arm_order = false;      // I2_S tensors are packed 64/16 and need repacking
    bool vocab_only = false;
    int32_t n_threads = 1;
    std::string kernel;          // name or level; empty = the best here
    uint64_t max_bytes = 0;      // 0 = no limit
    std::function<bool(float)> on_progress;  // false cancels; may be empty
};

// Throws Error with any of the -300s, -400s and -1200s, BITNET_E_CANCELLED, _CONFIG, _DEVICE_CAPABILITY, tg::Error(out_of_memory).
void load_model(std::shared_ptr<const GgufFile> file, const LoadOptions& options, Model* out);

}  // namespace bitnet
