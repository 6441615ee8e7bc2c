#include "src/load/tensor_place.h"

#include <algorithm>
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
        if (!optional) missing_.push_back(name);
        return nullptr;
    }
    if (tensor->ne[0] != k || tensor->n_rows() != n_rows) {
        if (misshapen_.empty()) {
            const bool wrong_width = tensor->ne[0] != k;
            wanted_dimension_ = wrong_width ? k : n_rows;
            found_dimension_ = wrong_width ? tensor->ne[0] : tensor->n_rows();
        }
        misshapen_.push_back(name + " is " + shape_text(*tensor) + " instead of [" + std::to_string(k) +
                             (n_rows == 1 ? "" : "," + std::to_string(n_rows)) + "]");
        return nullptr;
    }
    return tensor;
}

void TensorPlacer::matrix(const std::string& name, int64_t k, int64_t n_rows, tg::Weight* out, bool optional) {
    const GgufTensor* tensor = find(name, k, n_rows, optional);
    if (tensor == nullptr) return;
    out->name = name;
    out->type = tensor->type;
    out->k = k;
    out->n_rows = n_rows;
    placed_.push_back({out, tensor});
}

void TensorPlacer::norm(const std::string& name, int64_t width, NormWeight* out, bool optional) {
    const GgufTensor* tensor = find(name, width, 1, optional);
    if (tensor == nullptr) return;
    if (!float_type(tensor->type)) {
        throw Error(BITNET_E_GGUF_TENSOR_TYPE, "tensor '" + name + "' has type " + kern::quant_type_info(tensor->type).name +
                                                   "; norms and scales are read as f32, f16 or bf16; reconvert the model")
            .with_subject(name);
    }
    std::vector<uint8_t> bytes(tensor->n_bytes);
    file_.read_data(*tensor, 0, bytes.data(), bytes.size());
    out->resize(static_cast<size_t>(width));
    kern::quant_type_info(tensor->type).decode(bytes.data(), 1.0f, width, out->data());
}

void TensorPlacer::output_scale(const std::string& name, tg::Weight* weight) {
    NormWeight scale;
    norm(name, 1, &scale, true);
    if (scale.empty()) return;
    if (!std::isfinite(scale[0])) bad_scale(name, scale[0]);
    weight->out_scale = scale[0];
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
    std::sort(used_.begin(), used_.end());
    std::vector<std::string> unknown;
    for (const GgufTensor& tensor : file_.tensors()) {
        if (!std::binary_search(used_.begin(), used_.end(), tensor.name)) unknown.push_back(tensor.name);
    }
    if (!unknown.empty()) {
        throw Error(BITNET_E_UNSUPPORTED, "the file has " + std::to_string(unknown.size()) +
                                              " tensors that its architecture does not use, so results would be wrong: " +
                                              join(unknown) + "; update bitnet or reconvert the model")
            .with_subject(unknown[0]);
    }
}

bool TensorPlacer::materialize(const Placed& placed, bool arm_order) {
    tg::Weight& weight = *placed.weight;
    const GgufTensor& tensor = *placed.tensor;
    const uint8_t* mapped = file_.mapped_data(tensor);
    const bool repack = arm_order && tensor.type == kern::QuantType::i2_s;
    const bool in_place = mapped != nullptr && !repack &&
                          reinterpret_cast<uintptr_t>(mapped) % natural_alignment(tensor.type) == 0;
    if (in_place) {
        weight.file_data = mapped;
    } else {
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
