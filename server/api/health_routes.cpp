// /health for people and dashboards, /health/live for whoever would restart the process, /health/ready for whoever sends it
// requests.
#include <memory>

#include "server/api/health_rules.h"
#include "server/core/build_facts.h"
#include "server/core/clock_text.h"
#include "server/core/json_fields.h"
#include "server/metrics/system_figures.h"

namespace serve {

namespace {

std::string now_text() { return iso_time(std::chrono::system_clock::now()); }

HttpResponse answer(int status, const Json& body) {
    HttpResponse response;
    response.status = status;
    response.body = to_text(body);
    response.headers.emplace_back("Cache-Control", "no-store");
    if (status == 503) response.headers.emplace_back("Retry-After", "5");
    return response;
}

// gpu_utilization is absent: this library drives no GPU whose load it could read.
Json system_metrics(const ServerState& state, CpuUtilization& cpu) {
    Json metrics = Json::object();
    if (const std::optional<double> utilization = cpu.read()) metrics["cpu_utilization"] = *utilization;
    if (const std::optional<uint64_t> bytes = resident_bytes()) metrics["memory_usage_bytes"] = *bytes;
    int64_t active = 0;
    for (const ModelEntry& entry : state.models->list())
        if (entry.engine) active += entry.engine->stats().active;
    metrics["active_requests"] = active;
    const auto uptime = std::chrono::steady_clock::now() - state.started;
    metrics["uptime_seconds"] = std::chrono::duration_cast<std::chrono::seconds>(uptime).count();
    return metrics;
}

Json build_info() {
    Json features = Json::array();
    for (size_t i = 0; i < bitnet_feature_get_count(); i++) features.push_back(bitnet_feature_get_name(i));
    features.push_back("prometheus");
    return {{"version", bitnet_version_string()},
            {"build_date", build_date()},
            {"git_commit", git_commit()},
            {"features", std::move(features)}};
}

HttpResponse health(const ServerState& state, CpuUtilization& cpu) {
    const auto judged = judge_components(read_health_facts(state));
    const Health server = judge_server(judged);
    Json components = Json::object();
    for (const ComponentHealth& component : judged) components[component.name] = health_name(component.health);
    return answer(server == Health::kUnhealthy ? 503 : 200, {{"status", health_name(server)},
                                                             {"timestamp", now_text()},
                                                             {"components", std::move(components)},
                                                             {"system_metrics", system_metrics(state, cpu)},
                                                             {"build_info", build_info()}});
}

HttpResponse live(const ServerState& state) {
    const bool stalled = has_stalled(read_health_facts(state));
    return answer(stalled ? 503 : 200, {{"status", stalled ? "stalled" : "live"}, {"timestamp", now_text()}});
}

// Ready with a model at hand: active, or loaded on demand.
HttpResponse ready(const ServerState& state) {
    const HealthFacts facts = read_health_facts(state);
    bool loaded = !facts.engines.empty();
    for (const ModelEntry& entry : state.models->list()) loaded = loaded || entry.status == "available";
    bool devices = true;
    for (const HealthFacts::EngineState& engine : facts.engines) devices = devices && engine.device_usable;
    const bool processing = takes_requests(facts);
    const bool is_ready = loaded && devices && processing;
    return answer(
        is_ready ? 200 : 503,
        {{"status", is_ready ? "ready" : "not_ready"},
         {"timestamp", now_text()},
         {"checks", {{"models_loaded", loaded}, {"devices_available", devices}, {"request_processing", processing}}}});
}

}  // namespace

void add_health_routes(ServerState& state) {
    const auto add = [&](const char* path, Handler handler) {
        state.router.add({"GET", path, Access::kPublic, ErrorStyle::kNative, std::move(handler)});
    };
    const auto cpu = std::make_shared<CpuUtilization>();
    add("/health", [&state, cpu](const HttpRequest&) { return health(state, *cpu); });
    add("/health/live", [&state](const HttpRequest&) { return live(state); });
    add("/health/ready", [&state](const HttpRequest&) { return ready(state); });
}

}  // namespace serve
