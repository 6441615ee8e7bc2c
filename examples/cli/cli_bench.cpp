// bitnet bench: how fast a model, or a kernel alone, is on this machine, and how much of the machine that is.
#include <algorithm>

#include "bench_options.h"
#include "bench_report.h"
#include "cli_platform.h"

namespace cli {

using Json = nlohmann::ordered_json;

Json measure_limits(const BenchOptions& options, int32_t n_threads) {
    if (options.limit_ms == 0) return nullptr;
    if (options.device.rfind("cuda", 0) == 0) return nullptr;  // those of the CPU would say nothing
    bitnet_limits_params params = bitnet_limits_default_params();
    const std::string level = level_of_kernel(options.kernel);
    params.n_threads = n_threads;
    params.level = level.empty() ? nullptr : level.c_str();
    params.n_bytes = static_cast<uint64_t>(options.limit_mib) << 20;
    params.budget_us = static_cast<uint64_t>(options.limit_ms) * 1000;
    params.should_abort = abort_on_signal;
    bitnet_machine_limits limits = {};
    limits.struct_size = sizeof limits;
    check(bitnet_limits_measure(&params, &limits));
    return {{"threads", limits.n_threads},
            {"read_bytes_per_second", limits.read_bytes_per_second},
            {"read_streams", limits.read_streams},
            {"plain_read_bytes_per_second", limits.plain_read_bytes_per_second},
            {"int8_ops_per_second", limits.int8_ops_per_second},
            {"int8_level", limits.int8_level},
            {"bytes", limits.n_bytes}};
}

Json share_of(double rate, const Json& limit, const char* key) {
    if (limit.is_null() || !(limit[key].get<double>() > 0)) return nullptr;
    return rate / limit[key].get<double>();
}

std::string level_of_kernel(const std::string& name) {
    if (name.empty()) return "";
    for (size_t i = 0; i < bitnet_kernel_get_count(); ++i) {
        bitnet_kernel_info info = {};
        info.struct_size = sizeof info;
        check(bitnet_kernel_get_info(i, &info));
        if (name == info.name || name == info.level) return info.level;
    }
    throw Failure{kExitUsage, "there is no kernel or level '" + name + "'; see bitnet kernels"};
}

namespace {

constexpr const char* kHelp = R"(Tests are ppN, a prompt of N tokens, and tgN, N tokens one after the other, in each of
BATCH sequences at once; behind DEPTH tokens that are there already. Figures are medians
of the repetitions, +- their standard deviation. Shares are of what this machine reads
from memory and multiplies, measured in the same run with as many threads.
Ctrl-C shows what was measured until then.)";

struct BenchCommand {
    BenchOptions options;
    bool json = false, csv = false, markdown = false;
    std::string from;
};

void sort_unique(std::vector<int32_t>& list) {
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
}

// What the options ask for, before anything is loaded.
void check_options(BenchOptions& options) {
    if (options.threads.empty()) options.threads = {bitnet_cpu_get_thread_limit()};
    for (std::vector<int32_t>* list :
         {&options.prompts, &options.generated, &options.depths, &options.threads, &options.batches})
        sort_unique(*list);
    if (!options.path.empty() && !options.synthetic.empty())
        throw Failure{kExitUsage, "-m and --synthetic exclude each other"};
    if (options.synthetic.empty() && !options.save.empty()) throw Failure{kExitUsage, "--save is for --synthetic"};
    if (!options.save.empty()) require_folder_of(options.save);
    const int32_t usable = bitnet_cpu_get_thread_limit();
    if (options.threads.back() > usable)
        throw Failure{kExitUsage, "-t " + std::to_string(options.threads.back()) + ": this process may use " +
                                      std::to_string(usable) + " threads"};
    level_of_kernel(options.kernel);
    if (options.kernels) return;
    if (options.synthetic.empty()) require_model(options.path);
    const int64_t prompt = int64_t{options.depths.back()} + options.prompts.back();
    const int64_t generated = (int64_t{options.depths.back()} + options.generated.back()) * options.batches.back();
    if (std::max(prompt, generated) > (1 << 24))
        throw Failure{kExitUsage, "-d, -p, -n and -b ask for a context of " +
                                      std::to_string(std::max(prompt, generated)) + " tokens"};
    if (options.prompts.back() == 0 && options.generated.back() == 0)
        throw Failure{kExitUsage, "-p 0 and -n 0 leave nothing to measure"};
}

Json read_report(const std::string& path) {
    const Json report = Json::parse(read_text(path), nullptr, false);
    if (!report.is_object())
        throw Failure{kExitFailure, model_label(path) + ": this is no report of bitnet bench --json"};
    return report;
}

int run_bench(BenchCommand& command) {
    const BenchForm form = command.json       ? BenchForm::json
                           : command.csv      ? BenchForm::csv
                           : command.markdown ? BenchForm::markdown
                                              : BenchForm::text;
    if (!command.from.empty()) {
        write_out(render_report(read_report(command.from), form));
        return kExitOk;
    }
    BenchOptions& options = command.options;
    check_options(options);
    Json report = {{"schema", options.kernels ? kBenchKernelsSchema : kBenchSchema},
                   {"interrupted", false},
                   {"machine", describe_machine()},
                   {"limits", Json::array()},
                   {"results", Json::array()},
                   {"notes", Json::array()}};
    try {
        (options.kernels ? bench_kernels : bench_model)(options, report);
    } catch (const Failure&) {
        if (caught_signal() == 0) throw;
        if (report["results"].empty()) throw;  // nothing to show
        report["interrupted"] = true;
        report["notes"].push_back("interrupted: some results are missing");
    }
    write_out(render_report(report, form));
    return report["interrupted"] == true ? interrupted_exit_code() : kExitOk;
}

}  // namespace

