// The sandbox from inside: a process of its own enters it and tries what is forbidden and what must go on working.
#include "server/core/sandbox.h"

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

using namespace serve;

namespace {

// Runs body in a child process; returns what it printed through its argument, or "died".
template <typename Body>
std::string in_child(Body body) {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    const pid_t child = fork();
    if (child == 0) {
        std::string told;
        try {
            body(told);
        } catch (const ApiError& error) {
            told = "refused: " + error.message;
        }
        const ssize_t written = write(ends[1], told.data(), told.size());
        _exit(written == static_cast<ssize_t>(told.size()) ? 0 : 1);
    }
    close(ends[1]);
    std::string told;
    char bytes[4096];
    for (ssize_t n = 0; (n = read(ends[0], bytes, sizeof bytes)) > 0;) told.append(bytes, static_cast<size_t>(n));
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? told : "died: " + told;
}

// "ok" or the error's name.
std::string outcome(long result) {
    if (result >= 0) return "ok ";
    return errno == EPERM || errno == EACCES ? "no " : "errno " + std::to_string(errno) + " ";
}

std::string reading(const std::string& path) { return outcome(open(path.c_str(), O_RDONLY | O_CLOEXEC)); }

struct Folder {
    std::filesystem::path path;
    Folder() {
        char name[] = "/tmp/bitnet-sandbox-XXXXXX";
        path = mkdtemp(name);
        std::filesystem::create_directory(path / "models");
        std::filesystem::create_directory(path / "other");
        std::ofstream(path / "models" / "a.gguf") << "weights";
        std::ofstream(path / "other" / "secret") << "secret";
        std::filesystem::create_symlink(path / "other" / "secret", path / "models" / "link");
    }
    ~Folder() { std::filesystem::remove_all(path); }
    SandboxPolicy policy() const { return {{(path / "models").string(), ""}, ""}; }
};

// False where this build or kernel has no sandbox; the other tests then have nothing to look at.
bool available() {
    const std::string told = in_child([](std::string& out) { out = enter_sandbox({}); });
    if (told.starts_with("refused")) MESSAGE("no sandbox here: ", told);
    return told.starts_with("seccomp");
}

bool has_landlock() {
    return in_child([](std::string& out) { out = enter_sandbox({}); }).find("Landlock ") != std::string::npos &&
           in_child([](std::string& out) { out = enter_sandbox({}); }).find("no Landlock") == std::string::npos;
}

}  // namespace

TEST_CASE("in the sandbox no program starts, no process, no socket, and nothing is written") {
    if (!available()) return;
    const Folder folder;
    const std::string told = in_child([&](std::string& out) {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return;
        enter_sandbox(folder.policy());
        char* const arguments[] = {const_cast<char*>("/bin/true"), nullptr};
        out += outcome(execve("/bin/true", arguments, nullptr));
        out += outcome(fork());
        out += outcome(socket(AF_INET, SOCK_STREAM, 0));
        out += outcome(socket(AF_UNIX, SOCK_STREAM, 0));
        sockaddr_un address = {};
        address.sun_family = AF_UNIX;
        out += outcome(connect(pair[0], reinterpret_cast<sockaddr*>(&address), sizeof address));
        out += outcome(bind(pair[0], reinterpret_cast<sockaddr*>(&address), sizeof address));
        out += outcome(listen(pair[0], 1));
        out += outcome(open((folder.path / "models" / "new").c_str(), O_WRONLY | O_CREAT, 0600));
        out += outcome(open((folder.path / "models" / "a.gguf").c_str(), O_RDWR));
        out += outcome(unlink((folder.path / "models" / "a.gguf").c_str()));
        out += outcome(rename((folder.path / "models" / "a.gguf").c_str(), (folder.path / "models" / "b").c_str()));
        out += outcome(chmod((folder.path / "models" / "a.gguf").c_str(), 0777));
        out += outcome(kill(getppid(), 0));
        void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        out += outcome(mprotect(page, 4096, PROT_READ | PROT_EXEC));
        out +=
            mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? "no" : "ok";
    });
    CHECK(told == "no no no no no no no no no no no no no no no");
}

TEST_CASE("in the sandbox files below the readable folders open, others do not, not even through a link") {
    if (!available() || !has_landlock()) return;
    const Folder folder;
    const std::string told = in_child([&](std::string& out) {
        enter_sandbox(folder.policy());
        out += reading((folder.path / "models" / "a.gguf").string()) + reading((folder.path / "models").string());
        out += reading("/etc/passwd") + reading((folder.path / "other" / "secret").string());
        out += reading((folder.path / "models" / "link").string());
        out += reading((folder.path / "models" / ".." / "other" / "secret").string());
        out += reading("/proc/self/statm") + reading("/proc/1/environ");
    });
    CHECK(told == "ok ok no no no no ok no ");
}

TEST_CASE(
    "the sandbox holds for threads that ran before it and those that start in it, and lets them compute and talk") {
    if (!available()) return;
    const std::string told = in_child([&](std::string& out) {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return;
        std::atomic<bool> entered = false;
        std::string older, younger;
        std::thread before([&] {
            while (!entered) std::this_thread::yield();
            older = reading("/etc/passwd") + outcome(socket(AF_INET, SOCK_STREAM, 0));
        });
        enter_sandbox({});
        entered = true;
        std::thread after([&] {
            younger = reading("/etc/passwd") + outcome(write(pair[0], "x", 1));
            char byte = 0;
            younger += outcome(recv(pair[1], &byte, 1, 0));
            younger += byte;
            // Big enough that the C library asks the kernel for it.
            void* memory = std::malloc(64u << 20);
            younger += memory ? " memory" : " none";
            std::free(memory);
        });
        before.join();
        after.join();
        out = older + "| " + younger;
    });
    CHECK(told == "no no | no ok ok x memory");
}

TEST_CASE("in the sandbox the server's own socket can be removed, and nothing else") {
    if (!available() || !has_landlock()) return;
    const Folder folder;
    const std::string told = in_child([&](std::string& out) {
        SandboxPolicy policy = folder.policy();
        policy.unix_socket = (folder.path / "other" / "secret").string();
        enter_sandbox(policy);
        out += outcome(unlink((folder.path / "models" / "a.gguf").c_str()));
        out += outcome(unlink((folder.path / "other" / "secret").c_str()));
    });
    CHECK(told == "no ok ");
}
