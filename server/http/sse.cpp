// One write per event, so that no event is sent in halves.
#include "server/http/sse.h"

namespace serve {

HttpResponse event_stream_response() {
    HttpResponse response;
    response.content_type = "text/event-stream";
    response.headers = {{"Cache-Control", "no-cache"}, {"X-Accel-Buffering", "no"}};
    return response;
}

bool write_event(ByteSink& sink, const Json& data, std::string_view event) {
    std::string bytes;
    if (!event.empty()) bytes.append("event: ").append(event).append("\n");
    bytes.append("data: ").append(to_text(data)).append("\n\n");
    return sink.write(bytes);
}

bool write_event_text(ByteSink& sink, std::string_view data) {
    return sink.write(std::string("data: ").append(data).append("\n\n"));
}

bool write_heartbeat(ByteSink& sink) { return sink.write(": still here\n\n"); }

}  // namespace serve
