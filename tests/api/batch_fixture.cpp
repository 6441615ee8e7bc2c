#include "tests/api/batch_fixture.h"

#include <algorithm>

namespace test {

Run::Run(const ContextHandle& context, const Wish& wish, bitnet_seq_id id)
    : receipt_(wish.receipt), guesses_(wish.n_draft > 0), n_logprobs_(wish.n_logprobs) {
    bitnet_sampler_params sampler = bitnet_sampler_default_params();
    sampler.temperature = wish.temperature;
    sampler.has_seed = 1;
    sampler.seed = wish.seed;
    if (wish.tweak) wish.tweak(sampler);
    std::vector<const char*> stops;
    for (const std::string& stop : wish.stops) stops.push_back(stop.c_str());
    bitnet_generation_params params = bitnet_generation_default_params();
    params.max_new_tokens = wish.n_most;
    params.sampler = &sampler;
    params.stop_sequences = stops.data();
    params.n_stop_sequences = stops.size();
    params.n_logprobs = wish.n_logprobs;
    params.receipt = wish.receipt ? 1 : 0;
    params.grammar = wish.grammar;
    params.deadline_us = wish.deadline_us;
    params.n_draft = wish.n_draft;
    bitnet_generation* generation = nullptr;
    must(bitnet_generation_create_from_tokens(context.get(), id, wish.prompt.data(), wish.prompt.size(), &params,
                                              &generation));
    generation_.reset(generation);
}

void Run::next() {
    bitnet_generation_step step = {};
    step.struct_size = sizeof step;
    must(bitnet_generation_next(get(), &step));
    // Only a deadline leaves a prompt unread.
    CHECK((step.prompt_tokens_left == 0 || step.finish_reason == BITNET_FINISH_DEADLINE));
    take(step);
}

void Run::take(const bitnet_generation_step& step, bool may_wait) {
    last_ = step;
    CHECK(step.struct_size == sizeof step);
    CHECK(step.error != nullptr);
    CHECK((step.status == BITNET_OK) == std::string(step.error).empty());
    CHECK(std::string(step.text).size() <= step.n_bytes);
    if (over_ || step.status != BITNET_OK) {
        CHECK((step.n_tokens == 0 && step.n_bytes == 0));
        return;
    }
    if (step.prompt_tokens_left > 0) CHECK((step.n_tokens == 0 && step.n_bytes == 0));
    if (step.n_tokens == 0 && step.finish_reason == BITNET_FINISH_NONE) {
        CHECK((step.prompt_tokens_left > 0 || may_wait));
        return;
    }
    made_.texts.emplace_back(step.text, step.n_bytes);
    made_.tokens.insert(made_.tokens.end(), step.tokens, step.tokens + step.n_tokens);
    over_ = step.finish_reason != BITNET_FINISH_NONE;
    if (n_logprobs_ == 0 || step.n_tokens == 0) return;
    std::vector<bitnet_token_logprob> top(static_cast<size_t>(n_logprobs_));
    float own = 0;
    size_t n = 0;
    must(bitnet_generation_get_logprobs(get(), &own, top.data(), top.size(), &n));
    made_.logprobs.push_back(own);
    for (const bitnet_token_logprob& entry : top) {
        made_.logprobs.push_back(static_cast<float>(entry.token));
        made_.logprobs.push_back(entry.logprob);
    }
}

bitnet_generation_result Run::result() const {
    bitnet_generation_result result = {};
    result.struct_size = sizeof result;
    must(bitnet_generation_get_result(get(), &result));
    return result;
}

Made Run::made() const {
    Made made = made_;
    const bitnet_generation_result r = result();
    made.text.assign(r.text, r.n_bytes);
    made.reason = bitnet_finish_reason_name(static_cast<bitnet_finish_reason>(r.finish_reason));
    made.stop_sequence = r.stop_sequence;
    made.steps = r.decode_steps;
    std::string all;
    for (const std::string& text : made.texts) all += text;
    CHECK(all == made.text);
    CHECK(made.tokens == Tokens(r.tokens, r.tokens + r.n_tokens));
    if (receipt_ && r.n_tokens > 0) {
        const std::string text = receipt();
        const size_t begin = text.find("\"kernels\"");
        REQUIRE(begin != std::string::npos);
        made.kernels = text.substr(begin, text.find(']', begin) - begin);
    }
    return made;
}

std::string Run::receipt() const {
    size_t size = 0;
    CHECK(name_of(bitnet_generation_get_receipt(get(), nullptr, 0, &size)) == "BITNET_E_BUFFER_TOO_SMALL");
    std::string text(size + 1, '\0');
    must(bitnet_generation_get_receipt(get(), text.data(), text.size(), &size));
    text.resize(size);
    return text;
}

bitnet_status try_next_batch(const std::vector<Run*>& runs, size_t max_tokens) {
    std::vector<bitnet_generation*> generations;
    for (const Run* run : runs) generations.push_back(run->get());
    std::vector<bitnet_generation_step> steps(runs.size());
    for (bitnet_generation_step& step : steps) step.struct_size = sizeof step;
    const bitnet_status status =
        bitnet_generation_next_batch(generations.data(), generations.size(), max_tokens, steps.data());
    if (status == BITNET_OK) {
        for (size_t i = 0; i < runs.size(); ++i) {
            const bool may_wait =
                std::any_of(runs.begin(), runs.end(), [&](const Run* run) { return run != runs[i] && run->guesses(); });
            runs[i]->take(steps[i], may_wait);
        }
    }
    return status;
}

void next_batch(const std::vector<Run*>& runs, size_t max_tokens) { must(try_next_batch(runs, max_tokens)); }

std::vector<Run*> pointers(std::vector<Run>& runs) {
    std::vector<Run*> list;
    for (Run& run : runs) list.push_back(&run);
    return list;
}

void run_all(std::vector<Run>& runs, size_t max_tokens) {
    const auto over = [&] {
        for (const Run& run : runs) {
            if (!run.over()) return false;
        }
        return true;
    };
    while (!over()) next_batch(pointers(runs), max_tokens);
}

Made alone(const ModelHandle& model, const Wish& wish, const ContextTweak& tweak, const Uses& adapters) {
    const ContextHandle context = make_context(model, [&](bitnet_context_params& p) {
        p.n_ctx = 512;
        if (tweak) tweak(p);
    });
    if (wish.begin) wish.begin(context, 0);
    if (!adapters.empty()) must(set_adapters(context, 0, adapters));
    Run run(context, wish, 0);
    while (!run.over()) run.next();
    return run.made();
}

GrammarHandle make_grammar(const ModelHandle& model, const std::string& text) {
    bitnet_grammar* grammar = nullptr;
    must(bitnet_grammar_create_from_gbnf(bitnet_model_get_tokenizer(model.get()), text.data(), text.size(), nullptr,
                                         &grammar));
    return GrammarHandle(grammar);
}

}  // namespace test
