// The hand-written parts of /openapi.json, as JSON in a short form that openapi_document.cpp writes out:
//   "paths": path -> method -> summary, tag, request (a schema's name), response (a schema's name, or a status and no body),
//            stream (the media type of a streamed answer), text (the media type of an answer that is no JSON), query
//            (parameters), or path -> {"same_as": another path}
//   "schemas": name -> JSON schema. One with "request": true gets null allowed for what is not required, as JsonFields reads
//            it; "include": names of schemas whose properties it has too.
#pragma once

#include <string>
#include <vector>

#include "server/core/json_fields.h"
#include "server/core/server_state.h"

namespace serve {

const char* openapi_native_part();
const char* openapi_openai_part();
const char* openapi_responses_part();
const char* openapi_anthropic_part();
const char* openapi_ollama_part();

// The document of the routes that state has. Errors, credentials and parameters in paths come from the routes themselves.
// disagreements: routes without a description, which are left out, and descriptions without a route.
Json openapi_document(const ServerState& state, std::vector<std::string>& disagreements);

}  // namespace serve
