// I2_S with SDOT.
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/i2s_tiles.h"
#include "kernels/cpu/ternary_direct.h"
#include "kernels/cpu/ternary_kernels.h"
#include "kernels/cpu/ternary_simd_dotprod.h"

namespace kern {
namespace {

// 20 of 32 registers are sums: 16 rows x 5 columns, 9 loads for 20 SDOT. A sixth column would spill.
void run(const MulMatArgs& args) {
    if (args.n_cols <= kI2sDirectCols) return i2s_direct_any<Dotprod>(args);
    const ActColumns columns(args);
    for (int64_t row = args.row_begin; row < args.row_end; row += 2 * Dotprod::kLanes) {
        I2sStrip<Dotprod, 2, 5>(args, columns, row).run();
    }
}

}  // namespace

constinit const MulMatKernel i2s_dotprod = {.name = "i2s_dotprod",
                                            .level = "dotprod",
                                            .type = QuantType::i2_s,
                                            .needs = CPU_NEON | CPU_DOTPROD,
                                            .exact = true,
                                            .act = &act_i8_neon,
                                            .row_tile = 16,
                                            .packed_bytes = nullptr,
                                            .pack = nullptr,
                                            .run = run};

}  // namespace kern
