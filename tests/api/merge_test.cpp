// Fine-tunings merged into model files: the same answers as an adapter beside the model where nothing is rounded, the base to
// the bit where nothing is changed, and the rounding and its report against arithmetic that is done here.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include "tests/support/adapter_file.h"
#include "tests/support/temp_dir.h"

namespace {

struct FreeReport {
    void operator()(bitnet_merge_report* report) const { bitnet_merge_report_free(report); }
};
using ReportHandle = std::unique_ptr<bitnet_merge_report, FreeReport>;

struct Merge {
    std::string base, out;
    std::vector<std::pair<std::string, float>> adapters;
    std::string checkpoint;
    const char* type = nullptr;
    int32_t n_threads = 1;

    bitnet_status run(ReportHandle* report = nullptr) const {
        std::vector<bitnet_merge_adapter> list;
        for (const auto& [path, scale] : adapters) list.push_back({path.c_str(), scale});
        bitnet_convert_params convert = bitnet_convert_default_params();
        convert.type = type;
        convert.n_threads = n_threads;
        bitnet_merge_params params = bitnet_merge_default_params();
        params.adapters = list.data();
        params.n_adapters = list.size();
        params.checkpoint_path = checkpoint.empty() ? nullptr : checkpoint.c_str();
        params.convert = &convert;
        bitnet_merge_report* made = nullptr;
        const bitnet_status status = bitnet_file_merge(base.c_str(), out.c_str(), &params, &made);
        const ReportHandle owner(made);
        CHECK((made == nullptr) == (status != BITNET_OK));
        if (report != nullptr) *report = ReportHandle(const_cast<ReportHandle&>(owner).release());
        return status;
    }
};

ReportHandle must_merge(const Merge& merge) {
    ReportHandle report;
    test::must(merge.run(&report));
    return report;
}

bitnet_merge_info info_of(const ReportHandle& report) {
    bitnet_merge_info info = {};
    info.struct_size = sizeof info;
    test::must(bitnet_merge_report_get_info(report.get(), &info));
    return info;
}

bitnet_merged_tensor tensor_of(const ReportHandle& report, const std::string& name) {
    bitnet_merged_tensor tensor = {};
    tensor.struct_size = sizeof tensor;
    for (size_t i = 0; bitnet_merge_report_get_tensor(report.get(), i, &tensor) == BITNET_OK; ++i) {
        if (tensor.name == name) return tensor;
    }
    FAIL("the report has no ", name);
    return tensor;
}

// A copy of a model with its matrices in another type.
std::string converted(const test::TempDir& dir, const std::string& source, const char* type) {
    const std::string out = dir.file("as-" + std::string(type) + "-" + std::to_string(dir.n_files()) + ".gguf");
    bitnet_convert_params params = bitnet_convert_default_params();
    params.type = type;
    test::must(bitnet_file_convert(source.c_str(), out.c_str(), &params, nullptr));
    return out;
}

std::vector<float> floats_of(test::ModelEdit& model, const std::string& name) {
    const test::EditTensor& tensor = model.tensor(name);
    REQUIRE(tensor.type == test::kTypeF32);
    std::vector<float> values(tensor.n_elements());
    std::memcpy(values.data(), tensor.data.data(), values.size() * sizeof(float));
    return values;
}

test::Logits logits_of(const std::string& path, const std::vector<uint8_t>& adapter = {}, float scale = 1.0f) {
    const test::ModelHandle model = test::load_model(path);
    const test::ContextHandle context =
        test::make_context(model, [](bitnet_context_params& p) { p.max_lora_rank = 8; });
    test::AdapterHandle handle;
    if (!adapter.empty()) {
        handle = test::load_adapter(model, adapter);
        test::must(test::set_adapters(context, 0, {{handle.get(), scale}}));
    }
    test::decode(context, {10, 20, 30, 40, 50, 60});
    return test::copy_logits(context, model);
}

double largest_gap(const test::Logits& a, const test::Logits& b) {
    REQUIRE(a.size() == b.size());
    double worst = 0;
    for (size_t i = 0; i < a.size(); ++i) {
        const double gap = std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
        worst = gap <= worst ? worst : gap;
    }
    return worst;
}

std::vector<uint8_t> zero_adapter(const std::string& model) {
    test::AdapterFile file = test::full_adapter(model, 2, test::kTypeF32, 1);
    for (test::EditTensor& tensor : file.edit.tensors) {
        if (tensor.name.ends_with(".lora_b")) std::fill(tensor.data.begin(), tensor.data.end(), uint8_t{0});
    }
    return file.bytes();
}

constexpr const char* kBase = "b25-i2s-untied";
constexpr const char* kMatrix = "blk.0.attn_q.weight";

}  // namespace

