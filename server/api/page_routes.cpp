// GET /: the chat page.
#include "server/core/server_state.h"
#include "server/web/web_page.h"

namespace serve {

namespace {

// If-None-Match (RFC 9110, 13.1.2): a list of tags, weak ones count as equal, or *.
bool names_tag(std::string_view list, std::string_view tag) { return list == "*" || list.find(tag) != list.npos; }

}  // namespace

void add_page_routes(ServerState& state) {
    const auto answer = [policy = page_security_policy(web_page()),
                         tag = entity_tag(web_page())](const HttpRequest& request) {
        HttpResponse response;
        response.content_type = "text/html; charset=utf-8";
        response.headers = {{"Content-Security-Policy", policy},
                            {"X-Content-Type-Options", "nosniff"},
                            {"X-Frame-Options", "DENY"},
                            {"Referrer-Policy", "no-referrer"},
                            {"Permissions-Policy", "camera=(), geolocation=(), microphone=()"},
                            {"Cross-Origin-Opener-Policy", "same-origin"},
                            {"Cache-Control", "no-cache"},  // asks every time; the tag makes that cheap
                            {"ETag", tag}};
        if (names_tag(request.header("If-None-Match"), tag))
            response.status = 304;
        else
            response.body = web_page();
        return response;
    };
    state.router.add({"GET", "/", Access::kPublic, ErrorStyle::kNative, answer});
}

}  // namespace serve
