// Reading good files: the same content from every version and every source, and the typed access to it.
#include "src/gguf/gguf_reader.h"

#include <algorithm>
#include <cstring>

#include <doctest/doctest.h>

#include "src/gguf/gguf_writer.h"
#include "tests/src/gguf/gguf_test_helpers.h"
#include "tests/support/gguf_bytes.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_data.h"

#ifndef _WIN32
#include <fcntl.h>
#include <unistd.h>
#endif

using namespace bitnet;
using test::contains;
using test::error_of;
using test::GgufBytes;

namespace {

void check_small(const GgufFile& file) {
    REQUIRE(file.n_keys() == 6);
    CHECK(file.key_at(0) == "general.architecture");
    CHECK(file.key_at(4) == "a.strings");
    CHECK(file.require_string("general.architecture") == "bitnet-b1.58");
    CHECK(file.require_uint("general.file_type") == 40);
    CHECK(file.require_float("a.f32") == double{1e-5f});
    CHECK(file.require_int("a.i64") == -5);
    CHECK(file.find("a.bools")->to_text(64) == "[true, false, true]");
    const GgufValue* strings = file.get_array("a.strings", GgufType::string);
    REQUIRE(strings != nullptr);
    REQUIRE(strings->size() == 3);
    CHECK(strings->as_string(0) == "one");
    CHECK(strings->as_string(1) == "");
    CHECK(strings->as_string(2) == "three");
    CHECK(file.alignment() == 32);

    REQUIRE(file.tensors().size() == 2);
    const GgufTensor* first = file.find_tensor("first");
    const GgufTensor* second = file.find_tensor("second");
    REQUIRE(first == &file.tensors()[0]);
    REQUIRE(second == &file.tensors()[1]);
    CHECK(file.find_tensor("third") == nullptr);
    CHECK(file.find_tensor("g") == nullptr);
    CHECK(first->type == kern::QuantType::f32);
    CHECK(first->n_dims == 1);
    CHECK(first->n_elements() == 4);
    CHECK(first->n_bytes == 16);
    CHECK(first->offset == file.data_start());
    CHECK(file.data_start() % 32 == 0);
    CHECK(second->file_type_id == 1);
    CHECK(second->ne[0] == 8);
    CHECK(second->ne[1] == 2);
    CHECK(second->ne[2] == 1);
    CHECK(second->n_rows() == 2);
    float values[4] = {};
    file.read_data(*first, 0, values, sizeof values);
    CHECK(values[3] == 4.0f);
    uint16_t tail = 0;
    file.read_data(*second, 30, &tail, 2);
    CHECK(tail == 15);
    CHECK(error_of([&] { file.read_data(*second, 31, &tail, 2); }).status() == BITNET_E_ARGUMENT);
    CHECK(error_of([&] { file.read_data(*second, 33, &tail, 0); }).status() == BITNET_E_ARGUMENT);
    if (const uint8_t* data = file.mapped_data(*second)) CHECK(std::memcmp(data + 30, &tail, 2) == 0);
}

// Hands out a file through read callbacks, counting them.
struct Callback {
    std::vector<uint8_t> bytes;
    int calls = 0;
    static int32_t read(void* user, uint64_t offset, void* dst, uint64_t n) {
        auto& self = *static_cast<Callback*>(user);
        ++self.calls;
        std::memcpy(dst, self.bytes.data() + offset, static_cast<size_t>(n));
        return 0;
    }
    bitnet_reader reader() { return {sizeof(bitnet_reader), bytes.size(), &Callback::read, this}; }
};

}  // namespace

TEST_CASE("versions 1, 2 and 3 of the same content read the same") {
    for (const uint32_t version : {1u, 2u, 3u}) {
        CAPTURE(version);
        const std::vector<uint8_t> bytes = test::small_gguf(version);
        const auto file = test::parse(bytes);
        CHECK(file->version() == version);
        check_small(*file);
    }
}

