// Chooses kernels: the first row of kernel_list.inc that fits the CPU and the wanted level wins, scalar always fits.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/mul_mat_kernel.h"
#include "kernels/vec_kernels.h"

namespace kern {

// One kernel for every weight type (for a dialect that of i2_s, as which it is repacked) and one set of vector kernels.
struct KernelSet {
    const MulMatKernel* mul_mat[kQuantTypeCount];
    const MulMatKernel* packed[kWeightLayoutCount];  // of i2_s matrices by layout; the first is that of the type
    const VecKernels* vec;
    const MulMatKernel* screen[kQuantTypeCount];  // of screen_kernels.h; null for types that have none
    const char* level;  // the level asked for, or "auto"

    const MulMatKernel& for_type(QuantType type) const { return *mul_mat[static_cast<int>(type)]; }
    const MulMatKernel*& slot(QuantType type, WeightLayout layout) {
        return layout == WeightLayout::stored ? mul_mat[static_cast<int>(type)] : packed[static_cast<int>(layout)];
    }
    const MulMatKernel& for_weight(QuantType type, WeightLayout layout) const {
        return layout == WeightLayout::stored ? for_type(type) : *packed[static_cast<int>(layout)];
    }
};

enum class KernelChoice { ok, unknown_name, not_runnable };

// name: null or "" chooses the best of each; a level ("scalar", "avx2", "avx512", "avx512vnni", "amx") or a kernel's name
// ("i2s_avx2": the same as its level) limits everything to that level and what it builds on.
KernelChoice select_kernels(const char* name, KernelSet* out);
// The same for a CPU with these features, for tests.
KernelChoice select_kernels_for(const char* name, uint64_t features, KernelSet* out);

// Whether what needs these features can run: the CPU has them, and the system lets this process use them. Asks it for
// AMX's tile registers, once, when they are among them; nothing else does.
bool runs_here(uint64_t needs);

// Every kernel of this build, best first per type, for listing and tests.
size_t mul_mat_kernel_count();
const MulMatKernel& mul_mat_kernel_at(size_t index);
size_t vec_kernels_count();
const VecKernels& vec_kernels_at(size_t index);
size_t screen_kernel_count();
const MulMatKernel& screen_kernel_at(size_t index);
// "scalar, avx2, ...": the levels of this build, for messages.
const char* kernel_level_names();
// The same one by one, rising.
size_t kernel_level_count();
const char* kernel_level_at(size_t index);

}  // namespace kern
