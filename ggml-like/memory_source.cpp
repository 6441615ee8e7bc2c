#include "ggml-like/memory_source.h"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <new>
#include <thread>

namespace tg {
namespace {

// Held for three instructions. Unlike std::mutex it is constant before anything runs in every runtime (not so in MinGW's).
class SpinLock {
public:
    void lock() noexcept {
        while (held_.test_and_set(std::memory_order_acquire)) std::this_thread::yield();
    }
    void unlock() noexcept { held_.clear(std::memory_order_release); }

private:
    std::atomic_flag held_;
};

// Constant once `used` is set, so blocks are given back without the lock.
struct State {
    SpinLock lock;
    MemorySource source;
    bool used = false;
};
constinit State state;

}  // namespace

bool set_memory_source(const MemorySource& source) noexcept {
    const std::lock_guard<SpinLock> lock(state.lock);
    if (state.used) return false;
    state.source = source;
    return true;
}

void* take_memory(size_t n_bytes, size_t alignment) noexcept {
    {
        const std::lock_guard<SpinLock> lock(state.lock);
        state.used = true;
    }
    if (state.source.allocate == nullptr) return ::operator new(n_bytes, std::align_val_t(alignment), std::nothrow);
    void* memory = state.source.allocate(n_bytes, alignment, state.source.user_data);
    if (reinterpret_cast<uintptr_t>(memory) % alignment == 0) return memory;
    state.source.release(memory, n_bytes, alignment, state.source.user_data);  // unusable: kernels rely on it
    return nullptr;
}

void give_memory_back(void* memory, size_t n_bytes, size_t alignment) noexcept {
    if (memory == nullptr) return;
    if (state.source.allocate == nullptr) {
        ::operator delete(memory, std::align_val_t(alignment));
    } else {
        state.source.release(memory, n_bytes, alignment, state.source.user_data);
    }
}

}  // namespace tg
