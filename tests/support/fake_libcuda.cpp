// The stand-in itself, a library of its own: see fake_libcuda.h.
#include "tests/support/fake_libcuda.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <new>
#include <set>

#include "ggml-like/gpu/cuda_driver_api.h"
#include "kernels/cuda/kernel_ids.h"

#if defined(_WIN32)
#define FAKE_CUDA extern "C" __declspec(dllexport)
#else
#define FAKE_CUDA extern "C" __attribute__((visibility("default")))
#endif
#define FAKE_CALL(name, ...) FAKE_CUDA Status CUDA_DRIVER_CALL name(__VA_ARGS__)

using namespace tg::cuda;

namespace tg::cuda {

struct ContextOfDriver {
    int device;
    std::set<int> peers;
};
struct FunctionOfDriver {
    std::string name;
    std::vector<size_t> param_bytes;
    unsigned max_shared = 48 * 1024;
};
struct ModuleOfDriver {
    std::map<std::string, FunctionOfDriver> functions;
};
struct GraphOfDriver {
    std::vector<std::function<void()>> work;
};
struct GraphExecOfDriver {
    std::vector<std::function<void()>> work;
};
struct StreamOfDriver {
    int device = 0;
    std::deque<std::function<void()>> work;
    uint64_t n_done = 0;
    std::unique_ptr<GraphOfDriver> captured;  // while work goes there

    bool refuses() const { return captured != nullptr; }  // what a capture cannot hold
};
struct EventOfDriver {
    StreamOfDriver* stream = nullptr;
    uint64_t at = 0;  // pieces of the stream's work that it is behind
};

}  // namespace tg::cuda

namespace {

struct State {
    test::FakeCuda control;
    std::vector<ContextOfDriver> contexts;
    std::vector<int> n_retained;
    std::set<StreamOfDriver*> streams;
    std::map<uintptr_t, int> device_of_block;
    std::mutex lock;
};
State g_state;
thread_local std::vector<Context> t_current;

constexpr Status kInvalidContext = static_cast<Status>(201);
enum class Where { anywhere, in_context, even_broken };  // what is broken is still given back

// Counts the call; what it fails with, if it does.
Status enter(const char* call, Where where = Where::in_context) {
    test::FakeCuda& fake = g_state.control;
    const int n = ++fake.calls[call];
    if (fake.failing_call == call && fake.failing_at == n) {
        const auto status = static_cast<Status>(fake.failing_status);
        if (breaks_context(status)) fake.broken_by = status;
        return status;
    }
    if (where == Where::anywhere) return ok;
    if (t_current.empty()) return kInvalidContext;
    return where == Where::even_broken ? ok : static_cast<Status>(fake.broken_by);
}
#define ENTER(...)                                                                                                     \
    const std::lock_guard<std::mutex> lock(g_state.lock);                                                              \
    if (const Status entered = enter(__func__ __VA_OPT__(, ) __VA_ARGS__); entered != ok) return entered

const test::FakeCudaDevice& here() { return g_state.control.devices[static_cast<size_t>(t_current.back()->device)]; }

size_t bytes_in_use() {
    size_t sum = 0;
    for (const auto& [address, n_bytes] : g_state.control.blocks) {
        if (g_state.device_of_block[address] == t_current.back()->device) sum += n_bytes;
    }
    return sum;
}

bool inside(Address begin, size_t n_bytes, int device) {
    const auto& blocks = g_state.control.blocks;
    auto block = blocks.upper_bound(static_cast<uintptr_t>(begin));
    if (block == blocks.begin()) return false;
    --block;
    if (g_state.device_of_block[block->first] != device) return false;
    return begin - block->first <= block->second && n_bytes <= block->second - (begin - block->first);
}

bool inside(Address begin, size_t n_bytes) { return inside(begin, n_bytes, t_current.back()->device); }

void* memory_at(Address address) { return reinterpret_cast<void*>(address); }

void run_until(StreamOfDriver& stream, uint64_t at) {
    while (stream.n_done < at && !stream.work.empty()) {
        stream.work.front()();
        stream.work.pop_front();
        ++stream.n_done;
    }
}
void run_all(StreamOfDriver& stream) { run_until(stream, stream.n_done + stream.work.size()); }

// "FAKE...": the library's kernels. ".version ... .entry name(.param .u64 a, .param .u32 b)": PTX, read as far as this needs.
bool read_module(const char* image, ModuleOfDriver* module) {
    const std::string text = image;
    if (text.starts_with("FAKE")) {
        for (const kern::gpu::KernelRow& row : kern::gpu::kKernels) {
            if (g_state.control.missing_kernel != row.symbol)
                module->functions[row.symbol] = {row.symbol, {row.args_bytes}};
        }
        return true;
    }
    if (!text.starts_with(".version")) return false;
    for (size_t at = text.find(".entry "); at != std::string::npos; at = text.find(".entry ", at + 1)) {
        const size_t open = text.find('(', at);
        const size_t close = text.find(')', at);
        if (open == std::string::npos || close == std::string::npos || close < open) return false;
        const std::string name = text.substr(at + 7, open - at - 7);
        FunctionOfDriver function{name, {}};
        for (size_t param = text.find(".param .", open); param < close; param = text.find(".param .", param + 1)) {
            function.param_bytes.push_back(text.compare(param + 9, 2, "64") == 0 ? 8 : 4);
        }
        module->functions[name] = function;
    }
    return true;
}

}  // namespace

