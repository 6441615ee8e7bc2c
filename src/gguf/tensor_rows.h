// Rows of a stored tensor as floats, whatever its type; for looking at files and for converting them, not for computing.
#pragma once

#include <cstdint>

#include "src/gguf/gguf_reader.h"

namespace bitnet {

// Rows [row0, row0 + n_rows) of a tensor whose type and extent the reader has accepted, ne[0] floats each, to dst.
// Throws BITNET_E_IO, and of a ternary dialect what DialectTensor does: tilings are those of the presets.
void read_tensor_rows(const GgufFile& file, const GgufTensor& tensor, int64_t row0, int64_t n_rows, float* dst);

}  // namespace bitnet
