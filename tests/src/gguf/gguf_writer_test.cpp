// What the writer writes, the reader reads; the same calls give the same bytes; and on disk there is a whole file or
// none.
#include "src/gguf/gguf_writer.h"

#include <algorithm>
#include <cstring>

#include <doctest/doctest.h>

#include "tests/src/gguf/gguf_test_helpers.h"
#include "tests/support/gguf_bytes.h"
#include "tests/support/temp_dir.h"

#ifndef _WIN32
#include <csignal>

#include <sys/resource.h>
#endif

using namespace bitnet;
using kern::QuantType;
using test::contains;
using test::error_of;

namespace {

using Shape = std::vector<int64_t>;

// Row r of a tensor made by a producer is filled with the byte r + 1.
GgufWriter::RowProducer counting_rows(uint64_t row_bytes) {
    return [row_bytes](int64_t row0, int64_t n, void* dst) {
        for (int64_t i = 0; i < n; ++i)
            std::memset(static_cast<uint8_t*>(dst) + static_cast<uint64_t>(i) * row_bytes,
                        static_cast<int>(row0 + i + 1), static_cast<size_t>(row_bytes));
    };
}

const std::vector<float> kFloats = {0.25f, -1.5f, 3e30f, 0.0f};

GgufWriter full_writer(uint32_t version) {
    GgufWriter w(version);
    w.add_u8("u8", 200);
    w.add_i8("i8", -100);
    w.add_u16("u16", 60000);
    w.add_i16("i16", -30000);
    w.add_u32("u32", 4000000000u);
    w.add_i32("i32", -2000000000);
    w.add_u64("u64", 1ull << 63);
    w.add_i64("i64", -(1ll << 62));
    w.add_f32("f32", 0.1f);
    w.add_f64("f64", 0.1);
    w.add_bool("bool", false);
    w.add_string("string", "text \xc3\xa9");
    w.add_u8_array("a.u8", std::vector<uint8_t>{1, 255});
    w.add_i8_array("a.i8", std::vector<int8_t>{-128, 127});
    w.add_u16_array("a.u16", std::vector<uint16_t>{1, 65535});
    w.add_i16_array("a.i16", std::vector<int16_t>{-32768, 32767});
    w.add_u32_array("a.u32", std::vector<uint32_t>{1, UINT32_MAX});
    w.add_i32_array("a.i32", std::vector<int32_t>{INT32_MIN, INT32_MAX});
    w.add_u64_array("a.u64", std::vector<uint64_t>{1, UINT64_MAX});
    w.add_i64_array("a.i64", std::vector<int64_t>{INT64_MIN, INT64_MAX});
    w.add_f32_array("a.f32", kFloats);
    w.add_f64_array("a.f64", std::vector<double>{1e300, -0.5});
    w.add_bool_array("a.bool", {true, false, true});
    const std::vector<std::string_view> views = {"", "a", "bc"};
    w.add_string_array("a.string", std::span<const std::string_view>(views));
    w.add_tensor("f32", QuantType::f32, Shape{2, 2}, kFloats.data());
    w.add_tensor("i2_s", QuantType::i2_s, Shape{128, 3}, counting_rows(32), 0.75f);
    w.add_tensor("cube", QuantType::f16, Shape{4, 2, 3, 1}, counting_rows(8));
    return w;
}

}  // namespace

