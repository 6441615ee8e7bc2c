// A CUDA device's own doors.
#include <vector>

#include "ggml-like/gpu/launch_parameters.h"
#include "src/api/api_guard.h"
#include "src/device/cuda_kernel.h"
#include "src/quantizer/i2s_matmul.h"

using namespace bitnet;

struct bitnet_cuda {
    CudaKernel kernel;
};

struct bitnet_cuda_module {
    std::shared_ptr<CudaKernelModule> module;
};

namespace {

template <typename Handle>
auto& kernel_of(Handle* cuda) {
    require(cuda != nullptr, "the CUDA handle is NULL");
    return cuda->kernel;
}

template <size_t kSize>
void copy_cut(char (&out)[kSize], const std::string& text) {
    std::memcpy(out, text.data(), std::min(text.size(), kSize - 1));
}

bitnet_cuda_info info_of(const CudaKernel& kernel) {
    const tg::GpuInfo& gpu = kernel.info();
    bitnet_cuda_info info;
    std::memset(&info, 0, sizeof info);
    info.index = gpu.index;
    info.compute_capability[0] = gpu.major;
    info.compute_capability[1] = gpu.minor;
    info.n_multiprocessors = gpu.n_multiprocessors;
    info.max_threads_per_block = gpu.max_threads_per_block;
    info.max_threads_per_multiprocessor = gpu.max_threads_per_multiprocessor;
    info.max_shared_bytes = gpu.max_shared_bytes;
    info.clock_khz = gpu.clock_khz;
    info.memory_clock_khz = gpu.memory_clock_khz;
    info.memory_bus_bits = gpu.memory_bus_bits;
    info.driver_version = kernel.driver_version();
    info.l2_bytes = gpu.l2_bytes;
    info.memory_bytes = gpu.memory_bytes;
    copy_cut(info.name, gpu.name);
    copy_cut(info.uuid, kernel.uuid());
    return info;
}

// As much of a caller's struct of answers as he gives us to read.
bitnet_cuda_info read_info(const bitnet_cuda_info* info) {
    require(info != nullptr, "info is NULL");
    require(info->struct_size >= sizeof(uint32_t), "struct_size of the info struct is 0; set it before the call");
    bitnet_cuda_info full;
    std::memset(&full, 0, sizeof full);
    std::memcpy(&full, info, std::min<size_t>(info->struct_size, sizeof full));
    return full;
}

}  // namespace

