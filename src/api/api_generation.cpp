// Generation: a prompt becomes a text, step by step or in one call.
#include <chrono>
#include <utility>

#include "src/api/api_guard.h"
#include "src/api/handles.h"
#include "src/api/sampler_config.h"
#include "src/context/prefill.h"

using namespace bitnet;

namespace {

struct FinishReasonRow {
    bitnet_finish_reason reason;
    const char* name;
};
constexpr FinishReasonRow kFinishReasons[] = {
    {BITNET_FINISH_NONE, "none"},
    {BITNET_FINISH_END, "end"},
    {BITNET_FINISH_STOP_SEQUENCE, "stop_sequence"},
    {BITNET_FINISH_LENGTH, "length"},
    {BITNET_FINISH_CONTEXT_FULL, "context_full"},
    {BITNET_FINISH_CANCELLED, "cancelled"},
    {BITNET_FINISH_DEADLINE, "deadline"},
};

using Clock = std::chrono::steady_clock;

uint64_t us_since(Clock::time_point begin) {
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin).count());
}

double per_second(uint64_t n, uint64_t us) {
    return us != 0 ? 1e6 * static_cast<double>(n) / static_cast<double>(us) : 0;
}

GenerationConfig config_of(const bitnet_generation_params& p) {
    GenerationConfig config;
    config.max_new_tokens = p.max_new_tokens;
    config.skip_special_tokens = p.skip_special_tokens != 0;
    config.deadline = Deadline::in_us(p.deadline_us);
    config.sampler = read_sampler_config(p.sampler);
    config.record = p.receipt != 0;
    config.n_logprobs = p.n_logprobs;
    config.n_draft = p.n_draft;
    require(p.n_stop_sequences == 0 || p.stop_sequences != nullptr, "bitnet_generation_params.stop_sequences is NULL");
    if (p.n_stop_sequences > StopMatcher::kMaxStops) {
        throw Error(BITNET_E_LIMIT,
                    "there are more than " + std::to_string(StopMatcher::kMaxStops) + " stop sequences");
    }
    for (size_t i = 0; i < p.n_stop_sequences; ++i) {
        require(p.stop_sequences[i] != nullptr, "a stop sequence is NULL");
        config.stop_sequences.emplace_back(p.stop_sequences[i]);
    }
    if (p.grammar != nullptr) config.grammar = p.grammar->grammar;
    return config;
}

const Tokenizer& tokenizer_of(const ModelState& state) {
    if (state.tokenizer.tokenizer == nullptr) throw Error(BITNET_E_TOKENIZER, state.tokenizer_problem);
    return *state.tokenizer.tokenizer;
}

// The prompt as the model was trained to see it: BOS where the file asks for it, or where nothing else would be there.
std::vector<bitnet_token> encode_prompt(const Tokenizer& tokenizer, std::string_view text, bool parse_special) {
    const uint32_t flags = (tokenizer.info().add_bos ? uint32_t{BITNET_ENCODE_ADD_BOS} : 0u) |
                           (parse_special ? uint32_t{BITNET_ENCODE_PARSE_SPECIAL} : 0u);
    std::vector<bitnet_token> tokens = tokenizer.encode(text, flags);
    if (tokens.empty() && tokenizer.info().bos >= 0) tokens.push_back(tokenizer.info().bos);
    return tokens;
}

bitnet_generation* create(bitnet_context* context, bitnet_seq_id id, std::vector<bitnet_token> prompt,
                          GenerationConfig config, Clock::time_point begin) {
    const ContextConfig& of = context->context.config();
    if (config.record && (of.k_type != kern::KvType::f16 || of.v_type != kern::KvType::f16)) {
        throw Error(BITNET_E_CONFIG,
                    "a receipt is replayed with keys and values of F16; use a context whose type_k and type_v are "
                    "BITNET_KV_F16")
            .with_subject("receipt");
    }
    const uint64_t tokenize_us = us_since(begin);
    Generation generation(context->context, tokenizer_of(*context->state), id, std::move(prompt), std::move(config));
    return new bitnet_generation{
        context->state, context->self, std::move(generation), tokenize_us, begin, us_since(begin), 0};
}

