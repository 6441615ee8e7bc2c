// The tile registers of AMX for i2s_tile_products.h: TMUL's signed times unsigned bytes, tdpbsud. The intrinsics want
// literal register numbers, hence the lists.
#pragma once

#include <cstdint>

#include "kernels/cpu/x86_intrinsics.h"

namespace kern {
namespace {

struct AmxTiles {
    static void configure(int rows) {
        struct alignas(64) Config {
            uint8_t palette;
            uint8_t start_row;
            uint8_t reserved[14];
            uint16_t row_bytes[16];
            uint8_t rows[16];
        } config = {};
        static_assert(sizeof config == 64);
        config.palette = 1;
        for (int i = 0; i < 8; ++i) {
            config.row_bytes[i] = 64;
            config.rows[i] = static_cast<uint8_t>(i < 6 ? rows : 16);
        }
        settle();  // g++ 12 says that loading a configuration reads 8 bytes; it reads 64
        _tile_loadconfig(&config);
    }
    static void release() { _tile_release(); }
    // g++ 12 does not say that _tile_loadd reads memory.
    static void settle() { __asm__ volatile("" : : : "memory"); }

    template <int kTile>
    static void zero() {
        static_assert(kTile >= 0 && kTile < 4);
        if constexpr (kTile == 0) _tile_zero(0);
        if constexpr (kTile == 1) _tile_zero(1);
        if constexpr (kTile == 2) _tile_zero(2);
        if constexpr (kTile == 3) _tile_zero(3);
    }
    template <int kTile>
    static void load(const void* p, int64_t stride) {
        static_assert(kTile >= 0 && kTile < 8);
        const auto step = static_cast<size_t>(stride);
        if constexpr (kTile == 0) _tile_loadd(0, p, step);
        if constexpr (kTile == 1) _tile_loadd(1, p, step);
        if constexpr (kTile == 2) _tile_loadd(2, p, step);
        if constexpr (kTile == 3) _tile_loadd(3, p, step);
        if constexpr (kTile == 4) _tile_loadd(4, p, step);
        if constexpr (kTile == 5) _tile_loadd(5, p, step);
        if constexpr (kTile == 6) _tile_loadd(6, p, step);
        if constexpr (kTile == 7) _tile_loadd(7, p, step);
    }
    template <int kTile>
    static void store(void* p, int64_t stride) {
        static_assert(kTile >= 0 && kTile < 4);
        const auto step = static_cast<size_t>(stride);
        if constexpr (kTile == 0) _tile_stored(0, p, step);
        if constexpr (kTile == 1) _tile_stored(1, p, step);
        if constexpr (kTile == 2) _tile_stored(2, p, step);
        if constexpr (kTile == 3) _tile_stored(3, p, step);
    }
    template <int kTile>
    static void multiply() {
        static_assert(kTile >= 0 && kTile < 4);
        if constexpr (kTile == 0) _tile_dpbsud(0, 4, 6);
        if constexpr (kTile == 1) _tile_dpbsud(1, 4, 7);
        if constexpr (kTile == 2) _tile_dpbsud(2, 5, 6);
        if constexpr (kTile == 3) _tile_dpbsud(3, 5, 7);
    }
};

}  // namespace
}  // namespace kern
