// Speed of a whole model: prompts and generated tokens at several depths, threads and batches, beside the limits that the
// machine has in the same run.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <random>

#include "bench_options.h"
#include "bench_report.h"
#include "cli_platform.h"

namespace cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// A folder that is gone when the object is.
class TempFolder {
public:
    TempFolder() {
        std::random_device random;
        std::error_code error;
        const fs::path base = fs::temp_directory_path(error);
        for (int tries = 0; !error && tries < 100; ++tries) {
            path_ = base / ("bitnet-bench-" + std::to_string(random()));
            if (fs::create_directory(path_, error)) return;
        }
        path_.clear();
        throw Failure{kExitFailure, "no temporary folder for the synthetic model" +
                                        (error ? ": " + error.message() : std::string()) + "; name a file with --save"};
    }
    ~TempFolder() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;
    std::string file(const char* name) const { return (path_ / name).string(); }

private:
    fs::path path_;
};

void write_synthetic(const BenchOptions& options, const std::string& path) {
    ProgressBar bar("writing the synthetic model");
    bitnet_synthetic_params params = bitnet_synthetic_default_params();
    params.shape = options.synthetic.c_str();
    params.head = options.head.c_str();
    params.on_progress = report_progress;
    params.progress_user_data = &bar;
    check(bitnet_synthetic_write(path.c_str(), &params));
}

// The vocabulary matrix's type as the file has it.
std::string head_type(const bitnet_model* model) {
    std::string type;
    for (size_t i = 0; i < bitnet_model_get_tensor_count(model); ++i) {
        bitnet_tensor_info tensor = {};
        tensor.struct_size = sizeof tensor;
        check(bitnet_model_get_tensor(model, i, &tensor));
        const std::string name = tensor.name;
        if (name == "output.weight") return tensor.type;
        if (name == "token_embd.weight") type = tensor.type;
    }
    return type;
}

struct Loaded {
    ModelHandle model;
    int32_t n_vocab = 0;
    double begin_ms = 0;
};

Loaded load(const BenchOptions& options, Json& report) {
    std::unique_ptr<TempFolder> folder;
    ModelOptions source;
    source.path = options.path;
    source.no_mmap = options.no_mmap;
    source.kernel = options.kernel;
    source.device = options.device;
    source.quantization = options.quantization;
    source.all_logits = options.all_logits;
    if (!options.synthetic.empty()) {
        if (options.save.empty()) folder = std::make_unique<TempFolder>();
        source.path = options.save.empty() ? folder->file("synthetic.gguf") : options.save;
        write_synthetic(options, source.path);
    }
    Loaded loaded;
    loaded.begin_ms = now_ms();
    loaded.model = load_model(source);
    const double load_ms = now_ms() - loaded.begin_ms;
    // A mapped file stays readable without its name, so nothing is left behind whatever ends the program.
    folder.reset();
    const bitnet_model_info info = get_info(loaded.model.get());
    loaded.n_vocab = info.n_vocab;
    Json& model = report["model"];
    model["label"] = options.synthetic.empty() ? model_label(options.path) : "synthetic " + options.synthetic;
    model["synthetic"] = options.synthetic.empty() ? Json(nullptr) : Json(options.synthetic);
    model["head_type"] = head_type(loaded.model.get());
    model.update(to_json(info));
    report["load"] = {{"load_ms", load_ms}, {"prompt_tokens", nullptr}, {"first_token_ms", nullptr}};
    return loaded;
}

// Tokens of no meaning, the same in every run.
class TokenStream {
public:
    explicit TokenStream(int32_t n_vocab) : n_vocab_(static_cast<uint64_t>(n_vocab)) {}
    std::vector<bitnet_token> take(size_t n) {
        std::vector<bitnet_token> tokens(n);
        for (bitnet_token& token : tokens) {
            state_ = state_ * 6364136223846793005u + 1442695040888963407u;  // D. Knuth's MMIX
            token = static_cast<bitnet_token>((state_ >> 33) % n_vocab_);
        }
        return tokens;
    }

private:
    uint64_t n_vocab_;
    uint64_t state_ = 1;
};

struct ContextShape {
    int32_t n_ctx, n_batch, n_seq, n_threads;
};

ContextHandle make_context(const BenchOptions& options, bitnet_model* model, const ContextShape& shape) {
    bitnet_context_params params = bitnet_context_default_params();
    params.n_ctx = shape.n_ctx;
    params.n_batch = shape.n_batch;
    params.n_ubatch = options.n_ubatch;
    params.type_k = options.type_k;
    params.type_v = options.type_v;
    params.n_seq_max = shape.n_seq;
    params.n_threads = shape.n_threads;
    params.should_abort = abort_on_signal;
    bitnet_context* context = nullptr;
    check(bitnet_context_create(model, &params, &context));
    return ContextHandle(context);
}

