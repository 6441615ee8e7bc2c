// Whole models through the real code for NVIDIA's driver: contexts, streams, staging memory, modules. The driver is a stand-in
// that is as lazy as one may be - copies and launches happen when somebody waits - so memory that is used again too early gives
// other bits.
#include <doctest/doctest.h>

#include <string>

#include "tests/gpu/gpu_of_tests.h"
#include "tests/support/api_fixture.h"
#include "tests/support/fake_cuda_machine.h"

using test::Tokens;

namespace {

// The GPUs of the other tests are back when this is gone.
struct Restored {
    ~Restored() { tg::set_gpu_driver(&test::gpu_of_tests()); }
};

test::ModelTweak on(const char* device) {
    return [device](bitnet_model_params& params) { params.device = device; };
}

void two_sequences(bitnet_context_params& params) {
    params.n_ctx = 128;
    params.n_ubatch = 8;
    params.n_seq_max = 2;
}

}  // namespace

TEST_CASE("models give the CPU's bits through the driver's code, in prompts of several micro-batches and token by token") {
    const Restored restored;
    test::FakeCudaMachine machine;
    machine.fake.devices[0].memory_bytes = size_t{256} << 20;
    const Tokens prompt = {1, 5, 9, 2, 7, 3, 8, 4, 6, 11, 12, 10, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    for (const char* name : {"b158-i2s", "b158-tq1", "llama-mix", "qwen3-q8", "gemma3-i2s"}) {
        CAPTURE(std::string(name));
        const test::ModelHandle cpu = test::load_model(test::golden_model(name), on("cpu"));
        const test::ModelHandle gpu = test::load_model(test::golden_model(name), on("cuda:0"));
        const test::ContextHandle a = test::make_context(cpu, two_sequences), b = test::make_context(gpu, two_sequences);
        for (const test::ContextHandle* context : {&a, &b}) {
            test::decode(*context, prompt);
            test::must(bitnet_sequence_fork(context->get(), 0, 1));
        }
        CHECK(test::same_bits(test::copy_logits(a, cpu), test::copy_logits(b, gpu)));
        for (bitnet_token token = 1; token < 6; ++token) {
            test::decode(a, {token}, 1);
            test::decode(b, {token}, 1);
            CHECK(test::same_bits(test::copy_logits(a, cpu), test::copy_logits(b, gpu)));
        }
        size_t size = 0;
        bitnet_sequence_save(b.get(), 1, nullptr, 0, &size);
        std::vector<uint8_t> of_cpu(size), of_gpu(size);
        test::must(bitnet_sequence_save(a.get(), 1, of_cpu.data(), size, &size));
        test::must(bitnet_sequence_save(b.get(), 1, of_gpu.data(), size, &size));
        CHECK(of_cpu == of_gpu);
    }
}

TEST_CASE("layers on several devices give the CPU's bits through the driver's code, whatever way values take between them") {
    const Restored restored;
    const Tokens prompt = {1, 5, 9, 2, 7, 3, 8, 4, 6, 11, 12};
    for (const char* way : {"direct", "the driver's own detour", "the host"}) {
        CAPTURE(std::string(way));
        test::FakeCudaMachine machine;
        machine.fake.devices.resize(3);
        machine.fake.peers_reach = way[0] == 'd';
        machine.fake.peers_deliver = std::string(way) != "the host";
        const std::string path = test::golden_model("gemma3-i2s");
        const test::ModelHandle cpu = test::load_model(path, on("cpu"));
        const test::ModelHandle gpu = test::load_model(path, on("cuda:0=1,cuda:1=1,cuda:2=1"));
        const test::ContextHandle a = test::make_context(cpu, two_sequences), b = test::make_context(gpu, two_sequences);
        const int direct = machine.fake.n_direct_copies, staged = machine.fake.n_staged_copies;
        for (const test::ContextHandle* context : {&a, &b}) test::decode(*context, prompt);
        CHECK(test::same_bits(test::copy_logits(a, cpu), test::copy_logits(b, gpu)));
        for (bitnet_token token = 1; token < 5; ++token) {
            test::decode(a, {token});
            test::decode(b, {token});
            CHECK(test::same_bits(test::copy_logits(a, cpu), test::copy_logits(b, gpu)));
        }
        CHECK((machine.fake.n_direct_copies > direct) == (std::string(way) == "direct"));
        CHECK((machine.fake.n_staged_copies > staged) == (std::string(way) == "the driver's own detour"));
    }
}

TEST_CASE("a launch that fails breaks the device, not the process: later calls say so, and another device goes on") {
    const Restored restored;
    test::FakeCudaMachine machine;
    machine.fake.devices.resize(2);
    for (test::FakeCudaDevice& device : machine.fake.devices) device.memory_bytes = size_t{64} << 20;
    const std::string path = test::golden_model("b158-i2s");
    const test::ModelHandle first = test::load_model(path, on("cuda:0")), second = test::load_model(path, on("cuda:1"));
    const test::ContextHandle a = test::make_context(first, two_sequences), b = test::make_context(second, two_sequences);
    test::decode(a, {1, 2, 3});
    test::decode(b, {1, 2, 3});
    machine.fake.failing_call = "cuLaunchKernel";
    machine.fake.failing_at = machine.fake.calls["cuLaunchKernel"] + 3;
    machine.fake.failing_status = 719;  // CUDA_ERROR_LAUNCH_FAILED
    const Tokens next = {4};
    CHECK(bitnet_context_decode_tokens(a.get(), 0, next.data(), 1) == BITNET_E_DEVICE_COMPUTE);
    CHECK(test::last_error().find("cuda:0") != std::string::npos);
    CHECK(bitnet_sequence_get_end(a.get(), 0) == 3);
    machine.fake.failing_call.clear();
    CHECK(bitnet_context_decode_tokens(a.get(), 0, next.data(), 1) != BITNET_OK);
}
