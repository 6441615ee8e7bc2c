// An Origin field counts as this server's own where it names the host and port that the request was sent to.
#include "server/http/origin_rules.h"

#include <algorithm>

namespace serve {

namespace {

// Host without port: "localhost:80" -> "localhost", "[::1]:80" -> "[::1]".
std::string_view without_port(std::string_view host) {
    const size_t colon = host.rfind(':');
    if (colon == host.npos || (host.starts_with("[") && host.find(']') > colon)) return host;
    return host.substr(0, colon);
}

bool names_an_address(std::string_view host) {
    return host.starts_with("[") ||
           (!host.empty() && host.find_first_not_of("0123456789.") == host.npos && host.find('.') != host.npos);
}

std::string lower_case(std::string_view text) {
    std::string lower(text);
    for (char& c : lower)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return lower;
}

}  // namespace

OriginRules::OriginRules(std::vector<std::string> origins, bool guard_host, std::vector<std::string> allowed_hosts)
    : origins_(std::move(origins)), guard_host_(guard_host), allowed_hosts_(std::move(allowed_hosts)) {}

bool OriginRules::allows(std::string_view origin) const {
    return std::any_of(origins_.begin(), origins_.end(),
                       [&](const std::string& allowed) { return allowed == "*" || allowed == origin; });
}

void OriginRules::check(const RequestHead& head) const {
    if (guard_host_ && head.headers.contains("Host")) {
        const std::string host = lower_case(without_port(head.header("Host")));
        const bool known = host == "localhost" || host.ends_with(".localhost") || names_an_address(host) ||
                           std::find(allowed_hosts_.begin(), allowed_hosts_.end(), host) != allowed_hosts_.end();
        if (!known)
            throw ApiError(ErrorCode::kForbidden, "this server is not known as " + host, "",
                           "Start it with --allowed-host " + host + " where that is meant");
    }
    // A simple request needs no preflight; reading without leave the browser itself prevents.
    if (head.method == "GET" || head.method == "HEAD" || !head.headers.contains("Origin")) return;
    const std::string_view origin = head.header("Origin");
    const size_t scheme_end = origin.find("://");
    const bool own =
        scheme_end != origin.npos && lower_case(origin.substr(scheme_end + 3)) == lower_case(head.header("Host"));
    if (!own && !allows(origin))
        throw ApiError(ErrorCode::kForbidden, "pages of " + std::string(origin) + " may not use this server", "",
                       "Start it with --cors-origin " + std::string(origin) + " where that is meant");
}

bool OriginRules::is_preflight(const RequestHead& head) {
    return head.method == "OPTIONS" && head.headers.contains("Origin") &&
           head.headers.contains("Access-Control-Request-Method");
}

HttpResponse OriginRules::answer_preflight(const RequestHead& head) const {
    check(head);
    HttpResponse response;
    response.status = 204;
    response.content_type.clear();
    response.headers.emplace_back("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, DELETE, OPTIONS");
    // Every field may be sent that a page asks for: authentication is by key, and none of ours has another power.
    const std::string_view fields = head.header("Access-Control-Request-Headers");
    const bool safe = std::all_of(fields.begin(), fields.end(),
                                  [](char c) { return c == ',' || c == ' ' || is_token(std::string_view(&c, 1)); });
    if (!fields.empty() && fields.size() <= 1024 && safe)
        response.headers.emplace_back("Access-Control-Allow-Headers", fields);
    response.headers.emplace_back("Access-Control-Max-Age", "600");
    return response;
}

std::vector<std::pair<std::string, std::string>> OriginRules::answer_headers(const RequestHead& head) const {
    std::vector<std::pair<std::string, std::string>> headers;
    if (origins_.empty()) return headers;
    const bool any = std::find(origins_.begin(), origins_.end(), "*") != origins_.end();
    // A cache must not give one site's answer to another.
    if (!any) headers.emplace_back("Vary", "Origin");
    const std::string_view origin = head.header("Origin");
    if (origin.empty() || !allows(origin)) return headers;
    headers.emplace_back("Access-Control-Allow-Origin", any ? std::string("*") : std::string(origin));
    headers.emplace_back("Access-Control-Expose-Headers", "X-Request-Id, Retry-After");
    return headers;
}

}  // namespace serve
