#include "src/generation/stop_matcher.h"

#include <algorithm>
#include <utility>

#include "src/base/error.h"
#include "src/base/utf8.h"

namespace bitnet {

StopMatcher::StopMatcher(std::vector<std::string> stops) {
    if (stops.size() > kMaxStops) {
        throw Error(BITNET_E_LIMIT, "there are " + std::to_string(stops.size()) + " stop sequences; at most " +
                                        std::to_string(kMaxStops) + " are allowed")
            .with_numbers(kMaxStops, stops.size());
    }
    stops_.reserve(stops.size());
    for (std::string& text : stops) {
        const std::string which = "stop sequence " + std::to_string(stops_.size());
        if (text.empty())
            throw Error(BITNET_E_CONFIG, which + " is empty; leave it out").with_subject("stop_sequences");
        if (text.size() > kMaxStopBytes) {
            throw Error(BITNET_E_LIMIT, which + " has " + std::to_string(text.size()) + " bytes; at most " +
                                            std::to_string(kMaxStopBytes) + " are allowed")
                .with_numbers(kMaxStopBytes, text.size());
        }
        std::vector<uint16_t> fallback(text.size(), 0);
        for (size_t i = 1, border = 0; i < text.size(); ++i) {
            while (border > 0 && text[i] != text[border]) border = fallback[border - 1];
            if (text[i] == text[border]) ++border;
            fallback[i] = static_cast<uint16_t>(border);
        }
        stops_.push_back({std::move(text), std::move(fallback), 0});
    }
}

void StopMatcher::advance(Automaton& automaton, char byte) noexcept {
    size_t& n = automaton.n_matched;
    while (n > 0 && automaton.text[n] != byte) n = automaton.fallback[n - 1];
    if (automaton.text[n] == byte) ++n;
}

bool StopMatcher::feed(std::string_view bytes, std::string& out) {
    // All memory first: a feed that fails has read nothing.
    held_.reserve(held_.size() + bytes.size());
    out.reserve(out.size() + held_.size() + bytes.size());
    for (const char byte : bytes) {
        held_ += byte;
        size_t longest = 0;
        for (size_t i = 0; i < stops_.size(); ++i) {
            advance(stops_[i], byte);
            const size_t n = stops_[i].text.size();
            if (stops_[i].n_matched != n || n <= longest) continue;
            longest = n;
            found_ = static_cast<int32_t>(i);
        }
        if (longest == 0) continue;
        held_.resize(held_.size() - longest);
        flush(out);
        return true;
    }
    size_t n_possible = 0;  // bytes at the end that a stop sequence may begin with
    for (const Automaton& stop : stops_) n_possible = std::max(n_possible, stop.n_matched);
    const size_t n_free = utf8_complete_prefix(std::string_view(held_).substr(0, held_.size() - n_possible));
    out.append(held_, 0, n_free);
    held_.erase(0, n_free);
    return false;
}

void StopMatcher::flush(std::string& out) {
    out += held_;
    held_.clear();
}

}  // namespace bitnet
