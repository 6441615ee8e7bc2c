#include "src/validation/model_validate.h"

#include <chrono>
#include <cmath>
#include <cstring>
#include <map>
#include <set>
#include <utility>

#include "src/arch/arch.h"
#include "src/base/error.h"
#include "src/gguf/gguf_text.h"
#include "src/load/hparams_read.h"
#include "src/load/model_load.h"
#include "src/load/tensor_place.h"
#include "src/load/weight_check.h"
#include "src/validation/tensor_scan.h"

namespace bitnet {
namespace {

// Failures that say nothing against the model.
bool about_the_call(bitnet_status status) {
    switch (status) {
        case BITNET_E_FILE_NOT_FOUND:
        case BITNET_E_IO:
        case BITNET_E_OUT_OF_MEMORY:
        case BITNET_E_CANCELLED:
        case BITNET_E_SECURITY_TENSOR_COUNT: return true;
        default: return false;
    }
}

bitnet_finding_kind kind_of(bitnet_status status) {
    switch (status) {
        case BITNET_E_GGUF_TENSOR_TYPE: return BITNET_FINDING_TYPE;
        case BITNET_E_GGUF_TENSOR_SHAPE:
        case BITNET_E_SECURITY_OPERATION: return BITNET_FINDING_SHAPE;
        default: return BITNET_FINDING_EXTENT;
    }
}

Finding from_error(bitnet_finding_kind kind, const Error& error, const std::string& tensor) {
    Finding finding;
    finding.kind = kind;
    finding.status = error.status();
    finding.tensor = tensor;
    finding.message = error.message();
    finding.offset = error.offset();
    finding.has_offset = error.has_offset();
    return finding;
}

// Bytes that a loaded model still has of a tensor: as stored, or the floats of a norm.
struct Held {
    const uint8_t* data;
    kern::QuantType type;
};

class Validation {
public:
    Validation(const GgufFile& file, const Model* model, const ValidationOptions& options, ValidationReport& report)
        : file_(file), options_(options), report_(report), readable_(model == nullptr || file.source().lasts()) {
        if (!readable_) collect_held(*model);
    }

    void run() {
        check_structure();
        uint64_t n_bytes = 0, done = 0;
        for (const GgufTensor& tensor : file_.tensors()) n_bytes += tensor.n_bytes;
        TensorScanner scanner(options_.n_threads);
        for (const GgufTensor& tensor : file_.tensors()) {
            TensorFigures figures;
            figures.name = tensor.name;
            figures.type = type_name(tensor);
            figures.role = tensor_role(tensor.name);
            figures.n_bytes = tensor.n_bytes;
            figures.is_ternary = kern::quant_type_info(tensor.type).ternary;
            report_.stored[figures.role] += tensor.n_bytes;
            if (options_.check_values && tensor.n_bytes != 0) check_values(tensor, scanner, done, n_bytes, figures);
            report_.tensors.push_back(std::move(figures));
            done += tensor.n_bytes;
        }
        go_on(1.0);
    }

private:
    void go_on(double progress) const {
        if (options_.on_progress && !options_.on_progress(static_cast<float>(progress))) {
            throw Error(BITNET_E_CANCELLED, "the validation was cancelled");
        }
    }

    void collect_held(const Model& model) {
        const auto hold = [&](const std::string& name, const NormWeight& norm) {
            if (!norm.empty()) held_[name] = {reinterpret_cast<const uint8_t*>(norm.data()), kern::QuantType::f32};
        };
        const auto hold_matrix = [&](const tg::Weight& weight) {
            // What a dialect was repacked to is not what was stored; it was checked then.
            const GgufTensor* stored = file_.find_tensor(weight.name);
            if (stored != nullptr && is_dialect(*stored)) return;
            if (weight.file_data != nullptr) held_[weight.name] = {weight.file_data, weight.type};
        };
        hold_matrix(model.weights.token_embd);
        hold_matrix(model.weights.output);
        hold("output_norm.weight", model.weights.output_norm);
        hold("rope_freqs.weight", model.weights.rope_freqs);
        for (size_t i = 0; i < model.weights.layers.size(); ++i) {
            for (const LayerTensor& row : model.arch->layer_tensors) {
                const LayerWeights& layer = model.weights.layers[i];
                if (row.norm != nullptr) hold("blk." + std::to_string(i) + "." + row.name, layer.*row.norm);
                if (row.matrix != nullptr) hold_matrix(layer.*row.matrix);
            }
        }
    }

