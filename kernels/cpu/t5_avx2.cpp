// T5 with AVX2.
#include "kernels/cpu/packed_simd_avx.h"

#include "kernels/cpu/act_i8.h"
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/packed_tiles.h"
#include "kernels/cpu/t5_direct.h"
#include "kernels/cpu/ternary_kernels.h"
#include "kernels/cpu/ternary_simd_avx2.h"

namespace kern {
namespace {

// Tiles as of I2_S: 16 rows x 4 columns.
void run(const MulMatArgs& args) {
    if (args.n_cols <= kT5DirectCols) return t5_direct_any<Avx2>(args);
    packed_strips<Avx2, T5Tiles<Avx2, 2>, 2, 4>(args);
}

}  // namespace

constinit const MulMatKernel t5_avx2 = {.name = "t5_avx2",
                                        .level = "avx2",
                                        .type = QuantType::i2_s,
                                        .needs = CPU_AVX2,
                                        .exact = true,
                                        .act = &act_i8_avx2,
                                        .row_tile = 16,
                                        .packed_bytes = t5_packed_bytes<32>,
                                        .pack = t5_pack<32>,
                                        .run = run,
                                        .layout = WeightLayout::t5};

}  // namespace kern
