// Models on a GPU: the same bits as on the CPU for every architecture and every way to decode, the same saved bytes, and
// clean failures. The GPU is played by the CPU (tests/support/virtual_gpu.h), kernel by kernel, thread by thread.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "tests/gpu/gpu_of_tests.h"
#include "tests/support/golden_case.h"

using test::Logits;
using test::Tokens;

namespace {

test::ModelTweak on(const char* device) {
    return [device](bitnet_model_params& params) { params.device = device; };
}

void small(bitnet_context_params& params) { params.n_ctx = 128; }

std::vector<uint8_t> save(const test::ContextHandle& context, bitnet_seq_id seq) {
    size_t size = 0;
    CHECK(bitnet_sequence_save(context.get(), seq, nullptr, 0, &size) == BITNET_E_BUFFER_TOO_SMALL);
    std::vector<uint8_t> bytes(size);
    test::must(bitnet_sequence_save(context.get(), seq, bytes.data(), bytes.size(), &size));
    return bytes;
}

}  // namespace

TEST_CASE("every golden model gives the golden bits on a GPU, at once and token by token") {
    for (const test::GoldenCase& golden : test::golden_cases()) {
        CAPTURE(golden.name);
        const test::ModelHandle model = test::load_model(golden.path, on("cuda:0"));
        const test::ContextHandle whole = test::make_context(model, small);
        test::BatchArrays batch;
        for (const bitnet_token token : golden.prompt) batch.add(token, 0, true);
        const bitnet_batch view = batch.view();
        test::must(bitnet_context_decode(whole.get(), &view));
        const test::ModelHandle cpu = test::load_model(golden.path, on("cpu"));
        const test::ContextHandle reference = test::make_context(cpu, small);
        test::must(bitnet_context_decode(reference.get(), &view));
        const test::ContextHandle steps = test::make_context(model, small);
        for (size_t i = 0; i < golden.prompt.size(); ++i) {
            CAPTURE(i);
            test::decode(steps, {golden.prompt[i]});
            const Logits right = test::copy_logits(reference, cpu, static_cast<int32_t>(i));
            CHECK(test::same_bits(test::copy_logits(whole, model, static_cast<int32_t>(i)), right));
            CHECK(test::same_bits(test::copy_logits(steps, model), right));
        }
    }
}

TEST_CASE("a state saved on one device goes on on the other, with quantised caches, too") {
    const std::string path = test::golden_model("b158-i2s");
    const Tokens tokens = {1, 5, 9, 2, 7, 3, 8, 4, 6, 11, 12, 10};
    for (const bitnet_kv_type type : {BITNET_KV_F16, BITNET_KV_Q8_0, BITNET_KV_Q4_0}) {
        CAPTURE(int(type));
        const auto tweak = [type](bitnet_context_params& params) {
            small(params);
            params.n_seq_max = 2;
            params.type_k = params.type_v = type;
        };
        const test::ModelHandle cpu = test::load_model(path, on("cpu")), gpu = test::load_model(path, on("cuda:1"));
        const test::ContextHandle a = test::make_context(cpu, tweak), b = test::make_context(gpu, tweak);
        test::decode(a, tokens);
        test::decode(b, tokens);
        const std::vector<uint8_t> from_cpu = save(a, 0), from_gpu = save(b, 0);
        REQUIRE(from_cpu == from_gpu);
        test::must(bitnet_sequence_load(a.get(), 1, from_gpu.data(), from_gpu.size()));
        test::must(bitnet_sequence_load(b.get(), 1, from_cpu.data(), from_cpu.size()));
        test::decode(a, {13}, 1);
        test::decode(b, {13}, 1);
        CHECK(test::same_bits(test::copy_logits(a, cpu), test::copy_logits(b, gpu)));
    }
}

