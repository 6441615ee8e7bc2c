// Models split over several files, named name-00001-of-00005.gguf and so on: the first part describes the model, every
// part has its own tensor table.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "src/gguf/gguf_part.h"

namespace bitnet {

struct SplitInfo {
    uint64_t number = 0;                // of this part, from 0
    uint64_t count = 1;                 // of all parts
    std::optional<uint64_t> n_tensors;  // of all parts together
};
// The split.* keys of a part; the defaults when it is a whole model. Throws BITNET_E_GGUF_METADATA when they are wrong.
SplitInfo split_info(const GgufPart& part);

// "dir/name-00001-of-00005.gguf" with another number: part counts from 0. nullopt when path is not named like the given
// part of that many.
std::optional<std::string> sibling_path(const std::string& path, uint64_t own_number, uint64_t count, uint64_t part);

// Reads the parts behind the first one, which is parts[0] and came from path, and appends them.
void read_sibling_parts(const std::string& path, bool use_mmap, const GgufReadOptions& options,
                        std::vector<std::unique_ptr<GgufPart>>& parts);

}  // namespace bitnet
