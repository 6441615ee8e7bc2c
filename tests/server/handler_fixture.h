// Handlers with the embedded model, asked through the router with requests written by hand: no socket, no HTTP library.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "server/core/json_fields.h"
#include "server/core/server_state.h"
#include "server/filter/content_filter.h"

namespace serve {

// A body that was streamed.
class TextSink : public ByteSink {
public:
    bool write(std::string_view bytes) override {
        text += bytes;
        n_writes++;
        return n_writes < n_writes_until_gone;
    }
    std::string text;
    int n_writes = 0;
    int n_writes_until_gone = 1 << 30;
};

struct HandlerAnswer {
    int status = 0;
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers;

    Json json() const { return Json::parse(body); }
    std::string code() const { return json().value("error_code", ""); }
    std::string field() const { return json().at("details").value("field", ""); }
    std::string header(const std::string& name) const {
        for (const auto& [key, value] : headers)
            if (key == name) return value;
        return "";
    }
    // The data of server-sent events.
    std::vector<Json> events() const {
        std::vector<Json> events;
        for (size_t at = 0; (at = body.find("data: ", at)) != body.npos;) {
            const size_t end = body.find('\n', at);
            events.push_back(Json::parse(body.substr(at + 6, end - at - 6)));
            at = end;
        }
        return events;
    }
};

inline ServerOptions handler_options() {
    ServerOptions options;
    options.registry.engine.n_threads = 1;
    return options;
}

// False when it does not hold within ten seconds.
inline bool wait_until(const std::function<bool()>& holds) {
    for (int i = 0; i < 10000; i++) {
        if (holds()) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
}

struct HandlerFixture {
    explicit HandlerFixture(const ServerOptions& options = handler_options()) : state(options) {
        state.models = make_model_registry(options.registry, options.models);
        state.filter = make_content_filter(options.block_list_file, options.filter_library);
        add_stats_routes(state);
        add_health_routes(state);
        add_native_routes(state);
        add_model_routes(state);
    }

    HandlerAnswer ask(const std::string& method, const std::string& path, const std::string& body = "",
                      std::function<bool()> client_gone = nullptr) {
        HttpRequest request;
        request.method = method;
        request.path = path;
        request.body = body;
        request.request_id = "req_test";
        request.peer = "127.0.0.1:1";
        request.received = std::chrono::steady_clock::now();
        if (client_gone) request.client_gone = std::move(client_gone);
        HttpResponse response = state.router.answer(std::move(request));
        TextSink sink;
        if (response.stream) response.stream(sink);
        return {response.status, response.stream ? sink.text : response.body, response.headers};
    }
    HandlerAnswer post(const std::string& path, const Json& body) { return ask("POST", path, to_text(body)); }
    HandlerAnswer get(const std::string& path) { return ask("GET", path); }

    ServerState state;
};

}  // namespace serve
