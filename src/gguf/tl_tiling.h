// The tiles of TL1 and TL2 tensors. Their byte order depends on three numbers per shape that bitnet.cpp keeps in a file
// beside the model's (include/kernel_config.ini), so they come from the caller, or from the presets it ships.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernels/ternary_dialects.h"

namespace bitnet {

class TlTilings {
public:
    TlTilings() = default;
    // "BM,BK,bm" for every shape, or "MxK:BM,BK,bm" for one, M rows of K weights; several with ';' between them. "preset"
    // and "setup_env" choose between bitnet.cpp's two sets where they differ. Throws BITNET_E_CONFIG.
    explicit TlTilings(std::string_view text);

    // Sets shape->tiling of a tl1 or tl2 tensor. Returns what is wrong as the end of a sentence about the tensor, or "".
    std::string complete(kern::DialectShape* shape) const;

private:
    struct Given {
        int64_t n_rows, k;  // 0: any
        kern::TlTiling tiling;
    };
    enum class Choice : uint8_t { none, preset, setup_env };

    std::vector<Given> given_;
    Choice choice_ = Choice::none;
};

}  // namespace bitnet
