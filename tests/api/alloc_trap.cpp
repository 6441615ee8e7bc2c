// malloc and its kin, replaced and counted; see tests/support/alloc_trap.h. Sizes of blocks are kept in a table of fixed
// size, so that what is given back can be taken off.
#include "tests/support/alloc_trap.h"

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define COUNTS_ALLOCATIONS 1

namespace {

struct Block {
    void* memory;
    size_t n_bytes;
};
constexpr size_t kSlots = size_t{1} << 17;
Block blocks[kSlots];
void* const kGone = reinterpret_cast<void*>(1);  // a slot that was used and must not end a search

std::atomic<bool> counting{false};
std::atomic_flag locked = ATOMIC_FLAG_INIT;
long n_calls;
int64_t live, peak;

struct Lock {
    Lock() {
        while (locked.test_and_set(std::memory_order_acquire)) {
        }
    }
    ~Lock() { locked.clear(std::memory_order_release); }
};

size_t slot_of(void* memory) { return (reinterpret_cast<uintptr_t>(memory) >> 4) * 0x9e3779b97f4a7c15u >> 47; }

void* given(void* memory, size_t n_bytes) {
    if (!counting.load(std::memory_order_relaxed)) return memory;
    const Lock lock;
    ++n_calls;
    if (memory == nullptr) return memory;
    for (size_t i = slot_of(memory), n = 0; n < kSlots; i = (i + 1) % kSlots, ++n) {
        if (blocks[i].memory != nullptr && blocks[i].memory != kGone) continue;
        blocks[i] = {memory, n_bytes};
        live += static_cast<int64_t>(n_bytes);
        if (live > peak) peak = live;
        break;
    }
    return memory;
}

// Blocks from before the counting are not in the table, and do not count.
void taken_back(void* memory) {
    if (!counting.load(std::memory_order_relaxed)) return;
    const Lock lock;
    ++n_calls;  // giving memory back counts as well: it takes locks and can return pages to the system
    for (size_t i = slot_of(memory), n = 0; n < kSlots && blocks[i].memory != nullptr; i = (i + 1) % kSlots, ++n) {
        if (blocks[i].memory != memory) continue;
        live -= static_cast<int64_t>(blocks[i].n_bytes);
        blocks[i].memory = kGone;
        break;
    }
}

}  // namespace

extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t n, size_t size);
void* __libc_realloc(void* memory, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
void __libc_free(void* memory);

void* malloc(size_t size) { return given(__libc_malloc(size), size); }
void* calloc(size_t n, size_t size) { return given(__libc_calloc(n, size), n * size); }
void* realloc(void* memory, size_t size) {
    taken_back(memory);
    return given(__libc_realloc(memory, size), size);
}
void* memalign(size_t alignment, size_t size) { return given(__libc_memalign(alignment, size), size); }
void* aligned_alloc(size_t alignment, size_t size) { return given(__libc_memalign(alignment, size), size); }
int posix_memalign(void** out, size_t alignment, size_t size) {
    *out = given(__libc_memalign(alignment, size), size);
    return *out != nullptr ? 0 : ENOMEM;
}
void free(void* memory) {
    taken_back(memory);
    __libc_free(memory);
}
}
#endif

namespace test {

bool can_count_allocations() {
#if COUNTS_ALLOCATIONS
    return true;
#else
    std::fprintf(stderr, "SKIPPED: allocations cannot be counted in this build (sanitizer, or another C library)\n");
    return false;
#endif
}

void begin_counting() {
#if COUNTS_ALLOCATIONS
    const Lock lock;
    for (Block& block : blocks) block = {};
    n_calls = 0;
    live = peak = 0;
    counting = true;
#endif
}

Allocations end_counting() {
    Allocations counted;
#if COUNTS_ALLOCATIONS
    counting = false;
    const Lock lock;
    counted = {n_calls, live, peak};
#endif
    return counted;
}

}  // namespace test
