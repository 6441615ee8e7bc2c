// The part of Ollama's protocol that is about models.
#pragma once

#include "server/core/server_state.h"

namespace serve {

// tags, show, ps, version, embed, embeddings, and refusals of what would change models. Called by add_ollama_routes.
void add_ollama_model_routes(ServerState& state);

}  // namespace serve
