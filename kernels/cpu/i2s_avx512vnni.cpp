// I2_S with AVX-512 VNNI.
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/i2s_tiles.h"
#include "kernels/cpu/ternary_direct.h"
#include "kernels/cpu/ternary_kernels.h"
#include "kernels/cpu/ternary_simd_avx512vnni.h"

namespace kern {
namespace {

// 24 of 32 registers are sums: 64 rows x 6 columns, 10 loads for 24 vpdpbusd; 16 rows where fewer are left.
void run(const MulMatArgs& args) {
    if (args.n_cols <= kI2sDirectCols) return i2s_direct_any<Zmm>(args);
    const ActColumns columns(args);
    for (int64_t row = args.row_begin; row < args.row_end;) {
        if (args.row_end - row > 2 * Zmm::kLanes) {
            I2sStrip<Zmm, 4, 6>(args, columns, row).run();
            row += 4 * Zmm::kLanes;
        } else {
            I2sStrip<Zmm, 1, 6>(args, columns, row).run();
            row += Zmm::kLanes;
        }
    }
}

}  // namespace

constinit const MulMatKernel i2s_avx512vnni = {.name = "i2s_avx512vnni",
                                               .level = "avx512vnni",
                                               .type = QuantType::i2_s,
                                               .needs = CPU_AVX2 | CPU_AVX512 | CPU_AVX512VNNI,
                                               .exact = true,
                                               .act = &act_i8x64_avx512,
                                               .row_tile = 16,
                                               .packed_bytes = nullptr,
                                               .pack = nullptr,
                                               .run = run};

}  // namespace kern
