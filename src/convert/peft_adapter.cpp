// Names: "base_model.model." + the module's + ".lora_A.weight", [rank, in], and ".lora_B.weight", [out, rank]. A tensor that is
// neither would be left out of the merged model, so it is refused.
#include "src/convert/peft_adapter.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "src/base/error.h"
#include "src/convert/hf_tensor_read.h"
#include "src/gguf/gguf_text.h"
#include "src/safetensors/safetensors_model.h"
#include "src/safetensors/strict_json.h"

namespace bitnet {
namespace {

using nlohmann::json;

constexpr uint64_t kMaxConfigBytes = uint64_t{1} << 20;
constexpr std::string_view kHalfA = ".lora_A.weight", kHalfB = ".lora_B.weight";

// Keys that change what an adapter computes, unless they say nothing: absent, null, false, "none" or empty.
struct PlainKey {
    const char* key;
    const char* what;
};
constexpr PlainKey kPlainKeys[] = {{"use_dora", "asks for DoRA"},
                                   {"fan_in_fan_out", "says that the weights lie the other way around"},
                                   {"lora_bias", "asks for biases"},
                                   {"bias", "asks for biases"},
                                   {"alpha_pattern", "gives modules scales of their own"},
                                   {"modules_to_save", "replaces whole modules"},
                                   {"use_qalora", "asks for QALoRA"},
                                   {"alora_invocation_tokens", "begins at certain tokens only (aLoRA)"}};

struct PeftConfig {
    double alpha = 0;
    bool by_root = false;  // rsLoRA: alpha / sqrt(rank)
};

PeftConfig read_config(const std::string& path) {
    const std::string file = for_message(path, 1024);
    const json root = parse_strict_json(read_text_file(path, kMaxConfigBytes), file, BITNET_E_GGUF_METADATA);
    const auto refuse = [&](bitnet_status status, const std::string& key, const std::string& what) {
        throw Error(status, file + ": '" + key + "' " + what).with_subject(key);
    };
    if (root.value("peft_type", json()) != json("LORA"))
        refuse(BITNET_E_GGUF_METADATA, "peft_type", "is not \"LORA\": this is no LoRA adapter");
    const json nothing[] = {json(nullptr), json(false), json("none"), json::object(), json::array()};
    for (const PlainKey& row : kPlainKeys) {
        const json value = root.value(row.key, json());
        if (std::find(std::begin(nothing), std::end(nothing), value) == std::end(nothing)) {
            refuse(BITNET_E_UNSUPPORTED, row.key,
                   std::string(row.what) +
                       ", which this build cannot merge; train a plain LoRA, or merge with PEFT and "
                       "give the result as a checkpoint");
        }
    }
    PeftConfig out;
    const json alpha = root.value("lora_alpha", json());
    if (!alpha.is_number() || !(std::fabs(alpha.get<double>()) <= kMaxLoraAlpha))
        refuse(BITNET_E_GGUF_METADATA, "lora_alpha", "is no usable number; save the adapter again");
    out.alpha = alpha.get<double>();
    out.by_root = root.value("use_rslora", json(false)) == json(true);
    return out;
}

class PeftReader {
public:
    PeftReader(const SafetensorsFile& file, const PeftConfig& config, float scale, const ModelSource& base,
               const PeftBase& of)
        : file_(file), config_(config), scale_(scale), of_(of), pairs_(base) {}

    std::unordered_map<size_t, LoraChange> read() {
        for (const SafetensorsTensor& tensor : file_.tensors()) {
            const std::string_view name = tensor.name;
            if (name.ends_with(kHalfA)) {
                read_pair(tensor, name.substr(0, name.size() - kHalfA.size()));
            } else if (name.ends_with(kHalfB)) {
                partner_of(tensor, std::string(name.substr(0, name.size() - kHalfB.size())), kHalfA);
            } else {
                fail(
                    BITNET_E_UNSUPPORTED, tensor,
                    "is neither lora_A nor lora_B of a matrix, so the merged model would be wrong; train a plain LoRA");
            }
        }
        if (file_.tensors().empty())
            throw Error(BITNET_E_GGUF_MISSING_TENSOR, file_.name() + ": the adapter has no tensors; save it again");
        return pairs_.take();
    }

private:
    [[noreturn]] void fail(bitnet_status status, const SafetensorsTensor& tensor, const std::string& what) const {
        const std::string shown = for_message(tensor.name);
        throw Error(status, file_.name() + ": tensor '" + shown + "' " + what).with_subject(shown);
    }

