// The texts that wait for an engine, and which of them is next.
//
// Each tenant has a line per priority; within a line the order is that of arrival. Next is the line of the highest level,
// its priority plus one for every ageing interval it was not served, so nothing waits forever. Among lines of one level the
// tenant that got the least so far is next (start-time fair queuing, P. Goyal et al. 1996): one tenant's hundred texts do not
// hold up another one's first. Not locked: its owner is.
#pragma once

#include <array>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "server/engine/engine_text.h"

namespace serve {

class TextQueue {
public:
    TextQueue(size_t most_texts, std::chrono::milliseconds ageing) : most_texts_(most_texts), ageing_(ageing) {}

    size_t size() const { return n_texts_; }
    // False when it is full. A tenant of whom nothing waits has a place above the bound, so that others cannot take all.
    bool has_room(const std::string& tenant) const;
    void push(TextHandle text);
    // Takes the next text and charges its tenant for it; null when none waits.
    TextHandle pop(SteadyTime now);
    // Undoes the last pop: the text is where it was, and nobody paid.
    void put_back(TextHandle text);
    // Takes all texts for which leaves is true.
    std::vector<TextHandle> take_if(const std::function<bool(const EngineText&)>& leaves);

private:
    struct Line {
        std::deque<TextHandle> texts;
        SteadyTime served = {};
    };
    struct Tenant {
        std::array<Line, 4> lines;  // by Priority
        size_t n_texts = 0;
        double finish = 0;  // the virtual time at which what it got so far is paid for
    };
    struct Place {
        Tenant* tenant = nullptr;
        Line* line = nullptr;
        double start = 0;
    };
    static Line& line_of(Tenant& tenant, Priority priority);
    Place next(SteadyTime now);
    void forget_idle_tenants();

    const size_t most_texts_;
    const std::chrono::milliseconds ageing_;
    std::map<std::string, Tenant> tenants_;
    size_t n_texts_ = 0;
    double virtual_now_ = 0;  // the start of the text that was taken last, in tokens
    // As they were before the last pop.
    SteadyTime served_before_ = {};
    double finish_before_ = 0, virtual_before_ = 0;
};

}  // namespace serve