    // The table of tensors against the architecture's.
    void check_structure() {
        ModelWeights weights;
        std::vector<tg::Arena> nothing;
        TensorPlacer placer(file_, &nothing, &options_.tl_tilings);
        try {
            const Hparams hparams = read_hparams(file_);
            report_.architecture = hparams.architecture;
            place_tensors_of(hparams, *find_arch(hparams.architecture), placer, weights);
        } catch (const Error& error) {
            if (about_the_call(error.status())) throw;
            report_.add(from_error(BITNET_FINDING_FILE, error, ""));
            return;
        }
        std::set<std::pair<bitnet_finding_kind, std::string>> known;  // the reader may have found a shape wrong already
        for (const Finding& finding : report_.findings) known.emplace(finding.kind, finding.tensor);
        for (TensorProblem& problem : placer.problems()) {
            Finding finding;
            finding.tensor = std::move(problem.name);
            finding.message = std::move(problem.message);
            switch (problem.kind) {
                case TensorProblem::Kind::missing:
                    finding.kind = BITNET_FINDING_MISSING;
                    finding.status = BITNET_E_GGUF_MISSING_TENSOR;
                    break;
                case TensorProblem::Kind::shape:
                    finding.kind = BITNET_FINDING_SHAPE;
                    finding.status = BITNET_E_GGUF_TENSOR_SHAPE;
                    break;
                case TensorProblem::Kind::type:
                    finding.kind = BITNET_FINDING_TYPE;
                    finding.status = BITNET_E_GGUF_TENSOR_TYPE;
                    break;
                case TensorProblem::Kind::unused:
                    finding.kind = BITNET_FINDING_UNUSED;
                    finding.status = BITNET_E_UNSUPPORTED;
                    break;
            }
            if (known.count({finding.kind, finding.tensor}) == 0) report_.add(std::move(finding));
        }
    }

    // Of a tensor whose type was not resolved the file's number is all there is.
    static const char* type_name(const GgufTensor& tensor) {
        if (tensor.n_bytes != 0) return kern::quant_type_info(tensor.type).name;
        const kern::QuantTypeInfo* info = kern::find_quant_type_by_file_id(tensor.file_type_id);
        return info != nullptr ? info->name : "unknown";
    }

