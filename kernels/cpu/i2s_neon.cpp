// I2_S with NEON.
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/i2s_tiles.h"
#include "kernels/cpu/ternary_direct.h"
#include "kernels/cpu/ternary_kernels.h"
#include "kernels/cpu/ternary_simd_neon.h"

namespace kern {
namespace {

// 16 of 32 registers are int16 sums: 16 rows x 4 columns; their int32 sums stay in memory, touched every 16 steps.
void run(const MulMatArgs& args) {
    if (args.n_cols <= kI2sDirectCols) return i2s_direct_any<Neon>(args);
    const ActColumns columns(args);
    for (int64_t row = args.row_begin; row < args.row_end; row += 2 * Neon::kLanes) {
        I2sStrip<Neon, 2, 4>(args, columns, row).run();
    }
}

}  // namespace

constinit const MulMatKernel i2s_neon = {.name = "i2s_neon",
                                         .level = "neon",
                                         .type = QuantType::i2_s,
                                         .needs = CPU_NEON,
                                         .exact = true,
                                         .act = &act_i8_neon,
                                         .row_tile = 16,
                                         .packed_bytes = nullptr,
                                         .pack = nullptr,
                                         .run = run};

}  // namespace kern
