// A model on its way into a new GGUF file, whatever it comes from: metadata as GGUF has it, and tensors that give their rows.
// Implementations: a GGUF file in any dialect, a Hugging Face folder, another source with adapters merged in. Converting
// (model_writer.h) reads tensors in pieces that bound the memory, on several threads at the same time, and those that it has
// to know as a whole before their first byte is written (is this ternary, what is its mean?) twice.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kernels/quant_types.h"
#include "src/gguf/gguf_writer.h"

namespace bitnet {

struct SourceTensor {
    std::string name;  // as GGUF names it: "blk.0.attn_q.weight"
    uint32_t n_dims = 1;
    int64_t ne[4] = {1, 1, 1, 1};  // ne[0] is the input width
    // The type whose bytes read_stored gives; a type that only floats can stand for (packed or tiled bytes of a dialect)
    // is told as the one that holds the same values: f32, f16, bf16 or i2_s.
    kern::QuantType stored = kern::QuantType::f32;
    // I2_S, or any weights that are known to be {-scale, 0, scale}: the exact scale of the whole tensor.
    std::optional<float> ternary_scale;

    int64_t n_rows() const noexcept { return ne[1] * ne[2] * ne[3]; }
};

// Failures: those of reading the source, and BITNET_E_QUANT_INPUT for values that are not numbers.
class ModelSource {
public:
    virtual ~ModelSource() = default;

    // What messages call it: a path.
    virtual const std::string& name() const noexcept = 0;
    // Every file it reads from: the new file must not be one of them.
    virtual std::vector<std::string> files() const = 0;

    // In the order in which the file will have them.
    virtual const std::vector<SourceTensor>& tensors() const noexcept = 0;
    // Adds every key of the model, the tokenizer's too, but general.file_type, general.quantization_version and
    // general.alignment, which follow from what is written.
    virtual void write_metadata(GgufWriter& writer) const = 0;
    // Rows [row0, row0 + n_rows) of a tensor as floats, ne[0] each.
    virtual void read_rows(size_t tensor, int64_t row0, int64_t n_rows, float* dst) const = 0;
    // The same as bytes of the type tensors()[tensor].stored, without its tail.
    virtual void read_stored(size_t tensor, int64_t row0, int64_t n_rows, void* dst) const = 0;
};

}  // namespace bitnet
