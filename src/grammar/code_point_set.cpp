#include "src/grammar/code_point_set.h"

#include <algorithm>

namespace bitnet {
namespace {

// The last code point with so many bytes.
constexpr uint32_t kLastOfLength[] = {0x7F, 0x7FF, 0xFFFF, kMaxCodePoint};

uint8_t utf8_length(uint32_t code_point) noexcept {
    uint8_t n = 1;
    while (code_point > kLastOfLength[n - 1]) ++n;
    return n;
}

void utf8_bytes(uint32_t code_point, uint8_t n_bytes, std::array<uint8_t, 4>& out) noexcept {
    static constexpr uint8_t kLead[] = {0x00, 0xC0, 0xE0, 0xF0};
    out = {};
    for (size_t i = n_bytes; i-- > 1; code_point >>= 6) out[i] = static_cast<uint8_t>(0x80 | (code_point & 0x3F));
    out[0] = static_cast<uint8_t>(kLead[n_bytes - 1] | code_point);
}

// Cuts a range until its bytes vary independently: each byte but the first differing one runs over all of 80..BF.
void append_sequences(uint32_t first, uint32_t last, std::vector<ByteSequence>& out) {
    std::vector<CodePointRange> todo = {{first, last}};
    while (!todo.empty()) {
        auto [from, to] = todo.back();
        todo.pop_back();
        const uint8_t n_bytes = utf8_length(from);
        if (to > kLastOfLength[n_bytes - 1]) {
            todo.push_back({kLastOfLength[n_bytes - 1] + 1, to});
            to = kLastOfLength[n_bytes - 1];
        }
        bool cut = false;
        for (uint32_t i = 1; i < n_bytes && !cut; ++i) {
            const uint32_t mask = (uint32_t{1} << (6 * i)) - 1;
            if ((from & ~mask) == (to & ~mask)) continue;
            cut = true;
            if ((from & mask) != 0) {
                todo.push_back({(from | mask) + 1, to});
                todo.push_back({from, from | mask});
            } else if ((to & mask) != mask) {
                todo.push_back({to & ~mask, to});
                todo.push_back({from, (to & ~mask) - 1});
            } else {
                cut = false;
            }
        }
        if (cut) continue;
        ByteSequence& sequence = out.emplace_back();
        sequence.n_bytes = n_bytes;
        utf8_bytes(from, n_bytes, sequence.first);
        utf8_bytes(to, n_bytes, sequence.last);
    }
}

}  // namespace

void CodePointSet::add(uint32_t first, uint32_t last) {
    const auto push = [&](uint32_t from, uint32_t to) {
        if (from > to) return;
        ranges_.push_back({from, to});
        sorted_ = false;
    };
    push(first, std::min<uint32_t>(last, 0xD7FF));
    push(std::max<uint32_t>(first, 0xE000), last);
}

void CodePointSet::add(const CodePointSet& other) {
    for (const CodePointRange& range : std::vector<CodePointRange>(other.ranges())) add(range.first, range.last);
}

const std::vector<CodePointRange>& CodePointSet::ranges() const {
    if (sorted_) return ranges_;
    std::sort(ranges_.begin(), ranges_.end(),
              [](const CodePointRange& a, const CodePointRange& b) { return a.first < b.first; });
    size_t n = 0;
    for (const CodePointRange& range : ranges_) {
        if (n != 0 && range.first <= ranges_[n - 1].last + 1) {
            ranges_[n - 1].last = std::max(ranges_[n - 1].last, range.last);
        } else {
            ranges_[n++] = range;
        }
    }
    ranges_.resize(n);
    sorted_ = true;
    return ranges_;
}

CodePointSet CodePointSet::inverted() const {
    CodePointSet out;
    uint32_t next = 0;
    for (const CodePointRange& range : ranges()) {
        if (range.first > next) out.add(next, range.first - 1);
        next = range.last + 1;
    }
    if (next <= kMaxCodePoint) out.add(next, kMaxCodePoint);
    return out;
}

CodePointSet CodePointSet::intersected(const CodePointSet& other) const {
    CodePointSet outside = inverted();
    outside.add(other.inverted());
    return outside.inverted();
}

bool CodePointSet::contains(uint32_t code_point) const {
    for (const CodePointRange& range : ranges()) {
        if (code_point >= range.first && code_point <= range.last) return true;
    }
    return false;
}

std::vector<ByteSequence> CodePointSet::byte_sequences() const {
    std::vector<ByteSequence> out;
    for (const CodePointRange& range : ranges()) append_sequences(range.first, range.last, out);
    return out;
}

}  // namespace bitnet
