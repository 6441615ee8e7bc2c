// The helpers of cli_common.h.
#include "cli_common.h"

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "cli_platform.h"
#include "examples/stories/default_model.h"

namespace cli {
namespace {

std::string unwritten;  // standard output that waits for flush_out()

constexpr size_t kLargestText = size_t{1} << 30;  // /dev/zero would never end

constexpr int64_t kBarDelayMs = 300;  // quicker work shows no bar: a flash is only noise

}  // namespace

int32_t report_progress(float progress, void* user_data) {
    static_cast<ProgressBar*>(user_data)->update(progress);
    return caught_signal();
}

int interrupted_exit_code() { return 128 + caught_signal(); }

void check(bitnet_status status) {
    if (status == BITNET_OK) return;
    if (status == BITNET_E_CANCELLED && caught_signal() != 0) throw Failure{interrupted_exit_code(), ""};
    throw Failure{kExitFailure, bitnet_last_error()};
}

void add_model_options(CLI::App& app, ModelOptions& options) {
    app.add_option("-m,--model", options.path, "GGUF file of the model; without it, the model built into this program")
        ->type_name("FILE");
    add_hub_options(app, options);
    app.add_option("--tokenizer", options.tokenizer,
                   "tokenizer.json, tokenizer.model, GGUF file or folder to use instead of the model's own")
        ->type_name("PATH");
    constexpr int32_t kLargest = std::numeric_limits<int32_t>::max();
    app.add_option("-t,--threads", options.n_threads,
                   "threads; 0: as many as the process may use. Never changes a result")
        ->transform(whole_number<int32_t>(-kLargest, kLargest))
        ->type_name("N");
    add_device_option(app, options.device);
    app.add_option("--kernel", options.kernel, "kernel or level to use, see: bitnet kernels")->type_name("NAME");
    add_quantization_option(app, options.quantization);
    app.add_flag("--all-logits", options.all_logits,
                 "keep no int8 copy of a large float vocabulary matrix: every row is multiplied for every token");
    app.add_option("--tl-tiling", options.tl_tiling,
                   "tile sizes of a TL1 or TL2 model's conversion: BM,BK,bm, or MxK:BM,BK,bm;..., preset or setup_env")
        ->type_name("TILES");
    app.add_flag("--no-mmap", options.no_mmap, "read the file into memory instead of mapping it");
}

void add_draft_option(CLI::App& app, int32_t& n_draft) {
    constexpr int32_t kLargest = std::numeric_limits<int32_t>::max();
    app.add_option("--draft", n_draft,
                   "1 to 16: guess up to so many tokens ahead where the text repeats itself; never changes the text")
        ->transform(whole_number<int32_t>(-kLargest, kLargest))
        ->type_name("N");
}

void add_device_option(CLI::App& app, std::string& device) {
    app.add_option("--device", device,
                   "where to compute: cpu, cuda:0, several GPUs (cuda:0,cuda:1 or cuda:all; with ,cpu behind the CPU where they "
                   "cannot), auto; see: bitnet devices. Never changes a result")
        ->type_name("NAME");
}

void add_quantization_option(CLI::App& app, std::string& quantization) {
    app.add_option("--quantization", quantization,
                   "how ternary matrices lie in memory: i2s, t5, tl1, tl2, or auto for the fastest, which is measured. "
                   "Never changes a result")
        ->type_name("NAME");
}

void add_cache_options(CLI::App& app, int32_t& type_k, int32_t& type_v) {
    static const std::vector<std::pair<std::string, int32_t>> kTypes = {
        {"f16", BITNET_KV_F16}, {"q8_0", BITNET_KV_Q8_0}, {"q4_0", BITNET_KV_Q4_0}};
    const auto add = [&app](const char* name, int32_t& type, const char* of) {
        app.add_option(name, type, std::string("how the context keeps ") + of + ": f16, q8_0 or q4_0; changes results")
            ->transform(CLI::CheckedTransformer(kTypes))
            ->type_name("TYPE");
    };
    add("--cache-type-k", type_k, "keys");
    add("--cache-type-v", type_v, "values");
}

void add_sampler_options(CLI::App& app, SamplerOptions& options) {
    // What a parameter may hold is the library's to say; here a number only has to be one.
    constexpr int32_t kLargest = std::numeric_limits<int32_t>::max();
    bitnet_sampler_params& sampler = options.params;
    const auto add_float = [&app](const char* name, float& value, const char* type, const char* help) {
        app.add_option(name, value, help)->type_name(type)->capture_default_str()->group("Sampling");
    };
    const auto add_int = [&app](const char* name, int32_t& value, const char* type, const char* help) {
        app.add_option(name, value, help)
            ->type_name(type)
            ->transform(whole_number<int32_t>(-kLargest, kLargest))
            ->capture_default_str()
            ->group("Sampling");
    };
    add_float("--temp", sampler.temperature, "T", "temperature; 0: always the best token");
    add_int("--top-k", sampler.top_k, "K", "draw from the K best; 0: off");
    add_float("--top-p", sampler.top_p, "P", "draw from the best that hold this probability; 1: off");
    add_float("--min-p", sampler.min_p, "P", "drop tokens below this share of the best one's probability; 0: off");
    add_float("--typical-p", sampler.typical_p, "P", "draw from the most typical that hold this probability; 1: off");
    add_float("--top-n-sigma", sampler.top_n_sigma, "N",
              "drop logits more than N standard deviations below the best; 0: off");
    add_float("--dynatemp-range", sampler.dynatemp_range, "R",
              "temperature up to R lower where the model is sure, up to R higher where it is not; 0: off");
    add_float("--dynatemp-exponent", sampler.dynatemp_exponent, "E", "how the temperature follows the entropy");
    add_float("--repeat-penalty", sampler.repetition_penalty, "R",
              "weaken the latest tokens, those of the prompt included; 1: off");
    add_float("--frequency-penalty", sampler.frequency_penalty, "F", "weaken them for each time they came; 0: off");
    add_float("--presence-penalty", sampler.presence_penalty, "F", "weaken them once; 0: off");
    add_int("--repeat-last-n", sampler.penalty_last_n, "N", "tokens that these penalties look at; -1: all");
    add_float("--dry-multiplier", sampler.dry_multiplier, "M",
              "weaken tokens that go on with a repetition (DRY); usual is 0.8; 0: off");
    add_float("--dry-base", sampler.dry_base, "B", "by how much more for each token of the repetition");
    add_int("--dry-allowed-length", sampler.dry_allowed_length, "N", "shortest repetition that is weakened");
    add_int("--dry-penalty-last-n", sampler.dry_penalty_last_n, "N", "tokens in which repetitions are looked for");
    app.add_option("--dry-breaker", options.dry_breakers,
                   "repetitions end at tokens with this text; may be given several times; empty: at none. Without it "
                   "line breaks, colons, double quotes and asterisks")
        ->type_name("TEXT")
        ->allow_extra_args(false)
        ->group("Sampling");
    add_float("--xtc-probability", sampler.xtc_probability, "P", "chance to leave out the top choices (XTC); 0: off");
    add_float("--xtc-threshold", sampler.xtc_threshold, "P",
              "a top choice has at least this probability; the least likely of them stays");
    add_int("--mirostat", sampler.mirostat, "1|2",
            "hold the surprise of the text instead of the filters, by this algorithm; 0: off");
    add_float("--mirostat-tau", sampler.mirostat_tau, "BITS", "surprise to hold");
    add_float("--mirostat-eta", sampler.mirostat_eta, "E", "how fast mirostat learns");
    app.add_option_function<uint64_t>(
           "--seed",
           [&sampler](const uint64_t& seed) {
               sampler.has_seed = 1;
               sampler.seed = seed;
           },
           "seed of the draws; without it $BITNET_SEED, or a fresh one, which the figures name")
        ->transform(whole_number<uint64_t>(0, std::numeric_limits<uint64_t>::max()))
        ->type_name("S")
        ->group("Sampling");
}

void check_sampler(const bitnet_sampler_params& params) {
    bitnet_sampler* sampler = nullptr;
    check(bitnet_sampler_create(&params, &sampler));
    bitnet_sampler_free(sampler);
}

std::vector<bitnet_token> find_breakers(const bitnet_tokenizer* tokenizer, const SamplerOptions& options) {
    std::vector<bitnet_token> all;
    if (options.params.dry_multiplier == 0) return all;
    for (const std::string& text : options.dry_breakers) {
        if (text.empty()) continue;
        const auto found = fetch<bitnet_token>(1024, [&](bitnet_token* out, size_t capacity, size_t* n) {
            return bitnet_tokenizer_find_tokens(tokenizer, text.data(), text.size(), out, capacity, n);
        });
        all.insert(all.end(), found.begin(), found.end());
    }
    return all;
}

void require_model(const std::string& path) {
    size_t size = 0;
    if (path.empty() && default_model_bytes(&size) == nullptr)
        throw Failure{kExitUsage, "no model given, and this build has no default model; pass one with -m FILE"};
}

std::string model_label(const std::string& path) { return path.empty() ? "the default model" : path; }

bitnet_status load_model(const std::string& path, const bitnet_model_params& params, bitnet_model** out_model) {
    require_model(path);
    if (!path.empty()) return bitnet_model_load(path.c_str(), &params, out_model);
    size_t size = 0;
    const void* bytes = default_model_bytes(&size);
    return bitnet_model_load_from_memory(bytes, size, &params, out_model);
}

ModelHandle load_model(const ModelOptions& options) {
    ProgressBar bar("loading");
    bitnet_model_params params = bitnet_model_default_params();
    params.use_mmap = options.no_mmap ? 0 : 1;
    params.n_threads = options.n_threads;
    params.device = options.device.empty() ? nullptr : options.device.c_str();
    params.kernel = options.kernel.empty() ? nullptr : options.kernel.c_str();
    params.tokenizer_path = options.tokenizer.empty() ? nullptr : options.tokenizer.c_str();
    params.quantization = options.quantization.empty() ? nullptr : options.quantization.c_str();
    if (options.all_logits) params.screen_head = 0;
    params.tl_tiling = options.tl_tiling.empty() ? nullptr : options.tl_tiling.c_str();
    params.on_progress = report_progress;
    params.progress_user_data = &bar;
    bitnet_model* model = nullptr;
    check(load_model(options.path, params, &model));
    return ModelHandle(model);
}

bitnet_model_info get_info(const bitnet_model* model) {
    bitnet_model_info info = {};
    info.struct_size = sizeof info;
    check(bitnet_model_get_info(model, &info));
    return info;
}

bitnet_tokenizer_info get_info(const bitnet_tokenizer* tokenizer) {
    bitnet_tokenizer_info info = {};
    info.struct_size = sizeof info;
    check(bitnet_tokenizer_get_info(tokenizer, &info));
    return info;
}

nlohmann::ordered_json to_json(const bitnet_model_info& info) {
    // As double a float shows digits it never had: 1e-05 would read 9.999999747378752e-06.
    const auto plain = [](float value) {
        char text[32];
        std::snprintf(text, sizeof text, "%.7g", static_cast<double>(value));
        return std::strtod(text, nullptr);
    };
    return {{"architecture", info.architecture},
            {"name", info.name},
            {"quantization", info.quantization},
            {"kernel", info.kernel},
            {"n_vocab", info.n_vocab},
            {"n_ctx_train", info.n_ctx_train},
            {"n_embd", info.n_embd},
            {"n_layer", info.n_layer},
            {"n_head", info.n_head},
            {"n_head_kv", info.n_head_kv},
            {"head_dim", info.head_dim},
            {"n_ff", info.n_ff},
            {"rope_freq_base", plain(info.rope_freq_base)},
            {"rms_norm_eps", plain(info.rms_norm_eps)},
            {"n_tensors", info.n_tensors},
            {"n_parameters", info.n_parameters},
            {"n_file_bytes", info.n_file_bytes},
            {"bits_per_weight", info.bits_per_weight}};
}

nlohmann::ordered_json performance_json(const bitnet_context* context) {
    bitnet_performance_metrics m = {};
    m.struct_size = sizeof m;
    check(bitnet_context_get_performance(context, &m));
    nlohmann::ordered_json json = {{"backend_type", m.backend_type},
                                   {"n_inferences", m.n_inferences},
                                   {"tokens_generated", m.tokens_generated},
                                   {"tokens_per_second", m.tokens_per_second}};
    const auto ms = [](uint64_t us) { return static_cast<double>(us) / 1000; };
    const auto add = [&](uint32_t bit, const char* name, const nlohmann::ordered_json& value) {
        if ((m.present & bit) != 0) json[name] = value;
    };
    json["total_latency_ms"] = ms(m.total_latency_us);
    add(BITNET_METRIC_HAS_FIRST_TOKEN, "first_token_latency_ms", ms(m.first_token_latency_us));
    add(BITNET_METRIC_HAS_AVERAGE_TOKEN, "average_token_latency_ms", ms(m.average_token_latency_us));
    add(BITNET_METRIC_HAS_CACHE_HIT_RATE, "cache_hit_rate", m.cache_hit_rate);
    add(BITNET_METRIC_HAS_MEMORY, "memory_usage_bytes", m.memory_usage_bytes);
    add(BITNET_METRIC_HAS_ENCODE, "tokenizer_encode_time_ms", ms(m.encode_us));
    add(BITNET_METRIC_HAS_DETOKENIZE, "tokenizer_decode_time_ms", ms(m.detokenize_us));
    add(BITNET_METRIC_HAS_FORWARD, "forward_pass_time_ms", ms(m.forward_us));
    add(BITNET_METRIC_HAS_SAMPLING, "sampling_time_ms", ms(m.sampling_us));
    json["error_count"] = m.error_count;
    json["error_rate"] = m.error_rate;
    json["efficiency_ratio"] = bitnet_performance_metrics_get_efficiency_ratio(&m);
    return json;
}

const bitnet_tokenizer* require_tokenizer(const bitnet_model* model, const std::string& path) {
    const bitnet_tokenizer* tokenizer = bitnet_model_get_tokenizer(model);
    if (tokenizer == nullptr)
        throw Failure{kExitFailure, model_label(path) +
                                        ": the file has no tokenizer that this build can run; "
                                        "use a model file with its tokenizer inside"};
    return tokenizer;
}

int32_t abort_on_signal(void*) { return caught_signal(); }

std::vector<bitnet_token> encode(const bitnet_tokenizer* tokenizer, std::string_view text, uint32_t flags) {
    return fetch<bitnet_token>(text.size() / 2 + 16, [&](bitnet_token* tokens, size_t capacity, size_t* out_n) {
        return bitnet_tokenizer_encode(tokenizer, text.data(), text.size(), flags, tokens, capacity, out_n);
    });
}

std::string decode(const bitnet_tokenizer* tokenizer, const bitnet_token* tokens, size_t n_tokens, uint32_t flags) {
    const std::vector<char> bytes = fetch<char>(8 * n_tokens + 64, [&](char* buffer, size_t capacity, size_t* out_n) {
        return bitnet_tokenizer_decode(tokenizer, tokens, n_tokens, flags, buffer, capacity, out_n);
    });
    return std::string(bytes.begin(), bytes.end());
}

std::string get_piece(const bitnet_tokenizer* tokenizer, bitnet_token token) {
    const char* piece = nullptr;
    size_t n_bytes = 0;
    check(bitnet_tokenizer_get_piece(tokenizer, token, &piece, &n_bytes));
    return std::string(piece, n_bytes);
}

std::string read_text(const std::string& path) {
    const bool from_stdin = path == "-";
    FILE* file = from_stdin ? stdin : std::fopen(path.c_str(), "rb");
    if (file == nullptr) throw Failure{kExitFailure, path + ": cannot be opened: " + std::strerror(errno)};
    std::string text;
    char buffer[65536];
    size_t n = 0;
    while (text.size() <= kLargestText && (n = std::fread(buffer, 1, sizeof buffer, file)) > 0) text.append(buffer, n);
    const int error = std::ferror(file) != 0 ? errno : 0;
    if (!from_stdin) std::fclose(file);
    if (caught_signal() != 0) throw Failure{interrupted_exit_code(), ""};
    if (text.size() > kLargestText)
        throw Failure{kExitFailure, (from_stdin ? "standard input" : path) + ": larger than 1 GiB; cut the text"};
    if (error != 0)
        throw Failure{kExitFailure,
                      (from_stdin ? "standard input" : path) + ": cannot be read: " + std::strerror(error)};
    return text;
}

void write_file(const std::string& path, std::string_view bytes) {
    const std::string part = path + ".part";
    FILE* file = std::fopen(part.c_str(), "wb");
    if (file == nullptr) throw Failure{kExitFailure, path + ": cannot be written: " + std::strerror(errno)};
    bool ok = std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
    ok = std::fflush(file) == 0 && ok;
    int error = errno;
    ok = std::fclose(file) == 0 && ok;
    if (ok && (error = replace_file(part.c_str(), path.c_str())) == 0) return;
    std::remove(part.c_str());
    throw Failure{kExitFailure, path + ": cannot be written: " + std::strerror(error)};
}

void require_folder_of(const std::string& path) {
    const std::filesystem::path folder = std::filesystem::path(path).parent_path();
    std::error_code ignored;
    if (!folder.empty() && !std::filesystem::is_directory(folder, ignored))
        throw Failure{kExitFailure, path + ": the folder does not exist; make it first"};
}

void write_out(std::string_view bytes) {
    constexpr size_t kFlushBytes = 65536;
    unwritten.append(bytes);
    if (unwritten.size() >= kFlushBytes) flush_out();
}

void flush_out() {
    const int error = write_stdout(unwritten);
    unwritten.clear();
    // The reader went away, as in `bitnet run ... | head -1`: not worth a word.
    if (error == EPIPE) throw Failure{kExitClosedPipe, ""};
    if (error != 0)
        throw Failure{kExitFailure, std::string("standard output cannot be written: ") + std::strerror(error)};
}

std::string printable(std::string_view text, bool keep_line_breaks) {
    static const char kDigits[] = "0123456789abcdef";
    std::string safe;
    safe.reserve(text.size());
    for (size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        // C1 controls (U+0080..U+009F) are two bytes in UTF-8, C2 80..9F; some terminals obey them too.
        const bool second_of_c1 =
            byte >= 0x80 && byte < 0xa0 && i > 0 && static_cast<unsigned char>(text[i - 1]) == 0xc2;
        const bool control = byte < 0x20 || byte == 0x7f || second_of_c1;
        if (!control || (keep_line_breaks && (byte == '\n' || byte == '\t'))) {
            safe += text[i];
            continue;
        }
        if (second_of_c1) safe.pop_back();
        safe += "\\x";
        safe += kDigits[byte >> 4];
        safe += kDigits[byte & 15];
    }
    return safe;
}

std::string dump(const nlohmann::ordered_json& value) {
    return value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string format_bytes(uint64_t n_bytes) {
    char text[64];
    std::snprintf(text, sizeof text, "%.1f MiB", static_cast<double>(n_bytes) / (1024.0 * 1024.0));
    return text;
}

ProgressBar::ProgressBar(std::string label)
    : label_(std::move(label)), enabled_(stderr_is_terminal()), start_ms_(static_cast<int64_t>(now_ms())) {}

ProgressBar::~ProgressBar() { clear(); }

void ProgressBar::clear() {
    if (shown_percent_ >= 0) std::fprintf(stderr, "\r\033[K");
    shown_percent_ = -1;
}

void ProgressBar::update(double fraction) {
    if (!enabled_ || static_cast<int64_t>(now_ms()) - start_ms_ < kBarDelayMs) return;
    if (fraction >= 1) return clear();  // what was waited for is there
    const int percent = fraction > 0 ? static_cast<int>(fraction * 100) : 0;
    if (percent == shown_percent_) return;
    shown_percent_ = percent;
    constexpr int kWidth = 40;
    const std::string done(static_cast<size_t>(percent * kWidth / 100), '#');
    std::fprintf(stderr, "\r%s [%-*s] %3d%%", label_.c_str(), kWidth, done.c_str(), percent);
    std::fflush(stderr);
}

std::vector<std::string> runnable_levels(const char* type) {
    std::vector<std::string> levels;
    for (size_t i = 0; i < bitnet_kernel_get_count(); ++i) {
        bitnet_kernel_info info = {};
        info.struct_size = sizeof info;
        check(bitnet_kernel_get_info(i, &info));
        if (info.runnable == 0 || (type != nullptr && std::strcmp(info.type, type) != 0)) continue;
        if (std::find(levels.begin(), levels.end(), info.level) == levels.end()) levels.emplace_back(info.level);
    }
    return levels;
}

double now_ms() {
    const auto since = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration<double, std::milli>(since).count();
}

}  // namespace cli
