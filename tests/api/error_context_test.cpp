// What a failure tells beyond its status: file, model, device, environment, suggestions, as text and JSON; and the table
// behind it, held against the specification's list of variants.
#include <doctest/doctest.h>

#include <cstdlib>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/support/api_fixture.h"
#include "tests/support/temp_dir.h"

namespace {

bitnet_error_info last_info() {
    bitnet_error_info info = {};
    info.struct_size = sizeof info;
    test::must(bitnet_last_error_get_info(&info));
    return info;
}

std::string text_of(bitnet_status (*get)(char*, size_t, size_t*)) {
    std::string text(100000, '\0');
    size_t size = 0;
    test::must(get(text.data(), text.size(), &size));
    text.resize(size);
    return text;
}
nlohmann::json json_of_last() { return nlohmann::json::parse(text_of(bitnet_last_error_get_json)); }

bitnet_status load_path(const std::string& path) {
    bitnet_model* model = nullptr;
    return bitnet_model_load(path.c_str(), nullptr, &model);
}

// A model without a tensor, under any name.
std::string broken_model(const test::TempDir& folder, const std::string& name) {
    std::vector<uint8_t> bytes = test::read_file(test::golden_model("b158-i2s"));
    std::string text(bytes.begin(), bytes.end());
    text.replace(text.find("output_norm.weight"), 18, "output_nerm.weight");
    return folder.write(name, {text.begin(), text.end()});
}

#define STATUS_ROW(name, number, text) name,
constexpr bitnet_status kStatuses[] = {BITNET_STATUS_LIST(STATUS_ROW)};
#undef STATUS_ROW

}  // namespace

TEST_CASE("every variant of the specification is a status of its family") {
    const std::vector<std::pair<bitnet_error_family, std::vector<std::string>>> specification = {
        {BITNET_FAMILY_GGUF_PARSE,
         {"InvalidMagic", "UnsupportedVersion", "InvalidTensorCount", "InvalidKvCount", "MissingTensor",
          "InvalidTensorShape", "TensorDataCorruption", "UnsupportedTensorType", "FileTruncated", "MemoryMappingFailed",
          "TensorAlignment"}},
        {BITNET_FAMILY_QUANTIZATION,
         {"UnsupportedFormat", "AccuracyTooLow", "InputValidation", "OutputBufferTooSmall", "ScaleBufferMismatch",
          "DeviceQuantizationFailed", "GpuNotAvailable", "CudaError", "MemoryAllocation", "NumericalOverflow",
          "ZeroPointCalculation", "ScaleCalculation"}},
        {BITNET_FAMILY_SECURITY,
         {"ModelSizeLimit", "TensorCountLimit", "MemoryLimit", "UnsafeTensorOperation", "InputValidation",
          "ResourceExhaustion"}},
        {BITNET_FAMILY_DEVICE,
         {"CudaNotAvailable", "CudaOutOfMemory", "CudaComputation", "CpuFallbackRequired", "InsufficientCapability",
          "SynchronizationFailed"}},
    };
    std::set<std::pair<int, std::string>> variants;
    std::set<int> families;
    for (const bitnet_status status : kStatuses) {
        CAPTURE(bitnet_status_name(status));
        CHECK(variants.emplace(bitnet_status_get_family(status), bitnet_status_get_variant(status)).second);
        families.insert(bitnet_status_get_family(status));
    }
    for (const auto& [family, names] : specification) {
        for (const std::string& name : names) {
            CAPTURE(name);
            CHECK(variants.count({family, name}) == 1);
        }
    }
#define CHECK_FAMILY(name, number, text)                                                                               \
    CHECK(families.count(number) == 1);                                                                                \
    CHECK(std::string(bitnet_error_family_name(name)) == text);
    BITNET_ERROR_FAMILY_LIST(CHECK_FAMILY)
#undef CHECK_FAMILY
    CHECK(families.size() == 15);
}

