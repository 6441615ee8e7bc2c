// How much memory the process holds now and held at most: part of an error's context. Cheap enough for every failure.
#pragma once

#include <cstdint>

namespace bitnet {

struct ResidentMemory {
    uint64_t now_bytes = 0;
    uint64_t peak_bytes = 0;
};

// Zeros where the system does not tell. Allocates nothing.
ResidentMemory resident_memory() noexcept;

}  // namespace bitnet
