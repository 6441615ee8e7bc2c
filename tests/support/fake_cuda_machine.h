// A machine with NVIDIA's driver and no GPU: while one lives, the process's driver is the real code over the stand-in of
// fake_libcuda.h, whose launches the CPU plays.
#pragma once

#include <doctest/doctest.h>

#include <utility>

#include "ggml-like/gpu/gpu_driver.h"
#include "tests/support/fake_cuda_fixture.h"
#include "tests/support/fiber_grid.h"
#include "tests/support/virtual_gpu.h"

namespace test {

// The library's own kernels; false for others.
inline bool play_kernel(const FakeLaunch& launch) {
    for (int i = 0; i < kern::gpu::kKernelCount; ++i) {
        if (launch.kernel != kern::gpu::kKernels[i].symbol) continue;
        run_grid(kVirtualKernels[i].run, launch.args.data(),
                 {launch.grid[0], launch.grid[1], launch.grid[2], launch.block[0], launch.shared_bytes});
        return true;
    }
    return false;
}

struct FakeCudaMachine {
    FakeCuda& fake;
    tg::CudaDriver driver;

    explicit FakeCudaMachine(tg::CudaOptions options = fake_cuda_options())
        : fake(fresh_fake_cuda()), driver(std::move(options)) {
        fake.on_launch = [](const FakeLaunch& launch) { play_kernel(launch); };
        tg::set_gpu_driver(&driver);
    }
    ~FakeCudaMachine() {
        tg::set_gpu_driver(nullptr);
        CHECK(fake.all_freed());
        CHECK(fake_contexts_here() == 0);
    }
    FakeCudaMachine(const FakeCudaMachine&) = delete;
    FakeCudaMachine& operator=(const FakeCudaMachine&) = delete;
};

}  // namespace test
