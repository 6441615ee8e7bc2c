// bitnet diff: where two models first differ, and why. Two files are compared as metadata and as numbers; with a prompt both
// are run, and the first node, token and value that differ are named. One side may be a folder of values that another
// program wrote (run_trace.h). Exit code 0: no difference that matters; 1: there is one.
#include <algorithm>
#include <cstdio>

#include "file_diff.h"
#include "run_diff.h"

namespace cli {
namespace {

struct DiffOptions {
    std::string a, b;
    bool json = false, quick = false, all = false;
    ModelOptions run_a, run_b;
    std::string prompt, dump_folder;
    bool has_prompt = false;
    double tolerance = -1;  // none given
};

constexpr char kFooter[] = R"(Two files: metadata keys, tensors that one of them lacks, and the first row and value
  of each tensor where the weights differ as numbers, whatever types they are stored
  in, with the cause where one can be proven. --quick looks at 32 rows of each tensor.
With -p TEXT: both models are run on the text and compared node by node; the first
  that differs is named with layer, token and value. A alone with --kernel, --kernel-b
  or --threads-b compares a model with itself. A or B may be a folder that --dump
  wrote, or that another program did: <node>.npy for each node (float32 or float64,
  a row for each token), tokens.npy with the ids of the prompt (int32).
  A difference counts if it is above --tolerance times the largest value of its row.)";

std::string exact_text(double value) {
    char text[40];
    std::snprintf(text, sizeof text, "%.9g", value);
    return text;
}

std::string shortened(const std::string* value) {
    if (value == nullptr) return "not there";
    constexpr size_t kLongest = 60;
    return value->size() <= kLongest ? *value
                                     : value->substr(0, bitnet_utf8_complete_prefix(value->data(), kLongest)) + "...";
}

nlohmann::ordered_json causes_json(const std::vector<Cause>& causes) {
    auto list = nlohmann::ordered_json::array();
    for (const Cause& cause : causes) list.push_back({{"kind", cause.kind}, {"text", cause.text}});
    return list;
}

nlohmann::ordered_json tensor_json(const TensorDiff& diff) {
    nlohmann::ordered_json row = {{"name", diff.name},
                                  {"a", diff.a != nullptr ? nlohmann::ordered_json(diff.a->type) : nullptr},
                                  {"b", diff.b != nullptr ? nlohmann::ordered_json(diff.b->type) : nullptr},
                                  {"problem", diff.problem}};
    const WeightDiff& w = diff.weights;
    if (w.same) return row;
    row.update({{"row", w.row},
                {"column", w.column},
                {"value_a", w.a},
                {"value_b", w.b},
                {"rows", w.n_rows},
                {"values", w.n_values},
                {"largest", w.largest},
                {"largest_row", w.largest_row},
                {"largest_column", w.largest_column},
                {"relative_rms", w.relative_rms},
                {"causes", causes_json(w.causes)}});
    return row;
}

void write_line(const std::string& text) { write_out(printable(text, false) + "\n"); }

void write_tensor(const TensorDiff& diff) {
    if (diff.a == nullptr || diff.b == nullptr) {
        write_line("  " + diff.name + ": only in " + (diff.a != nullptr ? "A" : "B"));
        return;
    }
    if (!diff.problem.empty()) {
        write_line("  " + diff.name + ": " + diff.problem);
        return;
    }
    const WeightDiff& w = diff.weights;
    write_line("  " + diff.name + " (" + diff.a->type + ", " + diff.b->type + "): row " + std::to_string(w.row) +
               ", value " + std::to_string(w.column) + ": A " + exact_text(static_cast<double>(w.a)) + ", B " +
               exact_text(static_cast<double>(w.b)) + "; " + std::to_string(w.n_values) + " values in " +
               std::to_string(w.n_rows) + " rows, by up to " + exact_text(w.largest) + " (row " +
               std::to_string(w.largest_row) + ", value " + std::to_string(w.largest_column) + ")");
    for (const Cause& cause : w.causes) write_line("    cause: " + cause.text);
}

// Each kind of cause once, with the number of tensors that have it.
struct Summary {
    Cause cause;
    std::string first;
    int64_t count;
};
std::vector<Summary> summaries(const FileDiff& diff) {
    std::vector<Summary> list;
    const auto add = [&](const Cause& cause, const std::string& where) {
        const auto found =
            std::find_if(list.begin(), list.end(), [&](const Summary& s) { return s.cause.kind == cause.kind; });
        if (found != list.end())
            ++found->count;
        else
            list.push_back({cause, where, 1});
    };
    for (const KeyDiff& key : diff.keys)
        if (!key.cause.kind.empty()) add(key.cause, key.key);
    for (const TensorDiff& tensor : diff.tensors) {
        if (tensor.a == nullptr || tensor.b == nullptr)
            add({"tensor_missing", "a file lacks tensors of the other"}, tensor.name);
        if (!tensor.problem.empty()) add({"tensor_unlike", tensor.problem}, tensor.name);
        for (const Cause& cause : tensor.weights.causes) add(cause, tensor.name);
    }
    return list;
}

void write_key(const KeyDiff& key) {
    if (!key.where.empty()) {
        write_line("  " + key.key + ": differs from entry " + key.where + " on");
    } else {
        write_line("  " + key.key + ": A " + shortened(key.a) + ", B " + shortened(key.b));
    }
    if (!key.cause.kind.empty()) write_line("    " + key.cause.text);
}

void write_text(const FileDiff& diff, bool all) {
    constexpr size_t kShown = 16;
    write_out("metadata: " + std::to_string(diff.keys.size()) + " keys differ\n");
    for (const KeyDiff& key : diff.keys) write_key(key);
    int64_t n_differ = 0, n_types = 0;
    for (const TensorDiff& tensor : diff.tensors) {
        n_differ += tensor.differs();
        n_types += !tensor.differs() && std::string_view(tensor.a->type) != tensor.b->type;
    }
    write_out("tensors: " + std::to_string(n_differ) + " of " + std::to_string(diff.tensors.size()) + " differ");
    if (n_types > 0) write_out(", " + std::to_string(n_types) + " hold the same values in another type");
    write_out(diff.sampled ? "; of those that do not, some rows were looked at\n" : "\n");
    size_t n_shown = 0;
    for (const TensorDiff& tensor : diff.tensors)
        if (tensor.differs() && (all || n_shown++ < kShown)) write_tensor(tensor);
    if (n_shown > kShown) write_out("  and " + std::to_string(n_shown - kShown) + " more; --all shows them\n");
    const std::vector<Summary> causes = summaries(diff);
    write_out(causes.empty() ? "the models are the same\n" : "causes\n");
    for (const Summary& s : causes) {
        write_line("  " + s.cause.kind + ": " + s.cause.text + " (first: " + s.first +
                   (s.count > 1 ? ", " + std::to_string(s.count) + " in all)" : ")"));
    }
}

int diff_files(const DiffOptions& options) {
    const GgufView a(options.a), b(options.b);
    const FileDiff diff = compare_files(a, b, options.quick);
    const int exit_code = diff.differs() ? kExitFailure : kExitOk;
    if (!options.json) {
        write_text(diff, options.all);
        return exit_code;
    }
    auto keys = nlohmann::ordered_json::array(), tensors = nlohmann::ordered_json::array(),
         causes = nlohmann::ordered_json::array();
    for (const KeyDiff& key : diff.keys) {
        keys.push_back({{"key", key.key},
                        {"a", key.a != nullptr ? nlohmann::ordered_json(shortened(key.a)) : nullptr},
                        {"b", key.b != nullptr ? nlohmann::ordered_json(shortened(key.b)) : nullptr},
                        {"entry", key.where},
                        {"cause", key.cause.kind}});
    }
    int64_t n_types = 0;
    for (const TensorDiff& tensor : diff.tensors) {
        if (tensor.differs())
            tensors.push_back(tensor_json(tensor));
        else
            n_types += std::string_view(tensor.a->type) != tensor.b->type;
    }
    for (const Summary& s : summaries(diff))
        causes.push_back({{"kind", s.cause.kind}, {"text", s.cause.text}, {"first", s.first}, {"count", s.count}});
    write_out(dump({{"a", options.a},
                    {"b", options.b},
                    {"same", !diff.differs()},
                    {"sampled", diff.sampled},
                    {"metadata", keys},
                    {"n_tensors", diff.tensors.size()},
                    {"same_in_another_type", n_types},
                    {"tensors", tensors},
                    {"causes", causes}}) +
              "\n");
    return exit_code;
}

// ---- Runs -----------------------------------------------------------------------------------------------------------

constexpr double kToleranceForOthers = 0.02;  // another program's sums are rounded otherwise, and int8 steps are wide

// One side: a model, or values that were written before.
struct Side {
    ModelOptions options;
    ModelHandle model;  // null for a folder
    RunTrace trace;

