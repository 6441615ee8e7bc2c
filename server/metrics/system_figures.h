// Figures of the machine and of this process, from the operating system. What cannot be read is absent.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "server/core/http_message.h"

namespace serve {

// Share of the machine's CPU time that was not idle, over the interval between two readings that are at least 200 ms apart.
class CpuUtilization {
public:
    CpuUtilization();
    // 0 .. 1 over the last interval; absent where the system does not tell or no interval has passed yet.
    std::optional<double> read();

private:
    std::mutex mutex_;
    SteadyTime at_ = {};
    uint64_t busy_ = 0, all_ = 0;
    std::optional<double> last_;
};

std::optional<uint64_t> resident_bytes();
// User and system time of this process.
std::optional<double> cpu_seconds();

// Energy that the processors (their packages) took since this object was made: RAPL's counters, where they may be read. They
// wrap around after an hour or so of full load: read it more often.
class EnergyMeter {
public:
    // folder: another than the system's, for tests.
    explicit EnergyMeter(const std::string& folder = "/sys/class/powercap");
    std::optional<double> joules();

private:
    struct Package {
        std::string file;
        uint64_t range_uj = 0;
        uint64_t last_uj = 0;
    };
    std::mutex mutex_;
    std::vector<Package> packages_;
    uint64_t total_uj_ = 0;
};

}  // namespace serve
