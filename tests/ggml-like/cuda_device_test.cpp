// NVIDIA's device and stream over a stand-in for the driver: memory, copies, launches, and every failure on the way.
#include <doctest/doctest.h>

#include <cstring>
#include <thread>
#include <vector>

#include "ggml-like/gpu/cuda_device.h"
#include "ggml-like/gpu/cuda_stream.h"
#include "tests/support/fake_cuda_fixture.h"

namespace {

using kern::gpu::BinaryArgs;
using kern::gpu::KernelId;

// An opened device; whatever a test does, contexts are left as they were found and everything is given back.
struct Opened {
    test::FakeCuda& fake;
    tg::CudaDriver driver{test::fake_cuda_options()};
    std::shared_ptr<tg::GpuDevice> device;

    Opened() : fake(test::fresh_fake_cuda()), device(driver.open(0)) {}
    ~Opened() {
        device.reset();
        CHECK(test::fake_contexts_here() == 0);
        CHECK(fake.all_freed());
    }
    tg::CudaDevice& cuda() { return static_cast<tg::CudaDevice&>(*device); }
    void fail(const char* call, int status, int further = 1) {
        fake.failing_call = call;
        fake.failing_at = fake.calls[call] + further;
        fake.failing_status = status;
    }
};

template <typename Body>
tg::GpuError error_of(Body&& body) {
    try {
        body();
    } catch (const tg::GpuError& error) {
        return error;
    }
    FAIL("nothing was thrown");
    return {tg::GpuFault::other, ""};
}

bool has(const tg::GpuError& error, const std::string& part) { return error.message().find(part) != std::string::npos; }

std::vector<uint8_t> bytes_of(size_t n, unsigned seed) {
    std::vector<uint8_t> bytes(n);
    for (size_t i = 0; i < n; ++i) bytes[i] = static_cast<uint8_t>((i * 2654435761u + seed) >> 11);
    return bytes;
}

}  // namespace

TEST_CASE("memory is aligned, counted and given back") {
    Opened opened;
    tg::GpuDevice& device = *opened.device;
    uint8_t* const a = device.allocate(1000, "a test");
    uint8_t* const none = device.allocate(0, "nothing");
    CHECK(reinterpret_cast<uintptr_t>(a) % 256 == 0);
    CHECK(none != nullptr);
    CHECK(opened.cuda().allocated_bytes() == 1000);
    CHECK(device.memory().total == uint64_t{64} << 20);
    CHECK(device.memory().free == (uint64_t{64} << 20) - 1001);
    device.release(a);
    device.release(none);
    device.release(none);  // unknown by now: nothing happens
    device.release(nullptr);
    CHECK(opened.cuda().allocated_bytes() == 0);
    CHECK(opened.fake.blocks.empty());
}

TEST_CASE("no room is an error of its own kind, before any work, with what was asked for and what is free") {
    Opened opened;
    uint8_t* const most = opened.device->allocate(size_t{60} << 20, "weights");
    const tg::GpuError error = error_of([&] { opened.device->allocate(size_t{5} << 20, "the KV cache"); });
    CHECK(error.kind() == tg::ErrorKind::device_memory);
    CHECK(error.fault() == tg::GpuFault::out_of_memory);
    CHECK(error.needed() == size_t{5} << 20);
    CHECK(error.available() == size_t{4} << 20);
    CHECK(
        error.message() ==
        "cuda:0 (Fake H200): no room for 5242880 bytes of the KV cache: 4194304 of its 67108864 bytes are free; choose "
        "a smaller context or model, or another device");
    opened.device->release(most);
    opened.device->release(opened.device->allocate(size_t{5} << 20, "the KV cache"));  // it goes on
}

TEST_CASE("the host's bytes may change after copy_in, however many they are, and copy_out waits") {
    Opened opened;
    const auto stream = opened.device->make_stream();
    constexpr size_t kHalf = tg::CudaStream::kHalfBytes;
    for (const size_t n : {size_t{1}, size_t{4096}, kHalf - 1, kHalf, kHalf + 1, 2 * kHalf, 5 * kHalf + 77}) {
        CAPTURE(n);
        uint8_t* const there = opened.device->allocate(n, "bytes");
        const std::vector<uint8_t> wanted = bytes_of(n, 7);
        std::vector<uint8_t> bytes = wanted;
        stream->copy_in(there, bytes.data(), n);
        std::fill(bytes.begin(), bytes.end(), uint8_t{0});
        std::vector<uint8_t> back(n);
        stream->copy_out(back.data(), there, n);
        CHECK(std::memcmp(back.data(), wanted.data(), n) == 0);
        opened.device->release(there);
    }
    CHECK(opened.fake.copied_at_once <= kHalf);
    CHECK(opened.fake.n_pinned == 2);
}

