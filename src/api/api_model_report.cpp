// What a model tells of its weights' types, its features and how it is run. Everything is counted or looked up anew: a model
// never changes, and nobody asks often.
#include "src/api/api_guard.h"
#include "src/api/handles.h"
#include "src/arch/arch.h"
#include "src/device/device_list.h"
#include "src/gguf/gguf_reader.h"

using namespace bitnet;

namespace {

const ModelState& state_of(const bitnet_model* model) {
    require(model != nullptr, "the model is NULL");
    return *model->state;
}

double per(double bytes, uint64_t n) { return n != 0 ? bytes / static_cast<double>(n) : 0; }

std::vector<bitnet_type_usage> usage_by_type(const GgufFile& file) {
    bitnet_type_usage all[kern::kQuantTypeCount] = {};
    for (const GgufTensor& tensor : file.tensors()) {
        bitnet_type_usage& usage = all[static_cast<int>(tensor.type)];
        ++usage.n_tensors;
        usage.n_parameters += static_cast<uint64_t>(tensor.n_elements());
        usage.n_bytes += tensor.n_bytes;
    }
    std::vector<bitnet_type_usage> used;
    for (int i = 0; i < kern::kQuantTypeCount; ++i) {
        if (all[i].n_tensors == 0) continue;
        const kern::QuantTypeInfo& type = kern::quant_type_info(static_cast<kern::QuantType>(i));
        all[i].type = type.name;
        all[i].ternary = type.ternary ? 1 : 0;
        all[i].bits_per_weight = per(8.0 * static_cast<double>(all[i].n_bytes), all[i].n_parameters);
        used.push_back(all[i]);
    }
    std::stable_sort(used.begin(), used.end(),
                     [](const bitnet_type_usage& a, const bitnet_type_usage& b) { return a.n_bytes > b.n_bytes; });
    return used;
}

// The first matrix that is multiplied in integers.
const tg::Weight* ternary_matrix(const Model& model) {
    if (model.arch == nullptr) return nullptr;
    for (const LayerWeights& layer : model.weights.layers) {
        for (const LayerTensor& row : model.arch->layer_tensors) {
            if (row.matrix != nullptr && kern::quant_type_info((layer.*row.matrix).type).ternary)
                return &(layer.*row.matrix);
        }
    }
    return nullptr;
}

bool repacked(const Model& model) {
    if (model.arch == nullptr) return false;
    for (const LayerWeights& layer : model.weights.layers) {
        for (const LayerTensor& row : model.arch->layer_tensors) {
            if (row.matrix != nullptr && (layer.*row.matrix).data != (layer.*row.matrix).file_data) return true;
        }
    }
    return false;
}

bool activates(const Model& model, Activation kind) {
    return model.arch != nullptr && model.arch->activation(model.hparams) == kind;
}

bool input_norms(const Model& model) {
    return !model.weights.layers.empty() && !model.weights.layers[0].attn_q_norm_in.empty();
}

struct FeatureRow {
    const char* name;
    bool (*has)(const ModelState& state);
};
constexpr FeatureRow kFeatures[] = {
    {"ternary", [](const ModelState& s) { return ternary_matrix(s.model) != nullptr; }},
    {"grouped-query-attention", [](const ModelState& s) { return s.model.hparams.n_head_kv < s.model.hparams.n_head; }},
    {"sub-norms", [](const ModelState& s) { return s.model.arch != nullptr && s.model.arch->traits.sub_norms; }},
    {"input-norms", [](const ModelState& s) { return input_norms(s.model); }},
    {"head-norms", [](const ModelState& s) { return s.model.arch != nullptr && s.model.arch->traits.head_norms; }},
    {"sliding-window", [](const ModelState& s) { return s.model.hparams.sliding_window > 0; }},
    {"tied-embeddings",
     [](const ModelState& s) { return s.model.arch != nullptr && !s.model.weights.output.present(); }},
    {"rope-scaling", [](const ModelState& s) { return s.model.hparams.rope_freq_scale != 1.0; }},
    {"rope-factors", [](const ModelState& s) { return !s.model.weights.rope_freqs.empty(); }},
    {"tokenizer", [](const ModelState& s) { return s.tokenizer.tokenizer != nullptr; }},
    {"mapped", [](const ModelState& s) { return s.model.mapped_bytes != 0; }},
    {"repacked", [](const ModelState& s) { return repacked(s.model); }},
    {"gated-silu", [](const ModelState& s) { return activates(s.model, Activation::silu); }},
    {"gated-relu2", [](const ModelState& s) { return activates(s.model, Activation::relu2); }},
    {"gated-gelu", [](const ModelState& s) { return activates(s.model, Activation::gelu); }},
};

bitnet_model_config config_of(const Model& model) {
    const Hparams& h = model.hparams;
    bitnet_context_params defaults;
    bitnet_context_params_init(&defaults, sizeof defaults);
    bitnet_model_config config{};
    config.max_seq_len = resolve_context_config(defaults, model, 0, 0, 1).n_ctx;
    config.device = model.device();
    config.dtype = "f32";
    config.activation_dtype = ternary_matrix(model) != nullptr ? "i8" : "";  // in whatever order a kernel packs them
    config.activation = activates(model, Activation::relu2)  ? "relu2"
                        : activates(model, Activation::silu) ? "silu"
                        : activates(model, Activation::gelu) ? "gelu"
                                                             : "";
    config.kv_dtype = "f16";
    config.kv_bytes_per_token = static_cast<uint64_t>(h.n_layer * 2 * h.n_kv()) * sizeof(uint16_t);
    config.rope_dimensions = static_cast<int32_t>(h.n_rot);
    config.tied_embeddings = model.arch != nullptr && !model.weights.output.present() ? 1 : 0;
    config.rope_scaling = h.rope_freq_scale != 1.0 ? "linear" : "none";
    config.rope_scaling_factor = 1.0 / h.rope_freq_scale;
    return config;
}

}  // namespace