TEST_CASE("every type of value and tensor comes back as it was written, in versions 2 and 3") {
    for (const uint32_t version : {2u, 3u}) {
        const GgufWriter writer = full_writer(version);
        const std::vector<uint8_t> bytes = writer.to_bytes();
        REQUIRE(bytes.size() == writer.file_size());
        const auto file = test::parse(bytes);
        CHECK(file->version() == version);
        CHECK(file->data_start() == writer.data_start());
        REQUIRE(file->n_keys() == 24);
        CHECK(file->require_uint("u8") == 200);
        CHECK(file->require_int("i8") == -100);
        CHECK(file->require_uint("u16") == 60000);
        CHECK(file->require_int("i16") == -30000);
        CHECK(file->require_uint("u32") == 4000000000u);
        CHECK(file->require_int("i32") == -2000000000);
        CHECK(file->require_uint("u64") == 1ull << 63);
        CHECK(file->require_int("i64") == -(1ll << 62));
        CHECK(file->require_float("f32") == double{0.1f});
        CHECK(file->require_float("f64") == 0.1);
        CHECK(file->require_bool("bool") == false);
        CHECK(file->require_string("string") == "text \xc3\xa9");
        CHECK(file->find("a.u8")->to_text(9) == "[1, 255]");
        CHECK(file->find("a.i8")->to_text(9) == "[-128, 127]");
        CHECK(file->find("a.u16")->to_text(9) == "[1, 65535]");
        CHECK(file->find("a.i16")->to_text(9) == "[-32768, 32767]");
        CHECK(file->find("a.u32")->to_text(9) == "[1, 4294967295]");
        CHECK(file->find("a.i32")->to_text(9) == "[-2147483648, 2147483647]");
        CHECK(file->find("a.u64")->to_text(9) == "[1, 18446744073709551615]");
        CHECK(file->find("a.i64")->to_text(9) == "[-9223372036854775808, 9223372036854775807]");
        CHECK(file->find("a.f32")->as_float(2) == double{3e30f});
        CHECK(file->find("a.f64")->as_float(0) == 1e300);
        CHECK(file->find("a.bool")->to_text(9) == "[true, false, true]");
        CHECK(file->find("a.string")->to_text(9) == "[\"\", \"a\", \"bc\"]");

        REQUIRE(file->tensors().size() == 3);
        const GgufTensor& plain = file->tensors()[0];
        CHECK(std::memcmp(file->mapped_data(plain), kFloats.data(), 16) == 0);
        const GgufTensor& ternary = file->tensors()[1];
        CHECK(ternary.type == QuantType::i2_s);
        CHECK(ternary.file_type_id == 36);
        CHECK(ternary.n_bytes == 3 * 32 + 32);
        const uint8_t* data = file->mapped_data(ternary);
        CHECK(data[0] == 1);
        CHECK(data[95] == 3);
        float scale = 0;
        std::memcpy(&scale, data + 96, 4);
        CHECK(scale == 0.75f);
        CHECK(std::all_of(data + 100, data + 128, [](uint8_t b) { return b == 0; }));
        const GgufTensor& cube = file->tensors()[2];
        CHECK(cube.n_dims == 4);
        CHECK(cube.n_rows() == 6);
        CHECK(file->mapped_data(cube)[47] == 6);
    }
}

TEST_CASE("the same calls give the same bytes, and head() is their beginning") {
    const std::vector<uint8_t> bytes = full_writer(3).to_bytes();
    CHECK(full_writer(3).to_bytes() == bytes);
    const std::vector<uint8_t> head = full_writer(3).head();
    REQUIRE(head.size() == full_writer(3).data_start());
    CHECK(std::equal(head.begin(), head.end(), bytes.begin()));
}

TEST_CASE("a file copied value by value through add_value is the same file") {
    for (const uint32_t version : {1u, 3u}) {
        const std::vector<uint8_t> bytes = test::small_gguf(version);
        const auto file = test::parse(bytes);
        GgufWriter writer;
        for (size_t i = 0; i < file->n_keys(); ++i) writer.add_value(file->key_at(i), file->value_at(i));
        for (const GgufTensor& tensor : file->tensors())
            writer.add_tensor(tensor.name, tensor.type, std::span<const int64_t>(tensor.ne, tensor.n_dims),
                              file->mapped_data(tensor));
        CHECK(writer.to_bytes() == test::small_gguf(3));  // version 1 is written as version 3
    }
}

TEST_CASE("the alignment places the data, however it was given") {
    GgufWriter a, b;
    a.set_alignment(4096);
    b.add_u32("general.alignment", 4096);
    for (GgufWriter* w : {&a, &b}) {
        w->add_tensor("x", QuantType::f32, Shape{1}, kFloats.data());
        w->add_tensor("y", QuantType::f32, Shape{1}, kFloats.data() + 1);
    }
    const std::vector<uint8_t> bytes = a.to_bytes();
    CHECK(bytes == b.to_bytes());
    const auto file = test::parse(bytes);
    CHECK(file->alignment() == 4096);
    CHECK(file->data_start() == 4096);
    CHECK(file->find_tensor("y")->offset == 8192);
    CHECK(bytes.size() == 3 * 4096);
    GgufWriter copy;
    copy.add_value("general.alignment", *file->find("general.alignment"));
    copy.add_tensor("x", QuantType::f32, Shape{1}, kFloats.data());
    CHECK(copy.data_start() == 4096);
}