TEST_CASE("every row of the table has a severity, advice in whole sentences and known variables") {
    for (const bitnet_status status : kStatuses) {
        CAPTURE(bitnet_status_name(status));
        size_t n = 0;
        for (const char* text = nullptr; (text = bitnet_status_get_suggestion(status, n)) != nullptr; ++n) {
            const std::string sentence = text;
            CAPTURE(sentence);
            CHECK(sentence.ends_with("."));
            CHECK(std::isupper(static_cast<unsigned char>(sentence[0])) != 0);
            size_t quotes = 0;
            for (const char c : sentence) quotes += c == '`' ? 1 : 0;
            CHECK((quotes == 0 || quotes == 2));  // one command at most
        }
        CHECK((n == 0) == (status == BITNET_OK));
        CHECK(bitnet_status_get_suggestion(status, SIZE_MAX) == nullptr);
        for (size_t i = 0; bitnet_status_get_variable(status, i) != nullptr; ++i) {
            const std::string variable = bitnet_status_get_variable(status, i);
            CHECK((variable.starts_with("BITNET_") || variable == "CUDA_VISIBLE_DEVICES"));
        }
        CHECK((bitnet_status_get_severity(status) == BITNET_SEVERITY_NONE) == (status == BITNET_OK));
    }
    CHECK(bitnet_status_get_severity(BITNET_E_INTERNAL) == BITNET_SEVERITY_FATAL);
    CHECK(bitnet_status_get_severity(BITNET_E_OUT_OF_MEMORY) == BITNET_SEVERITY_CRITICAL);
    CHECK(bitnet_status_get_severity(BITNET_E_DEVICE_FALLBACK) == BITNET_SEVERITY_WARNING);
    CHECK(bitnet_status_is_recoverable(BITNET_E_KV_FULL) == 1);
    CHECK(bitnet_status_is_recoverable(BITNET_E_GGUF_MAGIC) == 0);
    const auto unknown = static_cast<bitnet_status>(-99);
    CHECK(bitnet_status_get_family(unknown) == BITNET_FAMILY_NONE);
    CHECK(bitnet_status_get_severity(unknown) == BITNET_SEVERITY_ERROR);
    CHECK(std::string(bitnet_status_get_variant(unknown)) == "");
    CHECK(bitnet_status_get_suggestion(unknown, 0) == nullptr);
    CHECK(bitnet_status_get_variable(unknown, 0) == nullptr);
    CHECK(std::string(bitnet_error_severity_name(BITNET_SEVERITY_WARNING)) == "warning");
    CHECK(std::string(bitnet_error_severity_name(static_cast<bitnet_error_severity>(5))) == "unknown");
    CHECK(std::string(bitnet_error_family_name(static_cast<bitnet_error_family>(-1))) == "unknown");
}

TEST_CASE("the context of a failed load has the file, the half-read model and the device") {
    const test::TempDir folder;
    const std::string path = broken_model(folder, "broken.gguf");
    CHECK(test::name_of(load_path(path)) == "BITNET_E_GGUF_MISSING_TENSOR");
    const bitnet_error_info info = last_info();
    CHECK(std::string(info.operation) == "bitnet_model_load");
    CHECK(std::string(info.file) == path);
    CHECK(std::string(info.model)
              .starts_with("bitnet-b1.58, i2_s, 3 layers, width 128, 4 heads (2 for KV), vocabulary 267"));
    const auto json = json_of_last();
    CHECK(json["context"]["file"] == path);
    CHECK(json["context"]["model"] == info.model);
    CHECK(json["context"]["device"] == info.device);
    CHECK(json["details"]["subject"] == "output_norm.weight");
    CHECK(json["suggestions"][0].get<std::string>().find("`bitnet inspect " + path + "`") != std::string::npos);
}

TEST_CASE("the context of a failed decode has the model and its file, and the next failure forgets them") {
    const std::string path = test::golden_model("b158-i2s");
    const test::ModelHandle model = test::load_model(path, [](bitnet_model_params& p) { p.kernel = "scalar"; });
    const test::ContextHandle context = test::make_context(model);
    const bitnet_token wrong = -1;
    CHECK(test::name_of(bitnet_context_decode_tokens(context.get(), 0, &wrong, 1)) == "BITNET_E_TOKEN");
    CHECK(std::string(last_info().file) == path);
    CHECK(std::string(last_info().model).starts_with("bitnet-b1.58, i2_s, 3 layers"));
    CHECK(std::string(last_info().device) == "cpu, scalar");
    CHECK(std::string(last_info().operation) == "bitnet_context_decode_tokens");
    CHECK(test::name_of(bitnet_sampler_create(nullptr, nullptr)) == "BITNET_E_ARGUMENT");
    CHECK(std::string(last_info().file) == "");
    CHECK(std::string(last_info().model) == "");
    CHECK(last_info().has_numbers == 0);
    CHECK(!json_of_last()["context"].contains("model"));
    CHECK(json_of_last()["details"] == nlohmann::json::object());
}

