// The activations go through in chunks of columns, so that scratch memory does not grow with their number.
#include "src/quantizer/i2s_matmul.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "ggml-like/arena.h"
#include "kernels/ternary_layouts.h"
#include "src/base/checked_math.h"
#include "src/base/error.h"

namespace bitnet {
namespace {

constexpr int64_t kChunkCols = 512;
constexpr size_t kMostK = 4u << 20;  // int32 sums are exact up to here (mul_mat_kernel.h)
constexpr uint64_t kMostBytes = uint64_t{1} << 47;

[[noreturn]] void bad_input(const std::string& text) { throw Error(BITNET_E_QUANT_INPUT, text); }

void check_shape(const bitnet_i2s_matmul& a, const std::string& where) {
    const std::string shape = where + std::to_string(a.m) + " x " + std::to_string(a.k) + " activations times " +
                              std::to_string(a.n) + " x " + std::to_string(a.k) + " weights";
    if (a.m == 0 || a.n == 0 || a.k == 0) bad_input(shape + ": nothing to multiply");
    if (a.k % kern::kI2sBlock != 0 || a.k > kMostK) bad_input(shape + ": k must be a multiple of 128, at most 4194304");
    uint64_t in = 0;
    uint64_t weights = 0;
    uint64_t out = 0;
    if (!checked_mul(a.m, a.k, &in) || !checked_mul(a.n, a.k, &weights) || !checked_mul(a.m, a.n, &out) ||
        in > kMostBytes || weights > kMostBytes || out > kMostBytes / sizeof(float)) {
        bad_input(shape + ": more than any memory holds");
    }
}

}  // namespace

DeviceMatmulI2s checked_matmul(const bitnet_i2s_matmul& a, const std::string& where) {
    check_shape(a, where);
    if (a.activations == nullptr || a.weights == nullptr || a.out == nullptr)
        bad_input(where + "activations, weights or out is NULL");
    if (reinterpret_cast<uintptr_t>(a.out) % alignof(float) != 0 ||
        reinterpret_cast<uintptr_t>(a.activation_scales) % alignof(float) != 0) {
        bad_input(where + "out or activation_scales is not aligned as floats are");
    }
    const size_t code_bytes = a.n * a.k / 4;
    if (a.n_weight_bytes != code_bytes + kern::kI2sTailBytes) {
        throw Error(BITNET_E_QUANT_INPUT, where + "the weights have " + std::to_string(a.n_weight_bytes) + " bytes; " +
                                              std::to_string(a.n) + " rows of " + std::to_string(a.k) +
                                              " as i2_s have " + std::to_string(code_bytes + kern::kI2sTailBytes))
            .with_numbers(code_bytes + kern::kI2sTailBytes, a.n_weight_bytes);
    }
    if (a.n_out < a.m * a.n) {
        throw Error(BITNET_E_QUANT_OUTPUT_SIZE, where + "out has room for " + std::to_string(a.n_out) + " floats, " +
                                                    std::to_string(a.m * a.n) + " are needed")
            .with_numbers(a.m * a.n, a.n_out);
    }
    if (a.n_activation_scales != (a.activation_scales == nullptr ? 0 : a.m)) {
        throw Error(BITNET_E_QUANT_SCALE_COUNT, where + std::to_string(a.n_activation_scales) +
                                                    " activation scales for " + std::to_string(a.m) +
                                                    " rows; give one for each row, or NULL and 0")
            .with_numbers(a.activation_scales == nullptr ? 0 : a.m, a.n_activation_scales);
    }
    float weight_scale;
    std::memcpy(&weight_scale, static_cast<const uint8_t*>(a.weights) + code_bytes, sizeof weight_scale);
    if (!std::isfinite(weight_scale))
        throw Error(BITNET_E_QUANT_SCALE, where + "the scale of the weights is not finite");
    for (size_t i = 0; i < a.n_activation_scales; ++i) {
        if (!std::isfinite(a.activation_scales[i]) || !(a.activation_scales[i] > 0.0f)) {
            throw Error(BITNET_E_QUANT_SCALE,
                        where + "the scale of activation row " + std::to_string(i) + " is not finite and positive");
        }
    }
    // -128 is outside of what the kernels' 16-bit sums are proven for.
    if (std::memchr(a.activations, 0x80, a.m * a.k) != nullptr)
        bad_input(where + "an activation is -128; codes run from -127 to 127");
    if (!kern::ternary_codes_valid(a.weights, code_bytes))
        bad_input(where + "the weights hold a code that is no ternary weight");
    return {a.activations,
            a.activation_scales,
            a.weights,
            weight_scale,
            a.out,
            static_cast<int64_t>(a.m),
            static_cast<int64_t>(a.n),
            static_cast<int64_t>(a.k)};
}

uint64_t matmul_scratch_bytes(const kern::MulMatKernel& kernel, const DeviceMatmulI2s& work) {
    return kernel.act->bytes(work.k, std::min(work.m, kChunkCols));
}

namespace {

struct Share {
    const kern::MulMatKernel& kernel;
    const kern::MulMatArgs& args;
    int n_threads;
};

void run_share(int thread, void* user_data) {
    const Share& share = *static_cast<const Share*>(user_data);
    const int64_t tile = std::max<int64_t>(share.kernel.row_tile, 1);
    const int64_t tiles = (share.args.n_rows + tile - 1) / tile;
    kern::MulMatArgs part = share.args;
    part.row_begin = std::min(tiles * thread / share.n_threads * tile, part.n_rows);
    part.row_end = std::min(tiles * (thread + 1) / share.n_threads * tile, part.n_rows);
    if (part.row_begin < part.row_end) share.kernel.run(part);
}

}  // namespace

void run_matmul(const kern::MulMatKernel& kernel, const DeviceMatmulI2s& work, tg::ThreadPool* pool) {
    const tg::Arena acts(matmul_scratch_bytes(kernel, work), "activations of a product");
    for (int64_t col = 0; col < work.m; col += kChunkCols) {
        const int64_t n_cols = std::min(kChunkCols, work.m - col);
        kernel.act->pack_codes(work.activations + col * work.k, work.k,
                               work.activation_scales == nullptr ? nullptr : work.activation_scales + col, work.k, 0,
                               n_cols, acts.data());
        kern::MulMatArgs args = {};
        args.weights = work.weights;
        args.weight_scale = work.weight_scale;
        args.acts = acts.data();
        args.out = work.out + col * work.n;
        args.out_stride = work.n;
        args.k = work.k;
        args.n_rows = work.n;
        args.n_cols = n_cols;
        Share share = {kernel, args, pool == nullptr ? 1 : pool->size()};
        if (pool == nullptr) {
            run_share(0, &share);
        } else {
            pool->run(run_share, &share);
        }
    }
}

}  // namespace bitnet
