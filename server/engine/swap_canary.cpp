// The mirror runs on the threads of the live requests; the watch on that of the swap.
#include "server/engine/swap_canary.h"

#include <algorithm>
#include <mutex>
#include <thread>
#include <vector>

namespace serve {

namespace {

// A new model may take so many times as long for a pass as the old one beside it, whose passes hold more texts.
constexpr double kMostSlower = 3;
// Fewer passes say nothing of speed: one that the system put aside for a moment would decide.
constexpr uint64_t kLeastPasses = 64;

// The copies under way; shared with the mirror, which may still run when the watch is over.
struct Shadow {
    std::mutex mutex;
    std::vector<std::shared_ptr<Job>> jobs;
    double due = 0;  // copies that are owed
    bool open = true;
    std::string refused;
};

// The request for the new model: its own tokens for the same text, behind everything else.
GenerationSpec translate(const GenerationSpec& spec, const Engine& live, const Engine& next, SteadyTime deadline) {
    GenerationSpec copy = spec;
    const std::string text = decode_tokens(live.tokenizer(), spec.prompt, BITNET_DECODE_SPECIAL);
    copy.prompt = encode_text(next.tokenizer(), text, BITNET_ENCODE_PARSE_SPECIAL);
    if (copy.prompt.empty()) copy.prompt = spec.prompt;
    // Tokens of another vocabulary, and what is made for it.
    copy.logit_bias.clear();
    copy.dry_breakers.clear();
    copy.grammar = nullptr;
    copy.priority = Priority::kLow;
    copy.deadline = std::min(spec.deadline, deadline);
    const int32_t room = next.facts().n_ctx - static_cast<int32_t>(copy.prompt.size());
    if (copy.max_tokens > room) copy.max_tokens = std::max(room, 0);
    return copy;
}

double us_per_pass(const EngineStats& before, const EngineStats& after) {
    const uint64_t n = after.batches - before.batches;
    return n >= kLeastPasses ? static_cast<double>(after.decode_us - before.decode_us) / static_cast<double>(n) : 0;
}

}  // namespace

void run_canary(Engine& live, Engine& next, const SwapRequest& request, SteadyTime deadline) {
    const auto shadow = std::make_shared<Shadow>();
    const EngineStats live_before = live.stats(), next_before = next.stats();
    const size_t most = static_cast<size_t>(std::clamp(request.canary_texts, 1, 1000));
    const double share = std::clamp(request.canary_share, 0.0, 1.0);
    live.set_mirror([&live, &next, shadow, most, share, deadline](const GenerationSpec& spec) {
        const std::lock_guard lock(shadow->mutex);
        if (!shadow->open || shadow->jobs.size() >= most || !shadow->refused.empty()) return;
        shadow->due += share;
        if (shadow->due < 1) return;
        shadow->due -= 1;
        try {
            shadow->jobs.push_back(next.submit(translate(spec, live, next, deadline)));
        } catch (const ApiError& error) {
            // That it is full says nothing of the model.
            if (error.code != ErrorCode::kServerOverloaded) shadow->refused = error.message;
        } catch (const std::exception& error) {
            shadow->refused = error.what();  // it must not reach the live request
        }
    });
    struct Ending {
        Engine& live;
        Shadow& shadow;
        ~Ending() {
            live.set_mirror(nullptr);
            const std::lock_guard lock(shadow.mutex);
            shadow.open = false;  // a mirror that is just being called finds the engines gone otherwise
            for (const std::shared_ptr<Job>& job : shadow.jobs) job->cancel();
        }
    } ending{live, *shadow};
    const auto problem = [](const std::string& what) {
        return ApiError(ErrorCode::kValidationFailed, "the new model failed beside the old one: " + what);
    };
    for (size_t n_done = 0; n_done < most && std::chrono::steady_clock::now() < deadline;) {
        std::shared_ptr<Job> job;
        {
            const std::lock_guard lock(shadow->mutex);
            if (!shadow->refused.empty()) throw problem(shadow->refused);
            if (n_done < shadow->jobs.size()) job = shadow->jobs[n_done];
        }
        if (!job) {
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
            continue;
        }
        try {
            const std::optional<Step> step = job->wait(std::chrono::milliseconds(20));
            if (step && step->finish != BITNET_FINISH_NONE) n_done++;
        } catch (const ApiError& error) {
            if (error.code != ErrorCode::kTimeout) throw problem(error.message);
            n_done++;
        }
    }
    const double old_us = us_per_pass(live_before, live.stats()), new_us = us_per_pass(next_before, next.stats());
    if (old_us > 0 && new_us > kMostSlower * old_us)
        throw problem("a step takes " + std::to_string(new_us) + " us instead of " + std::to_string(old_us) + " us");
}

}  // namespace serve
