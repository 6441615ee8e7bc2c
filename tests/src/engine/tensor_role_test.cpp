// What tensors are for, by their names.
#include <doctest/doctest.h>

#include <limits>
#include <string>

#include "src/model/tensor_role.h"

using bitnet::TensorRole;

TEST_CASE("a tensor's role is known by its name") {
    const struct {
        const char* name;
        TensorRole role;
    } rows[] = {
        {"token_embd.weight", TensorRole::embedding},
        {"output.weight", TensorRole::output},
        {"output_norm.weight", TensorRole::norm},
        {"blk.0.attn_q.weight", TensorRole::attention},
        {"blk.12.attn_output.weight", TensorRole::attention},
        {"blk.0.attn_q.scale", TensorRole::attention},
        {"blk.0.attn_norm.weight", TensorRole::norm},
        {"blk.0.attn_sub_norm.weight", TensorRole::norm},
        {"blk.0.ffn_sub_norm.weight", TensorRole::norm},
        {"blk.0.attn_q_norm_in.weight", TensorRole::norm},
        {"blk.0.post_ffw_norm.weight", TensorRole::norm},
        {"blk.0.ffn_down.weight", TensorRole::feed_forward},
        {"rope_freqs.weight", TensorRole::other},
        {"blk.0", TensorRole::other},
        {"blk.", TensorRole::other},
        {"", TensorRole::other},
        {"_norm", TensorRole::norm},
    };
    for (const auto& row : rows) {
        CAPTURE(std::string(row.name));
        CHECK(bitnet::tensor_role(row.name) == row.role);
    }
    CHECK(std::string(bitnet::tensor_role_name(TensorRole::feed_forward)) == "feed_forward");
    bitnet::BytesByRole bytes;
    bytes[TensorRole::norm] += 3;
    bytes[TensorRole::other] += 4;
    CHECK(bytes.total() == 7);
}

TEST_CASE("a tensor belongs to a layer by its number, before the first one or behind the last one") {
    constexpr int64_t kBehind = std::numeric_limits<int64_t>::max();
    CHECK(bitnet::tensor_layer("blk.0.attn_q.weight") == 0);
    CHECK(bitnet::tensor_layer("blk.29.ffn_down.weight.lora_a") == 29);
    CHECK(bitnet::tensor_layer("token_embd.weight") == 0);
    for (const char* name :
         {"output_norm.weight", "output.weight", "output.weight.lora_b", "rope_freqs.weight", "blk.", ""}) {
        CHECK(bitnet::tensor_layer(name) == kBehind);
    }
}
