// Codes of sixteen cells turned into a tile (v16_scalar.h says which) with 256-bit registers, for the headers that have
// them: four codes are one 32-bit number, so a tile is numbers transposed eight by eight.
#pragma once

#include <cstdint>

#include "kernels/cpu/x86_intrinsics.h"

namespace kern {
namespace {

inline void i8_tile_block(const int8_t* const* k, int8_t* tile) {
    for (int half = 0; half < 16; half += 8) {
        __m256i a[8], b[8];
        for (int c = 0; c < 8; ++c) a[c] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(k[half + c]));
        for (int c = 0; c < 8; c += 2) {
            b[c] = _mm256_unpacklo_epi32(a[c], a[c + 1]);
            b[c + 1] = _mm256_unpackhi_epi32(a[c], a[c + 1]);
        }
        // a[4 * h + g]: group g of four cells in the low half, group 4 + g in the high half.
        for (int h = 0; h < 8; h += 4) {
            a[h] = _mm256_unpacklo_epi64(b[h], b[h + 2]);
            a[h + 1] = _mm256_unpackhi_epi64(b[h], b[h + 2]);
            a[h + 2] = _mm256_unpacklo_epi64(b[h + 1], b[h + 3]);
            a[h + 3] = _mm256_unpackhi_epi64(b[h + 1], b[h + 3]);
        }
        for (int g = 0; g < 4; ++g) {
            auto* low = reinterpret_cast<__m256i*>(tile + 64 * g + 4 * half);
            auto* high = reinterpret_cast<__m256i*>(tile + 64 * (4 + g) + 4 * half);
            _mm256_storeu_si256(low, _mm256_permute2x128_si256(a[g], a[4 + g], 0x20));
            _mm256_storeu_si256(high, _mm256_permute2x128_si256(a[g], a[4 + g], 0x31));
        }
    }
}

inline int32_t four_codes(const int8_t* q) {
    int32_t codes;
    __builtin_memcpy(&codes, q, sizeof codes);
    return codes;
}

}  // namespace
}  // namespace kern
