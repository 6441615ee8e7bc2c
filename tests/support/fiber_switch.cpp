// See fiber_switch.h.
#include "tests/support/fiber_switch.h"

#include <cstdint>
#include <new>

#if defined(_WIN32)
#include <windows.h>
#else
#include <sys/mman.h>
#include <unistd.h>
#if !defined(FIBERS_BY_ASSEMBLY)
#include <ucontext.h>
#endif
#endif

#if defined(TEST_ADDRESS_SANITIZER)
extern "C" {
void __sanitizer_start_switch_fiber(void** fake_stack_save, const void* bottom, size_t size);
void __sanitizer_finish_switch_fiber(void* fake_stack_save, const void** bottom_old, size_t* size_old);
void __asan_unpoison_memory_region(void const volatile* address, size_t size);
}
#endif
#if defined(TEST_THREAD_SANITIZER)
extern "C" {
void* __tsan_get_current_fiber(void);
void* __tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void* fiber);
void __tsan_switch_to_fiber(void* fiber, unsigned flags);
}
#endif

#if defined(FIBERS_BY_ASSEMBLY)
#define FIBER_TEXT_(x) #x
#define FIBER_TEXT(x) FIBER_TEXT_(x)
#define FIBER_SYMBOL FIBER_TEXT(__USER_LABEL_PREFIX__) "bitnet_test_switch_stack"
#if defined(__x86_64__)
// A plain return: all fibers switch at the same call, so the CPU guesses its target from that call.
asm(".text\n.p2align 4\n.globl " FIBER_SYMBOL "\n" FIBER_SYMBOL
    ":\n"
#if defined(__CET__)
    "endbr64\n"
#endif
    "pushq %rbp\npushq %rbx\npushq %r12\npushq %r13\npushq %r14\npushq %r15\n"
    "movq %rsp, (%rdi)\n"
    "movq %rsi, %rsp\n"
    "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbx\npopq %rbp\n"
    "ret\n");
#else
asm(".text\n.p2align 4\n.globl " FIBER_SYMBOL "\n" FIBER_SYMBOL
    ":\n"
    "sub sp, sp, #160\n"
    "stp x19, x20, [sp]\nstp x21, x22, [sp, #16]\nstp x23, x24, [sp, #32]\nstp x25, x26, [sp, #48]\n"
    "stp x27, x28, [sp, #64]\nstp x29, x30, [sp, #80]\n"
    "stp d8, d9, [sp, #96]\nstp d10, d11, [sp, #112]\nstp d12, d13, [sp, #128]\nstp d14, d15, [sp, #144]\n"
    "mov x9, sp\nstr x9, [x0]\n"
    "mov sp, x1\n"
    "ldp x19, x20, [sp]\nldp x21, x22, [sp, #16]\nldp x23, x24, [sp, #32]\nldp x25, x26, [sp, #48]\n"
    "ldp x27, x28, [sp, #64]\nldp x29, x30, [sp, #80]\n"
    "ldp d8, d9, [sp, #96]\nldp d10, d11, [sp, #112]\nldp d12, d13, [sp, #128]\nldp d14, d15, [sp, #144]\n"
    "add sp, sp, #160\n"
    "ret\n");
#endif
#endif

