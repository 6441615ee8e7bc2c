// Reading a file through bitnet_file_*; everything that can fail throws Failure.
#include "gguf_view.h"

#include <charconv>

namespace cli {

GgufView::GgufView(const std::string& file_path) : path(file_path), info{} {
    bitnet_file* opened = nullptr;
    check(bitnet_file_open(path.c_str(), &opened));
    file.reset(opened);
    info.struct_size = sizeof info;
    check(bitnet_file_get_info(opened, &info));
    for (size_t i = 0; i < info.n_keys; ++i) {
        std::string key = fetch_text([&](char* buffer, size_t capacity, size_t* out_size) {
            return bitnet_file_get_metadata_key(opened, i, buffer, capacity, out_size);
        });
        std::string text = fetch_text([&](char* buffer, size_t capacity, size_t* out_size) {
            return bitnet_file_get_metadata(opened, key.c_str(), buffer, capacity, out_size);
        });
        metadata.emplace_back(std::move(key), std::move(text));
    }
    tensors.resize(static_cast<size_t>(info.n_tensors));
    for (size_t i = 0; i < tensors.size(); ++i) {
        tensors[i].struct_size = sizeof tensors[i];
        check(bitnet_file_get_tensor(opened, i, &tensors[i]));
        names_.emplace(tensors[i].name, i);
    }
    for (size_t i = 0; i < metadata.size(); ++i) keys_.emplace(metadata[i].first, i);
}

const std::string* GgufView::find(std::string_view key) const {
    const auto found = keys_.find(key);
    return found != keys_.end() ? &metadata[found->second].second : nullptr;
}

std::string GgufView::value(std::string_view key) const {
    const std::string* found = find(key);
    return found != nullptr ? *found : "";
}

int64_t GgufView::number(const std::string& suffix) const {
    const std::string text = value(value("general.architecture") + "." + suffix);
    int64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

const bitnet_file_tensor* GgufView::find_tensor(std::string_view name) const {
    const auto found = names_.find(name);
    return found != names_.end() ? &tensors[found->second] : nullptr;
}

int64_t n_rows_of(const bitnet_file_tensor& tensor) { return tensor.shape[1] * tensor.shape[2] * tensor.shape[3]; }

TensorRows::TensorRows(const GgufView& view, const bitnet_file_tensor& tensor)
    : file_(view.file.get()), tensor_(tensor), index_(static_cast<size_t>(&tensor - view.tensors.data())) {
    const std::string_view name = tensor.name;
    constexpr std::string_view kWeight = ".weight";
    if (!name.ends_with(kWeight)) return;
    const bitnet_file_tensor* scale =
        view.find_tensor(std::string(name.substr(0, name.size() - kWeight.size())) + ".scale");
    if (scale == nullptr || *scale->problem != '\0' || scale->shape[0] * n_rows_of(*scale) != 1) return;
    TensorRows(view, *scale).read(0, 1, &factor_);
}

void TensorRows::read(int64_t row, int64_t n, float* out) const {
    const size_t n_values = static_cast<size_t>(n * width());
    check(bitnet_file_read_tensor(file_, index_, row, n, out, n_values, nullptr));
    if (factor_ == 1.0f) return;
    for (size_t i = 0; i < n_values; ++i) out[i] *= factor_;
}

}  // namespace cli
