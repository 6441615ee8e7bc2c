// Hugging Face folders as sources of a conversion: the values of every kind of weight, and everything that can be wrong.
#include <algorithm>
#include <functional>

#include <doctest/doctest.h>

#include "src/base/error.h"
#include "src/convert/hf_source.h"
#include "src/gguf/gguf_reader.h"
#include "tests/src/convert/hf_fixture.h"
#include "tests/src/gguf/gguf_test_helpers.h"

using namespace bitnet;
using kern::QuantType;
using test::contains;
using test::error_of;
using test::HfFixture;
using test::HfFixtureTensor;

namespace {

constexpr char kQ[] = "model.layers.0.self_attn.q_proj.weight";
constexpr char kGate[] = "model.layers.0.mlp.gate_proj.weight";

size_t index_of(const ModelSource& source, const std::string& name) {
    for (size_t i = 0; i < source.tensors().size(); ++i)
        if (source.tensors()[i].name == name) return i;
    FAIL("no tensor ", name);
    return 0;
}

std::vector<float> rows_of(const ModelSource& source, const std::string& name) {
    const size_t i = index_of(source, name);
    const SourceTensor& tensor = source.tensors()[i];
    std::vector<float> out(static_cast<size_t>(tensor.ne[0] * tensor.n_rows()));
    source.read_rows(i, 0, tensor.n_rows(), out.data());
    return out;
}

// Everything a source says, as text: metadata, the table, and all bytes.
std::string all_of(const ModelSource& source) {
    GgufWriter writer;
    source.write_metadata(writer);
    const std::vector<uint8_t> head = writer.to_bytes();
    std::string out(head.begin(), head.end());
    for (size_t i = 0; i < source.tensors().size(); ++i) {
        const SourceTensor& tensor = source.tensors()[i];
        out += tensor.name + " " + std::to_string(tensor.ne[0]) + " " + std::to_string(tensor.ne[1]) + " " +
               kern::quant_type_info(tensor.stored).name;
        if (tensor.ternary_scale) out.append(reinterpret_cast<const char*>(&*tensor.ternary_scale), sizeof(float));
        std::vector<char> bytes(kern::quant_row_bytes(tensor.stored, tensor.ne[0]) *
                                static_cast<uint64_t>(tensor.n_rows()));
        source.read_stored(i, 0, tensor.n_rows(), bytes.data());
        out.append(bytes.begin(), bytes.end());
    }
    return out;
}

std::unique_ptr<ModelSource> open(const HfFixture& model) {
    test::TempDir dir;
    model.write(dir);
    return open_model_folder(dir.path().string(), HfTokenizer::left_out);  // the files stay open
}

std::shared_ptr<const GgufFile> metadata_of(const ModelSource& source) {
    GgufWriter writer;
    source.write_metadata(writer);
    static std::vector<std::vector<uint8_t>> kept;
    kept.push_back(writer.to_bytes());
    return GgufFile::read(open_memory_source(kept.back().data(), kept.back().size()));
}

}  // namespace

TEST_CASE("masters become their trits times one scale, and packed weights of the same trits give the same bytes") {
    HfFixture masters("BitNetForCausalLM");
    masters.config["quantization_config"] = {
        {"quant_method", "bitnet"}, {"linear_class", "autobitlinear"}, {"quantization_mode", "online"}};
    const auto source = open(masters);
    for (const auto& [name, gguf] : {std::pair(kQ, "blk.0.attn_q.weight"), std::pair(kGate, "blk.0.ffn_gate.weight")}) {
        float scale = 0;
        const std::vector<int> trits = HfFixture::trits(masters.tensors.at(name), &scale);
        const std::vector<float> values = rows_of(*source, gguf);
        CHECK(source->tensors()[index_of(*source, gguf)].ternary_scale == scale);
        CHECK(source->tensors()[index_of(*source, gguf)].stored == QuantType::i2_s);
        REQUIRE(values.size() == trits.size());
        for (size_t i = 0; i < values.size(); ++i) REQUIRE(values[i] == static_cast<float>(trits[i]) * scale);
    }
    HfFixture packed("BitNetForCausalLM");
    packed.pack(false);
    CHECK(all_of(*open(packed)) == all_of(*source));
}