namespace test {
namespace {

#if defined(TEST_ADDRESS_SANITIZER) || defined(TEST_THREAD_SANITIZER)
constexpr size_t kStackBytes = size_t{256} << 10;
#else
constexpr size_t kStackBytes = size_t{64} << 10;
#endif

// The two ends of the switch in progress.
constinit thread_local Fiber* leaving = nullptr;
constinit thread_local Fiber* entering = nullptr;

}  // namespace

Fiber::Fiber() {
#if defined(_WIN32)
    system_ = IsThreadAFiber() ? GetCurrentFiber() : ConvertThreadToFiber(nullptr);
    if (system_ == nullptr) throw std::bad_alloc();
#elif !defined(FIBERS_BY_ASSEMBLY)
    system_ = new ucontext_t;
#endif
#if defined(TEST_THREAD_SANITIZER)
    race_state_ = __tsan_get_current_fiber();
#endif
}

Fiber::Fiber(void (*body)(), size_t number) : body_(body) {
#if defined(_WIN32)
    static_cast<void>(number);
    system_ = CreateFiberEx(
        4096, kStackBytes, 0, [](void*) { begin(); }, nullptr);
    if (system_ == nullptr) throw std::bad_alloc();
#else
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    memory_bytes_ = page + kStackBytes;
    void* memory = mmap(nullptr, memory_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    memory_ = static_cast<std::byte*>(memory);
    mprotect(memory_, page, PROT_NONE);
    stack_bottom_ = memory_ + page;
    stack_bytes_ = kStackBytes - number % 60 * 64;  // other cache lines for each
#if defined(FIBERS_BY_ASSEMBLY)
    std::byte* top = memory_ + page + stack_bytes_;
#if defined(__x86_64__)
    void** frame = reinterpret_cast<void**>(top) - 8;  // six registers, where to return to, and no caller behind
    constexpr int kReturn = 6;
#else
    void** frame = reinterpret_cast<void**>(top) - 20;
    constexpr int kReturn = 11;  // x30
#endif
#if defined(TEST_ADDRESS_SANITIZER) || defined(TEST_THREAD_SANITIZER)
    body = &Fiber::begin;
#endif
    frame[kReturn] = reinterpret_cast<void*>(body);
    stack_pointer_ = frame;
#else
    ucontext_t* context = new ucontext_t;
    system_ = context;
    getcontext(context);
    context->uc_stack.ss_sp = memory_ + page;
    context->uc_stack.ss_size = stack_bytes_;
    context->uc_link = nullptr;
    makecontext(context, &Fiber::begin, 0);
#endif
#endif
#if defined(TEST_THREAD_SANITIZER)
    race_state_ = __tsan_create_fiber(0);
#endif
}

Fiber::~Fiber() {
#if defined(_WIN32)
    if (body_ != nullptr) DeleteFiber(system_);
#else
#if !defined(FIBERS_BY_ASSEMBLY)
    delete static_cast<ucontext_t*>(system_);
#endif
    if (memory_ != nullptr) {
#if defined(TEST_ADDRESS_SANITIZER)
        __asan_unpoison_memory_region(stack_bottom_, kStackBytes);  // frames that never returned
#endif
        munmap(memory_, memory_bytes_);
    }
#endif
#if defined(TEST_THREAD_SANITIZER)
    if (body_ != nullptr) __tsan_destroy_fiber(race_state_);
#endif
}

void Fiber::begin() {
    entering->arrived();
    entering->body_();
}

void Fiber::switch_told(Fiber& other) {
    leaving = this;
    entering = &other;
#if defined(TEST_ADDRESS_SANITIZER)
    __sanitizer_start_switch_fiber(&fake_stack_, other.stack_bottom_, other.stack_bytes_);
#endif
#if defined(TEST_THREAD_SANITIZER)
    __tsan_switch_to_fiber(other.race_state_, 0);
#endif
#if defined(_WIN32)
    SwitchToFiber(other.system_);
#elif defined(FIBERS_BY_ASSEMBLY)
    bitnet_test_switch_stack(&stack_pointer_, other.stack_pointer_);
#else
    swapcontext(static_cast<ucontext_t*>(system_), static_cast<ucontext_t*>(other.system_));
#endif
    arrived();
}

void Fiber::arrived() {
#if defined(TEST_ADDRESS_SANITIZER)
    const void* bottom = nullptr;
    size_t bytes = 0;
    __sanitizer_finish_switch_fiber(fake_stack_, &bottom, &bytes);
    leaving->stack_bottom_ = bottom;
    leaving->stack_bytes_ = bytes;
#endif
}

}  // namespace test
