// Bytes of the packed layouts T5, TL1 and TL2 (packed_layouts.h) in 256-bit registers and, where a file is compiled for them,
// in 512-bit ones: what the vocabularies of ternary_simd_*.h have not. The same words for NEON: packed_simd_pair.h. A kernel's
// file includes one of the two before lut_direct.h, t5_direct.h and packed_tiles.h, which are written in them.
#pragma once

#include <cstdint>

#include "kernels/cpu/x86_intrinsics.h"

namespace kern {
namespace {

inline __m256i and_bits(__m256i a, __m256i b) { return _mm256_and_si256(a, b); }
inline __m256i add8(__m256i a, __m256i b) { return _mm256_add_epi8(a, b); }
inline __m256i add16(__m256i a, __m256i b) { return _mm256_add_epi16(a, b); }
inline __m256i sub16(__m256i a, __m256i b) { return _mm256_sub_epi16(a, b); }
template <int kShift>
inline __m256i right16(__m256i a) {
    return _mm256_srli_epi16(a, kShift);
}
template <int kShift>
inline __m256i left16(__m256i a) {
    return _mm256_slli_epi16(a, kShift);
}
template <int kShift>
inline __m256i left32(__m256i a) {
    return _mm256_slli_epi32(a, kShift);
}
template <int kShift>
inline __m256i right_signed32(__m256i a) {
    return _mm256_srai_epi32(a, kShift);
}
inline void set_bytes(__m256i& to, int byte) { to = _mm256_set1_epi8(static_cast<char>(byte)); }
inline __m256i low_nibbles(__m256i a) { return _mm256_and_si256(a, _mm256_set1_epi8(15)); }
inline __m256i high_nibbles(__m256i a) { return low_nibbles(_mm256_srli_epi16(a, 4)); }
inline void set_words(__m256i& to, int word) { to = _mm256_set1_epi16(static_cast<short>(word)); }
// The same sixteen bytes in every 128 bits, and a look-up of each byte 0..15 in them.
inline void load_table(__m256i& to, const uint8_t* p) {
    to = _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(p)));
}
inline __m256i look_up(__m256i table, __m256i index) { return _mm256_shuffle_epi8(table, index); }

// Bytes of a become ~a (flip) or -a (negate) where bit 7 of the byte of `signs` is set.
struct Signs256 {
    __m256i mask;
    explicit Signs256(__m256i signs) : mask(_mm256_cmpgt_epi8(_mm256_setzero_si256(), signs)) {}
    __m256i flip(__m256i a) const { return _mm256_xor_si256(a, mask); }
    __m256i negate(__m256i a) const { return _mm256_sub_epi8(_mm256_xor_si256(a, mask), mask); }
};
inline Signs256 signs_of(__m256i signs) { return Signs256(signs); }

// The first digit of T5 bytes: 0 up to 85, 1 up to 170, 2 above. Comparisons are signed.
inline __m256i t5_digit(__m256i x) {
    const __m256i y = _mm256_xor_si256(x, _mm256_set1_epi8(-128));
    const __m256i not_1 = _mm256_cmpgt_epi8(_mm256_set1_epi8(86 - 128), y);
    const __m256i not_2 = _mm256_cmpgt_epi8(_mm256_set1_epi8(static_cast<char>(171 - 128)), y);
    return _mm256_add_epi8(_mm256_add_epi8(_mm256_set1_epi8(2), not_1), not_2);
}

// out: 32-bit lanes of a byte each of a, b, c, d, in the order of packed_layouts.h.
inline void interleave(__m256i a, __m256i b, __m256i c, __m256i d, __m256i (&out)[4]) {
    const __m256i low_ab = _mm256_unpacklo_epi8(a, b), high_ab = _mm256_unpackhi_epi8(a, b);
    const __m256i low_cd = _mm256_unpacklo_epi8(c, d), high_cd = _mm256_unpackhi_epi8(c, d);
    out[0] = _mm256_unpacklo_epi16(low_ab, low_cd);
    out[1] = _mm256_unpackhi_epi16(low_ab, low_cd);
    out[2] = _mm256_unpacklo_epi16(high_ab, high_cd);
    out[3] = _mm256_unpackhi_epi16(high_ab, high_cd);
}

#if defined(__AVX512BW__)

