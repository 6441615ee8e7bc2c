// I2_S with AVX2.
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/ternary_direct.h"
#include "kernels/cpu/ternary_kernels.h"
#include "kernels/cpu/ternary_simd_avx2.h"

namespace kern {
namespace {

// At any number of columns: unpacking rows for tiles of columns (i2s_tiles.h) costs more here than it saves. Both come to two
// instructions for 32 products, a direct pass takes its codes apart for eight columns at a time, and broadcasting
// activations is what tiles would pay instead (Zen 3: direct is 1.1 times as fast at 512 columns, 1.3 times at 20).
void run(const MulMatArgs& args) { i2s_direct_any<Avx2>(args); }

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
