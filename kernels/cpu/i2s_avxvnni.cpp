// I2_S with AVX-VNNI.
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/i2s_tiles.h"
#include "kernels/cpu/ternary_direct.h"
#include "kernels/cpu/ternary_kernels.h"
#include "kernels/cpu/ternary_simd_avxvnni.h"

namespace kern {
namespace {

// 12 of 16 registers are sums: 16 rows x 6 columns, 8 loads for 12 vpdpbusd.
void run(const MulMatArgs& args) {
    if (args.n_cols <= kI2sDirectCols) return i2s_direct_any<AvxVnni>(args);
    const ActColumns columns(args);
    for (int64_t row = args.row_begin; row < args.row_end; row += 2 * AvxVnni::kLanes) {
        I2sStrip<AvxVnni, 2, 6>(args, columns, row).run();
    }
}

}  // namespace

constinit const MulMatKernel i2s_avxvnni = {.name = "i2s_avxvnni",
                                            .level = "avxvnni",
                                            .type = QuantType::i2_s,
                                            .needs = CPU_AVX2 | CPU_AVXVNNI,
                                            .exact = true,
                                            .act = &act_i8_avx2,
                                            .row_tile = 16,
                                            .packed_bytes = nullptr,
                                            .pack = nullptr,
                                            .run = run};

}  // namespace kern
