// What the kernels over rows share: sums in the sixteen fixed lanes of vec_kernels.h, maxima, wide loads, walks over numbers.
// A sum that a CPU keeps in one V16 lies here in sixteen neighbouring threads of a warp, a lane a thread.
#pragma once

#include "kernels/cuda/grid_lang.h"
#include "kernels/cuda/wide_loads.h"
#include "kernels/exact_math.h"
#include "kernels/f16_bits.h"

// GPU_FUNCTION for members of a struct.
#if defined(__CUDACC__)
#define GPU_MEMBER __device__ __forceinline__
#else
#define GPU_MEMBER inline
#endif

namespace kern::gpu {

constexpr unsigned kWholeWarp = 0xffffffffu;
constexpr int kWarp = 32;
constexpr int kLanes = 16;

// The tree over the lanes of sixteen threads: all of them get the sum. Each step adds the same two numbers as v16_tree,
// in either order, which gives the same bits.
GPU_FUNCTION float lanes_tree(float lane) {
    for (int half = kLanes / 2; half >= 1; half /= 2) lane = lane + __shfl_xor_sync(kWholeWarp, lane, half);
    return lane;
}

// The larger one; b where a is NaN.
GPU_FUNCTION float larger(float a, float b) { return a > b ? a : b; }

// The largest of a warp's numbers, none of which is NaN.
GPU_FUNCTION float warp_max(float a) {
    for (int half = kWarp / 2; half >= 1; half /= 2) a = larger(a, __shfl_xor_sync(kWholeWarp, a, half));
    return a;
}

GPU_FUNCTION float minus_infinity() { return float_from_bits(0xff800000u); }

// The int8 code of x * factor: half to even, within least..most, NaN gives 0.
GPU_FUNCTION int whole_code(float x, float factor, float least, float most) {
    const float scaled = x * factor;
    const float number = scaled == scaled ? scaled : 0.0f;
    const float above = number > least ? number : least;
    const float limited = above < most ? above : most;
    const float magic = exp_coefficients::kRound;
    return static_cast<int>((limited + magic) - magic);
}

// The factor that quantize_i8 multiplies 32 numbers by, one a thread of the warp.
GPU_FUNCTION float warp_i8_factor(float x) {
    const float size = float_from_bits(float_bits(x) & 0x7fffffffu);
    const float largest = warp_max(larger(size, 0.0f));
    return 127.0f / (largest > 1e-5f ? largest : 1e-5f);
}

struct alignas(16) Floats4 {
    float f[4];
};

// body(i) for the thread's share of n numbers, over the grid's x.
template <class Body>
GPU_FUNCTION void for_each_number(int64_t n, Body body) {
    const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
    for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += step) body(i);
}

// body(row) for the block's share of n rows, over the grid's y.
template <class Body>
GPU_FUNCTION void for_each_row(int64_t n, Body body) {
    for (int64_t row = blockIdx.y; row < n; row += gridDim.y) body(row);
}

}  // namespace kern::gpu
