// Performance metrics and device statistics of a context. All reads are of counters that need no lock: any thread may ask
// while the context decodes.
#include <cmath>

#include "src/api/api_guard.h"
#include "src/api/handles.h"
#include "src/base/resident_memory.h"
#include "src/context/device_stats.h"
#include "src/device/host_memory.h"

using namespace bitnet;

namespace {

double ratio(uint64_t part, uint64_t whole) {
    return whole != 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

// The optional fields: bit, name, and whether the value is something else than the zero of an absent one.
struct OptionalField {
    uint32_t bit;
    const char* name;
    bool (*is_set)(const bitnet_performance_metrics& m);
};
constexpr OptionalField kOptional[] = {
    {BITNET_METRIC_HAS_FIRST_TOKEN, "first_token_latency_us",
     [](const auto& m) { return m.first_token_latency_us != 0; }},
    {BITNET_METRIC_HAS_AVERAGE_TOKEN, "average_token_latency_us",
     [](const auto& m) { return m.average_token_latency_us != 0; }},
    {BITNET_METRIC_HAS_CACHE_HIT_RATE, "cache_hit_rate", [](const auto& m) { return !(m.cache_hit_rate == 0); }},
    {BITNET_METRIC_HAS_MEMORY, "memory_usage_bytes", [](const auto& m) { return m.memory_usage_bytes != 0; }},
    {BITNET_METRIC_HAS_ENCODE, "encode_us", [](const auto& m) { return m.encode_us != 0; }},
    {BITNET_METRIC_HAS_DETOKENIZE, "detokenize_us", [](const auto& m) { return m.detokenize_us != 0; }},
    {BITNET_METRIC_HAS_FORWARD, "forward_us", [](const auto& m) { return m.forward_us != 0; }},
    {BITNET_METRIC_HAS_SAMPLING, "sampling_us", [](const auto& m) { return m.sampling_us != 0; }},
};

bitnet_performance_metrics metrics_of(const Context& context) {
    const PerformanceCounters::Values v = context.performance().read();
    bitnet_performance_metrics m{};
    const auto have = [&m](uint32_t bit, bool there) { m.present |= there ? bit : 0u; };
    m.backend_type = context.backend().name();
    m.n_inferences = v.n_inferences;
    m.tokens_generated = v.n_tokens;
    m.total_latency_us = v.total_us;
    m.tokens_per_second = 1e6 * ratio(v.n_tokens, v.total_us);
    have(BITNET_METRIC_HAS_FIRST_TOKEN, v.n_first != 0);
    m.first_token_latency_us = v.n_first != 0 ? v.first_us / v.n_first : 0;
    have(BITNET_METRIC_HAS_AVERAGE_TOKEN, v.n_other != 0);
    m.average_token_latency_us = v.n_other != 0 ? v.other_us / v.n_other : 0;
    have(BITNET_METRIC_HAS_CACHE_HIT_RATE, v.n_prompt != 0);
    m.cache_hit_rate = ratio(v.n_reused, v.n_prompt);
    m.memory_usage_bytes = resident_memory().now_bytes;
    have(BITNET_METRIC_HAS_MEMORY, m.memory_usage_bytes != 0);
    have(BITNET_METRIC_HAS_ENCODE, v.n_encodes != 0);
    m.encode_us = v.encode_us;
    have(BITNET_METRIC_HAS_DETOKENIZE, v.n_detokenized != 0);
    m.detokenize_us = v.detokenize_us;
    have(BITNET_METRIC_HAS_FORWARD, v.n_decodes != 0);
    m.forward_us = v.forward_us;
    have(BITNET_METRIC_HAS_SAMPLING, v.n_sampled != 0);
    m.sampling_us = v.sampling_us;
    m.error_count = v.n_errors;
    m.error_rate = ratio(v.n_errors, v.n_errors + v.n_decodes);
    return m;
}

[[noreturn]] void refuse(const std::string& field, const std::string& why) {
    throw Error(BITNET_E_ARGUMENT, "bitnet_performance_metrics." + field + " " + why).with_subject(field);
}

void check_fraction(const char* field, double value) {
    if (!(value >= 0 && value <= 1)) refuse(field, "is outside 0..1");
}

void check_part(const char* field, uint64_t part, const bitnet_performance_metrics& m) {
    if (part > m.total_latency_us) refuse(field, "is longer than total_latency_us");
}

void validate(const bitnet_performance_metrics& m) {
    uint32_t known = 0;
    for (const OptionalField& field : kOptional) {
        known |= field.bit;
        if ((m.present & field.bit) == 0 && field.is_set(m)) refuse(field.name, "has a value but no bit in present");
    }
    if ((m.present & ~known) != 0) refuse("present", "has a bit without a meaning");
    if (m.backend_type == nullptr || *m.backend_type == '\0') refuse("backend_type", "is empty");
    check_fraction("cache_hit_rate", m.cache_hit_rate);
    check_fraction("error_rate", m.error_rate);
    if (m.error_count == 0 && m.error_rate != 0) refuse("error_rate", "is not 0 where error_count is");
    if (!(std::isfinite(m.tokens_per_second) && m.tokens_per_second >= 0)) {
        refuse("tokens_per_second", "is negative or no number");
    }
    const double expected = 1e6 * ratio(m.tokens_generated, m.total_latency_us);
    constexpr double kTolerance = 0.01;  // others round
    if (std::fabs(m.tokens_per_second - expected) > kTolerance * expected) {
        refuse("tokens_per_second", "is not tokens_generated over total_latency_us");
    }
    check_part("first_token_latency_us", m.first_token_latency_us, m);
    check_part("average_token_latency_us", m.average_token_latency_us, m);
    check_part("encode_us", m.encode_us, m);
    check_part("detokenize_us", m.detokenize_us, m);
    check_part("forward_us", m.forward_us, m);
    check_part("sampling_us", m.sampling_us, m);
}

void init_metrics(bitnet_performance_metrics* metrics, uint32_t struct_size) {
    write_params(metrics, struct_size, bitnet_performance_metrics{});
}

// With the host's memory, which a context does not know.
bitnet_device_stats stats_of(const Context& context) {
    bitnet_device_stats stats = device_stats(context);
    if (const std::optional<HostMemory> memory = host_memory()) {
        stats.memory_total_bytes = memory->total_bytes;
        stats.memory_used_bytes = memory->total_bytes - memory->free_bytes;
    }
    return stats;
}

}  // namespace

extern "C" {

bitnet_status bitnet_context_get_performance(const bitnet_context* context, bitnet_performance_metrics* out_metrics) {
    return api_call(__func__, about(context), [&] {
        require(context != nullptr, "the context is NULL");
        write_info(out_metrics, metrics_of(context->context));
    });
}

bitnet_status bitnet_context_reset_performance(bitnet_context* context) {
    return api_call(__func__, about(context), [&] {
        require(context != nullptr, "the context is NULL");
        context->context.performance().reset();
    });
}

bitnet_status bitnet_performance_metrics_validate(const bitnet_performance_metrics* metrics) {
    return api_call(__func__, [&] {
        require(metrics != nullptr, "the metrics are NULL");
        validate(read_params(metrics, init_metrics));
    });
}

double bitnet_performance_metrics_get_efficiency_ratio(const bitnet_performance_metrics* metrics) {
    double tokens_per_ms = 0;
    if (metrics == nullptr || metrics->struct_size < sizeof(uint32_t)) return 0;
    api_call(__func__, [&] {
        const bitnet_performance_metrics m = read_params(metrics, init_metrics);
        tokens_per_ms = 1e3 * ratio(m.tokens_generated, m.total_latency_us);
    });
    return tokens_per_ms;
}

bitnet_status bitnet_context_get_device_stats(const bitnet_context* context, bitnet_device_stats* out_stats) {
    return api_call(__func__, about(context), [&] {
        require(context != nullptr, "the context is NULL");
        write_info(out_stats, stats_of(context->context));
    });
}

bitnet_status bitnet_context_reset_device_stats(bitnet_context* context) {
    return api_call(__func__, about(context), [&] {
        require(context != nullptr, "the context is NULL");
        tg::Backend& backend = context->context.backend();
        for (size_t i = 0; i < backend.n_places(); ++i) backend.place(i).work().reset();
    });
}

bitnet_status bitnet_context_get_device_summary(const bitnet_context* context, char* buffer, size_t capacity,
                                                size_t* out_size) {
    return api_call(__func__, about(context), [&] {
        require(context != nullptr, "the context is NULL");
        write_text(device_summary(stats_of(context->context), context->context), buffer, capacity, out_size);
    });
}

}  // extern "C"
