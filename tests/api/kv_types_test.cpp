// Contexts that keep keys and values as Q8_0 or Q4_0: results have the same bits on every level, thread count and batch,
// stay near those of F16, and saved states know their types.
#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "tests/support/api_fixture.h"

namespace {

constexpr int32_t kTypes[] = {BITNET_KV_F16, BITNET_KV_Q8_0, BITNET_KV_Q4_0};

test::Tokens some_tokens(int n) {
    test::Tokens tokens;
    for (int i = 0; i < n; ++i) tokens.push_back((i * 13 + 3) % 267);
    return tokens;
}

test::ContextTweak types(int32_t k, int32_t v) {
    return [=](bitnet_context_params& p) {
        p.type_k = k;
        p.type_v = v;
    };
}

bitnet_status create_status(const test::ModelHandle& model, const test::ContextTweak& tweak) {
    bitnet_context_params params = bitnet_context_default_params();
    tweak(params);
    bitnet_context* context = nullptr;
    const bitnet_status status = bitnet_context_create(model.get(), &params, &context);
    CHECK((context == nullptr) == (status != BITNET_OK));
    bitnet_context_free(context);
    return status;
}

std::vector<uint8_t> save(const test::ContextHandle& context) {
    size_t size = 0;
    CHECK(bitnet_sequence_save(context.get(), 0, nullptr, 0, &size) == BITNET_E_BUFFER_TOO_SMALL);
    std::vector<uint8_t> bytes(size);
    test::must(bitnet_sequence_save(context.get(), 0, bytes.data(), size, &size));
    return bytes;
}

// How far b is from a, as a part of a's length.
double distance(const test::Logits& a, const test::Logits& b) {
    double apart = 0, length = 0;
    for (size_t i = 0; i < a.size(); ++i) {
        apart += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
        length += static_cast<double>(a[i]) * a[i];
    }
    return std::sqrt(apart / length);
}

}  // namespace

TEST_CASE(
    "quantised keys and values give the same bits on every level, in every batch, token by token and on any threads") {
    for (const char* name : {"b158-i2s", "qwen3-i2s"}) {
        const test::Tokens tokens = some_tokens(50);
        for (const int32_t k : kTypes) {
            for (const int32_t v : kTypes) {
                CAPTURE(std::string(name));
                CAPTURE(k);
                CAPTURE(v);
                test::Logits first;
                for (const std::string& level : test::runnable_levels()) {
                    const test::ModelHandle model = test::load_model(
                        test::golden_model(name), [&](bitnet_model_params& p) { p.kernel = level.c_str(); });
                    for (const int32_t n_ubatch : {1, 7, 64}) {
                        for (const int32_t n_threads : {1, 3}) {
                            const test::Logits logits =
                                test::fresh_logits(model, tokens, [&](bitnet_context_params& p) {
                                    types(k, v)(p);
                                    p.n_ubatch = n_ubatch;
                                    p.n_threads = n_threads;
                                });
                            if (first.empty()) first = logits;
                            CHECK(test::same_bits(logits, first));
                        }
                    }
                    const test::ContextHandle one_by_one = test::make_context(model, types(k, v));
                    for (const bitnet_token token : tokens) test::decode(one_by_one, {token});
                    CHECK(test::same_bits(test::copy_logits(one_by_one, model), first));
                }
                const test::ModelHandle model = test::load_model(test::golden_model(name));
                const test::Logits exact = test::fresh_logits(model, tokens);
                CHECK(test::same_bits(first, exact) == (k == BITNET_KV_F16 && v == BITNET_KV_F16));
                const bool four_bits = k == BITNET_KV_Q4_0 || v == BITNET_KV_Q4_0;
                CHECK(distance(exact, first) < (four_bits ? 0.5 : 0.1));
            }
        }
    }
}

TEST_CASE("quantised caches are as small as their types say, in estimates too") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));  // heads of 32 numbers
    const auto kv_bytes = [&](int32_t k, int32_t v) {
        bitnet_context_params params = bitnet_context_default_params();
        types(k, v)(params);
        bitnet_memory_estimate estimate = {};
        estimate.struct_size = sizeof estimate;
        test::must(bitnet_model_estimate_memory(model.get(), &params, &estimate));
        return static_cast<int64_t>(estimate.kv_bytes);
    };
    const int64_t all = kv_bytes(BITNET_KV_F16, BITNET_KV_F16);
    const int64_t less = all - kv_bytes(BITNET_KV_Q8_0, BITNET_KV_F16);
    CHECK(less > 0);
    CHECK(all - kv_bytes(BITNET_KV_F16, BITNET_KV_Q8_0) == less);
    CHECK(all - kv_bytes(BITNET_KV_Q8_0, BITNET_KV_Q8_0) == 2 * less);
    // 64 bytes a head become 34 and 18.
    CHECK((all - kv_bytes(BITNET_KV_Q4_0, BITNET_KV_F16)) * 30 == less * 46);
}

TEST_CASE("a saved sequence with quantised keys and values comes back, and only into a context of its types") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    for (const int32_t k : kTypes) {
        for (const int32_t v : kTypes) {
            const test::ContextHandle from = test::make_context(model, types(k, v));
            test::decode(from, some_tokens(20));
            const std::vector<uint8_t> state = save(from);
            test::decode(from, {11});
            const test::Logits expected = test::copy_logits(from, model);
            for (const int32_t to_k : kTypes) {
                for (const int32_t to_v : kTypes) {
                    const test::ContextHandle to = test::make_context(model, types(to_k, to_v));
                    test::decode(to, some_tokens(3));
                    const bitnet_status status = bitnet_sequence_load(to.get(), 0, state.data(), state.size());
                    if (to_k == k && to_v == v) {
                        test::must(status);
                        test::decode(to, {11});
                        CHECK(test::same_bits(test::copy_logits(to, model), expected));
                    } else {
                        CHECK(test::name_of(status) == "BITNET_E_STATE");
                        CHECK(test::last_error().find(" keys and ") != std::string::npos);
                        CHECK(bitnet_sequence_get_end(to.get(), 0) == 3);
                    }
                }
            }
        }
    }
}

TEST_CASE("types that do not exist, and heads that are not whole blocks, are refused") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    for (const int32_t type : {-1, 3, 0x7fffffff}) {
        CHECK(test::name_of(create_status(model, types(type, BITNET_KV_F16))) == "BITNET_E_CONFIG");
        CHECK(test::last_error().find("type_k") != std::string::npos);
        CHECK(test::name_of(create_status(model, types(BITNET_KV_F16, type))) == "BITNET_E_CONFIG");
        CHECK(test::last_error().find("type_v") != std::string::npos);
    }
    const test::ModelHandle narrow = test::load_model(test::golden_model("llama-mix"));  // heads of 24 numbers
    CHECK(create_status(narrow, types(BITNET_KV_F16, BITNET_KV_F16)) == BITNET_OK);
    for (const int32_t type : {BITNET_KV_Q8_0, BITNET_KV_Q4_0}) {
        CHECK(test::name_of(create_status(narrow, types(type, BITNET_KV_F16))) == "BITNET_E_CONFIG");
        CHECK(test::last_error().find("24") != std::string::npos);
        CHECK(test::name_of(create_status(narrow, types(BITNET_KV_F16, type))) == "BITNET_E_CONFIG");
    }
}
