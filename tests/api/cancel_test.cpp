// Cancelling: after any number of polls, from another thread, and while a model loads. What was cancelled never
// happened.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/api_fixture.h"

namespace {

struct Countdown {
    long left = -1;
    long polls = 0;
    std::thread::id caller = std::this_thread::get_id();
    bool foreign_thread = false;
    static int32_t poll(void* user_data) {
        Countdown& c = *static_cast<Countdown*>(user_data);
        ++c.polls;
        c.foreign_thread = c.foreign_thread || std::this_thread::get_id() != c.caller;
        return c.left >= 0 && c.left-- == 0 ? 1 : 0;
    }
};

test::Tokens some_tokens(int n) {
    test::Tokens tokens;
    for (int i = 0; i < n; ++i) tokens.push_back((i * 17 + 1) % 260);
    return tokens;
}

}  // namespace

TEST_CASE("a decode cancelled after any number of polls leaves the sequences as they were") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    for (const int32_t n_threads : {1, 2}) {
        for (const int32_t n_ubatch : {512, 2}) {
            CAPTURE(n_threads);
            CAPTURE(n_ubatch);
            Countdown countdown;
            const test::ContextHandle context = test::make_context(model, [&](bitnet_context_params& p) {
                p.n_threads = n_threads;
                p.n_ubatch = n_ubatch;
                p.n_ctx = 12;
                p.should_abort = Countdown::poll;
                p.abort_user_data = &countdown;
            });
            const test::Tokens past = {5, 6, 7}, tokens = some_tokens(5);
            test::decode(context, past);
            test::Tokens all = past;
            all.insert(all.end(), tokens.begin(), tokens.end());
            const test::Logits expected = test::fresh_logits(model, all);
            countdown.polls = 0;
            test::decode(context, tokens);
            const long total = countdown.polls;
            CHECK(total > 10);
            test::must(bitnet_sequence_remove(context.get(), 0, 3, -1));
            for (long k = 0; k <= total; ++k) {
                CAPTURE(k);
                countdown.left = k;
                const bitnet_status status =
                    bitnet_context_decode_tokens(context.get(), 0, tokens.data(), tokens.size());
                CHECK(test::name_of(status) == (k < total ? "BITNET_E_CANCELLED" : "BITNET_OK"));
                CHECK(bitnet_sequence_get_end(context.get(), 0) == (k < total ? 3 : 8));
                if (k < total) {
                    const float* logits = nullptr;
                    CHECK(bitnet_context_get_logits(context.get(), -1, &logits) == BITNET_E_NOT_FOUND);
                    if (k % 16 != 0) continue;
                    countdown.left = -1;
                    test::decode(context, tokens);
                }
                CHECK(test::same_bits(test::copy_logits(context, model), expected));
                test::must(bitnet_sequence_remove(context.get(), 0, 3, -1));
            }
            CHECK(!countdown.foreign_thread);
        }
    }
}

TEST_CASE("cancelling while nothing runs stops the next decode, and that one only") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const test::ContextHandle context = test::make_context(model);
    bitnet_context_cancel(context.get());
    bitnet_context_cancel(context.get());
    test::must(bitnet_context_decode_tokens(context.get(), 0, nullptr, 0));  // nothing runs here either
    const bitnet_token token = 3;
    CHECK(test::name_of(bitnet_context_decode_tokens(context.get(), 0, &token, 1)) == "BITNET_E_CANCELLED");
    test::last_error();
    CHECK(bitnet_sequence_get_end(context.get(), 0) == 0);
    test::decode(context, {token});
    CHECK(test::same_bits(test::copy_logits(context, model), test::fresh_logits(model, {token})));
    bitnet_context_cancel(nullptr);
}

TEST_CASE("a long prompt is cancelled from another thread, again and again") {
    if (!test::have_data(test::kStories3m)) return;
    const test::ModelHandle model = test::load_model((test::data_dir() / test::kStories3m).string());
    const test::ContextHandle context = test::make_context(model, [](bitnet_context_params& p) { p.n_ubatch = 8; });
    const test::Tokens prompt = some_tokens(500);
    test::decode(context, {1, 2});
    const test::Logits expected = test::fresh_logits(model, {1, 2, 3});
    int cancelled = 0;
    for (int i = 0; i < 20; ++i) {
        std::atomic<bool> started{false};
        std::thread canceller([&] {
            while (!started) std::this_thread::yield();
            std::this_thread::sleep_for(std::chrono::microseconds(200 * i));
            bitnet_context_cancel(context.get());
        });
        started = true;
        const bitnet_status status = bitnet_context_decode_tokens(context.get(), 0, prompt.data(), prompt.size());
        canceller.join();
        if (status == BITNET_OK) {  // it was quicker: then the request is for the next decode
            const bitnet_token token = 3;
            CHECK(test::name_of(bitnet_context_decode_tokens(context.get(), 0, &token, 1)) == "BITNET_E_CANCELLED");
            test::must(bitnet_sequence_remove(context.get(), 0, 2, -1));
        } else {
            CHECK(test::name_of(status) == "BITNET_E_CANCELLED");
            ++cancelled;
        }
        CHECK(bitnet_sequence_get_end(context.get(), 0) == 2);
        test::decode(context, {3});
        CHECK(test::same_bits(test::copy_logits(context, model), expected));
        test::must(bitnet_sequence_remove(context.get(), 0, 2, -1));
    }
    CHECK(cancelled > 0);
}

