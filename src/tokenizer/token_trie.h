// Finds added tokens (control and user-defined ones) in text: at each position the longest, from left to right.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bitnet {

class TokenTrie {
public:
    struct Match {
        size_t begin;
        size_t end;
        int32_t token;
    };

    // Texts must not be empty; of equal ones the first counts. Throws BITNET_E_TOKENIZER for a text above 1024 bytes,
    // the bound of the steps per position.
    void build(std::vector<std::pair<std::string, int32_t>> texts);
    bool empty() const noexcept { return nodes_.empty(); }
    // The first match at or after `from`; false when there is none.
    bool find(std::string_view text, size_t from, Match& match) const noexcept;
    size_t bytes_used() const noexcept;

private:
    struct Node {
        int32_t token = -1;
        uint32_t first_edge = 0;
        uint32_t n_edges = 0;
    };
    struct Edge {
        uint8_t byte;
        uint32_t node;
    };

    std::vector<Node> nodes_;            // nodes_[0] is the root
    std::vector<Edge> edges_;            // of each node together, by byte
    std::array<uint32_t, 256> roots_{};  // node after the first byte, 0: no token begins so
};

}  // namespace bitnet
