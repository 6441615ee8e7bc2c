// Landlock first (it has to open the paths it allows), then the filter. Landlock holds for the calling thread and those it
// starts; the threads that run already are reached by a signal whose handler makes the same call.
#include "server/core/sandbox.h"

#include <filesystem>

#include "server/core/api_error.h"

namespace serve {

SandboxPolicy sandbox_policy(const ServerOptions& options) {
    SandboxPolicy policy;
    policy.readable = {options.registry.models_dir, options.api_key_file, options.jwt_key_file,
                       options.block_list_file,     options.tls_cert,     options.tls_key};
    for (const std::string& model : options.models) {
        // NAME=FILE or FILE; of these two readings one exists.
        for (const std::string& path : {model, model.substr(model.find('=') + 1)}) {
            policy.readable.push_back(path);
            // The other parts of a model in several parts lie beside the first.
            if (path.find("-of-") != std::string::npos)
                policy.readable.push_back(std::filesystem::absolute(path).parent_path().string());
        }
    }
    policy.unix_socket = options.unix_socket;
    return policy;
}

}  // namespace serve

#ifdef BITNET_WITH_SECCOMP

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <set>
#include <thread>

#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace serve {

namespace {

[[noreturn]] void fail(const std::string& what, int error) {
    throw ApiError(ErrorCode::kUnavailable, "the sandbox cannot be entered: " + what + ": " + std::strerror(error) +
                                                "; start without --sandbox, or on a kernel with seccomp filters");
}

// --- Landlock. Version 1 knows the first 13 rights on files, later ones add to them; Debian 12's header ends at version 1,
// so the newer ones stand here by value.
constexpr uint64_t kReadFile = LANDLOCK_ACCESS_FS_READ_FILE;
constexpr uint64_t kReadFolder = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;

struct Ruleset {  // as version 6 has it; older kernels are told the size they know
    uint64_t handled_fs = 0;
    uint64_t handled_net = 0;
    uint64_t scoped = 0;
};

Ruleset ruleset_of(long version) {
    Ruleset rules;
    rules.handled_fs = (1u << 13) - 1;               // version 1: execute, write, read, list, remove, make
    if (version >= 2) rules.handled_fs |= 1u << 13;  // refer: move between folders
    if (version >= 3) rules.handled_fs |= 1u << 14;  // truncate
    if (version >= 5) rules.handled_fs |= 1u << 15;  // ioctl on devices
    if (version >= 4) rules.handled_net = 3;         // bind and connect over TCP
    if (version >= 6) rules.scoped = 3;              // abstract sockets and signals of others
    return rules;
}

size_t ruleset_size(long version) { return version >= 6 ? 24 : version >= 4 ? 16 : 8; }

void allow(int ruleset, const std::string& path, uint64_t for_folder, uint64_t for_file) {
    const int fd = open(path.c_str(), O_PATH | O_CLOEXEC);
    if (fd < 0) return;  // what is not there cannot be read
    struct stat found = {};
    const bool folder = fstat(fd, &found) == 0 && S_ISDIR(found.st_mode);
    landlock_path_beneath_attr rule = {};
    rule.allowed_access = folder ? for_folder : for_file;
    rule.parent_fd = fd;
    const long done =
        rule.allowed_access ? syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) : 0;
    const int error = errno;
    close(fd);
    if (done != 0) fail("Landlock refuses " + path, error);
}

// What every thread does to itself; only system calls, so that it may run in a signal handler.
std::atomic<int> g_ruleset = -1;
std::atomic<int> g_restricted = 0;
std::atomic<int> g_failed_with = 0;
thread_local bool t_restricted = false;

void restrict_this_thread() {
    const int saved = errno;
    if (!t_restricted) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
            syscall(SYS_landlock_restrict_self, g_ruleset.load(), 0) != 0)
            g_failed_with = errno;
        t_restricted = true;
        g_restricted++;
    }
    errno = saved;
}

std::set<pid_t> threads_of_process() {
    std::set<pid_t> ids;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task"))
        ids.insert(static_cast<pid_t>(std::stol(entry.path().filename().string())));
    return ids;
}

