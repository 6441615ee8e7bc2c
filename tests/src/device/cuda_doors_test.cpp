// A CUDA device's own doors through bitnet.h, over a stand-in for NVIDIA's driver whose kernels the CPU plays: handles, modules,
// memory, launches, counts, products; what is asked wrongly, what fails, and every order of freeing.
#include <doctest/doctest.h>

#include <cstring>
#include <deque>
#include <thread>

#include <nlohmann/json.hpp>

#include "tests/support/fake_cuda_machine.h"
#include "tests/support/quantizer_fixture.h"

namespace {

// The library's own kernels, and "double_it(float*, n)", a host's.
void play(const test::FakeLaunch& launch) {
    if (test::play_kernel(launch)) return;
    float* numbers = nullptr;
    uint32_t n = 0;
    std::memcpy(&numbers, launch.args.data(), sizeof numbers);
    std::memcpy(&n, launch.args.data() + sizeof numbers, sizeof n);
    for (uint32_t i = 0; i < n; ++i) numbers[i] *= 2;
}

const std::string kPtx = ".version 8.0\n.target sm_75\n.entry double_it(.param .u64 numbers, .param .u32 n) { ret; }\n";

struct FakeMachine : test::FakeCudaMachine {
    explicit FakeMachine(const tg::CudaOptions& options = test::fake_cuda_options()) : FakeCudaMachine(options) {
        fake.on_launch = play;
    }
};

struct FreeCuda {
    void operator()(bitnet_cuda* cuda) const { bitnet_cuda_free(cuda); }
    void operator()(bitnet_cuda_module* module) const { bitnet_cuda_module_free(module); }
};
using CudaHandle = std::unique_ptr<bitnet_cuda, FreeCuda>;
using ModuleHandle = std::unique_ptr<bitnet_cuda_module, FreeCuda>;

CudaHandle open_cuda(int32_t index = 0) {
    bitnet_cuda* cuda = nullptr;
    test::must(bitnet_cuda_open(index, &cuda));
    return CudaHandle(cuda);
}

ModuleHandle load(const CudaHandle& cuda) {
    bitnet_cuda_module* module = nullptr;
    test::must(bitnet_cuda_load_ptx(cuda.get(), kPtx.data(), kPtx.size(), &module));
    return ModuleHandle(module);
}

void* function_of(const ModuleHandle& module) {
    void* function = nullptr;
    test::must(bitnet_cuda_module_get_function(module.get(), "double_it", &function));
    return function;
}

uint64_t allocate(const CudaHandle& cuda, size_t n_bytes) {
    uint64_t address = 0;
    test::must(bitnet_cuda_allocate(cuda.get(), n_bytes, &address));
    return address;
}

template <typename Info, typename Get>
Info ask(Get&& get) {
    Info info;
    std::memset(&info, 0, sizeof info);
    info.struct_size = sizeof info;
    test::must(get(&info));
    return info;
}

bitnet_cuda_performance_stats counts(const CudaHandle& cuda) {
    return ask<bitnet_cuda_performance_stats>(
        [&](auto* out) { return bitnet_cuda_get_performance_stats(cuda.get(), out); });
}
bitnet_cuda_memory_stats memory(const CudaHandle& cuda) {
    return ask<bitnet_cuda_memory_stats>([&](auto* out) { return bitnet_cuda_get_memory_stats(cuda.get(), out); });
}

// A launch of double_it on n numbers at an address.
struct Doubling {
    uint64_t address;
    uint32_t n;
    void* params[3] = {&address, &n, &n};
    bitnet_cuda_work work = bitnet_cuda_default_work();

    Doubling(void* function, uint64_t numbers, uint32_t count) : address(numbers), n(count) {
        work.block[0] = 64;
        work.function = function;
        work.params = params;
        work.n_params = 2;
    }
};

bool says(const std::string& part) { return test::last_error().find(part) != std::string::npos; }

}  // namespace

