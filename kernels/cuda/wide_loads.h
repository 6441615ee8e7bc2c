// Memory in pieces of 8 and 16 bytes, one load instruction each, and the conversions that every kernel over weights uses.
#pragma once

#include "kernels/cuda/grid_lang.h"
#include "kernels/f16_bits.h"

namespace kern::gpu {

struct alignas(16) Bytes16 {
    uint32_t word[4];
};
struct alignas(8) Bytes8 {
    uint32_t word[2];
};

// p: aligned as much as it loads.
GPU_FUNCTION Bytes16 load16(const uint8_t* p) { return *reinterpret_cast<const Bytes16*>(p); }
GPU_FUNCTION Bytes8 load8(const uint8_t* p) { return *reinterpret_cast<const Bytes8*>(p); }
GPU_FUNCTION Bytes16 no_bytes16() { return Bytes16{{0, 0, 0, 0}}; }
GPU_FUNCTION void store16(uint8_t* p, Bytes16 bytes) { *reinterpret_cast<Bytes16*>(p) = bytes; }

// For products only, where every NaN becomes the canonical one: the hardware's payloads are its own.
GPU_FUNCTION float half_to_float(uint16_t h) {
#if defined(__CUDA_ARCH__)
    float f;
    asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(h));
    return f;
#else
    return f16_bits_to_f32(h);
#endif
}

// Field f of four bytes of I2_S codes, and of TQ2_0 codes (kernels/ternary_layouts.h): four codes as bytes.
GPU_FUNCTION int i2s_field(uint32_t codes, int f) { return static_cast<int>(codes >> (6 - 2 * f) & 0x03030303u); }
GPU_FUNCTION int tq2_field(uint32_t codes, int f) { return static_cast<int>(codes >> (2 * f) & 0x03030303u); }

}  // namespace kern::gpu
