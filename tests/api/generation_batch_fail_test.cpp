// Batches at their limits: shares of tokens, full caches, failures that are one generation's alone, and passes that are stopped
// at any point. Nothing is lost, and who was not meant does not notice.
#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <vector>

#include "tests/api/batch_fixture.h"
#include "tests/support/alloc_trap.h"

namespace {

using test::alone;
using test::Made;
using test::Run;
using test::Wish;

test::ModelHandle golden() { return test::load_model(test::golden_model("b158-i2s")); }

test::ContextHandle context_of(const test::ModelHandle& model, int32_t n_seq, const test::ContextTweak& tweak = {}) {
    return test::make_context(model, [&](bitnet_context_params& p) {
        p.n_ctx = 512;
        p.n_seq_max = n_seq;
        if (tweak) tweak(p);
    });
}

// A text that nothing but its length ends.
Wish wish(size_t n_prompt, int32_t n_most, uint64_t seed = 1) {
    Wish wish;
    for (size_t i = 0; i < n_prompt; ++i) wish.prompt.push_back(static_cast<bitnet_token>((i * 17 + seed * 5) % 250));
    wish.n_most = n_most;
    wish.seed = seed;
    wish.n_logprobs = 2;
    return wish;
}

std::vector<Run> begin(const test::ContextHandle& context, const std::vector<Wish>& wishes) {
    std::vector<Run> runs;
    for (size_t i = 0; i < wishes.size(); ++i) runs.emplace_back(context, wishes[i], static_cast<bitnet_seq_id>(i));
    return runs;
}

uint64_t n_computed(const test::ContextHandle& context) {
    bitnet_metrics metrics = {};
    metrics.struct_size = sizeof metrics;
    test::must(bitnet_context_get_metrics(context.get(), &metrics));
    return metrics.prefill_tokens + metrics.decode_tokens;
}

std::string status_of(const Run& run) { return bitnet_status_name(static_cast<bitnet_status>(run.last().status)); }

}  // namespace

TEST_CASE("texts get a token in every call, prompts what is left of max_tokens, in the order of the array") {
    const test::ModelHandle model = golden();
    const test::ContextHandle context = context_of(model, 5);
    std::vector<Run> runs = begin(context, {wish(2, 30, 1), wish(3, 30, 2), wish(20, 30, 3), wish(9, 30, 4)});
    test::next_batch({&runs[0], &runs[1]}, 0);
    CHECK(n_computed(context) == 5);
    REQUIRE(runs[0].last().n_tokens == 1);
    const auto step = [&](const std::vector<Run*>& list, size_t max_tokens) {
        const uint64_t before = n_computed(context);
        test::next_batch(list, max_tokens);
        CHECK(runs[0].last().n_tokens == 1);
        CHECK(runs[1].last().n_tokens == 1);
        return n_computed(context) - before;
    };
    const std::vector<Run*> list = {&runs[2], &runs[0], &runs[3], &runs[1]};
    CHECK(step(list, 1) == 2);  // the texts go on however small it is
    CHECK(runs[2].last().prompt_tokens_left == 20);
    CHECK(step(list, 10) == 10);
    CHECK(runs[2].last().prompt_tokens_left == 12);
    CHECK(runs[3].last().prompt_tokens_left == 9);
    CHECK(step({&runs[3], &runs[2], &runs[1], &runs[0]}, 5) == 5);
    CHECK(runs[3].last().prompt_tokens_left == 6);
    CHECK(runs[2].last().prompt_tokens_left == 12);
    CHECK(step(list, 17) == 17);
    CHECK(runs[2].last().prompt_tokens_left == 0);
    CHECK(runs[2].last().n_tokens == 1);  // complete, so it draws
    CHECK(runs[3].last().prompt_tokens_left == 3);
    CHECK(runs[3].last().n_tokens == 0);
    CHECK(step(list, 0) == 6);
    CHECK(runs[3].last().n_tokens == 1);
    CHECK(step(list, 0) == 4);
    test::run_all(runs);
    const std::vector<Wish> wishes = {wish(2, 30, 1), wish(3, 30, 2), wish(20, 30, 3), wish(9, 30, 4)};
    for (size_t i = 0; i < 4; ++i) CHECK(runs[i].made() == alone(model, wishes[i]));
}

