// Sixteen floats as four 128-bit registers: the vocabulary of v16_scalar.h (which defines it) for NEON on AArch64.
// Intrinsics only, no std templates, everything in an anonymous namespace (ODR trap). No fused multiply-add, and
// comparisons with selections instead of FMAX and FMIN, whose NaNs are not ours.
#pragma once

#include <arm_neon.h>

#include <cstdint>

#include "kernels/cpu/i8_queries.h"
#include "kernels/f16_bits.h"

namespace kern {
namespace {

struct V16 {
    float32x4_t part[4];
};

struct I16 {
    int32x4_t part[4];
};

// Blocking for 32 registers of 4 floats; see v16_scalar.h.
constexpr int kMaxQueries = 2;
constexpr int kScoreCells = 4;
constexpr int kCellsAtOnce[kMaxQueries + 1] = {0, 4, 2};
constexpr int kFewQueries = 4;
constexpr int kValueChunks[kMaxQueries + 1] = {0, 4, 2};
constexpr int kTileRows = 2;
constexpr int kTileCols = 2;
constexpr int kStreams = 4;
constexpr int kStreamCols = 1;

#define V16_EACH for (int i = 0; i < 4; ++i)

inline V16 v16_set1(float f) { return {vdupq_n_f32(f), vdupq_n_f32(f), vdupq_n_f32(f), vdupq_n_f32(f)}; }

inline V16 v16_load(const float* p) { return {vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12)}; }

inline void v16_store(float* p, V16 a) { V16_EACH vst1q_f32(p + 4 * i, a.part[i]); }

inline V16 v16_load_part(const float* p, int64_t n, float fill) {
    float whole[16];
    v16_store(whole, v16_set1(fill));
    __builtin_memcpy(whole, p, static_cast<unsigned long>(n) * sizeof(float));
    return v16_load(whole);
}

inline void v16_store_part(float* p, V16 a, int64_t n) {
    float whole[16];
    v16_store(whole, a);
    __builtin_memcpy(p, whole, static_cast<unsigned long>(n) * sizeof(float));
}

inline V16 v16_add(V16 a, V16 b) {
    V16_EACH a.part[i] = vaddq_f32(a.part[i], b.part[i]);
    return a;
}

inline V16 v16_sub(V16 a, V16 b) {
    V16_EACH a.part[i] = vsubq_f32(a.part[i], b.part[i]);
    return a;
}

inline V16 v16_mul(V16 a, V16 b) {
    V16_EACH a.part[i] = vmulq_f32(a.part[i], b.part[i]);
    return a;
}

inline V16 v16_div(V16 a, V16 b) {
    V16_EACH a.part[i] = vdivq_f32(a.part[i], b.part[i]);
    return a;
}

inline float32x4_t larger(float32x4_t a, float32x4_t b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }

inline V16 v16_max(V16 a, V16 b) {
    V16_EACH a.part[i] = larger(a.part[i], b.part[i]);
    return a;
}

inline V16 v16_min(V16 a, V16 b) {
    V16_EACH a.part[i] = vbslq_f32(vcltq_f32(a.part[i], b.part[i]), a.part[i], b.part[i]);
    return a;
}

inline V16 v16_abs(V16 a) {
    V16_EACH a.part[i] = vabsq_f32(a.part[i]);
    return a;
}

inline V16 v16_negate(V16 a) {
    V16_EACH a.part[i] = vnegq_f32(a.part[i]);
    return a;
}

inline V16 v16_if_number(V16 test, V16 a, V16 b) {
    V16_EACH a.part[i] = vbslq_f32(vceqq_f32(test.part[i], test.part[i]), a.part[i], b.part[i]);
    return a;
}

inline V16 v16_scale_by_power(V16 a, V16 n) {
    const int32x4_t bias = vdupq_n_s32(127);
    V16_EACH {
        const int32x4_t whole = vcvtq_s32_f32(n.part[i]);
        const int32x4_t half = vshrq_n_s32(whole, 1);
        const int32x4_t first = vshlq_n_s32(vaddq_s32(half, bias), 23);
        const int32x4_t second = vshlq_n_s32(vaddq_s32(vsubq_s32(whole, half), bias), 23);
        a.part[i] = vmulq_f32(vmulq_f32(a.part[i], vreinterpretq_f32_s32(first)), vreinterpretq_f32_s32(second));
    }
    return a;
}

// Lanes 0..7 += 8..15, then 0..3 += 4..7.
inline float32x4_t tree_to_four(V16 a) {
    return vaddq_f32(vaddq_f32(a.part[0], a.part[2]), vaddq_f32(a.part[1], a.part[3]));
}

inline float v16_tree(V16 a) {
    const float32x4_t four = tree_to_four(a);
    return vpadds_f32(vadd_f32(vget_low_f32(four), vget_high_f32(four)));
}

inline void v16_tree4(const V16* a, float* out) {
    float32x4_t four[4];
    V16_EACH four[i] = tree_to_four(a[i]);
    // Lanes 0..1 += 2..3 of two vectors at a time, then 0 += 1 of all.
    const auto two = [](float32x4_t x, float32x4_t y) {
        return vaddq_f32(vcombine_f32(vget_low_f32(x), vget_low_f32(y)),
                         vcombine_f32(vget_high_f32(x), vget_high_f32(y)));
    };
    vst1q_f32(out, vpaddq_f32(two(four[0], four[1]), two(four[2], four[3])));
}

inline float v16_max_lane(V16 a) {
    const float32x4_t four = larger(larger(a.part[0], a.part[2]), larger(a.part[1], a.part[3]));
    const float32x2_t low = vget_low_f32(four), high = vget_high_f32(four);
    const float32x2_t two = vbsl_f32(vcgt_f32(low, high), low, high);
    const float first = vget_lane_f32(two, 0), second = vget_lane_f32(two, 1);
    return first > second ? first : second;
}

inline V16 v16_from_f16(const uint16_t* p) {
    V16 r;
    V16_EACH r.part[i] = vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p + 4 * i)));
    return r;
}

