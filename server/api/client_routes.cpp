// The routes that clients of other servers know, in one place: main and the tests of the whole server add the same ones.
#include "server/core/server_state.h"

namespace serve {

void add_client_routes(ServerState& state) {
    add_openai_chat_routes(state);
    add_openai_completion_routes(state);
    add_embedding_routes(state);
    add_tokenize_routes(state);
    add_introspection_routes(state);
    add_page_routes(state);
    add_anthropic_routes(state);
    add_ollama_routes(state);
    add_responses_routes(state);
    add_openapi_routes(state);  // last: it describes the others
}

}  // namespace serve
