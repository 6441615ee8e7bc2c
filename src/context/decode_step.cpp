// A decode in pieces: Context::begin_steps, step, abandon_steps. All that must outlive a step lies in the context: the
// batch in BatchSplit, values in the arena, how far the graph has come in a cursor.
#include <algorithm>
#include <chrono>

#include "src/base/error.h"
#include "src/context/context.h"

namespace bitnet {
namespace {

// Pieces of a matrix are whole tiles of rows for all tokens, so fewer tokens make smaller pieces. Never changes a result.
constexpr int32_t kStepTokens = 32;
constexpr uint64_t kLongestBudgetUs = 3600ull * 1000000;  // keeps sums of times far from overflow

}  // namespace

void Context::begin_steps(const BatchView& batch) {
    require_no_steps();
    if (batch.n_tokens > 0) counting_failures([&] { start(batch); });
    steps_ = {};
    steps_.n_tokens = batch.n_tokens;
    steps_.open = true;
}

bool Context::step(uint64_t budget_us) {
    if (!steps_.open) {
        throw Error(BITNET_E_STATE, "there is no decode to go on with; begin one with bitnet_context_decode_begin");
    }
    using Clock = std::chrono::steady_clock;
    const Clock::time_point begin_time = Clock::now();
    const Clock::time_point until = begin_time + std::chrono::microseconds(std::min(budget_us, kLongestBudgetUs));
    deadline_ = {};
    timed_out_ = false;
    const tg::StopCheck stop{[](void* self) { return static_cast<Context*>(self)->should_stop(); }, this};
    try {
        counting_failures([&] {
            while (steps_.begin < steps_.n_tokens) {
                if (steps_.end == steps_.begin) {
                    steps_.end = split_.cut(steps_.begin, std::min(config_.n_ubatch, kStepTokens), cache_);
                    steps_.inputs = micro_batch(steps_.begin, steps_.end);
                    steps_.cursor = {};
                }
                const tg::RunResult result = backend_->run_until(until, steps_.cursor, decoder_.graph, plan_, *arena_,
                                                                 steps_.inputs, stop, run_trace());
                if (result == tg::RunResult::stopped) throw_stopped();
                if (result == tg::RunResult::done) {
                    steps_.begin = steps_.end;
                    if (kernel_log_ != nullptr) kernel_log_->add(trace_);
                }
                if (result == tg::RunResult::more || (steps_.begin < steps_.n_tokens && Clock::now() >= until)) {
                    return;
                }
            }
        });
    } catch (...) {
        abandon_steps();
        throw;
    }
    steps_.us +=
        static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin_time).count());
    if (steps_.begin < steps_.n_tokens) return false;
    steps_.open = false;
    if (steps_.n_tokens > 0) count(steps_.n_tokens, steps_.us);
    return true;
}

void Context::abandon_steps() noexcept {
    if (!steps_.open) return;
    steps_.open = false;
    if (steps_.n_tokens > 0) undo();
}

}  // namespace bitnet
