// Ternary matrix times a few columns: packed codes go straight from memory into dot products, no row is stored unpacked.
// For one column the run is bound by reading the weights, so the code is arranged around the memory:
//  - a call's rows are cut into 2 or 4 contiguous parts and one row of each is walked together. The parts are far apart;
//    neighbouring rows in flight are slower than one row alone, their short jumps defeat the hardware prefetcher;
//  - every stream prefetches 2 KiB ahead (into the rows that follow; past the end a prefetch does nothing);
//  - codes are masked in place where that saves shifts (the vocabulary's Dot).
// Vocabulary V: ternary_simd_avx2.h, _avxvnni.h, _avx512vnni.h. Many columns: ternary_tiles.h.
#pragma once

#include "kernels/cpu/ternary_layout_fields.h"
#include "kernels/cpu/x86_intrinsics.h"

namespace kern {
namespace {

constexpr int64_t kPrefetchAhead = 2048;

inline void prefetch_ahead(const uint8_t* p) {
    _mm_prefetch(reinterpret_cast<const char*>(p + kPrefetchAhead), _MM_HINT_T0);
}

// sums[r][c] = sum(code * q) of the row at rows[r] and the column at acts + c * act_stride.
template <class V, int kRows, int kCols>
inline void i2s_dots(const uint8_t* const (&rows)[kRows], const int8_t* acts, int64_t act_stride, int64_t k,
                     int32_t (&sums)[kRows][kCols]) {
    using Dot = typename V::template DotFor<I2sFields, kCols>;
    using Fields = typename Dot::Fields;
    constexpr int kStepWeights = 4 * V::kBytes;
    Dot dots[kRows][kCols];
    const int64_t steps = k / kStepWeights;
    for (int64_t begin = 0; begin < steps; begin += V::kDirectFold) {
        const int64_t end = steps - begin < V::kDirectFold ? steps : begin + V::kDirectFold;
        for (int64_t s = begin; s < end; ++s) {
#pragma GCC unroll 8
            for (int r = 0; r < kRows; ++r) {
                const uint8_t* p = rows[r] + s * V::kBytes;
                prefetch_ahead(p);
                const Fields fields(V::load(p));
#pragma GCC unroll 8
                for (int c = 0; c < kCols; ++c) dots[r][c].step(fields, acts + c * act_stride + s * kStepWeights);
            }
        }
#pragma GCC unroll 8
        for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
            for (int c = 0; c < kCols; ++c) dots[r][c].fold();
        }
    }
    if constexpr (kStepWeights > kI2sBlock) {
        if (k % kStepWeights != 0) {  // one last block of 128: half a register; the activations are padded with zeros
#pragma GCC unroll 8
            for (int r = 0; r < kRows; ++r) {
                const Fields fields(V::load_half(rows[r] + steps * V::kBytes));
#pragma GCC unroll 8
                for (int c = 0; c < kCols; ++c) dots[r][c].step(fields, acts + c * act_stride + steps * kStepWeights);
            }
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
        for (int c = 0; c < kCols; ++c) sums[r][c] = V::add_lanes(dots[r][c].total());
    }
}

// Rows row, row + part, ... (kRows of them) times columns col .. col + kCols - 1.
template <class V, int kRows, int kCols>
inline void i2s_direct_rows(const MulMatArgs& args, const ActColumns& columns, int64_t row, int64_t part, int64_t col,
                            const float (&scales)[kCols]) {
    const int64_t row_bytes = I2sFields::row_bytes(args.k);
    const uint8_t* rows[kRows];
    for (int r = 0; r < kRows; ++r) {
        rows[r] = static_cast<const uint8_t*>(args.weights) + (row + r * part) * row_bytes;
    }
    int32_t sums[kRows][kCols];
    i2s_dots<V, kRows, kCols>(rows, columns.values(col), columns.stride, args.k, sums);
    for (int c = 0; c < kCols; ++c) {
        const int32_t sum = columns.header(col + c).sum;
        float* out = args.out + (col + c) * args.out_stride + row;
        for (int r = 0; r < kRows; ++r) out[r * part] = static_cast<float>(sums[r][c] - sum) * scales[c];
    }
}

template <class V, int kCols>
void i2s_direct(const MulMatArgs& args, int64_t col) {
    constexpr int kStreams = V::direct_streams(kCols);
    const ActColumns columns(args);
    float scales[kCols];
    for (int c = 0; c < kCols; ++c) scales[c] = args.weight_scale / columns.header(col + c).act_scale;
    const int64_t part = (args.row_end - args.row_begin) / kStreams;
    for (int64_t i = 0; i < part; ++i) {
        i2s_direct_rows<V, kStreams, kCols>(args, columns, args.row_begin + i, part, col, scales);
    }
    for (int64_t row = args.row_begin + part * kStreams; row < args.row_end; ++row) {
        i2s_direct_rows<V, 1, kCols>(args, columns, row, 0, col, scales);
    }
}

// The 16 lanes of one output of TQ2_0 and their fixed tree.
struct BlockLanes {
    float lane[16] = {};

