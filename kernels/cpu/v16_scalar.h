// Sixteen floats and sixteen int32 as plain arrays: the vocabulary of vec_generic.h and dense_generic.h in portable
// C++, and the definition the other two forms (v16_avx2.h, v16_avx512.h) must match bit for bit. One loop per
// operation, which the compiler turns into whatever vectors the base instruction set has. Everything lives in an
// anonymous namespace: each file that includes this gets its own copy (ODR trap).
#pragma once

#include <cstdint>

#include "kernels/cpu/i8_queries.h"
#include "kernels/f16_bits.h"

namespace kern {
namespace {

struct alignas(16) V16 {
    float lane[16];
};

struct alignas(16) I16 {
    int32_t lane[16];
};

// How many accumulators the register file carries: the blocking of the algorithms, never their results.
constexpr int kMaxQueries = 4;  // attention: queries that share one conversion of K and V
constexpr int kScoreCells = 4;  // attention: cells whose scores are added across lanes together (v16_tree4 takes four)
constexpr int kCellsAtOnce[kMaxQueries + 1] = {0, 1, 1, 1, 1};  // attention: cells that are summed together
constexpr int kFewQueries = 8;  // attention: up to these, a buffer costs more than converting again for each block
constexpr int kValueChunks[kMaxQueries + 1] = {0, 1, 1, 1, 1};  // attention: chunks of 16 outputs, by number of queries
constexpr int kTileRows = 2;                                    // matrix: rows x columns of a register block
constexpr int kTileCols = 2;
constexpr int kStreams = 2;     // matrix: rows that stream side by side
constexpr int kStreamCols = 1;  // matrix: up to this many columns are multiplied while the weights stream by

#define V16_EACH for (int i = 0; i < 16; ++i)

inline V16 v16_set1(float f) {
    V16 r;
    V16_EACH r.lane[i] = f;
    return r;
}

// Loads copy bytes, because weights in a file may lie at any address.
inline V16 v16_load(const float* p) {
    V16 r;
    __builtin_memcpy(r.lane, p, sizeof r.lane);
    return r;
}

// The first n (0..16) values at p, then fill. Reads nothing beyond them.
inline V16 v16_load_part(const float* p, int64_t n, float fill) {
    V16 r = v16_set1(fill);
    __builtin_memcpy(r.lane, p, static_cast<unsigned long>(n) * sizeof(float));
    return r;
}

inline void v16_store(float* p, V16 a) { V16_EACH p[i] = a.lane[i]; }

inline void v16_store_part(float* p, V16 a, int64_t n) {
    for (int64_t i = 0; i < n; ++i) p[i] = a.lane[i];
}

inline V16 v16_add(V16 a, V16 b) {
    V16_EACH a.lane[i] = a.lane[i] + b.lane[i];
    return a;
}

inline V16 v16_sub(V16 a, V16 b) {
    V16_EACH a.lane[i] = a.lane[i] - b.lane[i];
    return a;
}

inline V16 v16_mul(V16 a, V16 b) {
    V16_EACH a.lane[i] = a.lane[i] * b.lane[i];
    return a;
}

inline V16 v16_div(V16 a, V16 b) {
    V16_EACH a.lane[i] = a.lane[i] / b.lane[i];
    return a;
}

// a > b ? a : b, so b wherever one is NaN or both are zero; v16_min likewise with <.
inline V16 v16_max(V16 a, V16 b) {
    V16_EACH a.lane[i] = a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i];
    return a;
}

inline V16 v16_min(V16 a, V16 b) {
    V16_EACH a.lane[i] = a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i];
    return a;
}

inline V16 v16_abs(V16 a) {
    V16_EACH a.lane[i] = float_from_bits(float_bits(a.lane[i]) & 0x7fffffffu);
    return a;
}

inline V16 v16_negate(V16 a) {
    V16_EACH a.lane[i] = float_from_bits(float_bits(a.lane[i]) ^ 0x80000000u);
    return a;
}

