// The shadow of a swap: a share of the live requests is also given to the new model, whose answers nobody reads. It fails
// when one of them fails, or when the new model needs much longer for a token than the old one.
#pragma once

#include <memory>
#include <string>

#include "server/engine/model_registry.h"

namespace serve {

// Watches until request.canary_texts answers are there or the deadline passes; without live requests nothing is held against
// the new model. Throws VALIDATION_FAILED.
void run_canary(Engine& live, Engine& next, const SwapRequest& request, SteadyTime deadline);

}  // namespace serve
