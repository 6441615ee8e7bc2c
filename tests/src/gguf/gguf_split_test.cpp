// Models in several files: the merged view, and a named error for every way the parts can disagree.
#include "src/gguf/gguf_split.h"

#include <functional>

#include <doctest/doctest.h>

#include "src/gguf/gguf_reader.h"
#include "src/gguf/gguf_writer.h"
#include "tests/src/gguf/gguf_test_helpers.h"
#include "tests/support/temp_dir.h"

using namespace bitnet;
using test::contains;
using test::error_of;

namespace {

const std::vector<float> kNumbers = {1, 2, 3, 4, 5, 6, 7, 8};

struct PartSpec {
    uint16_t number;
    uint16_t count;
    int32_t total;
    std::vector<std::string> tensors;
};

// The n-th tensor of the model holds kNumbers from n on.
std::vector<uint8_t> part_bytes(const PartSpec& spec, size_t first_tensor) {
    GgufWriter writer;
    if (spec.number == 0) {
        writer.add_string("general.architecture", "bitnet-b1.58");
        writer.add_u32("general.file_type", 40);
    }
    writer.add_u16("split.no", spec.number);
    writer.add_u16("split.count", spec.count);
    writer.add_i32("split.tensors.count", spec.total);
    for (size_t i = 0; i < spec.tensors.size(); ++i)
        writer.add_tensor(spec.tensors[i], kern::QuantType::f32, std::vector<int64_t>{2},
                          kNumbers.data() + first_tensor + i);
    return writer.to_bytes();
}

std::string part_name(const std::string& stem, int number, int count) {
    char name[128];
    std::snprintf(name, sizeof name, "%s-%05d-of-%05d.gguf", stem.c_str(), number, count);
    return name;
}

// Three parts; the first has no tensors at all, as gguf-split --no-tensor-first-split writes it.
std::string write_model(const test::TempDir& dir, const std::function<void(std::vector<PartSpec>&)>& change = {}) {
    std::vector<PartSpec> parts = {{0, 3, 3, {}}, {1, 3, 3, {"a", "b"}}, {2, 3, 3, {"c"}}};
    if (change) change(parts);
    size_t first_tensor = 0;
    for (size_t i = 0; i < parts.size(); ++i) {
        dir.write(part_name("model", static_cast<int>(i) + 1, 3), part_bytes(parts[i], first_tensor));
        first_tensor += parts[i].tensors.size();
    }
    return dir.file(part_name("model", 1, 3));
}

}  // namespace

TEST_CASE("the parts of a split model are read as one") {
    const test::TempDir dir;
    const std::string path = write_model(dir);
    for (const bool use_mmap : {true, false}) {
        const auto file = GgufFile::open(path, use_mmap);
        CHECK(file->n_parts() == 3);
        CHECK(file->require_string("general.architecture") == "bitnet-b1.58");
        REQUIRE(file->tensors().size() == 3);
        size_t n = 0;
        for (const char* name : {"a", "b", "c"}) {
            const GgufTensor* tensor = file->find_tensor(name);
            REQUIRE(tensor == &file->tensors()[n]);
            CHECK(tensor->part == (n < 2 ? 1u : 2u));
            float value = 0;
            file->read_data(*tensor, 0, &value, 4);
            CHECK(value == kNumbers[n]);
            CHECK((file->mapped_data(*tensor) != nullptr) == use_mmap);
            ++n;
        }
        CHECK(file->source(2).name() == dir.file(part_name("model", 3, 3)));
    }
}

TEST_CASE("a model split into one part is a whole model") {
    const test::TempDir dir;
    const std::string path = dir.write("any-name.gguf", part_bytes({0, 1, 1, {"a"}}, 0));
    CHECK(GgufFile::open(path, true)->tensors().size() == 1);
}

TEST_CASE("a missing part is named") {
    const test::TempDir dir;
    const std::string path = write_model(dir);
    std::filesystem::remove(dir.file(part_name("model", 2, 3)));
    const Error error = error_of([&] { GgufFile::open(path, true); });
    CHECK(error.status() == BITNET_E_FILE_NOT_FOUND);
    CHECK(contains(error.message(), "part 2 of 3"));
    CHECK(error.subject() == dir.file(part_name("model", 2, 3)));
    CHECK(error.expected() == 3);
}

TEST_CASE("a part that is no file at all keeps its own error") {
    const test::TempDir dir;
    const std::string path = write_model(dir);
    const std::string second = dir.file(part_name("model", 2, 3));
    std::filesystem::remove(second);
    std::filesystem::create_directory(second);
    const Error error = error_of([&] { GgufFile::open(path, true); });
    CHECK(error.status() == BITNET_E_IO);
    CHECK(contains(error.message(), "a directory"));
}

TEST_CASE("a part behind the first is refused with the name of the first") {
    const test::TempDir dir;
    write_model(dir);
    const Error error = error_of([&] { GgufFile::open(dir.file(part_name("model", 2, 3)), true); });
    CHECK(error.status() == BITNET_E_GGUF_METADATA);
    CHECK(contains(error.message(), part_name("model", 1, 3)));
}

