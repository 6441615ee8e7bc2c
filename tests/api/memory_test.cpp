// The memory contract: what is estimated before anything is allocated is what is reported afterwards, and what malloc was
// asked for. Limits refuse beforehand.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/support/alloc_trap.h"
#include "tests/support/api_fixture.h"
#include "tests/support/model_edit.h"

namespace {

const char* const kModels[] = {"b158-i2s", "b158-tq1", "b158-tq2",  "b25-i2s-untied", "bitnet-i2s-silu",
                               "llama-q4", "llama-q8", "llama-f16", "llama-mix"};

bitnet_memory_estimate estimate_of(const test::ModelHandle& model, const test::ContextTweak& tweak = {}) {
    bitnet_context_params params = bitnet_context_default_params();
    if (tweak) tweak(params);
    bitnet_memory_estimate estimate = {};
    estimate.struct_size = sizeof estimate;
    test::must(bitnet_model_estimate_memory(model.get(), &params, &estimate));
    return estimate;
}

bitnet_memory_estimate estimate_of_file(const std::string& path, const test::ModelTweak& model_tweak = {},
                                        const test::ContextTweak& tweak = {}) {
    const bitnet_model_params model_params = test::model_params(model_tweak);
    bitnet_context_params params = bitnet_context_default_params();
    if (tweak) tweak(params);
    bitnet_memory_estimate estimate = {};
    estimate.struct_size = sizeof estimate;
    test::must(bitnet_model_estimate_memory_from_path(path.c_str(), &model_params, &params, &estimate));
    return estimate;
}

bitnet_memory_info memory_of(const test::ContextHandle& context) {
    bitnet_memory_info info = {};
    info.struct_size = sizeof info;
    test::must(bitnet_context_get_memory(context.get(), &info));
    return info;
}

bitnet_memory_breakdown breakdown_of(const test::ModelHandle& model) {
    bitnet_memory_breakdown breakdown = {};
    breakdown.struct_size = sizeof breakdown;
    test::must(bitnet_model_get_memory_breakdown(model.get(), &breakdown));
    return breakdown;
}

uint64_t sum_of_roles(const bitnet_memory_estimate& e) {
    return e.attention_bytes + e.feed_forward_bytes + e.norm_bytes + e.embedding_bytes + e.output_bytes + e.other_bytes;
}

// Contexts that differ in everything that takes memory.
const test::ContextTweak kTweaks[] = {
    [](bitnet_context_params&) {},
    [](bitnet_context_params& p) { p.n_ctx = 1; },
    [](bitnet_context_params& p) {
        p.n_ctx = 1000, p.n_batch = 77, p.n_ubatch = 33, p.n_threads = 2, p.embeddings = 1;
    },
    [](bitnet_context_params& p) {
        p.n_ctx = 300, p.n_seq_max = 17, p.trace = 1, p.n_threads = 1, p.max_lora_rank = 8;
    },
};

}  // namespace

