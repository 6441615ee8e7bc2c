// A LoRA adapter as PEFT saves it: a folder of adapter_config.json and adapter_model.safetensors, whose tensors are named after
// the modules of transformers.
#pragma once

#include <string>

#include "src/convert/hf_tensor_names.h"
#include "src/convert/lora_file.h"

namespace bitnet {

// The model that an adapter is merged into.
struct PeftBase {
    const HfArch* arch = nullptr;  // whose names its tensors have
    int64_t n_head = 0;
    int64_t n_head_kv = 0;
};

// Throws BITNET_E_FILE_NOT_FOUND; BITNET_E_GGUF_METADATA for a config that is wrong or of no LoRA adapter;
// BITNET_E_UNSUPPORTED for what B A alone would not be (DoRA, biases, whole modules, scales by module); what SafetensorsFile::read
// and LoraPairs::add throw; BITNET_E_GGUF_MISSING_TENSOR (half a pair, no pair); BITNET_E_SECURITY_INPUT.
LoraFile read_peft_adapter(const std::string& folder, float scale, const ModelSource& base, const PeftBase& of);

}  // namespace bitnet
