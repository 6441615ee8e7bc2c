// Files as they stand, and what the nodes of a run compute: through bitnet.h alone, against the golden model's own floats.
#include <doctest/doctest.h>

#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/api_fixture.h"
#include "tests/support/temp_dir.h"

namespace {

struct FileHandle {
    bitnet_file* file = nullptr;
    explicit FileHandle(const std::string& path) { test::must(bitnet_file_open(path.c_str(), &file)); }
    FileHandle(const FileHandle&) = delete;
    FileHandle& operator=(const FileHandle&) = delete;
    ~FileHandle() { bitnet_file_free(file); }

    bitnet_file_tensor tensor(size_t index) const {
        bitnet_file_tensor info = {};
        info.struct_size = sizeof info;
        test::must(bitnet_file_get_tensor(file, index, &info));
        return info;
    }
    size_t find(const std::string& name) const {
        size_t index = 0;
        while (tensor(index).name != name) ++index;
        return index;
    }
};

struct Seen {
    std::vector<std::string> names;
    std::map<std::string, std::vector<float>> values;
    std::map<std::string, int32_t> layers;
};
void note(const bitnet_node_value* value, void* user_data) {
    Seen& seen = *static_cast<Seen*>(user_data);
    seen.names.push_back(value->name);
    seen.layers[value->name] = value->layer;
    seen.values[value->name].assign(value->values, value->values + value->n_rows * value->width);
}

}  // namespace

TEST_CASE("a file tells its version, its keys with whole arrays, and its tensors") {
    const FileHandle file(test::golden_model("b158-i2s"));
    bitnet_file_info info = {};
    info.struct_size = sizeof info;
    test::must(bitnet_file_get_info(file.file, &info));
    CHECK(info.version == 3);
    CHECK(info.alignment == 32);
    CHECK(info.n_tensors == 35);
    CHECK(info.n_parts == 1);
    CHECK(info.n_bytes == test::read_file(test::golden_model("b158-i2s")).size());
    size_t size = 0;
    CHECK(bitnet_file_get_metadata_key(file.file, 0, nullptr, 0, &size) == BITNET_E_BUFFER_TOO_SMALL);
    CHECK(size == std::strlen("general.architecture"));
    CHECK(bitnet_file_get_metadata_key(file.file, info.n_keys, nullptr, 0, &size) == BITNET_E_NOT_FOUND);
    CHECK(bitnet_file_get_metadata(file.file, "tokenizer.ggml.tokens", nullptr, 0, &size) == BITNET_E_BUFFER_TOO_SMALL);
    std::vector<char> text(size + 1);
    test::must(bitnet_file_get_metadata(file.file, "tokenizer.ggml.tokens", text.data(), text.size(), &size));
    CHECK(std::string(text.data()).ends_with("<|eot_id|>\"]"));  // the last of more than 64
    CHECK(bitnet_file_get_metadata(file.file, "no.such.key", nullptr, 0, &size) == BITNET_E_NOT_FOUND);
    const bitnet_file_tensor q = file.tensor(file.find("blk.0.attn_q.weight"));
    CHECK(std::string(q.type) == "i2_s");
    CHECK(q.type_id == 36);
    CHECK(std::string(q.problem).empty());
    CHECK(q.n_bytes == 128 * 128 / 4 + 32);
}

TEST_CASE("rows of a tensor are read as floats, in pieces as whole, and nothing outside of it") {
    const FileHandle file(test::golden_model("b158-i2s"));
    const size_t index = file.find("blk.0.ffn_gate.weight");
    const bitnet_file_tensor tensor = file.tensor(index);
    const size_t width = static_cast<size_t>(tensor.shape[0]), n_rows = static_cast<size_t>(tensor.shape[1]);
    std::vector<float> whole(width * n_rows), row(width);
    size_t n = 0;
    test::must(bitnet_file_read_tensor(file.file, index, 0, tensor.shape[1], whole.data(), whole.size(), &n));
    CHECK(n == whole.size());
    test::must(bitnet_file_read_tensor(file.file, index, 77, 1, row.data(), row.size(), &n));
    CHECK(std::memcmp(row.data(), whole.data() + 77 * width, width * sizeof(float)) == 0);
    // The bytes as the format has them: code 0, 1, 2 from the top bits of byte p, the scale behind all of them.
    const std::vector<uint8_t> bytes = test::read_file(test::golden_model("b158-i2s"));
    float scale = 0;
    std::memcpy(&scale, bytes.data() + tensor.file_offset + tensor.n_bytes - 32, sizeof scale);
    for (size_t i = 0; i < width; ++i) {
        const uint8_t byte = bytes[tensor.file_offset + 77 * width / 4 + i % 32];
        CHECK(row[i] == scale * static_cast<float>(static_cast<int>(byte >> (6 - 2 * (i / 32)) & 3) - 1));
    }
    CHECK(bitnet_file_read_tensor(file.file, index, 0, 2, row.data(), row.size(), &n) == BITNET_E_BUFFER_TOO_SMALL);
    CHECK(n == 2 * width);
    for (const auto& [first, count] :
         {std::pair<int64_t, int64_t>{-1, 1}, {0, -1}, {tensor.shape[1], 1}, {1, INT64_MAX}})
        CHECK(bitnet_file_read_tensor(file.file, index, first, count, row.data(), row.size(), &n) == BITNET_E_ARGUMENT);
    CHECK(bitnet_file_read_tensor(file.file, 35, 0, 1, row.data(), row.size(), &n) == BITNET_E_NOT_FOUND);
    CHECK(bitnet_file_read_tensor(nullptr, 0, 0, 1, row.data(), row.size(), &n) == BITNET_E_ARGUMENT);
}

