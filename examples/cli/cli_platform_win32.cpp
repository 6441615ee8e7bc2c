// Windows. Text is UTF-8 everywhere: the program's manifest (windows_utf8.rc) makes arguments and file names so, the console
// is told here. Output is bytes, as on other systems: no \n becomes \r\n.
#ifdef _WIN32

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#ifndef NOMINMAX
#define NOMINMAX
#endif
#define PSAPI_VERSION 2  // in kernel32
#include <windows.h>

#include "cli_platform.h"

#include <fcntl.h>
#include <io.h>
#include <psapi.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>

namespace cli {
namespace {

constexpr int kStdin = 0, kStdout = 1, kStderr = 2;

// Windows calls the handler on a thread of its own; the engine polls the flag through should_abort.
std::atomic<int> noted_signal{0};

BOOL WINAPI note_event(DWORD event) {
    const int signal = event == CTRL_C_EVENT || event == CTRL_BREAK_EVENT ? SIGINT : SIGTERM;
    int none = 0;
    // The second one is for the system's own handler, which ends the program.
    return noted_signal.compare_exchange_strong(none, signal) ? TRUE : FALSE;
}

bool is_terminal(int fd) {
    DWORD mode = 0;  // _isatty is true of NUL, too
    return GetConsoleMode(reinterpret_cast<HANDLE>(_get_osfhandle(fd)), &mode) != 0;
}

}  // namespace

bool stdin_is_terminal() { return is_terminal(kStdin); }
bool stdout_is_terminal() { return is_terminal(kStdout); }
bool stderr_is_terminal() { return is_terminal(kStderr); }

void install_signal_handlers() {
    for (const int fd : {kStdin, kStdout, kStderr}) _setmode(fd, _O_BINARY);
    SetConsoleCP(CP_UTF8);
    SetConsoleOutputCP(CP_UTF8);
    for (const DWORD stream : {STD_OUTPUT_HANDLE, STD_ERROR_HANDLE}) {
        HANDLE console = GetStdHandle(stream);
        DWORD mode = 0;
        if (GetConsoleMode(console, &mode)) SetConsoleMode(console, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING);
    }
    SetConsoleCtrlHandler(note_event, TRUE);
}

int caught_signal() { return noted_signal; }

void forget_interrupt() {
    int interrupt = SIGINT;
    noted_signal.compare_exchange_strong(interrupt, 0);
}

int read_stdin_byte(char* byte) {
    const int n = _read(kStdin, byte, 1);
    // Ctrl-C ends a read of the console like the end of the input, a moment before its handler runs.
    if (n <= 0 && stdin_is_terminal()) Sleep(20);
    return caught_signal() != 0 ? -1 : n;
}

int write_stdout(std::string_view bytes) {
    constexpr size_t kChunk = size_t{1} << 20;
    while (!bytes.empty()) {
        const int n = _write(kStdout, bytes.data(), static_cast<unsigned>(std::min(bytes.size(), kChunk)));
        if (n < 0) return errno;
        if (n == 0) return ENOSPC;
        bytes.remove_prefix(static_cast<size_t>(n));
    }
    return 0;
}

int replace_file(const char* from, const char* to) {
    // rename() of the C runtime refuses a name that exists.
    if (MoveFileExA(from, to, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH)) return 0;
    return GetLastError() == ERROR_ACCESS_DENIED ? EACCES : EIO;
}

uint64_t peak_memory_bytes() {
    PROCESS_MEMORY_COUNTERS counters = {};
    if (!GetProcessMemoryInfo(GetCurrentProcess(), &counters, sizeof counters)) return 0;
    return counters.PeakWorkingSetSize;
}

}  // namespace cli

#endif  // _WIN32