TEST_CASE("who asks is told which device computes") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"), on("cuda:1"));
    CHECK(std::string(test::info_of(model).kernel) == "i2s_cuda");
    bitnet_model_config config = {};
    config.struct_size = sizeof config;
    test::must(bitnet_model_get_config(model.get(), &config));
    CHECK(std::string(config.device) == "cuda:1");
    const test::ContextHandle context = test::make_context(model, small);
    test::decode(context, {1, 2, 3});
    bitnet_device_stats stats = {};
    stats.struct_size = sizeof stats;
    test::must(bitnet_context_get_device_stats(context.get(), &stats));
    CHECK(std::string(stats.target_device) == "cuda:1");
    CHECK(stats.gpu_operations == stats.total_operations);
    CHECK(stats.gpu_operations > 0);
    CHECK(stats.cpu_operations == 0);
    CHECK(stats.is_gpu_effective == 1);
}

TEST_CASE("what a device cannot do is said before anything is done") {
    const std::string path = test::golden_model("b158-i2s");
    const auto status = [&](const test::ModelTweak& tweak) {
        const bitnet_model_params params = test::model_params(tweak);
        bitnet_model* model = nullptr;
        const bitnet_status result = bitnet_model_load(path.c_str(), &params, &model);
        bitnet_model_free(model);
        return test::name_of(result);
    };
    CHECK(status(on("cuda:2")) == "BITNET_E_DEVICE_NOT_AVAILABLE");
    CHECK(test::last_error().find("cuda:2") != std::string::npos);
    CHECK(status([](bitnet_model_params& p) { p.device = "cuda:1", p.kernel = "scalar"; }) == "BITNET_E_CONFIG");
    CHECK(status([](bitnet_model_params& p) { p.device = "cuda:0", p.quantization = "tl1"; }) == "BITNET_E_CONFIG");
    CHECK(status([](bitnet_model_params& p) { p.device = "cuda:0", p.quantization = "auto"; }) == "BITNET_OK");
}

TEST_CASE("a device that fails leaves the sequences as they were, and its memory is given back") {
    const std::string path = test::golden_model("b158-i2s");
    test::VirtualDevice& device = test::gpu_of_tests().device(0);
    const uint64_t before = device.counters().used_bytes;
    const test::ModelHandle cpu = test::load_model(path, on("cpu"));
    const Tokens next = {4, 5};
    // A decode copies nothing out: logits stay on the device.
    for (const test::FaultPoint at : {test::FaultPoint::launch, test::FaultPoint::copy_in, test::FaultPoint::synchronize}) {
        CAPTURE(int(at));
        const test::ModelHandle model = test::load_model(path, on("cuda:0"));
        const test::ContextHandle context = test::make_context(model, small);
        test::decode(context, {1, 2, 3});
        device.set_fault({.at = at, .after = 0, .kind = tg::ErrorKind::device});
        CHECK(test::name_of(bitnet_context_decode_tokens(context.get(), 0, next.data(), next.size())) == "BITNET_E_DEVICE");
        CHECK(test::last_error().find("virtual") != std::string::npos);
        CHECK(bitnet_sequence_get_end(context.get(), 0) == 3);
        device.clear_fault();
        test::decode(context, next);
        CHECK(test::same_bits(test::copy_logits(context, model), test::fresh_logits(cpu, {1, 2, 3, 4, 5}, small)));
    }
    CHECK(device.counters().used_bytes == before);
}

TEST_CASE("a state that a device fails to take leaves nothing that looks like one") {
    test::VirtualDevice& device = test::gpu_of_tests().device(0);
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"), on("cuda:0"));
    const test::ContextHandle context = test::make_context(model, [](bitnet_context_params& params) {
        small(params);
        params.n_seq_max = 2;
    });
    test::decode(context, {1, 2, 3});
    const std::vector<uint8_t> state = save(context, 0);
    size_t size = 0;
    bitnet_context_save_session_to_memory(context.get(), nullptr, 0, &size);
    std::vector<uint8_t> session(size);
    test::must(bitnet_context_save_session_to_memory(context.get(), session.data(), size, &size));
    device.set_fault({.at = test::FaultPoint::copy_in, .after = 3});
    CHECK(test::name_of(bitnet_sequence_load(context.get(), 1, state.data(), state.size())) == "BITNET_E_DEVICE");
    CHECK(bitnet_sequence_get_end(context.get(), 1) == 0);
    CHECK(bitnet_sequence_get_end(context.get(), 0) == 3);
    device.set_fault({.at = test::FaultPoint::copy_in, .after = 3});
    CHECK(test::name_of(bitnet_context_load_session_from_memory(context.get(), session.data(), size)) == "BITNET_E_DEVICE");
    CHECK(bitnet_sequence_get_end(context.get(), 0) == 0);
    device.clear_fault();
    test::must(bitnet_context_load_session_from_memory(context.get(), session.data(), size));
    CHECK(bitnet_sequence_get_end(context.get(), 0) == 3);
}

