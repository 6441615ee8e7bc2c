// All tokens that give text, as a tree of the bytes that they give: what is to be known of every token (may it come next?)
// is found by one walk that reads each common beginning once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "bitnet.h"

namespace bitnet {

class OutputTrie {
public:
    // A node stands behind its parent and before its parent's later children. Node 0 is the empty text.
    struct Node {
        uint32_t end;          // the first node that is not below this one
        uint32_t first_token;  // its tokens end where the next node's begin
        uint32_t depth;        // bytes from the root
        uint8_t byte;          // the last of them
    };

    // No text may be empty.
    explicit OutputTrie(std::vector<std::pair<std::string_view, bitnet_token>> texts);

    size_t size() const noexcept { return nodes_.size() - 1; }
    const Node& operator[](size_t i) const noexcept { return nodes_[i]; }
    // The tokens that give exactly this node's bytes.
    std::span<const bitnet_token> tokens(size_t i) const noexcept {
        return std::span(tokens_).subspan(nodes_[i].first_token, nodes_[i + 1].first_token - nodes_[i].first_token);
    }
    uint32_t max_depth() const noexcept { return max_depth_; }

private:
    std::vector<Node> nodes_;  // and one more, which ends the last node's tokens
    std::vector<bitnet_token> tokens_;
    uint32_t max_depth_ = 0;
};

}  // namespace bitnet
