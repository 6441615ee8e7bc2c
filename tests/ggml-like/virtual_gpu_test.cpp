// The GPUs that are not there: they do what a GPU does, refuse what a driver refuses, find what a GPU would hide, and fail when
// a test asks for it.
#include "tests/support/virtual_gpu.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "tests/support/fiber_grid.h"
#include "tests/support/sanitized.h"

using kern::gpu::BinaryArgs;
using kern::gpu::KernelId;
using test::FaultPoint;
using test::VirtualGpu;

namespace {

constexpr tg::GpuGrid kGrid = {.x = 2, .threads = 64};

template <class Action>
std::string failure(tg::ErrorKind kind, Action action) {
    try {
        action();
    } catch (const tg::Error& error) {
        CHECK(error.kind() == kind);
        return error.message();
    }
    return "nothing failed";
}

template <class Action>
std::string refusal(Action action) {
    return failure(tg::ErrorKind::device, action);
}

bool names(const std::string& text, const char* part) {
    INFO(text);
    return text.find(part) != std::string::npos;
}

// A stream, and three rows of n floats on its device.
struct Rows {
    Rows(VirtualGpu& gpu, size_t n_floats) : device(gpu.open(0)), stream(device->make_stream()), n(n_floats) {
        for (float*& row : rows) row = reinterpret_cast<float*>(device->allocate(n * sizeof(float), "a row"));
    }
    ~Rows() {
        for (float* row : rows) device->release(reinterpret_cast<uint8_t*>(row));
    }
    BinaryArgs args() const { return {rows[0], rows[1], rows[2], static_cast<int64_t>(n)}; }

    std::shared_ptr<tg::GpuDevice> device;
    std::unique_ptr<tg::GpuStream> stream;
    size_t n;
    float* rows[3] = {};
};

}  // namespace

TEST_CASE("a virtual GPU adds what it was given") {
    VirtualGpu gpu;
    Rows r(gpu, 1000);
    std::vector<float> a(1000);
    std::vector<float> b(1000);
    for (size_t i = 0; i < 1000; ++i) {
        a[i] = static_cast<float>(i) * 0.37f;
        b[i] = static_cast<float>(i * i) - 17.0f;
    }
    r.stream->copy_in(r.rows[0], a.data(), 4000);
    r.stream->copy_in(r.rows[1], b.data(), 4000);
    for (int order = 0; order < 2; ++order) {  // launches alternate between orders of threads
        std::vector<float> out(1000);
        r.stream->clear(r.rows[2], 4000);
        r.stream->run(KernelId::add, kGrid, r.args());
        r.stream->synchronize();
        r.stream->copy_out(out.data(), r.rows[2], 4000);
        for (size_t i = 0; i < 1000; ++i) REQUIRE(out[i] == a[i] + b[i]);
    }
    r.stream->copy_within(r.rows[2], r.rows[0], 400);
    float last[2];
    r.stream->copy_out(last, r.rows[2] + 99, 8);
    CHECK(last[0] == a[99]);
    CHECK(last[1] == a[100] + b[100]);

    const test::VirtualCounters counters = gpu.device(0).counters();
    CHECK(counters.n_launches == 2);
    CHECK(counters.n_launches_of[static_cast<size_t>(KernelId::add)] == 2);
    CHECK(counters.n_copies_in == 2);
    CHECK(counters.n_bytes_in == 8000);
    CHECK(counters.n_copies_out == 3);
    CHECK(counters.n_bytes_out == 8008);
    CHECK(counters.n_bytes_within == 400);
    CHECK(counters.n_bytes_cleared == 8000);
    CHECK(counters.n_synchronizes == 2);
    CHECK(counters.n_streams == 1);
}

TEST_CASE("fresh memory of a virtual GPU is garbage, always the same") {
    VirtualGpu gpu;
    Rows r(gpu, 16);
    uint32_t words[16];
    r.stream->copy_out(words, r.rows[0], sizeof words);
    for (const uint32_t word : words) CHECK(word == test::kSharedPoison);
}

TEST_CASE("a virtual GPU has the memory that it was given and no more") {
    VirtualGpu gpu({.n_devices = 2, .memory_bytes = 10000});
    REQUIRE(gpu.device_count() == 2);
    const std::shared_ptr<tg::GpuDevice> device = gpu.open(1);
    CHECK(device->info().index == 1);
    CHECK(device->info().memory_bytes == 10000);
    uint8_t* first = device->allocate(6000, "the first");
    CHECK(reinterpret_cast<uintptr_t>(first) % 256 == 0);
    CHECK(device->memory().free == 4000);
    CHECK(device->memory().total == 10000);
    CHECK(gpu.open(0)->memory().free == 10000);
    const std::string text = failure(tg::ErrorKind::out_of_memory, [&] { device->allocate(4001, "the second"); });
    CHECK(names(text, "virtual GPU 1: allocate: 4001 bytes for the second, of which 4000 are free"));
    uint8_t* nothing = device->allocate(0, "nothing");
    CHECK(nothing != nullptr);
    uint8_t* rest = device->allocate(4000, "the rest");
    CHECK(device->memory().free == 0);
    for (uint8_t* block : {first, nothing, rest}) device->release(block);
    CHECK(device->memory().free == 10000);
    const test::VirtualCounters counters = gpu.device(1).counters();
    CHECK(counters.n_allocations == 3);
    CHECK(counters.n_blocks == 0);
    CHECK(counters.most_used_bytes == 10000);
    CHECK(gpu.device(1).take_problems().empty());
}

