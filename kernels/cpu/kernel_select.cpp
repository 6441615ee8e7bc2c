// The tables behind kernel_list.inc and the choice among their rows. A level is a set of CPU features; a kernel may run
// when everything it needs is both in the level and on the CPU.
#include "kernels/cpu/kernel_select.h"

#include <cstring>

#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/dense_kernels.h"
#include "kernels/cpu/limit_sets.h"
#include "kernels/cpu/screen_kernels.h"
#include "kernels/cpu/ternary_kernels.h"
#include "kernels/cpu/vec_kernel_sets.h"

namespace kern {
namespace {

#define KERN_MUL_MAT(symbol) &symbol,
#define KERN_VEC(symbol)
#define KERN_SCREEN(symbol)
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
#undef KERN_VEC
#undef KERN_SCREEN

#define KERN_VEC(symbol)
#define KERN_SCREEN(symbol) &symbol,
constexpr const MulMatKernel* kScreen[] = {
#include "kernels/cpu/kernel_list.inc"
};
#undef KERN_MUL_MAT
#undef KERN_VEC
#undef KERN_SCREEN

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
    {"amx", CPU_AVX2 | CPU_AVX512 | CPU_AVX512VNNI | CPU_AMX_INT8},
#elif defined(__aarch64__)
    {"neon", CPU_NEON},
    {"dotprod", CPU_NEON | CPU_DOTPROD},
    {"i8mm", CPU_NEON | CPU_DOTPROD | CPU_I8MM},
#endif
};

#if defined(__x86_64__)
constexpr const char* kLevelNames = "scalar, avx2, avxvnni, avx512, avx512vnni, amx";
#elif defined(__aarch64__)
constexpr const char* kLevelNames = "scalar, neon, dotprod, i8mm";
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
        const MulMatKernel*& chosen = set.slot(kernel->type, kernel->layout);
        if (chosen == nullptr && within(kernel->needs, features)) chosen = kernel;
    }
    for (int i = 0; i < kQuantTypeCount; ++i) {  // what a dialect becomes
        if (quant_type_info(static_cast<QuantType>(i)).dialect) set.mul_mat[i] = &set.for_type(QuantType::i2_s);
    }
    set.packed[0] = &set.for_type(QuantType::i2_s);
    for (const VecKernels* kernels : kVec) {
        if (set.vec == nullptr && within(kernels->needs, features)) set.vec = kernels;
    }
    for (const MulMatKernel* kernel : kScreen) {
        const MulMatKernel*& chosen = set.screen[static_cast<int>(kernel->type)];
        if (chosen == nullptr && within(kernel->needs, features)) chosen = kernel;
    }
    *out = set;
    return KernelChoice::ok;
}

KernelChoice select_kernels(const char* name, KernelSet* out) {
    uint64_t features = cpu_features();
    const Level* level = name != nullptr && *name != '\0' ? find_level_or_kernel(name) : nullptr;
    // Nobody is asked for what the level does not want.
    const bool wants_tiles = level == nullptr || (level->features & CPU_AMX_INT8) != 0;
    if (wants_tiles && !runs_here(features & CPU_AMX_INT8)) features &= ~uint64_t{CPU_AMX_INT8};
    return select_kernels_for(name, features, out);
}

bool runs_here(uint64_t needs) {
    if (!within(needs, cpu_features())) return false;
#if defined(__x86_64__)
    if ((needs & CPU_AMX_INT8) != 0) return allow_amx();
#endif
    return true;
}

size_t mul_mat_kernel_count() { return sizeof kMulMat / sizeof kMulMat[0]; }
const MulMatKernel& mul_mat_kernel_at(size_t index) { return *kMulMat[index]; }
size_t vec_kernels_count() { return sizeof kVec / sizeof kVec[0]; }
const VecKernels& vec_kernels_at(size_t index) { return *kVec[index]; }
size_t screen_kernel_count() { return sizeof kScreen / sizeof kScreen[0]; }
const MulMatKernel& screen_kernel_at(size_t index) { return *kScreen[index]; }
const char* kernel_level_names() { return kLevelNames; }
size_t kernel_level_count() { return sizeof kLevels / sizeof kLevels[0]; }
const char* kernel_level_at(size_t index) { return kLevels[index].name; }

}  // namespace kern
