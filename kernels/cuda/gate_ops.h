// What a gate does to the numbers beside it: the steps of cpu/vec_generic.h for one pair.
#pragma once

#include "kernels/cuda/gpu_lanes.h"
#include "kernels/cuda/kernel_args.h"

namespace kern::gpu {

// GELU in its form with tanh (vec_generic.h).
constexpr float kGeluLinear = 0x1.988454p+0f;  // 2 sqrt(2/pi)
constexpr float kGeluCubic = 0x1.2444f2p-4f;   // 0.044715 times that

GPU_FUNCTION float relu2_gate(float gate, float up) {
    const float r = larger(0.0f, gate);  // 0 > g ? 0 : g, so a NaN in the gate stays one
    return (r * r) * up;
}

GPU_FUNCTION float silu_gate(float gate, float up) { return gate / (1.0f + exact::exp_value(-gate)) * up; }

GPU_FUNCTION float gelu_gate(float gate, float up) {
    const float slope = kGeluLinear + kGeluCubic * (gate * gate);
    return gate / (1.0f + exact::exp_value(-(gate * slope))) * up;
}

GPU_FUNCTION float gated(GateOp op, float gate, float up) {
    switch (op) {
        case GateOp::relu2: return canonical_nan(relu2_gate(gate, up));
        case GateOp::silu: return canonical_nan(silu_gate(gate, up));
        case GateOp::gelu: break;
    }
    return canonical_nan(gelu_gate(gate, up));
}

}  // namespace kern::gpu
