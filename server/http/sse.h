// Server-sent events (WHATWG HTML, 9.2) into a response's stream.
#pragma once

#include <string>
#include <string_view>

#include "server/core/http_message.h"
#include "server/core/json_fields.h"

namespace serve {

// Headers of an event stream; the caller sets response.stream.
HttpResponse event_stream_response();

// "data: ...\n\n", with "event: name\n" in front where a name is given. False when the client is gone.
bool write_event(ByteSink& sink, const Json& data, std::string_view event = "");
// The same for text that is no JSON, such as "[DONE]"; no line breaks in it.
bool write_event_text(ByteSink& sink, std::string_view data);
// A comment, so that proxies and clients see life while nothing is said.
bool write_heartbeat(ByteSink& sink);

}  // namespace serve
