// bitnet_sampler_params as the engine's own struct, for the two places of the interface that take them.
#pragma once

#include "bitnet.h"
#include "src/sampler/sampler.h"

namespace bitnet {

// NULL gives the defaults. Throws BITNET_E_ARGUMENT for a struct_size of 0 or an array that is NULL.
SamplerConfig read_sampler_config(const bitnet_sampler_params* params);

}  // namespace bitnet