TEST_CASE("many small copies in a row do not overwrite each other") {
    Opened opened;
    const auto stream = opened.device->make_stream();
    constexpr size_t kPiece = 100003, kPieces = 150;  // several times round both halves
    uint8_t* const there = opened.device->allocate(kPiece * kPieces, "pieces");
    const std::vector<uint8_t> wanted = bytes_of(kPiece * kPieces, 3);
    std::vector<uint8_t> one(kPiece);
    for (size_t i = 0; i < kPieces; ++i) {
        std::memcpy(one.data(), wanted.data() + i * kPiece, kPiece);
        stream->copy_in(there + i * kPiece, one.data(), kPiece);
    }
    std::vector<uint8_t> back(wanted.size());
    stream->copy_out(back.data(), there, back.size());
    CHECK(std::memcmp(back.data(), wanted.data(), back.size()) == 0);
    // And again behind it: what a copy_out used is free for copies in.
    for (size_t i = 0; i < kPieces; ++i) stream->copy_in(there + i * kPiece, wanted.data(), kPiece);
    stream->copy_out(back.data(), there, back.size());
    for (size_t i = 0; i < kPieces; ++i) CHECK(std::memcmp(back.data() + i * kPiece, wanted.data(), kPiece) == 0);
    opened.device->release(there);
}

TEST_CASE("copies within the device, zeros, nothing at all") {
    Opened opened;
    const auto stream = opened.device->make_stream();
    uint8_t* const there = opened.device->allocate(256, "bytes");
    const std::vector<uint8_t> bytes = bytes_of(128, 1);
    stream->clear(there, 256);
    stream->copy_in(there, bytes.data(), 128);
    stream->copy_within(there + 128, there, 64);
    stream->copy_in(there, nullptr, 0);
    stream->copy_out(nullptr, there, 0);
    stream->copy_within(there, there, 0);
    stream->clear(there, 0);
    std::vector<uint8_t> back(256);
    stream->copy_out(back.data(), there, 256);
    for (size_t i = 0; i < 256; ++i) CHECK(back[i] == (i < 128 ? bytes[i] : i < 192 ? bytes[i - 128] : 0));
    opened.device->release(there);
}

TEST_CASE("a launch carries its grid and a copy of its arguments, and runs in order with copies") {
    Opened opened;
    opened.fake.on_launch = [](const test::FakeLaunch& launch) {  // plays add as one thread
        BinaryArgs args;
        std::memcpy(&args, launch.args.data(), sizeof args);
        for (int64_t i = 0; i < args.n; ++i) args.out[i] = args.a[i] + args.b[i];
    };
    const auto stream = opened.device->make_stream();
    auto* const memory = reinterpret_cast<float*>(opened.device->allocate(3 * 4 * sizeof(float), "numbers"));
    const float numbers[8] = {1, 2, 3, 4, 10, 20, 30, 40};
    stream->copy_in(memory, numbers, sizeof numbers);
    {
        BinaryArgs args = {memory, memory + 4, memory + 8, 4};
        stream->run(KernelId::add, {.x = 3, .y = 2, .z = 1, .threads = 256, .shared_bytes = 1024}, args);
        args = {};
    }
    float sums[4];
    stream->copy_out(sums, memory + 8, sizeof sums);
    for (int i = 0; i < 4; ++i) CHECK(sums[i] == numbers[i] + numbers[i + 4]);
    REQUIRE(opened.fake.launches.size() == 1);
    const test::FakeLaunch& launch = opened.fake.launches[0];
    CHECK(launch.kernel == "bitnet_add");
    CHECK(launch.grid[0] == 3);
    CHECK(launch.grid[1] == 2);
    CHECK(launch.grid[2] == 1);
    CHECK(launch.block[0] == 256);
    CHECK(launch.block[1] == 1);
    CHECK(launch.shared_bytes == 1024);
    opened.device->release(reinterpret_cast<uint8_t*>(memory));
}

TEST_CASE("shared memory beyond the usual is asked for once, and more than the device has is an error") {
    Opened opened;
    const auto stream = opened.device->make_stream();
    const auto launch = [&](uint32_t shared) {
        stream->run(KernelId::add, {.threads = 32, .shared_bytes = shared}, BinaryArgs{});
    };
    launch(49152);
    CHECK(opened.fake.calls["cuFuncSetAttribute"] == 0);
    launch(100000);
    launch(100000);
    launch(60000);
    CHECK(opened.fake.calls["cuFuncSetAttribute"] == 1);
    launch(232448);
    CHECK(opened.fake.calls["cuFuncSetAttribute"] == 2);
    const tg::GpuError error = error_of([&] { launch(232449); });
    CHECK(error.fault() == tg::GpuFault::capability);
    CHECK(has(error, "bitnet_add takes 232449 bytes of shared memory in a block, the device has 232448"));
    stream->synchronize();
    CHECK(opened.fake.launches.size() == 5);
    const int wrong = 0;
    CHECK(has(error_of([&] { stream->launch(KernelId::add, {.threads = 32}, &wrong, sizeof wrong); }),
              "bitnet_add takes 32 bytes of arguments, not 4"));
}

