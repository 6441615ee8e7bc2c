// bitnet chat: a conversation with a model. Standard output gets the replies and nothing else; the prompt of a terminal,
// answers to /commands and figures go to standard error.
#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "cli_common.h"
#include "cli_grammar.h"
#include "cli_platform.h"
#include "conversation.h"
#include "line_input.h"

// What "printf" is to the compiler on Windows is Microsoft's, which knows no %zu.
#if defined(__MINGW32__) && !defined(__clang__)
#define BITNET_LIKE_PRINTF(text, first) __attribute__((format(gnu_printf, text, first)))
#else
#define BITNET_LIKE_PRINTF(text, first) __attribute__((format(printf, text, first)))
#endif

namespace cli {
namespace {

struct ChatOptions {
    ModelOptions model;
    SamplerOptions sampler;
    std::string system, format, load_file, history_file;
    GrammarOptions grammar;
    int32_t n_predict = 512;
    int32_t n_ctx = 0;
    int32_t n_draft = 0;
    bool no_history = false;
    bool no_shift = false;
};

using GenerationHandle = std::unique_ptr<bitnet_generation, Freer<bitnet_generation_free>>;

struct Totals {
    uint64_t replies = 0, prompt_tokens = 0, reused_tokens = 0, generated_tokens = 0, prefill_us = 0, decode_us = 0;
};

class Chat {
public:
    explicit Chat(const ChatOptions& options)
        : options_(options), model_(load_model(options.model)),
          tokenizer_(require_tokenizer(model_.get(), options.model.path)),
          grammar_(create_grammar(options.grammar, tokenizer_)),
          breakers_(find_breakers(tokenizer_, options.sampler)),
          conversation_(tokenizer_, options.format, options.system), context_(make_context()),
          input_("> ", options.no_history ? "" : options.history_file.empty() ? default_history_file() : options.history_file),
          colours_(stderr_is_terminal() && std::getenv("NO_COLOR") == nullptr) {}

    int run() {
        if (!options_.load_file.empty()) conversation_.load(options_.load_file);
        greet();
        while (!done_) {
            const std::optional<std::string> message = input_.read_message();
            if (!message) {
                if (caught_signal() != 0) return interrupted_exit_code();
                break;
            }
            if (message->empty() || message->find_first_not_of(" \t") == std::string::npos) continue;
            // One bad message or command is told and forgotten; the conversation goes on.
            try {
                if (message->front() == '/') {
                    command(*message);
                } else {
                    say(*message);
                }
            } catch (const Failure& failure) {
                if (failure.message.empty()) throw;
                note("%s", failure.message.c_str());
                failed_ = true;
            }
        }
        // A script that pipes messages in should learn that one of them failed.
        return failed_ && !input_.on_terminal() ? kExitFailure : kExitOk;
    }

private:
    ContextHandle make_context() {
        bitnet_context_params params = bitnet_context_default_params();
        params.n_ctx = options_.n_ctx;
        params.n_threads = options_.model.n_threads;
        params.should_abort = abort_on_signal;
        return create_context(model_.get(), options_.model, params);
    }

    // One line for the person, dimmed on a terminal.
    BITNET_LIKE_PRINTF(2, 3) void note(const char* format, ...) const {
        char text[2048];
        va_list arguments;
        va_start(arguments, format);
        std::vsnprintf(text, sizeof text, format, arguments);
        va_end(arguments);
        std::fprintf(stderr, colours_ ? "\033[2m%s\033[0m\n" : "%s\n", printable(text, true).c_str());
    }

    void greet() const {
        if (!input_.on_terminal()) return;
        note("%s. /help lists the commands, Ctrl-D ends, Ctrl-C stops a reply.", model_label(options_.model.path).c_str());
        if (conversation_.is_plain()) {
            note("This model knows no chat format: it goes on with your text as it stands.");
        }
    }

    size_t n_ctx() const { return static_cast<size_t>(bitnet_context_get_n_ctx(context_.get())); }

    // The conversation's tokens, with room for a reply. Where it has grown too long its oldest turns are forgotten.
    std::vector<bitnet_token> fitting_tokens() {
        const size_t room = n_ctx() / 4;
        size_t dropped = 0;
        std::vector<bitnet_token> tokens = conversation_.tokens();
        while (tokens.size() + room > n_ctx() && !options_.no_shift && conversation_.drop_oldest()) {
            ++dropped;
            tokens = conversation_.tokens();
        }
        if (dropped != 0) note("(the context is full: the oldest %zu turns are forgotten)", dropped);
        if (tokens.size() >= n_ctx()) {
            throw Failure{kExitFailure, "the conversation needs " + std::to_string(tokens.size()) + " tokens, the context holds " +
                                            std::to_string(n_ctx()) + "; shorten the message, /reset, or start with a larger --ctx"};
        }
        return tokens;
    }

