// config.json of a stranger: every number within bounds before anything is computed from it. Keys that say nothing about
// the weights or the graph are passed over, as every reader of such files does; what would change the result is refused.
#include "src/convert/hf_config.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "src/base/error.h"
#include "src/gguf/gguf_text.h"
#include "src/safetensors/strict_json.h"

namespace bitnet {
namespace {

using nlohmann::json;

constexpr uint64_t kMaxConfigBytes = uint64_t{4} << 20;
// As load/hparams_read.cpp: far above any model, and no product of a few of them overflows.
constexpr int64_t kMaxWidth = 1 << 20;
constexpr int64_t kMaxFeedForward = 1 << 22;
constexpr int64_t kMaxLayers = 4096;
constexpr int64_t kMaxHeads = 65536;
constexpr int64_t kMaxVocabulary = 1 << 24;
constexpr int64_t kMaxContext = int64_t{1} << 31;

class ConfigReader {
public:
    ConfigReader(const json& root, const std::string& file) : root_(root), file_(file) {}

    HfConfig read() {
        c_.file = file_;
        read_architecture();
        c_.n_embd = whole(root_, "hidden_size", kMaxWidth);
        c_.n_layer = whole(root_, "num_hidden_layers", kMaxLayers);
        c_.n_ff = whole(root_, "intermediate_size", kMaxFeedForward);
        c_.n_head = whole(root_, "num_attention_heads", kMaxHeads);
        c_.n_head_kv = has(root_, "num_key_value_heads") ? whole(root_, "num_key_value_heads", kMaxHeads) : c_.n_head;
        c_.n_vocab = whole(root_, "vocab_size", kMaxVocabulary);
        c_.n_ctx = has(root_, "max_position_embeddings") ? whole(root_, "max_position_embeddings", kMaxContext) : 2048;
        read_heads();
        c_.rms_norm_eps = number(root_, "rms_norm_eps", 0.0, 1.0);
        read_window();
        read_rope();
        const char* activation = has(root_, "hidden_act") ? "hidden_act" : "hidden_activation";
        c_.hidden_act = text(root_, activation);
        if (has(root_, "tie_word_embeddings")) c_.tied_head = flag(root_, "tie_word_embeddings");
        refuse_unknown_graphs();
        read_quantization();
        return std::move(c_);
    }

private:
    static bool has(const json& object, const char* key) {
        const auto member = object.find(key);
        return member != object.end() && !member->is_null();
    }

    Error bad(const char* key, const std::string& what) const {
        return Error(BITNET_E_GGUF_METADATA,
                     file_ + ": '" + key + "' " + what + "; download the file again, or correct it")
            .with_subject(key);
    }
    Error unsupported(const char* key, const std::string& what) const {
        return Error(BITNET_E_UNSUPPORTED, file_ + ": '" + key + "' " + what + ", which this build cannot convert")
            .with_subject(key);
    }
    Error misfit(const std::string& what) const {
        return Error(BITNET_E_MODEL_SHAPE, file_ + ": " + what + "; the file is not that of the weights")
            .with_subject(file_);
    }

    const json& member(const json& object, const char* key) const {
        const auto found = object.find(key);
        if (found == object.end() || found->is_null()) throw bad(key, "is missing");
        return *found;
    }
    int64_t whole(const json& object, const char* key, int64_t limit) const {
        const json& value = member(object, key);
        if (!value.is_number_integer()) throw bad(key, "is not a whole number");
        // A negative number is outside, whichever way it is stored.
        const bool fits = value.is_number_unsigned() && value.get<uint64_t>() >= 1 &&
                          value.get<uint64_t>() <= static_cast<uint64_t>(limit);
        if (fits) return value.get<int64_t>();
        throw Error(BITNET_E_MODEL_SHAPE, file_ + ": '" + key + "' = " + for_message(value.dump(), 24) +
                                              " is outside 1.." + std::to_string(limit) +
                                              "; the file is damaged or hostile")
            .with_subject(key);
    }
    double number(const json& object, const char* key, double low, double high) const {
        const json& value = member(object, key);
        if (!value.is_number()) throw bad(key, "is not a number");
        const auto x = value.get<double>();
        if (!(x >= low && x <= high)) throw bad(key, "= " + float_text(x) + " is not a usable value");
        return x;
    }
    std::string text(const json& object, const char* key) const {
        const json& value = member(object, key);
        if (!value.is_string()) throw bad(key, "is not a text");
        return value.get<std::string>();
    }
    bool flag(const json& object, const char* key) const {
        if (!has(object, key)) return false;
        const json& value = object.at(key);
        if (!value.is_boolean()) throw bad(key, "is not true or false");
        return value.get<bool>();
    }

