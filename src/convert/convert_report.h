// What a conversion tells: counts over its tensors, and everything as JSON.
#pragma once

#include <string>

#include "src/convert/model_writer.h"

namespace bitnet {

enum class ConvertAction : uint8_t { copied, encoded, ternarised };

struct ConvertReport {
    std::string source;  // paths as they were given
    std::string file;
    ConvertResult result;
};

struct ConvertTotals {
    uint64_t n_copied = 0, n_encoded = 0, n_ternarised = 0, n_inexact = 0;
    uint64_t n_source_bytes = 0;
    double worst_accuracy = 100;
    size_t worst = SIZE_MAX;  // index of the tensor that lost most
};

ConvertAction action_of(const ConvertedTensor& tensor) noexcept;
// The scale of a ternary tensor that has one for all its weights; else 0.
double scale_of(const ConvertedTensor& tensor) noexcept;
ConvertTotals totals_of(const ConvertResult& result) noexcept;
std::string report_json(const ConvertReport& report);

}  // namespace bitnet
