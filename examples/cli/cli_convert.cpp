// bitnet convert and bitnet quantize: write a model file anew, in another type, dialect or version of GGUF. They differ in
// what one has to say: quantize takes the type, convert keeps what nothing was said about.
#include <algorithm>
#include <cstdio>
#include <map>
#include <tuple>

#include "cli_common.h"

namespace cli {
namespace {

struct ConvertOptions {
    std::string source, out;
    std::string type, head, embedding, tl_tiling;
    int32_t version = 3;
    int32_t n_threads = 0;
    bool ternarize = false;
    bool arm_order = false;
    bool json = false;
};

using ConvertReportHandle = std::unique_ptr<bitnet_convert_report, Freer<bitnet_convert_report_free>>;

ConvertReportHandle convert(const ConvertOptions& options, const char* label) {
    bitnet_convert_params params = bitnet_convert_default_params();
    params.ternarize = options.ternarize ? 1 : 0;
    params.type = or_null(options.type);
    params.head_type = or_null(options.head);
    params.embedding_type = or_null(options.embedding);
    params.gguf_version = options.version;
    params.i2s_order = options.arm_order ? BITNET_I2S_ORDER_ARM : BITNET_I2S_ORDER_X86;
    params.tl_tiling = or_null(options.tl_tiling);
    params.n_threads = options.n_threads;
    ProgressBar bar(label);
    params.on_progress = report_progress;
    params.progress_user_data = &bar;
    bitnet_convert_report* report = nullptr;
    check(bitnet_file_convert(options.source.c_str(), options.out.c_str(), &params, &report));
    return ConvertReportHandle(report);
}

// Tensors that went the same way are one line.
struct Line {
    uint64_t n_tensors = 0, n_source_bytes = 0, n_bytes = 0, n_inexact = 0;
    double accuracy = 100;
};

void write_table(const ConvertReportHandle& report, const bitnet_convert_info& info) {
    static const char* const kActions[] = {"copied", "encoded", "ternarised"};
    std::map<std::tuple<std::string, std::string, int32_t>, Line> lines;
    for (size_t i = 0; i < info.n_tensors; ++i) {
        bitnet_converted_tensor tensor{};
        tensor.struct_size = sizeof tensor;
        check(bitnet_convert_report_get_tensor(report.get(), i, &tensor));
        Line& line = lines[{tensor.source_type, tensor.type, tensor.action}];
        ++line.n_tensors;
        line.n_source_bytes += tensor.n_source_bytes;
        line.n_bytes += tensor.n_bytes;
        line.n_inexact += tensor.is_exact == 0 ? 1 : 0;
        line.accuracy = std::min(line.accuracy, tensor.accuracy);
    }
    char text[256];
    std::snprintf(text, sizeof text, "%-9s %-9s %-11s %8s %13s %13s  %s\n", "from", "to", "", "tensors", "before",
                  "after", "accuracy");
    write_out(text);
    for (const auto& [way, line] : lines) {
        const auto& [from, to, action] = way;
        char accuracy[32] = "exact";
        if (line.n_inexact != 0) std::snprintf(accuracy, sizeof accuracy, "at least %.3f %%", line.accuracy);
        std::snprintf(text, sizeof text, "%-9s %-9s %-11s %8llu %13s %13s  %s\n", from.c_str(), to.c_str(),
                      kActions[action], static_cast<unsigned long long>(line.n_tensors),
                      format_bytes(line.n_source_bytes).c_str(), format_bytes(line.n_bytes).c_str(), accuracy);
        write_out(text);
    }
}

int run_convert(const ConvertOptions& options, const char* label) {
    const ConvertReportHandle report = convert(options, label);
    if (options.json) {
        write_out(fetch_text([&](char* buffer, size_t capacity, size_t* size) {
                      return bitnet_convert_report_get_json(report.get(), buffer, capacity, size);
                  }) +
                  "\n");
        return kExitOk;
    }
    bitnet_convert_info info{};
    info.struct_size = sizeof info;
    check(bitnet_convert_report_get_info(report.get(), &info));
    write_table(report, info);
    char text[160];
    std::snprintf(text, sizeof text, ": %s, %llu tensors, %s, GGUF version %d\n", info.type,
                  static_cast<unsigned long long>(info.n_tensors), format_bytes(info.n_file_bytes).c_str(),
                  static_cast<int>(info.gguf_version));
    write_out(printable(options.out, false) + text);
    if (*info.worst_tensor != '\0') {
        std::snprintf(text, sizeof text, " lost most: %.3f %% of it came back\n", info.worst_accuracy);
        write_out(printable(info.worst_tensor, false) + text);
    }
    return kExitOk;
}

void add_common_options(CLI::App& command, ConvertOptions& options) {
    command.add_option("--head", options.head, "type of output.weight (of the embedding where that is the head, too)")
        ->type_name("TYPE");
    command.add_option("--embd", options.embedding, "type of the embedding, token_embd.weight")->type_name("TYPE");
    command.add_flag("--ternarize,--ternarise", options.ternarize,
                     "make matrices ternary that are not, by absmean; without it a ternary type refuses them");
    command.add_option("--target-version", options.version, "version of GGUF to write")
        ->transform(whole_number<int32_t>(2, 3))
        ->type_name("2|3")
        ->capture_default_str();
    command
        .add_option(
            "--tl-tiling", options.tl_tiling,
            "tile sizes of TL1 and TL2 tensors, read or written: BM,BK,bm, or MxK:BM,BK,bm;..., preset or setup_env")
        ->type_name("TILES");
    command.add_flag("--i2s-arm-order", options.arm_order,
                     "the source's I2_S blocks are those of a bitnet.cpp built for ARM");
    command.add_option("-t,--threads", options.n_threads, "threads; 0: as many as may be used")
        ->transform(whole_number<int32_t>(0, 1024))
        ->type_name("N")
        ->capture_default_str();
    command.add_flag("--json", options.json, "print one JSON object with the loss of every tensor");
}

}  // namespace

Command add_convert_command(CLI::App& app) {
    CLI::App* command = app.add_subcommand(
        "convert", "Write a model to a new GGUF file: any dialect to another, version 2 or 3, another type");
    auto options = std::make_shared<ConvertOptions>();
    command->add_option("source", options->source, "GGUF file, the first part of a split one, or a Hugging Face folder")
        ->type_name("SRC")
        ->required();
    command->add_option("out", options->out, "file to write; it appears whole or not at all")
        ->type_name("OUT")
        ->required();
    command->add_option("--type", options->type, "type of the layers' matrices; without it, what they have")
        ->type_name("TYPE");
    add_common_options(*command, *options);
    return {command, [options] { return run_convert(*options, "converting"); }};
}

Command add_quantize_command(CLI::App& app) {
    CLI::App* command = app.add_subcommand(
        "quantize", "Write a model with the layers' matrices in another type; what is ternary keeps its exact scale");
    auto options = std::make_shared<ConvertOptions>();
    command->add_option("in", options->source, "GGUF file, or the first part of a split one")
        ->type_name("IN")
        ->required();
    command->add_option("out", options->out, "file to write; it appears whole or not at all")
        ->type_name("OUT")
        ->required();
    command->add_option("type", options->type, "i2_s, tq1_0, tq2_0, q8_0, q4_0, q6_k, f16, bf16, f32, ... in any case")
        ->type_name("TYPE")
        ->required();
    add_common_options(*command, *options);
    return {command, [options] { return run_convert(*options, "quantising"); }};
}

}  // namespace cli
