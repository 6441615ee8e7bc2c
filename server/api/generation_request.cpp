// Limits are checked in the order of their cost: bytes, characters, the filter, tokens.
#include "server/api/generation_request.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "server/auth/access_guard.h"
#include "server/core/server_log.h"
#include "server/metrics/server_metrics.h"

namespace serve {

namespace {

constexpr size_t kMaxStopSequences = 64, kMaxStopBytes = 1024;  // of bitnet_generation_params
constexpr size_t kMaxLogitBiases = 1024;
constexpr int64_t kMaxTimeoutMs = 3600000;

// What the field is called and where it goes; ranges are those of bitnet_sampler_params where that has any.
struct RealField {
    const char* name;
    float bitnet_sampler_params::*member;
    double least, most;
};
constexpr RealField kRealFields[] = {
    {"temperature", &bitnet_sampler_params::temperature, 0, 2},
    {"top_p", &bitnet_sampler_params::top_p, 0, 1},
    {"min_p", &bitnet_sampler_params::min_p, 0, 1},
    {"typical_p", &bitnet_sampler_params::typical_p, 0, 1},
    {"repetition_penalty", &bitnet_sampler_params::repetition_penalty, 0.01, 10},
    {"repeat_penalty", &bitnet_sampler_params::repetition_penalty, 0.01, 10},
    {"frequency_penalty", &bitnet_sampler_params::frequency_penalty, -2, 2},
    {"presence_penalty", &bitnet_sampler_params::presence_penalty, -2, 2},
    {"xtc_probability", &bitnet_sampler_params::xtc_probability, 0, 1},
    {"xtc_threshold", &bitnet_sampler_params::xtc_threshold, 0, 1},
    {"dry_multiplier", &bitnet_sampler_params::dry_multiplier, 0, 100},
    {"dry_base", &bitnet_sampler_params::dry_base, 1, 100},
    {"dynatemp_range", &bitnet_sampler_params::dynatemp_range, 0, 2},
    {"dynatemp_exponent", &bitnet_sampler_params::dynatemp_exponent, 0.01, 100},
    {"top_n_sigma", &bitnet_sampler_params::top_n_sigma, 0, 100},
    {"mirostat_tau", &bitnet_sampler_params::mirostat_tau, 0.01, 100},
    {"mirostat_eta", &bitnet_sampler_params::mirostat_eta, 0.0001, 1},
};
struct WholeField {
    const char* name;
    int32_t bitnet_sampler_params::*member;
    int64_t least, most;
};
constexpr WholeField kWholeFields[] = {
    {"top_k", &bitnet_sampler_params::top_k, 0, 1 << 20},
    {"penalty_last_n", &bitnet_sampler_params::penalty_last_n, -1, 1 << 20},
    {"repeat_last_n", &bitnet_sampler_params::penalty_last_n, -1, 1 << 20},
    {"dry_allowed_length", &bitnet_sampler_params::dry_allowed_length, 1, 1 << 20},
    {"dry_penalty_last_n", &bitnet_sampler_params::dry_penalty_last_n, 0, 1 << 20},
    {"mirostat", &bitnet_sampler_params::mirostat, 0, 2},
};

float bias_of(const JsonFields& fields, const Json& value) {
    if (value.is_boolean() && !value.get<bool>()) return -INFINITY;
    const double bias = value.is_number() ? value.get<double>() : NAN;
    if (!(bias >= -1e6 && bias <= 1e6)) fields.fail("logit_bias", "must have biases from -1e6 to 1e6, or false");
    return static_cast<float>(bias);
}

void read_logit_bias(const JsonFields& fields, GenerationSpec& spec) {
    const Json* value = fields.find("logit_bias");
    if (!value) return;
    if (!value->is_object() && !value->is_array())
        fields.fail("logit_bias", "must be an object of token ids and biases, or an array of pairs");
    if (value->size() > kMaxLogitBiases)
        fields.fail("logit_bias", "has more than " + std::to_string(kMaxLogitBiases) + " entries");
    spec.logit_bias.clear();
    for (const auto& [key, entry] : value->items()) {
        if (value->is_array()) {
            if (!entry.is_array() || entry.size() != 2 || !entry[0].is_number_integer())
                fields.fail("logit_bias", "must hold pairs of a token id and a bias");
            // Through text, so that one check bounds both forms.
            const std::string id = entry[0].dump();
            bitnet_token token = -1;
            const auto [end, problem] = std::from_chars(id.data(), id.data() + id.size(), token);
            if (problem != std::errc() || end != id.data() + id.size() || token < 0)
                fields.fail("logit_bias", "has a token id that is none");
            spec.logit_bias.push_back({token, bias_of(fields, entry[1])});
            continue;
        }
        bitnet_token token = -1;
        const auto [end, problem] = std::from_chars(key.data(), key.data() + key.size(), token);
        if (problem != std::errc() || end != key.data() + key.size() || token < 0)
            fields.fail("logit_bias", "has a token id that is none");
        spec.logit_bias.push_back({token, bias_of(fields, entry)});
    }
}

void read_seed(const JsonFields& fields, GenerationSpec& spec) {
    const Json* value = fields.find("seed");
    if (!value) return;
    if (value->is_number_unsigned()) {
        spec.sampler.has_seed = 1;
        spec.sampler.seed = value->get<uint64_t>();
    } else if (value->is_number_integer() && value->get<int64_t>() == -1) {
        spec.sampler.has_seed = 0;
    } else {
        fields.fail("seed", "must be a whole number from 0 to 18446744073709551615, or -1");
    }
}

// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. The place of the first byte that is wrong, or size.
size_t valid_utf8_prefix(std::string_view text) {
    size_t i = 0;
    while (i < text.size()) {
        const auto byte = [&](size_t at) { return static_cast<unsigned char>(text[at]); };
        const unsigned char lead = byte(i);
        if (lead < 0x80) {
            i++;
            continue;
        }
        const size_t length = lead >= 0xC2 && lead <= 0xDF   ? 2
                              : (lead & 0xF0) == 0xE0        ? 3
                              : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                             : 0;
        if (length == 0 || length > text.size() - i) return i;
        const unsigned char second = byte(i + 1);
        const unsigned char least = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
        const unsigned char most = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
        if (second < least || second > most) return i;
        for (size_t k = 2; k < length; k++)
            if ((byte(i + k) & 0xC0) != 0x80) return i;
        i += length;
    }
    return i;
}

std::shared_ptr<const bitnet_grammar> own(bitnet_status status, bitnet_grammar* grammar, const std::string& field) {
    if (status != BITNET_OK) {
        ApiError error = error_from_status(status);
        error.field = field;
        throw error;
    }
    return {grammar, [](const bitnet_grammar* mine) { bitnet_grammar_free(const_cast<bitnet_grammar*>(mine)); }};
}

}  // namespace

bitnet_sampler_params http_sampler_params() {
    bitnet_sampler_params params = bitnet_sampler_default_params();
    params.temperature = 1;
    params.top_p = 0.9f;
    params.top_k = 50;
    return params;
}

void read_sampler_fields(const JsonFields& fields, GenerationSpec& spec) {
    for (const RealField& field : kRealFields)
        if (const std::optional<double> value = fields.number(field.name, field.least, field.most))
            spec.sampler.*field.member = static_cast<float>(*value);
    for (const WholeField& field : kWholeFields)
        if (const std::optional<int64_t> value = fields.integer(field.name, field.least, field.most))
            spec.sampler.*field.member = static_cast<int32_t>(*value);
    read_seed(fields, spec);
    read_logit_bias(fields, spec);
}

bool read_max_tokens(const ServerState& state, const JsonFields& fields, const char* name, GenerationSpec& spec) {
    const std::optional<int64_t> value = fields.integer(name, 0, INT32_MAX);
    if (!value) return false;
    if (*value > state.options.max_tokens)
        throw ApiError(ErrorCode::kTooManyTokens,
                       fields.place(name) + " is " + std::to_string(*value) + "; this server writes at most " +
                           std::to_string(state.options.max_tokens) + " tokens",
                       fields.place(name), "Ask for fewer tokens");
    spec.max_tokens = static_cast<int32_t>(*value);
    return true;
}

void read_stop_sequences(const JsonFields& fields, const char* name, bool allow_one, GenerationSpec& spec) {
    if (!fields.has(name)) return;
    spec.stop = fields.texts(name, kMaxStopSequences, allow_one);
    for (const std::string& stop : spec.stop)
        if (stop.empty() || stop.size() > kMaxStopBytes || stop.find('\0') != stop.npos)
            fields.fail(name, "must hold texts of 1 to " + std::to_string(kMaxStopBytes) + " bytes without NUL");
}

void read_priority(const JsonFields& fields, const Identity& identity, GenerationSpec& spec) {
    const std::optional<size_t> value = fields.choice("priority", {"low", "normal", "high", "critical"});
    const int wanted = value ? static_cast<int>(*value) : static_cast<int>(spec.priority);
    spec.priority = static_cast<Priority>(std::clamp(std::min(wanted, identity.max_priority), 0, 3));
}

void read_timeout(const JsonFields& fields, const char* name, int64_t default_ms, const HttpRequest& request,
                  GenerationSpec& spec) {
    const int64_t timeout = fields.integer(name, 1, kMaxTimeoutMs).value_or(default_ms);
    if (timeout <= 0) return;
    const SteadyTime begin = request.received == SteadyTime() ? std::chrono::steady_clock::now() : request.received;
    spec.deadline = begin + std::chrono::milliseconds(timeout);
}

void check_prompt_text(const ServerState& state, std::string_view text, const std::string& field) {
    if (text.size() > static_cast<size_t>(state.options.max_prompt_bytes))
        throw ApiError(ErrorCode::kPromptTooLong,
                       field + " has " + std::to_string(text.size()) + " bytes; the most is " +
                           std::to_string(state.options.max_prompt_bytes),
                       field, "Send a shorter text");
    if (const size_t nul = text.find('\0'); nul != text.npos)
        throw ApiError(ErrorCode::kInvalidCharacters, field + " has a NUL at byte " + std::to_string(nul), field);
    if (const size_t valid = valid_utf8_prefix(text); valid != text.size())
        throw ApiError(ErrorCode::kInvalidCharacters, field + " is not valid UTF-8 at byte " + std::to_string(valid),
                       field);
    if (state.filter && state.filter->blocks(text, false))
        throw ApiError(ErrorCode::kBlockedContent, field + " has content that this server does not take", field);
}

void check_prompt_tokens(const Engine& engine, const std::vector<bitnet_token>& tokens, const std::string& field) {
    const ModelFacts& facts = engine.facts();
    if (facts.n_ctx > 0 && tokens.size() >= static_cast<size_t>(facts.n_ctx))
        throw ApiError(ErrorCode::kPromptTooLong,
                       field + " has " + std::to_string(tokens.size()) + " tokens; the model's context holds " +
                           std::to_string(facts.n_ctx) + ", the answer included",
                       field, "Send a shorter text");
    for (const bitnet_token token : tokens)
        if (token < 0 || token >= facts.n_vocab)
            throw ApiError(ErrorCode::kValidationFailed,
                           field + " has the token " + std::to_string(token) + "; the vocabulary has " +
                               std::to_string(facts.n_vocab),
                           field);
}

std::vector<bitnet_token> encode_prompt(const ServerState& state, const Engine& engine, std::string_view text,
                                        uint32_t flags, const std::string& field) {
    check_prompt_text(state, text, field);
    std::vector<bitnet_token> tokens = encode_text(engine.tokenizer(), text, flags);
    check_prompt_tokens(engine, tokens, field);
    return tokens;
}

std::shared_ptr<const bitnet_grammar> compile_gbnf(const Engine& engine, const std::string& text,
                                                   const std::string& field) {
    bitnet_grammar* grammar = nullptr;
    const bitnet_status status =
        bitnet_grammar_create_from_gbnf(engine.tokenizer(), text.data(), text.size(), nullptr, &grammar);
    return own(status, grammar, field);
}

std::shared_ptr<const bitnet_grammar> compile_json_schema(const Engine& engine, const Json& schema,
                                                          const std::string& field) {
    const std::string text = to_text(schema);
    bitnet_grammar* grammar = nullptr;
    const bitnet_status status =
        bitnet_grammar_create_from_json_schema(engine.tokenizer(), text.data(), text.size(), &grammar);
    return own(status, grammar, field);
}

std::shared_ptr<RunningText> submit_to(ServerState& state, const HttpRequest& request, std::shared_ptr<Engine> engine,
                                       GenerationSpec spec) {
    if (state.draining) throw ApiError(ErrorCode::kUnavailable, "the server is shutting down");
    spec.tenant = request.identity.name;
    spec.request_id = request.request_id;
    const std::shared_ptr<Job> job = engine->submit(std::move(spec));
    // The engine's thread calls this; it may outlive the request, but nothing that it holds is the request's.
    HttpRequest account;
    account.identity = request.identity;
    account.peer = request.peer;
    job->set_on_end([metrics = state.metrics, access = state.access, account = std::move(account),
                     facts = engine->facts()](const Usage& usage) {
        if (metrics) metrics->observe_text(facts, usage);
        if (access) access->charge(account, usage.prompt_tokens + usage.generated_tokens);
    });
    return std::make_shared<RunningText>(std::move(engine), job);
}

std::shared_ptr<RunningText> submit_text(ServerState& state, const HttpRequest& request, const std::string& model_id,
                                         const std::function<GenerationSpec(const Engine&)>& make_spec) {
    std::shared_ptr<Engine> engine = state.models->find(model_id);
    for (int attempt = 0;; attempt++) {
        GenerationSpec spec = make_spec(*engine);
        try {
            return submit_to(state, request, engine, std::move(spec));
        } catch (const ApiError& error) {
            if (error.code != ErrorCode::kUnavailable || attempt == 3) throw;
            std::shared_ptr<Engine> now = state.models->find(model_id);
            if (now == engine) throw;
            engine = std::move(now);
        }
    }
}

const char* TextEnd::name() const { return blocked ? "content_filter" : bitnet_finish_reason_name(finish); }

TextEnd follow_text(const ServerState& state, const RunningText& text, const std::function<bool()>& client_gone,
                    const std::function<bool(const Step&)>& on_step, const std::function<bool()>& idle) {
    TextEnd end;
    OutputFilter filter(state.filter.get());
    bool first = true;
    const auto filtered = [&](const Step& step) {
        if (first && step.token >= 0 && state.metrics) {
            const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - text.submitted;
            state.metrics->observe_first_token(text.engine->facts(), passed.count());
        }
        first = first && step.token < 0;
        Step shown = step;
        end.blocked = filter.apply(shown);
        if (end.blocked) return false;
        if (!on_step(shown)) return false;
        if (step.finish == BITNET_FINISH_NONE) return true;
        end.finish = step.finish;
        end.stop_sequence = step.stop_sequence;
        return true;
    };
    follow(*text.job, client_gone, filtered, idle);
    const Usage usage = text.job->usage();
    note_for_access_line("prompt_tokens", static_cast<int64_t>(usage.prompt_tokens));
    note_for_access_line("tokens", static_cast<int64_t>(usage.generated_tokens));
    return end;
}

std::string quantization_name(const std::string& quantization) { return quantization == "i2_s" ? "i2s" : quantization; }

std::string device_name(const std::string& device) {
    if (device == "cpu") return "Cpu";
    if (device.starts_with("cuda")) return "Cuda";
    return device == "metal" ? "Metal" : device;
}

}  // namespace serve
