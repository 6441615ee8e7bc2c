// Fibers: functions with a stack of their own that hand the CPU to each other in a few instructions. For x86-64 and AArch64
// by a switch of our own, on Windows by its fibers, elsewhere by ucontext. AddressSanitizer and ThreadSanitizer are told.
#pragma once

#include <cstddef>

#include "tests/support/sanitized.h"

#if !defined(_WIN32) && (defined(__x86_64__) || defined(__aarch64__))
#define FIBERS_BY_ASSEMBLY 1
// Pushes what a call must keep onto the stack, stores the stack pointer, takes the other one and pops the same.
extern "C" void bitnet_test_switch_stack(void** save, void* to);
#endif

namespace test {

class Fiber {
public:
    // The stack that calls this: a place to come back to. Such a fiber belongs to its thread.
    Fiber();
    // body never returns; it begins at the first switch to this fiber. number: of fibers made together, so that their
    // stacks do not share the same lines of the first cache.
    Fiber(void (*body)(), size_t number);
    ~Fiber();
    Fiber(const Fiber&) = delete;
    Fiber& operator=(const Fiber&) = delete;

    // From this fiber, which runs, to another, which waits or has not begun.
    void switch_to(Fiber& other) {
#if defined(FIBERS_BY_ASSEMBLY) && !defined(TEST_ADDRESS_SANITIZER) && !defined(TEST_THREAD_SANITIZER)
        bitnet_test_switch_stack(&stack_pointer_, other.stack_pointer_);
#else
        switch_told(other);
#endif
    }

private:
    static void begin();
    void switch_told(Fiber& other);
    void arrived();

    void* stack_pointer_ = nullptr;            // of a waiting fiber
    [[maybe_unused]] void* system_ = nullptr;  // Windows' fiber or the ucontext
    void (*body_)() = nullptr;
    std::byte* memory_ = nullptr;  // guard page, then the stack
    size_t memory_bytes_ = 0;
    const void* stack_bottom_ = nullptr;  // what AddressSanitizer wants to hear
    size_t stack_bytes_ = 0;
    [[maybe_unused]] void* fake_stack_ = nullptr;
    [[maybe_unused]] void* race_state_ = nullptr;  // ThreadSanitizer's
};

}  // namespace test