// Restricts all threads: signals those not seen yet until a round finds no new one. A thread that a restricted one starts is
// restricted from its birth, and gets the signal all the same.
void restrict_all_threads() {
    struct sigaction action = {}, before = {};
    action.sa_handler = [](int) { restrict_this_thread(); };
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(SIGUSR2, &action, &before);
    restrict_this_thread();
    std::set<pid_t> done = {static_cast<pid_t>(syscall(SYS_gettid))};
    bool found_new = true;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (found_new) {
        found_new = false;
        for (const pid_t id : threads_of_process()) {
            if (!done.insert(id).second) continue;
            found_new = true;
            const int before_signal = g_restricted;
            if (syscall(SYS_tgkill, getpid(), id, SIGUSR2) != 0) continue;  // it has ended
            while (g_restricted == before_signal && threads_of_process().contains(id)) {
                if (std::chrono::steady_clock::now() > deadline) fail("a thread does not answer", ETIMEDOUT);
                std::this_thread::sleep_for(std::chrono::microseconds(100));
            }
        }
    }
    sigaction(SIGUSR2, &before, nullptr);
    if (g_failed_with != 0) fail("Landlock", g_failed_with);
}

// Returns Landlock's version; 0 where the kernel has none.
long enter_landlock(const SandboxPolicy& policy) {
    const long version = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1) return 0;
    const Ruleset rules = ruleset_of(version);
    const long ruleset = syscall(SYS_landlock_create_ruleset, &rules, ruleset_size(version), 0);
    if (ruleset < 0) fail("Landlock", errno);
    const int fd = static_cast<int>(ruleset);
    for (const std::string& path : policy.readable)
        if (!path.empty()) allow(fd, path, kReadFolder, kReadFile);
    // The C library and the engine count processors and memory; the metrics read the process's own figures.
    for (const char* path : {"/proc/self", "/proc/meminfo", "/proc/cpuinfo", "/proc/stat", "/sys/devices/system",
                             "/sys/fs/cgroup", "/dev/urandom", "/etc/localtime"})
        allow(fd, path, kReadFolder, kReadFile);
    if (!policy.unix_socket.empty()) {
        std::string folder = std::filesystem::path(policy.unix_socket).parent_path().string();
        allow(fd, folder.empty() ? "." : folder, LANDLOCK_ACCESS_FS_REMOVE_FILE, 0);
    }
    g_ruleset = fd;
    restrict_all_threads();
    close(fd);
    return version;
}

// --- The filter. Whatever is not named here fails with EPERM.
constexpr const char* kAllowed[] = {
    // Bytes in and out of what is open.
    "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "preadv2", "lseek", "close", "close_range",
    "dup", "fcntl", "sendfile", "pipe2", "eventfd2", "fstat", "newfstatat", "stat", "lstat", "statx", "fstatfs",
    "statfs", "access", "faccessat", "faccessat2", "readlink", "readlinkat", "getdents64", "getcwd", "fadvise64",
    "flock", "fsync", "fdatasync", "readahead",
    // Connections that come in.
    "accept", "accept4", "recvfrom", "recvmsg", "sendto", "sendmsg", "shutdown", "getsockname", "getpeername",
    "getsockopt", "setsockopt", "poll", "ppoll", "select", "pselect6", "epoll_create1", "epoll_ctl", "epoll_wait",
    "epoll_pwait", "epoll_pwait2",
    // Memory; mmap and mprotect stand below.
    "brk", "munmap", "mremap", "madvise", "msync", "mincore", "mlock", "mlock2", "munlock", "membarrier",
    // Threads, their signals and clocks.
    "futex", "futex_waitv", "set_robust_list", "get_robust_list", "rseq", "set_tid_address", "gettid", "getpid",
    "getppid", "tgkill", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "rt_sigsuspend",
    "sigaltstack", "sched_yield", "sched_getaffinity", "sched_setaffinity", "sched_getparam", "sched_getscheduler",
    "sched_setscheduler", "setpriority", "getpriority", "getcpu", "nanosleep", "clock_nanosleep", "clock_gettime",
    "clock_getres", "gettimeofday", "time", "timerfd_create", "timerfd_settime", "restart_syscall", "exit",
    "exit_group", "getrandom", "get_mempolicy",
    // Facts.
    "uname", "sysinfo", "getrusage", "times", "getuid", "geteuid", "getgid", "getegid", "arch_prctl", "prctl", "unlink",
    "unlinkat"};

