// What a model tells about itself: its numbers, the metadata of its file as text, its tensors - and a model in several
// files, which tells and computes the same.
#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <vector>

#include "tests/support/api_fixture.h"
#include "tests/support/model_edit.h"

namespace {

// The text of a metadata value by the two-call way, every step of it checked.
std::string metadata(const test::ModelHandle& model, const char* key) {
    size_t size = 12345;
    CHECK(bitnet_model_get_metadata(model.get(), key, nullptr, 0, &size) == BITNET_E_BUFFER_TOO_SMALL);
    std::string text(size + 1, '?');
    CHECK(bitnet_model_get_metadata(model.get(), key, text.data(), size, &size) == BITNET_E_BUFFER_TOO_SMALL);
    CHECK(text == std::string(size + 1, '?'));
    test::must(bitnet_model_get_metadata(model.get(), key, text.data(), size + 1, &size));
    CHECK(text[size] == '\0');
    text.resize(size);
    CHECK(std::strlen(text.c_str()) == size);
    return text;
}

bitnet_tensor_info tensor_at(const test::ModelHandle& model, size_t index) {
    bitnet_tensor_info info = {};
    info.struct_size = sizeof info;
    test::must(bitnet_model_get_tensor(model.get(), index, &info));
    return info;
}

// The model cut into files of at most per_file tensors, named as llama.cpp's splitter does; returns the first one's
// path.
std::string write_split(const test::TempDir& folder, const test::ModelEdit& whole, size_t per_file) {
    const size_t n_files = (whole.tensors.size() + per_file - 1) / per_file;
    const auto name = [&](size_t i) {
        const auto five = [](size_t n) { return std::string(5 - std::to_string(n).size(), '0') + std::to_string(n); };
        return "model-" + five(i + 1) + "-of-" + five(n_files) + ".gguf";
    };
    for (size_t i = 0; i < n_files; ++i) {
        test::ModelEdit part = whole;
        if (i > 0) part.keys.clear();
        part.set<uint16_t>("split.no", 2, static_cast<uint16_t>(i));
        part.set<uint16_t>("split.count", 2, static_cast<uint16_t>(n_files));
        part.set<int32_t>("split.tensors.count", 5, static_cast<int32_t>(whole.tensors.size()));
        const auto begin = whole.tensors.begin() + static_cast<std::ptrdiff_t>(i * per_file);
        part.tensors.assign(begin,
                            i + 1 < n_files ? begin + static_cast<std::ptrdiff_t>(per_file) : whole.tensors.end());
        folder.write(name(i), part.bytes());
    }
    return folder.file(name(0));
}

}  // namespace

TEST_CASE("the numbers of a model are those of its file") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-tq2"));
    const bitnet_model_info info = test::info_of(model);
    CHECK(std::string(info.architecture) == "bitnet-b1.58");
    CHECK(std::string(info.name) == "golden b158-tq2");
    CHECK(std::string(info.quantization) == "tq2_0");
    CHECK(std::string(info.kernel).substr(0, 4) == "tq2_");
    CHECK(info.n_vocab == 267);
    CHECK(info.n_ctx_train == 64);
    CHECK(info.n_embd == 256);
    CHECK(info.n_layer == 2);
    CHECK(info.n_head == 4);
    CHECK(info.n_head_kv == 2);
    CHECK(info.head_dim == 64);
    CHECK(info.n_ff == 256);
    CHECK(info.rope_freq_base == 500000.0f);
    CHECK(info.rms_norm_eps == 1e-5f);
    CHECK(info.n_tensors == 2 + 2 * 11);
    const uint64_t parameters = 267 * 256 + 256 + 2 * (3 * 256 + 256 + 256 * (256 + 128 + 128 + 256 + 3 * 256));
    CHECK(info.n_parameters == parameters);
    CHECK(info.bits_per_weight ==
          doctest::Approx(8.0 * static_cast<double>(info.n_file_bytes) / static_cast<double>(parameters)));
}

TEST_CASE("metadata comes in the file's order, as text, by key or by index") {
    const test::ModelEdit file = test::ModelEdit::open(test::golden_model("bitnet-i2s-silu"));
    const test::ModelHandle model = test::load_model(test::golden_model("bitnet-i2s-silu"));
    REQUIRE(bitnet_model_get_metadata_count(model.get()) == file.keys.size());
    for (size_t i = 0; i < file.keys.size(); ++i) {
        size_t size = 0;
        CHECK(bitnet_model_get_metadata_key(model.get(), i, nullptr, 0, &size) == BITNET_E_BUFFER_TOO_SMALL);
        CHECK(size == file.keys[i].name.size());
        std::string key(size + 1, '?');
        test::must(bitnet_model_get_metadata_key(model.get(), i, key.data(), key.size(), &size));
        CHECK(key.c_str() == file.keys[i].name);
        CHECK(!metadata(model, key.c_str()).empty());
    }
    CHECK(metadata(model, "general.architecture") == "bitnet");
    CHECK(metadata(model, "bitnet.block_count") == "2");
    CHECK(metadata(model, "tokenizer.ggml.add_bos_token") == "true");
    CHECK(metadata(model, "bitnet.attention.layer_norm_rms_epsilon") == "0.00001");
    const std::string tokens = metadata(model, "tokenizer.ggml.tokens");
    CHECK(tokens.find("\"<unk>\"") != std::string::npos);
    CHECK(tokens.find("...") != std::string::npos);
    size_t size = 0;
    char buffer[8];
    CHECK(bitnet_model_get_metadata(model.get(), "no.such.key", buffer, sizeof buffer, &size) == BITNET_E_NOT_FOUND);
    CHECK(test::last_error().find("no.such.key") != std::string::npos);
    CHECK(bitnet_model_get_metadata_key(model.get(), file.keys.size(), buffer, sizeof buffer, &size) ==
          BITNET_E_NOT_FOUND);
    CHECK(bitnet_model_get_metadata_key(model.get(), SIZE_MAX, buffer, sizeof buffer, &size) == BITNET_E_NOT_FOUND);
}