TEST_CASE("without a device a CUDA handle does not open, and the reason is told") {
    bitnet_cuda* cuda = reinterpret_cast<bitnet_cuda*>(&cuda);
    {
        tg::CudaOptions options = test::fake_cuda_options();
        options.image = {};
        const FakeMachine machine(options);
        CHECK(bitnet_cuda_open(0, &cuda) == BITNET_E_DEVICE_NOT_AVAILABLE);
        CHECK(cuda == nullptr);
        CHECK(says("cuda:0: this library was built without CUDA"));
        CHECK(bitnet_device_get_count() == 1);
        CHECK(std::string(bitnet_device_get_name(0)) == "cpu");
        CHECK(bitnet_device_check("cuda:3") == BITNET_E_DEVICE_NOT_AVAILABLE);
        CHECK(says("cuda:3: this library was built without CUDA"));
    }
    {
        tg::CudaOptions options = test::fake_cuda_options();
        options.library = "libcuda-that-is-nowhere.so.1";
        const FakeMachine machine(options);
        CHECK(bitnet_device_check("cuda") == BITNET_E_DEVICE_NOT_AVAILABLE);
        CHECK(says("cuda:0: libcuda-that-is-nowhere.so.1 is not installed; install NVIDIA's driver"));
    }
    const FakeMachine machine;
    CHECK(bitnet_cuda_open(1, &cuda) == BITNET_E_DEVICE_NOT_AVAILABLE);
    CHECK(says("cuda:1: there is 1 device, numbered from 0"));
    CHECK(bitnet_cuda_open(-1, &cuda) == BITNET_E_ARGUMENT);
    CHECK(bitnet_cuda_open(256, &cuda) == BITNET_E_ARGUMENT);
    CHECK(bitnet_cuda_open(0, nullptr) == BITNET_E_ARGUMENT);
    machine.fake.failing_call = "cuDevicePrimaryCtxRetain";
    machine.fake.failing_status = 46;
    CHECK(bitnet_cuda_open(0, &cuda) == BITNET_E_DEVICE_NOT_AVAILABLE);
    CHECK(says("cuDevicePrimaryCtxRetain: error 46"));
    bitnet_cuda_free(nullptr);
    bitnet_cuda_module_free(nullptr);
}

TEST_CASE("CUDA devices are listed behind the CPU, described, and left out with a reason where they are too old") {
    FakeMachine machine;
    machine.fake.devices.resize(2);
    machine.fake.devices[0].name = "Fake P100";
    machine.fake.devices[0].major = 6;
    REQUIRE(bitnet_device_get_count() == 2);
    CHECK(std::string(bitnet_device_get_name(0)) == "cpu");
    CHECK(std::string(bitnet_device_get_name(1)) == "cuda:1");
    CHECK(bitnet_device_get_name(2) == nullptr);
    CHECK(bitnet_device_check("cuda:0") == BITNET_E_DEVICE_NOT_AVAILABLE);
    CHECK(says("cuda:0: Fake P100 has compute capability 6.0, this library needs 7.5 or newer"));
    test::must(bitnet_device_check("cuda:1"));

    const auto info = ask<bitnet_device_info>([](auto* out) { return bitnet_device_get_info("cuda:1", out); });
    CHECK(info.kind == BITNET_DEVICE_CUDA);
    CHECK(info.index == 1);
    CHECK(info.supports_f16 == 1);
    CHECK(info.supports_bf16 == 1);
    CHECK(info.supports_int8 == 1);
    CHECK(info.max_threads == 132 * 2048);
    CHECK(info.compute_capability[0] == 9);
    CHECK(info.compute_capability[1] == 0);
    CHECK(std::string(info.name) == "Fake H200");
    CHECK(std::string(info.simd).empty());
    CHECK(std::string(info.kernel_level) == "cuda");
    CHECK(std::string(info.quantization).find("i2_s") != std::string::npos);
    const auto there = ask<bitnet_device_memory>([](auto* out) { return bitnet_device_get_memory("cuda:1", out); });
    CHECK(there.total == uint64_t{64} << 20);
    CHECK(there.free == there.total);
    CHECK(there.used == 0);
    CHECK(there.limit_bytes == 0);

    std::string text(65536, '\0');
    size_t size = 0;
    test::must(bitnet_device_get_json(text.data(), text.size(), &size));
    const nlohmann::json json = nlohmann::json::parse(text.substr(0, size));
    REQUIRE(json["devices"].size() == 4);
    CHECK(json["devices"][1]["name"] == "cuda:0");
    CHECK(json["devices"][1]["available"] == false);
    const nlohmann::json& second = json["devices"][2];
    CHECK(second["name"] == "cuda:1");
    CHECK(second["available"] == true);
    CHECK(second["model"] == "Fake H200");
    CHECK(second["compute_capability"] == "9.0");
    CHECK(second["memory"]["total"] == there.total);
    CHECK(second["simd"].empty());
    machine.fake.failing_call = "cuMemGetInfo_v2";  // a device that does not tell
    machine.fake.failing_at = machine.fake.calls["cuMemGetInfo_v2"] + 1;
    machine.fake.failing_status = 1;
    test::must(bitnet_device_get_json(text.data(), text.size(), &size));
    const nlohmann::json without = nlohmann::json::parse(text.substr(0, size));
    CHECK(without["devices"][2]["memory"].dump() == "null");
}

