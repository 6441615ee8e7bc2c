#include "src/model/tensor_role.h"

#include <charconv>
#include <limits>

namespace bitnet {

TensorRole tensor_role(std::string_view name) noexcept {
    if (name.substr(0, 11) == "token_embd.") return TensorRole::embedding;
    if (name.substr(0, 7) == "output.") return TensorRole::output;
    if (name.substr(0, 4) == "blk.") {
        const size_t dot = name.find('.', 4);
        name = dot == std::string_view::npos ? std::string_view() : name.substr(dot + 1);
    }
    const std::string_view stem = name.substr(0, name.find('.'));
    if (stem.ends_with("_norm") || stem.ends_with("_norm_in")) return TensorRole::norm;
    if (stem.substr(0, 5) == "attn_") return TensorRole::attention;
    if (stem.substr(0, 4) == "ffn_") return TensorRole::feed_forward;
    return TensorRole::other;
}

int64_t tensor_layer(std::string_view name) noexcept {
    if (tensor_role(name) == TensorRole::embedding) return 0;
    int64_t layer = 0;
    if (name.starts_with("blk.") &&
        std::from_chars(name.data() + 4, name.data() + name.size(), layer).ec == std::errc()) {
        return layer;
    }
    return std::numeric_limits<int64_t>::max();
}

const char* tensor_role_name(TensorRole role) noexcept {
    static const char* const kNames[kTensorRoleCount] = {"attention", "feed_forward", "norm",
                                                         "embedding", "output",       "other"};
    return kNames[static_cast<size_t>(role)];
}

}  // namespace bitnet
