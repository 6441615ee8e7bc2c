// Which storage type each tensor of a new model file gets: norms stay floats, an embedding is never ternary, and what
// nothing was asked of keeps the type it has.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "kernels/quant_types.h"
#include "src/convert/model_source.h"

namespace bitnet {

// None: as the source has it. But an f32 embedding or head becomes f16 where the matrices are asked to become smaller.
struct WantedTypes {
    std::optional<kern::QuantType> matrices;   // of the layers
    std::optional<kern::QuantType> head;       // output.weight; the embedding where that is the head as well
    std::optional<kern::QuantType> embedding;  // token_embd.weight
};

// A type by its name in any case. option: what a message calls the parameter. Throws BITNET_E_QUANT_FORMAT.
kern::QuantType find_file_type(const char* name, const char* option);
// How far one scale of a ternary type reaches: weights; 0 for the whole tensor, -1 for a row.
int64_t scale_reach(kern::QuantType type) noexcept;

// Matrices of layers, which are the ones that may be ternary.
bool is_layer_matrix(const SourceTensor& tensor) noexcept;
// has_head: the model has an output.weight of its own. Throws BITNET_E_QUANT_FORMAT for a ternary embedding or head, and
// BITNET_E_QUANT_INPUT for rows that are no whole blocks of the type.
kern::QuantType choose_type(const SourceTensor& tensor, const WantedTypes& wanted, bool has_head);

// general.file_type for a file whose matrices have this type; nullopt when nobody gave it a number.
std::optional<uint32_t> general_file_type(kern::QuantType type) noexcept;

}  // namespace bitnet
