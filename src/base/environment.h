// The environment variables of the library, read once and parsed strictly. Parameters of a call always win over them.
#pragma once

#include <cstdint>
#include <string>

namespace bitnet {

// BITNET_KERNEL: a kernel or level name; empty = automatic.
const std::string& env_kernel();
// BITNET_NUM_THREADS: 1..1024; 0 when unset. Throws BITNET_E_CONFIG for anything else, naming variable and value.
int32_t env_num_threads();

}  // namespace bitnet
