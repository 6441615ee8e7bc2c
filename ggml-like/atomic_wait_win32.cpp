// WaitOnAddress and WakeByAddressAll (Windows 8 and newer): the system's futex.
#ifdef _WIN32

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#ifndef NOMINMAX
#define NOMINMAX
#endif
#if !defined(_WIN32_WINNT) || _WIN32_WINNT < 0x0602
#undef _WIN32_WINNT
#define _WIN32_WINNT 0x0602
#endif
#include <windows.h>

#include "ggml-like/atomic_wait.h"

namespace tg {

void sleep_on_address(const void* address, const void* old) noexcept {
    WaitOnAddress(const_cast<void*>(address), const_cast<void*>(old), 4, INFINITE);
}
void wake_address(const void* address) noexcept { WakeByAddressAll(const_cast<void*>(address)); }

}  // namespace tg

#endif  // _WIN32
