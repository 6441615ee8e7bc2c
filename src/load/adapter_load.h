// A parsed GGUF file -> a LoRA adapter of a model: every tensor checked against the matrix it changes, then copied.
#pragma once

#include <memory>

#include "src/gguf/gguf_reader.h"
#include "src/model/adapter.h"

namespace bitnet {

// The file is not needed afterwards. Throws Error as bitnet_adapter_load says, tg::Error(out_of_memory).
std::shared_ptr<const Adapter> load_adapter(const GgufFile& file, std::shared_ptr<const Model> model);

}  // namespace bitnet
