// Validation: every kind of finding, made by taking a golden model apart. All that is wrong with a model is found at once, in
// files that load and in files that do not.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/support/api_fixture.h"
#include "tests/support/model_edit.h"

namespace {

struct FreeReport {
    void operator()(bitnet_validation_report* report) const { bitnet_validation_report_free(report); }
};
using ReportHandle = std::unique_ptr<bitnet_validation_report, FreeReport>;
using ParamTweak = std::function<void(bitnet_validation_params&)>;

bitnet_validation_params params_of(const ParamTweak& tweak) {
    bitnet_validation_params params = bitnet_validation_default_params();
    if (tweak) tweak(params);
    return params;
}

ReportHandle validate_path(const std::string& path, const ParamTweak& tweak = {}) {
    const bitnet_validation_params params = params_of(tweak);
    bitnet_validation_report* report = nullptr;
    test::must(bitnet_model_validate_file(path.c_str(), &params, &report));
    return ReportHandle(report);
}

ReportHandle validate(const std::vector<uint8_t>& bytes, const ParamTweak& tweak = {}) {
    const test::TempDir folder;
    return validate_path(folder.write("model.gguf", bytes), tweak);
}

ReportHandle validate(const test::ModelHandle& model, const ParamTweak& tweak = {}) {
    const bitnet_validation_params params = params_of(tweak);
    bitnet_validation_report* report = nullptr;
    test::must(bitnet_model_validate(model.get(), &params, &report));
    return ReportHandle(report);
}

bitnet_validation_info info_of(const ReportHandle& report) {
    bitnet_validation_info info = {};
    info.struct_size = sizeof info;
    test::must(bitnet_validation_report_get_info(report.get(), &info));
    return info;
}

std::vector<bitnet_validation_finding> findings_of(const ReportHandle& report) {
    std::vector<bitnet_validation_finding> findings(info_of(report).n_findings);
    for (size_t i = 0; i < findings.size(); ++i) {
        findings[i].struct_size = sizeof findings[i];
        test::must(bitnet_validation_report_get_finding(report.get(), i, &findings[i]));
    }
    return findings;
}

// "error code blk.0.attn_q.weight" for each finding, in order.
std::vector<std::string> texts_of(const ReportHandle& report) {
    std::vector<std::string> texts;
    for (const bitnet_validation_finding& finding : findings_of(report)) {
        texts.push_back(
            std::string(bitnet_finding_severity_name(static_cast<bitnet_finding_severity>(finding.severity))) + " " +
            bitnet_finding_kind_name(static_cast<bitnet_finding_kind>(finding.kind)) + " " + finding.tensor);
    }
    return texts;
}

nlohmann::json json_of(const ReportHandle& report) {
    size_t size = 0;
    CHECK(bitnet_validation_report_get_json(report.get(), nullptr, 0, &size) == BITNET_E_BUFFER_TOO_SMALL);
    std::string text(size + 1, '\0');
    test::must(bitnet_validation_report_get_json(report.get(), text.data(), text.size(), &size));
    text.resize(size);
    return nlohmann::json::parse(text);
}

test::ModelEdit golden(const std::string& name = "b158-i2s") { return test::ModelEdit::open(test::golden_model(name)); }

using Texts = std::vector<std::string>;

// A model changed in one place, the finding that this must give, and the status of loading it.
struct Case {
    const char* model;
    std::function<void(test::ModelEdit&)> change;
    const char* finding;
    bitnet_status status;
};

void put_float(std::vector<uint8_t>& data, size_t at, float value) {
    std::memcpy(data.data() + at, &value, sizeof value);
}

size_t scale_at(const test::EditTensor& tensor) { return tensor.n_elements() / 4; }

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

const std::vector<Case>& cases() {
    static const std::vector<Case> all = {
        {"b158-i2s", [](test::ModelEdit& m) { m.set_string("general.architecture", "mamba"); }, "error file ",
         BITNET_E_MODEL_ARCHITECTURE},
        {"b158-i2s", [](test::ModelEdit& m) { m.set_u32("bitnet-b1.58.attention.head_count", 3); }, "error file ",
         BITNET_E_MODEL_SHAPE},
        {"b158-i2s", [](test::ModelEdit& m) { m.remove_tensor("blk.1.ffn_up.weight"); },
         "error missing blk.1.ffn_up.weight", BITNET_E_GGUF_MISSING_TENSOR},
        {"b158-i2s",
         [](test::ModelEdit& m) {
             std::swap(m.tensor("blk.1.ffn_up.weight").ne[0], m.tensor("blk.1.ffn_up.weight").ne[1]);
         },
         "error shape blk.1.ffn_up.weight", BITNET_E_GGUF_TENSOR_SHAPE},
        {"llama-f16", [](test::ModelEdit& m) { m.tensor("blk.0.attn_q.weight").ne[0] = 0; }, "error file ",
         BITNET_E_GGUF_TENSOR_SHAPE},
        {"b158-i2s", [](test::ModelEdit& m) { m.tensor("blk.1.ffn_up.weight").type = 999; },
         "error type blk.1.ffn_up.weight", BITNET_E_GGUF_TENSOR_TYPE},
        {"b158-i2s",
         [](test::ModelEdit& m) {
             test::EditTensor& norm = m.tensor("blk.1.attn_norm.weight");
             norm.type = 8;  // q8_0: 34 bytes for 32 values
             norm.data.assign(norm.n_elements() / 32 * 34, 1);
         },
         "error type blk.1.attn_norm.weight", BITNET_E_GGUF_TENSOR_TYPE},
        {"b158-i2s",
         [](test::ModelEdit& m) {
             m.tensors.push_back(m.tensor("output_norm.weight"));
             m.tensors.back().name = "blk.1.attn_q.bias";
         },
         "error unused blk.1.attn_q.bias", BITNET_E_UNSUPPORTED},
        {"b158-i2s", [](test::ModelEdit& m) { m.tensors.push_back(m.tensor("output_norm.weight")); },
         "error extent output_norm.weight", BITNET_E_GGUF_TENSOR_DATA},
        {"b158-i2s", [](test::ModelEdit& m) { put_float(m.tensor("blk.2.attn_sub_norm.weight").data, 20, kNan); },
         "error not_finite blk.2.attn_sub_norm.weight", BITNET_E_GGUF_TENSOR_DATA},
        {"bitnet-i2s-silu", [](test::ModelEdit& m) { put_float(m.tensor("blk.1.ffn_up.scale").data, 0, kNan); },
         "error not_finite blk.1.ffn_up.scale", BITNET_E_GGUF_TENSOR_DATA},
        {"llama-f16", [](test::ModelEdit& m) { m.tensor("blk.0.ffn_up.weight").data[11] = 0x7c; },
         "error not_finite blk.0.ffn_up.weight", BITNET_OK},  // an F16 infinity or NaN that runs, but not well
        {"b158-tq2", [](test::ModelEdit& m) { m.tensor("blk.0.ffn_up.weight").data[65] = 0x7e; },
         "error not_finite blk.0.ffn_up.weight", BITNET_OK},  // the scale of a block
        {"b158-i2s", [](test::ModelEdit& m) { m.tensor("blk.0.attn_k.weight").data[40] = 0xff; },
         "error code blk.0.attn_k.weight", BITNET_E_GGUF_TENSOR_DATA},
        {"b158-tq1", [](test::ModelEdit& m) { m.tensor("blk.0.attn_k.weight").data[5] = 0x01; },
         "error code blk.0.attn_k.weight", BITNET_E_GGUF_TENSOR_DATA},
        {"b158-tq2", [](test::ModelEdit& m) { m.tensor("blk.0.attn_k.weight").data[5] = 0xc0; },
         "error code blk.0.attn_k.weight", BITNET_E_GGUF_TENSOR_DATA},
        {"b158-i2s",
         [](test::ModelEdit& m) {
             put_float(m.tensor("blk.0.attn_k.weight").data, scale_at(m.tensor("blk.0.attn_k.weight")), kInf);
         },
         "error scale blk.0.attn_k.weight", BITNET_E_GGUF_TENSOR_DATA},
        {"b158-i2s",
         [](test::ModelEdit& m) {
             put_float(m.tensor("blk.0.attn_k.weight").data, scale_at(m.tensor("blk.0.attn_k.weight")), -1.0f);
         },
         "warning scale blk.0.attn_k.weight", BITNET_OK},
        {"llama-i2s", [](test::ModelEdit& m) { put_float(m.tensor("rope_freqs.weight").data, 4, -1.0f); },
         "error scale rope_freqs.weight", BITNET_E_GGUF_TENSOR_DATA},
        {"b158-i2s",
         [](test::ModelEdit& m) {
             test::EditTensor& tensor = m.tensor("blk.0.attn_v.weight");
             std::memset(tensor.data.data(), 0x55, scale_at(tensor));
         },
         "warning zero_tensor blk.0.attn_v.weight", BITNET_OK},
        {"b158-i2s",
         [](test::ModelEdit& m) { std::memset(m.tensor("blk.0.attn_v.weight").data.data() + 32 * 5, 0x55, 64); },
         "warning zero_rows blk.0.attn_v.weight", BITNET_OK},
        {"b158-i2s",
         [](test::ModelEdit& m) {
             test::EditTensor& tensor = m.tensor("token_embd.weight");
             std::memset(tensor.data.data(), 0, tensor.data.size() / tensor.ne[1] * 2);
         },
         "note zero_rows token_embd.weight", BITNET_OK},
    };
    return all;
}

}  // namespace

