// The seed of a sampler that was given none.
#pragma once

#include <cstdint>

namespace bitnet {

// Seed used with BITNET_DETERMINISTIC=1 when no seed is given anywhere.
inline constexpr uint64_t kDeterministicSeed = 42;

// $BITNET_SEED when it is set, else kDeterministicSeed when BITNET_DETERMINISTIC is 1, else fresh bits from the
// operating system. Throws BITNET_E_CONFIG when a variable holds anything but a number 0 .. 2^64-1, or 0 or 1: a
// mistyped seed must not silently become a random one. An empty variable counts as unset.
uint64_t choose_seed();

}  // namespace bitnet