TEST_CASE("merge: an adapter that changes nothing gives every tensor of the base back, codes and scales") {
    for (const char* base : {"b158-i2s", "b25-i2s-untied", "b158-tq1", "b158-tq2", "llama-f16"}) {
        CAPTURE(base);
        const test::TempDir dir;
        const std::string path = test::golden_model(base);
        Merge merge{path, dir.file("out.gguf"), {{dir.write("zero.gguf", zero_adapter(path)), 1.0f}}, {}};
        const ReportHandle report = must_merge(merge);
        const bitnet_merge_info info = info_of(report);
        CHECK(info.n_tensors != 0);
        CHECK(info.n_codes_changed == 0);
        CHECK(info.change == 0);
        CHECK(info.relative_error == 0);
        CHECK(info.cosine == doctest::Approx(1));
        CHECK(info.change_kept == 1);
        test::ModelEdit before = test::ModelEdit::open(path), after = test::ModelEdit::open(merge.out);
        REQUIRE(before.tensors.size() == after.tensors.size());
        for (const test::EditTensor& tensor : before.tensors) {
            CAPTURE(tensor.name);
            const test::EditTensor& other = after.tensor(tensor.name);
            CHECK(tensor.type == other.type);
            const size_t n = std::min(tensor.data.size(), other.data.size());
            // Behind the scale of I2_S may lie anything.
            const size_t compared = tensor.type == 36 ? tensor.n_elements() / 4 + 4 : n;
            CHECK(std::memcmp(tensor.data.data(), other.data.data(), compared) == 0);
        }
    }
}

TEST_CASE("merge: into floats it answers as base and adapter do at run time") {
    const test::TempDir dir;
    // A dense base, and a ternary one whose matrices are floats already, so that both run with unrounded activations.
    const struct {
        std::string ternary_or_dense, as_floats;
    } rows[] = {{test::golden_model("llama-f16"), test::golden_model("llama-f16")},
                {test::golden_model(kBase), converted(dir, test::golden_model(kBase), "f32")}};
    for (const auto& row : rows) {
        CAPTURE(row.ternary_or_dense);
        const std::vector<uint8_t> first = test::full_adapter(row.ternary_or_dense, 3, test::kTypeF16, 5).bytes();
        Merge merge{row.ternary_or_dense, dir.file("merged.gguf"), {{dir.write("first.gguf", first), 0.5f}}, {}, "f32"};
        const ReportHandle report = must_merge(merge);
        CHECK(info_of(report).n_ternary == 0);
        CHECK(info_of(report).relative_error == 0);
        const test::Logits plain = logits_of(row.as_floats), tuned = logits_of(row.as_floats, first, 0.5f);
        const test::Logits merged = logits_of(merge.out);
        CHECK(largest_gap(plain, tuned) > 0.05);
        // Sums of other orders; the logits are a few units wide.
        CHECK(largest_gap(merged, tuned) < 2e-3);
        // The same as f16 rounds every weight to 11 bits.
        merge.type = "f16";
        must_merge(merge);
        CHECK(largest_gap(logits_of(merge.out), tuned) < 0.05 * largest_gap(plain, tuned) + 2e-2);
    }
}

