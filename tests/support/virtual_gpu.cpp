// See virtual_gpu.h.
#include "tests/support/virtual_gpu.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <optional>
#include <utility>

#include "tests/support/fiber_grid.h"
#include "tests/support/ptx_grid.h"
#include "tests/support/sanitized.h"

#if defined(TEST_ADDRESS_SANITIZER)
extern "C" {
void __asan_poison_memory_region(void const volatile* address, size_t size);
void __asan_unpoison_memory_region(void const volatile* address, size_t size);
}
#endif

namespace test {
namespace {

constexpr size_t kAlignment = 256;
constexpr size_t kGuardBytes = 256;  // before and behind a block
constexpr uint8_t kGuardByte = 0xa7;
constexpr size_t kMaxArgsBytes = 4096;

constexpr const char* kPointNames[] = {"allocate", "launch",      "copy_in",     "copy_within", "clear",
                                       "copy_out", "synchronize", "make_stream", "copy_from"};

std::string hexadecimal(const void* address) {
    char text[32];
    std::snprintf(text, sizeof text, "%p", address);
    return text;
}

// Bytes of a device between guards; garbage at first.
class Block {
public:
    Block(size_t n_bytes, const char* what) : n_bytes_(n_bytes), what_(what) {
        memory_ = static_cast<uint8_t*>(::operator new (n_bytes + 2 * kGuardBytes, std::align_val_t{kAlignment}));
        std::memset(memory_, kGuardByte, n_bytes + 2 * kGuardBytes);
        for (size_t i = 0; i + 4 <= n_bytes; i += 4) std::memcpy(address() + i, &kSharedPoison, 4);
        guard(true);
    }
    Block(Block&& other) noexcept
        : memory_(std::exchange(other.memory_, nullptr)), n_bytes_(other.n_bytes_), what_(std::move(other.what_)) {}
    Block& operator=(Block&&) = delete;
    ~Block() {
        if (memory_ == nullptr) return;
        guard(false);
        ::operator delete (memory_, std::align_val_t{kAlignment});
    }

    uint8_t* address() const { return memory_ + kGuardBytes; }
    size_t n_bytes() const { return n_bytes_; }
    const std::string& what() const { return what_; }
    bool holds(const void* from, size_t n) const {
        const auto at = reinterpret_cast<uintptr_t>(from);
        const auto begin = reinterpret_cast<uintptr_t>(address());
        return at >= begin && at - begin <= n_bytes_ && n <= n_bytes_ - (at - begin);
    }
    bool intact() const {
        guard(false);
        const auto untouched = [](const uint8_t* p) {
            return std::all_of(p, p + kGuardBytes, [](uint8_t byte) { return byte == kGuardByte; });
        };
        const bool both = untouched(memory_) && untouched(address() + n_bytes_);
        guard(true);
        return both;
    }

private:
    void guard([[maybe_unused]] bool on) const {
#if defined(TEST_ADDRESS_SANITIZER)
        (on ? __asan_poison_memory_region : __asan_unpoison_memory_region)(memory_, kGuardBytes);
        (on ? __asan_poison_memory_region : __asan_unpoison_memory_region)(address() + n_bytes_, kGuardBytes);
#endif
    }

    uint8_t* memory_;
    size_t n_bytes_;
    std::string what_;
};

class Device final : public VirtualDevice, public PtxDeviceMemory {
public:
    Device(const VirtualGpuOptions& options, int32_t index);
    ~Device() override;

    const tg::GpuInfo& info() const noexcept override { return info_; }
    tg::GpuMemory memory() override;
    uint8_t* allocate(size_t n_bytes, const char* what) override;
    void release(uint8_t* address) noexcept override;
    std::unique_ptr<tg::GpuStream> make_stream() override;

