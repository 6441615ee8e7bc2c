// Ternary weights as every dialect stores them, straight from the closed forms of the format description: each weight is
// put to its place by itself. Written for tests without a line of the library's codecs.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace test {

// M rows of K weights -1, 0, 1 and their scales: one per row (all the same where a type has one).
struct TernaryMatrix {
    int64_t n_rows, k;
    std::vector<int> weights;
    std::vector<float> scales;

    int at(int64_t m, int64_t i) const { return weights[static_cast<size_t>(m * k + i)]; }
};

struct Tiles {
    int64_t BM = 0, BK = 0, bm = 0;
};

inline void or_bits(std::vector<uint8_t>& bytes, int64_t byte, int value, int shift) {
    bytes.at(static_cast<size_t>(byte)) = static_cast<uint8_t>(bytes.at(static_cast<size_t>(byte)) | value << shift);
}

template <typename T>
void put_at(std::vector<uint8_t>& bytes, int64_t byte, T value) {
    std::memcpy(&bytes.at(static_cast<size_t>(byte)), &value, sizeof value);
}

// A half of a value that is one (0, or 2^-14 .. 65504 with 11 bits).
inline uint16_t exact_half(float value) {
    if (value == 0.0f) return 0;
    int exponent = 0;
    const float fraction = std::frexp(std::fabs(value), &exponent);
    const int bits = static_cast<int>(fraction * 2048.0f);
    if (static_cast<float>(bits) != fraction * 2048.0f || exponent < -13 || exponent > 16)
        throw std::logic_error("no half");
    return static_cast<uint16_t>((value < 0 ? 0x8000 : 0) | (exponent + 14) << 10 | (bits & 1023));
}

inline std::vector<uint8_t> tl1_bytes(const TernaryMatrix& w, const Tiles& t) {
    const int64_t M = w.n_rows, K = w.k, BM = t.BM, BK = t.BK, bm = t.bm, by = 256 / bm;
    std::vector<uint8_t> out(static_cast<size_t>(M * K / 4 + 32));
    for (int64_t m = 0; m < M; ++m) {
        for (int64_t p = 0; p < K / 2; ++p) {
            const int64_t i0 = m / BM, i2 = m % BM / bm, i4 = m % bm / 16, r = m % 16;
            const int64_t i1 = p / (BK / 2), i3 = p % (BK / 2) / (by / 2), q = p % (by / 2), i5 = q / 2, s = q % 2;
            const int64_t byte =
                (((((i0 * (K / BK) + i1) * (BM / bm) + i2) * (BK / by) + i3) * (bm / 16) + i4) * (by / 4) + i5) * 16 +
                r;
            or_bits(out, byte, 3 * w.at(m, 2 * p) + w.at(m, 2 * p + 1) + 4, s == 0 ? 4 : 0);
        }
    }
    put_at(out, M * K / 4, w.scales[0]);
    return out;
}

inline std::vector<uint8_t> tl2_bytes(const TernaryMatrix& w, const Tiles& t) {
    const int64_t M = w.n_rows, K = w.k, BM = t.BM, BK = t.BK, K3 = K / BK * BK, K2 = K - K3;
    constexpr int64_t kPerm[4] = {0, 2, 1, 3};
    const int64_t reserved = ((K - 256) * M / 3 * 5 / 8 + 256 * M / 2 * 4 / 8 + 31) / 32 * 32;
    std::vector<uint8_t> out(static_cast<size_t>(reserved + 32));
    const int64_t signs = M * K3 / 6, pairs = signs + M * K3 / 24;
    for (int64_t m = 0; m < M; ++m) {
        const int64_t i0 = m / BM, i2 = m % BM / 32, rr = m % 32, lane = kPerm[rr / 8] * 8 + rr % 8;
        for (int64_t n = 0; n < K3 / 3; ++n) {
            const int code = 9 * w.at(m, 3 * n) + 3 * w.at(m, 3 * n + 1) + w.at(m, 3 * n + 2);
            const int64_t i1 = n / (BK / 3), q = n % (BK / 3), i3 = q / 2, s = q % 2;
            const int64_t block = ((i0 * (K3 / BK) + i1) * (BM / 32) + i2) * (BK / 6) + i3;
            or_bits(out, block * 32 + lane, std::abs(code), s == 0 ? 4 : 0);
            const int64_t sign_block = ((i0 * (K3 / BK) + i1) * (BM / 32) + i2) * (BK / 24) + q / 8;
            const int bit = static_cast<int>(15 - (2 * (q % 8) + rr / 16));
            if (code < 0) or_bits(out, signs + sign_block * 32 + rr % 16 * 2 + bit / 8, 1, bit % 8);
        }
        for (int64_t p = 0; p < K2 / 2; ++p) {
            const int64_t i1 = p / 16, q = p % 16, i3 = q / 2, s = q % 2;
            const int64_t block = ((i0 * (K2 / 32) + i1) * (BM / 32) + i2) * 8 + i3;
            or_bits(out, pairs + block * 32 + lane, 3 * w.at(m, K3 + 2 * p) + w.at(m, K3 + 2 * p + 1) + 4,
                    s == 0 ? 4 : 0);
        }
    }
    put_at(out, reserved, w.scales[0]);
    return out;
}

