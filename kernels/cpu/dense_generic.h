// Matrix kernels for weights that are read as floats, written once over V16: out = dot16(weight row, x), the 16-lane
// sum of vec_kernels.h over decoded weights. The including file includes its v16_*.h first and uses DENSE_KERNEL at the
// end.
//
// Decoded weights are exact floats, so nothing depends on how a decoder groups its products: an f16 scale has 11
// significant bits, times int8 (Q8_0: 7 bits and sign) or q - 8 (Q4_0: 4) or the 6-bit scale product of Q6_K
// (|sc * q| <= 128 * 32 = 2^12: 12 bits) gives at most 23 of a float's 24. Only the sign of a zero weight may differ,
// and a sum never shows it: lanes begin at +0 and never become -0 (vec_generic.h). Every kernel is therefore exact, at
// any blocking. Results that are NaN are the one quiet NaN.
//
// Two paths: few columns are memory bound, so weights stream by and are multiplied as they are decoded; with more
// columns a block of rows is decoded once into L1 and multiplied with many columns.
#pragma once

#include "kernels/block_layouts.h"
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/dense_kernels.h"
#include "kernels/f16_bits.h"

// Under a sanitizer every lane of the scalar vocabulary carries its checks: inlined everywhere, one file would take the
// compiler minutes. Inlining never changes a bit.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KERN_INLINE
#else
#define KERN_INLINE __attribute__((always_inline))
#endif

namespace kern {
namespace {

// body(0) ... body(n - 1) without a loop, so that arrays indexed by it stay in registers.
template <int n, class Body>
KERN_INLINE inline void unrolled(Body body) {
    if constexpr (n > 0) {
        unrolled<n - 1>(body);
        body(n - 1);
    }
}

// The readers. A step is what is decoded at once: kWeights weights in kBytes bytes, handed to use(first index, V16).
// rest() hands over what a row has left behind its last whole step; the last V16 of a row is filled up with +0.

// One number of `bytes` bytes per weight. Row widths are any; a step is 32 weights, for F16 one cache line.
template <int bytes, V16 (*load)(const uint8_t*), V16 (*load_part)(const uint8_t*, int64_t)>
struct PlainRows {
    static constexpr int64_t kWeights = 32;
    static constexpr int64_t kBytes = kWeights * bytes;

    static inline int64_t row_bytes(int64_t k) { return k * bytes; }

    template <class Use>
    KERN_INLINE static inline void step(const uint8_t* p, Use use) {
        use(0, load(p));
        use(16, load(p + 16 * bytes));
    }

    template <class Use>
    KERN_INLINE static inline void rest(const uint8_t* p, int64_t n, Use use) {
        int64_t i = 0;
        for (; i + 16 <= n; i += 16) use(i, load(p + i * bytes));
        if (i < n) use(i, load_part(p + i * bytes, n - i));
    }
};

inline V16 load_f32(const uint8_t* p) { return v16_load(reinterpret_cast<const float*>(p)); }

inline V16 load_f32_part(const uint8_t* p, int64_t n) {
    return v16_load_part(reinterpret_cast<const float*>(p), n, 0.0f);
}

inline V16 load_f16(const uint8_t* p) { return v16_from_f16(reinterpret_cast<const uint16_t*>(p)); }

inline V16 load_f16_part(const uint8_t* p, int64_t n) {
    return v16_from_f16_part(reinterpret_cast<const uint16_t*>(p), n);
}

inline V16 load_bf16(const uint8_t* p) { return v16_from_bf16(reinterpret_cast<const uint16_t*>(p)); }

inline V16 load_bf16_part(const uint8_t* p, int64_t n) {
    return v16_from_bf16_part(reinterpret_cast<const uint16_t*>(p), n);
}

using RowsF32 = PlainRows<4, load_f32, load_f32_part>;
using RowsF16 = PlainRows<2, load_f16, load_f16_part>;
using RowsBf16 = PlainRows<2, load_bf16, load_bf16_part>;

inline uint64_t half_at(const uint8_t* p) {
    uint16_t h;
    __builtin_memcpy(&h, p, sizeof h);
    return h;
}

// Keeps decoded values in memory, where a broadcast or a widening load costs no more than any load; taken out of a
// register, as the compiler would, each costs a shuffle, and shuffles are what decoding runs out of.
template <class T, int n>
KERN_INLINE inline void keep_in_memory(T (&values)[n]) {
    __asm__("" : "+m"(values));
}

// Blocks of 32 weights that begin with an f16 scale d; Block::use_block(codes, d, first index, use) hands over its two
// vectors. A step is four blocks, because four scales are converted at the price of one.
template <int block_bytes, class Block>
struct RowsOf32 {
    static constexpr int64_t kWeights = 128;
    static constexpr int64_t kBytes = 4 * block_bytes;

