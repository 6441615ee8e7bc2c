// Folders of weights: one file, many files, and indexes that promise what is not there.
#include <doctest/doctest.h>

#include "src/base/error.h"
#include "src/safetensors/safetensors_model.h"
#include "src/safetensors/strict_json.h"
#include "tests/src/gguf/gguf_test_helpers.h"
#include "tests/support/safetensors_bytes.h"
#include "tests/support/temp_dir.h"

using namespace bitnet;
using test::contains;
using test::error_of;
using test::SafetensorsBytes;

namespace {

constexpr char kIndex[] = "model.safetensors.index.json";

void write_text(const test::TempDir& dir, const std::string& name, const std::string& text) {
    dir.write(name, {text.begin(), text.end()});
}

std::string weight_map(const std::string& body) {
    return R"({"metadata":{"total_size":8},"weight_map":{)" + body + "}}";
}

// Tensors a and b, each in a file of its own.
void write_shards(const test::TempDir& dir) {
    dir.write("one.safetensors", SafetensorsBytes().add_f32("a", {1}, {1}).bytes());
    dir.write("two.safetensors", SafetensorsBytes().add_f32("b", {1}, {2}).bytes());
}

Error open_error(const test::TempDir& dir) {
    return error_of([&] { SafetensorsModel::open(dir.path().string()); });
}

}  // namespace

TEST_CASE("the tensors of many files are one table") {
    test::TempDir dir;
    write_shards(dir);
    write_text(dir, kIndex, weight_map(R"("b":"two.safetensors","a":"one.safetensors")"));
    const SafetensorsModel model = SafetensorsModel::open(dir.path().string());
    REQUIRE(model.entries().size() == 2);
    CHECK(model.entries()[0].tensor->name == "a");
    const SafetensorsModel::Entry* b = model.find("b");
    REQUIRE(b != nullptr);
    float value = 0;
    b->file->read_data(*b->tensor, 0, &value, 4);
    CHECK(value == 2.0f);
    CHECK(model.find("c") == nullptr);
}

TEST_CASE("an index that leads out of its folder, to itself or to nothing is refused") {
    test::TempDir dir;
    write_shards(dir);
    struct Row {
        std::string index;
        bitnet_status status;
        const char* words;
    };
    const Row rows[] = {
        {weight_map(R"("a":"/etc/one.safetensors")"), BITNET_E_GGUF_METADATA, "not the name of a .safetensors file"},
        {weight_map(R"("a":"../one.safetensors")"), BITNET_E_GGUF_METADATA, "not the name of a .safetensors file"},
        {weight_map(R"("a":"sub/one.safetensors")"), BITNET_E_GGUF_METADATA, "not the name of a .safetensors file"},
        {weight_map(R"("a":"..\\one.safetensors")"), BITNET_E_GGUF_METADATA, "not the name of a .safetensors file"},
        {weight_map(R"("a":"C:one.safetensors")"), BITNET_E_GGUF_METADATA, "not the name of a .safetensors file"},
        {weight_map(R"("a":"one.safetensors\u0000")"), BITNET_E_GGUF_METADATA, "not the name of a .safetensors file"},
        {weight_map(R"("a":"model.safetensors.index.json")"), BITNET_E_GGUF_METADATA,
         "not the name of a .safetensors file"},
        {weight_map(R"("a":".safetensors")"), BITNET_E_GGUF_METADATA, "not the name of a .safetensors file"},
        {weight_map(R"("a":"three.safetensors")"), BITNET_E_FILE_NOT_FOUND, "three.safetensors"},
        {weight_map(R"("a":1)"), BITNET_E_GGUF_METADATA, "not a text"},
        {weight_map(R"("a":"one.safetensors","a":"two.safetensors")"), BITNET_E_GGUF_METADATA, "'a' is there twice"},
        {weight_map(R"("a":"two.safetensors","b":"two.safetensors")"), BITNET_E_GGUF_MISSING_TENSOR,
         "'a' is not in two"},
        {weight_map(R"("a":"one.safetensors","b":"one.safetensors")"), BITNET_E_GGUF_MISSING_TENSOR,
         "'b' is not in one"},
        {weight_map(R"("c":"one.safetensors")"), BITNET_E_GGUF_METADATA,
         "tensor 'a' in one.safetensors is not placed there"},
        {weight_map(""), BITNET_E_GGUF_METADATA, "no weight_map"},
        {R"({"weight_map":[]})", BITNET_E_GGUF_METADATA, "no weight_map"},
        {"{}", BITNET_E_GGUF_METADATA, "no weight_map"},
        {"[]", BITNET_E_GGUF_METADATA, "not a JSON object"},
        {"{", BITNET_E_GGUF_METADATA, "not valid JSON"},
        {std::string(100'000, '['), BITNET_E_SECURITY_INPUT, "nested more than 64 deep"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.index.substr(0, 200));
        write_text(dir, kIndex, row.index);
        const Error error = open_error(dir);
        CHECK(error.status() == row.status);
        CHECK_MESSAGE(contains(error.message(), row.words), error.message());
    }
}

TEST_CASE("a folder without safetensors says what is missing, and what is there instead") {
    test::TempDir dir;
    CHECK(open_error(dir).status() == BITNET_E_FILE_NOT_FOUND);
    write_text(dir, "pytorch_model.bin", "x");
    const Error error = open_error(dir);
    CHECK(error.status() == BITNET_E_FILE_NOT_FOUND);
    CHECK(contains(error.message(), "save the model as safetensors"));
}

TEST_CASE("a text file above its limit is not read") {
    test::TempDir dir;
    write_text(dir, "t", "12345");
    CHECK(read_text_file(dir.file("t"), 5) == "12345");
    CHECK(error_of([&] { read_text_file(dir.file("t"), 4); }).status() == BITNET_E_SECURITY_INPUT);
}
