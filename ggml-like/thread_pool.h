// Threads, our own or the host's: one job at a time runs on all of them (fork-join). Waiting for our own spins briefly, so
// that a hand-over costs well under a microsecond, then sleeps, so that an idle context costs nothing.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace tg {

// Meeting point inside a job: wait() returns on every thread once all n of it have come. Everything written before is visible.
class Barrier {
public:
    explicit Barrier(int n_threads) : n_threads_(n_threads) {}
    void wait() { wait(n_threads_); }
    void wait(int n_threads);
    // What threads slept here, all together, since they were made.
    uint64_t slept_ns() const noexcept { return slept_ns_.load(std::memory_order_relaxed); }

private:
    const int n_threads_;
    std::atomic<uint64_t> slept_ns_{0};
    std::atomic<int> arrived_{0};
    std::atomic<uint32_t> phase_{0};
};

// Threads of the host program. run calls task(arg, i) for each i below n_tasks, in any order, at once or one after the
// other, and returns when all have returned.
struct HostThreads {
    int n_threads = 0;
    void (*run)(void* user_data, void (*task)(void* arg, int32_t index), void* arg, int32_t n_tasks) = nullptr;
    void* user_data = nullptr;
};

class ThreadPool {
public:
    // job(index, user_data) with index 0 .. n_threads-1; 0 is the caller of run().
    using Job = void (*)(int index, void* user_data);

    // Starts n_threads - 1 workers. Throws tg::Error(out_of_memory) when the system gives none.
    explicit ThreadPool(int n_threads);
    // Starts none.
    explicit ThreadPool(const HostThreads& host);
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    int size() const noexcept { return n_threads_; }
    // Tasks of the host may run one after the other: jobs must not meet at the barrier then.
    bool may_meet() const noexcept { return host_.run == nullptr; }
    Barrier& barrier() noexcept { return barrier_; }
    // Runs job on all threads and returns when all are done. One caller at a time; jobs must not throw. Throws
    // tg::Error(device) when the host left out a part.
    // The floating-point environment inside is the default one whatever the host program has set.
    void run(Job job, void* user_data) { run(n_threads_, job, user_data); }
    // The same on the first n_threads only. The host's threads always run all.
    void run(int n_threads, Job job, void* user_data);

private:
    void run_on_host(Job job, void* user_data);
    void work(int index);
    void start(int n_threads);
    void stop_workers();

    const int n_threads_;
    const HostThreads host_;
    Barrier barrier_;
    Job job_ = nullptr;
    void* user_data_ = nullptr;
    // A new value starts a job on as many threads as its low bits say. In one word, so that a thread that is late and not
    // wanted never looks at a job.
    static constexpr int kCountBits = 11;
    std::atomic<uint32_t> generation_{0};
    std::atomic<int> running_{0};
    std::atomic<bool> stopping_{false};
    std::vector<std::thread> workers_;
};

}  // namespace tg
