// A LoRA adapter as it changes the tensors of a model that is converted: pairs of thin matrices by the name of the matrix that
// they change, as floats. What a running model takes adapters as is src/load/adapter_load.h; both read the same files.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "src/convert/lora_pairs.h"

namespace bitnet {

struct LoraFile {
    std::vector<std::string> paths;                  // every file that was read
    std::string architecture;                        // of the model it was trained for; "" where the file does not say
    std::unordered_map<size_t, LoraChange> changes;  // by index of the tensor in the base
};

// A GGUF file as llama.cpp's convert_lora_to_gguf.py writes it. Throws what GgufFile::open throws and, as bitnet_adapter_load,
// BITNET_E_GGUF_METADATA (no adapter), BITNET_E_UNSUPPORTED (it changes what is no matrix, or begins at certain tokens),
// BITNET_E_NOT_FOUND and BITNET_E_GGUF_TENSOR_SHAPE (of another model), BITNET_E_GGUF_MISSING_TENSOR (half a pair),
// BITNET_E_LIMIT (rank), BITNET_E_GGUF_TENSOR_TYPE, BITNET_E_GGUF_TENSOR_DATA (not finite).
LoraFile read_lora_file(const std::string& path, float scale, const ModelSource& base);

}  // namespace bitnet