TEST_CASE(
    "the estimate of a file is what the loaded model and its contexts report, whatever kernel and way of reading") {
    for (const char* name : kModels) {
        for (const char* kernel : {"", "scalar"}) {
            for (const int way : {0, 1, 2, 3}) {  // mapped, read, repacked, with a screen of the head
                CAPTURE(std::string(name));
                CAPTURE(std::string(kernel));
                CAPTURE(way);
                const test::ModelTweak how = [&](bitnet_model_params& p) {
                    p.kernel = kernel;
                    p.use_mmap = way == 1 ? 0 : 1;
                    p.i2s_order = way == 2 ? BITNET_I2S_ORDER_ARM : BITNET_I2S_ORDER_X86;
                    p.screen_head = way == 3 ? 2 : 1;
                };
                const test::ModelHandle model = test::load_model(test::golden_model(name), how);
                for (const test::ContextTweak& tweak : kTweaks) {
                    const bitnet_memory_estimate before = estimate_of_file(test::golden_model(name), how, tweak);
                    const bitnet_memory_estimate loaded = estimate_of(model, tweak);
                    const test::ContextHandle context = test::make_context(model, tweak);
                    const bitnet_memory_info memory = memory_of(context);
                    CHECK(before.weights_mapped_bytes == memory.weights_mapped_bytes);
                    CHECK(before.weights_owned_bytes == memory.weights_owned_bytes);
                    CHECK(before.load_peak_bytes >= before.weights_owned_bytes);
                    CHECK(before.kv_bytes == memory.kv_bytes);
                    CHECK(before.scratch_bytes == memory.scratch_bytes);
                    CHECK(before.scratch_bytes == before.activation_bytes + before.score_bytes + before.batch_bytes +
                                                      before.graph_bytes + before.logits_bytes);
                    CHECK(before.total_bytes == memory.weights_mapped_bytes + memory.weights_owned_bytes +
                                                    memory.kv_bytes + memory.scratch_bytes);
                    CHECK(sum_of_roles(before) == before.weights_mapped_bytes + before.weights_owned_bytes);
                    CHECK(before.n_threads == bitnet_context_get_n_threads(context.get()));
                    CHECK(before.n_ctx == bitnet_context_get_n_ctx(context.get()));
                    CHECK(loaded.total_bytes == before.total_bytes);
                    CHECK(sum_of_roles(loaded) == sum_of_roles(before));
                    CHECK(loaded.weights_owned_bytes == before.weights_owned_bytes);
                }
            }
        }
    }
}

TEST_CASE("a context asks malloc for what was estimated, and for a few bytes of bookkeeping more") {
    if (!test::can_count_allocations()) return;
    for (const char* name : kModels) {
        for (const int32_t screen_head : {0, 2}) {
            const test::ModelHandle model = test::load_model(
                test::golden_model(name), [=](bitnet_model_params& p) { p.screen_head = screen_head; });
            for (const test::ContextTweak& tweak : kTweaks) {
                CAPTURE(std::string(name));
                CAPTURE(screen_head);
                const bitnet_memory_estimate estimate = estimate_of(model, tweak);
                const uint64_t used = bitnet_memory_get_used();
                test::ContextHandle context;
                const test::Allocations counted =
                    test::count_allocations([&] { context = test::make_context(model, tweak); });
                const int64_t wanted = static_cast<int64_t>(estimate.kv_bytes + estimate.scratch_bytes);
                // The handle itself, the threads' objects, a vector of layers, and up to 63 bytes for each of six blocks.
                CHECK(counted.live_bytes >= wanted);
                CHECK(counted.live_bytes <= wanted + 4096 + 512 * estimate.n_threads);
                CHECK(bitnet_memory_get_used() == used + static_cast<uint64_t>(wanted));
                context.reset();
                CHECK(bitnet_memory_get_used() == used);
            }
        }
    }
}

TEST_CASE("loading asks malloc for what was estimated, at its peak too, beside vocabulary and names") {
    if (!test::can_count_allocations()) return;
    for (const char* name : kModels) {
        for (const int32_t use_mmap : {1, 0}) {
            CAPTURE(std::string(name));
            CAPTURE(use_mmap);
            const std::string path = test::golden_model(name);
            const test::ModelTweak how = [&](bitnet_model_params& p) { p.use_mmap = use_mmap, p.n_threads = 1; };
            const bitnet_memory_estimate estimate = estimate_of_file(path, how);
            test::ModelHandle model;
            const test::Allocations vocabulary = test::count_allocations(
                [&] { model = test::load_model(path, [&](bitnet_model_params& p) { how(p), p.vocab_only = 1; }); });
            model.reset();
            const uint64_t used = bitnet_memory_get_used();
            const test::Allocations whole = test::count_allocations([&] { model = test::load_model(path, how); });
            const int64_t owned = static_cast<int64_t>(estimate.weights_owned_bytes);
            const int64_t kernel_check = 1 << 18;  // a few rows of products, for a moment
            const int64_t bookkeeping = static_cast<int64_t>(test::info_of(model).n_tensors) * 700 + 4096;
            CHECK(whole.live_bytes - vocabulary.live_bytes >= owned);
            CHECK(whole.live_bytes - vocabulary.live_bytes <= owned + bookkeeping);
            CHECK(whole.peak_bytes <=
                  vocabulary.peak_bytes + static_cast<int64_t>(estimate.load_peak_bytes) + bookkeeping + kernel_check);
            CHECK(bitnet_memory_get_used() == used + estimate.weights_mapped_bytes + estimate.weights_owned_bytes);
            model.reset();
            CHECK(bitnet_memory_get_used() == used);
        }
    }
}

