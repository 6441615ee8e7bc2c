// One GGUF file as parsed: a whole model, or one part of a split one. GgufFile joins parts and gives the typed access.
// The file, with all numbers little-endian and a length of 64 bits (in version 1: 32):
//
//   "GGUF", u32 version, length n_tensors, length n_keys
//   n_keys times     string key, u32 type, value               string: length, bytes; array: u32 type, length, elements
//   n_tensors times  string name, u32 n_dims, length ne[n_dims], u32 type, u64 offset within the data section
//   zeros up to a multiple of general.alignment (32 without that key), then the data section
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "src/gguf/byte_source.h"
#include "src/gguf/gguf_limits.h"
#include "src/gguf/gguf_tensors.h"
#include "src/gguf/gguf_value.h"

namespace bitnet {

struct GgufKey {
    std::string_view name;
    GgufValue value;
};

struct GgufPart {
    std::shared_ptr<const ByteSource> source;
    uint32_t version = 0;
    uint64_t alignment = 32;
    uint64_t data_start = 0;    // where the data section begins, or would begin in a file without tensors
    std::vector<GgufKey> keys;  // in file order; views into the source, or into head when that is not mapped
    std::vector<uint32_t> keys_by_name;
    std::vector<GgufTensor> tensors;  // in table order

    std::vector<uint8_t> head;
    std::vector<std::vector<uint32_t>> string_offsets;

    const GgufValue* find(std::string_view key) const noexcept;
};

// What a later part of a split model inherits from the first.
struct GgufPartContext {
    uint32_t part = 0;
    uint64_t tensors_before = 0;
    std::optional<uint64_t> file_type;
};

// Throws any of the BITNET_E_GGUF_ and BITNET_E_SECURITY_ statuses or BITNET_E_IO; messages begin with the source's name.
std::unique_ptr<GgufPart> read_gguf_part(std::shared_ptr<const ByteSource> source, const GgufReadOptions& options,
                                         const GgufPartContext& context);

}  // namespace bitnet