TEST_CASE("a device that computes wrongly is found while a model loads, by the sums of its own rows") {
    test::VirtualDevice& device = test::gpu_of_tests().device(0);
    const uint64_t before = device.counters().used_bytes;
    for (const char* name : {"b158-i2s", "b158-tq2", "llama-f16"}) {
        CAPTURE(std::string(name));
        const bitnet_model_params params = test::model_params(on("cuda:0"));
        bitnet_model* model = nullptr;
        device.set_wrong(true);
        CHECK(test::name_of(bitnet_model_load(test::golden_model(name).c_str(), &params, &model)) == "BITNET_E_DEVICE_COMPUTE");
        device.set_wrong(false);
        CHECK(model == nullptr);
        CHECK(test::last_error().find("gives other sums than the CPU") != std::string::npos);
        CHECK(device.counters().used_bytes == before);
    }
}

TEST_CASE("a device whose memory is too small is said so wherever it ends, and keeps nothing") {
    const std::string path = test::golden_model("b158-i2s");
    test::VirtualDevice& device = test::gpu_of_tests().device(0);
    const uint64_t before = device.counters().used_bytes;
    bool whole = false;
    for (uint64_t n = 0; !whole && n < 500; ++n) {
        CAPTURE(n);
        device.set_fault({.at = test::FaultPoint::allocate, .after = n, .kind = tg::ErrorKind::out_of_memory});
        const bitnet_model_params params = test::model_params(on("cuda:0"));
        bitnet_model* model = nullptr;
        bitnet_context* context = nullptr;
        bitnet_status status = bitnet_model_load(path.c_str(), &params, &model);
        if (status == BITNET_OK) {
            bitnet_context_params context_params = bitnet_context_default_params();
            small(context_params);
            status = bitnet_context_create(model, &context_params, &context);
        }
        const bitnet_token token = 1;
        if (status == BITNET_OK) status = bitnet_context_decode_tokens(context, 0, &token, 1);
        whole = status == BITNET_OK;
        CHECK((whole || status == BITNET_E_DEVICE_MEMORY));
        device.clear_fault();
        bitnet_context_free(context);
        bitnet_model_free(model);
        CHECK(device.counters().used_bytes == before);
    }
    CHECK(whole);
}

TEST_CASE("a step that comes again is launched as one, at any depth, and between steps of other shapes") {
    test::VirtualDevice& device = test::gpu_of_tests().device(0);
    const std::string path = test::golden_model("b158-i2s");
    const test::ModelHandle cpu = test::load_model(path, on("cpu")), gpu = test::load_model(path, on("cuda:0"));
    const auto tweak = [](bitnet_context_params& params) {
        params.n_ctx = 700;
        params.n_seq_max = 2;
    };
    const test::ContextHandle a = test::make_context(cpu, tweak), b = test::make_context(gpu, tweak);
    const uint64_t before = device.counters().n_replays;
    const auto both = [&](const Tokens& tokens, bitnet_seq_id seq) {
        test::decode(a, tokens, seq);
        test::decode(b, tokens, seq);
        CHECK(test::same_bits(test::copy_logits(a, cpu), test::copy_logits(b, gpu)));
    };
    for (bitnet_token token = 1; token < 6; ++token) both({token}, 0);
    CHECK(device.counters().n_replays == before + 4);
    both(Tokens(250, 7), 0);  // from here on a token sees more cells than the recorded steps were made for
    for (bitnet_token token = 1; token < 6; ++token) both({token}, 0);
    for (bitnet_token token = 1; token < 4; ++token) both({token, 3}, 1);
    for (bitnet_token token = 1; token < 4; ++token) both({token}, token % 2);
    CHECK(device.counters().n_replays >= before + 11);
}

