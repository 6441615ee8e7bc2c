// NULL for every pointer, wrong sizes of structs, batches that make no sense: each call answers with its status and one
// line of explanation, and never with a crash.
#include <doctest/doctest.h>

#include <cstddef>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "tests/support/api_fixture.h"

namespace {

constexpr const char* kModel = "b158-i2s";

}  // namespace

TEST_CASE("NULL in place of a pointer that is needed is BITNET_E_ARGUMENT") {
    const test::ModelHandle owner = test::load_model(test::golden_model(kModel));
    const test::ContextHandle context_owner =
        test::make_context(owner, [](bitnet_context_params& p) { p.embeddings = 1; });
    bitnet_model* model = owner.get();
    bitnet_context* context = context_owner.get();
    const bitnet_tokenizer* tokenizer = bitnet_model_get_tokenizer(model);
    bitnet_sampler* sampler = nullptr;
    test::must(bitnet_sampler_create(nullptr, &sampler));
    const test::SamplerHandle sampler_owner(sampler);
    test::decode(context_owner, {1});
    const float* logits = test::logits_at(context_owner, -1);

    bitnet_model* out_model = nullptr;
    bitnet_context* out_context = nullptr;
    bitnet_token token = 1;
    size_t n = 0;
    float row[512];
    const float* out_logits = nullptr;
    const char* piece = nullptr;
    bitnet_reader no_callback = {};
    no_callback.struct_size = sizeof no_callback;
    no_callback.size = 100;
    bitnet_batch no_tokens = {}, negative = {};
    no_tokens.struct_size = negative.struct_size = sizeof no_tokens;
    no_tokens.n_tokens = 1;
    negative.n_tokens = -1;
    negative.tokens = &token;
    bitnet_sampler_params no_bias = bitnet_sampler_default_params();
    no_bias.n_logit_bias = 1;
    const bitnet_chat_message message = {nullptr, "x"}, message2 = {"user", nullptr};

    const struct {
        const char* what;
        std::function<bitnet_status()> call;
    } rows[] = {
        {"load: path", [&] { return bitnet_model_load(nullptr, nullptr, &out_model); }},
        {"load: out", [&] { return bitnet_model_load("x", nullptr, nullptr); }},
        {"load_from_memory: data", [&] { return bitnet_model_load_from_memory(nullptr, 10, nullptr, &out_model); }},
        {"load_from_memory: out", [&] { return bitnet_model_load_from_memory("x", 1, nullptr, nullptr); }},
        {"load_from_fd: out", [&] { return bitnet_model_load_from_fd(0, 0, 0, nullptr, nullptr); }},
        {"load_from_fd: not open", [&] { return bitnet_model_load_from_fd(-1, 0, 0, nullptr, &out_model); }},
        {"load_from_reader: reader", [&] { return bitnet_model_load_from_reader(nullptr, nullptr, &out_model); }},
        {"load_from_reader: callback",
         [&] { return bitnet_model_load_from_reader(&no_callback, nullptr, &out_model); }},
        {"model info: model",
         [&] {
             bitnet_model_info i = {};
             i.struct_size = sizeof i;
             return bitnet_model_get_info(nullptr, &i);
         }},
        {"model info: out", [&] { return bitnet_model_get_info(model, nullptr); }},
        {"metadata key: model", [&] { return bitnet_model_get_metadata_key(nullptr, 0, nullptr, 0, &n); }},
        {"metadata: model", [&] { return bitnet_model_get_metadata(nullptr, "x", nullptr, 0, &n); }},
        {"metadata: key", [&] { return bitnet_model_get_metadata(model, nullptr, nullptr, 0, &n); }},
        {"metadata: buffer", [&] { return bitnet_model_get_metadata(model, "general.name", nullptr, 1000, &n); }},
        {"tokenizer load: path",
         [&] {
             bitnet_tokenizer* t = nullptr;
             return bitnet_tokenizer_load(nullptr, &t);
         }},
        {"tokenizer load: out", [&] { return bitnet_tokenizer_load("x", nullptr); }},
        {"encode: tokenizer", [&] { return bitnet_tokenizer_encode(nullptr, "x", 1, 0, &token, 1, &n); }},
        {"encode: text", [&] { return bitnet_tokenizer_encode(tokenizer, nullptr, 1, 0, &token, 1, &n); }},
        {"encode: tokens", [&] { return bitnet_tokenizer_encode(tokenizer, "x", 1, 0, nullptr, 10, &n); }},
        {"decode text: tokenizer", [&] { return bitnet_tokenizer_decode(nullptr, &token, 1, 0, nullptr, 0, &n); }},
        {"decode text: tokens", [&] { return bitnet_tokenizer_decode(tokenizer, nullptr, 1, 0, nullptr, 0, &n); }},
        {"piece: tokenizer", [&] { return bitnet_tokenizer_get_piece(nullptr, 0, &piece, &n); }},
        {"piece: out", [&] { return bitnet_tokenizer_get_piece(tokenizer, 0, nullptr, &n); }},
        {"token: piece", [&] { return bitnet_tokenizer_get_token(tokenizer, nullptr, 1, &token); }},
        {"token: out", [&] { return bitnet_tokenizer_get_token(tokenizer, "a", 1, nullptr); }},
        {"tokenizer info: out", [&] { return bitnet_tokenizer_get_info(tokenizer, nullptr); }},
        {"chat: messages",
         [&] { return bitnet_tokenizer_encode_chat(tokenizer, "chatml", nullptr, 1, 0, nullptr, 0, &n); }},
        {"chat: role",
         [&] { return bitnet_tokenizer_encode_chat(tokenizer, "chatml", &message, 1, 0, nullptr, 0, &n); }},
        {"chat: content",
         [&] { return bitnet_tokenizer_encode_chat(tokenizer, "chatml", &message2, 1, 0, nullptr, 0, &n); }},
        {"context: model", [&] { return bitnet_context_create(nullptr, nullptr, &out_context); }},
        {"context: out", [&] { return bitnet_context_create(model, nullptr, nullptr); }},
        {"memory: context",
         [&] {
             bitnet_memory_info i = {};
             i.struct_size = sizeof i;
             return bitnet_context_get_memory(nullptr, &i);
         }},
        {"memory: out", [&] { return bitnet_context_get_memory(context, nullptr); }},
        {"decode: context", [&] { return bitnet_context_decode(nullptr, &negative); }},
        {"decode: batch", [&] { return bitnet_context_decode(context, nullptr); }},
        {"decode: tokens", [&] { return bitnet_context_decode(context, &no_tokens); }},
        {"decode: negative count", [&] { return bitnet_context_decode(context, &negative); }},
        {"decode_tokens: context", [&] { return bitnet_context_decode_tokens(nullptr, 0, &token, 1); }},
        {"decode_tokens: tokens", [&] { return bitnet_context_decode_tokens(context, 0, nullptr, 1); }},
        {"decode_tokens: absurd count", [&] { return bitnet_context_decode_tokens(context, 0, &token, SIZE_MAX); }},
        {"logits: context", [&] { return bitnet_context_get_logits(nullptr, 0, &out_logits); }},
        {"logits: out", [&] { return bitnet_context_get_logits(context, 0, nullptr); }},
        {"embedding: context", [&] { return bitnet_context_get_embedding(nullptr, 0, 0, row, 512); }},
        {"embedding: out", [&] { return bitnet_context_get_embedding(context, 0, 0, nullptr, 512); }},
        {"pooled: out",
         [&] { return bitnet_context_get_sequence_embedding(context, 0, BITNET_POOLING_MEAN, 0, nullptr, 512); }},
        {"remove: context", [&] { return bitnet_sequence_remove(nullptr, 0, 0, 0); }},
        {"copy: context", [&] { return bitnet_sequence_copy(nullptr, 0, 0, 0, 0); }},
        {"keep: context", [&] { return bitnet_sequence_keep(nullptr, 0); }},
        {"save: context", [&] { return bitnet_sequence_save(nullptr, 0, nullptr, 0, &n); }},
        {"save: buffer", [&] { return bitnet_sequence_save(context, 0, nullptr, 1 << 30, &n); }},
        {"load: context", [&] { return bitnet_sequence_load(nullptr, 0, row, 10); }},
        {"load: data", [&] { return bitnet_sequence_load(context, 0, nullptr, 10); }},
        {"sampler: out", [&] { return bitnet_sampler_create(nullptr, nullptr); }},
        {"sampler: bias",
         [&] {
             bitnet_sampler* s = nullptr;
             return bitnet_sampler_create(&no_bias, &s);
         }},
        {"sample: sampler", [&] { return bitnet_sampler_sample(nullptr, logits, 267, &token); }},
        {"sample: logits", [&] { return bitnet_sampler_sample(sampler, nullptr, 267, &token); }},
        {"sample: out", [&] { return bitnet_sampler_sample(sampler, logits, 267, nullptr); }},
        {"sample: no logits", [&] { return bitnet_sampler_sample(sampler, logits, 0, &token); }},
        {"sample_context: sampler", [&] { return bitnet_sampler_sample_context(nullptr, context, -1, &token); }},
        {"sample_context: context", [&] { return bitnet_sampler_sample_context(sampler, nullptr, -1, &token); }},
        {"sample_context: out", [&] { return bitnet_sampler_sample_context(sampler, context, -1, nullptr); }},
        {"accept: sampler", [&] { return bitnet_sampler_accept(nullptr, 1); }},
        {"reset: sampler", [&] { return bitnet_sampler_reset(nullptr); }},
        {"probabilities: sampler", [&] { return bitnet_sampler_get_probabilities(nullptr, logits, 267, row); }},
        {"probabilities: logits", [&] { return bitnet_sampler_get_probabilities(sampler, nullptr, 267, row); }},
        {"probabilities: out", [&] { return bitnet_sampler_get_probabilities(sampler, logits, 267, nullptr); }},
        {"metrics: context",
         [&] {
             bitnet_metrics m = {};
             m.struct_size = sizeof m;
             return bitnet_context_get_metrics(nullptr, &m);
         }},
        {"metrics: out", [&] { return bitnet_context_get_metrics(context, nullptr); }},
        {"reset metrics: context", [&] { return bitnet_context_reset_metrics(nullptr); }},
        {"trace: context", [&] { return bitnet_context_get_trace(nullptr, nullptr, 0, &n); }},
        {"kernel: index",
         [&] {
             bitnet_kernel_info i = {};
             i.struct_size = sizeof i;
             return bitnet_kernel_get_info(bitnet_kernel_get_count(), &i);
         }},
        {"kernel: out", [&] { return bitnet_kernel_get_info(0, nullptr); }},
        {"error info: out", [&] { return bitnet_last_error_get_info(nullptr); }},
    };
    for (const auto& row_of : rows) {
        CAPTURE(std::string(row_of.what));
        CHECK(test::name_of(row_of.call()) == "BITNET_E_ARGUMENT");
        test::last_error();
    }
    // And the calls without a status have a harmless answer.
    CHECK(bitnet_model_get_metadata_count(nullptr) == 0);
    CHECK(bitnet_model_get_tokenizer(nullptr) == nullptr);
    CHECK(bitnet_tokenizer_get_n_vocab(nullptr) == 0);
    CHECK(bitnet_tokenizer_get_attribute(nullptr, 0) == 0);
    CHECK(bitnet_tokenizer_is_end(nullptr, 0) == 0);
    CHECK(bitnet_utf8_complete_prefix(nullptr, 0) == 0);
    CHECK(bitnet_context_get_n_ctx(nullptr) == 0);
    CHECK(bitnet_context_get_n_threads(nullptr) == 0);
    CHECK(bitnet_sequence_get_end(nullptr, 0) == -1);
    CHECK(bitnet_sampler_get_seed(nullptr) == 0);
    bitnet_model_params_init(nullptr, 100);
    bitnet_context_params_init(nullptr, 100);
    bitnet_sampler_params_init(nullptr, 100);
    bitnet_log_set_callback(nullptr, BITNET_LOG_DEBUG, nullptr);
    // After all of this the context is as it was.
    CHECK(bitnet_sequence_get_end(context, 0) == 1);
    CHECK(test::logits_at(context_owner, -1) == logits);
}

