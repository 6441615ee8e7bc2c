// A GGUF file, or all parts of a split one, as a model to convert: every type that the reader knows. A ternary dialect is
// told as I2_S, or as floats where its rows have scales of their own.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "src/convert/model_source.h"
#include "src/gguf/dialect_tensor.h"
#include "src/gguf/gguf_reader.h"

namespace bitnet {

struct GgufSourceOptions {
    bool i2s_arm_order = false;  // I2_S blocks are those of a bitnet.cpp built for ARM, see kernels/ternary_layouts.h
    TlTilings tl_tilings;        // of TL1 and TL2 tensors
    GgufLimits limits;
};

// Failures: those of GgufFile, and BITNET_E_GGUF_TENSOR_DATA for codes and scales that no encoder writes.
class GgufSource final : public ModelSource {
public:
    // Read through the descriptor, not mapped: a conversion reads once, and mapped pages would count as its memory.
    static std::unique_ptr<GgufSource> open(const std::string& path, const GgufSourceOptions& options = {});
    GgufSource(std::shared_ptr<const GgufFile> file, const GgufSourceOptions& options);

    const std::string& name() const noexcept override { return name_; }
    std::vector<std::string> files() const override;
    const std::vector<SourceTensor>& tensors() const noexcept override { return tensors_; }
    void write_metadata(GgufWriter& writer) const override;
    void read_rows(size_t tensor, int64_t row0, int64_t n_rows, float* dst) const override;
    void read_stored(size_t tensor, int64_t row0, int64_t n_rows, void* dst) const override;

private:
    void tell_dialect(const GgufTensor& tensor, SourceTensor& out) const;
    std::shared_ptr<const DialectTensor> dialect(size_t index) const;

    std::shared_ptr<const GgufFile> file_;
    std::string name_;
    std::vector<SourceTensor> tensors_;  // the same order as the file's
    const GgufSourceOptions options_;
    // The dialect's tensor that was read last, whole, because its rows are scattered: a conversion takes one after the other.
    mutable std::mutex dialect_mutex_;
    mutable std::shared_ptr<const DialectTensor> dialect_;
    mutable size_t dialect_index_ = 0;
};

}  // namespace bitnet
