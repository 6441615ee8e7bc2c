// The result of a benchmark as one JSON object, and the forms it is shown in. Every form is made from the object alone, so
// they cannot disagree, and a stored one can be shown again.
#pragma once

#include <string>
#include <vector>

#include "cli_common.h"

namespace cli {

inline constexpr const char* kBenchSchema = "bitnet-bench/1";
inline constexpr const char* kBenchKernelsSchema = "bitnet-bench-kernels/1";

enum class BenchForm { text, json, csv, markdown };

struct Summary {
    double median = 0;
    double spread = 0;  // standard deviation of the samples; 0 for one
};
Summary summarize(std::vector<double> samples);

// Everything, ready to be written. Failure for an object that is no report.
std::string render_report(const nlohmann::ordered_json& report, BenchForm form);

}  // namespace cli
