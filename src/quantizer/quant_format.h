// What the quantiser can write: a type by name, its block and the sizes that follow from a shape. All arithmetic on shapes
// that come from outside is here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "kernels/quant_types.h"
#include "src/base/quoted.h"

namespace bitnet {

struct QuantFormat {
    const char* name;                 // of the table, static storage
    const kern::QuantTypeInfo* type;  // null: int8 or int4, see affine_blocks.h
    int bits;                         // of an affine code, 8 or 4
    bool asymmetric;
    int64_t block;  // values per block (1 for f32, f16, bf16)

    bool is_affine() const noexcept { return type == nullptr; }
    bool is_ternary() const noexcept { return type != nullptr && type->ternary; }
    bool has_tensor_scale() const noexcept { return type != nullptr && type->type == kern::QuantType::i2_s; }
};

struct QuantShape {
    int64_t n_values;
    size_t n_bytes;
    size_t n_scales;
};

// type null: "i2_s"; block_size 0: the type's own. Throws BITNET_E_QUANT_FORMAT.
QuantFormat find_quant_format(const char* type, uint64_t block_size, bool asymmetric);
// Throws BITNET_E_QUANT_INPUT for no values, rows that are not whole blocks, and sizes that no memory could hold.
QuantShape quant_shape(const QuantFormat& format, size_t n_rows, size_t n_cols);

}  // namespace bitnet