TEST_CASE("a decode step of a layer is so many launches and no more") {
    struct Row {
        const char* model;
        uint64_t of_layer;
    };
    // Norm and codes; q, k and v; their rotation and the cache; scores; values; norm and codes; output and residual; norm and codes;
    // gate and up; norm and codes; down and residual. TQ and float weights have the gate's product by itself, a llama fewer norms.
    const Row rows[] = {{"b158-i2s", 11}, {"b158-tq2", 12}, {"llama-f16", 10}};
    constexpr uint64_t kOwn = 6;  // angles, embedding, two rows picked in the last layer, the last norm, the head
    test::VirtualDevice& device = test::gpu_of_tests().device(0);
    for (const Row& row : rows) {
        CAPTURE(row.model);
        const test::ModelHandle model = test::load_model(test::golden_model(row.model), on("cuda:0"));
        const test::ContextHandle context = test::make_context(model, small);
        test::decode(context, {1});
        const uint64_t layers = static_cast<uint64_t>(test::info_of(model).n_layer);
        for (bitnet_token token = 2; token < 5; ++token) {
            const uint64_t before = device.counters().n_launches;
            test::decode(context, {token});
            CHECK(device.counters().n_launches - before == row.of_layer * layers + kOwn);
        }
    }
}

namespace {

using SamplerTweak = void (*)(bitnet_sampler_params&);

bitnet_token draw(const test::SamplerHandle& sampler, const test::ContextHandle& context, int32_t index = -1) {
    bitnet_token token = -1;
    test::must(bitnet_sampler_sample_context(sampler.get(), context.get(), index, &token));
    return token;
}

test::SamplerHandle make_sampler(SamplerTweak tweak) {
    bitnet_sampler_params params = bitnet_sampler_default_params();
    params.has_seed = 1;
    params.seed = 11;
    tweak(params);
    bitnet_sampler* raw = nullptr;
    test::must(bitnet_sampler_create(&params, &raw));
    return test::SamplerHandle(raw);
}

constexpr SamplerTweak kGreedy = [](bitnet_sampler_params& p) { p.temperature = 0; };

}  // namespace

TEST_CASE("logits stay on a device: what a sampler needs of them travels, and all of a row when somebody asks") {
    test::VirtualDevice& device = test::gpu_of_tests().device(0);
    const std::string path = test::golden_model("b158-i2s");
    const test::ModelHandle cpu = test::load_model(path, on("cpu")), gpu = test::load_model(path, on("cuda:0"));
    const uint64_t row_bytes = static_cast<uint64_t>(test::info_of(gpu).n_vocab) * sizeof(float);
    static constexpr bitnet_logit_bias kBiases[] = {{7, 9.0f}, {9, 9.0f}};
    struct Case {
        SamplerTweak tweak;
        uint64_t most_bytes;  // that a step copies out, from the third one on; 0: all
    };
    const Case cases[] = {
        {kGreedy, 8},
        {[](bitnet_sampler_params& p) { p.top_k = 40; }, 64 * 8},
        {[](bitnet_sampler_params& p) { p.top_k = 5, p.repetition_penalty = 1.3f; }, 64 * 8 + 16 * 4},
        {[](bitnet_sampler_params& p) { p.top_k = 5, p.logit_bias = kBiases, p.n_logit_bias = 2; }, 64 * 8 + 2 * 4},
        {[](bitnet_sampler_params& p) { p.top_k = 0; }, 0},
        {[](bitnet_sampler_params& p) { p.mirostat = 2; }, 0},
    };
    for (const Case& one : cases) {
        CAPTURE(one.most_bytes);
        const test::ContextHandle a = test::make_context(cpu, small), b = test::make_context(gpu, small);
        const test::SamplerHandle x = make_sampler(one.tweak), y = make_sampler(one.tweak);
        bitnet_token token = 3;
        for (int step = 0; step < 10; ++step) {
            test::decode(a, {token});
            const uint64_t before = device.counters().n_bytes_out;
            test::decode(b, {token});
            token = draw(y, b);
            const uint64_t bytes = device.counters().n_bytes_out - before;
            if (step >= 2) CHECK((one.most_bytes != 0 ? bytes <= one.most_bytes : bytes == row_bytes));
            CHECK(token == draw(x, a));
        }
        const uint64_t before = device.counters().n_bytes_out;
        const Logits all = test::copy_logits(b, gpu);
        CHECK(test::same_bits(all, test::copy_logits(a, cpu)));
        CHECK(device.counters().n_bytes_out - before == (one.most_bytes != 0 ? row_bytes : 0));
        CHECK(test::same_bits(test::copy_logits(b, gpu), all));  // it is here now
        CHECK(device.counters().n_bytes_out - before <= row_bytes);
    }
}

