// Deltas of sequences, and sessions in files and memory: they come back bit for bit, and whatever is damaged, cut, foreign or
// too large is refused with nothing changed.
#include <doctest/doctest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/support/api_fixture.h"
#include "tests/support/temp_dir.h"

namespace {

using Bytes = std::vector<uint8_t>;

test::Tokens some_tokens(int n, int start = 0) {
    test::Tokens tokens;
    for (int i = 0; i < n; ++i) tokens.push_back((start + i * 17 + 5) % 267);
    return tokens;
}

test::ContextHandle context_of(const test::ModelHandle& model, int32_t n_seq = 4, int32_t n_ctx = 64) {
    return test::make_context(model, [&](bitnet_context_params& p) {
        p.n_seq_max = n_seq;
        p.n_ctx = n_ctx;
        p.n_threads = 1;
    });
}

Bytes delta(const test::ContextHandle& context, bitnet_seq_id seq, bitnet_pos from_pos) {
    size_t size = 0;
    CHECK(bitnet_sequence_save_delta(context.get(), seq, from_pos, nullptr, 0, &size) == BITNET_E_BUFFER_TOO_SMALL);
    Bytes bytes(size);
    test::must(bitnet_sequence_save_delta(context.get(), seq, from_pos, bytes.data(), size, &size));
    CHECK(size == bytes.size());
    return bytes;
}

bitnet_status load_delta(const test::ContextHandle& context, bitnet_seq_id seq, const Bytes& bytes) {
    return bitnet_sequence_load(context.get(), seq, bytes.data(), bytes.size());
}

Bytes session(const test::ContextHandle& context) {
    size_t size = 0;
    CHECK(bitnet_context_save_session_to_memory(context.get(), nullptr, 0, &size) == BITNET_E_BUFFER_TOO_SMALL);
    Bytes bytes(size, 0xee);
    size_t again = 0;
    CHECK(bitnet_context_save_session_to_memory(context.get(), bytes.data(), size - 1, &again) ==
          BITNET_E_BUFFER_TOO_SMALL);
    CHECK(bytes == Bytes(size, 0xee));
    test::must(bitnet_context_save_session_to_memory(context.get(), bytes.data(), size, &again));
    CHECK(again == size);
    return bytes;
}

bitnet_status load(const test::ContextHandle& context, const Bytes& bytes) {
    const uint8_t nothing = 0;
    return bitnet_context_load_session_from_memory(context.get(), bytes.empty() ? &nothing : bytes.data(),
                                                   bytes.size());
}

Bytes read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return Bytes(std::istreambuf_iterator<char>(file), {});
}

// FNV-1a over all but the last eight bytes, written into those.
void sign(Bytes& state) {
    uint64_t hash = 14695981039346656037ull;
    for (size_t i = 0; i + 8 < state.size(); ++i) hash = (hash ^ state[i]) * 1099511628211ull;
    for (size_t i = 0; i < 8; ++i) state[state.size() - 8 + i] = static_cast<uint8_t>(hash >> (8 * i));
}

// A trunk of 10 tokens, two branches of it, and one sequence with a gap.
void make_dialogue(const test::ContextHandle& context) {
    test::decode(context, some_tokens(10), 0);
    test::must(bitnet_sequence_fork(context.get(), 0, 1));
    test::decode(context, some_tokens(3, 50), 1);
    test::must(bitnet_sequence_fork(context.get(), 1, 3));
    test::must(bitnet_sequence_rewind(context.get(), 3, 1));
    test::decode(context, some_tokens(2, 90), 3);
}

struct Telling {
    std::vector<float> seen;
    size_t stop_at = SIZE_MAX;
};
int32_t on_progress(float progress, void* user) {
    Telling& telling = *static_cast<Telling*>(user);
    telling.seen.push_back(progress);
    return telling.seen.size() >= telling.stop_at ? 1 : 0;
}

}  // namespace

