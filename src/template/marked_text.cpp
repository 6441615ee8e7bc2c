// Texts with marks: a list of the trusted runs beside the bytes. What no run names is untrusted, so forgetting a run is safe.
#include "src/template/marked_text.h"

#include <algorithm>
#include <utility>

namespace bitnet {

MarkedText MarkedText::trusted(std::string bytes) {
    MarkedText text;
    text.bytes_ = std::move(bytes);
    text.add_run(0, text.bytes_.size());
    return text;
}

MarkedText MarkedText::plain(std::string bytes) {
    MarkedText text;
    text.bytes_ = std::move(bytes);
    return text;
}

void MarkedText::add_run(size_t begin, size_t end) {
    if (begin >= end) return;
    if (!runs_.empty() && runs_.back().end == begin) {
        runs_.back().end = end;
    } else {
        runs_.push_back({begin, end});
    }
}

size_t MarkedText::first_run_ending_after(size_t at) const noexcept {
    const auto run = std::upper_bound(runs_.begin(), runs_.end(), at, [](size_t x, const Run& r) { return x < r.end; });
    return static_cast<size_t>(run - runs_.begin());
}

void MarkedText::append_trusted(std::string_view bytes) {
    const size_t begin = bytes_.size();
    bytes_ += bytes;
    add_run(begin, bytes_.size());
}

void MarkedText::append(const MarkedText& other, size_t begin, size_t end) {
    const size_t at = bytes_.size();
    bytes_.append(other.bytes_, begin, end - begin);
    for (size_t i = other.first_run_ending_after(begin); i < other.runs_.size() && other.runs_[i].begin < end; ++i) {
        const Run run = other.runs_[i];
        add_run(at + std::max(run.begin, begin) - begin, at + std::min(run.end, end) - begin);
    }
}

void MarkedText::append_like(std::string_view bytes, const MarkedText& from, size_t begin, size_t end) {
    if (from.is_trusted(begin, end)) {
        append_trusted(bytes);
    } else {
        append_plain(bytes);
    }
}

MarkedText MarkedText::slice(size_t begin, size_t end) const {
    MarkedText out;
    out.append(*this, begin, end);
    return out;
}

bool MarkedText::is_trusted(size_t begin, size_t end) const noexcept {
    const size_t i = first_run_ending_after(begin);
    return begin < end && i < runs_.size() && runs_[i].begin <= begin && runs_[i].end >= end;
}

}  // namespace bitnet
