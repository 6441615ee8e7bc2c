// Whatever is done to a file, reading it either works or throws an Error: nothing else, and no byte outside it is
// touched (run under the address sanitizer, every file here is an exactly sized heap block).
#include <cstring>
#include <filesystem>

#include <doctest/doctest.h>

#include "src/gguf/gguf_reader.h"
#include "src/gguf/gguf_writer.h"
#include "tests/src/gguf/gguf_test_helpers.h"
#include "tests/support/gguf_bytes.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_data.h"

using namespace bitnet;

namespace {

enum class Outcome { read, refused };

// Reads n bytes from a block of exactly that size and uses everything in the file.
Outcome try_reading(const uint8_t* data, size_t n, bool metadata_only = false) {
    if (n == 0) return Outcome::refused;
    const std::unique_ptr<uint8_t[]> exact(new uint8_t[n]);
    std::memcpy(exact.get(), data, n);
    GgufReadOptions options;
    options.metadata_only = metadata_only;
    try {
        const auto file = GgufFile::read(open_memory_source(exact.get(), n), options);
        test::touch_everything(*file);
        return Outcome::read;
    } catch (const Error& error) {
        CHECK(error.status() != BITNET_OK);
        CHECK_FALSE(error.message().empty());
        CHECK(error.message().find('\n') == std::string::npos);
        return Outcome::refused;
    }
}

// A vocabulary, all value types, three tensor types.
std::vector<uint8_t> rich_gguf() {
    GgufWriter writer;
    writer.set_alignment(64);
    writer.add_string("general.architecture", "bitnet-b1.58");
    writer.add_u32("general.file_type", 40);
    writer.add_i8("i8", -1);
    writer.add_u16("u16", 2);
    writer.add_f64("f64", 3.5);
    writer.add_bool("flag", true);
    const std::vector<std::string> tokens = {"<s>", "a", "", "\xe2\x96\x81the", "#"};
    writer.add_string_array("tokenizer.ggml.tokens", std::span<const std::string>(tokens));
    writer.add_f32_array("tokenizer.ggml.scores", std::vector<float>{0, -1, -2, -3, -4});
    writer.add_bool_array("flags", {true, false, true});
    const std::vector<uint8_t> weights(4096, 0x55);
    writer.add_tensor("token_embd.weight", kern::QuantType::f16, std::vector<int64_t>{128, 5}, weights.data());
    writer.add_tensor("blk.0.attn_q.weight", kern::QuantType::i2_s, std::vector<int64_t>{128, 2}, weights.data());
    writer.add_tensor("output_norm.weight", kern::QuantType::f32, std::vector<int64_t>{128}, weights.data());
    return writer.to_bytes();
}

}  // namespace

TEST_CASE("a valid file cut at any length is refused, in every version") {
    std::vector<std::vector<uint8_t>> files = {rich_gguf()};
    for (const uint32_t version : {1u, 2u, 3u}) files.push_back(test::small_gguf(version));
    for (const std::vector<uint8_t>& bytes : files) {
        REQUIRE(try_reading(bytes.data(), bytes.size()) == Outcome::read);
        size_t n_read = 0;
        // Bytes of padding behind the last tensor may be missing; nothing else.
        const auto whole = test::parse(bytes);
        uint64_t end = 0;
        for (const GgufTensor& tensor : whole->tensors()) end = std::max(end, tensor.offset + tensor.n_bytes);
        for (size_t n = 0; n < bytes.size(); ++n) n_read += try_reading(bytes.data(), n) == Outcome::read && n < end;
        CHECK(n_read == 0);
    }
}

TEST_CASE("no single wrong byte in a head does more than change or refuse the file") {
    for (const uint32_t version : {1u, 3u}) {
        const std::vector<uint8_t> bytes = test::small_gguf(version);
        const size_t head = static_cast<size_t>(test::parse(bytes)->data_start());
        size_t n_refused = 0, n_read = 0;
        for (size_t at = 0; at < head; ++at) {
            std::vector<uint8_t> broken = bytes;
            for (int change = 1; change < 256; ++change) {
                broken[at] = static_cast<uint8_t>(bytes[at] ^ change);
                (try_reading(broken.data(), broken.size()) == Outcome::read ? n_read : n_refused)++;
            }
        }
        CHECK(n_refused > 1000);
        CHECK(n_read > 1000);  // text and values may differ and still be a valid file
    }
}

TEST_CASE("every wrong bit and many wrong words in a rich head are survived") {
    const std::vector<uint8_t> bytes = rich_gguf();
    const size_t head = static_cast<size_t>(test::parse(bytes)->data_start());
    for (size_t at = 0; at < head; ++at) {
        std::vector<uint8_t> broken = bytes;
        for (int bit = 0; bit < 8; ++bit) {
            broken[at] = static_cast<uint8_t>(bytes[at] ^ (1 << bit));
            try_reading(broken.data(), broken.size());
            try_reading(broken.data(), broken.size(), true);
        }
        // 64-bit fields that lie: all ones, sign bit, just past 32 bits.
        for (const uint64_t word : {UINT64_MAX, uint64_t{1} << 63, (uint64_t{1} << 32) + 1, uint64_t{0}}) {
            broken = bytes;
            std::memcpy(broken.data() + at, &word, std::min<size_t>(8, broken.size() - at));
            try_reading(broken.data(), broken.size());
        }
    }
}

TEST_CASE("fuzzing seeds and stubs of other projects are read or refused, never more") {
    for (const char* folder : {"gguf/fuzz-seeds", "gguf/stubs"}) {
        if (!test::have_data(folder)) continue;
        size_t n = 0, n_read = 0;
        for (const auto& entry : std::filesystem::directory_iterator(test::data_dir() / folder)) {
            CAPTURE(entry.path().string());
            const std::vector<uint8_t> bytes = test::read_file(entry.path());
            n_read += try_reading(bytes.data(), bytes.size()) == Outcome::read;
            // A file is a file, however it is opened.
            for (const bool use_mmap : {true, false}) {
                try {
                    test::touch_everything(*GgufFile::open(entry.path().string(), use_mmap));
                } catch (const Error& error) {
                    CHECK(error.message().rfind(entry.path().string(), 0) == 0);
                }
            }
            ++n;
        }
        MESSAGE(std::string(folder), ": ", n, " files, ", n_read, " of them valid");
        CHECK(n >= 20);
        CHECK(n_read >= 1);
        CHECK(n_read < n);
    }
}
