// Metadata -> Hparams, with every range and every relation between the numbers checked before anything is sized by them.
#pragma once

#include "src/gguf/gguf_reader.h"
#include "src/model/hparams.h"

namespace bitnet {

// Throws BITNET_E_MODEL_ARCHITECTURE, BITNET_E_GGUF_METADATA, BITNET_E_MODEL_SHAPE.
Hparams read_hparams(const GgufFile& file);

}  // namespace bitnet