TEST_CASE("merge: two adapters are added, each at its scale") {
    const test::TempDir dir;
    const std::string base = test::golden_model(kBase);
    const std::string once = dir.write("once.gguf", test::full_adapter(base, 2, test::kTypeF32, 9).bytes());
    const Merge twice{base, dir.file("twice.gguf"), {{once, 0.25f}, {once, 0.5f}}, {}, "f32"};
    const Merge together{base, dir.file("together.gguf"), {{once, 0.75f}}, {}, "f32"};
    must_merge(twice);
    must_merge(together);
    test::ModelEdit a = test::ModelEdit::open(twice.out), b = test::ModelEdit::open(together.out);
    const std::vector<float> x = floats_of(a, kMatrix), y = floats_of(b, kMatrix);
    for (size_t i = 0; i < x.size(); ++i) CHECK(std::fabs(x[i] - y[i]) <= 1e-5f * (1.0f + std::fabs(y[i])));
}

TEST_CASE("merge: back to ternary rounds by the base's scale, fits the new one, and reports what was lost") {
    const test::TempDir dir;
    const std::string base = test::golden_model(kBase);
    test::AdapterFile file = test::full_adapter(base, 4, test::kTypeF32, 3);
    const std::string adapter = dir.write("adapter.gguf", file.bytes());
    Merge merge{base, dir.file("ternary.gguf"), {{adapter, 2.0f}}, {}};
    const ReportHandle report = must_merge(merge);
    const Merge in_floats{base, dir.file("floats.gguf"), {{adapter, 2.0f}}, {}, "f32"};
    must_merge(in_floats);
    test::ModelEdit before = test::ModelEdit::open(converted(dir, base, "f32"));
    test::ModelEdit wanted = test::ModelEdit::open(in_floats.out);
    test::ModelEdit kept = test::ModelEdit::open(converted(dir, merge.out, "f32"));
    double all_errors = 0, all_squares = 0;
    uint64_t n_changed = 0;
    for (const test::AdapterPair& pair : file.pairs) {
        if (pair.base == "output.weight") continue;  // the head is not ternary
        CAPTURE(pair.base);
        const bitnet_merged_tensor told = tensor_of(report, pair.base);
        const std::vector<float> b = floats_of(before, pair.base), w = floats_of(wanted, pair.base),
                                 k = floats_of(kept, pair.base);
        float step = 0;
        for (const float x : b) step = std::max(step, std::fabs(x));
        CHECK(told.is_ternary == 1);
        CHECK(told.step == static_cast<double>(step));
        double along = 0, n = 0;
        for (size_t i = 0; i < w.size(); ++i) {
            if (std::fabs(w[i] / step) > 0.5f) along += std::fabs(static_cast<double>(w[i])), n += 1;
        }
        CHECK(told.scale == doctest::Approx(along / n).epsilon(1e-6));
        uint64_t changed = 0;
        double ww = 0, kk = 0, wk = 0, ee = 0, cc = 0, ck = 0, bb = 0;
        for (size_t i = 0; i < w.size(); ++i) {
            const float code = w[i] / step > 0.5f ? 1.0f : w[i] / step < -0.5f ? -1.0f : 0.0f;
            CHECK(k[i] == code * static_cast<float>(told.scale));
            changed += (k[i] > 0) != (b[i] > 0) || (k[i] < 0) != (b[i] < 0) ? 1 : 0;
            const double x = static_cast<double>(w[i]), y = static_cast<double>(k[i]), z = static_cast<double>(b[i]);
            ww += x * x, kk += y * y, wk += x * y, ee += (x - y) * (x - y), cc += (x - z) * (x - z);
            ck += (x - z) * (y - z), bb += z * z;
        }
        CHECK(told.n_codes_changed == changed);
        CHECK(told.change == doctest::Approx(std::sqrt(cc / bb)).epsilon(1e-6));
        CHECK(told.relative_error == doctest::Approx(std::sqrt(ee / ww)).epsilon(1e-6));
        CHECK(told.cosine == doctest::Approx(wk / std::sqrt(ww * kk)).epsilon(1e-6));
        CHECK(told.change_kept == doctest::Approx(ck / cc).epsilon(1e-6));
        all_errors += ee;
        all_squares += ww;
        n_changed += changed;
    }
    CHECK(n_changed > 0);
    const bitnet_merge_info info = info_of(report);
    CHECK(info.n_codes_changed == n_changed);
    CHECK(info.n_ternary + 1 == info.n_tensors);
    CHECK(info.relative_error <= std::sqrt(all_errors / all_squares));
    CHECK(info.relative_error > 0);
    test::load_model(merge.out);  // and it is a model

    size_t size = 0;
    CHECK(bitnet_merge_report_get_json(report.get(), nullptr, 0, &size) == BITNET_E_BUFFER_TOO_SMALL);
    std::string text(size + 1, '\0');
    test::must(bitnet_merge_report_get_json(report.get(), text.data(), text.size(), nullptr));
    const nlohmann::json json = nlohmann::json::parse(text.c_str());
    CHECK(json["schema"] == "bitnet-merge/1");
    CHECK(json["n_codes_changed"] == info.n_codes_changed);
    CHECK(json["relative_error"] == info.relative_error);
    CHECK(json["tensors"].size() == info.n_tensors);
    CHECK(json["adapters"][0]["path"] == adapter);
    CHECK(json["checkpoint"].is_null());

    // The file does not depend on the number of threads.
    const std::vector<uint8_t> bytes = test::read_file(merge.out);
    merge.n_threads = 2;
    must_merge(merge);
    CHECK(test::read_file(merge.out) == bytes);
}

