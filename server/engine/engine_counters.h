// What an engine has done so far, written by its thread (and by those who submit) and read by anyone without waiting.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>

#include "server/engine/engine.h"

namespace serve {

// Tokens per second over the last seconds, of the time in which something was computed: one writer, any reader.
class TokenRate {
public:
    void add(SteadyTime now, uint64_t n_tokens, uint64_t us);
    double per_second(SteadyTime now) const;

private:
    static constexpr int64_t kBucketMs = 250;
    static constexpr int64_t kWindow = 40;  // buckets: 10 seconds
    struct Bucket {
        std::atomic<int64_t> number = -1;
        std::atomic<uint64_t> n_tokens = 0;
        std::atomic<uint64_t> us = 0;
    };
    std::array<Bucket, 64> buckets_;
};

class EngineCounters {
public:
    explicit EngineCounters(SteadyTime now) : progress_(now.time_since_epoch().count()) {}

    // A text was queued; idle: nothing ran or waited until now.
    void queued(SteadyTime now, bool idle);
    // How many run and wait from now on.
    void set_load(size_t active, size_t waiting);
    void set_room(int32_t free_cells, int32_t cached_texts);
    // The engine got on: a pass ended, or it found nothing to do.
    void progress(SteadyTime now);
    void pass(SteadyTime now, uint64_t us, size_t n_texts, uint64_t n_prompt_tokens, uint64_t n_drawn);
    void ended(const Usage& usage, bool failed);

    EngineStats read(SteadyTime now) const;

    // By what was measured: how long one more text would wait, in whole seconds.
    int retry_after_s(size_t waiting, int32_t n_parallel) const;
    // Tokens of prompts that one millisecond computes; 0 as long as that is not known.
    double prompt_tokens_per_ms() const { return prompt_rate_.load(std::memory_order_relaxed); }

private:
    std::atomic<uint64_t> requests_ = 0, failed_ = 0, generated_ = 0, prompt_ = 0, reused_ = 0;
    std::atomic<uint64_t> decode_us_ = 0, request_us_ = 0, queue_us_ = 0, batches_ = 0, batched_ = 0;
    std::atomic<int32_t> active_ = 0, waiting_ = 0, free_cells_ = 0, cached_ = 0;
    std::atomic<SteadyTime::rep> progress_;
    std::atomic<double> prompt_rate_ = 0;
    std::atomic<double> busy_us_ = 0;  // of a text while it ran, a moving mean
    TokenRate rate_;
};

}  // namespace serve
