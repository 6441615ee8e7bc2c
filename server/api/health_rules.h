// When a part of the server is healthy. The rules, so that they are written down in one place:
//
//     part                 degraded                                  unhealthy
//     model_manager        no model is active, but one is loading    no model is there at all
//                          or is loaded on demand
//     execution_router     one engine has stalled                    all engines have
//     batch_engine         one engine's queue is over 80 % full      all engines' queues are full
//     device_monitor       under 5 % of the memory is free           a model's device cannot be used any more
//     concurrency_manager  requests were refused with 429 within     the server shuts down
//                          the last minute
//
// An engine has stalled when it has work and finished no step for stall_timeout. The server is as its worst part; unhealthy
// is answered with 503, the others with 200.
#pragma once

#include <array>
#include <chrono>
#include <string>
#include <vector>

#include "server/core/server_state.h"

namespace serve {

enum class Health { kHealthy, kDegraded, kUnhealthy };
const char* health_name(Health health);  // "healthy", "degraded", "unhealthy"

// What the rules look at.
struct HealthFacts {
    struct EngineState {
        std::chrono::milliseconds stalled{0};
        int32_t waiting = 0;
        bool device_usable = true;
    };
    std::vector<EngineState> engines;  // of active models
    int32_t n_models = 0;              // whatever their state
    int32_t max_queue = 1;
    double memory_free_share = 1;
    std::chrono::seconds since_refusal{3600};
    bool draining = false;
    std::chrono::milliseconds stall_timeout{120000};
};
HealthFacts read_health_facts(const ServerState& state);

struct ComponentHealth {
    const char* name;
    Health health;
};
// In the order of the table above.
std::array<ComponentHealth, 5> judge_components(const HealthFacts& facts);
Health judge_server(const std::array<ComponentHealth, 5>& components);
// True where an engine has work and made no progress for too long: restarting would help.
bool has_stalled(const HealthFacts& facts);
// True where new texts can be taken: not all queues are full, and the server does not shut down.
bool takes_requests(const HealthFacts& facts);

}  // namespace serve
