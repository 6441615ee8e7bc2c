#include "src/grammar/grammar_check.h"

#include <algorithm>
#include <string>
#include <utility>

#include "src/base/error.h"

namespace bitnet {
namespace {

// Walks all rules at once from their starts; behind a call only once the called rule is known to end. Linear: each rule sees
// each of its states once, and each call waits at most once.
class Walk {
public:
    // through_bytes false: only what can be reached before a byte is read.
    Walk(const GrammarProgram& program, bool through_bytes)
        : program_(program), through_bytes_(through_bytes), ends_(program.rule_starts.size()),
          calls_(program.rule_starts.size()), waiting_(program.rule_starts.size()), seen_(program.states.size()) {
        for (uint32_t rule = 0; rule < ends_.size(); ++rule) visit(rule, program.rule_starts[rule]);
        while (!todo_.empty()) {
            const auto [rule, state] = todo_.back();
            todo_.pop_back();
            expand(rule, state);
        }
    }

    bool ends(uint32_t rule) const { return ends_[rule]; }
    // The rules that a rule calls on its way.
    const std::vector<uint32_t>& calls(uint32_t rule) const { return calls_[rule]; }

private:
    using Kind = GrammarProgram::Kind;
    struct Place {
        uint32_t rule, state;
    };

    void visit(uint32_t rule, uint32_t state) {
        // All states but the end belong to one rule.
        if (state == GrammarProgram::kEnd ? ends_[rule] : seen_[state]) return;
        if (state != GrammarProgram::kEnd) seen_[state] = true;
        todo_.push_back({rule, state});
    }

    void expand(uint32_t rule, uint32_t state) {
        const GrammarProgram::State& s = program_.states[state];
        if (s.kind == Kind::end) {
            ends_[rule] = true;
            for (const Place& place : std::exchange(waiting_[rule], {})) visit(place.rule, place.state);
        } else if (s.kind == Kind::split) {
            for (uint32_t i = 0; i < s.count; ++i) visit(rule, program_.targets[s.first + i]);
        } else if (s.kind == Kind::byte && through_bytes_) {
            for (uint32_t i = 0; i < s.count; ++i) visit(rule, program_.moves[s.first + i].target);
        } else if (s.kind == Kind::call) {
            calls_[rule].push_back(s.first);
            if (ends_[s.first]) {
                visit(rule, s.count);
            } else {
                waiting_[s.first].push_back({rule, s.count});
            }
        }
    }

    const GrammarProgram& program_;
    const bool through_bytes_;
    std::vector<bool> ends_;
    std::vector<std::vector<uint32_t>> calls_;
    std::vector<std::vector<Place>> waiting_;
    std::vector<bool> seen_;
    std::vector<Place> todo_;
};

[[noreturn]] void fail(const std::string& what) { throw Error(BITNET_E_CONFIG, what).with_subject("grammar"); }

}  // namespace

void check_rules(GrammarProgram& program, const std::vector<std::string_view>& names) {
    const auto n_rules = static_cast<uint32_t>(program.rule_starts.size());
    const Walk all(program, true);
    for (uint32_t rule = 0; rule < n_rules; ++rule) {
        if (all.ends(rule)) continue;
        fail("the grammar's rule " + std::string(names[rule]) +
             " can never end: each of its alternatives needs itself again; add one that does not");
    }

    // Depth first over the calls that come before any byte; a rule is numbered when everything below it is.
    const Walk left(program, false);
    enum : uint8_t { kNew, kOpen, kDone };
    std::vector<uint8_t> marks(n_rules, kNew);
    std::vector<std::pair<uint32_t, size_t>> path;  // a rule and how many of its calls were followed
    program.rule_order.assign(n_rules, 0);
    uint32_t next_order = n_rules;
    for (uint32_t rule = 0; rule < n_rules; ++rule) {
        if (marks[rule] != kNew) continue;
        marks[rule] = kOpen;
        path.emplace_back(rule, 0);
        while (!path.empty()) {
            auto& [open, n_followed] = path.back();
            if (n_followed == left.calls(open).size()) {
                marks[open] = kDone;
                program.rule_order[open] = --next_order;
                path.pop_back();
                continue;
            }
            const uint32_t called = left.calls(open)[n_followed++];
            if (marks[called] == kOpen) {
                auto at =
                    std::find_if(path.begin(), path.end(), [&](const auto& entry) { return entry.first == called; });
                std::string cycle;
                size_t n_named = 0;
                for (; at != path.end() && n_named < 8; ++at, ++n_named)
                    cycle += std::string(names[at->first]) + " -> ";
                if (at != path.end()) cycle += "... -> ";
                fail("the grammar's rule " + std::string(names[called]) + " begins with itself (" + cycle +
                     std::string(names[called]) + "); write a repetition instead, such as item (\",\" item)*");
            }
            if (marks[called] == kNew) {
                marks[called] = kOpen;
                path.emplace_back(called, 0);
            }
        }
    }
}

}  // namespace bitnet
