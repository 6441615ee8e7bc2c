#include "src/load/model_load.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "ggml-like/graph_trace.h"
#include "ggml-like/weight_pack.h"
#include "kernels/cuda/cuda_kernel_set.h"
#include "src/arch/arch.h"
#include "src/base/error.h"
#include "src/base/error_table.h"
#include "src/base/log.h"
#include "src/gguf/gguf_text.h"
#include "src/load/gpu_place.h"
#include "src/load/hparams_read.h"
#include "src/load/kernel_check.h"
#include "src/load/layout_choice.h"
#include "src/load/tensor_place.h"
#include "src/load/vec_check.h"
#include "src/load/weight_check.h"

namespace bitnet {
namespace {

// The CPU's best, or a GPU's.
void choose_kernels(const LoadOptions& options, Model& model) {
    const std::string& name = options.kernel;
    kern::KernelSet* out = &model.kernels;
    for (const GpuChoice::Gpu& gpu : options.gpus.gpus) model.gpus.push_back({.index = gpu.index});
    if (model.on_gpu()) {
        model.device_text = format_gpus(options.gpus.gpus);
        if (!name.empty()) {
            throw Error(BITNET_E_CONFIG, "kernel '" + for_message(name) + "' names what a CPU computes with; leave it and "
                                         "BITNET_KERNEL empty with device " + model.device())
                .with_subject(for_message(name));
        }
        *out = kern::cuda_kernels();
        return;
    }
    switch (kern::select_kernels(name.c_str(), out)) {
        case kern::KernelChoice::ok: return;
        case kern::KernelChoice::unknown_name:
            throw Error(BITNET_E_CONFIG, "unknown kernel '" + for_message(name) + "'; known levels are " +
                                             kern::kernel_level_names() + ", `bitnet kernels` lists all names")
                .with_subject(for_message(name));
        case kern::KernelChoice::not_runnable:
            throw Error(BITNET_E_DEVICE_CAPABILITY,
                        "kernel '" + name + "' cannot run on this CPU; `bitnet kernels` lists what can")
                .with_subject(name);
    }
}

// For vocab_only: a file this build cannot run may still tell its shape.
void read_hparams_if_possible(Model& model) {
    try {
        model.hparams = read_hparams(*model.file);
    } catch (const Error& error) {
        model.hparams.architecture = model.file->get_string(gguf_key::kArchitecture).value_or("");
        log_message(BITNET_LOG_WARNING, error.message());
    }
}

// Everything that changes what keys and values mean: shape, rotation, activation, the order of the codes.
uint64_t fingerprint_of_shape(const Hparams& h, const LoadOptions& options) {
    const bool arm_order = options.arm_order;
    const std::string names = h.architecture + "/" + h.hidden_activation + options.tl_tiling_text;
    const int64_t numbers[] = {h.n_vocab,  h.n_embd, h.n_layer, h.n_head,         h.n_head_kv,
                               h.head_dim, h.n_ff,   h.n_rot,   arm_order ? 1 : 0};
    const int64_t window[] = {h.sliding_window, h.sliding_period};
    const double factors[] = {h.rope_freq_base, h.rope_freq_scale, static_cast<double>(h.rms_norm_eps)};
    uint64_t hash = tg::checksum_bytes(names.data(), names.size());
    hash = tg::checksum_bytes(numbers, sizeof numbers, hash);
    hash = tg::checksum_bytes(factors, sizeof factors, hash);
    if (h.sliding_window == 0) return hash;
    hash = tg::checksum_bytes(window, sizeof window, hash);
    return tg::checksum_bytes(&h.rope_freq_base_sliding, sizeof h.rope_freq_base_sliding, hash);
}

void summarize(const GgufFile& file, Model& model) {
    uint64_t elements_of_type[kern::kQuantTypeCount] = {};
    for (const GgufTensor& tensor : file.tensors()) {
        const uint64_t n = static_cast<uint64_t>(tensor.n_elements());
        elements_of_type[static_cast<int>(tensor.type)] += n;
        model.n_parameters += n;
        model.n_file_bytes += tensor.n_bytes;
        ++model.n_tensors;
    }
    const auto most = std::max_element(std::begin(elements_of_type), std::end(elements_of_type));
    model.quantization = kern::quant_type_info(static_cast<kern::QuantType>(most - std::begin(elements_of_type))).name;
}

// The table and a taste of every tensor tell models apart without reading gigabytes.
uint64_t fingerprint(const GgufFile& file, const Hparams& hparams, const LoadOptions& options) {
    uint64_t hash = fingerprint_of_shape(hparams, options);
    for (const GgufTensor& tensor : file.tensors()) {
        uint8_t head[64];
        const uint64_t taste = std::min<uint64_t>(tensor.n_bytes, sizeof head);
        file.read_data(tensor, tensor.n_bytes - taste, head, taste);
        hash = tg::checksum_bytes(tensor.name.data(), tensor.name.size(), hash);
        hash = tg::checksum_bytes(tensor.ne, sizeof tensor.ne, hash);
        hash = tg::checksum_bytes(head, taste, hash);
    }
    return hash;
}

void check_size(const Model& model, uint64_t max_bytes) {
    if (max_bytes == 0 || model.n_file_bytes <= max_bytes) return;
    throw Error(BITNET_E_SECURITY_MODEL_SIZE, "the tensors need " + std::to_string(model.n_file_bytes) +
                                                  " bytes, the limit is " + std::to_string(max_bytes) +
                                                  "; raise max_bytes or choose a smaller model")
        .with_numbers(max_bytes, model.n_file_bytes);
}

void check_norms(const ArchRow& arch, const ModelWeights& weights) {
    check_norm("output_norm.weight", weights.output_norm);
    check_norm("rope_freqs.weight", weights.rope_freqs);
    check_divisors("rope_freqs.weight", weights.rope_freqs);
    for (size_t i = 0; i < weights.layers.size(); ++i) {
        for (const LayerTensor& row : arch.layer_tensors) {
            if (row.norm == nullptr || (weights.layers[i].*row.norm).empty()) continue;
            check_norm("blk." + std::to_string(i) + "." + row.name, weights.layers[i].*row.norm);
        }
    }
}

// A head that does not stay in a cache is read again for every token.
constexpr int64_t kScreenedWeights = int64_t{1} << 24;

// Plans the screen of the head, where there is to be one, and its bytes.
void plan_screen(const LoadOptions& options, Model& model, WeightPlan& plan) {
    const tg::Weight& head = model.weights.head();
    if (model.on_gpu()) return;
    const bool large = head.k * head.n_rows >= kScreenedWeights || options.screen_head == 2;
    if (options.screen_head == 0 || !large || !tg::can_screen(head, model.kernels)) return;
    model.screen = std::make_unique<tg::HeadScreen>();
    tg::plan_head_screen(head, model.kernels, model.screen.get());
    const uint64_t bytes = tg::head_screen_bytes(head);
    plan.owned_bytes += bytes;
    plan.peak_bytes = std::max(plan.peak_bytes, plan.owned_bytes);
    plan.by_role[TensorRole::output] += bytes;
}

// All that a context's graph is built from, without values.
void give_shapes(const TensorPlacer& placer, Model& model) {
    for (const TensorPlacer::PlacedNorm& placed : placer.norms()) {
        if (placed.norm != nullptr) placed.norm->assign(static_cast<size_t>(placed.tensor->ne[0]), 1.0f);
    }
    for (const TensorPlacer::Placed& placed : placer.placed()) {
        placed.weight->kernel = &model.kernels.for_weight(placed.weight->type, placed.weight->layout);
    }
}

// Everything up to the reading of values: shape, kernels, the tensors' places and bytes. loads: what computes is opened.
WeightPlan read_header(const GgufFile& file, const LoadOptions& options, bool loads, Model& model, TensorPlacer& placer) {
    model.name = file.get_string(gguf_key::kName).value_or("");
    model.hparams = read_hparams(file);
    model.arch = find_arch(model.hparams.architecture);
    summarize(file, model);
    check_size(model, options.max_bytes);
    place_tensors_of(model.hparams, *model.arch, placer, model.weights);
    placer.finish();
    choose_layouts(options, placer, model);
    if (model.on_gpu()) {
        give_shapes(placer, model);
        split_model(options, placer, loads, model);
    }
    WeightPlan plan = plan_weights(placer, model, options.arm_order);
    plan_screen(options, model, plan);
    return plan;
}

// What has been read of norms is in memory of ours.
void count_norms(const TensorPlacer& placer, Model& model) {
    for (const TensorPlacer::PlacedNorm& placed : placer.norms()) {
        if (placed.norm == nullptr) continue;
        const uint64_t bytes = norm_bytes(placed, model);
        model.owned_bytes += bytes;
        model.bytes_by_role[tensor_role(placed.tensor->name)] += bytes;
    }
}

// Code 3, which nobody checked, has a meaning for the kernels of I2_S alone.
void keep_unpackable(tg::Weight& weight) {
    if (weight.layout == kern::WeightLayout::stored) return;
    const auto n_bytes = static_cast<size_t>(weight.n_rows) * static_cast<size_t>(weight.padded_k() / 4);
    if (kern::ternary_codes_valid(weight.file_data, n_bytes)) return;
    weight.layout = kern::WeightLayout::stored;
    log_message(BITNET_LOG_WARNING, "'" + weight.name + "' stays i2s: it holds codes that mean no weight");
}

// Of a head with a copy few rows are read from then on, of an embedding one a token. So the pages of its file go while the
// copy is made, piece by piece, or both would be in memory at once.
void fill_screen(const TensorPlacer& placer, const LoadOptions& options, tg::ThreadPool& pool, Model& model) {
    struct HeadInFile {
        const GgufFile& file;
        const GgufTensor* tensor;
        uint64_t row_bytes;
    } head{*model.file, nullptr, 0};
    tg::RowsRead on_read;
    for (const TensorPlacer::Placed& placed : placer.placed()) {
        if (placed.weight != model.screen->exact || !placer.usable_in_place(*placed.tensor, options.arm_order))
            continue;
        head.tensor = placed.tensor;
        head.row_bytes = kern::quant_row_bytes(placed.weight->type, placed.weight->k);
    }
    if (head.tensor != nullptr && tg::is_head_copy(*model.screen)) {
        on_read.user_data = &head;
        on_read.call = [](int64_t begin, int64_t end, void* user_data) {
            const HeadInFile& h = *static_cast<const HeadInFile*>(user_data);
            h.file.give_back(*h.tensor, static_cast<uint64_t>(begin) * h.row_bytes,
                             static_cast<uint64_t>(end - begin) * h.row_bytes);
        };
    }
    tg::fill_head_screen(*model.kernels.vec, pool, model.screen.get(), on_read);
    // What lay across two pieces, and what the system has mapped around a page that was read.
    if (on_read.call != nullptr) on_read.call(0, model.screen->exact->n_rows, &head);
}

void load_weights(const LoadOptions& options, TensorPlacer& placer, const WeightPlan& plan, Model& model) {
    constexpr const char* kAdvice = "free other models and contexts, or choose a smaller model";
    model.charge.resize(plan.mapped_bytes + plan.peak_bytes, options.memory_limit, "the model", kAdvice);
    placer.read_norms();
    if (options.check_weights) check_norms(*model.arch, model.weights);
    count_norms(placer, model);
    if (!model.on_gpu()) check_vec_kernels(model);
    tg::ThreadPool pool(options.n_threads);
    KernelCheck kernels(&model);
    GpuPlacer gpu(model);
    if (model.on_gpu()) gpu.norms();
    uint64_t done = 0;
    for (const TensorPlacer::Placed& placed : placer.placed()) {
        if (options.on_progress && !options.on_progress(static_cast<float>(static_cast<double>(done) /
                                                                           static_cast<double>(model.n_file_bytes)))) {
            throw Error(BITNET_E_CANCELLED, "loading was cancelled");
        }
        placer.materialize(placed, options.arm_order, pool);
        if (options.check_weights) check_weight_codes(*placed.weight, pool);
        if (!options.check_weights) keep_unpackable(*placed.weight);
        if (!model.on_gpu()) kernels.check(*placed.weight);
        // As in the plan, unless the check has just replaced a kernel.
        const PlannedWeight planned = plan_weight(placer, placed, model, options.arm_order);
        if (model.on_gpu()) {
            model.owned_bytes += planned.packed_bytes;
            placed.weight->kernel = &model.kernels.for_type(placed.weight->type);
            gpu.matrix(*placed.weight);
        } else {
            tg::pack_weight(*placed.weight, model.kernels, pool, &model.owned);
        }
        model.mapped_bytes += planned.mapped_bytes;
        model.bytes_by_role[tensor_role(placed.tensor->name)] += planned.mapped_bytes + planned.owned_bytes();
        if (planned.copy_bytes != 0 && !planned.keeps_copy) {
            // What was read lies before what was packed from it, which is not here but on the GPU where there is one.
            model.owned.erase(model.owned.end() - (model.on_gpu() ? 1 : 2));
            placed.weight->file_data = nullptr;
            placed.weight->row_scales = nullptr;
        }
        // What has been copied or packed is not read again.
        if (planned.mapped_bytes == 0) model.file->give_back(*placed.tensor, 0, placed.tensor->n_bytes);
        done += placed.tensor->n_bytes;
    }
    for (const tg::Arena& arena : model.owned) model.owned_bytes += arena.size();
    if (model.screen != nullptr) {
        fill_screen(placer, options, pool, model);
        kernels.check(*model.screen);
        model.owned_bytes += model.screen->memory.size();
        model.bytes_by_role[TensorRole::output] += model.screen->memory.size();
    }
    model.charge.resize(model.mapped_bytes + model.owned_bytes, 0, "the model", kAdvice);
    if (options.on_progress && !options.on_progress(1.0f)) throw Error(BITNET_E_CANCELLED, "loading was cancelled");
}

void load_all(const LoadOptions& options, Model& model) {
    if (options.vocab_only) {
        model.name = model.file->get_string(gguf_key::kName).value_or("");
        read_hparams_if_possible(model);
        return;
    }
    model.tl_tiling = options.tl_tiling_text;
    TensorPlacer placer(*model.file, &model.owned, &options.tl_tilings);
    const WeightPlan plan = read_header(*model.file, options, true, model, placer);
    model.fingerprint = fingerprint(*model.file, model.hparams, options);
    load_weights(options, placer, plan, model);
}

// Failures get the file's name in front; the reader's own have it already.
template <typename Body>
auto naming_the_file(const Model& model, Body&& body) {
    try {
        return body();
    } catch (Error& error) {
        const std::string where = model.file->source().name();
        if (error.status() != BITNET_E_CANCELLED && error.message().compare(0, where.size() + 2, where + ": ") != 0) {
            error.prefix(where);
        }
        throw;
    }
}

void load_once(const std::shared_ptr<const GgufFile>& file, const LoadOptions& options, Model& model) {
    model.file = file;
    choose_kernels(options, model);
    if (options.replace_kernels != nullptr) options.replace_kernels(&model.kernels);
    naming_the_file(model, [&] { load_all(options, model); });
}

void note_fallback(const std::string& problem, Model& model) {
    model.gpu_problem = problem;
    log_message(BITNET_LOG_WARNING, model.file->source().name() + ": the CPU computes, as the device's name allows: " + problem);
}

bool is_of_device(bitnet_status status) { return error_row(status).family == BITNET_FAMILY_DEVICE; }

// The GPUs, or the CPU where one of them cannot.
void load_or_fall_back(const std::shared_ptr<const GgufFile>& file, const LoadOptions& options, Model& model) {
    std::string problem;
    try {
        return load_once(file, options, model);
    } catch (const tg::Error& error) {
        if (error.kind() != tg::ErrorKind::device && error.kind() != tg::ErrorKind::device_memory) throw;
        problem = error.message();
    } catch (const Error& error) {
        if (!is_of_device(error.status())) throw;
        problem = error.message();
    }
    model = Model();
    LoadOptions on_cpu = options;
    on_cpu.gpus = {};
    load_once(file, on_cpu, model);
    note_fallback(problem, model);
}

}  // namespace

void place_tensors_of(const Hparams& h, const ArchRow& arch, TensorPlacer& placer, ModelWeights& weights) {
    placer.matrix("token_embd.weight", h.n_embd, h.n_vocab, &weights.token_embd);
    placer.norm("output_norm.weight", h.n_embd, &weights.output_norm);
    placer.matrix("output.weight", h.n_embd, h.n_vocab, &weights.output, true);
    placer.norm("rope_freqs.weight", h.n_rot / 2, &weights.rope_freqs, true);
    const bool input_norms = placer.any_ends_with("_norm_in.weight");
    weights.layers.resize(static_cast<size_t>(h.n_layer));  // never resized again: weights are pointed to
    for (int64_t i = 0; i < h.n_layer; ++i) {
        LayerWeights& layer = weights.layers[static_cast<size_t>(i)];
        for (const LayerTensor& row : arch.layer_tensors) {
            const std::string name = "blk." + std::to_string(i) + "." + row.name;
            if (row.norm != nullptr) {
                const bool optional = row.presence == Presence::input_norm && !input_norms;
                placer.norm(name, dim_value(row.k, h), &(layer.*row.norm), optional);
                continue;
            }
            placer.matrix(name, dim_value(row.k, h), dim_value(row.rows, h), &(layer.*row.matrix));
            placer.output_scale(name.substr(0, name.rfind('.')) + ".scale", &(layer.*row.matrix));
        }
    }
}

WeightPlan plan_model(std::shared_ptr<const GgufFile> file, const LoadOptions& options, Model* out) {
    Model& model = *out;
    model.file = std::move(file);
    choose_kernels(options, model);
    return naming_the_file(model, [&] {
        TensorPlacer placer(*model.file, &model.owned, &options.tl_tilings);
        WeightPlan plan = read_header(*model.file, options, false, model, placer);
        give_shapes(placer, model);
        return plan;
    });
}

void load_model(std::shared_ptr<const GgufFile> file, const LoadOptions& options, Model* out) {
    const auto begin = std::chrono::steady_clock::now();
    Model& model = *out;
    if (options.gpus.or_cpu && !options.gpus.empty()) {
        load_or_fall_back(file, options, model);
    } else {
        load_once(file, options, model);
        if (!options.gpus.problem.empty()) note_fallback(options.gpus.problem, model);
    }
    model.load_us = static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin).count());
    log_message(BITNET_LOG_INFO, "loaded " + model.file->source().name() + ": " + model.hparams.architecture + ", " +
                                     model.quantization + ", " + std::to_string(model.n_parameters) +
                                     " parameters in " + std::to_string(model.load_us / 1000) + " ms");
}

}  // namespace bitnet
