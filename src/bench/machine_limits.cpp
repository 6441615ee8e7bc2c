// Threads read disjoint parts of one block that is far larger than caches, in several ways, then multiply from registers.
#include "src/bench/machine_limits.h"

#include <string>

#include "ggml-like/arena.h"
#include "ggml-like/thread_pool.h"
#include "kernels/cpu/cpu_features.h"
#include "kernels/limit_kernels.h"

namespace bitnet {
namespace {

struct Job {
    const kern::LimitKernel* kernel = nullptr;
    uint8_t* data = nullptr;
    size_t part = 0;  // of each thread
    int n_streams = 1;
    size_t ahead = 0;
    int64_t n_rounds = 0;
    uint64_t* results = nullptr;  // a cache line for each thread
};

constexpr size_t kLineWords = 8;

void fill_part(int index, void* user_data) {
    const Job& job = *static_cast<Job*>(user_data);
    uint8_t* part = job.data + static_cast<size_t>(index) * job.part;
    for (size_t i = 0; i < job.part; ++i) part[i] = static_cast<uint8_t>(i * 167 + static_cast<size_t>(index));
}

void read_part(int index, void* user_data) {
    const Job& job = *static_cast<Job*>(user_data);
    const auto i = static_cast<size_t>(index);
    job.results[i * kLineWords] = job.kernel->read(job.data + i * job.part, job.part, job.n_streams, job.ahead);
}

void multiply_part(int index, void* user_data) {
    const Job& job = *static_cast<Job*>(user_data);
    job.results[static_cast<size_t>(index) * kLineWords] = job.kernel->multiply(job.n_rounds);
}

// The widest loads that run here, whatever level is asked for: memory does not know levels.
const kern::LimitKernel* reading_kernel() {
    for (size_t i = 0; i < kern::limit_kernel_count(); ++i) {
        const kern::LimitKernel& kernel = kern::limit_kernel_at(i);
        if (kernel.read != nullptr && (kernel.needs & ~kern::cpu_features()) == 0) return &kernel;
    }
    return nullptr;  // scalar always reads
}

const kern::LimitKernel& multiplying_kernel(const char* level) {
    const bool any = level == nullptr || *level == '\0';
    if (const auto* kernel = kern::select_limit_kernel(any ? nullptr : level, kern::cpu_features())) return *kernel;
    std::string names;
    for (size_t i = kern::limit_kernel_count(); i-- > 0;) {
        names += (names.empty() ? "" : ", ") + std::string(kern::limit_kernel_at(i).level);
    }
    throw Error(BITNET_E_CONFIG,
                "level '" + std::string(level) + "' is none or does not run here; levels are " + names);
}

struct ReadWay {
    int n_streams;
    size_t ahead;
};
// The first is plain reading. Further ones are what was best on servers of two makers (prefetching 1.5 to 4 KiB ahead
// was all the same there).
constexpr ReadWay kReadWays[] = {{1, 0}, {1, 2048}, {2, 2048}, {4, 2048}};

void measure_reading(Job job, tg::ThreadPool& pool, const BenchBudget& budget, MachineLimits& out) {
    job.kernel = reading_kernel();
    const double n_bytes = static_cast<double>(job.part) * pool.size();
    for (const ReadWay& way : kReadWays) {
        job.n_streams = way.n_streams;
        job.ahead = way.ahead;
        const double best = time_runs(budget, [&] { pool.run(read_part, &job); }).front();
        const double rate = best > 0 ? n_bytes / best : 0;
        if (&way == &kReadWays[0]) out.plain_read_bytes_per_second = rate;
        if (rate > out.read_bytes_per_second) {
            out.read_bytes_per_second = rate;
            out.read_streams = way.n_streams;
        }
    }
}

void measure_products(Job job, tg::ThreadPool& pool, const char* level, const BenchBudget& budget, MachineLimits& out) {
    job.kernel = &multiplying_kernel(level);
    out.int8_level = job.kernel->level;
    // Runs of some milliseconds: long against a hand-over, short against the slices of a busy machine.
    constexpr double kRunSeconds = 0.004;
    job.n_rounds = 1000;
    for (;;) {
        budget.check_abort();
        const auto begin = std::chrono::steady_clock::now();
        pool.run(multiply_part, &job);
        if (seconds_since(begin) >= kRunSeconds || job.n_rounds > (int64_t{1} << 40)) break;
        job.n_rounds *= 2;
    }
    const double best = time_runs(budget, [&] { pool.run(multiply_part, &job); }).front();
    const double n_ops =
        static_cast<double>(job.n_rounds) * static_cast<double>(job.kernel->ops_per_round) * pool.size();
    out.int8_ops_per_second = best > 0 ? n_ops / best : 0;
}

}  // namespace

MachineLimits measure_limits(int n_threads, uint64_t n_bytes, const char* level, const BenchBudget& budget) {
    multiplying_kernel(level);  // throws before anything is allocated
    MachineLimits out;
    tg::ThreadPool pool(n_threads);
    const auto threads = static_cast<uint64_t>(n_threads);
    const uint64_t unit = threads * kern::kLimitReadUnit;
    const uint64_t n_units = n_bytes / unit + (n_bytes % unit != 0 || n_bytes == 0 ? 1 : 0);
    const tg::Arena block(static_cast<size_t>(n_units * unit), "measuring how fast memory is");
    const tg::Arena results(static_cast<size_t>(threads) * kLineWords * sizeof(uint64_t), "measuring");
    out.n_bytes = block.size();
    Job job;
    job.data = block.data();
    job.part = static_cast<size_t>(n_units) * kern::kLimitReadUnit;
    job.results = reinterpret_cast<uint64_t*>(results.data());
    budget.check_abort();
    pool.run(fill_part, &job);  // pages that nobody wrote are all the same zeros in one place
    measure_reading(job, pool, budget, out);
    measure_products(job, pool, level, budget, out);
    return out;
}

}  // namespace bitnet