TEST_CASE("a host's own context stays current around every call") {
    Opened opened;
    const tg::cuda::Context own = opened.cuda().context();
    const tg::cuda::Api& api = opened.cuda().api();
    REQUIRE(api.cuCtxPushCurrent_v2(own) == tg::cuda::ok);
    {
        const auto stream = opened.device->make_stream();
        uint8_t* const there = opened.device->allocate(16, "bytes");
        stream->clear(there, 16);
        stream->synchronize();
        opened.cuda().synchronize_all();
        opened.device->release(there);
        CHECK_THROWS(opened.device->allocate(size_t{1} << 40, "too much"));
    }
    CHECK(test::fake_contexts_here() == 1);
    tg::cuda::Context popped = nullptr;
    REQUIRE(api.cuCtxPopCurrent_v2(&popped) == tg::cuda::ok);
    CHECK(popped == own);
}

TEST_CASE("each call that fails is named, with the device, and leaves nothing behind") {
    const struct {
        const char* call;
        const char* named;
        tg::GpuFault fault;
    } rows[] = {
        {"cuStreamCreate", "cuStreamCreate", tg::GpuFault::other},
        {"cuMemAlloc_v2", "cuMemAlloc", tg::GpuFault::other},
        {"cuMemHostAlloc", "cuMemHostAlloc", tg::GpuFault::out_of_memory},
        {"cuEventCreate", "cuEventCreate", tg::GpuFault::other},
        {"cuMemcpyHtoDAsync_v2", "cuMemcpyHtoDAsync", tg::GpuFault::other},
        {"cuMemcpyDtoHAsync_v2", "cuMemcpyDtoHAsync", tg::GpuFault::other},
        {"cuMemcpyDtoDAsync_v2", "cuMemcpyDtoDAsync", tg::GpuFault::other},
        {"cuMemsetD8Async", "cuMemsetD8Async", tg::GpuFault::other},
        {"cuEventRecord", "cuEventRecord", tg::GpuFault::other},
        {"cuEventSynchronize", "cuEventSynchronize", tg::GpuFault::sync},
        {"cuStreamSynchronize", "cuStreamSynchronize", tg::GpuFault::sync},
        {"cuFuncSetAttribute", "cuFuncSetAttribute", tg::GpuFault::other},
        {"cuLaunchKernel", "cuLaunchKernel of bitnet_add", tg::GpuFault::compute},
        {"cuCtxSynchronize", "cuCtxSynchronize", tg::GpuFault::sync},
        {"cuMemGetInfo_v2", "cuMemGetInfo", tg::GpuFault::other},
        {"cuCtxPushCurrent_v2", "cuCtxPushCurrent", tg::GpuFault::other},
    };
    for (const auto& row : rows) {
        CAPTURE(row.call);
        Opened opened;
        uint8_t* there = nullptr;
        const auto everything = [&] {
            const auto stream = opened.device->make_stream();
            there = opened.device->allocate(1024, "bytes");
            uint8_t bytes[1024] = {};
            stream->copy_in(there, bytes, sizeof bytes);
            stream->copy_within(there + 512, there, 512);
            stream->clear(there, 16);
            stream->copy_out(bytes, there, sizeof bytes);
            stream->run(KernelId::add, {.threads = 32, .shared_bytes = 90000}, BinaryArgs{});
            stream->synchronize();
            opened.cuda().synchronize_all();
            opened.device->memory();
        };
        opened.fail(row.call, tg::cuda::invalid_value);
        const tg::GpuError error = error_of(everything);
        CHECK(error.message() == "cuda:0 (Fake H200): " + std::string(row.named) + ": CUDA_ERROR_INVALID_VALUE");
        CHECK(error.fault() == row.fault);
        opened.device->release(there);
        there = nullptr;
        everything();  // nothing is broken
        opened.device->release(there);
    }
}

