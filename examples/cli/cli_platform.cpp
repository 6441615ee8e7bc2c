// POSIX.
#ifndef _WIN32

#include "cli_platform.h"

#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

namespace cli {
namespace {

// The handler only stores: nothing promises that bitnet_context_cancel may be called inside one. The engine polls the
// flag through should_abort.
volatile std::sig_atomic_t noted_signal = 0;

void note_signal(int signal) { noted_signal = signal; }

}  // namespace

bool stdin_is_terminal() { return isatty(STDIN_FILENO) != 0; }
bool stdout_is_terminal() { return isatty(STDOUT_FILENO) != 0; }
bool stderr_is_terminal() { return isatty(STDERR_FILENO) != 0; }

void install_signal_handlers() {
    struct sigaction action;
    std::memset(&action, 0, sizeof action);
    sigemptyset(&action.sa_mask);
    action.sa_handler = note_signal;
    action.sa_flags = SA_RESETHAND;
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
    action.sa_handler = SIG_IGN;
    action.sa_flags = 0;
    sigaction(SIGPIPE, &action, nullptr);
    sigaction(SIGXFSZ, &action, nullptr);
}

int read_stdin_byte(char* byte) {
    for (;;) {
        // A signal right before the wait would not end it: look once in a while.
        struct pollfd ready = {STDIN_FILENO, POLLIN, 0};
        const int n_ready = poll(&ready, 1, 200);
        if (caught_signal() != 0) return -1;
        if (n_ready == 0 || (n_ready < 0 && errno == EINTR)) continue;
        const ssize_t n = read(STDIN_FILENO, byte, 1);
        if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        return static_cast<int>(n);
    }
}

int write_stdout(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = write(STDOUT_FILENO, bytes.data(), bytes.size());
        if (n > 0) bytes.remove_prefix(static_cast<size_t>(n));
        if (n >= 0 || errno == EINTR) continue;
        if (errno != EAGAIN) return errno;
        struct pollfd ready = {STDOUT_FILENO, POLLOUT, 0};  // a parent left the pipe in non-blocking mode
        poll(&ready, 1, -1);
    }
    return 0;
}

int caught_signal() { return noted_signal; }

void forget_interrupt() {
    if (noted_signal != SIGINT) return;
    noted_signal = 0;
    install_signal_handlers();
}

int replace_file(const char* from, const char* to) { return std::rename(from, to) == 0 ? 0 : errno; }

uint64_t peak_memory_bytes() {
    // ru_maxrss also counts the program that started this one (it survives exec), so Linux's own figure goes first.
    if (FILE* status = std::fopen("/proc/self/status", "r")) {
        char line[256];
        unsigned long long kilobytes = 0;
        bool found = false;
        while (!found && std::fgets(line, sizeof line, status) != nullptr)
            found = std::sscanf(line, "VmHWM: %llu kB", &kilobytes) == 1;
        std::fclose(status);
        if (found) return kilobytes * 1024;
    }
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
#ifdef __APPLE__
    return static_cast<uint64_t>(usage.ru_maxrss);
#else
    return static_cast<uint64_t>(usage.ru_maxrss) * 1024;
#endif
}

}  // namespace cli

#endif  // !_WIN32
