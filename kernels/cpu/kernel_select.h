// Chooses kernels: the first row of kernel_list.inc that fits the CPU and the wanted level wins, scalar always fits.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/mul_mat_kernel.h"
#include "kernels/vec_kernels.h"

namespace kern {

// One kernel for every weight type and one set of vector kernels.
struct KernelSet {
    const MulMatKernel* mul_mat[kQuantTypeCount];
    const VecKernels* vec;
    const char* level;  // the level asked for, or "auto"

    const MulMatKernel& for_type(QuantType type) const { return *mul_mat[static_cast<int>(type)]; }
};

enum class KernelChoice { ok, unknown_name, not_runnable };

// name: null or "" chooses the best of each; a level ("scalar", "avx2", "avx512", "avx512vnni") or a kernel's name
// ("i2s_avx2": the same as its level) limits everything to that level and what it builds on.
KernelChoice select_kernels(const char* name, KernelSet* out);
// The same for a CPU with these features, for tests.
KernelChoice select_kernels_for(const char* name, uint64_t features, KernelSet* out);

// Every kernel of this build, best first per type, for listing and tests.
size_t mul_mat_kernel_count();
const MulMatKernel& mul_mat_kernel_at(size_t index);
size_t vec_kernels_count();
const VecKernels& vec_kernels_at(size_t index);
// "scalar, avx2, ...": the levels of this build, for messages.
const char* kernel_level_names();
// The same one by one, rising.
size_t kernel_level_count();
const char* kernel_level_at(size_t index);

}  // namespace kern