inline V16 v16_from_f16_part(const uint16_t* p, int64_t n) {
    uint16_t padded[16] = {};
    __builtin_memcpy(padded, p, static_cast<unsigned long>(n) * sizeof(uint16_t));
    return v16_from_f16(padded);
}

inline void v16_to_f16(uint16_t* p, V16 a) {
    V16_EACH vst1_u16(p + 4 * i, vreinterpret_u16_f16(vcvt_f16_f32(a.part[i])));
}

inline void v16_to_f16_part(uint16_t* p, V16 a, int64_t n) {
    uint16_t whole[16];
    v16_to_f16(whole, a);
    __builtin_memcpy(p, whole, static_cast<unsigned long>(n) * sizeof(uint16_t));
}

inline V16 v16_from_bf16(const uint16_t* p) {
    V16 r;
    V16_EACH r.part[i] = vreinterpretq_f32_u32(vshlq_n_u32(vmovl_u16(vld1_u16(p + 4 * i)), 16));
    return r;
}

inline V16 v16_from_bf16_part(const uint16_t* p, int64_t n) {
    uint16_t padded[16] = {};
    __builtin_memcpy(padded, p, static_cast<unsigned long>(n) * sizeof(uint16_t));
    return v16_from_bf16(padded);
}

inline V16 from_bytes(int8x16_t bytes) {
    const int16x8_t low = vmovl_s8(vget_low_s8(bytes)), high = vmovl_high_s8(bytes);
    return {vcvtq_f32_s32(vmovl_s16(vget_low_s16(low))), vcvtq_f32_s32(vmovl_high_s16(low)),
            vcvtq_f32_s32(vmovl_s16(vget_low_s16(high))), vcvtq_f32_s32(vmovl_high_s16(high))};
}

inline V16 v16_from_i8(const int8_t* p) { return from_bytes(vld1q_s8(p)); }

inline void four_halves(uint64_t h, float* out) { vst1q_f32(out, vcvt_f32_f16(vcreate_f16(h))); }

inline void v16_load_pairs(const float* p, V16* even, V16* odd) {
    V16_EACH {
        const float32x4x2_t pairs = vld2q_f32(p + 8 * i);
        even->part[i] = pairs.val[0];
        odd->part[i] = pairs.val[1];
    }
}

inline void v16_store_pairs(float* p, V16 even, V16 odd) {
    V16_EACH vst2q_f32(p + 8 * i, (float32x4x2_t{{even.part[i], odd.part[i]}}));
}

inline I16 i16_zero() { return {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)}; }

inline I16 i16_from_v16(V16 a) {
    I16 r;
    V16_EACH r.part[i] = vcvtq_s32_f32(a.part[i]);
    return r;
}

inline I16 i16_add(I16 a, I16 b) {
    V16_EACH a.part[i] = vaddq_s32(a.part[i], b.part[i]);
    return a;
}

inline int32_t i16_sum(I16 a) {
    return vaddvq_s32(vaddq_s32(vaddq_s32(a.part[0], a.part[1]), vaddq_s32(a.part[2], a.part[3])));
}

inline void i16_store_i8(int8_t* p, I16 a) {
    const int16x8_t low = vcombine_s16(vmovn_s32(a.part[0]), vmovn_s32(a.part[1]));
    const int16x8_t high = vcombine_s16(vmovn_s32(a.part[2]), vmovn_s32(a.part[3]));
    vst1q_s8(p, vcombine_s8(vmovn_s16(low), vmovn_s16(high)));
}

inline void i16_store_i8_part(int8_t* p, I16 a, int64_t n) {
    int8_t whole[16];
    i16_store_i8(whole, a);
    __builtin_memcpy(p, whole, static_cast<unsigned long>(n));
}

inline void v16_q4_codes(const uint8_t* qs, float d, V16* low, V16* high) {
    const uint8x16_t bytes = vld1q_u8(qs);
    const int8x16_t eight = vdupq_n_s8(8);
    const V16 scale = v16_set1(d);
    *low = v16_mul(from_bytes(vsubq_s8(vreinterpretq_s8_u8(vandq_u8(bytes, vdupq_n_u8(15))), eight)), scale);
    *high = v16_mul(from_bytes(vsubq_s8(vreinterpretq_s8_u8(vshrq_n_u8(bytes, 4)), eight)), scale);
}

