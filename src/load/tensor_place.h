// Finds every tensor an architecture needs, checks its shape and gives its bytes a home: the mapped file where that is
// possible, memory of the library where it is not. All missing and mis-shaped tensors are reported together.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ggml-like/arena.h"
#include "ggml-like/weight.h"
#include "src/gguf/gguf_reader.h"
#include "src/model/hparams.h"
#include "src/model/weights.h"

namespace bitnet {

class TensorPlacer {
public:
    TensorPlacer(const GgufFile& file, std::vector<tg::Arena>* owned) : file_(file), owned_(owned) {}

    // Each notes a problem instead of throwing. k and n_rows as in the file; optional ones may be absent.
    void matrix(const std::string& name, int64_t k, int64_t n_rows, tg::Weight* out, bool optional = false);
    void norm(const std::string& name, int64_t width, NormWeight* out, bool optional = false);
    // "<projection>.scale", one value, multiplied onto the projection's output.
    void output_scale(const std::string& name, tg::Weight* weight);

    // Throws what has been noted: BITNET_E_GGUF_MISSING_TENSOR if anything is missing, else _TENSOR_SHAPE; and
    // BITNET_E_UNSUPPORTED for layer tensors nobody asked for, which would silently change the result.
    void finish();

    // Weights placed so far, with their tensors; data is not yet read.
    struct Placed {
        tg::Weight* weight;
        const GgufTensor* tensor;
    };
    const std::vector<Placed>& placed() const noexcept { return placed_; }

    // Sets file_data (and the I2_S scale) of a placed weight: in place, or read into an arena appended to *owned.
    // Returns true when the bytes are used in place.
    bool materialize(const Placed& placed, bool arm_order);

private:
    const GgufTensor* find(const std::string& name, int64_t k, int64_t n_rows, bool optional);

    const GgufFile& file_;
    std::vector<tg::Arena>* owned_;
    std::vector<Placed> placed_;
    std::vector<std::string> used_, missing_, misshapen_;
    size_t n_required_ = 0;
    int64_t wanted_dimension_ = 0, found_dimension_ = 0;  // of the first misshapen tensor
};

}  // namespace bitnet