    void check_values(const GgufTensor& stored, TensorScanner& scanner, uint64_t done, uint64_t n_bytes,
                      TensorFigures& figures) {
        GgufTensor tensor = stored;
        const uint8_t* data = nullptr;
        const auto held = held_.find(tensor.name);
        if (held != held_.end()) {
            data = held->second.data;
            tensor.type = held->second.type;
        }
        if (!TensorScanner::can_scan(tensor) || (!readable_ && data == nullptr)) {
            Finding finding;
            finding.kind = BITNET_FINDING_NOT_CHECKED;
            finding.severity = BITNET_FINDING_NOTE;
            finding.tensor = tensor.name;
            finding.message = TensorScanner::can_scan(tensor)
                                  ? "the values cannot be read any more: the model came from a callback, and only the "
                                    "kernel's own layout was kept"
                                  : "the values were not read: a row is longer than in any model";
            report_.add(std::move(finding));
            return;
        }
        TensorScan scan;
        float scale = 1.0f;
        std::vector<uint8_t> repacked;
        GgufTensor scanned = tensor;
        Occurrences bad_rows;
        if (is_dialect(tensor)) {
            if (!repack(tensor, repacked, &scale, bad_rows)) return;
            scanned.type = kern::QuantType::i2_s;
            scanned.ne[0] = kern::i2s_padded(tensor.ne[0]);
            data = repacked.data();
        }
        const bool finished = scanner.scan(
            file_, scanned, data,
            [&](uint64_t n) {
                go_on(static_cast<double>(done + n) / static_cast<double>(n_bytes));
                return true;
            },
            &scan);
        if (!finished) return;
        if (is_dialect(tensor)) {
            const uint64_t n_padding = static_cast<uint64_t>(scanned.n_elements() - tensor.n_elements());
            scan.n_values -= n_padding;
            scan.n_zeros -= n_padding;
            scan.bad_rows = bad_rows;
        } else if (tensor.type == kern::QuantType::i2_s) scale = i2s_scale(tensor, data);
        figures.values_checked = true;
        figures.n_values = scan.n_values;
        figures.n_zeros = scan.n_zeros;
        figures.n_zero_rows = scan.zero_rows.count;
        const uint64_t n_other = scan.n_values - scan.n_zeros - scan.not_finite.count;
        if (n_other != 0) figures.scale = scan.magnitudes / static_cast<double>(n_other) * static_cast<double>(scale);
        if (figures.is_ternary) {
            report_.n_ternary_values += scan.n_values;
            report_.n_ternary_zeros += scan.n_zeros;
            report_.n_off_grid += scan.bad_rows.count * static_cast<uint64_t>(tensor.ne[0]);
        }
        judge(tensor, scan, scale, figures);
    }

    // A dialect as I2_S codes; scale: the mean magnitude of weights that are not 0, which is the scale where there is one.
    // False where that cannot be had; then the report says why.
    bool repack(const GgufTensor& tensor, std::vector<uint8_t>& codes, float* scale, Occurrences& bad_rows) {
        try {
            const DialectTensor dialect(file_, tensor, options_.tl_tilings);
            const int64_t row_bytes = kern::dialect_code_bytes(dialect.shape());
            codes.resize(static_cast<size_t>(tensor.n_rows() * row_bytes));
            double magnitudes = 0.0;
            uint64_t n_other = 0;
            for (int64_t row = 0; row < tensor.n_rows(); ++row) {
                uint8_t* to = codes.data() + row * row_bytes;
                float row_scale = dialect.scale();
                if (dialect.try_read_codes(row, row + 1, to, &row_scale) == row)
                    bad_rows.note(static_cast<uint64_t>(row));
                uint64_t n = 0;
                for (int64_t i = 0; i < 4 * row_bytes; ++i) n += (to[i / 4] >> (2 * (i % 4)) & 3) != 1 ? 1 : 0;
                n_other += n;
                if (n != 0) magnitudes += static_cast<double>(n) * static_cast<double>(std::fabs(row_scale));
            }
            *scale = dialect.scale();
            if (dialect.has_row_scales() && n_other != 0)
                *scale = static_cast<float>(magnitudes / static_cast<double>(n_other));
            return true;
        } catch (const Error& error) {
            if (about_the_call(error.status())) throw;
            const bool type = error.status() == BITNET_E_GGUF_TENSOR_TYPE;
            Finding finding = from_error(type ? BITNET_FINDING_NOT_CHECKED : BITNET_FINDING_SCALE, error, tensor.name);
            if (type) {
                finding.severity = BITNET_FINDING_NOTE;
                finding.status = BITNET_OK;
            }
            report_.add(std::move(finding));
            return false;
        }
    }

    float i2s_scale(const GgufTensor& tensor, const uint8_t* data) const {
        const uint64_t at = static_cast<uint64_t>(tensor.n_elements()) / 4;
        float scale = 0.0f;
        if (data != nullptr)
            std::memcpy(&scale, data + at, sizeof scale);
        else
            file_.read_data(tensor, at, &scale, sizeof scale);
        return scale;
    }

