// Benchmarks: models of random weights, work of a decode, limits of the machine, kernels alone.
#include "kernels/cpu/cpu_features.h"
#include "src/api/api_guard.h"
#include "src/api/handles.h"
#include "src/api/param_read.h"
#include "src/base/environment.h"
#include "src/bench/kernel_timing.h"
#include "src/bench/machine_limits.h"
#include "src/bench/synthetic_model.h"
#include "src/context/pass_work.h"
#include "src/device/host_memory.h"

using namespace bitnet;

namespace {

kern::QuantType head_type(const char* name) {
    const kern::QuantTypeInfo* type = kern::find_quant_type_by_name(name);
    if (type == nullptr || type->ternary || type->encode == nullptr) {
        throw Error(BITNET_E_QUANT_FORMAT,
                    "head = '" + std::string(name) + "' is no type for a head; use q8_0, q6_k or f16")
            .with_subject("head");
    }
    return type->type;
}

SyntheticOptions synthetic_options(const bitnet_synthetic_params& params) {
    SyntheticOptions options;
    options.embedding = head_type(params.head != nullptr ? params.head : "q8_0");
    options.seed = params.seed;
    if (params.on_progress != nullptr) {
        options.on_progress = [callback = params.on_progress, user_data = params.progress_user_data](uint64_t done,
                                                                                                     uint64_t total) {
            const double progress = total != 0 ? static_cast<double>(done) / static_cast<double>(total) : 1.0;
            return callback(static_cast<float>(progress), user_data) == 0;
        };
    }
    return options;
}

int32_t bench_threads(int32_t n_threads) {
    constexpr int32_t kMost = 1024;
    if (n_threads < 0 || n_threads > kMost) {
        throw Error(BITNET_E_CONFIG,
                    "n_threads = " + std::to_string(n_threads) + " is outside of 0.." + std::to_string(kMost))
            .with_subject("n_threads");
    }
    return n_threads != 0 ? n_threads : bitnet_cpu_get_thread_limit();
}

uint64_t default_read_bytes() {
    constexpr uint64_t kDefault = uint64_t{1} << 30;
    const std::optional<HostMemory> memory = host_memory();
    return memory ? std::min(kDefault, memory->free_bytes / 4) : kDefault;
}

bitnet_machine_limits measured_limits(const bitnet_limits_params& params) {
    const int32_t n_threads = bench_threads(params.n_threads);
    const uint64_t n_bytes = params.n_bytes != 0 ? params.n_bytes : default_read_bytes();
    MemoryCharge charge;
    charge.resize(n_bytes, env_memory_limit(), "the memory to read", "measure with a smaller n_bytes");
    const MachineLimits found = measure_limits(n_threads, n_bytes, params.level,
                                               {params.budget_us, params.should_abort, params.abort_user_data});
    bitnet_machine_limits limits{};
    limits.n_threads = n_threads;
    limits.n_bytes = found.n_bytes;
    limits.read_bytes_per_second = found.read_bytes_per_second;
    limits.plain_read_bytes_per_second = found.plain_read_bytes_per_second;
    limits.int8_ops_per_second = found.int8_ops_per_second;
    limits.int8_level = found.int8_level;
    limits.read_streams = found.read_streams;
    return limits;
}

bitnet_kernel_timing measured_kernel(const bitnet_kernel_run& run) {
    require(run.kernel != nullptr && run.operation != nullptr, "kernel or operation is NULL");
    const KernelRun wanted{run.kernel,    run.operation, run.k, run.n_rows, run.n_cols, bench_threads(run.n_threads),
                           run.cold_bytes};
    const KernelTiming found = time_kernel(wanted, {run.budget_us, run.should_abort, run.abort_user_data});
    bitnet_kernel_timing timing{};
    timing.n_runs = static_cast<int32_t>(found.n_runs);
    timing.median_us = 1e6 * found.median_seconds;
    timing.best_us = 1e6 * found.best_seconds;
    timing.n_bytes = found.n_bytes;
    timing.n_ops = found.n_ops;
    return timing;
}

bitnet_pass_work work_of(const Context& context, const bitnet_pass_shape& shape) {
    constexpr int64_t kMostTokens = 1 << 24;
    require(shape.n_seq >= 1 && shape.n_tokens >= 1 && shape.n_past >= 0,
            "n_seq or n_tokens is below 1, or n_past below 0");
    require(int64_t{shape.n_seq} * shape.n_tokens <= kMostTokens && shape.n_past <= kMostTokens,
            "the shape has more than 2^24 tokens");
    const PassWork found =
        pass_work(context.model(), {shape.n_seq, shape.n_tokens, shape.n_past, context.config().n_ubatch,
                                    context.config().k_type, context.config().v_type});
    bitnet_pass_work work{};
    work.n_micro_batches = static_cast<int32_t>(found.n_micro_batches);
    work.layer_bytes = found.layer_bytes;
    work.head_bytes = found.head_bytes;
    work.kv_bytes = found.kv_bytes;
    work.total_bytes = found.total_bytes;
    work.int8_ops = found.int8_ops;
    work.float_ops = found.float_ops;
    return work;
}

void init_shape(bitnet_pass_shape* shape, uint32_t struct_size) {
    bitnet_pass_shape defaults{};
    defaults.n_seq = defaults.n_tokens = 1;
    write_params(shape, struct_size, defaults);
}

}  // namespace

