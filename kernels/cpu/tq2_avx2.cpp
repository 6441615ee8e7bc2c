// TQ2_0, and TQ1_0 repacked to it, with AVX2.
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/ternary_direct.h"
#include "kernels/cpu/ternary_kernels.h"
#include "kernels/cpu/ternary_simd_avx2.h"
#include "kernels/cpu/ternary_tiles.h"

namespace kern {
namespace {

void run(const MulMatArgs& args) {
    if (args.n_cols < 8) return tq2_direct_any<Avx2>(args, 0, args.n_cols);
    const ActColumns columns(args);
    for (int64_t row = args.row_begin; row < args.row_end; row += 2 * Avx2::kLanes) {
        tq2_tiles<Avx2, 2, 4>(args, columns, row, 0);
    }
}

}  // namespace

constinit const MulMatKernel tq2_avx2 = {.name = "tq2_avx2",
                                         .level = "avx2",
                                         .type = QuantType::tq2_0,
                                         .needs = CPU_AVX2,
                                         .exact = true,
                                         .act = &act_i8_avx2,
                                         .row_tile = 16,
                                         .packed_bytes = nullptr,
                                         .pack = nullptr,
                                         .run = run};

constinit const MulMatKernel tq1_avx2 = {.name = "tq1_avx2",
                                         .level = "avx2",
                                         .type = QuantType::tq1_0,
                                         .needs = CPU_AVX2,
                                         .exact = true,
                                         .act = &act_i8_avx2,
                                         .row_tile = 16,
                                         .packed_bytes = tq1_packed_bytes,
                                         .pack = tq1_pack,
                                         .run = run};

}  // namespace kern
