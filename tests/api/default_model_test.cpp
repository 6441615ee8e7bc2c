// The model that is built into the programs, pinned bit for bit: greedy text and a digest of all logits on the way, for
// every level of kernels. tests/golden/expected_stories.json holds what must come out; it was written by this test
// (BITNET_WRITE_GOLDEN=1) and is checked by an independent program (tests/golden/check_default_model.py).
#include <doctest/doctest.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "examples/stories/default_model.h"
#include "tests/support/api_fixture.h"

namespace {

constexpr int kGreedyTokens = 120;
const char* const kPrompts[] = {"Once upon a time", "Lily and Tom went to the park.",
                                "The little dragon was sad because"};

std::filesystem::path expected_path() { return test::golden_dir() / "expected_stories.json"; }

test::ModelHandle load_default(const test::ModelTweak& tweak = {}) {
    size_t size = 0;
    const void* bytes = default_model_bytes(&size);
    REQUIRE(bytes != nullptr);
    const bitnet_model_params params = test::model_params(tweak);
    bitnet_model* model = nullptr;
    test::must(bitnet_model_load_from_memory(bytes, size, &params, &model));
    return test::ModelHandle(model);
}

// FNV-1a over the bytes of every logit, as hexadecimal text.
class Digest {
public:
    void add(const test::Logits& logits) {
        for (const float logit : logits) {
            uint32_t bits = 0;
            std::memcpy(&bits, &logit, sizeof bits);
            for (int shift = 0; shift < 32; shift += 8) state_ = (state_ ^ ((bits >> shift) & 0xff)) * 1099511628211u;
        }
    }
    std::string text() const {
        char hex[17];
        std::snprintf(hex, sizeof hex, "%016llx", static_cast<unsigned long long>(state_));
        return hex;
    }

private:
    uint64_t state_ = 14695981039346656037u;
};

test::Tokens encode(const bitnet_tokenizer* tokenizer, const std::string& text) {
    test::Tokens tokens(text.size() + 2);
    size_t n = 0;
    test::must(bitnet_tokenizer_encode(tokenizer, text.data(), text.size(), BITNET_ENCODE_ADD_DEFAULT, tokens.data(),
                                       tokens.size(), &n));
    tokens.resize(n);
    return tokens;
}

std::string decode_text(const bitnet_tokenizer* tokenizer, const test::Tokens& tokens) {
    std::string text(64 * tokens.size() + 1, '\0');
    size_t n = 0;
    test::must(bitnet_tokenizer_decode(tokenizer, tokens.data(), tokens.size(), 0, text.data(), text.size(), &n));
    text.resize(n);
    return text;
}

// What the model makes of a prompt: ids, greedy ids, their text, the digest of the logits of every step.
nlohmann::ordered_json continuation(const test::ModelHandle& model, const std::string& prompt,
                                    const test::ContextTweak& tweak = {}) {
    const bitnet_tokenizer* tokenizer = bitnet_model_get_tokenizer(model.get());
    REQUIRE(tokenizer != nullptr);
    const test::Tokens ids = encode(tokenizer, prompt);
    const test::ContextHandle context = test::make_context(model, tweak);
    test::decode(context, ids);
    test::Tokens greedy;
    Digest digest;
    for (int i = 0; i < kGreedyTokens; ++i) {
        const test::Logits logits = test::copy_logits(context, model);
        digest.add(logits);
        const bitnet_token token = test::argmax(logits);
        if (bitnet_tokenizer_is_end(tokenizer, token) != 0) break;
        greedy.push_back(token);
        test::decode(context, {token});
    }
    return {{"prompt", prompt},
            {"ids", ids},
            {"greedy", greedy},
            {"text", decode_text(tokenizer, greedy)},
            {"logits_digest", digest.text()}};
}

nlohmann::ordered_json continuations(const test::ModelHandle& model, const test::ContextTweak& tweak = {}) {
    nlohmann::ordered_json all = nlohmann::ordered_json::array();
    for (const char* prompt : kPrompts) all.push_back(continuation(model, prompt, tweak));
    return all;
}

nlohmann::ordered_json expected_prompts() {
    std::ifstream in(expected_path());
    REQUIRE(in.good());
    return nlohmann::ordered_json::parse(in).at("prompts");
}

}  // namespace

