// Tile registers and registers of 64 bytes in plain C++: what i2s_tile_products.h needs of AVX-512 and AMX, so that the
// loops which AMX runs can be tested on machines without it.
#pragma once

#include <cstdint>
#include <cstring>

namespace test {

// The part of ternary_simd_avx512vnni.h that expanding and writing use.
struct PlainRegisters {
    struct Int {
        uint8_t bytes[64];
    };
    struct Float {
        float lanes[16];
    };
    static constexpr int kBytes = 64;
    static constexpr int kLanes = 16;

    static Int zero() { return {}; }
    static Int load(const void* p) {
        Int v;
        std::memcpy(v.bytes, p, sizeof v.bytes);
        return v;
    }
    static Int load_half(const void* p) {
        Int v = {};
        std::memcpy(v.bytes, p, sizeof v.bytes / 2);
        return v;
    }
    static void store(void* p, Int v) { std::memcpy(p, v.bytes, sizeof v.bytes); }
    template <int kShift>
    static Int field(Int v) {
        for (uint8_t& byte : v.bytes) byte = byte >> kShift & 3;
        return v;
    }
    static void transpose(Int (&t)[16]) {
        for (int i = 0; i < 16; ++i) {
            for (int j = 0; j < i; ++j) {
                uint8_t four[4];
                std::memcpy(four, t[i].bytes + 4 * j, 4);
                std::memcpy(t[i].bytes + 4 * j, t[j].bytes + 4 * i, 4);
                std::memcpy(t[j].bytes + 4 * i, four, 4);
            }
        }
    }
    static int32_t lane(const Int& v, int i) {
        int32_t value;
        std::memcpy(&value, v.bytes + 4 * i, 4);
        return value;
    }
    static Int set32(int32_t value) {
        Int v;
        for (int i = 0; i < 16; ++i) std::memcpy(v.bytes + 4 * i, &value, 4);
        return v;
    }
    static Int sub32(Int a, Int b) {
        for (int i = 0; i < 16; ++i) {
            const int32_t difference = lane(a, i) - lane(b, i);
            std::memcpy(a.bytes + 4 * i, &difference, 4);
        }
        return a;
    }
    static Float set_float(float value) {
        Float v;
        for (float& lane : v.lanes) lane = value;
        return v;
    }
    static Float to_float(Int v) {
        Float f;
        for (int i = 0; i < 16; ++i) f.lanes[i] = static_cast<float>(lane(v, i));
        return f;
    }
    static Float mul(Float a, Float b) {
        for (int i = 0; i < 16; ++i) a.lanes[i] *= b.lanes[i];
        return a;
    }
    static void store_lanes(float* p, Float v, int64_t n) {
        std::memcpy(p, v.lanes, static_cast<size_t>(n) * sizeof(float));
    }
};

// Tile registers as Intel's manual describes them: rows beyond the configured number are zero and touch no memory.
struct PlainTiles {
    struct Tile {
        uint8_t bytes[16][64];
    };
    struct State {
        Tile tiles[8];
        int rows[8];
        int configured;  // configure() calls without their release()
    };
    static State& state() {
        static State s = {};
        return s;
    }
    static void configure(int rows) {
        State& s = state();
        s.configured += 1;
        for (int i = 0; i < 8; ++i) s.rows[i] = i < 6 ? rows : 16;
        std::memset(s.tiles, 0, sizeof s.tiles);
    }
    static void release() { state().configured -= 1; }
    static void settle() {}

    template <int kTile>
    static void zero() {
        state().tiles[kTile] = {};
    }
    template <int kTile>
    static void load(const void* p, int64_t stride) {
        state().tiles[kTile] = {};
        for (int row = 0; row < state().rows[kTile]; ++row) {
            std::memcpy(state().tiles[kTile].bytes[row], static_cast<const uint8_t*>(p) + row * stride, 64);
        }
    }
    template <int kTile>
    static void store(void* p, int64_t stride) {
        for (int row = 0; row < state().rows[kTile]; ++row) {
            std::memcpy(static_cast<uint8_t*>(p) + row * stride, state().tiles[kTile].bytes[row], 64);
        }
    }
    // tdpbsud: sums[m][n] += a[m][4 i + j] * b[i][4 n + j], a signed, b unsigned.
    template <int kTile>
    static void multiply() {
        State& s = state();
        const Tile &a = s.tiles[4 + kTile / 2], &b = s.tiles[6 + kTile % 2];
        for (int m = 0; m < s.rows[kTile]; ++m) {
            int32_t sums[16];
            std::memcpy(sums, s.tiles[kTile].bytes[m], sizeof sums);
            for (int i = 0; i < 16; ++i) {
                for (int n = 0; n < 64; ++n)
                    sums[n / 4] += static_cast<int8_t>(a.bytes[m][4 * i + n % 4]) * b.bytes[i][n];
            }
            std::memcpy(s.tiles[kTile].bytes[m], sums, sizeof sums);
        }
    }
};

}  // namespace test