TEST_CASE("a batch entry that cannot be is named in the message, and nothing is decoded") {
    const test::ModelHandle model = test::load_model(test::golden_model(kModel));
    const test::ContextHandle context = test::make_context(model, [](bitnet_context_params& p) { p.n_seq_max = 2; });
    test::decode(context, {1, 2, 3});
    const struct {
        const char* what;
        std::function<void(test::BatchArrays&)> spoil;
        bitnet_status status;
    } rows[] = {
        {"token below the vocabulary", [](test::BatchArrays& a) { a.tokens[2] = -1; }, BITNET_E_TOKEN},
        {"token above the vocabulary", [](test::BatchArrays& a) { a.tokens[2] = 267; }, BITNET_E_TOKEN},
        {"lowest token", [](test::BatchArrays& a) { a.tokens[2] = INT32_MIN; }, BITNET_E_TOKEN},
        {"highest token", [](test::BatchArrays& a) { a.tokens[2] = INT32_MAX; }, BITNET_E_TOKEN},
        {"sequence below 0", [](test::BatchArrays& a) { a.seq_ids[2] = -1; }, BITNET_E_ARGUMENT},
        {"sequence above the context", [](test::BatchArrays& a) { a.seq_ids[2] = 2; }, BITNET_E_ARGUMENT},
        {"position too low", [](test::BatchArrays& a) { a.positions[2] = 3; }, BITNET_E_ARGUMENT},
        {"position too high", [](test::BatchArrays& a) { a.positions[2] = 5; }, BITNET_E_ARGUMENT},
        {"position of another sequence", [](test::BatchArrays& a) { a.seq_ids[2] = 1; }, BITNET_E_ARGUMENT},
        {"negative position", [](test::BatchArrays& a) { a.positions[2] = -1; }, BITNET_E_ARGUMENT},
    };
    for (const auto& row : rows) {
        CAPTURE(std::string(row.what));
        test::BatchArrays arrays;
        arrays.add(10, 0, true);
        arrays.add(11, 1, true);
        arrays.add(12, 0, true);
        arrays.positions = {3, 0, 4};
        row.spoil(arrays);
        const bitnet_batch batch = arrays.view();
        CHECK(test::name_of(bitnet_context_decode(context.get(), &batch)) == test::name_of(row.status));
        CHECK(test::last_error().find("entry 2") != std::string::npos);
        CHECK(bitnet_sequence_get_end(context.get(), 0) == 3);
        CHECK(bitnet_sequence_get_end(context.get(), 1) == 0);
    }
    test::BatchArrays right;
    right.add(10, 0, true);
    right.add(11, 1, true);
    right.add(12, 0, true);
    right.positions = {3, 0, 4};
    const bitnet_batch batch = right.view();
    test::must(bitnet_context_decode(context.get(), &batch));
    CHECK(test::same_bits(test::copy_logits(context, model, 2), test::fresh_logits(model, {1, 2, 3, 10, 12})));
    CHECK(test::same_bits(test::copy_logits(context, model, 1), test::fresh_logits(model, {11})));
}

