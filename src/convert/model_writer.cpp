// Three steps: a type for each tensor, a look at those that are to become ternary, then the file. All that can be refused is
// refused before the first byte is written.
#include "src/convert/model_writer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <optional>
#include <system_error>

#include "src/base/error.h"
#include "src/base/stopwatch.h"
#include "src/gguf/gguf_keys.h"
#include "src/gguf/gguf_text.h"
#include "src/gguf/gguf_writer.h"
#include "src/model/tensor_role.h"

namespace bitnet {
namespace {

using kern::QuantType;
using kern::QuantTypeInfo;

constexpr uint32_t kQuantizationVersion = 2;  // of the block types; the only one in use
// absmean divides by no less, and a tensor without a weight other than 0 gets it: bitnet.cpp's converter does both.
constexpr float kLeastScale = 1e-5f;

std::filesystem::path path_of(const std::string& utf8) {
    return std::filesystem::path(std::u8string(utf8.begin(), utf8.end()));
}

// Before anything long begins.
void check_target(const ModelSource& source, const std::string& path) {
    const std::string shown = for_message(path, 1024);
    std::error_code ignored;
    for (const std::string& file : source.files()) {
        if (!std::filesystem::equivalent(path_of(file), path_of(path), ignored)) continue;
        throw Error(BITNET_E_ARGUMENT, shown + ": this is the model that is read; give the new file another name")
            .with_subject(shown);
    }
    const std::filesystem::path folder = path_of(path).parent_path();
    if (!folder.empty() && !std::filesystem::is_directory(folder, ignored))
        throw Error(BITNET_E_IO, shown + ": its folder does not exist; create it first").with_subject(shown);
    if (path.empty() || std::filesystem::is_directory(path_of(path), ignored))
        throw Error(BITNET_E_IO, "'" + shown + "' is not the name of a file to write").with_subject(shown);
}

uint64_t bytes_of(const SourceTensor& tensor, QuantType type) {
    uint64_t bytes = 0;
    if (kern::quant_tensor_bytes(type, tensor.ne[0], tensor.n_rows(), &bytes)) return bytes;
    const std::string shown = for_message(tensor.name);
    throw Error(BITNET_E_QUANT_INPUT, "tensor '" + shown + "' has a shape that no file holds").with_subject(shown);
}

class Conversion {
public:
    Conversion(const ModelSource& source, const std::string& path, const ConvertOptions& options)
        : source_(source), path_(path), options_(options), rewriter_(source, options.n_threads) {}

    ConvertResult run() {
        const Stopwatch watch;
        check_target(source_, path_);
        choose_types();
        look_at_tensors();
        write_file();
        result_.seconds = static_cast<double>(watch.us()) * 1e-6;
        return std::move(result_);
    }

private:
    void choose_types() {
        const std::vector<SourceTensor>& tensors = source_.tensors();
        const bool has_head = std::any_of(tensors.begin(), tensors.end(), [](const SourceTensor& tensor) {
            return tensor_role(tensor.name) == TensorRole::output && tensor.n_dims > 1;
        });
        std::array<int64_t, kern::kQuantTypeCount> layer_values{}, other_values{};
        for (size_t i = 0; i < tensors.size(); ++i) {
            const SourceTensor& tensor = tensors[i];
            if (tensor.ne[0] > TensorRewriter::kMaxRow) {
                const std::string shown = for_message(tensor.name);
                throw Error(BITNET_E_LIMIT, source_.name() + ": tensor '" + shown + "' has rows of " +
                                                std::to_string(tensor.ne[0]) + " values; no model has more than " +
                                                std::to_string(TensorRewriter::kMaxRow))
                    .with_numbers(static_cast<uint64_t>(TensorRewriter::kMaxRow), static_cast<uint64_t>(tensor.ne[0]))
                    .with_subject(shown);
            }
            ConvertedTensor out;
            out.plan.tensor = i;
            out.plan.type = choose_type(tensor, options_.types, has_head);
            if (kern::quant_type_info(out.plan.type).dialect) choose_tiling(tensor, out.plan);
            out.plan.copy = out.plan.type == tensor.stored;
            out.plan.scale = tensor.ternary_scale.value_or(1.0f);
            out.source_type = tensor.stored;
            out.n_source_bytes = bytes_of(tensor, tensor.stored);
            out.n_bytes = bytes_of(tensor, out.plan.type);
            (is_layer_matrix(tensor) ? layer_values : other_values)[static_cast<size_t>(out.plan.type)] +=
                tensor.ne[0] * tensor.n_rows();
            result_.names.push_back(tensor.name);
            result_.tensors.push_back(out);
            n_values_ += tensor.ne[0] * tensor.n_rows();
        }
        const bool has_layers = std::any_of(layer_values.begin(), layer_values.end(), [](int64_t n) { return n != 0; });
        const auto& counted = has_layers ? layer_values : other_values;
        result_.main_type = static_cast<QuantType>(std::max_element(counted.begin(), counted.end()) - counted.begin());
    }

