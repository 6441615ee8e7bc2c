// A group's buffers belong to the thread that works on it and are as large as a row or 64 Ki values, whichever is more.
#include "src/convert/tensor_rewrite.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <exception>
#include <vector>

#include "kernels/codec_rounding.h"
#include "src/base/error.h"
#include "src/gguf/gguf_text.h"

namespace bitnet {
namespace {

using kern::QuantType;

constexpr int64_t kGroupValues = 65536;
constexpr int64_t kLookGroups = 64;  // between two calls of on_rows

int64_t rows_per_group(int64_t k) { return std::max<int64_t>(1, kGroupValues / std::max<int64_t>(k, 1)); }

// Runs body(group) for 0 .. n_groups-1, each thread its share. Of several failures the first group's is thrown.
template <typename Body>
void for_groups(tg::ThreadPool& pool, int64_t n_groups, const Body& body) {
    struct Failure {
        int64_t group = -1;
        std::exception_ptr what;
    };
    struct Job {
        const Body& body;
        int64_t n_groups;
        int n_threads;
        std::vector<Failure> failures;
    };
    Job job{body, n_groups, pool.size(), std::vector<Failure>(static_cast<size_t>(pool.size()))};
    pool.run(
        [](int thread, void* user_data) {
            Job& shared = *static_cast<Job*>(user_data);
            const int64_t end = shared.n_groups * (thread + 1) / shared.n_threads;
            for (int64_t group = shared.n_groups * thread / shared.n_threads; group < end; ++group) {
                try {
                    shared.body(group);
                } catch (...) {
                    shared.failures[static_cast<size_t>(thread)] = {group, std::current_exception()};
                    return;
                }
            }
        },
        &job);
    for (const Failure& failure : job.failures) {  // shares are in the order of the groups
        if (failure.group >= 0) std::rethrow_exception(failure.what);
    }
}

[[noreturn]] void not_finite(const ModelSource& source, const SourceTensor& tensor, int64_t index, float value) {
    const std::string shown = for_message(tensor.name);
    throw Error(BITNET_E_QUANT_INPUT, source.name() + ": tensor '" + shown + "' has " +
                                          (std::isnan(value) ? "NaN" : "an infinite value") + " in row " +
                                          std::to_string(index / tensor.ne[0]) + ", column " +
                                          std::to_string(index % tensor.ne[0]) + "; the model is damaged")
        .with_subject(shown);
}

void require_finite(const ModelSource& source, const SourceTensor& tensor, int64_t row0, const std::vector<float>& x) {
    for (size_t i = 0; i < x.size(); ++i) {
        if (!std::isfinite(x[i])) not_finite(source, tensor, row0 * tensor.ne[0] + static_cast<int64_t>(i), x[i]);
    }
}

void look_at(const float* x, int64_t n, int64_t row, TensorLook& out) {
    for (int64_t i = 0; i < n; ++i) {
        const float magnitude = std::fabs(x[i]);
        out.magnitudes += static_cast<double>(magnitude);
        if (magnitude == 0.0f || magnitude == out.magnitude) continue;
        if (out.magnitude == 0.0f) {
            out.magnitude = magnitude;
        } else if (out.on_grid) {
            out.on_grid = false;
            out.other = magnitude;
            out.other_row = row;
        }
    }
    out.n_values += n;
}

// The values that the new type shall hold, from those of the source.
void ternarise(const TensorPlan& plan, std::vector<float>& x) {
    for (float& value : x) value = plan.scale * static_cast<float>(kern::round_half_even(value / plan.scale, -1, 1));
}

void encode(const TensorPlan& plan, const std::vector<float>& x, std::vector<float>& units, void* dst) {
    const kern::QuantTypeInfo& info = kern::quant_type_info(plan.type);
    const int64_t n = static_cast<int64_t>(x.size());
    if (!info.ternary || info.tail_bytes == 0) return info.encode(x.data(), plan.scale, n, dst);
    // Types with one scale in their tail get codes, so that no scale is too small for them.
    units.resize(x.size());
    const float sign = plan.scale < 0.0f ? -1.0f : 1.0f;
    for (size_t i = 0; i < x.size(); ++i) units[i] = x[i] > 0.0f ? sign : x[i] < 0.0f ? -sign : 0.0f;
    info.encode(units.data(), plan.scale, n, dst);
}

// Rows of a dialect into the whole tensor, and what they are then. Codes, so that no scale is too small; each row gets its own
// scale where the type has them.
void encode_dialect(const TensorPlan& plan, const kern::DialectShape& shape, int64_t row0, const std::vector<float>& x,
                    std::vector<float>& y, void* whole) {
    const size_t k = static_cast<size_t>(shape.k);
    const int64_t n_rows = static_cast<int64_t>(x.size() / k);
    const bool row_scales = kern::dialect_has_row_scales(shape.type);
    std::vector<float> units(k), scales(static_cast<size_t>(n_rows), plan.scale);
    const size_t row_bytes = static_cast<size_t>(kern::dialect_code_bytes(shape));
    std::vector<uint8_t> codes(static_cast<size_t>(n_rows) * row_bytes);
    for (int64_t row = 0; row < n_rows; ++row) {
        const float* values = x.data() + static_cast<size_t>(row) * k;
        float largest = 0.0f;
        for (size_t i = 0; i < k; ++i) largest = std::max(largest, std::fabs(values[i]));
        const float scale = row_scales ? largest : plan.scale, sign = scale < 0.0f ? -1.0f : 1.0f;
        for (size_t i = 0; i < k; ++i) units[i] = values[i] > 0.0f ? sign : values[i] < 0.0f ? -sign : 0.0f;
        kern::dialect_encode(shape, units.data(), row0 + row, row0 + row + 1, scale, whole);
    }
    kern::dialect_to_i2s(shape, whole, row0, row0 + n_rows, codes.data(), scales.data());
    for (size_t row = 0; row < scales.size(); ++row)
        kern::i2s_row_to_floats(codes.data() + row * row_bytes, scales[row], shape.k, y.data() + row * k);
}

void measure(const std::vector<float>& x, const std::vector<float>& y, TensorLoss& out) {
    for (size_t i = 0; i < x.size(); ++i) {
        const double a = static_cast<double>(x[i]), b = static_cast<double>(y[i]);
        const double error = std::fabs(a - b);
        out.squares += error * error;
        out.xx += a * a;
        out.yy += b * b;
        out.xy += a * b;
        out.max_abs_error = std::max(out.max_abs_error, error);
        out.codes_equal = out.codes_equal && (a > 0) == (b > 0) && (a < 0) == (b < 0);
        out.n_zeros += b == 0 ? 1 : 0;
    }
    out.n_values += static_cast<int64_t>(x.size());
}

}  // namespace

void TensorLook::append(const TensorLook& later, bool whole_tensor) {
    n_values += later.n_values;
    magnitudes += later.magnitudes;
    if (on_grid && !later.on_grid) {
        on_grid = false;
        other = later.other;
        other_row = later.other_row;
        if (magnitude == 0.0f || !whole_tensor) magnitude = later.magnitude;
    }
    if (magnitude == 0.0f) magnitude = later.magnitude;
    if (!on_grid || !whole_tensor || later.magnitude == 0.0f || later.magnitude == magnitude) return;
    on_grid = false;
    other = later.magnitude;
    other_row = later.other_row;
}

void TensorLoss::append(const TensorLoss& later) {
    n_values += later.n_values;
    n_zeros += later.n_zeros;
    codes_equal = codes_equal && later.codes_equal;
    squares += later.squares;
    xx += later.xx;
    yy += later.yy;
    xy += later.xy;
    max_abs_error = std::max(max_abs_error, later.max_abs_error);
}

double TensorLoss::mse() const noexcept { return n_values == 0 ? 0 : squares / static_cast<double>(n_values); }

double TensorLoss::cosine() const noexcept {
    if (is_exact()) return 1;
    return xx == 0 || yy == 0 ? 0 : xy / (std::sqrt(xx) * std::sqrt(yy));
}

double TensorLoss::accuracy() const noexcept {
    if (is_exact()) return 100;
    return xx == 0 ? 0 : std::max(0.0, 100.0 * (1.0 - std::sqrt(squares / xx)));
}

TensorLook TensorRewriter::look(size_t index, int64_t reach, const std::function<void(int64_t)>& on_rows) {
    const SourceTensor& tensor = source_.tensors().at(index);
    const int64_t k = tensor.ne[0], group_rows = rows_per_group(k), step = group_rows * kLookGroups;
    const int64_t stretch = reach > 0 ? reach : k;
    TensorLook result;
    for (int64_t row0 = 0; row0 < tensor.n_rows(); row0 += step) {
        const int64_t n_rows = std::min(step, tensor.n_rows() - row0);
        std::vector<TensorLook> groups(static_cast<size_t>((n_rows + group_rows - 1) / group_rows));
        for_groups(pool_, static_cast<int64_t>(groups.size()), [&](int64_t group) {
            const int64_t first = row0 + group * group_rows, end = std::min(first + group_rows, row0 + n_rows);
            std::vector<float> x(static_cast<size_t>((end - first) * k));
            source_.read_rows(index, first, end - first, x.data());
            require_finite(source_, tensor, first, x);
            TensorLook& out = groups[static_cast<size_t>(group)];
            out.other_row = first;
            for (int64_t begin = 0; begin < (end - first) * k; begin += stretch) {
                const int64_t row = first + begin / k, n = std::min(stretch, (row - first + 1) * k - begin);
                TensorLook one;
                look_at(x.data() + begin, n, row, one);
                out.append(one, reach == 0);
            }
        });
        for (const TensorLook& group : groups) result.append(group, reach == 0);
        on_rows(n_rows);
    }
    return result;
}

void TensorRewriter::write(const TensorPlan& plan, int64_t row0, int64_t n_rows, void* dst, TensorLoss* loss) {
    const SourceTensor& tensor = source_.tensors().at(plan.tensor);
    const kern::QuantTypeInfo& info = kern::quant_type_info(plan.type);
    const int64_t k = tensor.ne[0];
    const kern::DialectShape shape = {plan.type, k, n_rows, plan.tiling};
    // Rows of a dialect share bytes within steps, so a step is one thread's.
    const int64_t step = info.dialect ? kern::dialect_row_step(shape) : 1;
    const int64_t group_rows = (rows_per_group(k) + step - 1) / step * step;
    const uint64_t row_bytes = kern::quant_row_bytes(plan.type, k);
    std::vector<TensorLoss> groups(static_cast<size_t>((n_rows + group_rows - 1) / group_rows));
    for_groups(pool_, static_cast<int64_t>(groups.size()), [&](int64_t group) {
        const int64_t first = row0 + group * group_rows, end = std::min(first + group_rows, row0 + n_rows);
        uint8_t* out = static_cast<uint8_t*>(dst) + static_cast<uint64_t>(first - row0) * row_bytes;
        std::vector<float> x(static_cast<size_t>((end - first) * k)), y(x.size());
        if (plan.copy) {
            source_.read_stored(plan.tensor, first, end - first, out);
            info.decode(out, plan.scale, static_cast<int64_t>(x.size()), x.data());
            require_finite(source_, tensor, first, x);
            return measure(x, x, groups[static_cast<size_t>(group)]);
        }
        source_.read_rows(plan.tensor, first, end - first, x.data());
        require_finite(source_, tensor, first, x);
        std::vector<float> trits, units;
        if (plan.ternarise) {
            trits = x;
            ternarise(plan, trits);
        }
        if (info.dialect) {
            encode_dialect(plan, shape, first, plan.ternarise ? trits : x, y, dst);
        } else {
            encode(plan, plan.ternarise ? trits : x, units, out);
            info.decode(out, plan.scale, static_cast<int64_t>(y.size()), y.data());
        }
        for (size_t i = 0; i < y.size(); ++i) {
            if (std::isfinite(y[i])) continue;
            const std::string shown = for_message(tensor.name);
            throw Error(BITNET_E_QUANT_OVERFLOW, source_.name() + ": tensor '" + shown + "' row " +
                                                     std::to_string(first + static_cast<int64_t>(i) / k) + ": " +
                                                     float_text(x[i]) + " exceeds what " + info.name +
                                                     " can hold; choose a type with a larger range, such as bf16")
                .with_subject(shown);
        }
        measure(x, y, groups[static_cast<size_t>(group)]);
    });
    for (const TensorLoss& group : groups) loss->append(group);
}

}  // namespace bitnet
