// /v1/stats, /v1/devices and /metrics: what the server counts, for people and for Prometheus.
#include "server/auth/access_guard.h"
#include "server/core/json_fields.h"
#include "server/core/server_state.h"
#include "server/metrics/server_metrics.h"
#include "server/metrics/system_figures.h"

namespace serve {

namespace {

double share(double part, double whole) { return whole > 0 ? part / whole : 0; }

// Shares that sum to 1; empty where nothing was counted yet.
Json distribution(const std::map<std::string, uint64_t>& counts) {
    uint64_t all = 0;
    for (const auto& [name, count] : counts) all += count;
    Json shares = Json::object();
    for (const auto& [name, count] : counts) shares[name] = share(static_cast<double>(count), static_cast<double>(all));
    return shares;
}

// error_rate is 1 - successful / total, 0 before the first request. Requests of public routes (health) do not count.
// Averages are 0 where there is nothing to average; batch figures are of the models that are loaded now.
HttpResponse stats(const ServerState& state) {
    const Totals totals = state.metrics->totals();
    EngineStats sum;
    int64_t n_places = 0;   // of texts that are computed or wait
    double most_texts = 0;  // that could have shared the passes
    for (const ModelEntry& entry : state.models->list()) {
        if (!entry.engine) continue;
        const EngineStats one = entry.engine->stats();
        n_places += int64_t{one.n_parallel} + state.options.registry.engine.max_queue;
        most_texts += static_cast<double>(one.batches) * one.n_parallel;
        sum.batches += one.batches;
        sum.batched_texts += one.batched_texts;
        sum.active += one.active;
        sum.waiting += one.waiting;
    }
    const double batch_size = share(static_cast<double>(sum.batched_texts), static_cast<double>(sum.batches));
    const auto uptime = std::chrono::steady_clock::now() - state.started;
    const double n_requests = static_cast<double>(totals.requests), n_texts = static_cast<double>(totals.texts);
    Json body;
    body["server_stats"] = {
        {"uptime_seconds", std::chrono::duration_cast<std::chrono::seconds>(uptime).count()},
        {"total_requests", totals.requests},
        {"successful_requests", totals.successful},
        {"error_rate", share(static_cast<double>(totals.requests - totals.successful), n_requests)},
        {"avg_response_time_ms", share(static_cast<double>(totals.response_us) / 1000, n_requests)}};
    body["inference_stats"] = {{"total_tokens_generated", totals.generated_tokens},
                               {"avg_tokens_per_second", share(static_cast<double>(totals.generated_tokens) * 1e6,
                                                               static_cast<double>(totals.decode_us))},
                               {"quantization_distribution", distribution(totals.texts_by_quantization)},
                               {"device_distribution", distribution(totals.texts_by_device)}};
    body["batch_engine_stats"] = {{"total_batches", sum.batches},
                                  {"avg_batch_size", batch_size},
                                  {"batch_utilization", share(static_cast<double>(sum.batched_texts), most_texts)},
                                  {"queue_depth", sum.waiting}};
    body["concurrency_stats"] = {{"active_requests", sum.active},
                                 {"max_concurrent_requests", n_places},
                                 {"rate_limited_requests", state.access ? state.access->n_rate_limited() : 0},
                                 {"avg_queue_time_ms", share(static_cast<double>(totals.queue_us) / 1000, n_texts)}};
    HttpResponse response;
    response.body = to_text(body);
    return response;
}

Json split_list(const std::string& list) {
    Json items = Json::array();
    for (size_t begin = 0; begin < list.size();) {
        const size_t end = std::min(list.find(", ", begin), list.size());
        items.push_back(list.substr(begin, end - begin));
        begin = end + 2;
    }
    return items;
}

const char* type_name(int32_t kind) {
    switch (kind) {
        case BITNET_DEVICE_CUDA: return "Cuda";
        case BITNET_DEVICE_METAL: return "Metal";
        default: return "Cpu";
    }
}

// A device that the library cannot tell about now is listed as such, never a failure of the request.
Json device_object(const ServerState& state, const std::string& name, CpuUtilization& cpu) {
    Json device = {{"id", name}};
    bitnet_device_info info;
    info.struct_size = sizeof info;
    if (bitnet_device_get_info(name.c_str(), &info) != BITNET_OK) {
        device["status"] = "unavailable";
        device["problem"] = bitnet_last_error();
        return device;
    }
    device["type"] = type_name(info.kind);
    if (info.kind == BITNET_DEVICE_CUDA) device["device_index"] = info.index;
    device["status"] = "healthy";
    if (info.kind == BITNET_DEVICE_CPU)
        if (const std::optional<double> utilization = cpu.read()) device["utilization"] = *utilization;
    bitnet_device_memory memory;
    memory.struct_size = sizeof memory;
    if (bitnet_device_get_memory(name.c_str(), &memory) == BITNET_OK) {
        device["memory_usage_bytes"] = memory.used;
        device["memory_total_bytes"] = memory.total;
    }
    int64_t active = 0;
    for (const ModelEntry& entry : state.models->list())
        if (entry.engine && computes_on(entry.facts, name)) active += entry.engine->stats().active;
    device["active_requests"] = active;
    Json& capabilities = device["capabilities"] = Json::object();
    if (info.kind == BITNET_DEVICE_CPU) {
        capabilities["simd_support"] = split_list(info.simd);
        capabilities["kernel_level"] = info.kernel_level;
        capabilities["max_threads"] = info.max_threads;
    }
    if (info.compute_capability[0] >= 0)
        capabilities["compute_capability"] =
            std::to_string(info.compute_capability[0]) + "." + std::to_string(info.compute_capability[1]);
    Json& precision = capabilities["mixed_precision"] = Json::array();
    if (info.supports_f16) precision.push_back("fp16");
    if (info.supports_bf16) precision.push_back("bf16");
    Json& types = capabilities["quantization_support"] = split_list(info.quantization);
    for (Json& type : types)
        if (type == "i2_s") type = "i2s";
    return device;
}

HttpResponse devices(const ServerState& state, CpuUtilization& cpu) {
    Json list = Json::array();
    for (size_t i = 0; i < bitnet_device_get_count(); i++)
        list.push_back(device_object(state, bitnet_device_get_name(i), cpu));
    HttpResponse response;
    response.body = to_text({{"devices", std::move(list)}});
    return response;
}

}  // namespace

void add_stats_routes(ServerState& state) {
    state.metrics = make_metrics();
    state.router.add_observer(
        [metrics = state.metrics](const HttpRequest& request, const Route* route, int status, uint64_t,
                                  uint64_t total_us) { metrics->observe_request(request, route, status, total_us); });
    state.models->set_load_observer(
        [metrics = state.metrics](const ModelFacts& facts) { metrics->observe_load(facts); });
    const auto add = [&](const char* path, Handler handler) {
        state.router.add({"GET", path, Access::kUser, ErrorStyle::kNative, std::move(handler)});
    };
    const auto cpu = std::make_shared<CpuUtilization>();
    add("/v1/stats", [&state](const HttpRequest&) { return stats(state); });
    add("/v1/devices", [&state, cpu](const HttpRequest&) { return devices(state, *cpu); });
    add("/metrics", [&state](const HttpRequest&) {
        HttpResponse response;
        response.content_type = "text/plain; version=0.0.4; charset=utf-8";
        response.body = state.metrics->text(state);
        return response;
    });
}

}  // namespace serve
