// What ran on the devices of a context: the numbers of bitnet_device_stats out of the backend's counters, and as text.
#pragma once

#include <string>

#include "bitnet.h"
#include "src/context/context.h"

namespace bitnet {

// Any thread. All but the host's memory, which the caller knows; pointers live as long as the context.
bitnet_device_stats device_stats(const Context& context);
// More than four fifths of the operations ran on a GPU: the specification's mark.
bool is_gpu_effective(double gpu_efficiency);
// A few lines for a person; with the part of each device where there are several.
std::string device_summary(const bitnet_device_stats& stats, const Context& context);

}  // namespace bitnet