SamplerHandle make_sampler(const BenchOptions& options) {
    bitnet_sampler_params params = bitnet_sampler_default_params();
    if (options.top_k == 1) params.temperature = 0;
    params.top_k = options.top_k;
    params.has_seed = 1;
    bitnet_sampler* sampler = nullptr;
    check(bitnet_sampler_create(&params, &sampler));
    return SamplerHandle(sampler);
}

// From the file to the first token that is drawn: what a user waits for. All logits would read the whole of a screened head,
// as no later draw does.
void time_first_token(const BenchOptions& options, const Loaded& loaded, Json& report) {
    constexpr int32_t kPrompt = 5;
    const int32_t n_threads = *std::max_element(options.threads.begin(), options.threads.end());
    const ContextHandle context = make_context(options, loaded.model.get(), {64, 64, 1, n_threads});
    const std::vector<bitnet_token> tokens = TokenStream(loaded.n_vocab).take(kPrompt);
    check(bitnet_context_decode_tokens(context.get(), 0, tokens.data(), tokens.size()));
    bitnet_token token = 0;
    check(bitnet_sampler_sample_context(make_sampler(options).get(), context.get(), -1, &token));
    report["load"]["prompt_tokens"] = kPrompt;
    report["load"]["first_token_ms"] = now_ms() - loaded.begin_ms;
}

// A prompt or generation that is measured.
struct Test {
    std::string name;  // "pp512"
    int32_t n_tokens;  // of each sequence
    bool prompt;
};

// All tests with one number of threads and of sequences.
class Phase {
public:
    Phase(const BenchOptions& options, const Loaded& loaded, int32_t n_threads, int32_t batch, const Json& limit,
          Json& report)
        : options_(options), limit_(limit), report_(report), threads_(n_threads), batch_(batch),
          energy_(options.powercap), tokens_(loaded.n_vocab) {
        if (batch == 1) {
            for (const int32_t n : options.prompts) add_test("pp", n, true);
        }
        if (std::find(options.batches.begin(), options.batches.end(), batch) != options.batches.end()) {
            for (const int32_t n : options.generated) add_test("tg", n, false);
        }
        int64_t longest = 1, prompt = 1;
        for (const Test& test : tests_) longest = std::max<int64_t>(longest, test.n_tokens);
        if (batch == 1) prompt = std::max<int64_t>(prompt, options.prompts.back());
        const int64_t depth = options.depths.back();
        const int64_t n_ctx = (depth + longest) * batch;
        const int64_t piece = depth > 0 ? options.n_ubatch : 1;
        const int64_t n_batch = std::min(n_ctx, std::max({piece, prompt, int64_t{batch}}));
        context_ = make_context(options, loaded.model.get(),
                                {static_cast<int32_t>(n_ctx), static_cast<int32_t>(n_batch), batch, n_threads});
    }

    bool has_tests() const { return !tests_.empty(); }
    size_t n_tests() const { return tests_.size() * options_.depths.size(); }
    const bitnet_context* context() const { return context_.get(); }

    // *state: of a sequence of the largest depth, made by the first phase and used by the others.
    void run(std::vector<char>* state, const std::function<void()>& on_result) {
        for (const int32_t depth : options_.depths) {  // rising
            fill(depth, *state);
            for (const Test& test : tests_) {
                measure(test, depth);
                on_result();
            }
        }
        const int32_t deepest = options_.depths.back();
        if (deepest == 0 || !state->empty()) return;
        *state = fetch<char>(0, [&](char* buffer, size_t capacity, size_t* size) {
            return bitnet_sequence_save(context_.get(), 0, buffer, capacity, size);
        });
    }

private:
    void add_test(const char* prefix, int32_t n, bool prompt) {
        if (n > 0) tests_.push_back({prefix + std::to_string(n), n, prompt});
    }

    // Every sequence gets depth tokens in cells of its own, so that attention reads as much as for different texts.
    void fill(int32_t depth, const std::vector<char>& state) {
        if (depth == 0) return;
        const int32_t held = bitnet_sequence_get_end(context_.get(), 0);
        if (!state.empty()) {
            load_state(0, state, depth);
        } else {
            ProgressBar bar("filling the context to " + std::to_string(depth));
            const std::vector<bitnet_token> tokens = tokens_.take(static_cast<size_t>(depth - held));
            const auto piece = static_cast<size_t>(options_.n_ubatch);
            for (size_t done = 0; done < tokens.size(); done += piece) {
                const size_t n = std::min(piece, tokens.size() - done);
                check(bitnet_context_decode_tokens(context_.get(), 0, tokens.data() + done, n));
                bar.update(static_cast<double>(done + n) / static_cast<double>(tokens.size()));
            }
        }
        if (batch_ == 1) return;
        std::vector<char> own;
        if (state.empty()) {
            own = fetch<char>(0, [&](char* buffer, size_t capacity, size_t* size) {
                return bitnet_sequence_save(context_.get(), 0, buffer, capacity, size);
            });
        }
        for (int32_t i = 1; i < batch_; ++i) load_state(i, state.empty() ? own : state, depth);
    }