    static inline int64_t row_bytes(int64_t k) { return k / 32 * block_bytes; }

    template <class Use>
    KERN_INLINE static inline void step(const uint8_t* p, Use use) {
        const uint64_t halves = half_at(p) | half_at(p + block_bytes) << 16 | half_at(p + 2 * block_bytes) << 32 |
                                half_at(p + 3 * block_bytes) << 48;
        float d[4];
        four_halves(halves, d);
        keep_in_memory(d);
        unrolled<4>([&](int b) KERN_INLINE { Block::use_block(p + b * block_bytes + 2, d[b], 32 * b, use); });
    }

    template <class Use>
    KERN_INLINE static inline void rest(const uint8_t* p, int64_t n, Use use) {
        for (int64_t i = 0; i < n; i += 32, p += block_bytes) {
            float d[4];
            four_halves(half_at(p), d);
            Block::use_block(p + 2, d[0], i, use);
        }
    }
};

// w = d * q, 32 x int8.
struct BlockQ8 {
    template <class Use>
    KERN_INLINE static inline void use_block(const uint8_t* codes, float d, int64_t at, Use use) {
        const int8_t* q = reinterpret_cast<const int8_t*>(codes);
        use(at, v16_mul(v16_from_i8(q), v16_set1(d)));
        use(at + 16, v16_mul(v16_from_i8(q + 16), v16_set1(d)));
    }
};

// w = d * (q - 8), 16 bytes of nibbles, low ones first.
struct BlockQ4 {
    template <class Use>
    KERN_INLINE static inline void use_block(const uint8_t* codes, float d, int64_t at, Use use) {
        V16 low, high;
        v16_q4_codes(codes, d, &low, &high);
        use(at, low);
        use(at + 16, high);
    }
};

using RowsQ8_0 = RowsOf32<sizeof(BlockQ8_0), BlockQ8>;
using RowsQ4_0 = RowsOf32<sizeof(BlockQ4_0), BlockQ4>;

// w = d * code + m: the product is exact (an 11-bit scale times 4 bits), the sum one rounding, the same at every level.
struct RowsQ4_1 {
    static constexpr int64_t kWeights = kQ4_1Block;
    static constexpr int64_t kBytes = sizeof(BlockQ4_1);

    static inline int64_t row_bytes(int64_t k) { return k / kWeights * kBytes; }

    template <class Use>
    KERN_INLINE static inline void step(const uint8_t* p, Use use) {
        float d[4];
        four_halves(half_at(p) | half_at(p + offsetof(BlockQ4_1, m)) << 16, d);
        keep_in_memory(d);
        // Nibbles as q - 8 with scale 1, then 8 more: small integers all.
        V16 low, high;
        v16_q4_codes(p + offsetof(BlockQ4_1, q), 1.0f, &low, &high);
        const V16 eight = v16_set1(8.0f), scale = v16_set1(d[0]), least = v16_set1(d[1]);
        use(0, v16_add(v16_mul(v16_add(low, eight), scale), least));
        use(16, v16_add(v16_mul(v16_add(high, eight), scale), least));
    }

