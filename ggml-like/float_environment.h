// The floating-point state in which results are the same everywhere: round to nearest even, denormals kept, no traps.
#pragma once

#include <cstdint>

namespace tg {

// A host program may have set flush-to-zero, denormals-are-zero or another rounding mode on its thread, and new threads
// inherit that. The library's results must not depend on it: its arithmetic runs inside such a scope, which puts the
// host's state back at its end.
class DefaultFloatEnvironment {
public:
    DefaultFloatEnvironment() noexcept;
    ~DefaultFloatEnvironment();
    DefaultFloatEnvironment(const DefaultFloatEnvironment&) = delete;
    DefaultFloatEnvironment& operator=(const DefaultFloatEnvironment&) = delete;

private:
    uint64_t saved_ = 0;
};

}  // namespace tg
