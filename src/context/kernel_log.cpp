#include "src/context/kernel_log.h"

#include <algorithm>

namespace bitnet {

void KernelLog::add(const tg::GraphTrace& run) {
    for (const tg::TraceRow& row : run.rows) {
        const std::pair pair(row.op, row.kernel);
        if (row.rows > 0 && std::find(seen_.begin(), seen_.end(), pair) == seen_.end()) seen_.push_back(pair);
    }
}

std::vector<std::string> KernelLog::names() const {
    std::vector<std::string> names;
    for (const auto& [op, kernel] : seen_) names.push_back(std::string(op) + "/" + kernel);
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
}

}  // namespace bitnet