TEST_CASE("a renamed part is refused, because its siblings cannot be found") {
    const test::TempDir dir;
    const std::string path = write_model(dir);
    std::filesystem::rename(path, dir.file("model.gguf"));
    const Error error = error_of([&] { GgufFile::open(dir.file("model.gguf"), true); });
    CHECK(error.status() == BITNET_E_GGUF_METADATA);
    CHECK(contains(error.message(), "-00001-of-00003.gguf"));
}

TEST_CASE("parts that disagree are refused") {
    struct Case {
        const char* what;
        std::function<void(std::vector<PartSpec>&)> change;
        bitnet_status status;
        const char* words;
    };
    const std::vector<Case> cases = {
        {"count of another model", [](auto& p) { p[1].count = 4; }, BITNET_E_GGUF_METADATA, "of 4 parts, not of 3"},
        {"parts in the wrong order", [](auto& p) { p[1].number = 2; }, BITNET_E_GGUF_METADATA, "is part 3"},
        {"a whole model between them", [](auto& p) { p[2].count = 1, p[2].number = 0; }, BITNET_E_GGUF_METADATA,
         "of 1 parts"},
        {"a tensor missing", [](auto& p) { p[1].tensors = {"a"}; }, BITNET_E_GGUF_METADATA, "hold 2 tensors, not 3"},
        {"a tensor in two parts", [](auto& p) { p[2].tensors = {"a"}; }, BITNET_E_GGUF_TENSOR_DATA,
         "'a' is there twice"},
        {"number beyond the count", [](auto& p) { p[1].number = 3; }, BITNET_E_GGUF_METADATA, "impossible"},
        {"count of zero", [](auto& p) { p[0].count = 0; }, BITNET_E_GGUF_METADATA, "impossible"},
        {"negative total", [](auto& p) { p[0].total = -1; }, BITNET_E_GGUF_METADATA, "must be a count"},
    };
    for (const Case& row : cases) {
        CAPTURE(row.what);
        const test::TempDir dir;
        const std::string path = write_model(dir, row.change);
        const Error error = error_of([&] { GgufFile::open(path, true); });
        CAPTURE(error.message());
        CHECK(error.status() == row.status);
        CHECK(contains(error.message(), row.words));
    }
}

TEST_CASE("a broken part is reported under its own name") {
    const test::TempDir dir;
    const std::string path = write_model(dir);
    const std::string second = dir.write(part_name("model", 2, 3), {'G', 'G', 'U', 'F', 9, 0, 0, 0});
    const Error error = error_of([&] { GgufFile::open(path, true); });
    CHECK(error.status() == BITNET_E_GGUF_VERSION);
    CHECK(error.message().rfind(second + ": ", 0) == 0);
}

TEST_CASE("limits hold over all parts together") {
    const test::TempDir dir;
    const std::string path = write_model(dir);
    GgufReadOptions options;
    options.limits.max_tensors = 2;
    CHECK(error_of([&] { GgufFile::open(path, true, options); }).status() == BITNET_E_GGUF_TENSOR_COUNT);
    options.limits.max_tensors = 3;
    CHECK(GgufFile::open(path, true, options)->tensors().size() == 3);
    options.limits.allowed_tensors = 2;  // the caller's own limit is told from the reader's
    const Error refused = error_of([&] { GgufFile::open(path, true, options); });
    CHECK(refused.status() == BITNET_E_SECURITY_TENSOR_COUNT);
    CHECK(refused.expected() == 2);
    CHECK(refused.actual() == 3);
    options.limits.allowed_tensors = 3;
    CHECK(GgufFile::open(path, true, options)->tensors().size() == 3);
    options.limits.max_parts = 2;
    CHECK(error_of([&] { GgufFile::open(path, true, options); }).status() == BITNET_E_SECURITY_INPUT);
}

TEST_CASE("a part without its siblings gives at least its metadata") {
    const std::vector<uint8_t> bytes = part_bytes({0, 3, 3, {}}, 0);
    CHECK(contains(error_of([&] { test::parse(bytes); }).message(), "by the path of its first part"));
    GgufReadOptions options;
    options.metadata_only = true;
    CHECK(test::parse(bytes, options)->require_string("general.architecture") == "bitnet-b1.58");
    const test::TempDir dir;
    CHECK(GgufFile::open(dir.write("renamed.gguf", bytes), true, options)->n_parts() == 1);
    const std::vector<uint8_t> later = part_bytes({1, 3, 3, {"a"}}, 0);
    CHECK(error_of([&] { test::parse(later, options); }).status() == BITNET_E_GGUF_METADATA);
    const std::string named = dir.write(part_name("model", 2, 3), later);
    CHECK(contains(error_of([&] { GgufFile::open(named, true, options); }).message(), part_name("model", 1, 3)));
}

TEST_CASE("sibling names keep the folder and the stem") {
    CHECK(sibling_path("/a/b-00001-of-00012.gguf", 0, 12, 11) == "/a/b-00012-of-00012.gguf");
    CHECK_FALSE(sibling_path("/a/b-00002-of-00012.gguf", 0, 12, 1));
    CHECK_FALSE(sibling_path("/a/b.gguf", 0, 12, 1));
    CHECK_FALSE(sibling_path("-00001-of-00012.gguf", 0, 12, 1));
}
