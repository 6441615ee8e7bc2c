// The promise of the header on a trained model: the same bits on every level of kernels, with any number of threads and
// any micro-batch, node by node as the trace shows them, and whatever floating-point state the host is in.
#include <doctest/doctest.h>

#include <cfenv>
#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/support/api_fixture.h"

namespace {

test::Tokens prompt_of(int n) {
    test::Tokens tokens;
    for (int i = 0; i < n; ++i) tokens.push_back(1 + (i * 37 + 11) % 500);
    return tokens;
}

uint64_t fnv1a(const test::Logits& logits) {
    uint64_t hash = 14695981039346656037ull;
    const unsigned char* bytes = reinterpret_cast<const unsigned char*>(logits.data());
    for (size_t i = 0; i < logits.size() * sizeof(float); ++i) hash = (hash ^ bytes[i]) * 1099511628211ull;
    return hash;
}

std::string hex(uint64_t value) {
    static const char kDigits[] = "0123456789abcdef";
    std::string text(16, '0');
    for (size_t i = 0; i < 16; ++i) text[15 - i] = kDigits[(value >> (4 * i)) & 15];
    return text;
}

nlohmann::json trace_of(const test::ContextHandle& context) {
    size_t size = 0;
    CHECK(bitnet_context_get_trace(context.get(), nullptr, 0, &size) == BITNET_E_BUFFER_TOO_SMALL);
    std::string text(size + 1, '?');
    CHECK(bitnet_context_get_trace(context.get(), text.data(), size, &size) == BITNET_E_BUFFER_TOO_SMALL);
    CHECK(text == std::string(size + 1, '?'));
    test::must(bitnet_context_get_trace(context.get(), text.data(), text.size(), &size));
    CHECK(text[size] == '\0');
    text.resize(size);
    return nlohmann::json::parse(text);
}

}  // namespace

TEST_CASE("a trained model gives the same logits on every level, with any threads and any micro-batch") {
    if (!test::have_data(test::kStories3m)) return;
    const std::string path = (test::data_dir() / test::kStories3m).string();
    const test::Tokens tokens = prompt_of(20);
    const test::Logits expected = test::fresh_logits(test::load_model(path), tokens);
    for (const std::string& level : test::runnable_levels()) {
        CAPTURE(level);
        const test::ModelHandle mapped =
            test::load_model(path, [&](bitnet_model_params& p) { p.kernel = level.c_str(); });
        const test::ModelHandle copied = test::load_model(path, [&](bitnet_model_params& p) {
            p.kernel = level.c_str();
            p.use_mmap = 0;
        });
        for (const int32_t n_threads : {1, 2}) {
            for (const int32_t n_ubatch : {6, 512}) {
                for (const test::ModelHandle& model : {std::cref(mapped), std::cref(copied)}) {
                    CHECK(hex(fnv1a(test::fresh_logits(model, tokens, [&](bitnet_context_params& p) {
                              p.n_threads = n_threads;
                              p.n_ubatch = n_ubatch;
                          }))) == hex(fnv1a(expected)));
                }
            }
        }
    }
}

TEST_CASE("every node of the trace has the same checksum on every level and with any number of threads") {
    if (!test::have_data(test::kStories3m)) return;
    const std::string path = (test::data_dir() / test::kStories3m).string();
    nlohmann::json first;
    for (const std::string& level : test::runnable_levels()) {
        const test::ModelHandle model =
            test::load_model(path, [&](bitnet_model_params& p) { p.kernel = level.c_str(); });
        for (const int32_t n_threads : {1, 2}) {
            CAPTURE(level);
            CAPTURE(n_threads);
            const test::ContextHandle context = test::make_context(model, [&](bitnet_context_params& p) {
                p.n_threads = n_threads;
                p.trace = 1;
            });
            CHECK(trace_of(context) == nlohmann::json::array());
            test::decode(context, prompt_of(9));
            nlohmann::json trace = trace_of(context);
            REQUIRE(trace.is_array());
            REQUIRE(trace.size() > 10);
            CHECK(trace.back().at("name") == "logits");
            CHECK(trace.back().at("rows") == 1);
            CHECK(trace.back().at("checksum") == hex(fnv1a(test::copy_logits(context, model))));
            for (nlohmann::json& row : trace) {
                CHECK(row.size() == 6);
                CHECK(row.at("kernel").get<std::string>().size() > 3);
                CHECK(row.at("us").is_number_unsigned());
                // Which kernel ran and how activations were packed for it is a level's own affair.
                row.erase("kernel");
                row.erase("us");
                if (row.at("op") == "pack_acts") row.erase("name");
            }
            if (first.is_null()) first = trace;
            CHECK(trace == first);
        }
    }
}

