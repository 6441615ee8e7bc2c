// T5 with AVX-VNNI.
#include "kernels/cpu/packed_simd_avx.h"

#include "kernels/cpu/act_i8.h"
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/packed_tiles.h"
#include "kernels/cpu/t5_direct.h"
#include "kernels/cpu/ternary_kernels.h"
#include "kernels/cpu/ternary_simd_avxvnni.h"

namespace kern {
namespace {

// Tiles as of I2_S: 16 rows x 6 columns.
void run(const MulMatArgs& args) {
    if (args.n_cols <= kT5DirectCols) return t5_direct_any<AvxVnni>(args);
    packed_strips<AvxVnni, T5Tiles<AvxVnni, 2>, 2, 6>(args);
}

}  // namespace

constinit const MulMatKernel t5_avxvnni = {.name = "t5_avxvnni",
                                           .level = "avxvnni",
                                           .type = QuantType::i2_s,
                                           .needs = CPU_AVX2 | CPU_AVXVNNI,
                                           .exact = true,
                                           .act = &act_i8_avx2,
                                           .row_tile = 16,
                                           .packed_bytes = t5_packed_bytes<32>,
                                           .pack = t5_pack<32>,
                                           .run = run,
                                           .layout = WeightLayout::t5};

}  // namespace kern
