// The list of architectures, and what all of them share.
#include "src/arch/arch.h"

namespace bitnet {
namespace {

const ArchRow* const kArchs[] = {&kArchBitnetB158, &kArchBitnet25, &kArchBitnet, &kArchLlama, &kArchQwen3, &kArchGemma3};

}  // namespace

int64_t dim_value(Dim dim, const Hparams& hparams) {
    switch (dim) {
        case Dim::n_embd: return hparams.n_embd;
        case Dim::n_q: return hparams.n_q();
        case Dim::n_kv: return hparams.n_kv();
        case Dim::n_ff: return hparams.n_ff;
        case Dim::head: return hparams.head_dim;
    }
    return 0;
}

const ArchRow* find_arch(std::string_view name) {
    for (const ArchRow* arch : kArchs) {
        if (name == arch->name) return arch;
    }
    return nullptr;
}

std::string arch_names() {
    std::string names;
    for (const ArchRow* arch : kArchs) names += (names.empty() ? "" : ", ") + std::string(arch->name);
    return names;
}

}  // namespace bitnet
