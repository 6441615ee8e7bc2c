// Writes a model anew: a source, the types that its tensors shall have, one GGUF file. What is ternary stays ternary with
// its exact scale; what is not is refused where a ternary type is asked for, or ternarised by absmean where that is wanted.
// The file is the same whatever the number of threads, and appears whole or not at all.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "src/convert/tensor_rewrite.h"
#include "src/convert/type_choice.h"
#include "src/gguf/dialect_tensor.h"

namespace bitnet {

struct ConvertOptions {
    WantedTypes types;
    bool ternarise = false;  // layer matrices that are not ternary become so
    uint32_t version = 3;    // of GGUF, 2 or 3
    int n_threads = 1;
    TlTilings tl_tilings;                             // of TL1 and TL2 tensors that are written
    std::function<bool(float progress)> on_progress;  // false cancels; on the calling thread
};

struct ConvertedTensor {
    TensorPlan plan;
    kern::QuantType source_type = kern::QuantType::f32;
    uint64_t n_source_bytes = 0;  // as the source's type would store it
    uint64_t n_bytes = 0;
    TensorLoss loss;
};

struct ConvertResult {
    uint32_t version = 3;
    kern::QuantType main_type = kern::QuantType::f32;  // that most weights of layers have
    uint64_t n_file_bytes = 0;
    double seconds = 0;
    std::vector<std::string> names;  // of the tensors
    std::vector<ConvertedTensor> tensors;
};

// Throws BITNET_E_ARGUMENT (path is a file of the source), BITNET_E_QUANT_INPUT (not ternary, not finite, no whole blocks),
// BITNET_E_QUANT_FORMAT, _SCALE, _OVERFLOW, BITNET_E_LIMIT, BITNET_E_IO, BITNET_E_CANCELLED, and what the source throws.
ConvertResult convert_model(const ModelSource& source, const std::string& path, const ConvertOptions& options);

}  // namespace bitnet
