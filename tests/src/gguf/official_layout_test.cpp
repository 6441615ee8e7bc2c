// The official BitNet-b1.58-2B-4T file: a sparse file with its layout must be read with every published offset and
// size.
#include "tests/support/official_layout.h"

#include <chrono>
#include <fstream>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "tests/src/gguf/gguf_test_helpers.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_data.h"

using namespace bitnet;

TEST_CASE("the official 2B-4T layout is read with every tensor where it was published") {
    const test::TempDir dir;
    const test::OfficialLayout layout = test::write_official_layout(dir.path());
    const auto file = GgufFile::open(layout.path.string(), true);
    CHECK(file->version() == 3);
    CHECK(file->n_keys() == 24);
    CHECK(file->require_string("general.architecture") == "bitnet-b1.58");
    CHECK(file->require_uint("general.file_type") == 40);
    CHECK(file->require_float("bitnet-b1.58.rope.freq_base") == 500000.0);
    CHECK(file->get_array("tokenizer.ggml.tokens", GgufType::string)->size() == 128256);
    REQUIRE(file->tensors().size() == 332);
    size_t n_of[kern::kQuantTypeCount] = {};
    uint64_t n_bytes = 0;
    for (const GgufTensor& tensor : file->tensors()) {
        ++n_of[static_cast<size_t>(tensor.type)];
        n_bytes += tensor.n_bytes;
    }
    CHECK(n_of[static_cast<size_t>(kern::QuantType::i2_s)] == 210);
    CHECK(n_of[static_cast<size_t>(kern::QuantType::f32)] == 121);
    CHECK(n_of[static_cast<size_t>(kern::QuantType::f16)] == 1);
    CHECK(n_bytes == 1179449920);

    const char* facts = "golden/bitnet2b4t-facts.json";
    if (!test::have_data(facts)) return;
    std::ifstream in(test::data_dir() / facts);
    const nlohmann::json gguf = nlohmann::json::parse(in).at("gguf");
    REQUIRE(gguf.at("tensors").size() == 332);
    size_t i = 0;
    for (const auto& want : gguf.at("tensors")) {
        const GgufTensor& tensor = file->tensors()[i++];
        CAPTURE(tensor.name);
        CHECK(tensor.name == want.at("name").get<std::string>());
        CHECK(tensor.offset - file->data_start() == want.at("offset").get<uint64_t>());
        CHECK(tensor.n_bytes == want.at("size").get<uint64_t>());
        const auto dims = want.at("dims").get<std::vector<int64_t>>();
        CHECK(std::vector<int64_t>(tensor.ne, tensor.ne + tensor.n_dims) == dims);
        const std::string type = want.at("type").get<std::string>();
        const std::string name = kern::quant_type_info(tensor.type).name;
        CHECK((type == "F32" ? "f32" : type == "F16" ? "f16" : "i2_s") == name);
    }
    if (!layout.real_vocabulary) return;
    CHECK(file->data_start() == gguf.at("data_start").get<uint64_t>());
    CHECK(std::filesystem::file_size(layout.path) == 1187801280);
    const GgufValue& merges = *file->get_array("tokenizer.ggml.merges", GgufType::string);
    CHECK(merges.size() == 280147);
    CHECK(merges.as_string(0) == "\xc4\xa0 \xc4\xa0");
    CHECK(file->find("tokenizer.ggml.tokens")->as_string(128009) == "<|eot_id|>");
}

TEST_CASE("a vocabulary of megabytes is read in milliseconds, and its values are where they belong") {
    const test::TempDir dir;
    const std::string path = test::write_official_layout(dir.path()).path.string();
    for (const bool use_mmap : {true, false}) {
        GgufFile::open(path, use_mmap);  // the first reading brings the file into the page cache
        const auto begin = std::chrono::steady_clock::now();
        const auto file = GgufFile::open(path, use_mmap);
        const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - begin;
        MESSAGE(std::string(use_mmap ? "mapped" : "copied"), ": head of ", file->data_start(), " bytes in ",
                time.count(), " ms");
        CHECK(time.count() < 2000);  // generous: sanitizers and busy machines
        CHECK(file->find("tokenizer.ggml.token_type")->as_int(127999) == 1);
        CHECK(file->find("tokenizer.ggml.token_type")->as_int(128000) == 3);
    }
}

TEST_CASE("the bytes that make the sparse model decodable are at the places the reader gives") {
    const test::TempDir dir;
    test::OfficialLayoutOptions options;
    options.weight_scale = 0.5f;
    options.embedding_rows = {7};
    const auto file = GgufFile::open(test::write_official_layout(dir.path(), options).path.string(), true);
    for (const GgufTensor& tensor : file->tensors()) {
        CAPTURE(tensor.name);
        float value = 0;
        if (tensor.type == kern::QuantType::f32) {
            file->read_data(tensor, tensor.n_bytes - 4, &value, 4);
            CHECK(value == 1.0f);
        } else if (tensor.type == kern::QuantType::i2_s) {
            file->read_data(tensor, tensor.n_bytes - 32, &value, 4);
            CHECK(value == 0.5f);
        }
    }
    const GgufTensor* embedding = file->find_tensor("token_embd.weight");
    const uint64_t row_bytes = kern::quant_row_bytes(embedding->type, embedding->ne[0]);
    uint16_t bits[3] = {};
    for (uint64_t row = 6; row < 9; ++row) file->read_data(*embedding, row * row_bytes, &bits[row - 6], 2);
    CHECK(bits[0] == 0);
    CHECK(bits[1] != 0);
    CHECK(bits[2] == 0);
}
