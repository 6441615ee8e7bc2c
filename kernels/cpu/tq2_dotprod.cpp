// TQ2_0, and TQ1_0 repacked to it, with SDOT.
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/ternary_direct.h"
#include "kernels/cpu/ternary_kernels.h"
#include "kernels/cpu/ternary_simd_dotprod.h"
#include "kernels/cpu/tq2_tiles.h"

namespace kern {
namespace {

// 20 of 32 registers are sums: 16 rows x 5 columns, 9 loads for 20 SDOT. A sixth column would spill.
void run(const MulMatArgs& args) {
    if (args.n_cols <= kTq2DirectCols) return tq2_direct_any<Dotprod>(args);
    const ActColumns columns(args);
    for (int64_t row = args.row_begin; row < args.row_end; row += 2 * Dotprod::kLanes) {
        Tq2Strip<Dotprod, 2, 5>(args, columns, row).run();
    }
}

}  // namespace

constinit const MulMatKernel tq2_dotprod = {.name = "tq2_dotprod",
                                            .level = "dotprod",
                                            .type = QuantType::tq2_0,
                                            .needs = CPU_NEON | CPU_DOTPROD,
                                            .exact = true,
                                            .act = &act_i8_neon,
                                            .row_tile = 16,
                                            .packed_bytes = nullptr,
                                            .pack = nullptr,
                                            .run = run};

constinit const MulMatKernel tq1_dotprod = {.name = "tq1_dotprod",
                                            .level = "dotprod",
                                            .type = QuantType::tq1_0,
                                            .needs = CPU_NEON | CPU_DOTPROD,
                                            .exact = true,
                                            .act = &act_i8_neon,
                                            .row_tile = 16,
                                            .packed_bytes = tq1_packed_bytes,
                                            .pack = tq1_pack,
                                            .run = run};

}  // namespace kern
