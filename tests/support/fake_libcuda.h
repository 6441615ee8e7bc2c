// A stand-in for NVIDIA's driver library, whose memory is the host's: what tests tell it, and what they read from it. It is as
// lazy as a GPU may be: copies and launches happen when somebody waits for them, so that memory that was reused too early shows.
// It is as strict: without a current context, beside allocated memory or beyond a device's limits, calls fail.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace test {

struct FakeCudaDevice {
    std::string name = "Fake H200";
    int major = 9, minor = 0;
    int n_multiprocessors = 132;
    int max_shared_bytes = 232448;
    size_t memory_bytes = size_t{64} << 20;
};

struct FakeLaunch {
    std::string kernel;
    unsigned grid[3];
    unsigned block[3];
    unsigned shared_bytes;
    std::vector<uint8_t> args;  // of all parameters, one behind the other
};

struct FakeCuda {
    // As a test wants it.
    int version = 12040;
    std::vector<FakeCudaDevice> devices = {FakeCudaDevice()};
    std::string failing_call;  // "cuMemAlloc_v2"
    int failing_at = 1;        // which of its calls, from 1
    int failing_status = 0;
    std::string missing_kernel;                        // of the library's own
    std::string module_log;                            // what the compiler of PTX says, with failing_call
    std::function<void(const FakeLaunch&)> on_launch;  // plays the kernel
    bool peers_reach = true;    // each other's memory
    bool peers_deliver = true;  // what is copied between them

    // What happened.
    std::map<std::string, int> calls;
    std::vector<FakeLaunch> launches;
    int broken_by = 0;  // a status that breaks the context: all fails with it
    std::map<uintptr_t, size_t> blocks;
    int n_pinned = 0, n_streams = 0, n_events = 0, n_modules = 0, n_contexts = 0, n_graphs = 0;
    size_t copied_at_once = 0;  // the longest copy between host and device
    int n_direct_copies = 0, n_staged_copies = 0;  // between devices

    bool all_freed() const {
        return blocks.empty() && n_pinned == 0 && n_streams == 0 && n_events == 0 && n_modules == 0 && n_contexts == 0 &&
               n_graphs == 0;
    }
};

// Paths of what the build made: the stand-in, and one that lacks a function.
extern const std::string kFakeLibcuda;
extern const std::string kFakeLibcudaOld;
// The control of the stand-in, as new.
FakeCuda& fresh_fake_cuda();
// Contexts on this thread's stack, which a call leaves as it found it.
int fake_contexts_here();

}  // namespace test
