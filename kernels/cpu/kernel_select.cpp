// The tables behind kernel_list.inc and the choice among their rows. A level is a set of CPU features; a kernel may run
// when everything it needs is both in the level and on the CPU.
#include "kernels/cpu/kernel_select.h"

#include <cstring>

#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/dense_kernels.h"
#include "kernels/cpu/ternary_kernels.h"
#include "kernels/cpu/vec_kernel_sets.h"

namespace kern {
namespace {

#define KERN_MUL_MAT(symbol) &symbol,
#define KERN_VEC(symbol)
constexpr const MulMatKernel* kMulMat[] = {
#include "kernels/cpu/kernel_list.inc"
};
#undef KERN_MUL_MAT
#undef KERN_VEC

#define KERN_MUL_MAT(symbol)
#define KERN_VEC(symbol) &symbol,
constexpr const VecKernels* kVec[] = {
#include "kernels/cpu/kernel_list.inc"
};
#undef KERN_MUL_MAT
#undef KERN_VEC

struct Level {
    const char* name;
    uint64_t features;  // all a kernel chosen at this level may need
};

// Rising. avx512 leaves AVX-VNNI out although most CPUs with AVX-512 VNNI have it: the level is there to show what a
// CPU with AVX-512 and no VNNI of either kind gets.
constexpr Level kLevels[] = {
    {"scalar", CPU_BASE},
#if defined(__x86_64__)
    {"avx2", CPU_AVX2},
    {"avxvnni", CPU_AVX2 | CPU_AVXVNNI},
    {"avx512", CPU_AVX2 | CPU_AVX512},
    {"avx512vnni", CPU_AVX2 | CPU_AVX512 | CPU_AVX512VNNI},
#endif
};

#if defined(__x86_64__)
constexpr const char* kLevelNames = "scalar, avx2, avxvnni, avx512, avx512vnni";
#else
constexpr const char* kLevelNames = "scalar";
#endif

const Level* find_level(const char* name) {
    for (const Level& level : kLevels) {
        if (std::strcmp(level.name, name) == 0) return &level;
    }
    return nullptr;
}

// A level by its own name or by the name of one of its kernels.
const Level* find_level_or_kernel(const char* name) {
    if (const Level* level = find_level(name)) return level;
    for (const MulMatKernel* kernel : kMulMat) {
        if (std::strcmp(kernel->name, name) == 0) return find_level(kernel->level);
    }
    for (const VecKernels* kernels : kVec) {
        if (std::strcmp(kernels->name, name) == 0) return find_level(kernels->level);
    }
    return nullptr;
}

bool within(uint64_t needs, uint64_t features) { return (needs & ~features) == 0; }

}  // namespace

KernelChoice select_kernels_for(const char* name, uint64_t features, KernelSet* out) {
    const char* level_name = "auto";
    if (name != nullptr && *name != '\0') {
        const Level* level = find_level_or_kernel(name);
        if (level == nullptr) return KernelChoice::unknown_name;
        if (!within(level->features, features)) return KernelChoice::not_runnable;
        features = level->features;
        level_name = level->name;
    }
    KernelSet set = {};
    set.level = level_name;
    for (const MulMatKernel* kernel : kMulMat) {
        const MulMatKernel*& chosen = set.mul_mat[static_cast<int>(kernel->type)];
        if (chosen == nullptr && within(kernel->needs, features)) chosen = kernel;
    }
    for (const VecKernels* kernels : kVec) {
        if (set.vec == nullptr && within(kernels->needs, features)) set.vec = kernels;
    }
    *out = set;
    return KernelChoice::ok;
}

KernelChoice select_kernels(const char* name, KernelSet* out) { return select_kernels_for(name, cpu_features(), out); }

size_t mul_mat_kernel_count() { return sizeof kMulMat / sizeof kMulMat[0]; }
const MulMatKernel& mul_mat_kernel_at(size_t index) { return *kMulMat[index]; }
size_t vec_kernels_count() { return sizeof kVec / sizeof kVec[0]; }
const VecKernels& vec_kernels_at(size_t index) { return *kVec[index]; }
const char* kernel_level_names() { return kLevelNames; }
size_t kernel_level_count() { return sizeof kLevels / sizeof kLevels[0]; }
const char* kernel_level_at(size_t index) { return kLevels[index].name; }

}  // namespace kern