TEST_CASE("golden models are valid, and their figures are those of the tensors") {
    for (const char* name :
         {"b158-i2s", "b158-tq1", "b158-tq2", "b25-i2s-untied", "llama-q4", "llama-f16", "llama-mix"}) {
        CAPTURE(std::string(name));
        const ReportHandle report = validate_path(test::golden_model(name));
        const bitnet_validation_info info = info_of(report);
        CHECK(info.is_valid == 1);
        CHECK(texts_of(report) == Texts{});
        const test::ModelHandle model = test::load_model(test::golden_model(name));
        CHECK(info.n_tensors == test::info_of(model).n_tensors);
        CHECK(info.stored->total_bytes == test::info_of(model).n_file_bytes);
        CHECK(info.architecture == std::string(test::info_of(model).architecture));
        uint64_t n_ternary = 0;
        for (size_t i = 0; i < info.n_tensors; ++i) {
            bitnet_validation_tensor tensor = {};
            tensor.struct_size = sizeof tensor;
            test::must(bitnet_validation_report_get_tensor(report.get(), i, &tensor));
            bitnet_tensor_info stored = {};
            stored.struct_size = sizeof stored;
            test::must(bitnet_model_get_tensor(model.get(), i, &stored));
            CHECK(std::string(tensor.name) == stored.name);
            CHECK(std::string(tensor.type) == stored.type);
            CHECK(tensor.n_bytes == stored.n_bytes);
            CHECK(tensor.values_checked == 1);
            CHECK(tensor.n_values == static_cast<uint64_t>(stored.shape[0] * stored.shape[1] * stored.shape[2]));
            CHECK(tensor.scale > 0.0);
            if (tensor.is_ternary != 0) {
                n_ternary += tensor.n_values;
                CHECK(tensor.n_zeros > 0);
                CHECK(tensor.n_zeros < tensor.n_values);
            }
        }
        CHECK(info.n_ternary_values == n_ternary);
        CHECK((info.ternary_zeros > 0.1) == (n_ternary != 0));
        CHECK(info.quantization_accuracy == 1.0);
    }
}