struct Filter {
    scmp_filter_ctx context = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    Filter() = default;
    Filter(const Filter&) = delete;
    Filter& operator=(const Filter&) = delete;
    ~Filter() { seccomp_release(context); }

    template <typename... Conditions>
    void add(uint32_t action, const char* name, Conditions... conditions) {
        const int number = seccomp_syscall_resolve_name(name);
        if (number == __NR_SCMP_ERROR) return;  // this libseccomp or this processor does not know it
        const std::array<scmp_arg_cmp, sizeof...(Conditions)> list = {conditions...};
        const int done = seccomp_rule_add_array(context, action, number, static_cast<unsigned int>(list.size()),
                                                list.empty() ? nullptr : list.data());
        if (done != 0 && done != -EACCES) fail(std::string("the rule for ") + name, -done);
    }
};

scmp_arg_cmp masked(unsigned int argument, uint64_t mask, uint64_t value) {
    return SCMP_CMP64(argument, SCMP_CMP_MASKED_EQ, mask, value);
}

void enter_filter(const SandboxPolicy& policy, bool paths_are_limited) {
    Filter filter;
    if (!filter.context) fail("libseccomp", ENOMEM);
    for (const char* name : kAllowed) {
        const bool removes = std::strncmp(name, "unlink", 6) == 0;
        if (!removes || (paths_are_limited && !policy.unix_socket.empty())) filter.add(SCMP_ACT_ALLOW, name);
    }
    // Nothing that was data becomes code.
    filter.add(SCMP_ACT_ALLOW, "mmap", masked(2, PROT_EXEC, 0));
    filter.add(SCMP_ACT_ALLOW, "mprotect", masked(2, PROT_EXEC, 0));
    // Threads, not processes. The C library falls back to clone, whose flags a filter can read.
    filter.add(SCMP_ACT_ALLOW, "clone", masked(0, CLONE_THREAD, CLONE_THREAD));
    filter.add(SCMP_ACT_ERRNO(ENOSYS), "clone3");
    // Files open for reading. Where Landlock says which, openat2 is safe as well: its flags lie in memory, unseen here.
    const bool any = std::any_of(policy.readable.begin(), policy.readable.end(),
                                 [](const std::string& path) { return !path.empty(); });
    if (paths_are_limited || any) {
        const uint64_t writes = O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND;
        filter.add(SCMP_ACT_ALLOW, "openat", masked(2, writes, O_RDONLY));
        filter.add(SCMP_ACT_ALLOW, "open", masked(1, writes, O_RDONLY));
        filter.add(paths_are_limited ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(ENOSYS), "openat2");
    }
    // Own limits may be read, not those of others set.
    filter.add(SCMP_ACT_ALLOW, "prlimit64", SCMP_CMP64(0, SCMP_CMP_EQ, 0), SCMP_CMP64(2, SCMP_CMP_EQ, 0));
    filter.add(SCMP_ACT_ALLOW, "getrlimit");
    int done = seccomp_attr_set(filter.context, SCMP_FLTATR_CTL_TSYNC, 1);
    if (done == 0) done = seccomp_load(filter.context);
    if (done != 0) fail("seccomp", -done);
}

}  // namespace

std::string enter_sandbox(const SandboxPolicy& policy) {
    const long landlock = enter_landlock(policy);
    enter_filter(policy, landlock > 0);
    return landlock > 0 ? "seccomp, Landlock " + std::to_string(landlock)
                        : std::string("seccomp; this kernel has no Landlock, so paths are not limited");
}

}  // namespace serve

#else

namespace serve {

std::string enter_sandbox(const SandboxPolicy&) {
    throw ApiError(ErrorCode::kUnavailable,
                   "this build has no sandbox; install libseccomp-dev and configure again (Linux only), "
                   "or start without --sandbox");
}

}  // namespace serve

#endif
