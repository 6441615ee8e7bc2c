// The tensors are looked up in the order of the GGUF file, each checked against config.json; what is left over then is
// unknown, and refused: a weight that is silently dropped is a wrong model.
#include "src/convert/hf_source.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numbers>
#include <set>
#include <utility>

#include "src/base/error.h"
#include "src/convert/hf_config.h"
#include "src/convert/hf_tensor_names.h"
#include "src/convert/hf_tensor_read.h"
#include "src/gguf/gguf_keys.h"
#include "src/gguf/gguf_text.h"
#include "src/tokenizer/vocabulary_gguf_write.h"

namespace bitnet {
namespace {

using Content = HfTensor::Content;
using Entry = SafetensorsModel::Entry;
using kern::QuantType;

constexpr const char* kTokenizerFiles[] = {"tokenizer.json",          "tokenizer.model",        "tokenizer_config.json",
                                           "special_tokens_map.json", "generation_config.json", "added_tokens.json",
                                           "chat_template.jinja"};

class HfSource final : public ModelSource {
public:
    HfSource(const std::string& folder, HfTokenizer tokenizer)
        : folder_(folder), tokenizer_(tokenizer), name_(for_message(folder, 1024)),
          config_(read_hf_config(in_folder(folder, "config.json"))), arch_(find_hf_arch(config_)),
          weights_(SafetensorsModel::open(folder)) {
        if (config_.rope_theta == 0) config_.rope_theta = arch_.rope_theta;
        // A bare model, without the part that makes a causal one of it, names its tensors from there on.
        prefix_ =
            weights_.find("model.embed_tokens.weight") == nullptr && weights_.find("embed_tokens.weight") != nullptr
                ? ""
                : "model.";
        input_norms_ = std::any_of(weights_.entries().begin(), weights_.entries().end(), [](const Entry& entry) {
            return entry.tensor->name.ends_with("_proj.norm.weight");
        });
        pooling_ = read_hf_pooling(folder);
        add_floats("token_embd.weight", prefix_ + "embed_tokens.weight", config_.n_vocab, config_.n_embd);
        for (int64_t layer = 0; layer < config_.n_layer; ++layer) {
            for (const HfLayerTensor& row : arch_.layer) add_layer_tensor(row, layer);
        }
        add_norm("output_norm.weight", prefix_ + "norm.weight", config_.n_embd, arch_.norm_offset);
        add_rope_divisors();
        add_head();
        refuse_unknown();
        // Last, because this reads the weights: everything else that is wrong is told at once.
        for (size_t i = 0; i < parts_.size(); ++i) {
            if (parts_[i].content == Content::masters) measure_masters(parts_[i]);
            if (parts_[i].is_ternary()) tensors_[i].ternary_scale = parts_[i].scale;
        }
    }

    const std::string& name() const noexcept override { return name_; }
    std::vector<std::string> files() const override {
        std::vector<std::string> paths = weights_.files();
        paths.push_back(in_folder(folder_, "config.json"));
        for (const char* file : kTokenizerFiles) {
            const std::string path = in_folder(folder_, file);
            if (file_exists(path)) paths.push_back(path);
        }
        return paths;
    }
    const std::vector<SourceTensor>& tensors() const noexcept override { return tensors_; }