TEST_CASE("every byte source gives the same file") {
    const std::vector<uint8_t> bytes = test::small_gguf();
    const test::TempDir dir;
    const std::string path = dir.write("small.gguf", bytes);
    check_small(*GgufFile::open(path, true));
    check_small(*GgufFile::open(path, false));
    check_small(*test::parse(bytes));
    Callback callback{bytes};
    const auto file = GgufFile::read(open_reader_source(callback.reader()));
    CHECK(callback.calls == 1);  // a small head comes in one piece
    CHECK(file->mapped_data(file->tensors()[0]) == nullptr);
    check_small(*file);
#ifndef _WIN32
    std::vector<uint8_t> packed(4099 + bytes.size() + 777, 0xee);
    std::copy(bytes.begin(), bytes.end(), packed.begin() + 4099);
    const int fd = ::open(dir.write("pack.bin", packed).c_str(), O_RDONLY);
    check_small(*GgufFile::read(open_fd_source(fd, 4099, bytes.size(), true)));
    check_small(*GgufFile::read(open_fd_source(fd, 4099, bytes.size(), false)));
    ::close(fd);
#endif
}

TEST_CASE("a file outlives the source handle it was read from") {
    const test::TempDir dir;
    std::shared_ptr<const GgufFile> file;
    {
        std::shared_ptr<const ByteSource> source = open_file_source(dir.write("a.gguf", test::small_gguf()), true);
        file = GgufFile::read(source);
    }
    check_small(*file);
}

TEST_CASE("typed getters convert, tell a missing key from a wrong one, and name both") {
    const std::vector<uint8_t> bytes = test::small_gguf();
    const auto file = test::parse(bytes);
    CHECK_FALSE(file->get_uint("absent"));
    CHECK_FALSE(file->get_string("absent"));
    CHECK(file->get_array("absent", GgufType::string) == nullptr);
    CHECK(file->find("absent") == nullptr);
    CHECK(file->find("") == nullptr);
    CHECK(file->get_int("general.file_type") == 40);
    CHECK(file->get_float("general.file_type") == 40.0);

    const Error missing = error_of([&] { file->require_uint("absent"); });
    CHECK(missing.status() == BITNET_E_GGUF_METADATA);
    CHECK(missing.subject() == "absent");
    CHECK(error_of([&] { file->require_int("absent"); }).status() == BITNET_E_GGUF_METADATA);
    CHECK(error_of([&] { file->require_float("absent"); }).status() == BITNET_E_GGUF_METADATA);
    CHECK(error_of([&] { file->require_bool("absent"); }).status() == BITNET_E_GGUF_METADATA);
    CHECK(error_of([&] { file->require_string("absent"); }).status() == BITNET_E_GGUF_METADATA);
    for (const char* array : {"a.bools", "a.strings"}) {  // an array is never one of its elements
        CHECK(error_of([&] { file->get_uint(array); }).status() == BITNET_E_GGUF_METADATA);
        CHECK(error_of([&] { file->get_int(array); }).status() == BITNET_E_GGUF_METADATA);
        CHECK(error_of([&] { file->get_float(array); }).status() == BITNET_E_GGUF_METADATA);
        CHECK(error_of([&] { file->get_bool(array); }).status() == BITNET_E_GGUF_METADATA);
    }
    const Error wrong = error_of([&] { file->get_uint("a.i64"); });
    CHECK(wrong.status() == BITNET_E_GGUF_METADATA);
    CHECK(wrong.subject() == "a.i64");
    CHECK(contains(wrong.message(), "a i64 of value -5"));
    CHECK(error_of([&] { file->get_string("general.file_type"); }).status() == BITNET_E_GGUF_METADATA);
    CHECK(error_of([&] { file->get_bool("general.file_type"); }).status() == BITNET_E_GGUF_METADATA);
    CHECK(error_of([&] { file->get_float("general.architecture"); }).status() == BITNET_E_GGUF_METADATA);
    CHECK(contains(error_of([&] { file->get_string("a.strings"); }).message(), "an array of 3 strings"));
    CHECK(error_of([&] { file->get_array("a.bools", GgufType::u32); }).status() == BITNET_E_GGUF_METADATA);
    CHECK(error_of([&] { file->get_array("general.file_type", GgufType::u32); }).status() == BITNET_E_GGUF_METADATA);
}

