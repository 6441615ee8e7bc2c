// Rows are read and checked here, so that what is converted is what a model would run with.
#include "src/convert/gguf_source.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "kernels/ternary_layouts.h"
#include "src/base/error.h"
#include "src/gguf/gguf_keys.h"
#include "src/gguf/gguf_text.h"

namespace bitnet {
namespace {

using kern::QuantType;

// They follow from what is written, or tell about the files that were read.
bool leaves_out(std::string_view key) {
    for (const char* own : {gguf_key::kFileType, gguf_key::kQuantizationVersion, gguf_key::kAlignment,
                            gguf_key::kSplitNumber, gguf_key::kSplitCount, gguf_key::kSplitTensorCount}) {
        if (key == own) return true;
    }
    return false;
}

bool codes_are_valid(QuantType type, const void* bytes, uint64_t n_values) {
    switch (type) {
        case QuantType::i2_s: return kern::ternary_codes_valid(bytes, static_cast<size_t>(n_values / 4));
        case QuantType::tq1_0: return kern::tq1_0_blocks_valid(bytes, static_cast<size_t>(n_values / kern::kTqBlock));
        case QuantType::tq2_0: return kern::tq2_0_blocks_valid(bytes, static_cast<size_t>(n_values / kern::kTqBlock));
        default: return true;
    }
}

float tensor_scale(const GgufFile& file, const GgufTensor& tensor) {
    float scale = 0.0f;
    file.read_data(tensor, static_cast<uint64_t>(tensor.n_elements()) / 4, &scale, sizeof scale);
    if (std::isfinite(scale)) return scale;
    const std::string shown = for_message(tensor.name);
    throw Error(BITNET_E_GGUF_TENSOR_DATA, file.source(tensor.part).name() + ": tensor '" + shown + "' has the scale " +
                                               float_text(scale) + "; the file is damaged")
        .with_subject(shown);
}

}  // namespace

std::unique_ptr<GgufSource> GgufSource::open(const std::string& path, const GgufSourceOptions& options) {
    GgufReadOptions read;
    read.limits = options.limits;
    return std::make_unique<GgufSource>(GgufFile::open(path, false, read), options);
}

GgufSource::GgufSource(std::shared_ptr<const GgufFile> file, const GgufSourceOptions& options)
    : file_(std::move(file)), name_(file_->source().name()), options_(options) {
    tensors_.reserve(file_->tensors().size());
    for (const GgufTensor& tensor : file_->tensors()) {
        SourceTensor out;
        out.name = tensor.name;
        out.n_dims = std::max(tensor.n_dims, 1u);
        std::copy(std::begin(tensor.ne), std::end(tensor.ne), std::begin(out.ne));
        out.stored = tensor.type;
        if (is_dialect(tensor)) tell_dialect(tensor, out);
        if (tensor.type == QuantType::i2_s && !is_dialect(tensor)) out.ternary_scale = tensor_scale(*file_, tensor);
        tensors_.push_back(std::move(out));
    }
}

void GgufSource::tell_dialect(const GgufTensor& tensor, SourceTensor& out) const {
    if (options_.i2s_arm_order && tensor.type == QuantType::i2_s) fail_arm_order(tensor);
    kern::DialectShape shape;
    if (const std::string problem = dialect_shape(tensor, options_.tl_tilings, &shape); !problem.empty()) {
        const std::string shown = for_message(tensor.name);
        throw Error(BITNET_E_GGUF_TENSOR_TYPE, name_ + ": tensor '" + shown + "' " + problem).with_subject(shown);
    }
    const std::optional<float> scale = read_common_scale(*file_, tensor);
    out.ternary_scale = scale;
    out.stored = scale && tensor.ne[0] % kern::kI2sBlock == 0 ? QuantType::i2_s : QuantType::f32;
}

std::shared_ptr<const DialectTensor> GgufSource::dialect(size_t index) const {
    const std::lock_guard<std::mutex> lock(dialect_mutex_);
    if (dialect_ == nullptr || dialect_index_ != index) {
        dialect_ = nullptr;  // before the next one is read
        dialect_ = std::make_shared<const DialectTensor>(*file_, file_->tensors().at(index), options_.tl_tilings);
        dialect_index_ = index;
    }
    return dialect_;
}

std::vector<std::string> GgufSource::files() const {
    std::vector<std::string> paths;
    for (size_t part = 0; part < file_->n_parts(); ++part) paths.push_back(file_->source(part).name());
    return paths;
}

void GgufSource::write_metadata(GgufWriter& writer) const {
    for (size_t i = 0; i < file_->n_keys(); ++i) {
        if (!leaves_out(file_->key_at(i))) writer.add_value(file_->key_at(i), file_->value_at(i));
    }
}

void GgufSource::read_stored(size_t index, int64_t row0, int64_t n_rows, void* dst) const {
    const GgufTensor& tensor = file_->tensors().at(index);
    if (is_dialect(tensor)) {
        if (tensors_[index].stored == QuantType::f32) return read_rows(index, row0, n_rows, static_cast<float*>(dst));
        std::vector<float> scales(static_cast<size_t>(n_rows));
        return dialect(index)->read_codes(row0, row0 + n_rows, static_cast<uint8_t*>(dst), scales.data());
    }
    const uint64_t row_bytes = kern::quant_row_bytes(tensor.type, tensor.ne[0]);
    file_->read_data(tensor, static_cast<uint64_t>(row0) * row_bytes, dst, static_cast<uint64_t>(n_rows) * row_bytes);
    const uint64_t row_values = static_cast<uint64_t>(tensor.ne[0]);
    for (int64_t row = 0; row < n_rows; ++row) {
        const uint8_t* bytes = static_cast<const uint8_t*>(dst) + static_cast<uint64_t>(row) * row_bytes;
        if (codes_are_valid(tensor.type, bytes, row_values)) continue;
        const std::string shown = for_message(tensor.name);
        throw Error(BITNET_E_GGUF_TENSOR_DATA,
                    file_->source(tensor.part).name() + ": tensor '" + shown + "' row " + std::to_string(row0 + row) +
                        " holds codes that mean no ternary weight; the file is damaged or mislabelled")
            .with_offset(tensor.offset + static_cast<uint64_t>(row0 + row) * row_bytes)
            .with_subject(shown);
    }
    if (options_.i2s_arm_order && tensor.type == QuantType::i2_s)
        kern::i2s_repack_arm_order(dst, static_cast<size_t>(static_cast<uint64_t>(n_rows) * row_values), dst);
}

void GgufSource::read_rows(size_t index, int64_t row0, int64_t n_rows, float* dst) const {
    const SourceTensor& tensor = tensors_.at(index);
    if (is_dialect(file_->tensors()[index])) return dialect(index)->read_rows(row0, row0 + n_rows, dst);
    const uint64_t row_bytes = kern::quant_row_bytes(tensor.stored, tensor.ne[0]);
    std::vector<uint8_t> bytes(static_cast<size_t>(static_cast<uint64_t>(n_rows) * row_bytes));
    read_stored(index, row0, n_rows, bytes.data());
    kern::quant_type_info(tensor.stored)
        .decode(bytes.data(), tensor.ternary_scale.value_or(1.0f), n_rows * tensor.ne[0], dst);
}

}  // namespace bitnet
