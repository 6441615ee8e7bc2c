// The SHA-256 of a model's file, as bitnet_model_get_sha256 defines it: computed once, when somebody asks.
#pragma once

#include <mutex>
#include <string>

#include "src/gguf/gguf_reader.h"

namespace bitnet {

// Any thread.
class ModelHash {
public:
    // Hexadecimal. loading: the file's sources may still be read, whatever they are.
    // Throws BITNET_E_STATE where the bytes are not at hand, BITNET_E_IO.
    std::string get(const GgufFile& file, bool loading = false) const;

private:
    mutable std::mutex mutex_;
    mutable std::string hex_;
};

}  // namespace bitnet