TEST_CASE("no device, and why") {
    VirtualGpu gpu({.n_devices = 0, .problem = "there is no driver"});
    CHECK(gpu.device_count() == 0);
    CHECK(gpu.problem() == "there is no driver");
}

TEST_CASE("launches that a driver refuses are refused") {
    VirtualGpu gpu({.max_shared_bytes = 4096});
    Rows r(gpu, 64);
    const auto launch = [&](const tg::GpuGrid& grid, size_t n_args = sizeof(BinaryArgs)) {
        const BinaryArgs args = r.args();
        return refusal([&] { r.stream->launch(KernelId::add, grid, &args, n_args); });
    };
    CHECK(names(launch({.threads = 288}), "bitnet_add: blocks of 288 threads"));
    for (const uint32_t n_threads : {0u, 16u, 48u})
        CHECK(names(launch({.threads = n_threads}), "multiple of 32 up to 256"));
    CHECK(names(launch({.x = 0x80000000u, .threads = 32}), "a grid of 2147483648 by 1 by 1 blocks"));
    CHECK(names(launch({.y = 65536, .threads = 32}), "1 by 65536 by 1"));
    CHECK(names(launch({.z = 65536, .threads = 32}), "1 by 1 by 65536"));
    CHECK(names(launch({.y = 0, .threads = 32}), "1 by 0 by 1"));
    CHECK(names(launch({.threads = 32, .shared_bytes = 4097}), "4097 bytes of shared memory, more than 4096"));
    CHECK(names(launch({.threads = 32}, sizeof(BinaryArgs) - 8), "24 bytes of arguments, not 32"));
    CHECK(launch({.y = 65535, .threads = 32, .shared_bytes = 4096}) == "nothing failed");
    CHECK(gpu.device(0).counters().n_launches == 1);
    CHECK(names(refusal([&] { r.stream->launch(static_cast<KernelId>(kern::gpu::kKernelCount), kGrid, nullptr, 0); }),
                "no kernel has the number"));
}

TEST_CASE("copies lie within a block") {
    VirtualGpu gpu;
    Rows r(gpu, 64);
    uint8_t bytes[512] = {};
    auto* row = reinterpret_cast<uint8_t*>(r.rows[0]);
    CHECK(names(refusal([&] { r.stream->copy_in(row, bytes, 257); }), "copy_in: 257 bytes at"));
    CHECK(names(refusal([&] { r.stream->copy_in(row - 1, bytes, 2); }), "not within a block"));
    CHECK(names(refusal([&] { r.stream->copy_in(bytes, bytes, 2); }), "not within a block"));
    CHECK(names(refusal([&] { r.stream->copy_out(bytes, row + 255, 2); }), "copy_out"));
    CHECK(names(refusal([&] { r.stream->clear(row + 1, 256); }), "clear"));
    CHECK(names(refusal([&] { r.stream->copy_within(row, r.rows[1] + 1, 256); }), "copy_within"));
    CHECK(names(refusal([&] { r.stream->copy_within(row + 1, r.rows[1], 256); }), "copy_within"));
    CHECK(names(refusal([&] { r.stream->copy_within(row, row + 8, 9); }), "overlap"));
    r.stream->copy_within(row, row + 8, 8);
    r.stream->copy_in(row + 256, bytes, 0);
}

TEST_CASE("bytes written beside a block are found when it is released") {
    if (test::kSanitized) return;  // which finds them at once, and ends the program
    VirtualGpu gpu;
    {
        Rows r(gpu, 32);
        BinaryArgs args = r.args();
        args.n = 33;
        r.stream->run(KernelId::add, kGrid, args);
    }
    CHECK(gpu.device(0).take_problems() == "bytes beside the 128 of a row were written");
    {
        Rows r(gpu, 32);
        BinaryArgs args = r.args();
        --args.out;
        r.stream->run(KernelId::add, kGrid, args);
    }
    CHECK(gpu.device(0).take_problems() == "bytes beside the 128 of a row were written");
    CHECK(gpu.device(0).take_problems().empty());
}

