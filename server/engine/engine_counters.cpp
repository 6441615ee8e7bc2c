// Every figure is an atomic of its own: a reader may see one pass in one of them and not yet in the next, which no sum notices.
#include "server/engine/engine_counters.h"

#include <algorithm>
#include <cmath>

namespace serve {

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

int64_t milliseconds(SteadyTime time) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

// One writer: a load and a store do.
void approach(std::atomic<double>& mean, double value, double share) {
    const double old = mean.load(kRelaxed);
    mean.store(old == 0 ? value : old + share * (value - old), kRelaxed);
}

}  // namespace

void TokenRate::add(SteadyTime now, uint64_t n_tokens, uint64_t us) {
    const int64_t number = milliseconds(now) / kBucketMs;
    Bucket& bucket = buckets_[static_cast<size_t>(number) % buckets_.size()];
    if (bucket.number.load(kRelaxed) != number) {
        bucket.n_tokens.store(0, kRelaxed);
        bucket.us.store(0, kRelaxed);
        bucket.number.store(number, kRelaxed);
    }
    bucket.n_tokens.fetch_add(n_tokens, kRelaxed);
    bucket.us.fetch_add(us, kRelaxed);
}

double TokenRate::per_second(SteadyTime now) const {
    const int64_t newest = milliseconds(now) / kBucketMs;
    uint64_t n_tokens = 0, us = 0;
    for (const Bucket& bucket : buckets_) {
        const int64_t number = bucket.number.load(kRelaxed);
        if (number < 0 || number > newest || newest - number >= kWindow) continue;
        n_tokens += bucket.n_tokens.load(kRelaxed);
        us += bucket.us.load(kRelaxed);
    }
    return us > 0 ? 1e6 * static_cast<double>(n_tokens) / static_cast<double>(us) : 0;
}

void EngineCounters::queued(SteadyTime now, bool idle) {
    if (idle) progress(now);  // from here on it is expected to get on
    waiting_.fetch_add(1, kRelaxed);
}

void EngineCounters::set_load(size_t active, size_t waiting) {
    active_.store(static_cast<int32_t>(active), kRelaxed);
    waiting_.store(static_cast<int32_t>(waiting), kRelaxed);
}

void EngineCounters::set_room(int32_t free_cells, int32_t cached_texts) {
    free_cells_.store(free_cells, kRelaxed);
    cached_.store(cached_texts, kRelaxed);
}

void EngineCounters::progress(SteadyTime now) { progress_.store(now.time_since_epoch().count(), kRelaxed); }

void EngineCounters::pass(SteadyTime now, uint64_t us, size_t n_texts, uint64_t n_prompt_tokens, uint64_t n_drawn) {
    batches_.fetch_add(1, kRelaxed);
    batched_.fetch_add(n_texts, kRelaxed);
    prompt_.fetch_add(n_prompt_tokens, kRelaxed);
    generated_.fetch_add(n_drawn, kRelaxed);
    if (n_drawn > 0) decode_us_.fetch_add(us, kRelaxed);
    rate_.add(now, n_drawn, us);
    // Few tokens measure the pass rather than the prompt.
    if (n_prompt_tokens >= 16 && us > 0)
        approach(prompt_rate_, 1e3 * static_cast<double>(n_prompt_tokens) / static_cast<double>(us), 0.25);
    progress(now);
}

void EngineCounters::ended(const Usage& usage, bool failed) {
    requests_.fetch_add(1, kRelaxed);
    if (failed) failed_.fetch_add(1, kRelaxed);
    reused_.fetch_add(usage.reused_tokens, kRelaxed);
    request_us_.fetch_add(usage.total_us, kRelaxed);
    queue_us_.fetch_add(usage.queue_us, kRelaxed);
    if (usage.total_us > usage.queue_us) approach(busy_us_, static_cast<double>(usage.total_us - usage.queue_us), 0.1);
}

EngineStats EngineCounters::read(SteadyTime now) const {
    EngineStats stats;
    stats.requests = requests_.load(kRelaxed);
    stats.failed_requests = failed_.load(kRelaxed);
    stats.generated_tokens = generated_.load(kRelaxed);
    stats.prompt_tokens = prompt_.load(kRelaxed);
    stats.reused_tokens = reused_.load(kRelaxed);
    stats.decode_us = decode_us_.load(kRelaxed);
    stats.request_us = request_us_.load(kRelaxed);
    stats.queue_us = queue_us_.load(kRelaxed);
    stats.batches = batches_.load(kRelaxed);
    stats.batched_texts = batched_.load(kRelaxed);
    stats.active = active_.load(kRelaxed);
    stats.waiting = waiting_.load(kRelaxed);
    stats.free_cells = free_cells_.load(kRelaxed);
    stats.cached_texts = cached_.load(kRelaxed);
    stats.tokens_per_second = rate_.per_second(now);
    const SteadyTime progress{SteadyTime::duration(progress_.load(kRelaxed))};
    if (stats.active + stats.waiting > 0 && now > progress)
        stats.stalled = std::chrono::duration_cast<std::chrono::milliseconds>(now - progress);
    return stats;
}

int EngineCounters::retry_after_s(size_t waiting, int32_t n_parallel) const {
    const double seconds = busy_us_.load(kRelaxed) * 1e-6 * static_cast<double>(waiting) / std::max(1, n_parallel);
    return static_cast<int>(std::clamp(std::ceil(seconds), 1.0, 300.0));
}

}  // namespace serve
