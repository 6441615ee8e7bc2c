#include "ggml-like/head_screen.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "kernels/cpu/screen_kernels.h"

namespace tg {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kMargin = 1.001f;      // for the roundings of the bounds themselves
constexpr float kLargestSafe = 1e37f;  // no partial sum of a product below it can overflow
constexpr float kUnderflow = 1e-30f;   // more than k products can lose below the normal numbers
constexpr int64_t kBlock = 64;         // rows looked at together
constexpr uint64_t kPiece = 4 << 20;   // bytes of the matrix that are read before someone is told of it

// The root of the sum of squares, rounded up.
float norm_above(const kern::VecKernels& vec, const float* x, int64_t n) {
    double sum = static_cast<double>(vec.dot(x, x, n));
    if (!(sum > 1e-20 && sum < 1e30)) {  // squares may have been too small or too large for a float
        sum = 0;
        for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    }
    return static_cast<float>(std::sqrt(sum)) * kMargin + kUnderflow;
}

// Floats are copied; the other types have integers of their own.
bool is_copied(kern::QuantType type) {
    return type == kern::QuantType::f32 || type == kern::QuantType::f16 || type == kern::QuantType::bf16;
}

void decode_row(const Weight& weight, const kern::VecKernels& vec, int64_t row, float* out) {
    const uint8_t* p = static_cast<const uint8_t*>(weight.data) +
                       static_cast<uint64_t>(row) * kern::quant_row_bytes(weight.type, weight.k);
    if (weight.type == kern::QuantType::f16) {
        vec.f16_to_f32(reinterpret_cast<const uint16_t*>(p), out, weight.k);
    } else {
        kern::quant_type_info(weight.type).decode(p, 1.0f, weight.k, out);
    }
}

struct Filling {
    const Weight& weight;
    const kern::VecKernels& vec;
    int n_threads;
    int8_t* codes;
    float* scales;
    float* errors;
    float* norms;
    Arena floats;  // of each thread: a row, and what its codes leave over
    RowsRead on_read;
};

// The copy of a row: its scale, its error and the norm of both together. Infinite, or NaN, where it has a number that is none.
void copy_row(const Filling& f, int64_t r, float* row, float* rest, float* error, float* norm) {
    const int64_t k = f.weight.k, stride = kern::screen_stride(k);
    decode_row(f.weight, f.vec, r, row);
    int8_t* codes = f.codes + r * stride;
    int32_t sum = 0;
    const float per_step = f.vec.quantize_i8(row, k, codes, &sum);
    std::memset(codes + k, 0, static_cast<size_t>(stride - k));
    const float step = per_step > 0 ? 1.0f / per_step : 0.0f;
    f.scales[r] = step;
    for (int64_t i = 0; i < k; ++i) rest[i] = row[i] - step * static_cast<float>(codes[i]);
    *error = norm_above(f.vec, rest, k);
    *norm = norm_above(f.vec, row, k) + 2 * *error;
}

void fill_rows(int thread, void* user_data) {
    const Filling& f = *static_cast<Filling*>(user_data);
    const int64_t k = f.weight.k, stride = kern::screen_stride(k);
    const uint64_t row_bytes = kern::quant_row_bytes(f.weight.type, k);
    float* row = f.codes != nullptr ? reinterpret_cast<float*>(f.floats.data()) + thread * 2 * stride : nullptr;
    const int64_t begin = f.weight.n_rows * thread / f.n_threads, end = f.weight.n_rows * (thread + 1) / f.n_threads;
    const auto piece = static_cast<int64_t>(std::max<uint64_t>(kPiece / std::max<uint64_t>(row_bytes, 1), 1));
    for (int64_t r = begin, told = begin; r < end; ++r) {
        float error = 0.0f, norm;
        if (f.codes != nullptr) {
            copy_row(f, r, row, row + stride, &error, &norm);
        } else {
            const uint8_t* p = static_cast<const uint8_t*>(f.weight.data) + static_cast<uint64_t>(r) * row_bytes;
            const double found =
                f.weight.type == kern::QuantType::q8_0 ? kern::screen_norm_q8_0(p, k) : kern::screen_norm_q6_k(p, k);
            norm = static_cast<float>(found) * kMargin + kUnderflow;
        }
        const bool bounded = norm < kLargestSafe && error < kLargestSafe;  // false for NaN, too
        f.errors[r] = bounded ? error : kInfinity;
        f.norms[r] = bounded ? norm : 0.0f;
        if (f.on_read.call == nullptr || (r + 1 < end && r + 1 - told < piece)) continue;
        f.on_read.call(told, r + 1, f.on_read.user_data);
        told = r + 1;
    }
}

// What a row's product can be off by: error * of_error + norm * of_norm.
struct Slack {
    float of_error;
    float of_norm;

