// What the routes share. Made once by main, outlives every connection.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "server/core/server_options.h"
#include "server/engine/model_registry.h"
#include "server/http/router.h"

namespace serve {

class AccessGuard;    // server/auth/access_guard.h
class ContentFilter;  // server/filter/content_filter.h
class Metrics;        // server/metrics/server_metrics.h

struct ServerState {
    explicit ServerState(ServerOptions given) : options(std::move(given)), router(options.api_prefix) {}

    const ServerOptions options;
    std::unique_ptr<ModelRegistry> models;
    std::shared_ptr<AccessGuard> access;          // null: everyone may do everything
    std::shared_ptr<const ContentFilter> filter;  // null: none
    std::shared_ptr<Metrics> metrics;             // null: nothing is counted
    Router router;
    std::atomic<bool> draining = false;
    // Called on SIGHUP, one after the other, not on a thread of a connection: files are read anew. May throw ApiError.
    std::vector<std::function<void()>> reload_hooks;
    const std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
};

// Each adds its routes to state.router; one file in api/ per function.
void add_health_routes(ServerState& state);
void add_native_routes(ServerState& state);
void add_model_routes(ServerState& state);
// Also begins to count: before the first request, once the models are there.
void add_stats_routes(ServerState& state);
void add_openai_chat_routes(ServerState& state);
void add_openai_completion_routes(ServerState& state);
void add_embedding_routes(ServerState& state);
void add_tokenize_routes(ServerState& state);
void add_introspection_routes(ServerState& state);
void add_page_routes(ServerState& state);
void add_anthropic_routes(ServerState& state);
void add_ollama_routes(ServerState& state);
void add_responses_routes(ServerState& state);
// The last one: it describes the routes that are there.
void add_openapi_routes(ServerState& state);
// The page and the protocols besides the native one: the ten above, in their order.
void add_client_routes(ServerState& state);

}  // namespace serve
