// Linux: /proc/meminfo, and the files of cgroup 2 or 1 for the process's group and all above it.
#include "src/device/host_memory.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <string_view>

namespace bitnet {

#if defined(__linux__)
namespace {

// What cgroup 1 writes for "no limit" is the largest multiple of a page below 2^63.
constexpr uint64_t kNoLimit = uint64_t{1} << 60;

std::optional<uint64_t> parse_number(std::string_view text) {
    const size_t begin = text.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return std::nullopt;
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data() + begin, text.data() + text.size(), value);
    if (error != std::errc()) return std::nullopt;  // "max"
    const std::string_view rest(end, static_cast<size_t>(text.data() + text.size() - end));
    const bool ends = rest.empty() || rest.front() == ' ' || rest.front() == '\t' || rest.front() == '\n';
    return ends ? std::optional(value) : std::nullopt;
}

std::optional<uint64_t> number_in(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    return file && std::getline(file, line) ? parse_number(line) : std::nullopt;
}

// The number behind a key at the beginning of a line: "MemTotal:  16 kB", "inactive_file 4096".
std::optional<uint64_t> number_of_key(const std::string& path, std::string_view key) {
    std::ifstream file(path);
    std::string line;
    while (file && std::getline(file, line)) {
        if (line.starts_with(key)) return parse_number(std::string_view(line).substr(key.size()));
    }
    return std::nullopt;
}

struct GroupFiles {
    const char* mount;
    const char* limit;
    const char* usage;
    const char* inactive;  // key of memory.stat: pages of files that the kernel drops before it refuses memory
};
constexpr GroupFiles kVersion2 = {"/sys/fs/cgroup", "/memory.max", "/memory.current", "inactive_file "};
constexpr GroupFiles kVersion1 = {"/sys/fs/cgroup/memory", "/memory.limit_in_bytes", "/memory.usage_in_bytes",
                                  "total_inactive_file "};

// Narrows what there is by one group's limit and by what its members use of it.
void apply_group(const std::string& folder, const GroupFiles& files, HostMemory& memory) {
    const std::optional<uint64_t> limit = number_in(folder + files.limit);
    if (!limit || *limit == 0 || *limit >= kNoLimit) return;
    const uint64_t usage = number_in(folder + files.usage).value_or(0);
    const uint64_t inactive = number_of_key(folder + "/memory.stat", files.inactive).value_or(0);
    const uint64_t held = usage - std::min(usage, inactive);
    memory.limit_bytes = memory.limit_bytes == 0 ? *limit : std::min(memory.limit_bytes, *limit);
    memory.total_bytes = std::min(memory.total_bytes, *limit);
    memory.free_bytes = std::min(memory.free_bytes, *limit - std::min(*limit, held));
}

// A group and its ancestors. Inside a container the path may be the host's; the mount's root is then the group itself.
void apply_groups(const std::string& root, const GroupFiles& files, std::string path, HostMemory& memory) {
    if (path.find("..") != std::string::npos) path.clear();  // above what this namespace shows
    for (int depth = 0; depth < 64; ++depth) {
        apply_group(root + files.mount + (path == "/" ? "" : path), files, memory);
        if (path.empty() || path == "/") return;
        const size_t slash = path.find_last_of('/');
        path.resize(slash == std::string::npos ? 0 : slash);
    }
}

bool names_memory(std::string_view controllers) {
    return ("," + std::string(controllers) + ",").find(",memory,") != std::string::npos;
}

}  // namespace

std::optional<HostMemory> host_memory(const std::string& root) {
    constexpr uint64_t kKilobyte = 1024, kMost = UINT64_MAX / kKilobyte;
    const std::optional<uint64_t> total = number_of_key(root + "/proc/meminfo", "MemTotal:");
    if (!total || *total > kMost) return std::nullopt;
    HostMemory memory;
    memory.total_bytes = *total * kKilobyte;
    const uint64_t available = number_of_key(root + "/proc/meminfo", "MemAvailable:").value_or(0);
    memory.free_bytes = std::min(available, *total) * kKilobyte;
    std::ifstream groups(root + "/proc/self/cgroup");
    std::string line;
    while (groups && std::getline(groups, line)) {
        const size_t first = line.find(':');
        const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
        if (second == std::string::npos) continue;
        const std::string_view controllers = std::string_view(line).substr(first + 1, second - first - 1);
        if (controllers.empty()) apply_groups(root, kVersion2, line.substr(second + 1), memory);
        if (names_memory(controllers)) apply_groups(root, kVersion1, line.substr(second + 1), memory);
    }
    memory.free_bytes = std::min(memory.free_bytes, memory.total_bytes);
    return memory;
}
#else
std::optional<HostMemory> host_memory(const std::string&) { return std::nullopt; }
#endif

}  // namespace bitnet