TEST_CASE("a delta holds a branch alone and goes on from the same trunk elsewhere") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const test::ContextHandle from = context_of(model);
    test::decode(from, some_tokens(30));
    test::must(bitnet_sequence_fork(from.get(), 0, 1));
    test::decode(from, {4, 5}, 1);
    const Bytes whole = delta(from, 1, 0), branch = delta(from, 1, 30);
    CHECK(delta(from, 1, -3) == whole);
    CHECK(whole.size() > 14 * branch.size());
    test::decode(from, {6}, 1);
    const test::Logits expected = test::copy_logits(from, model);

    const test::ContextHandle to = context_of(model);
    test::decode(to, some_tokens(30), 2);
    test::must(load_delta(to, 2, branch));
    CHECK(delta(to, 2, 0) == whole);
    test::decode(to, {6}, 2);
    CHECK(test::same_bits(test::copy_logits(to, model), expected));
    test::must(load_delta(to, 2, branch));  // what it holds behind the trunk is replaced
    CHECK(delta(to, 2, 0) == whole);
    test::must(load_delta(to, 2, delta(from, 0, 30)));  // nothing behind the trunk
    CHECK(bitnet_sequence_get_end(to.get(), 2) == 30);
}

TEST_CASE("a delta is refused where the trunk is another, shorter or has a gap, and nothing changes") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const test::ContextHandle context = context_of(model);
    test::decode(context, some_tokens(8), 0);
    const Bytes branch = delta(context, 0, 6);
    const test::Tokens five = some_tokens(5);
    test::Tokens other = some_tokens(8);
    other[2] = 1;
    test::decode(context, five, 1);
    test::decode(context, other, 2);
    test::decode(context, some_tokens(8), 3);
    test::must(bitnet_sequence_remove(context.get(), 3, 1, 2));
    for (const bitnet_seq_id seq : {1, 2, 3}) {
        CAPTURE(seq);
        const Bytes before = delta(context, seq, 0);
        CHECK(test::name_of(load_delta(context, seq, branch)) == "BITNET_E_STATE");
        CHECK(test::last_error().find("6 tokens") != std::string::npos);
        CHECK(delta(context, seq, 0) == before);
    }
    size_t size = 0;
    CHECK(test::name_of(bitnet_sequence_save_delta(context.get(), 3, 2, nullptr, 0, &size)) == "BITNET_E_STATE");
    CHECK(test::name_of(bitnet_sequence_save_delta(context.get(), 0, 9, nullptr, 0, &size)) == "BITNET_E_STATE");
    CHECK(test::name_of(bitnet_sequence_save_delta(context.get(), 0, INT32_MAX, nullptr, 0, &size)) ==
          "BITNET_E_STATE");
    CHECK(delta(context, 3, 1).size() > 0);  // up to the gap nothing is missing
    for (size_t i = 0; i < branch.size(); ++i) {
        Bytes bad = branch;
        bad[i] = static_cast<uint8_t>(bad[i] ^ (1u << (i % 8)));
        CHECK(load_delta(context, 0, bad) == BITNET_E_STATE);
        if (i % 16 == 0)
            CHECK(load_delta(context, 0, Bytes(branch.begin(), branch.begin() + static_cast<std::ptrdiff_t>(i) + 1)) ==
                  BITNET_E_STATE);
    }
    CHECK(bitnet_sequence_get_end(context.get(), 0) == 8);
    test::must(load_delta(context, 0, branch));
}

TEST_CASE("a delta that does not fit is BITNET_E_KV_FULL, counting what it would replace") {
    const test::ModelHandle model = test::load_model(test::golden_model("llama-f16"));
    const test::ContextHandle large = context_of(model);
    test::decode(large, some_tokens(12));
    const Bytes branch = delta(large, 0, 4);
    const test::ContextHandle small = context_of(model, 2, 12);
    test::decode(small, some_tokens(6), 0);
    test::decode(small, some_tokens(3, 9), 1);
    const Bytes before = session(small);
    CHECK(test::name_of(load_delta(small, 0, branch)) == "BITNET_E_KV_FULL");  // 4 + 8 beside 3
    CHECK(session(small) == before);
    test::must(bitnet_sequence_remove(small.get(), 1, -1, -1));
    test::must(load_delta(small, 0, branch));
    CHECK(delta(small, 0, 0) == delta(large, 0, 0));
}

