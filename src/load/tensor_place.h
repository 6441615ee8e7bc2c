// Finds every tensor an architecture needs, checks its shape and gives its bytes a home: the mapped file where that is
// possible, memory of the library where it is not. All that is wrong is noted, and reported together. Nothing is read and
// nothing large allocated before read_norms() and materialize(), so that weight_plan.h can tell the bytes first.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ggml-like/arena.h"
#include "ggml-like/thread_pool.h"
#include "ggml-like/weight.h"
#include "src/gguf/dialect_tensor.h"
#include "src/gguf/gguf_reader.h"
#include "src/model/hparams.h"
#include "src/model/weights.h"

namespace bitnet {

// Something about a tensor that the architecture cannot have.
struct TensorProblem {
    enum class Kind : uint8_t { missing, shape, type, unused };
    Kind kind;
    std::string name;
    std::string message;  // "missing" and the like go without one
};

class TensorPlacer {
public:
    // tilings: of tl1 and tl2 tensors; null takes them as sound without asking, for whom no weight is read.
    TensorPlacer(const GgufFile& file, std::vector<tg::Arena>* owned, const TlTilings* tilings)
        : file_(file), owned_(owned), tilings_(tilings) {}

    // Whether the file has a tensor whose name ends so.
    bool any_ends_with(std::string_view end) const;
    // Each notes a problem instead of throwing. k and n_rows as in the file; optional ones may be absent.
    void matrix(const std::string& name, int64_t k, int64_t n_rows, tg::Weight* out, bool optional = false);
    void norm(const std::string& name, int64_t width, NormWeight* out, bool optional = false);
    // "<projection>.scale", one value, multiplied onto the projection's output.
    void output_scale(const std::string& name, tg::Weight* weight);

    // Throws what has been noted: BITNET_E_GGUF_MISSING_TENSOR if anything is missing, else _TENSOR_SHAPE, else _TENSOR_TYPE;
    // and BITNET_E_UNSUPPORTED for layer tensors nobody asked for, which would silently change the result.
    void finish();
    // The same as a list, for whom one failure is not enough; unused tensors come last.
    std::vector<TensorProblem> problems();

    // Weights placed so far, with their tensors; data is not yet read.
    struct Placed {
        tg::Weight* weight;
        const GgufTensor* tensor;
    };
    const std::vector<Placed>& placed() const noexcept { return placed_; }
    // Norms and scales placed so far, likewise. Exactly one of norm and scaled is set.
    struct PlacedNorm {
        NormWeight* norm;
        tg::Weight* scaled;  // by the tensor's one value
        const GgufTensor* tensor;
    };
    const std::vector<PlacedNorm>& norms() const noexcept { return norms_; }

    // Reads and decodes all norms and scales. Throws BITNET_E_GGUF_TENSOR_DATA for a scale that is not finite.
    void read_norms();
    // Whether the bytes can be used where the file is mapped.
    bool usable_in_place(const GgufTensor& tensor, bool arm_order) const noexcept;
    // Bytes of the arena where they cannot: what is stored, or what a dialect is repacked to, its rows' scales included.
    static uint64_t copy_bytes(const GgufTensor& tensor) noexcept;
    // Bytes held besides, until that arena is filled.
    uint64_t passing_bytes(const GgufTensor& tensor) const noexcept;
    // Sets file_data (and scales) of a placed weight: in place, or read into an arena appended to *owned. Dialects are
    // repacked by all threads of the pool, and their codes checked. Returns true when the bytes are used in place.
    bool materialize(const Placed& placed, bool arm_order, tg::ThreadPool& pool);

private:
    const GgufTensor* find(const std::string& name, int64_t k, int64_t n_rows, bool optional);
    const GgufTensor* find_floats(const std::string& name, int64_t width, bool optional);
    void repack(const Placed& placed, tg::ThreadPool& pool);
    std::vector<std::string> unused();

    const GgufFile& file_;
    std::vector<tg::Arena>* owned_;
    const TlTilings* tilings_;
    std::vector<Placed> placed_;
    std::vector<PlacedNorm> norms_;
    std::vector<std::string> used_, missing_, misshapen_, mistyped_;
    std::vector<TensorProblem> problems_;
    size_t n_required_ = 0;
    int64_t wanted_dimension_ = 0, found_dimension_ = 0;  // of the first misshapen tensor
};

}  // namespace bitnet
