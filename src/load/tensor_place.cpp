#include "src/load/tensor_place.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/ternary_layouts.h"
#include "src/base/error.h"
#include "src/gguf/gguf_text.h"

namespace bitnet {
namespace {

constexpr size_t kMaxListed = 40;  // names in one message

std::string join(const std::vector<std::string>& items) {
    std::string text;
    for (size_t i = 0; i < std::min(items.size(), kMaxListed); ++i) text += (i == 0 ? "" : ", ") + for_message(items[i], 256);
    if (items.size() > kMaxListed) text += " and " + std::to_string(items.size() - kMaxListed) + " more";
    return text;
}

std::string shape_text(const GgufTensor& tensor) {
    std::string text = "[";
    for (uint32_t i = 0; i < std::max(tensor.n_dims, 1u); ++i) text += (i == 0 ? "" : ",") + std::to_string(tensor.ne[i]);
    return text + "]";
}

// What kernels and codecs assume of an address; block types and codes are read byte-wise.
size_t natural_alignment(kern::QuantType type) {
    switch (type) {
        case kern::QuantType::f32: return 4;
        case kern::QuantType::i2_s: return 1;
        default: return 2;
    }
}

bool float_type(kern::QuantType type) {
    return type == kern::QuantType::f32 || type == kern::QuantType::f16 || type == kern::QuantType::bf16;
}

bool needs_repacking(const GgufTensor& tensor, bool arm_order) {
    return arm_order && tensor.type == kern::QuantType::i2_s;
}

// Rows of a dialect on their way to I2_S.
struct RepackJob {
    const DialectTensor& tensor;
    uint8_t* codes;
    float* row_scales;
    int n_threads;
    std::atomic<int64_t> bad_row;
};

void repack_share(int thread, void* user_data) {
    RepackJob& job = *static_cast<RepackJob*>(user_data);
    const int64_t n_rows = job.tensor.shape().n_rows;
    const int64_t begin = n_rows * thread / job.n_threads, end = n_rows * (thread + 1) / job.n_threads;
    if (begin == end) return;
    float* scales = job.row_scales != nullptr ? job.row_scales + begin : nullptr;
    const int64_t bad = job.tensor.try_read_codes(begin, end, job.codes + begin * kern::dialect_code_bytes(job.tensor.shape()), scales);
    int64_t known = job.bad_row.load(std::memory_order_relaxed);
    while (bad < end && bad < known && !job.bad_row.compare_exchange_weak(known, bad, std::memory_order_relaxed)) {
    }
}

[[noreturn]] void bad_scale(const std::string& name, float scale) {
    throw Error(BITNET_E_GGUF_TENSOR_DATA, "tensor '" + name + "' has the scale " + std::to_string(scale) + "; the file is damaged")
        .with_subject(name);
}

}  // namespace

const GgufTensor* TensorPlacer::find(const std::string& name, int64_t k, int64_t n_rows, bool optional) {
    const GgufTensor* tensor = file_.find_tensor(name);
    used_.push_back(name);
    if (!optional) ++n_required_;
    if (tensor == nullptr) {
        if (!optional) {
            missing_.push_back(name);
            problems_.push_back({TensorProblem::Kind::missing, name, "the tensor is missing"});
        }
        return nullptr;
    }
    if (tensor->ne[0] != k || tensor->n_rows() != n_rows) {
        if (misshapen_.empty()) {
            const bool wrong_width = tensor->ne[0] != k;
            wanted_dimension_ = wrong_width ? k : n_rows;
            found_dimension_ = wrong_width ? tensor->ne[0] : tensor->n_rows();
        }
        const std::string what = " is " + shape_text(*tensor) + " instead of [" + std::to_string(k) +
                                 (n_rows == 1 ? "" : "," + std::to_string(n_rows)) + "]";
        misshapen_.push_back(name + what);
        problems_.push_back({TensorProblem::Kind::shape, name, "the shape" + what});
        return nullptr;
    }
    return tensor;
}

bool TensorPlacer::any_ends_with(std::string_view end) const {
    return std::any_of(file_.tensors().begin(), file_.tensors().end(),
                       [&](const GgufTensor& tensor) { return std::string_view(tensor.name).ends_with(end); });
}

void TensorPlacer::matrix(const std::string& name, int64_t k, int64_t n_rows, tg::Weight* out, bool optional) {
    const GgufTensor* tensor = find(name, k, n_rows, optional);
    if (tensor == nullptr) return;
    const bool dialect = is_dialect(*tensor);
    if (dialect && tilings_ != nullptr) {
        kern::DialectShape shape;
        if (const std::string what = dialect_shape(*tensor, *tilings_, &shape); !what.empty()) {
            if (mistyped_.empty()) mistyped_ = {name, what};
            problems_.push_back({TensorProblem::Kind::type, name, "the tensor " + what});
            return;
        }
    }
    out->name = name;
    out->type = dialect ? kern::QuantType::i2_s : tensor->type;
    out->k = k;
    out->n_rows = n_rows;
    placed_.push_back({out, tensor});
}

const GgufTensor* TensorPlacer::find_floats(const std::string& name, int64_t width, bool optional) {
    const GgufTensor* tensor = find(name, width, 1, optional);
    if (tensor == nullptr || float_type(tensor->type)) return tensor;
    const std::string what = std::string("has type ") + kern::quant_type_info(tensor->type).name +
                             "; norms and scales are read as f32, f16 or bf16; reconvert the model";
    if (mistyped_.empty()) mistyped_ = {name, what};
    problems_.push_back({TensorProblem::Kind::type, name, "the tensor " + what});
    return nullptr;
}

void TensorPlacer::norm(const std::string& name, int64_t width, NormWeight* out, bool optional) {
    const GgufTensor* tensor = find_floats(name, width, optional);
    if (tensor != nullptr) norms_.push_back({out, nullptr, tensor});
}

void TensorPlacer::output_scale(const std::string& name, tg::Weight* weight) {
    const GgufTensor* tensor = find_floats(name, 1, true);
    if (tensor != nullptr) norms_.push_back({nullptr, weight, tensor});
}

void TensorPlacer::read_norms() {
    for (const PlacedNorm& placed : norms_) {
        const GgufTensor& tensor = *placed.tensor;
        std::vector<uint8_t> bytes(tensor.n_bytes);
        file_.read_data(tensor, 0, bytes.data(), bytes.size());
        NormWeight one(placed.norm == nullptr ? 1 : 0);
        NormWeight& out = placed.norm != nullptr ? *placed.norm : one;
        out.resize(static_cast<size_t>(tensor.ne[0]));
        kern::quant_type_info(tensor.type).decode(bytes.data(), 1.0f, tensor.ne[0], out.data());
        if (placed.norm != nullptr) continue;
        if (!std::isfinite(one[0])) bad_scale(tensor.name, one[0]);
        placed.scaled->out_scale = one[0];
    }
}

std::vector<std::string> TensorPlacer::unused() {
    std::sort(used_.begin(), used_.end());
    std::vector<std::string> unknown;
    for (const GgufTensor& tensor : file_.tensors()) {
        if (!std::binary_search(used_.begin(), used_.end(), tensor.name)) unknown.push_back(tensor.name);
    }
    return unknown;
}

std::vector<TensorProblem> TensorPlacer::problems() {
    std::vector<TensorProblem> all = problems_;
    for (const std::string& name : unused()) {
        all.push_back({TensorProblem::Kind::unused, name, "the architecture does not use the tensor, so results would be wrong"});
    }
    return all;
}

void TensorPlacer::finish() {
    if (!missing_.empty()) {
        throw Error(BITNET_E_GGUF_MISSING_TENSOR,
                    "missing " + std::to_string(missing_.size()) + " required tensor" + (missing_.size() == 1 ? "" : "s") + ": " +
                        join(missing_) + (misshapen_.empty() ? "" : "; wrong shape: " + join(misshapen_)) +
                        "; reconvert the model")
            .with_numbers(n_required_, n_required_ - missing_.size())
            .with_subject(missing_[0]);
    }
    if (!misshapen_.empty()) {
        throw Error(BITNET_E_GGUF_TENSOR_SHAPE, "wrong shape of " + std::to_string(misshapen_.size()) + " tensor" +
                                                    (misshapen_.size() == 1 ? "" : "s") + ": " + join(misshapen_) +
                                                    "; reconvert the model")
            .with_numbers(static_cast<uint64_t>(wanted_dimension_), static_cast<uint64_t>(found_dimension_))
            .with_subject(misshapen_[0].substr(0, misshapen_[0].find(' ')));
    }
    if (!mistyped_.empty()) {
        throw Error(BITNET_E_GGUF_TENSOR_TYPE, "tensor '" + mistyped_[0] + "' " + mistyped_[1]).with_subject(mistyped_[0]);
    }
    const std::vector<std::string> unknown = unused();
    if (!unknown.empty()) {
        throw Error(BITNET_E_UNSUPPORTED, "the file has " + std::to_string(unknown.size()) +
                                              " tensors that its architecture does not use, so results would be wrong: " +
                                              join(unknown) + "; update bitnet or reconvert the model")
            .with_subject(unknown[0]);
    }
}

bool TensorPlacer::usable_in_place(const GgufTensor& tensor, bool arm_order) const noexcept {
    const uint8_t* mapped = file_.mapped_data(tensor);
    return mapped != nullptr && !needs_repacking(tensor, arm_order) && !is_dialect(tensor) &&
           reinterpret_cast<uintptr_t>(mapped) % natural_alignment(tensor.type) == 0;
}

uint64_t TensorPlacer::copy_bytes(const GgufTensor& tensor) noexcept {
    if (!is_dialect(tensor)) return tensor.n_bytes;
    const uint64_t scales = kern::dialect_has_row_scales(tensor.type) ? sizeof(float) : 0;
    const uint64_t row = static_cast<uint64_t>(kern::i2s_padded(tensor.ne[0])) / 4 + scales;
    return static_cast<uint64_t>(tensor.n_rows()) * row;
}

uint64_t TensorPlacer::passing_bytes(const GgufTensor& tensor) const noexcept {
    return is_dialect(tensor) && file_.mapped_data(tensor) == nullptr ? tensor.n_bytes : 0;
}

void TensorPlacer::repack(const Placed& placed, tg::ThreadPool& pool) {
    tg::Weight& weight = *placed.weight;
    const DialectTensor tensor(file_, *placed.tensor, *tilings_);
    tg::Arena copy(static_cast<size_t>(copy_bytes(*placed.tensor)), "weights");
    // Behind the codes, whose bytes are a multiple of 32.
    float* scales = reinterpret_cast<float*>(copy.data() + weight.n_rows * (weight.padded_k() / 4));
    RepackJob job{tensor, copy.data(), tensor.has_row_scales() ? scales : nullptr, pool.size(), weight.n_rows};
    pool.run(repack_share, &job);
    const int64_t bad_row = job.bad_row.load(std::memory_order_relaxed);
    if (bad_row < weight.n_rows) tensor.fail_row(bad_row);
    weight.tensor_scale = tensor.scale();
    // Rows that share a scale are an I2_S tensor, bit for bit; others are multiplied one by one.
    if (tensor.has_row_scales() && !common_scale(scales, weight.n_rows, &weight.tensor_scale))
        weight.row_scales = scales;
    weight.file_data = copy.data();
    owned_->push_back(std::move(copy));
}

bool TensorPlacer::materialize(const Placed& placed, bool arm_order, tg::ThreadPool& pool) {
    tg::Weight& weight = *placed.weight;
    const GgufTensor& tensor = *placed.tensor;
    if (is_dialect(tensor)) {
        if (needs_repacking(tensor, arm_order)) fail_arm_order(tensor);
        repack(placed, pool);
        return false;
    }
    const bool in_place = usable_in_place(tensor, arm_order);
    if (in_place) {
        weight.file_data = file_.mapped_data(tensor);
    } else {
        const bool repack = needs_repacking(tensor, arm_order);
        tg::Arena copy(tensor.n_bytes, "weights");
        file_.read_data(tensor, 0, copy.data(), tensor.n_bytes);
        if (repack) kern::i2s_repack_arm_order(copy.data(), static_cast<size_t>(tensor.n_elements()), copy.data());
        weight.file_data = copy.data();
        owned_->push_back(std::move(copy));
    }
    if (tensor.type == kern::QuantType::i2_s) {
        std::memcpy(&weight.tensor_scale, weight.file_data + tensor.n_elements() / 4, sizeof(float));
        if (!std::isfinite(weight.tensor_scale)) bad_scale(tensor.name, weight.tensor_scale);
    }
    return in_place;
}

}  // namespace bitnet
