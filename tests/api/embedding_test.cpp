// Hidden states: what the head multiplies is what the embedding calls return, pooled and normalised as asked.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "tests/support/api_fixture.h"
#include "tests/support/model_edit.h"

namespace {

double half_to_double(uint16_t h) {
    const int exponent = (h >> 10) & 31, mantissa = h & 1023;
    const double magnitude = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
    return (h & 0x8000) != 0 ? -magnitude : magnitude;
}

using Vector = std::vector<float>;

Vector embedding(const test::ContextHandle& context, int32_t index, int32_t normalize, size_t n) {
    Vector out(n, 99.0f);
    test::must(bitnet_context_get_embedding(context.get(), index, normalize, out.data(), n));
    return out;
}

Vector pooled(const test::ContextHandle& context, bitnet_seq_id seq, bitnet_pooling pooling, int32_t normalize,
              size_t n) {
    Vector out(n, 99.0f);
    test::must(bitnet_context_get_sequence_embedding(context.get(), seq, pooling, normalize, out.data(), n));
    return out;
}

double length(const Vector& v) {
    double sum = 0.0;
    for (const float x : v) sum += static_cast<double>(x) * static_cast<double>(x);
    return std::sqrt(sum);
}

void with_embeddings(bitnet_context_params& p) {
    p.embeddings = 1;
    p.n_seq_max = 2;
    p.n_ubatch = 3;
}

}  // namespace

TEST_CASE("the logits are the head times the hidden state") {
    // A dense F16 head (llama-f16 is tied) that the test decodes itself.
    test::ModelEdit file = test::ModelEdit::open(test::golden_model("llama-f16"));
    const std::vector<uint8_t>& head = file.tensor("token_embd.weight").data;
    const test::ModelHandle model = test::load_model(test::golden_model("llama-f16"));
    const size_t n = static_cast<size_t>(test::info_of(model).n_embd),
                 n_vocab = static_cast<size_t>(test::info_of(model).n_vocab);
    const test::ContextHandle context = test::make_context(model, with_embeddings);
    test::BatchArrays arrays;
    for (const bitnet_token token : {4, 5, 6, 7, 8}) arrays.add(token, 0, token != 5);
    const bitnet_batch batch = arrays.view();
    test::must(bitnet_context_decode(context.get(), &batch));
    for (const int32_t index : {0, 2, 4, -1, -3}) {
        CAPTURE(index);
        const Vector hidden = embedding(context, index, 0, n);
        const test::Logits logits = test::copy_logits(context, model, index);
        double worst = 0.0;
        for (size_t v = 0; v < n_vocab; ++v) {
            double sum = 0.0;
            for (size_t d = 0; d < n; ++d) {
                uint16_t h;
                std::memcpy(&h, head.data() + (v * n + d) * 2, 2);
                sum += half_to_double(h) * static_cast<double>(hidden[d]);
            }
            worst = std::max(worst, std::fabs(sum - static_cast<double>(logits[v])));
        }
        CHECK(worst < 1e-5);
    }
    CHECK(embedding(context, -1, 0, n) == embedding(context, 4, 0, n));
    Vector out(n);
    CHECK(test::name_of(bitnet_context_get_embedding(context.get(), 1, 0, out.data(), n)) == "BITNET_E_NOT_FOUND");
}

TEST_CASE("keeping embeddings changes no logit, and they do not depend on the micro-batch") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const size_t n = static_cast<size_t>(test::info_of(model).n_embd);
    const test::Tokens tokens = {1, 2, 3, 4, 5, 6, 7};
    const test::Logits expected = test::fresh_logits(model, tokens);
    Vector first;
    for (const int32_t n_ubatch : {1, 2, 7, 512}) {
        const test::ContextHandle context = test::make_context(model, [&](bitnet_context_params& p) {
            p.embeddings = 1;
            p.n_ubatch = n_ubatch;
        });
        test::decode(context, tokens);
        CHECK(test::same_bits(test::copy_logits(context, model), expected));
        const Vector hidden = embedding(context, -1, 0, n);
        if (first.empty()) first = hidden;
        CHECK(test::same_bits(hidden, first));
    }
}

