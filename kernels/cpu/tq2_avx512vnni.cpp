// TQ2_0, and TQ1_0 repacked to it, with AVX-512 VNNI.
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/ternary_direct.h"
#include "kernels/cpu/ternary_kernels.h"
#include "kernels/cpu/ternary_simd_avx512vnni.h"
#include "kernels/cpu/tq2_tiles.h"

namespace kern {
namespace {

// 24 of 32 registers are sums: 32 rows x 12 columns.
void run(const MulMatArgs& args) {
    if (args.n_cols <= kTq2DirectCols) return tq2_direct_any<Zmm>(args);
    const ActColumns columns(args);
    for (int64_t row = args.row_begin; row < args.row_end; row += 2 * Zmm::kLanes) {
        Tq2Strip<Zmm, 2, 12>(args, columns, row).run();
    }
}

}  // namespace

constinit const MulMatKernel tq2_avx512vnni = {.name = "tq2_avx512vnni",
                                               .level = "avx512vnni",
                                               .type = QuantType::tq2_0,
                                               .needs = CPU_AVX2 | CPU_AVX512 | CPU_AVX512VNNI,
                                               .exact = true,
                                               .act = &act_i8x64_avx512,
                                               .row_tile = 16,
                                               .packed_bytes = nullptr,
                                               .pack = nullptr,
                                               .run = run};

constinit const MulMatKernel tq1_avx512vnni = {.name = "tq1_avx512vnni",
                                               .level = "avx512vnni",
                                               .type = QuantType::tq1_0,
                                               .needs = CPU_AVX2 | CPU_AVX512 | CPU_AVX512VNNI,
                                               .exact = true,
                                               .act = &act_i8x64_avx512,
                                               .row_tile = 16,
                                               .packed_bytes = tq1_packed_bytes,
                                               .pack = tq1_pack,
                                               .run = run};

}  // namespace kern