TEST_CASE("a file without tensors may end right behind its metadata") {
    const std::vector<uint8_t> bytes = GgufBytes().counts(0, 1).key_u32("x", 7).bytes();
    const auto file = test::parse(bytes);
    CHECK(file->tensors().empty());
    CHECK(file->require_uint("x") == 7);
    const std::vector<uint8_t> empty = GgufBytes().counts(0, 0).bytes();
    CHECK(test::parse(empty)->n_keys() == 0);
}

TEST_CASE("alignments from 1 up are honoured, and gaps and unordered data are allowed") {
    for (const uint32_t alignment : {1u, 8u, 32u, 64u, 4096u}) {
        CAPTURE(alignment);
        GgufBytes b;
        b.counts(2, 1).key_u32("general.alignment", alignment);
        const uint64_t far = 3 * uint64_t{alignment} + (alignment < 32 ? 64 : 0);
        b.tensor("late", {2}, 0, far).tensor("early", {2}, 0, 0).pad(alignment);
        const size_t start = b.bytes().size();
        b.f32(1).f32(2).zeros(static_cast<size_t>(far) - 8).f32(3).f32(4).zeros(13);  // bytes behind the end are fine
        const auto file = test::parse(b.bytes());
        CHECK(file->alignment() == alignment);
        CHECK(file->data_start() == start);
        float value = 0;
        file->read_data(*file->find_tensor("late"), 4, &value, 4);
        CHECK(value == 4.0f);
        CHECK(file->find_tensor("early")->offset == start);
    }
}

TEST_CASE("scalars and tensors of up to four dimensions are read") {
    GgufBytes b;
    b.counts(2, 0).tensor("scalar", {}, 0, 0).tensor("cube", {2, 3, 4, 5}, 1, 32).pad().zeros(32 + 240);
    const auto file = test::parse(b.bytes());
    CHECK(file->tensors()[0].n_elements() == 1);
    CHECK(file->tensors()[0].n_bytes == 4);
    CHECK(file->tensors()[1].n_rows() == 60);
    CHECK(file->tensors()[1].n_bytes == 240);
}

TEST_CASE("metadata_only reads what it needs and leaves unreadable tensor tables alone") {
    GgufReadOptions options;
    options.metadata_only = true;
    GgufBytes b;
    b.counts(1, 1).key_u32("x", 7).tensor("t", {256}, 12, 0);  // q4_k, and its data is missing
    const auto file = test::parse(b.bytes(), options);
    CHECK(file->require_uint("x") == 7);
    CHECK(file->tensors().empty());
    CHECK(error_of([&] { test::parse(b.bytes()); }).status() == BITNET_E_GGUF_TENSOR_TYPE);
}

TEST_CASE("lowered limits are obeyed") {
    const std::vector<uint8_t> bytes = test::small_gguf();
    const auto status_with = [&](auto&& change) {
        GgufReadOptions options;
        change(options.limits);
        return error_of([&] { test::parse(bytes, options); }).status();
    };
    CHECK(status_with([](GgufLimits& l) { l.max_tensors = 1; }) == BITNET_E_GGUF_TENSOR_COUNT);
    CHECK(status_with([](GgufLimits& l) { l.max_keys = 5; }) == BITNET_E_GGUF_KV_COUNT);
    CHECK(status_with([](GgufLimits& l) { l.max_key_bytes = 19; }) == BITNET_E_SECURITY_INPUT);
    CHECK(status_with([](GgufLimits& l) { l.max_string_bytes = 11; }) == BITNET_E_SECURITY_INPUT);
    CHECK(status_with([](GgufLimits& l) { l.max_array_elements = 2; }) == BITNET_E_SECURITY_INPUT);
    CHECK(status_with([](GgufLimits& l) { l.max_string_array_bytes = 18; }) == BITNET_E_SECURITY_INPUT);
    CHECK(status_with([](GgufLimits& l) { l.max_tensor_name_bytes = 5; }) == BITNET_E_SECURITY_INPUT);
    CHECK(status_with([](GgufLimits& l) { l.max_dims = 1; }) == BITNET_E_GGUF_TENSOR_SHAPE);
    // And raising them opens no hole: a count of all ones is still compared with the file.
    GgufReadOptions raised;
    raised.limits = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX,
                     UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
    for (const uint32_t element : {0u, 8u, 10u}) {
        const std::vector<uint8_t> lying =
            GgufBytes().counts(0, 1).key_array("k", element, UINT64_MAX).zeros(64).bytes();
        CHECK(error_of([&] { test::parse(lying, raised); }).status() == BITNET_E_GGUF_TRUNCATED);
    }
    CHECK(error_of([&] { test::parse(GgufBytes().counts(UINT64_MAX, 0).bytes(), raised); }).status() ==
          BITNET_E_GGUF_TENSOR_COUNT);
    check_small(*test::parse(bytes, raised));
    GgufReadOptions options;  // just enough
    options.limits = {2, 6, 20, 12, 3, 19, 6, 2, 0, 0};
    check_small(*test::parse(bytes, options));
    // Metadata that must be copied has a limit of its own.
    Callback callback{bytes};
    options.limits.max_owned_head_bytes = 100;
    CHECK(error_of([&] { GgufFile::read(open_reader_source(callback.reader()), options); }).status() == BITNET_E_SECURITY_MEMORY);
}