    void say(const std::string& message) {
        conversation_.add("user", message);
        try {
            reply();
        } catch (...) {
            conversation_.drop_last();  // the message was not answered; it may be sent again
            throw;
        }
    }

    void reply() {
        const std::vector<bitnet_token> tokens = fitting_tokens();
        bitnet_sampler_params sampler = options_.sampler.params;
        sampler.dry_breakers = breakers_.data();
        sampler.n_dry_breakers = breakers_.size();
        // Every reply has a seed of its own, so that /regenerate says something else and --seed repeats a conversation.
        if (sampler.has_seed != 0) sampler.seed += n_generations_;
        ++n_generations_;
        bitnet_generation_params params = bitnet_generation_default_params();
        params.max_new_tokens = options_.n_predict;
        params.sampler = &sampler;
        params.grammar = grammar_.get();
        params.n_draft = options_.n_draft;
        bitnet_generation* generation = nullptr;
        check(bitnet_generation_create_from_tokens(context_.get(), 0, tokens.data(), tokens.size(), &params, &generation));
        const GenerationHandle owner(generation);
        bitnet_generation_step step = {};
        step.struct_size = sizeof step;
        do {
            check(bitnet_generation_next(generation, &step));
            const std::string_view text(step.text, step.n_bytes);
            write_out(stdout_is_terminal() ? printable(text, true) : std::string(text));
            flush_out();
        } while (step.finish_reason == BITNET_FINISH_NONE);
        write_out("\n");
        flush_out();
        finish(generation);
    }

    void finish(const bitnet_generation* generation) {
        bitnet_generation_result result = {};
        result.struct_size = sizeof result;
        check(bitnet_generation_get_result(generation, &result));
        std::string text(result.text, result.n_bytes);
        std::replace(text.begin(), text.end(), '\0', ' ');
        conversation_.add("assistant", std::move(text));
        ++totals_.replies;
        totals_.prompt_tokens += result.prompt_tokens;
        totals_.reused_tokens += result.reused_tokens;
        totals_.generated_tokens += result.n_tokens;
        totals_.prefill_us += result.prefill_us;
        totals_.decode_us += result.decode_us;
        used_ = static_cast<size_t>(bitnet_sequence_get_end(context_.get(), 0));
        if (result.finish_reason == BITNET_FINISH_CANCELLED) {
            forget_interrupt();
            if (caught_signal() != 0) throw Failure{interrupted_exit_code(), ""};
            note("(stopped)");
        } else if (result.finish_reason == BITNET_FINISH_CONTEXT_FULL) {
            note("(the context is full: the reply ends here; /reset, or start with a larger --ctx)");
        } else if (result.finish_reason == BITNET_FINISH_LENGTH) {
            note("(%d tokens: the reply ends here, see --predict)", options_.n_predict);
        }
        if (input_.on_terminal()) {
            note("[%zu tokens, %.1f tokens/s, %zu of %zu in the context]", result.n_tokens, result.decode_tokens_per_second,
                 used_, n_ctx());
        }
    }

    struct CommandRow {
        const char* name;
        const char* argument;  // "" for none
        const char* help;
        void (Chat::*run)(const std::string& argument);
    };
    static const CommandRow kCommands[];

    void command(const std::string& line) {
        const size_t space = line.find(' ');
        const std::string name = line.substr(1, space == std::string::npos ? std::string::npos : space - 1);
        std::string argument = space == std::string::npos ? "" : line.substr(line.find_first_not_of(' ', space) == std::string::npos
                                                                                 ? line.size()
                                                                                 : line.find_first_not_of(' ', space));
        for (const CommandRow* row = kCommands; row->name != nullptr; ++row) {
            if (name != row->name) continue;
            const bool wants = row->argument[0] != '\0' && row->argument[0] != '[';
            if (wants && argument.empty()) throw Failure{kExitFailure, "/" + name + " needs " + row->argument};
            if (row->argument[0] == '\0' && !argument.empty()) throw Failure{kExitFailure, "/" + name + " takes nothing behind it"};
            (this->*row->run)(argument);
            return;
        }
        throw Failure{kExitFailure, "no command /" + name + "; /help lists them"};
    }

