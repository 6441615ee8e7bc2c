// Folders of BitNet embedding models (Qwen3 and Gemma 3 with a norm of every projection's input): made of the golden models,
// they become models that give the golden models' bits; masters, plain models, windows and pooling.
#include <doctest/doctest.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "src/base/error.h"
#include "src/convert/hf_source.h"
#include "src/gguf/gguf_reader.h"
#include "tests/src/convert/hf_fixture.h"
#include "tests/src/gguf/gguf_test_helpers.h"
#include "tests/support/golden_case.h"

using namespace bitnet;
using kern::QuantType;
using nlohmann::json;
using test::contains;
using test::error_of;
using test::HfFixture;
using test::HfFixtureTensor;

namespace {

const std::map<std::string, std::string> kNames = {{"attn_norm", "input_layernorm"},
                                                   {"attn_q", "self_attn.q_proj"},
                                                   {"attn_k", "self_attn.k_proj"},
                                                   {"attn_v", "self_attn.v_proj"},
                                                   {"attn_q_norm", "self_attn.q_norm"},
                                                   {"attn_k_norm", "self_attn.k_norm"},
                                                   {"attn_output", "self_attn.o_proj"},
                                                   {"ffn_gate", "mlp.gate_proj"},
                                                   {"ffn_up", "mlp.up_proj"},
                                                   {"ffn_down", "mlp.down_proj"},
                                                   {"token_embd", "embed_tokens"},
                                                   {"output_norm", "norm"},
                                                   {"attn_q_norm_in", "self_attn.q_proj.norm"},
                                                   {"attn_k_norm_in", "self_attn.k_proj.norm"},
                                                   {"attn_v_norm_in", "self_attn.v_proj.norm"},
                                                   {"attn_output_norm_in", "self_attn.o_proj.norm"},
                                                   {"ffn_gate_norm_in", "mlp.gate_proj.norm"},
                                                   {"ffn_up_norm_in", "mlp.up_proj.norm"},
                                                   {"ffn_down_norm_in", "mlp.down_proj.norm"}};

std::string hf_name(const std::string& gguf, bool gemma) {
    const std::string stem = gguf.substr(0, gguf.rfind(".weight"));
    if (!stem.starts_with("blk.")) return kNames.at(stem) + ".weight";
    const size_t dot = stem.find('.', 4);
    const std::string part = stem.substr(dot + 1), layer = "layers." + stem.substr(4, dot - 4) + ".";
    if (part == "ffn_norm")
        return layer + (gemma ? "pre_feedforward_layernorm" : "post_attention_layernorm") + ".weight";
    if (part == "post_attention_norm") return layer + "post_attention_layernorm.weight";
    if (part == "post_ffw_norm") return layer + "post_feedforward_layernorm.weight";
    return layer + kNames.at(part) + ".weight";
}

// A golden model as a folder: ternary matrices as floats of their exact values, norms of Gemma without their 1, the rest as
// it is. HfFixture's random weights go.
HfFixture folder_of(const std::string& golden, const std::string& architecture) {
    const auto file = GgufFile::open(test::golden_model(golden), true);
    const bool gemma = file->require_string("general.architecture") == "gemma3";
    const std::string arch = gemma ? "gemma3." : "qwen3.";
    const auto number = [&](const char* key) { return *file->get_uint(arch + key); };
    HfFixture out("LlamaForCausalLM");
    out.tensors.clear();
    out.config = {{"architectures", {architecture}},
                  {"hidden_size", number("embedding_length")},
                  {"intermediate_size", number("feed_forward_length")},
                  {"num_hidden_layers", number("block_count")},
                  {"num_attention_heads", number("attention.head_count")},
                  {"num_key_value_heads", number("attention.head_count_kv")},
                  {"max_position_embeddings", number("context_length")},
                  {"vocab_size", number("vocab_size")},
                  {"head_dim", number("rope.dimension_count")},
                  {"rms_norm_eps", *file->get_float(arch + "attention.layer_norm_rms_epsilon")},
                  {gemma ? "hidden_activation" : "hidden_act", gemma ? "gelu_pytorch_tanh" : "silu"}};
    const double theta = *file->get_float(arch + "rope.freq_base");
    if (gemma) {
        out.config["sliding_window"] = 5;
        out.config["layer_types"] = {"sliding_attention", "sliding_attention", "full_attention"};
        out.config["query_pre_attn_scalar"] = number("rope.dimension_count");
        out.config["rope_parameters"] = {
            {"full_attention", {{"rope_type", "linear"}, {"factor", 8.0}, {"rope_theta", theta}}},
            {"sliding_attention", {{"rope_type", "default"}, {"rope_theta", 10000.0}}}};
    } else {
        out.config["rope_theta"] = theta;
        out.config["sliding_window"] = 32;  // without meaning, as in Qwen's own files
        out.config["use_sliding_window"] = false;
    }
    for (const GgufTensor& tensor : file->tensors()) {
        const std::string name = hf_name(tensor.name, gemma);
        std::vector<uint64_t> shape = {static_cast<uint64_t>(tensor.ne[0])};
        if (tensor.n_dims == 2) shape.insert(shape.begin(), static_cast<uint64_t>(tensor.n_rows()));
        std::vector<uint8_t> bytes(tensor.n_bytes);
        file->read_data(tensor, 0, bytes.data(), bytes.size());
        if (tensor.type == QuantType::f16) {
            out.tensors[name] = {"F16", shape, bytes};
            continue;
        }
        std::vector<float> values(static_cast<size_t>(tensor.n_elements()));
        float scale = 1.0f;
        if (tensor.type == QuantType::i2_s) std::memcpy(&scale, bytes.data() + tensor.n_elements() / 4, sizeof scale);
        kern::quant_type_info(tensor.type).decode(bytes.data(), scale, tensor.n_elements(), values.data());
        if (gemma && tensor.n_dims == 1 && !tensor.name.ends_with("_norm_in.weight")) {
            for (float& w : values) w -= 1.0f;  // exact, and so is its reversal
        }
        out.tensors[name] = HfFixtureTensor::f32(shape, values);
    }
    return out;
}

// Packed with the exact scale, so that nothing is ternarised anew.
void pack_exactly(HfFixture& model) {
    std::map<std::string, float> scales;
    for (const auto& [name, tensor] : model.tensors) {
        if (!HfFixture::is_projection(name)) continue;
        for (const float w : tensor.values()) scales[name] = std::max(scales[name], std::fabs(w));
    }
    model.pack(false);
    for (const auto& [name, scale] : scales) model.tensors[name + "_scale"] = HfFixtureTensor::f32({1}, {scale});
}

void write_text(const test::TempDir& dir, const std::string& name, const json& value) {
    const std::string text = value.dump();
    dir.write(name, {text.begin(), text.end()});
}

void write_pooling(const test::TempDir& dir, const json& pooling) {
    write_text(dir, "modules.json",
               json::array({{{"idx", 0}, {"path", ""}, {"type", "sentence_transformers.models.Transformer"}},
                            {{"idx", 1}, {"path", "1_Pooling"}, {"type", "sentence_transformers.models.Pooling"}}}));
    std::filesystem::create_directory(dir.path() / "1_Pooling");
    write_text(dir, "1_Pooling/config.json", pooling);
}

std::unique_ptr<ModelSource> open(const HfFixture& model, const std::function<void(const test::TempDir&)>& more = {}) {
    test::TempDir dir;
    model.write(dir);
    if (more) more(dir);
    return open_model_folder(dir.path().string(), HfTokenizer::left_out);
}

std::vector<uint8_t> converted(const ModelSource& source) {
    GgufWriter writer;
    source.write_metadata(writer);
    for (size_t i = 0; i < source.tensors().size(); ++i) {
        const SourceTensor& tensor = source.tensors()[i];
        writer.add_tensor(
            tensor.name, tensor.stored, std::span<const int64_t>(tensor.ne, tensor.n_dims),
            [&source, i](int64_t row0, int64_t n, void* dst) { source.read_stored(i, row0, n, dst); },
            tensor.ternary_scale.value_or(1.0f));
    }
    return writer.to_bytes();
}

const SourceTensor& tensor_of(const ModelSource& source, const std::string& name, size_t* index = nullptr) {
    for (size_t i = 0; i < source.tensors().size(); ++i) {
        if (source.tensors()[i].name != name) continue;
        if (index != nullptr) *index = i;
        return source.tensors()[i];
    }
    FAIL("no tensor ", name);
    return source.tensors()[0];
}

}  // namespace