    void choose_tiling(const SourceTensor& tensor, TensorPlan& plan) const {
        kern::DialectShape shape;
        const std::string problem =
            dialect_shape(plan.type, tensor.ne[0], tensor.n_rows(), options_.tl_tilings, &shape);
        plan.tiling = shape.tiling;
        if (problem.empty()) return;
        const std::string shown = for_message(tensor.name);
        throw Error(BITNET_E_QUANT_INPUT,
                    source_.name() + ": tensor '" + shown + "' would be one that no program reads: it " + problem)
            .with_subject(shown);
    }

    // What is not known to be ternary and shall be. Types whose scales reach no further than the source's need no look.
    bool needs_look(const ConvertedTensor& tensor) const {
        const SourceTensor& source = source_.tensors()[tensor.plan.tensor];
        if (source.ternary_scale) return false;
        if (options_.ternarise && is_layer_matrix(source)) return true;
        if (tensor.plan.copy || !kern::quant_type_info(tensor.plan.type).ternary) return false;
        return !(kern::quant_type_info(source.stored).ternary &&
                 scale_reach(source.stored) == scale_reach(tensor.plan.type));
    }

    void look_at_tensors() {
        for (const ConvertedTensor& tensor : result_.tensors) {
            const SourceTensor& source = source_.tensors()[tensor.plan.tensor];
            if (needs_look(tensor)) n_to_look_at_ += source.ne[0] * source.n_rows();
        }
        for (ConvertedTensor& tensor : result_.tensors) {
            if (!needs_look(tensor)) continue;
            const SourceTensor& source = source_.tensors()[tensor.plan.tensor];
            const QuantTypeInfo& info = kern::quant_type_info(tensor.plan.type);
            // Floats that are to be ternary have one scale, as the model was trained with.
            const int64_t reach = info.ternary ? scale_reach(tensor.plan.type) : 0;
            const TensorLook look = rewriter_.look(tensor.plan.tensor, reach, [&](int64_t n_rows) {
                n_done_ += n_rows * source.ne[0];
                tell_progress(0);
            });
            if (look.on_grid) {
                tensor.plan.scale = look.magnitude == 0.0f ? kLeastScale : look.magnitude;
            } else if (options_.ternarise && is_layer_matrix(source)) {
                const double mean = look.magnitudes / static_cast<double>(look.n_values);
                tensor.plan.ternarise = true;
                tensor.plan.copy = false;
                tensor.plan.scale = std::max(static_cast<float>(mean), kLeastScale);
            } else {
                refuse(source, info, look);
            }
        }
    }

