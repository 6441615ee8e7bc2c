// What a benchmark asks of the machine besides time: its name, energy, who else uses it, the peak of memory. Linux tells
// all of it in text files; elsewhere the answers are absent.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli_common.h"

namespace cli {

// Processor, number of CPUs, memory, the library's build.
nlohmann::ordered_json describe_machine();

// Starts the peak of memory anew from what is held now; false where the system cannot.
bool reset_peak_memory();

// The energy counters of processor packages (RAPL), as /sys/class/powercap shows them; often for root only.
class EnergyMeter {
public:
    explicit EnergyMeter(const std::string& folder);
    bool available() const { return !counters_.empty(); }
    // Why not.
    const std::string& problem() const { return problem_; }
    void start();
    // Joules of all packages since start(); nothing where a counter cannot be read any more.
    std::optional<double> joules() const;

private:
    struct Counter {
        std::string path;
        uint64_t range = 0;  // it begins again from 0 there
        uint64_t begin = 0;
    };
    std::vector<Counter> counters_;
    std::string problem_;
};

// How many CPUs other programs used since it was made: a measurement is worth little while they do.
class OtherPrograms {
public:
    OtherPrograms();
    // Nothing where the system does not tell, or within a time too short for its clock.
    std::optional<double> cpus() const;

private:
    std::optional<double> busy_begin_;  // seconds of all CPUs
    double own_begin_;
    double begin_ms_;
};

}  // namespace cli
