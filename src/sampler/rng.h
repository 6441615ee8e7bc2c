// PCG32, the sampler's random numbers: M. O'Neill, "PCG: A Family of Simple Fast Space-Efficient Statistically Good
// Algorithms for Random Number Generation", 2014, variant XSH RR 64/32. Only 64-bit integer arithmetic, so a seed gives
// the same numbers on every machine; std:: distributions are not used because each library draws differently.
#pragma once

#include <cstdint>

namespace bitnet {

class Pcg32 {
public:
    // The stream of every sampler. 54 is the one of the paper's demonstration program, so that seed 42 can be checked
    // against its published output.
    static constexpr uint64_t kStream = 54;

    explicit Pcg32(uint64_t seed, uint64_t stream = kStream) noexcept : increment_((stream << 1) | 1) {
        next_u32();
        state_ += seed;
        next_u32();
    }

    uint32_t next_u32() noexcept {
        const uint64_t old = state_;
        state_ = old * 6364136223846793005ull + increment_;
        const auto folded = static_cast<uint32_t>(((old >> 18) ^ old) >> 27);
        const auto rotation = static_cast<uint32_t>(old >> 59);
        return (folded >> rotation) | (folded << ((32 - rotation) & 31));
    }

    // Uniform in [0, 1): the upper 53 bits of two outputs, the first one on top. 32 bits would be too coarse for the
    // rare tokens of a large vocabulary.
    double next_unit() noexcept {
        const uint64_t high = next_u32();
        const uint64_t low = next_u32();
        return static_cast<double>(((high << 32) | low) >> 11) * 0x1p-53;
    }

private:
    uint64_t state_ = 0;
    uint64_t increment_;
};

}  // namespace bitnet