TEST_CASE("texts that step together share a search for their best logits, and only who needs all of a row gets it") {
    test::VirtualDevice& device = test::gpu_of_tests().device(0);
    const std::string path = test::golden_model("b158-i2s");
    const test::ModelHandle cpu = test::load_model(path, on("cpu")), gpu = test::load_model(path, on("cuda:0"));
    const uint64_t row_bytes = static_cast<uint64_t>(test::info_of(gpu).n_vocab) * sizeof(float);
    constexpr int32_t kTexts = 9;
    const auto tweak = [](bitnet_context_params& params) {
        small(params);
        params.n_seq_max = kTexts;
    };
    const test::ContextHandle a = test::make_context(cpu, tweak), b = test::make_context(gpu, tweak);
    std::vector<test::SamplerHandle> x, y;
    for (int32_t i = 0; i < kTexts; ++i) {
        const SamplerTweak of_text = i % 3 == 0 ? kGreedy : [](bitnet_sampler_params& p) { p.top_k = 50; };
        x.push_back(make_sampler(of_text));
        y.push_back(make_sampler(of_text));
    }
    Tokens tokens(kTexts, 5);
    for (int step = 0; step < 5; ++step) {
        test::BatchArrays batch;
        for (int32_t i = 0; i < kTexts; ++i) batch.add(tokens[static_cast<size_t>(i)], i, true);
        const bitnet_batch view = batch.view();
        test::must(bitnet_context_decode(a.get(), &view));
        const uint64_t before = device.counters().n_bytes_out, copies = device.counters().n_copies_out;
        test::must(bitnet_context_decode(b.get(), &view));
        for (int32_t i = kTexts - 1; i >= 0; --i) {
            tokens[static_cast<size_t>(i)] = draw(y[static_cast<size_t>(i)], b, i);
            CHECK(tokens[static_cast<size_t>(i)] == draw(x[static_cast<size_t>(i)], a, i));
        }
        CHECK(device.counters().n_bytes_out - before == kTexts * 64 * 8);
        CHECK(device.counters().n_copies_out - copies == 1);
        CHECK(test::same_bits(test::copy_logits(b, gpu, step), test::copy_logits(a, cpu, step)));
        CHECK(device.counters().n_bytes_out - before == kTexts * 64 * 8 + row_bytes);
    }
}

TEST_CASE("a search for the best logits that fails is told, and the decode's logits are there when the device is") {
    test::VirtualDevice& device = test::gpu_of_tests().device(0);
    const test::ModelHandle gpu = test::load_model(test::golden_model("b158-i2s"), on("cuda:0"));
    const test::ContextHandle context = test::make_context(gpu, small);
    const test::SamplerHandle greedy = make_sampler(kGreedy);
    test::decode(context, {1, 2, 3});
    bitnet_token token = -1;
    for (const test::FaultPoint point : {test::FaultPoint::launch, test::FaultPoint::copy_out}) {
        device.set_fault({.at = point});
        CHECK(test::name_of(bitnet_sampler_sample_context(greedy.get(), context.get(), -1, &token)) ==
              "BITNET_E_DEVICE");
        device.clear_fault();
    }
    token = draw(greedy, context);
    const Logits logits = test::copy_logits(context, gpu);
    CHECK(token == std::max_element(logits.begin(), logits.end()) - logits.begin());
}