namespace {

struct Progress {
    int cancel_at = -1;
    std::vector<float> seen;
    static int32_t step(float progress, void* user_data) {
        Progress& p = *static_cast<Progress*>(user_data);
        p.seen.push_back(progress);
        return static_cast<int>(p.seen.size()) - 1 == p.cancel_at ? 1 : 0;
    }
};

}  // namespace

TEST_CASE("progress rises from 0 to 1, and a load cancelled at any step gives no model") {
    Progress whole;
    test::load_model(test::golden_model("b158-i2s"), [&](bitnet_model_params& p) {
        p.on_progress = Progress::step;
        p.progress_user_data = &whole;
    });
    REQUIRE(whole.seen.size() > 5);
    CHECK(whole.seen.front() == 0.0f);
    CHECK(whole.seen.back() == 1.0f);
    for (size_t i = 1; i < whole.seen.size(); ++i) CHECK(whole.seen[i] >= whole.seen[i - 1]);
    for (int k = 0; k < static_cast<int>(whole.seen.size()); ++k) {
        CAPTURE(k);
        Progress progress;
        progress.cancel_at = k;
        const bitnet_model_params params = test::model_params([&](bitnet_model_params& p) {
            p.on_progress = Progress::step;
            p.progress_user_data = &progress;
        });
        bitnet_model* model = reinterpret_cast<bitnet_model*>(&progress);
        CHECK(test::name_of(bitnet_model_load(test::golden_model("b158-i2s").c_str(), &params, &model)) ==
              "BITNET_E_CANCELLED");
        CHECK(model == nullptr);
        CHECK(static_cast<int>(progress.seen.size()) == k + 1);
        test::last_error();
    }
}

TEST_CASE("a long prompt tells how far it is, and stopped at any point it never happened") {
    struct Progress {
        std::vector<float> told;
        size_t stop_at = SIZE_MAX;
        static int32_t tell(float done, void* self) {
            Progress& p = *static_cast<Progress*>(self);
            p.told.push_back(done);
            return p.told.size() > p.stop_at ? 1 : 0;
        }
    } progress;
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const test::ContextHandle context = test::make_context(model, [&](bitnet_context_params& p) {
        p.n_ctx = 64;
        p.n_batch = 12;  // a prefill is several decodes, a decode several micro-batches
        p.n_ubatch = 5;
        p.on_progress = Progress::tell;
        p.progress_user_data = &progress;
    });
    const test::Tokens prompt = some_tokens(40);
    const auto prefill = [&] {
        return bitnet_context_prefill(context.get(), 0, prompt.data(), prompt.size(), nullptr);
    };
    test::must(prefill());
    const std::vector<float> all = progress.told;
    REQUIRE(all.size() == 10);  // 12 = 5 + 5 + 2, three times, and 4
    for (size_t i = 1; i < all.size(); ++i) CHECK(all[i] > all[i - 1]);
    CHECK(all.front() == 5.0f / 40.0f);
    CHECK(all.back() == 1.0f);
    const test::Logits expected = test::copy_logits(context, model);
    for (size_t k = 0; k < all.size(); ++k) {
        test::must(bitnet_sequence_remove(context.get(), 0, -1, -1));
        progress = {{}, k};
        CHECK(test::name_of(prefill()) == "BITNET_E_CANCELLED");
        CHECK(bitnet_sequence_get_end(context.get(), 0) == 0);
    }
    progress = {};
    test::must(prefill());
    CHECK(test::same_bits(test::copy_logits(context, model), expected));
    progress = {};
    test::decode(context, {1, 2, 3, 4, 5});  // no long prompt
    CHECK(progress.told.empty());
    test::decode(context, some_tokens(12));
    CHECK(progress.told == std::vector<float>{5.0f / 12.0f, 10.0f / 12.0f, 1.0f});
}