// a where test is a number, b where it is NaN.
inline V16 v16_if_number(V16 test, V16 a, V16 b) {
    V16_EACH a.lane[i] = test.lane[i] == test.lane[i] ? a.lane[i] : b.lane[i];
    return a;
}

// a * 2^n, rounded once. n: whole numbers -151..129; |a| in [0.5, 2), so the first of the two products is exact.
inline V16 v16_scale_by_power(V16 a, V16 n) {
    V16_EACH {
        const int32_t whole = static_cast<int32_t>(n.lane[i]);
        const int32_t half = whole >> 1;
        a.lane[i] = a.lane[i] * float_from_bits(static_cast<uint32_t>(half + 127) << 23) *
                    float_from_bits(static_cast<uint32_t>(whole - half + 127) << 23);
    }
    return a;
}

// Lanes 0..7 += 8..15, 0..3 += 4..7, 0..1 += 2..3, 0 += 1: the fixed tree of every sum.
inline float v16_tree(V16 a) {
    for (int half = 8; half >= 1; half /= 2)
        for (int i = 0; i < half; ++i) a.lane[i] = a.lane[i] + a.lane[i + half];
    return a.lane[0];
}

// out[i] = v16_tree(a[i]) for four vectors; the wide forms share the shuffles.
inline void v16_tree4(const V16* a, float* out) {
    for (int i = 0; i < 4; ++i) out[i] = v16_tree(a[i]);
}

// v16_max over the lanes in the order of the tree; for values without NaN.
inline float v16_max_lane(V16 a) {
    for (int half = 8; half >= 1; half /= 2)
        for (int i = 0; i < half; ++i) a.lane[i] = a.lane[i] > a.lane[i + half] ? a.lane[i] : a.lane[i + half];
    return a.lane[0];
}

struct Halves {
    uint16_t lane[16];
};

inline Halves load_halves(const uint16_t* p) {
    Halves h;
    __builtin_memcpy(h.lane, p, sizeof h.lane);
    return h;
}

// The first n, then zeros.
inline Halves load_halves_part(const uint16_t* p, int64_t n) {
    Halves h = {};
    __builtin_memcpy(h.lane, p, static_cast<unsigned long>(n) * sizeof(uint16_t));
    return h;
}

inline V16 from_f16(Halves h) {
    V16 r;
    V16_EACH r.lane[i] = f16_bits_to_f32(h.lane[i]);
    return r;
}

inline V16 v16_from_f16(const uint16_t* p) { return from_f16(load_halves(p)); }

inline V16 v16_from_f16_part(const uint16_t* p, int64_t n) { return from_f16(load_halves_part(p, n)); }

inline void v16_to_f16(uint16_t* p, V16 a) { V16_EACH p[i] = f32_to_f16_bits(a.lane[i]); }

inline void v16_to_f16_part(uint16_t* p, V16 a, int64_t n) {
    for (int64_t i = 0; i < n; ++i) p[i] = f32_to_f16_bits(a.lane[i]);
}

inline V16 from_bf16(Halves h) {
    V16 r;
    V16_EACH r.lane[i] = bf16_bits_to_f32(h.lane[i]);
    return r;
}

inline V16 v16_from_bf16(const uint16_t* p) { return from_bf16(load_halves(p)); }

inline V16 v16_from_bf16_part(const uint16_t* p, int64_t n) { return from_bf16(load_halves_part(p, n)); }

inline V16 v16_from_i8(const int8_t* p) {
    V16 r;
    V16_EACH r.lane[i] = static_cast<float>(p[i]);
    return r;
}

// Four halves, the first in the lowest bits.
inline void four_halves(uint64_t h, float* out) {
    for (int i = 0; i < 4; ++i) out[i] = f16_bits_to_f32(static_cast<uint16_t>(h >> (16 * i)));
}

// even[i] = p[2i], odd[i] = p[2i+1] for 32 floats at p, and back.
inline void v16_load_pairs(const float* p, V16* even, V16* odd) {
    V16_EACH {
        even->lane[i] = p[2 * i];
        odd->lane[i] = p[2 * i + 1];
    }
}

