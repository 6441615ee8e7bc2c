#include "src/context/kernel_log.h"

#include <algorithm>
#include <cstring>

namespace bitnet {

void KernelLog::add(const tg::GraphTrace& run) {
    for (const tg::TraceRow& row : run.rows) {
        // A text with adapters has no receipt: the room that a context has for them did nothing here, or worked for others
        // in the same pass.
        if (std::strncmp(row.op, "lora_", 5) == 0) continue;
        if (row.rows > 0) add({row.op, row.kernel});
    }
}

void KernelLog::add(const KernelLog& other) {
    for (const Pair& pair : other.seen_) add(pair);
}

void KernelLog::add(const Pair& pair) {
    if (std::find(seen_.begin(), seen_.end(), pair) == seen_.end()) seen_.push_back(pair);
}

std::vector<std::string> KernelLog::names() const {
    std::vector<std::string> names;
    for (const auto& [op, kernel] : seen_) names.push_back(std::string(op) + "/" + kernel);
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
}

}  // namespace bitnet
