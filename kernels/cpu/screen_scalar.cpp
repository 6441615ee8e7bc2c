// The screen's reference, and how a vector becomes integers.
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/cpu/v16_scalar.h"

#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/screen_blocks.h"

namespace kern {
namespace {

template <int kCols>
struct Sums {
    static constexpr int64_t kStep = 64;
    int64_t sums[kCols] = {};

    void step(const int8_t* codes, const ScreenView (&x)[kCols], int64_t at) {
        for (int c = 0; c < kCols; ++c) {
            int32_t sum = 0;
            for (int64_t i = 0; i < kStep; ++i) sum += codes[i] * x[c].both[at + i];
            sums[c] += sum;
        }
    }
    int64_t total(const ScreenColumn&, int c) const { return sums[c]; }
};

inline V16 quads(const int8_t* a, const int8_t* b, const ScreenView& x, int64_t at) {
    V16 r;
    for (int64_t i = 0; i < 16; ++i) {
        const int8_t* codes = i < 8 ? a : b - 32;
        int32_t sum = 0;
        for (int64_t j = 4 * i; j < 4 * i + 4; ++j) sum += codes[j] * x.both[at + j];
        r.lane[i] = static_cast<float>(sum);
    }
    return r;
}

inline void scale_words(const int8_t* codes, const int8_t* scales, int16_t* words) {
    for (int i = 0; i < kQ6KBlock; ++i) words[i] = static_cast<int16_t>(codes[i] * scales[i / 16]);
}

template <int kCols>
inline void pair_sums(const int16_t* words, const int16_t* const (&values)[kCols], V16 (&sums)[kCols]) {
    for (int c = 0; c < kCols; ++c) {
        int32_t pairs[16] = {};
        for (int j = 0; j < kQ6KBlock; ++j) pairs[j / 2 % 16] += words[j] * values[c][j];
        for (int i = 0; i < 16; ++i) sums[c].lane[i] = static_cast<float>(pairs[i]);
    }
}

inline V16 each_of_2(float a, float b) {
    V16 r;
    for (int i = 0; i < 16; ++i) r.lane[i] = i < 8 ? a : b;
    return r;
}

// The largest |x|; NaN where there is a number that is none.
float largest(const float* x, int64_t n) {
    float most = 0.0f;
    bool numbers = true;
    for (int64_t i = 0; i < n; ++i) {
        const float a = std::fabs(x[i]);
        numbers &= a <= std::numeric_limits<float>::max();
        most = a > most ? a : most;
    }
    return numbers ? most : std::numeric_limits<float>::quiet_NaN();
}

// x / scale rounded, half away from zero: within half of one, and what the division lost.
int32_t rounded(float x, float scale) {
    const float q = x / scale;
    return static_cast<int32_t>(q < 0 ? q - 0.5f : q + 0.5f);
}

size_t bytes(int64_t k, int64_t n_cols) { return static_cast<size_t>(screen_column_bytes(k) * n_cols); }

void pack(const float* x, int64_t x_stride, int64_t k, int64_t, int64_t col_begin, int64_t col_end, void* dst) {
    const int64_t stride = screen_stride(k);
    for (int64_t c = col_begin; c < col_end; ++c) {
        uint8_t* column = static_cast<uint8_t*>(dst) + c * screen_column_bytes(k);
        std::memset(column, 0, static_cast<size_t>(screen_column_bytes(k)));
        int8_t* high = reinterpret_cast<int8_t*>(column + sizeof(ScreenColumn));
        int16_t* both = reinterpret_cast<int16_t*>(high + 2 * stride);
        int32_t* fours = reinterpret_cast<int32_t*>(high + 4 * stride);
        ScreenColumn head = {};
        head.scale = largest(x + c * x_stride, k) / float{kScreenLevels};
        if (head.scale >= kLeastScreenScale) {
            for (int64_t i = 0; i < k; ++i) {
                const int32_t q = rounded(x[c * x_stride + i], head.scale);
                both[i] = static_cast<int16_t>(q > kScreenLevels    ? kScreenLevels
                                               : q < -kScreenLevels ? -kScreenLevels
                                                                    : q);
                const int32_t upper = (both[i] + 64) >> 7;  // -127 .. 127
                high[i] = static_cast<int8_t>(upper);
                high[stride + i] = static_cast<int8_t>(both[i] - 128 * upper);
                fours[i / 4] += both[i];
                head.sum_high += upper;
                head.sum_low += both[i] - 128 * upper;
            }
        }
        std::memcpy(column, &head, sizeof head);
    }
}

}  // namespace

constinit const ActFormat act_screen = {.name = "screen", .bytes = bytes, .pack = pack, .col_tile = 1};

double screen_norm_q8_0(const void* row, int64_t k) {
    const uint8_t* p = static_cast<const uint8_t*>(row);
    double squares = 0;
    for (int64_t i = 0; i < k; i += kQ8_0Block, p += sizeof(BlockQ8_0)) {
        uint16_t half;
        std::memcpy(&half, p, sizeof half);
        const double d = static_cast<double>(f16_bits_to_f32(half));
        squares += kQ8_0Block * (128.0 * d) * (128.0 * d);
    }
    return std::sqrt(squares);
}

double screen_norm_q6_k(const void* row, int64_t k) {
    const uint8_t* p = static_cast<const uint8_t*>(row);
    double squares = 0;
    for (int64_t i = 0; i < k; i += kQ6KBlock, p += sizeof(BlockQ6K)) {
        uint16_t half;
        std::memcpy(&half, p + offsetof(BlockQ6K, d), sizeof half);
        const int8_t* scales = reinterpret_cast<const int8_t*>(p + offsetof(BlockQ6K, scales));
        int32_t sum = 0;
        for (int j = 0; j < 16; ++j) sum += scales[j] * scales[j];
        const double d = 32.0 * static_cast<double>(f16_bits_to_f32(half));
        squares += 16.0 * d * d * sum;
    }
    return std::sqrt(squares);
}

SCREEN_KERNEL(scalar, CPU_BASE);
SCREEN_BLOCK_KERNEL(q8_0, scalar, CPU_BASE, run_screen_blocks<ScreenedQ8_0>);
SCREEN_BLOCK_KERNEL(q6_k, scalar, CPU_BASE, run_screen_q6_k);

}  // namespace kern