TEST_CASE("more tokens than n_batch in a call, texts or prompts, are several passes with the same result") {
    const test::ModelHandle model = golden();
    const test::ContextHandle context = context_of(model, 7, [](auto& p) { p.n_batch = 3; });
    std::vector<Wish> wishes;
    for (uint64_t i = 0; i < 7; ++i) wishes.push_back(wish(1 + 5 * i, 12, i));
    std::vector<Run> runs = begin(context, wishes);
    test::next_batch(test::pointers(runs), 1000);
    for (const Run& run : runs) CHECK(run.last().n_tokens == 1);
    test::run_all(runs, 2);
    for (size_t i = 0; i < 7; ++i) CHECK(runs[i].made() == alone(model, wishes[i]));
}

TEST_CASE("a prompt keeps what its sequence holds of it, also when it is computed in parts") {
    const test::ModelHandle model = golden();
    const test::ContextHandle context = context_of(model, 2);
    const Wish first = wish(30, 10);
    Run run(context, first, 0);
    while (!run.over()) test::next_batch({&run}, 7);
    CHECK(run.result().reused_tokens == 0);
    Wish other = first;
    other.prompt.resize(20);
    other.prompt.insert(other.prompt.end(), {7, 7, 3, 7, 1, 2, 9, 9, 9});
    for (const size_t max_tokens : {1, 4, 0}) {
        Run again(context, other, 0);
        test::next_batch({&again}, max_tokens);
        CHECK(bitnet_sequence_get_end(context.get(), 0) ==
              20 + static_cast<bitnet_pos>(max_tokens == 0 ? 9 : max_tokens));
        while (!again.over()) test::next_batch({&again}, max_tokens);
        CHECK(again.result().reused_tokens == 20);
        CHECK(again.made() == alone(model, other));
        Run back(context, first, 0);
        while (!back.over()) back.next();
        CHECK(back.result().reused_tokens == 20);
    }
    // One that goes on alone in the middle of its prompt.
    Run mixed(context, other, 0);
    test::next_batch({&mixed}, 2);
    CHECK(mixed.last().prompt_tokens_left == 7);
    while (!mixed.over()) mixed.next();
    CHECK(mixed.result().reused_tokens == 20);
    CHECK(mixed.made() == alone(model, other));
    // And one whose sequence somebody took part of meanwhile: computed once more.
    Run robbed(context, first, 0);
    test::next_batch({&robbed}, 5);
    test::must(bitnet_sequence_remove(context.get(), 0, 11, -1));
    while (!robbed.over()) test::next_batch({&robbed}, 5);
    CHECK(robbed.made() == alone(model, first));
}

TEST_CASE("no token wanted is the end behind the prompt, in a batch as alone") {
    const test::ModelHandle model = golden();
    const test::ContextHandle context = context_of(model, 2);
    std::vector<Run> runs = begin(context, {wish(9, 0), wish(4, 5)});
    test::next_batch(test::pointers(runs), 6);
    CHECK(runs[0].last().prompt_tokens_left == 3);
    CHECK(!runs[0].over());
    test::run_all(runs, 6);
    CHECK(runs[0].made() == alone(model, wish(9, 0)));
    CHECK(runs[0].made().reason == "length");
    CHECK(bitnet_sequence_get_end(context.get(), 0) == 9);
}