TEST_CASE("rows of a packed tensor are the same in pieces of any size") {
    HfFixture model("LlamaForCausalLM");
    model.pack(true);
    const auto source = open(model);
    for (const char* name : {"blk.1.attn_q.weight", "blk.1.ffn_gate.weight", "blk.1.attn_output.weight"}) {
        const std::vector<float> whole = rows_of(*source, name);
        const size_t i = index_of(*source, name);
        const SourceTensor& tensor = source->tensors()[i];
        for (const int64_t step : {1, 2, 3, 5}) {
            std::vector<float> pieces(whole.size());
            for (int64_t row = 0; row < tensor.ne[1]; row += step)
                source->read_rows(i, row, std::min(step, tensor.ne[1] - row), pieces.data() + row * tensor.ne[0]);
            CHECK(pieces == whole);
        }
    }
}

TEST_CASE("weights of a llama are divided by their scale, and query and key rows of a head become neighbours") {
    HfFixture model("LlamaForCausalLM");
    const std::vector<float> plain = rows_of(*open(model), "blk.0.attn_q.weight");
    const std::vector<float> q = model.tensors.at(kQ).values();
    constexpr int64_t k = HfFixture::kEmbd, d = HfFixture::kHeadDim;
    for (int64_t head = 0; head < HfFixture::kHeads; ++head) {
        for (int64_t i = 0; i < d; ++i) {
            // Row i of a head is the cosine's partner of row i + d/2: the two stand at 2i and 2i + 1.
            const int64_t to = head * d + (i < d / 2 ? 2 * i : 2 * (i - d / 2) + 1);
            for (int64_t c = 0; c < k; ++c)
                REQUIRE(plain[static_cast<size_t>(to * k + c)] == q[static_cast<size_t>((head * d + i) * k + c)]);
        }
    }
    model.pack(true);
    const auto source = open(model);
    HfFixture masters("LlamaForCausalLM");
    float scale = 0;
    const std::vector<int> trits = HfFixture::trits(masters.tensors.at(kQ), &scale);
    const std::vector<float> packed = rows_of(*source, "blk.0.attn_q.weight");
    const float stored = model.tensors.at(std::string(kQ) + "_scale").values()[0];
    CHECK(source->tensors()[index_of(*source, "blk.0.attn_q.weight")].ternary_scale == 1.0f / stored);
    CHECK(packed[static_cast<size_t>(k)] ==
          static_cast<float>(trits[static_cast<size_t>(d / 2 * k)]) * (1.0f / stored));
    CHECK(source->tensors()[index_of(*source, "output.weight")].ternary_scale == std::nullopt);
}

TEST_CASE("a model in many files is the one in a single file") {
    const HfFixture model("BitnetForCausalLM");
    test::TempDir dir;
    model.write_shards(dir, 3);
    CHECK(all_of(*open_model_folder(dir.path().string(), HfTokenizer::left_out)) == all_of(*open(model)));
}

TEST_CASE("a plain llama keeps its floats and their type") {
    HfFixture model("LlamaForCausalLM");
    HfFixtureTensor& head = model.tensors.at("lm_head.weight");
    std::vector<uint8_t> halves;
    for (size_t i = 2; i < head.bytes.size(); i += 4) halves.insert(halves.end(), {head.bytes[i], head.bytes[i + 1]});
    head = {"BF16", head.shape, halves};
    HfFixtureTensor& norm = model.tensors.at("model.norm.weight");
    halves.clear();
    for (size_t i = 2; i < norm.bytes.size(); i += 4) halves.insert(halves.end(), {norm.bytes[i], norm.bytes[i + 1]});
    norm = {"BF16", norm.shape, halves};
    const auto source = open(model);
    const SourceTensor& output = source->tensors()[index_of(*source, "output.weight")];
    CHECK(output.stored == QuantType::bf16);
    CHECK(!output.ternary_scale);
    std::vector<uint8_t> bytes(head.bytes.size());
    source->read_stored(index_of(*source, "output.weight"), 0, output.ne[1], bytes.data());
    CHECK(bytes == head.bytes);
    CHECK(source->tensors()[index_of(*source, "output_norm.weight")].stored == QuantType::f32);
    CHECK(source->tensors()[index_of(*source, "output_norm.weight")].n_dims == 1);
    CHECK(source->tensors()[index_of(*source, "blk.0.ffn_down.weight")].ternary_scale == std::nullopt);
}