TEST_CASE("names of files that are made to do harm stay inside their quotes and on their line") {
    const test::TempDir folder;
    const std::string path = broken_model(folder, "it's; rm -rf $HOME `x`.gguf");
    CHECK(test::name_of(load_path(path)) == "BITNET_E_GGUF_MISSING_TENSOR");
    const std::string suggestion = json_of_last()["suggestions"][0];
    CHECK(suggestion.find("inspect '" + folder.path().string() + "/it'\\''s; rm -rf $HOME `x`.gguf'`") !=
          std::string::npos);
    CHECK(test::name_of(load_path("no\nsuch\x1b\xff\xfe.gguf")) == "BITNET_E_FILE_NOT_FOUND");
    CHECK(text_of(bitnet_last_error_get_user_message).find('\x1b') == std::string::npos);
    const std::string json = text_of(bitnet_last_error_get_json);  // valid UTF-8 on one line
    CHECK(json.find('\n') == std::string::npos);
    CHECK(json_of_last()["context"]["file"] == "no such \xef\xbf\xbd\xef\xbf\xbd.gguf");
}

TEST_CASE("the relevant environment variables come with their present values, or as null") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    bitnet_context_params params = bitnet_context_default_params();
    params.n_ctx = -1;
    bitnet_context* context = nullptr;
    CHECK(test::name_of(bitnet_context_create(model.get(), &params, &context)) == "BITNET_E_CONFIG");
    ::setenv("BITNET_SEED", "4711", 1);
    CHECK(json_of_last()["environment"]["BITNET_SEED"] == "4711");
    CHECK(text_of(bitnet_last_error_get_debug_message).find("\nenvironment: BITNET_SEED=4711\n") != std::string::npos);
    ::unsetenv("BITNET_SEED");
    CHECK(json_of_last()["environment"]["BITNET_SEED"].is_null());
    CHECK(json_of_last()["environment"].size() == 3);
}

TEST_CASE("texts about the last failure follow the two-call pattern and replace nothing") {
    CHECK(test::name_of(load_path("/no/such/file.gguf")) == "BITNET_E_FILE_NOT_FOUND");
    for (const auto get :
         {bitnet_last_error_get_user_message, bitnet_last_error_get_debug_message, bitnet_last_error_get_json}) {
        const std::string whole = text_of(get);
        std::vector<char> buffer(whole.size() + 1, 'x');
        size_t size = 0;
        CHECK(get(buffer.data(), whole.size(), &size) == BITNET_E_BUFFER_TOO_SMALL);
        CHECK(size == whole.size());
        CHECK(buffer[0] == 'x');
        CHECK(get(buffer.data(), buffer.size(), nullptr) == BITNET_OK);
        CHECK(std::string(buffer.data()) == whole);
        CHECK(get(nullptr, buffer.size(), nullptr) == BITNET_E_ARGUMENT);
        CHECK(last_info().status == BITNET_E_FILE_NOT_FOUND);
    }
    CHECK(text_of(bitnet_last_error_get_user_message)
              .starts_with(std::string(bitnet_last_error()) + "\n- Check the path"));
}

TEST_CASE("each thread has its own last failure, and none at its start") {
    CHECK(test::name_of(load_path("/no/such/file.gguf")) == "BITNET_E_FILE_NOT_FOUND");
    std::thread([] {
        CHECK(std::string(bitnet_last_error()) == "");
        const bitnet_error_info info = last_info();
        CHECK(info.status == BITNET_OK);
        for (const char* text :
             {info.subject, info.message, info.variant, info.operation, info.file, info.model, info.device}) {
            CHECK(std::string(text) == "");
        }
        CHECK(text_of(bitnet_last_error_get_user_message) == "");
        CHECK(text_of(bitnet_last_error_get_debug_message) == "");
        CHECK(json_of_last()["status"] == 0);
        CHECK(json_of_last()["name"] == "BITNET_OK");
    }).join();
    CHECK(last_info().status == BITNET_E_FILE_NOT_FOUND);
}
