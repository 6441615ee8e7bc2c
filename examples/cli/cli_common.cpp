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

int32_t report_load(float progress, void* user_data) {
    static_cast<ProgressBar*>(user_data)->update(progress);
    return caught_signal();
}

}  // namespace

int interrupted_exit_code() { return 128 + caught_signal(); }

void check(bitnet_status status) {
    if (status == BITNET_OK) return;
    if (status == BITNET_E_CANCELLED && caught_signal() != 0) throw Failure{interrupted_exit_code(), ""};
    throw Failure{kExitFailure, bitnet_last_error()};
}

void add_model_options(CLI::App& app, ModelOptions& options) {
    app.add_option("-m,--model", options.path, "GGUF file of the model; without it, the model built into this program")
        ->type_name("FILE");
    constexpr int32_t kLargest = std::numeric_limits<int32_t>::max();
    app.add_option("-t,--threads", options.n_threads,
                   "threads; 0: as many as the process may use. Never changes a result")
        ->transform(whole_number<int32_t>(-kLargest, kLargest))
        ->type_name("N");
    app.add_option("--kernel", options.kernel, "kernel or level to use, see: bitnet kernels")->type_name("NAME");
    app.add_flag("--no-mmap", options.no_mmap, "read the file into memory instead of mapping it");
}

void add_sampler_options(CLI::App& app, bitnet_sampler_params& sampler) {
    // What a parameter may hold is the library's to say; here a number only has to be one.
    constexpr int32_t kLargest = std::numeric_limits<int32_t>::max();
    app.add_option("--temp", sampler.temperature, "temperature; 0: always the best token")
        ->type_name("T")
        ->capture_default_str();
    app.add_option("--top-k", sampler.top_k, "draw from the K best; 0: off")
        ->transform(whole_number<int32_t>(-kLargest, kLargest))
        ->type_name("K")
        ->capture_default_str();
    app.add_option("--top-p", sampler.top_p, "draw from the best that hold this probability; 1: off")
        ->type_name("P")
        ->capture_default_str();
    app.add_option("--min-p", sampler.min_p, "drop tokens below this share of the best one's probability; 0: off")
        ->type_name("P")
        ->capture_default_str();
    app
        .add_option("--repeat-penalty", sampler.repetition_penalty,
                     "weaken the last 64 tokens, those of the prompt included; 1: off")
        ->type_name("R")
        ->capture_default_str();
    app
        .add_option_function<uint64_t>(
            "--seed",
            [&sampler](const uint64_t& seed) {
                sampler.has_seed = 1;
                sampler.seed = seed;
            },
            "seed of the draws; without it $BITNET_SEED, or a fresh one, which the figures name")
        ->transform(whole_number<uint64_t>(0, std::numeric_limits<uint64_t>::max()))
        ->type_name("S");
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
    params.kernel = options.kernel.empty() ? nullptr : options.kernel.c_str();
    params.on_progress = report_load;
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

const bitnet_tokenizer* require_tokenizer(const bitnet_model* model, const std::string& path) {
    const bitnet_tokenizer* tokenizer = bitnet_model_get_tokenizer(model);
    if (tokenizer == nullptr)
        throw Failure{kExitFailure, model_label(path) +
                                        ": the file has no tokenizer that this build can run; "
                                        "use a model file with its tokenizer inside"};
    return tokenizer;
}

ContextHandle create_context(bitnet_model* model, const bitnet_context_params& params) {
    bitnet_context* context = nullptr;
    check(bitnet_context_create(model, &params, &context));
    return ContextHandle(context);
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
    if (ok && std::rename(part.c_str(), path.c_str()) == 0) return;
    if (ok) error = errno;
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

ProgressBar::~ProgressBar() {
    if (shown_percent_ >= 0) std::fprintf(stderr, "\r\033[K");
}

void ProgressBar::update(double fraction) {
    if (!enabled_ || static_cast<int64_t>(now_ms()) - start_ms_ < kBarDelayMs) return;
    const int percent = fraction >= 1 ? 100 : fraction > 0 ? static_cast<int>(fraction * 100) : 0;
    if (percent == shown_percent_) return;
    shown_percent_ = percent;
    constexpr int kWidth = 40;
    const std::string done(static_cast<size_t>(percent * kWidth / 100), '#');
    std::fprintf(stderr, "\r%s [%-*s] %3d%%", label_.c_str(), kWidth, done.c_str(), percent);
    std::fflush(stderr);
}

double now_ms() {
    const auto since = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration<double, std::milli>(since).count();
}

}  // namespace cli
