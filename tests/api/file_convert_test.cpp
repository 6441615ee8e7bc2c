// Model files written anew, as a program sees it: what stays the same to the bit, what is refused and by which name, and that
// a file appears whole or not at all.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "tests/support/api_fixture.h"
#include "tests/support/model_edit.h"
#include "tests/support/temp_dir.h"

namespace {

constexpr uint32_t kF32 = 0, kI2s = 36;
const char* const kGolden[] = {"b158-i2s", "b25-i2s-untied", "bitnet-i2s-silu", "b158-tq2",
                               "b158-tq1", "llama-i2s",      "llama-f16",       "llama-q8",
                               "llama-q4", "llama-mix",      "b158-zero-layer", "b158-zero-all"};

struct FreeReport {
    void operator()(bitnet_convert_report* report) const { bitnet_convert_report_free(report); }
};
using ReportHandle = std::unique_ptr<bitnet_convert_report, FreeReport>;
using Tweak = std::function<void(bitnet_convert_params&)>;

bitnet_status convert_status(const std::string& from, const std::string& to, const Tweak& tweak,
                             ReportHandle* out = nullptr) {
    bitnet_convert_params params = bitnet_convert_default_params();
    params.n_threads = 1;
    if (tweak) tweak(params);
    bitnet_convert_report* report = nullptr;
    const bitnet_status status = bitnet_file_convert(from.c_str(), to.c_str(), &params, &report);
    CHECK((report != nullptr) == (status == BITNET_OK));
    ReportHandle owner(report);
    if (out != nullptr) *out = std::move(owner);
    return status;
}

ReportHandle convert(const std::string& from, const std::string& to, const Tweak& tweak = {}) {
    ReportHandle report;
    test::must(convert_status(from, to, tweak, &report));
    return report;
}

Tweak to_type(const char* type) {
    return [type](bitnet_convert_params& params) { params.type = type; };
}

bitnet_convert_info info_of(const ReportHandle& report) {
    bitnet_convert_info info = {};
    info.struct_size = sizeof info;
    test::must(bitnet_convert_report_get_info(report.get(), &info));
    return info;
}

bitnet_converted_tensor tensor_of(const ReportHandle& report, const std::string& name) {
    bitnet_converted_tensor tensor = {};
    tensor.struct_size = sizeof tensor;
    for (size_t i = 0; i < info_of(report).n_tensors; ++i) {
        test::must(bitnet_convert_report_get_tensor(report.get(), i, &tensor));
        if (tensor.name == name) return tensor;
    }
    FAIL("no tensor " << name);
    return tensor;
}

test::Logits logits_of(const std::string& path) {
    return test::fresh_logits(test::load_model(path, [](bitnet_model_params& p) { p.n_threads = 1; }), {1, 5, 9, 4, 7},
                              [](bitnet_context_params& p) { p.n_threads = 1; });
}

// A model whose layers are floats: I2_S tensors of the golden file decoded here, without the library.
test::ModelEdit as_floats(const std::string& name) {
    test::ModelEdit edit = test::ModelEdit::open(test::golden_model(name));
    for (test::EditTensor& tensor : edit.tensors) {
        if (tensor.type != kI2s) continue;
        const uint64_t n = tensor.n_elements();
        float scale;
        std::memcpy(&scale, tensor.data.data() + n / 4, sizeof scale);
        std::vector<uint8_t> floats(n * sizeof(float));
        for (uint64_t i = 0; i < n; ++i) {
            const int code = tensor.data[i / 128 * 32 + i % 32] >> (6 - 2 * (i % 128 / 32)) & 3;
            const float value = scale * static_cast<float>(code - 1);
            std::memcpy(floats.data() + i * sizeof value, &value, sizeof value);
        }
        tensor.data = std::move(floats);
        tensor.type = kF32;
    }
    return edit;
}

void set_value(test::EditTensor& tensor, uint64_t index, float value) {
    std::memcpy(tensor.data.data() + index * sizeof value, &value, sizeof value);
}

}  // namespace

TEST_CASE("a model that is only copied gives the same logits to the bit") {
    const test::TempDir folder;
    for (const char* name : kGolden) {
        CAPTURE(name);
        const std::string out = folder.file("copy.gguf");
        const bitnet_convert_info info = info_of(convert(test::golden_model(name), out));
        CHECK(info.n_inexact == 0);
        CHECK(info.n_ternarised == 0);
        CHECK(std::string(info.worst_tensor).empty());
        CHECK(info.n_file_bytes == test::read_file(out).size());
        CHECK(test::same_bits(logits_of(out), logits_of(test::golden_model(name))));
    }
}

