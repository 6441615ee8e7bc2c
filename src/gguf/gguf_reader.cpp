// GgufFile: parts joined into one model, typed metadata access, tensor lookup. The parsing is in gguf_part.cpp, the
// finding of parts in gguf_split.cpp.
#include "src/gguf/gguf_reader.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <utility>

#include "src/base/error.h"
#include "src/gguf/gguf_split.h"
#include "src/gguf/gguf_text.h"

namespace bitnet {
namespace {

[[noreturn]] void fail_key(const GgufFile& file, std::string_view key, const std::string& what) {
    const std::string shown = for_message(key);
    throw Error(BITNET_E_GGUF_METADATA, file.source().name() + ": metadata key '" + shown + "' " + what)
        .with_subject(shown);
}

// The scalar under key through one of GgufValue's conversions.
template <typename T>
std::optional<T> scalar(const GgufFile& file, std::string_view key,
                        std::optional<T> (GgufValue::*convert)(size_t) const, const char* wanted) {
    const GgufValue* value = file.find(key);
    if (value == nullptr) return std::nullopt;
    const std::optional<T> result = value->is_array() ? std::nullopt : (value->*convert)(0);
    if (result) return result;
    std::string found = value->description();
    if (!value->is_array() && value->type() != GgufType::string) found += " of value " + value->to_text(1);
    fail_key(file, key, "is " + found + "; it must be " + wanted + "; convert the model again");
}

template <typename T>
T required(const GgufFile& file, std::string_view key, std::optional<T> value) {
    if (!value) fail_key(file, key, "is missing; convert the model again");
    return *value;
}

}  // namespace

GgufFile::GgufFile(std::vector<std::unique_ptr<GgufPart>> parts, const GgufReadOptions& options) : parts_(std::move(parts)) {
    size_t n = 0;
    for (const auto& part : parts_) n += part->tensors.size();
    tensors_.reserve(n);
    for (const auto& part : parts_) {
        std::move(part->tensors.begin(), part->tensors.end(), std::back_inserter(tensors_));
        part->tensors = {};
    }
    tensors_by_name_.resize(tensors_.size());
    std::iota(tensors_by_name_.begin(), tensors_by_name_.end(), 0u);
    const auto name = [&](uint32_t i) -> const std::string& { return tensors_[i].name; };
    std::sort(tensors_by_name_.begin(), tensors_by_name_.end(),
              [&](uint32_t a, uint32_t b) { return name(a) < name(b); });
    const auto equal = [&](uint32_t a, uint32_t b) { return name(a) == name(b); };
    for (auto same = tensors_by_name_.begin();; ++same) {
        same = std::adjacent_find(same, tensors_by_name_.end(), equal);
        if (same == tensors_by_name_.end()) return;
        const std::string shown = for_message(name(*same));
        const Error error = Error(BITNET_E_GGUF_TENSOR_DATA, source().name() + ": tensor '" + shown +
                                                                 "' is there twice; convert the model again")
                                .with_subject(shown);
        if (!options.on_bad_tensor) throw error;
        options.on_bad_tensor(name(*same), error);
    }
}

std::shared_ptr<const GgufFile> GgufFile::read(std::shared_ptr<const ByteSource> source,
                                               const GgufReadOptions& options) {
    std::vector<std::unique_ptr<GgufPart>> parts;
    parts.push_back(read_gguf_part(std::move(source), options, {}));
    const SplitInfo split = split_info(*parts.front());
    if (split.count > 1 && !(options.metadata_only && split.number == 0)) {
        throw Error(BITNET_E_GGUF_METADATA,
                    parts.front()->source->name() + ": this is part " + std::to_string(split.number + 1) + " of " +
                        std::to_string(split.count) + " of a split model; load it by the path of its first part")
            .with_numbers(split.count, 1)
            .with_subject(gguf_key::kSplitCount);
    }
    return std::shared_ptr<const GgufFile>(new GgufFile(std::move(parts), options));
}

std::shared_ptr<const GgufFile> GgufFile::open(const std::string& path, bool use_mmap, const GgufReadOptions& options) {
    std::vector<std::unique_ptr<GgufPart>> parts;
    parts.push_back(read_gguf_part(open_file_source(path, use_mmap), options, {}));
    const SplitInfo split = split_info(*parts.front());
    // The first part alone has the metadata of the model.
    if (split.count > 1 && !(options.metadata_only && split.number == 0))
        read_sibling_parts(path, use_mmap, options, parts);
    return std::shared_ptr<const GgufFile>(new GgufFile(std::move(parts), options));
}

std::optional<uint64_t> GgufFile::get_uint(std::string_view key) const {
    return scalar(*this, key, &GgufValue::as_uint, "an integer of at least 0");
}
std::optional<int64_t> GgufFile::get_int(std::string_view key) const {
    return scalar(*this, key, &GgufValue::as_int, "an integer");
}
std::optional<double> GgufFile::get_float(std::string_view key) const {
    return scalar(*this, key, &GgufValue::as_float, "a number");
}
std::optional<bool> GgufFile::get_bool(std::string_view key) const {
    return scalar(*this, key, &GgufValue::as_bool, "a bool");
}
std::optional<std::string_view> GgufFile::get_string(std::string_view key) const {
    return scalar(*this, key, &GgufValue::as_string, "a string");
}

uint64_t GgufFile::require_uint(std::string_view key) const { return required(*this, key, get_uint(key)); }
int64_t GgufFile::require_int(std::string_view key) const { return required(*this, key, get_int(key)); }
double GgufFile::require_float(std::string_view key) const { return required(*this, key, get_float(key)); }
bool GgufFile::require_bool(std::string_view key) const { return required(*this, key, get_bool(key)); }
std::string_view GgufFile::require_string(std::string_view key) const { return required(*this, key, get_string(key)); }

const GgufValue* GgufFile::get_array(std::string_view key, GgufType element) const {
    const GgufValue* value = find(key);
    if (value == nullptr || (value->is_array() && value->type() == element)) return value;
    fail_key(*this, key,
             "is " + value->description() + "; it must be an array of " + gguf_type_name(element) +
                 "; convert the model again");
}

const GgufTensor* GgufFile::find_tensor(std::string_view name) const noexcept {
    const auto at = std::lower_bound(tensors_by_name_.begin(), tensors_by_name_.end(), name,
                                     [&](uint32_t i, std::string_view wanted) { return tensors_[i].name < wanted; });
    if (at == tensors_by_name_.end() || tensors_[*at].name != name) return nullptr;
    return &tensors_[*at];
}

const uint8_t* GgufFile::mapped_data(const GgufTensor& tensor) const noexcept {
    const uint8_t* base = parts_[tensor.part]->source->mapped();
    return base == nullptr ? nullptr : base + tensor.offset;
}

void GgufFile::give_back(const GgufTensor& tensor, uint64_t offset, uint64_t n) const noexcept {
    if (offset > tensor.n_bytes || n > tensor.n_bytes - offset) return;
    parts_[tensor.part]->source->give_back(tensor.offset + offset, n);
}

void GgufFile::read_data(const GgufTensor& tensor, uint64_t offset, void* dst, uint64_t n) const {
    if (offset > tensor.n_bytes || n > tensor.n_bytes - offset) {
        const std::string shown = for_message(tensor.name);
        throw Error(BITNET_E_ARGUMENT, source(tensor.part).name() + ": " + std::to_string(n) + " bytes at " +
                                           std::to_string(offset) + " leave tensor '" + shown + "' of " +
                                           std::to_string(tensor.n_bytes) + " bytes")
            .with_numbers(tensor.n_bytes, n)
            .with_subject(shown);
    }
    parts_[tensor.part]->source->read(tensor.offset + offset, dst, n);
}

}  // namespace bitnet
