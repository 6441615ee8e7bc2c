// The host's threads: the same bits however they run the tasks, no thread of the library's own, and an error where a task is
// left out.
#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/api_fixture.h"

namespace {

enum class Order { at_once, forwards, backwards, all_but_one };

struct HostPool {
    Order order;
    long n_runs = 0;
    std::thread::id caller = std::this_thread::get_id();
    bool foreign_caller = false;

    static void run(void* user_data, void (*task)(void*, int32_t), void* arg, int32_t n_tasks) {
        HostPool& pool = *static_cast<HostPool*>(user_data);
        ++pool.n_runs;
        pool.foreign_caller = pool.foreign_caller || pool.caller != std::this_thread::get_id();
        std::vector<std::thread> threads;
        for (int32_t i = 0; i < n_tasks; ++i) {
            switch (pool.order) {
                case Order::at_once: threads.emplace_back(task, arg, i); break;
                case Order::forwards: task(arg, i); break;
                case Order::backwards: task(arg, n_tasks - 1 - i); break;
                case Order::all_but_one:
                    if (i != 1 || pool.n_runs < 5) task(arg, i);
                    break;
            }
        }
        for (std::thread& thread : threads) thread.join();
    }
    bitnet_thread_pool view(int32_t n_threads) { return {sizeof(bitnet_thread_pool), n_threads, run, this}; }
};

test::ContextHandle context_on(const test::ModelHandle& model, HostPool& pool, int32_t n_threads) {
    const bitnet_thread_pool view = pool.view(n_threads);
    return test::make_context(model, [&](bitnet_context_params& p) {
        p.thread_pool = &view;
        p.n_threads = 4;  // does not count beside a pool
    });
}

size_t n_process_threads() {
    size_t n = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) n += entry.exists() ? 1 : 0;
    return n;
}

const test::Tokens kTokens = {264, 244, 240, 117, 213, 121, 125, 62};

}  // namespace

TEST_CASE("the host's threads give the same bits, at once or one after the other, in any order") {
    for (const char* name : {"b158-i2s", "llama-mix"}) {
        const test::ModelHandle model = test::load_model(test::golden_model(name));
        const test::Logits expected = test::fresh_logits(model, kTokens);
        for (const Order order : {Order::at_once, Order::forwards, Order::backwards}) {
            for (const int32_t n_threads : {1, 2, 3, 7}) {
                CAPTURE(static_cast<int>(order));
                CAPTURE(n_threads);
                HostPool pool{order};
                const test::ContextHandle context = context_on(model, pool, n_threads);
                CHECK(bitnet_context_get_n_threads(context.get()) == n_threads);
                test::decode(context, kTokens);
                CHECK(test::same_bits(test::copy_logits(context, model), expected));
                CHECK((pool.n_runs > 0) == (n_threads > 1));
                test::must(bitnet_sequence_remove(context.get(), 0, -1, -1));
                bitnet_batch batch = {};
                batch.struct_size = sizeof batch;
                batch.n_tokens = static_cast<int32_t>(kTokens.size());
                batch.tokens = kTokens.data();
                test::must(bitnet_context_decode_begin(context.get(), &batch));
                for (int32_t done = 0; done == 0;) test::must(bitnet_context_step(context.get(), 0, &done));
                CHECK(test::same_bits(test::copy_logits(context, model), expected));
                CHECK(!pool.foreign_caller);
            }
        }
    }
}

TEST_CASE("with the host's threads, or with one, the library makes no thread") {
    const test::ModelHandle model =
        test::load_model(test::golden_model("b158-i2s"), [](bitnet_model_params& p) { p.n_threads = 1; });
    const size_t before = n_process_threads();
    HostPool pool{Order::forwards};
    const test::ContextHandle context = context_on(model, pool, 3);
    test::decode(context, kTokens);
    CHECK(n_process_threads() == before);
    const test::ContextHandle alone = test::make_context(model, [](bitnet_context_params& p) { p.n_threads = 1; });
    test::decode(alone, kTokens);
    CHECK(n_process_threads() == before);
    if (bitnet_cpu_get_thread_limit() < 2) return;
    const test::ContextHandle own = test::make_context(model, [](bitnet_context_params& p) { p.n_threads = 2; });
    CHECK(n_process_threads() == before + 1);  // the count sees one where there is one
}

TEST_CASE("a trace and cancelling work on the host's threads as on the library's") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    HostPool pool{Order::backwards};
    const bitnet_thread_pool view = pool.view(2);
    long polls = 0;
    const auto tweak = [&](bitnet_context_params& p) {
        p.trace = 1;
        p.should_abort = [](void* user_data) { return --*static_cast<long*>(user_data) == 0 ? 1 : 0; };
        p.abort_user_data = &polls;
    };
    const test::ContextHandle own = test::make_context(model, tweak);
    const test::ContextHandle hosted = test::make_context(model, [&](bitnet_context_params& p) {
        tweak(p);
        p.thread_pool = &view;
    });
    const auto checksums = [](const test::ContextHandle& context) {
        std::string trace(1 << 20, ' ');
        size_t n = 0;
        test::must(bitnet_context_get_trace(context.get(), trace.data(), trace.size(), &n));
        std::string sums;
        for (size_t at = trace.find("checksum"); at != std::string::npos; at = trace.find("checksum", at + 1)) {
            sums += trace.substr(at + 11, 17);
        }
        return sums;
    };
    test::decode(own, kTokens);
    const long n_polls = -polls;
    test::decode(hosted, kTokens);
    CHECK(-polls == 2 * n_polls);
    CHECK(checksums(own) == checksums(hosted));
    for (long k = 1; k <= n_polls; k += 4) {
        polls = k;
        CHECK(bitnet_context_decode_tokens(hosted.get(), 0, kTokens.data(), kTokens.size()) == BITNET_E_CANCELLED);
        CHECK(bitnet_sequence_get_end(hosted.get(), 0) == 8);
    }
}

TEST_CASE("a pool that leaves out a task is an error, and the decode never happened") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    HostPool pool{Order::all_but_one};
    const test::ContextHandle context = context_on(model, pool, 2);
    CHECK(test::name_of(bitnet_context_decode_tokens(context.get(), 0, kTokens.data(), kTokens.size())) ==
          "BITNET_E_DEVICE");
    CHECK(test::last_error().find("1 tasks of 2") != std::string::npos);
    CHECK(bitnet_sequence_get_end(context.get(), 0) == 0);
    pool.order = Order::forwards;
    test::decode(context, kTokens);
    CHECK(test::same_bits(test::copy_logits(context, model), test::fresh_logits(model, kTokens)));
}

TEST_CASE("a pool that cannot be is refused") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    HostPool pool{Order::forwards};
    const auto create = [&](const bitnet_thread_pool& view) {
        bitnet_context_params params = bitnet_context_default_params();
        params.thread_pool = &view;
        bitnet_context* context = nullptr;
        const bitnet_status status = bitnet_context_create(model.get(), &params, &context);
        CHECK((context == nullptr) == (status != BITNET_OK));
        bitnet_context_free(context);
        return test::name_of(status);
    };
    bitnet_thread_pool view = pool.view(2);
    CHECK(create(view) == "BITNET_OK");
    for (const int32_t n : {0, -1, 1025, INT32_MIN}) {
        view.n_threads = n;
        CHECK(create(view) == "BITNET_E_CONFIG");
    }
    view = pool.view(2);
    view.run = nullptr;
    CHECK(create(view) == "BITNET_E_ARGUMENT");
    view = pool.view(2);
    view.struct_size = 0;
    CHECK(create(view) == "BITNET_E_ARGUMENT");
}