inline void q6_codes(const uint8_t* ql, const uint8_t* qh, int8_t* q) {
    const uint8x16_t two = vdupq_n_u8(0x30);
    const auto store = [=](int8_t* to, uint8x16_t low, uint8x16_t high) {
        vst1q_s8(to, vreinterpretq_s8_u8(vsubq_u8(vorrq_u8(low, vandq_u8(high, two)), vdupq_n_u8(32))));
    };
    const uint8x16_t four = vdupq_n_u8(15);
    for (int half = 0; half < 2; ++half, ql += 64, qh += 32, q += 128) {
        for (int l = 0; l < 32; l += 16) {
            const uint8x16_t a = vld1q_u8(ql + l), b = vld1q_u8(ql + 32 + l), h = vld1q_u8(qh + l);
            store(q + l, vandq_u8(a, four), vshlq_n_u8(h, 4));
            store(q + 32 + l, vandq_u8(b, four), vshlq_n_u8(h, 2));
            store(q + 64 + l, vshrq_n_u8(a, 4), h);
            store(q + 96 + l, vshrq_n_u8(b, 4), vshrq_n_u8(h, 2));
        }
    }
}

// Four cells at a time: their 32-bit numbers transposed.
inline void i8_tile_block(const int8_t* const* k, int8_t* tile) {
    for (int c = 0; c < 16; c += 4) {
        for (int half = 0; half < 32; half += 16) {
            int32x4_t rows[4];
            V16_EACH rows[i] = vreinterpretq_s32_s8(vld1q_s8(k[c + i] + half));
            const int32x4x2_t first = vtrnq_s32(rows[0], rows[1]), second = vtrnq_s32(rows[2], rows[3]);
            int8_t* to = tile + 16 * half + 4 * c;
            const auto store = [to](int g, int32x2_t a, int32x2_t b) {
                vst1q_s8(to + 64 * g, vreinterpretq_s8_s32(vcombine_s32(a, b)));
            };
            store(0, vget_low_s32(first.val[0]), vget_low_s32(second.val[0]));
            store(1, vget_low_s32(first.val[1]), vget_low_s32(second.val[1]));
            store(2, vget_high_s32(first.val[0]), vget_high_s32(second.val[0]));
            store(3, vget_high_s32(first.val[1]), vget_high_s32(second.val[1]));
        }
    }
}

// Four codes of a query twice, as two cells meet them.
inline int8x8_t four_codes(const int8_t* q) {
    int32_t codes;
    __builtin_memcpy(&codes, q, sizeof codes);
    return vreinterpret_s8_s32(vdup_n_s32(codes));
}

// Four cells at a time, eight codes of each: products of two codes fit int16 twice (2 * 128 * 127).
template <int queries>
inline void i8_tile_scores(const int8_t* tile, const float* k_scale, I8Queries q, int64_t n_blocks, float* out,
                           int64_t out_stride) {
    for (int c = 0; c < 16; c += 4) {
        float32x4_t sums[queries];
        for (int i = 0; i < queries; ++i) sums[i] = vdupq_n_f32(0.0f);
        for (int64_t b = 0; b < n_blocks; ++b) {
            int32x4_t low[queries], high[queries];  // of cells 0 and 1, 2 and 3: two sums each
            for (int i = 0; i < queries; ++i) low[i] = high[i] = vdupq_n_s32(0);
#pragma GCC unroll 1
            for (int g = 0; g < 8; g += 2) {
                const int8x16_t a = vld1q_s8(tile + 512 * b + 64 * g + 4 * c);
                const int8x16_t z = vld1q_s8(tile + 512 * b + 64 * g + 64 + 4 * c);
                for (int i = 0; i < queries; ++i) {
                    const int8_t* codes = q.codes + i * q.stride + 32 * b + 4 * g;
                    const int8x8_t of_a = four_codes(codes), of_z = four_codes(codes + 4);
                    low[i] = vpadalq_s16(low[i], vmlal_s8(vmull_s8(vget_low_s8(a), of_a), vget_low_s8(z), of_z));
                    high[i] = vpadalq_s16(high[i], vmlal_s8(vmull_s8(vget_high_s8(a), of_a), vget_high_s8(z), of_z));
                }
            }
            const float32x4_t of_cells = vld1q_f32(k_scale + 16 * b + c);
            for (int i = 0; i < queries; ++i) {
                const float32x4_t scale = vmulq_f32(vdupq_n_f32(q.scales[i * q.block_stride + b]), of_cells);
                sums[i] = vaddq_f32(sums[i], vmulq_f32(vcvtq_f32_s32(vpaddq_s32(low[i], high[i])), scale));
            }
        }
        for (int i = 0; i < queries; ++i) vst1q_f32(out + i * out_stride + c, sums[i]);
    }
}

#undef V16_EACH

}  // namespace
}  // namespace kern