TEST_CASE("one that fails says so in its own step, and the others come out as alone") {
    const std::string path = test::golden_model("b25-i2s-untied");
    const test::ModelHandle model = test::load_model(path);
    const test::AdapterHandle adapter =
        test::load_adapter(model, test::full_adapter(path, 4, test::kTypeF16, 1).bytes());
    const test::ContextHandle context = context_of(model, 5, [](auto& p) {
        p.n_ctx = 96;
        p.max_lora_rank = 4;
    });
    test::must(test::set_adapters(context, 3, {{adapter.get(), 1.0f}}));
    std::vector<Wish> wishes = {wish(3, 20, 1), wish(4, 20, 2), wish(90, 20, 3), wish(2, 20, 4), wish(6, 20, 8)};
    wishes[3].receipt = true;
    std::vector<Run> runs = begin(context, wishes);
    for (int i = 0; i < 6; ++i) {
        test::next_batch(test::pointers(runs), 0);
        CHECK(status_of(runs[2]) == "BITNET_E_KV_FULL");
        CHECK(std::string(runs[2].last().error).find("90 tokens") != std::string::npos);
        CHECK(runs[2].last().prompt_tokens_left == 90);
        CHECK(status_of(runs[3]) == "BITNET_E_UNSUPPORTED");
        CHECK(std::string(runs[3].last().error).find("sequence 3") != std::string::npos);
        for (const size_t k : {0, 1, 4}) CHECK(runs[k].last().n_tokens == 1);
    }
    // Somebody takes tokens of sequence 1.
    test::must(bitnet_sequence_rewind(context.get(), 1, 2));
    for (int i = 0; i < 2; ++i) {
        test::next_batch(test::pointers(runs), 0);
        CHECK(status_of(runs[1]) == "BITNET_E_STATE");
        CHECK(runs[1].last().n_tokens == 0);
        for (const size_t k : {0, 4}) CHECK(status_of(runs[k]) == "BITNET_OK");
    }
    CHECK(runs[1].made().tokens.size() == 6);
    test::must(bitnet_sequence_remove(context.get(), 1, -1, -1));
    while (!runs[0].over()) test::next_batch({&runs[2], &runs[0], &runs[3], &runs[4]}, 0);
    // With room again the long prompt goes through.
    test::must(bitnet_sequence_keep(context.get(), 2));
    wishes[2].n_most = 5;
    Run shorter(context, wishes[2], 2);
    while (!shorter.over()) test::next_batch({&shorter, &runs[3]}, 11);
    CHECK(shorter.made() == alone(model, wishes[2]));
    // The same one that failed, not only a new one.
    test::next_batch({&runs[2]}, 0);
    CHECK(status_of(runs[2]) == "BITNET_OK");
    CHECK(runs[2].last().n_tokens == 1);
    for (const size_t k : {0, 4}) CHECK(runs[k].made() == alone(model, wishes[k]));
}

TEST_CASE("a grammar that cannot go on fails its text alone, again and again, and harms nobody") {
    const test::ModelHandle model = test::stories();
    const test::GrammarHandle grammar = test::make_grammar(model, "root ::= \"xyz\" (\"a\"? \"b\"?){40000} \"c\"");
    const test::ContextHandle context = context_of(model, 2);
    std::vector<Wish> wishes = {wish(3, 20, 1), wish(4, 12, 2)};
    wishes[0].grammar = grammar.get();
    std::vector<Run> runs = begin(context, wishes);
    std::string status;
    while (!runs[1].over()) {
        test::next_batch(test::pointers(runs), 0);
        status = status_of(runs[0]);
    }
    CHECK(status == "BITNET_E_SECURITY_EXHAUSTION");
    CHECK(std::string(runs[0].last().error).find("grammar") != std::string::npos);
    const std::string text = runs[0].made().text;
    CHECK(text == std::string("xyz").substr(0, text.size()));
    CHECK(runs[1].made() == alone(model, wishes[1]));
    bitnet_generation_step step = {};
    step.struct_size = sizeof step;
    CHECK(test::name_of(bitnet_generation_next(runs[0].get(), &step)) == "BITNET_E_SECURITY_EXHAUSTION");
}

