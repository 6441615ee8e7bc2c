// Sleeping until an atomic number changes: std::atomic::wait, and on Windows what the system has for it. There g++ 12's own
// (for systems without a futex) looks at the number before it locks and so can sleep through the one notification.
#pragma once

#include <atomic>
#include <type_traits>

namespace tg {

#ifdef _WIN32
// Returns when the four bytes at the address may differ from the old ones.
void sleep_on_address(const void* address, const void* old) noexcept;
void wake_address(const void* address) noexcept;
#endif

template <class T>
void wait_while_equal(const std::atomic<T>& value, std::type_identity_t<T> old) noexcept {
#ifdef _WIN32
    static_assert(sizeof value == 4 && std::atomic<T>::is_always_lock_free);
    while (value.load(std::memory_order_acquire) == old) sleep_on_address(&value, &old);
#else
    value.wait(old, std::memory_order_acquire);
#endif
}

template <class T>
void wake_all(std::atomic<T>& value) noexcept {
#ifdef _WIN32
    wake_address(&value);
#else
    value.notify_all();
#endif
}

}  // namespace tg