    template <class Use>
    KERN_INLINE static inline void rest(const uint8_t*, int64_t, Use) {}  // a row is whole blocks
};

// Every byte of the low-bit types as the weights it stands for, before the scale: one load instead of shifts.
struct LowBitTables {
    uint64_t signs[256];     // eight int8 of -1, 1: bit i of the byte set or not
    uint32_t two_bits[256];  // four int8 of code - 1
};

constexpr LowBitTables make_low_bit_tables() {
    LowBitTables t = {};
    for (unsigned byte = 0; byte < 256; ++byte) {
        for (unsigned i = 0; i < 8; ++i) t.signs[byte] |= uint64_t{(byte >> i & 1) != 0 ? 1u : 0xffu} << (8 * i);
        for (unsigned i = 0; i < 4; ++i) t.two_bits[byte] |= (((byte >> (2 * i) & 3) + 255u) & 255u) << (8 * i);
    }
    return t;
}

constexpr LowBitTables kLowBits = make_low_bit_tables();

// An f16 scale d and n_bytes bytes of kPerByte weights each.
template <int n_bytes, int kPerByte>
struct RowsLowBit {
    static constexpr int64_t kWeights = n_bytes * kPerByte;
    static constexpr int64_t kBytes = 2 + n_bytes;

    static inline int64_t row_bytes(int64_t k) { return k / kWeights * kBytes; }

    template <class Use>
    KERN_INLINE static inline void step(const uint8_t* p, Use use) {
        float d[4];
        four_halves(half_at(p), d);
        keep_in_memory(d);
        alignas(64) int8_t q[kWeights];
        for (int i = 0; i < n_bytes; ++i) {
            if constexpr (kPerByte == 8) {
                __builtin_memcpy(q + 8 * i, &kLowBits.signs[p[2 + i]], 8);
            } else {
                __builtin_memcpy(q + 4 * i, &kLowBits.two_bits[p[2 + i]], 4);
            }
        }
        keep_in_memory(q);
        unrolled<static_cast<int>(kWeights / 16)>(
            [&](int i) KERN_INLINE { use(16 * i, v16_mul(v16_from_i8(q + 16 * i), v16_set1(d[0]))); });
    }

    template <class Use>
    KERN_INLINE static inline void rest(const uint8_t*, int64_t, Use) {}  // a row is whole blocks
};

using RowsQ1_0 = RowsLowBit<sizeof(BlockQ1_0::q), 8>;
using RowsQ2_0 = RowsLowBit<sizeof(BlockQ2_0::q), 4>;
using RowsQ2_0_G128 = RowsLowBit<sizeof(BlockQ2_0G128::q), 4>;

// ql[128], qh[64], int8 scales[16], f16 d: w = d * scales[i / 16] * (q - 32).
struct RowsQ6_K {
    static constexpr int64_t kWeights = kQ6KBlock;
    static constexpr int64_t kBytes = sizeof(BlockQ6K);

    static inline int64_t row_bytes(int64_t k) { return k / kWeights * kBytes; }

    template <class Use>
    KERN_INLINE static inline void step(const uint8_t* p, Use use) {
        float d[4];
        four_halves(half_at(p + offsetof(BlockQ6K, d)), d);
        float scales[16];
        v16_store(scales, v16_mul(v16_from_i8(reinterpret_cast<const int8_t*>(p + offsetof(BlockQ6K, scales))),
                                  v16_set1(d[0])));
        keep_in_memory(scales);
        alignas(64) int8_t q[256];
        q6_codes(p, p + offsetof(BlockQ6K, qh), q);
        keep_in_memory(q);
        unrolled<16>([&](int i) KERN_INLINE { use(16 * i, v16_mul(v16_from_i8(q + 16 * i), v16_set1(scales[i]))); });
    }

