// Files are recognised by what is in them, not by their names.
#include "src/tokenizer/tokenizer_load.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "tests/src/tokenizer/tokenizer_fixtures.h"
#include "tests/support/test_data.h"

using namespace bitnet;
using test::fails_with;
using test::Tokens;

namespace {

// A folder that goes away with everything in it.
class Folder {
public:
    Folder() {
        path_ = std::filesystem::temp_directory_path() /
                ("tokenizer_load_test_" + std::to_string(reinterpret_cast<uintptr_t>(this)));
        std::filesystem::create_directories(path_);
    }
    ~Folder() {
        std::error_code error;
        std::filesystem::remove_all(path_, error);
    }
    std::string write(const std::string& name, const std::string& content) const {
        const std::filesystem::path path = path_ / std::filesystem::path(std::u8string(name.begin(), name.end()));
        std::ofstream(path, std::ios::binary) << content;
        const std::u8string text = path.u8string();
        return std::string(text.begin(), text.end());
    }
    std::string path(const std::string& name) const { return (path_ / name).string(); }

private:
    std::filesystem::path path_;
};

constexpr char kJson[] = R"({"added_tokens": [{"id": 3, "content": "<s>", "special": true}],
    "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"},
    "model": {"type": "BPE", "unk_token": "?", "vocab": {"?": 0, "\u2581": 1, "a": 2, "\u2581a": 4},
              "merges": ["\u2581 a"]}})";

}  // namespace

TEST_CASE("a tokenizer.json is known by its brace, under any name, with a byte order mark or spaces before it") {
    const Folder folder;
    for (const std::string before : {"", "\xEF\xBB\xBF", " \n\t"}) {
        const auto tokenizer =
            load_tokenizer(folder.write("gr\xC3\xBC\xC3\x9F"
                                        "e.txt",
                                        before + kJson));
        CHECK(tokenizer->info().source == "tokenizer.json");
        CHECK(tokenizer->encode("a a", 0) == Tokens{2, 4});
        CHECK(tokenizer->info().bos == 3);
        CHECK_FALSE(tokenizer->info().add_bos);
    }
}

TEST_CASE("the tokenizer_config.json in the same folder is read") {
    const Folder folder;
    folder.write("tokenizer_config.json", R"({"bos_token": "a", "add_bos_token": true, "chat_template": "T"})");
    const std::string path = folder.write("tokenizer.json", kJson);
    const auto tokenizer = load_tokenizer(path);
    CHECK(tokenizer->info().bos == 2);
    CHECK(tokenizer->info().add_bos);
    CHECK(tokenizer->chat_template() == "T");
    folder.write("tokenizer_config.json", "");
    CHECK(load_tokenizer(path)->info().bos == 3);
    folder.write("tokenizer_config.json", "{");
    CHECK(fails_with(BITNET_E_TOKENIZER, {path, "tokenizer_config.json"}, [&] { load_tokenizer(path); }));
}

TEST_CASE("a GGUF file is known by its magic and read without its tensors") {
    const Folder folder;
    const std::vector<uint8_t> image = test::gguf_of(test::tiny_bpe({{"a", "b"}})).to_bytes();
    const std::string path = folder.write("model.bin", std::string(image.begin(), image.end()));
    const auto tokenizer = load_tokenizer(path);
    CHECK(tokenizer->info().source == "gguf");
    CHECK(tokenizer->encode("ab", 0) == Tokens{256});
    const std::string cut = folder.write("cut.gguf", std::string(image.begin(), image.begin() + 200));
    CHECK(fails_with(BITNET_E_GGUF_TRUNCATED, {"cut.gguf"}, [&] { load_tokenizer(cut); }));
    const std::string big_endian = folder.write("big.gguf", "FUGG" + std::string(image.begin() + 4, image.end()));
    CHECK(test::error_of([&] { load_tokenizer(big_endian); }).find("BITNET_E_GGUF") == 0);
}

TEST_CASE("files that are nothing of the kind, empty or missing are refused with their path") {
    const Folder folder;
    const std::string text = folder.write("notes.txt", "Some notes about tokenizers.");
    CHECK(fails_with(BITNET_E_TOKENIZER, {text, "not a SentencePiece model"}, [&] { load_tokenizer(text); }));
    const std::string empty = folder.write("empty", "");
    CHECK(test::error_of([&] { load_tokenizer(empty); }).find(empty) != std::string::npos);
    const std::string missing = folder.path("missing.gguf");
    CHECK(fails_with(BITNET_E_FILE_NOT_FOUND, {missing}, [&] { load_tokenizer(missing); }));
    CHECK(fails_with(BITNET_E_FILE_NOT_FOUND, {"neither a tokenizer.json nor a tokenizer.model"},
                     [&] { load_tokenizer(folder.path("")); }));
}

TEST_CASE("the first bytes of real files decide") {
    for (const auto& [file, source] : {std::pair("tokenizer/llama2/tokenizer.model", "tokenizer.model"),
                                       std::pair("models/stories3m-i2_s.gguf", "gguf")}) {
        if (test::have_data(file)) CHECK(test::tokenizer_of(file).info().source == source);
    }
}
