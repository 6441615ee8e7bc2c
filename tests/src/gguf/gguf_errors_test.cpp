// One crafted bad file per way to fail: the status, the numbers and the subject of each, and words a person can act on.
#include <cstring>
#include <functional>

#include <doctest/doctest.h>

#include "src/gguf/gguf_reader.h"
#include "tests/src/gguf/gguf_test_helpers.h"
#include "tests/support/gguf_bytes.h"

using namespace bitnet;
using test::contains;
using test::error_of;
using test::GgufBytes;

namespace {

// Each row: what is wrong, the file, and what the error must say. UINT64_MAX: that number is not compared.
struct BadFile {
    const char* what;
    std::vector<uint8_t> bytes;
    bitnet_status status;
    uint64_t expected;
    uint64_t actual;
    const char* subject;
    const char* words;
};
constexpr uint64_t kAny = UINT64_MAX;

std::vector<uint8_t> text(std::string_view bytes) { return {bytes.begin(), bytes.end()}; }

// A file with one key of the given value type, whose value the caller appends.
GgufBytes with_key(uint32_t type, std::string_view name = "k") {
    return std::move(GgufBytes().counts(0, 1).key(name, type));
}
GgufBytes with_array(uint32_t element, uint64_t count) {
    return std::move(GgufBytes().counts(0, 1).key_array("k", element, count));
}
// A file with one tensor and n bytes of data.
std::vector<uint8_t> with_tensor(const std::vector<uint64_t>& ne, uint32_t type, uint64_t offset, size_t n) {
    return GgufBytes().counts(1, 0).tensor("t", ne, type, offset).pad().zeros(n).bytes();
}

const std::vector<BadFile>& bad_files() {
    static const std::vector<BadFile> files = {
        // InvalidMagic
        {"not GGUF", text("GGUX\3\0\0\0"), BITNET_E_GGUF_MAGIC, 0x46554747, 0x58554747, "memory", "begins with 'GGUX'"},
        {"shorter than the magic", text("ab"), BITNET_E_GGUF_MAGIC, kAny, kAny, "memory", "begins with 'ab'"},
        {"old GGML", text("tjgg\1\0\0\0"), BITNET_E_GGUF_MAGIC, kAny, kAny, "memory", "old GGML"},
        {"PyTorch", text("PK\3\4 archive"), BITNET_E_GGUF_MAGIC, kAny, kAny, "memory", "PyTorch"},
        {"LFS pointer", text("version https://git-lfs.github.com/spec/v1\n"), BITNET_E_GGUF_MAGIC, kAny, kAny, "memory",
         "git lfs pull"},
        {"web page", text("<!DOCTYPE html>"), BITNET_E_GGUF_MAGIC, kAny, kAny, "memory", "web page"},
        {"safetensors", text(std::string_view("\x40\0\0\0\0\0\0\0{\"a\":{", 14)), BITNET_E_GGUF_MAGIC, kAny, kAny,
         "memory", "safetensors"},
        // UnsupportedVersion
        {"version 0", GgufBytes(0).counts(0, 0).bytes(), BITNET_E_GGUF_VERSION, 3, 0, "memory", "corrupt"},
        {"version 4", GgufBytes(4).counts(0, 0).bytes(), BITNET_E_GGUF_VERSION, 3, 4, "memory", "update bitnet"},
        {"big-endian", GgufBytes(0x03000000).counts(0, 0).bytes(), BITNET_E_GGUF_VERSION, 3, 3, "memory", "big-endian"},
        {"big-endian v2", GgufBytes(0x02000000).counts(0, 0).bytes(), BITNET_E_GGUF_VERSION, 3, 2, "memory",
         "big-endian"},
        // InvalidTensorCount, InvalidKvCount
        {"tensor count above the limit", GgufBytes().counts(65537, 0).bytes(), BITNET_E_GGUF_TENSOR_COUNT, 65536, 65537,
         "memory", "limit"},
        {"tensor count above the file", GgufBytes().counts(3, 0).zeros(2 * 24 + 23).bytes(), BITNET_E_GGUF_TENSOR_COUNT,
         2, 3, "memory", "at most 2"},
        {"tensor count of all ones", GgufBytes().counts(UINT64_MAX, 0).bytes(), BITNET_E_GGUF_TENSOR_COUNT, 65536,
         UINT64_MAX, "memory", "limit"},
        {"key count above the limit", GgufBytes().counts(0, 65537).bytes(), BITNET_E_GGUF_KV_COUNT, 65536, 65537,
         "memory", "limit"},
        {"key count above the file", GgufBytes().counts(0, 2).zeros(27).bytes(), BITNET_E_GGUF_KV_COUNT, 1, 2, "memory",
         "at most 1"},
        {"v1 key count above the file", GgufBytes(1).counts(0, 3).zeros(29).bytes(), BITNET_E_GGUF_KV_COUNT, 2, 3,
         "memory", "at most 2"},
        // FileTruncated
        {"ends in the magic", text("GG"), BITNET_E_GGUF_TRUNCATED, 4, 2, "memory", "the header"},
        {"ends in the version", text(std::string_view("GGUF\3\0", 6)), BITNET_E_GGUF_TRUNCATED, 8, 6, "memory",
         "header"},
        {"ends in the counts", GgufBytes().u64(0).u32(1).bytes(), BITNET_E_GGUF_TRUNCATED, 24, 20, "memory", "header"},
        {"ends in a string value", with_key(8).u64(10).raw("short").bytes(), BITNET_E_GGUF_TRUNCATED, 55, 50, "k",
         "metadata key 1 of 1 ('k')"},
        {"string array above the file", with_array(8, 1000).zeros(40).bytes(), BITNET_E_GGUF_TRUNCATED, 8049, 89, "k",
         "k"},
        {"number array above the file", with_array(10, 5).zeros(39).bytes(), BITNET_E_GGUF_TRUNCATED, 89, 88, "k", "k"},
        {"tensor data cut off", with_tensor({4}, 0, 0, 15), BITNET_E_GGUF_TRUNCATED, 80, 79, "t", "tensor 't'"},
        {"tensor behind the end", with_tensor({4}, 0, 1 << 20, 64), BITNET_E_GGUF_TRUNCATED, 64 + (1 << 20) + 16, 128,
         "t", "tensor 't'"},
        {"tensor offset overflows", with_tensor({4}, 0, UINT64_MAX - 31, 64), BITNET_E_GGUF_TRUNCATED, kAny, 128, "t",
         "tensor 't'"},
        {"data section missing", GgufBytes().counts(1, 0).tensor("t", {4}, 0, 0).bytes(), BITNET_E_GGUF_TRUNCATED, 80,
         57, "t", "tensor 't'"},
        // Metadata
        {"unknown value type", with_key(13).u64(0).bytes(), BITNET_E_GGUF_METADATA, 12, 13, "k", "type 13"},
        {"unknown element type", with_array(200, 1).u64(0).bytes(), BITNET_E_GGUF_METADATA, 12, 200, "k", "type 200"},
        {"nested array", with_array(9, 1).u32(4).u64(0).bytes(), BITNET_E_GGUF_METADATA, kAny, 9, "k",
         "array of arrays"},
        {"bool of 2", with_key(7).u8(2).bytes(), BITNET_E_GGUF_METADATA, 1, 2, "k", "bool"},
        {"bool array with 255", with_array(7, 3).u8(1).u8(255).u8(0).bytes(), BITNET_E_GGUF_METADATA, 1, 255, "k",
         "bool"},
        {"key twice", GgufBytes().counts(0, 3).key_u32("b", 1).key_u32("a", 1).key_u32("b", 1).bytes(),
         BITNET_E_GGUF_METADATA, kAny, kAny, "b", "twice"},
        {"empty key", with_key(4, "").u32(1).zeros(1).bytes(), BITNET_E_GGUF_METADATA, kAny, kAny, "memory", "empty"},
        {"key with a NUL", with_key(4, std::string_view("a\0b", 3)).u32(1).bytes(), BITNET_E_GGUF_METADATA, kAny, kAny,
         "a\\x00b", "control"},
        {"alignment of the wrong type", GgufBytes().counts(0, 1).key("general.alignment", 10).u64(32).bytes(),
         BITNET_E_GGUF_METADATA, kAny, kAny, "general.alignment", "must be a u32"},
        {"alignment as an array", GgufBytes().counts(0, 1).key_array("general.alignment", 4, 1).u32(32).bytes(),
         BITNET_E_GGUF_METADATA, kAny, kAny, "general.alignment", "an array of 1 u32"},
        {"split number without a count", GgufBytes().counts(0, 1).key("split.no", 2).u16(3).bytes(),
         BITNET_E_GGUF_METADATA, kAny, kAny, "split.count", "impossible"},
        {"split count as an array", GgufBytes().counts(0, 1).key_array("split.count", 2, 1).u16(3).bytes(),
         BITNET_E_GGUF_METADATA, kAny, kAny, "split.count", "must be a count"},
        {"split without a number", GgufBytes().counts(0, 1).key("split.count", 2).u16(3).bytes(),
         BITNET_E_GGUF_METADATA, kAny, kAny, "split.count", "impossible"},
        {"split count as text", GgufBytes().counts(0, 1).key_string("split.count", "3").bytes(), BITNET_E_GGUF_METADATA,
         kAny, kAny, "split.count", "must be a count"},
        // Limits
        {"key above 65535 bytes", GgufBytes().counts(0, 1).string(std::string(65536, 'k')).u32(4).u32(1).bytes(),
         BITNET_E_SECURITY_INPUT, 65535, 65536, "memory", "limit"},
        {"string above 1 GiB", with_key(8).u64((1ull << 30) + 1).bytes(), BITNET_E_SECURITY_INPUT, 1ull << 30, (1ull << 30) + 1,
         "k", "limit"},
        {"string of all ones", with_key(8).u64(UINT64_MAX).bytes(), BITNET_E_SECURITY_INPUT, 1ull << 30, kAny, "k", "limit"},
        {"array above 2^30", with_array(0, (1ull << 30) + 1).bytes(), BITNET_E_SECURITY_INPUT, 1ull << 30, (1ull << 30) + 1, "k",
         "limit"},
        {"string array of all ones", with_array(8, UINT64_MAX).bytes(), BITNET_E_SECURITY_INPUT, 1ull << 30, kAny, "k", "limit"},
        {"tensor name of 64 bytes",
         GgufBytes().counts(1, 0).tensor(std::string(64, 'n'), {4}, 0, 0).pad().zeros(16).bytes(), BITNET_E_SECURITY_INPUT, 63,
         64, "memory", "limit"},
        // InvalidTensorShape
        {"five dimensions", with_tensor({1, 1, 1, 1, 1}, 0, 0, 32), BITNET_E_GGUF_TENSOR_SHAPE, 4, 5, "t",
         "5 dimensions"},
        {"a zero dimension", with_tensor({4, 0}, 0, 0, 32), BITNET_E_GGUF_TENSOR_SHAPE, 1, 0, "t", "dimension 1 is 0"},
        {"a negative dimension", with_tensor({uint64_t(-4)}, 0, 0, 32), BITNET_E_SECURITY_OPERATION, kAny, uint64_t(-4),
         "t", "more weights"},
        {"dimensions that overflow", with_tensor({1ull << 32, 1ull << 31}, 0, 0, 32), BITNET_E_SECURITY_OPERATION, kAny,
         1ull << 31, "t", "more weights"},
        {"bytes that overflow", with_tensor({1ull << 32, 1ull << 30}, 0, 0, 32), BITNET_E_SECURITY_OPERATION, kAny, kAny,
         "t", "more than any file"},
        {"rows that are no whole blocks", with_tensor({64, 3}, 36, 0, 128), BITNET_E_GGUF_TENSOR_SHAPE, 128, 64, "t",
         "blocks of 128"},
        // UnsupportedTensorType
        {"unknown type", with_tensor({256}, 99999, 0, 512), BITNET_E_GGUF_TENSOR_TYPE, kAny, 99999, "t", "i2_s"},
        {"type of another engine", with_tensor({256}, 12, 0, 144), BITNET_E_GGUF_TENSOR_TYPE, kAny, 12, "t", "q4_k"},
        // TensorAlignment
        {"misaligned tensor", with_tensor({4}, 0, 16, 64), BITNET_E_GGUF_ALIGNMENT, 32, 16, "t", "alignment 32"},
        {"alignment 0", GgufBytes().counts(0, 1).key_u32("general.alignment", 0).bytes(), BITNET_E_GGUF_ALIGNMENT, kAny,
         0, "general.alignment", "power of two"},
        {"alignment 48", GgufBytes().counts(0, 1).key_u32("general.alignment", 48).bytes(), BITNET_E_GGUF_ALIGNMENT,
         kAny, 48, "general.alignment", "power of two"},
        // TensorDataCorruption
        {"tensors that overlap",
         GgufBytes().counts(2, 0).tensor("a", {9}, 0, 0).tensor("b", {4}, 0, 32).pad().zeros(64).bytes(),
         BITNET_E_GGUF_TENSOR_DATA, 36, 32, "a", "runs into tensor 'b'"},
        {"tensors in the same place",
         GgufBytes().counts(2, 0).tensor("a", {4}, 0, 0).tensor("b", {4}, 0, 0).pad().zeros(64).bytes(),
         BITNET_E_GGUF_TENSOR_DATA, 16, 0, "a", "runs into tensor 'b'"},
        {"tensor name twice",
         GgufBytes().counts(2, 0).tensor("a", {4}, 0, 0).tensor("a", {4}, 0, 32).pad().zeros(64).bytes(),
         BITNET_E_GGUF_TENSOR_DATA, kAny, kAny, "a", "twice"},
        {"empty tensor name", GgufBytes().counts(1, 0).tensor("", {4}, 0, 0).pad().zeros(64).bytes(),
         BITNET_E_GGUF_TENSOR_DATA, kAny, kAny, "memory", "empty"},
        {"tensor name with a line break", GgufBytes().counts(1, 0).tensor("a\nb", {4}, 0, 0).pad().zeros(64).bytes(),
         BITNET_E_GGUF_TENSOR_DATA, kAny, kAny,
         "a\\x0a"
         "b",
         "control"},
    };
    return files;
}

}  // namespace