inline __m512i and_bits(__m512i a, __m512i b) { return _mm512_and_si512(a, b); }
inline __m512i add8(__m512i a, __m512i b) { return _mm512_add_epi8(a, b); }
inline __m512i add16(__m512i a, __m512i b) { return _mm512_add_epi16(a, b); }
inline __m512i sub16(__m512i a, __m512i b) { return _mm512_sub_epi16(a, b); }
template <int kShift>
inline __m512i right16(__m512i a) {
    return _mm512_srli_epi16(a, kShift);
}
template <int kShift>
inline __m512i left16(__m512i a) {
    return _mm512_slli_epi16(a, kShift);
}
template <int kShift>
inline __m512i left32(__m512i a) {
    return _mm512_slli_epi32(a, kShift);
}
template <int kShift>
inline __m512i right_signed32(__m512i a) {
    return _mm512_srai_epi32(a, kShift);
}
inline void set_bytes(__m512i& to, int byte) { to = _mm512_set1_epi8(static_cast<char>(byte)); }
inline __m512i low_nibbles(__m512i a) { return _mm512_and_si512(a, _mm512_set1_epi8(15)); }
inline __m512i high_nibbles(__m512i a) { return low_nibbles(_mm512_srli_epi16(a, 4)); }
inline void set_words(__m512i& to, int word) { to = _mm512_set1_epi16(static_cast<short>(word)); }
inline void load_table(__m512i& to, const uint8_t* p) {
    to = _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(p)));
}
inline __m512i look_up(__m512i table, __m512i index) { return _mm512_shuffle_epi8(table, index); }

struct Signs512 {
    __mmask64 mask;
    explicit Signs512(__m512i signs) : mask(_mm512_movepi8_mask(signs)) {}
    // 255 - a, byte by byte
    __m512i flip(__m512i a) const { return _mm512_mask_sub_epi8(a, mask, _mm512_set1_epi8(-1), a); }
    __m512i negate(__m512i a) const { return _mm512_mask_sub_epi8(a, mask, _mm512_setzero_si512(), a); }
};
inline Signs512 signs_of(__m512i signs) { return Signs512(signs); }

inline __m512i t5_digit(__m512i x) {
    const __mmask64 above_0 = _mm512_cmpgt_epu8_mask(x, _mm512_set1_epi8(85));
    const __mmask64 above_1 = _mm512_cmpgt_epu8_mask(x, _mm512_set1_epi8(static_cast<char>(170)));
    const __m512i digit = _mm512_maskz_mov_epi8(above_0, _mm512_set1_epi8(1));
    return _mm512_mask_mov_epi8(digit, above_1, _mm512_set1_epi8(2));
}

inline void interleave(__m512i a, __m512i b, __m512i c, __m512i d, __m512i (&out)[4]) {
    const __m512i low_ab = _mm512_unpacklo_epi8(a, b), high_ab = _mm512_unpackhi_epi8(a, b);
    const __m512i low_cd = _mm512_unpacklo_epi8(c, d), high_cd = _mm512_unpackhi_epi8(c, d);
    out[0] = _mm512_unpacklo_epi16(low_ab, low_cd);
    out[1] = _mm512_unpackhi_epi16(low_ab, low_cd);
    out[2] = _mm512_unpacklo_epi16(high_ab, high_cd);
    out[3] = _mm512_unpackhi_epi16(high_ab, high_cd);
}

#endif

// The sums of the sixteen entries of a table.
struct TableSums {
    __m256i words = _mm256_setzero_si256();
    void add(const int16_t (&weights)[16], int8_t value) {
        const __m256i w = _mm256_load_si256(reinterpret_cast<const __m256i*>(weights));
        words = _mm256_add_epi16(words, _mm256_mullo_epi16(w, _mm256_set1_epi16(value)));
    }
    // Sixteen low bytes, then sixteen high ones.
    void store(uint8_t* to) const {
        const __m256i bytes =
            _mm256_packus_epi16(_mm256_and_si256(words, _mm256_set1_epi16(255)), _mm256_srli_epi16(words, 8));
        _mm256_store_si256(reinterpret_cast<__m256i*>(to), _mm256_permute4x64_epi64(bytes, 0xd8));
    }
};

// Sums of the entries of every byte position. low: of the low bytes, taken as 16-bit lanes, so of the even one + 256 * the odd
// one; odd: of the odd ones alone; high: of the high bytes, each modulo 256, which is enough for sums that fit int16.
template <class V>
struct LutSums {
    using Int = typename V::Int;
    Int low = V::zero();
    Int odd = V::zero();
    Int high = V::zero();
    void add(Int low_bytes, Int high_bytes) {
        low = add16(low, low_bytes);
        odd = add16(odd, right16<8>(low_bytes));
        high = add8(high, high_bytes);
    }
    // Adds to int32 sums, and begins anew.
    void fold(Int (&sums)[4]) {
        Int mask;
        set_words(mask, 0xff00);
        const Int even16 = add16(low, left16<8>(sub16(high, odd)));
        const Int odd16 = add16(odd, and_bits(high, mask));
        sums[0] = V::add32(sums[0], right_signed32<16>(left32<16>(even16)));
        sums[1] = V::add32(sums[1], right_signed32<16>(even16));
        sums[2] = V::add32(sums[2], right_signed32<16>(left32<16>(odd16)));
        sums[3] = V::add32(sums[3], right_signed32<16>(odd16));
        low = odd = high = V::zero();
    }
    // The byte position whose sum is in a lane of sums[i].
    static constexpr int position(int i, int lane) { return 4 * lane + (i % 2 * 2 + i / 2); }
};

}  // namespace
}  // namespace kern