    // A finding about the tensor; byte: of its data, where it is the file's.
    Finding about(const GgufTensor& tensor, bitnet_finding_kind kind, bitnet_finding_severity severity,
                  std::string message, uint64_t byte) const {
        Finding finding;
        finding.kind = kind;
        finding.severity = severity;
        finding.tensor = tensor.name;
        finding.message = std::move(message);
        finding.has_offset = readable_ && !is_dialect(tensor);  // a dialect's rows may lie anywhere
        if (finding.has_offset) finding.offset = tensor.offset + byte;
        return finding;
    }

    void judge(const GgufTensor& tensor, const TensorScan& scan, float scale, const TensorFigures& figures) {
        const uint64_t row_bytes = kern::quant_row_bytes(tensor.type, tensor.ne[0]);
        const uint32_t block = kern::quant_type_info(tensor.type).block_length;
        const std::string n_rows = std::to_string(tensor.n_rows());
        if (scan.not_finite.count != 0) {
            const uint64_t at =
                kern::quant_row_bytes(tensor.type, static_cast<int64_t>(scan.not_finite.first / block * block));
            Finding finding = about(tensor, BITNET_FINDING_NOT_FINITE, BITNET_FINDING_ERROR,
                                    std::to_string(scan.not_finite.count) + " of " + std::to_string(scan.n_values) +
                                        " values are NaN or infinite, the first is number " +
                                        std::to_string(scan.not_finite.first) + "; the file is damaged",
                                    at);
            finding.count = scan.not_finite.count;
            finding.index = scan.not_finite.first;
            // Loading looks at norms, scales and divisors, not at floats in matrices.
            const bool small = figures.role == TensorRole::norm || figures.role == TensorRole::other;
            if (small || tensor.name.ends_with(".scale")) finding.status = BITNET_E_GGUF_TENSOR_DATA;
            report_.add(std::move(finding));
        }
        if (scan.bad_rows.count != 0) {
            Finding finding = about(tensor, BITNET_FINDING_CODE, BITNET_FINDING_ERROR,
                                    std::to_string(scan.bad_rows.count) + " of " + n_rows +
                                        " rows hold codes that mean no ternary weight, the first is row " +
                                        std::to_string(scan.bad_rows.first) + "; the file is damaged or mislabelled",
                                    scan.bad_rows.first * row_bytes);
            finding.count = scan.bad_rows.count;
            finding.index = scan.bad_rows.first;
            finding.status = BITNET_E_GGUF_TENSOR_DATA;
            report_.add(std::move(finding));
        }
        judge_scale(tensor, scale);
        if (scan.all_zero()) {
            report_.add(about(tensor, BITNET_FINDING_ZERO_TENSOR, BITNET_FINDING_WARNING, "every value is zero", 0));
        } else if (scan.zero_rows.count != 0) {
            const bool by_token = figures.role == TensorRole::embedding || figures.role == TensorRole::output;
            Finding finding =
                about(tensor, BITNET_FINDING_ZERO_ROWS, by_token ? BITNET_FINDING_NOTE : BITNET_FINDING_WARNING,
                      std::to_string(scan.zero_rows.count) + " of " + n_rows + " rows are zero, the first is row " +
                          std::to_string(scan.zero_rows.first),
                      scan.zero_rows.first * row_bytes);
            finding.count = scan.zero_rows.count;
            finding.index = scan.zero_rows.first;
            report_.add(std::move(finding));
        }
    }

