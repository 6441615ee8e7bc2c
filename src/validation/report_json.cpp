// A report for programs: bitnet-validation/1.
#include <cmath>

#include <nlohmann/json.hpp>

#include "src/validation/validation_report.h"

namespace bitnet {
namespace {

using Json = nlohmann::ordered_json;

Json finding_json(const Finding& finding) {
    Json row = {{"kind", bitnet_finding_kind_name(finding.kind)},
                {"severity", bitnet_finding_severity_name(finding.severity)}};
    if (finding.status != BITNET_OK) row["status"] = bitnet_status_name(finding.status);
    if (!finding.tensor.empty()) row["tensor"] = finding.tensor;
    row["message"] = finding.message;
    row["count"] = finding.count;
    row["index"] = finding.index;
    if (finding.has_offset) row["offset"] = finding.offset;
    return row;
}

Json tensor_json(const TensorFigures& tensor) {
    Json row = {{"name", tensor.name},
                {"type", tensor.type},
                {"role", tensor_role_name(tensor.role)},
                {"n_bytes", tensor.n_bytes}};
    if (!tensor.values_checked) return row;
    row["n_values"] = tensor.n_values;
    row["zeros"] = static_cast<double>(tensor.n_zeros) / static_cast<double>(tensor.n_values);
    row["zero_rows"] = tensor.n_zero_rows;
    if (std::isfinite(tensor.scale)) row["scale"] = tensor.scale;
    return row;
}

}  // namespace

std::string report_json(const ValidationReport& report) {
    Json memory;
    for (size_t i = 0; i < kTensorRoleCount; ++i) {
        memory[std::string(tensor_role_name(static_cast<TensorRole>(i))) + "_bytes"] = report.stored.bytes[i];
    }
    memory["total_bytes"] = report.stored.total();
    Json findings = Json::array(), tensors = Json::array();
    for (const Finding& finding : report.findings) findings.push_back(finding_json(finding));
    for (const TensorFigures& tensor : report.tensors) tensors.push_back(tensor_json(tensor));
    const Json json = {{"schema", "bitnet-validation/1"},
                       {"library", bitnet_version_string()},
                       {"file", report.file},
                       {"architecture", report.architecture},
                       {"is_valid", report.is_valid()},
                       {"n_tensors", report.tensors.size()},
                       {"n_errors", report.n_of_severity[BITNET_FINDING_ERROR]},
                       {"n_warnings", report.n_of_severity[BITNET_FINDING_WARNING]},
                       {"n_notes", report.n_of_severity[BITNET_FINDING_NOTE]},
                       {"ternary_zeros", report.ternary_zeros()},
                       {"quantization_accuracy", report.quantization_accuracy()},
                       {"seconds", report.seconds},
                       {"memory", memory},
                       {"findings", findings},
                       {"tensors", tensors}};
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace bitnet
