// What a backend has run, by kind of operation, with times. One thread of the backend writes; any thread reads, without a
// lock, while graphs run.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "ggml-like/graph.h"

namespace tg {

enum class WorkKind : uint8_t { quantize, mul_mat, other };
inline constexpr size_t kWorkKinds = 3;

inline WorkKind work_kind(OpKind op) noexcept {
    return op == OpKind::mul_mat ? WorkKind::mul_mat : op == OpKind::pack_acts ? WorkKind::quantize : WorkKind::other;
}

struct WorkCounters {
    std::atomic<uint64_t> operations[kWorkKinds] = {};
    std::atomic<uint64_t> ns[kWorkKinds] = {};

    void reset() noexcept {
        for (size_t i = 0; i < kWorkKinds; ++i) {
            operations[i].store(0, std::memory_order_relaxed);
            ns[i].store(0, std::memory_order_relaxed);
        }
    }
};

// Collects one run, by one thread at a time, and adds it at the end. The clock is read only where the kind changes, and
// waiting for the other threads counts for what they wait for.
class WorkLog {
public:
    explicit WorkLog(WorkCounters& counters) noexcept : counters_(counters) {}
    ~WorkLog() {
        change_to(current_);
        for (size_t i = 0; i < kWorkKinds; ++i) {
            counters_.ns[i].fetch_add(ns_[i], std::memory_order_relaxed);
            counters_.operations[i].fetch_add(operations_[i], std::memory_order_relaxed);
        }
    }
    WorkLog(const WorkLog&) = delete;
    WorkLog& operator=(const WorkLog&) = delete;

    void begin(OpKind op) noexcept {
        resume(op);
        ++operations_[static_cast<size_t>(work_kind(op))];
    }
    // Goes on with an operation that was counted when it began.
    void resume(OpKind op) noexcept {
        const WorkKind kind = work_kind(op);
        if (kind != current_) change_to(kind);
    }

private:
    using Clock = std::chrono::steady_clock;

    void change_to(WorkKind kind) noexcept {
        const Clock::time_point now = Clock::now();
        ns_[static_cast<size_t>(current_)] +=
            static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now - since_).count());
        since_ = now;
        current_ = kind;
    }

    WorkCounters& counters_;
    uint64_t operations_[kWorkKinds] = {};
    uint64_t ns_[kWorkKinds] = {};
    WorkKind current_ = WorkKind::other;
    Clock::time_point since_ = Clock::now();
};

}  // namespace tg