    template <class Use>
    KERN_INLINE static inline void rest(const uint8_t*, int64_t, Use) {}  // a row is whole blocks
};

// d * (0.5 + scale) * 0.25 * signed magnitude: 11, 5 and 6 significant bits, so every product is exact.
struct RowsIq2_S {
    static constexpr int64_t kWeights = kIq2SBlock;
    static constexpr int64_t kBytes = sizeof(BlockIq2S);

    static inline int64_t row_bytes(int64_t k) { return k / kWeights * kBytes; }

    template <class Use>
    KERN_INLINE static inline void step(const uint8_t* p, Use use) {
        float d[4];
        four_halves(half_at(p), d);
        float scales[16];  // of sixteen weights each
        alignas(64) int8_t q[256];
        for (int g = 0; g < 32; ++g) {
            const int high = p[offsetof(BlockIq2S, qh) + g / 4] >> (g % 4 * 2) & 3;
            const uint64_t negative = kIq2STables.signs[p[offsetof(BlockIq2S, signs) + g]];
            // -m = ~m + 1 in every byte: magnitudes are not 0, so no byte carries into the next.
            const uint64_t ones = negative & 0x0101010101010101u;
            const uint64_t row = kIq2STables.magnitudes[p[offsetof(BlockIq2S, qs) + g] | high << 8];
            const uint64_t eight = (row ^ negative) + ones;
            __builtin_memcpy(q + 8 * g, &eight, 8);
            if (g % 2 == 0) {
                const int scale = p[offsetof(BlockIq2S, scales) + g / 4] >> (g % 4 * 2) & 15;
                scales[g / 2] = d[0] * (0.5f + static_cast<float>(scale)) * 0.25f;
            }
        }
        keep_in_memory(scales);
        keep_in_memory(q);
        unrolled<16>([&](int i) KERN_INLINE { use(16 * i, v16_mul(v16_from_i8(q + 16 * i), v16_set1(scales[i]))); });
    }

