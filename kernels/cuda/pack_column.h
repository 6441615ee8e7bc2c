// A column of the format "i8" (kernels/cpu/act_i8.h) made by one block of threads: the largest magnitude first, then a warp
// quantises 256 values at a time and adds up what they became.
#pragma once

#include "kernels/cuda/gpu_lanes.h"
#include "kernels/cuda/kernel_args.h"

namespace kern::gpu {

constexpr int kQuantizeWarps = 32;  // at most, of a block

struct PackShared {
    float warp_largest[kQuantizeWarps];
    int warp_sum[kQuantizeWarps];
};

GPU_FUNCTION float magnitude_of(uint32_t bits) { return float_from_bits(bits & 0x7fffffffu); }

// Four numbers as four bytes of q, by the steps of vec_quantize_i8 (kernels/cpu/vec_generic.h); adds them to sum.
GPU_FUNCTION uint32_t quantize_four(Bytes16 four, float scale, int& sum) {
    uint32_t packed = 0;
    for (int i = 0; i < 4; ++i) {
        const int q = whole_code(float_from_bits(four.word[i]), scale, -127.0f, 127.0f);
        sum += q;
        packed |= (static_cast<uint32_t>(q) & 255u) << (8 * i);
    }
    return packed;
}

// first_four(i) and then, from whichever thread, four(i) are the bits of the column's values i to i + 3; i is a multiple of 4.
template <class First, class Again>
GPU_FUNCTION void pack_column(const PackActsArgs& args, uint8_t* column, PackShared& shared, First first_four,
                              Again four) {
    const int lane = static_cast<int>(threadIdx.x % 32);
    const int warp = static_cast<int>(threadIdx.x / 32);
    const int n_warps = static_cast<int>(blockDim.x / 32);
    uint8_t* q = column + 64;

    float largest = 0.0f;  // a NaN never wins
    for (int64_t i = 4 * static_cast<int64_t>(threadIdx.x); i < args.k; i += 4 * static_cast<int64_t>(blockDim.x)) {
        const Bytes16 values = first_four(i);
        for (int j = 0; j < 4; ++j) largest = larger(magnitude_of(values.word[j]), largest);
    }
    largest = warp_max(largest);
    if (lane == 0) shared.warp_largest[warp] = largest;
    __syncthreads();
    for (int i = 0; i < n_warps; ++i) largest = larger(shared.warp_largest[i], largest);
    const float scale = 127.0f / (largest > 1e-5f ? largest : 1e-5f);

    int total = 0;  // of this warp's blocks of 256
    for (int64_t begin = 256 * static_cast<int64_t>(warp); begin < args.k;
         begin += 256 * static_cast<int64_t>(n_warps)) {
        int sum = 0;
        for (int half = 0; half < 2; ++half) {
            const int64_t i = begin + 128 * half + 4 * lane;
            *reinterpret_cast<uint32_t*>(q + i) = quantize_four(i < args.k ? four(i) : no_bytes16(), scale, sum);
        }
        for (int apart = 16; apart > 0; apart /= 2) sum += __shfl_xor_sync(kWholeWarp, sum, apart);
        if (lane == 0) reinterpret_cast<int32_t*>(column + args.sums_offset)[begin / 256] = sum;
        total += sum;
    }
    if (lane == 0) shared.warp_sum[warp] = total;
    __syncthreads();

    // What lies between: the rest of the header, and behind the block sums.
    for (int64_t i = 8 + 4 * static_cast<int64_t>(threadIdx.x); i < 64; i += 4 * static_cast<int64_t>(blockDim.x)) {
        *reinterpret_cast<uint32_t*>(column + i) = 0;
    }
    const int64_t behind = args.sums_offset + (args.k + 255) / 256 * 4;
    for (int64_t i = behind + 4 * static_cast<int64_t>(threadIdx.x); i < args.column_bytes;
         i += 4 * static_cast<int64_t>(blockDim.x)) {
        *reinterpret_cast<uint32_t*>(column + i) = 0;
    }
    if (threadIdx.x == 0) {
        int sum = 0;
        for (int i = 0; i < n_warps; ++i) sum += shared.warp_sum[i];
        *reinterpret_cast<float*>(column) = scale;
        reinterpret_cast<int32_t*>(column)[1] = sum;
    }
}

}  // namespace kern::gpu