    [[noreturn]] void refuse(const SourceTensor& tensor, const QuantTypeInfo& type, const TensorLook& look) const {
        const std::string shown = for_message(tensor.name);
        throw Error(BITNET_E_QUANT_INPUT,
                    source_.name() + ": tensor '" + shown + "' is not ternary, as " + type.name +
                        " needs it: it has weights of magnitude " + float_text(look.magnitude) + " and " +
                        float_text(look.other) + " (row " + std::to_string(look.other_row) +
                        "). Ternarise it (ternarise, --ternarize), which loses what such a model knows unless it was "
                        "trained for that, or choose q8_0, q6_k or q4_0")
            .with_subject(shown);
    }

    void write_file() {
        GgufWriter writer(options_.version);
        source_.write_metadata(writer);
        add_own_keys(writer);
        for (ConvertedTensor& tensor : result_.tensors) {
            const SourceTensor& source = source_.tensors()[tensor.plan.tensor];
            writer.add_tensor(
                source.name, tensor.plan.type, std::span<const int64_t>(source.ne, source.n_dims),
                [this, &tensor](int64_t row0, int64_t n_rows, void* dst) {
                    rewriter_.write(tensor.plan, row0, n_rows, dst, &tensor.loss);
                },
                tensor.plan.scale);
        }
        result_.n_file_bytes = writer.file_size();
        const double total = static_cast<double>(std::max<uint64_t>(result_.n_file_bytes, 1));
        writer.write(path_, [&](uint64_t done, uint64_t) {
            check_last_tensors();
            tell_progress(static_cast<double>(done) / total);
            return true;
        });
    }

    void add_own_keys(GgufWriter& writer) {
        result_.version = options_.version;
        if (const std::optional<uint32_t> number = general_file_type(result_.main_type))
            writer.add_u32(gguf_key::kFileType, *number);
        const bool has_blocks = std::any_of(
            result_.tensors.begin(), result_.tensors.end(),
            [](const ConvertedTensor& tensor) { return kern::quant_type_info(tensor.plan.type).block_length > 1; });
        if (has_blocks) writer.add_u32(gguf_key::kQuantizationVersion, kQuantizationVersion);
    }

    // A half-precision scale may be too coarse for a ternary tensor, which would then be all zero.
    void check_last_tensors() {
        for (; n_checked_ < result_.tensors.size(); ++n_checked_) {
            const ConvertedTensor& tensor = result_.tensors[n_checked_];
            const SourceTensor& source = source_.tensors()[tensor.plan.tensor];
            if (tensor.loss.n_values < source.ne[0] * source.n_rows()) return;
            if (!kern::quant_type_info(tensor.plan.type).ternary || tensor.plan.ternarise || tensor.loss.codes_equal)
                continue;
            const std::string shown = for_message(source.name);
            throw Error(BITNET_E_QUANT_SCALE,
                        source_.name() + ": tensor '" + shown + "' has the scale " + float_text(tensor.plan.scale) +
                            ", which " + kern::quant_type_info(tensor.plan.type).name + " cannot keep; choose i2_s")
                .with_subject(shown);
        }
    }

    // A look costs about as much as writing the same values does.
    void tell_progress(double written) {
        if (!options_.on_progress) return;
        const double values = static_cast<double>(std::max<int64_t>(n_values_, 1));
        const double all = static_cast<double>(n_to_look_at_) + values;
        const double done = (static_cast<double>(n_done_) + written * values) / all;
        if (options_.on_progress(static_cast<float>(std::min(done, 1.0)))) return;
        throw Error(BITNET_E_CANCELLED, for_message(path_, 1024) + ": converting was cancelled; no file was left")
            .with_subject(for_message(path_, 1024));
    }

    const ModelSource& source_;
    const std::string& path_;
    const ConvertOptions& options_;
    TensorRewriter rewriter_;
    ConvertResult result_;
    int64_t n_values_ = 0, n_to_look_at_ = 0, n_done_ = 0;
    size_t n_checked_ = 0;
};

}  // namespace

ConvertResult convert_model(const ModelSource& source, const std::string& path, const ConvertOptions& options) {
    return Conversion(source, path, options).run();
}

}  // namespace bitnet
