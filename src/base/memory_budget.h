// What the models, contexts and adapters of this process hold together, and the limit on it. A holder charges what it is about to
// allocate and allocates only then; the charge ends with the holder. So a limit is never exceeded, not even for a moment
// and not by two threads at once.
#pragma once

#include <cstdint>

namespace bitnet {

class MemoryCharge {
public:
    MemoryCharge() = default;
    ~MemoryCharge() { release(); }
    MemoryCharge(MemoryCharge&& other) noexcept : bytes_(other.bytes_) { other.bytes_ = 0; }
    MemoryCharge& operator=(MemoryCharge&& other) noexcept;
    MemoryCharge(const MemoryCharge&) = delete;
    MemoryCharge& operator=(const MemoryCharge&) = delete;

    // Counts n_bytes instead of what was counted before. limit: of all charges together, 0 for none; only growing can
    // fail: BITNET_E_SECURITY_MEMORY, with the charge as before. what: "the model", "the context"; advice: what makes it
    // smaller.
    void resize(uint64_t n_bytes, uint64_t limit, const char* what, const char* advice);
    void release() noexcept;
    uint64_t bytes() const noexcept { return bytes_; }

private:
    uint64_t bytes_ = 0;
};

// The sum of all charges.
uint64_t memory_in_use() noexcept;

}  // namespace bitnet
