// Rows of the embedding matrix as floats, one block a token, from the same copy that the vocabulary product reads. The
// steps are those of ggml-like/ops/get_rows.cpp; a NaN that arithmetic made is the canonical one here, where a CPU's own
// may differ from it.
#include "kernels/cuda/weight_readers.h"
#include "kernels/quant_types.h"

namespace kern::gpu {
namespace {

GPU_FUNCTION float times_factor(float value, float factor) {
    return factor == 1.0f ? value : canonical_nan(value * factor);
}

// Stored numbers are taken as they are, NaNs included.
template <class Type>
GPU_FUNCTION void plain_row(const GetRowsArgs& args, int64_t row, float* out) {
    for (int64_t i = threadIdx.x; i < args.width; i += blockDim.x) {
        out[i] = times_factor(read_one(Type{}, args.weights, row * args.k + i), args.factor);
    }
}

// scale: of types whose blocks have none.
template <class Type>
GPU_FUNCTION void block_row(const GetRowsArgs& args, int64_t row, float scale, float* out) {
    for (int64_t at = 8 * static_cast<int64_t>(threadIdx.x); at < args.width;
         at += 8 * static_cast<int64_t>(blockDim.x)) {
        float weights[8];
        read_eight(Type{}, args.weights, row * args.k + at, weights);
        for (int i = 0; i < 8; ++i) {
            if (at + i < args.width) out[at + i] = times_factor(canonical_nan(scale * weights[i]), args.factor);
        }
    }
}

}  // namespace

GPU_KERNEL(get_rows, GetRowsArgs, 256) {
    const int64_t token = blockIdx.x;
    const int64_t row = args.tokens[token];
    float* out = args.out + token * args.width;
    switch (static_cast<QuantType>(args.type)) {
        case QuantType::f32: plain_row<ReadF32>(args, row, out); break;
        case QuantType::f16: plain_row<ReadF16>(args, row, out); break;
        case QuantType::bf16: plain_row<ReadBf16>(args, row, out); break;
        case QuantType::i2_s: {
            const float row_scale = args.row_scales != nullptr ? args.row_scales[row] : 1.0f;
            block_row<ReadI2_S>(args, row, args.tensor_scale * row_scale, out);
            break;
        }
        case QuantType::tq1_0:
        case QuantType::tq2_0: block_row<ReadTq2_0>(args, row, 1.0f, out); break;
        case QuantType::q8_0: block_row<ReadQ8_0>(args, row, 1.0f, out); break;
        case QuantType::q4_0: block_row<ReadQ4_0>(args, row, 1.0f, out); break;
        case QuantType::q4_1: block_row<ReadQ4_1>(args, row, 1.0f, out); break;
        case QuantType::q6_k: block_row<ReadQ6_K>(args, row, 1.0f, out); break;
        case QuantType::q1_0: block_row<ReadQ1_0>(args, row, 1.0f, out); break;
        case QuantType::q2_0: block_row<ReadQ2_0>(args, row, 1.0f, out); break;
        case QuantType::q2_0_g128: block_row<ReadQ2_0_G128>(args, row, 1.0f, out); break;
        case QuantType::iq2_s: block_row<ReadIq2_S>(args, row, 1.0f, out); break;
        default: break;  // dialects become I2_S when they are loaded
    }
}

}  // namespace kern::gpu