TEST_CASE("prompts are promised their cells in order, and a full cache ends the last texts first") {
    const test::ModelHandle model = golden();
    const test::ContextHandle context = context_of(model, 4, [](auto& p) { p.n_ctx = 40; });
    std::vector<Wish> wishes = {wish(2, -1, 1), wish(3, -1, 2), wish(20, -1, 3), wish(14, -1, 4)};
    std::vector<Run> runs = begin(context, wishes);
    const std::vector<Run*> list = test::pointers(runs);
    test::next_batch({list[0], list[1]}, 0);
    test::next_batch(list, 6);
    CHECK(status_of(runs[2]) == "BITNET_OK");
    CHECK(runs[2].last().prompt_tokens_left == 16);
    CHECK(status_of(runs[3]) == "BITNET_E_KV_FULL");  // 14 beside 20, 2 and 5: what is promised to others counts
    while (!runs[2].over()) test::next_batch(list, 6);
    CHECK(!runs[0].over());  // 40 cells end as 2, 3 and 20 for the prompts and 5 for each text: the last one finds none
    CHECK(runs[2].made().reason == "context_full");
    while (!(runs[0].over() && runs[1].over())) test::next_batch(list, 6);
    CHECK(bitnet_context_get_n_free(context.get()) == 0);
    for (const size_t i : {0, 1, 2}) {
        const test::Tokens tokens = runs[i].made().tokens;
        CHECK(runs[i].made().reason == "context_full");
        Wish same = wishes[i];
        same.n_most = static_cast<int32_t>(tokens.size());
        CHECK(tokens == alone(model, same).tokens);
    }
    CHECK(status_of(runs[3]) == "BITNET_E_KV_FULL");
    test::must(bitnet_sequence_remove(context.get(), 2, -1, -1));
    test::next_batch(list, 0);
    CHECK(status_of(runs[3]) == "BITNET_OK");
    CHECK(runs[3].last().n_tokens == 1);
}

TEST_CASE("a deadline ends a text in the middle of its prompt, and nobody else's") {
    const test::ModelHandle model = golden();
    const test::ContextHandle context = context_of(model, 2, [](auto& p) { p.n_ctx = 8192; });
    std::vector<Wish> wishes = {wish(8000, 5, 1), wish(2, 40, 2)};
    wishes[0].deadline_us = 100000;
    std::vector<Run> runs = begin(context, wishes);
    size_t left = 8000;
    while (!runs[0].over()) {
        test::next_batch(test::pointers(runs), 2);
        CHECK(runs[0].last().prompt_tokens_left <= left);
        left = runs[0].last().prompt_tokens_left;
    }
    CHECK(left > 0);
    CHECK(runs[0].made().reason == "deadline");
    CHECK(runs[0].made().tokens.empty());
    test::run_all(runs);
    CHECK(runs[1].made() == alone(model, wishes[1]));
    // And behind the prompt.
    wishes[0] = wish(3, -1, 1);
    wishes[0].deadline_us = 1000;  // the text would take some hundred passes
    Run late(context, wishes[0], 0);
    while (!late.over()) test::next_batch({&late}, 0);
    CHECK(late.made().reason == "deadline");
}

TEST_CASE("a pass stopped at any point is the call's failure, nothing is lost and it may be repeated") {
    struct Stop {
        long polls_left = 1000000;
    } stop;
    const test::ModelHandle model = golden();
    std::vector<Wish> wishes = {wish(3, 6, 1), wish(12, 0, 2), wish(9, 5, 3), wish(2, 7, 4)};
    wishes[2].stops = {"zzz"};
    wishes[3].receipt = true;
    std::vector<Made> expected;
    for (const Wish& w : wishes) expected.push_back(alone(model, w));
    for (const int32_t n_batch : {0, 2}) {
        for (long polls = 0; polls < 400; polls = polls * 5 / 4 + 1) {
            CAPTURE(n_batch);
            CAPTURE(polls);
            stop.polls_left = 1000000;
            const test::ContextHandle context = context_of(model, 4, [&](bitnet_context_params& p) {
                p.n_batch = n_batch;
                p.should_abort = [](void* data) -> int32_t { return --static_cast<Stop*>(data)->polls_left < 0; };
                p.abort_user_data = &stop;
            });
            std::vector<Run> runs = begin(context, wishes);
            bool over = false;
            for (int call = 0; !over; ++call) {
                if (call % 2 == 0) stop.polls_left = polls;
                const bitnet_status status = test::try_next_batch(test::pointers(runs), 5);
                CHECK((status == BITNET_OK || status == BITNET_E_CANCELLED));
                stop.polls_left = 1000000;
                over = true;
                for (const Run& run : runs) over = over && run.over();
            }
            for (size_t i = 0; i < runs.size(); ++i) CHECK(runs[i].made() == expected[i]);
        }
    }
}

