// Quantisation, types, features and configuration of a model: counted from its tensors, whatever their labels say.
#include <doctest/doctest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/support/api_fixture.h"
#include "tests/support/model_edit.h"

namespace {

bitnet_quantization_info quantization_of(const test::ModelHandle& model) {
    bitnet_quantization_info info = {};
    info.struct_size = sizeof info;
    test::must(bitnet_model_get_quantization(model.get(), &info));
    return info;
}

bitnet_model_config config_of(const test::ModelHandle& model) {
    bitnet_model_config config = {};
    config.struct_size = sizeof config;
    test::must(bitnet_model_get_config(model.get(), &config));
    return config;
}

std::vector<bitnet_type_usage> types_of(const test::ModelHandle& model) {
    std::vector<bitnet_type_usage> types(bitnet_model_get_type_count(model.get()));
    for (size_t i = 0; i < types.size(); ++i) {
        types[i].struct_size = sizeof types[i];
        test::must(bitnet_model_get_type(model.get(), i, &types[i]));
    }
    bitnet_type_usage beyond = {};
    beyond.struct_size = sizeof beyond;
    CHECK(bitnet_model_get_type(model.get(), types.size(), &beyond) == BITNET_E_NOT_FOUND);
    return types;
}

std::set<std::string> features_of(const test::ModelHandle& model) {
    std::set<std::string> names;
    for (size_t i = 0; bitnet_model_get_feature(model.get(), i) != nullptr; ++i) {
        CHECK(names.insert(bitnet_model_get_feature(model.get(), i)).second);
    }
    CHECK(bitnet_model_get_feature(model.get(), SIZE_MAX) == nullptr);
    return names;
}

constexpr const char* kModels[] = {"b158-i2s", "b158-tq1", "b158-tq2", "b25-i2s-untied", "llama-f16", "llama-mix"};

}  // namespace

TEST_CASE("quantisation is counted over the tensors of the file") {
    for (const char* name : kModels) {
        CAPTURE(name);
        const test::ModelHandle model = test::load_model(test::golden_model(name));
        struct Sum {
            uint64_t tensors = 0, parameters = 0, bytes = 0;
        };
        std::map<std::string, Sum> sums;
        uint64_t parameters = 0, bytes = 0;
        for (size_t i = 0; i < bitnet_model_get_tensor_count(model.get()); ++i) {
            bitnet_tensor_info tensor = {};
            tensor.struct_size = sizeof tensor;
            test::must(bitnet_model_get_tensor(model.get(), i, &tensor));
            uint64_t n = 1;
            for (const int64_t length : tensor.shape) n *= static_cast<uint64_t>(length);
            Sum& sum = sums[tensor.type];
            ++sum.tensors;
            sum.parameters += n;
            sum.bytes += tensor.n_bytes;
            parameters += n;
            bytes += tensor.n_bytes;
        }
        const bitnet_quantization_info info = quantization_of(model);
        CHECK(info.n_parameters == parameters);
        CHECK(info.n_bytes == bytes);
        CHECK(std::string(info.type) == test::info_of(model).quantization);
        CHECK(info.bits_per_weight ==
              doctest::Approx(8.0 * static_cast<double>(bytes) / static_cast<double>(parameters)));
        CHECK(info.compression_f16 ==
              doctest::Approx(2.0 * static_cast<double>(parameters) / static_cast<double>(bytes)));
        CHECK(info.compression_f32 ==
              doctest::Approx(4.0 * static_cast<double>(parameters) / static_cast<double>(bytes)));
        const std::vector<bitnet_type_usage> types = types_of(model);
        CHECK(types.size() == sums.size());
        uint64_t ternary = 0;
        for (size_t i = 0; i < types.size(); ++i) {
            const Sum& sum = sums.at(types[i].type);
            CHECK(types[i].n_tensors == sum.tensors);
            CHECK(types[i].n_parameters == sum.parameters);
            CHECK(types[i].n_bytes == sum.bytes);
            CHECK((i == 0 || types[i - 1].n_bytes >= types[i].n_bytes));
            if (types[i].ternary != 0) ternary += types[i].n_parameters;
        }
        CHECK(info.ternary_parameters == ternary);
        CHECK((ternary != 0) == (features_of(model).count("ternary") == 1));
    }
}

TEST_CASE("ternary weights take about the bits of their type, and a file's own label is not believed") {
    const auto ternary_bits = [](const char* name) {
        return quantization_of(test::load_model(test::golden_model(name))).ternary_bits_per_weight;
    };
    CHECK(ternary_bits("b158-tq1") == doctest::Approx(1.6875));
    CHECK(ternary_bits("b158-tq2") == doctest::Approx(2.0625));
    CHECK(ternary_bits("b158-i2s") > 2.0);  // and 32 bytes behind each tensor
    CHECK(ternary_bits("b158-i2s") < 2.02);
    CHECK(ternary_bits("llama-f16") == 0);
    test::ModelEdit file = test::ModelEdit::open(test::golden_model("b158-tq2"));
    file.set_u32("general.file_type", 0).set_string("general.name", "all F32, 32 bits per weight");
    CHECK(quantization_of(test::load_model(file.bytes())).bits_per_weight ==
          quantization_of(test::load_model(test::golden_model("b158-tq2"))).bits_per_weight);
    CHECK(quantization_of(test::load_model(test::golden_model("b158-tq2"))).block_length == 256);
}

