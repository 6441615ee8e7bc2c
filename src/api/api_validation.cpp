// Validation of models and files, and what its report says.
#include <utility>

#include "src/api/api_guard.h"
#include "src/api/handles.h"
#include "src/api/param_read.h"
#include "src/validation/model_validate.h"

using namespace bitnet;

struct bitnet_validation_report {
    bitnet::ValidationReport report;
    bitnet_memory_breakdown stored;  // for bitnet_validation_info
};

namespace {

constexpr size_t kDefaultFindings = 1000;

struct ReadParams {
    ValidationOptions options;
    GgufReadOptions read_options;
};

ReadParams read(const bitnet_validation_params* params) {
    const bitnet_validation_params full = read_params(params, bitnet_validation_params_init);
    ReadParams out;
    out.options.check_values = full.check_values != 0;
    out.options.n_threads = loading_threads(full.n_threads);
    out.options.max_findings = full.max_findings != 0 ? full.max_findings : kDefaultFindings;
    if (full.tl_tiling != nullptr) out.options.tl_tilings = TlTilings(full.tl_tiling);
    if (full.on_progress != nullptr) {
        out.options.on_progress = [callback = full.on_progress, user_data = full.progress_user_data](float progress) {
            return callback(progress, user_data) == 0;
        };
    }
    if (full.max_tensors != 0) out.read_options.limits.allowed_tensors = full.max_tensors;
    return out;
}

bitnet_validation_report* handle_of(ValidationReport&& report) {
    bitnet_memory_breakdown stored = breakdown_of(report.stored);
    stored.struct_size = sizeof stored;
    return new bitnet_validation_report{std::move(report), stored};
}

const ValidationReport& checked(const bitnet_validation_report* report) {
    require(report != nullptr, "the report is NULL");
    return report->report;
}

template <typename Row>
const Row& row_at(const std::vector<Row>& rows, size_t index, const char* what) {
    if (index < rows.size()) return rows[index];
    throw Error(BITNET_E_NOT_FOUND, "the report has " + std::to_string(rows.size()) + " " + what +
                                        ", none with index " + std::to_string(index));
}

}  // namespace

extern "C" {

void bitnet_validation_params_init(bitnet_validation_params* params, uint32_t struct_size) {
    bitnet_validation_params defaults;
    std::memset(&defaults, 0, sizeof defaults);
    defaults.check_values = 1;
    write_params(params, struct_size, defaults);
}

bitnet_status bitnet_model_validate(const bitnet_model* model, const bitnet_validation_params* params,
                                    bitnet_validation_report** out_report) {
    if (out_report != nullptr) *out_report = nullptr;
    return api_call(__func__, about(model), [&] {
        require(model != nullptr && out_report != nullptr, "bitnet_model_validate: a pointer is NULL");
        const Model& m = model->state->model;
        if (m.arch == nullptr) {
            throw Error(BITNET_E_STATE,
                        "the model was loaded with vocab_only and has no weights; load it again without");
        }
        *out_report = handle_of(validate_model(m, read(params).options));
    });
}

bitnet_status bitnet_model_validate_file(const char* path, const bitnet_validation_params* params,
                                         bitnet_validation_report** out_report) {
    if (out_report != nullptr) *out_report = nullptr;
    return api_call(__func__, about(path), [&] {
        require(path != nullptr && out_report != nullptr, "bitnet_model_validate_file: a pointer is NULL");
        const ReadParams full = read(params);
        *out_report = handle_of(validate_path(path, full.read_options, full.options));
    });
}

void bitnet_validation_report_free(bitnet_validation_report* report) { delete report; }

bitnet_status bitnet_validation_report_get_info(const bitnet_validation_report* report,
                                                bitnet_validation_info* out_info) {
    return api_call(__func__, [&] {
        const ValidationReport& r = checked(report);
        bitnet_validation_info info{};
        info.is_valid = r.is_valid() ? 1 : 0;
        info.architecture = r.architecture.c_str();
        info.n_tensors = r.tensors.size();
        info.n_errors = r.n_of_severity[BITNET_FINDING_ERROR];
        info.n_warnings = r.n_of_severity[BITNET_FINDING_WARNING];
        info.n_notes = r.n_of_severity[BITNET_FINDING_NOTE];
        info.n_findings = r.findings.size();
        info.n_missing = r.n_missing;
        info.n_wrong_shapes = r.n_wrong_shapes;
        info.n_ternary_values = r.n_ternary_values;
        info.ternary_zeros = r.ternary_zeros();
        info.seconds = r.seconds;
        info.stored = &report->stored;
        info.quantization_accuracy = r.quantization_accuracy();
        write_info(out_info, info);
    });
}

bitnet_status bitnet_validation_report_get_finding(const bitnet_validation_report* report, size_t index,
                                                   bitnet_validation_finding* out_finding) {
    return api_call(__func__, [&] {
        const Finding& finding = row_at(checked(report).findings, index, "findings");
        bitnet_validation_finding info{};
        info.kind = finding.kind;
        info.severity = finding.severity;
        info.status = finding.status;
        info.tensor = finding.tensor.c_str();
        info.message = finding.message.c_str();
        info.count = finding.count;
        info.index = finding.index;
        info.offset = finding.offset;
        info.has_offset = finding.has_offset ? 1 : 0;
        write_info(out_finding, info);
    });
}

bitnet_status bitnet_validation_report_get_tensor(const bitnet_validation_report* report, size_t index,
                                                  bitnet_validation_tensor* out_tensor) {
    return api_call(__func__, [&] {
        const TensorFigures& tensor = row_at(checked(report).tensors, index, "tensors");
        bitnet_validation_tensor info{};
        info.name = tensor.name.c_str();
        info.type = tensor.type;
        info.role = tensor_role_name(tensor.role);
        info.n_bytes = tensor.n_bytes;
        info.values_checked = tensor.values_checked ? 1 : 0;
        info.is_ternary = tensor.is_ternary ? 1 : 0;
        info.n_values = tensor.n_values;
        info.n_zeros = tensor.n_zeros;
        info.n_zero_rows = tensor.n_zero_rows;
        info.scale = tensor.scale;
        write_info(out_tensor, info);
    });
}

bitnet_status bitnet_validation_report_get_json(const bitnet_validation_report* report, char* buffer, size_t capacity,
                                                size_t* out_size) {
    return api_call(__func__, [&] { write_text(report_json(checked(report)), buffer, capacity, out_size); });
}

}  // extern "C"