TEST_CASE("folders of embedding models become files that give the golden models' logits, bit for bit") {
    const struct {
        const char *golden, *architecture;
    } rows[] = {{"qwen3-i2s", "Qwen3Model"},
                {"qwen3-i2s", "Qwen3ForCausalLM"},
                {"gemma3-i2s", "Gemma3TextModel"},
                {"gemma3-i2s", "Gemma3ForCausalLM"}};
    for (const auto& row : rows) {
        CAPTURE(row.architecture);
        HfFixture folder = folder_of(row.golden, row.architecture);
        pack_exactly(folder);
        if (std::string(row.architecture).ends_with("CausalLM")) {
            std::map<std::string, HfFixtureTensor> inside;
            for (const auto& [name, tensor] : folder.tensors) inside["model." + name] = tensor;
            folder.tensors = inside;
        }
        const bool gemma = row.golden[0] == 'g';
        const auto source = open(folder, [&](const test::TempDir& dir) {
            write_pooling(dir, {{"word_embedding_dimension", 128},
                                {gemma ? "pooling_mode_mean_tokens" : "pooling_mode_lasttoken", true}});
        });
        const std::vector<uint8_t> bytes = converted(*source);  // used in place by the model
        const test::ModelHandle model = test::load_model(bytes);
        const test::ModelHandle expected = test::load_model(test::golden_model(row.golden));
        const test::Tokens prompt = {5, 80, 17, 120, 33, 64, 9, 200, 41};
        CHECK(test::same_bits(test::fresh_logits(model, prompt), test::fresh_logits(expected, prompt)));
        const auto file = GgufFile::open(test::golden_model(row.golden), true);
        const std::string pooling = std::string(gemma ? "gemma3" : "qwen3") + ".pooling_type";
        const auto made = GgufFile::read(open_memory_source(bytes.data(), bytes.size()));
        CHECK(made->get_uint(pooling) == file->get_uint(pooling));
    }
}

