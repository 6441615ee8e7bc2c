// Which storage type a tensor really has. The numeric type ids of GGUF collide between the dialects of ggml,
// bitnet.cpp, ik_llama.cpp and others: 39 is MXFP4 in one and TL2 in another. So an id alone is never believed where it
// has two readings: general.file_type and the bytes the tensor occupies decide, and when they do not, the file is
// refused.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "kernels/quant_types.h"

namespace bitnet {

// One meaning of one id. Ids with several rows are ambiguous until resolved.
struct TensorTypeRow {
    uint32_t file_id;
    const char* name;     // lower case, as kern::QuantTypeInfo::name where this build reads the type
    const char* dialect;  // whose meaning this is
    const char* advice;   // what to do with a file that has it; unused for types this build reads
    // Only for ids with several rows. claimed_by: the general.file_type that names this row, 0 for none; is_default:
    // the row to take when neither file type nor size says anything; bytes: size of a tensor, nullptr when not known.
    uint32_t claimed_by = 0;
    bool is_default = false;
    bool (*bytes)(uint64_t k, uint64_t n_rows, uint64_t* out) = nullptr;
};
std::span<const TensorTypeRow> tensor_type_rows() noexcept;

struct TensorTypeQuery {
    std::string_view tensor;  // its name, for messages
    uint32_t file_type_id = 0;
    uint64_t k = 0;       // length of a row
    uint64_t n_rows = 0;  // product of the other dimensions
    uint64_t span = 0;    // bytes from the tensor's start to the next tensor's start or the end of the file
    uint64_t alignment = 32;
    std::optional<uint64_t> file_type;  // general.file_type
};
// Throws BITNET_E_GGUF_TENSOR_TYPE: unknown id, a type this version cannot read, or ambiguous (both readings named).
kern::QuantType resolve_tensor_type(const TensorTypeQuery& query);

}  // namespace bitnet