TEST_CASE("every kind of bad file ends in its own status, numbers and words") {
    for (const BadFile& bad : bad_files()) {
        CAPTURE(bad.what);
        const Error error = error_of([&] { test::parse(bad.bytes); });
        CAPTURE(error.message());
        CHECK(error.status() == bad.status);
        if (bad.expected != kAny) CHECK(error.expected() == bad.expected);
        if (bad.actual != kAny) CHECK(error.actual() == bad.actual);
        CHECK(error.subject() == bad.subject);
        CHECK(contains(error.message(), bad.words));
        CHECK(error.message().rfind("memory: ", 0) == 0);  // which file comes first, once
        CHECK(error.message().rfind("memory: memory: ", 0) == std::string::npos);
    }
}

TEST_CASE("the same bad files fail the same way when they come through callbacks") {
    for (const BadFile& bad : bad_files()) {
        CAPTURE(bad.what);
        std::vector<uint8_t> bytes = bad.bytes;
        const bitnet_reader reader{sizeof(bitnet_reader), bytes.size(),
                                   [](void* user, uint64_t offset, void* dst, uint64_t n) -> int32_t {
                                       std::memcpy(dst, static_cast<uint8_t*>(user) + offset, static_cast<size_t>(n));
                                       return 0;
                                   },
                                   bytes.data()};
        const Error error = error_of([&] { GgufFile::read(open_reader_source(reader)); });
        CHECK(error.status() == bad.status);
    }
}

