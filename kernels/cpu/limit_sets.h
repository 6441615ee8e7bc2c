// The rows of limit_kernels.h, each in limit_<level>.cpp.
#pragma once

#include "kernels/limit_kernels.h"

namespace kern {

extern constinit const LimitKernel limit_scalar;

#if defined(__x86_64__)
extern constinit const LimitKernel limit_avx2;
extern constinit const LimitKernel limit_avxvnni;
extern constinit const LimitKernel limit_avx512;
extern constinit const LimitKernel limit_avx512vnni;
extern constinit const LimitKernel limit_amx;

// Asks Linux, once, for the use of tile registers; amx_permission.cpp.
bool allow_amx();
#elif defined(__aarch64__)
extern constinit const LimitKernel limit_dotprod;
extern constinit const LimitKernel limit_i8mm;
#endif

}  // namespace kern