    void read_architecture() {
        const json& list = member(root_, "architectures");
        if (!list.is_array() || list.size() != 1 || !list[0].is_string())
            throw bad("architectures", "is not a list of one name");
        c_.architecture = list[0].get<std::string>();
        if (!has(root_, "_name_or_path") || !root_["_name_or_path"].is_string()) return;
        // "owner/model" only: a path of the machine that saved the folder says nothing about the model.
        const std::string name = root_["_name_or_path"].get<std::string>();
        const size_t slash = name.find('/');
        const bool plain = std::all_of(name.begin(), name.end(), [](unsigned char c) {
            return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' || c == '_' ||
                   c == '-' || c == '/';
        });
        const bool once = slash != std::string::npos && slash != 0 && name.find('/', slash + 1) == std::string::npos;
        if (plain && once && name[0] != '.' && name.size() > slash + 1 && name.size() <= 255)
            c_.name = name.substr(slash + 1);
    }

    void read_heads() {
        if (c_.n_head % c_.n_head_kv != 0) {
            throw misfit(std::to_string(c_.n_head) + " query heads cannot share " + std::to_string(c_.n_head_kv) +
                         " KV heads");
        }
        if (has(root_, "head_dim")) {
            c_.head_dim = whole(root_, "head_dim", kMaxWidth);
        } else {
            if (c_.n_embd % c_.n_head != 0)
                throw misfit("hidden_size " + std::to_string(c_.n_embd) + " is not a multiple of " +
                             std::to_string(c_.n_head) + " heads");
            c_.head_dim = c_.n_embd / c_.n_head;
        }
        if (c_.head_dim % 2 != 0)
            throw misfit("heads of odd width " + std::to_string(c_.head_dim) + " cannot be rotated in pairs");
        if (c_.n_q() > kMaxWidth) throw misfit("the heads are wider than " + std::to_string(kMaxWidth));
    }

    // layer_types of newer files says of each layer what older ones say with one number.
    void read_window() {
        if (has(root_, "use_sliding_window") && !flag(root_, "use_sliding_window")) return;
        if (!has(root_, "sliding_window")) return;
        c_.sliding_window = whole(root_, "sliding_window", kMaxContext);
        for (const char* key : {"sliding_window_pattern", "_sliding_window_pattern"}) {
            if (has(root_, key)) c_.sliding_period = whole(root_, key, kMaxLayers);
        }
        if (!has(root_, "layer_types")) {
            c_.layers_slide = has(root_, "use_sliding_window");
            return;
        }
        const json& types = root_["layer_types"];
        if (!types.is_array() || types.size() != static_cast<size_t>(c_.n_layer))
            throw bad("layer_types", "is not a list of one name for each layer");
        std::vector<bool> slides;
        for (const json& type : types) {
            if (type != "sliding_attention" && type != "full_attention")
                throw unsupported("layer_types", "has " + for_message(type.dump(), 40));
            slides.push_back(type == "sliding_attention");
        }
        const auto first_full = std::find(slides.begin(), slides.end(), false);
        c_.sliding_period = first_full - slides.begin() + 1;
        for (int64_t i = 0; i < c_.n_layer; ++i) {
            if (slides[static_cast<size_t>(i)] != ((i + 1) % c_.sliding_period != 0))
                throw unsupported("layer_types", "has no regular rhythm");
        }
        c_.layers_slide = first_full != slides.begin();
        if (!c_.layers_slide) c_.sliding_window = 0;
    }

