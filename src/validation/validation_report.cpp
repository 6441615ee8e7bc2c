#include "src/validation/validation_report.h"

#include <utility>

namespace bitnet {

void ValidationReport::add(Finding finding) {
    ++n_of_severity[finding.severity];
    if (finding.kind == BITNET_FINDING_MISSING) ++n_missing;
    if (finding.kind == BITNET_FINDING_SHAPE) ++n_wrong_shapes;
    if (findings.size() < max_findings) findings.push_back(std::move(finding));
}

double ValidationReport::ternary_zeros() const {
    return n_ternary_values == 0 ? 0.0 : static_cast<double>(n_ternary_zeros) / static_cast<double>(n_ternary_values);
}

double ValidationReport::quantization_accuracy() const {
    if (n_ternary_values == 0) return 1.0;
    return static_cast<double>(n_ternary_values - n_off_grid) / static_cast<double>(n_ternary_values);
}

}  // namespace bitnet

extern "C" {

const char* bitnet_finding_kind_name(bitnet_finding_kind kind) {
    static const char* const kNames[] = {"unknown",     "file",      "missing",    "shape", "type",
                                         "extent",      "unused",    "not_finite", "code",  "scale",
                                         "zero_tensor", "zero_rows", "not_checked"};
    const auto number = static_cast<uint32_t>(kind);
    return number < sizeof kNames / sizeof *kNames ? kNames[number] : kNames[0];
}

const char* bitnet_finding_severity_name(bitnet_finding_severity severity) {
    static const char* const kNames[] = {"note", "warning", "error"};
    const auto number = static_cast<uint32_t>(severity);
    return number < 3 ? kNames[number] : "unknown";
}

}  // extern "C"
