// One crafted file per way in which a header can lie, and what honest ones give.
#include <doctest/doctest.h>

#include "src/base/error.h"
#include "src/safetensors/safetensors_file.h"
#include "tests/src/gguf/gguf_test_helpers.h"
#include "tests/support/safetensors_bytes.h"

using namespace bitnet;
using test::contains;
using test::error_of;
using test::safetensors_bytes;

namespace {

SafetensorsFile parse(const std::vector<uint8_t>& bytes, const SafetensorsLimits& limits = {}) {
    return SafetensorsFile::read(open_memory_source(bytes.data(), bytes.size()), limits);
}

std::vector<uint8_t> zeros(size_t n) { return std::vector<uint8_t>(n); }

std::vector<uint8_t> text(std::string_view bytes) { return {bytes.begin(), bytes.end()}; }

// A tensor of one dimension of U8, as an entry of a header.
std::string entry(const std::string& name, uint64_t begin, uint64_t end) {
    return "\"" + name + R"(":{"dtype":"U8","shape":[)" + std::to_string(end - begin) + R"(],"data_offsets":[)" +
           std::to_string(begin) + "," + std::to_string(end) + "]}";
}

struct BadFile {
    const char* what;
    std::vector<uint8_t> bytes;
    bitnet_status status;
    const char* words;
};

const std::vector<BadFile>& bad_files() {
    const auto header = [](const std::string& json, size_t n = 0) { return safetensors_bytes(json, zeros(n)); };
    static const std::vector<BadFile> files = {
        {"shorter than its length field", text("abc"), BITNET_E_GGUF_TRUNCATED, "the length of its header"},
        {"ends inside the header", safetensors_bytes("{}", {}, 3), BITNET_E_GGUF_TRUNCATED, "inside its header of 3"},
        {"a header above the cap", safetensors_bytes("{}", {}, 100'000'001), BITNET_E_SECURITY_INPUT, "100000001"},
        {"a length of all ones", safetensors_bytes("{}", {}, UINT64_MAX - 1), BITNET_E_SECURITY_INPUT, "limit"},
        {"no header", safetensors_bytes("", zeros(4)), BITNET_E_GGUF_METADATA, "does not begin with '{'"},
        {"white space first", header(" {}"), BITNET_E_GGUF_METADATA, "does not begin with '{'"},
        {"a list", header("[]"), BITNET_E_GGUF_METADATA, "does not begin with '{'"},
        {"LFS pointer", text("version https://git-lfs.github.com/spec/v1\n"), BITNET_E_GGUF_METADATA, "git lfs pull"},
        {"PyTorch", text("PK\3\4 archive"), BITNET_E_GGUF_METADATA, "PyTorch"},
        {"GGUF", text(std::string_view("GGUF\3\0\0\0", 8)), BITNET_E_GGUF_METADATA, "GGUF file already"},
        {"web page", text("<!DOCTYPE html>"), BITNET_E_GGUF_METADATA, "web page"},
        {"no JSON", header("{\"a\":"), BITNET_E_GGUF_METADATA, "not valid JSON"},
        {"more after the object", header("{}{}"), BITNET_E_GGUF_METADATA, "not valid JSON"},
        {"invalid UTF-8", header("{\"\xff\":1}"), BITNET_E_GGUF_METADATA, "not valid JSON"},
        {"a million brackets", header("{" + std::string(1'000'000, '[')), BITNET_E_GGUF_METADATA, "not valid JSON"},
        {"brackets in an entry", header(R"({"a":{"shape":)" + std::string(1'000'000, '[')), BITNET_E_GGUF_METADATA,
         "'a' in the header has a list where none belongs"},
        {"an entry that is a number", header(R"({"a":1})"), BITNET_E_GGUF_METADATA, "a number"},
        {"an entry that is null", header(R"({"a":null})"), BITNET_E_GGUF_METADATA, "null"},
        {"an object in an entry", header(R"({"a":{"dtype":{}}})"), BITNET_E_GGUF_METADATA, "an object"},
        {"a number for a type", header(R"({"a":{"dtype":3}})"), BITNET_E_GGUF_METADATA, "a number"},
        {"an unknown type", header(R"({"a":{"dtype":"F4","shape":[],"data_offsets":[0,1]}})", 1),
         BITNET_E_GGUF_TENSOR_TYPE, "'F4'"},
        {"an unknown key", header(R"({"a":{"dtype":"U8","strides":[1]}})"), BITNET_E_GGUF_METADATA, "'strides'"},
        {"no type", header(R"({"a":{"shape":[1],"data_offsets":[0,1]}})", 1), BITNET_E_GGUF_METADATA, "lacks dtype"},
        {"no extent", header(R"({"a":{"dtype":"U8","shape":[1]}})", 1), BITNET_E_GGUF_METADATA, "lacks dtype"},
        {"one offset", header(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}})", 1), BITNET_E_GGUF_METADATA,
         "no extent"},
        {"three offsets", header(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}})", 1),
         BITNET_E_GGUF_METADATA, "more than two"},
        {"an end before its begin", header(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}})", 1),
         BITNET_E_GGUF_METADATA, "no extent"},
        {"a negative offset", header(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[-1,0]}})", 1),
         BITNET_E_GGUF_METADATA, "negative"},
        {"a negative dimension", header(R"({"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}})", 1),
         BITNET_E_GGUF_METADATA, "negative"},
        {"half a dimension", header(R"({"a":{"dtype":"U8","shape":[0.5],"data_offsets":[0,1]}})", 1),
         BITNET_E_GGUF_METADATA, "not whole"},
        {"a dimension beyond 64 bits",
         header(R"({"a":{"dtype":"U8","shape":[99999999999999999999],"data_offsets":[0,1]}})", 1),
         BITNET_E_GGUF_METADATA, "not whole"},
        {"nine dimensions", header(R"({"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}})", 1),
         BITNET_E_GGUF_METADATA, "more than 8"},
        {"a shape that overflows",
         header(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})"),
         BITNET_E_GGUF_TENSOR_SHAPE, "does not fit its 0 bytes"},
        {"a shape of other bytes", header(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4),
         BITNET_E_GGUF_TENSOR_SHAPE, "'a' of shape [2] and type F32"},
        {"a tensor twice", header("{" + entry("a", 0, 1) + "," + entry("a", 1, 2) + "}", 2), BITNET_E_GGUF_METADATA,
         "'a' in the header is there twice"},
        {"a field twice", header(R"({"a":{"dtype":"U8","dtype":"U8"}})"), BITNET_E_GGUF_METADATA, "dtype twice"},
        {"metadata twice", header(R"({"__metadata__":{},"__metadata__":{}})"), BITNET_E_GGUF_METADATA,
         "is there twice"},
        {"a metadata key twice", header(R"({"__metadata__":{"k":"1","k":"2"}})"), BITNET_E_GGUF_METADATA,
         "the key 'k' twice"},
        {"metadata of numbers", header(R"({"__metadata__":{"k":1}})"), BITNET_E_GGUF_METADATA, "a number"},
        {"overlapping tensors", header("{" + entry("a", 0, 4) + "," + entry("b", 3, 7) + "}", 7),
         BITNET_E_GGUF_TENSOR_DATA, "'b' begins at byte 3 of the data, where it overlaps another that ends at byte 4"},
        {"the same bytes twice", header("{" + entry("a", 0, 4) + "," + entry("b", 0, 4) + "}", 4),
         BITNET_E_GGUF_TENSOR_DATA, "overlaps"},
        {"a gap", header("{" + entry("a", 0, 4) + "," + entry("b", 5, 7) + "}", 7), BITNET_E_GGUF_TENSOR_DATA,
         "bytes of no tensor"},
        {"a gap at the start", header("{" + entry("a", 1, 4) + "}", 4), BITNET_E_GGUF_TENSOR_DATA,
         "bytes of no tensor"},
        {"truncated data", header("{" + entry("a", 0, 4) + "}", 3), BITNET_E_GGUF_TRUNCATED, "4 bytes, but 3 follow"},
        {"data far beyond the file", header("{" + entry("a", 0, UINT64_MAX) + "}", 3), BITNET_E_GGUF_TRUNCATED,
         "truncated"},
        {"more data than tensors", header("{" + entry("a", 0, 4) + "}", 6), BITNET_E_GGUF_TENSOR_DATA,
         "2 bytes behind the last tensor"},
        {"data without tensors", header("{}", 1), BITNET_E_GGUF_TENSOR_DATA, "1 bytes behind"},
        {"a name of a page", header("{" + entry(std::string(513, 'n'), 0, 1) + "}", 1), BITNET_E_SECURITY_INPUT,
         "513 bytes"},
    };
    return files;
}

}  // namespace

