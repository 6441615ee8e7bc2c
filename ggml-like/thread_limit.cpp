#include "ggml-like/thread_limit.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif

namespace tg {
namespace {

int quota_cpus(long long quota, long long period) {
    if (quota <= 0 || period <= 0) return 0;
    const long long cpus = quota / period + (quota % period != 0 ? 1 : 0);  // rounded up, without overflow
    return static_cast<int>(std::clamp<long long>(cpus, 1, 1 << 20));
}

bool parse(const std::string& text, long long* out) {
    const size_t begin = text.find_first_not_of(" \t\n");
    if (begin == std::string::npos) return false;
    return std::from_chars(text.data() + begin, text.data() + text.size(), *out).ec == std::errc();
}

#if defined(__linux__)
std::string read_small_file(const std::string& path) {
    std::ifstream file(path);
    std::string text;
    if (file) std::getline(file, text);
    return text;
}

// The process's own group and every ancestor can set a quota; the smallest counts.
int cgroup_cpus() {
    int best = 0;
    auto take = [&best](int cpus) {
        if (cpus > 0) best = best == 0 ? cpus : std::min(best, cpus);
    };
    std::ifstream groups("/proc/self/cgroup");
    std::string line;
    while (groups && std::getline(groups, line)) {
        const size_t first = line.find(':');
        const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
        if (second == std::string::npos) continue;
        const std::string controllers = line.substr(first + 1, second - first - 1);
        std::string path = line.substr(second + 1);
        const bool v2 = controllers.empty();
        if (!v2 && ("," + controllers + ",").find(",cpu,") == std::string::npos) continue;
        // Inside a container the path may be the host's; the mount's root is then the group itself.
        for (int depth = 0; depth < 64; ++depth) {
            if (v2) {
                take(cpus_from_cpu_max(read_small_file("/sys/fs/cgroup" + path + "/cpu.max")));
            } else {
                const std::string dir = "/sys/fs/cgroup/cpu" + path;
                take(cpus_from_cfs(read_small_file(dir + "/cpu.cfs_quota_us"), read_small_file(dir + "/cpu.cfs_period_us")));
            }
            if (path.empty() || path == "/") break;
            path.resize(path.find_last_of('/') == std::string::npos ? 0 : path.find_last_of('/'));
        }
    }
    return best;
}
#endif

}  // namespace

int cpus_from_cpu_max(const std::string& content) {
    std::istringstream stream(content);
    std::string quota_text, period_text;
    stream >> quota_text >> period_text;
    long long quota = 0, period = 0;
    if (!parse(quota_text, &quota) || !parse(period_text, &period)) return 0;  // "max" is not a number
    return quota_cpus(quota, period);
}

int cpus_from_cfs(const std::string& quota_text, const std::string& period_text) {
    long long quota = 0, period = 0;
    if (!parse(quota_text, &quota) || !parse(period_text, &period)) return 0;
    return quota_cpus(quota, period);
}

int usable_cpus() {
    int cpus = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
#if defined(__linux__)
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) == 0) cpus = std::clamp(CPU_COUNT(&set), 1, cpus);
    if (const int quota = cgroup_cpus(); quota > 0) cpus = std::min(cpus, quota);
#endif
    return cpus;
}

}  // namespace tg