inline std::vector<uint8_t> iq2_bn_bytes(const TernaryMatrix& w) {
    const int64_t row_bytes = 4 + w.k / 4;
    std::vector<uint8_t> out(static_cast<size_t>(w.n_rows * row_bytes));
    for (int64_t m = 0; m < w.n_rows; ++m) {
        put_at(out, m * row_bytes, w.scales[static_cast<size_t>(m)]);
        for (int64_t i = 0; i < w.k; ++i)
            or_bits(out, m * row_bytes + 4 + i / 64 * 16 + i % 16, w.at(m, i) + 1, static_cast<int>(i % 64 / 16) * 2);
    }
    return out;
}

inline std::vector<uint8_t> iq2_bn_r4_bytes(const TernaryMatrix& w) {
    const int64_t group_bytes = 16 + w.k;
    std::vector<uint8_t> out(static_cast<size_t>(w.n_rows / 4 * group_bytes));
    for (int64_t m = 0; m < w.n_rows; ++m) {
        const int64_t group = m / 4 * group_bytes, r = m % 4;
        put_at(out, group + 4 * r, w.scales[static_cast<size_t>(m)]);
        for (int64_t i = 0; i < w.k; ++i) {
            const int64_t e = i % 64, l = e / 16, in = e % 4;
            or_bits(out, group + 16 + i / 64 * 64 + 4 * r + in + 16 * l, w.at(m, i) + 1,
                    static_cast<int>(e % 16 / 4) * 2);
        }
    }
    return out;
}

inline std::vector<uint8_t> iq1_bn_bytes(const TernaryMatrix& w) {
    const int64_t row_bytes = 2 + w.k / 64 * 13;
    std::vector<uint8_t> out(static_cast<size_t>(w.n_rows * row_bytes));
    const auto stored = [](int sum) { return static_cast<uint8_t>((256 * sum + 242) / 243); };
    for (int64_t m = 0; m < w.n_rows; ++m) {
        put_at(out, m * row_bytes, exact_half(w.scales[static_cast<size_t>(m)]));
        for (int64_t b = 0; b < w.k / 64; ++b) {
            const int64_t block = m * row_bytes + 2 + 13 * b;
            int extra = 0, power16 = 1;
            for (int64_t g = 0; g < 4; ++g, power16 *= 3) {
                for (int64_t three = 0; three < 3; ++three) {
                    int sum = 0, power = 1;
                    for (int64_t j = 0; j < 5; ++j, power *= 3)
                        sum += power * (w.at(m, 64 * b + 16 * g + 5 * three + j) + 1);
                    put_at(out, block + 3 * g + three, stored(sum));
                }
                extra += power16 * (w.at(m, 64 * b + 16 * g + 15) + 1);
            }
            put_at(out, block + 12, stored(extra));
        }
    }
    return out;
}

// The types that are no dialects.
inline std::vector<uint8_t> i2_s_bytes(const TernaryMatrix& w) {
    std::vector<uint8_t> out(static_cast<size_t>(w.n_rows * w.k / 4 + 32));
    for (int64_t i = 0; i < w.n_rows * w.k; ++i)
        or_bits(out, i / 128 * 32 + i % 32, w.weights[static_cast<size_t>(i)] + 1,
                static_cast<int>(6 - 2 * (i % 128 / 32)));
    put_at(out, w.n_rows * w.k / 4, w.scales[0]);
    return out;
}

inline std::vector<uint8_t> tq2_0_bytes(const TernaryMatrix& w) {
    std::vector<uint8_t> out(static_cast<size_t>(w.n_rows * w.k / 256 * 66));
    for (int64_t i = 0; i < w.n_rows * w.k; ++i) {
        const int64_t e = i % 256, block = i / 256 * 66;
        or_bits(out, block + e / 128 * 32 + e % 32, w.weights[static_cast<size_t>(i)] + 1,
                static_cast<int>(e % 128 / 32 * 2));
        if (e == 0) put_at(out, block + 64, exact_half(w.scales[static_cast<size_t>(i / w.k)]));
    }
    return out;
}

inline std::vector<uint8_t> tq1_0_bytes(const TernaryMatrix& w) {
    std::vector<uint8_t> out(static_cast<size_t>(w.n_rows * w.k / 256 * 54));
    for (int64_t b = 0; b < w.n_rows * w.k / 256; ++b) {
        const auto byte_of = [&](int64_t first, int64_t step, int n) {
            int sum = 0;
            for (int64_t t = 0; t < 5; ++t)
                sum = 3 * sum + (t < n ? w.weights[static_cast<size_t>(256 * b + first + t * step)] + 1 : 0);
            return static_cast<uint8_t>((256 * sum + 242) / 243);
        };
        for (int64_t m = 0; m < 32; ++m) put_at(out, 54 * b + m, byte_of(m, 32, 5));
        for (int64_t m = 0; m < 16; ++m) put_at(out, 54 * b + 32 + m, byte_of(160 + m, 16, 5));
        for (int64_t m = 0; m < 4; ++m) put_at(out, 54 * b + 48 + m, byte_of(240 + m, 4, 4));
        put_at(out, 54 * b + 52, exact_half(w.scales[static_cast<size_t>(256 * b / w.k)]));
    }
    return out;
}

}  // namespace test
