// T5 with SDOT.
#include "kernels/cpu/packed_simd_pair.h"

#include "kernels/cpu/act_i8.h"
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/packed_tiles.h"
#include "kernels/cpu/t5_direct.h"
#include "kernels/cpu/ternary_kernels.h"
#include "kernels/cpu/ternary_simd_dotprod.h"

namespace kern {
namespace {

// Tiles as of I2_S: 16 rows x 5 columns.
void run(const MulMatArgs& args) {
    if (args.n_cols <= kT5DirectCols) return t5_direct_any<Dotprod>(args);
    packed_strips<Dotprod, T5Tiles<Dotprod, 2>, 2, 5>(args);
}

}  // namespace

constinit const MulMatKernel t5_dotprod = {.name = "t5_dotprod",
                                           .level = "dotprod",
                                           .type = QuantType::i2_s,
                                           .needs = CPU_NEON | CPU_DOTPROD,
                                           .exact = true,
                                           .act = &act_i8_neon,
                                           .row_tile = 16,
                                           .packed_bytes = t5_packed_bytes<32>,
                                           .pack = t5_pack<32>,
                                           .run = run,
                                           .layout = WeightLayout::t5};

}  // namespace kern
