#include "kernels/cuda/cuda_kernel_set.h"

#include "kernels/cpu/act_i8.h"
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/dense_kernels.h"
#include "kernels/cpu/vec_kernel_sets.h"

namespace kern {
namespace {

constexpr MulMatKernel row(const char* name, QuantType type, const ActFormat* act) {
    return {.name = name,
            .level = kCudaLevel,
            .type = type,
            .needs = CPU_BASE,
            .exact = true,
            .act = act,
            .row_tile = 1,
            .packed_bytes = nullptr,
            .pack = nullptr,
            .run = nullptr};
}

// What the dialects of I2_S become has its row.
constexpr MulMatKernel kRows[] = {
    row("f32_cuda", QuantType::f32, &act_f32),         row("f16_cuda", QuantType::f16, &act_f32),
    row("bf16_cuda", QuantType::bf16, &act_f32),       row("q8_0_cuda", QuantType::q8_0, &act_f32),
    row("q4_0_cuda", QuantType::q4_0, &act_f32),       row("q4_1_cuda", QuantType::q4_1, &act_f32),
    row("q6_k_cuda", QuantType::q6_k, &act_f32),       row("iq2_s_cuda", QuantType::iq2_s, &act_f32),
    row("q1_0_cuda", QuantType::q1_0, &act_f32),       row("q2_0_cuda", QuantType::q2_0, &act_f32),
    row("q2_0_g128_cuda", QuantType::q2_0_g128, &act_f32), row("tq1_0_cuda", QuantType::tq1_0, &act_i8_scalar),
    row("tq2_0_cuda", QuantType::tq2_0, &act_i8_scalar),   row("i2s_cuda", QuantType::i2_s, &act_i8_scalar),
};

KernelSet make_set() {
    static VecKernels vec = vec_scalar;  // for what the host itself does with rows of floats
    vec.name = "vec_cuda";
    vec.level = kCudaLevel;
    KernelSet set = {};
    for (const MulMatKernel& kernel : kRows) set.mul_mat[static_cast<int>(kernel.type)] = &kernel;
    for (int i = 0; i < kQuantTypeCount; ++i) {
        if (quant_type_info(static_cast<QuantType>(i)).dialect) set.mul_mat[i] = &set.for_type(QuantType::i2_s);
    }
    for (const MulMatKernel*& layout : set.packed) layout = &set.for_type(QuantType::i2_s);
    set.vec = &vec;
    set.level = kCudaLevel;
    return set;
}

}  // namespace

const KernelSet& cuda_kernels() {
    static const KernelSet set = make_set();
    return set;
}

}  // namespace kern
