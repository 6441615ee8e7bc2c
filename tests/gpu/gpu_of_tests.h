// The GPUs on which this program's tests compute unless they say otherwise: two, played by the CPU.
#pragma once

#include "tests/support/virtual_gpu.h"

namespace test {

VirtualGpu& gpu_of_tests();

}  // namespace test