    Side(const ModelOptions& model_options, const std::string& path) : options(model_options) {
        options.path = path;
        if (is_trace_folder(path))
            trace = read_trace(path);
        else
            model = load_model(options);
    }
    void run(const std::vector<bitnet_token>& tokens) {
        if (model != nullptr) trace = run_traced(options, model.get(), tokens);
    }
    std::vector<bitnet_token> tokens_of(const std::string& prompt) const {
        if (model == nullptr) return trace.tokens;
        return encode(require_tokenizer(model.get(), options.path), prompt,
                      BITNET_ENCODE_ADD_DEFAULT | BITNET_ENCODE_PARSE_SPECIAL);
    }
};

// The prompt's tokens; where the sides make other ones of it, where they part.
struct Tokens {
    std::vector<bitnet_token> ids;
    int64_t differ_at = -1;
};
Tokens choose_tokens(const DiffOptions& options, const Side& a, const Side& b) {
    if (!options.has_prompt) {
        // A folder knows what it was made of.
        const Side& known = a.trace.tokens.empty() ? b : a;
        if (known.trace.tokens.empty())
            throw Failure{kExitUsage, "which prompt? give one with -p; no tokens.npy tells it"};
        return {known.trace.tokens};
    }
    const std::vector<bitnet_token> of_a = a.tokens_of(options.prompt), of_b = b.tokens_of(options.prompt);
    Tokens tokens{of_a.empty() ? of_b : of_a};
    if (tokens.ids.empty()) throw Failure{kExitUsage, "the prompt has no tokens"};
    if (of_a.empty() || of_b.empty() || of_a == of_b) return tokens;
    tokens.differ_at = std::mismatch(of_a.begin(), of_a.end(), of_b.begin(), of_b.end()).first - of_a.begin();
    if (b.model == nullptr) tokens.ids = of_b;  // what was written cannot be run again
    return tokens;
}

// What the files say about a node that differs.
void add_causes_of_files(const DiffOptions& options, NodeDiff& node) {
    const GgufView a(options.a), b(options.b);
    std::string tensor = tensor_of_node(node.node);
    if (node.node == "logits" && a.find_tensor(tensor) == nullptr) tensor = "token_embd.weight";
    std::vector<Cause> causes;
    if (!tensor.empty()) {
        const TensorDiff diff = compare_tensor(a, b, tensor, false);
        for (const Cause& cause : diff.weights.causes) causes.push_back({cause.kind, tensor + ": " + cause.text});
        if (!diff.problem.empty()) causes.push_back({"tensor_unlike", tensor + ": " + diff.problem});
    }
    const bool is_norm = node.node.ends_with("_norm"), is_rope = node.node.find("rope") != std::string::npos;
    for (const KeyDiff& key : compare_metadata(a, b)) {
        const std::string& kind = key.cause.kind;
        if ((is_norm && kind == "norm_epsilon") || (is_rope && kind == "rope") || kind == "architecture")
            causes.push_back(
                {kind, key.key + ": A " + shortened(key.a) + ", B " + shortened(key.b) + ": " + key.cause.text});
    }
    node.causes.insert(node.causes.begin(), causes.begin(), causes.end());
}

std::string token_text(const Side& side, bitnet_token token) {
    std::string text = std::to_string(token);
    const bitnet_tokenizer* tokenizer = side.model != nullptr ? bitnet_model_get_tokenizer(side.model.get()) : nullptr;
    if (tokenizer != nullptr && token >= 0 && token < bitnet_tokenizer_get_n_vocab(tokenizer))
        text += " \"" + get_piece(tokenizer, token) + "\"";
    return text;
}

void write_run(const RunDiff& diff, const Tokens& tokens, const Side& named, double tolerance) {
    if (tokens.differ_at >= 0)
        write_line("the prompt becomes other tokens from number " + std::to_string(tokens.differ_at) +
                   " on; both were run on the same ones");
    write_line(std::to_string(tokens.ids.size()) + " tokens, " + std::to_string(diff.n_compared) +
               " nodes compared, tolerance " + exact_text(tolerance));
    if (!diff.only_a.empty())
        write_line(std::to_string(diff.only_a.size()) + " nodes are only in A, the first is " + diff.only_a.front());
    if (!diff.first) {
        write_line("no difference; the largest relative one is " + exact_text(diff.largest_relative_before));
        return;
    }
    const NodeDiff& node = *diff.first;
    const std::string layer = node.layer >= 0 ? ", layer " + std::to_string(node.layer) : "";
    if (!node.problem.empty()) {
        write_line("first difference: " + node.node + layer + ": " + node.problem);
    } else {
        write_line("first difference: " + node.node + layer + ", token " + std::to_string(node.row) +
                   (static_cast<size_t>(node.row) < tokens.ids.size()
                        ? " (" + token_text(named, tokens.ids[static_cast<size_t>(node.row)]) + ")"
                        : std::string()) +
                   ", value " + std::to_string(node.column) + ": A " + exact_text(static_cast<double>(node.a)) +
                   ", B " + exact_text(static_cast<double>(node.b)));
        write_line("  " + std::to_string(node.n_rows) + " tokens differ there, by up to " + exact_text(node.largest) +
                   ", relative " + exact_text(node.largest_relative) + "; before it, relative " +
                   exact_text(diff.largest_relative_before));
    }
    for (const Cause& cause : node.causes) write_line("  cause: " + cause.text);
}

int diff_runs(const DiffOptions& options) {
    Side a(options.run_a, options.a), b(options.run_b, options.b.empty() ? options.a : options.b);
    const Tokens tokens = choose_tokens(options, a, b);
    a.run(tokens.ids);
    b.run(tokens.ids);
    const bool both_models = a.model != nullptr && b.model != nullptr;
    const double tolerance = options.tolerance >= 0 ? options.tolerance : both_models ? 0 : kToleranceForOthers;
    RunDiff diff = compare_runs(a.trace, b.trace, tolerance);
    if (diff.first && diff.first->problem.empty()) {
        if (both_models && !options.a.empty() && !options.b.empty()) add_causes_of_files(options, *diff.first);
        if (diff.first->causes.empty())
            diff.first->causes.push_back(
                {"unknown", both_models ? "what the node reads and its weights are the same: the operation "
                                          "or its kernel differs"
                                        : "for no reason that this program knows"});
    }
    const bool same = !diff.first && tokens.differ_at < 0;
    if (!options.json) {
        write_run(diff, tokens, a.model != nullptr ? a : b, tolerance);
        return same ? kExitOk : kExitFailure;
    }
    nlohmann::ordered_json first;
    if (diff.first) {
        const NodeDiff& node = *diff.first;
        first = {{"node", node.node},
                 {"layer", node.layer},
                 {"token", node.row},
                 {"value", node.column},
                 {"a", node.a},
                 {"b", node.b},
                 {"n_tokens", node.n_rows},
                 {"largest", node.largest},
                 {"relative", node.largest_relative},
                 {"problem", node.problem},
                 {"causes", causes_json(node.causes)}};
    }
    write_out(dump({{"a", a.trace.label},
                    {"b", b.trace.label},
                    {"same", same},
                    {"tokens", tokens.ids},
                    {"tokens_differ_at", tokens.differ_at},
                    {"tolerance", tolerance},
                    {"n_nodes", diff.n_compared},
                    {"only_a", diff.only_a},
                    {"largest_relative_before", diff.largest_relative_before},
                    {"first", first}}) +
              "\n");
    return same ? kExitOk : kExitFailure;
}

int dump_run(const DiffOptions& options) {
    require_model(options.a);
    if (!options.has_prompt) throw Failure{kExitUsage, "--dump needs a prompt: give one with -p"};
    Side side(options.run_a, options.a);
    if (side.model == nullptr) throw Failure{kExitUsage, options.a + ": is a folder of values already"};
    side.run(side.tokens_of(options.prompt));
    write_trace(side.trace, options.dump_folder);
    write_line(std::to_string(side.trace.nodes.size()) + " nodes of " + std::to_string(side.trace.tokens.size()) +
               " tokens in " + options.dump_folder);
    return kExitOk;
}

int run_diff(DiffOptions options) {
    if (options.a.empty()) options.a = options.run_a.path;
    const bool runs = options.has_prompt || is_trace_folder(options.a) || is_trace_folder(options.b);
    options.run_b.no_mmap = options.run_a.no_mmap;
    if (options.run_b.n_threads == 0) options.run_b.n_threads = options.run_a.n_threads;
    if (options.run_b.kernel.empty()) options.run_b.kernel = options.run_a.kernel;
    if (!options.dump_folder.empty()) return dump_run(options);
    if (runs) {
        require_model(options.a);
        return diff_runs(options);
    }
    if (options.a.empty() || options.b.empty())
        throw Failure{kExitUsage, "which files? bitnet diff A B (see bitnet diff --help)"};
    return diff_files(options);
}

}  // namespace

