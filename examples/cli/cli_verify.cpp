// bitnet verify: does this machine compute what it should? Replays a golden file, every position of every text, with each
// level of kernels that runs here, on one thread and on all, token by token and as a prompt in one piece. The default
// model has its golden file built in; --write makes one for another model.
#include <algorithm>
#include <cstdio>

#include "cli_common.h"
#include "examples/stories/default_model.h"
#include "receipt_files.h"

namespace cli {
namespace {

struct VerifyOptions {
    ModelOptions model;
    std::string golden_file;
    std::string write_file;
    std::vector<std::string> prompts;
    int32_t n_predict = 32;
    bool json = false;
};

using GenerationHandle = std::unique_ptr<bitnet_generation, Freer<bitnet_generation_free>>;

// One way to compute, and what came of it.
struct Result {
    std::string level;
    int32_t n_threads;
    uint64_t n_positions = 0;  // that gave the same bits
    std::string problem;       // "" for none
};

std::vector<int32_t> thread_counts(int32_t asked) {
    const int32_t all = bitnet_cpu_get_thread_limit();
    if (asked > 0) return {asked};
    return all > 1 ? std::vector<int32_t>{1, all} : std::vector<int32_t>{1};
}

// Every position in turn, each from the state before it; then three from an empty context, as one prompt.
void replay(const std::string& receipt, const bitnet_model* model, Result& result) {
    bitnet_receipt_params params = bitnet_receipt_default_params();
    params.n_threads = result.n_threads;
    params.should_abort = abort_on_signal;
    bitnet_receipt_report report = {};
    report.struct_size = sizeof report;
    const auto run = [&] {
        const bitnet_status status = bitnet_receipt_verify(receipt.data(), receipt.size(), model, &params, &report);
        if (status == BITNET_E_VALIDATION)
            result.problem = bitnet_last_error();
        else
            check(status);
        result.n_positions += report.n_replayed;
        return result.problem.empty();
    };
    params.replay_share = 1;
    if (!run()) return;
    params.replay_count = 1;
    for (params.seed = 1; params.seed <= 3; ++params.seed) {
        if (!run()) return;
    }
}

std::string text_of_golden(const VerifyOptions& options, std::string* name) {
    if (!options.golden_file.empty()) {
        *name = options.golden_file;
        return read_text(options.golden_file);
    }
    if (!options.model.path.empty())
        throw Failure{kExitUsage,
                      "which golden file? one of this model is made by bitnet verify --write FILE -m MODEL"};
    *name = "the default model's golden file";
    size_t size = 0;
    const char* text = default_golden_text(&size);
    if (text == nullptr) throw Failure{kExitUsage, "this build has no golden file inside; give one"};
    return {text, size};
}

void print_results(const std::vector<Result>& results, bool json) {
    if (json) {
        auto list = nlohmann::ordered_json::array();
        for (const Result& r : results)
            list.push_back({{"level", r.level},
                            {"threads", r.n_threads},
                            {"positions", r.n_positions},
                            {"same", r.problem.empty()},
                            {"problem", r.problem}});
        write_out(dump(list) + "\n");
        return;
    }
    for (const Result& r : results) {
        char line[128];
        std::snprintf(line, sizeof line, "%-12s %3d thread%s %6llu positions  ", r.level.c_str(), r.n_threads,
                      r.n_threads == 1 ? " " : "s", static_cast<unsigned long long>(r.n_positions));
        write_out(line + (r.problem.empty() ? std::string("same bits") : "DIFFERENT: " + r.problem) + "\n");
    }
}

int verify(const VerifyOptions& options) {
    require_model(options.model.path);
    std::string name;
    const std::vector<std::string> receipts = read_golden(text_of_golden(options, &name), name);
    const std::vector<std::string> levels = options.model.kernel.empty() ? runnable_levels() : std::vector{options.model.kernel};
    const std::vector<int32_t> threads = thread_counts(options.model.n_threads);
    std::vector<Result> results;
    ProgressBar bar("verifying");
    for (const std::string& level : levels) {
        ModelOptions model_options = options.model;
        model_options.kernel = level;
        const ModelHandle model = load_model(model_options);
        for (const int32_t n_threads : threads) {
            Result result{level, n_threads, 0, ""};
            for (size_t i = 0; i < receipts.size() && result.problem.empty(); ++i) {
                replay(receipts[i], model.get(), result);
                const size_t n_done = results.size() * receipts.size() + i + 1;
                bar.update(static_cast<double>(n_done) /
                           static_cast<double>(levels.size() * threads.size() * receipts.size()));
            }
            results.push_back(std::move(result));
        }
    }
    print_results(results, options.json);
    const bool same = std::all_of(results.begin(), results.end(), [](const Result& r) { return r.problem.empty(); });
    return same ? kExitOk : kExitFailure;
}

int write_golden(const VerifyOptions& options) {
    require_model(options.model.path);
    require_folder_of(options.write_file);
    if (options.prompts.empty()) throw Failure{kExitUsage, "--write needs prompts: give some with -p"};
    const ModelHandle model = load_model(options.model);
    bitnet_context_params context_params = bitnet_context_default_params();
    context_params.n_threads = options.model.n_threads;
    context_params.should_abort = abort_on_signal;
    const ContextHandle context = create_context(model.get(), options.model, context_params);
    bitnet_sampler_params greedy = bitnet_sampler_default_params();
    greedy.temperature = 0;
    bitnet_generation_params params = bitnet_generation_default_params();
    params.max_new_tokens = options.n_predict;
    params.sampler = &greedy;
    params.receipt = 1;
    std::vector<std::string> receipts;
    for (const std::string& prompt : options.prompts) {
        check(bitnet_sequence_remove(context.get(), 0, -1, -1));
        bitnet_generation* raw = nullptr;
        check(bitnet_generation_create(context.get(), 0, prompt.data(), prompt.size(), &params, &raw));
        const GenerationHandle generation(raw);
        bitnet_generation_step step = {};
        step.struct_size = sizeof step;
        do {
            check(bitnet_generation_next(generation.get(), &step));
        } while (step.finish_reason == BITNET_FINISH_NONE);
        if (step.finish_reason == BITNET_FINISH_CANCELLED) throw Failure{interrupted_exit_code(), ""};
        receipts.push_back(get_receipt(generation.get()));
    }
    cli::write_file(options.write_file, golden_text(receipts));
    return kExitOk;
}

}  // namespace

Command add_verify_command(CLI::App& app) {
    CLI::App* command = app.add_subcommand(
        "verify", "Check that this machine computes the right bits: replay a golden file with every kernel");
    auto options = std::make_shared<VerifyOptions>();
    CLI::Option* golden =
        command->add_option("golden", options->golden_file, "golden file of the model; none: the default model's own");
    golden->type_name("FILE");
    add_model_options(*command, options->model);
    CLI::Option* write = command->add_option("--write", options->write_file,
                                             "make a golden file instead, with greedy texts of the prompts");
    write->type_name("FILE")->excludes(golden);
    command->add_option("-p,--prompt", options->prompts, "prompt for --write; may be given several times")
        ->type_name("TEXT")
        ->allow_extra_args(false)
        ->needs(write);
    command->add_option("-n,--predict", options->n_predict, "tokens of each text for --write")
        ->transform(whole_number<int32_t>(1, 100000))
        ->type_name("N")
        ->capture_default_str()
        ->needs(write);
    command->add_flag("--json", options->json, "print a JSON array");
    return {command, [options] { return options->write_file.empty() ? verify(*options) : write_golden(*options); }};
}

}  // namespace cli
