// One aligned block of host memory, from wherever memory_source.h says. Large blocks come from the system untouched: pages
// cost memory when first written.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tg {

inline constexpr size_t kAlignment = 64;  // a cache line, and the widest vector register

// Rounds up to a multiple of kAlignment; the caller has bounded n far below SIZE_MAX.
constexpr size_t align_up(size_t n) { return (n + kAlignment - 1) & ~(kAlignment - 1); }

class Arena {
public:
    Arena() = default;
    // Throws tg::Error(out_of_memory) with the size in the message. what names the block there: "KV cache".
    Arena(size_t n_bytes, const char* what);
    ~Arena();
    Arena(Arena&& other) noexcept;
    Arena& operator=(Arena&& other) noexcept;
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;

    uint8_t* data() const noexcept { return data_; }
    size_t size() const noexcept { return size_; }

private:
    uint8_t* data_ = nullptr;
    size_t size_ = 0;
};

}  // namespace tg