    void load_state(int32_t seq_id, const std::vector<char>& state, int32_t depth) {
        check(bitnet_sequence_load(context_.get(), seq_id, state.data(), state.size()));
        check(bitnet_sequence_remove(context_.get(), seq_id, depth, -1));
    }

    void rewind(int32_t depth) { check(bitnet_sequence_remove(context_.get(), -1, depth, -1)); }

    // A token for each of the last decode's sequences; a decode may leave logits that nobody asks for to be computed.
    void draw(int32_t n) {
        for (int32_t i = 0; i < n; ++i) {
            bitnet_token token = 0;
            check(bitnet_sampler_sample_context(sampler_.get(), context_.get(), n == 1 ? -1 : i, &token));
        }
    }

    // Milliseconds of one repetition.
    double run_once(const Test& test, int32_t depth, int32_t n_tokens) {
        const std::vector<bitnet_token> tokens =
            tokens_.take(static_cast<size_t>(n_tokens) * static_cast<size_t>(batch_));
        std::vector<bitnet_seq_id> seq_ids(static_cast<size_t>(batch_));
        for (size_t i = 0; i < seq_ids.size(); ++i) seq_ids[i] = static_cast<bitnet_seq_id>(i);
        const double begin = now_ms();
        if (test.prompt) {
            check(bitnet_context_decode_tokens(context_.get(), 0, tokens.data(), tokens.size()));
            draw(1);
        } else {
            bitnet_batch batch = {};
            batch.struct_size = sizeof batch;
            batch.n_tokens = batch_;
            batch.seq_ids = seq_ids.data();
            for (int32_t i = 0; i < n_tokens; ++i) {
                batch.tokens = tokens.data() + static_cast<size_t>(i) * static_cast<size_t>(batch_);
                check(bitnet_context_decode(context_.get(), &batch));
                draw(batch_);
            }
        }
        const double ms = now_ms() - begin;
        rewind(depth);
        return ms;
    }

    // The bytes that one repetition has to read and write, and its operations.
    bitnet_pass_work work_of(const Test& test, int32_t depth) const {
        bitnet_pass_work all = {};
        const int32_t n_steps = test.prompt ? 1 : test.n_tokens;
        for (int32_t i = 0; i < n_steps; ++i) {
            bitnet_pass_shape shape = {};
            shape.struct_size = sizeof shape;
            shape.n_seq = batch_;
            shape.n_tokens = test.prompt ? test.n_tokens : 1;
            shape.n_past = depth + (test.prompt ? 0 : i);
            bitnet_pass_work work = {};
            work.struct_size = sizeof work;
            check(bitnet_context_get_pass_work(context_.get(), &shape, &work));
            all.layer_bytes = work.layer_bytes;
            all.head_bytes = work.head_bytes;
            all.kv_bytes += work.kv_bytes;
            all.total_bytes += work.total_bytes;
            all.int8_ops += work.int8_ops;
            all.float_ops += work.float_ops;
        }
        return all;
    }

    void measure(const Test& test, int32_t depth) {
        run_once(test, depth, test.prompt ? test.n_tokens : std::min(test.n_tokens, 2));  // warms caches and threads
        const double n_tokens = static_cast<double>(test.n_tokens) * batch_;
        std::vector<double> samples;
        const OtherPrograms others;
        energy_.start();
        std::optional<double> joules;
        try {
            for (int32_t i = 0; i < options_.repetitions; ++i) {
                const double ms = run_once(test, depth, test.n_tokens);
                samples.push_back(n_tokens / std::max(ms * 1e-3, 1e-9));
            }
            joules = energy_.joules();
        } catch (const Failure&) {
            if (caught_signal() == 0) throw;
            if (!samples.empty()) add_result(test, depth, samples, joules, others.cpus());
            throw;
        }
        add_result(test, depth, samples, joules, others.cpus());
    }