extern "C" {

bitnet_status bitnet_cuda_open(int32_t index, bitnet_cuda** out_cuda) {
    if (out_cuda != nullptr) *out_cuda = nullptr;
    return api_call(__func__, [&] {
        require(out_cuda != nullptr, "bitnet_cuda_open: out_cuda is NULL");
        *out_cuda = new bitnet_cuda{CudaKernel(index)};
    });
}

void bitnet_cuda_free(bitnet_cuda* cuda) { delete cuda; }

bitnet_status bitnet_cuda_get_info(const bitnet_cuda* cuda, bitnet_cuda_info* out_info) {
    return api_call(__func__, [&] { write_info(out_info, info_of(kernel_of(cuda))); });
}

bitnet_status bitnet_cuda_get_context(const bitnet_cuda* cuda, void** out_context) {
    return api_call(__func__, [&] {
        const CudaKernel& kernel = kernel_of(cuda);
        require(out_context != nullptr, "out_context is NULL");
        *out_context = kernel.cuda().context();
    });
}

bitnet_status bitnet_cuda_get_module(const bitnet_cuda* cuda, void** out_module) {
    return api_call(__func__, [&] {
        const CudaKernel& kernel = kernel_of(cuda);
        require(out_module != nullptr, "out_module is NULL");
        *out_module = kernel.cuda().module();
    });
}

bitnet_status bitnet_cuda_load_ptx(bitnet_cuda* cuda, const char* text, size_t n_bytes,
                                   bitnet_cuda_module** out_module) {
    if (out_module != nullptr) *out_module = nullptr;
    return api_call(__func__, [&] {
        CudaKernel& kernel = kernel_of(cuda);
        require(text != nullptr && out_module != nullptr, "bitnet_cuda_load_ptx: a pointer is NULL");
        require(n_bytes != 0, "a text of no bytes is no PTX");
        // The driver reads up to a NUL, which is ours to add.
        *out_module = new bitnet_cuda_module{kernel.load(std::string(text, n_bytes))};
    });
}

void bitnet_cuda_module_free(bitnet_cuda_module* module) { delete module; }

bitnet_status bitnet_cuda_module_get_function(bitnet_cuda_module* module, const char* name, void** out_function) {
    return api_call(__func__, [&] {
        require(module != nullptr && name != nullptr && out_function != nullptr,
                "bitnet_cuda_module_get_function: a pointer is NULL");
        *out_function = module->module->find(name);
    });
}

void bitnet_cuda_work_init(bitnet_cuda_work* work, uint32_t struct_size) {
    bitnet_cuda_work defaults;
    std::memset(&defaults, 0, sizeof defaults);
    for (int i = 0; i < 3; ++i) defaults.grid[i] = defaults.block[i] = 1;
    write_params(work, struct_size, defaults);
}

bitnet_status bitnet_cuda_launch(bitnet_cuda* cuda, const bitnet_cuda_work* work) {
    return api_call(__func__, [&] {
        CudaKernel& kernel = kernel_of(cuda);
        require(work != nullptr, "bitnet_cuda_launch: work is NULL");
        const bitnet_cuda_work w = read_params(work, bitnet_cuda_work_init);
        require(w.function != nullptr, "bitnet_cuda_work.function is NULL");
        require(w.params != nullptr || w.n_params == 0, "bitnet_cuda_work.params is NULL");
        for (size_t i = 0; i < w.n_params; ++i) require(w.params[i] != nullptr, "an address in params is NULL");
        uint64_t n_threads = 1;
        for (int i = 0; i < 3; ++i) {
            require(w.grid[i] != 0 && w.block[i] != 0, "a grid or a block has a dimension of 0");
            n_threads = std::min<uint64_t>(n_threads * w.block[i], UINT32_MAX);
        }
        const int32_t most = kernel.info().max_threads_per_block;
        if (most > 0 && n_threads > static_cast<uint64_t>(most)) {
            throw Error(BITNET_E_ARGUMENT, "a block of " + std::to_string(n_threads) +
                                               " threads; the device takes at most " + std::to_string(most))
                .with_numbers(static_cast<uint64_t>(most), n_threads);
        }
        CudaLaunch launch = {};
        std::copy(std::begin(w.grid), std::end(w.grid), launch.grid);
        std::copy(std::begin(w.block), std::end(w.block), launch.block);
        launch.shared_bytes = w.shared_bytes;
        launch.function = static_cast<tg::cuda::Function>(w.function);
        launch.params = const_cast<void**>(w.params);
        launch.n_params = w.n_params;
        kernel.launch(launch);
    });
}

bitnet_status bitnet_cuda_allocate(bitnet_cuda* cuda, size_t n_bytes, uint64_t* out_address) {
    return api_call(__func__, [&] {
        CudaKernel& kernel = kernel_of(cuda);
        require(out_address != nullptr, "out_address is NULL");
        *out_address = kernel.allocate(n_bytes);
    });
}

bitnet_status bitnet_cuda_release(bitnet_cuda* cuda, uint64_t address) {
    return api_call(__func__, [&] { kernel_of(cuda).release(address); });
}

bitnet_status bitnet_cuda_copy_in(bitnet_cuda* cuda, uint64_t to, const void* from, size_t n_bytes) {
    return api_call(__func__, [&] {
        CudaKernel& kernel = kernel_of(cuda);
        require(from != nullptr || n_bytes == 0, "bitnet_cuda_copy_in: from is NULL");
        kernel.copy_in(to, from, n_bytes);
    });
}

bitnet_status bitnet_cuda_copy_out(bitnet_cuda* cuda, void* to, uint64_t from, size_t n_bytes) {
    return api_call(__func__, [&] {
        CudaKernel& kernel = kernel_of(cuda);
        require(to != nullptr || n_bytes == 0, "bitnet_cuda_copy_out: to is NULL");
        kernel.copy_out(to, from, n_bytes);
    });
}

bitnet_status bitnet_cuda_synchronize_all(bitnet_cuda* cuda) {
    return api_call(__func__, [&] { kernel_of(cuda).synchronize_all(); });
}

bitnet_status bitnet_cuda_get_memory_stats(bitnet_cuda* cuda, bitnet_cuda_memory_stats* out_stats) {
    return api_call(__func__, [&] {
        CudaKernel& kernel = kernel_of(cuda);
        const tg::GpuMemory memory = kernel.memory();
        const CudaKernel::Allocated own = kernel.allocated();
        bitnet_cuda_memory_stats stats;
        std::memset(&stats, 0, sizeof stats);
        stats.n_allocations = own.n_blocks;
        stats.total_bytes = memory.total;
        stats.free_bytes = memory.free;
        stats.library_bytes = kernel.cuda().allocated_bytes();
        stats.allocated_bytes = own.n_bytes;
        write_info(out_stats, stats);
    });
}

bitnet_status bitnet_cuda_get_performance_stats(const bitnet_cuda* cuda, bitnet_cuda_performance_stats* out_stats) {
    return api_call(__func__, [&] {
        const tg::CudaCounters counters = kernel_of(cuda).cuda().counters();
        bitnet_cuda_performance_stats stats;
        std::memset(&stats, 0, sizeof stats);
        stats.n_launches = counters.n_launches;
        stats.n_copies_in = counters.n_copies_in;
        stats.n_copies_out = counters.n_copies_out;
        stats.bytes_in = counters.bytes_in;
        stats.bytes_out = counters.bytes_out;
        stats.n_waits = counters.n_waits;
        stats.wait_time_ms = static_cast<double>(counters.wait_ns) * 1e-6;
        write_info(out_stats, stats);
    });
}

bitnet_status bitnet_cuda_reset_performance_stats(bitnet_cuda* cuda) {
    return api_call(__func__, [&] { kernel_of(cuda).cuda().reset_counters(); });
}

bitnet_status bitnet_cuda_batch_matmul_i2s(bitnet_cuda* cuda, const bitnet_i2s_matmul* matmuls, size_t n_matmuls) {
    return api_call(__func__, [&] {
        CudaKernel& kernel = kernel_of(cuda);
        require(matmuls != nullptr || n_matmuls == 0, "bitnet_cuda_batch_matmul_i2s: matmuls is NULL");
        std::vector<DeviceMatmulI2s> work;
        for (size_t i = 0; i < n_matmuls; ++i) {
            work.push_back(checked_matmul(matmuls[i], n_matmuls == 1 ? "" : "product " + std::to_string(i) + ": "));
        }
        kernel.matmul(work);
    });
}

bitnet_status bitnet_cuda_get_launch_parameters(const bitnet_cuda_info* info, uint64_t m, uint64_t n, uint64_t k,
                                                bitnet_cuda_launch_parameters* out_parameters) {
    return api_call(__func__, [&] {
        const bitnet_cuda_info device = read_info(info);
        constexpr uint64_t kMost = uint64_t{1} << 32;
        for (const uint64_t number : {m, n, k}) {
            require(number >= 1 && number <= kMost, "m, n and k are numbers from 1 to 2^32");
        }
        require(k % 128 == 0, "k is no multiple of 128");
        const tg::LaunchParameters launch =
            tg::launch_parameters({device.n_multiprocessors, device.max_threads_per_block,
                                   device.max_threads_per_multiprocessor, device.max_shared_bytes},
                                  static_cast<int64_t>(m), static_cast<int64_t>(n), static_cast<int64_t>(k));
        bitnet_cuda_launch_parameters out;
        std::memset(&out, 0, sizeof out);
        std::copy(std::begin(launch.grid), std::end(launch.grid), out.grid);
        std::copy(std::begin(launch.block), std::end(launch.block), out.block);
        out.shared_bytes = launch.shared_bytes;
        out.tile[0] = launch.tile_m;
        out.tile[1] = launch.tile_n;
        out.tile[2] = launch.tile_k;
        out.blocks_per_multiprocessor = launch.blocks_per_multiprocessor;
        out.occupancy = launch.occupancy;
        out.waves = launch.waves;
        write_info(out_parameters, out);
    });
}

}  // extern "C"
