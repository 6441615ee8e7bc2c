#include "src/base/memory_budget.h"

#include <atomic>
#include <string>
#include <utility>

#include "src/base/checked_math.h"
#include "src/base/error.h"

namespace bitnet {
namespace {

std::atomic<uint64_t> in_use{0};

}  // namespace

uint64_t memory_in_use() noexcept { return in_use.load(std::memory_order_relaxed); }

MemoryCharge& MemoryCharge::operator=(MemoryCharge&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
}

void MemoryCharge::release() noexcept {
    in_use.fetch_sub(bytes_, std::memory_order_relaxed);
    bytes_ = 0;
}

void MemoryCharge::resize(uint64_t n_bytes, uint64_t limit, const char* what, const char* advice) {
    if (n_bytes <= bytes_) {
        in_use.fetch_sub(bytes_ - n_bytes, std::memory_order_relaxed);
        bytes_ = n_bytes;
        return;
    }
    const uint64_t more = n_bytes - bytes_;
    uint64_t before = in_use.load(std::memory_order_relaxed);
    for (;;) {
        uint64_t after = 0;
        const bool fits = checked_add(before, more, &after) && (limit == 0 || after <= limit);
        if (!fits) {
            throw Error(BITNET_E_SECURITY_MEMORY, std::string(what) + " needs " + std::to_string(n_bytes) + " bytes, " +
                                                      std::to_string(before - bytes_) +
                                                      " are in use, and BITNET_MEMORY_LIMIT allows " +
                                                      std::to_string(limit) + " in all; " + advice)
                .with_numbers(limit, saturated_add(before, more))
                .with_subject("BITNET_MEMORY_LIMIT");
        }
        if (in_use.compare_exchange_weak(before, after, std::memory_order_relaxed)) break;
    }
    bytes_ = n_bytes;
}

}  // namespace bitnet