TEST_CASE("what is left on a device, and what was never on it, is a problem") {
    VirtualGpu gpu;
    const std::shared_ptr<tg::GpuDevice> device = gpu.open(0);
    uint8_t* block = device->allocate(100, "the weights");
    std::unique_ptr<tg::GpuStream> stream = device->make_stream();
    CHECK(gpu.device(0).take_problems() == "100 bytes of the weights were not released; 1 streams are left");
    stream.reset();
    device->release(block);
    CHECK(gpu.device(0).take_problems().empty());
    device->release(block);
    CHECK(names(gpu.device(0).take_problems(), "no block begins at"));
}

TEST_CASE("a copy from another device lies within a block of each, and comes from another one") {
    VirtualGpu gpu({.n_devices = 2, .memory_of = {1 << 20}});
    CHECK(gpu.open(0)->memory().total == 1 << 20);
    CHECK(gpu.open(1)->memory().total == uint64_t{256} << 20);
    const std::shared_ptr<tg::GpuDevice> a = gpu.open(0), b = gpu.open(1);
    uint8_t* const from = a->allocate(16, "values");
    uint8_t* const to = b->allocate(16, "values");
    {
        const std::unique_ptr<tg::GpuStream> source = a->make_stream(), target = b->make_stream();
        uint8_t bytes[16] = {1, 2, 3}, back[16] = {};
        source->copy_in(from, bytes, 16);
        target->copy_from(*source, to, from, 16);
        target->copy_out(back, to, 16);
        CHECK(std::equal(bytes, bytes + 16, back));
        CHECK(gpu.device(1).counters().n_copies_from == 1);
        CHECK(gpu.device(1).counters().n_bytes_from == 16);
        CHECK(names(refusal([&] { target->copy_from(*source, to + 1, from, 16); }),
                    "virtual GPU 1: copy_from: 16 bytes at"));
        CHECK(names(refusal([&] { target->copy_from(*source, to, from + 1, 16); }),
                    "virtual GPU 0: copy_from: 16 bytes at"));
        const std::unique_ptr<tg::GpuStream> beside = b->make_stream();
        CHECK(names(refusal([&] { target->copy_from(*beside, to, to, 16); }), "of the same device"));
        gpu.device(1).set_deaf(true);
        target->copy_from(*source, to, from, 16);
        target->copy_out(back, to, 16);
        CHECK_FALSE(std::equal(bytes, bytes + 16, back));
    }
    a->release(from);
    b->release(to);
}

TEST_CASE("a test says which call fails") {
    VirtualGpu gpu({.n_devices = 2});
    test::VirtualDevice& device = gpu.device(0);
    Rows r(gpu, 64);
    uint8_t* const there = gpu.device(1).allocate(16, "values");
    std::unique_ptr<tg::GpuStream> source = gpu.device(1).make_stream();
    uint8_t bytes[16] = {};
    const auto call = [&](FaultPoint point) {
        switch (point) {
            case FaultPoint::allocate: device.release(device.allocate(16, "a block")); break;
            case FaultPoint::launch: r.stream->run(KernelId::add, kGrid, r.args()); break;
            case FaultPoint::copy_in: r.stream->copy_in(r.rows[0], bytes, 16); break;
            case FaultPoint::copy_within: r.stream->copy_within(r.rows[0], r.rows[1], 16); break;
            case FaultPoint::clear: r.stream->clear(r.rows[0], 16); break;
            case FaultPoint::copy_out: r.stream->copy_out(bytes, r.rows[0], 16); break;
            case FaultPoint::synchronize: r.stream->synchronize(); break;
            case FaultPoint::make_stream: device.make_stream(); break;
            case FaultPoint::copy_from: r.stream->copy_from(*source, r.rows[0], there, 16); break;
        }
    };
    constexpr FaultPoint kPoints[] = {FaultPoint::allocate,    FaultPoint::launch,      FaultPoint::copy_in,
                                      FaultPoint::copy_within, FaultPoint::clear,       FaultPoint::copy_out,
                                      FaultPoint::synchronize, FaultPoint::make_stream, FaultPoint::copy_from};
    for (const FaultPoint point : kPoints) {
        INFO(static_cast<int>(point));
        device.set_fault({.at = point, .after = 2});
        for (int i = 0; i < 2; ++i) {
            for (const FaultPoint each : kPoints) call(each);
        }
        CHECK(names(refusal([&] { call(point); }), "a test lets it fail"));
        for (const FaultPoint each : kPoints) call(each);
        device.set_fault({.at = point, .lasting = true});
        CHECK(names(refusal([&] { call(point); }), "a test lets it fail"));
        for (const FaultPoint each : kPoints) CHECK(names(refusal([&] { call(each); }), "the device was lost"));
        device.clear_fault();
        for (const FaultPoint each : kPoints) call(each);
    }
    device.set_fault({.at = FaultPoint::allocate, .kind = tg::ErrorKind::out_of_memory});
    CHECK(names(failure(tg::ErrorKind::out_of_memory, [&] { call(FaultPoint::allocate); }), "allocate"));
    CHECK(device.counters().n_streams == 1);
    source.reset();
    gpu.device(1).release(there);
}