    template <class Use>
    KERN_INLINE static inline void rest(const uint8_t*, int64_t, Use) {}  // a row is whole blocks
};

// How far ahead of the reads the weights are fetched; 1.5 to 4 KiB are equally good.
constexpr int64_t kAheadBytes = 2048;

template <class Rows>
KERN_INLINE inline void prefetch_step(const uint8_t* p) {
    for (int64_t line = 0; line < Rows::kBytes; line += 64) __builtin_prefetch(p + kAheadBytes + line);
}

// Rows first, first + apart, ... (`streams` of them) times the columns from 0 on.
template <class Rows, int streams, int cols>
inline void dot_streams(const MulMatArgs& args, int64_t first, int64_t apart) {
    const int64_t row_bytes = Rows::row_bytes(args.k);
    const float* x = static_cast<const float*>(args.acts);
    const uint8_t* w[streams];
    V16 sums[streams][cols];
    for (int s = 0; s < streams; ++s) {
        w[s] = static_cast<const uint8_t*>(args.weights) + (first + s * apart) * row_bytes;
        for (int c = 0; c < cols; ++c) sums[s][c] = v16_set1(0.0f);
    }
    const int64_t whole = args.k - args.k % Rows::kWeights;
    for (int64_t at = 0; at < whole; at += Rows::kWeights) {
        const auto body = [&](int s) KERN_INLINE {
            prefetch_step<Rows>(w[s]);
            V16 part[cols];
            unrolled<cols>([&](int c) KERN_INLINE { part[c] = sums[s][c]; });
            Rows::step(w[s], [&](int64_t i, V16 weights) KERN_INLINE {
                unrolled<cols>([&](int c) KERN_INLINE {
                    part[c] = v16_add(part[c], v16_mul(weights, v16_load(x + c * args.act_stride + at + i)));
                });
            });
            unrolled<cols>([&](int c) KERN_INLINE { sums[s][c] = part[c]; });
            w[s] += Rows::kBytes;
        };
        // A long step keeps its own sums in registers; unrolling it as well would only outgrow the instruction cache.
        if constexpr (Rows::kWeights <= 32) {
            unrolled<streams>(body);
        } else {
            for (int s = 0; s < streams; ++s) body(s);
        }
    }
    for (int s = 0; s < streams; ++s) {
        Rows::rest(w[s], args.k - whole, [&](int64_t i, V16 weights) KERN_INLINE {
            for (int c = 0; c < cols; ++c) {
                const int64_t left = args.k - whole - i;
                const float* p = x + c * args.act_stride + whole + i;
                const V16 values = left >= 16 ? v16_load(p) : v16_load_part(p, left, 0.0f);
                sums[s][c] = v16_add(sums[s][c], v16_mul(weights, values));
            }
        });
        for (int c = 0; c < cols; ++c) {
            args.out[c * args.out_stride + first + s * apart] = canonical_nan(v16_tree(sums[s][c]));
        }
    }
}

// Few columns. The rows are cut into kStreams contiguous parts that are walked side by side: one row alone waits for
// memory, and neighbouring rows would defeat the hardware's prefetchers.
template <class Rows, int cols>
inline void run_streams(const MulMatArgs& args) {
    const int64_t apart = (args.row_end - args.row_begin) / kStreams;
    for (int64_t r = 0; r < apart; ++r) dot_streams<Rows, kStreams, cols>(args, args.row_begin + r, apart);
    for (int64_t r = args.row_begin + apart * kStreams; r < args.row_end; ++r) dot_streams<Rows, 1, cols>(args, r, 0);
}

// Chooses run_streams for n_cols columns, 1 <= n_cols <= cols.
template <class Rows, int cols>
inline void run_few(const MulMatArgs& args) {
    if constexpr (cols > 1) {
        if (args.n_cols < cols) return run_few<Rows, cols - 1>(args);
    }
    run_streams<Rows, cols>(args);
}

// Many columns: kBlockRows rows of kDepth decoded weights (16 KiB) meet kBlockCols columns, whose sums (16 KiB) wait in
// memory between depths; the activations of one block of columns stay in L2.
constexpr int kBlockRows = 8;
constexpr int kBlockCols = 32;
constexpr int kDepth = 512;
static_assert(kBlockRows % kTileRows == 0 && kBlockCols % kTileCols == 0);

// kTileRows x cols sums over `depth` weights; w: rows kDepth apart; x: columns `stride` apart.
template <int cols>
inline void multiply_tile(const float* w, const float* x, int64_t stride, int64_t depth, V16* sums) {
    V16 part[kTileRows][cols];
    for (int r = 0; r < kTileRows; ++r) {
        for (int c = 0; c < cols; ++c) part[r][c] = sums[r * kBlockCols + c];
    }
    int64_t i = 0;
    for (; i + 16 <= depth; i += 16) {
        V16 weights[kTileRows];
        for (int r = 0; r < kTileRows; ++r) weights[r] = v16_load(w + r * kDepth + i);
        for (int c = 0; c < cols; ++c) {
            const V16 values = v16_load(x + c * stride + i);
            for (int r = 0; r < kTileRows; ++r) part[r][c] = v16_add(part[r][c], v16_mul(weights[r], values));
        }
    }
    if (const int64_t left = depth - i; left > 0) {  // the decoded rows are filled up with +0
        for (int c = 0; c < cols; ++c) {
            const V16 values = v16_load_part(x + c * stride + i, left, 0.0f);
            for (int r = 0; r < kTileRows; ++r) {
                part[r][c] = v16_add(part[r][c], v16_mul(v16_load(w + r * kDepth + i), values));
            }
        }
    }
    for (int r = 0; r < kTileRows; ++r) {
        for (int c = 0; c < cols; ++c) sums[r * kBlockCols + c] = part[r][c];
    }
}

template <int cols>
inline void multiply_tile_of(int64_t n, const float* w, const float* x, int64_t stride, int64_t depth, V16* sums) {
    if constexpr (cols > 1) {
        if (n < cols) return multiply_tile_of<cols - 1>(n, w, x, stride, depth, sums);
    }
    multiply_tile<cols>(w, x, stride, depth, sums);
}

template <class Rows>
inline void run_blocks(const MulMatArgs& args) {
    const int64_t row_bytes = Rows::row_bytes(args.k);
    alignas(64) float decoded[kBlockRows * kDepth];
    alignas(64) V16 sums[kBlockRows * kBlockCols];
    for (int64_t c0 = 0; c0 < args.n_cols; c0 += kBlockCols) {
        const int64_t cols = args.n_cols - c0 < kBlockCols ? args.n_cols - c0 : kBlockCols;
        const float* x = static_cast<const float*>(args.acts) + c0 * args.act_stride;
        for (int64_t r0 = args.row_begin; r0 < args.row_end; r0 += kBlockRows) {
            const int64_t rows = args.row_end - r0 < kBlockRows ? args.row_end - r0 : kBlockRows;
            for (V16& sum : sums) sum = v16_set1(0.0f);
            for (int64_t at = 0; at < args.k; at += kDepth) {
                const int64_t depth = args.k - at < kDepth ? args.k - at : kDepth;
                for (int64_t r = 0; r < kBlockRows; ++r) {
                    const int64_t row = r < rows ? r0 + r : args.row_end - 1;  // the last one again: not stored
                    const uint8_t* w = static_cast<const uint8_t*>(args.weights) + row * row_bytes +
                                       at / Rows::kWeights * Rows::kBytes;
                    float* to = decoded + r * kDepth;
                    int64_t i = 0;
                    for (; i + Rows::kWeights <= depth; i += Rows::kWeights) {
                        prefetch_step<Rows>(w);
                        Rows::step(w, [&](int64_t j, V16 weights) KERN_INLINE { v16_store(to + i + j, weights); });
                        w += Rows::kBytes;
                    }
                    Rows::rest(w, depth - i,
                               [&](int64_t j, V16 weights) KERN_INLINE { v16_store(to + i + j, weights); });
                }
                for (int64_t c = 0; c < cols; c += kTileCols) {
                    for (int64_t r = 0; r < rows; r += kTileRows) {
                        multiply_tile_of<kTileCols>(cols - c, decoded + r * kDepth, x + c * args.act_stride + at,
                                                    args.act_stride, depth, sums + r * kBlockCols + c);
                    }
                }
            }
            for (int64_t c = 0; c < cols; ++c) {
                for (int64_t r = 0; r < rows; ++r) {
                    args.out[(c0 + c) * args.out_stride + r0 + r] = canonical_nan(v16_tree(sums[r * kBlockCols + c]));
                }
            }
        }
    }
}

template <class Rows>
void run_dense(const MulMatArgs& args) {
    if (args.n_cols <= kStreamCols) {
        run_few<Rows, kStreamCols>(args);
    } else {
        run_blocks<Rows>(args);
    }
}

}  // namespace
}  // namespace kern

// A table row: DENSE_KERNEL(f16, avx2, CPU_AVX2, RowsF16). Rows are split at multiples of 16: outputs of two threads
// then share no cache line when a column begins at one.
// clang-format off
#define DENSE_KERNEL(type_name, level_name, features, Rows)                                                            \
    constinit const MulMatKernel type_name##_##level_name = {                                                          \
        .name = #type_name "_" #level_name, .level = #level_name, .type = QuantType::type_name, .needs = features,     \
        .exact = true, .act = &act_f32, .row_tile = 16, .packed_bytes = nullptr, .pack = nullptr,                      \
        .run = run_dense<Rows>}
// clang-format on