    float of(const HeadScreen& screen, int64_t row) const {
        return screen.errors[row] * of_error + screen.norms[row] * of_norm + kUnderflow;
    }
};

// False where no bound holds.
bool slack_for(const HeadScreen& screen, const kern::VecKernels& vec, const float* x, Slack* out) {
    const int64_t k = screen.rows.k;
    float most = 0.0f;
    for (int64_t i = 0; i < k; ++i) most = std::max(most, std::fabs(x[i]));
    const float step = most / float{kern::kScreenLevels};
    const float norm = norm_above(vec, x, k);
    if (!(step >= kern::kLeastScreenScale && norm < kLargestSafe && norm * screen.largest_norm < kLargestSafe))
        return false;
    const float lost_by_floats = static_cast<float>(k / 16 + k / 64 + 64) * 0x1p-24f * norm;
    *out = {norm * kMargin, (0.51f * step * std::sqrt(static_cast<float>(k)) + lost_by_floats) * kMargin};
    return true;
}

}  // namespace

bool can_screen(const Weight& weight, const kern::KernelSet& kernels) noexcept {
    const kern::MulMatKernel& kernel = kernels.for_type(weight.type);
    return (is_copied(weight.type) || kernels.screen[static_cast<int>(weight.type)] != nullptr) && kernel.exact &&
           kernel.pack == nullptr && std::strcmp(kernel.act->name, "f32") == 0 && weight.out_scale == 1.0f &&
           weight.row_scales == nullptr && weight.k <= kern::kMaxScreenK &&
           (is_copied(weight.type) || weight.k % 64 == 0) && weight.n_rows <= std::numeric_limits<int32_t>::max();
}

size_t head_screen_bytes(const Weight& weight) noexcept {
    const int64_t copy = is_copied(weight.type) ? kern::screen_weight_bytes(weight.n_rows, weight.k) : 0;
    return static_cast<size_t>(copy + weight.n_rows * 8);
}

size_t head_screen_read_bytes(const Weight& weight) noexcept {
    const uint64_t in_place = is_copied(weight.type) ? 0 : kern::quant_row_bytes(weight.type, weight.k);
    return head_screen_bytes(weight) + static_cast<size_t>(in_place) * static_cast<size_t>(weight.n_rows);
}

void plan_head_screen(const Weight& weight, const kern::KernelSet& kernels, HeadScreen* out) {
    out->exact = &weight;
    out->rows.name = weight.name + ".screen";
    out->rows.type = is_copied(weight.type) ? kern::QuantType::f32 : weight.type;
    out->rows.k = weight.k;
    out->rows.n_rows = weight.n_rows;
    out->rows.kernel = kernels.screen[static_cast<int>(out->rows.type)];
}

bool is_head_copy(const HeadScreen& screen) noexcept { return is_copied(screen.exact->type); }

void fill_head_screen(const kern::VecKernels& vec, ThreadPool& pool, HeadScreen* screen, const RowsRead& on_read) {
    const Weight& exact = *screen->exact;
    const int64_t n_rows = exact.n_rows, stride = kern::screen_stride(exact.k);
    screen->memory = Arena(head_screen_bytes(exact), "screen of the output head");
    uint8_t* numbers = screen->memory.data();
    screen->rows.data = exact.data;
    Filling filling{exact, vec, pool.size(), nullptr, nullptr, nullptr, nullptr, Arena(), on_read};
    if (is_copied(exact.type)) {
        filling.codes = reinterpret_cast<int8_t*>(screen->memory.data());
        filling.scales = reinterpret_cast<float*>(filling.codes + n_rows * stride);
        filling.floats =
            Arena(static_cast<size_t>(2 * stride * pool.size()) * sizeof(float), "rows of the output head");
        numbers += kern::screen_weight_bytes(n_rows, exact.k);
        screen->rows.data = filling.codes;
    }
    screen->rows.file_data = static_cast<const uint8_t*>(screen->rows.data);
    screen->errors = filling.errors = reinterpret_cast<float*>(numbers);
    screen->norms = filling.norms = filling.errors + n_rows;
    pool.run(fill_rows, &filling);
    screen->largest_norm = 0.0f;
    for (int64_t r = 0; r < n_rows; ++r) screen->largest_norm = std::max(screen->largest_norm, screen->norms[r]);
}