TEST_CASE("a CUDA handle tells what its device is and lends the driver's handles") {
    const FakeMachine machine;
    const CudaHandle cuda = open_cuda();
    const auto info = ask<bitnet_cuda_info>([&](auto* out) { return bitnet_cuda_get_info(cuda.get(), out); });
    CHECK(info.index == 0);
    CHECK(info.compute_capability[0] == 9);
    CHECK(info.compute_capability[1] == 0);
    CHECK(info.n_multiprocessors == 132);
    CHECK(info.max_threads_per_block == 1024);
    CHECK(info.max_threads_per_multiprocessor == 2048);
    CHECK(info.max_shared_bytes == 232448);
    CHECK(info.clock_khz == 1980000);
    CHECK(info.memory_clock_khz == 3201000);
    CHECK(info.memory_bus_bits == 6144);
    CHECK(info.driver_version == 12040);
    CHECK(info.l2_bytes == uint64_t{60} << 20);
    CHECK(info.memory_bytes == uint64_t{64} << 20);
    CHECK(std::string(info.name) == "Fake H200");
    CHECK(std::string(info.uuid) == "GPU-00112233-4455-6677-8899-aabbccddeeff");
    void* context = nullptr;
    void* module = nullptr;
    test::must(bitnet_cuda_get_context(cuda.get(), &context));
    test::must(bitnet_cuda_get_module(cuda.get(), &module));
    CHECK(context != nullptr);
    CHECK(module != nullptr);
    const CudaHandle second = open_cuda();
    void* shared = nullptr;
    test::must(bitnet_cuda_get_context(second.get(), &shared));
    CHECK(shared == context);
    CHECK(machine.fake.n_contexts == 1);
    CHECK(bitnet_cuda_get_context(cuda.get(), nullptr) == BITNET_E_ARGUMENT);
    CHECK(bitnet_cuda_get_module(nullptr, &module) == BITNET_E_ARGUMENT);
}

TEST_CASE("a kernel of the host's is loaded, found and launched on memory of the handle") {
    const FakeMachine machine;
    const CudaHandle cuda = open_cuda();
    const ModuleHandle module = load(cuda);
    void* const function = function_of(module);
    const uint64_t numbers = allocate(cuda, 64 * sizeof(float));
    std::vector<float> values(64);
    for (size_t i = 0; i < 64; ++i) values[i] = static_cast<float>(i);
    test::must(bitnet_cuda_copy_in(cuda.get(), numbers, values.data(), 64 * sizeof(float)));
    {
        Doubling twice(function, numbers + 16, 60);
        twice.work.grid[0] = 3;
        twice.work.shared_bytes = 100000;
        test::must(bitnet_cuda_launch(cuda.get(), &twice.work));
        twice.address = 0;  // read before the call returned
    }
    std::vector<float> back(64);
    test::must(bitnet_cuda_copy_out(cuda.get(), back.data(), numbers, 64 * sizeof(float)));
    for (size_t i = 0; i < 64; ++i) CHECK(back[i] == values[i] * (i < 4 ? 1 : 2));
    REQUIRE(machine.fake.launches.size() == 1);
    CHECK(machine.fake.launches[0].grid[0] == 3);
    CHECK(machine.fake.launches[0].grid[1] == 1);
    CHECK(machine.fake.launches[0].block[0] == 64);
    CHECK(machine.fake.launches[0].shared_bytes == 100000);
    test::must(bitnet_cuda_synchronize_all(cuda.get()));
    test::must(bitnet_cuda_release(cuda.get(), numbers));
}

