// AMX: tdpbusd from tile registers, four sums of 16 x 16, each product 16 x 16 x 64. Reads as AVX-512.
// Linux only: elsewhere nothing asks the system for tiles, and g++ for Windows assembles their strides as 32 bits.
#if defined(__linux__)

#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/limit_sets.h"
#include "kernels/cpu/x86_intrinsics.h"

namespace kern {
namespace {

struct alignas(64) TileConfig {
    uint8_t palette;
    uint8_t start_row;
    uint8_t reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
};
static_assert(sizeof(TileConfig) == 64);

uint64_t multiply(int64_t n_rounds) {
    TileConfig config = {};
    config.palette = 1;
    for (int i = 0; i < 8; ++i) {
        config.row_bytes[i] = 64;
        config.rows[i] = 16;
    }
    alignas(64) int8_t values[16 * 64];
    for (int i = 0; i < 16 * 64; ++i) values[i] = static_cast<int8_t>(i % 3);
    alignas(64) int32_t sums[16 * 16];
    __asm__ volatile("" : : : "memory");  // g++ 12 says that loading a configuration reads 8 bytes; it reads 64
    _tile_loadconfig(&config);
    _tile_loadd(4, values, 64);
    _tile_loadd(5, values, 64);
    _tile_loadd(6, values, 64);
    _tile_loadd(7, values, 64);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int64_t round = 0; round < n_rounds; ++round) {
        _tile_dpbusd(0, 4, 6);
        _tile_dpbusd(1, 4, 7);
        _tile_dpbusd(2, 5, 6);
        _tile_dpbusd(3, 5, 7);
    }
    _tile_stored(0, sums, 64);
    uint64_t all = static_cast<uint64_t>(sums[17]);
    _tile_stored(1, sums, 64);
    all += static_cast<uint64_t>(sums[17]);
    _tile_stored(2, sums, 64);
    all += static_cast<uint64_t>(sums[17]);
    _tile_stored(3, sums, 64);
    all += static_cast<uint64_t>(sums[17]);
    _tile_release();
    return all;
}

}  // namespace

constinit const LimitKernel limit_amx = {.level = "amx",
                                         .needs = CPU_AVX2 | CPU_AVX512 | CPU_AVX512VNNI | CPU_AMX_INT8,
                                         .read = nullptr,
                                         .multiply = multiply,
                                         .ops_per_round = int64_t{2} * 16 * 16 * 64 * 4,
                                         .allow = allow_amx};

}  // namespace kern

#endif
