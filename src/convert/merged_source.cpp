// Sums over a tensor are made for pieces of a fixed size and added in their order, so neither the new file nor what is told of
// it depends on the number of threads.
#include "src/convert/merged_source.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

#include "ggml-like/thread_pool.h"
#include "src/base/error.h"
#include "src/gguf/gguf_text.h"

namespace bitnet {
namespace {

constexpr int64_t kPieceValues = 1 << 18;
constexpr float kLeastScale = 1e-5f;  // of mean |w|, as training clamps it

bool is_ternary(const SourceTensor& tensor) {
    return kern::quant_type_info(tensor.stored).ternary || tensor.ternary_scale.has_value();
}

bool is_matrix(const SourceTensor& tensor) { return tensor.ne[1] > 1 && tensor.ne[2] == 1 && tensor.ne[3] == 1; }

float code_of(float value, float step) {
    if (step == 0.0f) return 0.0f;
    return std::clamp(std::nearbyint(value / step), -1.0f, 1.0f);
}

float sign_of(float value) { return value > 0.0f ? 1.0f : value < 0.0f ? -1.0f : 0.0f; }

// What one piece of a tensor adds up to. code: what a merged weight is rounded to.
struct Sums {
    double base_magnitudes = 0, merged_magnitudes = 0;
    double merged_code = 0, change_code = 0, change_base = 0;
    uint64_t n_base_codes = 0, n_merged = 0, n_codes = 0, n_codes_changed = 0;  // not 0; not 0; not 0; other signs
    double base_squares = 0, merged_squares = 0, change_squares = 0;