    void write_metadata(GgufWriter& writer) const override {
        writer.add_string(gguf_key::kArchitecture, arch_.gguf);
        if (!config_.name.empty()) writer.add_string(gguf_key::kName, config_.name);
        const auto key = [&](const char* suffix) { return std::string(arch_.gguf) + suffix; };
        const auto number = [&](const char* suffix, int64_t value) {
            writer.add_u32(key(suffix), static_cast<uint32_t>(value));
        };
        number(gguf_key::kVocabSize, config_.n_vocab);
        number(gguf_key::kContextLength, config_.n_ctx);
        number(gguf_key::kEmbeddingLength, config_.n_embd);
        number(gguf_key::kBlockCount, config_.n_layer);
        number(gguf_key::kFeedForwardLength, config_.n_ff);
        number(gguf_key::kRopeDimensionCount, config_.head_dim);
        number(gguf_key::kHeadCount, config_.n_head);
        number(gguf_key::kHeadCountKv, config_.n_head_kv);
        if (config_.n_q() != config_.n_embd) {
            number(gguf_key::kKeyLength, config_.head_dim);
            number(gguf_key::kValueLength, config_.head_dim);
        }
        writer.add_f32(key(gguf_key::kRmsEpsilon), static_cast<float>(config_.rms_norm_eps));
        writer.add_f32(key(gguf_key::kRopeFreqBase), static_cast<float>(config_.rope_theta));
        if (config_.rope_scaling.kind == HfRopeScaling::Kind::linear) {
            writer.add_string(key(gguf_key::kRopeScalingType), "linear");
            writer.add_f32(key(gguf_key::kRopeScalingFactor), static_cast<float>(config_.rope_scaling.factor));
        }
        if (arch_.sliding_period != 0 && config_.sliding_window != 0) {
            const int64_t said = config_.sliding_period;
            const double theta = config_.sliding_rope_theta;
            number(gguf_key::kSlidingWindow, config_.sliding_window);
            number(gguf_key::kSlidingPattern, said != 0 ? said : arch_.sliding_period);
            writer.add_f32(key(gguf_key::kRopeFreqBaseSliding),
                           static_cast<float>(theta != 0 ? theta : arch_.sliding_rope_theta));
        }
        if (pooling_) number(gguf_key::kPoolingType, *pooling_);
        if (arch_.add_metadata != nullptr) arch_.add_metadata(config_, writer);
        if (tokenizer_ == HfTokenizer::required)
            add_tokenizer_keys(writer, folder_, static_cast<size_t>(config_.n_vocab));
    }

    void read_rows(size_t tensor, int64_t row0, int64_t n_rows, float* dst) const override {
        read_hf_floats(parts_[tensor], row0, n_rows, dst);
    }

    void read_stored(size_t tensor, int64_t row0, int64_t n_rows, void* dst) const override {
        const HfTensor& part = parts_[tensor];
        if (part.content == Content::floats) return read_hf_bytes(part, row0, n_rows, dst);
        if (tensors_[tensor].stored == QuantType::f32)
            return read_hf_floats(part, row0, n_rows, static_cast<float*>(dst));
        std::vector<float> trits(static_cast<size_t>(n_rows * part.k));
        read_hf_trits(part, row0, n_rows, trits.data());
        kern::quant_type_info(QuantType::i2_s).encode(trits.data(), 1.0f, n_rows * part.k, dst);
    }

private:
    // nullptr: there is none. Whoever asks for a tensor has a use for it.
    const Entry* take(const std::string& name) {
        const Entry* entry = weights_.find(name);
        if (entry != nullptr) taken_.insert(entry);
        return entry;
    }

    const Entry& require(const std::string& name) {
        if (const Entry* entry = take(name)) return *entry;
        throw Error(BITNET_E_GGUF_MISSING_TENSOR,
                    name_ + ": tensor '" + name + "' is missing; " + arch_.hf + " needs it, download the weights again")
            .with_subject(name);
    }

    void check_shape(const Entry& entry, const std::vector<uint64_t>& expected) const {
        if (entry.tensor->shape == expected) return;
        const std::string& name = entry.tensor->name;
        throw Error(BITNET_E_GGUF_TENSOR_SHAPE, entry.file->name() + ": tensor '" + name + "' has the shape " +
                                                    shape_text(entry.tensor->shape) + ", but config.json asks for " +
                                                    shape_text(expected) + "; the two are not of one model")
            .with_subject(name);
    }

    [[noreturn]] void wrong_type(const Entry& entry, const std::string& what) const {
        const std::string& name = entry.tensor->name;
        throw Error(BITNET_E_GGUF_TENSOR_TYPE, entry.file->name() + ": tensor '" + name + "' is of type " +
                                                   safetensors_type_name(entry.tensor->type) + ", " + what)
            .with_subject(name);
    }

    QuantType require_floats(const Entry& entry) const {
        QuantType type = QuantType::f32;
        if (!float_type_of(entry.tensor->type, &type))
            wrong_type(entry, "where BF16, F16 or F32 belongs; save the model as one of them");
        return type;
    }