    VirtualCounters counters() override {
        const std::lock_guard lock(mutex_);
        return counters_;
    }
    void set_fault(const VirtualFault& fault) override {
        const std::lock_guard lock(mutex_);
        fault_ = fault;
        lost_ = false;
    }
    void set_wrong(bool on) override { wrong_ = on; }
    bool wrong() const { return wrong_; }
    void set_deaf(bool on) override { deaf_ = on; }
    bool deaf() const { return deaf_; }
    void clear_fault() override {
        const std::lock_guard lock(mutex_);
        fault_.reset();
        lost_ = false;
    }
    std::string take_problems() override;

    // count(counters) at the point of a call that is not to fail.
    template <class Count>
    void pass(FaultPoint point, Count count) {
        const std::lock_guard lock(mutex_);
        meet_fault(point);
        count(counters_);
    }
    template <class Count>
    void count(Count count) {
        const std::lock_guard lock(mutex_);
        count(counters_);
    }
    void check_range(FaultPoint point, const void* from, size_t n_bytes);
    bool find(uint64_t address, uint64_t* begin, uint64_t* n_bytes) override;
    [[noreturn]] void fail(FaultPoint point, const std::string& why, tg::ErrorKind kind = tg::ErrorKind::device) const {
        throw tg::Error(kind, info_.name + " " + std::to_string(info_.index) + ": " +
                                  kPointNames[static_cast<size_t>(point)] + ": " + why);
    }

private:
    void meet_fault(FaultPoint point);
    void note(const std::string& problem) { problems_ += (problems_.empty() ? "" : "; ") + problem; }

    tg::GpuInfo info_;
    std::mutex mutex_;
    std::map<uintptr_t, Block> blocks_;
    VirtualCounters counters_;
    std::optional<VirtualFault> fault_;
    std::atomic<bool> wrong_ = false, deaf_ = false;
    bool lost_ = false;
    std::string problems_;
};

class Stream final : public tg::GpuStream {
public:
    explicit Stream(Device& device) : device_(device) {}
    ~Stream() override {
        device_.count([](VirtualCounters& counters) { --counters.n_streams; });
    }

    const tg::GpuInfo& info() const noexcept override { return device_.info(); }
    void launch(kern::gpu::KernelId kernel, const tg::GpuGrid& grid, const void* args, size_t n_args) override;
    void copy_in(void* to, const void* from, size_t n_bytes) override;
    void copy_within(void* to, const void* from, size_t n_bytes) override;
    void copy_from(tg::GpuStream& source, void* to, const void* from, size_t n_bytes) override;
    void clear(void* to, size_t n_bytes) override;
    void copy_out(void* to, const void* from, size_t n_bytes) override;
    void synchronize() override;
    bool can_record() const noexcept override { return true; }
    void begin_recording() override;
    std::unique_ptr<tg::GpuRecording> end_recording() override;
    void drop_recording() noexcept override { recorded_.reset(); }
    void replay(const tg::GpuRecording& recording) override;

private:
    struct Launch {
        kern::gpu::KernelId kernel;
        tg::GpuGrid grid;
        std::vector<std::byte> args;
    };
    struct Recording final : tg::GpuRecording {
        const Stream* stream = nullptr;
        std::vector<Launch> launches;
    };
    void require_no_recording(FaultPoint point) {
        if (recorded_ != nullptr) device_.fail(point, "launches are being recorded");
    }
    // Of the stream, by the thread that calls.
    class Use {
    public:
        explicit Use(Stream& stream) : busy_(stream.busy_) {
            if (busy_.exchange(true)) throw GridError("two threads use a stream at once");
        }
        ~Use() { busy_ = false; }

    private:
        std::atomic<bool>& busy_;
    };

