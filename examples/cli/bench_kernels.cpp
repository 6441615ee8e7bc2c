// Speed of each kernel alone, over the shapes that a model's matrices have.
#include <algorithm>
#include <set>

#include "bench_options.h"
#include "bench_report.h"
#include "cli_platform.h"

namespace cli {
namespace {

using Json = nlohmann::ordered_json;

struct Matrix {
    std::string label;  // "ffn_down"
    int64_t k, n_rows;
    std::vector<std::string> types;  // of kernels to run over it
    bool head;
};

struct Shape {
    int64_t n_embd, n_ff, n_head, n_head_kv, head_dim;
    std::vector<Matrix> matrices;
};

Shape synthetic_shape(const std::string& name) {
    bitnet_synthetic_shape s = {};
    s.struct_size = sizeof s;
    for (size_t i = 0;; ++i) {
        check(bitnet_synthetic_get_shape(i, &s));
        if (name == s.name) break;
    }
    const std::vector<std::string> ternary = {"i2_s", "tq2_0", "tq1_0"};
    const int64_t down = (s.n_ff + 127) / 128 * 128;  // rows are filled up to whole blocks at load
    const int64_t n_q = int64_t{s.n_head} * s.head_dim, n_kv = int64_t{s.n_head_kv} * s.head_dim;
    Shape shape = {s.n_embd, s.n_ff, s.n_head, s.n_head_kv, s.head_dim, {}};
    shape.matrices.push_back({"attn_q, attn_output", s.n_embd, n_q, ternary, false});
    if (n_kv != n_q) shape.matrices.push_back({"attn_k, attn_v", s.n_embd, n_kv, ternary, false});
    shape.matrices.push_back({"ffn_gate, ffn_up", s.n_embd, s.n_ff, ternary, false});
    shape.matrices.push_back({"ffn_down", down, s.n_embd, ternary, false});
    shape.matrices.push_back({"head", s.n_embd, s.n_vocab, {"f16", "q8_0", "q6_k"}, true});
    return shape;
}

// The shapes of a file's matrices, each with the type that the file has.
Shape model_shape(const BenchOptions& options) {
    ModelOptions source;
    source.path = options.path;
    const ModelHandle model = load_model(source);
    const bitnet_model_info info = get_info(model.get());
    Shape shape = {info.n_embd, info.n_ff, info.n_head, info.n_head_kv, info.head_dim, {}};
    std::set<std::string> seen;
    bool has_output = false;
    const auto add = [&](bool heads) {
        for (size_t i = 0; i < bitnet_model_get_tensor_count(model.get()); ++i) {
            bitnet_tensor_info tensor = {};
            tensor.struct_size = sizeof tensor;
            check(bitnet_model_get_tensor(model.get(), i, &tensor));
            std::string name = tensor.name;
            has_output = has_output || name == "output.weight";
            const bool head = name == "output.weight" || name == "token_embd.weight";
            if (head != heads || tensor.shape[1] <= 1 || (head && has_output && name != "output.weight")) continue;
            const std::string key =
                std::to_string(tensor.shape[0]) + "x" + std::to_string(tensor.shape[1]) + tensor.type;
            if (!seen.insert(key).second) continue;
            shape.matrices.push_back({head ? "head" : name, tensor.shape[0], tensor.shape[1], {tensor.type}, head});
        }
    };
    add(false);
    add(true);
    return shape;
}

// One measurement to make.
struct Item {
    bitnet_kernel_info kernel;
    std::string operation, label;
    int64_t k, n_rows, n_cols;
    int32_t n_threads;
};

// What the vector kernels work on in a model: rows of the hidden state, of the gate, heads, cells.
Item vector_item(const bitnet_kernel_info& kernel, const std::string& operation, const Shape& shape, int64_t n_cols) {
    Item item = {kernel, operation, "hidden state", shape.n_embd, 1, n_cols, 1};
    if (operation.ends_with("_mul")) {
        item.label = "gate";
        item.k = shape.n_ff;
    } else if (operation.starts_with("rope")) {
        item.label = "heads";
        item.k = shape.head_dim;
        item.n_cols = n_cols * (shape.n_head + shape.n_head_kv);
    } else if (operation == "attend") {
        item.label = "2048 cells";
        item.k = shape.head_dim;
        item.n_rows = 2048;
        item.n_cols = std::max<int64_t>(1, shape.n_head / std::max<int64_t>(1, shape.n_head_kv));
    }
    return item;
}

bool wanted(const BenchOptions& options, const bitnet_kernel_info& kernel) {
    return kernel.runnable != 0 &&
           (options.kernel.empty() || options.kernel == kernel.name || options.kernel == kernel.level);
}

// Columns to run a matrix kernel over: the batches, and the longest micro-batch of a prompt.
std::vector<int32_t> columns_of(const BenchOptions& options) {
    std::set<int32_t> columns(options.batches.begin(), options.batches.end());
    for (const int32_t n : options.prompts)
        if (n > 0) columns.insert(std::min(n, options.n_ubatch));
    return {columns.begin(), columns.end()};
}

std::vector<Item> items_of(const BenchOptions& options, const Shape& shape, bool* left_out) {
    constexpr int32_t kMostScalar = 16;  // more would take minutes
    std::vector<Item> items;
    for (const int32_t n_threads : options.threads) {
        for (size_t i = 0; i < bitnet_kernel_get_count(); ++i) {
            bitnet_kernel_info kernel = {};
            kernel.struct_size = sizeof kernel;
            check(bitnet_kernel_get_info(i, &kernel));
            if (!wanted(options, kernel)) continue;
            const auto add = [&](Item item) {
                item.n_threads = n_threads;
                items.push_back(std::move(item));
            };
            if (kernel.is_vector != 0) {
                for (size_t at = 0; const char* operation = bitnet_kernel_get_operation(kernel.name, at); ++at)
                    for (const int32_t n_cols : options.batches) add(vector_item(kernel, operation, shape, n_cols));
                continue;
            }
            std::set<int64_t> packed;  // widths that "pack" was measured for
            for (const Matrix& matrix : shape.matrices) {
                if (std::find(matrix.types.begin(), matrix.types.end(), kernel.type) == matrix.types.end()) continue;
                for (const int32_t n_cols : columns_of(options)) {
                    // Of a prompt only the last token has logits.
                    if (matrix.head &&
                        std::find(options.batches.begin(), options.batches.end(), n_cols) == options.batches.end())
                        continue;
                    if (std::string(kernel.level) == "scalar" && n_cols > kMostScalar) {
                        *left_out = true;
                        continue;
                    }
                    add({kernel, "mul_mat", matrix.label, matrix.k, matrix.n_rows, n_cols, 1});
                    if (packed.count(matrix.k) == 0 && bitnet_kernel_get_operation(kernel.name, 1) != nullptr)
                        add({kernel, "pack", "activations", matrix.k, 1, n_cols, 1});
                }
                packed.insert(matrix.k);
            }
        }
    }
    return items;
}

// Rows that are no whole blocks of the kernel's type are passed over.
bool measure(const BenchOptions& options, const Item& item, const Json& limit, Json& results) {
    bitnet_kernel_run run = bitnet_kernel_default_run();
    run.kernel = item.kernel.name;
    run.operation = item.operation.c_str();
    run.k = item.k;
    run.n_rows = item.n_rows;
    run.n_cols = item.n_cols;
    run.n_threads = item.n_threads;
    run.budget_us = static_cast<uint64_t>(options.kernel_ms) * 1000;
    run.should_abort = abort_on_signal;
    if (options.limit_mib > 0) run.cold_bytes = static_cast<uint64_t>(options.limit_mib) << 20;
    bitnet_kernel_timing timing = {};
    timing.struct_size = sizeof timing;
    const bitnet_status status = bitnet_kernel_measure(&run, &timing);
    if (status == BITNET_E_QUANT_INPUT) return false;
    check(status);
    const double seconds = std::max(timing.median_us * 1e-6, 1e-9);
    const double bytes = static_cast<double>(timing.n_bytes) / seconds,
                 ops = static_cast<double>(timing.n_ops) / seconds;
    const bool takes_int8 = bitnet_kernel_get_operation(item.kernel.name, 1) != nullptr && item.operation == "mul_mat";
    // Operations that have one row of activations, say, find it in a cache: only weights and cells come from memory.
    const bool from_memory = item.operation == "mul_mat" || item.operation == "attend";
    results.push_back({{"kernel", item.kernel.name},
                       {"type", item.kernel.type},
                       {"level", item.kernel.level},
                       {"operation", item.operation},
                       {"matrix", item.label},
                       {"k", item.k},
                       {"rows", item.n_rows},
                       {"columns", item.n_cols},
                       {"threads", item.n_threads},
                       {"runs", timing.n_runs},
                       {"median_us", timing.median_us},
                       {"best_us", timing.best_us},
                       {"bytes", timing.n_bytes},
                       {"ops", timing.n_ops},
                       {"bytes_per_second", bytes},
                       {"memory_share", from_memory ? share_of(bytes, limit, "read_bytes_per_second") : Json(nullptr)},
                       {"ops_per_second", timing.n_ops != 0 ? Json(ops) : Json(nullptr)},
                       {"int8_share", takes_int8 ? share_of(ops, limit, "int8_ops_per_second") : Json(nullptr)}});
    return true;
}

}  // namespace

void bench_kernels(const BenchOptions& options, Json& report) {
    const bool from_file = !options.path.empty();
    const Shape shape =
        from_file ? model_shape(options) : synthetic_shape(options.synthetic.empty() ? "2b4t" : options.synthetic);
    report["shape"] = from_file ? options.path : options.synthetic.empty() ? "2b4t" : options.synthetic;
    bool left_out = false;
    const std::vector<Item> items = items_of(options, shape, &left_out);
    if (items.empty())
        throw Failure{kExitFailure,
                      "no kernel '" + options.kernel + "' runs over these shapes here; see bitnet kernels"};
    ProgressBar bar("measuring");
    Json limit;
    size_t n_done = 0, n_misfits = 0;
    for (const Item& item : items) {
        if (limit.is_null() || limit["threads"] != item.n_threads) {
            limit = measure_limits(options, item.n_threads);
            if (!limit.is_null()) report["limits"].push_back(limit);
        }
        n_misfits += measure(options, item, limit, report["results"]) ? 0 : 1;
        bar.update(static_cast<double>(++n_done) / static_cast<double>(items.size()));
    }
    bar.clear();
    if (left_out) report["notes"].push_back("scalar kernels were run over at most 16 columns");
    if (n_misfits > 0)
        report["notes"].push_back(std::to_string(n_misfits) +
                                  " measurements left out: the rows are no whole blocks of the type");
}

}  // namespace cli