Command add_diff_command(CLI::App& app) {
    CLI::App* command = app.add_subcommand(
        "diff", "Name the first tensor and value where two models or two runs differ, and why; exit code 1 if they do");
    auto options = std::make_shared<DiffOptions>();
    command->add_option("a", options->a, "GGUF file, or folder of values")->type_name("A");
    command->add_option("b", options->b, "the same; without it and with -p, A itself")->type_name("B");
    add_model_options(*command, options->run_a);
    CLI::Option* prompt =
        command->add_option("-p,--prompt", options->prompt, "run both on this text")->type_name("TEXT");
    command->add_option("--kernel-b", options->run_b.kernel, "kernel of B's run, where it is not A's")
        ->type_name("NAME");
    command->add_option("--threads-b", options->run_b.n_threads, "threads of B's run, where they are not A's")
        ->transform(whole_number<int32_t>(1, 1024))
        ->type_name("N");
    command->add_option("--tolerance", options->tolerance, "of runs; default 0 for two models, 0.02 with a folder")
        ->check(CLI::Range(0.0, 1e9))
        ->type_name("X");
    command->add_option("--dump", options->dump_folder, "write what -m MODEL computes on the prompt to a new folder")
        ->type_name("DIR");
    command->add_flag("--quick", options->quick,
                      "files: look at 32 rows of each tensor, and at all where those differ");
    command->add_flag("--all", options->all, "files: show every tensor that differs");
    command->add_flag("--json", options->json, "print one JSON object");
    command->footer(kFooter);
    return {command, [options, prompt] {
                options->has_prompt = prompt->count() > 0;
                return run_diff(*options);
            }};
}

}  // namespace cli