TEST_CASE("merge: a checkpoint takes the place of the base, rounded as BitNet is trained") {
    const test::TempDir dir;
    const std::string base = test::golden_model(kBase);
    test::ModelEdit masters = test::ModelEdit::open(converted(dir, base, "f32"));
    for (test::EditTensor& tensor : masters.tensors) {
        if (tensor.name != kMatrix && tensor.name != "output_norm.weight") continue;
        REQUIRE(tensor.type == test::kTypeF32);
        for (size_t i = 0; i < tensor.n_elements(); ++i) {
            const float value = std::sin(static_cast<float>(i) * 1.7f) * 0.125f + 0.01f;
            std::memcpy(tensor.data.data() + 4 * i, &value, sizeof value);
        }
    }
    Merge merge{base, dir.file("out.gguf"), {}, dir.write("masters.gguf", masters.bytes())};
    const ReportHandle report = must_merge(merge);
    const bitnet_merged_tensor told = tensor_of(report, kMatrix);
    const std::vector<float> w = floats_of(masters, kMatrix);
    double sum = 0;
    for (const float x : w) sum += std::fabs(static_cast<double>(x));
    const float scale = static_cast<float>(sum / static_cast<double>(w.size()));
    CHECK(told.scale == static_cast<double>(scale));
    test::ModelEdit kept = test::ModelEdit::open(converted(dir, merge.out, "f32"));
    const std::vector<float> k = floats_of(kept, kMatrix);
    for (size_t i = 0; i < w.size(); ++i) {
        CHECK(k[i] == std::clamp(std::nearbyint(w[i] / scale), -1.0f, 1.0f) * scale);
    }
    CHECK(floats_of(kept, "output_norm.weight") == floats_of(masters, "output_norm.weight"));
    // What the checkpoint has as the base has it stays as it was stored.
    CHECK(tensor_of(report, "blk.0.attn_k.weight").change == 0);
    test::ModelEdit after = test::ModelEdit::open(merge.out), before = test::ModelEdit::open(base);
    const test::EditTensor& same = before.tensor("blk.0.attn_k.weight");
    CHECK(std::memcmp(after.tensor(same.name).data.data(), same.data.data(), same.n_elements() / 4 + 4) == 0);
}