TEST_CASE("PTX that the driver does not take comes with what its compiler said, and a missing kernel is not found") {
    const FakeMachine machine;
    const CudaHandle cuda = open_cuda();
    machine.fake.module_log = "ptxas application ptx input, line 1; fatal   : Missing .version directive\n\n";
    bitnet_cuda_module* module = reinterpret_cast<bitnet_cuda_module*>(&module);
    const std::string text = "this is no PTX";
    CHECK(bitnet_cuda_load_ptx(cuda.get(), text.data(), text.size(), &module) == BITNET_E_DEVICE_CAPABILITY);
    CHECK(module == nullptr);
    CHECK(says("CUDA_ERROR_INVALID_PTX: ptxas application ptx input, line 1; fatal   : Missing .version directive;"));
    CHECK(bitnet_cuda_load_ptx(cuda.get(), text.data(), 0, &module) == BITNET_E_ARGUMENT);
    CHECK(bitnet_cuda_load_ptx(cuda.get(), nullptr, 5, &module) == BITNET_E_ARGUMENT);
    CHECK(bitnet_cuda_load_ptx(nullptr, text.data(), 5, &module) == BITNET_E_ARGUMENT);
    // A text without a NUL behind: no byte beyond is read.
    std::vector<char> exact(kPtx.begin(), kPtx.end());
    test::must(bitnet_cuda_load_ptx(cuda.get(), exact.data(), exact.size(), &module));
    const ModuleHandle loaded(module);
    void* function = nullptr;
    CHECK(bitnet_cuda_module_get_function(loaded.get(), "triple_it", &function) == BITNET_E_NOT_FOUND);
    CHECK(says("the module has no kernel 'triple_it'"));
    CHECK(bitnet_cuda_module_get_function(loaded.get(), nullptr, &function) == BITNET_E_ARGUMENT);
    CHECK(bitnet_cuda_module_get_function(nullptr, "double_it", &function) == BITNET_E_ARGUMENT);
}

