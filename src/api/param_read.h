// Parameters of bitnet.h, and the environment behind them, as the engine takes them; and what several calls give back.
#pragma once

#include "bitnet.h"
#include "src/context/context_config.h"
#include "src/load/model_load.h"

namespace bitnet {

// Each throws BITNET_E_ARGUMENT or BITNET_E_CONFIG for what is out of range.
LoadOptions load_options(const bitnet_model_params& params);
ContextConfig context_config(bitnet_context_params params, const Model& model);
// Threads for work over a whole model: n_threads as in bitnet_model_params.
int32_t loading_threads(int32_t n_threads);

bitnet_memory_breakdown breakdown_of(const BytesByRole& bytes);

}  // namespace bitnet
