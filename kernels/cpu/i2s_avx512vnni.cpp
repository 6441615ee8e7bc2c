// I2_S with AVX-512 VNNI.
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/ternary_direct.h"
#include "kernels/cpu/ternary_kernels.h"
#include "kernels/cpu/ternary_simd_avx512vnni.h"
#include "kernels/cpu/ternary_tiles.h"

namespace kern {
namespace {

void run(const MulMatArgs& args) {
    if (args.n_cols < 8) return i2s_direct_any<Zmm>(args, 0, args.n_cols);
    const ActColumns columns(args);
    // 24 accumulators: 64 rows x 6 columns, 10 loads for 24 vpdpbusd.
    for (int64_t row = args.row_begin; row < args.row_end;) {
        const int64_t left = args.row_end - row;
        if (left > 2 * Zmm::kLanes) {
            i2s_strip<Zmm, 4, 6>(args, columns, row);
            row += 4 * Zmm::kLanes;
        } else {
            i2s_strip<Zmm, 1, 6>(args, columns, row);
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
