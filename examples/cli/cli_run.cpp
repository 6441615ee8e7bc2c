// bitnet run: continues a prompt, or answers it with --chat. Standard output gets the generated text and a final
// newline, or one JSON object, and nothing else; progress and figures go to standard error.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "cli_common.h"
#include "cli_grammar.h"
#include "cli_platform.h"
#include "receipt_files.h"

namespace cli {
namespace {

struct RunOptions {
    ModelOptions model;
    SamplerOptions sampler;
    std::string prompt;
    std::string prompt_file;
    std::string system;
    int64_t n_predict = 100;
    int32_t n_logprobs = 0;
    int32_t n_draft = 0;
    std::vector<std::string> stops;
    GrammarOptions grammar;
    double timeout = 0;
    std::string receipt_file;
    int32_t n_ctx = 0;
    int32_t n_ubatch = 0;
    bool special = false;
    bool json = false;
    bool chat = false;
};

struct RunResult {
    std::vector<bitnet_token> prompt_ids;
    bitnet_generation_result generation = {};
    nlohmann::ordered_json logprobs = nlohmann::ordered_json::array();  // per token, with --logprobs
    double load_ms = 0;

    std::vector<bitnet_token> ids() const { return {generation.tokens, generation.tokens + generation.n_tokens}; }
    std::string text() const { return std::string(generation.text, generation.n_bytes); }
    const char* finish_reason() const {
        return bitnet_finish_reason_name(static_cast<bitnet_finish_reason>(generation.finish_reason));
    }
    bool cancelled() const { return generation.finish_reason == BITNET_FINISH_CANCELLED; }
};

// Shows text as it comes.
class TextStream {
public:
    explicit TextStream(bool show) : show_(show), on_terminal_(stdout_is_terminal()) {}
    void append(std::string_view text) const {
        if (!show_ || text.empty()) return;
        write_out(on_terminal_ ? printable(text, true) : text);
        flush_out();
    }

private:
    bool show_;
    bool on_terminal_;
};

std::string read_prompt(const RunOptions& options) {
    if (options.prompt_file.empty()) return options.prompt;
    std::string text = read_text(options.prompt_file);
    // Editors end files with a newline that nobody means as part of the prompt.
    if (!text.empty() && text.back() == '\n') text.pop_back();
    if (!text.empty() && text.back() == '\r') text.pop_back();
    return text;
}

std::vector<bitnet_token> encode_chat(const bitnet_tokenizer* tokenizer, const RunOptions& options,
                                      const std::string& prompt) {
    // The interface takes C strings: a NUL would silently cut the rest off.
    if (prompt.find('\0') != std::string::npos)
        throw Failure{kExitFailure, "the prompt of a chat must not hold NUL bytes"};
    std::vector<bitnet_chat_message> messages;
    if (!options.system.empty()) messages.push_back({"system", options.system.c_str()});
    messages.push_back({"user", prompt.c_str()});
    size_t n_needed = 0;
    if (bitnet_tokenizer_encode_chat(tokenizer, nullptr, messages.data(), messages.size(), 1, nullptr, 0, &n_needed) ==
        BITNET_E_NOT_FOUND)
        throw Failure{kExitFailure, "the model names no chat format that this build knows; run it without --chat"};
    return fetch<bitnet_token>(prompt.size() + options.system.size() + 64, [&](bitnet_token* out, size_t capacity,
                                                                               size_t* n) {
        return bitnet_tokenizer_encode_chat(tokenizer, nullptr, messages.data(), messages.size(), 1, out, capacity, n);
    });
}

std::vector<bitnet_token> encode_prompt(const bitnet_tokenizer* tokenizer, const RunOptions& options,
                                        const std::string& prompt) {
    if (options.chat) return encode_chat(tokenizer, options, prompt);
    const bitnet_tokenizer_info info = get_info(tokenizer);
    // Not ADD_DEFAULT: an EOS behind the prompt would end the text before it begins.
    uint32_t flags = info.add_bos != 0 ? BITNET_ENCODE_ADD_BOS : 0;
    if (options.special) flags |= BITNET_ENCODE_PARSE_SPECIAL;
    std::vector<bitnet_token> tokens = encode(tokenizer, prompt, flags);
    if (tokens.empty() && info.bos >= 0) tokens.push_back(info.bos);
    if (tokens.empty()) throw Failure{kExitFailure, "this model has no BOS token to start from; give a prompt with -p"};
    return tokens;
}

using GenerationHandle = std::unique_ptr<bitnet_generation, Freer<bitnet_generation_free>>;

GenerationHandle create_generation(const RunOptions& options, const bitnet_tokenizer* tokenizer,
                                   bitnet_context* context, const std::vector<bitnet_token>& prompt_ids,
                                   const bitnet_grammar* grammar) {
    const std::vector<bitnet_token> breakers = find_breakers(tokenizer, options.sampler);
    bitnet_sampler_params sampler = options.sampler.params;
    sampler.dry_breakers = breakers.data();
    sampler.n_dry_breakers = breakers.size();
    std::vector<const char*> stops;
    for (const std::string& stop : options.stops) stops.push_back(stop.c_str());
    bitnet_generation_params params = bitnet_generation_default_params();
    params.max_new_tokens =
        static_cast<int32_t>(std::min<int64_t>(options.n_predict, std::numeric_limits<int32_t>::max()));
    params.skip_special_tokens = options.special ? 0 : 1;
    params.deadline_us = static_cast<uint64_t>(options.timeout * 1e6);
    params.sampler = &sampler;
    params.stop_sequences = stops.data();
    params.n_stop_sequences = stops.size();
    params.grammar = grammar;
    params.receipt = options.receipt_file.empty() ? 0 : 1;
    params.n_logprobs = options.n_logprobs;
    params.n_draft = options.n_draft;
    bitnet_generation* generation = nullptr;
    check(bitnet_generation_create_from_tokens(context, 0, prompt_ids.data(), prompt_ids.size(), &params, &generation));
    return GenerationHandle(generation);
}

nlohmann::ordered_json logprob_json(const bitnet_tokenizer* tokenizer, const bitnet_token_logprob& entry) {
    nlohmann::ordered_json item = {
        {"id", entry.token}, {"text", decode(tokenizer, &entry.token, 1, BITNET_DECODE_SPECIAL)}, {"logprob", nullptr}};
    // JSON has no infinity: null is a token that cannot come.
    if (std::isfinite(entry.logprob)) item["logprob"] = entry.logprob;
    return item;
}

// The token of the last step and the most likely ones at its place.
nlohmann::ordered_json last_logprobs(const bitnet_tokenizer* tokenizer, const bitnet_generation* generation,
                                     bitnet_token token) {
    float logprob = 0;
    const auto top = fetch<bitnet_token_logprob>(20, [&](bitnet_token_logprob* out, size_t capacity, size_t* n) {
        return bitnet_generation_get_logprobs(generation, &logprob, out, capacity, n);
    });
    nlohmann::ordered_json item = logprob_json(tokenizer, {token, logprob});
    item["top"] = nlohmann::ordered_json::array();
    for (const bitnet_token_logprob& entry : top) item["top"].push_back(logprob_json(tokenizer, entry));
    return item;
}

void write_receipt(const bitnet_generation* generation, const std::string& path) {
    const std::string text = get_receipt(generation);
    check(bitnet_receipt_write(text.data(), text.size(), path.c_str()));
}

void print_figures(const RunResult& result) {
    const bitnet_generation_result& g = result.generation;
    std::fprintf(stderr, "prompt    %zu tokens, %.1f tokens/s\n", result.prompt_ids.size(),
                 g.prefill_tokens_per_second);
    std::fprintf(stderr, "generated %zu tokens, %.1f tokens/s (%s)\n", g.n_tokens, g.decode_tokens_per_second,
                 result.finish_reason());
    std::fprintf(stderr, "load %.1f ms, peak memory %s, seed %llu\n", result.load_ms,
                 format_bytes(peak_memory_bytes()).c_str(), static_cast<unsigned long long>(g.seed));
}

nlohmann::ordered_json result_json(const RunResult& result, const std::string& prompt, const bitnet_model* model,
                                   const bitnet_context* context) {
    const bitnet_model_info info = get_info(model);
    const bitnet_generation_result& g = result.generation;
    const auto ms = [](uint64_t us) { return static_cast<double>(us) / 1000; };
    return {{"prompt", prompt},
            {"prompt_ids", result.prompt_ids},
            {"ids", result.ids()},
            {"text", result.text()},
            {"finish_reason", result.finish_reason()},
            {"seed", g.seed},
            {"metrics",
             {{"load_ms", result.load_ms},
              {"prompt_tokens", g.prompt_tokens},
              {"prompt_ms", ms(g.prefill_us)},
              {"prompt_tokens_per_second", g.prefill_tokens_per_second},
              {"generated_tokens", g.n_tokens},
              {"generate_ms", ms(g.decode_us)},
              {"decode_steps", g.decode_steps},
              {"drafted_tokens", g.drafted_tokens},
              {"accepted_tokens", g.accepted_tokens},
              {"tokens_per_second", g.decode_tokens_per_second},
              {"peak_memory_bytes", peak_memory_bytes()}}},
            {"performance", performance_json(context)},
            {"model", to_json(info)},
            {"threads", bitnet_context_get_n_threads(context)},
            {"kernel", info.kernel}};
}

int run_model(const RunOptions& options) {
    require_model(options.model.path);
    // Cheap checks first: a bad option should not wait for gigabytes.
    check_sampler(options.sampler.params);
    if (!options.receipt_file.empty()) require_folder_of(options.receipt_file);
    const std::string prompt = read_prompt(options);

    RunResult result;
    const double start = now_ms();
    const ModelHandle model = load_model(options.model);
    const bitnet_tokenizer* tokenizer = require_tokenizer(model.get(), options.model.path);
    const GrammarHandle grammar = create_grammar(options.grammar, tokenizer);
    bitnet_context_params params = bitnet_context_default_params();
    params.n_ctx = options.n_ctx;
    if (options.n_ubatch != 0) params.n_ubatch = options.n_ubatch;
    params.n_threads = options.model.n_threads;
    params.should_abort = abort_on_signal;
    ProgressBar prompt_bar("prompt");
    params.on_progress = report_progress;
    params.progress_user_data = &prompt_bar;
    const ContextHandle context = create_context(model.get(), options.model, params);
    result.load_ms = now_ms() - start;

    result.prompt_ids = encode_prompt(tokenizer, options, prompt);
    const auto n_ctx = static_cast<size_t>(bitnet_context_get_n_ctx(context.get()));
    if (result.prompt_ids.size() > n_ctx)
        throw Failure{kExitFailure, "the prompt has " + std::to_string(result.prompt_ids.size()) +
                                        " tokens, but the context holds " + std::to_string(n_ctx) +
                                        "; shorten it or ask for more with --ctx"};
    const GenerationHandle generation = create_generation(options, tokenizer, context.get(), result.prompt_ids, grammar.get());
    if (!options.json && stdout_is_terminal() && stderr_is_terminal())
        std::fprintf(stderr, "\033[2m%s\033[0m", printable(prompt + (options.chat ? "\n" : ""), true).c_str());

    const TextStream stream(!options.json);
    bitnet_generation_step step = {};
    step.struct_size = sizeof step;
    do {
        check(bitnet_generation_next(generation.get(), &step));
        stream.append({step.text, step.n_bytes});
        if (options.n_logprobs > 0 && step.n_tokens > 0)
            result.logprobs.push_back(last_logprobs(tokenizer, generation.get(), step.tokens[0]));
    } while (step.finish_reason == BITNET_FINISH_NONE);
    result.generation.struct_size = sizeof result.generation;
    check(bitnet_generation_get_result(generation.get(), &result.generation));

    if (options.json) {
        nlohmann::ordered_json json = result_json(result, prompt, model.get(), context.get());
        if (options.n_logprobs > 0) json["logprobs"] = result.logprobs;
        write_out(dump(json) + "\n");
    } else {
        write_out("\n");
        flush_out();
        print_figures(result);
    }
    flush_out();
    if (!options.receipt_file.empty()) write_receipt(generation.get(), options.receipt_file);
    return result.cancelled() ? interrupted_exit_code() : kExitOk;
}

}  // namespace

Command add_run_command(CLI::App& app) {
    CLI::App* command = app.add_subcommand("run", "Continue a text, or answer it with --chat");
    auto options = std::make_shared<RunOptions>();
    // What a parameter may hold is the library's to say; here a number only has to be one.
    constexpr int32_t kLargest = std::numeric_limits<int32_t>::max();
    add_model_options(*command, options->model);
    add_cache_options(*command, options->model.type_k, options->model.type_v);
    add_lora_option(*command, options->model);
    CLI::Option* prompt = command->add_option("-p,--prompt", options->prompt, "text to continue; none: start from BOS");
    prompt->type_name("TEXT");
    command
        ->add_option("-f,--file", options->prompt_file,
                     "read the prompt from a file, - for standard input; one newline at its end is dropped")
        ->type_name("PROMPTFILE")
        ->excludes(prompt);
    command
        ->add_option("-n,--predict", options->n_predict,
                     "tokens to generate; 0: only run the prompt, -1: until the text ends or the context is full")
        ->type_name("N")
        ->transform(whole_number<int64_t>(-1, std::numeric_limits<int64_t>::max()))
        ->capture_default_str();
    command
        ->add_option("--stop", options->stops,
                     "end the text where this comes up, and do not show it; may be given several times")
        ->type_name("TEXT")
        ->allow_extra_args(false);
    command
        ->add_option("--timeout", options->timeout,
                     "end the text after this many seconds, the prompt included; 0: never")
        ->check(CLI::Range(0.0, 1e9))
        ->type_name("SECONDS");
    command
        ->add_option("--receipt", options->receipt_file,
                     "write a receipt of the run: what was computed by which kernels, for bitnet verify-receipt")
        ->type_name("FILE")
        ->envname("BITNET_RECEIPT");
    add_sampler_options(*command, options->sampler);
    add_grammar_options(*command, options->grammar);
    command
        ->add_option("--ctx", options->n_ctx, "context size in tokens; 0: what the model was trained for, at most 4096")
        ->transform(whole_number<int32_t>(-kLargest, kLargest))
        ->type_name("N");
    command->add_option("--ubatch", options->n_ubatch, "prompt tokens computed at once; never changes a result")
        ->transform(whole_number<int32_t>(-kLargest, kLargest))
        ->type_name("N");
    add_draft_option(*command, options->n_draft);
    command->add_flag("--special", options->special, "read control tokens in the prompt, and show those that come");
    CLI::Option* json = command->add_flag("--json", options->json, "print one JSON object when done");
    command
        ->add_option("--logprobs", options->n_logprobs,
                     "1 to 20: with --json, the log-probability of each token and of that many best ones at its place")
        ->type_name("N")
        ->transform(whole_number<int32_t>(-kLargest, kLargest))
        ->needs(json);
    CLI::Option* chat =
        command->add_flag("--chat", options->chat, "put the prompt as a user's message, in the model's chat format");
    command->add_option("--system", options->system, "system message of the chat")->type_name("TEXT")->needs(chat);
    return {command, [options] { return run_model(*options); }};
}

}  // namespace cli
