#include "src/generation/generation_batch.h"

#include <algorithm>
#include <exception>
#include <new>
#include <span>
#include <string>
#include <utility>

#include "src/base/error.h"

namespace bitnet {
namespace {

// Runs what may fail for one generation alone. False when it did; the generation then knows why.
template <typename Body>
bool isolated(Generation& generation, Body&& body) noexcept {
    try {
        body();
        return true;
    } catch (const Error& error) {
        generation.fail(error.status(), error.message());
    } catch (const std::bad_alloc&) {
        generation.fail(BITNET_E_OUT_OF_MEMORY, "");
    } catch (const std::exception& error) {
        generation.fail(BITNET_E_INTERNAL, error.what());
    } catch (...) {
        generation.fail(BITNET_E_INTERNAL, "");
    }
    return false;
}

bool draws_next(const Generation& generation) noexcept {
    return generation.goes_on() && !generation.waits() && !generation.in_prompt();
}

}  // namespace

void GenerationBatch::clear(const Context& context) {
    generations_.clear();
    seats_.resize(static_cast<size_t>(context.cache().n_seq()));
    ++round_;
}

void GenerationBatch::add(Generation& generation) {
    Seat& seat = seats_[static_cast<size_t>(generation.sequence())];
    if (seat.round == round_) {
        throw Error(BITNET_E_ARGUMENT, "generations " + std::to_string(seat.index) + " and " +
                                           std::to_string(generations_.size()) + " are both on sequence " +
                                           std::to_string(generation.sequence()) +
                                           "; give each generation a sequence of its own");
    }
    generations_.push_back(&generation);
    seat = {round_, generations_.size() - 1};
}

void GenerationBatch::step(Context& context, const Tokenizer& tokenizer, size_t max_tokens) {
    const Stopwatch time;
    PerformanceCounters& performance = context.performance();
    const uint64_t forward_before = performance.forward_us();
    const Deadline deadline = context.limited({});  // one for all decodes of the call
    const size_t n_batch = static_cast<size_t>(context.config().n_batch);
    plan(context, max_tokens != 0 ? max_tokens : n_batch);
    for (size_t first = 0; first < work_.size();) {
        first = fill(first, n_batch);
        compute(context, deadline);
        settle(context, time);
    }
    uint64_t sampling_us = 0, detokenize_us = 0;
    for (Generation* generation : generations_) {
        if (!generation->failed()) isolated(*generation, [&] { generation->end_step(tokenizer); });
        sampling_us += generation->sampling_us();
        detokenize_us += generation->detokenize_us();
    }
    const uint64_t us = time.us();
    const uint64_t forward_us = performance.forward_us() - std::min(forward_before, performance.forward_us());
    performance.add_step(us - std::min(us, forward_us), sampling_us, detokenize_us);
    for (Generation* generation : generations_) {
        if (!generation->failed()) generation->count_step(us, performance);
    }
}

// Who computes what, those that draw first. Leaves in generations_ those that have not ended before.
void GenerationBatch::plan(Context& context, size_t n_most) {
    context.require_no_steps();
    work_.clear();
    guessing_.clear();
    aheads_.clear();
    std::erase_if(generations_, [](Generation* generation) { return !generation->begin_step(); });
    following_ = plan_to_follow(context);
    if (following_) return;
    size_t n_drawing = 0;
    for (const Generation* generation : generations_) n_drawing += draws_next(*generation);
    // Prompts first, because what their sequences forget is room for all. They must fit beside the tokens of this step and
    // the prompts before them.
    size_t n_promised = n_drawing;
    for (Generation* generation : generations_) {
        if (!generation->in_prompt()) continue;
        isolated(*generation, [&] { n_promised += generation->plan_prompt(context, n_promised).size(); });
    }
    size_t n_free = static_cast<size_t>(std::as_const(context).cache().n_free());
    for (Generation* generation : generations_) {
        if (!draws_next(*generation)) continue;
        const bitnet_token* token = nullptr;
        isolated(*generation, [&] { token = &generation->plan_token(context, n_free); });
        if (!generation->goes_on()) continue;
        work_.push_back({generation, token, 1, true});
        --n_free;
    }
    size_t n_budget = n_most - std::min(n_most, work_.size());
    for (Generation* generation : generations_) {
        if (n_budget == 0) break;
        if (!generation->in_prompt() || !generation->goes_on()) continue;
        const std::span<const bitnet_token> left = generation->prompt_left();
        const size_t n = std::min(n_budget, left.size());
        work_.push_back({generation, left.data(), n, n == left.size()});
        n_budget -= n;
    }
    plan_guesses(context, n_most);
}

// Those whose next token is computed already; false where there are none. Anything else would touch the context, and what the
// last decode gave to them would be gone.
bool GenerationBatch::plan_to_follow(Context& context) {
    size_t n_free = static_cast<size_t>(std::as_const(context).cache().n_free());
    for (Generation* generation : generations_) {
        if (!draws_next(*generation) || !generation->follows(context)) continue;
        const bitnet_token* token = nullptr;
        isolated(*generation, [&] { token = &generation->plan_token(context, n_free); });
        if (!generation->goes_on()) continue;
        work_.push_back({generation, token, 1, true});
        aheads_.push_back(&generation->ahead());
        --n_free;
    }
    return !work_.empty();
}

// Guesses take what everybody's tokens leave of the call and of one pass.
void GenerationBatch::plan_guesses(const Context& context, size_t n_most) {
    size_t n_certain = 0;
    for (const Work& work : work_) n_certain += work.n_left;
    size_t n_room = std::min(room_for_guesses(context, n_certain), n_most - std::min(n_most, n_certain));
    for (const Work& work : work_) {
        if (work.generation->in_prompt()) continue;
        const size_t n = work.generation->guess(n_room);
        if (n == 0) continue;
        guessing_.push_back(work.generation);
        aheads_.push_back(&work.generation->ahead());
        n_room -= n;
    }
}

// Collects the next decode from the work beginning with first; returns the work that the one after it begins with.
size_t GenerationBatch::fill(size_t first, size_t n_room) {
    shares_.clear();
    tokens_.clear();
    ids_.clear();
    want_output_.clear();
    while (first < work_.size() && tokens_.size() < n_room) {
        Work& work = work_[first];
        if (work.n_left == 0) {  // its part in the decode before this one failed
            ++first;
            continue;
        }
        const size_t n = std::min(work.n_left, n_room - tokens_.size());
        tokens_.insert(tokens_.end(), work.tokens, work.tokens + n);
        ids_.insert(ids_.end(), n, work.generation->sequence());
        want_output_.insert(want_output_.end(), n, 0);
        work.tokens += n;
        work.n_left -= n;
        if (work.n_left == 0 && work.draws) want_output_.back() = 1;
        shares_.push_back({&work, n});
        if (work.n_left == 0) ++first;
    }
    return first;
}

// Puts the guesses behind all else, where they are easily given up.
void GenerationBatch::add_guesses() {
    for (const DecodedAhead* ahead : aheads_) {
        const size_t n = static_cast<size_t>(ahead->n);
        tokens_.insert(tokens_.end(), ahead->tokens.begin(), ahead->tokens.begin() + ahead->n);
        ids_.insert(ids_.end(), n, ahead->id);
        want_output_.insert(want_output_.end(), n, 1);
    }
}

BatchView GenerationBatch::filled() const noexcept {
    BatchView batch;
    batch.n_tokens = static_cast<int32_t>(tokens_.size());
    batch.tokens = tokens_.data();
    batch.seq_ids = ids_.data();
    batch.want_output = want_output_.data();
    return batch;
}

void GenerationBatch::compute(Context& context, const Deadline& deadline) {
    if (tokens_.empty()) return;
    log_.clear();
    following_ ? context.follow_ahead(aheads_, deadline) : decode(context, deadline);
}

void GenerationBatch::decode(Context& context, const Deadline& deadline) {
    const bool logged = std::any_of(shares_.begin(), shares_.end(),
                                    [](const Share& share) { return share.work->generation->record() != nullptr; });
    const Context::LogScope log(context, logged ? &log_ : nullptr);
    if (!guessing_.empty()) {
        const size_t n_certain = tokens_.size();
        add_guesses();
        const bool decoded = decode_guesses(context, filled(), aheads_, deadline);
        for (Generation* generation : guessing_) generation->count_guesses(decoded);
        tokens_.resize(n_certain);
        ids_.resize(n_certain);
        want_output_.resize(n_certain);
        if (decoded) return;
    }
    context.decode(filled(), deadline);
}

// Hands out what the decode gave.
void GenerationBatch::settle(Context& context, const Stopwatch& time) {
    const uint64_t us = time.us();
    size_t end = 0;
    for (const Share& share : shares_) {
        end += share.n;
        Generation& generation = *share.work->generation;
        const bool fine = isolated(generation, [&] {
            generation.computed(context, share.n, us, log_);
            if (want_output_[end - 1] != 0) generation.draw(context, static_cast<int32_t>(end - 1));
        });
        if (!fine) share.work->n_left = 0;
    }
}

}  // namespace bitnet