    void add_result(const Test& test, int32_t depth, const std::vector<double>& samples, std::optional<double> joules,
                    std::optional<double> other_cpus) {
        const Summary speed = summarize(samples);
        const bitnet_pass_work work = work_of(test, depth);
        const double n_tokens = static_cast<double>(test.n_tokens) * batch_;
        const double bytes = static_cast<double>(work.total_bytes) / n_tokens,
                     ops = static_cast<double>(work.int8_ops) / n_tokens;
        Json result = {{"test", test.name},
                       {"threads", threads_},
                       {"batch", batch_},
                       {"depth", depth},
                       {"tokens_per_second", speed.median},
                       {"spread", speed.spread},
                       {"samples", samples},
                       {"tokens", test.n_tokens},
                       {"layer_bytes", work.layer_bytes},
                       {"head_bytes", work.head_bytes},
                       {"bytes_per_token", bytes},
                       {"kv_bytes_per_token", static_cast<double>(work.kv_bytes) / n_tokens},
                       {"bytes_per_second", bytes * speed.median},
                       {"memory_share", share_of(bytes * speed.median, limit_, "read_bytes_per_second")},
                       {"int8_ops_per_token", ops},
                       {"float_ops_per_token", static_cast<double>(work.float_ops) / n_tokens},
                       {"int8_ops_per_second", ops * speed.median},
                       {"int8_share", share_of(ops * speed.median, limit_, "int8_ops_per_second")},
                       {"joules_per_token", nullptr},
                       {"other_cpus", nullptr}};
        if (joules) result["joules_per_token"] = *joules / (n_tokens * static_cast<double>(samples.size()));
        if (other_cpus) result["other_cpus"] = *other_cpus;
        report_["results"].push_back(std::move(result));
    }

    const BenchOptions& options_;
    const Json limit_;
    Json& report_;
    const int32_t threads_, batch_;
    EnergyMeter energy_;
    TokenStream tokens_;
    std::vector<Test> tests_;
    ContextHandle context_;
    SamplerHandle sampler_ = make_sampler(options_);
};

Json memory_of(const bitnet_context* context, bool peak_is_ours) {
    bitnet_memory_info info = {};
    info.struct_size = sizeof info;
    check(bitnet_context_get_memory(context, &info));
    const uint64_t peak = peak_is_ours ? peak_memory_bytes() : 0;
    return {{"peak_bytes", peak != 0 ? Json(peak) : Json(nullptr)},
            {"weight_bytes", info.weights_mapped_bytes + info.weights_owned_bytes},
            {"kv_bytes", info.kv_bytes},
            {"scratch_bytes", info.scratch_bytes},
            {"n_ctx", bitnet_context_get_n_ctx(context)}};
}

void add_notes(const BenchOptions& options, Json& report) {
    Json& notes = report["notes"];
    const EnergyMeter energy(options.powercap);
    if (!energy.available()) notes.push_back("no joules per token: " + energy.problem());
    if (report["memory"].is_object() && report["memory"]["peak_bytes"].is_null())
        notes.push_back("no peak memory: this system does not start its peak anew, and measuring the limits is in it");
    constexpr double kDisturbed = 0.1;
    size_t n_disturbed = 0;
    for (const Json& result : report["results"])
        n_disturbed += !result["other_cpus"].is_null() && result["other_cpus"].get<double>() > kDisturbed ? 1 : 0;
    if (n_disturbed > 0)
        notes.push_back("other programs used the CPUs during " + std::to_string(n_disturbed) + " of " +
                        std::to_string(report["results"].size()) + " results: do not believe them");
}

}  // namespace

void bench_model(const BenchOptions& options, Json& report) {
    report["memory"] = nullptr;
    const Loaded loaded = load(options, report);
    time_first_token(options, loaded, report);
    std::vector<int32_t> batches = options.batches;
    const bool prompts = std::any_of(options.prompts.begin(), options.prompts.end(), [](int32_t n) { return n > 0; });
    if (prompts && std::find(batches.begin(), batches.end(), 1) == batches.end()) batches.insert(batches.begin(), 1);
    const auto n_wanted = [](const std::vector<int32_t>& list) {
        return static_cast<size_t>(std::count_if(list.begin(), list.end(), [](int32_t n) { return n > 0; }));
    };
    const size_t n_results = options.threads.size() * options.depths.size() *
                             (n_wanted(options.prompts) + n_wanted(options.generated) * options.batches.size());
    std::vector<char> state;
    ProgressBar bar("measuring");
    const auto on_result = [&] {
        bar.update(static_cast<double>(report["results"].size()) / static_cast<double>(n_results));
    };
    for (const int32_t n_threads : options.threads) {
        const Json limit = measure_limits(options, n_threads);
        if (!limit.is_null()) report["limits"].push_back(limit);
        const bool peak_is_ours = limit.is_null() || reset_peak_memory();
        for (const int32_t batch : batches) {
            Phase phase(options, loaded, n_threads, batch, limit, report);
            if (!phase.has_tests()) continue;
            const bool first = report["memory"].is_null();
            if (first) report["memory"] = memory_of(phase.context(), peak_is_ours);
            phase.run(&state, [&] {
                // With what is kept for later contexts there is more than model and context.
                if (first && state.empty()) report["memory"] = memory_of(phase.context(), peak_is_ours);
                on_result();
            });
        }
    }
    bar.clear();
    add_notes(options, report);
}

}  // namespace cli
