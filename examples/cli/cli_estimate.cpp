// bitnet estimate: the memory that a model and a context over it will take, to the byte, from the header of the file alone.
#include "cli_common.h"

namespace cli {
namespace {

struct EstimateOptions {
    std::string path;
    std::string kernel;
    bool no_mmap = false;
    bool json = false;
    bitnet_context_params context = bitnet_context_default_params();
};

bitnet_memory_estimate estimate(const EstimateOptions& options) {
    bitnet_memory_estimate out{};
    out.struct_size = sizeof out;
    bitnet_model_params params = bitnet_model_default_params();
    params.kernel = options.kernel.empty() ? nullptr : options.kernel.c_str();
    params.use_mmap = options.no_mmap ? 0 : 1;
    if (!options.path.empty()) {
        check(bitnet_model_estimate_memory_from_path(options.path.c_str(), &params, &options.context, &out));
        return out;
    }
    bitnet_model* model = nullptr;
    check(load_model(options.path, params, &model));
    const ModelHandle owner(model);
    check(bitnet_model_estimate_memory(model, &options.context, &out));
    return out;
}

// Where the bytes go; the names are those of bitnet_memory_estimate without _bytes.
nlohmann::ordered_json tables(const bitnet_memory_estimate& e) {
    return {{"context",
             {{"n_ctx", e.n_ctx},
              {"n_batch", e.n_batch},
              {"n_ubatch", e.n_ubatch},
              {"n_seq_max", e.n_seq_max},
              {"n_threads", e.n_threads}}},
            {"weights",
             {{"attention", e.attention_bytes},
              {"feed_forward", e.feed_forward_bytes},
              {"norm", e.norm_bytes},
              {"embedding", e.embedding_bytes},
              {"output", e.output_bytes},
              {"other", e.other_bytes},
              {"mapped", e.weights_mapped_bytes},
              {"owned", e.weights_owned_bytes},
              {"load_peak", e.load_peak_bytes}}},
            {"kv", e.kv_bytes},
            {"scratch",
             {{"activation", e.activation_bytes},
              {"score", e.score_bytes},
              {"batch", e.batch_bytes},
              {"graph", e.graph_bytes},
              {"logits", e.logits_bytes}}},
            {"extra_output", e.extra_output_bytes},
            {"total", e.total_bytes}};
}

void write_row(const char* name, uint64_t n_bytes) {
    char line[128];
    std::snprintf(line, sizeof line, "%-24s %14llu  %s\n", name, static_cast<unsigned long long>(n_bytes),
                  format_bytes(n_bytes).c_str());
    write_out(line);
}

void write_table(const bitnet_memory_estimate& e) {
    char line[160];
    std::snprintf(line, sizeof line, "context of %d tokens, batches of %d (%d at once), %d sequences, %d threads\n",
                  e.n_ctx, e.n_batch, e.n_ubatch, e.n_seq_max, e.n_threads);
    write_out(line);
    write_row("weights", e.weights_mapped_bytes + e.weights_owned_bytes);
    write_row("  attention", e.attention_bytes);
    write_row("  feed forward", e.feed_forward_bytes);
    write_row("  norms", e.norm_bytes);
    write_row("  embedding", e.embedding_bytes);
    write_row("  output", e.output_bytes);
    write_row("  other", e.other_bytes);
    write_row("  (of these mapped)", e.weights_mapped_bytes);
    write_row("KV cache", e.kv_bytes);
    write_row("scratch", e.scratch_bytes);
    write_row("  activations", e.activation_bytes);
    write_row("  attention scores", e.score_bytes);
    write_row("  batch tables", e.batch_bytes);
    write_row("  graph", e.graph_bytes);
    write_row("  logits", e.logits_bytes);
    write_row("total", e.total_bytes);
}

int run_estimate(const EstimateOptions& options) {
    require_model(options.path);
    const bitnet_memory_estimate e = estimate(options);
    if (options.json)
        write_out(dump(tables(e)) + "\n");
    else
        write_table(e);
    return kExitOk;
}

}  // namespace

Command add_estimate_command(CLI::App& app) {
    CLI::App* command =
        app.add_subcommand("estimate", "Tell the memory that a model and a context take, before anything is loaded");
    auto options = std::make_shared<EstimateOptions>();
    const auto number = [&](const char* name, int32_t& value, const char* text) {
        command->add_option(name, value, text)->transform(whole_number<int32_t>(1, 1 << 24))->type_name("N");
    };
    command->add_option("file", options->path, "GGUF file; without it, the model built into this program")
        ->type_name("FILE");
    number("--ctx", options->context.n_ctx, "tokens of the context");
    number("--batch", options->context.n_batch, "tokens of a batch");
    number("--ubatch", options->context.n_ubatch, "tokens computed at once");
    number("--sequences", options->context.n_seq_max, "sequences");
    number("-t,--threads", options->context.n_threads, "threads");
    command->add_option("--kernel", options->kernel, "kernel or level, see bitnet kernels")->type_name("NAME");
    command->add_flag("--no-mmap", options->no_mmap, "as if the file were read instead of mapped");
    command->add_flag("--json", options->json, "print one JSON object");
    return {command, [options] { return run_estimate(*options); }};
}

}  // namespace cli
