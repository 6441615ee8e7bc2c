// Microseconds since it was made.
#pragma once

#include <chrono>
#include <cstdint>

namespace bitnet {

class Stopwatch {
public:
    uint64_t us() const noexcept {
        return static_cast<uint64_t>(
            std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin_).count());
    }

private:
    std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace bitnet