TEST_CASE("a session brings all sequences back, what they share stored once, from memory and from a file") {
    const test::TempDir dir;
    const std::string path = dir.file("game.session");
    for (const char* name : {"b158-i2s", "llama-mix"}) {
        CAPTURE(std::string(name));
        const test::ModelHandle model = test::load_model(test::golden_model(name));
        const test::ContextHandle from = context_of(model);
        make_dialogue(from);
        test::must(bitnet_sequence_remove(from.get(), 1, 4, 6));  // 1 shares cells with the others but not their order
        const Bytes bytes = session(from);
        std::vector<Bytes> sequences;
        size_t sum = 0;
        for (bitnet_seq_id id = 0; id < 4; ++id) sum += sequences.emplace_back(delta(from, id, 0)).size();
        CHECK(bytes.size() * 2 < sum);
        Telling telling;
        test::must(bitnet_context_save_session(from.get(), path.c_str(), &on_progress, &telling));
        CHECK(read_file(path) == bytes);
        CHECK(telling.seen.back() == 1.0f);
        const int32_t n_free = bitnet_context_get_n_free(from.get());

        const test::ModelHandle same_file = test::load_model(test::golden_model(name));
        for (const bool through_file : {false, true}) {
            const test::ContextHandle to = context_of(same_file, 5, 40);
            test::decode(to, some_tokens(7, 200), 2);  // is forgotten
            test::decode(to, some_tokens(7, 210), 4);
            telling = Telling();
            test::must(through_file ? bitnet_context_load_session(to.get(), path.c_str(), &on_progress, &telling)
                                    : load(to, bytes));
            CHECK(telling.seen.empty() == !through_file);
            for (bitnet_seq_id id = 0; id < 4; ++id) CHECK(delta(to, id, 0) == sequences[static_cast<size_t>(id)]);
            CHECK(bitnet_sequence_get_end(to.get(), 4) == 0);
            CHECK(bitnet_context_get_n_free(to.get()) == n_free - 24);
            CHECK(session(to) == bytes);
            for (const bitnet_seq_id id : {0, 1, 3}) {
                test::decode(to, {42}, id);
                const test::Logits there = test::copy_logits(to, model);
                test::decode(from, {42}, id);
                CHECK(test::same_bits(there, test::copy_logits(from, model)));
                test::must(bitnet_sequence_rewind(from.get(), id, 1));
            }
        }
    }
    size_t n_files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(dir.path())) n_files += entry.exists();
    CHECK(n_files == 1);
}

TEST_CASE("an empty session can be saved and loaded") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const test::ContextHandle context = context_of(model);
    const Bytes empty = session(context);
    test::decode(context, some_tokens(5));
    test::must(load(context, empty));
    CHECK(bitnet_sequence_get_end(context.get(), 0) == 0);
    CHECK(bitnet_context_get_n_free(context.get()) == 64);
}

TEST_CASE("a session with any bit flipped, cut anywhere or too long is refused, and the context stays") {
    const test::ModelHandle model = test::load_model(test::golden_model("llama-f16"));
    const test::ContextHandle context = context_of(model, 3);
    test::decode(context, {1, 2});
    test::must(bitnet_sequence_fork(context.get(), 0, 1));
    test::decode(context, {3}, 1);
    const Bytes good = session(context);
    test::decode(context, some_tokens(4, 77), 2);
    const Bytes before = session(context);
    int accepted = 0;
    for (size_t i = 0; i < good.size(); ++i) {
        Bytes bad = good;
        bad[i] = static_cast<uint8_t>(bad[i] ^ (1u << (i % 8)));
        accepted += load(context, bad) != BITNET_E_STATE;
        accepted += load(context, Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(i))) != BITNET_E_STATE;
    }
    for (const size_t extra : {1, 8, 64}) {
        Bytes longer = good;
        longer.resize(good.size() + extra);
        sign(longer);
        accepted += load(context, longer) != BITNET_E_STATE;
    }
    // Signed again, every byte of head and lists may say anything: refused or taken, never worse.
    for (size_t i = 0; i < good.size() - 8 && i < 140; ++i) {
        for (const uint8_t value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
            Bytes bad = good;
            bad[i] = value;
            sign(bad);
            const bitnet_status status = load(context, bad);
            if (status == BITNET_OK) test::must(load(context, before));
            CHECK((status == BITNET_OK || status == BITNET_E_STATE || status == BITNET_E_KV_FULL));
        }
    }
    CHECK(accepted == 0);
    CHECK(session(context) == before);
    test::must(load(context, good));
}