TEST_CASE("the scale of a ternary tensor is the stored one") {
    test::ModelEdit file = golden();
    test::EditTensor& tensor = file.tensor("blk.0.attn_q.weight");
    put_float(tensor.data, scale_at(tensor), 0.375f);
    const ReportHandle report = validate(file.bytes());
    const nlohmann::json json = json_of(report);
    for (const nlohmann::json& row : json["tensors"]) {
        if (row["name"] == "blk.0.attn_q.weight") CHECK(row["scale"] == 0.375);
    }
}

TEST_CASE("every kind of finding is found in a file, by name and severity, with the status of loading") {
    std::vector<std::string> kinds;
    for (const Case& c : cases()) {
        CAPTURE(std::string(c.finding));
        CAPTURE(std::string(c.model));
        test::ModelEdit file = golden(c.model);
        c.change(file);
        const std::vector<uint8_t> bytes = file.bytes();
        const ReportHandle report = validate(bytes);
        const std::vector<bitnet_validation_finding> findings = findings_of(report);
        REQUIRE(!findings.empty());
        CHECK(texts_of(report)[0] == c.finding);
        CHECK(findings[0].status == c.status);
        CHECK(std::string(findings[0].message).find('\n') == std::string::npos);
        CHECK(test::load_status(bytes) == c.status);
        CHECK(info_of(report).is_valid == (std::string(c.finding).rfind("error", 0) == 0 ? 0 : 1));
        kinds.push_back(bitnet_finding_kind_name(static_cast<bitnet_finding_kind>(findings[0].kind)));
    }
    for (int kind = BITNET_FINDING_FILE; kind < BITNET_FINDING_NOT_CHECKED; ++kind) {
        const std::string name = bitnet_finding_kind_name(static_cast<bitnet_finding_kind>(kind));
        CAPTURE(name);
        CHECK(std::find(kinds.begin(), kinds.end(), name) != kinds.end());
    }
    CHECK(std::string(bitnet_finding_kind_name(static_cast<bitnet_finding_kind>(99))) == "unknown");
    CHECK(std::string(bitnet_finding_severity_name(static_cast<bitnet_finding_severity>(99))) == "unknown");
}