extern "C" {

bitnet_status bitnet_model_get_quantization(const bitnet_model* model, bitnet_quantization_info* out_info) {
    return api_call(__func__, about(model), [&] {
        const Model& m = state_of(model).model;
        bitnet_quantization_info info{};
        const kern::QuantTypeInfo* type = kern::find_quant_type_by_name(m.quantization.c_str());
        info.type = type != nullptr ? type->name : "";
        info.block_length = type != nullptr ? static_cast<int32_t>(type->block_length) : 1;
        for (const bitnet_type_usage& usage : usage_by_type(*m.file)) {
            info.n_parameters += usage.n_parameters;
            info.n_bytes += usage.n_bytes;
            if (usage.ternary == 0) continue;
            info.ternary_parameters += usage.n_parameters;
            info.ternary_bytes += usage.n_bytes;
        }
        info.bits_per_weight = per(8.0 * static_cast<double>(info.n_bytes), info.n_parameters);
        info.compression_f16 = info.n_bytes != 0 ? 16.0 / info.bits_per_weight : 0;
        info.compression_f32 = info.n_bytes != 0 ? 32.0 / info.bits_per_weight : 0;
        info.ternary_bits_per_weight = per(8.0 * static_cast<double>(info.ternary_bytes), info.ternary_parameters);
        write_info(out_info, info);
    });
}

size_t bitnet_model_get_type_count(const bitnet_model* model) {
    size_t n = 0;
    if (model != nullptr)
        api_call(__func__, about(model), [&] { n = usage_by_type(*model->state->model.file).size(); });
    return n;
}

bitnet_status bitnet_model_get_type(const bitnet_model* model, size_t index, bitnet_type_usage* out_usage) {
    return api_call(__func__, about(model), [&] {
        const std::vector<bitnet_type_usage> used = usage_by_type(*state_of(model).model.file);
        if (index >= used.size()) {
            throw Error(BITNET_E_NOT_FOUND, "the model has weights of " + std::to_string(used.size()) +
                                                " types, none with index " + std::to_string(index));
        }
        write_info(out_usage, used[index]);
    });
}

const char* bitnet_model_get_feature(const bitnet_model* model, size_t index) {
    if (model == nullptr) return nullptr;
    for (const FeatureRow& row : kFeatures) {
        if (row.has(*model->state) && index-- == 0) return row.name;
    }
    return nullptr;
}

bitnet_status bitnet_model_get_config(const bitnet_model* model, bitnet_model_config* out_config) {
    return api_call(__func__, about(model), [&] { write_info(out_config, config_of(state_of(model).model)); });
}

}  // extern "C"
