// TL1 and TL2 with NEON: few columns as in lut_neon.cpp, which need no products; many with SDOT.
#include "kernels/cpu/packed_simd_pair.h"

#include "kernels/cpu/act_i8.h"
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/lut_direct.h"
#include "kernels/cpu/packed_tiles.h"
#include "kernels/cpu/ternary_kernels.h"
#include "kernels/cpu/ternary_simd_dotprod.h"

namespace kern {
namespace {

// Many columns: one tile of the layout, 32 rows, x 2 columns.
template <class Lut>
void run(const MulMatArgs& args) {
    if (args.n_cols <= kLutDirectCols) return lut_direct_any<Dotprod, Lut>(args);
    packed_strips<Dotprod, LutTiles<Dotprod, Lut>, 4, 2>(args);
}

}  // namespace

constinit const MulMatKernel tl1_dotprod = {.name = "tl1_dotprod",
                                            .level = "dotprod",
                                            .type = QuantType::i2_s,
                                            .needs = CPU_NEON | CPU_DOTPROD,
                                            .exact = true,
                                            .act = &act_i8_neon,
                                            .row_tile = 32,
                                            .packed_bytes = lut_packed_bytes<Tl1, 32>,
                                            .pack = lut_pack<Tl1, 32>,
                                            .run = run<Tl1>,
                                            .layout = WeightLayout::tl1};

constinit const MulMatKernel tl2_dotprod = {.name = "tl2_dotprod",
                                            .level = "dotprod",
                                            .type = QuantType::i2_s,
                                            .needs = CPU_NEON | CPU_DOTPROD,
                                            .exact = true,
                                            .act = &act_i8_neon,
                                            .row_tile = 32,
                                            .packed_bytes = lut_packed_bytes<Tl2, 32>,
                                            .pack = lut_pack<Tl2, 32>,
                                            .run = run<Tl2>,
                                            .layout = WeightLayout::tl2};

}  // namespace kern