TEST_CASE("all that is wrong is reported together, where loading stops at the first thing") {
    test::ModelEdit file = golden();
    file.remove_tensor("blk.0.attn_q.weight").remove_tensor("output_norm.weight");
    file.tensor("blk.1.ffn_gate.weight").type = 999;
    std::swap(file.tensor("blk.2.ffn_up.weight").ne[0], file.tensor("blk.2.ffn_up.weight").ne[1]);
    put_float(file.tensor("blk.1.ffn_norm.weight").data, 0, kInf);
    file.tensor("blk.2.attn_v.weight").data[7] = 0xff;
    const ReportHandle report = validate(file.bytes());
    CHECK(texts_of(report) == Texts{"error type blk.1.ffn_gate.weight", "error missing output_norm.weight",
                                    "error missing blk.0.attn_q.weight", "error shape blk.2.ffn_up.weight",
                                    "error not_finite blk.1.ffn_norm.weight", "error code blk.2.attn_v.weight"});
    const bitnet_validation_info info = info_of(report);
    CHECK(info.n_missing == 2);
    CHECK(info.n_wrong_shapes == 1);
    CHECK(info.n_errors == 6);
    CHECK(info.is_valid == 0);
}

TEST_CASE("tensors that a cut file lacks are named one by one") {
    std::vector<uint8_t> bytes = golden().bytes();
    bytes.resize(bytes.size() * 3 / 4);
    const ReportHandle report = validate(bytes);
    const std::vector<bitnet_validation_finding> findings = findings_of(report);
    CHECK(findings.size() > 3);
    for (const bitnet_validation_finding& finding : findings) {
        CHECK(finding.kind == BITNET_FINDING_EXTENT);
        CHECK(finding.status == BITNET_E_GGUF_TRUNCATED);
        CHECK(finding.has_offset == 1);
    }
    const ReportHandle none = validate({'G', 'G', 'U', 'F', 3, 0});
    CHECK(texts_of(none) == Texts{"error file "});
    CHECK(findings_of(none)[0].status == BITNET_E_GGUF_TRUNCATED);
}

TEST_CASE("findings say how many, where first, and at which byte") {
    test::ModelEdit file = golden();
    test::EditTensor& tensor = file.tensor("blk.0.attn_q.weight");
    const size_t row_bytes = 128 / 4;
    for (const size_t row : {size_t{9}, size_t{10}, size_t{100}}) tensor.data[row * row_bytes + 3] = 0xff;
    put_float(file.tensor("output_norm.weight").data, 4 * 77, kNan);
    const std::vector<uint8_t> bytes = file.bytes();
    const ReportHandle report = validate(bytes);
    REQUIRE(info_of(report).n_findings == 2);
    const double n_ternary = static_cast<double>(info_of(report).n_ternary_values);
    CHECK(info_of(report).quantization_accuracy == (n_ternary - 3 * 128) / n_ternary);
    for (const bitnet_validation_finding& finding : findings_of(report)) {
        REQUIRE(finding.has_offset == 1);
        if (finding.kind == BITNET_FINDING_CODE) {
            CHECK(finding.count == 3);
            CHECK(finding.index == 9);
            CHECK(bytes[finding.offset + 3] == 0xff);
        } else {
            CHECK(finding.kind == BITNET_FINDING_NOT_FINITE);
            CHECK(finding.count == 1);
            CHECK(finding.index == 77);
            float value = 0.0f;
            std::memcpy(&value, bytes.data() + finding.offset, sizeof value);
            CHECK(std::isnan(value));
        }
    }
}