    // Blocks first .. first + n - 1 (n <= 16, first a multiple of 16): s * d into lane 0 .. n - 1. The other lanes get
    // +0, which changes no lane: none can be -0, since all start at +0.
    void add(const int32_t (&dots)[16], const int32_t* block_sums, const float (&d)[16], int n) {
        if (n == 16) {
            for (int i = 0; i < 16; ++i) lane[i] += static_cast<float>(dots[i] - block_sums[i]) * d[i];
        } else {
            for (int i = 0; i < n; ++i) lane[i] += static_cast<float>(dots[i] - block_sums[i]) * d[i];
        }
    }
    float total() {
        for (int width = 8; width > 0; width /= 2) {
            for (int i = 0; i < width; ++i) lane[i] += lane[i + width];
        }
        return lane[0];
    }
};

// Rows row, row + part, ... times columns col .. col + kCols - 1, sixteen blocks at a time: their dot products stay
// spread over the lanes of a register each until all sixteen are added up together.
template <class V, int kRows, int kCols>
inline void tq2_direct_rows(const MulMatArgs& args, const ActColumns& columns, int64_t row, int64_t part, int64_t col,
                            const float (&scales)[kCols]) {
    const int64_t row_bytes = Tq2Fields::row_bytes(args.k);
    const int64_t n_blocks = args.k / kTqBlock;
    const uint8_t* rows[kRows];
    for (int r = 0; r < kRows; ++r) {
        rows[r] = static_cast<const uint8_t*>(args.weights) + (row + r * part) * row_bytes;
    }
    BlockLanes lanes[kRows][kCols];
    typename V::Int dots[kRows][kCols][16];  // kRows * kCols KiB at most: 16 KiB
    uint16_t halves[kRows][16] = {};
    for (int64_t first = 0; first < n_blocks; first += 16) {
        const int n = static_cast<int>(n_blocks - first < 16 ? n_blocks - first : 16);
        for (int b = 0; b < n; ++b) {
#pragma GCC unroll 4
            for (int r = 0; r < kRows; ++r) {
                const uint8_t* block = rows[r] + (first + b) * static_cast<int64_t>(sizeof(BlockTq2_0));
                prefetch_ahead(block);
                const typename V::template BlockFields<Tq2Fields> fields(block);
                std::memcpy(&halves[r][b], block + offsetof(BlockTq2_0, d), sizeof(uint16_t));
#pragma GCC unroll 8
                for (int c = 0; c < kCols; ++c) {
                    dots[r][c][b] = V::template dot_block<Tq2Fields>(
                        fields, columns.values(col) + c * columns.stride + (first + b) * kActBlock);
                }
            }
        }
        for (int r = 0; r < kRows; ++r) {
            float d[16];
            for (int i = 0; i < 16; i += V::kLanes) V::store_float(d + i, V::halves_to_float(halves[r] + i));
            for (int c = 0; c < kCols; ++c) {
                for (int b = n; b < 16; ++b) dots[r][c][b] = V::zero();
                int32_t sums[16];
                V::add_lanes16(dots[r][c], sums);
                lanes[r][c].add(sums, columns.block_sums(col + c) + first, d, n);
            }
        }
    }
    for (int r = 0; r < kRows; ++r) {
        for (int c = 0; c < kCols; ++c) {
            args.out[(col + c) * args.out_stride + row + r * part] = lanes[r][c].total() * scales[c];
        }
    }
}

template <class V, int kCols>
void tq2_direct(const MulMatArgs& args, int64_t col) {
    constexpr int kStreams = 2;
    const ActColumns columns(args);
    float scales[kCols];
    for (int c = 0; c < kCols; ++c) scales[c] = 1.0f / columns.header(col + c).act_scale;
    const int64_t part = (args.row_end - args.row_begin) / kStreams;
    for (int64_t i = 0; i < part; ++i) {
        tq2_direct_rows<V, kStreams, kCols>(args, columns, args.row_begin + i, part, col, scales);
    }
    for (int64_t row = args.row_begin + part * kStreams; row < args.row_end; ++row) {
        tq2_direct_rows<V, 1, kCols>(args, columns, row, 0, col, scales);
    }
}

// Any number of columns, at most kMaxDirectCols at a time.
inline constexpr int kMaxDirectCols = 4;

template <class V>
void i2s_direct_any(const MulMatArgs& args, int64_t col, int64_t n) {
    for (; n >= 4; n -= 4, col += 4) i2s_direct<V, 4>(args, col);
    if (n == 3) i2s_direct<V, 3>(args, col);
    if (n == 2) i2s_direct<V, 2>(args, col);
    if (n == 1) i2s_direct<V, 1>(args, col);
}

template <class V>
void tq2_direct_any(const MulMatArgs& args, int64_t col, int64_t n) {
    for (; n >= 4; n -= 4, col += 4) tq2_direct<V, 4>(args, col);
    if (n == 3) tq2_direct<V, 3>(args, col);
    if (n == 2) tq2_direct<V, 2>(args, col);
    if (n == 1) tq2_direct<V, 1>(args, col);
}

}  // namespace
}  // namespace kern
