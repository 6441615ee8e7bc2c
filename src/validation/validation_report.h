// What a validation found: findings, bounded in number but all counted, and figures of every tensor.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bitnet.h"
#include "src/model/tensor_role.h"

namespace bitnet {

struct Finding {
    bitnet_finding_kind kind = BITNET_FINDING_FILE;
    bitnet_finding_severity severity = BITNET_FINDING_ERROR;
    bitnet_status status = BITNET_OK;  // of loading
    std::string tensor;
    std::string message;
    uint64_t count = 1;
    uint64_t index = 0;
    uint64_t offset = 0;
    bool has_offset = false;
};

struct TensorFigures {
    std::string name;
    const char* type = "";
    TensorRole role = TensorRole::other;
    uint64_t n_bytes = 0;
    bool values_checked = false;
    bool is_ternary = false;
    uint64_t n_values = 0;
    uint64_t n_zeros = 0;
    uint64_t n_zero_rows = 0;
    double scale = 0.0;
};

struct ValidationReport {
    explicit ValidationReport(size_t most) : max_findings(most) {}

    void add(Finding finding);
    bool is_valid() const { return n_of_severity[BITNET_FINDING_ERROR] == 0; }
    double ternary_zeros() const;
    double quantization_accuracy() const;

    size_t max_findings;
    std::string file;  // as given, or ""
    std::string architecture;
    std::vector<Finding> findings;
    uint64_t n_of_severity[3] = {};
    uint64_t n_missing = 0;
    uint64_t n_wrong_shapes = 0;
    std::vector<TensorFigures> tensors;
    uint64_t n_ternary_values = 0;
    uint64_t n_ternary_zeros = 0;
    uint64_t n_off_grid = 0;  // ternary values in rows with codes that mean no weight
    BytesByRole stored;
    double seconds = 0.0;
};

// bitnet-validation/1, see bitnet_validation_report_get_json.
std::string report_json(const ValidationReport& report);

}  // namespace bitnet