    SourceTensor& add(const std::string& gguf, HfTensor part, uint32_t n_dims, QuantType stored) {
        SourceTensor& tensor = tensors_.emplace_back();
        tensor.name = gguf;
        tensor.n_dims = n_dims;
        tensor.ne[0] = part.k;
        tensor.ne[1] = part.n_rows;
        tensor.stored = stored;
        parts_.push_back(std::move(part));
        return tensor;
    }

    HfTensor part_of(const Entry& entry, int64_t n_rows, int64_t k, Content content) const {
        HfTensor part;
        part.name = entry.tensor->name;
        part.content = content;
        part.data = entry;
        part.n_rows = n_rows;
        part.k = k;
        return part;
    }

    void add_floats(const std::string& gguf, const std::string& name, int64_t n_rows, int64_t k) {
        const Entry& entry = require(name);
        const QuantType type = require_floats(entry);
        check_shape(entry, {static_cast<uint64_t>(n_rows), static_cast<uint64_t>(k)});
        add(gguf, part_of(entry, n_rows, k, Content::floats), 2, type);
    }

    void add_norm(const std::string& gguf, const std::string& name, int64_t k, float offset) {
        const Entry& entry = require(name);
        require_floats(entry);
        check_shape(entry, {static_cast<uint64_t>(k)});
        HfTensor part = part_of(entry, 1, k, Content::norm);
        part.offset = offset;
        add(gguf, std::move(part), 1, QuantType::f32);
    }

    void add_layer_tensor(const HfLayerTensor& row, int64_t layer) {
        const std::string number = std::to_string(layer);
        const std::string gguf = "blk." + number + "." + row.gguf;
        const std::string name = prefix_ + "layers." + number + "." + row.hf;
        if (row.optional && weights_.find(name) == nullptr) return;
        const int64_t k = hf_dim_value(row.k, config_);
        if (row.role == HfRole::input_norm && !input_norms_) return;
        if (row.role == HfRole::input_norm) return add_norm(gguf, name, k, 0.0f);
        if (row.role == HfRole::norm) return add_norm(gguf, name, k, arch_.norm_offset);
        const int64_t n_rows = hf_dim_value(row.rows, config_);
        const Entry& entry = require(name);
        HfTensor part = part_of(entry, n_rows, k, projection_content(entry));
        if (part.content == Content::packed) {
            check_shape(entry, {static_cast<uint64_t>((n_rows + 3) / 4), static_cast<uint64_t>(k)});
            part.scale = packed_scale(name);
        } else {
            check_shape(entry, {static_cast<uint64_t>(n_rows), static_cast<uint64_t>(k)});
        }
        if (row.role == HfRole::query_pairs) part.pair_heads = config_.n_head;
        if (row.role == HfRole::key_pairs) part.pair_heads = config_.n_head_kv;
        QuantType stored = QuantType::f32;  // of ternary rows that I2_S cannot hold, because they are no whole blocks
        if (part.content == Content::floats) stored = require_floats(entry);
        if (part.is_ternary() && k % kern::quant_type_info(QuantType::i2_s).block_length == 0) stored = QuantType::i2_s;
        add(gguf, std::move(part), 2, stored);
    }

    Content projection_content(const Entry& entry) const {
        const HfQuantization& q = config_.quantization;
        if (entry.tensor->type == SafetensorsType::u8) {
            if (!q.present)
                wrong_type(
                    entry,
                    "packed, but config.json has no quantization_config that says how; use the one of the checkpoint");
            return Content::packed;
        }
        require_floats(entry);
        if (!q.present) {
            const bool masters = arch_.plain_weights == HfPlainWeights::masters ||
                                 (arch_.plain_weights == HfPlainWeights::by_input_norms && input_norms_);
            return masters ? Content::masters : Content::floats;
        }
        const bool kept = std::any_of(q.kept_modules.begin(), q.kept_modules.end(), [&](const std::string& part) {
            return entry.tensor->name.find(part) != std::string::npos;
        });
        if (kept) return Content::floats;
        if (q.online) return Content::masters;
        wrong_type(entry,
                   "where config.json announces packed weights (U8); its quantization_config is not of these weights");
    }

