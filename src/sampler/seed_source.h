// The seed of a sampler that was given none.
#pragma once

#include <cstdint>

#include "src/base/environment.h"

namespace bitnet {

// Seed used with BITNET_DETERMINISTIC=1 when no seed is given anywhere.
inline constexpr uint64_t kDeterministicSeed = 42;

// BITNET_SEED when it is set, else kDeterministicSeed when BITNET_DETERMINISTIC is 1, else fresh bits from the operating
// system. Throws BITNET_E_CONFIG when one of them is not valid: a mistyped seed must not silently become a random one.
uint64_t choose_seed(const Environment& environment);

}  // namespace bitnet
