#include "ggml-like/float_environment.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace tg {

#if defined(__x86_64__)

// 0x1f80: every exception masked, no flag raised, nearest even, neither FTZ nor DAZ.
DefaultFloatEnvironment::DefaultFloatEnvironment() noexcept : saved_(_mm_getcsr()) { _mm_setcsr(0x1f80); }
DefaultFloatEnvironment::~DefaultFloatEnvironment() { _mm_setcsr(static_cast<unsigned>(saved_)); }

#elif defined(__aarch64__)

DefaultFloatEnvironment::DefaultFloatEnvironment() noexcept {
    asm volatile("mrs %0, fpcr" : "=r"(saved_));
    asm volatile("msr fpcr, %0" : : "r"(uint64_t{0}));
}
DefaultFloatEnvironment::~DefaultFloatEnvironment() { asm volatile("msr fpcr, %0" : : "r"(saved_)); }

#else  // WebAssembly has one state, this one

DefaultFloatEnvironment::DefaultFloatEnvironment() noexcept = default;
DefaultFloatEnvironment::~DefaultFloatEnvironment() { static_cast<void>(saved_); }

#endif

}  // namespace tg
