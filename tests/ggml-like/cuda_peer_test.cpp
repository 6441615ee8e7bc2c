// Bytes from device to device through the code for NVIDIA's driver, over a stand-in that does work as late as it may.
#include <doctest/doctest.h>

#include <cstring>
#include <vector>

#include "ggml-like/gpu/backend_gpu_split.h"
#include "ggml-like/gpu/cuda_stream.h"
#include "tests/support/fake_cuda_fixture.h"

namespace {

constexpr size_t kBytes = 4096;

struct Pair {
    test::FakeCuda& fake;
    tg::CudaDriver driver{test::fake_cuda_options()};
    std::shared_ptr<tg::GpuDevice> a, b;

    Pair() : fake(test::fresh_fake_cuda()) {
        fake.devices.resize(2);
        a = driver.open(0);
        b = driver.open(1);
    }
    ~Pair() {
        a.reset();
        b.reset();
        CHECK(test::fake_contexts_here() == 0);
        CHECK(fake.all_freed());
    }
};

std::vector<uint8_t> filled(uint8_t value) { return std::vector<uint8_t>(kBytes, value); }

}  // namespace

TEST_CASE("a copy between devices waits for what the source has launched, and the source for the copy") {
    for (const bool reach : {true, false}) {
        CAPTURE(reach);
        Pair pair;
        pair.fake.peers_reach = reach;
        const auto from = pair.a->make_stream(), to = pair.b->make_stream();
        uint8_t* const there = pair.a->allocate(kBytes, "values");
        uint8_t* const here = pair.b->allocate(2 * kBytes, "values");
        std::vector<uint8_t> first(kBytes), second(kBytes);
        from->copy_in(there, filled(1).data(), kBytes);
        to->copy_from(*from, here, there, kBytes);
        from->copy_in(there, filled(2).data(), kBytes);  // may not come before the copy
        to->copy_from(*from, here + kBytes, there, kBytes);
        from->copy_in(there, filled(3).data(), kBytes);
        from->synchronize();  // the source first: its later work has run when the copies are asked for
        to->copy_out(first.data(), here, kBytes);
        to->copy_out(second.data(), here + kBytes, kBytes);
        CHECK(first == filled(1));
        CHECK(second == filled(2));
        to->copy_from(*from, here, there, 0);
        CHECK(pair.fake.n_direct_copies == (reach ? 2 : 0));
        CHECK(pair.fake.n_staged_copies == (reach ? 0 : 2));
        CHECK(pair.fake.calls["cuCtxEnablePeerAccess"] == (reach ? 1 : 0));
        pair.a->release(there);
        pair.b->release(here);
    }
}

TEST_CASE("each call of a copy between devices that fails is named, with its device, and leaves nothing behind") {
    const struct {
        const char* call;
        const char* message;
    } rows[] = {
        {"cuEventCreate", "cuda:0 (Fake H200): cuEventCreate: CUDA_ERROR_INVALID_VALUE"},
        {"cuEventRecord", "cuda:0 (Fake H200): cuEventRecord: CUDA_ERROR_INVALID_VALUE"},
        {"cuStreamWaitEvent", "cuda:1 (Fake H200): cuStreamWaitEvent: CUDA_ERROR_INVALID_VALUE"},
        {"cuMemcpyPeerAsync", "cuda:1 (Fake H200): cuMemcpyPeerAsync: CUDA_ERROR_INVALID_VALUE"},
        {"cuDeviceCanAccessPeer", ""},  // the way through the host is open
        {"cuCtxEnablePeerAccess", ""},
    };
    for (const auto& row : rows) {
        CAPTURE(row.call);
        Pair pair;
        const auto from = pair.a->make_stream(), to = pair.b->make_stream();
        uint8_t* const there = pair.a->allocate(kBytes, "values");
        uint8_t* const here = pair.b->allocate(kBytes, "values");
        from->clear(there, kBytes);
        pair.fake.failing_call = row.call;
        pair.fake.failing_at = pair.fake.calls[row.call] + 1;
        pair.fake.failing_status = tg::cuda::invalid_value;
        std::string message;
        try {
            to->copy_from(*from, here, there, kBytes);
        } catch (const tg::GpuError& error) {
            message = error.message();
        }
        CHECK(message == std::string(row.message));
        to->copy_from(*from, here, there, kBytes);  // nothing is broken
        to->synchronize();
        pair.a->release(there);
        pair.b->release(here);
    }
}

TEST_CASE("devices whose copies do not arrive are found, and one that is lost is an error") {
    Pair pair;
    CHECK(tg::gpu_hands_over(pair.a, pair.b));
    pair.fake.peers_deliver = false;
    CHECK_FALSE(tg::gpu_hands_over(pair.a, pair.b));
    pair.fake.peers_deliver = true;
    pair.fake.failing_call = "cuMemcpyPeerAsync";
    pair.fake.failing_at = pair.fake.calls["cuMemcpyPeerAsync"] + 1;
    pair.fake.failing_status = tg::cuda::invalid_value;
    CHECK_FALSE(tg::gpu_hands_over(pair.a, pair.b));
    CHECK(tg::gpu_hands_over(pair.a, pair.b));
    pair.fake.failing_at = pair.fake.calls["cuMemcpyPeerAsync"] + 1;
    pair.fake.failing_status = tg::cuda::launch_failed;
    CHECK_THROWS_AS(tg::gpu_hands_over(pair.a, pair.b), tg::GpuError);
    pair.fake.broken_by = 0;
}
