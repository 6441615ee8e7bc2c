// Every status of the list is reached: here, through bitnet.h, or by another test that names it. Each failure reached
// here is looked at from all sides: family, variant, severity, operation, texts and JSON.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/support/api_fixture.h"
#include "tests/support/gguf_bytes.h"
#include "tests/support/model_edit.h"

namespace {

using test::GgufBytes;
using test::ModelEdit;

ModelEdit golden() { return ModelEdit::open(test::golden_model("b158-i2s")); }
bitnet_status load(const ModelEdit& file, const test::ModelTweak& tweak = {}) {
    return test::load_status(file.bytes(), tweak);
}
bitnet_status load(const GgufBytes& file) { return test::load_status(file.bytes()); }

bitnet_status load_tokenizer(const std::string& text) {
    const test::TempDir folder;
    const std::string path = folder.write("tokenizer.json", {text.begin(), text.end()});
    bitnet_tokenizer* tokenizer = nullptr;
    const bitnet_status status = bitnet_tokenizer_load(path.c_str(), &tokenizer);
    CHECK(tokenizer == nullptr);
    return status;
}

bitnet_status load_path(const std::string& path) {
    bitnet_model* model = nullptr;
    const bitnet_status status = bitnet_model_load(path.c_str(), nullptr, &model);
    CHECK(model == nullptr);
    return status;
}

bitnet_status map_what_may_only_be_written() {
    const test::TempDir folder;
    const int fd = ::open(folder.write("model.gguf", golden().bytes()).c_str(), O_WRONLY);
    bitnet_model* model = nullptr;
    const bitnet_status status = bitnet_model_load_from_fd(fd, 0, 0, nullptr, &model);
    ::close(fd);
    return status;
}

bitnet_status with_context(const std::function<bitnet_status(bitnet_model*, bitnet_context*)>& call) {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const test::ContextHandle context = test::make_context(model, [](bitnet_context_params& p) { p.n_ctx = 8; });
    return call(model.get(), context.get());
}

bitnet_status too_many_stops() {
    return with_context([](bitnet_model*, bitnet_context* context) {
        const std::vector<const char*> stops(65, "a");
        bitnet_generation_params params = {};
        bitnet_generation_params_init(&params, sizeof params);
        params.stop_sequences = stops.data();
        params.n_stop_sequences = stops.size();
        bitnet_generation* generation = nullptr;
        return bitnet_generation_create(context, 0, "a", 1, &params, &generation);
    });
}

struct Reached {
    bitnet_status status;
    const char* operation;
    std::function<bitnet_status()> fail;
};

const std::vector<Reached>& reached() {
    static const std::string arch = "bitnet-b1.58.";
    static const std::vector<Reached> rows = {
        {BITNET_E_ARGUMENT, "bitnet_model_load",
         [] { return bitnet_model_load(test::golden_model("b158-i2s").c_str(), nullptr, nullptr); }},
        {BITNET_E_CONFIG, "bitnet_model_load_from_memory",
         [] { return load(golden(), [](bitnet_model_params& p) { p.n_threads = -1; }); }},
        {BITNET_E_BUFFER_TOO_SMALL, "bitnet_model_get_metadata",
         [] {
             return with_context([](bitnet_model* model, bitnet_context*) {
                 size_t size = 0;
                 return bitnet_model_get_metadata(model, "general.name", nullptr, 0, &size);
             });
         }},
        {BITNET_E_UNSUPPORTED, "bitnet_model_load_from_memory",
         [] { return load(golden().set_u32(arch + "block_count", 2)); }},
        {BITNET_E_NOT_FOUND, "bitnet_model_get_metadata",
         [] {
             return with_context([](bitnet_model* model, bitnet_context*) {
                 return bitnet_model_get_metadata(model, "no such key", nullptr, 0, nullptr);
             });
         }},
        {BITNET_E_IO, "bitnet_model_load", [] { return load_path(test::golden_dir().string()); }},
        {BITNET_E_FILE_NOT_FOUND, "bitnet_model_load", [] { return load_path("/no/such/model.gguf"); }},
        {BITNET_E_GGUF_MAGIC, "bitnet_model_load_from_memory",
         [] {
             return test::load_status({'n', 'o', ' ', 'G', 'G', 'U', 'F', '!'});
         }},
        {BITNET_E_GGUF_VERSION, "bitnet_model_load_from_memory", [] { return load(GgufBytes(4).counts(0, 0)); }},
        {BITNET_E_GGUF_TENSOR_COUNT, "bitnet_model_load_from_memory",
         [] { return load(GgufBytes().counts(65537, 0)); }},
        {BITNET_E_GGUF_KV_COUNT, "bitnet_model_load_from_memory", [] { return load(GgufBytes().counts(0, 65537)); }},
        {BITNET_E_GGUF_MISSING_TENSOR, "bitnet_model_load_from_memory",
         [] { return load(golden().remove_tensor("output_norm.weight")); }},
        {BITNET_E_GGUF_TENSOR_SHAPE, "bitnet_model_load_from_memory",
         [] { return load(golden().set_u32(arch + "feed_forward_length", 512)); }},
        {BITNET_E_GGUF_TENSOR_DATA, "bitnet_model_load_from_memory",
         [] {
             ModelEdit file = golden();
             file.tensor("blk.1.ffn_down.weight").data[5] = 0xff;  // code 3
             return load(file);
         }},
        {BITNET_E_GGUF_TENSOR_TYPE, "bitnet_model_load_from_memory",
         [] {
             ModelEdit file = golden();
             file.tensor("output_norm.weight").type = 99999;
             return load(file);
         }},
        {BITNET_E_GGUF_TRUNCATED, "bitnet_model_load_from_memory",
         [] {
             std::vector<uint8_t> bytes = golden().bytes();
             bytes.resize(bytes.size() / 2);
             return test::load_status(bytes);
         }},
        {BITNET_E_GGUF_MAP, "bitnet_model_load_from_fd", map_what_may_only_be_written},
        {BITNET_E_GGUF_ALIGNMENT, "bitnet_model_load_from_memory",
         [] { return load(GgufBytes().counts(0, 1).key_u32("general.alignment", 48)); }},
        {BITNET_E_GGUF_METADATA, "bitnet_model_load_from_memory",
         [] { return load(golden().remove_key(arch + "block_count")); }},
        {BITNET_E_MODEL_ARCHITECTURE, "bitnet_model_load_from_memory",
         [] { return load(golden().set_string("general.architecture", "unheard-of")); }},
        {BITNET_E_MODEL_SHAPE, "bitnet_model_load_from_memory",
         [] { return load(golden().set_u32(arch + "attention.head_count", 6)); }},
        {BITNET_E_TOKENIZER, "bitnet_tokenizer_load", [] { return load_tokenizer("{"); }},
        {BITNET_E_TOKEN, "bitnet_context_decode_tokens",
         [] {
             return with_context([](bitnet_model*, bitnet_context* context) {
                 const bitnet_token token = 1 << 20;
                 return bitnet_context_decode_tokens(context, 0, &token, 1);
             });
         }},
        {BITNET_E_LIMIT, "bitnet_generation_create", too_many_stops},
        {BITNET_E_KV_FULL, "bitnet_context_prefill",
         [] {
             return with_context([](bitnet_model*, bitnet_context* context) {
                 const test::Tokens tokens(9, 1);
                 return bitnet_context_prefill(context, 0, tokens.data(), tokens.size(), nullptr);
             });
         }},
        {BITNET_E_CANCELLED, "bitnet_model_load_from_memory",
         [] { return load(golden(), [](bitnet_model_params& p) { p.on_progress = [](float, void*) { return 1; }; }); }},
        {BITNET_E_STATE, "bitnet_sequence_load",
         [] {
             return with_context([](bitnet_model*, bitnet_context* context) {
                 return bitnet_sequence_load(context, 0, "nothing that was ever saved", 27);
             });
         }},
        {BITNET_E_DEVICE_NOT_AVAILABLE, "bitnet_device_check", [] { return bitnet_device_check("metal"); }},
        {BITNET_E_SECURITY_MODEL_SIZE, "bitnet_model_load_from_memory",
         [] { return load(golden(), [](bitnet_model_params& p) { p.max_bytes = 1000; }); }},
        {BITNET_E_SECURITY_TENSOR_COUNT, "bitnet_model_load_from_memory",
         [] { return load(golden(), [](bitnet_model_params& p) { p.max_tensors = 34; }); }},
        {BITNET_E_SECURITY_OPERATION, "bitnet_model_load_from_memory",
         [] {
             return load(GgufBytes().counts(1, 0).tensor("t", {1ull << 32, 1ull << 31}, 0, 0).zeros(64));
         }},
        {BITNET_E_SECURITY_INPUT, "bitnet_model_load_from_memory",
         [] { return load(GgufBytes().counts(0, 1).string(std::string(65536, 'k')).u32(4).u32(1)); }},
        {BITNET_E_SECURITY_EXHAUSTION, "bitnet_tokenizer_load",
         [] { return load_tokenizer("{\"a\":" + std::string(100000, '[')); }},
    };
    return rows;
}

// Names of statuses in all tests but those about the table itself.
std::set<std::string> named_by_tests() {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(test::golden_dir().parent_path())) {
        const std::string file = entry.path().filename().string();
        if (!file.ends_with("_test.cpp") || file.starts_with("error_")) continue;
        const std::vector<uint8_t> bytes = test::read_file(entry.path());
        const std::string text(bytes.begin(), bytes.end());
        for (size_t at = text.find("BITNET_E_"); at != std::string::npos; at = text.find("BITNET_E_", at + 1)) {
            const size_t end = text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ_", at);
            names.insert(text.substr(at, end - at));
        }
    }
    return names;
}