TEST_CASE("a loaded model is validated by its bytes, whatever they came from") {
    test::ModelEdit file = golden();
    file.tensor("blk.0.attn_q.weight").data[3] = 0xff;
    put_float(file.tensor("blk.1.ffn_norm.weight").data, 8, kNan);
    const std::vector<uint8_t> bytes = file.bytes();
    const Texts wanted = texts_of(validate(bytes));
    CHECK(wanted.size() == 2);
    const test::ModelTweak unchecked = [](bitnet_model_params& p) { p.check_weights = 0, p.kernel = "scalar"; };
    CHECK(texts_of(validate(test::load_model(bytes, unchecked))) == wanted);
    // A callback is not called again: what the model holds is looked at.
    bitnet_reader reader = {};
    reader.struct_size = sizeof reader;
    reader.size = bytes.size();
    const std::vector<uint8_t>* readable = &bytes;
    reader.user_data = &readable;
    reader.read = [](void* user_data, uint64_t offset, void* dst, uint64_t n) -> int32_t {
        const std::vector<uint8_t>* from = *static_cast<const std::vector<uint8_t>**>(user_data);
        if (from == nullptr) return 1;
        std::memcpy(dst, from->data() + offset, n);
        return 0;
    };
    const bitnet_model_params params = test::model_params(unchecked);
    bitnet_model* model = nullptr;
    test::must(bitnet_model_load_from_reader(&reader, &params, &model));
    const test::ModelHandle owner(model);
    readable = nullptr;
    Texts held;
    for (const std::string& text : texts_of(validate(owner))) {
        if (text.find("not_checked") == std::string::npos) held.push_back(text);
    }
    // The scalar kernels use the file's layout, so nothing but norms and matrices is left to be seen, and all of it is.
    CHECK(held == wanted);
    for (const bitnet_validation_finding& finding : findings_of(validate(owner))) CHECK(finding.has_offset == 0);
}

TEST_CASE("values that only a packed copy is left of are reported as not checked") {
    const std::vector<uint8_t> bytes = golden().bytes();
    bitnet_reader reader = {};
    reader.struct_size = sizeof reader;
    reader.size = bytes.size();
    reader.user_data = const_cast<uint8_t*>(bytes.data());
    reader.read = [](void* user_data, uint64_t offset, void* dst, uint64_t n) -> int32_t {
        std::memcpy(dst, static_cast<const uint8_t*>(user_data) + offset, n);
        return 0;
    };
    bool packs = false;
    for (const std::string& level : test::runnable_levels()) {
        CAPTURE(level);
        const bitnet_model_params params =
            test::model_params([&](bitnet_model_params& p) { p.kernel = level.c_str(); });
        bitnet_model* model = nullptr;
        test::must(bitnet_model_load_from_reader(&reader, &params, &model));
        const test::ModelHandle owner(model);
        const ReportHandle report = validate(owner);
        const bitnet_validation_info info = info_of(report);
        CHECK(info.is_valid == 1);
        CHECK(info.n_notes == info.n_findings);
        CHECK((info.n_notes == 0 || info.n_notes == 3 * 7));  // the matrices of the layers
        packs = packs || info.n_notes != 0;
        for (const bitnet_validation_finding& finding : findings_of(report)) {
            CHECK(finding.kind == BITNET_FINDING_NOT_CHECKED);
            CHECK(finding.severity == BITNET_FINDING_NOTE);
        }
    }
    if (!packs) MESSAGE("no kernel of this CPU packs I2_S");
}