    const SafetensorsTensor& partner_of(const SafetensorsTensor& tensor, const std::string& module,
                                        std::string_view suffix) const {
        const SafetensorsTensor* partner = file_.find(module + std::string(suffix));
        if (partner == nullptr) {
            fail(BITNET_E_GGUF_MISSING_TENSOR, tensor,
                 "has no partner '" + for_message(module) + std::string(suffix) + "'; save the adapter again");
        }
        return *partner;
    }

    // "model.layers.3.self_attn.q_proj" -> "blk.3.attn_q.weight". heads: whose rows are put into pairs.
    std::string matrix_of(const SafetensorsTensor& tensor, std::string_view module, int64_t* heads) const {
        for (const std::string_view prefix : {"base_model.model.", "model."}) {
            if (module.starts_with(prefix)) module.remove_prefix(prefix.size());
        }
        if (module == "lm_head") return "output.weight";
        constexpr std::string_view kLayers = "layers.";
        if (module.starts_with(kLayers)) {
            module.remove_prefix(kLayers.size());
            uint32_t layer = 0;
            const auto [end, error] = std::from_chars(module.data(), module.data() + module.size(), layer);
            const std::string_view rest = module.substr(static_cast<size_t>(end - module.data()));
            for (const HfLayerTensor& row : of_.arch->layer) {
                if (error != std::errc() || rest != "." + std::string(row.hf).substr(0, module_length(row.hf)))
                    continue;
                if (row.role == HfRole::query_pairs) *heads = of_.n_head;
                if (row.role == HfRole::key_pairs) *heads = of_.n_head_kv;
                return "blk." + std::to_string(layer) + "." + row.gguf;
            }
        }
        fail(BITNET_E_NOT_FOUND, tensor,
             std::string("adapts a module that a ") + of_.arch->gguf +
                 " model has not, or that is no matrix; the adapter is of another model");
    }

    static size_t module_length(std::string_view weight) { return weight.size() - std::string_view(".weight").size(); }

    LoraHalf half_of(const SafetensorsTensor& tensor, int64_t heads) const {
        kern::QuantType type = kern::QuantType::f32;
        if (!float_type_of(tensor.type, &type)) {
            fail(BITNET_E_GGUF_TENSOR_TYPE, tensor,
                 std::string("is of type ") + safetensors_type_name(tensor.type) + "; save it as BF16, F16 or F32");
        }
        const std::vector<uint64_t>& shape = tensor.shape;
        if (shape.size() != 2 || shape[0] == 0 || shape[1] == 0)
            fail(BITNET_E_GGUF_TENSOR_SHAPE, tensor, "is " + shape_text(shape) + ", not a matrix");
        HfTensor part;
        part.name = tensor.name;
        part.data = {&file_, &tensor};
        part.n_rows = static_cast<int64_t>(shape[0]);
        part.k = static_cast<int64_t>(shape[1]);
        part.pair_heads = heads;
        return {tensor.name, part.k, part.n_rows, [part] {
                    std::vector<float> values(static_cast<size_t>(part.n_rows * part.k));
                    read_hf_floats(part, 0, part.n_rows, values.data());
                    return values;
                }};
    }

    void read_pair(const SafetensorsTensor& a, std::string_view module) {
        int64_t heads = 0;
        const std::string matrix = matrix_of(a, module, &heads);
        const SafetensorsTensor& b = partner_of(a, std::string(module), kHalfB);
        pairs_.add(matrix, half_of(a, 0), half_of(b, heads), [&](int64_t rank) {
            const double by = static_cast<double>(rank);
            return config_.alpha / (config_.by_root ? std::sqrt(by) : by) * static_cast<double>(scale_);
        });
    }

    const SafetensorsFile& file_;
    const PeftConfig config_;
    const float scale_;
    const PeftBase of_;
    LoraPairs pairs_;
};

}  // namespace

LoraFile read_peft_adapter(const std::string& folder, float scale, const ModelSource& base, const PeftBase& of) {
    const std::string config = in_folder(folder, "adapter_config.json");
    const std::string weights = in_folder(folder, "adapter_model.safetensors");
    const PeftConfig read = read_config(config);
    if (!file_exists(weights) && file_exists(in_folder(folder, "adapter_model.bin"))) {
        throw Error(BITNET_E_UNSUPPORTED, for_message(folder, 1024) +
                                              ": adapter_model.bin is a pickle, which can run code and is not read; "
                                              "save the adapter with safe_serialization=True");
    }
    const SafetensorsFile file = SafetensorsFile::read(open_file_source(weights, false));
    LoraFile out;
    out.paths = {config, weights};
    try {
        out.changes = PeftReader(file, read, scale, base, of).read();
    } catch (Error& error) {
        if (error.message().compare(0, file.name().size() + 2, file.name() + ": ") != 0) error.prefix(file.name());
        throw;
    }
    return out;
}

}  // namespace bitnet