TEST_CASE("i2_s becomes floats and i2_s again without losing a bit") {
    const test::TempDir folder;
    for (const char* name : {"b158-i2s", "bitnet-i2s-silu", "b158-zero-layer"}) {
        CAPTURE(name);
        const std::string floats = folder.file("floats.gguf"), back = folder.file("back.gguf");
        const ReportHandle there = convert(test::golden_model(name), floats, to_type("F32"));
        CHECK(info_of(there).n_inexact == 0);
        CHECK(std::string(info_of(there).type) == "f32");
        const ReportHandle report = convert(floats, back, to_type("I2_s"));
        CHECK(info_of(report).n_inexact == 0);
        const bitnet_converted_tensor tensor = tensor_of(report, "blk.0.attn_q.weight");
        CHECK(tensor.action == BITNET_CONVERT_ENCODED);
        CHECK(std::string(tensor.source_type) == "f32");
        CHECK(std::string(tensor.type) == "i2_s");
        CHECK(test::same_bits(logits_of(back), logits_of(test::golden_model(name))));
        if (std::string(name) == "b158-zero-layer") continue;  // nothing tells the scale of zeros
        const test::ModelEdit a = test::ModelEdit::open(test::golden_model(name)), b = test::ModelEdit::open(back);
        REQUIRE(a.tensors.size() == b.tensors.size());
        for (size_t i = 0; i < a.tensors.size(); ++i) {
            CAPTURE(a.tensors[i].name);
            const size_t n = a.tensors[i].type == kI2s ? a.tensors[i].n_elements() / 4 + 4 : b.tensors[i].data.size();
            REQUIRE(b.tensors[i].data.size() >= n);
            CHECK(std::equal(b.tensors[i].data.begin(), b.tensors[i].data.begin() + static_cast<std::ptrdiff_t>(n),
                             a.tensors[i].data.begin()));
        }
    }
}

TEST_CASE("a scale that is a half already goes through f16, tq2_0 and tq1_0 and back with the same bits") {
    const test::TempDir folder;
    // K of 256 is what tq types need; their halves are i2_s scales that are exact.
    test::ModelEdit edit = test::ModelEdit::open(test::golden_model("b158-tq2"));
    for (test::EditTensor& tensor : edit.tensors) {
        if (tensor.type != 35) continue;
        for (size_t block = 0; block < tensor.n_elements() / 256; ++block) {
            const uint16_t d = 0x2a66;  // the same for all
            std::memcpy(tensor.data.data() + block * 66 + 64, &d, sizeof d);
        }
    }
    const std::string source = folder.write("source.gguf", edit.bytes());
    // Products with tq types are sums over blocks, those with i2_s over rows: each family has bits of its own.
    const test::Logits of_tq = logits_of(source);
    test::Logits of_i2s;
    std::string last = source;
    for (const std::string type : {"i2_s", "tq1_0", "i2_s", "f16", "i2_s", "tq2_0", "f32", "tq2_0"}) {
        CAPTURE(type);
        const std::string next = folder.file(last == folder.file("a.gguf") ? "b.gguf" : "a.gguf");
        CHECK(info_of(convert(last, next, to_type(type.c_str()))).n_inexact == 0);
        if (type == "i2_s") {
            if (of_i2s.empty()) of_i2s = logits_of(next);
            CHECK(test::same_bits(logits_of(next), of_i2s));
        } else if (type[0] == 't') {
            CHECK(test::same_bits(logits_of(next), of_tq));
        }
        last = next;
    }
    const test::ModelEdit back = test::ModelEdit::open(last);
    for (size_t i = 0; i < edit.tensors.size(); ++i) CHECK(back.tensors[i].data == edit.tensors[i].data);
}

TEST_CASE("blocks with scales of their own are refused as i2_s and kept between the tq types") {
    const test::TempDir folder;
    const std::string out = folder.file("out.gguf");
    CHECK(convert_status(test::golden_model("b158-tq2"), out, to_type("i2_s")) == BITNET_E_QUANT_INPUT);
    CHECK(test::last_error().find("blk.0.attn_q.weight' is not ternary, as i2_s needs it") != std::string::npos);
    CHECK(folder.n_files() == 0);
    CHECK(info_of(convert(test::golden_model("b158-tq2"), out, to_type("tq1_0"))).n_inexact == 0);
    CHECK(test::same_bits(logits_of(out), logits_of(test::golden_model("b158-tq1"))));
}