TEST_CASE("the default model's greedy text and logits are the pinned ones, for every level of kernels") {
    if (const char* write = std::getenv("BITNET_WRITE_GOLDEN"); write != nullptr && std::string(write) == "1") {
        nlohmann::ordered_json all;
        if (std::ifstream in(expected_path()); in.good()) all = nlohmann::ordered_json::parse(in);
        all["prompts"] = continuations(load_default());
        std::ofstream(expected_path()) << all.dump(1) << "\n";
    }
    const nlohmann::ordered_json expected = expected_prompts();
    for (const std::string& level : test::runnable_levels()) {
        CAPTURE(level);
        const test::ModelHandle model = load_default([&](bitnet_model_params& p) { p.kernel = level.c_str(); });
        const nlohmann::ordered_json found = continuations(model);
        INFO(found.dump(1));
        CHECK(found == expected);
    }
}

TEST_CASE("threads and micro-batches do not change a bit of the default model's logits") {
    const nlohmann::ordered_json expected = expected_prompts();
    const test::ModelHandle model = load_default();
    for (const int32_t n_threads : {1, 2}) {
        for (const int32_t n_ubatch : {1, 512}) {
            CAPTURE(n_threads);
            CAPTURE(n_ubatch);
            CHECK(continuation(model, kPrompts[0], [&](bitnet_context_params& p) {
                      p.n_threads = n_threads;
                      p.n_ubatch = n_ubatch;
                  }) == expected.at(0));
        }
    }
}

TEST_CASE("the default model is a BitNet b1.58 model of the flagship's architecture, used where it lies") {
    size_t size = 0;
    const void* bytes = default_model_bytes(&size);
    REQUIRE(bytes != nullptr);
    CHECK(reinterpret_cast<uintptr_t>(bytes) % 64 == 0);
    CHECK(size <= 8u << 20);
    CHECK(std::memcmp(bytes, "GGUF", 4) == 0);

    const test::ModelHandle model = load_default();
    const bitnet_model_info info = test::info_of(model);
    CHECK(std::string(info.architecture) == "bitnet-b1.58");
    CHECK(std::string(info.quantization) == "i2_s");
    CHECK(info.n_ctx_train >= 512);
    CHECK(info.n_head_kv < info.n_head);
    bool has_output = false;
    for (size_t i = 0; i < bitnet_model_get_tensor_count(model.get()); ++i) {
        bitnet_tensor_info tensor = {};
        tensor.struct_size = sizeof tensor;
        test::must(bitnet_model_get_tensor(model.get(), i, &tensor));
        has_output = has_output || std::string(tensor.name) == "output.weight";
        if (std::string(tensor.name) == "token_embd.weight") CHECK(std::string(tensor.type) == "f16");
    }
    CHECK_FALSE(has_output);  // the embedding is the head
    bitnet_tokenizer_info tokenizer = {};
    tokenizer.struct_size = sizeof tokenizer;
    test::must(bitnet_tokenizer_get_info(bitnet_model_get_tokenizer(model.get()), &tokenizer));
    CHECK(std::string(tokenizer.model) == "bpe");
    CHECK(std::string(tokenizer.pre) == "llama-bpe");
    CHECK(tokenizer.add_bos == 1);

    // Weights stay in the program's own pages: next to nothing is copied.
    const test::ContextHandle context = test::make_context(model);
    bitnet_memory_info memory = {};
    memory.struct_size = sizeof memory;
    test::must(bitnet_context_get_memory(context.get(), &memory));
    CHECK(memory.weights_mapped_bytes > size / 2);
    CHECK(memory.weights_owned_bytes < size / 8);
}

TEST_CASE("two models over the same built-in bytes live and die apart") {
    test::ModelHandle first = load_default();
    const test::ModelHandle second = load_default();
    const nlohmann::ordered_json expected = expected_prompts().at(0);
    CHECK(continuation(first, kPrompts[0]) == expected);
    first.reset();
    CHECK(continuation(second, kPrompts[0]) == expected);
}
