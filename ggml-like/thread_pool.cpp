#include "ggml-like/thread_pool.h"

#include <chrono>
#include <string>
#include <system_error>

#include "ggml-like/atomic_wait.h"
#include "ggml-like/float_environment.h"
#include "ggml-like/tensor_error.h"

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

// Waits until value differs from old and returns it. *slept_ns: the part of it that was no spinning.
uint32_t wait_for_change(const std::atomic<uint32_t>& value, uint32_t old, uint64_t* slept_ns) {
    for (int i = 0; i < kSpins; ++i) {
        const uint32_t now = value.load(std::memory_order_acquire);
        if (now != old) return now;
        cpu_pause();
    }
    const auto begin = std::chrono::steady_clock::now();
    wait_while_equal(value, old);
    *slept_ns += static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - begin).count());
    return value.load(std::memory_order_acquire);
}

}  // namespace

void Barrier::wait(int n_threads) {
    if (n_threads == 1) return;
    const uint32_t phase = phase_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) == n_threads - 1) {
        arrived_.store(0, std::memory_order_relaxed);
        // Sequentially consistent, although release would order the data: notify_all looks whether anyone sleeps, and on
        // x86 that load could run ahead of a plain store - a thread falling asleep in between would never be woken.
        phase_.store(phase + 1, std::memory_order_seq_cst);
        wake_all(phase_);
    } else {
        uint64_t slept = 0;
        wait_for_change(phase_, phase, &slept);
        if (slept != 0) slept_ns_.fetch_add(slept, std::memory_order_relaxed);
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

void ThreadPool::start(int n_threads) {
    const uint32_t count = (generation_.load(std::memory_order_relaxed) >> kCountBits) + 1;
    generation_.store(count << kCountBits | static_cast<uint32_t>(n_threads), std::memory_order_seq_cst);
    wake_all(generation_);
}

void ThreadPool::stop_workers() {
    stopping_.store(true, std::memory_order_relaxed);
    start(0);
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
}

void ThreadPool::run(int n_threads, Job job, void* user_data) {
    DefaultFloatEnvironment environment;
    if (n_threads == 1) {
        job(0, user_data);
        return;
    }
    if (host_.run != nullptr) {
        run_on_host(job, user_data);
        return;
    }
    job_ = job;
    user_data_ = user_data;
    running_.store(n_threads - 1, std::memory_order_relaxed);
    start(n_threads);
    job(0, user_data);
    for (int spins = 0; running_.load(std::memory_order_acquire) != 0; ++spins) {
        if (spins < kSpins) {
            cpu_pause();
            continue;
        }
        if (const int left = running_.load(std::memory_order_acquire); left != 0) {
            wait_while_equal(running_, left);
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
    uint64_t idle_ns = 0;
    for (;;) {
        generation = wait_for_change(generation_, generation, &idle_ns);
        if (stopping_.load(std::memory_order_relaxed)) return;
        if (static_cast<uint32_t>(index) >= (generation & ((1u << kCountBits) - 1))) continue;
        job_(index, user_data_);
        if (running_.fetch_sub(1, std::memory_order_seq_cst) == 1) wake_all(running_);
    }
}

}  // namespace tg
