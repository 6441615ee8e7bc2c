// The register vocabulary of ternary_direct.h and ternary_tiles.h over pairs of 128-bit NEON registers, so that a register
// of codes is the 32 bytes of an I2_S block. The dot products are in ternary_simd_neon.h and ternary_simd_dotprod.h.
// Everything is in an anonymous namespace: each file owns its copy.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace kern {
namespace {

struct NeonPair {
    struct Int {
        int32x4_t low, high;
    };
    struct Float {
        float32x4_t low, high;
    };
    static constexpr int kBytes = 32;          // of a pair
    static constexpr bool kShareActs = false;  // ternary_direct.h
    static constexpr int kLanes = 8;           // of 32 bits
    static constexpr int kLutTiles = 1;  // lut_direct.h; the sums of two and their signs would not stay in registers

    static int8x16_t bytes(int32x4_t v) { return vreinterpretq_s8_s32(v); }
    static Int zero() { return {vdupq_n_s32(0), vdupq_n_s32(0)}; }
    static void keep(Int& v) { __asm__("" : "+w"(v.low), "+w"(v.high)); }
    static Int load(const void* p) {
        const int8_t* from = static_cast<const int8_t*>(p);
        return {vreinterpretq_s32_s8(vld1q_s8(from)), vreinterpretq_s32_s8(vld1q_s8(from + 16))};
    }
    static void store(void* p, Int v) {
        int8_t* to = static_cast<int8_t*>(p);
        vst1q_s8(to, bytes(v.low));
        vst1q_s8(to + 16, bytes(v.high));
    }
    // Four bytes into every lane.
    static Int broadcast4(const int8_t* p) {
        int32_t four;
        std::memcpy(&four, p, sizeof four);
        return set32(four);
    }
    static Int set32(int32_t v) { return {vdupq_n_s32(v), vdupq_n_s32(v)}; }
    static Int add32(Int a, Int b) { return {vaddq_s32(a.low, b.low), vaddq_s32(a.high, b.high)}; }
    static Int sub32(Int a, Int b) { return {vsubq_s32(a.low, b.low), vsubq_s32(a.high, b.high)}; }
    // The two-bit field at bit kShift of every byte, moved to bits 1:0.
    template <int kShift>
    static int32x4_t field_of(int32x4_t packed) {
        uint8x16_t v = vreinterpretq_u8_s32(packed);
        if constexpr (kShift > 0) v = vshrq_n_u8(v, kShift);
        if constexpr (kShift < 6) v = vandq_u8(v, vdupq_n_u8(3));
        return vreinterpretq_s32_u8(v);
    }
    template <int kShift>
    static Int field(Int packed) {
        return {field_of<kShift>(packed.low), field_of<kShift>(packed.high)};
    }
    // out[i] = sum of the lanes of v[i].
    template <int kN>
    static void add_lanes(const Int (&v)[kN], int32_t (&out)[kN]) {
        for (int i = 0; i < kN; ++i) out[i] = vaddvq_s32(vaddq_s32(v[i].low, v[i].high));
    }
    static void transpose4(int32x4_t (&t)[4]) {
        const int32x4_t a = vtrn1q_s32(t[0], t[1]), b = vtrn2q_s32(t[0], t[1]);
        const int32x4_t c = vtrn1q_s32(t[2], t[3]), d = vtrn2q_s32(t[2], t[3]);
        const auto first = [](int32x4_t x, int32x4_t y) {
            return vreinterpretq_s32_s64(vtrn1q_s64(vreinterpretq_s64_s32(x), vreinterpretq_s64_s32(y)));
        };
        const auto second = [](int32x4_t x, int32x4_t y) {
            return vreinterpretq_s32_s64(vtrn2q_s64(vreinterpretq_s64_s32(x), vreinterpretq_s64_s32(y)));
        };
        t[0] = first(a, c);
        t[1] = first(b, d);
        t[2] = second(a, c);
        t[3] = second(b, d);
    }
    // t[i] lane j <-> t[j] lane i, by quarters of 4 x 4.
    static void transpose(Int (&t)[8]) {
        int32x4_t a[4], b[4], c[4], d[4];
        for (int i = 0; i < 4; ++i) {
            a[i] = t[i].low;
            b[i] = t[i].high;
            c[i] = t[4 + i].low;
            d[i] = t[4 + i].high;
        }
        transpose4(a);
        transpose4(b);
        transpose4(c);
        transpose4(d);
        for (int i = 0; i < 4; ++i) {
            t[i] = {a[i], c[i]};
            t[4 + i] = {b[i], d[i]};
        }
    }

    // The fixed tree over sixteen float lanes: 0..7 += 8..15, 0..3 += 4..7, 0..1 += 2..3, 0 += 1.
    static float add_16_lanes(const Float (&lanes)[2]) {
        const float32x4_t four =
            vaddq_f32(vaddq_f32(lanes[0].low, lanes[1].low), vaddq_f32(lanes[0].high, lanes[1].high));
        return vpadds_f32(vadd_f32(vget_low_f32(four), vget_high_f32(four)));
    }

    static Float zero_float() { return set_float(0.0f); }
    static Float set_float(float v) { return {vdupq_n_f32(v), vdupq_n_f32(v)}; }
    static Float to_float(Int v) { return {vcvtq_f32_s32(v.low), vcvtq_f32_s32(v.high)}; }
    static Float mul(Float a, Float b) { return {vmulq_f32(a.low, b.low), vmulq_f32(a.high, b.high)}; }
    static Float add(Float a, Float b) { return {vaddq_f32(a.low, b.low), vaddq_f32(a.high, b.high)}; }
    static Float halves_to_float(const uint16_t* p) {
        return {vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))), vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p + 4)))};
    }
    // The first n lanes, 1 <= n <= kLanes.
    static void store_lanes(float* p, Float v, int64_t n) {
        float whole[kLanes];
        float* to = n == kLanes ? p : whole;
        vst1q_f32(to, v.low);
        vst1q_f32(to + 4, v.high);
        if (n != kLanes) std::memcpy(p, whole, static_cast<size_t>(n) * sizeof(float));
    }
};

}  // namespace
}  // namespace kern
