// A tensor of a ternary dialect (kernels/ternary_dialects.h) in a file, read as rows of I2_S codes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "src/gguf/gguf_reader.h"
#include "src/gguf/tl_tiling.h"

namespace bitnet {

inline bool is_dialect(const GgufTensor& tensor) {
    return kern::quant_type_info(tensor.type).dialect ||
           (tensor.type == kern::QuantType::i2_s && tensor.ne[0] % kern::kI2sBlock != 0);
}
// Throws BITNET_E_UNSUPPORTED: I2_S in the order of ARM builds is read where its rows are whole blocks.
[[noreturn]] void fail_arm_order(const GgufTensor& tensor);

// Gives the tensor's shape its tiling. Returns why it cannot be read, as the end of a sentence about it, or "".
std::string dialect_shape(kern::QuantType type, int64_t k, int64_t n_rows, const TlTilings& tilings,
                          kern::DialectShape* out);
inline std::string dialect_shape(const GgufTensor& tensor, const TlTilings& tilings, kern::DialectShape* out) {
    return dialect_shape(tensor.type, tensor.ne[0], tensor.n_rows(), tilings, out);
}

// The tensor's bytes: mapped, or read whole, because rows of some dialects are scattered over all of them.
class DialectTensor {
public:
    // Throws BITNET_E_GGUF_TENSOR_TYPE where dialect_shape finds something, BITNET_E_GGUF_TENSOR_DATA for a scale that is not
    // finite. The file must outlive the object.
    DialectTensor(const GgufFile& file, const GgufTensor& tensor, const TlTilings& tilings);

    const kern::DialectShape& shape() const noexcept { return shape_; }
    bool has_row_scales() const noexcept { return kern::dialect_has_row_scales(shape_.type); }
    // Of types without row scales.
    float scale() const noexcept { return scale_; }
    // As kern::dialect_to_i2s, dialect_code_bytes() for each row, and whether all is well: throws BITNET_E_GGUF_TENSOR_DATA naming the first row that holds codes
    // of no weight or a scale that is not finite. Threads may read different rows. row_scales: null where the type has none.
    void read_codes(int64_t row_begin, int64_t row_end, uint8_t* codes, float* row_scales) const;
    // The same without throwing: the first such row, or row_end.
    int64_t try_read_codes(int64_t row_begin, int64_t row_end, uint8_t* codes, float* row_scales) const noexcept;
    [[noreturn]] void fail_row(int64_t row) const;
    // Rows as floats. Throws as read_codes.
    void read_rows(int64_t row_begin, int64_t row_end, float* dst) const;

private:
    std::string name_;
    kern::DialectShape shape_;
    std::vector<uint8_t> read_;
    const uint8_t* data_ = nullptr;
    float scale_ = 1.0f;
};

// The scale of a tensor whose rows share one (see common_scale), from the file, without its codes; nullopt where they differ.
// Throws BITNET_E_GGUF_TENSOR_DATA for a scale that is not finite.
std::optional<float> read_common_scale(const GgufFile& file, const GgufTensor& tensor);

// The one scale of all rows, if there is one: rows of scale 0 hold only zeros and go with any. 0 where every row is zero.
// Returns false when two rows differ.
bool common_scale(const float* row_scales, int64_t n_rows, float* out) noexcept;

}  // namespace bitnet
