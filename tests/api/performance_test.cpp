// Performance metrics and device statistics of a context: what is absent is absent, what is there adds up, other threads read
// while a decode runs.
#include <doctest/doctest.h>

#include <atomic>
#include <cmath>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "tests/api/generation_fixture.h"

namespace {

using test::stories;

bitnet_performance_metrics performance(const bitnet_context* context) {
    bitnet_performance_metrics metrics = {};
    metrics.struct_size = sizeof metrics;
    test::must(bitnet_context_get_performance(context, &metrics));
    return metrics;
}

bitnet_device_stats device_stats(const bitnet_context* context) {
    bitnet_device_stats stats = {};
    stats.struct_size = sizeof stats;
    test::must(bitnet_context_get_device_stats(context, &stats));
    return stats;
}

bool has(const bitnet_performance_metrics& metrics, uint32_t bit) { return (metrics.present & bit) != 0; }

// A generation of n tokens at most; returns how many came.
size_t generate(bitnet_context* context, const std::string& prompt, int32_t n,
                bitnet_generation_callback on_step = nullptr) {
    bitnet_sampler_params sampler = bitnet_sampler_default_params();
    sampler.temperature = 0;
    bitnet_generation_params params = bitnet_generation_default_params();
    params.max_new_tokens = n;
    params.sampler = &sampler;
    bitnet_generation* generation = nullptr;
    test::must(bitnet_generate(context, 0, prompt.data(), prompt.size(), &params, on_step, nullptr, &generation));
    bitnet_generation_result result = {};
    result.struct_size = sizeof result;
    test::must(bitnet_generation_get_result(generation, &result));
    bitnet_generation_free(generation);
    return result.n_tokens;
}

// Metrics that pass, to be spoilt.
bitnet_performance_metrics good() {
    bitnet_performance_metrics m = {};
    m.struct_size = sizeof m;
    m.present = BITNET_METRIC_HAS_FIRST_TOKEN | BITNET_METRIC_HAS_CACHE_HIT_RATE | BITNET_METRIC_HAS_FORWARD;
    m.backend_type = "cpu";
    m.n_inferences = 1;
    m.tokens_generated = 100;
    m.total_latency_us = 2000000;
    m.tokens_per_second = 50;
    m.first_token_latency_us = 30000;
    m.cache_hit_rate = 0.5;
    m.forward_us = 1900000;
    m.error_count = 1;
    m.error_rate = 0.01;
    return m;
}

constexpr uint32_t kOfGenerations = BITNET_METRIC_HAS_FIRST_TOKEN | BITNET_METRIC_HAS_AVERAGE_TOKEN |
                                    BITNET_METRIC_HAS_CACHE_HIT_RATE | BITNET_METRIC_HAS_ENCODE |
                                    BITNET_METRIC_HAS_DETOKENIZE | BITNET_METRIC_HAS_SAMPLING;

}  // namespace

TEST_CASE("what was not measured is absent from the metrics, not zero") {
    const test::ModelHandle model = stories();
    const test::ContextHandle context = test::make_context(model);
    const bitnet_performance_metrics fresh = performance(context.get());
    CHECK((fresh.present & ~static_cast<uint32_t>(BITNET_METRIC_HAS_MEMORY)) == 0);
    CHECK(std::string(fresh.backend_type) == "cpu");
    CHECK(fresh.tokens_generated == 0);
    CHECK(fresh.total_latency_us == 0);
    test::must(bitnet_performance_metrics_validate(&fresh));
#if defined(__linux__)
    CHECK(has(fresh, BITNET_METRIC_HAS_MEMORY));
    CHECK(fresh.memory_usage_bytes > 1 << 20);
#endif
    test::decode(context, {1, 2, 3});
    const bitnet_performance_metrics decoded = performance(context.get());
    CHECK(has(decoded, BITNET_METRIC_HAS_FORWARD));
    CHECK(decoded.forward_us > 0);
    CHECK((decoded.present & kOfGenerations) == 0);
    test::must(bitnet_performance_metrics_validate(&decoded));
}

