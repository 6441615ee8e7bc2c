// One tensor from a source into another type, on all threads: first looked at as a whole where that is needed, then encoded
// piece by piece, each piece decoded again so that what was lost is measured and not claimed. Results do not depend on the
// number of threads: rows are taken in groups of a fixed size, and the sums of the groups are added in their order.
#pragma once

#include <cstdint>
#include <functional>

#include "ggml-like/thread_pool.h"
#include "kernels/ternary_dialects.h"
#include "src/convert/model_source.h"

namespace bitnet {

// What is known of a tensor before it is written.
struct TensorPlan {
    size_t tensor = 0;  // index in the source
    kern::QuantType type = kern::QuantType::f32;
    bool copy = false;       // the source's bytes are written as they are
    bool ternarise = false;  // s * clip(round(w / s), -1, 1)
    float scale = 1.0f;      // of a ternary tensor: s
    kern::TlTiling tiling;   // of tl1 and tl2
};

// What one look at all values told.
struct TensorLook {
    bool on_grid = true;     // {-s, 0, s}, as far as one scale of the type reaches
    float magnitude = 0.0f;  // the first that is not 0
    float other = 0.0f;      // where it is not on the grid: a second one,
    int64_t other_row = 0;   // and the row that has it
    int64_t n_values = 0;
    double magnitudes = 0.0;  // their sum

    void append(const TensorLook& later, bool whole_tensor);
};

// The loss of a tensor, against the values of its source.
struct TensorLoss {
    int64_t n_values = 0;
    int64_t n_zeros = 0;      // of what was written
    bool codes_equal = true;  // every value kept its sign (-, 0, +)
    double squares = 0, xx = 0, yy = 0, xy = 0;
    double max_abs_error = 0;

    void append(const TensorLoss& later);
    bool is_exact() const noexcept { return max_abs_error == 0; }
    double mse() const noexcept;
    double cosine() const noexcept;
    double accuracy() const noexcept;  // percent, as bitnet_quantize_accuracy
};

class TensorRewriter {
public:
    // Longer rows are BITNET_E_LIMIT: no model has them, and every thread holds some.
    static constexpr int64_t kMaxRow = int64_t{1} << 22;

    TensorRewriter(const ModelSource& source, int n_threads) : source_(source), pool_(n_threads) {}

    // reach: how far a scale goes, as scale_reach(). on_rows is told after some rows how many are through.
    // Throws BITNET_E_QUANT_INPUT for values that are not finite, and what reading throws.
    TensorLook look(size_t tensor, int64_t reach, const std::function<void(int64_t n_rows)>& on_rows);
    // Encoded bytes of some rows to dst (of a dialect: all rows, to the whole tensor, which is zero until then); their loss is
    // appended to *loss. Throws as look(), and BITNET_E_QUANT_OVERFLOW.
    void write(const TensorPlan& plan, int64_t row0, int64_t n_rows, void* dst, TensorLoss* loss);

private:
    const ModelSource& source_;
    tg::ThreadPool pool_;
};

}  // namespace bitnet