    float packed_scale(const std::string& weight) {
        const Entry& entry = require(weight + "_scale");
        require_floats(entry);
        const std::string& name = entry.tensor->name;
        if (entry.tensor->shape != std::vector<uint64_t>{1} && !entry.tensor->shape.empty()) check_shape(entry, {1});
        const float stored = read_hf_number(entry);
        const bool multiplies = config_.quantization.multiplies;
        const float scale = multiplies ? stored : 1.0f / stored;
        if (stored >= 0.0f && std::isfinite(scale)) return scale;
        throw Error(BITNET_E_QUANT_SCALE, entry.file->name() + ": tensor '" + name + "' = " + float_text(stored) +
                                              " is no scale to " + (multiplies ? "multiply" : "divide") +
                                              " with; the checkpoint is damaged")
            .with_subject(name);
    }

    // What frequencies are divided by: 1 for short wavelengths, the factor for long ones, a blend in between.
    void add_rope_divisors() {
        const HfRopeScaling& rope = config_.rope_scaling;
        if (rope.kind != HfRopeScaling::Kind::llama3) return;
        HfTensor part;
        part.name = "rope_scaling";
        part.content = Content::computed;
        part.n_rows = 1;
        part.k = config_.head_dim / 2;
        const double longest = rope.original_context / rope.low_freq_factor;
        const double shortest = rope.original_context / rope.high_freq_factor;
        for (int64_t i = 0; i < part.k; ++i) {
            const double power = 2.0 * static_cast<double>(i) / static_cast<double>(config_.head_dim);
            const double wavelength = 2.0 * std::numbers::pi * std::pow(config_.rope_theta, power);
            double divisor = 1.0;
            if (wavelength > longest) {
                divisor = rope.factor;
            } else if (wavelength > shortest) {
                const double smooth = (rope.original_context / wavelength - rope.low_freq_factor) /
                                      (rope.high_freq_factor - rope.low_freq_factor);
                divisor = 1.0 / ((1.0 - smooth) / rope.factor + smooth);
            }
            part.values.push_back(static_cast<float>(divisor));
        }
        add("rope_freqs.weight", std::move(part), 1, QuantType::f32);
    }

    void add_head() {
        const char* name = "lm_head.weight";
        const bool there = weights_.find(name) != nullptr;
        if (config_.tied_head.value_or(!there)) {
            take(name);  // a copy of the embedding, which is what a tied model uses
            return;
        }
        add_floats("output.weight", name, config_.n_vocab, config_.n_embd);
    }

    void refuse_unknown() const {
        for (const Entry& entry : weights_.entries()) {
            const std::string shown = for_message(entry.tensor->name);
            if (taken_.count(&entry) != 0 || is_ignored_hf_tensor(entry.tensor->name)) continue;
            throw Error(BITNET_E_GGUF_TENSOR_DATA, entry.file->name() + ": tensor '" + shown + "' has no place in a " +
                                                       arch_.hf + " of " + std::to_string(config_.n_layer) +
                                                       " layers; this build would drop it and convert another model")
                .with_subject(shown);
        }
    }

    const std::string folder_;
    const HfTokenizer tokenizer_;
    const std::string name_;
    HfConfig config_;
    const HfArch& arch_;
    SafetensorsModel weights_;
    std::string prefix_;
    bool input_norms_ = false;  // of each projection
    std::optional<uint32_t> pooling_;
    std::vector<SourceTensor> tensors_;
    std::vector<HfTensor> parts_;  // beside tensors_
    std::set<const Entry*> taken_;
};

}  // namespace

bool is_model_folder(const std::string& path) {
    std::error_code ignored;
    return std::filesystem::is_directory(std::filesystem::path(std::u8string(path.begin(), path.end())), ignored);
}

std::unique_ptr<ModelSource> open_model_folder(const std::string& folder, HfTokenizer tokenizer) {
    return std::make_unique<HfSource>(folder, tokenizer);
}

}  // namespace bitnet
