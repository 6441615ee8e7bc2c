#include "src/load/model_load.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "ggml-like/graph_trace.h"
#include "ggml-like/weight_pack.h"
#include "src/arch/arch.h"
#include "src/base/error.h"
#include "src/base/log.h"
#include "src/gguf/gguf_text.h"
#include "src/load/hparams_read.h"
#include "src/load/kernel_check.h"
#include "src/load/tensor_place.h"
#include "src/load/weight_check.h"

namespace bitnet {
namespace {

void choose_kernels(const std::string& name, kern::KernelSet* out) {
    switch (kern::select_kernels(name.c_str(), out)) {
        case kern::KernelChoice::ok: return;
        case kern::KernelChoice::unknown_name:
            throw Error(BITNET_E_CONFIG, "unknown kernel '" + for_message(name) + "'; known levels are " +
                                             kern::kernel_level_names() + ", `bitnet kernels` lists all names")
                .with_subject(for_message(name));
        case kern::KernelChoice::not_runnable:
            throw Error(BITNET_E_DEVICE_CAPABILITY, "kernel '" + name + "' cannot run on this CPU; `bitnet kernels` lists what can")
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
uint64_t fingerprint_of_shape(const Hparams& h, bool arm_order) {
    const std::string names = h.architecture + "/" + h.hidden_activation;
    const int64_t numbers[] = {h.n_vocab, h.n_embd, h.n_layer, h.n_head, h.n_head_kv, h.head_dim, h.n_ff, h.n_rot, arm_order ? 1 : 0};
    const double factors[] = {h.rope_freq_base, h.rope_freq_scale, static_cast<double>(h.rms_norm_eps)};
    uint64_t hash = tg::checksum_bytes(names.data(), names.size());
    hash = tg::checksum_bytes(numbers, sizeof numbers, hash);
    return tg::checksum_bytes(factors, sizeof factors, hash);
}

void summarize(const GgufFile& file, const LoadOptions& options, Model& model) {
    uint64_t elements_of_type[kern::kQuantTypeCount] = {};
    uint64_t hash = fingerprint_of_shape(model.hparams, options.arm_order);
    for (const GgufTensor& tensor : file.tensors()) {
        const uint64_t n = static_cast<uint64_t>(tensor.n_elements());
        elements_of_type[static_cast<int>(tensor.type)] += n;
        model.n_parameters += n;
        model.n_file_bytes += tensor.n_bytes;
        ++model.n_tensors;
        // The table and a taste of every tensor tell models apart without reading gigabytes.
        uint8_t head[64];
        const uint64_t taste = std::min<uint64_t>(tensor.n_bytes, sizeof head);
        file.read_data(tensor, tensor.n_bytes - taste, head, taste);
        hash = tg::checksum_bytes(tensor.name.data(), tensor.name.size(), hash);
        hash = tg::checksum_bytes(tensor.ne, sizeof tensor.ne, hash);
        hash = tg::checksum_bytes(head, taste, hash);
    }
    model.fingerprint = hash;
    if (options.max_bytes != 0 && model.n_file_bytes > options.max_bytes) {
        throw Error(BITNET_E_SECURITY_MODEL_SIZE, "the tensors need " + std::to_string(model.n_file_bytes) + " bytes, the limit is " +
                                        std::to_string(options.max_bytes) + "; raise max_bytes or choose a smaller model")
            .with_numbers(options.max_bytes, model.n_file_bytes);
    }
    const auto most = std::max_element(std::begin(elements_of_type), std::end(elements_of_type));
    model.quantization = kern::quant_type_info(static_cast<kern::QuantType>(most - std::begin(elements_of_type))).name;
}

void place_all(const Hparams& h, const ArchRow& arch, TensorPlacer& placer, ModelWeights& weights) {
    placer.matrix("token_embd.weight", h.n_embd, h.n_vocab, &weights.token_embd);
    placer.norm("output_norm.weight", h.n_embd, &weights.output_norm);
    placer.matrix("output.weight", h.n_embd, h.n_vocab, &weights.output, true);
    placer.norm("rope_freqs.weight", h.n_rot / 2, &weights.rope_freqs, true);
    weights.layers.resize(static_cast<size_t>(h.n_layer));  // never resized again: weights are pointed to
    for (int64_t i = 0; i < h.n_layer; ++i) {
        LayerWeights& layer = weights.layers[static_cast<size_t>(i)];
        for (const LayerTensor& row : arch.layer_tensors) {
            const std::string name = "blk." + std::to_string(i) + "." + row.name;
            if (row.norm != nullptr) {
                placer.norm(name, dim_value(row.k, h), &(layer.*row.norm));
                continue;
            }
            placer.matrix(name, dim_value(row.k, h), dim_value(row.rows, h), &(layer.*row.matrix));
            placer.output_scale(name.substr(0, name.rfind('.')) + ".scale", &(layer.*row.matrix));
        }
    }
    placer.finish();
}

void check_norms(const ArchRow& arch, const ModelWeights& weights) {
    check_norm("output_norm.weight", weights.output_norm);
    check_norm("rope_freqs.weight", weights.rope_freqs);
    check_divisors("rope_freqs.weight", weights.rope_freqs);
    for (size_t i = 0; i < weights.layers.size(); ++i) {
        for (const LayerTensor& row : arch.layer_tensors) {
            if (row.norm != nullptr) check_norm("blk." + std::to_string(i) + "." + row.name, weights.layers[i].*row.norm);
        }
    }
}

void load_weights(const GgufFile& file, const LoadOptions& options, Model& model) {
    TensorPlacer placer(file, &model.owned);
    place_all(model.hparams, *model.arch, placer, model.weights);
    if (options.check_weights) check_norms(*model.arch, model.weights);
    tg::ThreadPool pool(options.n_threads);
    KernelCheck kernels(&model);
    uint64_t done = 0;
    for (const TensorPlacer::Placed& placed : placer.placed()) {
        if (options.on_progress && !options.on_progress(static_cast<float>(static_cast<double>(done) /
                                                                           static_cast<double>(model.n_file_bytes)))) {
            throw Error(BITNET_E_CANCELLED, "loading was cancelled");
        }
        const bool in_place = placer.materialize(placed, options.arm_order);
        if (options.check_weights) check_weight_codes(*placed.weight, pool);
        kernels.check(*placed.weight);
        tg::pack_weight(*placed.weight, model.kernels, pool, &model.owned);
        const bool packed = placed.weight->data != placed.weight->file_data;
        const bool file_bytes_needed = !packed || placed.weight == &model.weights.token_embd;  // looked up row by row
        if (in_place && file_bytes_needed) model.mapped_bytes += placed.tensor->n_bytes;
        if (!in_place && !file_bytes_needed) {
            model.owned.erase(model.owned.end() - 2);  // what was read lies before what was packed from it
            placed.weight->file_data = nullptr;
        }
        done += placed.tensor->n_bytes;
    }
    for (const tg::Arena& arena : model.owned) model.owned_bytes += arena.size();
    if (options.on_progress && !options.on_progress(1.0f)) throw Error(BITNET_E_CANCELLED, "loading was cancelled");
}

void load_all(const LoadOptions& options, Model& model) {
    model.name = model.file->get_string(gguf_key::kName).value_or("");
    if (options.vocab_only) {
        read_hparams_if_possible(model);
    } else {
        model.hparams = read_hparams(*model.file);
        model.arch = find_arch(model.hparams.architecture);
        summarize(*model.file, options, model);
        load_weights(*model.file, options, model);
    }
}

}  // namespace

void load_model(std::shared_ptr<const GgufFile> file, const LoadOptions& options, Model* out) {
    const auto begin = std::chrono::steady_clock::now();
    Model& model = *out;
    model.file = std::move(file);
    choose_kernels(options.kernel, &model.kernels);
    try {
        load_all(options, model);
    } catch (Error& error) {
        // The reader's own failures name the file already.
        const std::string where = model.file->source().name();
        if (error.status() != BITNET_E_CANCELLED && error.message().compare(0, where.size() + 2, where + ": ") != 0) {
            error.prefix(where);
        }
        throw;
    }
    model.load_us = static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin).count());
    log_message(BITNET_LOG_INFO, "loaded " + model.file->source().name() + ": " + model.hparams.architecture + ", " +
                                     model.quantization + ", " + std::to_string(model.n_parameters) + " parameters in " +
                                     std::to_string(model.load_us / 1000) + " ms");
}

}  // namespace bitnet
