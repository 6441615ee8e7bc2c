// The sets of vector kernels a test should look at: those of the kernel list that this CPU can run.
#pragma once

#include <vector>

#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/kernel_select.h"
#include "kernels/cpu/vec_kernel_sets.h"

namespace test {

inline std::vector<const kern::VecKernels*> runnable_vec_kernels() {
    std::vector<const kern::VecKernels*> runnable;
    for (size_t i = 0; i < kern::vec_kernels_count(); ++i) {
        const kern::VecKernels& kernels = kern::vec_kernels_at(i);
        if ((kernels.needs & ~kern::cpu_features()) == 0) runnable.push_back(&kernels);
    }
    return runnable;
}

}  // namespace test
