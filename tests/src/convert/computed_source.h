// A model whose tensors are computed: ternary, with a scale that a half holds.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "src/base/error.h"
#include "src/convert/model_source.h"

namespace test {

// Tensors of computed values.
class ComputedSource final : public bitnet::ModelSource {
public:
    void add(const std::string& name, std::vector<int64_t> ne) {
        bitnet::SourceTensor tensor;
        tensor.name = name;
        tensor.n_dims = static_cast<uint32_t>(ne.size());
        for (size_t d = 0; d < ne.size(); ++d) tensor.ne[d] = ne[d];
        tensors_.push_back(tensor);
    }
    int64_t failing_row = -1;  // reading it throws
    bool rows_differ = false;  // in their scale

    const std::string& name() const noexcept override { return name_; }
    std::vector<std::string> files() const override { return {}; }
    const std::vector<bitnet::SourceTensor>& tensors() const noexcept override { return tensors_; }
    void write_metadata(bitnet::GgufWriter& writer) const override {
        writer.add_string("general.architecture", "llama");
    }
    void read_rows(size_t index, int64_t row0, int64_t n_rows, float* dst) const override {
        const int64_t k = tensors_[index].ne[0];
        for (int64_t i = 0; i < n_rows * k; ++i) {
            dst[i] = value(row0 * k + i);
            if (rows_differ) dst[i] *= static_cast<float>(1 + (row0 + i / k) % 4);
        }
        if (failing_row >= row0 && failing_row < row0 + n_rows)
            throw bitnet::Error(BITNET_E_IO, "row " + std::to_string(failing_row) + " cannot be read");
    }
    void read_stored(size_t index, int64_t row0, int64_t n_rows, void* dst) const override {
        read_rows(index, row0, n_rows, static_cast<float*>(dst));
    }
    static float value(int64_t i) { return static_cast<float>(i * 2654435761 % 3 - 1) * 0.375f; }

private:
    std::string name_ = "computed";
    std::vector<bitnet::SourceTensor> tensors_;
};

}  // namespace test