TEST_CASE("merge: what cannot be merged says why, and no file appears") {
    const test::TempDir dir;
    const std::string base = test::golden_model(kBase);
    const std::string good = dir.write("good.gguf", test::full_adapter(base, 2, test::kTypeF32, 1).bytes());
    const size_t n_files = dir.n_files();
    const auto status_of = [&](const Merge& merge) {
        const std::string name = test::name_of(merge.run());
        CHECK(!std::filesystem::exists(dir.file("out.gguf")));
        return name;
    };
    const std::string out = dir.file("out.gguf");
    CHECK(status_of({base, out, {}, {}}) == "BITNET_E_ARGUMENT");
    CHECK(status_of({base, out, {{good, std::nanf("")}}, {}}) == "BITNET_E_ARGUMENT");
    CHECK(status_of({base, out, {{good, std::numeric_limits<float>::infinity()}}, {}}) == "BITNET_E_ARGUMENT");
    CHECK(status_of({base, out, std::vector<std::pair<std::string, float>>(65, {good, 1.0f}), {}}) ==
          "BITNET_E_ARGUMENT");
    CHECK(status_of({base, good, {{good, 1.0f}}, {}}) == "BITNET_E_ARGUMENT");  // it would overwrite what it reads
    CHECK(status_of({base, out, {{good, 3e38f}}, {}}) == "BITNET_E_QUANT_INPUT");
    CHECK(status_of({base, out, {{dir.file("none.gguf"), 1.0f}}, {}}) == "BITNET_E_FILE_NOT_FOUND");
    CHECK(status_of({base, out, {{base, 1.0f}}, {}}) == "BITNET_E_GGUF_METADATA");
    CHECK(status_of({base, out, {}, test::golden_model("llama-f16")}) == "BITNET_E_GGUF_TENSOR_SHAPE");
    CHECK(status_of({base, out, {}, good}) == "BITNET_E_NOT_FOUND");
    CHECK(status_of({base, out, {{good, 1.0f}}, {}, "f17"}) == "BITNET_E_QUANT_FORMAT");
    CHECK(dir.n_files() == n_files);

    const auto with = [&](const char* architecture, auto change) {
        test::AdapterFile file = test::full_adapter(base, 2, test::kTypeF32, 1);
        if (architecture != nullptr) file.edit.set_string("general.architecture", architecture);
        change(file.edit);
        return status_of({base, out, {{dir.write("bad.gguf", file.edit.bytes()), 1.0f}}, {}});
    };
    CHECK(with("llama", [](test::ModelEdit&) {}) == "BITNET_E_MODEL_ARCHITECTURE");
    CHECK(with(nullptr, [](test::ModelEdit& e) { e.remove_tensor("blk.0.attn_q.weight.lora_b"); }) ==
          "BITNET_E_GGUF_MISSING_TENSOR");
    CHECK(with(nullptr, [](test::ModelEdit& e) { e.remove_tensor("blk.0.attn_q.weight.lora_a"); }) ==
          "BITNET_E_GGUF_MISSING_TENSOR");
    CHECK(with(nullptr, [](test::ModelEdit& e) { e.tensor("blk.0.attn_q.weight.lora_a").ne[0] /= 2; }) ==
          "BITNET_E_GGUF_TENSOR_SHAPE");
    CHECK(with(nullptr, [](test::ModelEdit& e) {
              const float bad = std::nanf("");
              std::memcpy(e.tensor("blk.0.attn_q.weight.lora_a").data.data() + 8, &bad, sizeof bad);
          }) == "BITNET_E_GGUF_TENSOR_DATA");
    CHECK(with(nullptr, [](test::ModelEdit& e) {
              e.tensor("blk.0.attn_q.weight.lora_a").name = "blk.9.attn_q.weight.lora_a";
              e.tensor("blk.0.attn_q.weight.lora_b").name = "blk.9.attn_q.weight.lora_b";
          }) == "BITNET_E_NOT_FOUND");
    CHECK(with(nullptr, [](test::ModelEdit& e) { e.tensor("blk.0.attn_q.weight.lora_a").name = "blk.0.bias"; }) ==
          "BITNET_E_UNSUPPORTED");
    CHECK(with(nullptr, [](test::ModelEdit& e) { e.tensors.clear(); }) == "BITNET_E_GGUF_MISSING_TENSOR");
    CHECK(bitnet_file_merge(nullptr, out.c_str(), nullptr, nullptr) == BITNET_E_ARGUMENT);

    const ReportHandle report = must_merge({base, out, {{good, 1.0f}}, {}});
    bitnet_merged_tensor tensor = {};
    tensor.struct_size = sizeof tensor;
    CHECK(bitnet_merge_report_get_tensor(report.get(), 1 << 20, &tensor) == BITNET_E_NOT_FOUND);
    CHECK(bitnet_merge_report_get_info(nullptr, nullptr) == BITNET_E_ARGUMENT);
}