TEST_CASE("cancelling and the context's timeout are the call's status, and the steps are as before") {
    const test::ModelHandle model = golden();
    const test::ContextHandle context = context_of(model, 2);
    std::vector<Run> runs = begin(context, {wish(3, 9, 1), wish(40, 9, 2)});
    test::next_batch(test::pointers(runs), 8);
    bitnet_generation* const generations[] = {runs[0].get(), runs[1].get()};
    bitnet_generation_step steps[2];
    std::memset(steps, 0x5a, sizeof steps);
    steps[0].struct_size = sizeof steps[0];
    bitnet_generation_step before[2];
    std::memcpy(before, steps, sizeof steps);
    bitnet_context_cancel(context.get());
    CHECK(test::name_of(bitnet_generation_next_batch(generations, 2, 0, steps)) == "BITNET_E_CANCELLED");
    CHECK(std::memcmp(before, steps, sizeof steps) == 0);
    test::run_all(runs);
    CHECK(runs[0].made() == alone(model, wish(3, 9, 1)));
    CHECK(runs[1].made() == alone(model, wish(40, 9, 2)));

    const test::ContextHandle hurried = context_of(model, 2, [](auto& p) { p.timeout_us = 1; });
    std::vector<Run> slow = begin(hurried, {wish(3, 9, 1), wish(4, 9, 2)});
    for (int i = 0; i < 3; ++i) {
        CHECK(test::name_of(test::try_next_batch(test::pointers(slow), 0)) == "BITNET_E_TIMEOUT");
        test::last_error();
        CHECK(slow[0].result().finish_reason == BITNET_FINISH_NONE);
        CHECK(slow[0].result().n_tokens == 0);
    }
}

TEST_CASE("entries that cannot be are refused by number, and nothing is drawn") {
    const test::ModelHandle model = golden();
    const test::ContextHandle context = context_of(model, 3), other = context_of(model, 1);
    std::vector<Run> runs = begin(context, {wish(3, 9, 1), wish(4, 9, 2), wish(5, 9, 3)});
    const Run foreign(other, wish(3, 9), 0), twin(context, wish(3, 9), 1);
    std::vector<bitnet_generation_step> steps(8);
    steps[0].struct_size = sizeof steps[0];
    const auto refused = [&](std::vector<bitnet_generation*> list, const std::string& message) {
        CHECK(test::name_of(bitnet_generation_next_batch(list.data(), list.size(), 0, steps.data())) ==
              "BITNET_E_ARGUMENT");
        const std::string error = test::last_error();
        CAPTURE(error);
        CHECK(error.find(message) != std::string::npos);
    };
    bitnet_generation *a = runs[0].get(), *b = runs[1].get(), *c = runs[2].get();
    refused({a, nullptr}, "generation 1 is NULL");
    refused({nullptr, a}, "generation 0 is NULL");
    refused({a, b, foreign.get()}, "generation 2 is of another context");
    refused({a, b, a}, "generations 0 and 2 are both on sequence 0");
    refused({c, b, twin.get()}, "generations 1 and 2 are both on sequence 1");
    refused({a, b, c, twin.get()}, "there are 4 generations");
    CHECK(test::name_of(bitnet_generation_next_batch(nullptr, 1, 0, steps.data())) == "BITNET_E_ARGUMENT");
    CHECK(test::name_of(bitnet_generation_next_batch(&a, 1, 0, nullptr)) == "BITNET_E_ARGUMENT");
    for (const uint32_t size : {0u, 3u}) {
        steps[0].struct_size = size;
        refused({a}, "struct_size");
    }
    test::must(bitnet_generation_next_batch(nullptr, 0, 0, nullptr));
    for (const Run& run : runs) CHECK(run.result().n_tokens == 0);
    CHECK(n_computed(context) == 0);
    test::run_all(runs);
    CHECK(runs[2].made() == alone(model, wish(5, 9, 3)));
}