TEST_CASE("a launch that cannot be is refused before the driver sees it") {
    const FakeMachine machine;
    const CudaHandle cuda = open_cuda();
    ModuleHandle module = load(cuda);
    void* const function = function_of(module);
    const uint64_t numbers = allocate(cuda, 256);
    const auto refused = [&](const char* why, auto&& change) {
        Doubling doubling(function, numbers, 4);
        change(doubling);
        CAPTURE(why);
        const bitnet_status status = bitnet_cuda_launch(cuda.get(), &doubling.work);
        CHECK(says(why));
        return status;
    };
    CHECK(refused("function is NULL", [](Doubling& d) { d.work.function = nullptr; }) == BITNET_E_ARGUMENT);
    CHECK(refused("params is NULL", [](Doubling& d) { d.work.params = nullptr; }) == BITNET_E_ARGUMENT);
    CHECK(refused("an address in params is NULL", [](Doubling& d) { d.params[1] = nullptr; }) == BITNET_E_ARGUMENT);
    CHECK(refused("a dimension of 0", [](Doubling& d) { d.work.grid[2] = 0; }) == BITNET_E_ARGUMENT);
    CHECK(refused("a dimension of 0", [](Doubling& d) { d.work.block[1] = 0; }) == BITNET_E_ARGUMENT);
    CHECK(refused("a block of 1088 threads", [](Doubling& d) { d.work.block[1] = 17; }) == BITNET_E_ARGUMENT);
    CHECK(refused("at most 1024", [](Doubling& d) {
              d.work.block[0] = d.work.block[1] = d.work.block[2] = UINT32_MAX;
          }) == BITNET_E_ARGUMENT);
    CHECK(refused("fewer parameters than 3", [](Doubling& d) { d.work.n_params = 3; }) == BITNET_E_ARGUMENT);
    CHECK(refused("more parameters than 1", [](Doubling& d) { --d.work.n_params; }) == BITNET_E_ARGUMENT);
    CHECK(refused("more parameters than 0", [](Doubling& d) { d.work.n_params = 0; }) == BITNET_E_ARGUMENT);
    CHECK(refused("takes 232449 bytes of shared memory", [](Doubling& d) { d.work.shared_bytes = 232449; }) ==
          BITNET_E_DEVICE_CAPABILITY);
    int local = 0;
    CHECK(refused("of no module", [&](Doubling& d) { d.work.function = &local; }) == BITNET_E_ARGUMENT);
    const CudaHandle other = open_cuda();
    Doubling doubling(function, numbers, 4);
    CHECK(bitnet_cuda_launch(other.get(), &doubling.work) == BITNET_E_ARGUMENT);  // not loaded with this one
    CHECK(bitnet_cuda_launch(cuda.get(), nullptr) == BITNET_E_ARGUMENT);
    CHECK(bitnet_cuda_launch(nullptr, &doubling.work) == BITNET_E_ARGUMENT);
    CHECK(machine.fake.calls["cuLaunchKernel"] == 0);
    module.reset();
    CHECK(bitnet_cuda_launch(cuda.get(), &doubling.work) == BITNET_E_ARGUMENT);
    CHECK(says("is loaded still"));
}

TEST_CASE("copies lie within one allocation of the handle, and memory is given back with it") {
    const FakeMachine machine;
    CudaHandle cuda = open_cuda();
    const CudaHandle other = open_cuda();
    const uint64_t here = allocate(cuda, 1000);
    const uint64_t there = allocate(other, 1000);
    CHECK(here % 256 == 0);
    char bytes[1001] = {};
    test::must(bitnet_cuda_copy_in(cuda.get(), here, bytes, 1000));
    test::must(bitnet_cuda_copy_in(cuda.get(), here + 999, bytes, 1));
    test::must(bitnet_cuda_copy_in(cuda.get(), here + 1000, nullptr, 0));
    test::must(bitnet_cuda_copy_out(cuda.get(), bytes, here + 10, 990));
    const auto both = [&](uint64_t address, size_t n) {
        const bitnet_status in = bitnet_cuda_copy_in(cuda.get(), address, bytes, n);
        CHECK(bitnet_cuda_copy_out(cuda.get(), bytes, address, n) == in);
        return in;
    };
    CHECK(both(here, 1001) == BITNET_E_ARGUMENT);
    CHECK(both(here + 1, 1000) == BITNET_E_ARGUMENT);
    CHECK(both(here + 999, SIZE_MAX) == BITNET_E_ARGUMENT);
    CHECK(both(here - 1, 1) == BITNET_E_ARGUMENT);
    CHECK(both(there, 1) == BITNET_E_ARGUMENT);
    CHECK(both(0, 1) == BITNET_E_ARGUMENT);
    CHECK(both(UINT64_MAX, 1) == BITNET_E_ARGUMENT);
    CHECK(says("not within one allocation of this handle"));
    CHECK(bitnet_cuda_copy_in(cuda.get(), here, nullptr, 1) == BITNET_E_ARGUMENT);
    CHECK(bitnet_cuda_copy_out(cuda.get(), nullptr, here, 1) == BITNET_E_ARGUMENT);
    CHECK(bitnet_cuda_release(cuda.get(), there) == BITNET_E_ARGUMENT);
    CHECK(bitnet_cuda_release(cuda.get(), here + 256) == BITNET_E_ARGUMENT);
    uint64_t none = 0;
    CHECK(bitnet_cuda_allocate(cuda.get(), 0, &none) == BITNET_E_ARGUMENT);
    CHECK(bitnet_cuda_allocate(cuda.get(), SIZE_MAX, &none) == BITNET_E_DEVICE_MEMORY);
    CHECK(bitnet_cuda_allocate(cuda.get(), size_t{100} << 20, &none) == BITNET_E_DEVICE_MEMORY);
    CHECK(says("cuda:0 (Fake H200): no room for 104857600 bytes of a host's memory"));
    CHECK(none == 0);

    const bitnet_cuda_memory_stats stats = memory(cuda);
    CHECK(stats.n_allocations == 1);
    CHECK(stats.allocated_bytes == 1000);
    CHECK(stats.library_bytes == 2000);
    CHECK(stats.total_bytes == uint64_t{64} << 20);
    CHECK(stats.free_bytes == stats.total_bytes - 2000);
    test::must(bitnet_cuda_release(cuda.get(), here));
    CHECK(bitnet_cuda_release(cuda.get(), here) == BITNET_E_ARGUMENT);
    CHECK(memory(cuda).n_allocations == 0);
    allocate(cuda, 500);
    cuda.reset();  // with its 500 bytes
    CHECK(memory(other).library_bytes == 1000);
}

