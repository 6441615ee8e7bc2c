// The sets of vector kernels of this build, declared for kernel_list.inc. Each is vec_generic.h compiled over another
// register: vec_<level>.cpp.
#pragma once

#include "kernels/vec_kernels.h"

namespace kern {

extern constinit const VecKernels vec_scalar;

#if defined(__x86_64__)
extern constinit const VecKernels vec_avx2;
extern constinit const VecKernels vec_avxvnni;
extern constinit const VecKernels vec_avx512;
extern constinit const VecKernels vec_avx512vnni;
#elif defined(__aarch64__)
extern constinit const VecKernels vec_neon;
#endif

}  // namespace kern