FAKE_CUDA test::FakeCuda* fake_cuda_fresh() {
    g_state.control = test::FakeCuda();
    return &g_state.control;
}
FAKE_CUDA int fake_cuda_contexts_here() { return static_cast<int>(t_current.size()); }

FAKE_CALL(cuInit, unsigned) {
    ENTER(Where::anywhere);
    g_state.contexts.resize(g_state.control.devices.size());
    g_state.n_retained.assign(g_state.control.devices.size(), 0);
    for (size_t i = 0; i < g_state.contexts.size(); ++i) g_state.contexts[i] = {static_cast<int>(i), {}};
    return g_state.control.devices.empty() ? no_device : ok;
}
FAKE_CALL(cuDriverGetVersion, int* version) {
    ENTER(Where::anywhere);
    *version = g_state.control.version;
    return ok;
}
FAKE_CALL(cuGetErrorName, Status status, const char** name) {
    switch (status) {
        case invalid_value: *name = "CUDA_ERROR_INVALID_VALUE"; return ok;
        case out_of_memory: *name = "CUDA_ERROR_OUT_OF_MEMORY"; return ok;
        case launch_failed: *name = "CUDA_ERROR_LAUNCH_FAILED"; return ok;
        case invalid_ptx: *name = "CUDA_ERROR_INVALID_PTX"; return ok;
        default: return invalid_value;  // as an older driver answers to a newer number
    }
}
FAKE_CALL(cuGetErrorString, Status status, const char** text) {
    if (status != out_of_memory) return invalid_value;
    *text = "out of memory";
    return ok;
}

FAKE_CALL(cuDeviceGetCount, int* count) {
    ENTER(Where::anywhere);
    *count = static_cast<int>(g_state.control.devices.size());
    return ok;
}
FAKE_CALL(cuDeviceGet, DeviceNumber* device, int index) {
    ENTER(Where::anywhere);
    *device = index;
    return ok;
}
FAKE_CALL(cuDeviceGetName, char* name, int size, DeviceNumber device) {
    ENTER(Where::anywhere);
    const std::string& text = g_state.control.devices[static_cast<size_t>(device)].name;
    std::memcpy(name, text.c_str(), std::min(text.size() + 1, static_cast<size_t>(size)));
    return ok;
}
FAKE_CALL(cuDeviceTotalMem_v2, size_t* n_bytes, DeviceNumber device) {
    ENTER(Where::anywhere);
    *n_bytes = g_state.control.devices[static_cast<size_t>(device)].memory_bytes;
    return ok;
}
FAKE_CALL(cuDeviceGetUuid_v2, Uuid* uuid, DeviceNumber device) {
    ENTER(Where::anywhere);
    for (size_t i = 0; i < sizeof uuid->bytes; ++i) uuid->bytes[i] = static_cast<unsigned char>(i * 17);
    uuid->bytes[0] = static_cast<unsigned char>(device);
    return ok;
}
FAKE_CALL(cuDeviceCanAccessPeer, int* can, DeviceNumber, DeviceNumber) {
    ENTER(Where::anywhere);
    *can = g_state.control.peers_reach ? 1 : 0;
    return ok;
}
FAKE_CALL(cuDeviceGetAttribute, int* value, Attribute attribute, DeviceNumber device) {
    ENTER(Where::anywhere);
    const test::FakeCudaDevice& of = g_state.control.devices[static_cast<size_t>(device)];
    switch (attribute) {
        case capability_major: *value = of.major; return ok;
        case capability_minor: *value = of.minor; return ok;
        case multiprocessor_count: *value = of.n_multiprocessors; return ok;
        case max_shared_per_block_optin: *value = of.max_shared_bytes; return ok;
        case max_threads_per_block: *value = 1024; return ok;
        case max_threads_per_multiprocessor: *value = 2048; return ok;
        case clock_rate: *value = 1980000; return ok;
        case memory_clock_rate: *value = 3201000; return ok;
        case memory_bus_width: *value = 6144; return ok;
        case l2_cache_size: *value = 60 << 20; return ok;
        default: return invalid_value;
    }
}

