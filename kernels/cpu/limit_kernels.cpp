// The list of limit kernels and the choice among them.
#include "kernels/limit_kernels.h"

#include <cstring>

#include "kernels/cpu/limit_sets.h"

namespace kern {
namespace {

// Best first. A row needs all that the rows of its level and below need, so it also says what a level is.
constexpr const LimitKernel* kLimits[] = {
#if defined(__x86_64__)
#if defined(__linux__)
    &limit_amx,
#endif
    &limit_avx512vnni, &limit_avx512, &limit_avxvnni, &limit_avx2,
#elif defined(__aarch64__)
    &limit_i8mm,
    &limit_dotprod,
#endif
    &limit_scalar,
};

}  // namespace

size_t limit_kernel_count() { return sizeof kLimits / sizeof kLimits[0]; }
const LimitKernel& limit_kernel_at(size_t index) { return *kLimits[index]; }

const LimitKernel* select_limit_kernel(const char* level, uint64_t features) {
    for (const LimitKernel* kernel : kLimits) {
        if (level != nullptr && std::strcmp(kernel->level, level) != 0) continue;
        if ((kernel->needs & ~features) != 0) continue;
        if (kernel->allow != nullptr && !kernel->allow()) continue;
        return kernel;
    }
    return nullptr;
}

}  // namespace kern