TEST_CASE("a tensor that cannot be read is listed with its problem, beside others that can") {
    const test::TempDir folder;
    std::vector<uint8_t> bytes = test::read_file(test::golden_model("b158-i2s"));
    bytes.resize(bytes.size() - 100);
    const FileHandle file(folder.write("cut.gguf", bytes));
    size_t n_bad = 0;
    std::vector<float> values(128 * 384);
    for (size_t i = 0; i < 35; ++i) {
        const bitnet_file_tensor tensor = file.tensor(i);
        const bool bad = *tensor.problem != '\0';
        n_bad += bad ? 1 : 0;
        CHECK((tensor.n_bytes == 0) == bad);
        CHECK(bitnet_file_read_tensor(file.file, i, 0, 1, values.data(), values.size(), nullptr) ==
              (bad ? BITNET_E_GGUF_TENSOR_DATA : BITNET_OK));
    }
    CHECK(n_bad == 1);
    bitnet_file* none = nullptr;
    CHECK(bitnet_file_open("/nonexistent.gguf", &none) == BITNET_E_FILE_NOT_FOUND);
    CHECK(bitnet_file_open(folder.write("no.gguf", {'G', 'G', 'U', 'X'}).c_str(), &none) == BITNET_E_GGUF_MAGIC);
    CHECK(none == nullptr);
}

TEST_CASE("the callback sees every node with its values, which change nothing, until it is taken away") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    bitnet_context_params params = bitnet_context_default_params();
    params.n_threads = 2;
    bitnet_context *with = nullptr, *without = nullptr;
    test::must(bitnet_context_create(model.get(), &params, &with));
    test::must(bitnet_context_create(model.get(), &params, &without));
    Seen seen;
    test::must(bitnet_context_set_node_callback(with, note, &seen));
    const std::vector<bitnet_token> tokens = {5, 6, 7};
    test::must(bitnet_context_decode_tokens(with, 0, tokens.data(), tokens.size()));
    test::must(bitnet_context_decode_tokens(without, 0, tokens.data(), tokens.size()));
    const float *logits = nullptr, *expected = nullptr;
    test::must(bitnet_context_get_logits(with, -1, &logits));
    test::must(bitnet_context_get_logits(without, -1, &expected));
    bitnet_model_info info = {};
    info.struct_size = sizeof info;
    test::must(bitnet_model_get_info(model.get(), &info));
    const size_t n_vocab = static_cast<size_t>(info.n_vocab), n_embd = static_cast<size_t>(info.n_embd);
    CHECK(std::memcmp(logits, expected, n_vocab * sizeof(float)) == 0);
    REQUIRE(seen.values["logits"].size() == n_vocab);
    CHECK(std::memcmp(seen.values["logits"].data(), logits, n_vocab * sizeof(float)) == 0);
    CHECK(seen.values["blk.1.attn_q"].size() == 3 * n_embd);
    CHECK(seen.layers["blk.1.attn_q"] == 1);
    CHECK(seen.layers["logits"] == -1);
    CHECK(seen.names.back() == "logits");
    // A residual is what it is the sum of.
    for (size_t i = 0; i < n_embd; ++i)
        CHECK(seen.values["blk.0.attn_residual"][i] ==
              seen.values["embedding"][i] + seen.values["blk.0.attn_output"][i]);
    test::must(bitnet_context_set_node_callback(with, nullptr, nullptr));
    seen = {};
    test::must(bitnet_context_decode_tokens(with, 0, tokens.data(), 1));
    CHECK(seen.names.empty());
    CHECK(bitnet_context_set_node_callback(nullptr, note, &seen) == BITNET_E_ARGUMENT);
    bitnet_context_free(with);
    bitnet_context_free(without);
}