TEST_CASE("floats of a model with input norms are masters to ternarise; without them they stay as they are") {
    HfFixture masters = folder_of("qwen3-i2s", "Qwen3Model");
    const std::string up = "layers.1.mlp.up_proj.weight";
    std::vector<float> values = masters.tensors.at(up).values();
    for (size_t i = 0; i < values.size(); ++i) values[i] += static_cast<float>(i % 7) * 0.01f;
    masters.tensors[up] = HfFixtureTensor::f32(masters.tensors.at(up).shape, values);
    const auto source = open(masters);
    size_t index = 0;
    const SourceTensor& tensor = tensor_of(*source, "blk.1.ffn_up.weight", &index);
    float scale = 0;
    const std::vector<int> trits = HfFixture::trits(masters.tensors.at(up), &scale);
    CHECK(tensor.ternary_scale == scale);
    CHECK(tensor.stored == QuantType::i2_s);
    std::vector<float> read(values.size());
    source->read_rows(index, 0, tensor.ne[1], read.data());
    bool same = true;
    for (size_t i = 0; i < read.size(); ++i) same = same && read[i] == static_cast<float>(trits[i]) * scale;
    CHECK(same);

    std::erase_if(masters.tensors, [](const auto& item) { return item.first.ends_with("_proj.norm.weight"); });
    const auto dense = open(masters);
    CHECK(tensor_of(*dense, "blk.1.ffn_up.weight").stored == QuantType::f32);
    CHECK(!tensor_of(*dense, "blk.1.ffn_up.weight").ternary_scale);
    CHECK(test::load_status(converted(*dense)) == BITNET_OK);
}

