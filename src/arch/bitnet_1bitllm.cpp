// `bitnet`: 1bitLLM's bitnet_b1_58 models (large, xl, 3B). As bitnet-b1.58 but with SiLU - except that a converter also
// writes this name for 2B-4T, which was trained with squared ReLU; nothing in the file says so but its shape.
#include "src/arch/arch.h"

namespace bitnet {

namespace {

Activation activation_of(const Hparams& h) {
    if (h.hidden_activation == "relu2") return Activation::relu2;
    const bool shape_of_2b4t = h.n_layer == 30 && h.n_embd == 2560 && h.n_ff == 6912;
    return h.hidden_activation.empty() && shape_of_2b4t ? Activation::relu2 : Activation::silu;
}

}  // namespace

constinit const ArchRow kArchBitnet = {"bitnet", kSubNormTensors, {.rope_halves = true, .sub_norms = true}, activation_of};

}  // namespace bitnet