TEST_CASE("the metadata of a folder is what config.json says") {
    HfFixture model("BitnetForCausalLM");
    model.config["_name_or_path"] = "1bitLLM/bitnet_b1_58-tiny";
    model.config["rope_scaling"] = {{"type", "linear"}, {"factor", 2.0}};
    const auto file = metadata_of(*open(model));
    CHECK(file->require_string("general.architecture") == "bitnet");
    CHECK(file->require_string("general.name") == "bitnet_b1_58-tiny");
    CHECK(file->get_string("bitnet.hidden_activation") == "silu");
    CHECK(file->get_uint("bitnet.vocab_size") == HfFixture::kVocab);
    CHECK(file->get_uint("bitnet.context_length") == 32);
    CHECK(file->get_uint("bitnet.embedding_length") == HfFixture::kEmbd);
    CHECK(file->get_uint("bitnet.block_count") == HfFixture::kLayers);
    CHECK(file->get_uint("bitnet.feed_forward_length") == HfFixture::kFf);
    CHECK(file->get_uint("bitnet.attention.head_count") == HfFixture::kHeads);
    CHECK(file->get_uint("bitnet.attention.head_count_kv") == HfFixture::kKvHeads);
    CHECK(file->get_uint("bitnet.rope.dimension_count") == HfFixture::kHeadDim);
    CHECK(file->get_float("bitnet.rope.freq_base") == 500000.0);
    CHECK(file->get_string("bitnet.rope.scaling.type") == "linear");
    CHECK(file->get_float("bitnet.rope.scaling.factor") == 2.0);
    model.config["_name_or_path"] = "/home/someone/models/x";
    CHECK(metadata_of(*open(model))->find("general.name") == nullptr);
}

TEST_CASE("the rope of Llama 3.1 becomes divisors of its frequencies") {
    HfFixture model("LlamaForCausalLM");
    model.config["rope_scaling"] = {{"rope_type", "llama3"},
                                    {"factor", 8.0},
                                    {"low_freq_factor", 1.0},
                                    {"high_freq_factor", 4.0},
                                    {"original_max_position_embeddings", 8192}};
    const auto source = open(model);
    const std::vector<float> divisors = rows_of(*source, "rope_freqs.weight");
    REQUIRE(divisors.size() == 32);
    CHECK(divisors[0] == 1.0f);
    CHECK(divisors[31] == 8.0f);
    // transformers' _compute_llama3_parameters (5.24.0) of the same numbers, whose floats hold seven digits.
    CHECK(divisors[14] == 1.0f);
    CHECK(divisors[15] == doctest::Approx(1.5534144985651135).epsilon(2e-6));
    CHECK(divisors[16] == doctest::Approx(2.6945304013878557).epsilon(2e-6));
    CHECK(divisors[17] == doctest::Approx(5.257327225874496).epsilon(2e-6));
    CHECK(divisors[18] == 8.0f);
}

TEST_CASE("the head of a tied model is left out, also where a copy of it is there") {
    HfFixture model("BitNetForCausalLM");
    model.tensors["lm_head.weight"] = model.tensors.at("model.embed_tokens.weight");
    const auto source = open(model);
    for (const SourceTensor& tensor : source->tensors()) CHECK(tensor.name != "output.weight");
    model.config.erase("tie_word_embeddings");
    CHECK(open(model)->tensors().back().name == "output.weight");
}