TEST_CASE("an estimate reads the header only and allocates none of what it tells about") {
    if (!test::can_count_allocations()) return;
    const test::ContextTweak huge = [](bitnet_context_params& p) { p.n_ctx = 1 << 20, p.n_batch = 1 << 20; };
    bitnet_memory_estimate estimate = {};
    const test::Allocations counted =
        test::count_allocations([&] { estimate = estimate_of_file(test::golden_model("b158-i2s"), {}, huge); });
    CHECK(estimate.total_bytes > uint64_t{100} << 20);
    CHECK(counted.peak_bytes < 1 << 20);
    // Damage in the values is nothing to it, a cut file is.
    test::ModelEdit file = test::ModelEdit::open(test::golden_model("b158-i2s"));
    for (uint8_t& byte : file.tensor("blk.0.attn_q.weight").data) byte = 0xff;
    const test::TempDir folder;
    const std::string path = folder.write("damaged.gguf", file.bytes());
    CHECK(estimate_of_file(path).total_bytes == estimate_of_file(test::golden_model("b158-i2s")).total_bytes);
}

TEST_CASE("the cache grows linearly with the context, and further outputs cost what the estimate says") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const auto cells = [&](int32_t n) {
        return estimate_of(model, [&](bitnet_context_params& p) { p.n_ctx = n; }).kv_bytes;
    };
    CHECK(cells(300) - cells(200) == cells(200) - cells(100));
    const test::ContextTweak tweak = [](bitnet_context_params& p) { p.embeddings = 1; };
    const bitnet_memory_estimate estimate = estimate_of(model, tweak);
    const bitnet_model_info info = test::info_of(model);
    CHECK(estimate.extra_output_bytes == static_cast<uint64_t>(info.n_vocab + info.n_embd) * sizeof(float));
    const test::ContextHandle context = test::make_context(model, tweak);
    const uint64_t used = bitnet_memory_get_used();
    test::BatchArrays batch;
    for (bitnet_token token = 1; token <= 5; ++token) batch.add(token, 0, true);
    const bitnet_batch view = batch.view();
    test::must(bitnet_context_decode(context.get(), &view));
    CHECK(memory_of(context).scratch_bytes == estimate.scratch_bytes + 4 * estimate.extra_output_bytes);
    CHECK(bitnet_memory_get_used() == used + 4 * estimate.extra_output_bytes);
}

