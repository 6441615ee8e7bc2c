// Implementation of the shared pieces; no tests in here.
#include "tests/src/tokenizer/tokenizer_fixtures.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <sstream>

#include "src/base/error.h"
#include "src/gguf/byte_source.h"
#include "src/gguf/gguf_reader.h"
#include "src/tokenizer/byte_alphabet.h"
#include "src/tokenizer/tokenizer_load.h"
#include "tests/support/test_data.h"

namespace test {

using bitnet::Vocabulary;

const bitnet::Tokenizer& tokenizer_of(const std::string& relative) {
    static std::map<std::string, std::shared_ptr<const bitnet::Tokenizer>> loaded;
    auto& tokenizer = loaded[relative];
    if (tokenizer == nullptr) tokenizer = bitnet::load_tokenizer((data_dir() / relative).string());
    return *tokenizer;
}

std::string data_file(const std::string& relative) {
    std::ifstream file(data_dir() / relative, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

std::vector<std::pair<std::string, Tokens>> vocab_cases(const std::string& name) {
    const std::string base = "tokenizer/vocab-gguf/ggml-vocab-" + name + ".gguf";
    const std::string texts = data_file(base + ".inp");
    static const std::string separator = "\n__ggml_vocab_test__\n";
    std::vector<std::pair<std::string, Tokens>> cases;
    std::stringstream lines(data_file(base + ".out"));
    for (size_t at = 0; at <= texts.size();) {
        const size_t end = std::min(texts.find(separator, at), texts.size());
        std::string line;
        std::getline(lines, line);
        std::stringstream ids(line);
        Tokens tokens;
        for (bitnet_token id = 0; ids >> id;) tokens.push_back(id);
        cases.emplace_back(texts.substr(at, end - at), std::move(tokens));
        at = end + separator.size();
    }
    return cases;
}

namespace {

int32_t add_token(Vocabulary& v, std::string text, bitnet_token_attribute attribute, float score = 0.0f) {
    v.tokens.push_back(std::move(text));
    v.attributes.push_back(static_cast<uint8_t>(attribute));
    if (v.kind == bitnet::VocabularyKind::spm) v.scores.push_back(score);
    return static_cast<int32_t>(v.tokens.size()) - 1;
}

}  // namespace

Vocabulary tiny_bpe(const std::vector<std::pair<std::string, std::string>>& merges) {
    Vocabulary v;
    v.source = "gguf";
    v.architecture = "test";
    v.pre = "gpt-2";
    for (int byte = 0; byte < 256; ++byte) {
        const char c = static_cast<char>(byte);
        add_token(v, bitnet::to_alphabet({&c, 1}), BITNET_TOKEN_NORMAL);
    }
    for (const auto& [left, right] : merges) {
        const std::string stored_left = bitnet::to_alphabet(left);
        const std::string text = stored_left + bitnet::to_alphabet(right);
        v.merges.push_back({text, static_cast<uint32_t>(stored_left.size())});
        if (std::find(v.tokens.begin(), v.tokens.end(), text) == v.tokens.end()) {
            add_token(v, text, BITNET_TOKEN_NORMAL);
        }
    }
    v.bos = add_token(v, "<|bos|>", BITNET_TOKEN_CONTROL);
    v.eos = add_token(v, "<|eot_id|>", BITNET_TOKEN_CONTROL);
    add_token(v, "<tool>", BITNET_TOKEN_USER_DEFINED);
    return v;
}

Vocabulary tiny_spm(const std::vector<std::pair<std::string, float>>& pieces) {
    Vocabulary v;
    v.source = "gguf";
    v.architecture = "test";
    v.kind = bitnet::VocabularyKind::spm;
    v.unk = add_token(v, "<unk>", BITNET_TOKEN_UNKNOWN);
    v.bos = add_token(v, "<s>", BITNET_TOKEN_CONTROL);
    v.eos = add_token(v, "</s>", BITNET_TOKEN_CONTROL);
    for (int byte = 0; byte < 256; ++byte) {
        char text[8];
        std::snprintf(text, sizeof text, "<0x%02X>", static_cast<unsigned>(byte));
        add_token(v, text, BITNET_TOKEN_BYTE);
    }
    for (const auto& [text, score] : pieces) add_token(v, text, BITNET_TOKEN_NORMAL, score);
    return v;
}

bitnet::GgufWriter gguf_of(const Vocabulary& v) {
    bitnet::GgufWriter writer;
    const bool bpe = v.kind == bitnet::VocabularyKind::bpe;
    writer.add_string("general.architecture", v.architecture);
    writer.add_string("tokenizer.ggml.model", bpe ? "gpt2" : "llama");
    if (bpe && !v.pre.empty()) writer.add_string("tokenizer.ggml.pre", v.pre);
    writer.add_string_array("tokenizer.ggml.tokens", std::span<const std::string>(v.tokens));
    std::vector<int32_t> types(v.attributes.begin(), v.attributes.end());
    writer.add_i32_array("tokenizer.ggml.token_type", types);
    if (bpe) {
        std::vector<std::string> merges;
        for (const auto& merge : v.merges) {
            merges.push_back(merge.text.substr(0, merge.left_size) + " " + merge.text.substr(merge.left_size));
        }
        writer.add_string_array("tokenizer.ggml.merges", std::span<const std::string>(merges));
    } else {
        writer.add_f32_array("tokenizer.ggml.scores", v.scores);
    }
    if (v.bos >= 0) writer.add_u32("tokenizer.ggml.bos_token_id", static_cast<uint32_t>(v.bos));
    if (v.eos >= 0) writer.add_u32("tokenizer.ggml.eos_token_id", static_cast<uint32_t>(v.eos));
    if (!v.chat_template.empty()) writer.add_string("tokenizer.chat_template", v.chat_template);
    return writer;
}

std::shared_ptr<const bitnet::Tokenizer> load_gguf(const bitnet::GgufWriter& writer) {
    const std::vector<uint8_t> image = writer.to_bytes();
    const std::shared_ptr<const bitnet::ByteSource> source = bitnet::open_memory_source(image.data(), image.size());
    return bitnet::load_tokenizer(*bitnet::GgufFile::read(source));
}

std::string error_of(const std::function<void()>& run) {
    try {
        run();
    } catch (const bitnet::Error& error) {
#define TEST_STATUS_NAME(name, number, text)                                                                           \
    if (error.status() == name) return std::string(#name ": ") + error.message();
        BITNET_STATUS_LIST(TEST_STATUS_NAME)
#undef TEST_STATUS_NAME
    }
    return "no error";
}

bool fails_with(bitnet_status status, std::initializer_list<std::string_view> parts, const std::function<void()>& run) {
    try {
        run();
    } catch (const bitnet::Error& error) {
        bool ok = error.status() == status && error.message().find('\n') == std::string::npos;
        for (const std::string_view part : parts) ok = ok && error.message().find(part) != std::string::npos;
        if (!ok) std::fprintf(stderr, "unexpected error %d: %s\n", error.status(), error.what());
        return ok;
    }
    std::fprintf(stderr, "no error at all\n");
    return false;
}

std::string random_text(uint64_t seed, size_t n, std::string_view alphabet) {
    std::string out(n, '\0');
    uint64_t state = seed * 0x9E3779B97F4A7C15ull + 1;
    for (char& c : out) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        const uint64_t draw = state >> 20;
        c = alphabet.empty() ? static_cast<char>(draw) : alphabet[draw % alphabet.size()];
    }
    return out;
}

}  // namespace test
