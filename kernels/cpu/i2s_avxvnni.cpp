// I2_S with AVX-VNNI.
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/ternary_direct.h"
#include "kernels/cpu/ternary_kernels.h"
#include "kernels/cpu/ternary_simd_avxvnni.h"
#include "kernels/cpu/ternary_tiles.h"

namespace kern {
namespace {

void run(const MulMatArgs& args) {
    if (args.n_cols < 8) return i2s_direct_any<AvxVnni>(args, 0, args.n_cols);
    const ActColumns columns(args);
    for (int64_t row = args.row_begin; row < args.row_end; row += 2 * AvxVnni::kLanes) {
        i2s_strip<AvxVnni, 2, 6>(args, columns, row);
    }
}

}  // namespace

constinit const MulMatKernel i2s_avxvnni = {.name = "i2s_avxvnni",
                                         .level = "avxvnni",
                                         .type = QuantType::i2_s,
                                         .needs = CPU_AVX2 | CPU_AVXVNNI,
                                         .exact = true,
                                         .act = &act_i8_avx2,
                                         .row_tile = 16,
                                         .packed_bytes = nullptr,
                                         .pack = nullptr,
                                         .run = run};

}  // namespace kern