TEST_CASE("max_bytes of a context refuses it beforehand, and a decode that needs more outputs than fit") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const bitnet_memory_estimate estimate = estimate_of(model);
    const uint64_t needed = estimate.kv_bytes + estimate.scratch_bytes;
    bitnet_context_params params = bitnet_context_default_params();
    params.max_bytes = needed - 1;
    bitnet_context* context = nullptr;
    const uint64_t used = bitnet_memory_get_used();
    test::Allocations counted = test::count_allocations(
        [&] { CHECK(bitnet_context_create(model.get(), &params, &context) == BITNET_E_SECURITY_MEMORY); });
    CHECK(context == nullptr);
    CHECK(counted.peak_bytes < static_cast<int64_t>(needed / 2));
    CHECK(test::last_error().find(std::to_string(needed)) != std::string::npos);
    CHECK(test::last_error().find("n_ctx") != std::string::npos);
    bitnet_error_info info = {};
    info.struct_size = sizeof info;
    test::must(bitnet_last_error_get_info(&info));
    CHECK(info.expected == needed - 1);
    CHECK(info.actual == needed);
    CHECK(bitnet_memory_get_used() == used);

    params.max_bytes = needed + 2 * estimate.extra_output_bytes;
    test::must(bitnet_context_create(model.get(), &params, &context));
    const test::ContextHandle owner(context);
    test::BatchArrays batch;
    for (bitnet_token token = 1; token <= 4; ++token) batch.add(token, 0, true);
    bitnet_batch view = batch.view();
    CHECK(bitnet_context_decode(context, &view) == BITNET_E_SECURITY_MEMORY);
    CHECK(bitnet_sequence_get_end(context, 0) == 0);
    batch.want_output[0] = 0;
    view = batch.view();
    CHECK(bitnet_context_decode(context, &view) == BITNET_OK);
    CHECK(bitnet_memory_get_used() == used + params.max_bytes);
}

TEST_CASE("the breakdown is by what tensors are for") {
    const bitnet_memory_breakdown tied = breakdown_of(test::load_model(test::golden_model("b158-i2s")));
    CHECK(tied.output_bytes == 0);
    CHECK(tied.attention_bytes > 0);
    CHECK(tied.feed_forward_bytes > tied.attention_bytes);
    CHECK(tied.norm_bytes == (128 + 3 * (128 + 128 + 128 + 384)) * sizeof(float));
    CHECK(tied.embedding_bytes > 0);
    CHECK(tied.total_bytes == tied.attention_bytes + tied.feed_forward_bytes + tied.norm_bytes + tied.embedding_bytes +
                                  tied.output_bytes + tied.other_bytes);
    CHECK(breakdown_of(test::load_model(test::golden_model("b25-i2s-untied"))).output_bytes > 0);
    const bitnet_memory_breakdown none = breakdown_of(
        test::load_model(test::golden_model("b158-i2s"), [](bitnet_model_params& p) { p.vocab_only = 1; }));
    CHECK(none.total_bytes == 0);
}

TEST_CASE("estimates fail as loading and creating would") {
    bitnet_memory_estimate estimate = {};
    estimate.struct_size = sizeof estimate;
    CHECK(bitnet_model_estimate_memory_from_path("/no/such.gguf", nullptr, nullptr, &estimate) ==
          BITNET_E_FILE_NOT_FOUND);
    CHECK(bitnet_model_estimate_memory_from_path(nullptr, nullptr, nullptr, &estimate) == BITNET_E_ARGUMENT);
    CHECK(bitnet_model_estimate_memory(nullptr, nullptr, &estimate) == BITNET_E_ARGUMENT);
    const std::string path = test::golden_model("b158-i2s");
    CHECK(bitnet_model_estimate_memory_from_path(path.c_str(), nullptr, nullptr, nullptr) == BITNET_E_ARGUMENT);
    bitnet_context_params params = bitnet_context_default_params();
    params.n_ctx = -1;
    CHECK(bitnet_model_estimate_memory_from_path(path.c_str(), nullptr, &params, &estimate) == BITNET_E_CONFIG);
    const test::ModelHandle vocabulary = test::load_model(path, [](bitnet_model_params& p) { p.vocab_only = 1; });
    CHECK(bitnet_model_estimate_memory(vocabulary.get(), nullptr, &estimate) == BITNET_E_STATE);
    test::ModelEdit file = test::ModelEdit::open(path);
    file.remove_tensor("output_norm.weight");
    const test::TempDir folder;
    const std::string damaged = folder.write("missing.gguf", file.bytes());
    CHECK(bitnet_model_estimate_memory_from_path(damaged.c_str(), nullptr, nullptr, &estimate) ==
          BITNET_E_GGUF_MISSING_TENSOR);
    CHECK(bitnet_model_get_memory_breakdown(nullptr, nullptr) == BITNET_E_ARGUMENT);
}
