// GGUF files as the tools look at them: metadata as texts, tensors as rows of the numbers that a model really multiplies with.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli_common.h"

namespace cli {

using FileHandle = std::unique_ptr<bitnet_file, Freer<bitnet_file_free>>;

struct GgufView {
    explicit GgufView(const std::string& file_path);

    std::string path;
    FileHandle file;
    bitnet_file_info info;
    std::vector<std::pair<std::string, std::string>> metadata;  // in the file's order; arrays whole, as JSON
    std::vector<bitnet_file_tensor> tensors;

    const std::string* find(std::string_view key) const;  // nullptr where there is none
    std::string value(std::string_view key) const;        // "" where there is none
    int64_t number(const std::string& suffix) const;      // of "<architecture>.<suffix>"; 0 where there is none
    const bitnet_file_tensor* find_tensor(std::string_view name) const;

private:
    std::map<std::string_view, size_t> keys_, names_;  // places in the lists
};

// The dimensions behind the first together.
int64_t n_rows_of(const bitnet_file_tensor& tensor);

// Rows of one tensor as floats. Where the file has a factor for a projection's output ("blk.0.attn_q.scale"), its weights
// come multiplied by it.
class TensorRows {
public:
    TensorRows(const GgufView& view, const bitnet_file_tensor& tensor);

    const bitnet_file_tensor& tensor() const { return tensor_; }
    int64_t width() const { return tensor_.shape[0]; }
    int64_t n_rows() const { return n_rows_of(tensor_); }
    int64_t n_values() const { return width() * n_rows(); }
    // Rows [row, row + n).
    void read(int64_t row, int64_t n, float* out) const;

private:
    const bitnet_file* file_;
    const bitnet_file_tensor& tensor_;
    size_t index_;
    float factor_ = 1.0f;
};

}  // namespace cli