TEST_CASE("a callback that fails while the head is read ends in an I/O error that names it once") {
    const bitnet_reader reader{sizeof(bitnet_reader), 1000,
                               [](void*, uint64_t, void*, uint64_t) -> int32_t { return 5; }, nullptr};
    const Error error = error_of([&] { GgufFile::read(open_reader_source(reader)); });
    CHECK(error.status() == BITNET_E_IO);
    CHECK(error.message().rfind("reader: the read callback returned 5", 0) == 0);
}

TEST_CASE("a huge claimed size alone costs no memory") {
    // A callback source that says it has an exabyte and gives zeros behind a valid header.
    const bitnet_reader reader{sizeof(bitnet_reader), uint64_t{1} << 60,
                               [](void*, uint64_t offset, void* dst, uint64_t n) -> int32_t {
                                   std::memset(dst, 0, static_cast<size_t>(n));
                                   const std::vector<uint8_t> head =
                                       GgufBytes().counts(0, 1).key_array("k", 8, 1u << 30).bytes();
                                   if (offset == 0) std::memcpy(dst, head.data(), std::min<size_t>(head.size(), n));
                                   return 0;
                               },
                               nullptr};
    GgufReadOptions options;
    options.limits.max_owned_head_bytes = 1 << 20;
    options.limits.max_array_elements = 1 << 20;
    CHECK(error_of([&] { GgufFile::read(open_reader_source(reader), options); }).status() == BITNET_E_SECURITY_INPUT);
    options.limits.max_array_elements = uint64_t{1} << 30;
    CHECK(error_of([&] { GgufFile::read(open_reader_source(reader), options); }).status() == BITNET_E_SECURITY_MEMORY);
}
