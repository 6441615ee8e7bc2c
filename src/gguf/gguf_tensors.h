// The tensor table of one GGUF file after its entries are read: types resolved, sizes computed, extents checked.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "kernels/quant_types.h"
#include "src/base/error.h"

namespace bitnet {

struct GgufTensor {
    std::string name;
    kern::QuantType type;
    uint32_t file_type_id;
    uint32_t n_dims;
    int64_t ne[4];    // ne[0] is the input dimension K; unused dimensions are 1
    uint32_t part;    // index of the file of a split model
    uint64_t offset;  // absolute position in that part
    uint64_t n_bytes;

    // The product of the dimensions behind ne[0] and of all of them; the reader has checked that both fit.
    int64_t n_rows() const noexcept { return ne[1] * ne[2] * ne[3]; }
    int64_t n_elements() const noexcept { return ne[0] * n_rows(); }
};

// What the file says about its tensors as a whole.
struct GgufDataSection {
    uint64_t start = 0;  // absolute position of the data section
    uint64_t file_size = 0;
    uint64_t alignment = 32;
    std::optional<uint64_t> file_type;  // general.file_type of the model
    std::function<void(const std::string& tensor, const Error& error)> on_bad_tensor;  // as GgufReadOptions
};

// Completes tensors that have name, file_type_id, n_dims, ne and an offset relative to the data section: sets type,
// n_bytes and the absolute offset. Throws BITNET_E_GGUF_TENSOR_TYPE, _TENSOR_SHAPE, _ALIGNMENT, _TRUNCATED,
// _TENSOR_DATA; or gives them to on_bad_tensor.
void place_tensors(std::vector<GgufTensor>& tensors, const GgufDataSection& section);

}  // namespace bitnet