    // Newer files have an object for each kind of layer in rope_parameters. Returns that of layers that see everything.
    const json& rope_of_kinds(const json& rope) {
        if (has(rope, "sliding_attention")) {
            const json& sliding = rope["sliding_attention"];
            if (!sliding.is_object()) throw bad("rope_parameters", "is not an object for each kind of layer");
            if (has(sliding, "rope_theta")) c_.sliding_rope_theta = number(sliding, "rope_theta", 1.0, 1e12);
            if (has(sliding, "rope_type") && text(sliding, "rope_type") != "default")
                throw unsupported("rope_parameters", "scales the positions of layers with a sliding window");
        }
        if (!has(rope, "full_attention")) return rope;
        if (!rope["full_attention"].is_object())
            throw bad("rope_parameters", "is not an object for each kind of layer");
        return rope["full_attention"];
    }

    // rope_parameters of newer files holds all that rope_theta and rope_scaling of older ones say.
    void read_rope() {
        const json* scaling = nullptr;
        if (has(root_, "rope_scaling")) scaling = &root_["rope_scaling"];
        if (has(root_, "rope_parameters")) scaling = &root_["rope_parameters"];
        if (scaling != nullptr && !scaling->is_object()) throw bad("rope_scaling", "is not an object");
        if (scaling != nullptr) scaling = &rope_of_kinds(*scaling);
        if (has(root_, "rope_local_base_freq"))
            c_.sliding_rope_theta = number(root_, "rope_local_base_freq", 1.0, 1e12);
        const json& theta_in = scaling != nullptr && has(*scaling, "rope_theta") ? *scaling : root_;
        if (has(theta_in, "rope_theta")) c_.rope_theta = number(theta_in, "rope_theta", 1.0, 1e12);
        if (has(root_, "partial_rotary_factor") && number(root_, "partial_rotary_factor", 0.0, 1.0) != 1.0)
            throw unsupported("partial_rotary_factor", "says that heads are rotated in part");
        if (scaling == nullptr) return;
        const char* type_key = has(*scaling, "rope_type") ? "rope_type" : "type";
        const std::string type = has(*scaling, type_key) ? text(*scaling, type_key) : "default";
        if (type == "default") return;
        HfRopeScaling& rope = c_.rope_scaling;
        if (type != "linear" && type != "llama3")
            throw unsupported("rope_scaling", "is of type '" + for_message(type) + "'");
        rope.factor = number(*scaling, "factor", 1e-3, 1e6);
        rope.kind = HfRopeScaling::Kind::linear;
        if (type == "linear") return;
        rope.kind = HfRopeScaling::Kind::llama3;
        rope.low_freq_factor = number(*scaling, "low_freq_factor", 1e-3, 1e6);
        rope.high_freq_factor = number(*scaling, "high_freq_factor", 1e-3, 1e6);
        rope.original_context = static_cast<double>(whole(*scaling, "original_max_position_embeddings", kMaxContext));
        if (rope.high_freq_factor <= rope.low_freq_factor)
            throw bad("high_freq_factor", "is not above low_freq_factor");
    }

    void refuse_unknown_graphs() {
        for (const char* key : {"attention_bias", "mlp_bias", "use_qk_norm"}) {
            if (flag(root_, key)) throw unsupported(key, "asks for a graph with more weights");
        }
        if (flag(root_, "use_bidirectional_attention"))
            throw unsupported("use_bidirectional_attention", "asks for attention that sees later tokens");
        for (const char* key : {"attn_logit_softcapping", "final_logit_softcapping"}) {
            if (has(root_, key)) throw unsupported(key, "asks to cap values");
        }
        if (has(root_, "query_pre_attn_scalar")) c_.query_scalar = number(root_, "query_pre_attn_scalar", 1e-3, 1e6);
        // 1bitLLM's own keys: other widths are other models.
        if (has(root_, "weight_bits") && whole(root_, "weight_bits", 64) != 1)
            throw unsupported("weight_bits", "is not 1");
        if (has(root_, "input_bits") && whole(root_, "input_bits", 64) != 8)
            throw unsupported("input_bits", "is not 8");
    }

