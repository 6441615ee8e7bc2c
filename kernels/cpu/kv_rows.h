// Rows of a KV cache, on top of vec_generic.h: one head of a cell written as F16, q8_0 or q4_0 (vec_kernels.h has the
// layouts), and read back as floats. The including file has its v16_*.h.
#pragma once

#include "kernels/cpu/vec_generic.h"

namespace kern {
namespace {

inline void kv_store_scale(uint8_t* to, float scale) {
    const uint16_t bits = f32_to_f16_bits(scale);
    __builtin_memcpy(to, &bits, sizeof bits);
}

inline float kv_scale(const uint8_t* from) {
    uint16_t bits;
    __builtin_memcpy(&bits, from, sizeof bits);
    return f16_bits_to_f32(bits);
}

// The scales of all blocks of a head.
inline void kv_scales(const uint8_t* from, int64_t n_blocks, float* out) {
    int64_t b = 0;
    for (; b + 4 <= n_blocks; b += 4) {
        uint64_t halves;
        __builtin_memcpy(&halves, from + 2 * b, sizeof halves);
        four_halves(halves, out + b);
    }
    for (; b < n_blocks; ++b) out[b] = kv_scale(from + 2 * b);
}

// 32 numbers in 16 bytes; returns the scale.
inline float kv_q4_block(const float* x, uint8_t* codes) {
    float first = 0.0f, largest = 0.0f;
    for (int i = 0; i < kKvBlock; ++i) {
        const float size = x[i] < 0.0f ? -x[i] : x[i];
        if (size > largest) {
            largest = size;
            first = x[i];
        }
    }
    const float scale = f16_bits_to_f32(f32_to_f16_bits(first / -8.0f));
    const V16 factor = v16_set1(1.0f / scale);
    int8_t whole[kKvBlock];
    for (int i = 0; i < kKvBlock; i += 16) {
        const V16 scaled = v16_mul(v16_load(x + i), factor);
        const V16 number = v16_if_number(scaled, scaled, v16_set1(0.0f));
        const V16 limited = v16_min(v16_max(number, v16_set1(-8.0f)), v16_set1(7.0f));
        i16_store_i8(whole + i, i16_from_v16(v16_round(limited)));
    }
    for (int i = 0; i < 16; ++i) codes[i] = static_cast<uint8_t>((whole[i] + 8) | (whole[16 + i] + 8) << 4);
    return scale;
}

inline void vec_f32_to_kv(KvType type, const float* x, int64_t n, void* out) {
    if (type == KvType::f16) {
        vec_f32_to_f16(x, static_cast<uint16_t*>(out), n);
        return;
    }
    auto* codes = static_cast<uint8_t*>(out);
    uint8_t* scales = codes + (type == KvType::q8_0 ? n : n / 2);
    for (int64_t i = 0; i + kKvBlock <= n; i += kKvBlock, scales += 2) {
        if (type == KvType::q8_0) {
            int32_t sum;
            kv_store_scale(scales, 1.0f / vec_quantize_i8(x + i, kKvBlock, reinterpret_cast<int8_t*>(codes + i), &sum));
        } else {
            kv_store_scale(scales, kv_q4_block(x + i, codes + i / 2));
        }
    }
}

// The n numbers of a head as floats; n is a multiple of kKvBlock where they are quantised.
inline void kv_to_f32(KvType type, const uint8_t* row, int64_t n, float* out) {
    if (type == KvType::f16) {
        vec_f16_to_f32(reinterpret_cast<const uint16_t*>(row), out, n);
        return;
    }
    float scales[kMaxQuantizedHead / kKvBlock];
    kv_scales(row + (type == KvType::q8_0 ? n : n / 2), n / kKvBlock, scales);
    for (int64_t i = 0; i + kKvBlock <= n; i += kKvBlock) {
        const float scale = scales[i / kKvBlock];
        V16 low, high;
        if (type == KvType::q8_0) {
            const auto* codes = reinterpret_cast<const int8_t*>(row + i);
            low = v16_mul(v16_from_i8(codes), v16_set1(scale));
            high = v16_mul(v16_from_i8(codes + 16), v16_set1(scale));
        } else {
            v16_q4_codes(row + i / 2, scale, &low, &high);
        }
        v16_store(out + i, low);
        v16_store(out + i + 16, high);
    }
}

constexpr uint64_t kNibbles = 0x0f0f0f0f0f0f0f0f;

// Each byte, 0..15, less 8: no byte borrows from the next.
inline uint64_t less_eight(uint64_t bytes) {
    constexpr uint64_t kSigns = 0x8080808080808080, kEights = 0x0808080808080808;
    return ((bytes | kSigns) - kEights) ^ kSigns;
}

// The codes of a quantised head as int8, where they lie or in `room`.
inline const int8_t* kv_codes(KvType type, const uint8_t* row, int64_t n, int8_t* room) {
    if (type == KvType::q8_0) return reinterpret_cast<const int8_t*>(row);
    for (int64_t i = 0; i < n; i += kKvBlock, row += kKvBlock / 2) {
        for (int j = 0; j < kKvBlock / 2; j += 8) {
            uint64_t pairs;
            __builtin_memcpy(&pairs, row + j, sizeof pairs);
            const uint64_t low = less_eight(pairs & kNibbles), high = less_eight(pairs >> 4 & kNibbles);
            __builtin_memcpy(room + i + j, &low, sizeof low);
            __builtin_memcpy(room + i + 16 + j, &high, sizeof high);
        }
    }
    return room;
}

}  // namespace
}  // namespace kern
