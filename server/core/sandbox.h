// What the process may still do once it serves: compute, talk on the connections it accepts, read models. Linux only; the
// filter of system calls is libseccomp's, the limits on paths are Landlock's, where the kernel has it.
#pragma once

#include <string>
#include <vector>

#include "server/core/server_options.h"

namespace serve {

struct SandboxPolicy {
    // Files, or folders with all below, that stay readable: the models, and what a signal makes the server read again. What
    // replaces a file later is another file: name the folder where that should be readable, too. Empty names are skipped.
    std::vector<std::string> readable;
    // The socket that is removed at the end; "" for none.
    std::string unix_socket;
};

// What a server with these options goes on reading: its models, and the files that SIGHUP makes it read again.
SandboxPolicy sandbox_policy(const ServerOptions& options);

// Gives up, for every thread there is and will be, for good: other programs, other processes, writing and creating files,
// reading anything but `readable` (and what the C library and the memory limits need of /proc and /sys), new sockets of any
// kind, code that is made at run time. What is forbidden fails with EPERM or EACCES, so that a request that runs into it
// gets an error and nothing dies. Call it when models are loaded, sockets bound and keys read; other threads may run.
// Returns what holds now, for the log: "seccomp, Landlock 7". Without Landlock files open for reading only, anywhere, where
// `readable` names any, else not at all. Throws ApiError UNAVAILABLE when this system or build cannot do it; then end.
std::string enter_sandbox(const SandboxPolicy& policy);

}  // namespace serve
