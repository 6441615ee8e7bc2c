// T5 with NEON.
#include "kernels/cpu/packed_simd_pair.h"

#include "kernels/cpu/act_i8.h"
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/packed_tiles.h"
#include "kernels/cpu/t5_direct.h"
#include "kernels/cpu/ternary_kernels.h"
#include "kernels/cpu/ternary_simd_neon.h"

namespace kern {
namespace {

// Tiles as of I2_S: 16 rows x 4 columns.
void run(const MulMatArgs& args) {
    if (args.n_cols <= kT5DirectCols) return t5_direct_any<Neon>(args);
    packed_strips<Neon, T5Tiles<Neon, 2>, 2, 4>(args);
}

}  // namespace

constinit const MulMatKernel t5_neon = {.name = "t5_neon",
                                        .level = "neon",
                                        .type = QuantType::i2_s,
                                        .needs = CPU_NEON,
                                        .exact = true,
                                        .act = &act_i8_neon,
                                        .row_tile = 16,
                                        .packed_bytes = t5_packed_bytes<32>,
                                        .pack = t5_pack<32>,
                                        .run = run,
                                        .layout = WeightLayout::t5};

}  // namespace kern
