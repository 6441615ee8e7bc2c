// The ranges below are the simple case foldings of Unicode 15 (CaseFolding.txt, statuses C and S) that keep the length.
#include "server/filter/phrase_list.h"

#include <algorithm>
#include <deque>

namespace serve {

namespace {

uint32_t lower_code_point(uint32_t c) {
    const auto in = [c](uint32_t first, uint32_t last) { return c >= first && c <= last; };
    if (in('A', 'Z') || (in(0xC0, 0xDE) && c != 0xD7)) return c + 0x20;
    // Pairs of capital and small letter, the capital even.
    if (in(0x100, 0x12E) || in(0x132, 0x136) || in(0x14A, 0x176) || in(0x370, 0x372) || in(0x3D8, 0x3EE) ||
        in(0x460, 0x480) || in(0x48A, 0x4BE) || in(0x4D0, 0x52E) || in(0x1E00, 0x1E94) || in(0x1EA0, 0x1EFE))
        return c | 1;
    // The same, the capital odd.
    if (in(0x139, 0x147) || in(0x179, 0x17D) || in(0x4C1, 0x4CD)) return c + (c & 1);
    if (c == 0x178) return 0xFF;
    if (c == 0x386) return 0x3AC;
    if (in(0x388, 0x38A)) return c + 37;
    if (c == 0x38C) return 0x3CC;
    if (in(0x38E, 0x38F)) return c + 63;
    if (in(0x391, 0x3AB) && c != 0x3A2) return c + 0x20;
    if (c == 0x3C2) return 0x3C3;  // the sigma at the end of a word
    if (in(0x400, 0x40F)) return c + 0x50;
    if (in(0x410, 0x42F)) return c + 0x20;
    if (c == 0x4C0) return 0x4CF;
    if (in(0x531, 0x556)) return c + 0x30;
    if (in(0x1C90, 0x1CBF)) return c - 0xBC0;
    return c;
}

}  // namespace

std::string fold_case(std::string_view text) {
    std::string folded(text);
    for (size_t i = 0; i < folded.size();) {
        const auto at = [&](size_t k) { return static_cast<unsigned char>(folded[i + k]); };
        const auto follows = [&](size_t k) { return i + k < folded.size() && (at(k) & 0xC0) == 0x80; };
        const unsigned char lead = at(0);
        if (lead < 0x80) {
            folded[i++] = static_cast<char>(lower_code_point(lead));
        } else if ((lead & 0xE0) == 0xC0 && follows(1)) {
            const uint32_t c = lower_code_point((lead & 0x1Fu) << 6 | (at(1) & 0x3Fu));
            folded[i] = static_cast<char>(0xC0 | c >> 6);
            folded[i + 1] = static_cast<char>(0x80 | (c & 0x3F));
            i += 2;
        } else if ((lead & 0xF0) == 0xE0 && follows(1) && follows(2)) {
            const uint32_t c = lower_code_point((lead & 0x0Fu) << 12 | (at(1) & 0x3Fu) << 6 | (at(2) & 0x3Fu));
            folded[i] = static_cast<char>(0xE0 | c >> 12);
            folded[i + 1] = static_cast<char>(0x80 | (c >> 6 & 0x3F));
            folded[i + 2] = static_cast<char>(0x80 | (c & 0x3F));
            i += 3;
        } else {
            i++;
        }
    }
    return folded;
}

PhraseList::PhraseList(const std::vector<std::string>& phrases) : nodes_(1) {
    std::vector<std::vector<std::pair<unsigned char, uint32_t>>> children(1);
    for (const std::string& phrase : phrases) {
        if (phrase.empty()) continue;
        uint32_t node = 0;
        for (const char c : fold_case(phrase)) {
            const auto byte = static_cast<unsigned char>(c);
            const auto [edge, is_new] = edges_.try_emplace(uint64_t{node} << 8 | byte, nodes_.size());
            if (is_new) {
                children[node].emplace_back(byte, edge->second);
                children.emplace_back();
                nodes_.push_back({0, nodes_[node].depth + 1, false});
            }
            node = edge->second;
        }
        nodes_[node].is_end = true;
        longest_ = std::max(longest_, phrase.size());
    }
    // By rising depth: the fallback of a child is a step from the fallback of its parent.
    std::deque<uint32_t> open = {0};
    while (!open.empty()) {
        const uint32_t node = open.front();
        open.pop_front();
        for (const auto& [byte, child] : children[node]) {
            nodes_[child].fallback = node == 0 ? 0 : step(nodes_[node].fallback, byte);
            nodes_[child].is_end = nodes_[child].is_end || nodes_[nodes_[child].fallback].is_end;
            open.push_back(child);
        }
    }
}

uint32_t PhraseList::step(uint32_t node, unsigned char byte) const {
    while (true) {
        const auto edge = edges_.find(uint64_t{node} << 8 | byte);
        if (edge != edges_.end()) return edge->second;
        if (node == 0) return 0;
        node = nodes_[node].fallback;
    }
}

bool PhraseList::contains_one(std::string_view text) const {
    uint32_t node = 0;
    for (const char c : fold_case(text)) {
        node = step(node, static_cast<unsigned char>(c));
        if (nodes_[node].is_end) return true;
    }
    return false;
}

size_t PhraseList::open_bytes(std::string_view text) const {
    uint32_t node = 0;
    for (const char c : fold_case(text)) node = step(node, static_cast<unsigned char>(c));
    return nodes_[node].depth;
}

}  // namespace serve