TEST_CASE("the really trained model keeps its bits, and tells what a half-precision scale costs") {
    if (!test::have_data(test::kStories3m)) return;
    const test::TempDir folder;
    const std::string source = (test::data_dir() / test::kStories3m).string();
    const std::string floats = folder.file("floats.gguf"), back = folder.file("back.gguf");
    CHECK(info_of(convert(source, floats, to_type("f32"))).n_inexact == 0);
    CHECK(info_of(convert(floats, back, to_type("i2_s"))).n_inexact == 0);
    CHECK(test::same_bits(logits_of(back), logits_of(source)));
    const ReportHandle report = convert(source, folder.file("half.gguf"), to_type("f16"));
    const bitnet_convert_info info = info_of(report);
    CHECK(info.n_inexact > 0);
    CHECK(info.worst_accuracy > 99.9);  // half a unit of 11 bits
    CHECK(info.worst_accuracy < 100.0);
    const bitnet_converted_tensor worst = tensor_of(report, info.worst_tensor);
    CHECK(worst.codes_equal == 1);
    CHECK(worst.max_abs_error <= std::ldexp(worst.scale == 0 ? 64.0 : std::fabs(worst.scale), -11));
}

TEST_CASE("the new file is the same bytes with any number of threads") {
    const test::TempDir folder;
    const std::string source = folder.write("floats.gguf", as_floats("b158-i2s").bytes());
    for (const char* type : {"i2_s", "q8_0"}) {
        std::vector<std::vector<uint8_t>> files;
        std::vector<std::string> reports;
        for (const int32_t n_threads : {1, 2, 5}) {
            const std::string out = folder.file("out.gguf");
            const ReportHandle report = convert(source, out, [&](bitnet_convert_params& params) {
                params.type = type;
                params.n_threads = n_threads;
            });
            files.push_back(test::read_file(out));
            char json[65536];
            test::must(bitnet_convert_report_get_json(report.get(), json, sizeof json, nullptr));
            reports.emplace_back(std::strstr(json, "\"tensors\""));
        }
        CHECK(files[0] == files[1]);
        CHECK(files[0] == files[2]);
        CHECK(reports[0] == reports[1]);
        CHECK(reports[0] == reports[2]);
    }
}

TEST_CASE("version 2 is written and read") {
    const test::TempDir folder;
    const std::string out = folder.file("v2.gguf"), again = folder.file("v3.gguf");
    convert(test::golden_model("llama-mix"), out, [](bitnet_convert_params& params) { params.gguf_version = 2; });
    CHECK(test::read_file(out)[4] == 2);
    CHECK(test::same_bits(logits_of(out), logits_of(test::golden_model("llama-mix"))));
    convert(out, again);
    CHECK(test::read_file(again)[4] == 3);
    CHECK(test::same_bits(logits_of(again), logits_of(out)));
}

TEST_CASE("i2_s in the order of ARM builds is written in the usual one") {
    const test::TempDir folder;
    test::ModelEdit edit = test::ModelEdit::open(test::golden_model("b158-i2s"));
    for (test::EditTensor& tensor : edit.tensors) {
        if (tensor.type != kI2s) continue;
        const std::vector<uint8_t> usual = tensor.data;
        std::fill(tensor.data.begin(), tensor.data.begin() + static_cast<std::ptrdiff_t>(tensor.n_elements() / 4), 0);
        for (uint64_t i = 0; i < tensor.n_elements(); ++i) {
            const int code = usual[i / 128 * 32 + i % 32] >> (6 - 2 * (i % 128 / 32)) & 3;
            uint8_t& byte = tensor.data[i / 64 * 16 + i % 16];
            byte = static_cast<uint8_t>(byte | code << (6 - 2 * (i % 64 / 16)));
        }
    }
    const std::string arm = folder.write("arm.gguf", edit.bytes()), out = folder.file("out.gguf");
    convert(arm, out, [](bitnet_convert_params& params) { params.i2s_order = BITNET_I2S_ORDER_ARM; });
    CHECK(test::same_bits(logits_of(out), logits_of(test::golden_model("b158-i2s"))));
    CHECK_FALSE(test::read_file(out) == test::read_file(arm));
}