bitnet_error_info last_info() {
    bitnet_error_info info = {};
    info.struct_size = sizeof info;
    test::must(bitnet_last_error_get_info(&info));
    return info;
}

std::string text_of(bitnet_status (*get)(char*, size_t, size_t*)) {
    size_t size = 0;
    CHECK(get(nullptr, 0, &size) == BITNET_E_BUFFER_TOO_SMALL);
    std::string text(size + 1, '\0');
    test::must(get(text.data(), text.size(), &size));
    CHECK(size + 1 == text.size());
    text.resize(size);
    return text;
}

void check_reports(const Reached& row) {
    const std::string name = bitnet_status_name(row.status);
    const bitnet_error_info info = last_info();
    CHECK(info.status == row.status);
    CHECK(info.family == bitnet_status_get_family(row.status));
    CHECK(info.severity == bitnet_status_get_severity(row.status));
    CHECK(info.recoverable == bitnet_status_is_recoverable(row.status));
    CHECK(std::string(info.variant) == bitnet_status_get_variant(row.status));
    CHECK(std::string(info.operation) == row.operation);
    CHECK(std::string(info.device).starts_with("cpu, "));
#if defined(__linux__)
    CHECK((info.memory_bytes > 0) == (info.severity != BITNET_SEVERITY_WARNING));
    CHECK(info.peak_memory_bytes >= info.memory_bytes);
#endif
    const std::string user = text_of(bitnet_last_error_get_user_message);
    CHECK(user.starts_with(info.message));
    const std::string debug = text_of(bitnet_last_error_get_debug_message);
    CHECK(debug.starts_with("error: " + name + " (" + std::to_string(row.status) + ")\n"));
    CHECK(debug.find(std::string("\noperation: ") + row.operation + "\n") != std::string::npos);
    const auto json = nlohmann::json::parse(text_of(bitnet_last_error_get_json));
    CHECK(json["schema"] == "bitnet-error/1");
    CHECK(json["status"] == static_cast<int>(row.status));
    CHECK(json["name"] == name);
    CHECK(json["family"] == bitnet_error_family_name(bitnet_status_get_family(row.status)));
    CHECK(json["variant"] == info.variant);
    CHECK(json["severity"] == bitnet_error_severity_name(bitnet_status_get_severity(row.status)));
    CHECK(json["recoverable"] == (info.recoverable == 1));
    CHECK(json["message"] == info.message);
    CHECK(json["context"]["operation"] == row.operation);
    CHECK(json["details"].contains("expected") == (info.has_numbers != 0));
    CHECK(json["details"].contains("offset") == (info.has_offset != 0));
    CHECK(json["suggestions"].size() == static_cast<size_t>(info.n_suggestions));
    CHECK(info.n_suggestions >= 1);
    for (int32_t i = 0; i < info.n_suggestions; ++i) {
        CHECK(user.find("\n- " + json["suggestions"][static_cast<size_t>(i)].get<std::string>()) != std::string::npos);
    }
    CHECK(last_info().status == row.status);  // asking replaced nothing
}

}  // namespace