TEST_CASE("a generation fills every field, its parts within the whole") {
    const test::ModelHandle model = stories();
    const test::ContextHandle context = test::make_context(model);
    const size_t n = generate(context.get(), "Once upon a time", 20);
    REQUIRE(n == 20);
    const bitnet_performance_metrics m = performance(context.get());
    CHECK((m.present & kOfGenerations) == kOfGenerations);
    CHECK(m.n_inferences == 1);
    CHECK(m.tokens_generated == n);
    CHECK(m.total_latency_us >= m.encode_us + m.detokenize_us + m.forward_us + m.sampling_us);
    CHECK(m.tokens_per_second == doctest::Approx(1e6 * 20 / static_cast<double>(m.total_latency_us)));
    CHECK(m.first_token_latency_us > 0);
    CHECK(m.average_token_latency_us > 0);
    CHECK(m.first_token_latency_us + 19 * m.average_token_latency_us <= m.total_latency_us);
    CHECK(m.cache_hit_rate == 0);
    CHECK(m.error_count == 0);
    CHECK(bitnet_performance_metrics_get_efficiency_ratio(&m) ==
          doctest::Approx(1e3 * 20 / static_cast<double>(m.total_latency_us)));
    test::must(bitnet_performance_metrics_validate(&m));

    const auto stop = +[](const bitnet_generation_step*, void*) -> int32_t { return 1; };
    CHECK(generate(context.get(), "Once upon a time", 20, stop) == 1);
    CHECK(performance(context.get()).n_inferences == 2);
    CHECK(performance(context.get()).tokens_generated == n + 1);
    CHECK(performance(context.get()).cache_hit_rate > 0);  // the prompt was there already
    CHECK(performance(context.get()).cache_hit_rate < 1);
    test::must(bitnet_context_reset_performance(context.get()));
    CHECK((performance(context.get()).present & ~static_cast<uint32_t>(BITNET_METRIC_HAS_MEMORY)) == 0);
    CHECK(performance(context.get()).n_inferences == 0);
}

TEST_CASE("the cache hit rate is the share of prefilled tokens that the sequence held") {
    const test::ModelHandle model = stories();
    const test::ContextHandle context = test::make_context(model);
    const test::Tokens prompt = {1, 2, 3, 4, 5, 6, 7, 8};
    test::must(bitnet_context_prefill(context.get(), 0, prompt.data(), 4, nullptr));
    CHECK(performance(context.get()).cache_hit_rate == 0);
    CHECK(has(performance(context.get()), BITNET_METRIC_HAS_CACHE_HIT_RATE));
    size_t n_reused = 0;
    test::must(bitnet_context_prefill(context.get(), 0, prompt.data(), 8, &n_reused));
    CHECK(n_reused == 4);
    CHECK(performance(context.get()).cache_hit_rate == doctest::Approx(4.0 / 12));
}

TEST_CASE("failed decodes are counted, cancelled ones are not") {
    const test::ModelHandle model = stories();
    const test::ContextHandle context = test::make_context(model, [](bitnet_context_params& p) { p.n_ctx = 4; });
    test::decode(context, {1});
    const bitnet_token bad = 1 << 20;
    CHECK(bitnet_context_decode_tokens(context.get(), 0, &bad, 1) == BITNET_E_TOKEN);
    const test::Tokens many(4, 1);
    CHECK(bitnet_context_decode_tokens(context.get(), 0, many.data(), many.size()) == BITNET_E_KV_FULL);
    bitnet_context_cancel(context.get());
    CHECK(bitnet_context_decode_tokens(context.get(), 0, many.data(), 1) == BITNET_E_CANCELLED);
    const bitnet_performance_metrics m = performance(context.get());
    CHECK(m.error_count == 2);
    CHECK(m.error_rate == doctest::Approx(2.0 / 3));
    test::must(bitnet_performance_metrics_validate(&m));
}

TEST_CASE("tokens drawn by a loop of the caller's own count as generated") {
    const test::ModelHandle model = stories();
    const test::ContextHandle context = test::make_context(model);
    bitnet_sampler* handle = nullptr;
    test::must(bitnet_sampler_create(nullptr, &handle));
    const test::SamplerHandle sampler(handle);
    test::decode(context, {1, 5});
    for (int i = 0; i < 3; ++i) {
        bitnet_token token = -1;
        test::must(bitnet_sampler_sample_context(sampler.get(), context.get(), -1, &token));
        test::decode(context, {token});
    }
    const bitnet_performance_metrics m = performance(context.get());
    CHECK(m.tokens_generated == 3);
    CHECK(m.n_inferences == 0);
    CHECK(has(m, BITNET_METRIC_HAS_SAMPLING));
    CHECK(!has(m, BITNET_METRIC_HAS_DETOKENIZE));
    CHECK(!has(m, BITNET_METRIC_HAS_ENCODE));
    test::must(bitnet_performance_metrics_validate(&m));
}