TEST_CASE("weights that are not ternary are refused by name, or ternarised by absmean with the loss told") {
    const test::TempDir folder;
    test::ModelEdit edit = as_floats("b158-i2s");
    test::EditTensor& tensor = edit.tensor("blk.1.ffn_up.weight");
    const uint64_t n = tensor.n_elements();
    double sum = 0;
    for (uint64_t i = 0; i < n; ++i) {
        const float value = static_cast<float>(static_cast<int>(i * 7919 % 2001) - 1000) * 0.001f;
        set_value(tensor, i, value);
        sum += static_cast<double>(std::fabs(value));
    }
    const std::string source = folder.write("source.gguf", edit.bytes()), out = folder.file("out.gguf");
    CHECK(convert_status(source, out, to_type("i2_s")) == BITNET_E_QUANT_INPUT);
    CHECK(test::last_error().find("'blk.1.ffn_up.weight' is not ternary") != std::string::npos);
    CHECK(test::last_error().find("--ternarize") != std::string::npos);
    CHECK(folder.n_files() == 1);

    const ReportHandle report = convert(source, out, [](bitnet_convert_params& params) {
        params.type = "i2_s";
        params.ternarize = 1;
    });
    const bitnet_convert_info info = info_of(report);
    CHECK(info.n_ternarised == 1);
    CHECK(std::string(info.worst_tensor) == "blk.1.ffn_up.weight");
    const bitnet_converted_tensor told = tensor_of(report, "blk.1.ffn_up.weight");
    CHECK(told.action == BITNET_CONVERT_TERNARISED);
    CHECK(told.is_exact == 0);
    CHECK(told.scale == doctest::Approx(sum / static_cast<double>(n)).epsilon(1e-6));
    CHECK(told.cosine > 0.8);
    CHECK(told.cosine < 1.0);
    CHECK(info.worst_accuracy == told.accuracy);
    // All others were ternary: a second absmean would have made their scales smaller.
    const bitnet_converted_tensor other = tensor_of(report, "blk.0.ffn_up.weight");
    CHECK(other.action == BITNET_CONVERT_ENCODED);
    CHECK(other.is_exact == 1);
    // The codes are those of the formula.
    test::ModelEdit made = test::ModelEdit::open(out);
    const test::EditTensor& written = made.tensor("blk.1.ffn_up.weight");
    float scale;
    std::memcpy(&scale, written.data.data() + n / 4, sizeof scale);
    double squares = 0;
    for (uint64_t i = 0; i < n; ++i) {
        float value;
        std::memcpy(&value, tensor.data.data() + i * 4, sizeof value);
        const int code = written.data[i / 128 * 32 + i % 32] >> (6 - 2 * (i % 128 / 32)) & 3;
        REQUIRE(code - 1 == std::clamp(static_cast<int>(std::nearbyint(value / scale)), -1, 1));
        const double error = static_cast<double>(value) - static_cast<double>(scale) * (code - 1);
        squares += error * error;
    }
    CHECK(told.mse == doctest::Approx(squares / static_cast<double>(n)).epsilon(1e-9));
}

TEST_CASE("NaN and infinite weights are named, in copies too") {
    const test::TempDir folder;
    const std::string out = folder.file("out.gguf");
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        for (const char* type : {"i2_s", "q8_0", "f32"}) {
            test::ModelEdit edit = as_floats("b158-i2s");
            set_value(edit.tensor("blk.2.attn_k.weight"), 128 * 3 + 5, bad);
            const std::string source = folder.write("source.gguf", edit.bytes());
            CHECK(convert_status(source, out, to_type(type)) == BITNET_E_QUANT_INPUT);
            CHECK(test::last_error().find("'blk.2.attn_k.weight' has ") != std::string::npos);
            CHECK(test::last_error().find("row 3, column 5") != std::string::npos);
            CHECK(folder.n_files() == 1);
        }
    }
    test::ModelEdit edit = test::ModelEdit::open(test::golden_model("b158-i2s"));
    edit.tensor("blk.1.attn_v.weight").data[40] = 0xff;
    const std::string source = folder.write("source.gguf", edit.bytes());
    CHECK(convert_status(source, out, {}) == BITNET_E_GGUF_TENSOR_DATA);
    CHECK(test::last_error().find("'blk.1.attn_v.weight' row 1 ") != std::string::npos);
    CHECK(folder.n_files() == 1);
}

