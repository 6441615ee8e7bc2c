// Screening of Q8_0 and Q6_K matrices where they lie: their own codes times the vector's integers, sums of a few neighbours
// exact, times their block's scale in sixteen lanes, in one order at every level. The including file has its v16_*.h, and
//   quads(a, b, x, at)            Q8_0: V16 of the exact sums of four: 32 signed codes at a and 32 at b times both[at ...];
//                                 below 2^24, so exact floats
//   pair_sums(words, values, s)   Q6_K: lane i of s[c] is the exact sum of words[j] * values[c][j] over the 16 j < 256 with
//                                 j / 2 % 16 == i, rounded to a float. |words| <= 4096, so it stays below 2^30
//   scale_words(codes, scales, w) Q6_K: w[i] = codes[i] * scales[i / 16], i < 256
//   each_of_2(a, b)               V16 of a eight times, b eight times
#pragma once

#include "kernels/block_layouts.h"
#include "kernels/cpu/screen_rows.h"

namespace kern {
namespace {

inline V16 quads(const int8_t* a, const int8_t* b, const ScreenView& x, int64_t at);
inline V16 each_of_2(float a, float b);
inline void scale_words(const int8_t* codes, const int8_t* scales, int16_t* words);
template <int kCols>
inline void pair_sums(const int16_t* words, const int16_t* const (&values)[kCols], V16 (&sums)[kCols]);

// step(j) for each 32 words of a block, for kCols columns. For one, without a loop, the words go from register to register.
template <int kCols, class Step>
inline __attribute__((always_inline)) void for_words(const Step& step) {
    if constexpr (kCols == 1) {
#pragma GCC unroll 8
        for (int j = 0; j < kQ6KBlock; j += 32) step(j);
    } else {
#pragma GCC unroll 1
        for (int j = 0; j < kQ6KBlock; j += 32) step(j);
    }
}

// A block's integers with the scales of sixteen multiplied in: one float scale is left for all of them, and each column costs
// nothing but products and sums.
struct Q6KWords {
    alignas(64) int16_t words[kQ6KBlock];
    float d;

    void read(const uint8_t* p) {
        uint16_t half;
        __builtin_memcpy(&half, p + offsetof(BlockQ6K, d), sizeof half);
        float four[4];
        four_halves(half, four);
        d = four[0];
        alignas(64) int8_t codes[kQ6KBlock];
        q6_codes(p, p + offsetof(BlockQ6K, qh), codes);
        const int8_t* scales = reinterpret_cast<const int8_t*>(p + offsetof(BlockQ6K, scales));
        scale_words(codes, scales, words);
    }

    // Adds the block's part to the sums of kCols columns.
    template <int kCols>
    void add(const ScreenView* x, int64_t at, V16* sums) const {
        const int16_t* values[kCols];
        for (int c = 0; c < kCols; ++c) values[c] = x[c].both + at;
        V16 of_block[kCols];
        pair_sums(words, values, of_block);
        const V16 scale = v16_set1(d);
        for (int c = 0; c < kCols; ++c) sums[c] = v16_add(sums[c], v16_mul(of_block[c], scale));
    }
};

struct ScreenedQ6K {
    static constexpr int64_t kWeights = kQ6KBlock;
    static constexpr int64_t kBytes = sizeof(BlockQ6K);

    template <int kCols>
    static inline void step(const uint8_t* p, const ScreenView (&x)[kCols], int64_t at, V16 (&sums)[kCols]) {
        Q6KWords block;
        block.read(p);
        block.add<kCols>(x, at, sums);
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

// Up to this many columns of Q6_K go through eight rows together: a block of each is taken apart once, stays in the first cache
// and meets four columns at a time.
constexpr int kWordRows = 8;
constexpr int kWordCols = 16;

inline void screen_word_tile(const MulMatArgs& args, int64_t row, int n_rows, const ScreenView* x, int64_t column,
                             int n_cols) {
    const int64_t row_bytes = args.k / kQ6KBlock * static_cast<int64_t>(sizeof(BlockQ6K));
    Q6KWords blocks[kWordRows];
    V16 sums[kWordRows][kWordCols];
    for (auto& of_row : sums) {
        for (V16& sum : of_row) sum = v16_set1(0.0f);
    }
    const uint8_t* p = static_cast<const uint8_t*>(args.weights) + row * row_bytes;
    for (int64_t at = 0; at < args.k; at += kQ6KBlock, p += sizeof(BlockQ6K)) {
        for (int r = 0; r < n_rows; ++r) {
            const uint8_t* block = p + r * row_bytes;
            for (size_t line = 0; line < sizeof(BlockQ6K); line += 64)
                __builtin_prefetch(block + kWordRows * row_bytes + line);
            blocks[r].read(block);
        }
        int c = 0;
        for (; c + 4 <= n_cols; c += 4) {
            for (int r = 0; r < n_rows; ++r) blocks[r].add<4>(x + c, at, sums[r] + c);
        }
        for (; c < n_cols; ++c) {
            for (int r = 0; r < n_rows; ++r) blocks[r].add<1>(x + c, at, sums[r] + c);
        }
    }
    for (int c = 0; c < n_cols; ++c) {
        for (int r = 0; r < n_rows; ++r) {
            args.out[(column + c) * args.out_stride + row + r] = v16_tree(sums[r][c]) * x[c].head->scale;
        }
    }
}

void run_screen_q6_k(const MulMatArgs& args) {
    if (args.n_cols <= 4) return run_screen_blocks<ScreenedQ6K>(args);
    const int64_t row_bytes = args.k / kQ6KBlock * static_cast<int64_t>(sizeof(BlockQ6K));
    for_row_pieces(args, row_bytes, args.n_cols > kWordCols, [](const MulMatArgs& part) {
        for (int64_t column = 0; column < part.n_cols; column += kWordCols) {
            const int64_t left = part.n_cols - column;
            const int n_cols = static_cast<int>(left < kWordCols ? left : kWordCols);
            ScreenView x[kWordCols];
            for (int c = 0; c < n_cols; ++c) x[c] = screen_view(part, column + c);
            for (int64_t row = part.row_begin; row < part.row_end; row += kWordRows) {
                const int64_t rows = part.row_end - row;
                screen_word_tile(part, row, static_cast<int>(rows < kWordRows ? rows : kWordRows), x, column, n_cols);
            }
        }
    });
}

}  // namespace
}  // namespace kern

// clang-format off
#define SCREEN_BLOCK_KERNEL(type_name, level_name, features, run_blocks)                                               \
    constinit const MulMatKernel screen_##type_name##_##level_name = {                                                 \
        .name = "screen_" #type_name "_" #level_name, .level = #level_name, .type = QuantType::type_name,              \
        .needs = features, .exact = true, .act = &act_screen, .row_tile = 16, .packed_bytes = nullptr,                 \
        .pack = nullptr, .run = run_blocks}
// clang-format on
