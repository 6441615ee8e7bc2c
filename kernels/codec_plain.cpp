// F32, F16 and BF16: one value after the other, little-endian, no blocks.
#include <bit>
#include <cstring>

#include "kernels/codecs.h"
#include "kernels/vec_kernels.h"

namespace kern {

static_assert(std::endian::native == std::endian::little, "weights are used in place: only little-endian hosts");

namespace {

float bf16_to_f32(uint16_t h) { return std::bit_cast<float>(static_cast<uint32_t>(h) << 16); }

// Round half to even on the upper 16 bits. A NaN keeps its sign and upper payload and becomes quiet: rounding could
// otherwise carry it into an infinity.
uint16_t f32_to_bf16(float f) {
    const uint32_t bits = std::bit_cast<uint32_t>(f);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
    return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

uint16_t load_u16(const void* src, int64_t index) {
    uint16_t value;
    std::memcpy(&value, static_cast<const unsigned char*>(src) + 2 * index, sizeof value);
    return value;
}

void store_u16(void* dst, int64_t index, uint16_t value) {
    std::memcpy(static_cast<unsigned char*>(dst) + 2 * index, &value, sizeof value);
}

}  // namespace

void decode_f32(const void* src, float, int64_t n, float* dst) {
    if (n > 0) std::memcpy(dst, src, static_cast<size_t>(n) * sizeof(float));
}

void encode_f32(const float* src, float, int64_t n, void* dst) {
    if (n > 0) std::memcpy(dst, src, static_cast<size_t>(n) * sizeof(float));
}

void decode_f16(const void* src, float, int64_t n, float* dst) {
    for (int64_t i = 0; i < n; ++i) dst[i] = f16_to_f32_value(load_u16(src, i));
}

void encode_f16(const float* src, float, int64_t n, void* dst) {
    for (int64_t i = 0; i < n; ++i) store_u16(dst, i, f32_to_f16_value(src[i]));
}

void decode_bf16(const void* src, float, int64_t n, float* dst) {
    for (int64_t i = 0; i < n; ++i) dst[i] = bf16_to_f32(load_u16(src, i));
}

void encode_bf16(const float* src, float, int64_t n, void* dst) {
    for (int64_t i = 0; i < n; ++i) store_u16(dst, i, f32_to_bf16(src[i]));
}

}  // namespace kern