FAKE_CALL(cuDevicePrimaryCtxRetain, Context* context, DeviceNumber device) {
    ENTER(Where::anywhere);
    *context = &g_state.contexts[static_cast<size_t>(device)];
    ++g_state.control.n_contexts;
    return ok;
}
FAKE_CALL(cuDevicePrimaryCtxRelease_v2, DeviceNumber) {
    ENTER(Where::anywhere);
    --g_state.control.n_contexts;
    return ok;
}
FAKE_CALL(cuCtxPushCurrent_v2, Context context) {
    ENTER(Where::anywhere);
    t_current.push_back(context);
    return ok;
}
FAKE_CALL(cuCtxPopCurrent_v2, Context* context) {
    ENTER(Where::anywhere);
    if (t_current.empty()) return kInvalidContext;
    *context = t_current.back();
    t_current.pop_back();
    return ok;
}
FAKE_CALL(cuCtxSynchronize) {
    ENTER();
    for (StreamOfDriver* stream : g_state.streams) run_all(*stream);
    return static_cast<Status>(g_state.control.broken_by);
}

FAKE_CALL(cuCtxEnablePeerAccess, Context peer, unsigned flags) {
    ENTER();
    if (flags != 0 || peer == t_current.back() || !g_state.control.peers_reach) return invalid_value;
    t_current.back()->peers.insert(peer->device);
    return ok;
}

FAKE_CALL(cuModuleLoadDataEx, Module* module, const void* image, unsigned n_options, JitOption* options,
          void** values) {
    const std::lock_guard<std::mutex> lock(g_state.lock);
    auto loaded = std::make_unique<ModuleOfDriver>();
    Status status = enter(__func__);
    if (status == ok && !read_module(static_cast<const char*>(image), loaded.get())) status = invalid_ptx;
    if (status == ok) {
        ++g_state.control.n_modules;
        *module = loaded.release();
        return ok;
    }
    for (unsigned i = 0; i + 1 < n_options; ++i) {
        if (options[i] != error_log_buffer) continue;
        const size_t room = reinterpret_cast<size_t>(values[i + 1]);
        const std::string& log = g_state.control.module_log;
        std::memcpy(values[i], log.data(), std::min(log.size(), room));
    }
    return status;
}
FAKE_CALL(cuModuleUnload, Module module) {
    ENTER(Where::even_broken);
    --g_state.control.n_modules;
    delete module;
    return ok;
}
FAKE_CALL(cuModuleGetFunction, Function* function, Module module, const char* name) {
    ENTER();
    const auto found = module->functions.find(name);
    if (found == module->functions.end()) return not_found;
    *function = &found->second;
    return ok;
}
FAKE_CALL(cuFuncSetAttribute, Function function, FunctionAttribute attribute, int value) {
    ENTER();
    if (attribute != max_dynamic_shared || value < 0 || value > here().max_shared_bytes) return invalid_value;
    function->max_shared = static_cast<unsigned>(value);
    return ok;
}
FAKE_CALL(cuFuncGetParamInfo, Function function, size_t index, size_t* offset, size_t* size) {
    ENTER(Where::anywhere);
    if (index >= function->param_bytes.size()) return invalid_value;
    *offset = 0;
    for (size_t i = 0; i < index; ++i) *offset += function->param_bytes[i];
    *size = function->param_bytes[index];
    return ok;
}
FAKE_CALL(cuLaunchKernel, Function function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
          unsigned block_y, unsigned block_z, unsigned shared_bytes, Stream stream, void** params, void**) {
    ENTER();
    test::FakeLaunch launch{function->name, {grid_x, grid_y, grid_z}, {block_x, block_y, block_z}, shared_bytes, {}};
    const uint64_t n_threads = uint64_t{block_x} * block_y * block_z;
    if (n_threads == 0 || n_threads > 1024 || grid_x == 0 || grid_y == 0 || grid_z == 0 || grid_y > 65535 ||
        grid_z > 65535 || shared_bytes > function->max_shared || stream == nullptr) {
        return invalid_value;
    }
    for (size_t i = 0; i < function->param_bytes.size(); ++i) {
        const auto* bytes = static_cast<const uint8_t*>(params[i]);
        launch.args.insert(launch.args.end(), bytes, bytes + function->param_bytes[i]);
    }
    auto run = [launch] {
        g_state.control.launches.push_back(launch);
        if (g_state.control.on_launch) g_state.control.on_launch(launch);
    };
    if (stream->captured != nullptr) {
        stream->captured->work.push_back(run);
    } else {
        stream->work.push_back(run);
    }
    return ok;
}