TEST_CASE("metrics that cannot be are refused, and the field is named") {
    bitnet_performance_metrics m = good();
    test::must(bitnet_performance_metrics_validate(&m));
    const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
    const struct {
        const char* field;
        void (*spoil)(bitnet_performance_metrics&, double);
        double value;
    } rows[] = {
        {"tokens_per_second", [](auto& x, double v) { x.tokens_per_second = v; }, nan},
        {"tokens_per_second", [](auto& x, double v) { x.tokens_per_second = v; }, infinity},
        {"tokens_per_second", [](auto& x, double v) { x.tokens_per_second = v; }, -1},
        {"tokens_per_second", [](auto& x, double v) { x.tokens_per_second = v; }, 51},
        {"tokens_per_second",
         [](auto& x, double) { x.total_latency_us = 0, x.first_token_latency_us = x.forward_us = 0; }, 0},
        {"cache_hit_rate", [](auto& x, double v) { x.cache_hit_rate = v; }, 1.5},
        {"cache_hit_rate", [](auto& x, double v) { x.cache_hit_rate = v; }, -0.1},
        {"cache_hit_rate", [](auto& x, double v) { x.cache_hit_rate = v; }, nan},
        {"error_rate", [](auto& x, double v) { x.error_rate = v; }, 2},
        {"error_rate", [](auto& x, double v) { x.error_rate = v; }, nan},
        {"error_rate", [](auto& x, double) { x.error_count = 0; }, 0},
        {"first_token_latency_us", [](auto& x, double) { x.first_token_latency_us = 2000001; }, 0},
        {"forward_us", [](auto& x, double) { x.forward_us = 2000001; }, 0},
        {"sampling_us", [](auto& x, double) { x.sampling_us = 5; }, 0},
        {"memory_usage_bytes", [](auto& x, double) { x.memory_usage_bytes = 5; }, 0},
        {"cache_hit_rate", [](auto& x, double) { x.present &= ~uint32_t{BITNET_METRIC_HAS_CACHE_HIT_RATE}; }, 0},
        {"present", [](auto& x, double) { x.present |= 1u << 30; }, 0},
        {"backend_type", [](auto& x, double) { x.backend_type = nullptr; }, 0},
        {"backend_type", [](auto& x, double) { x.backend_type = ""; }, 0},
    };
    for (const auto& row : rows) {
        CAPTURE(row.field);
        CAPTURE(row.value);
        m = good();
        row.spoil(m, row.value);
        CHECK(bitnet_performance_metrics_validate(&m) == BITNET_E_ARGUMENT);
        CHECK(test::last_error().find("bitnet_performance_metrics." + std::string(row.field) + " ") == 0);
    }
    m = good();
    m.tokens_per_second = 50.2;  // rounded by somebody
    test::must(bitnet_performance_metrics_validate(&m));
    CHECK(bitnet_performance_metrics_validate(nullptr) == BITNET_E_ARGUMENT);
    m.struct_size = 0;
    CHECK(bitnet_performance_metrics_validate(&m) == BITNET_E_ARGUMENT);
}

TEST_CASE("the efficiency ratio is tokens per millisecond") {
    bitnet_performance_metrics m = good();
    CHECK(bitnet_performance_metrics_get_efficiency_ratio(&m) == doctest::Approx(0.05));
    m.total_latency_us = 0;
    CHECK(bitnet_performance_metrics_get_efficiency_ratio(&m) == 0);
    CHECK(bitnet_performance_metrics_get_efficiency_ratio(nullptr) == 0);
}

TEST_CASE("device statistics count the operations of every decode") {
    const test::ModelHandle model = stories();
    const test::ContextHandle context = test::make_context(model);
    const bitnet_device_stats fresh = device_stats(context.get());
    CHECK(fresh.total_operations == 0);
    CHECK(fresh.average_matmul_time_ms == 0);
    test::decode(context, {1, 2, 3});
    const bitnet_device_stats one = device_stats(context.get());
    CHECK(one.matmul_operations == static_cast<uint64_t>(test::info_of(model).n_layer) * 7 + 1);
    CHECK(one.quantization_operations > 0);
    CHECK(one.total_operations > one.matmul_operations + one.quantization_operations);
    CHECK(one.cpu_operations == one.total_operations);
    CHECK(one.gpu_operations == 0);
    CHECK(one.gpu_efficiency == 0);
    CHECK(one.is_gpu_effective == 0);
    CHECK(one.fallback_count == 0);
    CHECK(std::string(one.last_gpu_error).empty());
    CHECK(std::string(one.last_cpu_error).empty());
    CHECK(std::string(one.target_device) == "cpu");
    CHECK(std::string(one.device_type) == test::info_of(model).kernel);
    CHECK(one.matmul_time_ms > 0);
    CHECK(one.total_time_ms > one.matmul_time_ms + one.quantization_time_ms);
    CHECK(one.average_matmul_time_ms ==
          doctest::Approx(one.matmul_time_ms / static_cast<double>(one.matmul_operations)));
    CHECK(one.average_quantization_time_ms ==
          doctest::Approx(one.quantization_time_ms / static_cast<double>(one.quantization_operations)));
    CHECK(one.memory_total_bytes >= one.memory_used_bytes);
#if defined(__linux__)
    CHECK(one.memory_used_bytes > 0);
#endif
    test::decode(context, {4});
    CHECK(device_stats(context.get()).total_operations == 2 * one.total_operations);
    test::must(bitnet_context_reset_device_stats(context.get()));
    CHECK(device_stats(context.get()).total_operations == 0);
    CHECK(device_stats(context.get()).total_time_ms == 0);
}

