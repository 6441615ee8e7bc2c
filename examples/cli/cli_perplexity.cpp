// bitnet perplexity: how well a model predicts a text, in nats per token and bits per byte. Every sum is taken in one
// fixed order with this program's own exp and log, so the digits depend on model and text alone: not on threads,
// kernel, batch or machine. Two programs that print different digits do not compute the same model.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "cli_common.h"
#include "cli_math.h"
#include "cli_platform.h"
#include "perplexity_windows.h"

namespace cli {
namespace {

constexpr std::string_view kStoryEnd = "<|endoftext|>";

constexpr char kConvention[] = R"(What is counted
  The text is tokenized whole, without BOS, and cut into chunks of CTX - 1 tokens.
  Each chunk runs alone behind a BOS, and every token after the BOS is predicted.
  With --stories the text is split at lines that are exactly <|endoftext|>, white
  space around each story is dropped, and each story runs alone: BOS and its first
  CTX - 1 tokens. nats_per_token is the mean of -log p over the predicted tokens,
  bits_per_byte the sum of -log2 p over the bytes that those tokens decode to.
  The digits depend on model and text alone.
With --windows, as llama-perplexity counts: the text with its BOS is cut into windows
  of CTX tokens, BOS takes the place of the first token of each where the model wants
  one, and the second half of each window is predicted. --stride N: a window of
  CTX + N / 2 tokens begins every N tokens, its last N are predicted. Errors are
  standard errors of the mean.
Comparing models (by windows): --kl MODEL takes MODEL as the base and gives the KL
  divergence of -m from it, how often both think the same token likeliest, and how
  the probabilities of the text's tokens differ. --kl-save FILE and --kl-base FILE do
  it in two runs, with files as llama-perplexity writes and reads them (16 bits a
  token, to 16 nats below the likeliest).)";

struct PerplexityOptions {
    ModelOptions model;
    std::string text_file;
    bool stories = false;
    uint64_t limit = 0;
    int32_t n_ctx = 512;
    int32_t n_batch = 0;
    bool json = false;
    WindowOptions windows;
};

// Tokens that are run alone from an empty context. The first is only context: nothing predicts it.
struct Passage {
    std::vector<bitnet_token> tokens;
    uint64_t n_bytes = 0;  // of the predicted tokens
};

struct Score {
    double nats = 0;
    uint64_t n_tokens = 0;
    uint64_t n_bytes = 0;
    uint64_t n_passages = 0;

    double nats_per_token() const { return nats / static_cast<double>(n_tokens); }
    double bits_per_byte() const { return nats / kLn2 / static_cast<double>(n_bytes); }
    double perplexity() const { return nats_per_token() <= 700 ? portable_exp(nats_per_token()) : INFINITY; }
};

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kSpace = " \t\r\n\v\f";
    const size_t begin = text.find_first_not_of(kSpace);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

// The parts between lines that are exactly <|endoftext|>, without surrounding white space, empty ones left out.
std::vector<std::string_view> split_stories(std::string_view text) {
    std::vector<std::string_view> stories;
    const auto add = [&](std::string_view part) {
        part = trimmed(part);
        if (!part.empty()) stories.push_back(part);
    };
    size_t story_begin = 0;
    for (size_t line_begin = 0; line_begin < text.size();) {
        const size_t line_end = std::min(text.find('\n', line_begin), text.size());
        std::string_view line = text.substr(line_begin, line_end - line_begin);
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line == kStoryEnd) {
            add(text.substr(story_begin, line_begin - story_begin));
            story_begin = line_end;
        }
        line_begin = line_end + 1;
    }
    add(text.substr(std::min(story_begin, text.size())));
    return stories;
}

class PassageMaker {
public:
    PassageMaker(const bitnet_tokenizer* tokenizer, int32_t n_ctx)
        : tokenizer_(tokenizer), bos_(get_info(tokenizer).bos), n_ctx_(static_cast<size_t>(n_ctx)) {}

