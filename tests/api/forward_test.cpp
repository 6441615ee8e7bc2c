// Forward passes outside of the sequences: any mask is the sequence it describes, bit for bit; masks that no sequence has
// are compared with the NumPy oracle's logits (tests/golden/check_forward.py). And the logits after given tokens as a copy.
#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/support/api_fixture.h"

namespace {

struct Pass {
    test::Tokens tokens;
    std::vector<bitnet_pos> positions;
    std::vector<uint8_t> mask;
    std::vector<int8_t> wanted;
    int32_t output = BITNET_FORWARD_LOGITS;

    bitnet_forward_input view() const {
        bitnet_forward_input input = {};
        input.struct_size = sizeof input;
        input.n_tokens = static_cast<int32_t>(tokens.size());
        input.tokens = tokens.data();
        input.positions = positions.empty() ? nullptr : positions.data();
        input.mask = mask.empty() ? nullptr : mask.data();
        input.want_output = wanted.empty() ? nullptr : wanted.data();
        input.output = output;
        return input;
    }
    template <typename Sees>
    void make_mask(Sees sees) {
        const int n = static_cast<int>(tokens.size());
        mask.clear();
        for (int i = 0; i < n; ++i) {
            for (int j = 0; j < n; ++j) mask.push_back(sees(i, j) ? 1 : 0);
        }
    }
};

std::vector<test::Logits> forward(const test::ContextHandle& context, const Pass& pass) {
    const bitnet_forward_input input = pass.view();
    size_t n = 0, rows = pass.wanted.empty() ? pass.tokens.size() : 0;
    for (const int8_t w : pass.wanted) rows += w != 0;
    const bitnet_status asked = bitnet_context_forward(context.get(), &input, nullptr, 0, &n);
    CHECK(test::name_of(asked) == "BITNET_E_BUFFER_TOO_SMALL");
    std::vector<float> out(n);
    test::must(bitnet_context_forward(context.get(), &input, out.data(), out.size(), &n));
    REQUIRE(n == out.size());
    REQUIRE(n % rows == 0);
    std::vector<test::Logits> result;
    for (size_t i = 0; i < rows; ++i) {
        result.emplace_back(out.begin() + static_cast<std::ptrdiff_t>(i * (n / rows)),
                            out.begin() + static_cast<std::ptrdiff_t>((i + 1) * (n / rows)));
    }
    return result;
}

bitnet_status forward_status(const test::ContextHandle& context, const Pass& pass) {
    const bitnet_forward_input input = pass.view();
    std::vector<float> out(100000);
    return bitnet_context_forward(context.get(), &input, out.data(), out.size(), nullptr);
}

const test::Tokens kTokens = {264, 244, 240, 117, 213, 121, 125, 62};

// Logits of every token of a sequence, one after the other.
std::vector<test::Logits> decoded(const test::ModelHandle& model, const test::Tokens& tokens) {
    const test::ContextHandle context = test::make_context(model);
    std::vector<test::Logits> rows;
    for (const bitnet_token token : tokens) {
        test::decode(context, {token});
        rows.push_back(test::copy_logits(context, model));
    }
    return rows;
}

bool equal_rows(const std::vector<test::Logits>& a, const std::vector<test::Logits>& b) {
    bool equal = a.size() == b.size();
    for (size_t i = 0; equal && i < a.size(); ++i) equal = test::same_bits(a[i], b[i]);
    return equal;
}

}  // namespace

TEST_CASE("a forward pass with a causal mask, given or by default, gives the bits of decoding") {
    for (const char* name : {"b158-i2s", "llama-mix", "bitnet-i2s-silu", "b25-i2s-untied"}) {
        CAPTURE(std::string(name));
        const test::ModelHandle model = test::load_model(test::golden_model(name));
        const std::vector<test::Logits> expected = decoded(model, kTokens);
        for (const int32_t n_threads : {1, 2}) {
            const test::ContextHandle context =
                test::make_context(model, [&](bitnet_context_params& p) { p.n_threads = n_threads; });
            test::decode(context, {1, 2, 3});  // a sequence that must neither be seen nor change
            Pass pass{kTokens, {}, {}, {}};
            CHECK(equal_rows(forward(context, pass), expected));
            pass.make_mask([](int i, int j) { return j <= i; });
            CHECK(equal_rows(forward(context, pass), expected));
            CHECK(bitnet_sequence_get_end(context.get(), 0) == 3);
            test::decode(context, {4});
            CHECK(test::same_bits(test::copy_logits(context, model), test::fresh_logits(model, {1, 2, 3, 4})));
        }
    }
}

