// Plans and pieces over the scalar codecs of kernels/ and the affine blocks.
#include "src/quantizer/quant_codec.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "kernels/block_layouts.h"
#include "kernels/codec_rounding.h"
#include "kernels/ternary_layouts.h"
#include "kernels/vec_kernels.h"
#include "src/base/error.h"
#include "src/quantizer/affine_blocks.h"

namespace bitnet {
namespace {

using kern::QuantType;

// Numbers in messages: nine digits tell floats apart.
std::string number(double value) {
    char text[40];
    std::snprintf(text, sizeof text, "%.9g", value);
    return text;
}

[[noreturn]] void overflow(const QuantPlan& plan) {
    throw Error(BITNET_E_QUANT_OVERFLOW, "values from " + number(plan.low) + " to " + number(plan.high) +
                                             " exceed what " + plan.format.name +
                                             " can hold; scale them down or choose another type")
        .with_subject(plan.format.name);
}

// Where a block keeps its half-precision scale; -1 for types without.
int half_scale_offset(QuantType type) {
    switch (type) {
        case QuantType::q8_0: return offsetof(kern::BlockQ8_0, d);
        case QuantType::q4_0: return offsetof(kern::BlockQ4_0, d);
        case QuantType::q6_k: return offsetof(kern::BlockQ6K, d);
        case QuantType::tq1_0: return offsetof(kern::BlockTq1_0, d);
        case QuantType::tq2_0: return offsetof(kern::BlockTq2_0, d);
        default: return -1;
    }
}

// Magnitudes from here on have no code: 65520 is the first that rounds to an infinite half. Near the border of the block
// types the scale that was written decides (encode_piece).
double first_too_large(const QuantFormat& format) {
    constexpr double kHalf = 65520.0;
    if (format.is_affine()) return HUGE_VAL;
    switch (format.type->type) {
        case QuantType::f16:
        case QuantType::tq1_0:
        case QuantType::tq2_0: return kHalf;
        case QuantType::q8_0: return kHalf * 127;
        case QuantType::q4_0: return kHalf * 8;
        case QuantType::q6_k: return kHalf * 128 * 32;
        case QuantType::bf16: return 3.39617752923046e38;  // 0x7f7f8000
        default: return HUGE_VAL;
    }
}

// Every magnitude is 0 or that of the first value that is not 0, which becomes *scale.
bool is_ternary(const float* x, int64_t n, float* scale) {
    *scale = 0.0f;
    for (int64_t i = 0; i < n; ++i) {
        const float magnitude = std::fabs(x[i]);
        if (*scale == 0.0f) *scale = magnitude;
        if (magnitude != 0.0f && magnitude != *scale) return false;
    }
    return true;
}

// On the grid of the type? Blocks of i2_s share one scale, those of the tq types have their own.
bool on_grid(const QuantFormat& format, const float* x, int64_t n, float* largest_scale) {
    if (format.has_tensor_scale()) return is_ternary(x, n, largest_scale);
    *largest_scale = 0.0f;
    for (int64_t first = 0; first < n; first += format.block) {
        float scale = 0.0f;
        if (!is_ternary(x + first, format.block, &scale)) return false;
        *largest_scale = std::max(*largest_scale, scale);
    }
    return true;
}

float mean_magnitude(const float* x, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += std::fabs(static_cast<double>(x[i]));
    return static_cast<float>(sum / static_cast<double>(n));
}

// -1, 0 or +1: the sign on the grid, b1.58's clip(round(x / s)) elsewhere.
int code_of(const QuantPlan& plan, float x) {
    if (plan.on_grid) return x > 0.0f ? 1 : x < 0.0f ? -1 : 0;
    return plan.scale == 0.0f ? 0 : kern::round_half_even(x / plan.scale, -1, 1);
}

// The codec of i2_s takes signs, those of the tq types find s as a block's largest magnitude.
void encode_ternary(const QuantPlan& plan, const float* src, int64_t n, uint8_t* codes) {
    const kern::QuantTypeInfo& type = *plan.format.type;
    if (plan.on_grid && !plan.format.has_tensor_scale()) return type.encode(src, 0.0f, n, codes);
    const float unit = plan.format.has_tensor_scale() ? 1.0f : plan.scale;
    float block[kern::kTqBlock];
    for (int64_t first = 0; first < n; first += plan.format.block, codes += type.block_bytes) {
        for (int64_t i = 0; i < plan.format.block; ++i)
            block[i] = unit * static_cast<float>(code_of(plan, src[first + i]));
        type.encode(block, plan.scale, plan.format.block, codes);
    }
}

bool encode_affine_piece(const QuantPlan& plan, const float* src, int64_t n, const QuantPiece& out) {
    const QuantFormat& format = plan.format;
    const AffineFault fault = encode_affine(format, src, n, out.codes, out.scales, out.zero_points);
    if (fault.problem == AffineProblem::range) {
        throw Error(BITNET_E_QUANT_SCALE, "values from " + number(plan.low) + " to " + number(plan.high) +
                                              " span more than a float can; no scale is that large. Scale them down")
            .with_subject(format.name);
    }
    if (fault.problem == AffineProblem::zero_point) {
        throw Error(BITNET_E_QUANT_ZERO_POINT, "a block of " + std::to_string(format.block) +
                                                   " values needs the zero point " + number(fault.zero_point) +
                                                   ", outside of the codes 0.." + (format.bits == 8 ? "255" : "15") +
                                                   ": its values lie far on one side of zero. Quantise symmetrically")
            .with_subject(format.name);
    }
    return std::any_of(out.scales, out.scales + n / format.block, [](float scale) { return scale != 0.0f; });
}

[[noreturn]] void not_finite(const QuantFormat& format, int64_t index, float value) {
    throw Error(BITNET_E_QUANT_INPUT, "value " + std::to_string(index) + " is " +
                                          (std::isnan(value) ? "NaN" : "infinite") +
                                          "; only finite values can be quantised")
        .with_subject(format.name);
}

// Types without scales may hold any bits.
void check_finite(const QuantFormat& format, const uint8_t* bytes, int64_t n_values) {
    constexpr int64_t kStep = 256;
    float values[kStep];
    for (int64_t first = 0; first < n_values; first += kStep) {
        const int64_t n = std::min(kStep, n_values - first);
        format.type->decode(bytes + first * static_cast<int64_t>(format.type->block_bytes), 1.0f, n, values);
        for (int64_t i = 0; i < n; ++i) {
            if (!std::isfinite(values[i])) not_finite(format, first + i, values[i]);
        }
    }
}

}  // namespace

QuantPlan make_quant_plan(const QuantFormat& format, const float* input, int64_t n_values) {
    QuantPlan plan = {format, n_values, input[0], input[0], false, 0.0f};
    for (int64_t i = 0; i < n_values; ++i) {
        if (!std::isfinite(input[i])) not_finite(format, i, input[i]);
        plan.low = std::min(plan.low, input[i]);
        plan.high = std::max(plan.high, input[i]);
    }
    float largest = std::max(-plan.low, plan.high);
    if (format.is_ternary()) {
        plan.on_grid = on_grid(format, input, n_values, &plan.scale);
        if (!plan.on_grid) plan.scale = mean_magnitude(input, n_values);
        largest = plan.scale;
    }
    if (static_cast<double>(largest) >= first_too_large(format)) overflow(plan);
    return plan;
}

QuantPiece piece_of(const QuantFormat& format, int64_t n_values, void* data, float* scales) {
    uint8_t* codes = static_cast<uint8_t*>(data);
    return {codes, scales, format.asymmetric ? codes + n_values * format.bits / 8 : nullptr};
}

QuantPiece piece_at(const QuantFormat& format, const QuantPiece& whole, int64_t first) {
    const int64_t block = first / format.block;
    if (!format.is_affine())
        return {whole.codes + block * static_cast<int64_t>(format.type->block_bytes), whole.scales, nullptr};
    return {whole.codes + first * format.bits / 8, whole.scales + block,
            whole.zero_points == nullptr ? nullptr : whole.zero_points + block};
}

bool encode_piece(const QuantPlan& plan, const float* src, int64_t n, const QuantPiece& out) {
    const QuantFormat& format = plan.format;
    if (format.is_affine()) return encode_affine_piece(plan, src, n, out);
    if (format.is_ternary()) {
        encode_ternary(plan, src, n, out.codes);
    } else {
        format.type->encode(src, 0.0f, n, out.codes);
    }
    const int offset = half_scale_offset(format.type->type);
    if (offset < 0) return true;
    bool any = false;
    for (int64_t block = 0; block < n / format.block; ++block) {
        uint16_t half;
        std::memcpy(&half, out.codes + block * static_cast<int64_t>(format.type->block_bytes) + offset, sizeof half);
        if (!std::isfinite(kern::f16_to_f32_value(half))) overflow(plan);
        any = any || (half & 0x7fffu) != 0;
    }
    return any;
}

void require_scales(const QuantPlan& plan, bool any_scale) {
    if (any_scale || (plan.low == 0.0f && plan.high == 0.0f)) return;
    throw Error(BITNET_E_QUANT_SCALE, "values from " + number(plan.low) + " to " + number(plan.high) +
                                          " are so small that every scale of " + plan.format.name +
                                          " becomes 0; scale them up or choose another type")
        .with_subject(plan.format.name);
}

void decode_piece(const QuantFormat& format, float tensor_scale, const QuantPiece& in, int64_t n, float* dst) {
    if (format.is_affine()) {
        decode_affine(format, in.codes, in.scales, in.zero_points, n, dst);
    } else {
        format.type->decode(in.codes, tensor_scale, n, dst);
    }
}

void write_i2s_tail(const QuantFormat& format, int64_t n_values, float scale, void* data) {
    if (!format.has_tensor_scale()) return;
    uint8_t tail[kern::kI2sTailBytes] = {};  // the bytes behind the scale mean nothing, but are always the same
    std::memcpy(tail, &scale, sizeof scale);
    std::memcpy(static_cast<uint8_t*>(data) + n_values / 4, tail, sizeof tail);
}

void quantize_values(const QuantPlan& plan, const float* input, void* out, float* scales) {
    const bool any = encode_piece(plan, input, plan.n_values, piece_of(plan.format, plan.n_values, out, scales));
    require_scales(plan, any);
    write_i2s_tail(plan.format, plan.n_values, plan.scale, out);
    if (plan.format.has_tensor_scale() && scales != nullptr) *scales = plan.scale;
}

float check_quantized(const QuantFormat& format, const void* data, const float* scales, int64_t n_values) {
    const uint8_t* bytes = static_cast<const uint8_t*>(data);
    const auto bad_scale = [&](int64_t block, float scale) {
        throw Error(BITNET_E_QUANT_SCALE, "the scale of block " + std::to_string(block) + " is " +
                                              number(static_cast<double>(scale)) + "; values of " + format.name +
                                              " need finite scales")
            .with_subject(format.name);
    };
    const int64_t n_blocks = n_values / format.block;
    if (format.is_affine()) {
        const float most = format.bits == 8 ? 255.0f : 15.0f;
        for (int64_t b = 0; b < n_blocks; ++b) {
            if (!std::isfinite(scales[b] * most)) bad_scale(b, scales[b]);
        }
        return 1.0f;
    }
    const QuantType type = format.type->type;
    const size_t blocks = static_cast<size_t>(n_blocks);
    const bool valid = type == QuantType::i2_s    ? kern::ternary_codes_valid(bytes, blocks * kern::kI2sBlockBytes)
                       : type == QuantType::tq2_0 ? kern::tq2_0_blocks_valid(bytes, blocks)
                       : type == QuantType::tq1_0 ? kern::tq1_0_blocks_valid(bytes, blocks)
                                                  : true;
    if (!valid) {
        throw Error(
            BITNET_E_QUANT_INPUT,
            std::string("the bytes hold codes that are no ternary weights; they are damaged or not ") + format.name)
            .with_subject(format.name);
    }
    if (format.block == 1) check_finite(format, bytes, n_values);
    const int offset = half_scale_offset(type);
    for (int64_t b = 0; offset >= 0 && b < n_blocks; ++b) {
        uint16_t half;
        std::memcpy(&half, bytes + b * static_cast<int64_t>(format.type->block_bytes) + offset, sizeof half);
        const float scale = kern::f16_to_f32_value(half);
        if (!std::isfinite(scale)) bad_scale(b, scale);
    }
    if (!format.has_tensor_scale()) return 1.0f;
    float scale;
    std::memcpy(&scale, scales != nullptr ? static_cast<const void*>(scales) : bytes + n_values / 4, sizeof scale);
    if (!std::isfinite(scale)) bad_scale(0, scale);
    return scale;
}

}  // namespace bitnet
