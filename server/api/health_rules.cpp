// See health_rules.h; reading the facts and judging them are apart, so that every line of the table can be tested.
#include "server/api/health_rules.h"

#include <algorithm>

#include "server/metrics/server_metrics.h"

namespace serve {

const char* health_name(Health health) {
    switch (health) {
        case Health::kHealthy: return "healthy";
        case Health::kDegraded: return "degraded";
        case Health::kUnhealthy: return "unhealthy";
    }
    return "unhealthy";
}

HealthFacts read_health_facts(const ServerState& state) {
    HealthFacts facts;
    for (const ModelEntry& entry : state.models->list()) {
        facts.n_models++;
        if (!entry.engine || entry.status != "active") continue;
        const EngineStats stats = entry.engine->stats();
        facts.engines.push_back(
            {stats.stalled, stats.waiting, bitnet_device_check(entry.facts.device.c_str()) == BITNET_OK});
    }
    facts.max_queue = std::max(1, state.options.registry.engine.max_queue);
    bitnet_device_memory memory;
    memory.struct_size = sizeof memory;
    if (bitnet_device_get_memory("cpu", &memory) == BITNET_OK && memory.total > 0)
        facts.memory_free_share = static_cast<double>(memory.free) / static_cast<double>(memory.total);
    if (state.metrics) facts.since_refusal = state.metrics->since_refusal();
    facts.draining = state.draining;
    facts.stall_timeout = std::chrono::seconds(state.options.stall_timeout_s);
    return facts;
}

std::array<ComponentHealth, 5> judge_components(const HealthFacts& facts) {
    const auto count = [&](auto holds) { return std::count_if(facts.engines.begin(), facts.engines.end(), holds); };
    const auto n = static_cast<std::ptrdiff_t>(facts.engines.size());
    const auto some_or_all = [n](std::ptrdiff_t some, std::ptrdiff_t all) {
        if (n > 0 && all == n) return Health::kUnhealthy;
        return some > 0 ? Health::kDegraded : Health::kHealthy;
    };
    using EngineState = HealthFacts::EngineState;
    const auto stalled = count([&](const EngineState& engine) { return engine.stalled > facts.stall_timeout; });
    const auto crowded = count([&](const EngineState& engine) { return engine.waiting * 5LL > facts.max_queue * 4LL; });
    const auto full = count([&](const EngineState& engine) { return engine.waiting >= facts.max_queue; });
    const auto lost = count([](const EngineState& engine) { return !engine.device_usable; });
    const Health models = n > 0 ? Health::kHealthy : facts.n_models > 0 ? Health::kDegraded : Health::kUnhealthy;
    const Health devices = lost > 0                         ? Health::kUnhealthy
                           : facts.memory_free_share < 0.05 ? Health::kDegraded
                                                            : Health::kHealthy;
    const Health concurrency = facts.draining                                  ? Health::kUnhealthy
                               : facts.since_refusal < std::chrono::minutes(1) ? Health::kDegraded
                                                                               : Health::kHealthy;
    return {{{"model_manager", models},
             {"execution_router", some_or_all(stalled, stalled)},
             {"batch_engine", some_or_all(crowded, full)},
             {"device_monitor", devices},
             {"concurrency_manager", concurrency}}};
}

Health judge_server(const std::array<ComponentHealth, 5>& components) {
    Health worst = Health::kHealthy;
    for (const ComponentHealth& component : components) worst = std::max(worst, component.health);
    return worst;
}

bool has_stalled(const HealthFacts& facts) {
    return std::any_of(facts.engines.begin(), facts.engines.end(),
                       [&](const auto& engine) { return engine.stalled > facts.stall_timeout; });
}

bool takes_requests(const HealthFacts& facts) {
    if (facts.draining) return false;
    return facts.engines.empty() || std::any_of(facts.engines.begin(), facts.engines.end(),
                                                [&](const auto& engine) { return engine.waiting < facts.max_queue; });
}

}  // namespace serve