TEST_CASE("the first struct_size is the stride of the array, as an older or newer program knows it") {
    const test::ModelHandle model = golden();
    for (const uint32_t stride : {64u, static_cast<uint32_t>(sizeof(bitnet_generation_step)), 144u, 4u, 13u}) {
        CAPTURE(stride);
        const test::ContextHandle context = context_of(model, 3);
        std::vector<Run> runs = begin(context, {wish(3, 9, 1), wish(4, 9, 2), wish(5, 9, 3)});
        bitnet_generation* const generations[] = {runs[0].get(), runs[1].get(), runs[2].get()};
        std::vector<unsigned char> memory(3 * stride + 32, 0xcd);
        std::memcpy(memory.data(), &stride, sizeof stride);
        test::must(
            bitnet_generation_next_batch(generations, 3, 0, reinterpret_cast<bitnet_generation_step*>(memory.data())));
        for (size_t i = 0; i < 3; ++i) {
            bitnet_generation_step step = {};
            std::memcpy(&step, memory.data() + i * stride, std::min<size_t>(stride, sizeof step));
            CHECK(step.struct_size == stride);
            if (stride < 64) continue;
            CHECK(step.n_tokens == 1);
            CHECK(*step.tokens == runs[i].result().tokens[0]);
        }
        const size_t known = std::min<size_t>(stride, sizeof(bitnet_generation_step));
        for (size_t i = 2 * stride + known; i < memory.size(); ++i) REQUIRE(memory[i] == 0xcd);
    }
}

TEST_CASE("times of a batch: a call counts for all that took part, the first token has its prompt's calls") {
    const test::ModelHandle model = golden();
    const test::ContextHandle context = context_of(model, 3);
    std::vector<Run> runs = begin(context, {wish(3, 9, 1), wish(40, 9, 2), wish(40, 9, 3)});
    test::next_batch(test::pointers(runs), 13);
    const uint64_t first = runs[0].last().token_us;
    CHECK(first > 0);
    CHECK(runs[1].result().prefill_us > 0);
    CHECK(runs[1].last().token_us == 0);
    CHECK(runs[2].result().prefill_us == 0);  // it waited
    test::next_batch({&runs[0], &runs[1]}, 0);
    CHECK(runs[1].last().token_us == first + runs[0].last().token_us);
    test::run_all(runs, 9);
    uint64_t n_tokens = 0;
    for (const Run& run : runs) {
        const bitnet_generation_result r = run.result();
        uint64_t sum = 0;
        for (size_t i = 0; i < r.n_tokens; ++i) sum += r.token_times_us[i];
        CHECK(sum <= r.total_us);
        CHECK(r.prefill_us + r.decode_us <= r.total_us);
        CHECK(r.decode_us > 0);
        n_tokens += r.n_tokens;
    }
    bitnet_performance_metrics metrics = {};
    metrics.struct_size = sizeof metrics;
    test::must(bitnet_context_get_performance(context.get(), &metrics));
    CHECK(metrics.n_inferences == 3);
    CHECK(metrics.tokens_generated == n_tokens);
    CHECK(metrics.forward_us + metrics.sampling_us + metrics.detokenize_us <= metrics.total_latency_us);
}

TEST_CASE("a step of a batch allocates nothing once each part was used") {
    if (!test::can_count_allocations()) return;
    const test::ModelHandle model = golden();
    const test::ContextHandle context = context_of(model, 4);
    std::vector<Wish> wishes;
    for (uint64_t i = 0; i < 4; ++i) wishes.push_back(wish(10, 60, i));
    std::vector<Run> runs = begin(context, wishes);
    bitnet_generation* const generations[] = {runs[0].get(), runs[1].get(), runs[2].get(), runs[3].get()};
    bitnet_generation_step steps[4];
    steps[0].struct_size = sizeof steps[0];
    int failures = 0;
    const auto step = [&] { failures += bitnet_generation_next_batch(generations, 4, 0, steps) != BITNET_OK; };
    for (int i = 0; i < 20; ++i) step();
    CHECK(test::count_allocations([&] {
              for (int i = 0; i < 10; ++i) step();
          }).n_calls == 0);
    CHECK(failures == 0);
}
