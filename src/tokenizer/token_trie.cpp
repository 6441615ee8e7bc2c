// Built from the sorted texts, breadth first: a node is a range of texts that share a prefix.
#include "src/tokenizer/token_trie.h"

#include <algorithm>

#include "src/base/error.h"

namespace bitnet {
namespace {

constexpr size_t kMaxTextBytes = 1024;

}  // namespace

void TokenTrie::build(std::vector<std::pair<std::string, int32_t>> texts) {
    nodes_.clear();
    edges_.clear();
    roots_.fill(0);
    if (texts.empty()) return;
    for (const auto& [text, token] : texts) {
        if (text.size() <= kMaxTextBytes) continue;
        throw Error(BITNET_E_TOKENIZER, "the added token " + std::to_string(token) + " is " +
                                            std::to_string(text.size()) + " bytes long; at most 1024 are supported")
            .with_numbers(kMaxTextBytes, text.size());
    }
    std::stable_sort(texts.begin(), texts.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    struct Range {
        size_t begin, end, depth;
    };
    std::vector<Range> ranges = {{0, texts.size(), 0}};  // one per node, in order
    nodes_.emplace_back();
    for (size_t node = 0; node < ranges.size(); ++node) {
        auto [at, end, depth] = ranges[node];
        if (texts[at].first.size() == depth) nodes_[node].token = texts[at].second;  // the first of equal texts
        while (at < end && texts[at].first.size() == depth) ++at;
        nodes_[node].first_edge = static_cast<uint32_t>(edges_.size());
        while (at < end) {
            const char byte = texts[at].first[depth];
            size_t last = at;
            while (last < end && texts[last].first[depth] == byte) ++last;
            edges_.push_back({static_cast<uint8_t>(byte), static_cast<uint32_t>(nodes_.size())});
            ++nodes_[node].n_edges;
            nodes_.emplace_back();
            ranges.push_back({at, last, depth + 1});
            at = last;
        }
    }
    for (uint32_t i = 0; i < nodes_[0].n_edges; ++i) roots_[edges_[i].byte] = edges_[i].node;
}

bool TokenTrie::find(std::string_view text, size_t from, Match& match) const noexcept {
    if (nodes_.empty()) return false;
    for (size_t begin = from; begin < text.size(); ++begin) {
        uint32_t node = roots_[static_cast<uint8_t>(text[begin])];
        match.token = -1;
        size_t at = begin + 1;
        while (node != 0) {
            if (nodes_[node].token >= 0) match = {begin, at, nodes_[node].token};
            if (at == text.size()) break;
            const uint8_t byte = static_cast<uint8_t>(text[at++]);
            const Edge* first = edges_.data() + nodes_[node].first_edge;
            const Edge* last = first + nodes_[node].n_edges;
            const Edge* edge = std::lower_bound(first, last, byte, [](const Edge& e, uint8_t b) { return e.byte < b; });
            node = edge != last && edge->byte == byte ? edge->node : 0;
        }
        if (match.token >= 0) return true;
    }
    return false;
}

size_t TokenTrie::bytes_used() const noexcept {
    return nodes_.capacity() * sizeof(Node) + edges_.capacity() * sizeof(Edge);
}

}  // namespace bitnet
