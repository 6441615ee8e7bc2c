// What a GGUF file may ask for. Every number is checked before memory is reserved for it, and the defaults lie far
// above any published model; an application that loads files of strangers may lower them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "src/base/error.h"

namespace bitnet {

struct GgufLimits {
    uint64_t max_tensors = 65536;    // over all parts of a split model
    uint64_t max_keys = 65536;       // metadata entries of one file
    uint64_t max_key_bytes = 65535;  // the format's own limit
    uint64_t max_string_bytes = uint64_t{1} << 30;
    uint64_t max_array_elements = uint64_t{1} << 30;
    uint64_t max_string_array_bytes = UINT32_MAX;  // strings of arrays are indexed by 32-bit offsets
    uint64_t max_tensor_name_bytes = 63;           // ggml keeps 64 bytes with the final NUL
    uint64_t max_dims = 4;
    uint64_t max_owned_head_bytes = uint64_t{1} << 31;  // metadata copied to memory when the source is not mapped
    uint64_t max_parts = 1024;                          // files of a split model
    uint64_t allowed_tensors = UINT64_MAX;              // what the caller puts up with, over all parts
};

struct GgufReadOptions {
    GgufLimits limits;
    // Reads the metadata and leaves the tensor table alone, so that the vocabulary of a file whose tensor types this
    // version cannot read, or of a first part alone, is still usable.
    bool metadata_only = false;
    // Takes what is wrong with a single tensor (its type, shape, extent, a name that is there twice) instead of the reader's
    // caller. The tensor stays in the table, with n_bytes 0 where its bytes cannot be read or are another's. Validation
    // wants all that is wrong, not the first.
    std::function<void(const std::string& tensor, const Error& error)> on_bad_tensor;
};

}  // namespace bitnet
