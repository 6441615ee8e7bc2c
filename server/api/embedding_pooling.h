// How a model's tokens become one vector where a request does not say.
#pragma once

#include "server/engine/engine.h"

namespace serve {

// As the model file says; else the mean, because the last token of a text says little in a model that was not trained to embed.
bitnet_pooling default_pooling(const Engine& engine);

}  // namespace serve
