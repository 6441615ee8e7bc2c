// TQ2_0, and TQ1_0 repacked to it, with AVX-VNNI.
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/ternary_direct.h"
#include "kernels/cpu/ternary_kernels.h"
#include "kernels/cpu/ternary_simd_avxvnni.h"
#include "kernels/cpu/tq2_tiles.h"

namespace kern {
namespace {

// 12 of 16 registers are sums: 16 rows x 6 columns.
void run(const MulMatArgs& args) {
    if (args.n_cols <= kTq2DirectCols) return tq2_direct_any<AvxVnni>(args);
    const ActColumns columns(args);
    for (int64_t row = args.row_begin; row < args.row_end; row += 2 * AvxVnni::kLanes) {
        Tq2Strip<AvxVnni, 2, 6>(args, columns, row).run();
    }
}

}  // namespace

constinit const MulMatKernel tq2_avxvnni = {.name = "tq2_avxvnni",
                                            .level = "avxvnni",
                                            .type = QuantType::tq2_0,
                                            .needs = CPU_AVX2 | CPU_AVXVNNI,
                                            .exact = true,
                                            .act = &act_i8_avx2,
                                            .row_tile = 16,
                                            .packed_bytes = nullptr,
                                            .pack = nullptr,
                                            .run = run};

constinit const MulMatKernel tq1_avxvnni = {.name = "tq1_avxvnni",
                                            .level = "avxvnni",
                                            .type = QuantType::tq1_0,
                                            .needs = CPU_AVX2 | CPU_AVXVNNI,
                                            .exact = true,
                                            .act = &act_i8_avx2,
                                            .row_tile = 16,
                                            .packed_bytes = tq1_packed_bytes,
                                            .pack = tq1_pack,
                                            .run = run};

}  // namespace kern
