// Unsigned arithmetic that says when it does not fit. Every size that comes from a file goes through these before it is
// used as an offset or an allocation.
#pragma once

#include <cstdint>

namespace bitnet {

// Each returns false on overflow and then leaves *out untouched.
[[nodiscard]] constexpr bool checked_add(uint64_t a, uint64_t b, uint64_t* out) noexcept {
    if (b > UINT64_MAX - a) return false;
    *out = a + b;
    return true;
}

[[nodiscard]] constexpr bool checked_mul(uint64_t a, uint64_t b, uint64_t* out) noexcept {
    if (a != 0 && b > UINT64_MAX / a) return false;
    *out = a * b;
    return true;
}

// alignment must be a power of two.
[[nodiscard]] constexpr bool checked_align_up(uint64_t value, uint64_t alignment, uint64_t* out) noexcept {
    uint64_t raised = 0;
    if (!checked_add(value, alignment - 1, &raised)) return false;
    *out = raised & ~(alignment - 1);
    return true;
}

constexpr bool is_power_of_two(uint64_t value) noexcept { return value != 0 && (value & (value - 1)) == 0; }

// For numbers in messages, where the largest value says enough about a sum that does not fit.
constexpr uint64_t saturated_add(uint64_t a, uint64_t b) noexcept { return b > UINT64_MAX - a ? UINT64_MAX : a + b; }

}  // namespace bitnet
