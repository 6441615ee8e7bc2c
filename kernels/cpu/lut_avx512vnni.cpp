// TL1 and TL2 with AVX-512 VNNI.
#include "kernels/cpu/packed_simd_avx.h"

#include "kernels/cpu/act_i8.h"
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/lut_direct.h"
#include "kernels/cpu/packed_tiles.h"
#include "kernels/cpu/ternary_kernels.h"
#include "kernels/cpu/ternary_simd_avx512vnni.h"

namespace kern {
namespace {

// Many columns: one tile of the layout, 64 rows, x 6 columns.
template <class Lut>
void run(const MulMatArgs& args) {
    if (args.n_cols <= kLutDirectCols) return lut_direct_any<Zmm, Lut>(args);
    packed_strips<Zmm, LutTiles<Zmm, Lut>, 4, 6>(args);
}

}  // namespace

constinit const MulMatKernel tl1_avx512vnni = {.name = "tl1_avx512vnni",
                                               .level = "avx512vnni",
                                               .type = QuantType::i2_s,
                                               .needs = CPU_AVX2 | CPU_AVX512 | CPU_AVX512VNNI,
                                               .exact = true,
                                               .act = &act_i8x64_avx512,
                                               .row_tile = 64,
                                               .packed_bytes = lut_packed_bytes<Tl1, 64>,
                                               .pack = lut_pack<Tl1, 64>,
                                               .run = run<Tl1>,
                                               .layout = WeightLayout::tl1};

constinit const MulMatKernel tl2_avx512vnni = {.name = "tl2_avx512vnni",
                                               .level = "avx512vnni",
                                               .type = QuantType::i2_s,
                                               .needs = CPU_AVX2 | CPU_AVX512 | CPU_AVX512VNNI,
                                               .exact = true,
                                               .act = &act_i8x64_avx512,
                                               .row_tile = 64,
                                               .packed_bytes = lut_packed_bytes<Tl2, 64>,
                                               .pack = lut_pack<Tl2, 64>,
                                               .run = run<Tl2>,
                                               .layout = WeightLayout::tl2};

}  // namespace kern