    // BOS and the story's first tokens.
    Passage from_story(std::string_view story) const {
        const std::vector<bitnet_token> tokens = encode(tokenizer_, story, 0);
        return make(tokens, 0, BITNET_DECODE_START);
    }
    // The whole text cut into pieces that fit behind a BOS.
    std::vector<Passage> from_text(std::string_view text, uint64_t limit) const {
        const std::vector<bitnet_token> tokens = encode(tokenizer_, text, 0);
        std::vector<Passage> passages;
        for (size_t begin = 0; begin < tokens.size() && (limit == 0 || passages.size() < limit); begin += room())
            passages.push_back(make(tokens, begin, begin == 0 ? BITNET_DECODE_START : 0));
        return passages;
    }

private:
    // A model without BOS predicts from the first token of the text on.
    size_t room() const { return bos_ >= 0 ? n_ctx_ - 1 : n_ctx_; }

    Passage make(const std::vector<bitnet_token>& tokens, size_t begin, uint32_t flags) const {
        Passage passage;
        const size_t end = begin + std::min(room(), tokens.size() - begin);
        if (bos_ >= 0) passage.tokens.push_back(bos_);
        passage.tokens.insert(passage.tokens.end(), tokens.begin() + static_cast<ptrdiff_t>(begin),
                              tokens.begin() + static_cast<ptrdiff_t>(end));
        if (passage.tokens.size() < 2) return passage;
        passage.n_bytes = decode(tokenizer_, passage.tokens.data(), passage.tokens.size(), flags).size();
        // BOS decodes to nothing. Without one the first token is not predicted, so its bytes do not count.
        if (bos_ < 0) passage.n_bytes -= decode(tokenizer_, passage.tokens.data(), 1, flags).size();
        return passage;
    }

    const bitnet_tokenizer* tokenizer_;
    bitnet_token bos_;
    size_t n_ctx_;
};

// -log softmax(logits)[target], NaN where some logit is not a number below infinity.
double negative_log_probability(const float* logits, size_t n, bitnet_token target, std::vector<double>& scratch) {
    float best = logits[0];
    for (size_t i = 1; i < n; ++i) best = logits[i] > best ? logits[i] : best;
    scratch.resize(n);
    int n_odd = 0;
    for (size_t i = 0; i < n; ++i) {
        const double below = static_cast<double>(logits[i]) - best;
        n_odd += !(below <= 0);
        scratch[i] = portable_exp(below);
    }
    if (n_odd != 0) return NAN;
    double sum = 0;
    for (const double weight : scratch) sum += weight;
    return portable_log(sum) - (static_cast<double>(logits[target]) - best);
}

class Evaluator {
public:
    Evaluator(bitnet_context* context, size_t n_vocab, size_t n_batch)
        : context_(context), n_vocab_(n_vocab), want_output_(n_batch, 1) {}

    void add(const Passage& passage, Score& score) {
        if (passage.tokens.size() < 2) return;
        check(bitnet_sequence_remove(context_, 0, -1, -1));
        // The last token predicts nothing that is known, so it is not run.
        const size_t n = passage.tokens.size() - 1;
        for (size_t begin = 0; begin < n; begin += want_output_.size()) {
            const size_t count = std::min(want_output_.size(), n - begin);
            bitnet_batch batch = {};
            batch.struct_size = sizeof batch;
            batch.n_tokens = static_cast<int32_t>(count);
            batch.tokens = passage.tokens.data() + begin;
            batch.want_output = want_output_.data();
            check(bitnet_context_decode(context_, &batch));
            for (size_t i = 0; i < count; ++i) add_token(passage, begin, i, score);
        }
        score.n_tokens += n;
        score.n_bytes += passage.n_bytes;
        ++score.n_passages;
    }

private:
    void add_token(const Passage& passage, size_t begin, size_t i, Score& score) {
        const float* logits = nullptr;
        check(bitnet_context_get_logits(context_, static_cast<int32_t>(i), &logits));
        const double nats = negative_log_probability(logits, n_vocab_, passage.tokens[begin + i + 1], scratch_);
        if (!std::isfinite(nats))
            throw Failure{kExitFailure, "the model gives no finite probability to token " +
                                            std::to_string(begin + i + 1) + " of part " +
                                            std::to_string(score.n_passages + 1) +
                                            "; its weights or the kernel are damaged"};
        score.nats += nats;
    }