FAKE_CALL(cuMemAlloc_v2, Address* address, size_t n_bytes) {
    ENTER();
    if (n_bytes == 0) return invalid_value;
    if (n_bytes > here().memory_bytes - bytes_in_use()) return out_of_memory;
    void* const block = ::operator new(n_bytes, std::align_val_t(256));
    std::memset(block, 0xee, n_bytes);
    *address = reinterpret_cast<Address>(block);
    g_state.control.blocks[reinterpret_cast<uintptr_t>(block)] = n_bytes;
    g_state.device_of_block[reinterpret_cast<uintptr_t>(block)] = t_current.back()->device;
    return ok;
}
FAKE_CALL(cuMemFree_v2, Address address) {
    ENTER(Where::even_broken);
    for (StreamOfDriver* stream : g_state.streams) run_all(*stream);  // as the driver waits
    if (g_state.control.blocks.erase(static_cast<uintptr_t>(address)) == 0) return invalid_value;
    ::operator delete(memory_at(address), std::align_val_t(256));
    return ok;
}
FAKE_CALL(cuMemGetInfo_v2, size_t* free, size_t* total) {
    ENTER();
    *total = here().memory_bytes;
    *free = *total - bytes_in_use();
    return ok;
}
FAKE_CALL(cuMemHostAlloc, void** address, size_t n_bytes, unsigned) {
    ENTER();
    *address = std::malloc(n_bytes);
    ++g_state.control.n_pinned;
    return ok;
}
FAKE_CALL(cuMemFreeHost, void* address) {
    ENTER(Where::even_broken);
    --g_state.control.n_pinned;
    std::free(address);
    return ok;
}
FAKE_CALL(cuMemcpyHtoDAsync_v2, Address to, const void* from, size_t n_bytes, Stream stream) {
    ENTER();
    if (stream->refuses()) return capture_unsupported;
    if (!inside(to, n_bytes)) return invalid_value;
    g_state.control.copied_at_once = std::max(g_state.control.copied_at_once, n_bytes);
    stream->work.push_back([=] { std::memcpy(memory_at(to), from, n_bytes); });
    return ok;
}
FAKE_CALL(cuMemcpyDtoHAsync_v2, void* to, Address from, size_t n_bytes, Stream stream) {
    ENTER();
    if (stream->refuses()) return capture_unsupported;
    if (!inside(from, n_bytes)) return invalid_value;
    g_state.control.copied_at_once = std::max(g_state.control.copied_at_once, n_bytes);
    stream->work.push_back([=] { std::memcpy(to, memory_at(from), n_bytes); });
    return ok;
}
FAKE_CALL(cuMemcpyDtoDAsync_v2, Address to, Address from, size_t n_bytes, Stream stream) {
    ENTER();
    if (stream->refuses()) return capture_unsupported;
    if (!inside(to, n_bytes) || !inside(from, n_bytes)) return invalid_value;
    stream->work.push_back([=] { std::memmove(memory_at(to), memory_at(from), n_bytes); });
    return ok;
}
FAKE_CALL(cuMemcpyPeerAsync, Address to, Context to_context, Address from, Context from_context, size_t n_bytes,
          Stream stream) {
    ENTER();
    if (stream->refuses()) return capture_unsupported;
    if (stream->device != t_current.back()->device || !inside(to, n_bytes, to_context->device) ||
        !inside(from, n_bytes, from_context->device)) {
        return invalid_value;
    }
    test::FakeCuda& fake = g_state.control;
    ++(to_context->peers.contains(from_context->device) ? fake.n_direct_copies : fake.n_staged_copies);
    const bool arrives = fake.peers_deliver;
    stream->work.push_back([=] {
        if (arrives) std::memmove(memory_at(to), memory_at(from), n_bytes);
    });
    return ok;
}
FAKE_CALL(cuMemsetD8Async, Address to, unsigned char value, size_t n_bytes, Stream stream) {
    ENTER();
    if (stream->refuses()) return capture_unsupported;
    if (!inside(to, n_bytes)) return invalid_value;
    stream->work.push_back([=] { std::memset(memory_at(to), value, n_bytes); });
    return ok;
}