TEST_CASE("tokens in any order with their positions give the bits of the sequence in order") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const test::ContextHandle context = test::make_context(model);
    const std::vector<test::Logits> expected = decoded(model, kTokens);
    const std::vector<int> order = {3, 0, 7, 5, 1, 2, 6, 4};
    Pass pass;
    for (const int at : order) {
        pass.tokens.push_back(kTokens[static_cast<size_t>(at)]);
        pass.positions.push_back(at);
    }
    pass.make_mask([&](int i, int j) { return order[static_cast<size_t>(j)] <= order[static_cast<size_t>(i)]; });
    const std::vector<test::Logits> rows = forward(context, pass);
    for (size_t i = 0; i < order.size(); ++i) CHECK(test::same_bits(rows[i], expected[static_cast<size_t>(order[i])]));
}

TEST_CASE("a mask that hides a token gives what comes without it") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const test::ContextHandle context = test::make_context(model);
    Pass masked{kTokens, {}, {}, {}};
    masked.make_mask([](int i, int j) { return j <= i && (j != 2 || i == 2); });
    Pass without{kTokens, {0, 1, 3, 4, 5, 6, 7}, {}, {}};
    without.tokens.erase(without.tokens.begin() + 2);
    std::vector<test::Logits> rows = forward(context, masked);
    const std::vector<test::Logits> expected = forward(context, without);
    const std::vector<test::Logits> seen = decoded(model, kTokens);
    CHECK(!test::same_bits(rows[7], seen[7]));
    CHECK(!test::same_bits(rows[2], rows[3]));
    rows.erase(rows.begin() + 2);
    CHECK(equal_rows(rows, expected));
}

TEST_CASE("a block-diagonal mask gives the bits of separate sequences") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const test::ContextHandle context = test::make_context(model);
    const test::Tokens first = {264, 244, 240}, second = {117, 213, 121, 125, 62};
    Pass pass;
    pass.tokens = first;
    pass.tokens.insert(pass.tokens.end(), second.begin(), second.end());
    pass.positions = {0, 1, 2, 0, 1, 2, 3, 4};
    pass.make_mask([](int i, int j) { return j <= i && (i < 3) == (j < 3); });
    std::vector<test::Logits> expected = decoded(model, first);
    for (const test::Logits& row : decoded(model, second)) expected.push_back(row);
    CHECK(equal_rows(forward(context, pass), expected));
}

TEST_CASE("tokens see later ones where the mask says so, on any number of threads") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const test::ContextHandle context = test::make_context(model, [](bitnet_context_params& p) { p.n_threads = 1; });
    Pass all{kTokens, {}, {}, {}};
    all.make_mask([](int, int) { return true; });
    const std::vector<test::Logits> rows = forward(context, all);
    CHECK(!equal_rows(rows, decoded(model, kTokens)));
    // Who sees everything from everywhere does not care where in the arrays it stands.
    Pass reversed{{kTokens.rbegin(), kTokens.rend()}, {7, 6, 5, 4, 3, 2, 1, 0}, {}, {}};
    reversed.make_mask([](int, int) { return true; });
    std::vector<test::Logits> back = forward(context, reversed);
    CHECK(equal_rows({back.rbegin(), back.rend()}, rows));
    // A change of the last token reaches the first one's row.
    Pass other = all;
    other.tokens[7] = 63;
    CHECK(!test::same_bits(forward(context, other)[0], rows[0]));
    const test::ContextHandle two = test::make_context(model, [](bitnet_context_params& p) { p.n_threads = 2; });
    CHECK(equal_rows(forward(two, all), rows));
}

TEST_CASE("passes whose tokens see earlier and later ones at random give the oracle's logits within 1e-4") {
    std::ifstream file(test::golden_dir() / "expected_forward.json");
    int n_cases = 0;
    for (const nlohmann::json& c : nlohmann::json::parse(file)) {
        const std::string name = c.at("model");
        CAPTURE(name);
        const test::ModelHandle model = test::load_model((test::golden_dir() / name).string());
        const test::ContextHandle context = test::make_context(model);
        Pass pass;
        pass.tokens = c.at("tokens").get<test::Tokens>();
        pass.mask = c.at("mask").get<std::vector<uint8_t>>();
        const auto expected = c.at("logits").get<std::vector<std::vector<double>>>();
        const std::vector<test::Logits> rows = forward(context, pass);
        REQUIRE(rows.size() == expected.size());
        double worst = 0.0;
        for (size_t i = 0; i < rows.size(); ++i) {
            REQUIRE(rows[i].size() == expected[i].size());
            for (size_t v = 0; v < rows[i].size(); ++v) {
                const double difference = std::fabs(static_cast<double>(rows[i][v]) - expected[i][v]);
                worst = difference <= worst ? worst : difference;  // a NaN becomes the worst
            }
        }
        CHECK(worst <= 1e-4);
        ++n_cases;
    }
    CHECK(n_cases == 2);
}