TEST_CASE("context parameters out of range are BITNET_E_CONFIG and named") {
    const test::ModelHandle model = test::load_model(test::golden_model(kModel));
    const struct {
        const char* name;
        void (*set)(bitnet_context_params&, int32_t);
        std::vector<int32_t> bad;
    } rows[] = {
        {"n_ctx", [](bitnet_context_params& p, int32_t v) { p.n_ctx = v; }, {-1, INT32_MIN, (1 << 24) + 1, INT32_MAX}},
        {"n_batch", [](bitnet_context_params& p, int32_t v) { p.n_batch = v; }, {-1, INT32_MIN, INT32_MAX}},
        {"n_ubatch", [](bitnet_context_params& p, int32_t v) { p.n_ubatch = v; }, {-1, 1 << 20, INT32_MAX}},
        {"n_seq_max", [](bitnet_context_params& p, int32_t v) { p.n_seq_max = v; }, {-1, 4097, INT32_MAX}},
        {"n_threads", [](bitnet_context_params& p, int32_t v) { p.n_threads = v; }, {-1, 1025, INT32_MAX}},
    };
    for (const auto& row : rows) {
        for (const int32_t value : row.bad) {
            CAPTURE(std::string(row.name));
            CAPTURE(value);
            bitnet_context_params params = bitnet_context_default_params();
            row.set(params, value);
            bitnet_context* context = nullptr;
            CHECK(test::name_of(bitnet_context_create(model.get(), &params, &context)) == "BITNET_E_CONFIG");
            CHECK(context == nullptr);
            CHECK(test::last_error().find(row.name) != std::string::npos);
        }
    }
}

TEST_CASE("zeros mean the defaults of the header, and never more threads than may be used") {
    const test::ModelHandle model = test::load_model(test::golden_model(kModel));
    const test::ContextHandle context = test::make_context(
        model, [](bitnet_context_params& p) { p.n_ctx = p.n_batch = p.n_ubatch = p.n_seq_max = p.n_threads = 0; });
    CHECK(bitnet_context_get_n_ctx(context.get()) == test::info_of(model).n_ctx_train);
    CHECK(bitnet_context_get_n_threads(context.get()) == bitnet_cpu_get_thread_limit());
    CHECK(bitnet_sequence_get_end(context.get(), 0) == 0);
    CHECK(bitnet_sequence_get_end(context.get(), 1) == -1);
    const test::ContextHandle greedy = test::make_context(model, [](bitnet_context_params& p) { p.n_threads = 1024; });
    CHECK(bitnet_context_get_n_threads(greedy.get()) == bitnet_cpu_get_thread_limit());
}