FAKE_CALL(cuStreamCreate, Stream* stream, unsigned flags) {
    ENTER();
    if (flags != kStreamNonBlocking) return invalid_value;
    *stream = new StreamOfDriver;
    (*stream)->device = t_current.back()->device;
    g_state.streams.insert(*stream);
    ++g_state.control.n_streams;
    return ok;
}
FAKE_CALL(cuStreamSynchronize, Stream stream) {
    ENTER();
    if (stream->refuses()) return capture_unsupported;
    run_all(*stream);
    return static_cast<Status>(g_state.control.broken_by);
}
FAKE_CALL(cuStreamWaitEvent, Stream stream, Event event, unsigned flags) {
    ENTER();
    if (flags != 0 || stream->device != t_current.back()->device) return invalid_value;
    if (stream->refuses()) return capture_unsupported;
    // A stream may be gone by then, and is done in that case.
    StreamOfDriver* const other = event->stream;
    const uint64_t at = event->at;
    stream->work.push_back([=] {
        if (other != nullptr && g_state.streams.contains(other)) run_until(*other, at);
    });
    return ok;
}
FAKE_CALL(cuStreamDestroy_v2, Stream stream) {
    ENTER(Where::even_broken);
    run_all(*stream);
    g_state.streams.erase(stream);
    --g_state.control.n_streams;
    delete stream;
    return ok;
}
FAKE_CALL(cuStreamBeginCapture_v2, Stream stream, CaptureMode mode) {
    ENTER();
    if (mode != capture_relaxed || stream->captured != nullptr) return invalid_value;
    stream->captured = std::make_unique<GraphOfDriver>();
    return ok;
}
FAKE_CALL(cuStreamEndCapture, Stream stream, Graph* graph) {
    ENTER(Where::even_broken);
    if (stream->captured == nullptr) return invalid_value;
    *graph = stream->captured.release();
    ++g_state.control.n_graphs;
    return ok;
}
FAKE_CALL(cuGraphInstantiateWithFlags, GraphExec* exec, Graph graph, unsigned long long flags) {
    ENTER();
    if (flags != 0) return invalid_value;
    *exec = new GraphExecOfDriver{graph->work};
    ++g_state.control.n_graphs;
    return ok;
}
FAKE_CALL(cuGraphLaunch, GraphExec exec, Stream stream) {
    ENTER();
    if (stream->refuses()) return capture_unsupported;
    for (const auto& piece : exec->work) stream->work.push_back(piece);
    return ok;
}
FAKE_CALL(cuGraphExecDestroy, GraphExec exec) {
    ENTER(Where::even_broken);
    for (StreamOfDriver* stream : g_state.streams) run_all(*stream);  // a driver keeps what still runs
    --g_state.control.n_graphs;
    delete exec;
    return ok;
}
FAKE_CALL(cuGraphDestroy, Graph graph) {
    ENTER(Where::even_broken);
    --g_state.control.n_graphs;
    delete graph;
    return ok;
}
#if !defined(FAKE_CUDA_WITHOUT_EVENTS)
FAKE_CALL(cuEventCreate, Event* event, unsigned) {
    ENTER();
    *event = new EventOfDriver;
    ++g_state.control.n_events;
    return ok;
}
#endif
FAKE_CALL(cuEventRecord, Event event, Stream stream) {
    ENTER();
    if (stream->device != t_current.back()->device) return invalid_value;
    if (stream->refuses()) return capture_unsupported;
    event->stream = stream;
    event->at = stream->n_done + stream->work.size();
    return ok;
}
FAKE_CALL(cuEventSynchronize, Event event) {
    ENTER();
    if (event->stream != nullptr) run_until(*event->stream, event->at);
    return static_cast<Status>(g_state.control.broken_by);
}
FAKE_CALL(cuEventDestroy_v2, Event event) {
    ENTER(Where::even_broken);
    --g_state.control.n_events;
    delete event;
    return ok;
}
