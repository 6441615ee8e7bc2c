// Reads /proc and /sys.
#include "bench_machine.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <thread>

namespace cli {
namespace {

namespace fs = std::filesystem;

std::string first_line(const fs::path& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

std::optional<uint64_t> read_number(const fs::path& path) {
    const std::string line = first_line(path);
    uint64_t number = 0;
    const auto result = std::from_chars(line.data(), line.data() + line.size(), number);
    if (result.ec != std::errc() || result.ptr == line.data()) return std::nullopt;
    return number;
}

// "model name : AMD EPYC ..." of x86, "Hardware : ..." of some others.
std::string processor_name() {
    std::ifstream file("/proc/cpuinfo");
    std::string line;
    while (std::getline(file, line)) {
        if (!line.starts_with("model name") && !line.starts_with("Hardware")) continue;
        const size_t colon = line.find(':');
        const size_t begin = colon == std::string::npos ? colon : line.find_first_not_of(" \t", colon + 1);
        if (begin != std::string::npos) return line.substr(begin);
    }
    return "unknown";
}

double own_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

// The first line of /proc/stat: cpu user nice system idle iowait irq softirq steal ..., in hundredths of a second.
std::optional<double> busy_seconds() {
    std::ifstream file("/proc/stat");
    std::string label;
    uint64_t user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, soft_irq = 0;
    if (!(file >> label >> user >> nice >> system >> idle >> wait >> irq >> soft_irq)) return std::nullopt;
    return static_cast<double>(user + nice + system + irq + soft_irq) / 100;
}

}  // namespace

nlohmann::ordered_json describe_machine() {
    bitnet_device_info device = {};
    device.struct_size = sizeof device;
    check(bitnet_device_get_info("cpu", &device));
    bitnet_device_memory memory = {};
    memory.struct_size = sizeof memory;
    const bool has_memory = bitnet_device_get_memory("cpu", &memory) == BITNET_OK;
    nlohmann::ordered_json machine = {{"processor", processor_name()},
                                      {"cpus", std::thread::hardware_concurrency()},
                                      {"usable_threads", bitnet_cpu_get_thread_limit()},
                                      {"levels", device.simd},
                                      {"memory_bytes", nullptr},
                                      {"library", bitnet_build_info()}};
    if (has_memory) machine["memory_bytes"] = memory.total;
    return machine;
}

bool reset_peak_memory() {
    std::FILE* file = std::fopen("/proc/self/clear_refs", "w");
    if (file == nullptr) return false;
    const bool written = std::fputs("5", file) >= 0;
    return std::fclose(file) == 0 && written;
}

EnergyMeter::EnergyMeter(const std::string& folder) {
    std::error_code error;
    bool seen = false;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
        // Packages only: their parts (cores, memory controller) are counted in them.
        if (!first_line(entry->path() / "name").starts_with("package")) continue;
        seen = true;
        const fs::path path = entry->path() / "energy_uj";
        if (!read_number(path)) continue;
        counters_.push_back({path.string(), read_number(entry->path() / "max_energy_range_uj").value_or(0), 0});
    }
    if (counters_.empty())
        problem_ = seen ? folder + ": the energy counters may be read by root only" : folder + ": no energy counters";
}

void EnergyMeter::start() {
    for (Counter& counter : counters_) counter.begin = read_number(counter.path).value_or(0);
}

std::optional<double> EnergyMeter::joules() const {
    double sum = 0;
    for (const Counter& counter : counters_) {
        const std::optional<uint64_t> now = read_number(counter.path);
        if (!now || (*now < counter.begin && counter.range == 0)) return std::nullopt;
        sum += static_cast<double>(*now >= counter.begin ? *now - counter.begin : *now + counter.range - counter.begin);
    }
    if (counters_.empty()) return std::nullopt;
    return sum * 1e-6;
}

OtherPrograms::OtherPrograms() : busy_begin_(busy_seconds()), own_begin_(own_seconds()), begin_ms_(now_ms()) {}

std::optional<double> OtherPrograms::cpus() const {
    constexpr double kLeastSeconds = 0.2;  // ticks of both clocks are hundredths
    const double seconds = (now_ms() - begin_ms_) / 1000;
    const std::optional<double> busy = busy_seconds();
    if (!busy || !busy_begin_ || seconds < kLeastSeconds) return std::nullopt;
    return std::max(0.0, (*busy - *busy_begin_ - (own_seconds() - own_begin_)) / seconds);
}

}  // namespace cli
