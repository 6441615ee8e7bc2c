#include "ggml-like/thread_pool.h"

#include <string>
#include <system_error>

#include "ggml-like/tensor_error.h"
#include "ggml-like/float_environment.h"

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

namespace tg {
namespace {

// About 50 us of spinning on current x86 (a pause is some 140 cycles): longer than any gap between two operations of a
// token, shorter than a scheduler tick.
constexpr int kSpins = 1000;

inline void cpu_pause() {
#if defined(__x86_64__) || defined(__i386__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

// Waits until value differs from old and returns it.
uint32_t wait_for_change(const std::atomic<uint32_t>& value, uint32_t old) {
    for (int i = 0; i < kSpins; ++i) {
        const uint32_t now = value.load(std::memory_order_acquire);
        if (now != old) return now;
        cpu_pause();
    }
    value.wait(old, std::memory_order_acquire);
    return value.load(std::memory_order_acquire);
}

}  // namespace

void Barrier::wait() {
    if (n_threads_ == 1) return;
    const uint32_t phase = phase_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) == n_threads_ - 1) {
        arrived_.store(0, std::memory_order_relaxed);
        // Sequentially consistent, although release would order the data: notify_all looks whether anyone sleeps, and on
        // x86 that load could run ahead of a plain store - a thread falling asleep in between would never be woken.
        phase_.store(phase + 1, std::memory_order_seq_cst);
        phase_.notify_all();
    } else {
        wait_for_change(phase_, phase);
    }
}

ThreadPool::ThreadPool(int n_threads) : n_threads_(n_threads), barrier_(n_threads) {
    workers_.reserve(static_cast<size_t>(n_threads) - 1);
    try {
        for (int i = 1; i < n_threads; ++i) workers_.emplace_back([this, i] { work(i); });
    } catch (const std::system_error&) {
        stop_workers();
        throw Error(ErrorKind::out_of_memory,
                    "the system gave fewer than " + std::to_string(n_threads) + " threads; ask for fewer");
    }
}

ThreadPool::ThreadPool(const HostThreads& host) : n_threads_(host.n_threads), host_(host), barrier_(host.n_threads) {}

ThreadPool::~ThreadPool() { stop_workers(); }

void ThreadPool::stop_workers() {
    stopping_.store(true, std::memory_order_relaxed);
    generation_.fetch_add(1, std::memory_order_seq_cst);
    generation_.notify_all();
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
}

void ThreadPool::run(Job job, void* user_data) {
    DefaultFloatEnvironment environment;
    if (n_threads_ == 1) {
        job(0, user_data);
        return;
    }
    if (host_.run != nullptr) {
        run_on_host(job, user_data);
        return;
    }
    job_ = job;
    user_data_ = user_data;
    running_.store(n_threads_ - 1, std::memory_order_relaxed);
    generation_.fetch_add(1, std::memory_order_seq_cst);
    generation_.notify_all();
    job(0, user_data);
    for (int spins = 0; running_.load(std::memory_order_acquire) != 0; ++spins) {
        if (spins < kSpins) {
            cpu_pause();
            continue;
        }
        if (const int left = running_.load(std::memory_order_acquire); left != 0) {
            running_.wait(left, std::memory_order_acquire);
        }
    }
}

void ThreadPool::run_on_host(Job job, void* user_data) {
    struct Call {
        Job job;
        void* user_data;
        std::atomic<int> n_done{0};
    } call{job, user_data};
    const auto task = [](void* arg, int32_t index) {
        DefaultFloatEnvironment environment;
        Call& todo = *static_cast<Call*>(arg);
        todo.job(index, todo.user_data);
        todo.n_done.fetch_add(1, std::memory_order_acq_rel);
    };
    host_.run(host_.user_data, task, &call, n_threads_);
    if (const int n = call.n_done.load(std::memory_order_acquire); n != n_threads_) {
        throw Error(ErrorKind::device, "the host's thread pool ran " + std::to_string(n) + " tasks of " +
                                           std::to_string(n_threads_) + "; its run must call each index once");
    }
}

void ThreadPool::work(int index) {
    DefaultFloatEnvironment environment;
    uint32_t generation = 0;
    for (;;) {
        generation = wait_for_change(generation_, generation);
        if (stopping_.load(std::memory_order_relaxed)) return;
        job_(index, user_data_);
        if (running_.fetch_sub(1, std::memory_order_seq_cst) == 1) running_.notify_one();
    }
}

}  // namespace tg