extern "C" {

size_t bitnet_synthetic_get_count(void) { return synthetic_shapes().size(); }

bitnet_status bitnet_synthetic_get_shape(size_t index, bitnet_synthetic_shape* out_shape) {
    return api_call(__func__, [&] {
        if (index >= synthetic_shapes().size()) throw Error(BITNET_E_NOT_FOUND, "there is no shape with this index");
        const SyntheticShape& shape = synthetic_shapes()[index];
        bitnet_synthetic_shape info{};
        info.n_layer = static_cast<int32_t>(shape.n_layer);
        info.name = shape.name;
        info.model = shape.model;
        info.architecture = shape.architecture;
        info.down_type = kern::quant_type_info(synthetic_matrix_type(shape.n_ff)).name;
        info.n_embd = static_cast<int32_t>(shape.n_embd);
        info.n_ff = static_cast<int32_t>(shape.n_ff);
        info.n_head = static_cast<int32_t>(shape.n_head);
        info.n_head_kv = static_cast<int32_t>(shape.n_head_kv);
        info.head_dim = static_cast<int32_t>(shape.head_dim);
        info.n_vocab = static_cast<int32_t>(shape.n_vocab);
        info.n_ctx_train = static_cast<int32_t>(shape.n_ctx);
        write_info(out_shape, info);
    });
}

void bitnet_synthetic_params_init(bitnet_synthetic_params* params, uint32_t struct_size) {
    bitnet_synthetic_params defaults;
    std::memset(&defaults, 0, sizeof defaults);
    defaults.shape = "2b4t";
    defaults.head = "q8_0";
    defaults.seed = 1;
    write_params(params, struct_size, defaults);
}

bitnet_status bitnet_synthetic_write(const char* path, const bitnet_synthetic_params* params) {
    return api_call(__func__, about(path), [&] {
        require(path != nullptr, "the path is NULL");
        const bitnet_synthetic_params wanted = read_params(params, bitnet_synthetic_params_init);
        const std::string name = wanted.shape != nullptr ? wanted.shape : "2b4t";
        const SyntheticShape* shape = find_synthetic_shape(name);
        if (shape == nullptr) {
            throw Error(BITNET_E_NOT_FOUND, "there is no shape '" + name + "'; shapes are " + synthetic_shape_names())
                .with_subject(name);
        }
        write_synthetic_model(path, *shape, synthetic_options(wanted));
    });
}

bitnet_status bitnet_context_get_pass_work(const bitnet_context* context, const bitnet_pass_shape* shape,
                                           bitnet_pass_work* out_work) {
    return api_call(__func__, about(context), [&] {
        require(context != nullptr, "the context is NULL");
        require(shape != nullptr, "the shape is NULL");
        write_info(out_work, work_of(context->context, read_params(shape, init_shape)));
    });
}

void bitnet_limits_params_init(bitnet_limits_params* params, uint32_t struct_size) {
    bitnet_limits_params defaults;
    std::memset(&defaults, 0, sizeof defaults);
    defaults.budget_us = 300000;
    write_params(params, struct_size, defaults);
}

bitnet_status bitnet_limits_measure(const bitnet_limits_params* params, bitnet_machine_limits* out_limits) {
    return api_call(__func__, [&] {
        require(out_limits != nullptr && out_limits->struct_size >= sizeof(uint32_t),
                "out_limits is NULL or its struct_size is 0");
        write_info(out_limits, measured_limits(read_params(params, bitnet_limits_params_init)));
    });
}

const char* bitnet_kernel_get_operation(const char* kernel, size_t index) {
    const char* name = nullptr;
    api_call(__func__, [&] {
        if (kernel != nullptr) name = kernel_operation(kernel, index);
    });
    return name;
}

void bitnet_kernel_run_init(bitnet_kernel_run* run, uint32_t struct_size) {
    bitnet_kernel_run defaults;
    std::memset(&defaults, 0, sizeof defaults);
    defaults.n_threads = 1;
    defaults.operation = "mul_mat";
    defaults.k = 2560;
    defaults.n_rows = 2560;
    defaults.n_cols = 1;
    defaults.cold_bytes = uint64_t{128} << 20;
    defaults.budget_us = 100000;
    write_params(run, struct_size, defaults);
}

bitnet_status bitnet_kernel_measure(const bitnet_kernel_run* run, bitnet_kernel_timing* out_timing) {
    return api_call(__func__, [&] {
        require(run != nullptr, "the run is NULL");
        require(out_timing != nullptr && out_timing->struct_size >= sizeof(uint32_t),
                "out_timing is NULL or its struct_size is 0");
        write_info(out_timing, measured_kernel(read_params(run, bitnet_kernel_run_init)));
    });
}

}  // extern "C"
