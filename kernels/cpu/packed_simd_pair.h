// Bytes of the packed layouts T5, TL1 and TL2 (packed_layouts.h) in pairs of NEON registers: the words of packed_simd_avx.h, which
// also says who includes this.
#pragma once

#include <cstdint>

#include "kernels/cpu/ternary_simd_pair.h"

namespace kern {
namespace {

inline uint8x16_t unsigned_bytes(int32x4_t a) { return vreinterpretq_u8_s32(a); }
inline NeonPair::Int pair_of(uint8x16_t low, uint8x16_t high) {
    return {vreinterpretq_s32_u8(low), vreinterpretq_s32_u8(high)};
}
inline NeonPair::Int pair_of(int8x16_t low, int8x16_t high) {
    return {vreinterpretq_s32_s8(low), vreinterpretq_s32_s8(high)};
}

inline NeonPair::Int add8(NeonPair::Int a, NeonPair::Int b) {
    return pair_of(vaddq_u8(unsigned_bytes(a.low), unsigned_bytes(b.low)),
                   vaddq_u8(unsigned_bytes(a.high), unsigned_bytes(b.high)));
}
template <int kShift>
inline NeonPair::Int right_signed32(NeonPair::Int a) {
    return {vshrq_n_s32(a.low, kShift), vshrq_n_s32(a.high, kShift)};
}
inline void set_bytes(NeonPair::Int& to, int byte) {
    const uint8x16_t bytes = vdupq_n_u8(static_cast<uint8_t>(byte));
    to = pair_of(bytes, bytes);
}
inline NeonPair::Int low_nibbles(NeonPair::Int a) {
    const uint8x16_t nibble = vdupq_n_u8(15);
    return pair_of(vandq_u8(unsigned_bytes(a.low), nibble), vandq_u8(unsigned_bytes(a.high), nibble));
}
inline NeonPair::Int high_nibbles(NeonPair::Int a) {
    return pair_of(vshrq_n_u8(unsigned_bytes(a.low), 4), vshrq_n_u8(unsigned_bytes(a.high), 4));
}
// Both halves are the same sixteen bytes, which the compiler keeps in one register.
inline void load_table(NeonPair::Int& to, const uint8_t* p) {
    const uint8x16_t table = vld1q_u8(p);
    to = pair_of(table, table);
}
inline NeonPair::Int look_up(NeonPair::Int table, NeonPair::Int index) {
    return pair_of(vqtbl1q_u8(unsigned_bytes(table.low), unsigned_bytes(index.low)),
                   vqtbl1q_u8(unsigned_bytes(table.high), unsigned_bytes(index.high)));
}

// Bytes of a become ~a (flip) or -a (negate) where bit 7 of the byte of `signs` is set.
struct SignsPair {
    uint8x16_t low, high;
    explicit SignsPair(NeonPair::Int signs)
        : low(vcltzq_s8(NeonPair::bytes(signs.low))), high(vcltzq_s8(NeonPair::bytes(signs.high))) {}
    NeonPair::Int flip(NeonPair::Int a) const {
        return pair_of(veorq_u8(unsigned_bytes(a.low), low), veorq_u8(unsigned_bytes(a.high), high));
    }
    NeonPair::Int negate(NeonPair::Int a) const {
        const NeonPair::Int flipped = flip(a);
        return pair_of(vsubq_u8(unsigned_bytes(flipped.low), low), vsubq_u8(unsigned_bytes(flipped.high), high));
    }
};
inline SignsPair signs_of(NeonPair::Int signs) { return SignsPair(signs); }

// The first digit of T5 bytes, 3 x / 256: of x + x / 2, which may take nine bits, the upper two.
inline uint8x16_t t5_digit(uint8x16_t x) { return vshrq_n_u8(vhaddq_u8(x, vshrq_n_u8(x, 1)), 6); }
inline NeonPair::Int t5_digit(NeonPair::Int x) {
    return pair_of(t5_digit(unsigned_bytes(x.low)), t5_digit(unsigned_bytes(x.high)));
}
// x - 128, signed, of unsigned bytes.
inline NeonPair::Int less_128(NeonPair::Int x) {
    const uint8x16_t sign = vdupq_n_u8(128);
    return pair_of(veorq_u8(unsigned_bytes(x.low), sign), veorq_u8(unsigned_bytes(x.high), sign));
}

// out: 32-bit lanes of a byte each of a, b, c, d, in the order of packed_layouts.h.
inline void interleave(NeonPair::Int a, NeonPair::Int b, NeonPair::Int c, NeonPair::Int d, NeonPair::Int (&out)[4]) {
    // Of one half: rows 0..3 of its bytes in 32-bit lanes, then 4..7, 8..11 and 12..15.
    const auto quarters = [](int32x4_t p, int32x4_t q, int32x4_t r, int32x4_t s, int32x4_t(&to)[4]) {
        const auto words = [](uint8x16_t v) { return vreinterpretq_u16_u8(v); };
        const uint16x8_t low_pq = words(vzip1q_u8(unsigned_bytes(p), unsigned_bytes(q)));
        const uint16x8_t high_pq = words(vzip2q_u8(unsigned_bytes(p), unsigned_bytes(q)));
        const uint16x8_t low_rs = words(vzip1q_u8(unsigned_bytes(r), unsigned_bytes(s)));
        const uint16x8_t high_rs = words(vzip2q_u8(unsigned_bytes(r), unsigned_bytes(s)));
        to[0] = vreinterpretq_s32_u16(vzip1q_u16(low_pq, low_rs));
        to[1] = vreinterpretq_s32_u16(vzip2q_u16(low_pq, low_rs));
        to[2] = vreinterpretq_s32_u16(vzip1q_u16(high_pq, high_rs));
        to[3] = vreinterpretq_s32_u16(vzip2q_u16(high_pq, high_rs));
    };
    int32x4_t low[4], high[4];
    quarters(a.low, b.low, c.low, d.low, low);
    quarters(a.high, b.high, c.high, d.high, high);
    for (int i = 0; i < 4; ++i) out[i] = {low[i], high[i]};
}

// The sums of the sixteen entries of a table.
struct TableSums {
    int16x8_t low = vdupq_n_s16(0);
    int16x8_t high = vdupq_n_s16(0);
    void add(const int16_t (&weights)[16], int8_t value) {
        low = vmlaq_n_s16(low, vld1q_s16(weights), value);
        high = vmlaq_n_s16(high, vld1q_s16(weights + 8), value);
    }
    // Sixteen low bytes, then sixteen high ones.
    void store(uint8_t* to) const {
        const uint8x16_t first = vreinterpretq_u8_s16(low), second = vreinterpretq_u8_s16(high);
        vst1q_u8(to, vuzp1q_u8(first, second));
        vst1q_u8(to + 16, vuzp2q_u8(first, second));
    }
};

// Sums of the entries of every byte position: of the low bytes in 16 bits, of the high bytes modulo 256, which is enough for
// sums that fit int16.
template <class V>
struct LutSums {
    using Int = typename V::Int;
    uint16x8_t low[4];  // eight positions each
    uint8x16_t high[2];
    LutSums() { clear(); }
    void clear() {
        for (uint16x8_t& v : low) v = vdupq_n_u16(0);
        for (uint8x16_t& v : high) v = vdupq_n_u8(0);
    }
    void add(Int low_bytes, Int high_bytes) {
        const uint8x16_t first = unsigned_bytes(low_bytes.low), second = unsigned_bytes(low_bytes.high);
        low[0] = vaddw_u8(low[0], vget_low_u8(first));
        low[1] = vaddw_high_u8(low[1], first);
        low[2] = vaddw_u8(low[2], vget_low_u8(second));
        low[3] = vaddw_high_u8(low[3], second);
        high[0] = vaddq_u8(high[0], unsigned_bytes(high_bytes.low));
        high[1] = vaddq_u8(high[1], unsigned_bytes(high_bytes.high));
    }
    // Adds to int32 sums, and begins anew.
    void fold(Int (&sums)[4]) {
        for (int i = 0; i < 4; ++i) {
            const uint8x8_t of_high = i % 2 == 0 ? vget_low_u8(high[i / 2]) : vget_high_u8(high[i / 2]);
            const int16x8_t whole = vreinterpretq_s16_u16(vaddq_u16(low[i], vshll_n_u8(of_high, 8)));
            sums[i] = {vaddw_s16(sums[i].low, vget_low_s16(whole)), vaddw_high_s16(sums[i].high, whole)};
        }
        clear();
    }
    // The byte position whose sum is in a lane of sums[i].
    static constexpr int position(int i, int lane) { return V::kLanes * i + lane; }
};

}  // namespace
}  // namespace kern