TEST_CASE("an alignment of the wrong type is not copied from another file") {
    GgufWriter source;
    source.add_u64("wide", 64);
    source.add_u32_array("array", std::vector<uint32_t>{64});
    const std::vector<uint8_t> bytes = source.to_bytes();
    const auto file = test::parse(bytes);
    GgufWriter w;
    for (const char* key : {"wide", "array"})
        CHECK(error_of([&] { w.add_value("general.alignment", *file->find(key)); }).status() == BITNET_E_ARGUMENT);
    CHECK_FALSE(w.has_key("general.alignment"));
}

TEST_CASE("misuse of the writer is refused at the call") {
    GgufWriter w;
    w.add_u32("a", 1);
    w.add_tensor("t", QuantType::f32, Shape{1}, kFloats.data());
    CHECK(w.has_key("a"));
    CHECK_FALSE(w.has_key("b"));
    const auto refused = [](auto&& call) { return error_of(call).status() == BITNET_E_ARGUMENT; };
    CHECK(refused([] { GgufWriter v(1); }));
    CHECK(refused([&] { w.add_u32("a", 2); }));
    CHECK(refused([&] { w.add_u32("", 2); }));
    CHECK(refused([&] { w.add_u32("line\nbreak", 2); }));
    CHECK(refused([&] { w.add_u32("del\x7f", 2); }));
    CHECK(refused([&] { w.add_u32(std::string(65536, 'k'), 2); }));
    CHECK(refused([&] { w.add_u64("general.alignment", 32); }));
    CHECK(refused([&] { w.add_u32("general.alignment", 32); }));  // after the first tensor
    CHECK(refused([] { GgufWriter().set_alignment(48); }));
    CHECK(refused([&] { w.add_tensor("t", QuantType::f32, Shape{1}, kFloats.data()); }));
    CHECK(refused([&] { w.add_tensor(std::string(64, 'n'), QuantType::f32, Shape{1}, kFloats.data()); }));
    CHECK(refused([&] { w.add_tensor("u", QuantType::f32, Shape{}, kFloats.data()); }));
    CHECK(refused([&] { w.add_tensor("u", QuantType::f32, Shape{1, 1, 1, 1, 1}, kFloats.data()); }));
    CHECK(refused([&] { w.add_tensor("u", QuantType::f32, Shape{0}, kFloats.data()); }));
    CHECK(refused([&] { w.add_tensor("u", QuantType::f32, Shape{-1}, kFloats.data()); }));
    CHECK(refused([&] { w.add_tensor("u", QuantType::f32, Shape{INT64_MAX, 2}, kFloats.data()); }));
    CHECK(refused([&] { w.add_tensor("u", QuantType::f32, Shape{int64_t{1} << 62, 2}, kFloats.data()); }));
    CHECK(refused([&] { w.add_tensor("u", QuantType::f32, Shape{INT64_MAX}, kFloats.data()); }));
    CHECK(refused([&] { w.add_tensor("u", QuantType::i2_s, Shape{100}, kFloats.data()); }));
    CHECK(refused([&] { w.add_tensor("u", QuantType::f32, Shape{1}, nullptr); }));
    CHECK(refused([&] { w.add_tensor("u", QuantType::f32, Shape{1}, GgufWriter::RowProducer()); }));
    GgufWriter huge;
    for (const char* name : {"a", "b", "c"})
        huge.add_tensor(name, QuantType::f32, Shape{int64_t{1} << 60}, kFloats.data());
    CHECK(refused([&] { huge.add_tensor("d", QuantType::f32, Shape{int64_t{1} << 60}, kFloats.data()); }));
    GgufWriter padded;
    padded.set_alignment(1u << 31);
    CHECK(refused([&] { padded.add_tensor("a", QuantType::f32, Shape{(int64_t{1} << 62) - 1}, kFloats.data()); }));
    const auto file_bytes = w.to_bytes();  // and none of it left a trace
    CHECK(test::parse(file_bytes)->n_keys() == 1);
    CHECK(test::parse(file_bytes)->tensors().size() == 1);
}