TEST_CASE("hidden states of a forward pass are the embeddings of decoding, only wanted rows come") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const test::ContextHandle context = test::make_context(model, [](bitnet_context_params& p) { p.embeddings = 1; });
    Pass pass{kTokens, {}, {}, {0, 1, 0, 0, 0, 0, 0, 1}, BITNET_FORWARD_HIDDEN};
    const std::vector<test::Logits> hidden = forward(context, pass);
    const size_t n_embd = static_cast<size_t>(test::info_of(model).n_embd);
    REQUIRE(hidden.size() == 2);
    REQUIRE(hidden[0].size() == n_embd);
    for (const size_t n : {size_t{2}, size_t{8}}) {
        test::must(bitnet_sequence_remove(context.get(), 0, -1, -1));
        test::decode(context, test::Tokens(kTokens.begin(), kTokens.begin() + static_cast<std::ptrdiff_t>(n)));
        test::Logits expected(n_embd);
        test::must(bitnet_context_get_embedding(context.get(), -1, 0, expected.data(), expected.size()));
        CHECK(test::same_bits(hidden[n == 2 ? 0 : 1], expected));
    }
    pass.output = BITNET_FORWARD_LOGITS;
    const std::vector<test::Logits> logits = forward(context, pass), expected = decoded(model, kTokens);
    CHECK(equal_rows(logits, {expected[1], expected[7]}));
    // The decode's outputs are gone, not another's.
    float row[512];
    CHECK(bitnet_context_get_embedding(context.get(), -1, 0, row, 512) == BITNET_E_NOT_FOUND);
}

TEST_CASE("a forward pass refuses what it cannot do and leaves the context as it was") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const test::ContextHandle context = test::make_context(model, [](bitnet_context_params& p) {
        p.n_ctx = 10;
        p.n_ubatch = 8;
    });
    test::decode(context, {1, 2});
    Pass good{kTokens, {}, {}, {}};
    forward(context, good);
    const auto refused = [&](const Pass& pass) { return test::name_of(forward_status(context, pass)); };
    Pass pass = good;
    pass.tokens.push_back(1);
    CHECK(refused(pass) == "BITNET_E_ARGUMENT");
    CHECK(test::last_error().find("n_ubatch") != std::string::npos);
    pass = good;
    pass.tokens.clear();
    CHECK(refused(pass) == "BITNET_E_ARGUMENT");
    pass = good;
    pass.tokens[3] = 267;
    CHECK(refused(pass) == "BITNET_E_TOKEN");
    pass.tokens[3] = -1;
    CHECK(refused(pass) == "BITNET_E_TOKEN");
    pass = good;
    pass.positions = {0, 1, 2, -3, 4, 5, 6, 7};
    CHECK(refused(pass) == "BITNET_E_ARGUMENT");
    CHECK(test::last_error().find("-3") != std::string::npos);
    pass = good;
    pass.make_mask([](int i, int j) { return i != 5 && j == 0; });
    CHECK(refused(pass) == "BITNET_E_ARGUMENT");
    CHECK(test::last_error().find("row 5") != std::string::npos);
    pass = good;
    pass.output = BITNET_FORWARD_HIDDEN;
    CHECK(refused(pass) == "BITNET_E_STATE");
    pass.output = 2;
    CHECK(refused(pass) == "BITNET_E_ARGUMENT");
    bitnet_context_cancel(context.get());
    CHECK(refused(good) == "BITNET_E_CANCELLED");
    CHECK(bitnet_sequence_get_end(context.get(), 0) == 2);
    CHECK(bitnet_context_get_n_free(context.get()) == 8);
    test::decode(context, {3});
    CHECK(test::same_bits(test::copy_logits(context, model), test::fresh_logits(model, {1, 2, 3})));
    CHECK(refused(good) == "BITNET_E_KV_FULL");
    bitnet_forward_input input = good.view();
    input.tokens = nullptr;
    CHECK(bitnet_context_forward(context.get(), &input, nullptr, 0, nullptr) == BITNET_E_ARGUMENT);
    input.struct_size = 0;
    CHECK(bitnet_context_forward(context.get(), &input, nullptr, 0, nullptr) == BITNET_E_ARGUMENT);
    CHECK(bitnet_context_forward(nullptr, &input, nullptr, 0, nullptr) == BITNET_E_ARGUMENT);
    CHECK(bitnet_context_forward(context.get(), nullptr, nullptr, 0, nullptr) == BITNET_E_ARGUMENT);
    pass = Pass{{1, 2}, {}, {}, {0, 0}};
    CHECK(refused(pass) == "BITNET_OK");  // nothing asked for, nothing given
}