TEST_CASE("a trace tells about the last decode only, and nothing after a failed or cancelled one") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    struct Abort {
        int left = -1;
        static int32_t poll(void* self) { return static_cast<Abort*>(self)->left-- == 0 ? 1 : 0; }
    } abort;
    const test::ContextHandle context = test::make_context(model, [&](bitnet_context_params& p) {
        p.trace = 1;
        p.n_ctx = 8;
        p.should_abort = Abort::poll;
        p.abort_user_data = &abort;
    });
    const test::Tokens tokens = {1, 2, 3};
    for (const int polls : {0, 1, 5, 20}) {
        abort.left = polls;
        CHECK(test::name_of(bitnet_context_decode_tokens(context.get(), 0, tokens.data(), 3)) == "BITNET_E_CANCELLED");
        CHECK(trace_of(context) == nlohmann::json::array());
    }
    abort.left = -1;
    test::decode(context, tokens);
    CHECK(trace_of(context).front().at("rows") == 3);
    test::decode(context, {4});
    CHECK(trace_of(context).front().at("rows") == 1);
    const test::Tokens many(6, 1);
    CHECK(test::name_of(bitnet_context_decode_tokens(context.get(), 0, many.data(), 6)) == "BITNET_E_KV_FULL");
    CHECK(trace_of(context) == nlohmann::json::array());
}

TEST_CASE("a context without a trace says how to get one") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const test::ContextHandle context = test::make_context(model);
    test::decode(context, {1});
    size_t size = 0;
    CHECK(test::name_of(bitnet_context_get_trace(context.get(), nullptr, 0, &size)) == "BITNET_E_STATE");
    CHECK(test::last_error().find("trace") != std::string::npos);
}

TEST_CASE("the host's rounding mode changes no logit, no embedding and no sample, and stays as it was") {
    std::vector<test::Logits> logits;
    std::vector<test::Tokens> samples;
    std::vector<std::vector<float>> embeddings;
    for (const int mode : {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
        REQUIRE(std::fesetround(mode) == 0);
        const test::ModelHandle model = test::load_model(test::golden_model("llama-q8"));
        const test::ContextHandle context =
            test::make_context(model, [](bitnet_context_params& p) { p.embeddings = 1; });
        bitnet_sampler_params params = bitnet_sampler_default_params();
        params.has_seed = 1;
        params.seed = 7;
        params.temperature = 3.0f;
        bitnet_sampler* sampler = nullptr;
        const bool created = bitnet_sampler_create(&params, &sampler) == BITNET_OK;
        const test::SamplerHandle owner(sampler);
        test::Tokens tokens = {5}, drawn;
        for (int i = 0; created && i < 20; ++i) {
            bitnet_token next = 0;
            bitnet_context_decode_tokens(context.get(), 0, tokens.data(), 1);
            bitnet_sampler_sample_context(sampler, context.get(), -1, &next);
            drawn.push_back(next);
            tokens[0] = next;
        }
        std::vector<float> embedding(static_cast<size_t>(test::info_of(model).n_embd));
        bitnet_context_get_embedding(context.get(), -1, 1, embedding.data(), embedding.size());
        const bool kept = std::fegetround() == mode;
        std::fesetround(FE_TONEAREST);
        CHECK(kept);
        REQUIRE(created);
        logits.push_back(test::copy_logits(context, model));
        samples.push_back(drawn);
        embeddings.push_back(embedding);
    }
    for (size_t i = 1; i < logits.size(); ++i) {
        CAPTURE(i);
        CHECK(samples[i] == samples[0]);
        CHECK(test::same_bits(logits[i], logits[0]));
        CHECK(test::same_bits(embeddings[i], embeddings[0]));
    }
}
