// TQ2_0, and TQ1_0 repacked to it, with NEON.
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/ternary_direct.h"
#include "kernels/cpu/ternary_kernels.h"
#include "kernels/cpu/ternary_simd_neon.h"
#include "kernels/cpu/tq2_tiles.h"

namespace kern {
namespace {

// 16 of 32 registers are int16 sums: 16 rows x 4 columns.
void run(const MulMatArgs& args) {
    if (args.n_cols <= kTq2DirectCols) return tq2_direct_any<Neon>(args);
    const ActColumns columns(args);
    for (int64_t row = args.row_begin; row < args.row_end; row += 2 * Neon::kLanes) {
        Tq2Strip<Neon, 2, 4>(args, columns, row).run();
    }
}

}  // namespace

constinit const MulMatKernel tq2_neon = {.name = "tq2_neon",
                                         .level = "neon",
                                         .type = QuantType::tq2_0,
                                         .needs = CPU_NEON,
                                         .exact = true,
                                         .act = &act_i8_neon,
                                         .row_tile = 16,
                                         .packed_bytes = nullptr,
                                         .pack = nullptr,
                                         .run = run};

constinit const MulMatKernel tq1_neon = {.name = "tq1_neon",
                                         .level = "neon",
                                         .type = QuantType::tq1_0,
                                         .needs = CPU_NEON,
                                         .exact = true,
                                         .act = &act_i8_neon,
                                         .row_tile = 16,
                                         .packed_bytes = tq1_packed_bytes,
                                         .pack = tq1_pack,
                                         .run = run};

}  // namespace kern
