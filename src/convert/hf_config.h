// config.json of a Hugging Face model folder: the numbers that its metadata in a GGUF file follows from, checked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bitnet {

struct HfRopeScaling {
    enum class Kind : uint8_t { none, linear, llama3 };
    Kind kind = Kind::none;
    double factor = 1.0;
    // llama3 only: wavelengths are divided by the factor, by nothing, or by something in between.
    double low_freq_factor = 1.0;
    double high_freq_factor = 4.0;
    double original_context = 8192;
};

// What quantization_config says about how projections are stored (FORMATS 6).
struct HfQuantization {
    bool present = false;
    bool multiplies = false;   // linear_class autobitlinear: W = T * weight_scale; else W = T / weight_scale
    bool online = false;       // floats that are masters, ternarised whenever they are used
    bool input_norms = false;  // use_rms_norm: a norm of its own before each projection
    std::vector<std::string> kept_modules;  // modules_to_not_convert: parts of the names of layers that stay floats
};

struct HfConfig {
    std::string file;          // for messages: the path of config.json
    std::string architecture;  // "BitNetForCausalLM"
    std::string name;          // _name_or_path where it names a model of the hub, or ""
    int64_t n_embd = 0;
    int64_t n_layer = 0;
    int64_t n_ff = 0;
    int64_t n_head = 0;
    int64_t n_head_kv = 0;
    int64_t head_dim = 0;
    int64_t n_ctx = 0;
    int64_t n_vocab = 0;
    double rms_norm_eps = 1e-5;
    double rope_theta = 0;  // 0: not said, the architecture's own
    HfRopeScaling rope_scaling;
    int64_t sliding_window = 0;     // tokens that some layers see; 0: not said, or no layer has one
    int64_t sliding_period = 0;     // each layer of that number, from 1, sees everything; 0: not said
    bool layers_slide = false;      // layer_types says so of some
    double sliding_rope_theta = 0;  // of layers with a window; 0: not said
    double query_scalar = 0;        // queries are divided by its root; 0: not said, the heads' width
    std::string hidden_act;
    std::optional<bool> tied_head;  // not said: tied where there is no lm_head.weight
    HfQuantization quantization;

    int64_t n_q() const noexcept { return n_head * head_dim; }
    int64_t n_kv() const noexcept { return n_head_kv * head_dim; }
};

// path: of config.json, read whole. Throws BITNET_E_FILE_NOT_FOUND; BITNET_E_GGUF_METADATA (a key is missing or wrong);
// BITNET_E_MODEL_SHAPE (numbers that do not fit together); BITNET_E_UNSUPPORTED (a way to scale or quantise that this
// build does not know); BITNET_E_SECURITY_INPUT.
HfConfig read_hf_config(const std::string& path);
// The same from its text.
HfConfig parse_hf_config(std::string_view text, const std::string& name);
// What sentence-transformers' modules.json beside it says of pooling, as GGUF numbers it (1 mean, 2 first token, 3 last);
// nothing where there is no such file. Throws as read_hf_config.
std::optional<uint32_t> read_hf_pooling(const std::string& folder);

}  // namespace bitnet
