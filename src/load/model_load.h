// A parsed GGUF file -> a Model that contexts can run: shapes checked, tensors placed, weights verified and packed.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "bitnet.h"
#include "src/device/gpu_choice.h"
#include "src/gguf/gguf_reader.h"
#include "src/load/weight_plan.h"
#include "src/model/model.h"

namespace bitnet {

struct LoadOptions {
    bool check_weights = true;
    bool arm_order = false;      // I2_S tensors are packed 64/16 and need repacking
    TlTilings tl_tilings;        // of TL1 and TL2 tensors
    std::string tl_tiling_text;  // the text they come from
    bool vocab_only = false;
    int32_t screen_head = 1;     // as bitnet_model_params
    int32_t n_threads = 1;
    GpuChoice gpus;              // that compute; none: the CPU
    std::string kernel;          // name or level; empty = the best here
    std::string quantization;    // as bitnet_model_params; known, or empty
    GpuContextBytes (*usual_context)(const Model& model) = nullptr;  // of default parameters; null: takes nothing
    void (*replace_kernels)(kern::KernelSet* chosen) = nullptr;  // for tests: what a kernel that computes wrongly would do
    uint64_t max_bytes = 0;      // of the weights; 0 = no limit
    uint64_t memory_limit = 0;   // of all models and contexts of the process; 0 = none
    std::function<bool(float)> on_progress;  // false cancels; may be empty
};

// Gives the architecture's tensors their place in *weights; what is wrong is noted in the placer.
void place_tensors_of(const Hparams& hparams, const ArchRow& arch, TensorPlacer& placer, ModelWeights& weights);

// What load_model would hold, from the header alone. *out gets all that a context's graph is built from, but no values.
// Throws as load_model, but for values and limits.
WeightPlan plan_model(std::shared_ptr<const GgufFile> file, const LoadOptions& options, Model* out);

// Throws Error with any of the -300s, -400s and -1200s, BITNET_E_CANCELLED, _CONFIG, _DEVICE_CAPABILITY, tg::Error(out_of_memory).
void load_model(std::shared_ptr<const GgufFile> file, const LoadOptions& options, Model* out);

}  // namespace bitnet
