// Which kernels ran: collected from what the backend wrote down while it ran them, not from what was planned.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "ggml-like/graph_trace.h"

namespace bitnet {

class KernelLog {
public:
    // Takes the nodes of one run that had rows to compute.
    void add(const tg::GraphTrace& run);
    void add(const KernelLog& other);
    void clear() noexcept { seen_.clear(); }
    // "op/kernel" of each pair that ever ran, sorted.
    std::vector<std::string> names() const;

private:
    using Pair = std::pair<const char*, const char*>;
    void add(const Pair& pair);

    // Both are static storage, one address per name, and there are a dozen pairs: comparing pointers one by one is quick.
    std::vector<Pair> seen_;
};

}  // namespace bitnet
