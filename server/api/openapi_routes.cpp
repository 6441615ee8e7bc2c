// GET /openapi.json: what this server understands, for people's tools.
#include <memory>

#include "server/api/openapi_parts.h"
#include "server/core/server_log.h"

namespace serve {

void add_openapi_routes(ServerState& state) {
    const auto text = std::make_shared<std::string>();
    state.router.add({"GET", "/openapi.json", Access::kPublic, ErrorStyle::kNative, [text](const HttpRequest&) {
                          HttpResponse response;
                          response.headers = {{"Cache-Control", "no-cache"}};
                          response.body = *text;
                          return response;
                      }});
    std::vector<std::string> disagreements;
    *text = to_text(openapi_document(state, disagreements));  // with this route in it
    for (const std::string& problem : disagreements)
        log_line(LogLevel::kWarning, "/openapi.json is incomplete", {{"problem", problem}});
}

}  // namespace serve