    bitnet_context* context_;
    size_t n_vocab_;
    std::vector<int8_t> want_output_;
    std::vector<double> scratch_;
};

std::string digits(double value) {
    char text[40];
    std::snprintf(text, sizeof text, "%.17g", value);
    return text;
}

void print_score(const PerplexityOptions& options, const Score& score, const bitnet_model_info& info) {
    const char* parts = options.stories ? "stories" : "chunks";
    if (!options.json) {
        write_out("nats_per_token " + digits(score.nats_per_token()) + "\n");
        write_out("bits_per_byte  " + digits(score.bits_per_byte()) + "\n");
        write_out("perplexity     " + digits(score.perplexity()) + "\n");
        write_out("tokens         " + std::to_string(score.n_tokens) + "\n");
        write_out("bytes          " + std::to_string(score.n_bytes) + "\n");
        write_out(std::string(parts) + (options.stories ? "        " : "         ") + std::to_string(score.n_passages) +
                  "\n");
        return;
    }
    // Written by hand: a JSON library prints the shortest digits, and these are to be compared as text.
    write_out("{\"nats_per_token\":" + digits(score.nats_per_token()) +
              ",\"bits_per_byte\":" + digits(score.bits_per_byte()) + ",\"perplexity\":" + digits(score.perplexity()) +
              ",\"nats\":" + digits(score.nats) + ",\"tokens\":" + std::to_string(score.n_tokens) +
              ",\"bytes\":" + std::to_string(score.n_bytes) + ",\"" + parts + "\":" + std::to_string(score.n_passages) +
              ",\"ctx\":" + std::to_string(options.n_ctx) + ",\"text\":" + dump(options.text_file) +
              ",\"model\":" + dump(to_json(info)) + ",\"kernel\":" + dump(info.kernel) + "}\n");
}

// Tokens per decode call: all logits of a call are in memory together, 64 MiB of them unless asked otherwise.
size_t choose_batch(const PerplexityOptions& options, size_t n_vocab) {
    constexpr size_t kLogitBytes = size_t{64} << 20;
    const auto n_ctx = static_cast<size_t>(options.n_ctx);
    if (options.n_batch > 0) return std::min(static_cast<size_t>(options.n_batch), n_ctx);
    return std::clamp<size_t>(kLogitBytes / (sizeof(float) * n_vocab), 1, n_ctx);
}

int run_perplexity(const PerplexityOptions& options) {
    const WindowOptions& windows = options.windows;
    if (options.text_file.empty() && windows.kl_base.empty())
        throw Failure{kExitUsage, "which text? give one with --file"};
    if (windows.wanted || windows.stride > 0 || !(windows.kl_save + windows.kl_base + windows.kl_model).empty()) {
        if (windows.stride > options.n_ctx) throw Failure{kExitUsage, "--stride is larger than --ctx"};
        if (options.n_ctx < 4)
            throw Failure{kExitUsage, "--ctx is less than 4: no window would have tokens to predict"};
        return run_windows(
            {options.model, options.text_file, options.n_ctx, options.n_batch, options.limit, options.json, windows});
    }
    require_model(options.model.path);
    const std::string text = read_text(options.text_file);
    const ModelHandle model = load_model(options.model);
    const bitnet_model_info info = get_info(model.get());
    const bitnet_tokenizer* tokenizer = require_tokenizer(model.get(), options.model.path);
    const auto n_vocab = static_cast<size_t>(info.n_vocab);
    const size_t n_batch = choose_batch(options, n_vocab);

    bitnet_context_params params = bitnet_context_default_params();
    params.n_ctx = options.n_ctx;
    params.n_batch = static_cast<int32_t>(n_batch);
    params.n_threads = options.model.n_threads;
    params.should_abort = abort_on_signal;
    const ContextHandle context = create_context(model.get(), options.model, params);

    const PassageMaker maker(tokenizer, options.n_ctx);
    std::vector<std::string_view> stories;
    std::vector<Passage> chunks;
    if (options.stories)
        stories = split_stories(text);
    else
        chunks = maker.from_text(text, options.limit);
    size_t n_parts = options.stories ? stories.size() : chunks.size();
    if (options.limit > 0) n_parts = static_cast<size_t>(std::min<uint64_t>(n_parts, options.limit));

    Score score;
    Evaluator evaluator(context.get(), n_vocab, n_batch);
    const double start = now_ms();
    {
        ProgressBar bar("evaluating");
        for (size_t i = 0; i < n_parts; ++i) {
            if (caught_signal() != 0) throw Failure{interrupted_exit_code(), ""};
            evaluator.add(options.stories ? maker.from_story(stories[i]) : chunks[i], score);
            bar.update(static_cast<double>(i + 1) / static_cast<double>(n_parts));
        }
    }
    if (score.n_tokens == 0 || score.n_bytes == 0)
        throw Failure{kExitFailure, options.text_file + ": no text to predict"};
    print_score(options, score, info);
    flush_out();
    const double seconds = (now_ms() - start) / 1000;
    std::fprintf(stderr, "%llu tokens in %.1f s, %.1f tokens/s, %d threads, peak memory %s\n",
                 static_cast<unsigned long long>(score.n_tokens), seconds,
                 seconds > 0 ? static_cast<double>(score.n_tokens) / seconds : 0.0,
                 bitnet_context_get_n_threads(context.get()), format_bytes(peak_memory_bytes()).c_str());
    return kExitOk;
}

}  // namespace