TEST_CASE("whatever is wrong with a folder is an error that names it") {
    using Tensors = std::map<std::string, HfFixtureTensor>;
    struct Row {
        const char* what;
        const char* architecture;
        std::function<void(HfFixture&)> spoil;
        bitnet_status status;
        const char* words;
    };
    const auto set = [](const char* key, nlohmann::json value) {
        return [key, value](HfFixture& m) { m.config[key] = value; };
    };
    const auto edit = [](std::function<void(Tensors&)> change) {
        return [change](HfFixture& m) { change(m.tensors); };
    };
    const char *b158 = "BitNetForCausalLM", *llama = "LlamaForCausalLM";
    const auto packed = [](std::function<void(HfFixture&)> change) {
        return [change](HfFixture& m) {
            m.pack(m.config["architectures"][0] == "LlamaForCausalLM");
            change(m);
        };
    };
    const std::string scale_name = std::string(kQ) + "_scale";
    const Row rows[] = {
        {"another architecture", b158, set("architectures", {"MambaForCausalLM"}), BITNET_E_MODEL_ARCHITECTURE,
         "BitNetForCausalLM, BitnetForCausalLM"},
        {"two architectures", b158, set("architectures", {"A", "B"}), BITNET_E_GGUF_METADATA, "a list of one name"},
        {"another activation", b158, set("hidden_act", "silu"), BITNET_E_UNSUPPORTED, "hidden_act 'silu'"},
        {"no width", b158, [](HfFixture& m) { m.config.erase("hidden_size"); }, BITNET_E_GGUF_METADATA,
         "'hidden_size' is missing"},
        {"a width of text", b158, set("hidden_size", "128"), BITNET_E_GGUF_METADATA, "not a whole number"},
        {"half a width", b158, set("hidden_size", 128.5), BITNET_E_GGUF_METADATA, "not a whole number"},
        {"a negative width", b158, set("hidden_size", -128), BITNET_E_MODEL_SHAPE, "-128 is outside"},
        {"a huge width", b158, set("hidden_size", UINT64_MAX), BITNET_E_MODEL_SHAPE, "is outside"},
        {"no heads", b158, set("num_attention_heads", 0), BITNET_E_MODEL_SHAPE, "is outside"},
        {"heads that cannot share", b158, set("num_key_value_heads", 3), BITNET_E_MODEL_SHAPE, "cannot share"},
        {"a width that is no multiple", b158,
         [](HfFixture& m) { m.config["num_attention_heads"] = m.config["num_key_value_heads"] = 3; },
         BITNET_E_MODEL_SHAPE, "not a multiple of 3 heads"},
        {"odd heads", b158, set("head_dim", 63), BITNET_E_MODEL_SHAPE, "odd width"},
        {"an epsilon of 2", b158, set("rms_norm_eps", 2.0), BITNET_E_GGUF_METADATA, "not a usable value"},
        {"a rope of zero", b158, set("rope_theta", 0), BITNET_E_GGUF_METADATA, "not a usable value"},
        {"yarn", b158, set("rope_scaling", {{"rope_type", "yarn"}, {"factor", 2}}), BITNET_E_UNSUPPORTED, "'yarn'"},
        {"heads rotated in part", b158, set("partial_rotary_factor", 0.5), BITNET_E_UNSUPPORTED, "in part"},
        {"biases", llama, set("attention_bias", true), BITNET_E_UNSUPPORTED, "attention_bias"},
        {"gptq", llama, set("quantization_config", {{"quant_method", "gptq"}}), BITNET_E_UNSUPPORTED, "'gptq'"},
        {"another linear class", llama, set("quantization_config", {{"quant_method", "bitnet"}, {"linear_class", "x"}}),
         BITNET_E_UNSUPPORTED, "'x'"},
        {"eight-bit weights", "BitnetForCausalLM", set("weight_bits", 8), BITNET_E_UNSUPPORTED, "weight_bits"},
        {"no norm", b158, edit([](Tensors& t) { t.erase("model.norm.weight"); }), BITNET_E_GGUF_MISSING_TENSOR,
         "'model.norm.weight'"},
        {"no projection", b158, edit([](Tensors& t) { t.erase(kQ); }), BITNET_E_GGUF_MISSING_TENSOR, kQ},
        {"no head", llama, edit([](Tensors& t) { t.erase("lm_head.weight"); }), BITNET_E_GGUF_MISSING_TENSOR,
         "'lm_head.weight'"},
        {"a layer more than said", b158, set("num_hidden_layers", 1), BITNET_E_GGUF_TENSOR_DATA,
         "has no place in a BitNetForCausalLM of 1 layers"},
        {"a layer less than said", b158, set("num_hidden_layers", 3), BITNET_E_GGUF_MISSING_TENSOR, "model.layers.2."},
        {"a bias", llama,
         edit([](Tensors& t) { t["model.layers.0.self_attn.q_proj.bias"] = HfFixtureTensor::f32({1}, {0}); }),
         BITNET_E_GGUF_TENSOR_DATA, "q_proj.bias"},
        {"another vocabulary", b158, set("vocab_size", 6), BITNET_E_GGUF_TENSOR_SHAPE,
         "[5, 128], but config.json asks for [6, 128]"},
        {"another feed-forward width", b158, set("intermediate_size", 8), BITNET_E_GGUF_TENSOR_SHAPE,
         "config.json asks for"},
        {"a norm of two dimensions", b158, edit([](Tensors& t) {
             t.at("model.norm.weight").shape = {1, 128};
         }),
         BITNET_E_GGUF_TENSOR_SHAPE, "[1, 128]"},
        {"a matrix lying down", b158, edit([](Tensors& t) { std::swap(t.at(kGate).shape[0], t.at(kGate).shape[1]); }),
         BITNET_E_GGUF_TENSOR_SHAPE, "[128, 6]"},
        {"integers", llama, edit([](Tensors& t) { t.at(kQ).type = "I32"; }), BITNET_E_GGUF_TENSOR_TYPE, "of type I32"},
        {"packed, but config.json does not say how", llama,
         packed([](HfFixture& m) { m.config.erase("quantization_config"); }), BITNET_E_GGUF_TENSOR_TYPE,
         "quantization_config"},
        {"floats where packed is said", llama, set("quantization_config", {{"quant_method", "bitnet"}}),
         BITNET_E_GGUF_TENSOR_TYPE, "announces packed weights"},
        {"packed without a scale", b158, packed([&](HfFixture& m) { m.tensors.erase(scale_name); }),
         BITNET_E_GGUF_MISSING_TENSOR, "q_proj.weight_scale"},
        {"a scale of two numbers", b158, packed([&](HfFixture& m) {
             m.tensors[scale_name] = HfFixtureTensor::f32({2}, {1, 1});
         }),
         BITNET_E_GGUF_TENSOR_SHAPE, "[2]"},
        {"a scale below zero", b158,
         packed([&](HfFixture& m) { m.tensors[scale_name] = HfFixtureTensor::f32({1}, {-1}); }), BITNET_E_QUANT_SCALE,
         "no scale to multiply with"},
        {"a scale that is NaN", b158,
         packed([&](HfFixture& m) { m.tensors[scale_name] = HfFixtureTensor::f32({1}, {NAN}); }), BITNET_E_QUANT_INPUT,
         "has NaN"},
        {"a divisor of zero", llama,
         packed([&](HfFixture& m) { m.tensors[scale_name] = HfFixtureTensor::f32({1}, {0}); }), BITNET_E_QUANT_SCALE,
         "no scale to divide with"},
        {"packed in another shape", b158, packed([](HfFixture& m) {
             m.tensors.at(kQ).shape = {64, 64};
         }),
         BITNET_E_GGUF_TENSOR_SHAPE, "[32, 128]"},
        {"NaN in masters", "BitnetForCausalLM",
         edit([](Tensors& t) { t.at(kQ).bytes[4 * 130 + 3] = t.at(kQ).bytes[4 * 130 + 2] = 0xff; }),
         BITNET_E_QUANT_INPUT, "NaN in row 1, column 2"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.what);
        HfFixture model(row.architecture);
        row.spoil(model);
        const Error error = error_of([&] { open(model); });
        CHECK(error.status() == row.status);
        CHECK_MESSAGE(contains(error.message(), row.words), error.message());
    }
}