TEST_CASE("tensors are listed with shape, type and place") {
    const std::string path = test::golden_model("llama-mix");
    const test::ModelEdit file = test::ModelEdit::open(path);
    const std::vector<uint8_t> bytes = test::read_file(path);
    const test::ModelHandle model = test::load_model(path);
    REQUIRE(bitnet_model_get_tensor_count(model.get()) == file.tensors.size());
    uint64_t sum = 0;
    for (size_t i = 0; i < file.tensors.size(); ++i) {
        const bitnet_tensor_info info = tensor_at(model, i);
        const test::EditTensor& expected = file.tensors[i];
        CAPTURE(expected.name);
        CHECK(info.name == expected.name);
        CHECK(info.n_dims == static_cast<int32_t>(expected.ne.size()));
        for (size_t d = 0; d < 4; ++d)
            CHECK(info.shape[d] == (d < expected.ne.size() ? static_cast<int64_t>(expected.ne[d]) : 1));
        CHECK(info.part == 0);
        CHECK(std::string(info.type) == (expected.type == 0 ? "f32" : "bf16"));
        CHECK(info.n_bytes == expected.n_elements() * (expected.type == 0 ? 4 : 2));
        CHECK(std::memcmp(bytes.data() + info.file_offset, expected.data.data(), info.n_bytes) == 0);
        sum += info.n_bytes;
    }
    CHECK(sum == test::info_of(model).n_file_bytes);
    bitnet_tensor_info info = {};
    info.struct_size = sizeof info;
    CHECK(bitnet_model_get_tensor(model.get(), file.tensors.size(), &info) == BITNET_E_NOT_FOUND);
    CHECK(bitnet_model_get_tensor(model.get(), 0, nullptr) == BITNET_E_ARGUMENT);
    CHECK(bitnet_model_get_tensor(nullptr, 0, &info) == BITNET_E_ARGUMENT);
    CHECK(bitnet_model_get_tensor_count(nullptr) == 0);
}

TEST_CASE("a model without a tokenizer that can run says why") {
    test::ModelEdit file = test::ModelEdit::open(test::golden_model("b158-i2s"));
    file.set_string("tokenizer.ggml.model", "t5");
    const std::vector<uint8_t> bytes = file.bytes();
    const test::ModelHandle model = test::load_model(bytes);
    CHECK(bitnet_model_get_tokenizer(model.get()) == nullptr);
    CHECK(test::last_error().find("t5") != std::string::npos);
    CHECK(test::fresh_logits(model, {1, 2}) ==
          test::fresh_logits(test::load_model(test::golden_model("b158-i2s")), {1, 2}));
}

TEST_CASE("a model in several files gives the same bits, mapped or read, and misses none of its parts silently") {
    for (const char* name : {"b158-i2s", "llama-f16"}) {
        const test::ModelEdit whole = test::ModelEdit::open(test::golden_model(name));
        const test::Logits expected = test::fresh_logits(test::load_model(test::golden_model(name)), {1, 2, 3});
        for (const size_t per_file : {whole.tensors.size(), size_t{10}, size_t{4}}) {
            CAPTURE(per_file);
            const test::TempDir folder;
            const std::string path = write_split(folder, whole, per_file);
            const size_t n_files = folder.n_files();
            for (const int32_t use_mmap : {0, 1}) {
                const test::ModelHandle model =
                    test::load_model(path, [&](bitnet_model_params& p) { p.use_mmap = use_mmap; });
                CHECK(test::same_bits(test::fresh_logits(model, {1, 2, 3}), expected));
                CHECK(bitnet_model_get_tensor_count(model.get()) == whole.tensors.size());
                CHECK(tensor_at(model, whole.tensors.size() - 1).part == static_cast<int32_t>(n_files) - 1);
            }
            if (n_files == 1) continue;
            bitnet_model* model = nullptr;
            const std::vector<uint8_t> first = test::read_file(path);  // alone its siblings cannot be found
            CHECK(bitnet_model_load_from_memory(first.data(), first.size(), nullptr, &model) == BITNET_E_GGUF_METADATA);
            test::last_error();
            std::filesystem::remove(
                std::filesystem::path(path).replace_filename("model-00002-of-" + path.substr(path.size() - 10)));
            CHECK(folder.n_files() == n_files - 1);
            CHECK(bitnet_model_load(path.c_str(), nullptr, &model) == BITNET_E_FILE_NOT_FOUND);
            CHECK(test::last_error().find("00002") != std::string::npos);
        }
    }
}