Command add_perplexity_command(CLI::App& app) {
    CLI::App* command = app.add_subcommand("perplexity", "Measure how well a model predicts a text");
    auto options = std::make_shared<PerplexityOptions>();
    constexpr int32_t kLargest = std::numeric_limits<int32_t>::max();
    add_model_options(*command, options->model);
    add_cache_options(*command, options->model.type_k, options->model.type_v);
    add_lora_option(*command, options->model);
    CLI::Option* text =
        command->add_option("-f,--file", options->text_file, "text, - for standard input")->type_name("TEXT");
    CLI::Option* stories = command->add_flag("--stories", options->stories, "the text is a list of stories, see below");
    command->add_option("--limit,--chunks", options->limit, "use only the first N stories, chunks or windows; 0: all")
        ->transform(whole_number<uint64_t>(0, std::numeric_limits<uint64_t>::max()))
        ->type_name("N");
    command->add_option("--ctx", options->n_ctx, "tokens of a story or chunk at most, BOS included")
        ->type_name("N")
        ->transform(whole_number<int32_t>(2, kLargest - (1 << 20)))
        ->capture_default_str();
    command
        ->add_option("--batch", options->n_batch,
                     "tokens per decode call; 0: as 64 MiB of logits allow. Never changes a digit")
        ->type_name("N")
        ->transform(whole_number<int32_t>(0, kLargest));
    command->add_flag("--json", options->json, "print one JSON object");
    WindowOptions& windows = options->windows;
    command->add_flag("--windows", windows.wanted, "by windows, as llama-perplexity")->excludes(stories);
    CLI::Option* stride = command->add_option("--stride", windows.stride, "by windows that begin N tokens apart")
                              ->transform(whole_number<int32_t>(1, 1 << 20))
                              ->type_name("N")
                              ->excludes(stories);
    command->add_flag("--running", windows.running, "by windows: show the estimate after each on standard error");
    CLI::Option* kl = command->add_option("--kl", windows.kl_model, "compare with this model, see below");
    kl->type_name("MODEL")->excludes(stories)->excludes(stride);
    CLI::Option* save =
        command->add_option("--kl-save", windows.kl_save, "write what the model predicts, to compare with later");
    save->type_name("FILE")->excludes(stories)->excludes(stride);
    command->add_option("--kl-base", windows.kl_base, "compare with what was written; it holds the text and CTX")
        ->type_name("FILE")
        ->excludes(stories)
        ->excludes(stride)
        ->excludes(kl)
        ->excludes(save)
        ->excludes(text);
    command->footer(kConvention);
    return {command, [options] { return run_perplexity(*options); }};
}

}  // namespace cli
