// /health/live: the process answers.
#include "server/core/clock_text.h"
#include "server/core/json_fields.h"
#include "server/core/server_state.h"

namespace serve {

void add_health_routes(ServerState& state) {
    state.router.add(
        {"GET", "/health/live", Access::kPublic, ErrorStyle::kNative, [](const HttpRequest&) {
             HttpResponse response;
             response.body = to_text({{"status", "live"}, {"timestamp", iso_time(std::chrono::system_clock::now())}});
             return response;
         }});
}

}  // namespace serve