    Device& device_;
    std::unique_ptr<Recording> recorded_;  // while it is being made
    std::atomic<bool> busy_ = false;
};

Device::Device(const VirtualGpuOptions& options, int32_t index) {
    info_.name = "virtual GPU";
    info_.index = index;
    const PtxProgram* const program = ptx_of_tests();
    info_.major = program != nullptr ? program->target() / 10 : options.major;
    info_.minor = program != nullptr ? program->target() % 10 : options.minor;
    info_.n_multiprocessors = options.n_multiprocessors;
    info_.max_threads_per_block = kMaxBlockThreads;
    info_.max_threads_per_multiprocessor = kMaxBlockThreads;
    info_.max_shared_bytes = options.max_shared_bytes;
    const auto at = static_cast<size_t>(index);
    info_.memory_bytes = at < options.memory_of.size() ? options.memory_of[at] : options.memory_bytes;
}

Device::~Device() {
    const std::string problems = take_problems();
    if (problems.empty()) return;
    std::fprintf(stderr, "%s %d: %s\n", info_.name.c_str(), static_cast<int>(info_.index), problems.c_str());
    std::abort();
}

std::string Device::take_problems() {
    const std::lock_guard lock(mutex_);
    for (const auto& [address, block] : blocks_) {
        note(std::to_string(block.n_bytes()) + " bytes of " + block.what() + " were not released" +
             (block.intact() ? "" : ", and bytes beside them were written"));
    }
    if (counters_.n_streams > 0) note(std::to_string(counters_.n_streams) + " streams are left");
    return std::exchange(problems_, std::string());
}

tg::GpuMemory Device::memory() {
    const std::lock_guard lock(mutex_);
    return {.free = info_.memory_bytes - counters_.used_bytes, .total = info_.memory_bytes};
}

void Device::meet_fault(FaultPoint point) {
    if (lost_) fail(point, "the device was lost");
    if (!fault_ || fault_->at != point) return;
    if (fault_->after > 0) {
        --fault_->after;
        return;
    }
    const VirtualFault fault = *fault_;
    fault_.reset();
    lost_ = fault.lasting;
    fail(point, "a test lets it fail", fault.kind);
}

uint8_t* Device::allocate(size_t n_bytes, const char* what) {
    const std::lock_guard lock(mutex_);
    meet_fault(FaultPoint::allocate);
    const uint64_t free = info_.memory_bytes - counters_.used_bytes;
    if (n_bytes > free) {
        fail(FaultPoint::allocate,
             std::to_string(n_bytes) + " bytes for " + what + ", of which " + std::to_string(free) + " are free",
             tg::ErrorKind::out_of_memory);
    }
    Block block(n_bytes, what);
    uint8_t* address = block.address();
    blocks_.emplace(reinterpret_cast<uintptr_t>(address), std::move(block));
    ++counters_.n_allocations;
    ++counters_.n_blocks;
    counters_.used_bytes += n_bytes;
    counters_.most_used_bytes = std::max(counters_.most_used_bytes, counters_.used_bytes);
    return address;
}

void Device::release(uint8_t* address) noexcept {
    const std::lock_guard lock(mutex_);
    const auto found = blocks_.find(reinterpret_cast<uintptr_t>(address));
    if (found == blocks_.end()) {
        note("no block begins at " + hexadecimal(address) + ", which is released");
        return;
    }
    const Block& block = found->second;
    if (!block.intact()) {
        note("bytes beside the " + std::to_string(block.n_bytes()) + " of " + block.what() + " were written");
    }
    --counters_.n_blocks;
    counters_.used_bytes -= block.n_bytes();
    blocks_.erase(found);
}

std::unique_ptr<tg::GpuStream> Device::make_stream() {
    pass(FaultPoint::make_stream, [](VirtualCounters& counters) { ++counters.n_streams; });
    return std::make_unique<Stream>(*this);
}

void Device::check_range(FaultPoint point, const void* from, size_t n_bytes) {
    const std::lock_guard lock(mutex_);
    auto next = blocks_.upper_bound(reinterpret_cast<uintptr_t>(from));
    if (next == blocks_.begin() || !std::prev(next)->second.holds(from, n_bytes)) {
        fail(point, std::to_string(n_bytes) + " bytes at " + hexadecimal(from) + " are not within a block");
    }
}

bool Device::find(uint64_t address, uint64_t* begin, uint64_t* n_bytes) {
    const std::lock_guard lock(mutex_);
    auto next = blocks_.upper_bound(static_cast<uintptr_t>(address));
    if (next == blocks_.begin()) return false;
    const Block& block = std::prev(next)->second;
    *begin = reinterpret_cast<uintptr_t>(block.address());
    *n_bytes = block.n_bytes();
    return address - *begin < *n_bytes;
}

void Stream::launch(kern::gpu::KernelId kernel, const tg::GpuGrid& grid, const void* args, size_t n_args) {
    const Use use(*this);
    const auto id = static_cast<size_t>(kernel);
    const auto refuse = [&](const std::string& why) {
        device_.fail(FaultPoint::launch, kern::gpu::kKernels[id].symbol + (": " + why));
    };
    if (id >= kern::gpu::kKernelCount)
        device_.fail(FaultPoint::launch, "no kernel has the number " + std::to_string(id));
    const VirtualKernel& row = kVirtualKernels[id];
    if (n_args != kern::gpu::kKernels[id].args_bytes) {
        refuse(std::to_string(n_args) + " bytes of arguments, not " +
               std::to_string(kern::gpu::kKernels[id].args_bytes));
    }
    if (grid.threads == 0 || grid.threads % 32 != 0 || grid.threads > row.max_threads) {
        refuse("blocks of " + std::to_string(grid.threads) + " threads, not of a multiple of 32 up to " +
               std::to_string(row.max_threads));
    }
    if (grid.x == 0 || grid.x > 0x7fffffffu || grid.y == 0 || grid.y > 65535 || grid.z == 0 || grid.z > 65535) {
        refuse("a grid of " + std::to_string(grid.x) + " by " + std::to_string(grid.y) + " by " +
               std::to_string(grid.z) + " blocks");
    }
    if (grid.shared_bytes > static_cast<uint32_t>(info().max_shared_bytes)) {
        refuse(std::to_string(grid.shared_bytes) + " bytes of shared memory, more than " +
               std::to_string(info().max_shared_bytes));
    }
    if (recorded_ != nullptr) {
        const auto* bytes = static_cast<const std::byte*>(args);
        recorded_->launches.push_back({kernel, grid, {bytes, bytes + n_args}});
        return;
    }
    uint64_t number = 0;
    device_.pass(FaultPoint::launch, [&](VirtualCounters& counters) {
        number = counters.n_launches++;
        ++counters.n_launches_of[id];
    });
    alignas(16) std::byte copy[kMaxArgsBytes];
    std::memcpy(copy, args, n_args);
    const GridOrder order = number % 2 == 0 ? GridOrder::forward : GridOrder::backward;
    if (const PtxProgram* const program = ptx_of_tests(); program != nullptr) {
        run_ptx({.program = *program,
                 .kernel = kern::gpu::kKernels[id].symbol,
                 .args = copy,
                 .n_args = n_args,
                 .grid = grid,
                 .memory = device_,
                 .order = order,
                 .max_shared_bytes = static_cast<uint32_t>(info().max_shared_bytes)});
    } else {
        run_grid(row.run, static_cast<const void*>(copy), grid, order);
    }
}

void Stream::begin_recording() {
    const Use use(*this);
    require_no_recording(FaultPoint::launch);
    recorded_ = std::make_unique<Recording>();
    recorded_->stream = this;
}

std::unique_ptr<tg::GpuRecording> Stream::end_recording() {
    const Use use(*this);
    if (recorded_ == nullptr) device_.fail(FaultPoint::launch, "nothing is being recorded");
    return std::move(recorded_);
}

void Stream::replay(const tg::GpuRecording& recording) {
    require_no_recording(FaultPoint::launch);
    const auto& kept = static_cast<const Recording&>(recording);
    if (kept.stream != this) device_.fail(FaultPoint::launch, "the recording is another stream's");
    for (const Launch& each : kept.launches) launch(each.kernel, each.grid, each.args.data(), each.args.size());
    device_.count([](VirtualCounters& counters) { ++counters.n_replays; });
}

void Stream::copy_in(void* to, const void* from, size_t n_bytes) {
    const Use use(*this);
    require_no_recording(FaultPoint::copy_in);
    device_.check_range(FaultPoint::copy_in, to, n_bytes);
    device_.pass(FaultPoint::copy_in, [&](VirtualCounters& counters) {
        ++counters.n_copies_in;
        counters.n_bytes_in += n_bytes;
    });
    if (n_bytes > 0) std::memcpy(to, from, n_bytes);
}

void Stream::copy_within(void* to, const void* from, size_t n_bytes) {
    const Use use(*this);
    require_no_recording(FaultPoint::copy_within);
    device_.check_range(FaultPoint::copy_within, to, n_bytes);
    device_.check_range(FaultPoint::copy_within, from, n_bytes);
    const auto a = reinterpret_cast<uintptr_t>(to);
    const auto b = reinterpret_cast<uintptr_t>(from);
    if (n_bytes > 0 && (a < b ? b - a : a - b) < n_bytes) device_.fail(FaultPoint::copy_within, "the ranges overlap");
    device_.pass(FaultPoint::copy_within, [&](VirtualCounters& counters) { counters.n_bytes_within += n_bytes; });
    if (n_bytes > 0) std::memcpy(to, from, n_bytes);
}

void Stream::copy_from(tg::GpuStream& source, void* to, const void* from, size_t n_bytes) {
    auto& other = static_cast<Stream&>(source);
    const Use use(*this), use_of_other(other);
    require_no_recording(FaultPoint::copy_from);
    other.require_no_recording(FaultPoint::copy_from);
    if (&device_ == &other.device_) device_.fail(FaultPoint::copy_from, "the other stream is of the same device");
    device_.check_range(FaultPoint::copy_from, to, n_bytes);
    other.device_.check_range(FaultPoint::copy_from, from, n_bytes);
    device_.pass(FaultPoint::copy_from, [&](VirtualCounters& counters) {
        ++counters.n_copies_from;
        counters.n_bytes_from += n_bytes;
    });
    if (n_bytes == 0) return;
    std::memcpy(to, from, n_bytes);
    if (device_.deaf()) *static_cast<uint8_t*>(to) ^= 1;
}

void Stream::clear(void* to, size_t n_bytes) {
    const Use use(*this);
    require_no_recording(FaultPoint::clear);
    device_.check_range(FaultPoint::clear, to, n_bytes);
    device_.pass(FaultPoint::clear, [&](VirtualCounters& counters) { counters.n_bytes_cleared += n_bytes; });
    if (n_bytes > 0) std::memset(to, 0, n_bytes);
}

void Stream::copy_out(void* to, const void* from, size_t n_bytes) {
    const Use use(*this);
    require_no_recording(FaultPoint::copy_out);
    device_.check_range(FaultPoint::copy_out, from, n_bytes);
    device_.pass(FaultPoint::copy_out, [&](VirtualCounters& counters) {
        ++counters.n_copies_out;
        counters.n_bytes_out += n_bytes;
    });
    if (n_bytes == 0) return;
    std::memcpy(to, from, n_bytes);
    if (device_.wrong()) *static_cast<uint8_t*>(to) ^= 1;
}

void Stream::synchronize() {
    const Use use(*this);
    require_no_recording(FaultPoint::synchronize);
    device_.pass(FaultPoint::synchronize, [](VirtualCounters& counters) { ++counters.n_synchronizes; });
}

}  // namespace

VirtualGpu::VirtualGpu(const VirtualGpuOptions& options) : problem_(options.problem) {
    for (int32_t i = 0; i < options.n_devices; ++i) devices_.push_back(std::make_shared<Device>(options, i));
}

std::shared_ptr<tg::GpuDevice> VirtualGpu::open(int32_t index) { return devices_.at(static_cast<size_t>(index)); }

}  // namespace test
