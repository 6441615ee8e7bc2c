// Errors are summed as doubles in the order of the values: the same numbers on every machine.
#include "src/quantizer/quant_accuracy.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include "src/base/error.h"

namespace bitnet {
namespace {

constexpr int64_t kPieceValues = 4096;  // at least one block

int64_t piece_values(const QuantFormat& format) {
    return std::max<int64_t>(kPieceValues / format.block, 1) * format.block;
}

class Sums {
public:
    explicit Sums(const QuantPlan& plan) : plan_(plan) {}

    void add(const float* x, const float* y, int64_t n) {
        for (int64_t i = 0; i < n; ++i) {
            const double a = static_cast<double>(x[i]);
            const double b = static_cast<double>(y[i]);
            const double error = std::fabs(a - b);
            errors_ += error * error;
            xx_ += a * a;
            yy_ += b * b;
            xy_ += a * b;
            result_.max_abs_error = std::max(result_.max_abs_error, error);
            result_.codes_equal = result_.codes_equal && (a > 0) == (b > 0) && (a < 0) == (b < 0);
            result_.within = result_.within && error <= allowed(std::fabs(a));
        }
        result_.n_values += n;
    }

    QuantAccuracy result() const {
        QuantAccuracy result = result_;
        result.on_grid = plan_.on_grid;
        result.within = result.within && result.codes_equal;
        result.mse = errors_ / static_cast<double>(result.n_values);
        if (xx_ == 0 && yy_ == 0) return result;
        result.cosine = xx_ == 0 || yy_ == 0 ? 0 : xy_ / (std::sqrt(xx_) * std::sqrt(yy_));
        result.accuracy = xx_ == 0 ? 0 : std::max(0.0, 100.0 * (1.0 - std::sqrt(errors_ / xx_)));
        return result;
    }

private:
    // i2_s keeps s as the float it is. A half keeps it to half a unit in the last of its 11 bits, or of its smallest step.
    double allowed(double magnitude) const {
        if (plan_.format.has_tensor_scale()) return 0;
        return std::max(magnitude * 0x1p-11, 0x1p-25);
    }

    const QuantPlan& plan_;
    QuantAccuracy result_;
    double errors_ = 0, xx_ = 0, yy_ = 0, xy_ = 0;
};

}  // namespace

QuantAccuracy measure_accuracy(const QuantPlan& plan, const float* input) {
    const QuantFormat& format = plan.format;
    const int64_t step = std::min(piece_values(format), plan.n_values);
    const QuantShape shape = quant_shape(format, 1, static_cast<size_t>(step));
    std::vector<uint8_t> bytes(shape.n_bytes);
    std::vector<float> scales(shape.n_scales);
    std::vector<float> values(static_cast<size_t>(step));
    Sums sums(plan);
    bool any_scale = false;
    for (int64_t first = 0; first < plan.n_values; first += step) {
        const int64_t n = std::min(step, plan.n_values - first);
        const QuantPiece piece = piece_of(format, step, bytes.data(), scales.data());
        any_scale = encode_piece(plan, input + first, n, piece) || any_scale;
        decode_piece(format, plan.scale, piece, n, values.data());
        sums.add(input + first, values.data(), n);
    }
    require_scales(plan, any_scale);
    return sums.result();
}

QuantAccuracy measure_accuracy(const QuantPlan& plan, const float* input, const void* data, const float* scales) {
    // Pieces are read only here; one type of pointer serves both directions.
    const QuantPiece whole = piece_of(plan.format, plan.n_values, const_cast<void*>(data), const_cast<float*>(scales));
    const int64_t step = std::min(piece_values(plan.format), plan.n_values);
    std::vector<float> values(static_cast<size_t>(step));
    Sums sums(plan);
    for (int64_t first = 0; first < plan.n_values; first += step) {
        const int64_t n = std::min(step, plan.n_values - first);
        decode_piece(plan.format, plan.scale, piece_at(plan.format, whole, first), n, values.data());
        sums.add(input + first, values.data(), n);
    }
    return sums.result();
}

void require_accuracy(const QuantPlan& plan, const QuantAccuracy& accuracy, double minimum) {
    if (accuracy.accuracy >= minimum) return;
    char text[160];
    std::snprintf(text, sizeof text,
                  "%s keeps the values to %.2f %% (minimum: %.2f %%); choose a type with more bits or a lower minimum",
                  plan.format.name, accuracy.accuracy, minimum);
    throw Error(BITNET_E_QUANT_ACCURACY, text).with_subject(plan.format.name);
}

}  // namespace bitnet