TEST_CASE("handles, modules and quantisers of a device may be freed in every order") {
    const FakeMachine machine;
    CudaHandle cuda = open_cuda();
    ModuleHandle module = load(cuda);
    CudaHandle second = open_cuda();
    cuda.reset();
    function_of(module);  // the module keeps its device
    second.reset();
    CHECK(machine.fake.n_contexts == 1);
    function_of(module);
    module.reset();
    CHECK(machine.fake.all_freed());
    cuda = open_cuda();
    module = load(cuda);
    module.reset();
    cuda.reset();
    CHECK(machine.fake.all_freed());
}

TEST_CASE("what a device did is counted for all its handles, and a reset begins anew") {
    const FakeMachine machine;
    const CudaHandle cuda = open_cuda();
    const CudaHandle other = open_cuda();
    const ModuleHandle module = load(cuda);
    const uint64_t numbers = allocate(cuda, 64);
    float values[16] = {};
    test::must(bitnet_cuda_copy_in(cuda.get(), numbers, values, 64));
    Doubling doubling(function_of(module), numbers, 16);
    for (int i = 0; i < 3; ++i) test::must(bitnet_cuda_launch(cuda.get(), &doubling.work));
    test::must(bitnet_cuda_copy_out(cuda.get(), values, numbers, 32));
    const bitnet_cuda_performance_stats stats = counts(other);
    CHECK(stats.n_launches == 3);
    CHECK(stats.n_copies_in == 1);
    CHECK(stats.n_copies_out == 1);
    CHECK(stats.bytes_in == 64);
    CHECK(stats.bytes_out == 32);
    CHECK(stats.n_waits == 1);
    CHECK(stats.wait_time_ms > 0);
    test::must(bitnet_cuda_reset_performance_stats(other.get()));
    CHECK(counts(cuda).n_launches == 0);
    CHECK(counts(cuda).wait_time_ms == 0);
}

