// Screening of Q8_0 and Q6_K matrices where they lie: their own codes times the vector's integers, sums of four neighbours exact,
// times their block's scale in sixteen lanes, in one order at every level. The including file has its v16_*.h, and
//   quads(codes, x, at)   V16 of the exact sums of four: 64 signed codes times both[at ...]; below 2^24, so exact floats
//   quads(a, b, x, at)    the same for 32 codes here and 32 there
//   each_of_4(p)          V16 of p[0] four times, p[1] four times, ...
//   each_of_2(a, b)       V16 of a eight times, b eight times
#pragma once

#include "kernels/block_layouts.h"
#include "kernels/cpu/screen_rows.h"

namespace kern {
namespace {

inline V16 quads(const int8_t* codes, const ScreenView& x, int64_t at);
inline V16 quads(const int8_t* a, const int8_t* b, const ScreenView& x, int64_t at);
inline V16 each_of_4(const float* p);
inline V16 each_of_2(float a, float b);

struct ScreenedQ6K {
    static constexpr int64_t kWeights = kQ6KBlock;
    static constexpr int64_t kBytes = sizeof(BlockQ6K);

    template <int kCols>
    static inline void step(const uint8_t* p, const ScreenView (&x)[kCols], int64_t at, V16 (&sums)[kCols]) {
        uint16_t half;
        __builtin_memcpy(&half, p + offsetof(BlockQ6K, d), sizeof half);
        float d[4];
        four_halves(half, d);
        float scales[16];
        v16_store(scales, v16_mul(v16_from_i8(reinterpret_cast<const int8_t*>(p + offsetof(BlockQ6K, scales))),
                                  v16_set1(d[0])));
        alignas(64) int8_t codes[kWeights];
        q6_codes(p, p + offsetof(BlockQ6K, qh), codes);
        for (int j = 0; j < 4; ++j) {
            const V16 scale = each_of_4(scales + 4 * j);
            for (int c = 0; c < kCols; ++c) {
                sums[c] = v16_add(sums[c], v16_mul(quads(codes + 64 * j, x[c], at + 64 * j), scale));
            }
        }
    }
};

struct ScreenedQ8_0 {
    static constexpr int64_t kWeights = 2 * kQ8_0Block;
    static constexpr int64_t kBytes = 2 * sizeof(BlockQ8_0);

    template <int kCols>
    static inline void step(const uint8_t* p, const ScreenView (&x)[kCols], int64_t at, V16 (&sums)[kCols]) {
        uint16_t first, second;
        __builtin_memcpy(&first, p, sizeof first);
        __builtin_memcpy(&second, p + sizeof(BlockQ8_0), sizeof second);
        float d[4];
        four_halves(uint64_t{first} | uint64_t{second} << 16, d);
        const V16 scale = each_of_2(d[0], d[1]);
        const int8_t* codes = reinterpret_cast<const int8_t*>(p + 2);
        for (int c = 0; c < kCols; ++c) {
            sums[c] = v16_add(sums[c], v16_mul(quads(codes, codes + sizeof(BlockQ8_0), x[c], at), scale));
        }
    }
};

template <class Block, int kRowStreams, int kCols>
inline void screen_block_streams(const MulMatArgs& args, int64_t first, int64_t apart, int64_t column) {
    const int64_t row_bytes = args.k / Block::kWeights * Block::kBytes;
    const uint8_t* w[kRowStreams];
    V16 sums[kRowStreams][kCols];
    ScreenView x[kCols];
    for (int c = 0; c < kCols; ++c) x[c] = screen_view(args, column + c);
    for (int s = 0; s < kRowStreams; ++s) {
        w[s] = static_cast<const uint8_t*>(args.weights) + (first + s * apart) * row_bytes;
        for (int c = 0; c < kCols; ++c) sums[s][c] = v16_set1(0.0f);
    }
    for (int64_t at = 0; at < args.k; at += Block::kWeights) {
        for (int s = 0; s < kRowStreams; ++s) {
            for (int64_t line = 0; line < Block::kBytes; line += 64) __builtin_prefetch(w[s] + 2048 + line);
            Block::step(w[s], x, at, sums[s]);
            w[s] += Block::kBytes;
        }
    }
    for (int s = 0; s < kRowStreams; ++s) {
        for (int c = 0; c < kCols; ++c) {
            args.out[(column + c) * args.out_stride + first + s * apart] = v16_tree(sums[s][c]) * x[c].head->scale;
        }
    }
}

template <class Block, int kRowStreams, int kCols>
inline void screen_block_columns(const MulMatArgs& args, int64_t column) {
    const int64_t apart = (args.row_end - args.row_begin) / kRowStreams;
    for (int64_t r = 0; r < apart; ++r) {
        screen_block_streams<Block, kRowStreams, kCols>(args, args.row_begin + r, apart, column);
    }
    for (int64_t r = args.row_begin + apart * kRowStreams; r < args.row_end; ++r) {
        screen_block_streams<Block, 1, kCols>(args, r, 0, column);
    }
}

template <class Block>
void run_screen_blocks(const MulMatArgs& args) {
    const int64_t row_bytes = args.k / Block::kWeights * Block::kBytes;
    screen_passes(args, row_bytes, [](const MulMatArgs& part, auto columns, int64_t column) {
        screen_block_columns<Block, columns.kStreams, columns.kCols>(part, column);
    });
}

}  // namespace
}  // namespace kern

// clang-format off
#define SCREEN_BLOCK_KERNEL(type_name, level_name, features, Block)                                                    \
    constinit const MulMatKernel screen_##type_name##_##level_name = {                                                 \
        .name = "screen_" #type_name "_" #level_name, .level = #level_name, .type = QuantType::type_name,              \
        .needs = features, .exact = true, .act = &act_screen, .row_tile = 16, .packed_bytes = nullptr,                 \
        .pack = nullptr, .run = run_screen_blocks<Block>}
// clang-format on
