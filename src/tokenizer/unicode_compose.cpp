// Text is cut before every character that no earlier one composes with or is sorted behind, and each such segment goes the
// way of the standard: take apart, sort marks by class, put together. Most segments are one character.
#include "src/tokenizer/unicode_compose.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <vector>

#include "src/base/utf8.h"

namespace bitnet {
namespace {

struct CombiningRange {
    uint32_t first, last;
    uint8_t combining_class;
};
struct Decomposition {
    uint32_t composed, first, second;  // second 0: a single other character
    uint8_t composes;                  // the pair is put together again
};
#include "src/tokenizer/unicode_compose_data.inc"

constexpr uint32_t kFirstComposed = 0xC0;  // everything below stays as it is and begins a segment
constexpr uint32_t kInvalidByte = 0x80000000u;

constexpr uint32_t kSBase = 0xAC00, kLBase = 0x1100, kVBase = 0x1161, kTBase = 0x11A7;
constexpr uint32_t kLCount = 19, kVCount = 21, kTCount = 28, kSCount = kLCount * kVCount * kTCount;

uint8_t combining_class(uint32_t code_point) {
    const auto* const range = std::lower_bound(std::begin(kCombining), std::end(kCombining), code_point,
                                               [](const CombiningRange& r, uint32_t cp) { return r.last < cp; });
    return range != std::end(kCombining) && range->first <= code_point ? range->combining_class : uint8_t{0};
}

const Decomposition* find_decomposition(uint32_t code_point) {
    const auto* const row = std::lower_bound(std::begin(kDecompositions), std::end(kDecompositions), code_point,
                                             [](const Decomposition& d, uint32_t cp) { return d.composed < cp; });
    return row != std::end(kDecompositions) && row->composed == code_point ? row : nullptr;
}

// The pairs that are put together, by their parts; and the second parts alone.
struct Compositions {
    Compositions() {
        for (const Decomposition& row : kDecompositions) {
            if (row.composes == 0) continue;
            pairs.push_back(&row);
            seconds.push_back(row.second);
        }
        std::sort(pairs.begin(), pairs.end(), [](const Decomposition* a, const Decomposition* b) {
            return a->first != b->first ? a->first < b->first : a->second < b->second;
        });
        std::sort(seconds.begin(), seconds.end());
    }
    std::vector<const Decomposition*> pairs;
    std::vector<uint32_t> seconds;
};
const Compositions& compositions() {
    static const Compositions instance;
    return instance;
}

// 0: they stay apart.
uint32_t compose_pair(uint32_t first, uint32_t second) {
    if (first - kLBase < kLCount && second - kVBase < kVCount) {
        return kSBase + ((first - kLBase) * kVCount + (second - kVBase)) * kTCount;
    }
    if (first - kSBase < kSCount && (first - kSBase) % kTCount == 0 && second - kTBase - 1 < kTCount - 1) {
        return first + (second - kTBase);
    }
    const auto& pairs = compositions().pairs;
    const auto row =
        std::lower_bound(pairs.begin(), pairs.end(), std::pair(first, second), [](const auto* d, auto pair) {
            return d->first != pair.first ? d->first < pair.first : d->second < pair.second;
        });
    return row != pairs.end() && (*row)->first == first && (*row)->second == second ? (*row)->composed : 0;
}

bool joins_what_is_before(uint32_t code_point) {
    if (code_point - kVBase < kVCount || code_point - kTBase - 1 < kTCount - 1) return true;
    const auto& seconds = compositions().seconds;
    return std::binary_search(seconds.begin(), seconds.end(), code_point);
}

class Composer {
public:
    explicit Composer(std::string& out) : out_(out) {}

    void add(uint32_t code_point) {
        if (code_point < kFirstComposed || code_point >= kInvalidByte) {
            flush();
            segment_.push_back({code_point, 0});
            return;
        }
        const size_t before = segment_.size();
        take_apart(code_point);
        const Char first = segment_[before];
        if (before == 0 || first.combining_class != 0 || joins_what_is_before(first.code_point)) return;
        const std::vector<Char> next(segment_.begin() + static_cast<std::ptrdiff_t>(before), segment_.end());
        segment_.resize(before);
        flush();
        segment_ = next;
    }

    void flush() {
        if (segment_.size() > 1) {
            sort_marks();
            put_together();
        }
        for (const Char& c : segment_) {
            if (c.code_point >= kInvalidByte) {
                out_.push_back(static_cast<char>(c.code_point & 0xFF));
            } else {
                utf8_append(out_, c.code_point);
            }
        }
        segment_.clear();
    }

private:
    struct Char {
        uint32_t code_point;
        uint8_t combining_class;
    };

    void take_apart(uint32_t code_point) {
        if (code_point - kSBase < kSCount) {
            const uint32_t index = code_point - kSBase;
            segment_.push_back({kLBase + index / (kVCount * kTCount), 0});
            segment_.push_back({kVBase + index % (kVCount * kTCount) / kTCount, 0});
            if (index % kTCount != 0) segment_.push_back({kTBase + index % kTCount, 0});
            return;
        }
        const Decomposition* const row = find_decomposition(code_point);
        if (row == nullptr) {
            segment_.push_back({code_point, combining_class(code_point)});
            return;
        }
        take_apart(row->first);  // the table has no cycles and chains of a few
        if (row->second != 0) take_apart(row->second);
    }

    void sort_marks() {
        for (auto begin = segment_.begin(); begin != segment_.end();) {
            const auto is_starter = [](const Char& c) { return c.combining_class == 0; };
            begin = std::find_if_not(begin, segment_.end(), is_starter);
            const auto end = std::find_if(begin, segment_.end(), is_starter);
            std::stable_sort(begin, end,
                             [](const Char& a, const Char& b) { return a.combining_class < b.combining_class; });
            begin = end;
        }
    }

    // Every character joins the last starter unless one between them has its class or a higher one.
    void put_together() {
        size_t n = 0;
        size_t starter = SIZE_MAX;
        for (size_t i = 0; i < segment_.size(); ++i) {
            const Char c = segment_[i];
            const bool is_adjacent = starter != SIZE_MAX && starter + 1 == n;
            const bool is_free =
                is_adjacent || (starter != SIZE_MAX && segment_[n - 1].combining_class < c.combining_class);
            if (is_free) {
                if (const uint32_t composed = compose_pair(segment_[starter].code_point, c.code_point)) {
                    segment_[starter].code_point = composed;
                    continue;
                }
            }
            if (c.combining_class == 0) starter = n;
            segment_[n++] = c;
        }
        segment_.resize(n);
    }

    std::string& out_;
    std::vector<Char> segment_;
};

}  // namespace

std::string unicode_compose(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    Composer composer(out);
    size_t at = 0;
    while (at < text.size()) {
        const Utf8Char c = utf8_decode(text.substr(at));
        composer.add(c.code_point == kInvalidCodePoint ? kInvalidByte | static_cast<uint8_t>(text[at]) : c.code_point);
        at += c.n_bytes;
    }
    composer.flush();
    return out;
}

}  // namespace bitnet
