// proc(5) and the powercap interface of Linux; elsewhere the files are not there and everything is absent.
#include "server/metrics/system_figures.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace serve {

namespace {

using namespace std::chrono_literals;

// Clock ticks of all CPUs since the start of the machine.
bool read_ticks(uint64_t& busy, uint64_t& all) {
    std::ifstream file("/proc/stat");
    std::string name;
    uint64_t user = 0, nice = 0, system = 0, idle = 0, waiting = 0, irq = 0, softirq = 0, stolen = 0;
    if (!(file >> name >> user >> nice >> system >> idle >> waiting >> irq >> softirq >> stolen)) return false;
    busy = user + nice + system + irq + softirq + stolen;
    all = busy + idle + waiting;
    return true;
}

std::optional<uint64_t> read_number(const std::string& path) {
    std::ifstream file(path);
    uint64_t number = 0;
    if (!(file >> number)) return std::nullopt;
    return number;
}

}  // namespace

CpuUtilization::CpuUtilization() {
    if (read_ticks(busy_, all_)) at_ = std::chrono::steady_clock::now();
}

std::optional<double> CpuUtilization::read() {
    const std::lock_guard lock(mutex_);
    const SteadyTime now = std::chrono::steady_clock::now();
    uint64_t busy = 0, all = 0;
    if (now - at_ < 200ms || !read_ticks(busy, all) || all <= all_) return last_;
    // Single counters may go back a little (proc(5) on idle and waiting).
    const uint64_t n_busy = busy > busy_ ? busy - busy_ : 0, n_all = all - all_;
    last_ = n_busy > n_all ? 1.0 : static_cast<double>(n_busy) / static_cast<double>(n_all);
    at_ = now;
    busy_ = busy;
    all_ = all;
    return last_;
}

std::optional<uint64_t> resident_bytes() {
    std::ifstream file("/proc/self/statm");
    uint64_t size = 0, resident = 0;
    if (!(file >> size >> resident)) return std::nullopt;
    return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

std::optional<double> cpu_seconds() {
    std::ifstream file("/proc/self/stat");
    std::string line;
    if (!std::getline(file, line)) return std::nullopt;
    // The program's name, the second field, may hold spaces and brackets; utime and stime are the 14th and 15th.
    std::istringstream rest(line.substr(std::min(line.rfind(')') + 1, line.size())));
    std::string field;
    for (int i = 3; i < 14; i++) rest >> field;
    uint64_t user = 0, system = 0;
    if (!(rest >> user >> system)) return std::nullopt;
    return static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

EnergyMeter::EnergyMeter(const std::string& folder) {
    std::error_code problem;
    for (const auto& entry : std::filesystem::directory_iterator(folder, problem)) {
        // "intel-rapl:0" is a package (AMD's too); "intel-rapl:0:0" a part that its package counts already.
        const std::string name = entry.path().filename().string();
        if (!name.starts_with("intel-rapl:") || name.find(':') != name.rfind(':')) continue;
        Package package;
        package.file = (entry.path() / "energy_uj").string();
        const std::optional<uint64_t> now = read_number(package.file);
        const std::optional<uint64_t> range = read_number((entry.path() / "max_energy_range_uj").string());
        if (!now || !range) continue;  // since 2020 for root only (CVE-2020-8694)
        package.last_uj = *now;
        package.range_uj = *range;
        packages_.push_back(std::move(package));
    }
}

std::optional<double> EnergyMeter::joules() {
    const std::lock_guard lock(mutex_);
    if (packages_.empty()) return std::nullopt;
    for (Package& package : packages_) {
        const std::optional<uint64_t> now = read_number(package.file);
        if (!now) return std::nullopt;
        total_uj_ += *now >= package.last_uj ? *now - package.last_uj : *now + package.range_uj - package.last_uj;
        package.last_uj = *now;
    }
    return static_cast<double>(total_uj_) / 1e6;
}

}  // namespace serve
