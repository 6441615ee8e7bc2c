// Executes a kernel's PTX over a grid on the CPU, as fiber_grid.h plays its C++: what nvcc made of the kernels is what runs.
// What compute-sanitizer finds on a GPU is a GridError that names the kernel, the block, the threads and the line:
//   memcheck   accesses outside of what is allocated, or not aligned to their size
//   initcheck  registers and shared memory that nobody wrote
//   racecheck  shared memory that two threads access without a barrier between, one of them to write; of the device's memory
//              the same between blocks, which have no order
//   synccheck  barriers, shuffles and products that not all threads reach which they are for
//   launch     more threads or shared memory than a kernel or a block may have
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tests/support/fiber_grid.h"
#include "tests/support/ptx_memory.h"
#include "tests/support/ptx_program.h"

namespace test {

struct PtxLaunch {
    const PtxProgram& program;
    std::string_view kernel;
    const void* args = nullptr;
    size_t n_args = 0;
    tg::GpuGrid grid = {};
    PtxDeviceMemory& memory;
    GridOrder order = GridOrder::forward;
    uint32_t max_shared_bytes = 48 * 1024;
};

// Runs on the calling thread until the last block has finished. Throws GridError.
void run_ptx(const PtxLaunch& launch);

// What BITNET_TEST_PTX names, read once: what tests' launches execute then. nullptr where it is not set. A text that cannot be
// read ends the program.
const PtxProgram* ptx_of_tests();

}  // namespace test