TEST_CASE("every way in which a safetensors header can be wrong is an error that says so") {
    for (const BadFile& file : bad_files()) {
        CAPTURE(file.what);
        const Error error = error_of([&] { parse(file.bytes); });
        CHECK(error.status() == file.status);
        CHECK_MESSAGE(contains(error.message(), file.words), error.message());
        CHECK(error.message().starts_with("memory: "));
    }
}

TEST_CASE("a safetensors file gives its tensors in the order of their bytes, whatever the order of the header") {
    const std::string header =
        R"({"__metadata__":{"format":"pt"},"b":{"data_offsets":[4,8],"shape":[2,1],"dtype":"F16"},)" +
        std::string(R"("a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)") +
        R"("none":{"dtype":"F64","shape":[3,0],"data_offsets":[4,4]}}   )";
    const std::vector<uint8_t> image = safetensors_bytes(header, {0, 0, 128, 63, 1, 2, 3, 4});
    const SafetensorsFile file = parse(image);
    REQUIRE(file.tensors().size() == 3);
    CHECK(file.metadata().at("format") == "pt");
    CHECK(file.tensors()[0].name == "a");
    CHECK(file.tensors()[0].shape.empty());
    CHECK(file.tensors()[1].name == "none");
    const SafetensorsTensor* b = file.find("b");
    REQUIRE(b != nullptr);
    CHECK(b == &file.tensors()[2]);
    CHECK(b->type == SafetensorsType::f16);
    CHECK(b->shape == std::vector<uint64_t>{2, 1});
    uint8_t bytes[2] = {};
    file.read_data(*b, 2, bytes, 2);
    CHECK(bytes[0] == 3);
    float one = 0;
    file.read_data(file.tensors()[0], 0, &one, 4);
    CHECK(one == 1.0f);
    CHECK(file.find("c") == nullptr);
    CHECK(error_of([&] { file.read_data(*b, 3, bytes, 2); }).status() == BITNET_E_INTERNAL);
}

TEST_CASE("a safetensors file cut anywhere is refused, and so is every limit of the caller") {
    const std::vector<uint8_t> whole =
        test::SafetensorsBytes().add_f32("a", {2}, {1, 2}).add("b", "U8", {3}, {1, 2, 3}).bytes();
    CHECK(parse(whole).tensors().size() == 2);
    for (size_t n = 1; n < whole.size(); ++n) {
        const std::vector<uint8_t> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n));
        CAPTURE(n);
        CHECK(error_of([&] { parse(cut); }).status() == BITNET_E_GGUF_TRUNCATED);
    }
    CHECK(error_of([&] { parse(whole, {.max_header_bytes = 10}); }).status() == BITNET_E_SECURITY_INPUT);
    CHECK(error_of([&] { parse(whole, {.max_tensors = 1}); }).status() == BITNET_E_GGUF_TENSOR_COUNT);
    CHECK(error_of([&] { parse(whole, {.max_name_bytes = 0}); }).status() == BITNET_E_SECURITY_INPUT);
    CHECK(error_of([&] { parse(whole, {.max_dims = 0}); }).status() == BITNET_E_GGUF_METADATA);
}