    // Numbers that are multiplied onto everything, or divided by.
    void judge_scale(const GgufTensor& tensor, float scale) {
        if (!(scale > 0.0f) || !std::isfinite(scale)) {
            const bool finite = std::isfinite(scale);
            Finding finding =
                about(tensor, BITNET_FINDING_SCALE, finite ? BITNET_FINDING_WARNING : BITNET_FINDING_ERROR,
                      "the tensor's scale is " + float_text(scale) + ", which no quantiser writes",
                      static_cast<uint64_t>(tensor.n_elements()) / 4);
            if (!finite) finding.status = BITNET_E_GGUF_TENSOR_DATA;
            report_.add(std::move(finding));
        }
        if (tensor.name != "rope_freqs.weight" || tensor.n_rows() != 1 || is_dialect(tensor)) return;
        NormWeight values(static_cast<size_t>(tensor.ne[0]));
        const auto held = held_.find(tensor.name);
        if (held != held_.end()) {
            std::memcpy(values.data(), held->second.data, values.size() * sizeof(float));
        } else {
            std::vector<uint8_t> bytes(static_cast<size_t>(tensor.n_bytes));
            file_.read_data(tensor, 0, bytes.data(), bytes.size());
            kern::quant_type_info(tensor.type).decode(bytes.data(), 1.0f, tensor.ne[0], values.data());
        }
        try {
            check_divisors(tensor.name, values);
        } catch (const Error& error) {
            report_.add(from_error(BITNET_FINDING_SCALE, error, tensor.name));
        }
    }

    const GgufFile& file_;
    const ValidationOptions& options_;
    ValidationReport& report_;
    const bool readable_;
    std::map<std::string, Held> held_;  // only where the file cannot be read any more
};

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

}  // namespace

GgufReadOptions collecting(GgufReadOptions read_options, ValidationReport& report) {
    read_options.on_bad_tensor = [&report](const std::string& tensor, const Error& error) {
        report.add(from_error(kind_of(error.status()), error, tensor));
    };
    return read_options;
}

void validate_gguf(const GgufFile& file, const Model* model, const ValidationOptions& options,
                   ValidationReport& report) {
    const Clock::time_point begin = Clock::now();
    report.tensors.reserve(file.tensors().size());
    Validation(file, model, options, report).run();
    report.seconds = seconds_since(begin);
}

ValidationReport validate_path(const std::string& path, GgufReadOptions read_options,
                               const ValidationOptions& options) {
    ValidationReport report(options.max_findings);
    report.file = path;
    std::shared_ptr<const GgufFile> file;
    try {
        file = GgufFile::open(path, true, collecting(std::move(read_options), report));
    } catch (const Error& error) {
        if (about_the_call(error.status())) throw;
        report.add(from_error(BITNET_FINDING_FILE, error, ""));
        return report;
    }
    validate_gguf(*file, nullptr, options, report);
    return report;
}

ValidationReport validate_model(const Model& model, const ValidationOptions& options) {
    ValidationReport report(options.max_findings);
    report.file = model.file->source().name();
    ValidationOptions with_tilings = options;
    with_tilings.tl_tilings = TlTilings(model.tl_tiling);
    validate_gguf(*model.file, &model, with_tilings, report);
    return report;
}

void refuse_invalid(const ValidationReport& report, bool warnings_too) {
    const uint64_t n_errors = report.n_of_severity[BITNET_FINDING_ERROR];
    const uint64_t n_warnings = warnings_too ? report.n_of_severity[BITNET_FINDING_WARNING] : 0;
    if (n_errors + n_warnings == 0) return;
    std::string message = "the model did not pass validation: " + std::to_string(n_errors) + " errors";
    if (warnings_too) message += " and " + std::to_string(n_warnings) + " warnings";
    std::string subject;
    for (const Finding& finding : report.findings) {
        if (finding.severity == BITNET_FINDING_NOTE || (n_errors != 0 && finding.severity != BITNET_FINDING_ERROR))
            continue;
        subject = for_message(finding.tensor);
        message +=
            "; the first: " + (subject.empty() ? "" : "tensor '" + subject + "': ") + for_message(finding.message, 512);
        break;
    }
    throw Error(BITNET_E_VALIDATION, message + "; `bitnet validate` lists all")
        .with_numbers(0, n_errors + n_warnings)
        .with_subject(subject);
}

}  // namespace bitnet