    void read_quantization() {
        if (!has(root_, "quantization_config")) return;
        const json& q = root_["quantization_config"];
        if (!q.is_object()) throw bad("quantization_config", "is not an object");
        const std::string method = text(q, "quant_method");
        if (method != "bitnet") throw unsupported("quant_method", "is '" + for_message(method) + "'");
        HfQuantization& out = c_.quantization;
        out.present = true;
        const std::string linear = has(q, "linear_class") ? text(q, "linear_class") : "bitlinear";
        if (linear != "bitlinear" && linear != "autobitlinear")
            throw unsupported("linear_class", "is '" + for_message(linear) + "'");
        out.multiplies = linear == "autobitlinear";
        const std::string mode = has(q, "quantization_mode") ? text(q, "quantization_mode") : "offline";
        if (mode != "offline" && mode != "online")
            throw unsupported("quantization_mode", "is '" + for_message(mode) + "'");
        out.online = mode == "online";
        out.input_norms = flag(q, "use_rms_norm");
        if (!has(q, "modules_to_not_convert")) return;
        const json& kept = q["modules_to_not_convert"];
        if (!kept.is_array() || kept.size() > 65536) throw bad("modules_to_not_convert", "is not a list of names");
        for (const json& name : kept) {
            if (!name.is_string() || name.get_ref<const std::string&>().empty())
                throw bad("modules_to_not_convert", "is not a list of names");
            out.kept_modules.push_back(name.get<std::string>());
        }
    }

    const json& root_;
    const std::string file_;
    HfConfig c_;
};

}  // namespace

HfConfig parse_hf_config(std::string_view text, const std::string& name) {
    const json root = parse_strict_json(text, name, BITNET_E_GGUF_METADATA);
    return ConfigReader(root, name).read();
}

std::optional<uint32_t> read_hf_pooling(const std::string& folder) {
    const std::filesystem::path root(std::u8string(folder.begin(), folder.end()));
    const auto path_text = [](const std::filesystem::path& path) {
        const std::u8string utf8 = path.u8string();
        return std::string(utf8.begin(), utf8.end());
    };
    const std::string modules_path = path_text(root / "modules.json");
    std::error_code ignored;
    if (!std::filesystem::exists(root / "modules.json", ignored)) return std::nullopt;
    const std::string shown = for_message(modules_path, 1024);
    const auto bad = [&](const std::string& what) {
        return Error(BITNET_E_GGUF_METADATA, shown + ": " + what + "; download the file again, or remove it")
            .with_subject("modules.json");
    };
    // The file is a list, where the parser wants an object at the top.
    const json modules = parse_strict_json("{\"modules\":" + read_text_file(modules_path, kMaxConfigBytes) + "}", shown,
                                           BITNET_E_GGUF_METADATA)
                             .at("modules");
    if (!modules.is_array()) throw bad("not a list of modules");
    for (const json& module : modules) {
        if (!module.is_object() || !module.contains("type") || !module["type"].is_string())
            throw bad("a module has no type");
        if (!module["type"].get_ref<const std::string&>().ends_with(".Pooling")) continue;
        const std::string path = module.value("path", json()).is_string() ? module["path"].get<std::string>() : "";
        const bool plain = !path.empty() && path.size() <= 255 && path[0] != '.' &&
                           std::all_of(path.begin(), path.end(), [](unsigned char c) {
                               return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.';
                           });
        if (!plain) throw bad("the path of the pooling module is not the name of a folder beside the file");
        const std::string config_path = path_text(root / path / "config.json");
        const std::string config_shown = for_message(config_path, 1024);
        const json config =
            parse_strict_json(read_text_file(config_path, kMaxConfigBytes), config_shown, BITNET_E_GGUF_METADATA);
        std::optional<uint32_t> pooling;
        for (const auto& [key, number] :
             {std::pair("pooling_mode_mean_tokens", 1u), std::pair("pooling_mode_cls_token", 2u),
              std::pair("pooling_mode_lasttoken", 3u)}) {
            if (!config.contains(key) || config[key] != true) continue;
            if (pooling) {
                throw Error(BITNET_E_UNSUPPORTED,
                            config_shown + ": joins several ways of pooling, which this build cannot")
                    .with_subject(key);
            }
            pooling = number;
        }
        if (pooling) return pooling;
        throw Error(BITNET_E_UNSUPPORTED, config_shown +
                                              ": a way of pooling that this build does not know; it knows mean, "
                                              "first token and last token")
            .with_subject("modules.json");
    }
    return std::nullopt;
}

HfConfig read_hf_config(const std::string& path) {
    return parse_hf_config(read_text_file(path, kMaxConfigBytes), for_message(path, 1024));
}

}  // namespace bitnet
