// Handles of bitnet.h that free themselves, and the few calls nearly every test of the interface makes. Includes
// bitnet.h alone: the tests that use it see the library as its users do.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bitnet.h"
#include "tests/support/test_data.h"

namespace test {

struct FreeHandle {
    void operator()(bitnet_model* model) const { bitnet_model_free(model); }
    void operator()(bitnet_context* context) const { bitnet_context_free(context); }
    void operator()(bitnet_sampler* sampler) const { bitnet_sampler_free(sampler); }
    void operator()(bitnet_tokenizer* tokenizer) const { bitnet_tokenizer_free(tokenizer); }
};
using ModelHandle = std::unique_ptr<bitnet_model, FreeHandle>;
using ContextHandle = std::unique_ptr<bitnet_context, FreeHandle>;
using SamplerHandle = std::unique_ptr<bitnet_sampler, FreeHandle>;
using TokenizerHandle = std::unique_ptr<bitnet_tokenizer, FreeHandle>;

using Tokens = std::vector<bitnet_token>;
using Logits = std::vector<float>;

// The message of the last failure; every failure must have one line of it.
inline std::string last_error() {
    const std::string message = bitnet_last_error();
    CHECK(!message.empty());
    CHECK(message.find('\n') == std::string::npos);
    return message;
}

inline void must(bitnet_status status) {
    INFO(std::string(bitnet_last_error()));
    REQUIRE(std::string(bitnet_status_name(status)) == "BITNET_OK");
}

// A status as its name, so that a failing check can be read.
inline std::string name_of(bitnet_status status) { return bitnet_status_name(status); }

using ModelTweak = std::function<void(bitnet_model_params&)>;
using ContextTweak = std::function<void(bitnet_context_params&)>;

// Where tests load models that do not say it themselves. Null is the library's choice; tests/gpu runs many of them once more
// on a GPU that the CPU plays.
inline const char*& device_of_tests() {
    static const char* device = nullptr;
    return device;
}

inline bitnet_model_params model_params(const ModelTweak& tweak = {}) {
    bitnet_model_params params = bitnet_model_default_params();
    params.device = device_of_tests();
    if (tweak) tweak(params);
    if (params.kernel != nullptr && params.device == device_of_tests()) params.device = nullptr;  // it names one of the CPU's
    return params;
}

inline ModelHandle load_model(const std::string& path, const ModelTweak& tweak = {}) {
    const bitnet_model_params params = model_params(tweak);
    bitnet_model* model = nullptr;
    must(bitnet_model_load(path.c_str(), &params, &model));
    return ModelHandle(model);
}

inline ModelHandle load_model(const std::vector<uint8_t>& bytes, const ModelTweak& tweak = {}) {
    const bitnet_model_params params = model_params(tweak);
    bitnet_model* model = nullptr;
    must(bitnet_model_load_from_memory(bytes.data(), bytes.size(), &params, &model));
    return ModelHandle(model);
}

// The status of a load that should fail; a model that comes nevertheless is freed and fails the test.
inline bitnet_status load_status(const std::vector<uint8_t>& bytes, const ModelTweak& tweak = {}) {
    const bitnet_model_params params = model_params(tweak);
    bitnet_model* model = nullptr;
    const bitnet_status status = bitnet_model_load_from_memory(bytes.data(), bytes.size(), &params, &model);
    CHECK((model == nullptr) == (status != BITNET_OK));
    bitnet_model_free(model);
    return status;
}

inline ContextHandle make_context(const ModelHandle& model, const ContextTweak& tweak = {}) {
    bitnet_context_params params = bitnet_context_default_params();
    if (tweak) tweak(params);
    bitnet_context* context = nullptr;
    must(bitnet_context_create(model.get(), &params, &context));
    return ContextHandle(context);
}

inline bitnet_model_info info_of(const ModelHandle& model) {
    bitnet_model_info info = {};
    info.struct_size = sizeof info;
    must(bitnet_model_get_info(model.get(), &info));
    return info;
}

inline void decode(const ContextHandle& context, const Tokens& tokens, bitnet_seq_id seq = 0) {
    must(bitnet_context_decode_tokens(context.get(), seq, tokens.data(), tokens.size()));
}

inline const float* logits_at(const ContextHandle& context, int32_t index) {
    const float* logits = nullptr;
    must(bitnet_context_get_logits(context.get(), index, &logits));
    return logits;
}

inline Logits copy_logits(const ContextHandle& context, const ModelHandle& model, int32_t index = -1) {
    const float* logits = logits_at(context, index);
    return Logits(logits, logits + info_of(model).n_vocab);
}

// The last logits of the tokens in a context of their own: what every cleverer way must equal.
inline Logits fresh_logits(const ModelHandle& model, const Tokens& tokens, const ContextTweak& tweak = {}) {
    const ContextHandle context = make_context(model, tweak);
    decode(context, tokens);
    return copy_logits(context, model);
}

inline bool same_bits(const Logits& a, const Logits& b) {
    return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

inline bitnet_token argmax(const Logits& logits) {
    size_t best = 0;
    for (size_t i = 1; i < logits.size(); ++i) {
        if (logits[i] > logits[best]) best = i;
    }
    return static_cast<bitnet_token>(best);
}

// A decode of chosen tokens with everything explicit.
struct BatchArrays {
    Tokens tokens;
    std::vector<bitnet_pos> positions;
    std::vector<bitnet_seq_id> seq_ids;
    std::vector<int8_t> want_output;

    void add(bitnet_token token, bitnet_seq_id seq, bool wanted) {
        tokens.push_back(token);
        seq_ids.push_back(seq);
        want_output.push_back(wanted ? 1 : 0);
    }
    bitnet_batch view() const {
        bitnet_batch batch = {};
        batch.struct_size = sizeof batch;
        batch.n_tokens = static_cast<int32_t>(tokens.size());
        batch.tokens = tokens.data();
        batch.positions = positions.empty() ? nullptr : positions.data();
        batch.seq_ids = seq_ids.empty() ? nullptr : seq_ids.data();
        batch.want_output = want_output.empty() ? nullptr : want_output.data();
        return batch;
    }
};

// The levels of kernels that this CPU can run, from the library's own list.
inline std::vector<std::string> runnable_levels() {
    std::vector<std::string> levels;
    for (size_t i = 0; i < bitnet_kernel_get_count(); ++i) {
        bitnet_kernel_info info = {};
        info.struct_size = sizeof info;
        must(bitnet_kernel_get_info(i, &info));
        bool known = info.runnable == 0;
        for (const std::string& level : levels) known = known || level == info.level;
        if (!known) levels.push_back(info.level);
    }
    return levels;
}

inline std::filesystem::path golden_dir() {
    return std::filesystem::path(__FILE__).parent_path().parent_path() / "golden";
}
inline std::string golden_model(const std::string& name) { return (golden_dir() / (name + ".gguf")).string(); }

constexpr const char* kStories3m = "models/stories3m-i2_s.gguf";

}  // namespace test
