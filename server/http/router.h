// Which handler answers a request. Knows the guard that every request passes (authentication, limits) and the observer that
// sees every answer (log, metrics); knows nothing of sockets. Filled before the server starts, then only read: any thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "server/core/api_error.h"
#include "server/core/http_message.h"

namespace serve {

enum class Access {
    kPublic,  // no authentication: health, the page
    kUser,
    kAdmin  // changes what the server serves
};

struct Route {
    std::string method;
    std::string pattern;  // "/v1/models/{id}": a name takes one segment
    Access access = Access::kUser;
    ErrorStyle style = ErrorStyle::kNative;
    Handler handler;
};

class Router {
public:
    // prefix: put in front of every pattern (--api-prefix), "" for none.
    explicit Router(std::string prefix = "") : prefix_(std::move(prefix)) {}

    void add(Route route);
    // Called before the handler; throws ApiError to refuse, and fills request.identity. What Access asks for is its business.
    void set_guard(std::function<void(HttpRequest&, const Route&)> guard) { guard_ = std::move(guard); }
    // Called when an answer is complete, for a stream after its last byte. Route is null where none matched. Must not throw.
    using Observer =
        std::function<void(const HttpRequest&, const Route*, int status, uint64_t n_bytes, uint64_t total_us)>;
    void set_observer(Observer observer) { observers_[0] = std::move(observer); }
    // Others beside that one; called in the order they came.
    void add_observer(Observer observer) { observers_.push_back(std::move(observer)); }

    // Never throws: failures become error bodies. HEAD is answered as GET. The response's stream, where there is one,
    // reports to the observer by itself.
    HttpResponse answer(HttpRequest request) const;
    // The error body for a request that never became one (too large, malformed), in the style of the route at path.
    HttpResponse refuse(const HttpRequest& request, const ApiError& error) const;
    // Tells the observers of an answer; for those that were made without the router, with a null route.
    void report(const HttpRequest& request, const Route* route, int status, uint64_t n_bytes) const;
    // What may be asked of a path, "GET, HEAD, OPTIONS"; "" where there is nothing.
    std::string allowed_methods(std::string_view path) const;
    // The styles' default for a path that has no route: by its prefix.
    ErrorStyle style_of(std::string_view path) const;
    const std::vector<Route>& routes() const noexcept { return routes_; }

private:
    const Route* match(const HttpRequest& request, std::vector<std::string>& captures, std::string& allowed) const;

    std::string prefix_;
    std::vector<Route> routes_;
    std::function<void(HttpRequest&, const Route&)> guard_;
    std::vector<Observer> observers_{nullptr};  // the first is set_observer's
};

}  // namespace serve
