// Saved sequences: they come back bit for bit in any context over the same model, and damaged, cut or foreign ones are
// refused with nothing changed.
#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <vector>

#include "tests/support/api_fixture.h"
#include "tests/support/model_edit.h"

namespace {

test::Tokens some_tokens(int n, int start = 0) {
    test::Tokens tokens;
    for (int i = 0; i < n; ++i) tokens.push_back((start + i * 13 + 3) % 267);
    return tokens;
}

std::vector<uint8_t> save(const test::ContextHandle& context, bitnet_seq_id seq = 0) {
    size_t size = 0;
    CHECK(bitnet_sequence_save(context.get(), seq, nullptr, 0, &size) == BITNET_E_BUFFER_TOO_SMALL);
    std::vector<uint8_t> bytes(size, 0xee);
    size_t again = 0;
    CHECK(bitnet_sequence_save(context.get(), seq, bytes.data(), size - 1, &again) == BITNET_E_BUFFER_TOO_SMALL);
    CHECK(again == size);
    CHECK(bytes == std::vector<uint8_t>(size, 0xee));
    test::must(bitnet_sequence_save(context.get(), seq, bytes.data(), size, &again));
    CHECK(again == size);
    return bytes;
}

bitnet_status load(const test::ContextHandle& context, const std::vector<uint8_t>& bytes, bitnet_seq_id seq = 0) {
    return bitnet_sequence_load(context.get(), seq, bytes.data(), bytes.size());
}

// FNV-1a over all but the last eight bytes, written into those: a state that is well-formed but says what we want.
void sign(std::vector<uint8_t>& state) {
    uint64_t hash = 14695981039346656037ull;
    for (size_t i = 0; i + 8 < state.size(); ++i) hash = (hash ^ state[i]) * 1099511628211ull;
    for (size_t i = 0; i < 8; ++i) state[state.size() - 8 + i] = static_cast<uint8_t>(hash >> (8 * i));
}

void put_u32(std::vector<uint8_t>& state, size_t at, uint32_t value) { std::memcpy(state.data() + at, &value, 4); }

constexpr size_t kTokenCount = 24, kPositions = 32;  // offsets in the documented layout (sequence_state.h)

}  // namespace

TEST_CASE("a saved sequence continues with the same bits in another context, another sequence and after gaps") {
    for (const char* name : {"b158-i2s", "llama-mix"}) {
        CAPTURE(std::string(name));
        const test::ModelHandle model = test::load_model(test::golden_model(name));
        const test::ContextHandle from = test::make_context(model, [](bitnet_context_params& p) { p.n_seq_max = 2; });
        test::decode(from, some_tokens(9, 100), 1);
        test::decode(from, some_tokens(14));
        test::must(bitnet_sequence_remove(from.get(), 0, 3, 6));
        const std::vector<uint8_t> state = save(from);
        test::decode(from, {11});
        const test::Logits expected = test::copy_logits(from, model);

        const test::ModelHandle same_file = test::load_model(test::golden_model(name));
        const test::ContextHandle to = test::make_context(same_file, [](bitnet_context_params& p) {
            p.n_seq_max = 3;
            p.n_ctx = 20;
            p.n_threads = 1;
        });
        test::decode(to, some_tokens(4, 50), 2);  // is replaced
        test::must(load(to, state, 2));
        CHECK(bitnet_sequence_get_end(to.get(), 2) == 14);
        CHECK(save(to, 2) == state);
        test::decode(to, {11}, 2);
        CHECK(test::same_bits(test::copy_logits(to, model), expected));
    }
}

TEST_CASE("an empty sequence can be saved and loaded") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const test::ContextHandle context = test::make_context(model);
    const std::vector<uint8_t> empty = save(context);
    test::decode(context, some_tokens(5));
    test::must(load(context, empty));
    CHECK(bitnet_sequence_get_end(context.get(), 0) == 0);
    test::decode(context, {7});
    CHECK(test::same_bits(test::copy_logits(context, model), test::fresh_logits(model, {7})));
}

TEST_CASE("a state cut short anywhere, or too long, is refused and the sequence stays") {
    const test::ModelHandle model = test::load_model(test::golden_model("llama-f16"));
    const test::ContextHandle context = test::make_context(model);
    test::decode(context, some_tokens(3));
    const std::vector<uint8_t> good = save(context);
    test::decode(context, some_tokens(2, 60));
    const std::vector<uint8_t> before = save(context);
    for (size_t size = 0; size < good.size(); size += size < 80 ? 1 : 37) {
        CAPTURE(size);
        const std::vector<uint8_t> cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
        const uint8_t nothing = 0;
        CHECK(bitnet_sequence_load(context.get(), 0, cut.empty() ? &nothing : cut.data(), size) == BITNET_E_STATE);
    }
    for (const size_t extra : {1, 4, 8, 100}) {
        std::vector<uint8_t> longer = good;
        longer.resize(good.size() + extra);
        CHECK(load(context, longer) == BITNET_E_STATE);
        sign(longer);
        CHECK(load(context, longer) == BITNET_E_STATE);
    }
    test::last_error();
    CHECK(save(context) == before);
    test::must(load(context, good));
    CHECK(bitnet_sequence_get_end(context.get(), 0) == 3);
}

