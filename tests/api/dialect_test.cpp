// Models in every ternary dialect: the same weights give the same bits of logits, whoever wrote the file; and files whose
// tilings, codes or scales cannot be are refused by name.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tests/support/api_fixture.h"
#include "tests/support/dialect_bytes.h"
#include "tests/support/model_edit.h"

namespace {

const test::Tokens kTokens = {3, 1, 4, 1, 5};
// Divide every shape of the golden models; TL2 needs rows of at least 256.
const test::Tiles kTl1Tiles = {32, 64, 32};
const test::Tiles kTl2Tiles = {32, 96, 32};
constexpr const char* kTl1Text = "32,64,32";
constexpr const char* kTl2Text = "32,96,32";

struct Encoding {
    const char* name;
    uint32_t id;
    const char* tiling;
    std::vector<uint8_t> (*bytes)(const test::TernaryMatrix& w);
};

std::vector<uint8_t> tl1(const test::TernaryMatrix& w) { return test::tl1_bytes(w, kTl1Tiles); }
std::vector<uint8_t> tl2(const test::TernaryMatrix& w) { return test::tl2_bytes(w, kTl2Tiles); }

const Encoding kI2s = {"i2_s", 36, nullptr, test::i2_s_bytes};
const Encoding kTl1 = {"tl1", 38, kTl1Text, tl1};
const Encoding kTl2 = {"tl2", 39, kTl2Text, tl2};
const Encoding kIq1Bn = {"iq1_bn", 134, nullptr, test::iq1_bn_bytes};
const Encoding kIq2Bn = {"iq2_bn", 135, nullptr, test::iq2_bn_bytes};
const Encoding kIq2BnR4 = {"iq2_bn_r4", 335, nullptr, test::iq2_bn_r4_bytes};
const Encoding kTq1 = {"tq1_0", 34, nullptr, test::tq1_0_bytes};
const Encoding kTq2 = {"tq2_0", 35, nullptr, test::tq2_0_bytes};

// The weights of an I2_S or TQ2_0 tensor, all under one scale.
test::TernaryMatrix weights_of(const test::EditTensor& tensor, float scale) {
    test::TernaryMatrix w{static_cast<int64_t>(tensor.ne[1]), static_cast<int64_t>(tensor.ne[0]), {}, {}};
    for (uint64_t i = 0; i < tensor.n_elements(); ++i) {
        const uint64_t e = tensor.type == 36 ? i % 128 : i % 256;
        const uint8_t byte =
            tensor.type == 36 ? tensor.data[i / 128 * 32 + e % 32] : tensor.data[i / 256 * 66 + e / 128 * 32 + e % 32];
        w.weights.push_back((byte >> (tensor.type == 36 ? 6 - 2 * (e / 32) : e % 128 / 32 * 2) & 3) - 1);
    }
    w.scales.assign(static_cast<size_t>(w.n_rows), scale);
    return w;
}

float i2s_scale(const test::EditTensor& tensor) {
    float scale = 0.0f;
    std::memcpy(&scale, tensor.data.data() + tensor.n_elements() / 4, sizeof scale);
    return scale;
}

bool is_ternary(const test::EditTensor& tensor) { return tensor.type == 36 || tensor.type == 35; }

// The model with its ternary matrices stored another way. scale: of all of them, 0: the one of the I2_S tensor.
std::vector<uint8_t> encoded_model(const std::string& golden, const Encoding& encoding, float scale) {
    test::ModelEdit file = test::ModelEdit::open(test::golden_model(golden));
    for (test::EditTensor& tensor : file.tensors) {
        if (!is_ternary(tensor)) continue;
        tensor.data = encoding.bytes(weights_of(tensor, scale != 0.0f ? scale : i2s_scale(tensor)));
        tensor.type = encoding.id;
    }
    if (encoding.id == 39) file.set_u32("general.file_type", 39);
    return file.bytes();
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// A model of llama-i2s whose feed-forward is n_ff of its 256 wide: the rest is weights 0, or not there.
std::vector<uint8_t> narrowed_model(const Encoding& encoding, int64_t n_ff, bool cut) {
    test::ModelEdit file = test::ModelEdit::open(test::golden_model("llama-i2s"));
    for (test::EditTensor& tensor : file.tensors) {
        if (!is_ternary(tensor)) continue;
        const test::TernaryMatrix whole = weights_of(tensor, 0.0625f);
        const bool down = has(tensor.name, "ffn_down"), up = has(tensor.name, "ffn_up") || has(tensor.name, "ffn_gate");
        const int64_t rows = up ? n_ff : whole.n_rows, width = down ? n_ff : whole.k;
        test::TernaryMatrix w{cut ? rows : whole.n_rows, cut ? width : whole.k, {}, {}};
        for (int64_t row = 0; row < w.n_rows; ++row) {
            w.scales.push_back(0.0625f);
            for (int64_t i = 0; i < w.k; ++i) w.weights.push_back(row < rows && i < width ? whole.at(row, i) : 0);
        }
        tensor.ne = {static_cast<uint64_t>(w.k), static_cast<uint64_t>(w.n_rows)};
        tensor.data = encoding.bytes(w);
        tensor.type = encoding.id;
    }
    if (cut) file.set_u32("llama.feed_forward_length", static_cast<uint32_t>(n_ff));
    return file.bytes();
}

test::ModelTweak tiled(const char* tiling) {
    return [tiling](bitnet_model_params& p) { p.tl_tiling = tiling; };
}

test::Logits logits_of(const std::vector<uint8_t>& file, const test::ModelTweak& tweak = {}) {
    return test::fresh_logits(test::load_model(file, tweak), kTokens);
}

std::string refusal(const std::vector<uint8_t>& file, bitnet_status status, const test::ModelTweak& tweak = {}) {
    CHECK(test::name_of(test::load_status(file, tweak)) == test::name_of(status));
    return test::last_error();
}

}  // namespace

TEST_CASE("one model in every ternary encoding gives the same bits of logits, at every level of kernels") {
    // A power of two survives half precision, and no product with it rounds.
    constexpr float kScale = 0.0625f;
    for (const std::string& level : test::runnable_levels()) {
        CAPTURE(level);
        const auto tweak = [&](const char* tiling) {
            return [tiling, &level](bitnet_model_params& p) {
                p.tl_tiling = tiling;
                p.kernel = level.c_str();
            };
        };
        const test::Logits expected = logits_of(encoded_model("b158-tq2", kI2s, kScale), tweak(nullptr));
        REQUIRE(std::isfinite(expected[0]));
        for (const Encoding& encoding : {kTl1, kTl2, kIq1Bn, kIq2Bn, kIq2BnR4, kTq1, kTq2}) {
            CAPTURE(std::string(encoding.name));
            const std::vector<uint8_t> file = encoded_model("b158-tq2", encoding, kScale);
            const test::ModelHandle model = test::load_model(file, tweak(encoding.tiling));
            CHECK(std::string(test::info_of(model).quantization) == encoding.name);
            CHECK(test::same_bits(test::fresh_logits(model, kTokens), expected));
        }
    }
}

TEST_CASE("encodings with single-precision scales give the golden model's own bits, mapped, read or from memory") {
    for (const char* name : {"b158-i2s", "llama-i2s"}) {
        CAPTURE(std::string(name));
        const test::Logits expected = test::fresh_logits(test::load_model(test::golden_model(name)), kTokens);
        for (const Encoding& encoding : {kTl1, kIq2Bn, kIq2BnR4}) {
            CAPTURE(std::string(encoding.name));
            const std::vector<uint8_t> file = encoded_model(name, encoding, 0.0f);
            CHECK(test::same_bits(logits_of(file, tiled(encoding.tiling)), expected));
            const test::TempDir folder;
            const std::string path = folder.write("model.gguf", file);
            for (const int32_t use_mmap : {0, 1}) {
                for (const int32_t n_threads : {1, 3}) {
                    const test::ModelHandle model = test::load_model(path, [&](bitnet_model_params& p) {
                        p.tl_tiling = encoding.tiling;
                        p.use_mmap = use_mmap;
                        p.n_threads = n_threads;
                    });
                    CHECK(test::same_bits(test::fresh_logits(model, kTokens), expected));
                }
            }
        }
    }
}

TEST_CASE("rows that are no whole blocks of the kernels are computed as if zeros followed them") {
    // bitnet_b1_58-3B is 8640 wide, 67.5 blocks; here 192 and 224 of 256.
    const auto check = [](int64_t n_ff, const Encoding& encoding) {
        CAPTURE(n_ff);
        CAPTURE(std::string(encoding.name));
        for (const std::string& level : test::runnable_levels()) {
            CAPTURE(level);
            const auto tweak = [&](bitnet_model_params& p) {
                p.tl_tiling = encoding.tiling;
                p.kernel = level.c_str();
            };
            const test::Logits expected = logits_of(narrowed_model(kI2s, n_ff, false), tweak);
            REQUIRE(std::isfinite(expected[0]));
            CHECK(test::same_bits(logits_of(narrowed_model(encoding, n_ff, true), tweak), expected));
        }
        const test::TempDir folder;
        const std::string path = folder.write("model.gguf", narrowed_model(encoding, n_ff, true));
        bitnet_model_params params = test::model_params(tiled(encoding.tiling));
        bitnet_memory_estimate planned = {}, held = {};
        planned.struct_size = held.struct_size = sizeof planned;
        test::must(bitnet_model_estimate_memory_from_path(path.c_str(), &params, nullptr, &planned));
        const test::ModelHandle model = test::load_model(path, tiled(encoding.tiling));
        test::must(bitnet_model_estimate_memory(model.get(), nullptr, &held));
        CHECK(planned.weights_owned_bytes == held.weights_owned_bytes);
        CHECK(planned.total_bytes == held.total_bytes);

        bitnet_convert_params convert = bitnet_convert_default_params();
        convert.type = "iq2_bn";
        convert.tl_tiling = encoding.tiling;
        const std::string out = folder.file("out.gguf");
        if (n_ff % 64 != 0) {
            CHECK(bitnet_file_convert(path.c_str(), out.c_str(), &convert, nullptr) == BITNET_E_QUANT_INPUT);
            test::last_error();
            return;
        }
        test::must(bitnet_file_convert(path.c_str(), out.c_str(), &convert, nullptr));
        CHECK(test::same_bits(test::fresh_logits(test::load_model(out), kTokens), test::fresh_logits(model, kTokens)));
        convert.type = "i2_s";
        CHECK(bitnet_file_convert(path.c_str(), out.c_str(), &convert, nullptr) == BITNET_E_QUANT_INPUT);
        CHECK(has(test::last_error(), "iq2_bn"));

        bitnet_validation_params validation = bitnet_validation_default_params();
        validation.tl_tiling = encoding.tiling;
        bitnet_validation_report* report = nullptr;
        test::must(bitnet_model_validate_file(path.c_str(), &validation, &report));
        bitnet_validation_info info = {};
        info.struct_size = sizeof info;
        test::must(bitnet_validation_report_get_info(report, &info));
        bitnet_validation_report_free(report);
        CHECK(info.is_valid == 1);
        const test::ModelEdit file = test::ModelEdit::open(path);
        uint64_t n_ternary = 0;
        for (const test::EditTensor& tensor : file.tensors)
            n_ternary += tensor.type == encoding.id ? tensor.n_elements() : 0;
        CHECK(info.n_ternary_values == n_ternary);
    };
    for (const Encoding& encoding : {kI2s, kTl1, kIq1Bn, kIq2Bn, kIq2BnR4}) check(192, encoding);
    check(224, kI2s);
    // In the order of ARM builds a block would end in another row.
    CHECK(has(refusal(narrowed_model(kI2s, 192, true), BITNET_E_UNSUPPORTED,
                      [](bitnet_model_params& p) { p.i2s_order = BITNET_I2S_ORDER_ARM; }),
              "rows of 192 weights"));
}

TEST_CASE("rows with scales of their own count one by one, and rows of scale 0 are zero") {
    const auto file_of = [](const Encoding& encoding) {
        test::ModelEdit file = test::ModelEdit::open(test::golden_model("b158-tq2"));
        for (test::EditTensor& tensor : file.tensors) {
            if (!is_ternary(tensor)) continue;
            test::TernaryMatrix w = weights_of(tensor, 1.0f);
            for (size_t m = 0; m < w.scales.size(); ++m) {
                w.scales[m] = m % 9 == 4 ? 0.0f : std::ldexp(1.0f, -3 - static_cast<int>(m % 3));
                if (w.scales[m] != 0.0f || encoding.id == 135) continue;
                for (int64_t i = 0; i < w.k; ++i) w.weights[m * static_cast<size_t>(w.k) + static_cast<size_t>(i)] = 0;
            }
            tensor.data = encoding.bytes(w);
            tensor.type = encoding.id;
        }
        return file.bytes();
    };
    const test::Logits expected = logits_of(file_of(kTq2));  // its blocks of 256 are these rows
    CHECK(!test::same_bits(expected, logits_of(encoded_model("b158-tq2", kTq2, 0.125f))));
    for (const Encoding& encoding : {kIq1Bn, kIq2Bn, kIq2BnR4}) {
        CAPTURE(std::string(encoding.name));
        const std::vector<uint8_t> file = file_of(encoding);  // used in place
        const test::ModelHandle model = test::load_model(file);
        CHECK(test::same_bits(test::fresh_logits(model, kTokens), expected));
        // One token takes another path through the kernels than five.
        const test::ContextHandle context = test::make_context(model);
        for (const bitnet_token token : kTokens) test::decode(context, {token});
        CHECK(test::same_bits(test::copy_logits(context, model), expected));
    }
}

TEST_CASE("block types that hold the same floats give the same bits of logits") {
    test::ModelEdit original = test::ModelEdit::open(test::golden_model("b158-tq2"));
    const auto file_of = [&](uint32_t id,
                             const std::function<std::vector<uint8_t>(const test::TernaryMatrix&)>& bytes) {
        test::ModelEdit file = original;
        for (test::EditTensor& tensor : file.tensors) {
            if (!is_ternary(tensor)) continue;
            tensor.data = bytes(weights_of(tensor, 0.0625f));
            tensor.type = id;
        }
        return file.bytes();
    };
    const auto blocks = [](size_t length, size_t block_bytes, size_t head) {
        return [=](const test::TernaryMatrix& w) {
            std::vector<uint8_t> out(w.weights.size() / length * block_bytes);
            for (size_t i = 0; i < w.weights.size(); ++i) {
                const size_t block = i / length * block_bytes, e = i % length;
                test::put_at(out, static_cast<int64_t>(block), test::exact_half(0.0625f));
                const int code = w.weights[i] + 1;
                if (head == 4) {  // q4_1: code * d + m
                    test::put_at(out, static_cast<int64_t>(block + 2), test::exact_half(-0.0625f));
                    test::or_bits(out, static_cast<int64_t>(block + 4 + e % 16), code, e < 16 ? 0 : 4);
                } else {
                    test::or_bits(out, static_cast<int64_t>(block + 2 + e / 4), code, static_cast<int>(e % 4 * 2));
                }
            }
            return out;
        };
    };
    const test::Logits expected = logits_of(file_of(0, [](const test::TernaryMatrix& w) {
        std::vector<uint8_t> out(w.weights.size() * 4);
        for (size_t i = 0; i < w.weights.size(); ++i)
            test::put_at(out, static_cast<int64_t>(4 * i), 0.0625f * static_cast<float>(w.weights[i]));
        return out;
    }));
    CHECK(test::same_bits(logits_of(file_of(3, blocks(32, 20, 4))), expected));
    CHECK(test::same_bits(logits_of(file_of(42, blocks(64, 18, 2))), expected));
    CHECK(test::same_bits(logits_of(file_of(42, blocks(128, 34, 2))), expected));  // told apart by their bytes
}

TEST_CASE("an estimate from the header says what repacked weights will take") {
    for (const Encoding& encoding : {kTl1, kTl2, kIq1Bn, kIq2Bn, kIq2BnR4}) {
        CAPTURE(std::string(encoding.name));
        const test::TempDir folder;
        const std::string path = folder.write("model.gguf", encoded_model("b158-tq2", encoding, 0.5f));
        for (const int32_t use_mmap : {0, 1}) {
            const bitnet_model_params params = test::model_params([&](bitnet_model_params& p) {
                p.tl_tiling = encoding.tiling;
                p.use_mmap = use_mmap;
            });
            bitnet_memory_estimate planned = {}, held = {};
            planned.struct_size = held.struct_size = sizeof planned;
            test::must(bitnet_model_estimate_memory_from_path(path.c_str(), &params, nullptr, &planned));
            bitnet_model* model = nullptr;
            test::must(bitnet_model_load(path.c_str(), &params, &model));
            const test::ModelHandle owner(model);
            test::must(bitnet_model_estimate_memory(model, nullptr, &held));
            CHECK(planned.weights_mapped_bytes == held.weights_mapped_bytes);
            CHECK(planned.weights_owned_bytes == held.weights_owned_bytes);
            CHECK(planned.attention_bytes == held.attention_bytes);
            CHECK(planned.total_bytes == held.total_bytes);
        }
    }
}

TEST_CASE("a tiling comes by shape, for all, or from the presets; without one the refusal says what to give") {
    const std::vector<uint8_t> file = encoded_model("b158-i2s", kTl1, 0.0f);
    const std::string message = refusal(file, BITNET_E_GGUF_TENSOR_TYPE);
    CHECK(has(message, "128 rows of 128 weights"));
    CHECK(has(message, "128x128:BM,BK,bm"));
    CHECK(has(message, "tl_tiling"));
    const test::Logits expected = logits_of(file, tiled(kTl1Text));
    CHECK(test::same_bits(logits_of(file, tiled("128x128:32,64,32;64,64,64;64x128:32,64,32;32,64,32")), expected));
    CHECK(!test::same_bits(logits_of(file, tiled("128x128:64,64,64;32,64,32")), expected));
    CHECK(has(refusal(file, BITNET_E_GGUF_TENSOR_TYPE, tiled("preset")), "no preset"));
    for (const char* text : {"32", "32,64", "32,64,32,", "0,64,32", "-1,64,32", "32,64,99999999", "128:32,64,32",
                             "ax1:1,1,1", "presets", "32,64,32;x", " 32,64,32"}) {
        CAPTURE(std::string(text));
        CHECK(has(refusal(file, BITNET_E_CONFIG, tiled(text)), "tl_tiling"));
    }
    CHECK(has(refusal(file, BITNET_E_GGUF_TENSOR_TYPE, tiled("48,64,32")), "multiple of BM"));
    CHECK(has(refusal(file, BITNET_E_GGUF_TENSOR_TYPE, tiled("32,96,32")), "multiple of BK"));
}

TEST_CASE("damaged codes and scales are named with tensor and row") {
    std::vector<uint8_t> file = encoded_model("b158-tq2", kTl2, 0.5f);
    CHECK(has(refusal(file, BITNET_E_GGUF_TENSOR_TYPE, tiled("32,64,32")), "multiple of 24"));
    const auto damaged = [&](const Encoding& encoding, const std::function<void(std::vector<uint8_t>&)>& damage) {
        test::ModelEdit edit(encoded_model("b158-tq2", encoding, 0.5f));
        damage(edit.tensor("blk.1.ffn_up.weight").data);
        return edit.bytes();
    };
    const auto code = [](size_t at) { return [at](std::vector<uint8_t>& data) { data[at] = 0xff; }; };
    const auto scale = [](size_t at, float value) {
        return [at, value](std::vector<uint8_t>& data) { std::memcpy(&data[at], &value, sizeof value); };
    };
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const size_t row = 4 + 64;
    // Lanes hold rows 0..7, 16..23, 8..15, 24..31 of a band; the second band begins there.
    const std::string message =
        refusal(damaged(kTl2, code(32 * 16 * 2 + 9)), BITNET_E_GGUF_TENSOR_DATA, tiled(kTl2Text));
    CHECK(has(message, "'blk.1.ffn_up.weight' row 49"));
    CHECK(has(message, "tile sizes"));
    CHECK(has(refusal(damaged(kIq2Bn, code(row * 7 + 9)), BITNET_E_GGUF_TENSOR_DATA), "'blk.1.ffn_up.weight' row 7"));
    CHECK(has(refusal(damaged(kIq2Bn, scale(row * 3, nan)), BITNET_E_GGUF_TENSOR_DATA), "'blk.1.ffn_up.weight' row 3"));
    CHECK(has(refusal(damaged(kIq1Bn, code((2 + 52) * 5 + 2 + 12)), BITNET_E_GGUF_TENSOR_DATA), "row 5"));
    CHECK(has(refusal(damaged(kIq2BnR4, code(4 * row + 16 + 4 * 2)), BITNET_E_GGUF_TENSOR_DATA), "row 6"));
    CHECK(has(refusal(damaged(kTl1, code(15)), BITNET_E_GGUF_TENSOR_DATA, tiled(kTl1Text)), "row 15"));
    CHECK(
        has(refusal(damaged(kTl1, scale(256 * 64, nan)), BITNET_E_GGUF_TENSOR_DATA, tiled(kTl1Text)), "has the scale"));
    // Also where nobody asked for a look at the weights: repacking sees them all.
    CHECK(test::name_of(test::load_status(damaged(kIq2Bn, code(20)), [](bitnet_model_params& p) {
              p.check_weights = 0;
          })) == "BITNET_E_GGUF_TENSOR_DATA");
    test::last_error();
    for (const Encoding& encoding : {kTl1, kTl2, kIq1Bn, kIq2Bn, kIq2BnR4}) {
        std::vector<uint8_t> whole = encoded_model("b158-tq2", encoding, 0.5f);
        whole.resize(whole.size() - 20000);
        CHECK(test::name_of(test::load_status(whole, tiled(encoding.tiling))) == "BITNET_E_GGUF_TRUNCATED");
        test::last_error();
    }
}

TEST_CASE("validation reads every dialect, counts what is damaged, and says where it cannot look") {
    const test::TempDir folder;
    const auto info_of = [&](const std::vector<uint8_t>& file, const char* tiling, std::string* finding) {
        const std::string path = folder.write("model.gguf", file);
        bitnet_validation_params params = bitnet_validation_default_params();
        params.tl_tiling = tiling;
        bitnet_validation_report* report = nullptr;
        test::must(bitnet_model_validate_file(path.c_str(), &params, &report));
        bitnet_validation_info info = {};
        info.struct_size = sizeof info;
        test::must(bitnet_validation_report_get_info(report, &info));
        finding->clear();
        for (size_t i = 0; i < info.n_findings; ++i) {
            bitnet_validation_finding one = {};
            one.struct_size = sizeof one;
            test::must(bitnet_validation_report_get_finding(report, i, &one));
            *finding += std::string(one.tensor) + ": " + one.message + "\n";
        }
        bitnet_validation_tensor tensor = {};
        tensor.struct_size = sizeof tensor;
        for (size_t i = 0; info.n_errors == 0 && i < info.n_tensors; ++i) {
            test::must(bitnet_validation_report_get_tensor(report, i, &tensor));
            if (std::string(tensor.name) == "blk.0.ffn_up.weight") CHECK(tensor.scale == doctest::Approx(0.25));
        }
        bitnet_validation_report_free(report);
        return info;
    };
    std::string finding;
    for (const Encoding& encoding : {kTl1, kTl2, kIq1Bn, kIq2Bn, kIq2BnR4}) {
        CAPTURE(std::string(encoding.name));
        const bitnet_validation_info info =
            info_of(encoded_model("b158-tq2", encoding, 0.25f), encoding.tiling, &finding);
        CAPTURE(finding);
        CHECK(info.is_valid == 1);
        CHECK(info.n_ternary_values > 0);
    }
    CHECK(info_of(encoded_model("b158-tq2", kTl1, 0.25f), nullptr, &finding).is_valid == 0);
    CHECK(has(finding, "BM,BK,bm"));
    test::ModelEdit edit(encoded_model("b158-tq2", kIq2Bn, 0.25f));
    for (const size_t row : {3u, 9u}) edit.tensor("blk.1.ffn_up.weight").data[row * 68 + 10] = 0xff;
    CHECK(info_of(edit.bytes(), nullptr, &finding).n_errors == 1);
    CHECK(has(finding, "2 of 256 rows hold codes that mean no ternary weight, the first is row 3"));
}

TEST_CASE("files are converted out of every dialect and into it without losing a bit") {
    const test::TempDir folder;
    const test::Logits expected = test::fresh_logits(test::load_model(test::golden_model("b158-i2s")), kTokens);
    const auto convert = [&](const std::string& from, const std::string& to, const char* type, const char* tiling) {
        bitnet_convert_params params = bitnet_convert_default_params();
        params.type = type;
        params.tl_tiling = tiling;
        params.n_threads = 3;
        return bitnet_file_convert(from.c_str(), to.c_str(), &params, nullptr);
    };
    const std::string out = folder.file("out.gguf"), back = folder.file("back.gguf");
    for (const Encoding& encoding : {kTl1, kIq2Bn, kIq2BnR4}) {
        CAPTURE(std::string(encoding.name));
        test::must(convert(test::golden_model("b158-i2s"), out, encoding.name, encoding.tiling));
        // The bytes are those of the closed forms: what this test writes itself is the same model.
        test::ModelEdit written = test::ModelEdit::open(out), own(encoded_model("b158-i2s", encoding, 0.0f));
        for (test::EditTensor& tensor : own.tensors) {
            if (tensor.type != encoding.id) continue;
            std::vector<uint8_t> data = written.tensor(tensor.name).data;
            data.resize(tensor.data.size());
            CHECK(data == tensor.data);
        }
        CHECK(test::same_bits(test::fresh_logits(test::load_model(out, tiled(encoding.tiling)), kTokens), expected));
        test::must(convert(out, back, "I2_S", encoding.tiling));
        CHECK(test::same_bits(test::fresh_logits(test::load_model(back), kTokens), expected));
    }
    // TL2 needs rows of 256; scales of half precision need one that is such.
    const std::string wide = folder.write("wide.gguf", encoded_model("b158-tq2", kI2s, 0.0625f));
    const test::Logits wide_expected = test::fresh_logits(test::load_model(wide), kTokens);
    for (const Encoding& encoding : {kTl2, kIq1Bn}) {
        CAPTURE(std::string(encoding.name));
        test::must(convert(wide, out, encoding.name, encoding.tiling));
        CHECK(
            test::same_bits(test::fresh_logits(test::load_model(out, tiled(encoding.tiling)), kTokens), wide_expected));
        test::must(convert(out, back, "i2_s", encoding.tiling));
        CHECK(test::same_bits(test::fresh_logits(test::load_model(back), kTokens), wide_expected));
    }
    CHECK(convert(test::golden_model("b158-i2s"), out, "tl2", kTl2Text) == BITNET_E_QUANT_INPUT);
    CHECK(has(test::last_error(), "256"));
    CHECK(convert(test::golden_model("b158-i2s"), out, "tl1", nullptr) == BITNET_E_QUANT_INPUT);
    CHECK(has(test::last_error(), "BM,BK,bm"));
    // Rows with scales of their own stay in a type that has them, and are no I2_S.
    test::ModelEdit rows(encoded_model("b158-i2s", kIq2Bn, 0.0f));
    const float other = 3.0f;
    std::memcpy(rows.tensor("blk.0.attn_q.weight").data.data() + 36 * 5, &other, sizeof other);
    const std::string by_rows = folder.write("rows.gguf", rows.bytes());
    test::must(convert(by_rows, out, "iq2_bn_r4", nullptr));
    CHECK(test::same_bits(test::fresh_logits(test::load_model(out), kTokens),
                          test::fresh_logits(test::load_model(by_rows), kTokens)));
    CHECK(convert(by_rows, out, "i2_s", nullptr) == BITNET_E_QUANT_INPUT);
    CHECK(has(test::last_error(), "blk.0.attn_q.weight"));
}
