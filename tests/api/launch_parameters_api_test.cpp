// Launch parameters through bitnet.h: on a device that is made up, and what cannot be asked.
#include "tests/support/api_fixture.h"

namespace {

bitnet_cuda_info h200() {
    bitnet_cuda_info info = {};
    info.struct_size = sizeof info;
    info.n_multiprocessors = 132;
    info.max_threads_per_block = 1024;
    info.max_threads_per_multiprocessor = 2048;
    info.max_shared_bytes = 232448;
    return info;
}

}  // namespace

TEST_CASE("launch parameters need no device: those of one that is described") {
    const bitnet_cuda_info info = h200();
    bitnet_cuda_launch_parameters out = {};
    out.struct_size = sizeof out;
    test::must(bitnet_cuda_get_launch_parameters(&info, 2048, 6912, 2560, &out));
    CHECK(out.struct_size == sizeof out);
    CHECK(out.grid[0] * out.tile[1] >= 6912);
    CHECK(out.grid[1] * out.grid[2] * out.tile[0] >= 2048);
    CHECK(out.block[0] == 256);
    CHECK(out.tile[2] == 128);
    CHECK(out.shared_bytes > 0);
    CHECK(out.occupancy > 0);
    CHECK(out.occupancy <= 1);
    CHECK(out.waves > 1);
    CHECK(out.blocks_per_multiprocessor >= 1);
    bitnet_cuda_info nothing = {};  // a device of which nothing is known
    nothing.struct_size = sizeof(uint32_t);
    test::must(bitnet_cuda_get_launch_parameters(&nothing, 1, 1, 128, &out));
    CHECK(out.shared_bytes == 0);
    test::must(bitnet_cuda_get_launch_parameters(&info, uint64_t{1} << 32, uint64_t{1} << 32, uint64_t{1} << 32, &out));
    CHECK(uint64_t{out.grid[1]} * out.grid[2] * out.tile[0] >= uint64_t{1} << 32);
}

TEST_CASE("launch parameters of what is no product are an argument error") {
    bitnet_cuda_info info = h200();
    bitnet_cuda_launch_parameters out = {};
    out.struct_size = sizeof out;
    const uint64_t most = uint64_t{1} << 32;
    CHECK(bitnet_cuda_get_launch_parameters(&info, 0, 1, 128, &out) == BITNET_E_ARGUMENT);
    CHECK(bitnet_cuda_get_launch_parameters(&info, 1, 0, 128, &out) == BITNET_E_ARGUMENT);
    CHECK(bitnet_cuda_get_launch_parameters(&info, 1, 1, 0, &out) == BITNET_E_ARGUMENT);
    CHECK(bitnet_cuda_get_launch_parameters(&info, 1, 1, 64, &out) == BITNET_E_ARGUMENT);
    CHECK(bitnet_cuda_get_launch_parameters(&info, most + 1, 1, 128, &out) == BITNET_E_ARGUMENT);
    CHECK(bitnet_cuda_get_launch_parameters(&info, 1, UINT64_MAX, 128, &out) == BITNET_E_ARGUMENT);
    CHECK(bitnet_cuda_get_launch_parameters(nullptr, 1, 1, 128, &out) == BITNET_E_ARGUMENT);
    CHECK(bitnet_cuda_get_launch_parameters(&info, 1, 1, 128, nullptr) == BITNET_E_ARGUMENT);
    info.struct_size = 0;
    CHECK(bitnet_cuda_get_launch_parameters(&info, 1, 1, 128, &out) == BITNET_E_ARGUMENT);
}

TEST_CASE("where there is no CUDA device, every door is closed with a reason and none crashes") {
    bitnet_cuda* cuda = nullptr;
    if (bitnet_device_check("cuda:255") == BITNET_OK) return;
    CHECK(bitnet_cuda_open(255, &cuda) == BITNET_E_DEVICE_NOT_AVAILABLE);
    CHECK(test::last_error().find("cuda:255: ") == 0);
    CHECK(cuda == nullptr);
    uint64_t address = 0;
    void* pointer = nullptr;
    bitnet_cuda_module* module = nullptr;
    const bitnet_cuda_work work = bitnet_cuda_default_work();
    CHECK(bitnet_cuda_get_info(nullptr, nullptr) == BITNET_E_ARGUMENT);
    CHECK(bitnet_cuda_get_context(nullptr, &pointer) == BITNET_E_ARGUMENT);
    CHECK(bitnet_cuda_load_ptx(nullptr, "x", 1, &module) == BITNET_E_ARGUMENT);
    CHECK(bitnet_cuda_launch(nullptr, &work) == BITNET_E_ARGUMENT);
    CHECK(bitnet_cuda_allocate(nullptr, 1, &address) == BITNET_E_ARGUMENT);
    CHECK(bitnet_cuda_release(nullptr, 1) == BITNET_E_ARGUMENT);
    CHECK(bitnet_cuda_copy_in(nullptr, 1, &work, 1) == BITNET_E_ARGUMENT);
    CHECK(bitnet_cuda_copy_out(nullptr, &address, 1, 1) == BITNET_E_ARGUMENT);
    CHECK(bitnet_cuda_synchronize_all(nullptr) == BITNET_E_ARGUMENT);
    CHECK(bitnet_cuda_get_memory_stats(nullptr, nullptr) == BITNET_E_ARGUMENT);
    CHECK(bitnet_cuda_get_performance_stats(nullptr, nullptr) == BITNET_E_ARGUMENT);
    CHECK(bitnet_cuda_reset_performance_stats(nullptr) == BITNET_E_ARGUMENT);
    bitnet_cuda_free(nullptr);
    bitnet_cuda_module_free(nullptr);
}
