// Shared by the subcommands: handles that free themselves, failures, loading with a progress bar, text in and out.
// Standard output carries results only; everything else goes to standard error.
#pragma once

#include <charconv>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "bitnet.h"

namespace cli {

enum ExitCode { kExitOk = 0, kExitFailure = 1, kExitUsage = 2, kExitClosedPipe = 141 };  // 128 + signal: interrupted

// Ends the command; main prints "bitnet: <message>" (nothing for an empty one) and returns the code.
struct Failure {
    int exit_code;
    std::string message;
};
// What an option that was not given is to the library.
inline const char* or_null(const std::string& text) { return text.empty() ? nullptr : text.c_str(); }

// Throws Failure with bitnet_last_error(), or an empty one with the signal's code when a signal cancelled the call.
void check(bitnet_status status);
// Exit code for a run that a signal cut short.
int interrupted_exit_code();

template <auto free_function>
struct Freer {
    void operator()(auto* handle) const { free_function(handle); }
};
using ModelHandle = std::unique_ptr<bitnet_model, Freer<bitnet_model_free>>;
using ContextHandle = std::unique_ptr<bitnet_context, Freer<bitnet_context_free>>;
using SamplerHandle = std::unique_ptr<bitnet_sampler, Freer<bitnet_sampler_free>>;
using TokenizerHandle = std::unique_ptr<bitnet_tokenizer, Freer<bitnet_tokenizer_free>>;

// A subcommand: its options are registered, run is called when it was chosen and returns the exit code.
struct Command {
    CLI::App* app;
    std::function<int()> run;
};
Command add_run_command(CLI::App& app);
Command add_tokenize_command(CLI::App& app);
Command add_inspect_command(CLI::App& app);
Command add_perplexity_command(CLI::App& app);
Command add_kernels_command(CLI::App& app);
Command add_devices_command(CLI::App& app);
Command add_chat_command(CLI::App& app);
Command add_verify_command(CLI::App& app);
Command add_verify_receipt_command(CLI::App& app);
Command add_validate_command(CLI::App& app);
Command add_estimate_command(CLI::App& app);
Command add_accuracy_command(CLI::App& app);
Command add_convert_command(CLI::App& app);
Command add_quantize_command(CLI::App& app);
Command add_fetch_command(CLI::App& app);
Command add_cache_command(CLI::App& app);
Command add_diff_command(CLI::App& app);
Command add_compat_check_command(CLI::App& app);
Command add_merge_command(CLI::App& app);
Command add_tokenizer_command(CLI::App& app);
Command add_bench_command(CLI::App& app);

// For ->transform() of whole-number options: strict decimal within the range. CLI11 alone reads 010 as eight and turns
// a number too large into the largest one, which would silently be another seed.
template <typename Integer>
CLI::Validator whole_number(Integer least, Integer most) {
    const auto check_text = [least, most](std::string& text) -> std::string {
        Integer value = 0;
        const char* end = text.data() + text.size();
        const auto result = std::from_chars(text.data(), end, value);
        if (result.ec != std::errc() || result.ptr != end || value < least || value > most)
            return "'" + text + "' is not a whole number from " + std::to_string(least) + " to " + std::to_string(most);
        text = std::to_string(value);
        return "";
    };
    return CLI::Validator(check_text, "");
}

struct ModelOptions {
    std::string path;  // empty: the model that is built in
    std::string kernel, tl_tiling, quantization, device;
    bool all_logits = false;  // no screen of the head
    std::string tokenizer;  // empty: the one inside the model
    int32_t n_threads = 0;
    bool no_mmap = false;
    int32_t type_k = BITNET_KV_F16, type_v = BITNET_KV_F16;  // of the contexts that create_context makes
    std::vector<std::string> loras;  // FILE or FILE:SCALE
    std::string hub_spec;            // becomes path before the command runs
    bool offline = false;
};
// -m, --hf, --offline, --tokenizer, -t, --device, --kernel, --quantization, --tl-tiling, --no-mmap.
void add_model_options(CLI::App& app, ModelOptions& options);
void add_device_option(CLI::App& app, std::string& device);
void add_quantization_option(CLI::App& app, std::string& quantization);
// The two of them that have to do with downloads.
void add_hub_options(CLI::App& app, ModelOptions& options);
// FILE or FILE:SCALE. What follows the last colon is the scale if it is a number; so a path may hold colons, also that of a
// drive.
struct LoraArgument {
    std::string path;
    float scale = 1.0f;
};
LoraArgument parse_lora(const std::string& text);
// --cache-type-k, --cache-type-v, for commands whose contexts create_context makes.
void add_cache_options(CLI::App& app, int32_t& type_k, int32_t& type_v);
// --lora, for commands that create a context.
void add_lora_option(CLI::App& app, ModelOptions& options);
struct SamplerOptions {
    bitnet_sampler_params params = bitnet_sampler_default_params();
    std::vector<std::string> dry_breakers = {"\n", ":", "\"", "*"};
};
// --temp, --top-k and the like; options must live as long as app.
void add_sampler_options(CLI::App& app, SamplerOptions& options);
void add_draft_option(CLI::App& app, int32_t& n_draft);
// Failure for parameters that no sampler can be made of.
void check_sampler(const bitnet_sampler_params& params);
// The tokens that hold one of the DRY breakers; none where DRY is off.
std::vector<bitnet_token> find_breakers(const bitnet_tokenizer* tokenizer, const SamplerOptions& options);
// Loads with a progress bar on a terminal.
ModelHandle load_model(const ModelOptions& options);
// Loads the file, or the model that is built in when path is empty; *out_model is the caller's to free.
bitnet_status load_model(const std::string& path, const bitnet_model_params& params, bitnet_model** out_model);
// Usage failure when there is neither a path nor a model that is built in.
void require_model(const std::string& path);
// What messages call it: the path, or "the default model".
std::string model_label(const std::string& path);
bitnet_model_info get_info(const bitnet_model* model);
nlohmann::ordered_json to_json(const bitnet_model_info& info);
// What a context has measured, by the specification's names; what it has not is absent.
nlohmann::ordered_json performance_json(const bitnet_context* context);
// Failure when the file has none that this build can run.
const bitnet_tokenizer* require_tokenizer(const bitnet_model* model, const std::string& path);
bitnet_tokenizer_info get_info(const bitnet_tokenizer* tokenizer);
// A context whose sequences all run with the adapters of options.loras, which are loaded for it.
ContextHandle create_context(bitnet_model* model, const ModelOptions& options, bitnet_context_params params);
// For bitnet_context_params.should_abort: non-zero after a signal.
int32_t abort_on_signal(void* user_data);

// Reads a result of unknown length: fill(buffer, capacity, &needed) runs with room for a guess and, if that is too
// small, again with what was asked for.
template <typename Item, typename Fill>
std::vector<Item> fetch(size_t guess, Fill fill) {
    std::vector<Item> items(guess);
    size_t needed = 0;
    bitnet_status status = fill(items.data(), items.size(), &needed);
    if (status == BITNET_E_BUFFER_TOO_SMALL) {
        items.resize(needed);
        status = fill(items.data(), items.size(), &needed);
    }
    check(status);
    items.resize(needed);
    return items;
}
// The same for text, whose NUL is not counted.
template <typename Fill>
std::string fetch_text(Fill fill) {
    const std::vector<char> bytes = fetch<char>(4096, [&](char* out, size_t capacity, size_t* size) {
        const bitnet_status status = fill(out, capacity, size);
        if (status == BITNET_E_BUFFER_TOO_SMALL) ++*size;
        return status;
    });
    return std::string(bytes.begin(), bytes.end());
}
std::vector<bitnet_token> encode(const bitnet_tokenizer* tokenizer, std::string_view text, uint32_t flags);
std::string decode(const bitnet_tokenizer* tokenizer, const bitnet_token* tokens, size_t n_tokens, uint32_t flags);
std::string get_piece(const bitnet_tokenizer* tokenizer, bitnet_token token);

// The whole file, "-" for standard input.
std::string read_text(const std::string& path);
// Writes a file whole or not at all (beside it first, then renamed). Throws Failure.
void write_file(const std::string& path, std::string_view bytes);
// Failure when the file's folder does not exist: said before the work whose result would go there.
void require_folder_of(const std::string& path);
// Standard output, collected until flush_out(). A closed pipe is a silent Failure, any other error one with a message.
void write_out(std::string_view bytes);
void flush_out();
// Control characters as \xNN, so that text of a file or a model cannot drive the terminal. Line breaks and tabs stay
// where wanted.
std::string printable(std::string_view text, bool keep_line_breaks);
// One line of JSON; invalid UTF-8 becomes U+FFFD.
std::string dump(const nlohmann::ordered_json& value);
// "12.3 MiB"
std::string format_bytes(uint64_t n_bytes);

// A bar on standard error, only on a terminal and only for work that takes a while; gone when the object is.
class ProgressBar {
public:
    explicit ProgressBar(std::string label);
    ~ProgressBar();
    ProgressBar(const ProgressBar&) = delete;
    ProgressBar& operator=(const ProgressBar&) = delete;
    void update(double fraction);
    void clear();

private:
    std::string label_;
    bool enabled_;
    int shown_percent_ = -1;
    int64_t start_ms_;
};

// Instruction set levels of the kernels that run here, for a type of weight or (nullptr) for any.
std::vector<std::string> runnable_levels(const char* type = nullptr);

// A bitnet_progress_callback; user_data is a ProgressBar. A signal stops the work.
int32_t report_progress(float progress, void* user_data);

// Milliseconds of a steady clock.
double now_ms();

}  // namespace cli