TEST_CASE("Gemma's norms get their 1, the norms of projection inputs do not") {
    const HfFixture folder = folder_of("gemma3-i2s", "Gemma3TextModel");
    const auto source = open(folder);
    for (const auto& [name, hf, added] :
         {std::tuple("blk.0.post_ffw_norm.weight", "layers.0.post_feedforward_layernorm.weight", 1.0f),
          std::tuple("blk.0.attn_k_norm.weight", "layers.0.self_attn.k_norm.weight", 1.0f),
          std::tuple("output_norm.weight", "norm.weight", 1.0f),
          std::tuple("blk.0.attn_k_norm_in.weight", "layers.0.self_attn.k_proj.norm.weight", 0.0f)}) {
        const char* const gguf = name;  // C++20 captures bindings, clang 14 does not yet
        CAPTURE(gguf);
        size_t index = 0;
        const SourceTensor& tensor = tensor_of(*source, gguf, &index);
        std::vector<float> found(static_cast<size_t>(tensor.ne[0])), wanted = folder.tensors.at(hf).values();
        source->read_rows(index, 0, 1, found.data());
        for (float& w : wanted) w += added;
        CHECK(found == wanted);
    }
}

TEST_CASE("windows of older and newer config files become the same keys, and their absence none") {
    const auto metadata = [](const HfFixture& folder) {
        GgufWriter writer;
        open(folder)->write_metadata(writer);
        static std::vector<std::vector<uint8_t>> kept;
        kept.push_back(writer.to_bytes());
        return GgufFile::read(open_memory_source(kept.back().data(), kept.back().size()));
    };
    HfFixture folder = folder_of("gemma3-i2s", "Gemma3TextModel");
    const auto newer = metadata(folder);
    CHECK(newer->get_uint("gemma3.attention.sliding_window") == 5);
    CHECK(newer->get_uint("gemma3.attention.sliding_window_pattern") == 3);
    CHECK(newer->get_float("gemma3.rope.freq_base_swa") == 10000.0);
    CHECK(newer->get_float("gemma3.rope.freq_base") == 1000000.0);
    CHECK(newer->get_float("gemma3.rope.scaling.factor") == 8.0);
    folder.config.erase("layer_types");
    folder.config.erase("rope_parameters");
    const auto silent = metadata(folder);
    CHECK(silent->get_uint("gemma3.attention.sliding_window_pattern") == 6);
    CHECK(silent->get_float("gemma3.rope.freq_base_swa") == 10000.0);
    CHECK(silent->get_float("gemma3.rope.freq_base") == 1000000.0);
    folder.config["sliding_window_pattern"] = 3;
    folder.config["rope_local_base_freq"] = 20000.0;
    folder.config["rope_theta"] = 30000.0;
    const auto older = metadata(folder);
    CHECK(older->get_uint("gemma3.attention.sliding_window_pattern") == 3);
    CHECK(older->get_float("gemma3.rope.freq_base_swa") == 20000.0);
    CHECK(older->get_float("gemma3.rope.freq_base") == 30000.0);
    folder.config.erase("sliding_window_pattern");
    folder.config["layer_types"] = {"full_attention", "full_attention", "full_attention"};
    CHECK(metadata(folder)->find("gemma3.attention.sliding_window") == nullptr);
    CHECK(metadata(folder_of("qwen3-i2s", "Qwen3Model"))->find("qwen3.attention.sliding_window") == nullptr);
}

