#include "src/gguf/dialect_tensor.h"

#include <cmath>
#include <cstring>

#include "src/base/error.h"
#include "src/gguf/gguf_text.h"

namespace bitnet {
namespace {

[[noreturn]] void bad_scale(const std::string& shown, float scale) {
    throw Error(BITNET_E_GGUF_TENSOR_DATA,
                "tensor '" + shown + "' has the scale " + float_text(scale) + "; the file is damaged")
        .with_subject(shown);
}

}  // namespace

std::string dialect_shape(kern::QuantType type, int64_t k, int64_t n_rows, const TlTilings& tilings,
                          kern::DialectShape* out) {
    *out = {type, k, n_rows, {}};
    if (kern::dialect_is_tiled(type)) {
        if (std::string problem = tilings.complete(out); !problem.empty()) return problem;
    }
    const char* problem = kern::dialect_problem(*out);
    if (problem == nullptr) return "";
    std::string text = std::string("is ") + kern::quant_type_info(type).name + " of " + std::to_string(out->n_rows) +
                       " rows of " + std::to_string(out->k) + " weights, and " + problem;
    if (out->tiling.bk != 0) {
        text += " (" + std::to_string(out->tiling.bm_rows) + "," + std::to_string(out->tiling.bk) + "," +
                std::to_string(out->tiling.bm) + "); give that of the conversion in tl_tiling";
        return text;
    }
    return text + "; quantise the original model to a block type such as q8_0 instead";
}

void fail_arm_order(const GgufTensor& tensor) {
    const std::string shown = for_message(tensor.name);
    throw Error(BITNET_E_UNSUPPORTED, "tensor '" + shown + "' has rows of " + std::to_string(tensor.ne[0]) +
                                          " weights; i2_s in the order of ARM builds is read in rows of whole blocks "
                                          "of 128 alone; convert the original model again")
        .with_subject(shown);
}

DialectTensor::DialectTensor(const GgufFile& file, const GgufTensor& tensor, const TlTilings& tilings)
    : name_(for_message(tensor.name)) {
    if (const std::string problem = dialect_shape(tensor, tilings, &shape_); !problem.empty())
        throw Error(BITNET_E_GGUF_TENSOR_TYPE, "tensor '" + name_ + "' " + problem).with_subject(name_);
    data_ = file.mapped_data(tensor);
    if (data_ == nullptr) {
        read_.resize(static_cast<size_t>(tensor.n_bytes));
        file.read_data(tensor, 0, read_.data(), tensor.n_bytes);
        data_ = read_.data();
    }
    if (has_row_scales()) return;
    scale_ = kern::dialect_tensor_scale(shape_, data_);
    if (!std::isfinite(scale_)) bad_scale(name_, scale_);
}

int64_t DialectTensor::try_read_codes(int64_t row_begin, int64_t row_end, uint8_t* codes,
                                      float* row_scales) const noexcept {
    const int64_t bad = kern::dialect_to_i2s(shape_, data_, row_begin, row_end, codes, row_scales);
    if (!has_row_scales()) return bad;
    for (int64_t row = row_begin; row < bad; ++row) {
        if (!std::isfinite(row_scales[row - row_begin])) return row;
    }
    return bad;
}

void DialectTensor::fail_row(int64_t row) const {
    throw Error(BITNET_E_GGUF_TENSOR_DATA,
                "tensor '" + name_ + "' row " + std::to_string(row) + " holds " +
                    (has_row_scales() ? "a scale that is not finite or codes that mean no ternary weight; the file is "
                                        "damaged or mislabelled"
                     : kern::dialect_is_tiled(shape_.type)
                         ? "codes that mean no ternary weight; the file is damaged, or its tile sizes are others: give "
                           "those of the conversion in tl_tiling"
                         : "codes that mean no ternary weight; the file is damaged or mislabelled"))
        .with_subject(name_);
}

void DialectTensor::read_codes(int64_t row_begin, int64_t row_end, uint8_t* codes, float* row_scales) const {
    const int64_t bad = try_read_codes(row_begin, row_end, codes, row_scales);
    if (bad < row_end) fail_row(bad);
}

void DialectTensor::read_rows(int64_t row_begin, int64_t row_end, float* dst) const {
    std::vector<uint8_t> codes(static_cast<size_t>(kern::dialect_code_bytes(shape_)));
    for (int64_t row = row_begin; row < row_end; ++row, dst += shape_.k) {
        float scale = scale_;
        read_codes(row, row + 1, codes.data(), &scale);
        kern::i2s_row_to_floats(codes.data(), scale, shape_.k, dst);
    }
}

std::optional<float> read_common_scale(const GgufFile& file, const GgufTensor& tensor) {
    const auto one = [&](uint64_t offset, size_t n_bytes) {
        uint8_t bytes[4] = {};
        file.read_data(tensor, offset, bytes, n_bytes);
        float scale = 0.0f;
        if (n_bytes == 2) {
            kern::quant_type_info(kern::QuantType::f16).decode(bytes, 1.0f, 1, &scale);
        } else {
            std::memcpy(&scale, bytes, sizeof scale);
        }
        if (!std::isfinite(scale)) bad_scale(for_message(tensor.name), scale);
        return scale;
    };
    if (!kern::dialect_has_row_scales(tensor.type)) return one(tensor.n_bytes - kern::kTlTailBytes, sizeof(float));
    std::vector<float> scales;
    scales.reserve(static_cast<size_t>(tensor.n_rows()));
    for (int64_t row = 0; row < tensor.n_rows(); ++row) {
        const kern::DialectShape shape = {tensor.type, tensor.ne[0], tensor.n_rows(), {}};
        scales.push_back(
            one(kern::dialect_row_scale_offset(shape, row), kern::quant_type_info(tensor.type).row_head_bytes));
    }
    float scale = 0.0f;
    return common_scale(scales.data(), tensor.n_rows(), &scale) ? std::optional<float>(scale) : std::nullopt;
}

bool common_scale(const float* row_scales, int64_t n_rows, float* out) noexcept {
    float scale = 0.0f;
    for (int64_t row = 0; row < n_rows; ++row) {
        if (row_scales[row] == 0.0f) continue;
        if (scale != 0.0f && row_scales[row] != scale) return false;
        scale = row_scales[row];
    }
    *out = scale;
    return true;
}

}  // namespace bitnet
