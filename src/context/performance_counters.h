// The counters behind bitnet_performance_metrics. The context's thread writes them; any thread reads them, without a lock,
// while a decode runs. What is a part of something is added after the whole and read before it, so that a reader between two
// additions never sees a part that is greater than its whole.
#pragma once

#include <atomic>
#include <cstdint>

namespace bitnet {

class PerformanceCounters {
public:
    // A decode that succeeded.
    void add_forward(uint64_t us) noexcept {
        add(total_us_, us);
        add(forward_us_, us);
        add(n_decodes_, 1);
    }
    void count_error() noexcept { add(n_errors_, 1); }
    void add_encode(uint64_t us) noexcept {
        add(total_us_, us);
        add(encode_us_, us);
        add(n_encodes_, 1);
    }
    // A step of a generation: its time without that of the decodes in it, which have counted themselves.
    void add_step(uint64_t rest_us, uint64_t sampling_us, uint64_t detokenize_us) noexcept {
        add(total_us_, rest_us);
        add(sampling_us_, sampling_us);
        add(detokenize_us_, detokenize_us);
    }
    void add_sampling(uint64_t us) noexcept {
        add(total_us_, us);
        add(sampling_us_, us);
    }
    void count_sampled() noexcept { add(n_sampled_, 1); }
    void count_detokenized() noexcept { add(n_detokenized_, 1); }
    void count_token() noexcept { add(n_tokens_, 1); }
    void add_first_token(uint64_t us) noexcept {
        add(first_us_, us);
        add(n_first_, 1);
    }
    void add_other_token(uint64_t us) noexcept {
        add(other_us_, us);
        add(n_other_, 1);
    }
    void add_prompt(uint64_t n_reused, uint64_t n_tokens) noexcept {
        add(n_prompt_, n_tokens);
        add(n_reused_, n_reused);
    }
    void count_inference() noexcept { add(n_inferences_, 1); }

    uint64_t forward_us() const noexcept { return get(forward_us_); }

    struct Values {
        uint64_t n_inferences, n_tokens, n_decodes, n_errors, n_encodes, n_sampled, n_detokenized, n_first, n_other;
        uint64_t n_reused, n_prompt;
        uint64_t first_us, other_us, encode_us, forward_us, sampling_us, detokenize_us, total_us;
    };
    Values read() const noexcept {
        Values v{};  // in the order of these lines: see above
        v.n_inferences = get(n_inferences_);
        v.n_tokens = get(n_tokens_);
        v.n_decodes = get(n_decodes_);
        v.n_errors = get(n_errors_);
        v.n_encodes = get(n_encodes_);
        v.n_sampled = get(n_sampled_);
        v.n_detokenized = get(n_detokenized_);
        v.n_first = get(n_first_);
        v.n_other = get(n_other_);
        v.n_reused = get(n_reused_);
        v.n_prompt = get(n_prompt_);
        v.first_us = get(first_us_);
        v.other_us = get(other_us_);
        v.encode_us = get(encode_us_);
        v.forward_us = get(forward_us_);
        v.sampling_us = get(sampling_us_);
        v.detokenize_us = get(detokenize_us_);
        v.total_us = get(total_us_);
        return v;
    }
    void reset() noexcept {
        for (Counter* counter : {&n_inferences_, &n_tokens_, &n_decodes_, &n_errors_, &n_encodes_, &n_sampled_,
                                 &n_detokenized_, &n_first_, &n_other_, &n_reused_, &n_prompt_, &first_us_, &other_us_,
                                 &encode_us_, &forward_us_, &sampling_us_, &detokenize_us_, &total_us_}) {
            counter->store(0, std::memory_order_release);  // parts before their whole, here too
        }
    }

private:
    using Counter = std::atomic<uint64_t>;
    static_assert(Counter::is_always_lock_free);

    static void add(Counter& counter, uint64_t n) noexcept { counter.fetch_add(n, std::memory_order_release); }
    static uint64_t get(const Counter& counter) noexcept { return counter.load(std::memory_order_acquire); }

    Counter n_inferences_{0}, n_tokens_{0}, n_decodes_{0}, n_errors_{0}, n_encodes_{0}, n_sampled_{0},
        n_detokenized_{0};
    Counter n_first_{0}, n_other_{0}, n_reused_{0}, n_prompt_{0};
    Counter first_us_{0}, other_us_{0}, encode_us_{0}, forward_us_{0}, sampling_us_{0}, detokenize_us_{0}, total_us_{0};
};

}  // namespace bitnet
