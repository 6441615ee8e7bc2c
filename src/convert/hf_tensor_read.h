// Rows of one weight of a Hugging Face model, in the order and with the values that GGUF wants: packed bytes taken apart,
// masters rounded, rows of queries and keys put into pairs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/quant_types.h"
#include "src/safetensors/safetensors_model.h"

namespace bitnet {

struct HfTensor {
    enum class Content : uint8_t {
        floats,   // f32, f16 or bf16 as they are
        norm,     // floats plus an offset, as f32
        packed,   // byte (r, c) holds the codes of rows r + i * ceil(rows / 4) at bits 2i, code = trit + 1 (FORMATS 6)
        masters,  // floats; the trit is round(w * factor) within -1..1 (FORMATS 5.1)
        computed  // values that no file holds, in `values`
    };

    std::string name;  // as the folder has it, for messages
    Content content = Content::floats;
    SafetensorsModel::Entry data;
    int64_t n_rows = 0;
    int64_t k = 0;
    int64_t pair_heads = 0;  // rows are those of this many heads and go into adjacent pairs; 0: as they are
    float offset = 0.0f;     // norms
    float factor = 0.0f;     // masters
    float scale = 0.0f;      // packed and masters: w = trit * scale
    std::vector<float> values;

    bool is_ternary() const noexcept { return content == Content::packed || content == Content::masters; }
};

// The type of floats in a safetensors file; false for what is none that a GGUF file can hold.
bool float_type_of(SafetensorsType type, kern::QuantType* out) noexcept;

// n_rows * k values from row row0 on. Throws BITNET_E_QUANT_INPUT, BITNET_E_GGUF_TENSOR_DATA.
void read_hf_floats(const HfTensor& tensor, int64_t row0, int64_t n_rows, float* dst);
// The same as -1, 0, +1; ternary tensors only.
void read_hf_trits(const HfTensor& tensor, int64_t row0, int64_t n_rows, float* dst);
// Floats as the file has them, checked to be numbers.
void read_hf_bytes(const HfTensor& tensor, int64_t row0, int64_t n_rows, void* dst);

// Sets factor and scale of masters from the mean of their magnitudes.
void measure_masters(HfTensor& tensor);
// The value of a tensor of one number.
float read_hf_number(const SafetensorsModel::Entry& entry);

}  // namespace bitnet
