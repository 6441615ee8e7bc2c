// Matching by segments, the guard, the handler, and whatever was thrown as a body.
#include "server/http/router.h"

#include <exception>
#include <new>

namespace serve {

namespace {

std::vector<std::string_view> segments(std::string_view path) {
    std::vector<std::string_view> parts;
    size_t begin = 1;  // behind the first slash
    while (begin <= path.size()) {
        const size_t end = std::min(path.find('/', begin), path.size());
        parts.push_back(path.substr(begin, end - begin));
        begin = end + 1;
    }
    return parts;
}

bool fits(std::string_view pattern, std::string_view path, std::vector<std::string>& captures) {
    const std::vector<std::string_view> wanted = segments(pattern), given = segments(path);
    if (wanted.size() != given.size()) return false;
    captures.clear();
    for (size_t i = 0; i < wanted.size(); i++) {
        const bool name = wanted[i].starts_with("{") && wanted[i].ends_with("}");
        if (name && !given[i].empty())
            captures.emplace_back(given[i]);
        else if (wanted[i] != given[i])
            return false;
    }
    return true;
}

uint64_t microseconds_since(SteadyTime begin) {
    const auto passed = std::chrono::steady_clock::now() - begin;
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(passed).count());
}

// Counts what a stream writes.
class CountingSink : public ByteSink {
public:
    explicit CountingSink(ByteSink& sink) : sink_(sink) {}
    bool write(std::string_view bytes) override {
        n_bytes += bytes.size();
        return sink_.write(bytes);
    }
    uint64_t n_bytes = 0;

private:
    ByteSink& sink_;
};

}  // namespace

void Router::add(Route route) {
    route.pattern = prefix_ + route.pattern;
    routes_.push_back(std::move(route));
}

const Route* Router::match(const HttpRequest& request, std::vector<std::string>& captures, std::string& allowed) const {
    for (const Route& route : routes_) {
        if (!fits(route.pattern, request.path, captures)) continue;
        if (route.method == request.method || (request.method == "HEAD" && route.method == "GET")) return &route;
        allowed += (allowed.empty() ? "" : ", ") + route.method;
    }
    return nullptr;
}

ErrorStyle Router::style_of(std::string_view path) const {
    if (path.starts_with(prefix_)) path.remove_prefix(prefix_.size());
    if (path.starts_with("/api/")) return ErrorStyle::kOllama;
    if (path.starts_with("/v1/messages")) return ErrorStyle::kAnthropic;
    for (const char* begin : {"/v1/chat/", "/v1/completions", "/v1/embeddings"})
        if (path.starts_with(begin)) return ErrorStyle::kOpenAi;
    return ErrorStyle::kNative;
}

HttpResponse Router::refuse(const HttpRequest& request, const ApiError& error) const {
    HttpResponse response;
    std::vector<std::string> captures;
    std::string allowed;
    const Route* route = match(request, captures, allowed);
    response.status = error_info(error.code).http_status;
    response.body = error_body(error, route ? route->style : style_of(request.path), request.request_id);
    if (error.retry_after_s > 0) response.headers.emplace_back("Retry-After", std::to_string(error.retry_after_s));
    if (error.code == ErrorCode::kUnauthorized) response.headers.emplace_back("WWW-Authenticate", "Bearer");
    if (error.code == ErrorCode::kMethodNotAllowed) response.headers.emplace_back("Allow", allowed);
    return response;
}

void Router::report(const HttpRequest& request, const Route* route, int status, uint64_t n_bytes) const {
    for (const Observer& observer : observers_)
        if (observer) observer(request, route, status, n_bytes, microseconds_since(request.received));
}

HttpResponse Router::answer(HttpRequest request) const {
    std::string allowed;
    const Route* route = match(request, request.captures, allowed);
    HttpResponse response;
    try {
        if (!route && !allowed.empty())
            throw ApiError(ErrorCode::kMethodNotAllowed, request.path + " does not know " + request.method, "",
                           "Use " + allowed);
        if (!route)
            throw ApiError(ErrorCode::kNotFound, "there is nothing at " + request.path, "",
                           "GET /openapi.json lists what is");
        if (guard_) guard_(request, *route);
        response = route->handler(request);
    } catch (const ApiError& error) {
        response = refuse(request, error);
    } catch (const std::bad_alloc&) {
        response = refuse(request, ApiError(ErrorCode::kUnavailable, "out of memory"));
    } catch (const std::exception& error) {
        response = refuse(request, ApiError(ErrorCode::kInternal, std::string("internal error: ") + error.what()));
    }
    if (!response.stream) {
        report(request, route, response.status, response.body.size());
        return response;
    }
    response.stream = [this, inner = std::move(response.stream), route, request = std::move(request),
                       status = response.status](ByteSink& sink) {
        CountingSink counted(sink);
        try {
            inner(counted);
        } catch (...) {
            report(request, route, status, counted.n_bytes);
            throw;
        }
        report(request, route, status, counted.n_bytes);
    };
    return response;
}

std::string Router::allowed_methods(std::string_view path) const {
    std::string allowed;
    std::vector<std::string> captures;
    for (const Route& route : routes_)
        if (fits(route.pattern, path, captures)) allowed += route.method + (route.method == "GET" ? ", HEAD, " : ", ");
    return allowed.empty() ? "" : allowed + "OPTIONS";
}

}  // namespace serve
