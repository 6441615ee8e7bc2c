// A parsed GGUF file -> a LoRA adapter of a model: every tensor checked against the matrix it changes, then copied.
#pragma once

#include <memory>

#include "src/gguf/gguf_reader.h"
#include "src/model/adapter.h"

namespace bitnet {

// The file is not needed afterwards. memory_limit: of all that the process holds, see MemoryCharge; 0: none. Throws Error as
// bitnet_adapter_load says, tg::Error(out_of_memory).
std::shared_ptr<const Adapter> load_adapter(const GgufFile& file, std::shared_ptr<const Model> model,
                                            uint64_t memory_limit = 0);

}  // namespace bitnet