TEST_CASE("a model loaded for its vocabulary has no weights to count") {
    const test::ModelHandle model =
        test::load_model(test::golden_model("b158-i2s"), [](bitnet_model_params& p) { p.vocab_only = 1; });
    const bitnet_quantization_info info = quantization_of(model);
    CHECK(info.n_parameters == 0);
    CHECK(info.bits_per_weight == 0);
    CHECK(info.compression_f16 == 0);
    CHECK(std::string(info.type).empty());
    CHECK(types_of(model).empty());
    CHECK(std::string(config_of(model).activation).empty());
    CHECK(features_of(model).count("ternary") == 0);
    CHECK(features_of(model).count("tied-embeddings") == 0);
}

TEST_CASE("the configuration is the file's") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const bitnet_model_info info = test::info_of(model);
    const bitnet_model_config config = config_of(model);
    CHECK(config.max_seq_len == bitnet_context_get_n_ctx(test::make_context(model).get()));
    CHECK(std::string(config.dtype) == "f32");
    CHECK(std::string(config.activation_dtype) == "i8");
    CHECK(std::string(config.activation) == "relu2");
    CHECK(std::string(config.kv_dtype) == "f16");
    CHECK(config.kv_bytes_per_token ==
          static_cast<uint64_t>(info.n_layer) * 2 * static_cast<uint64_t>(info.n_head_kv * info.head_dim) * 2);
    const test::ContextHandle context = test::make_context(model, [](bitnet_context_params& p) { p.n_ctx = 10; });
    bitnet_memory_info memory = {};
    memory.struct_size = sizeof memory;
    test::must(bitnet_context_get_memory(context.get(), &memory));
    CHECK(memory.kv_bytes >= 10 * config.kv_bytes_per_token);
    CHECK(config.rope_dimensions == info.head_dim);
    CHECK(config.tied_embeddings == 1);
    CHECK(std::string(config.rope_scaling) == "none");
    CHECK(config.rope_scaling_factor == 1.0);
    CHECK(config_of(test::load_model(test::golden_model("b25-i2s-untied"))).tied_embeddings == 0);
    CHECK(std::string(config_of(test::load_model(test::golden_model("bitnet-i2s-silu"))).activation) == "silu");
    CHECK(std::string(config_of(test::load_model(test::golden_model("llama-f16"))).activation_dtype).empty());

    test::ModelEdit scaled = test::ModelEdit::open(test::golden_model("b158-i2s"));
    scaled.set_string("bitnet-b1.58.rope.scaling.type", "linear")
        .set<float>("bitnet-b1.58.rope.scaling.factor", 6, 4.0f);
    const test::ModelHandle longer = test::load_model(scaled.bytes());
    CHECK(std::string(config_of(longer).rope_scaling) == "linear");
    CHECK(config_of(longer).rope_scaling_factor == 4.0);
    CHECK(features_of(longer).count("rope-scaling") == 1);
    CHECK(features_of(model).count("rope-scaling") == 0);
}

TEST_CASE("features are what the model has") {
    const std::set<std::string> b158 = features_of(test::load_model(test::golden_model("b158-i2s")));
    for (const char* name :
         {"ternary", "grouped-query-attention", "sub-norms", "tied-embeddings", "gated-relu2", "mapped"}) {
        CAPTURE(name);
        CHECK(b158.count(name) == 1);
    }
    CHECK(b158.count("gated-silu") == 0);
    const std::set<std::string> llama = features_of(test::load_model(test::golden_model("llama-f16")));
    CHECK(llama.count("ternary") == 0);
    CHECK(llama.count("sub-norms") == 0);
    CHECK(llama.count("gated-silu") == 1);
    const test::ModelHandle read =
        test::load_model(test::golden_model("b158-i2s"), [](bitnet_model_params& p) { p.use_mmap = 0; });
    CHECK(features_of(read).count("tokenizer") == (bitnet_model_get_tokenizer(read.get()) != nullptr ? 1 : 0));
    CHECK(bitnet_model_get_feature(nullptr, 0) == nullptr);
    CHECK(bitnet_model_get_type_count(nullptr) == 0);
    bitnet_quantization_info info = {};
    info.struct_size = sizeof info;
    CHECK(bitnet_model_get_quantization(nullptr, &info) == BITNET_E_ARGUMENT);
    CHECK(bitnet_model_get_config(nullptr, nullptr) == BITNET_E_ARGUMENT);
}