TEST_CASE("a large head arrives whole through callbacks, in few pieces") {
    GgufWriter writer;
    std::vector<std::string> tokens;
    for (int i = 0; i < 60000; ++i) tokens.push_back("token-" + std::to_string(i) + std::string(i % 50, '#'));
    writer.add_string_array("tokenizer.ggml.tokens", std::span<const std::string>(tokens));
    const std::vector<float> scores(tokens.size(), 0.5f);
    writer.add_f32_array("tokenizer.ggml.scores", scores);
    writer.add_tensor("t", kern::QuantType::f32, std::vector<int64_t>{4}, scores.data());
    Callback callback{writer.to_bytes()};
    const auto file = GgufFile::read(open_reader_source(callback.reader()));
    CHECK(callback.calls <= 12);
    const GgufValue& value = *file->find("tokenizer.ggml.tokens");
    REQUIRE(value.size() == tokens.size());
    bool same = true;
    for (size_t i = 0; i < tokens.size(); ++i) same = same && value.as_string(i) == tokens[i];
    CHECK(same);
    CHECK(file->find("tokenizer.ggml.scores")->as_float(59999) == 0.5);
    CHECK(file->tensors()[0].n_bytes == 16);
}

TEST_CASE("real vocabulary files read completely, mapped or not") {
    for (const char* name :
         {"tokenizer/vocab-gguf/ggml-vocab-gpt-2.gguf", "tokenizer/vocab-gguf/ggml-vocab-llama-spm.gguf",
          "tokenizer/vocab-gguf/ggml-vocab-phi-3.gguf", "models/stories3m-i2_s.gguf"}) {
        if (!test::have_data(name)) continue;
        CAPTURE(name);
        const std::string path = (test::data_dir() / name).string();
        const auto mapped = GgufFile::open(path, true);
        const auto owned = GgufFile::open(path, false);
        REQUIRE(mapped->n_keys() == owned->n_keys());
        REQUIRE(mapped->tensors().size() == owned->tensors().size());
        bool same = true;
        for (size_t i = 0; i < mapped->n_keys(); ++i)
            same = same && mapped->key_at(i) == owned->key_at(i) &&
                   mapped->value_at(i).to_text(SIZE_MAX) == owned->value_at(i).to_text(SIZE_MAX);
        CHECK(same);
        CHECK(test::touch_everything(*mapped) == test::touch_everything(*owned));
    }
}

TEST_CASE("the trained small model's tensor table is read as it was written") {
    if (!test::have_data("models/stories3m-i2_s.gguf")) return;
    const auto file = GgufFile::open((test::data_dir() / "models/stories3m-i2_s.gguf").string(), true);
    CHECK(file->version() == 3);
    CHECK(file->require_string("general.architecture") == "bitnet");
    CHECK(file->tensors().size() == 90);
    CHECK(file->get_array("tokenizer.ggml.tokens", GgufType::string)->size() == 512);
    size_t n_ternary = 0;
    for (const GgufTensor& tensor : file->tensors()) n_ternary += tensor.type == kern::QuantType::i2_s;
    CHECK(n_ternary > 0);
    CHECK(file->find_tensor("token_embd.weight")->type == kern::QuantType::f16);
}