TEST_CASE("values that are no numbers and codes that stand for nothing are found while they are read") {
    HfFixture model("LlamaForCausalLM");
    HfFixtureTensor& head = model.tensors.at("lm_head.weight");
    head.bytes[4 * 129 + 3] = 0x7f;
    head.bytes[4 * 129 + 2] = 0x80;
    head.bytes[4 * 129 + 1] = head.bytes[4 * 129] = 0;
    model.pack(true);
    model.tensors.at(kGate).bytes[128 + 5] |= 3 << 2;  // row 3 of 6: the second of two packed rows, second quarter
    const auto source = open(model);
    const size_t output = index_of(*source, "output.weight"), gate = index_of(*source, "blk.0.ffn_gate.weight");
    std::vector<float> values(static_cast<size_t>(HfFixture::kVocab * HfFixture::kEmbd));
    for (const bool stored : {false, true}) {
        const auto read = [&](size_t tensor, int64_t rows) {
            return error_of([&] {
                if (stored) source->read_stored(tensor, 0, rows, values.data());
                if (!stored) source->read_rows(tensor, 0, rows, values.data());
            });
        };
        const Error infinite = read(output, 5);
        CHECK(infinite.status() == BITNET_E_QUANT_INPUT);
        CHECK_MESSAGE(contains(infinite.message(), "'lm_head.weight' has an infinite value in row 1, column 1"),
                      infinite.message());
        const Error code = read(gate, 5);
        CHECK(code.status() == BITNET_E_GGUF_TENSOR_DATA);
        CHECK_MESSAGE(contains(code.message(), "the code 3 in row 3, column 5"), code.message());
    }
}

TEST_CASE("a folder says which files it is read from, so that none of them is written over") {
    const HfFixture model("BitNetForCausalLM");
    test::TempDir dir;
    model.write_shards(dir, 2);
    dir.write("tokenizer.json", {'{', '}'});
    const std::string folder = dir.path().string();
    const auto source = open_model_folder(folder, HfTokenizer::left_out);
    CHECK(source->name() == folder);
    std::vector<std::string> files = source->files();
    std::sort(files.begin(), files.end());
    CHECK(files == std::vector<std::string>{folder + "/config.json", folder + "/model-0.safetensors",
                                            folder + "/model-1.safetensors", folder + "/model.safetensors.index.json",
                                            folder + "/tokenizer.json"});
    CHECK(is_model_folder(folder));
    CHECK(!is_model_folder(folder + "/config.json"));
    CHECK(!is_model_folder(folder + "/none"));
}