TEST_CASE("a written file equals the one in memory, replaces the old one and leaves nothing beside it") {
    const test::TempDir dir;
    const std::string path = dir.write("model.gguf", {1, 2, 3});
    uint64_t last = 0, total = 0;
    full_writer(3).write(path, [&](uint64_t done, uint64_t all) {
        CHECK(done > last);
        last = done;
        total = all;
        return true;
    });
    CHECK(test::read_file(path) == full_writer(3).to_bytes());
    CHECK(last == total);
    CHECK(total == full_writer(3).file_size());
    CHECK(dir.n_files() == 1);
}

TEST_CASE("large tensors are produced in blocks of whole rows, each row once") {
    constexpr int64_t kRows = 5000, kK = 1024;
    int64_t next = 0, n_calls = 0;
    GgufWriter writer;
    writer.add_tensor("big", QuantType::f32, Shape{kK, kRows}, [&](int64_t row0, int64_t n, void* dst) {
        CHECK(row0 == next);
        CHECK(n * kK * 4 <= 4 << 20);
        next += n;
        ++n_calls;
        for (int64_t i = 0; i < n * kK; ++i) static_cast<float*>(dst)[i] = static_cast<float>(row0 * kK + i);
    });
    const test::TempDir dir;
    int n_progress = 0;
    writer.write(dir.file("big.gguf"), [&](uint64_t, uint64_t) { return ++n_progress > 0; });
    CHECK(next == kRows);
    CHECK(n_calls == 5);
    CHECK(n_progress == 6);
    const auto file = GgufFile::open(dir.file("big.gguf"), true);
    float value = 0;
    file->read_data(file->tensors()[0], (kRows * kK - 1) * 4, &value, 4);
    CHECK(value == static_cast<float>(kRows * kK - 1));
}

TEST_CASE("a cancelled, failed or impossible write leaves the old file and nothing else") {
    const test::TempDir dir;
    const std::string path = dir.write("model.gguf", {1, 2, 3});
    const Error cancelled = error_of([&] { full_writer(3).write(path, [](uint64_t, uint64_t) { return false; }); });
    CHECK(cancelled.status() == BITNET_E_CANCELLED);
    GgufWriter failing;
    failing.add_tensor("t", QuantType::f32, Shape{1},
                       [](int64_t, int64_t, void*) { throw Error(BITNET_E_LIMIT, "stop"); });
    CHECK(error_of([&] { failing.write(path); }).status() == BITNET_E_LIMIT);
    CHECK(test::read_file(path) == std::vector<uint8_t>{1, 2, 3});
    CHECK(dir.n_files() == 1);

    CHECK(error_of([&] { full_writer(3).write(dir.file("absent/model.gguf")); }).status() == BITNET_E_IO);
    std::filesystem::create_directory(dir.file("folder"));
    const Error onto_folder = error_of([&] { full_writer(3).write(dir.file("folder")); });
    CHECK(onto_folder.status() == BITNET_E_IO);
    CHECK(contains(onto_folder.message(), "renaming"));
    CHECK(dir.n_files() == 2);
}

#ifndef _WIN32
TEST_CASE("a disk that takes no more is an I/O error that leaves nothing behind") {
    // The limit on file sizes stands for a full disk: write() fails in the same way.
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
    rlimit small = before;
    small.rlim_cur = 64 << 10;
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
    const test::TempDir dir;
    GgufWriter writer;
    writer.add_tensor("t", QuantType::f32, Shape{1024, 100}, counting_rows(4096));
    Error error(BITNET_OK, "");
    try {
        writer.write(dir.file("model.gguf"));
    } catch (const Error& thrown) {
        error = thrown;
    }
    ::setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, old_handler);
    CHECK(error.status() == BITNET_E_IO);
    CHECK(contains(error.message(), "writing it failed"));
    CHECK(dir.n_files() == 0);
}
#endif
