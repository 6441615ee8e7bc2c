// A Hugging Face model folder as a ModelSource: config.json, safetensors weights and the tokenizer's files become the
// metadata and tensors of a GGUF file. Packed projections (U8, four rows to a byte) and masters (floats that the model
// ternarises whenever it runs) are told as ternary with their exact scale; everything else keeps its floats.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "src/convert/model_source.h"

namespace bitnet {

// Whether the path is a folder, which is what such a model is; says nothing about what is in it.
bool is_model_folder(const std::string& path);

// The tokenizer's files are in the folder, too; a model without any reads no text, and is refused unless they are left out.
enum class HfTokenizer : uint8_t { required, left_out };

// Reads everything but the weights, and of masters the weights, too: their scale is a mean.
// Throws as read_hf_config and SafetensorsModel::open, and each of these names the tensor: BITNET_E_MODEL_ARCHITECTURE;
// BITNET_E_GGUF_MISSING_TENSOR; BITNET_E_GGUF_TENSOR_SHAPE (config.json and weights contradict each other);
// BITNET_E_GGUF_TENSOR_TYPE; BITNET_E_GGUF_TENSOR_DATA (a tensor that the architecture does not know, a code that no packer
// writes); BITNET_E_QUANT_SCALE; BITNET_E_QUANT_INPUT (NaN, infinite). write_metadata also throws
// as add_tokenizer_keys.
std::unique_ptr<ModelSource> open_model_folder(const std::string& folder,
                                               HfTokenizer tokenizer = HfTokenizer::required);

}  // namespace bitnet
