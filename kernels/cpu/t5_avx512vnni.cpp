// T5 with AVX-512 VNNI.
#include "kernels/cpu/packed_simd_avx.h"

#include "kernels/cpu/act_i8.h"
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/packed_tiles.h"
#include "kernels/cpu/t5_direct.h"
#include "kernels/cpu/ternary_kernels.h"
#include "kernels/cpu/ternary_simd_avx512vnni.h"

namespace kern {
namespace {

// Tiles as of I2_S: 64 rows x 6 columns, 16 rows where fewer are left.
void run(const MulMatArgs& args) {
    if (args.n_cols <= kT5DirectCols) return t5_direct_any<Zmm>(args);
    const ActColumns columns(args);
    for (int64_t row = args.row_begin; row < args.row_end;) {
        if (args.row_end - row > 2 * Zmm::kLanes) {
            PackedStrip<Zmm, T5Tiles<Zmm, 4>, 4, 6>(args, columns, row).run();
            row += 4 * Zmm::kLanes;
        } else {
            PackedStrip<Zmm, T5Tiles<Zmm, 1>, 1, 6>(args, columns, row).run();
            row += Zmm::kLanes;
        }
    }
}

}  // namespace

constinit const MulMatKernel t5_avx512vnni = {.name = "t5_avx512vnni",
                                              .level = "avx512vnni",
                                              .type = QuantType::i2_s,
                                              .needs = CPU_AVX2 | CPU_AVX512 | CPU_AVX512VNNI,
                                              .exact = true,
                                              .act = &act_i8x64_avx512,
                                              .row_tile = 16,
                                              .packed_bytes = t5_packed_bytes<64>,
                                              .pack = t5_pack<64>,
                                              .run = run,
                                              .layout = WeightLayout::t5};

}  // namespace kern