Command add_bench_command(CLI::App& app) {
    CLI::App* command =
        app.add_subcommand("bench", "Measure how fast a model or each kernel is, and what part of the machine that is");
    auto state = std::make_shared<BenchCommand>();
    BenchOptions& options = state->options;
    const auto list = [&](const char* name, std::vector<int32_t>& values, int32_t least, int32_t most,
                          const char* text) {
        return command->add_option(name, values, text)
            ->delimiter(',')
            ->transform(whole_number<int32_t>(least, most))
            ->type_name("N,N...")
            ->capture_default_str();
    };
    const auto number = [&](const char* name, int32_t& value, int32_t least, int32_t most, const char* text) {
        command->add_option(name, value, text)
            ->transform(whole_number<int32_t>(least, most))
            ->type_name("N")
            ->capture_default_str();
    };
    std::vector<std::string> shapes;
    for (size_t i = 0; i < bitnet_synthetic_get_count(); ++i) {
        bitnet_synthetic_shape shape = {};
        shape.struct_size = sizeof shape;
        check(bitnet_synthetic_get_shape(i, &shape));
        shapes.push_back(shape.name);
    }
    constexpr int32_t kMostTokens = 1 << 20;
    command->add_option("-m,--model", options.path, "GGUF file; without it, the model built into this program")
        ->type_name("FILE");
    command->add_option("--synthetic", options.synthetic, "a model of random weights in a real shape instead")
        ->check(CLI::IsMember(shapes))
        ->type_name("SHAPE");
    command->add_option("--head", options.head, "type of its embedding, which is its head as well: f16, q8_0, q6_k")
        ->check(CLI::IsMember({"f16", "q8_0", "q6_k"}))
        ->type_name("TYPE")
        ->capture_default_str();
    command->add_option("--save", options.save, "keep the synthetic model there; without it, it is a temporary file")
        ->type_name("FILE");
    list("-p,--prompt", options.prompts, 0, kMostTokens, "tokens of prompts; 0: none");
    list("-n,--generate", options.generated, 0, kMostTokens, "tokens to generate; 0: none");
    list("-d,--depth", options.depths, 0, kMostTokens, "tokens that are there before");
    list("-t,--threads", options.threads, 1, 1024, "threads; without it, as many as may be used");
    list("-b,--batch", options.batches, 1, 4096, "sequences that generate at once");
    number("-r,--repetitions", options.repetitions, 1, 1000, "of each test");
    number("--ubatch", options.n_ubatch, 1, 16384, "tokens of a prompt computed at once");
    command
        ->add_option("--kernel", options.kernel, "kernel or level, see bitnet kernels; the limit is that of its level")
        ->type_name("NAME");
    add_device_option(*command, options.device);
    add_quantization_option(*command, options.quantization);
    add_cache_options(*command, options.type_k, options.type_v);
    command->add_flag("--no-mmap", options.no_mmap, "read the file into memory instead of mapping it");
    command->add_flag("--all-logits", options.all_logits,
                      "multiply every row of the head for every token, not only those that the best token needs");
    number("--top-k", options.top_k, 0, 1 << 20, "draw each token from the K best; 1: take the best, 0: draw from all");
    command->add_flag("--kernels", options.kernels,
                      "each kernel alone, over the shapes of the model; columns are -b and -p");
    number("--kernel-ms", options.kernel_ms, 0, 60000, "milliseconds for each kernel and shape");
    number("--limit-ms", options.limit_ms, 0, 60000,
           "milliseconds for each limit of the machine; 0: do not measure them");
    number("--limit-mib", options.limit_mib, 0, 1 << 20,
           "memory to read for the limit, and to keep kernels' weights out of caches; 0: 1 GiB, and 128 MiB");
    command->add_option("--powercap", options.powercap, "where the energy counters are")
        ->type_name("FOLDER")
        ->capture_default_str();
    CLI::Option* json = command->add_flag("--json", state->json, "print one JSON object");
    CLI::Option* csv =
        command->add_flag("--csv", state->csv, "print comma-separated values, one line a result")->excludes(json);
    command->add_flag("--md", state->markdown, "print Markdown")->excludes(json)->excludes(csv);
    command->add_option("--from", state->from, "show what --json printed earlier, - for standard input")
        ->type_name("FILE");
    command->footer(kHelp);
    return {command, [state] { return run_bench(*state); }};
}

}  // namespace cli
