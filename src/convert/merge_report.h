// What a merge tells: sums over its tensors, and everything as JSON.
#pragma once

#include <string>
#include <vector>

#include "src/convert/merged_source.h"
#include "src/convert/model_writer.h"

namespace bitnet {

struct MergeReport {
    struct Adapter {
        std::string path;
        float scale = 1.0f;
    };

    std::string base;  // paths as they were given
    std::vector<Adapter> adapters;
    std::string checkpoint;  // "": none
    std::string file;
    std::vector<std::string> names;  // of tensors
    std::vector<MergedTensor> tensors;
    ConvertResult result;
    double seconds = 0;  // measuring included

    MergedTensor totals() const noexcept;
    uint64_t n_ternary() const noexcept;
};

std::string merge_report_json(const MergeReport& report);

}  // namespace bitnet
