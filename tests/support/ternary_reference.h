// Ternary arithmetic derived a second time from the format descriptions, sharing no code with kernels/: plain loops
// over one weight at a time, 64-bit sums, halves and roundings done by hand.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/quant_types.h"

namespace test {

// IEEE half to double, exactly, from its fields.
inline double half_value(unsigned half) {
    const int exponent = static_cast<int>(half >> 10 & 31u);
    const int fraction = static_cast<int>(half & 1023u);
    double value;
    if (exponent == 31) {
        value = fraction != 0 ? NAN : INFINITY;
    } else if (exponent == 0) {
        value = std::ldexp(fraction, -24);
    } else {
        value = std::ldexp(1024 + fraction, exponent - 25);
    }
    return (half & 0x8000u) != 0 ? -value : value;
}

inline double half_at(const unsigned char* p) { return half_value(p[0] | p[1] << 8); }

struct TernaryRow {
    bool block_scales;         // TQ types: one scale per 256 weights
    std::vector<int> weights;  // -1, 0, 1 (2 for the invalid code 3)
    std::vector<double> scales;
};

// Digit n (0 = most significant) of a five-trit byte, by dividing: byte = ceil(v * 256 / 243) so v = byte * 243 / 256.
// Only for bytes an encoder writes.
inline int trit_by_division(unsigned byte, int n) {
    int v = static_cast<int>(byte * 243 / 256);
    for (int i = 4; i > n; --i) v /= 3;
    return v % 3;
}

// One row from its description in the file format, weight by weight.
inline TernaryRow unpack_row(kern::QuantType type, const unsigned char* bytes, int64_t k) {
    TernaryRow row{type != kern::QuantType::i2_s, std::vector<int>(static_cast<size_t>(k)), {}};
    for (int64_t i = 0; i < k; ++i) {
        int code = 0;
        if (type == kern::QuantType::i2_s) {
            const int64_t in_block = i % 128;
            const unsigned byte = bytes[i / 128 * 32 + in_block % 32];
            constexpr int kShifts[] = {6, 4, 2, 0};
            code = static_cast<int>(byte >> kShifts[in_block / 32] & 3u);
        } else if (type == kern::QuantType::tq2_0) {
            const unsigned char* block = bytes + i / 256 * 66;
            const int64_t h = i % 256 / 128, n = i % 128 / 32, m = i % 32;
            code = static_cast<int>(block[32 * h + m] >> (2 * n) & 3u);
        } else {
            const unsigned char* block = bytes + i / 256 * 54;
            const int e = static_cast<int>(i % 256);
            if (e < 160) {
                code = trit_by_division(block[e % 32], e / 32);
            } else if (e < 240) {
                code = trit_by_division(block[32 + (e - 160) % 16], (e - 160) / 16);
            } else {
                code = trit_by_division(block[48 + (e - 240) % 4], (e - 240) / 4);
            }
        }
        row.weights[static_cast<size_t>(i)] = code - 1;
    }
    if (type == kern::QuantType::tq2_0) {
        for (int64_t b = 0; b < k / 256; ++b) row.scales.push_back(half_at(bytes + b * 66 + 64));
    }
    if (type == kern::QuantType::tq1_0) {
        for (int64_t b = 0; b < k / 256; ++b) row.scales.push_back(half_at(bytes + b * 54 + 52));
    }
    return row;
}

struct QuantisedColumn {
    float scale;
    std::vector<int> q;
};

// x * 127 / max(absmax, 1e-5), rounded half to even: the rounding done on the exact double product of two floats, which
// first becomes a float as in the engine.
inline QuantisedColumn quantise_column(const float* x, int64_t k) {
    float abs_max = 0.0f;
    for (int64_t i = 0; i < k; ++i) abs_max = std::fmax(abs_max, std::fabs(x[i]));
    QuantisedColumn column{127.0f / std::fmax(abs_max, 1e-5f), {}};
    for (int64_t i = 0; i < k; ++i) {
        const double product = static_cast<float>(x[i] * column.scale);
        double rounded = std::floor(product + 0.5);
        if (rounded - product == 0.5 && std::fmod(rounded, 2.0) != 0.0) rounded -= 1.0;
        column.q.push_back(static_cast<int>(std::fmin(127.0, std::fmax(-127.0, rounded))));
    }
    return column;
}

// The output a ternary kernel must give.
inline float ternary_dot(const TernaryRow& row, float weight_scale, const QuantisedColumn& column) {
    if (!row.block_scales) {
        int64_t sum = 0;
        for (size_t i = 0; i < row.weights.size(); ++i) sum += int64_t{row.weights[i]} * column.q[i];
        const float factor = weight_scale / column.scale;
        return static_cast<float>(sum) * factor;
    }
    float lanes[16] = {};
    for (size_t b = 0; b < row.scales.size(); ++b) {
        int64_t sum = 0;
        for (size_t i = 256 * b; i < 256 * (b + 1); ++i) sum += int64_t{row.weights[i]} * column.q[i];
        const float term = static_cast<float>(sum) * static_cast<float>(row.scales[b]);
        lanes[b % 16] += term;
    }
    for (int i = 0; i < 8; ++i) lanes[i] += lanes[i + 8];
    for (int i = 0; i < 4; ++i) lanes[i] += lanes[i + 4];
    for (int i = 0; i < 2; ++i) lanes[i] += lanes[i + 2];
    lanes[0] += lanes[1];
    return lanes[0] * (1.0f / column.scale);
}

}  // namespace test
