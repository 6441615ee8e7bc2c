// One text in the making, between the thread of a connection and the thread of its engine. The connection waits for steps;
// the engine pushes them. Letting go of the job, or cancel(), ends the work within one step of the engine.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "bitnet.h"
#include "server/core/api_error.h"
#include "server/core/http_message.h"

namespace serve {

enum class Priority { kLow = 0, kNormal = 1, kHigh = 2, kCritical = 3 };

// What to generate. Everything is checked: ranges by the library, lengths by the engine.
struct GenerationSpec {
    std::vector<bitnet_token> prompt;
    int32_t max_tokens = 64;  // -1: until something else ends it; 0: the prompt only
    bitnet_sampler_params sampler = bitnet_sampler_default_params();  // its arrays are those below
    std::vector<bitnet_logit_bias> logit_bias;
    std::vector<bitnet_token> dry_breakers;
    std::vector<std::string> stop;
    bool skip_special_tokens = true;
    int32_t n_logprobs = 0;  // 0 .. 20
    std::shared_ptr<const bitnet_grammar> grammar;
    Priority priority = Priority::kNormal;
    // Covers waiting, prompt and text. Before the first token the job then fails with TIMEOUT; after it the text ends with
    // BITNET_FINISH_DEADLINE.
    SteadyTime deadline = SteadyTime::max();
    std::string tenant;  // Identity::name: whose prefixes may be used again
    std::string request_id;
};

struct Step {
    std::string text;         // whole characters; may lag behind the tokens, see bitnet_generation_next
    bitnet_token token = -1;  // -1: the step brought none
    float logprob = 0;
    std::vector<bitnet_token_logprob> top;
    bitnet_finish_reason finish = BITNET_FINISH_NONE;  // anything else: the last step
    int32_t stop_sequence = -1;                        // of the spec's list, where one came up
};

// Figures of a job; complete after its last step. All measured.
struct Usage {
    uint64_t prompt_tokens = 0;
    uint64_t reused_tokens = 0;  // of those, found in the prefix cache
    uint64_t generated_tokens = 0;
    uint64_t drafted_tokens = 0, accepted_tokens = 0;  // guessed ahead, and of those the ones that came up
    uint64_t queue_us = 0;
    uint64_t prefill_us = 0;
    uint64_t decode_us = 0;
    uint64_t total_us = 0;  // from submit to the last step
    uint64_t seed = 0;
    std::string batch_id;     // of the pass that computed its first token
    uint32_t batch_size = 0;  // the most texts that shared a pass with it, itself included
};

class Job {
public:
    // For the thread of the connection.
    // The next step; nullopt when none came within timeout. After the last step: that one again, empty. Throws the ApiError
    // that ended the job.
    std::optional<Step> wait(std::chrono::milliseconds timeout);
    // The engine gives it up before its next step; wait() then brings a last step with BITNET_FINISH_CANCELLED.
    void cancel();
    // What is known so far.
    Usage usage() const;
    // Called once when the job ends, with its final figures, on the engine's thread and before wait() tells the end; at once
    // where it has ended already.
    // Must be short and not throw.
    void set_on_end(std::function<void(const Usage&)> on_end);

    // For the engine.
    bool is_cancelled() const;
    void push(Step step, const Usage& usage);
    void fail(ApiError error, const Usage& usage);

private:
    void end(const std::function<void()>& publish, const Usage& usage);

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Step> steps_;
    std::optional<ApiError> error_;
    Usage usage_;
    std::function<void(const Usage&)> on_end_;
    std::atomic<bool> cancelled_ = false;
    bool ended_ = false;
    bitnet_finish_reason finish_ = BITNET_FINISH_NONE;
};

// Waits for the steps of a job to its end and hands each to on_step, which returns false to stop. idle is called about
// every second without one (heartbeats) and also returns false to stop. Cancels the job when stopped, when client_gone()
// says so, and when anything throws.
void follow(Job& job, const std::function<bool()>& client_gone, const std::function<bool(const Step&)>& on_step,
            const std::function<bool()>& idle);

}  // namespace serve
