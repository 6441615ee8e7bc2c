// Linux only: /proc/self/statm counts pages, its second number those that are resident.
#include "src/base/resident_memory.h"

#if defined(__linux__)
#include <charconv>
#include <cstring>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>
#endif

namespace bitnet {

#if defined(__linux__)
namespace {

uint64_t resident_now() noexcept {
    const int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    char text[128];
    const ssize_t n = read(fd, text, sizeof text);
    close(fd);
    if (n <= 0) return 0;
    const char* end = text + n;
    const char* space = static_cast<const char*>(std::memchr(text, ' ', static_cast<size_t>(n)));
    uint64_t pages = 0;
    if (space == nullptr || std::from_chars(space + 1, end, pages).ec != std::errc()) return 0;
    return pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

ResidentMemory resident_memory() noexcept {
    ResidentMemory memory;
    memory.now_bytes = resident_now();
    rusage usage{};
    if (getrusage(RUSAGE_SELF, &usage) == 0) memory.peak_bytes = static_cast<uint64_t>(usage.ru_maxrss) * 1024;
    // The kernel's two counters are not updated together.
    if (memory.peak_bytes < memory.now_bytes) memory.peak_bytes = memory.now_bytes;
    return memory;
}
#else
ResidentMemory resident_memory() noexcept { return {}; }
#endif

}  // namespace bitnet
