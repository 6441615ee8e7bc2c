// Linux gives tile registers only to processes that asked for them, because they make every thread's saved state larger.
#if defined(__x86_64__)

#include "kernels/cpu/limit_sets.h"

#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace kern {

bool allow_amx() {
#if defined(__linux__)
    constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
    static const bool allowed = syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
    return allowed;
#else
    return false;
#endif
}

}  // namespace kern

#endif