void exact_products(const HeadScreen& screen, const float* x, std::span<const int32_t> rows, float* out) noexcept {
    const Weight& exact = *screen.exact;
    const uint64_t row_bytes = kern::quant_row_bytes(exact.type, exact.k);
    kern::MulMatArgs args{};
    args.weights = exact.data;
    args.weight_scale = exact.tensor_scale;
    args.acts = x;
    args.act_stride = exact.k;
    args.out = out;
    args.out_stride = args.n_rows = exact.n_rows;
    args.k = exact.k;
    args.n_cols = 1;
    for (size_t i = 0; i < rows.size(); ++i) {
        if (i + 1 < rows.size()) {
            const auto* next = static_cast<const uint8_t*>(exact.data) + static_cast<uint64_t>(rows[i + 1]) * row_bytes;
            for (uint64_t line = 0; line < row_bytes; line += 64) __builtin_prefetch(next + line);
        }
        args.row_begin = rows[i];
        args.row_end = args.row_begin + 1;
        exact.kernel->run(args);
    }
}

void RowSelection::reserve(size_t n_most) {
    least_.reserve(n_most);
    rows_.reserve(n_most);
}

bool RowSelection::select(const HeadScreen& screen, const kern::VecKernels& vec, const float* x, float* near, size_t k,
                          size_t n_most) {
    const int64_t n_rows = screen.rows.n_rows;
    rows_.clear();
    Slack slack;
    if (k > n_most || k >= static_cast<size_t>(n_rows) || !slack_for(screen, vec, x, &slack)) return false;
    // The k largest of what each product is at least. A row without a bound gives -infinity.
    least_.assign(k, {-kInfinity, -1});  // a heap, its smallest in front
    float threshold = -kInfinity;
    for (int64_t block = 0; block < n_rows; block += kBlock) {
        const int64_t n = std::min(kBlock, n_rows - block);
        float low[kBlock];
        bool any = false;
        for (int64_t i = 0; i < n; ++i) {
            low[i] = near[block + i] - slack.of(screen, block + i);
            any |= low[i] > threshold;
        }
        if (!any) continue;
        for (int64_t i = 0; i < n; ++i) {
            if (!(low[i] > threshold)) continue;
            std::pop_heap(least_.begin(), least_.end(), std::greater<Least>());
            least_.back() = {low[i], static_cast<int32_t>(block + i)};
            std::push_heap(least_.begin(), least_.end(), std::greater<Least>());
            threshold = least_.front().product;
        }
    }
    // What those rows really give bounds the k-th largest product from below, too, without their slack.
    if (threshold > -kInfinity) {
        for (const Least& least : least_) rows_.push_back(least.row);
        exact_products(screen, x, rows_, near);
        float exact = kInfinity;
        for (const int32_t row : rows_) exact = std::min(exact, near[row]);
        threshold = std::max(threshold, exact);
        rows_.clear();
    }
    for (int64_t block = 0; block < n_rows; block += kBlock) {
        const int64_t n = std::min(kBlock, n_rows - block);
        bool may_be[kBlock];
        bool any = false;
        for (int64_t i = 0; i < n; ++i) {
            may_be[i] = !(near[block + i] + slack.of(screen, block + i) < threshold);  // NaN: there is no bound
            any |= may_be[i];
        }
        if (!any) continue;
        for (int64_t i = 0; i < n; ++i) {
            if (!may_be[i]) continue;
            if (rows_.size() == n_most) return false;
            rows_.push_back(static_cast<int32_t>(block + i));
        }
    }
    return true;
}

}  // namespace tg
