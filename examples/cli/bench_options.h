// The options of `bitnet bench`, shared by its two halves: whole models and kernels alone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench_machine.h"
#include "cli_common.h"

namespace cli {

struct BenchOptions {
    std::string path;       // of a model; empty with synthetic empty: the one that is built in
    std::string synthetic;  // a shape
    std::string head = "q8_0";
    std::string save;  // keep the synthetic model there
    std::string kernel, quantization, device;
    bool no_mmap = false;
    bool all_logits = false;
    int32_t type_k = BITNET_KV_F16, type_v = BITNET_KV_F16;
    std::vector<int32_t> prompts = {512}, generated = {128}, depths = {0}, threads, batches = {1};
    int32_t repetitions = 5;
    int32_t top_k = 1;  // of each token's choice; 0: of all
    int32_t n_ubatch = 512;
    int32_t limit_ms = 300;
    int32_t limit_mib = 0;
    int32_t kernel_ms = 100;
    bool kernels = false;
    std::string powercap = "/sys/class/powercap";
};

// The machine's limits with so many threads, as a member of "limits"; null with --limit-ms 0.
nlohmann::ordered_json measure_limits(const BenchOptions& options, int32_t n_threads);
// The share that a rate is of a limit: null where one of them is not there.
nlohmann::ordered_json share_of(double rate, const nlohmann::ordered_json& limit, const char* key);
// The level that --kernel stands for; "" for none.
std::string level_of_kernel(const std::string& name);

// Each fills a report as far as it comes before a signal.
void bench_model(const BenchOptions& options, nlohmann::ordered_json& report);
void bench_kernels(const BenchOptions& options, nlohmann::ordered_json& report);

}  // namespace cli
