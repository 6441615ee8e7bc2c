// I2_S with AVX2.
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/ternary_direct.h"
#include "kernels/cpu/ternary_kernels.h"
#include "kernels/cpu/ternary_simd_avx2.h"
#include "kernels/cpu/ternary_tiles.h"

namespace kern {
namespace {

void run(const MulMatArgs& args) {
    if (args.n_cols < 8) return i2s_direct_any<Avx2>(args, 0, args.n_cols);
    const ActColumns columns(args);
    for (int64_t row = args.row_begin; row < args.row_end; row += 2 * Avx2::kLanes) {
        i2s_strip<Avx2, 2, 4>(args, columns, row);
    }
}

}  // namespace

constinit const MulMatKernel i2s_avx2 = {.name = "i2s_avx2",
                                         .level = "avx2",
                                         .type = QuantType::i2_s,
                                         .needs = CPU_AVX2,
                                         .exact = true,
                                         .act = &act_i8_avx2,
                                         .row_tile = 16,
                                         .packed_bytes = nullptr,
                                         .pack = nullptr,
                                         .run = run};

}  // namespace kern