inline void v16_store_pairs(float* p, V16 even, V16 odd) {
    V16_EACH {
        p[2 * i] = even.lane[i];
        p[2 * i + 1] = odd.lane[i];
    }
}

inline I16 i16_zero() { return I16{}; }

// For whole numbers.
inline I16 i16_from_v16(V16 a) {
    I16 r;
    V16_EACH r.lane[i] = static_cast<int32_t>(a.lane[i]);
    return r;
}

inline I16 i16_add(I16 a, I16 b) {
    V16_EACH a.lane[i] += b.lane[i];
    return a;
}

inline int32_t i16_sum(I16 a) {
    int32_t sum = 0;
    V16_EACH sum += a.lane[i];
    return sum;
}

// Each lane as int8 (values -128..127); the second form writes the first n only.
inline void i16_store_i8(int8_t* p, I16 a) { V16_EACH p[i] = static_cast<int8_t>(a.lane[i]); }

inline void i16_store_i8_part(int8_t* p, I16 a, int64_t n) {
    for (int64_t i = 0; i < n; ++i) p[i] = static_cast<int8_t>(a.lane[i]);
}

// Q4_0: 16 bytes of nibbles as (nibble - 8) * d, low nibbles first (block_layouts.h).
inline void v16_q4_codes(const uint8_t* qs, float d, V16* low, V16* high) {
    V16_EACH {
        low->lane[i] = static_cast<float>((qs[i] & 15) - 8) * d;
        high->lane[i] = static_cast<float>((qs[i] >> 4) - 8) * d;
    }
}

// Q6_K: the 256 codes of a block less 32, in the order of the weights (block_layouts.h).
inline void q6_codes(const uint8_t* ql, const uint8_t* qh, int8_t* q) {
    for (int half = 0; half < 2; ++half, ql += 64, qh += 32, q += 128) {
        for (int l = 0; l < 32; ++l) {
            q[l] = static_cast<int8_t>(((ql[l] & 15) | (qh[l] << 4 & 0x30)) - 32);
            q[l + 32] = static_cast<int8_t>(((ql[l + 32] & 15) | (qh[l] << 2 & 0x30)) - 32);
            q[l + 64] = static_cast<int8_t>((ql[l] >> 4 | (qh[l] & 0x30)) - 32);
            q[l + 96] = static_cast<int8_t>((ql[l + 32] >> 4 | (qh[l] >> 2 & 0x30)) - 32);
        }
    }
}

// The 32 codes of a block of sixteen cells as a block of a tile: groups of four codes, one group of all cells after the other.
// tile[64 * g + 4 * c + i] = k[c][4 * g + i].
inline void i8_tile_block(const int8_t* const* k, int8_t* tile) {
    for (int g = 0; g < 8; ++g) {
        for (int c = 0; c < 16; ++c) __builtin_memcpy(tile + 64 * g + 4 * c, k[c] + 4 * g, 4);
    }
}

// Scores of a tile's sixteen cells for the first `queries` queries: out[i * out_stride + c] is the sum over the blocks b, one
// by one from +0, of float(codes of cell c . codes of query i) * (scale of query i, b * k_scale[16 * b + c]). Codes of a
// cell are any int8.
template <int queries>
inline void i8_tile_scores(const int8_t* tile, const float* k_scale, I8Queries q, int64_t n_blocks, float* out,
                           int64_t out_stride) {
    for (int query = 0; query < queries; ++query) {
        V16 sum = v16_set1(0.0f);
        for (int64_t b = 0; b < n_blocks; ++b) {
            const int8_t* codes = q.codes + query * q.stride + 32 * b;
            const float scale = q.scales[query * q.block_stride + b];
            V16_EACH {
                int32_t dot = 0;
                for (int d = 0; d < 32; ++d) dot += int32_t{tile[512 * b + d / 4 * 64 + 4 * i + d % 4]} * codes[d];
                sum.lane[i] = sum.lane[i] + static_cast<float>(dot) * (scale * k_scale[16 * b + i]);
            }
        }
        v16_store(out + query * out_stride, sum);
    }
}

#undef V16_EACH

}  // namespace
}  // namespace kern
