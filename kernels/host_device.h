// KERN_HOST_DEVICE marks functions that GPU kernels share with the CPU's code, so that both run one text and give one
// result. nvcc compiles those for both; for every other compiler the mark is nothing.
#pragma once

#if defined(__CUDACC__)
#define KERN_HOST_DEVICE __host__ __device__
#else
#define KERN_HOST_DEVICE
#endif