TEST_CASE("values and scales that a type cannot hold are errors, not infinities and zeros") {
    const test::TempDir folder;
    const std::string out = folder.file("out.gguf");
    test::ModelEdit edit = as_floats("b158-i2s");
    set_value(edit.tensor("blk.0.attn_q.weight"), 7, 1e6f);
    std::string source = folder.write("source.gguf", edit.bytes());
    CHECK(convert_status(source, out, to_type("f16")) == BITNET_E_QUANT_OVERFLOW);
    CHECK(test::last_error().find("'blk.0.attn_q.weight' row 0: 1000000 exceeds what f16 can hold") != std::string::npos);
    // A scale below every half is kept by i2_s, though its codec rounds such floats to 0, and refused by tq2_0.
    edit = test::ModelEdit::open(test::golden_model("b158-tq2"));
    test::EditTensor& tensor = edit.tensor("blk.0.attn_q.weight");
    tensor.data.assign(tensor.n_elements() * 4, 0);
    for (uint64_t i = 0; i < tensor.n_elements(); ++i)
        set_value(tensor, i, static_cast<float>(static_cast<int>(i % 3) - 1) * 1e-9f);
    tensor.type = kF32;
    source = folder.write("source.gguf", edit.bytes());
    CHECK(convert_status(source, out, to_type("tq2_0")) == BITNET_E_QUANT_SCALE);
    CHECK(test::last_error().find("'blk.0.attn_q.weight' has the scale 1e-09") != std::string::npos);
    CHECK(folder.n_files() == 1);
    const ReportHandle report = convert(source, out, [](bitnet_convert_params& params) {
        params.type = "i2_s";
        params.ternarize = 1;  // the others have a scale in every block
    });
    CHECK(tensor_of(report, "blk.0.attn_q.weight").is_exact == 1);
    CHECK(tensor_of(report, "blk.0.attn_q.weight").action == BITNET_CONVERT_ENCODED);
}

TEST_CASE("the embedding and the head have types of their own, never a ternary one") {
    const test::TempDir folder;
    const std::string source = test::golden_model("b25-i2s-untied"), out = folder.file("out.gguf");
    const ReportHandle report = convert(source, out, [](bitnet_convert_params& params) {
        params.embedding_type = "Q8_0";
        params.head_type = "f32";
    });
    CHECK(std::string(tensor_of(report, "token_embd.weight").type) == "q8_0");
    CHECK(std::string(tensor_of(report, "output.weight").type) == "f32");
    CHECK(tensor_of(report, "output.weight").is_exact == 1);
    CHECK(std::string(tensor_of(report, "output_norm.weight").type) == "f32");
    CHECK(std::string(tensor_of(report, "blk.0.attn_q.weight").type) == "i2_s");
    logits_of(out);
    // Where the embedding is the head, --head is enough.
    const ReportHandle tied =
        convert(test::golden_model("b158-i2s"), out, [](bitnet_convert_params& params) { params.head_type = "q8_0"; });
    CHECK(std::string(tensor_of(tied, "token_embd.weight").type) == "q8_0");
    CHECK(convert_status(source, out, [](bitnet_convert_params& params) { params.embedding_type = "i2_s"; }) ==
          BITNET_E_QUANT_FORMAT);
    CHECK(test::last_error().find("'token_embd.weight' cannot be i2_s") != std::string::npos);
    CHECK(convert_status(source, out, [](bitnet_convert_params& params) { params.head_type = "i2_s"; }) ==
          BITNET_E_QUANT_FORMAT);
}

TEST_CASE("types that are none, rows that do not fit and parameters out of range are named") {
    const test::TempDir folder;
    const std::string source = test::golden_model("b158-i2s"), out = folder.file("out.gguf");
    CHECK(convert_status(source, out, to_type("int8")) == BITNET_E_QUANT_FORMAT);
    CHECK(test::last_error().find("q8_0 is the nearest") != std::string::npos);
    CHECK(convert_status(source, out, to_type("i2s\n")) == BITNET_E_QUANT_FORMAT);
    CHECK(test::last_error().find("this version writes ") != std::string::npos);
    CHECK(convert_status(source, out, to_type("tq2_0")) == BITNET_E_QUANT_INPUT);  // K = 128
    CHECK(test::last_error().find("rows of 128 weights, which are not whole blocks of 256") != std::string::npos);
    CHECK(convert_status(source, out, [](bitnet_convert_params& p) { p.gguf_version = 1; }) == BITNET_E_CONFIG);
    CHECK(convert_status(source, out, [](bitnet_convert_params& p) { p.i2s_order = 7; }) == BITNET_E_CONFIG);
    CHECK(convert_status(source, out, [](bitnet_convert_params& p) { p.n_threads = -1; }) == BITNET_E_CONFIG);
    CHECK(convert_status(source, out, [](bitnet_convert_params& p) { p.max_tensors = 3; }) ==
          BITNET_E_SECURITY_TENSOR_COUNT);
    CHECK(convert_status(folder.file("none.gguf"), out, {}) == BITNET_E_FILE_NOT_FOUND);
    CHECK(bitnet_file_convert(nullptr, out.c_str(), nullptr, nullptr) == BITNET_E_ARGUMENT);
    CHECK(bitnet_file_convert(source.c_str(), nullptr, nullptr, nullptr) == BITNET_E_ARGUMENT);
    CHECK(folder.n_files() == 0);
}