TEST_CASE("a row longer than in any model is not read, and a note says so") {
    test::ModelEdit file = golden();
    const uint64_t width = (uint64_t{1} << 22) + 1;
    file.tensors.push_back({"blk.0.long.weight", {width}, 1, std::vector<uint8_t>(2 * width)});
    const ReportHandle report = validate(file.bytes());
    CHECK(texts_of(report) == Texts{"error unused blk.0.long.weight", "note not_checked blk.0.long.weight"});
    bitnet_validation_tensor tensor = {};
    tensor.struct_size = sizeof tensor;
    test::must(bitnet_validation_report_get_tensor(report.get(), info_of(report).n_tensors - 1, &tensor));
    CHECK(tensor.values_checked == 0);
    CHECK(tensor.n_values == 0);
}

TEST_CASE("the report is the same with any number of threads, and header-only where that is asked for") {
    const auto json_with = [](int32_t n_threads) {
        nlohmann::json json = json_of(validate_path(test::golden_model("b158-tq2"),
                                                    [&](bitnet_validation_params& p) { p.n_threads = n_threads; }));
        json.erase("seconds");
        return json;
    };
    CHECK(json_with(1) == json_with(2));
    CHECK(json_with(1) == json_with(7));
    test::ModelEdit file = golden();
    file.tensor("blk.0.attn_q.weight").data[3] = 0xff;
    const ReportHandle header = validate(file.bytes(), [](bitnet_validation_params& p) { p.check_values = 0; });
    CHECK(info_of(header).is_valid == 1);
    CHECK(json_of(header)["tensors"][0].contains("zeros") == false);
}

TEST_CASE("findings are bounded, and all are counted") {
    test::ModelEdit file = golden();
    file.set_u32("bitnet-b1.58.block_count", 1000);
    const ReportHandle report = validate(file.bytes());
    CHECK(info_of(report).n_findings == 1000);
    CHECK(info_of(report).n_errors == 997 * 11);
    CHECK(info_of(report).n_missing == 997 * 11);
    const ReportHandle few = validate(file.bytes(), [](bitnet_validation_params& p) { p.max_findings = 3; });
    CHECK(info_of(few).n_findings == 3);
    CHECK(info_of(few).n_errors == 997 * 11);
}

TEST_CASE("JSON says what the getters say") {
    test::ModelEdit file = golden();
    file.remove_tensor("output_norm.weight");
    const ReportHandle report = validate(file.bytes());
    const nlohmann::json json = json_of(report);
    const bitnet_validation_info info = info_of(report);
    CHECK(json["schema"] == "bitnet-validation/1");
    CHECK(json["is_valid"] == false);
    CHECK(json["n_errors"] == info.n_errors);
    CHECK(json["architecture"] == "bitnet-b1.58");
    CHECK(json["quantization_accuracy"] == info.quantization_accuracy);
    CHECK(json["memory"]["total_bytes"] == info.stored->total_bytes);
    CHECK(json["memory"]["attention_bytes"] == info.stored->attention_bytes);
    CHECK(json["findings"][0]["kind"] == "missing");
    CHECK(json["findings"][0]["tensor"] == "output_norm.weight");
    CHECK(json["findings"][0]["status"] == "BITNET_E_GGUF_MISSING_TENSOR");
    CHECK(json["tensors"].size() == info.n_tensors);
}

TEST_CASE("a validation can be watched and stopped") {
    struct Watch {
        int n_calls = 0;
        int stop_after = 1 << 30;
        float last = -1.0f;
        bool rising = true;
    };
    const auto watch = [](Watch& seen) {
        return [&seen](bitnet_validation_params& p) {
            p.progress_user_data = &seen;
            p.on_progress = [](float progress, void* user_data) -> int32_t {
                Watch& w = *static_cast<Watch*>(user_data);
                w.rising = w.rising && progress >= w.last;
                w.last = progress;
                return ++w.n_calls > w.stop_after ? 1 : 0;
            };
        };
    };
    Watch seen;
    validate_path(test::golden_model("b158-i2s"), watch(seen));
    CHECK(seen.last == 1.0f);
    CHECK(seen.rising);
    CHECK(seen.n_calls > 10);
    Watch stopped;
    stopped.stop_after = 5;
    const bitnet_validation_params params = params_of(watch(stopped));
    bitnet_validation_report* report = nullptr;
    CHECK(bitnet_model_validate_file(test::golden_model("b158-i2s").c_str(), &params, &report) == BITNET_E_CANCELLED);
    CHECK(report == nullptr);
    CHECK(stopped.n_calls == 6);
}

