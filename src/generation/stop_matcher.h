// Finds stop sequences in text that arrives in pieces, and holds back what may still become one: a stop sequence never
// shows, not even in part, however tokens cut it. One Knuth-Morris-Pratt automaton per stop sequence reads each byte once,
// so the cost does not depend on what the text holds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bitnet {

class StopMatcher {
public:
    static constexpr size_t kMaxStops = 64;
    static constexpr size_t kMaxStopBytes = 1024;

    // Throws BITNET_E_CONFIG for an empty stop sequence, BITNET_E_LIMIT above the limits.
    explicit StopMatcher(std::vector<std::string> stops);

    // Reads bytes and appends to out what can be shown now: whole characters that are part of no stop sequence. True when
    // a stop sequence is complete; what stood before it has then been appended, and nothing may be fed any more.
    // Where several end at the same byte the longest counts, among equals the first.
    bool feed(std::string_view bytes, std::string& out);
    // The text ends here: appends what is still held.
    void flush(std::string& out);
    // Index of the stop sequence that was found, -1 before.
    int32_t found() const noexcept { return found_; }

private:
    struct Automaton {
        std::string text;
        std::vector<uint16_t> fallback;  // longest proper border of each prefix
        size_t n_matched = 0;
    };
    static void advance(Automaton& automaton, char byte) noexcept;

    std::vector<Automaton> stops_;
    std::string held_;
    int32_t found_ = -1;
};

}  // namespace bitnet