// What the generation's last step brought.
bitnet_generation_step tell_step(bitnet_generation& g) {
    const GenerationStep& step = g.generation.last_step();
    g.total_us = us_since(g.begin);
    g.cumulative_us += step.token_us;
    const size_t n_tokens = g.generation.tokens().size();
    bitnet_generation_step info{};
    info.finish_reason = g.generation.finish_reason();
    info.text = step.text.c_str();
    info.n_bytes = step.text.size();
    info.tokens = step.token >= 0 ? &g.generation.tokens().back() : nullptr;
    info.n_tokens = step.token >= 0 ? 1 : 0;
    info.token_us = step.token_us;
    info.cumulative_us = g.cumulative_us;
    info.tokens_per_second = per_second(n_tokens, g.cumulative_us);
    info.prompt_tokens_left = g.generation.prompt_left().size();
    info.status = step.status;
    info.error = step.error.c_str();
    if (step.status != BITNET_OK && step.error.empty()) info.error = bitnet_status_text(step.status);
    return info;
}

bitnet_context& context_of(const bitnet_generation& g) {
    if (*g.context == nullptr)
        throw Error(BITNET_E_STATE, "the generation's context was freed; free the generation, too");
    return **g.context;
}

bitnet_generation_step next_step(bitnet_generation& g) {
    g.generation.next(context_of(g).context, tokenizer_of(*g.state));
    return tell_step(g);
}

// The list of a batch, which must be of one context.
void gather(bitnet_generation* const* generations, size_t n, bitnet_context& context) {
    const size_t n_seq = static_cast<size_t>(std::as_const(context.context).cache().n_seq());
    if (n > n_seq) {
        throw Error(BITNET_E_ARGUMENT, "there are " + std::to_string(n) + " generations, the context has " +
                                           std::to_string(n_seq) + " sequences; create it with a larger n_seq_max")
            .with_numbers(n_seq, n);
    }
    context.batch.clear(context.context);
    for (size_t i = 0; i < n; ++i) {
        if (generations[i] == nullptr) throw Error(BITNET_E_ARGUMENT, "generation " + std::to_string(i) + " is NULL");
        if (generations[i]->context != context.self) {
            throw Error(BITNET_E_ARGUMENT, "generation " + std::to_string(i) +
                                               " is of another context than generation 0; step it on its own");
        }
        context.batch.add(generations[i]->generation);
    }
}

// One of an array of structs that are stride bytes apart, whatever that is.
void write_step(bitnet_generation_step* steps, size_t i, uint32_t stride, const bitnet_generation_step& step) {
    char* const at = reinterpret_cast<char*>(steps) + i * stride;
    std::memcpy(at, &step, std::min<size_t>(stride, sizeof step));
    std::memcpy(at, &stride, sizeof stride);
}

// On the callback's wish; next() counts all other ends.
void cancel(bitnet_generation& g) {
    if (g.generation.finish_reason() != BITNET_FINISH_NONE) return;
    g.generation.cancel();
    context_of(g).context.performance().count_inference();
}

void init_step(bitnet_generation_step* step, uint32_t struct_size) {
    write_params(step, struct_size, bitnet_generation_step{});
}

}  // namespace