TEST_CASE("the source is never overwritten, under whatever name") {
    const test::TempDir folder;
    const std::vector<uint8_t> bytes = test::read_file(test::golden_model("b158-i2s"));
    const std::string source = folder.write("model.gguf", bytes), link = folder.file("link.gguf");
    CHECK(convert_status(source, source, {}) == BITNET_E_ARGUMENT);
    CHECK(convert_status(source, (folder.path() / "." / "model.gguf").string(), {}) == BITNET_E_ARGUMENT);
    std::error_code failed;
    std::filesystem::create_symlink(source, link, failed);
    if (!failed) {
        CHECK(convert_status(link, source, {}) == BITNET_E_ARGUMENT);
        CHECK(convert_status(source, link, {}) == BITNET_E_ARGUMENT);
        CHECK(test::last_error().find("this is the model that is read") != std::string::npos);
    }
    CHECK(test::read_file(source) == bytes);
    CHECK(convert_status(source, folder.file("no/such/out.gguf"), {}) == BITNET_E_IO);
    CHECK(convert_status(source, folder.path().string(), {}) == BITNET_E_IO);
    CHECK(convert_status(source, "", {}) == BITNET_E_IO);
}

TEST_CASE("cancelling leaves neither a file nor a piece of one, and what was there stays") {
    const test::TempDir folder;
    const std::string source = folder.write("floats.gguf", as_floats("b158-i2s").bytes());
    const std::string out = folder.write("out.gguf", {1, 2, 3});
    struct Calls {
        int left;
        float last = 0;
        bool rising = true;
    };
    const auto run = [&](Calls& calls) {
        return convert_status(source, out, [&](bitnet_convert_params& params) {
            params.type = "i2_s";
            params.progress_user_data = &calls;
            params.on_progress = [](float progress, void* user_data) -> int32_t {
                Calls& c = *static_cast<Calls*>(user_data);
                c.rising = c.rising && progress >= c.last && progress <= 1.0f;
                c.last = progress;
                return c.left-- > 0 ? 0 : 1;
            };
        });
    };
    Calls all{1 << 20};
    test::must(run(all));
    CHECK(all.rising);
    CHECK(all.last == 1.0f);
    const int n_calls = (1 << 20) - all.left;
    REQUIRE(n_calls > 10);
    const std::vector<uint8_t> whole = test::read_file(out);
    for (const int n : {0, 1, n_calls / 2, n_calls - 1}) {
        CAPTURE(n);
        Calls some{n};
        CHECK(run(some) == BITNET_E_CANCELLED);
        CHECK(folder.n_files() == 2);
        CHECK(test::read_file(out) == whole);
    }
}

TEST_CASE("a report is read at any size and past its end") {
    const test::TempDir folder;
    const ReportHandle report = convert(test::golden_model("b158-i2s"), folder.file("out.gguf"));
    const bitnet_convert_info info = info_of(report);
    CHECK(info.n_copied == info.n_tensors);
    CHECK(info.gguf_version == 3);
    bitnet_converted_tensor tensor = {};
    tensor.struct_size = sizeof tensor;
    CHECK(bitnet_convert_report_get_tensor(report.get(), info.n_tensors, &tensor) == BITNET_E_NOT_FOUND);
    CHECK(bitnet_convert_report_get_tensor(nullptr, 0, &tensor) == BITNET_E_ARGUMENT);
    tensor.struct_size = 0;
    CHECK(bitnet_convert_report_get_tensor(report.get(), 0, &tensor) == BITNET_E_ARGUMENT);
    size_t size = 0;
    CHECK(bitnet_convert_report_get_json(report.get(), nullptr, 0, &size) == BITNET_E_BUFFER_TOO_SMALL);
    std::string json(size + 1, '\0');
    test::must(bitnet_convert_report_get_json(report.get(), json.data(), json.size(), &size));
    CHECK(json.find("{\"schema\":\"bitnet-conversion/1\"") == 0);
    bitnet_convert_report_free(nullptr);
}
