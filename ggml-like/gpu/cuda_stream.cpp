#include "ggml-like/gpu/cuda_stream.h"

#include <algorithm>
#include <cstring>

namespace tg {
namespace {

constexpr size_t kPart = 256;  // parts of a half begin at multiples, which the device copies fastest

cuda::Address address_of(const void* memory) noexcept { return reinterpret_cast<cuda::Address>(memory); }

// What the driver makes of recorded launches: a graph whose nodes it has prepared.
class CudaRecording final : public GpuRecording {
public:
    CudaRecording(CudaDevice& device, cuda::GraphExec exec) : device_(device), exec_(exec) {}
    ~CudaRecording() override {
        const cuda::Api& api = device_.api();
        if (api.cuCtxPushCurrent_v2(device_.context()) != cuda::ok) return;
        api.cuGraphExecDestroy(exec_);
        cuda::Context was = nullptr;
        api.cuCtxPopCurrent_v2(&was);
    }
    cuda::GraphExec exec() const noexcept { return exec_; }

private:
    CudaDevice& device_;
    cuda::GraphExec exec_;
};

}  // namespace

CudaStream::CudaStream(CudaDevice& device) : device_(device) {
    const CudaDevice::Use use(device_);
    device_.check(device_.api().cuStreamCreate(&stream_, cuda::kStreamNonBlocking), "cuStreamCreate");
}

CudaStream::~CudaStream() { close(); }

void CudaStream::close() noexcept {
    const cuda::Api& api = device_.api();
    if (api.cuCtxPushCurrent_v2(device_.context()) != cuda::ok) return;
    api.cuStreamSynchronize(stream_);
    for (Half& half : halves_) {
        if (half.done != nullptr) api.cuEventDestroy_v2(half.done);
        if (half.bytes != nullptr) api.cuMemFreeHost(half.bytes);
    }
    if (mark_ != nullptr) api.cuEventDestroy_v2(mark_);
    api.cuStreamDestroy_v2(stream_);
    cuda::Context was = nullptr;
    api.cuCtxPopCurrent_v2(&was);
}

void CudaStream::take_memory() {
    for (Half& half : halves_) {
        if (half.bytes == nullptr) {
            void* bytes = nullptr;
            device_.check(device_.api().cuMemHostAlloc(&bytes, kHalfBytes, 0), "cuMemHostAlloc",
                          GpuFault::out_of_memory);
            half.bytes = static_cast<uint8_t*>(bytes);
        }
        if (half.done == nullptr)
            device_.check(device_.api().cuEventCreate(&half.done, cuda::kEventNoTiming), "cuEventCreate");
    }
}

void CudaStream::record(Half& half) {
    device_.check(device_.api().cuEventRecord(half.done, stream_), "cuEventRecord");
    half.busy = true;
}

void CudaStream::wait_for(Half& half) {
    if (!half.busy) return;
    device_.wait("cuEventSynchronize", [&] { return device_.api().cuEventSynchronize(half.done); });
    half.busy = false;
}

// The other half, free of earlier copies.
void CudaStream::turn() {
    record(halves_[current_]);
    current_ ^= 1;
    wait_for(halves_[current_]);
    n_used_ = 0;
}

void CudaStream::launch(kern::gpu::KernelId kernel, const GpuGrid& grid, const void* args, size_t n_args) {
    const kern::gpu::KernelRow& row = kern::gpu::kKernels[static_cast<size_t>(kernel)];
    if (n_args != row.args_bytes) {
        throw GpuError(GpuFault::other, std::string(row.symbol) + " takes " + std::to_string(row.args_bytes) +
                                            " bytes of arguments, not " + std::to_string(n_args));
    }
    const CudaDevice::Use use(device_);
    const cuda::Function function = device_.kernel(kernel, grid.shared_bytes);
    void* params[] = {const_cast<void*>(args)};  // the driver copies what they point to
    const cuda::Status status = device_.api().cuLaunchKernel(function, grid.x, grid.y, grid.z, grid.threads, 1, 1,
                                                             grid.shared_bytes, stream_, params, nullptr);
    if (status != cuda::ok) {
        device_.check(status, (std::string("cuLaunchKernel of ") + row.symbol).c_str(), GpuFault::compute);
    }
    device_.count_launch();
}

void CudaStream::launch_function(cuda::Function function, const uint32_t grid[3], const uint32_t block[3],
                                 uint32_t shared_bytes, void** params) {
    const CudaDevice::Use use(device_);
    device_.allow_shared(function, shared_bytes, "the kernel");
    device_.check(device_.api().cuLaunchKernel(function, grid[0], grid[1], grid[2], block[0], block[1], block[2],
                                               shared_bytes, stream_, params, nullptr),
                  "cuLaunchKernel", GpuFault::compute);
    device_.count_launch();
}

void CudaStream::copy_in(void* to, const void* from, size_t n_bytes) {
    if (n_bytes == 0) return;
    const CudaDevice::Use use(device_);
    take_memory();
    for (size_t done = 0; done < n_bytes;) {
        if (n_used_ == kHalfBytes) turn();
        const size_t n = std::min(n_bytes - done, kHalfBytes - n_used_);
        uint8_t* const part = halves_[current_].bytes + n_used_;
        std::memcpy(part, static_cast<const uint8_t*>(from) + done, n);
        device_.check(device_.api().cuMemcpyHtoDAsync_v2(address_of(to) + done, part, n, stream_), "cuMemcpyHtoDAsync");
        n_used_ = std::min((n_used_ + n + kPart - 1) / kPart * kPart, kHalfBytes);
        done += n;
    }
    device_.count_copy_in(n_bytes);
}

void CudaStream::copy_within(void* to, const void* from, size_t n_bytes) {
    if (n_bytes == 0) return;
    const CudaDevice::Use use(device_);
    device_.check(device_.api().cuMemcpyDtoDAsync_v2(address_of(to), address_of(from), n_bytes, stream_),
                  "cuMemcpyDtoDAsync");
}

// Behind all work of this stream so far. Who waits for it waits for what it is behind now, whatever it marks later.
cuda::Event CudaStream::mark() {
    const CudaDevice::Use use(device_);
    if (mark_ == nullptr) device_.check(device_.api().cuEventCreate(&mark_, cuda::kEventNoTiming), "cuEventCreate");
    device_.check(device_.api().cuEventRecord(mark_, stream_), "cuEventRecord");
    return mark_;
}

void CudaStream::wait_for(cuda::Event event) {
    const CudaDevice::Use use(device_);
    device_.check(device_.api().cuStreamWaitEvent(stream_, event, 0), "cuStreamWaitEvent");
}

void CudaStream::copy_from(GpuStream& source, void* to, const void* from, size_t n_bytes) {
    if (n_bytes == 0) return;
    CudaStream& other = static_cast<CudaStream&>(source);
    device_.reach(other.device_);
    wait_for(other.mark());
    {
        const CudaDevice::Use use(device_);
        device_.check(device_.api().cuMemcpyPeerAsync(address_of(to), device_.context(), address_of(from),
                                                      other.device_.context(), n_bytes, stream_),
                      "cuMemcpyPeerAsync");
    }
    other.wait_for(mark());
}

void CudaStream::clear(void* to, size_t n_bytes) {
    if (n_bytes == 0) return;
    const CudaDevice::Use use(device_);
    device_.check(device_.api().cuMemsetD8Async(address_of(to), 0, n_bytes, stream_), "cuMemsetD8Async");
}

// The device fills one half while the host empties the other. Copies to the device that still read a half run before, as all
// on a stream.
void CudaStream::copy_out(void* to, const void* from, size_t n_bytes) {
    if (n_bytes == 0) return;
    const CudaDevice::Use use(device_);
    take_memory();
    const auto fetch = [&](size_t begin) {
        Half& half = halves_[begin / kHalfBytes % 2];
        device_.check(device_.api().cuMemcpyDtoHAsync_v2(half.bytes, address_of(from) + begin,
                                                         std::min(kHalfBytes, n_bytes - begin), stream_),
                      "cuMemcpyDtoHAsync");
        record(half);
    };
    fetch(0);
    for (size_t begin = 0; begin < n_bytes; begin += kHalfBytes) {
        if (begin + kHalfBytes < n_bytes) fetch(begin + kHalfBytes);
        Half& half = halves_[begin / kHalfBytes % 2];
        wait_for(half);
        std::memcpy(static_cast<uint8_t*>(to) + begin, half.bytes, std::min(kHalfBytes, n_bytes - begin));
    }
    halves_[0].busy = halves_[1].busy = false;  // the last copy was behind all others
    n_used_ = 0;
    device_.count_copy_out(n_bytes);
}

bool CudaStream::can_record() const noexcept {
    const cuda::Api& api = device_.api();
    return api.cuStreamBeginCapture_v2 != nullptr && api.cuStreamEndCapture != nullptr &&
           api.cuGraphInstantiateWithFlags != nullptr && api.cuGraphLaunch != nullptr &&
           api.cuGraphExecDestroy != nullptr && api.cuGraphDestroy != nullptr;
}

void CudaStream::begin_recording() {
    const CudaDevice::Use use(device_);
    device_.check(device_.api().cuStreamBeginCapture_v2(stream_, cuda::capture_relaxed), "cuStreamBeginCapture");
}

std::unique_ptr<GpuRecording> CudaStream::end_recording() {
    const CudaDevice::Use use(device_);
    const cuda::Api& api = device_.api();
    cuda::Graph graph = nullptr;
    device_.check(api.cuStreamEndCapture(stream_, &graph), "cuStreamEndCapture");
    cuda::GraphExec exec = nullptr;
    const cuda::Status status = api.cuGraphInstantiateWithFlags(&exec, graph, 0);
    api.cuGraphDestroy(graph);
    device_.check(status, "cuGraphInstantiate");
    return std::make_unique<CudaRecording>(device_, exec);
}

void CudaStream::drop_recording() noexcept {
    const cuda::Api& api = device_.api();
    if (api.cuCtxPushCurrent_v2(device_.context()) != cuda::ok) return;
    cuda::Graph graph = nullptr;
    if (api.cuStreamEndCapture(stream_, &graph) == cuda::ok && graph != nullptr) api.cuGraphDestroy(graph);
    cuda::Context was = nullptr;
    api.cuCtxPopCurrent_v2(&was);
}

void CudaStream::replay(const GpuRecording& recording) {
    const CudaDevice::Use use(device_);
    device_.check(device_.api().cuGraphLaunch(static_cast<const CudaRecording&>(recording).exec(), stream_), "cuGraphLaunch",
                  GpuFault::compute);
    device_.count_launch();
}

void CudaStream::synchronize() {
    const CudaDevice::Use use(device_);
    device_.wait("cuStreamSynchronize", [&] { return device_.api().cuStreamSynchronize(stream_); });
    halves_[0].busy = halves_[1].busy = false;
    n_used_ = 0;
}

}  // namespace tg