extern "C" {

const char* bitnet_finish_reason_name(bitnet_finish_reason reason) {
    const int32_t number = number_of(reason);
    for (const FinishReasonRow& row : kFinishReasons) {
        if (static_cast<int32_t>(row.reason) == number) return row.name;
    }
    return "unknown";
}

void bitnet_generation_params_init(bitnet_generation_params* params, uint32_t struct_size) {
    const GenerationConfig config;
    bitnet_generation_params defaults;
    std::memset(&defaults, 0, sizeof defaults);
    defaults.max_new_tokens = config.max_new_tokens;
    defaults.skip_special_tokens = config.skip_special_tokens ? 1 : 0;
    write_params(params, struct_size, defaults);
}

bitnet_status bitnet_generation_create(bitnet_context* context, bitnet_seq_id seq_id, const char* prompt,
                                       size_t n_bytes, const bitnet_generation_params* params,
                                       bitnet_generation** out_generation) {
    if (out_generation != nullptr) *out_generation = nullptr;
    return api_call(__func__, about(context), [&] {
        require(context != nullptr && out_generation != nullptr, "bitnet_generation_create: a pointer is NULL");
        require(prompt != nullptr || n_bytes == 0, "the prompt is NULL");
        const Clock::time_point begin = Clock::now();
        const bitnet_generation_params full = read_params(params, bitnet_generation_params_init);
        GenerationConfig config = config_of(full);
        std::vector<bitnet_token> tokens =
            encode_prompt(tokenizer_of(*context->state), std::string_view(n_bytes != 0 ? prompt : "", n_bytes),
                          full.parse_special != 0);
        const uint64_t encode_us = us_since(begin);
        *out_generation = create(context, seq_id, std::move(tokens), std::move(config), begin);
        context->context.performance().add_encode(encode_us);
    });
}

bitnet_status bitnet_generation_create_from_tokens(bitnet_context* context, bitnet_seq_id seq_id,
                                                   const bitnet_token* tokens, size_t n_tokens,
                                                   const bitnet_generation_params* params,
                                                   bitnet_generation** out_generation) {
    if (out_generation != nullptr) *out_generation = nullptr;
    return api_call(__func__, about(context), [&] {
        require(context != nullptr && out_generation != nullptr,
                "bitnet_generation_create_from_tokens: a pointer is NULL");
        require(tokens != nullptr || n_tokens == 0, "tokens is NULL");
        const Clock::time_point begin = Clock::now();
        GenerationConfig config = config_of(read_params(params, bitnet_generation_params_init));
        *out_generation =
            create(context, seq_id, std::vector<bitnet_token>(tokens, tokens + n_tokens), std::move(config), begin);
    });
}

void bitnet_generation_free(bitnet_generation* generation) { delete generation; }

bitnet_status bitnet_generation_next(bitnet_generation* generation, bitnet_generation_step* out_step) {
    return api_call(__func__, about(generation), [&] {
        require(generation != nullptr && out_step != nullptr, "bitnet_generation_next: a pointer is NULL");
        // A size that cannot be is found out before a token is drawn.
        read_params(out_step, init_step);
        write_info(out_step, next_step(*generation));
    });
}

bitnet_status bitnet_generation_next_batch(bitnet_generation* const* generations, size_t n_generations,
                                           size_t max_tokens, bitnet_generation_step* out_steps) {
    const bitnet_generation* first = generations != nullptr && n_generations > 0 ? generations[0] : nullptr;
    return api_call(__func__, about(first), [&] {
        if (n_generations == 0) return;
        require(generations != nullptr && out_steps != nullptr, "bitnet_generation_next_batch: a pointer is NULL");
        require(first != nullptr, "generation 0 is NULL");
        read_params(out_steps, init_step);  // throws for a size that cannot be
        const uint32_t stride = out_steps->struct_size;
        bitnet_context& context = context_of(*first);
        gather(generations, n_generations, context);
        context.batch.step(context.context, tokenizer_of(*context.state), max_tokens);
        for (size_t i = 0; i < n_generations; ++i) write_step(out_steps, i, stride, tell_step(*generations[i]));
    });
}

bitnet_status bitnet_generation_get_logprobs(const bitnet_generation* generation, float* out_logprob,
                                             bitnet_token_logprob* out_top, size_t capacity, size_t* out_n) {
    return api_call(__func__, about(generation), [&] {
        require(generation != nullptr, "the generation is NULL");
        const TokenLogprobs* logprobs = generation->generation.logprobs();
        if (logprobs == nullptr) {
            throw Error(
                BITNET_E_STATE,
                "there are no log-probabilities: set n_logprobs in bitnet_generation_params and ask after a step "
                "that brought a token");
        }
        write_buffer(logprobs->top.data(), logprobs->top.size(), out_top, capacity, out_n, "log-probabilities");
        if (out_logprob != nullptr) *out_logprob = logprobs->logprob;
    });
}

bitnet_status bitnet_generate(bitnet_context* context, bitnet_seq_id seq_id, const char* prompt, size_t n_bytes,
                              const bitnet_generation_params* params, bitnet_generation_callback on_step,
                              void* user_data, bitnet_generation** out_generation) {
    bitnet_generation* generation = nullptr;
    const bitnet_status created = bitnet_generation_create(context, seq_id, prompt, n_bytes, params, &generation);
    if (out_generation != nullptr) *out_generation = nullptr;
    if (created != BITNET_OK) return created;
    const bitnet_status status = api_call(__func__, about(context), [&] {
        require(out_generation != nullptr, "bitnet_generate: out_generation is NULL");
        while (generation->generation.finish_reason() == BITNET_FINISH_NONE) {
            bitnet_generation_step step = next_step(*generation);
            step.struct_size = sizeof step;
            if (on_step != nullptr && on_step(&step, user_data) != 0) cancel(*generation);
        }
    });
    if (status == BITNET_OK) {
        *out_generation = generation;
    } else {
        bitnet_generation_free(generation);
    }
    return status;
}

bitnet_status bitnet_generation_get_result(const bitnet_generation* generation, bitnet_generation_result* out_result) {
    return api_call(__func__, about(generation), [&] {
        require(generation != nullptr, "the generation is NULL");
        const Generation& g = generation->generation;
        const Model& model = generation->state->model;
        bitnet_generation_result info{};
        info.finish_reason = g.finish_reason();
        info.stop_sequence = g.finish_reason() == BITNET_FINISH_STOP_SEQUENCE ? g.stop_sequence() : -1;
        info.text = g.text().c_str();
        info.n_bytes = g.text().size();
        info.tokens = g.tokens().data();
        info.token_times_us = g.token_times().data();
        info.n_tokens = g.tokens().size();
        info.model_name = model.name.c_str();
        info.quantization = model.quantization.c_str();
        info.device = model.device();
        info.seed = g.seed();
        info.prompt_tokens = g.n_prompt();
        info.reused_tokens = g.n_reused();
        info.tokenize_us = generation->tokenize_us;
        info.prefill_us = g.prefill_us();
        info.decode_us = g.decode_us();
        info.decode_steps = g.n_steps();
        info.total_us = generation->total_us;
        info.prefill_tokens_per_second = per_second(g.n_prompt() - g.n_reused(), g.prefill_us());
        info.decode_tokens_per_second = per_second(g.n_steps(), g.decode_us());
        info.total_tokens_per_second = per_second(g.tokens().size(), generation->total_us);
        info.drafted_tokens = g.n_drafted();
        info.accepted_tokens = g.n_accepted();
        write_info(out_result, info);
    });
}

bitnet_status bitnet_context_prefill(bitnet_context* context, bitnet_seq_id seq_id, const bitnet_token* tokens,
                                     size_t n_tokens, size_t* out_n_reused) {
    return api_call(__func__, about(context), [&] {
        require(context != nullptr, "the context is NULL");
        require(tokens != nullptr || n_tokens == 0, "tokens is NULL");
        const size_t n_reused = prefill_sequence(context->context, seq_id, {tokens, n_tokens});
        if (out_n_reused != nullptr) *out_n_reused = n_reused;
    });
}

}  // extern "C"
