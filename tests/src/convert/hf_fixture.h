// A Hugging Face folder of a tiny random model, made in memory so that a test can spoil one thing of it, then written.
#pragma once

#include <cmath>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/support/safetensors_bytes.h"
#include "tests/support/temp_dir.h"

namespace test {

struct HfFixtureTensor {
    std::string type;
    std::vector<uint64_t> shape;
    std::vector<uint8_t> bytes;

    static HfFixtureTensor f32(std::vector<uint64_t> shape, const std::vector<float>& values) {
        HfFixtureTensor tensor{"F32", std::move(shape), std::vector<uint8_t>(values.size() * 4)};
        std::memcpy(tensor.bytes.data(), values.data(), tensor.bytes.size());
        return tensor;
    }
    std::vector<float> values() const {
        std::vector<float> out(bytes.size() / 4);
        std::memcpy(out.data(), bytes.data(), bytes.size());
        return out;
    }
};

struct HfFixture {
    static constexpr int64_t kEmbd = 128, kFf = 6, kHeads = 2, kKvHeads = 1, kHeadDim = 64, kVocab = 5, kLayers = 2;

    nlohmann::json config;
    std::map<std::string, HfFixtureTensor> tensors;

    // Of the architecture, with random f32 weights.
    explicit HfFixture(const std::string& architecture) {
        const bool llama = architecture == "LlamaForCausalLM", bitllm = architecture == "BitnetForCausalLM";
        config = {{"architectures", {architecture}},
                  {"hidden_size", kEmbd},
                  {"intermediate_size", kFf},
                  {"num_hidden_layers", kLayers},
                  {"num_attention_heads", kHeads},
                  {"num_key_value_heads", kKvHeads},
                  {"max_position_embeddings", 32},
                  {"vocab_size", kVocab},
                  {"rms_norm_eps", 1e-5},
                  {"rope_theta", 5e5},
                  {"hidden_act", architecture == "BitNetForCausalLM" ? "relu2" : "silu"},
                  {"tie_word_embeddings", !llama}};
        add("model.embed_tokens.weight", {kVocab, kEmbd});
        for (int64_t layer = 0; layer < kLayers; ++layer) {
            const std::string at = "model.layers." + std::to_string(layer) + ".";
            add(at + "input_layernorm.weight", {kEmbd});
            add(at + "post_attention_layernorm.weight", {kEmbd});
            if (!llama)
                add(at + (bitllm ? "self_attn.inner_attn_ln.weight" : "self_attn.attn_sub_norm.weight"), {kEmbd});
            if (!llama) add(at + (bitllm ? "mlp.ffn_layernorm.weight" : "mlp.ffn_sub_norm.weight"), {kFf});
            for (const char* name : {"q", "o"}) add(at + "self_attn." + name + "_proj.weight", {kEmbd, kEmbd});
            for (const char* name : {"k", "v"})
                add(at + "self_attn." + name + "_proj.weight", {kKvHeads * kHeadDim, kEmbd});
            for (const char* name : {"gate", "up"}) add(at + "mlp." + name + "_proj.weight", {kFf, kEmbd});
            add(at + "mlp.down_proj.weight", {kEmbd, kFf});
        }
        add("model.norm.weight", {kEmbd});
        if (llama) add("lm_head.weight", {kVocab, kEmbd});
    }

    static bool is_projection(const std::string& name) { return name.ends_with("_proj.weight"); }

    // The scale that masters get, and their trits, row by row, as the papers have it (FORMATS 5.1).
    static std::vector<int> trits(const HfFixtureTensor& masters, float* scale) {
        const std::vector<float> w = masters.values();
        double sum = 0;
        for (const float x : w) sum += std::fabs(static_cast<double>(x));
        const float s = 1.0f / std::max(static_cast<float>(sum / static_cast<double>(w.size())), 1e-5f);
        *scale = 1.0f / s;
        std::vector<int> out;
        for (const float x : w) out.push_back(static_cast<int>(std::clamp(std::nearbyint(x * s), -1.0f, 1.0f)));
        return out;
    }

    // Replaces masters by packed bytes and a scale of `divides ? 1 / s : s`, as transformers packs them.
    void pack(bool divides) {
        config["quantization_config"] = {{"quant_method", "bitnet"}, {"modules_to_not_convert", {"lm_head"}}};
        if (!divides) config["quantization_config"]["linear_class"] = "autobitlinear";
        std::map<std::string, HfFixtureTensor> packed;
        for (const auto& [name, tensor] : tensors) {
            if (!is_projection(name)) {
                packed[name] = tensor;
                continue;
            }
            float scale = 0;
            const std::vector<int> codes = trits(tensor, &scale);
            const uint64_t rows = tensor.shape[0], k = tensor.shape[1], quarter = (rows + 3) / 4;
            HfFixtureTensor u8{"U8", {quarter, k}, std::vector<uint8_t>(quarter * k)};
            for (uint64_t row = 0; row < rows; ++row) {
                for (uint64_t c = 0; c < k; ++c)
                    u8.bytes[row % quarter * k + c] |=
                        static_cast<uint8_t>((codes[row * k + c] + 1) << (2 * (row / quarter)));
            }
            packed[name] = u8;
            packed[name + "_scale"] = HfFixtureTensor::f32({1}, {divides ? 1.0f / scale : scale});
        }
        tensors = std::move(packed);
    }

    void write(const TempDir& dir) const {
        const std::string text = config.dump();
        dir.write("config.json", {text.begin(), text.end()});
        dir.write("model.safetensors", bytes(0, 1));
    }
    // The same in n files.
    void write_shards(const TempDir& dir, size_t n) const {
        const std::string text = config.dump();
        dir.write("config.json", {text.begin(), text.end()});
        nlohmann::json map;
        size_t i = 0;
        const auto file = [](size_t part) { return "model-" + std::to_string(part) + ".safetensors"; };
        for (const auto& [name, tensor] : tensors) map[name] = file(i++ % n);
        for (size_t part = 0; part < n; ++part) dir.write(file(part), bytes(part, n));
        const std::string index = nlohmann::json{{"weight_map", map}}.dump();
        dir.write("model.safetensors.index.json", {index.begin(), index.end()});
    }

private:
    void add(const std::string& name, std::vector<uint64_t> shape) {
        uint64_t n = 1;
        for (const uint64_t d : shape) n *= d;
        std::vector<float> values(n);
        for (float& x : values) x = static_cast<float>(static_cast<int64_t>(rng_() % 2001) - 1000) / 512.0f;
        tensors[name] = HfFixtureTensor::f32(std::move(shape), values);
    }
    std::vector<uint8_t> bytes(size_t part, size_t n) const {
        SafetensorsBytes out;
        size_t i = 0;
        for (const auto& [name, tensor] : tensors)
            if (i++ % n == part) out.add(name, tensor.type, tensor.shape, tensor.bytes);
        return out.bytes();
    }

    std::mt19937 rng_{7};
};

}  // namespace test