TEST_CASE("what an embedding model's folder asks for and this build does not compute is refused") {
    struct Row {
        const char *golden, *architecture;
        std::function<void(HfFixture&)> spoil;
        bitnet_status status;
        const char* words;
    };
    const auto set = [](const char* key, json value) { return [key, value](HfFixture& m) { m.config[key] = value; }; };
    const char *gemma = "Gemma3TextModel", *qwen = "Qwen3Model";
    const Row rows[] = {
        {"gemma3-i2s", gemma, set("use_bidirectional_attention", true), BITNET_E_UNSUPPORTED, "later tokens"},
        {"gemma3-i2s", gemma, set("final_logit_softcapping", 30.0), BITNET_E_UNSUPPORTED, "final_logit_softcapping"},
        {"gemma3-i2s", gemma, set("query_pre_attn_scalar", 168), BITNET_E_UNSUPPORTED, "not the width of a head"},
        {"gemma3-i2s", gemma, set("layer_types", {"sliding_attention", "full_attention", "full_attention"}),
         BITNET_E_UNSUPPORTED, "no regular rhythm"},
        {"gemma3-i2s", gemma, set("layer_types", {"full_attention"}), BITNET_E_GGUF_METADATA,
         "one name for each layer"},
        {"gemma3-i2s", gemma, set("layer_types", {"chunked_attention", "a", "b"}), BITNET_E_UNSUPPORTED, "chunked"},
        {"gemma3-i2s", gemma, set("sliding_window", -1), BITNET_E_MODEL_SHAPE, "sliding_window"},
        {"gemma3-i2s", gemma, set("rope_parameters", {{"full_attention", 1}}), BITNET_E_GGUF_METADATA,
         "each kind of layer"},
        {"gemma3-i2s", gemma, set("hidden_activation", "silu"), BITNET_E_UNSUPPORTED, "gelu_pytorch_tanh"},
        {"qwen3-i2s", qwen, set("use_sliding_window", true), BITNET_E_UNSUPPORTED, "sliding_window"},
        {"qwen3-i2s", qwen, [](HfFixture& m) { m.tensors.erase("layers.1.mlp.up_proj.norm.weight"); },
         BITNET_E_GGUF_MISSING_TENSOR, "layers.1.mlp.up_proj.norm.weight"},
        {"qwen3-i2s", qwen, [](HfFixture& m) { m.tensors.erase("layers.0.self_attn.q_norm.weight"); },
         BITNET_E_GGUF_MISSING_TENSOR, "layers.0.self_attn.q_norm.weight"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.words);
        HfFixture folder = folder_of(row.golden, row.architecture);
        row.spoil(folder);
        const Error error = error_of([&] { open(folder); });
        CHECK(error.status() == row.status);
        CHECK_MESSAGE(contains(error.message(), row.words), error.message());
    }
}

TEST_CASE("pooling that this build does not know, and a modules.json that leads out of its folder, are refused") {
    const HfFixture folder = folder_of("qwen3-i2s", "Qwen3Model");
    const auto open_with = [&](const std::function<void(const test::TempDir&)>& more) {
        return error_of([&] { open(folder, more); });
    };
    const Error joined = open_with([](const test::TempDir& dir) {
        write_pooling(dir, {{"pooling_mode_cls_token", true}, {"pooling_mode_lasttoken", true}});
    });
    CHECK(joined.status() == BITNET_E_UNSUPPORTED);
    const Error unknown = open_with([](const test::TempDir& dir) {
        write_pooling(dir, {{"pooling_mode_max_tokens", true}});
    });
    CHECK(unknown.status() == BITNET_E_UNSUPPORTED);
    for (const char* path : {"", "..", "../1_Pooling", "/etc", "a/b", "..\\x"}) {
        CAPTURE(path);
        const Error error = open_with([&](const test::TempDir& dir) {
            write_text(dir, "modules.json", json::array({{{"type", "x.Pooling"}, {"path", path}}}));
        });
        CHECK(error.status() == BITNET_E_GGUF_METADATA);
        CHECK(contains(error.message(), "modules.json"));
    }
    for (const json& modules : {json(1), json::object(), json::array({1}), json::array({{{"type", 1}}})}) {
        CAPTURE(modules.dump());
        CHECK(open_with([&](const test::TempDir& dir) { write_text(dir, "modules.json", modules); }).status() ==
              BITNET_E_GGUF_METADATA);
    }
    CHECK(open_with([](const test::TempDir& dir) {
              write_text(dir, "modules.json", json::array({{{"type", "x.Pooling"}, {"path", "1_Pooling"}}}));
          }).status() == BITNET_E_FILE_NOT_FOUND);
    CHECK(tensor_of(*open(folder, [](const test::TempDir& dir) { write_text(dir, "modules.json", json::array()); }),
                    "output_norm.weight")
              .ne[0] == 128);
}
