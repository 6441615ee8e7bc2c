// What the library says about itself: version, statuses, kernels, log - and that it is silent.
#include <doctest/doctest.h>

#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "tests/support/api_fixture.h"
#include "tests/support/model_edit.h"

TEST_CASE("the version of the library is the header's") {
    CHECK(bitnet_version_number() == BITNET_VERSION_NUMBER);
    const std::string version = std::to_string(BITNET_VERSION_MAJOR) + "." + std::to_string(BITNET_VERSION_MINOR) +
                                "." + std::to_string(BITNET_VERSION_PATCH);
    CHECK(bitnet_version_string() == version);
    CHECK(std::string(bitnet_build_info()).find(version) != std::string::npos);
    CHECK(std::string(bitnet_build_info()).find("scalar") != std::string::npos);
    CHECK(bitnet_build_info() == bitnet_build_info());
}

TEST_CASE("every status has its name and its text, and unknown numbers have some, too") {
    std::set<int> numbers;
#define CHECK_STATUS(name, number, text)                                                                               \
    CHECK(name == number);                                                                                             \
    CHECK(std::string(bitnet_status_name(name)) == #name);                                                             \
    CHECK(std::string(bitnet_status_text(name)) == text);                                                              \
    CHECK(numbers.insert(number).second);
    BITNET_STATUS_LIST(CHECK_STATUS)
#undef CHECK_STATUS
    for (const int number : {1, -1, -99, -999, 0x7fffffff}) {
        CHECK(std::string(bitnet_status_name(static_cast<bitnet_status>(number))) == "BITNET_UNKNOWN");
        CHECK(std::strlen(bitnet_status_text(static_cast<bitnet_status>(number))) > 0);
    }
}

TEST_CASE("the kernel list is complete: each type has a selected kernel, and a scalar one that runs anywhere") {
    std::set<std::string> names, types, selected, scalar;
    for (size_t i = 0; i < bitnet_kernel_get_count(); ++i) {
        bitnet_kernel_info info = {};
        info.struct_size = sizeof info;
        test::must(bitnet_kernel_get_info(i, &info));
        CAPTURE(info.name);
        CHECK(names.insert(info.name).second);
        const std::string type = std::string(info.is_vector != 0 ? "vector " : "matrix ") + info.type;
        types.insert(type);
        if (info.selected != 0) {
            CHECK(selected.insert(type).second);
            CHECK(info.runnable == 1);
        }
        if (std::string(info.level) == "scalar") {
            scalar.insert(type);
            CHECK(info.runnable == 1);
        }
        CHECK(info.exact == 1);
    }
    CHECK(types.size() == 15);  // fourteen storage types and the vector kernels
    CHECK(selected == types);
    CHECK(scalar == types);
}

TEST_CASE("kernels are chosen by level or by name, the empty name is automatic, others are refused") {
    const test::ModelHandle automatic = test::load_model(test::golden_model("b158-i2s"));
    const std::string best = test::info_of(automatic).kernel;
    for (size_t i = 0; i < bitnet_kernel_get_count(); ++i) {
        bitnet_kernel_info info = {};
        info.struct_size = sizeof info;
        test::must(bitnet_kernel_get_info(i, &info));
        const std::string layout =
            std::string(info.name).substr(0, std::string(info.name).find('_'));  // "i2s", "t5", ...
        const bitnet_model_params params = test::model_params([&](bitnet_model_params& p) {
            p.kernel = info.name;
            if (std::string(info.type) == "i2_s") p.quantization = layout.c_str();
        });
        bitnet_model* model = nullptr;
        const bitnet_status status = bitnet_model_load(test::golden_model("b158-i2s").c_str(), &params, &model);
        CAPTURE(info.name);
        CHECK(test::name_of(status) == (info.runnable != 0 ? "BITNET_OK" : "BITNET_E_DEVICE_CAPABILITY"));
        if (status == BITNET_OK) {
            const test::ModelHandle owner(model);
            if (std::string(info.type) == "i2_s") CHECK(std::string(test::info_of(owner).kernel) == info.name);
            CHECK(test::same_bits(test::fresh_logits(owner, {1, 2, 3}), test::fresh_logits(automatic, {1, 2, 3})));
        } else {
            CHECK(test::last_error().find(info.name) != std::string::npos);
        }
    }
    CHECK(std::string(test::info_of(test::load_model(test::golden_model("b158-i2s"), [](bitnet_model_params& p) {
                          p.kernel = "";
                      })).kernel) == best);
    for (const char* unknown : {"avx3", "AVX2", " avx2", "i2s", "i2s_avx2 ", "one\ntwo", "auto?"}) {
        CAPTURE(std::string(unknown));
        const bitnet_model_params params = test::model_params([&](bitnet_model_params& p) { p.kernel = unknown; });
        bitnet_model* model = nullptr;
        CHECK(test::name_of(bitnet_model_load(test::golden_model("b158-i2s").c_str(), &params, &model)) ==
              "BITNET_E_CONFIG");
        CHECK(test::last_error().find("scalar") != std::string::npos);
    }
}

TEST_CASE("the log is silent until asked, hears warnings, obeys its level and can be taken away") {
    struct Heard {
        std::vector<std::pair<bitnet_log_level, std::string>> lines;
        static void hear(bitnet_log_level level, const char* message, void* user_data) {
            static_cast<Heard*>(user_data)->lines.emplace_back(level, message);
        }
    } heard;
    // A vocabulary that no tokenizer can be made of gives a warning: the model still runs on ids.
    test::ModelEdit file = test::ModelEdit::open(test::golden_model("b158-i2s"));
    file.set_string("tokenizer.ggml.model", "from the future");
    const std::vector<uint8_t> bytes = file.bytes();
    const auto load = [&] {
        const test::ModelHandle model = test::load_model(bytes);
        CHECK(bitnet_model_get_tokenizer(model.get()) == nullptr);
        test::fresh_logits(model, {1});
    };
    load();
    bitnet_log_set_callback(Heard::hear, BITNET_LOG_WARNING, &heard);
    load();
    bitnet_log_set_callback(Heard::hear, BITNET_LOG_ERROR, &heard);
    load();
    bitnet_log_set_callback(nullptr, BITNET_LOG_DEBUG, nullptr);
    load();
    REQUIRE(heard.lines.size() == 1);
    CHECK(heard.lines[0].first == BITNET_LOG_WARNING);
    CHECK(heard.lines[0].second.find("tokenizer") != std::string::npos);
    CHECK(heard.lines[0].second.find('\n') == std::string::npos);
}

TEST_CASE("metrics count tokens and calls by kind, and start again when told to") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const test::ContextHandle context = test::make_context(model, [](bitnet_context_params& p) { p.n_seq_max = 2; });
    const auto metrics = [&] {
        bitnet_metrics m = {};
        m.struct_size = sizeof m;
        test::must(bitnet_context_get_metrics(context.get(), &m));
        return m;
    };
    test::decode(context, {1, 2, 3});
    test::decode(context, {4});
    test::BatchArrays both;
    both.add(1, 0, true);
    both.add(1, 1, true);
    const bitnet_batch batch = both.view();
    test::must(bitnet_context_decode(context.get(), &batch));
    const bitnet_token bad = -1;
    CHECK(bitnet_context_decode_tokens(context.get(), 0, &bad, 1) == BITNET_E_TOKEN);
    test::must(bitnet_context_decode_tokens(context.get(), 0, nullptr, 0));
    CHECK(metrics().n_decodes == 3);
    CHECK(metrics().prefill_tokens == 3);
    CHECK(metrics().decode_tokens == 3);
    CHECK(metrics().load_us > 0);
    const uint64_t load_us = metrics().load_us;
    test::must(bitnet_context_reset_metrics(context.get()));
    CHECK(metrics().n_decodes == 0);
    CHECK(metrics().prefill_tokens + metrics().decode_tokens + metrics().prefill_us + metrics().decode_us == 0);
    CHECK(metrics().load_us == load_us);
}
