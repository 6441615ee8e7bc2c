// Weights that are read as floats times columns of floats: out = dot16(row, column), the sum of kernels/cpu/dense_generic.h
// in its sixteen lanes. Two threads share a row; each has eight neighbouring lanes, sixteen bytes of F16 a load, and
// eight sums a column. The order of each sum is fixed, so a row cannot be cut into more pieces than lanes, and tensor
// cores cannot help; the vocabulary matrix has rows enough. Many columns come in eights, of which a block stages 256
// numbers each in shared memory, so that weights are read and decoded for all eight.
#include "kernels/cuda/gpu_lanes.h"
#include "kernels/cuda/mat_output.h"
#include "kernels/cuda/weight_readers.h"

namespace kern::gpu {
namespace {

GPU_FUNCTION void add_eight(const float (&weights)[8], const float (&x)[8], float (&sums)[8]) {
#pragma unroll
    for (int i = 0; i < 8; ++i) sums[i] = sums[i] + weights[i] * x[i];
}

// Turns of a single column whose loads may be under way together: fewer where planes' addresses leave few registers (IQ2_S has six
// of them, which Turing notices; Q4_1 three, which sm_80 does).
template <class Type>
constexpr int kTurns = Type::kPlain ? 8 : 4;
template <>
constexpr int kTurns<ReadIq2_S> = 2;
template <>
constexpr int kTurns<ReadQ4_1> = 2;

// Whole eights of a row: rows and columns begin at 16 bytes. Columns that do not exist are not read.
template <class Type, int cols>
GPU_FUNCTION void add_aligned(const DenseArgs& args, const PlaneAddresses& matrix, int64_t row, int half,
                              const float* const (&x)[cols], float (&sums)[cols][8]) {
    [[maybe_unused]] constexpr int kAtOnce = cols == 1 ? kTurns<Type> : 4;
#pragma unroll(kAtOnce)
    for (int64_t i = 8 * half; i < args.k; i += 16) {
        float weights[8];
        read_eight(Type{}, matrix, row * args.k + i, weights);
#pragma unroll
        for (int c = 0; c < cols; ++c) {
            float values[8];
            read_eight(ReadF32{}, PlaneAddresses{{reinterpret_cast<const uint8_t*>(x[c])}}, i, values);
            add_eight(weights, values, sums[c]);
        }
    }
}

// Number by number: rows of any length.
template <class Type, int cols>
GPU_FUNCTION void add_unaligned(const DenseArgs& args, const PlaneAddresses& matrix, int64_t row, int half,
                                const float* const (&x)[cols], float (&sums)[cols][8]) {
    for (int64_t begin = 8 * half; begin < args.k; begin += 16) {
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            if (begin + i >= args.k) continue;  // +0 would be added, which changes nothing
            const float weight = read_one(Type{}, matrix, row * args.k + begin + i);
#pragma unroll
            for (int c = 0; c < cols; ++c) sums[c][i] = sums[c][i] + weight * x[c][begin + i];
        }
    }
}

constexpr int kStagedColumns = 8;
constexpr int kStagedNumbers = 256;  // of a column, at a time

// As add_aligned, by a whole block: its threads stage the columns and each adds for its row, where it has one.
template <class Type>
GPU_FUNCTION void add_staged(const DenseArgs& args, const PlaneAddresses& matrix, int64_t row, bool has_row, int half,
                             int64_t first_col, int64_t n_cols, float (&sums)[kStagedColumns][8]) {
    __align__(16) __shared__ uint8_t staged[kStagedColumns * kStagedNumbers * 4];
    for (int64_t begin = 0; begin < args.k; begin += kStagedNumbers) {
        __syncthreads();  // nobody reads the numbers before any more
        for (int i = static_cast<int>(threadIdx.x); i < static_cast<int>(sizeof staged) / 16;
             i += static_cast<int>(blockDim.x)) {
            const int64_t col = first_col + i / (kStagedNumbers / 4), at = begin + i % (kStagedNumbers / 4) * 4;
            const bool there = col < n_cols && at < args.k;
            const float* from = args.x + col * args.act_stride + at;
            store16(staged + 16 * i, there ? load16(reinterpret_cast<const uint8_t*>(from)) : no_bytes16());
        }
        __syncthreads();
        if (!has_row) continue;
        const int n = static_cast<int>(args.k - begin < kStagedNumbers ? args.k - begin : kStagedNumbers);
#pragma unroll(Type::kPlain ? 2 : 1)
        for (int i = 8 * half; i < n; i += 16) {
            float weights[8];
            read_eight(Type{}, matrix, row * args.k + begin + i, weights);
#pragma unroll
            for (int c = 0; c < kStagedColumns; ++c) {
                float values[8];
                read_eight(ReadF32{}, PlaneAddresses{{staged}}, c * kStagedNumbers + i, values);
                add_eight(weights, values, sums[c]);
            }
        }
    }
}

// Columns blockIdx.y * cols and following.
template <class Type, int cols>
GPU_FUNCTION void dense_mat(const DenseArgs& args) {
    const int half = static_cast<int>(threadIdx.x % 2);
    const DensePart& part = args.part[part_of_block(args)];
    const MatOutput& output = part.output;
    const int64_t block = static_cast<int64_t>(blockIdx.x) - part.first_block;
    const int64_t row = block * (blockDim.x / 2) + threadIdx.x / 2;
    const int64_t first_col = static_cast<int64_t>(blockIdx.y) * cols;
    const bool has_row = row < output.n_rows;
    bool aligned = true;
    if constexpr (
        Type::kPlain) {  // else rows are whole blocks; a column may begin anywhere where it is a part of another
        aligned = args.k % 8 == 0 && args.act_stride % 4 == 0 && reinterpret_cast<uintptr_t>(args.x) % 16 == 0;
    }
    float sums[cols][8] = {};
    const auto add_from_memory = [&](auto add) {
        const float* x[cols];
#pragma unroll
        for (int c = 0; c < cols; ++c) {  // columns that do not exist: the last one again, and nothing is stored
            const int64_t col = first_col + c < output.n_cols ? first_col + c : output.n_cols - 1;
            x[c] = args.x + col * args.act_stride;
        }
        if (has_row) add(x);
    };
    if constexpr (cols == kStagedColumns) {
        if (aligned) add_staged<Type>(args, part.weights, row, has_row, half, first_col, output.n_cols, sums);
    } else {
        if (aligned) {
            add_from_memory([&](const auto& x) { add_aligned<Type, cols>(args, part.weights, row, half, x, sums); });
        }
    }
    if constexpr (Type::kPlain) {
        if (!aligned) {
            add_from_memory([&](const auto& x) { add_unaligned<Type, cols>(args, part.weights, row, half, x, sums); });
        }
    }
#pragma unroll
    for (int c = 0; c < cols; ++c) {
        float(&lane)[8] = sums[c];
#pragma unroll
        for (int i = 0; i < 8; ++i) lane[i] = lane[i] + __shfl_xor_sync(kWholeWarp, lane[i], 1);
#pragma unroll
        for (int i = 0; i < 4; ++i) lane[i] = lane[i] + lane[i + 4];
        lane[0] = (lane[0] + lane[2]) + (lane[1] + lane[3]);
        if (half == 0 && has_row && first_col + c < output.n_cols) {
            store_product(output, row, first_col + c, canonical_nan(lane[0]));
        }
    }
}

}  // namespace

#define DENSE_KERNELS(name, Type)                                                                                      \
    GPU_KERNEL(name##_mat_1, DenseArgs, 256) { dense_mat<Type, 1>(args); }                                             \
    GPU_KERNEL(name##_mat_4, DenseArgs, 256) { dense_mat<Type, 4>(args); }                                             \
    GPU_KERNEL(name##_mat_8, DenseArgs, 256) { dense_mat<Type, 8>(args); }

DENSE_KERNELS(f32, ReadF32)
DENSE_KERNELS(f16, ReadF16)
DENSE_KERNELS(bf16, ReadBf16)
DENSE_KERNELS(q8_0, ReadQ8_0)
DENSE_KERNELS(q4_0, ReadQ4_0)
DENSE_KERNELS(q4_1, ReadQ4_1)
DENSE_KERNELS(q6_k, ReadQ6_K)
DENSE_KERNELS(q1_0, ReadQ1_0)
DENSE_KERNELS(q2_0, ReadQ2_0)
DENSE_KERNELS(q2_0_g128, ReadQ2_0_G128)
DENSE_KERNELS(iq2_s, ReadIq2_S)

#undef DENSE_KERNELS

}  // namespace kern::gpu