    void help(const std::string&) {
        for (const CommandRow* row = kCommands; row->name != nullptr; ++row) {
            note("  %-24s %s", (std::string("/") + row->name + " " + row->argument).c_str(), row->help);
        }
        note("A line that ends in \\ goes on in the next one; \"\"\" begins and ends a message of many lines.");
    }
    void reset(const std::string&) {
        conversation_.reset();
        note("(the conversation is forgotten)");
    }
    void regenerate(const std::string&) {
        if (conversation_.messages().empty() || conversation_.messages().back().role != "assistant") {
            throw Failure{kExitFailure, "there is no reply to make again"};
        }
        const std::string old = conversation_.messages().back().content;
        conversation_.drop_reply();
        try {
            reply();
        } catch (...) {
            conversation_.add("assistant", old);
            throw;
        }
    }
    void save(const std::string& path) {
        conversation_.save(path);
        note("(saved %zu messages to %s)", conversation_.messages().size(), path.c_str());
    }
    void load(const std::string& path) {
        conversation_.load(path);
        note("(loaded %zu messages from %s)", conversation_.messages().size(), path.c_str());
    }
    void system(const std::string& text) {
        conversation_.set_system(text);
        note(text.empty() ? "(no system message)" : "(the system message is changed)");
    }
    void stats(const std::string&) {
        const auto rate = [](uint64_t n, uint64_t us) { return us != 0 ? static_cast<double>(n) * 1e6 / static_cast<double>(us) : 0.0; };
        note("%zu messages, %llu replies, %zu of %zu tokens in the context", conversation_.messages().size(),
             static_cast<unsigned long long>(totals_.replies), used_, n_ctx());
        note("prompts %llu tokens (%llu of them reused), %.1f tokens/s",
             static_cast<unsigned long long>(totals_.prompt_tokens), static_cast<unsigned long long>(totals_.reused_tokens),
             rate(totals_.prompt_tokens - totals_.reused_tokens, totals_.prefill_us));
        note("replies %llu tokens, %.1f tokens/s; peak memory %s", static_cast<unsigned long long>(totals_.generated_tokens),
             rate(totals_.generated_tokens, totals_.decode_us), format_bytes(peak_memory_bytes()).c_str());
    }
    void quit(const std::string&) { done_ = true; }

    const ChatOptions& options_;
    ModelHandle model_;
    const bitnet_tokenizer* tokenizer_;
    GrammarHandle grammar_;
    const std::vector<bitnet_token> breakers_;  // of DRY
    Conversation conversation_;
    ContextHandle context_;
    LineInput input_;
    const bool colours_;
    Totals totals_;
    uint64_t n_generations_ = 0;
    size_t used_ = 0;
    bool done_ = false;
    bool failed_ = false;
};

const Chat::CommandRow Chat::kCommands[] = {
    {"help", "", "this list", &Chat::help},
    {"reset", "", "forget the conversation, keep the system message", &Chat::reset},
    {"regenerate", "", "another reply to the last message", &Chat::regenerate},
    {"save", "FILE", "write the conversation to a file", &Chat::save},
    {"load", "FILE", "go on with the conversation of a file", &Chat::load},
    {"system", "[TEXT]", "change the system message, or take it away", &Chat::system},
    {"stats", "", "figures of this conversation", &Chat::stats},
    {"quit", "", "end (also Ctrl-D)", &Chat::quit},
    {nullptr, nullptr, nullptr, nullptr},
};

int run_chat(const ChatOptions& options) {
    require_model(options.model.path);
    // A bad parameter should not wait for gigabytes.
    check_sampler(options.sampler.params);
    return Chat(options).run();
}

}  // namespace

Command add_chat_command(CLI::App& app) {
    CLI::App* command = app.add_subcommand("chat", "Talk with a model");
    auto options = std::make_shared<ChatOptions>();
    constexpr int32_t kLargest = std::numeric_limits<int32_t>::max();
    add_model_options(*command, options->model);
    add_cache_options(*command, options->model.type_k, options->model.type_v);
    add_lora_option(*command, options->model);
    command->add_option("--system", options->system, "system message")->type_name("TEXT");
    command
        ->add_option("--format", options->format,
                     "bitnet, llama3, chatml, falcon, gemma, or plain (running text); without it, the model's own")
        ->type_name("NAME");
    command->add_option("--load", options->load_file, "go on with a conversation that /save wrote")->type_name("FILE");
    command->add_option("-n,--predict", options->n_predict, "tokens of a reply at most; -1: no limit")
        ->transform(whole_number<int32_t>(-1, kLargest))
        ->type_name("N")
        ->capture_default_str();
    add_sampler_options(*command, options->sampler);
    add_grammar_options(*command, options->grammar);
    command
        ->add_option("--ctx", options->n_ctx, "context size in tokens; 0: what the model was trained for, at most 4096")
        ->transform(whole_number<int32_t>(-kLargest, kLargest))
        ->type_name("N");
    add_draft_option(*command, options->n_draft);
    command->add_flag("--no-shift", options->no_shift, "refuse a message when the context is full instead of forgetting old turns");
    CLI::Option* history =
        command->add_option("--history", options->history_file,
                            "file of the lines typed; without it chat_history below $XDG_STATE_HOME or ~/.local/state")
            ->type_name("FILE");
    command->add_flag("--no-history", options->no_history, "keep no file of the lines typed")->excludes(history);
    return {command, [options] { return run_chat(*options); }};
}

}  // namespace cli