TEST_CASE("validation fails only where there is nothing to report on") {
    bitnet_validation_report* report = nullptr;
    CHECK(bitnet_model_validate_file("/no/such.gguf", nullptr, &report) == BITNET_E_FILE_NOT_FOUND);
    CHECK(bitnet_model_validate_file(nullptr, nullptr, &report) == BITNET_E_ARGUMENT);
    CHECK(bitnet_model_validate_file("x", nullptr, nullptr) == BITNET_E_ARGUMENT);
    CHECK(bitnet_model_validate(nullptr, nullptr, &report) == BITNET_E_ARGUMENT);
    bitnet_validation_params params = bitnet_validation_default_params();
    params.max_tensors = 3;
    const std::string path = test::golden_model("b158-i2s");
    CHECK(bitnet_model_validate_file(path.c_str(), &params, &report) == BITNET_E_SECURITY_TENSOR_COUNT);
    params = bitnet_validation_default_params();
    params.n_threads = -1;
    CHECK(bitnet_model_validate_file(path.c_str(), &params, &report) == BITNET_E_CONFIG);
    const test::ModelHandle vocabulary = test::load_model(path, [](bitnet_model_params& p) { p.vocab_only = 1; });
    CHECK(bitnet_model_validate(vocabulary.get(), nullptr, &report) == BITNET_E_STATE);
    CHECK(report == nullptr);
    const ReportHandle good = validate_path(path);
    bitnet_validation_finding finding = {};
    finding.struct_size = sizeof finding;
    CHECK(bitnet_validation_report_get_finding(good.get(), 0, &finding) == BITNET_E_NOT_FOUND);
    bitnet_validation_tensor tensor = {};
    tensor.struct_size = sizeof tensor;
    CHECK(bitnet_validation_report_get_tensor(good.get(), 1000, &tensor) == BITNET_E_NOT_FOUND);
    bitnet_validation_info info = {};
    CHECK(bitnet_validation_report_get_info(good.get(), &info) == BITNET_E_ARGUMENT);
    CHECK(bitnet_validation_report_get_info(nullptr, &info) == BITNET_E_ARGUMENT);
    CHECK(bitnet_validation_report_get_json(nullptr, nullptr, 0, nullptr) == BITNET_E_ARGUMENT);
    bitnet_validation_report_free(nullptr);
}

TEST_CASE("a model that does not pass validation does not load where that is asked for") {
    const auto with = [](int32_t validate) { return [validate](bitnet_model_params& p) { p.validate = validate; }; };
    CHECK(test::load_status(golden().bytes(), with(2)) == BITNET_OK);
    test::ModelEdit bad = golden("llama-f16");  // runs, with an infinity among its weights
    bad.tensor("blk.0.ffn_up.weight").data[11] = 0x7c;
    CHECK(test::load_status(bad.bytes(), with(0)) == BITNET_OK);
    CHECK(test::load_status(bad.bytes(), with(1)) == BITNET_E_VALIDATION);
    CHECK(test::last_error().find("blk.0.ffn_up.weight") != std::string::npos);
    test::ModelEdit missing = golden();
    missing.remove_tensor("output_norm.weight");
    CHECK(test::load_status(missing.bytes(), with(1)) == BITNET_E_VALIDATION);
    CHECK(test::last_error().find("output_norm.weight") != std::string::npos);
    test::ModelEdit zero = golden();
    std::memset(zero.tensor("blk.0.attn_v.weight").data.data() + 32 * 5, 0x55, 64);
    CHECK(test::load_status(zero.bytes(), with(1)) == BITNET_OK);
    CHECK(test::load_status(zero.bytes(), with(2)) == BITNET_E_VALIDATION);
    bitnet_error_info info = {};
    info.struct_size = sizeof info;
    test::must(bitnet_last_error_get_info(&info));
    CHECK(info.actual == 1);
    CHECK(std::string(info.subject) == "blk.0.attn_v.weight");
    CHECK(test::load_status(golden().bytes(), with(3)) == BITNET_E_ARGUMENT);
}