    void add(const Sums& other) {
        base_magnitudes += other.base_magnitudes;
        merged_magnitudes += other.merged_magnitudes;
        merged_code += other.merged_code;
        change_code += other.change_code;
        change_base += other.change_base;
        n_base_codes += other.n_base_codes;
        n_merged += other.n_merged;
        n_codes += other.n_codes;
        n_codes_changed += other.n_codes_changed;
        base_squares += other.base_squares;
        merged_squares += other.merged_squares;
        change_squares += other.change_squares;
    }
};

Sums sums_of(const std::vector<float>& base, const std::vector<float>& merged, float step, const std::string& name) {
    Sums sums;
    for (size_t i = 0; i < merged.size(); ++i) {
        if (!std::isfinite(merged[i])) {
            throw Error(BITNET_E_QUANT_INPUT,
                        "tensor '" + for_message(name) + "': the merged weights are not all finite; lower the scale")
                .with_subject(for_message(name));
        }
        const double b = static_cast<double>(base[i]), m = static_cast<double>(merged[i]);
        const float code = code_of(merged[i], step);
        const double c = static_cast<double>(code);
        sums.base_magnitudes += std::fabs(b);
        sums.merged_magnitudes += std::fabs(m);
        sums.merged_code += m * c;
        sums.change_code += (m - b) * c;
        sums.change_base += (m - b) * b;
        sums.n_base_codes += base[i] != 0.0f ? 1 : 0;
        sums.n_merged += merged[i] != 0.0f ? 1 : 0;
        sums.n_codes += code != 0.0f ? 1 : 0;
        sums.n_codes_changed += code != sign_of(base[i]) ? 1 : 0;
        sums.base_squares += b * b;
        sums.merged_squares += m * m;
        sums.change_squares += (m - b) * (m - b);
    }
    return sums;
}

// Calls body(piece) for every piece, on all threads; the first failure, in the order of the pieces, is thrown.
template <typename Body>
void for_each_piece(tg::ThreadPool& pool, int64_t n_pieces, Body& body) {
    struct Work {
        Body& body;
        const int64_t n;
        std::atomic<int64_t> next{0};
        std::mutex lock;
        int64_t failed_at = INT64_MAX;
        std::exception_ptr failure;
    } work{body, n_pieces, {}, {}, INT64_MAX, {}};
    pool.run(
        [](int, void* user_data) {
            Work& w = *static_cast<Work*>(user_data);
            for (int64_t piece = w.next++; piece < w.n; piece = w.next++) {
                try {
                    w.body(piece);
                } catch (...) {
                    const std::lock_guard<std::mutex> guard(w.lock);
                    if (piece < w.failed_at) {
                        w.failed_at = piece;
                        w.failure = std::current_exception();
                    }
                    w.next = w.n;
                }
            }
        },
        &work);
    if (work.failure) std::rethrow_exception(work.failure);
}

double ratio(double squares, double of) noexcept {
    return of > 0 ? std::sqrt(std::max(squares, 0.0) / of) : squares > 0 ? HUGE_VAL : 0.0;
}

}  // namespace

double MergedTensor::share_changed() const noexcept {
    return n_values == 0 ? 0.0 : static_cast<double>(n_codes_changed) / static_cast<double>(n_values);
}

double MergedTensor::change() const noexcept { return ratio(change_squares, base_squares); }

double MergedTensor::relative_error() const noexcept { return ratio(error_squares, merged_squares); }

double MergedTensor::cosine() const noexcept {
    if (merged_squares == 0 && kept_squares == 0) return 1.0;
    const double lengths = std::sqrt(merged_squares) * std::sqrt(kept_squares);
    return lengths > 0 ? std::clamp(merged_kept / lengths, -1.0, 1.0) : 0.0;
}

double MergedTensor::change_kept_share() const noexcept {
    return change_squares > 0 ? change_kept / change_squares : 1.0;
}

void MergedTensor::add(const MergedTensor& other) noexcept {
    n_values += other.n_values;
    n_codes_changed += other.n_codes_changed;
    base_squares += other.base_squares;
    merged_squares += other.merged_squares;
    kept_squares += other.kept_squares;
    merged_kept += other.merged_kept;
    change_squares += other.change_squares;
    error_squares += other.error_squares;
    change_kept += other.change_kept;
}

MergedSource::MergedSource(std::unique_ptr<ModelSource> base, std::unique_ptr<ModelSource> checkpoint,
                           std::vector<LoraFile> adapters, const MergeOptions& options)
    : base_(std::move(base)), checkpoint_(std::move(checkpoint)), adapters_(std::move(adapters)),
      ternary_(options.ternary), tensors_(base_->tensors()), changes_(tensors_.size()) {
    if (checkpoint_ != nullptr) find_replacements();
    for (const LoraFile& adapter : adapters_) {
        for (const auto& [tensor, change] : adapter.changes) {
            changes_.at(tensor).changed = true;
            changes_[tensor].loras.push_back(&change);
        }
    }
    for (size_t i = 0; i < tensors_.size(); ++i) {
        if (changes_[i].changed) measure(i, options.n_threads);
    }
}

MergedSource::~MergedSource() = default;

std::vector<std::string> MergedSource::files() const {
    std::vector<std::string> paths = base_->files();
    if (checkpoint_ != nullptr) {
        for (std::string& path : checkpoint_->files()) paths.push_back(std::move(path));
    }
    for (const LoraFile& adapter : adapters_) paths.insert(paths.end(), adapter.paths.begin(), adapter.paths.end());
    return paths;
}

void MergedSource::find_replacements() {
    std::unordered_map<std::string, size_t> theirs;
    for (size_t i = 0; i < checkpoint_->tensors().size(); ++i) theirs[checkpoint_->tensors()[i].name] = i;
    size_t n_matrices = 0;
    for (size_t i = 0; i < tensors_.size(); ++i) {
        const auto found = theirs.find(tensors_[i].name);
        if (found == theirs.end()) continue;
        const SourceTensor& other = checkpoint_->tensors()[found->second];
        if (!std::equal(std::begin(other.ne), std::end(other.ne), std::begin(tensors_[i].ne))) {
            const std::string shown = for_message(other.name);
            throw Error(BITNET_E_GGUF_TENSOR_SHAPE,
                        checkpoint_->name() + ": tensor '" + shown + "' is [" + std::to_string(other.ne[0]) + "," +
                            std::to_string(other.n_rows()) + "], the base has [" + std::to_string(tensors_[i].ne[0]) +
                            "," + std::to_string(tensors_[i].n_rows()) + "]; it is a checkpoint of another model")
                .with_subject(shown);
        }
        changes_[i].changed = true;
        changes_[i].replacement = found->second;
        n_matrices += is_matrix(other) ? 1 : 0;
    }
    if (n_matrices == 0) {
        throw Error(BITNET_E_NOT_FOUND, checkpoint_->name() + " has none of the matrices of " + base_->name() +
                                            "; it is a checkpoint of another model")
            .with_subject(checkpoint_->name());
    }
}

// Weights with every change, in floats.
void MergedSource::read_merged(size_t tensor, int64_t row0, int64_t n_rows, float* dst) const {
    const Change& change = changes_[tensor];
    if (change.replacement != SIZE_MAX) {
        checkpoint_->read_rows(change.replacement, row0, n_rows, dst);
    } else {
        base_->read_rows(tensor, row0, n_rows, dst);
    }
    const int64_t width = tensors_[tensor].ne[0];
    for (const LoraChange* lora : change.loras) {
        for (int64_t row = 0; row < n_rows; ++row) {
            float* out = dst + row * width;
            for (int64_t i = 0; i < lora->rank; ++i) {
                const float factor = lora->b[static_cast<size_t>((row0 + row) * lora->rank + i)];
                if (factor == 0.0f) continue;
                const float* a = lora->a.data() + i * width;
                for (int64_t k = 0; k < width; ++k) out[k] += factor * a[k];
            }
        }
    }
}

void MergedSource::measure(size_t index, int n_threads) {
    Change& change = changes_[index];
    SourceTensor& tensor = tensors_[index];
    const bool replaced = change.replacement != SIZE_MAX;
    const bool was_ternary = is_ternary(tensor);
    const int64_t rows_of_piece = std::max<int64_t>(1, kPieceValues / tensor.ne[0]);
    const int64_t n_pieces = (tensor.n_rows() + rows_of_piece - 1) / rows_of_piece;
    tg::ThreadPool pool(static_cast<int>(std::min<int64_t>(n_threads, n_pieces)));
    const auto sum_up = [&](float step) {
        std::vector<Sums> pieces(static_cast<size_t>(n_pieces));
        const auto body = [&](int64_t piece) {
            const int64_t row0 = piece * rows_of_piece;
            const int64_t n_rows = std::min(rows_of_piece, tensor.n_rows() - row0);
            std::vector<float> base(static_cast<size_t>(n_rows * tensor.ne[0])), merged(base.size());
            base_->read_rows(index, row0, n_rows, base.data());
            read_merged(index, row0, n_rows, merged.data());
            pieces[static_cast<size_t>(piece)] = sums_of(base, merged, step, tensor.name);
        };
        for_each_piece(pool, n_pieces, body);
        Sums sums;
        for (const Sums& piece : pieces) sums.add(piece);
        return sums;
    };

    MergedTensor told;
    told.tensor = index;
    told.n_values = static_cast<uint64_t>(tensor.n_rows() * tensor.ne[0]);
    Sums sums = sum_up(0.0f);
    if (sums.change_squares == 0) {  // to the bit what it was: stays as it is stored
        change = {};
        told.ternary = was_ternary;
        told.scale = told.step = tensor.ternary_scale.value_or(0.0f);
        told.base_squares = told.merged_squares = told.kept_squares = told.merged_kept = sums.base_squares;
        report_.push_back(told);
        return;
    }
    change.ternary = ternary_ && was_ternary && is_matrix(tensor);
    double scale = 0;
    if (change.ternary) {
        const SourceTensor& from = replaced ? checkpoint_->tensors()[change.replacement] : base_->tensors()[index];
        const bool has_codes = is_ternary(from);
        if (has_codes && from.ternary_scale && *from.ternary_scale > 0.0f) {
            change.step = *from.ternary_scale;
        } else if (has_codes && !replaced && sums.n_base_codes != 0) {  // TQ1_0 and TQ2_0 have one for each block
            change.step = static_cast<float>(sums.base_magnitudes / static_cast<double>(sums.n_base_codes));
        } else if (has_codes && change.loras.empty() && sums.n_merged != 0) {
            change.step = static_cast<float>(sums.merged_magnitudes / static_cast<double>(sums.n_merged));
        } else {
            change.step = static_cast<float>(sums.merged_magnitudes / static_cast<double>(told.n_values));
        }
        change.step = std::max(change.step, kLeastScale);
        sums = sum_up(change.step);
        const bool fit = !change.loras.empty() && has_codes && sums.n_codes != 0;
        change.scale = fit ? static_cast<float>(sums.merged_code / static_cast<double>(sums.n_codes)) : change.step;
        scale = static_cast<double>(change.scale);
    }
    told.ternary = change.ternary;
    told.step = change.step;
    told.scale = change.scale;
    told.base_squares = sums.base_squares;
    told.merged_squares = sums.merged_squares;
    told.change_squares = sums.change_squares;
    if (change.ternary) {
        told.n_codes_changed = sums.n_codes_changed;
        told.kept_squares = scale * scale * static_cast<double>(sums.n_codes);
        told.merged_kept = scale * sums.merged_code;
        told.error_squares = std::max(0.0, told.merged_squares - 2 * told.merged_kept + told.kept_squares);
        told.change_kept = scale * sums.change_code - sums.change_base;
    } else {
        told.kept_squares = told.merged_kept = sums.merged_squares;
        told.change_kept = sums.change_squares;
    }
    report_.push_back(told);

    tensor.ternary_scale.reset();
    if (change.ternary) {
        tensor.ternary_scale = change.scale;
        const bool whole_blocks = tensor.ne[0] % kern::quant_type_info(kern::QuantType::i2_s).block_length == 0;
        tensor.stored = whole_blocks ? kern::QuantType::i2_s : kern::QuantType::f32;
    } else if (replaced && change.loras.empty()) {
        tensor.stored = checkpoint_->tensors()[change.replacement].stored;
        tensor.ternary_scale = checkpoint_->tensors()[change.replacement].ternary_scale;
    }
    const kern::QuantTypeInfo& stored = kern::quant_type_info(tensor.stored);
    if (!change.ternary && (stored.ternary || stored.encode == nullptr)) {
        tensor.stored = kern::QuantType::f32;
        tensor.ternary_scale.reset();
    }
}

void MergedSource::read_rows(size_t index, int64_t row0, int64_t n_rows, float* dst) const {
    const Change& change = changes_.at(index);
    if (!change.changed) return base_->read_rows(index, row0, n_rows, dst);
    read_merged(index, row0, n_rows, dst);
    if (!change.ternary) return;
    const int64_t n = n_rows * tensors_[index].ne[0];
    for (int64_t i = 0; i < n; ++i) dst[i] = code_of(dst[i], change.step) * change.scale + 0.0f;  // no -0
}

void MergedSource::read_stored(size_t index, int64_t row0, int64_t n_rows, void* dst) const {
    const Change& change = changes_.at(index);
    if (!change.changed) return base_->read_stored(index, row0, n_rows, dst);
    const SourceTensor& tensor = tensors_[index];
    std::vector<float> values(static_cast<size_t>(n_rows * tensor.ne[0]));
    read_rows(index, row0, n_rows, values.data());
    // As codes: the encoder of I2_S takes very small weights for zeros.
    if (tensor.stored == kern::QuantType::i2_s) {
        for (float& value : values) value = sign_of(change.scale < 0.0f ? -value : value);
    }
    kern::quant_type_info(tensor.stored).encode(values.data(), 1.0f, n_rows * tensor.ne[0], dst);
}

}  // namespace bitnet