TEST_CASE("a flipped bit in any byte is noticed") {
    const test::ModelHandle model = test::load_model(test::golden_model("llama-f16"));
    const test::ContextHandle context = test::make_context(model);
    test::decode(context, some_tokens(2));
    const std::vector<uint8_t> good = save(context);
    test::decode(context, some_tokens(3, 60));
    const std::vector<uint8_t> before = save(context);
    int accepted = 0;
    for (size_t i = 0; i < good.size(); ++i) {
        std::vector<uint8_t> bad = good;
        bad[i] = static_cast<uint8_t>(bad[i] ^ (1u << (i % 8)));
        accepted += load(context, bad) == BITNET_E_STATE ? 0 : 1;
    }
    CHECK(accepted == 0);
    CHECK(save(context) == before);
}

TEST_CASE("states of other models are refused, also where only a number of the metadata differs") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const test::ContextHandle context = test::make_context(model);
    test::decode(context, some_tokens(4));
    const std::vector<uint8_t> before = save(context);
    for (const char* other : {"llama-i2s", "b25-i2s-untied", "b158-tq2", "b158-zero-layer"}) {
        CAPTURE(std::string(other));
        const test::ModelHandle model2 = test::load_model(test::golden_model(other));
        const test::ContextHandle from = test::make_context(model2);
        test::decode(from, some_tokens(4));
        CHECK(load(context, save(from)) == BITNET_E_STATE);
        CHECK(test::last_error().find("model") != std::string::npos);
    }
    const auto edited = [&](const std::function<void(test::ModelEdit&)>& edit) {
        test::ModelEdit file = test::ModelEdit::open(test::golden_model("b158-i2s"));
        edit(file);
        const std::vector<uint8_t> bytes = file.bytes();
        const test::ModelHandle model2 = test::load_model(bytes);
        const test::ContextHandle from = test::make_context(model2);
        test::decode(from, some_tokens(4));
        return load(context, save(from));
    };
    CHECK(edited([](test::ModelEdit& f) { f.set_f32("bitnet-b1.58.rope.freq_base", 10000.0f); }) == BITNET_E_STATE);
    CHECK(edited([](test::ModelEdit& f) { f.set_f32("bitnet-b1.58.attention.layer_norm_rms_epsilon", 1e-6f); }) ==
          BITNET_E_STATE);
    CHECK(edited([](test::ModelEdit& f) { f.set_u32("bitnet-b1.58.rope.dimension_count", 16); }) == BITNET_E_STATE);
    CHECK(edited([](test::ModelEdit&) {}) == BITNET_OK);  // the same model in another file
    test::must(load(context, before));
}

TEST_CASE("well-signed nonsense is refused: positions out of order, out of range, counts that cannot be") {
    const test::ModelHandle model = test::load_model(test::golden_model("llama-f16"));
    const test::ContextHandle context = test::make_context(model);
    test::decode(context, some_tokens(3));
    const std::vector<uint8_t> good = save(context);
    const auto with = [&](size_t at, uint32_t value) {
        std::vector<uint8_t> state = good;
        put_u32(state, at, value);
        sign(state);
        return load(context, state);
    };
    CHECK(with(kPositions, 0) == BITNET_OK);  // as it was: the helper signs rightly
    CHECK(with(kPositions + 4, 0) == BITNET_E_STATE);
    CHECK(with(kPositions + 4, 2) == BITNET_E_STATE);
    CHECK(with(kPositions, 0xffffffffu) == BITNET_E_STATE);
    CHECK(with(kPositions + 8, 0x80000000u) == BITNET_E_STATE);
    CHECK(with(kPositions + 8, 0x7fffffffu) == BITNET_E_STATE);  // its end would be no position
    for (const uint32_t count : {0u, 1u, 2u, 4u, 0x7fffffffu, 0x80000000u, 0xffffffffu})
        CHECK(with(kTokenCount, count) == BITNET_E_STATE);
    CHECK(save(context) == good);

    // The very last position is one; after it nothing can follow.
    CHECK(with(kPositions + 8, 0x7ffffffeu) == BITNET_OK);
    CHECK(bitnet_sequence_get_end(context.get(), 0) == INT32_MAX);
    const bitnet_token token = 1;
    CHECK(test::name_of(bitnet_context_decode_tokens(context.get(), 0, &token, 1)) == "BITNET_E_KV_FULL");
    CHECK(bitnet_sequence_get_end(context.get(), 0) == INT32_MAX);
    test::must(bitnet_sequence_remove(context.get(), 0, 2, -1));
    test::decode(context, {8});
}

TEST_CASE("a state larger than the room is BITNET_E_KV_FULL, counting what the sequence itself would free") {
    const test::ModelHandle model = test::load_model(test::golden_model("llama-f16"));
    const test::ContextHandle large = test::make_context(model);
    test::decode(large, some_tokens(10));
    const std::vector<uint8_t> ten = save(large);
    const test::ContextHandle small = test::make_context(model, [](bitnet_context_params& p) {
        p.n_ctx = 12;
        p.n_seq_max = 2;
    });
    test::decode(small, some_tokens(9, 9), 0);
    const std::vector<uint8_t> before = save(small);
    CHECK(test::name_of(load(small, ten, 1)) == "BITNET_E_KV_FULL");
    CHECK(save(small) == before);
    test::must(load(small, ten, 0));  // takes the place of its own nine tokens
    test::must(bitnet_sequence_copy(small.get(), 0, 1, -1, -1));
    CHECK(test::name_of(load(small, ten, 0)) == "BITNET_E_KV_FULL");  // shared cells would not become free
    CHECK(bitnet_sequence_get_end(small.get(), 0) == 10);
    test::decode(small, {5}, 0);
    test::decode(large, {5}, 0);
    CHECK(test::same_bits(test::copy_logits(small, model), test::copy_logits(large, model)));
}
