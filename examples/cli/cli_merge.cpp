// bitnet merge: fine-tunings into a new model file, and how much of them survives in three values a weight.
#include <algorithm>
#include <cstdio>

#include "cli_common.h"

namespace cli {
namespace {

struct MergeOptions {
    std::string base, out, checkpoint, type;
    std::vector<std::string> loras;
    int32_t n_threads = 0;
    bool json = false;
};

using MergeReportHandle = std::unique_ptr<bitnet_merge_report, Freer<bitnet_merge_report_free>>;

MergeReportHandle merge(const MergeOptions& options) {
    std::vector<LoraArgument> arguments;
    for (const std::string& text : options.loras) arguments.push_back(parse_lora(text));
    std::vector<bitnet_merge_adapter> adapters;
    for (const LoraArgument& argument : arguments) adapters.push_back({argument.path.c_str(), argument.scale});
    bitnet_convert_params convert = bitnet_convert_default_params();
    convert.type = options.type.empty() ? nullptr : options.type.c_str();
    convert.n_threads = options.n_threads;
    ProgressBar bar("writing");
    convert.on_progress = report_progress;
    convert.progress_user_data = &bar;
    bitnet_merge_params params = bitnet_merge_default_params();
    params.adapters = adapters.data();
    params.n_adapters = adapters.size();
    params.checkpoint_path = options.checkpoint.empty() ? nullptr : options.checkpoint.c_str();
    params.convert = &convert;
    bitnet_merge_report* report = nullptr;
    check(bitnet_file_merge(options.base.c_str(), options.out.c_str(), &params, &report));
    return MergeReportHandle(report);
}

void write_row(const std::string& name, uint64_t n_values, uint64_t n_changed, double change, double error,
               double cosine, double kept) {
    char text[160];
    const double share = n_values == 0 ? 0.0 : static_cast<double>(n_changed) / static_cast<double>(n_values);
    std::snprintf(text, sizeof text, " %9.3f %% %9.3f %% %9.3f %% %9.5f %9.2f %%\n", change * 100, share * 100,
                  error * 100, cosine, kept * 100);
    write_out(printable(name, false) + std::string(name.size() < 28 ? 28 - name.size() : 0, ' ') + text);
}

int run_merge(const MergeOptions& options) {
    const MergeReportHandle report = merge(options);
    if (options.json) {
        write_out(fetch_text([&](char* buffer, size_t capacity, size_t* size) {
                      return bitnet_merge_report_get_json(report.get(), buffer, capacity, size);
                  }) +
                  "\n");
        return kExitOk;
    }
    bitnet_merge_info info{};
    info.struct_size = sizeof info;
    check(bitnet_merge_report_get_info(report.get(), &info));
    char text[200];
    std::snprintf(text, sizeof text, "%-28s %11s %11s %11s %9s %11s\n", "tensor", "change", "codes", "error", "cosine",
                  "kept");
    write_out(text);
    for (uint64_t i = 0; i < info.n_tensors; ++i) {
        bitnet_merged_tensor tensor{};
        tensor.struct_size = sizeof tensor;
        check(bitnet_merge_report_get_tensor(report.get(), i, &tensor));
        write_row(tensor.name, tensor.n_values, tensor.n_codes_changed, tensor.change, tensor.relative_error,
                  tensor.cosine, tensor.change_kept);
    }
    write_row("all", info.n_values, info.n_codes_changed, info.change, info.relative_error, info.cosine,
              info.change_kept);
    std::snprintf(text, sizeof text, ": %llu tensors merged, %llu of them ternary, %s, %.1f s\n",
                  static_cast<unsigned long long>(info.n_tensors), static_cast<unsigned long long>(info.n_ternary),
                  format_bytes(info.n_file_bytes).c_str(), info.seconds);
    write_out(printable(options.out, false) + text);
    if (info.change_kept < 0.5) {
        write_out(
            "Less than half of the change fits into ternary weights: expect the base's answers rather than the "
            "fine-tuning's. `bitnet run --lora` and `--type f16` lose nothing.\n");
    }
    return kExitOk;
}

}  // namespace

Command add_merge_command(CLI::App& app) {
    CLI::App* command = app.add_subcommand(
        "merge", "Write a model with LoRA adapters or a full checkpoint merged in, and tell what that lost");
    auto options = std::make_shared<MergeOptions>();
    command->add_option("base", options->base, "GGUF file of the model that was tuned")->type_name("BASE")->required();
    command->add_option("out", options->out, "file to write; it appears whole or not at all")
        ->type_name("OUT")
        ->required();
    command
        ->add_option("--lora", options->loras,
                     "LoRA adapter to merge, a GGUF file or a folder of PEFT, at a scale other than 1 with :SCALE "
                     "behind it; may be "
                     "given several times")
        ->type_name("FILE[:SCALE]")
        ->allow_extra_args(false);
    command
        ->add_option("--checkpoint", options->checkpoint,
                     "model whose tensors replace those of the base: a GGUF file or a Hugging Face folder")
        ->type_name("PATH");
    command
        ->add_option("--type", options->type,
                     "type of the layers' matrices; without it ternary ones become ternary again, with f16 nothing is "
                     "rounded to three values")
        ->type_name("TYPE");
    command->add_option("-t,--threads", options->n_threads, "threads; 0: as many as may be used")
        ->transform(whole_number<int32_t>(0, 1024))
        ->type_name("N")
        ->capture_default_str();
    command->add_flag("--json", options->json, "print one JSON object with the loss of every tensor");
    return {command, [options] { return run_merge(*options); }};
}

}  // namespace cli
