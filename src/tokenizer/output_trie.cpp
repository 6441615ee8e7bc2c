// Sorted texts are the tree in the order of its nodes: each text goes on from what it shares with the one before.
#include "src/tokenizer/output_trie.h"

#include <algorithm>

namespace bitnet {

OutputTrie::OutputTrie(std::vector<std::pair<std::string_view, bitnet_token>> texts) {
    std::sort(texts.begin(), texts.end());
    std::vector<uint32_t> path = {0};  // the nodes from the root to the last one
    nodes_.push_back({0, 0, 0, 0});
    std::string_view before;
    for (const auto& [text, token] : texts) {
        const size_t most = std::min(text.size(), before.size());
        const auto shared = static_cast<size_t>(
            std::mismatch(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(most), before.begin()).first -
            text.begin());
        const auto n_tokens = static_cast<uint32_t>(tokens_.size());
        for (; path.size() > shared + 1; path.pop_back())
            nodes_[path.back()].end = static_cast<uint32_t>(nodes_.size());
        for (size_t i = shared; i < text.size(); ++i) {
            path.push_back(static_cast<uint32_t>(nodes_.size()));
            nodes_.push_back({0, n_tokens, static_cast<uint32_t>(i + 1), static_cast<uint8_t>(text[i])});
        }
        tokens_.push_back(token);
        max_depth_ = std::max(max_depth_, static_cast<uint32_t>(text.size()));
        before = text;
    }
    for (const uint32_t node : path) nodes_[node].end = static_cast<uint32_t>(nodes_.size());
    nodes_.push_back({0, static_cast<uint32_t>(tokens_.size()), 0, 0});
    tokens_.shrink_to_fit();
    nodes_.shrink_to_fit();
}

}  // namespace bitnet