TEST_CASE("a kernel that fails breaks its device and nothing else: every later call says since when") {
    Opened opened;
    opened.fake.on_launch = [&](const test::FakeLaunch&) { opened.fake.broken_by = tg::cuda::launch_failed; };
    {
        const auto stream = opened.device->make_stream();
        uint8_t* const there = opened.device->allocate(16, "bytes");
        stream->run(KernelId::add, {.threads = 32}, BinaryArgs{});
        const tg::GpuError error = error_of([&] { stream->synchronize(); });
        CHECK(error.kind() == tg::ErrorKind::device);
        CHECK(error.fault() == tg::GpuFault::compute);
        CHECK(has(error, "cuda:0 (Fake H200): cuStreamSynchronize: CUDA_ERROR_LAUNCH_FAILED; a kernel failed"));
        const auto lost = [&](auto&& body) {
            const tg::GpuError later = error_of(body);
            CHECK(later.fault() == tg::GpuFault::compute);
            CHECK(has(later,
                      "cuda:0 (Fake H200) cannot be used any more since cuStreamSynchronize: "
                      "CUDA_ERROR_LAUNCH_FAILED; start the program again"));
        };
        lost([&] { stream->run(KernelId::add, {.threads = 32}, BinaryArgs{}); });
        lost([&] { stream->clear(there, 16); });
        lost([&] { opened.device->allocate(1, "bytes"); });
        lost([&] { opened.device->memory(); });
        lost([&] { opened.device->make_stream(); });
        lost([&] { opened.cuda().synchronize_all(); });
        lost([&] { opened.driver.open(0)->memory(); });
        opened.device->release(there);
    }
}

TEST_CASE("kernels that do not fit the device or the driver, or lack one, do not open it") {
    test::FakeCuda& fake = test::fresh_fake_cuda();
    tg::CudaDriver driver(test::fake_cuda_options());
    const auto error_with = [&](const char* call, int status) {
        fake.failing_call = call;
        fake.failing_at = fake.calls[call] + 1;
        fake.failing_status = status;
        const tg::GpuError error = error_of([&] { driver.open(0); });
        CHECK(fake.all_freed());
        CHECK(test::fake_contexts_here() == 0);
        return error;
    };
    for (const int status : {200, 209, 218, 221, 222}) {
        const tg::GpuError error = error_with("cuModuleLoadDataEx", status);
        CHECK(error.fault() == tg::GpuFault::capability);
        CHECK(has(error,
                  "the library's kernels are not for compute capability 9.0, or need a newer driver than this "
                  "one, which knows CUDA 12.4"));
    }
    fake.module_log = "ptxas fatal: Unsupported .version 9.0\n";
    CHECK(
        has(error_with("cuModuleLoadDataEx", 222), "error 222: ptxas fatal: Unsupported .version 9.0; the library's"));
    CHECK(error_with("cuModuleLoadDataEx", 2).fault() == tg::GpuFault::out_of_memory);
    CHECK(error_with("cuDevicePrimaryCtxRetain", 1).fault() == tg::GpuFault::unavailable);
    CHECK(has(error_with("cuModuleGetFunction", 1), "cuModuleGetFunction: CUDA_ERROR_INVALID_VALUE"));
    fake.missing_kernel = "bitnet_add";
    CHECK(has(error_with("none", 0), "the library's kernels lack bitnet_add"));
    fake.missing_kernel.clear();
    driver.open(0)->memory();
}

TEST_CASE("what a device does is counted, by any number of threads, until a reset") {
    Opened opened;
    constexpr int kThreads = 4, kRounds = 50;
    std::vector<std::thread> threads;
    uint8_t* const there = opened.device->allocate(kThreads * 64, "bytes");
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            const auto stream = opened.device->make_stream();
            uint8_t bytes[64] = {};
            for (int i = 0; i < kRounds; ++i) {
                stream->copy_in(there + t * 64, bytes, 64);
                stream->run(KernelId::add, {.threads = 32}, BinaryArgs{});
                stream->copy_out(bytes, there + t * 64, 60);
                opened.device->release(opened.device->allocate(8, "bytes"));
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    tg::CudaCounters counters = opened.cuda().counters();
    CHECK(counters.n_launches == kThreads * kRounds);
    CHECK(counters.n_copies_in == kThreads * kRounds);
    CHECK(counters.n_copies_out == kThreads * kRounds);
    CHECK(counters.bytes_in == kThreads * kRounds * 64);
    CHECK(counters.bytes_out == kThreads * kRounds * 60);
    CHECK(counters.n_waits == kThreads * kRounds);
    CHECK(counters.wait_ns > 0);
    opened.cuda().reset_counters();
    counters = opened.cuda().counters();
    CHECK(counters.n_launches + counters.n_copies_in + counters.n_copies_out + counters.bytes_in + counters.bytes_out +
              counters.n_waits + counters.wait_ns ==
          0);
    opened.device->release(there);
}
