// I2_S with AMX. A few columns stay with AVX-512 VNNI: there the weights are read as fast as memory gives them, and
// expanding them for tiles would only cost. Linux only, as limit_amx.cpp says.
#if defined(__linux__)

#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/i2s_tile_products.h"
#include "kernels/cpu/ternary_kernels.h"
#include "kernels/cpu/ternary_simd_avx512vnni.h"
#include "kernels/cpu/tile_registers_amx.h"

namespace kern {
namespace {

// Where a pass of the direct path ends; prototypes crossed at six.
constexpr int64_t kDirectCols = 8;

void run(const MulMatArgs& args) {
    if (args.n_cols <= kDirectCols) return i2s_avx512vnni.run(args);
    I2sTileProducts<Zmm, AmxTiles>::run(args);
}

}  // namespace

constinit const MulMatKernel i2s_amx = {.name = "i2s_amx",
                                        .level = "amx",
                                        .type = QuantType::i2_s,
                                        .needs = CPU_AVX2 | CPU_AVX512 | CPU_AVX512VNNI | CPU_AMX_INT8,
                                        .exact = true,
                                        .act = &act_i8x64_avx512,
                                        .row_tile = 32,
                                        .packed_bytes = nullptr,
                                        .pack = nullptr,
                                        .run = run};

}  // namespace kern

#endif