TEST_CASE("the next token's logits are those of a prefill, divided by the temperature") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const test::ContextHandle context = test::make_context(model);
    const size_t n_vocab = static_cast<size_t>(test::info_of(model).n_vocab);
    const test::Logits plain = test::fresh_logits(model, kTokens);
    test::Logits out(n_vocab);
    size_t n = 0;
    const auto call = [&](float temperature, size_t capacity) {
        return bitnet_context_next_token_logits(context.get(), 0, kTokens.data(), kTokens.size(), temperature,
                                                out.data(), capacity, &n);
    };
    CHECK(call(1.0f, n_vocab - 1) == BITNET_E_BUFFER_TOO_SMALL);
    CHECK(n == n_vocab);
    const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
    for (const float bad : {0.0f, -1.0f, -0.0f, inf, -inf, nan}) CHECK(call(bad, n_vocab) == BITNET_E_ARGUMENT);
    CHECK(bitnet_sequence_get_end(context.get(), 0) == 0);
    test::must(call(1.0f, n_vocab));
    CHECK(test::same_bits(out, plain));
    CHECK(bitnet_sequence_get_end(context.get(), 0) == static_cast<bitnet_pos>(kTokens.size()));
    bitnet_metrics before = {}, after = {};
    before.struct_size = after.struct_size = sizeof before;
    test::must(bitnet_context_get_metrics(context.get(), &before));
    test::must(call(0.5f, n_vocab));
    test::must(bitnet_context_get_metrics(context.get(), &after));
    CHECK(after.prefill_tokens + after.decode_tokens == before.prefill_tokens + before.decode_tokens + 1);
    test::Logits doubled = plain;
    for (float& x : doubled) x = x / 0.5f;
    CHECK(test::same_bits(out, doubled));
    CHECK(bitnet_context_next_token_logits(context.get(), 0, nullptr, 0, 1.0f, out.data(), n_vocab, &n) ==
          BITNET_E_ARGUMENT);
    CHECK(bitnet_context_next_token_logits(context.get(), 9, kTokens.data(), 2, 1.0f, out.data(), n_vocab, &n) ==
          BITNET_E_ARGUMENT);
}

TEST_CASE("a context's timeout bounds decodes, prefills, forward passes and steps of a generation") {
    if (!test::have_data(test::kStories3m)) return;
    const test::ModelHandle model = test::load_model((test::data_dir() / test::kStories3m).string());
    const test::ContextHandle context = test::make_context(model, [](bitnet_context_params& p) { p.timeout_us = 1; });
    const test::Tokens tokens(400, 7);
    const auto timed_out = [](bitnet_status status) { return test::name_of(status) == "BITNET_E_TIMEOUT"; };
    CHECK(timed_out(bitnet_context_decode_tokens(context.get(), 0, tokens.data(), tokens.size())));
    CHECK(timed_out(bitnet_context_prefill(context.get(), 0, tokens.data(), tokens.size(), nullptr)));
    const Pass pass{tokens, {}, {}, std::vector<int8_t>(tokens.size(), 0)};
    CHECK(timed_out(forward_status(context, pass)));
    CHECK(bitnet_sequence_get_end(context.get(), 0) == 0);
    bitnet_generation* generation = nullptr;
    test::must(
        bitnet_generation_create_from_tokens(context.get(), 0, tokens.data(), tokens.size(), nullptr, &generation));
    bitnet_generation_step step = {};
    step.struct_size = sizeof step;
    test::must(bitnet_generation_next(generation, &step));
    CHECK(step.finish_reason == BITNET_FINISH_DEADLINE);
    bitnet_generation_free(generation);
    const test::ContextHandle patient =
        test::make_context(model, [](bitnet_context_params& p) { p.timeout_us = UINT64_MAX; });
    test::decode(patient, tokens);
}