TEST_CASE("a handle is used from many threads, whose calls wait for each other") {
    const FakeMachine machine;
    const CudaHandle cuda = open_cuda();
    const ModuleHandle module = load(cuda);
    void* const function = function_of(module);
    std::vector<std::thread> threads;
    std::vector<int> wrong(4);
    for (size_t t = 0; t < wrong.size(); ++t) {
        threads.emplace_back([&, t] {
            for (int round = 0; round < 30; ++round) {
                uint64_t address = 0;
                float value = static_cast<float>(t + 1);
                wrong[t] += bitnet_cuda_allocate(cuda.get(), sizeof value, &address) != BITNET_OK;
                wrong[t] += bitnet_cuda_copy_in(cuda.get(), address, &value, sizeof value) != BITNET_OK;
                Doubling doubling(function, address, 1);
                wrong[t] += bitnet_cuda_launch(cuda.get(), &doubling.work) != BITNET_OK;
                wrong[t] += bitnet_cuda_copy_out(cuda.get(), &value, address, sizeof value) != BITNET_OK;
                wrong[t] += value != static_cast<float>(2 * (t + 1));
                wrong[t] += bitnet_cuda_release(cuda.get(), address) != BITNET_OK;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == std::vector<int>(4));
    CHECK(counts(cuda).n_launches == 120);
}

TEST_CASE("products on a CUDA device are the CPU's bits, many requests at once, more rows than go at a time") {
    const FakeMachine machine;
    const CudaHandle cuda = open_cuda();
    const test::QuantizerHandle cpu = test::make_quantizer([](bitnet_quantizer_params& p) {
        p.device = "cpu";
        p.kernel = "scalar";
    });
    const struct {
        size_t m, n, k;
        bool scales;
    } shapes[] = {
        {1, 1, 128, false}, {3, 40, 384, true}, {8, 130, 256, true}, {20, 65, 128, false}, {513, 3, 128, true}};
    std::deque<test::Product> products;
    uint64_t seed = 5;
    for (const auto& shape : shapes) {
        products.emplace_back(seed++, shape.m, shape.n, shape.k, 0.0371f, shape.scales);
    }
    std::vector<bitnet_i2s_matmul> calls;
    for (const test::Product& product : products) calls.push_back(product.call);
    test::must(bitnet_cuda_batch_matmul_i2s(cuda.get(), calls.data(), calls.size()));
    for (test::Product& product : products) {
        const std::vector<float> on_gpu = product.out;
        product.out.assign(product.out.size(), -1.0f);
        test::must(bitnet_quantizer_matmul_i2s(cpu.get(), &product.call));
        CHECK(std::memcmp(on_gpu.data(), product.out.data(), on_gpu.size() * sizeof(float)) == 0);
    }
    CHECK(memory(cuda).library_bytes == 0);

    test::must(bitnet_cuda_batch_matmul_i2s(cuda.get(), nullptr, 0));
    calls[2].k = 100;
    const uint64_t launched = counts(cuda).n_launches;
    CHECK(bitnet_cuda_batch_matmul_i2s(cuda.get(), calls.data(), calls.size()) == BITNET_E_QUANT_INPUT);
    CHECK(says("product 2: "));
    CHECK(counts(cuda).n_launches == launched);
    CHECK(bitnet_cuda_batch_matmul_i2s(cuda.get(), nullptr, 1) == BITNET_E_ARGUMENT);
    CHECK(bitnet_cuda_batch_matmul_i2s(nullptr, calls.data(), 1) == BITNET_E_ARGUMENT);
}

TEST_CASE("the quantiser multiplies on a CUDA device and quantises on the CPU") {
    FakeMachine machine;
    test::Product product(3, 4, 20, 256, 0.5f, true);
    const test::QuantizerHandle cpu = test::make_quantizer([](bitnet_quantizer_params& p) { p.device = "cpu"; });
    test::must(bitnet_quantizer_matmul_i2s(cpu.get(), &product.call));
    const std::vector<float> right = product.out;
    {
        CHECK(bitnet_quantizer_is_gpu_active(test::make_quantizer().get()) == 0);  // auto
        const test::QuantizerHandle quantizer =
            test::make_quantizer([](bitnet_quantizer_params& p) { p.device = "cuda:0"; });
        CHECK(std::string(bitnet_quantizer_get_active_provider(quantizer.get())) == "CudaKernel");
        product.out.assign(product.out.size(), -1.0f);
        test::must(bitnet_quantizer_matmul_i2s(quantizer.get(), &product.call));
        CHECK(product.out == right);
        test::quantize(quantizer, test::quant_config("q8_0"), test::random_values(1, 256));
        bitnet_quantizer_stats stats = test::stats_of(quantizer);
        CHECK(stats.gpu_operations == 1);
        CHECK(stats.cpu_operations == 1);
        CHECK(stats.fallback_count == 1);  // what the GPU does not do at all
        CHECK(std::string(stats.last_gpu_error).find("only products run on a GPU") != std::string::npos);
        // No room there: the CPU takes over, counted.
        machine.fake.devices[0].memory_bytes = 1000;
        test::must(bitnet_quantizer_matmul_i2s(quantizer.get(), &product.call));
        CHECK(product.out == right);
        stats = test::stats_of(quantizer);
        CHECK(stats.fallback_count == 2);
        CHECK(std::string(stats.last_gpu_error).find("no room for") != std::string::npos);
    }
    {
        const test::QuantizerHandle strict = test::make_quantizer([](bitnet_quantizer_params& p) {
            p.device = "cuda:0";
            p.allow_fallback = 0;
        });
        CHECK(bitnet_quantizer_matmul_i2s(strict.get(), &product.call) == BITNET_E_DEVICE_MEMORY);
        test::Quantized out;
        CHECK(test::try_quantize(strict, test::quant_config("q8_0"), test::random_values(1, 256), &out) ==
              BITNET_E_QUANT_GPU);
    }
}

TEST_CASE("a kernel of the host's that fails takes its device along, with one status and one reason from then on") {
    FakeMachine machine;
    machine.fake.on_launch = [&](const test::FakeLaunch&) { machine.fake.broken_by = tg::cuda::launch_failed; };
    const CudaHandle cuda = open_cuda();
    const ModuleHandle module = load(cuda);
    Doubling doubling(function_of(module), allocate(cuda, 64), 1);
    test::must(bitnet_cuda_launch(cuda.get(), &doubling.work));
    CHECK(bitnet_cuda_synchronize_all(cuda.get()) == BITNET_E_DEVICE_COMPUTE);
    CHECK(says("cuStreamSynchronize: CUDA_ERROR_LAUNCH_FAILED"));
    CHECK(bitnet_cuda_launch(cuda.get(), &doubling.work) == BITNET_E_DEVICE_COMPUTE);
    CHECK(says("cannot be used any more since cuStreamSynchronize"));
    uint64_t address = 0;
    CHECK(bitnet_cuda_allocate(cuda.get(), 64, &address) == BITNET_E_DEVICE_COMPUTE);
    bitnet_cuda* again = nullptr;
    CHECK(bitnet_cuda_open(0, &again) == BITNET_E_DEVICE_COMPUTE);
    CHECK(again == nullptr);
    const test::QuantizerHandle cpu = test::make_quantizer([](bitnet_quantizer_params& p) { p.device = "cpu"; });
    test::quantize(cpu, test::quant_config("q8_0"), test::random_values(1, 256));  // the process goes on
}

TEST_CASE("a device that is not NVIDIA's multiplies and copies, but has no context, modules or counts") {
    test::VirtualGpu gpu;
    tg::set_gpu_driver(&gpu);
    {
        const CudaHandle cuda = open_cuda();
        const uint64_t address = allocate(cuda, 16);
        char bytes[16] = {1, 2, 3};
        test::must(bitnet_cuda_copy_in(cuda.get(), address, bytes, 16));
        test::must(bitnet_cuda_copy_out(cuda.get(), bytes, address, 16));
        CHECK(bytes[2] == 3);
        test::must(bitnet_cuda_synchronize_all(cuda.get()));
        void* handle = nullptr;
        CHECK(bitnet_cuda_get_context(cuda.get(), &handle) == BITNET_E_UNSUPPORTED);
        CHECK(bitnet_cuda_get_module(cuda.get(), &handle) == BITNET_E_UNSUPPORTED);
        bitnet_cuda_module* module = nullptr;
        CHECK(bitnet_cuda_load_ptx(cuda.get(), kPtx.data(), kPtx.size(), &module) == BITNET_E_UNSUPPORTED);
        CHECK(bitnet_cuda_reset_performance_stats(cuda.get()) == BITNET_E_UNSUPPORTED);
        const auto info = ask<bitnet_cuda_info>([&](auto* out) { return bitnet_cuda_get_info(cuda.get(), out); });
        CHECK(info.driver_version == 0);
        CHECK(std::string(info.uuid).empty());
        test::must(bitnet_cuda_release(cuda.get(), address));
    }
    tg::set_gpu_driver(nullptr);
}
