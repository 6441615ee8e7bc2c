// A model with fine-tunings merged into its weights, as a ModelSource: a base, tensors of a full checkpoint in place of the
// base's, LoRA adapters added on top. Matrices that were ternary become ternary again, or floats.
//
// Back to ternary. A matrix that adapters change keeps the base's scale s as the step: codes are clip(round(w / s), -1, 1),
// because the adapter was trained beside weights {-s, 0, s}, and mean |w|, which is s times the share of weights that are not
// zero, would round at another place and shrink the matrix. The scale is then fitted to the codes by least squares (s again
// where nothing changed). A float matrix of a checkpoint is rounded as BitNet b1.58 is trained: s = mean |w|, codes
// clip(round(w / s), -1, 1); one that is ternary already comes as it is. What does not fit is lost, and how much is measured
// here, tensor by tensor.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "src/convert/lora_file.h"
#include "src/convert/model_source.h"

namespace bitnet {

// What merging did to a tensor. base, merged: the weights before, and with every change in floats; kept: what is given out.
struct MergedTensor {
    size_t tensor = 0;     // index in the source
    bool ternary = false;  // kept is ternary
    float scale = 0.0f;    // then
    float step = 0.0f;     // and what was rounded by
    uint64_t n_values = 0;
    uint64_t n_codes_changed = 0;  // signs (-, 0, +) of kept that are not those of base
    double base_squares = 0;       // sums of squares, and of products
    double merged_squares = 0;
    double kept_squares = 0;
    double merged_kept = 0;
    double change_squares = 0;  // of merged - base
    double error_squares = 0;   // of merged - kept
    double change_kept = 0;     // of (merged - base) * (kept - base)

    double share_changed() const noexcept;
    double change() const noexcept;             // |merged - base| / |base|
    double relative_error() const noexcept;     // |kept - merged| / |merged|
    double cosine() const noexcept;             // of kept and merged; 1 where both are zero
    double change_kept_share() const noexcept;  // of the change, along itself, that kept has; 1 where there is none
    void add(const MergedTensor& other) noexcept;
};

struct MergeOptions {
    bool ternary = true;  // what was ternary becomes so again; else f16
    int n_threads = 1;
};

class MergedSource final : public ModelSource {
public:
    // checkpoint: null, or a model of the same tensors (in float: a folder or a file of masters), whose matrices replace those of
    // the base; other tensors too where it has them. Reads every tensor that changes, twice.
    // Throws what the sources throw; BITNET_E_GGUF_TENSOR_SHAPE where base and checkpoint differ;
    // BITNET_E_NOT_FOUND for a checkpoint that has none of the base's matrices; BITNET_E_QUANT_INPUT where sums are not finite.
    MergedSource(std::unique_ptr<ModelSource> base, std::unique_ptr<ModelSource> checkpoint,
                 std::vector<LoraFile> adapters, const MergeOptions& options);
    ~MergedSource() override;

    const std::vector<MergedTensor>& merged() const noexcept { return report_; }

    const std::string& name() const noexcept override { return base_->name(); }
    std::vector<std::string> files() const override;
    const std::vector<SourceTensor>& tensors() const noexcept override { return tensors_; }
    void write_metadata(GgufWriter& writer) const override { base_->write_metadata(writer); }
    void read_rows(size_t tensor, int64_t row0, int64_t n_rows, float* dst) const override;
    void read_stored(size_t tensor, int64_t row0, int64_t n_rows, void* dst) const override;

private:
    struct Change {
        bool changed = false;
        bool ternary = false;  // kept as codes times scale
        float step = 0.0f;
        float scale = 0.0f;
        size_t replacement = SIZE_MAX;  // in the checkpoint
        std::vector<const LoraChange*> loras;
    };

    void find_replacements();
    void measure(size_t tensor, int n_threads);
    void read_merged(size_t tensor, int64_t row0, int64_t n_rows, float* dst) const;
    void keep(const Change& change, int64_t n, float* values) const;

    const std::unique_ptr<ModelSource> base_;
    const std::unique_ptr<ModelSource> checkpoint_;
    const std::vector<LoraFile> adapters_;
    const bool ternary_;
    std::vector<SourceTensor> tensors_;
    std::vector<Change> changes_;  // by tensor
    std::vector<MergedTensor> report_;
};

}  // namespace bitnet