TEST_CASE("a session of another model, too many tokens or a sequence outside is refused by name") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const test::ContextHandle from = context_of(model);
    make_dialogue(from);
    const Bytes bytes = session(from);
    for (const char* other : {"llama-i2s", "b158-tq2"}) {
        const test::ModelHandle model2 = test::load_model(test::golden_model(other));
        const test::ContextHandle to = context_of(model2);
        CHECK(test::name_of(load(to, bytes)) == "BITNET_E_STATE");
        CHECK(test::last_error().find("another model") != std::string::npos);
    }
    const test::ContextHandle short_one = context_of(model, 4, 14);
    test::decode(short_one, some_tokens(4));
    CHECK(test::name_of(load(short_one, bytes)) == "BITNET_E_KV_FULL");
    const test::ContextHandle narrow = context_of(model, 3, 64);
    test::decode(narrow, some_tokens(4));
    CHECK(test::name_of(load(narrow, bytes)) == "BITNET_E_STATE");
    CHECK(test::last_error().find("n_seq_max") != std::string::npos);
    for (const auto* context : {&short_one, &narrow}) {
        test::decode(*context, {8});
        test::Tokens all = some_tokens(4);
        all.push_back(8);
        CHECK(test::same_bits(test::copy_logits(*context, model), test::fresh_logits(model, all)));
    }
}

TEST_CASE("a session file is written whole or not at all, and reading one never harms the context") {
    const test::TempDir dir;
    const std::string path = dir.file("s.session"), missing = dir.file("none/s.session");
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const test::ContextHandle context = context_of(model);
    make_dialogue(context);
    const Bytes bytes = session(context);
    Telling stop;
    stop.stop_at = 1;
    const auto files = [&] {
        size_t n = 0;
        for (const auto& entry : std::filesystem::directory_iterator(dir.path())) n += entry.exists();
        return n;
    };
    CHECK(test::name_of(bitnet_context_save_session(context.get(), path.c_str(), &on_progress, &stop)) ==
          "BITNET_E_CANCELLED");
    CHECK(files() == 0);
    CHECK(test::name_of(bitnet_context_save_session(context.get(), missing.c_str(), nullptr, nullptr)) ==
          "BITNET_E_IO");
    test::must(bitnet_context_save_session(context.get(), path.c_str(), nullptr, nullptr));
    stop = Telling();
    stop.stop_at = 1;
    test::decode(context, {1}, 1);
    CHECK(test::name_of(bitnet_context_save_session(context.get(), path.c_str(), &on_progress, &stop)) ==
          "BITNET_E_CANCELLED");
    CHECK(read_file(path) == bytes);  // the old one stays
    CHECK(files() == 1);

    const Bytes before = session(context);
    const auto status = [&](const std::string& file) {
        return test::name_of(bitnet_context_load_session(context.get(), file.c_str(), nullptr, nullptr));
    };
    CHECK(status(missing) == "BITNET_E_FILE_NOT_FOUND");
    CHECK(status(dir.path().string()) == "BITNET_E_IO");
    CHECK(status(dir.write("empty", {})) == "BITNET_E_STATE");
    CHECK(status(dir.write("cut", Bytes(bytes.begin(), bytes.end() - 1))) == "BITNET_E_STATE");
    CHECK(status(dir.write("model", read_file(test::golden_model("b158-i2s")))) == "BITNET_E_STATE");
    CHECK(status(dir.write("huge", Bytes(size_t{3} << 20, 1))) == "BITNET_E_STATE");
    stop = Telling();
    stop.stop_at = 1;
    CHECK(test::name_of(bitnet_context_load_session(context.get(), path.c_str(), &on_progress, &stop)) ==
          "BITNET_E_CANCELLED");
    CHECK(session(context) == before);
    CHECK(status(path) == "BITNET_OK");
    CHECK(session(context) == bytes);
    CHECK(bitnet_context_load_session(context.get(), nullptr, nullptr, nullptr) == BITNET_E_ARGUMENT);
    CHECK(bitnet_context_save_session(context.get(), nullptr, nullptr, nullptr) == BITNET_E_ARGUMENT);
    CHECK(bitnet_context_save_session(nullptr, path.c_str(), nullptr, nullptr) == BITNET_E_ARGUMENT);
    CHECK(bitnet_context_load_session_from_memory(context.get(), nullptr, 5) == BITNET_E_ARGUMENT);
}