TEST_CASE("pooling takes the last hidden state or the mean of a sequence's outputs, of that sequence alone") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const size_t n = static_cast<size_t>(test::info_of(model).n_embd);
    const test::ContextHandle context = test::make_context(model, with_embeddings);
    test::BatchArrays arrays;
    for (int i = 0; i < 10; ++i) arrays.add(20 + i, i % 2, i != 3);
    const bitnet_batch batch = arrays.view();
    test::must(bitnet_context_decode(context.get(), &batch));
    for (const bitnet_seq_id seq : {0, 1}) {
        CAPTURE(seq);
        std::vector<double> sum(n, 0.0);
        int count = 0;
        for (int i = seq; i < 10; i += 2) {
            if (i == 3) continue;
            const Vector hidden = embedding(context, i, 0, n);
            for (size_t d = 0; d < n; ++d) sum[d] += static_cast<double>(hidden[d]);
            ++count;
        }
        CHECK(count == (seq == 0 ? 5 : 4));
        Vector mean(n);
        for (size_t d = 0; d < n; ++d) mean[d] = static_cast<float>(sum[d] / count);
        CHECK(test::same_bits(pooled(context, seq, BITNET_POOLING_MEAN, 0, n), mean));
        CHECK(test::same_bits(pooled(context, seq, BITNET_POOLING_LAST, 0, n), embedding(context, 8 + seq, 0, n)));
    }
}

TEST_CASE("normalised embeddings have length 1 and the direction of the plain ones") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const size_t n = static_cast<size_t>(test::info_of(model).n_embd);
    const test::ContextHandle context = test::make_context(model, with_embeddings);
    test::decode(context, {9, 8, 7});
    const Vector plain = embedding(context, -1, 0, n), unit = embedding(context, -1, 1, n);
    CHECK(std::fabs(length(unit) - 1.0) < 1e-6);
    for (size_t d = 0; d < n; ++d)
        CHECK(std::fabs(static_cast<double>(unit[d]) * length(plain) - static_cast<double>(plain[d])) < 1e-5);
    CHECK(std::fabs(length(pooled(context, 0, BITNET_POOLING_MEAN, 1, n)) - 1.0) < 1e-6);
    CHECK(test::same_bits(pooled(context, 0, BITNET_POOLING_LAST, 1, n), unit));
}

TEST_CASE("a zero vector stays zero when it is normalised") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-zero-all"));
    const size_t n = static_cast<size_t>(test::info_of(model).n_embd);
    const test::ContextHandle context = test::make_context(model, with_embeddings);
    test::decode(context, {1, 2});
    CHECK(test::same_bits(embedding(context, -1, 1, n), Vector(n, 0.0f)));
    CHECK(test::same_bits(pooled(context, 0, BITNET_POOLING_MEAN, 1, n), Vector(n, 0.0f)));
}

TEST_CASE("embeddings that were not kept, do not exist or do not fit are refused") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const size_t n = static_cast<size_t>(test::info_of(model).n_embd);
    Vector out(n, 7.0f);
    const test::ContextHandle plain = test::make_context(model);
    test::decode(plain, {1});
    CHECK(test::name_of(bitnet_context_get_embedding(plain.get(), -1, 0, out.data(), n)) == "BITNET_E_STATE");
    CHECK(test::last_error().find("embeddings") != std::string::npos);
    CHECK(test::name_of(bitnet_context_get_sequence_embedding(plain.get(), 0, BITNET_POOLING_MEAN, 0, out.data(), n)) ==
          "BITNET_E_STATE");

    const test::ContextHandle context = test::make_context(model, with_embeddings);
    CHECK(test::name_of(bitnet_context_get_embedding(context.get(), -1, 0, out.data(), n)) == "BITNET_E_NOT_FOUND");
    test::decode(context, {1});
    CHECK(test::name_of(bitnet_context_get_embedding(context.get(), -1, 0, out.data(), n - 1)) ==
          "BITNET_E_BUFFER_TOO_SMALL");
    CHECK(test::name_of(bitnet_context_get_embedding(context.get(), 1, 0, out.data(), n)) == "BITNET_E_NOT_FOUND");
    CHECK(test::name_of(bitnet_context_get_sequence_embedding(context.get(), 0, BITNET_POOLING_LAST, 0, out.data(),
                                                              0)) == "BITNET_E_BUFFER_TOO_SMALL");
    CHECK(test::name_of(bitnet_context_get_sequence_embedding(context.get(), 1, BITNET_POOLING_LAST, 0, out.data(),
                                                              n)) == "BITNET_E_NOT_FOUND");
    CHECK(test::name_of(bitnet_context_get_sequence_embedding(context.get(), 2, BITNET_POOLING_LAST, 0, out.data(),
                                                              n)) == "BITNET_E_ARGUMENT");
    CHECK(test::name_of(bitnet_context_get_sequence_embedding(context.get(), 0, static_cast<bitnet_pooling>(4), 0,
                                                              out.data(), n)) == "BITNET_E_ARGUMENT");
    test::last_error();
    CHECK(out == Vector(n, 7.0f));
}