TEST_CASE("operations do not depend on threads, and their time is within that of the decodes") {
    const test::ModelHandle model = stories();
    uint64_t operations[2] = {};
    for (const int32_t n_threads : {1, 2}) {
        const test::ContextHandle context =
            test::make_context(model, [&](bitnet_context_params& p) { p.n_threads = n_threads; });
        for (int i = 0; i < 10; ++i) test::decode(context, {1, 2});
        const bitnet_device_stats stats = device_stats(context.get());
        operations[n_threads - 1] = stats.total_operations;
        CHECK(stats.total_time_ms <= static_cast<double>(performance(context.get()).forward_us + 10) / 1000);
    }
    CHECK(operations[0] == operations[1]);
}

TEST_CASE("the summary tells the numbers") {
    const test::ModelHandle model = stories();
    const test::ContextHandle context = test::make_context(model);
    test::decode(context, {1, 2, 3});
    size_t size = 0;
    CHECK(bitnet_context_get_device_summary(context.get(), nullptr, 0, &size) == BITNET_E_BUFFER_TOO_SMALL);
    std::string text(size + 64, '\0');
    test::must(bitnet_context_get_device_summary(context.get(), text.data(), text.size(), &size));
    text.resize(size);
    const bitnet_device_stats stats = device_stats(context.get());
    CHECK(text.find(std::string(stats.device_type) + " on cpu: " + std::to_string(stats.total_operations) +
                    " operations") == 0);
    CHECK(text.find("matrix products: " + std::to_string(stats.matmul_operations)) != std::string::npos);
    CHECK(text.find("fallbacks: 0") != std::string::npos);
    CHECK(bitnet_context_get_device_summary(nullptr, nullptr, 0, nullptr) == BITNET_E_ARGUMENT);
}

TEST_CASE("any thread may read metrics and statistics while the context decodes") {
    const test::ModelHandle model = stories();
    const test::ContextHandle context = test::make_context(model);
    std::atomic<bool> done{false};
    std::atomic<uint64_t> n_reads{0}, n_wrong{0};
    std::vector<std::thread> readers;
    for (int i = 0; i < 3; ++i) {
        readers.emplace_back([&] {
            uint64_t tokens = 0, operations = 0;
            do {
                bitnet_performance_metrics m = {};
                m.struct_size = sizeof m;
                bitnet_device_stats s = {};
                s.struct_size = sizeof s;
                const bool right =
                    bitnet_context_get_performance(context.get(), &m) == BITNET_OK &&
                    bitnet_performance_metrics_validate(&m) == BITNET_OK && m.tokens_generated >= tokens &&
                    bitnet_context_get_device_stats(context.get(), &s) == BITNET_OK && s.total_operations >= operations;
                if (!right) ++n_wrong;
                tokens = m.tokens_generated;
                operations = s.total_operations;
                ++n_reads;
            } while (!done.load());
        });
    }
    size_t n_tokens = 0;
    for (int i = 0; i < 3 || n_reads.load() < 20; ++i) n_tokens += generate(context.get(), "The end", 10);
    done = true;
    for (std::thread& reader : readers) reader.join();
    CHECK(n_wrong.load() == 0);
    CHECK(performance(context.get()).tokens_generated == n_tokens);
}

TEST_CASE("a load checks its kernels against the scalar ones, and says so to whoever listens") {
    static std::atomic<int> n_checked{0};
    n_checked = 0;
    bitnet_log_set_callback(
        [](bitnet_log_level level, const char* message, void*) {
            const std::string text = message;
            if (level == BITNET_LOG_DEBUG && text.find("kernel ") == 0 && text.find(" checked ") != std::string::npos)
                ++n_checked;
        },
        BITNET_LOG_DEBUG, nullptr);
    const test::ModelHandle model = stories();
    bitnet_log_set_callback(nullptr, BITNET_LOG_ERROR, nullptr);
    CHECK(n_checked.load() >= 2);  // the layers' matrices and the head's
}