TEST_CASE("each failure that the interface can show tells its family, variant, severity, operation and JSON") {
    for (const Reached& row : reached()) {
        CAPTURE(bitnet_status_name(row.status));
        CHECK(test::name_of(row.fail()) == bitnet_status_name(row.status));
        check_reports(row);
    }
}

TEST_CASE("every status is reached here or by a test that names it") {
    std::set<std::string> here;
    for (const Reached& row : reached()) CHECK(here.insert(bitnet_status_name(row.status)).second);
    const std::set<std::string> elsewhere = named_by_tests();
#define CHECK_REACHED(status, number, text)                                                                            \
    if (number != 0) {                                                                                                 \
        CAPTURE(#status);                                                                                              \
        CHECK(here.count(#status) + elsewhere.count(#status) != 0);                                                    \
    }
    BITNET_STATUS_LIST(CHECK_REACHED)
#undef CHECK_REACHED
}

TEST_CASE("numbers of a failure are those of the specification's variant") {
    const struct {
        bitnet_status status;
        uint64_t expected, actual;
        const char* subject;
    } rows[] = {
        {BITNET_E_GGUF_MAGIC, 0x46554747, 0x47206f6e, "memory"},
        {BITNET_E_GGUF_VERSION, 3, 4, "memory"},
        {BITNET_E_GGUF_TENSOR_COUNT, 65536, 65537, "memory"},
        {BITNET_E_GGUF_KV_COUNT, 65536, 65537, "memory"},
        {BITNET_E_GGUF_MISSING_TENSOR, 35, 34, "output_norm.weight"},
        {BITNET_E_GGUF_TENSOR_SHAPE, 512, 384, "blk.0.ffn_gate.weight"},
        {BITNET_E_GGUF_ALIGNMENT, 32, 48, "general.alignment"},
        {BITNET_E_SECURITY_TENSOR_COUNT, 34, 35, "memory"},
        {BITNET_E_SECURITY_INPUT, 65535, 65536, "memory"},
    };
    for (const auto& row : rows) {
        CAPTURE(bitnet_status_name(row.status));
        for (const Reached& reach : reached()) {
            if (reach.status == row.status) CHECK(reach.fail() == row.status);
        }
        const bitnet_error_info info = last_info();
        CHECK(info.has_numbers == 1);
        CHECK(info.expected == row.expected);
        CHECK(info.actual == row.actual);
        CHECK(std::string(info.subject) == row.subject);
    }
    for (const Reached& reach : reached()) {
        if (reach.status == BITNET_E_GGUF_TENSOR_DATA || reach.status == BITNET_E_GGUF_TENSOR_TYPE ||
            reach.status == BITNET_E_GGUF_TRUNCATED || reach.status == BITNET_E_GGUF_MAP) {
            CHECK(reach.fail() == reach.status);
            CHECK(std::string(last_info().subject) != "");
        }
    }
}
