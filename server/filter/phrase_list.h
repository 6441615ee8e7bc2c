// Many phrases looked for at once, without regard to case.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace serve {

// Lower case of every letter that has one of the same length in UTF-8: Latin, Greek, Cyrillic, Armenian, Georgian. The text
// keeps its length; bytes that are no UTF-8 stay.
std::string fold_case(std::string_view text);

// The automaton of Aho and Corasick 1975 over folded bytes: time linear in the text, whatever the phrases.
class PhraseList {
public:
    explicit PhraseList(const std::vector<std::string>& phrases);
    bool contains_one(std::string_view text) const;
    // Bytes at the end of text that are the beginning of a phrase; the most where there are several.
    size_t open_bytes(std::string_view text) const;
    size_t longest() const noexcept { return longest_; }

private:
    struct Node {
        uint32_t fallback = 0;  // the node of the longest end of this one's text that begins a phrase, too
        uint32_t depth = 0;
        bool is_end = false;  // of a phrase, or its fallback's is
    };
    uint32_t step(uint32_t node, unsigned char byte) const;

    std::vector<Node> nodes_;
    std::unordered_map<uint64_t, uint32_t> edges_;  // node * 256 + byte -> node
    size_t longest_ = 0;
};

}  // namespace serve
