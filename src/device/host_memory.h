// How much memory the process may have on this machine: the machine's, or its control group's where that is less. A program
// that sizes itself by the machine is killed in a container.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace bitnet {

struct HostMemory {
    uint64_t total_bytes = 0;
    uint64_t free_bytes = 0;   // at most total; what the system would drop to make room counts as free
    uint64_t limit_bytes = 0;  // of the control group; 0: none
};

// Nothing where the system does not tell. root: "" for this machine; tests give a folder that holds proc/ and sys/.
std::optional<HostMemory> host_memory(const std::string& root = "");

}  // namespace bitnet
