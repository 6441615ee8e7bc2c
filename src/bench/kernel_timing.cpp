// Data for kernels of every type, and the jobs that run them on threads as the graph would.
#include "src/bench/kernel_timing.h"

#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#include "ggml-like/arena.h"
#include "ggml-like/thread_pool.h"
#include "kernels/cpu/kernel_select.h"
#include "src/base/environment.h"
#include "src/base/memory_budget.h"

namespace bitnet {
namespace {

const kern::MulMatKernel* find_matrix_kernel(const std::string& name) {
    for (size_t i = 0; i < kern::mul_mat_kernel_count(); ++i) {
        if (name == kern::mul_mat_kernel_at(i).name) return &kern::mul_mat_kernel_at(i);
    }
    return nullptr;
}

const kern::VecKernels* find_vector_kernels(const std::string& name) {
    for (size_t i = 0; i < kern::vec_kernels_count(); ++i) {
        if (name == kern::vec_kernels_at(i).name) return &kern::vec_kernels_at(i);
    }
    return nullptr;
}

// xorshift64* (G. Marsaglia 2003): speed is all that data of a measurement asks for.
struct Random {
    uint64_t state = 0x9e3779b97f4a7c15ull;
    uint32_t next() {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        return static_cast<uint32_t>(state * 0x2545f4914f6cdd1dull >> 32);
    }
    float value() { return static_cast<float>(static_cast<int32_t>(next() >> 8) - (1 << 23)) * 0x1p-22f; }  // -2 .. 2
};

void fill_floats(float* values, int64_t n) {
    Random random;
    for (int64_t i = 0; i < n; ++i) values[i] = random.value();
}

template <typename Item>
Item* items(const tg::Arena& arena) {
    return reinterpret_cast<Item*>(arena.data());
}

tg::Arena floats(int64_t n) {
    tg::Arena arena(static_cast<size_t>(n) * sizeof(float), "values of a measurement");
    fill_floats(items<float>(arena), n);
    return arena;
}

// The part of n that a thread has, cut at multiples of tile.
struct Part {
    Part(int64_t n, int64_t tile, int index, int n_threads) {
        const int64_t n_tiles = (n + tile - 1) / tile;
        begin = std::min(n, n_tiles * index / n_threads * tile);
        end = std::min(n, n_tiles * (index + 1) / n_threads * tile);
    }
    int64_t begin, end;
};

// One row as stored. Types that this build cannot write get bytes that are a small finite scale wherever one may lie.
std::vector<uint8_t> stored_row(kern::QuantType type, int64_t k, Random& random) {
    const kern::QuantTypeInfo& info = kern::quant_type_info(type);
    std::vector<uint8_t> row(static_cast<size_t>(kern::quant_row_bytes(type, k)), 0x11);
    if (info.encode == nullptr) return row;
    std::vector<float> values(static_cast<size_t>(k));
    for (float& value : values)
        value = info.ternary ? static_cast<float>(static_cast<int>(random.next() % 3) - 1) : random.value();
    info.encode(values.data(), 1.0f, k, row.data());
    return row;
}

constexpr const char* kAdvice = "measure with a smaller shape or cold_bytes";

// A matrix in the kernel's layout, as many times as make cold_bytes: runs walk the copies in turn.
struct Matrices {
    Matrices(const kern::MulMatKernel& kernel, const KernelRun& run) {
        Random random;
        const uint64_t row_bytes = kern::quant_row_bytes(kernel.type, run.k);
        const uint64_t file_bytes = row_bytes * static_cast<uint64_t>(run.n_rows);
        stride = tg::align_up(
            static_cast<size_t>(kernel.pack != nullptr ? kernel.packed_bytes(run.n_rows, run.k) : file_bytes));
        n_bytes = kernel.pack != nullptr ? kernel.packed_bytes(run.n_rows, run.k) : file_bytes;
        n_copies = std::max<uint64_t>(1, (run.cold_bytes + stride - 1) / stride);
        charge.resize(stride * n_copies, env_memory_limit(), "the weights of a measurement", kAdvice);
        memory = tg::Arena(stride * static_cast<size_t>(n_copies), "weights of a measurement");
        tg::Arena unpacked;
        if (kernel.pack != nullptr) unpacked = tg::Arena(static_cast<size_t>(file_bytes), "weights of a measurement");
        uint8_t* file = kernel.pack != nullptr ? unpacked.data() : memory.data();
        std::array<std::vector<uint8_t>, 16> rows;
        for (std::vector<uint8_t>& row : rows) row = stored_row(kernel.type, run.k, random);
        for (int64_t row = 0; row < run.n_rows; ++row) {
            std::memcpy(file + static_cast<uint64_t>(row) * row_bytes,
                        rows[static_cast<size_t>(row) % rows.size()].data(), row_bytes);
        }
        if (kernel.pack != nullptr) kernel.pack(file, run.n_rows, run.k, 0, run.n_rows, memory.data());
        for (uint64_t i = 1; i < n_copies; ++i)
            std::memcpy(memory.data() + i * stride, memory.data(), static_cast<size_t>(n_bytes));
    }

    MemoryCharge charge;
    tg::Arena memory;
    size_t stride = 0;
    uint64_t n_bytes = 0;
    uint64_t n_copies = 0;
};

struct MatrixJob {
    const kern::MulMatKernel* kernel;
    kern::MulMatArgs args;
    int n_threads;
    const float* x;
    void* packed_acts;
};

void multiply_part(int index, void* user_data) {
    const MatrixJob& job = *static_cast<MatrixJob*>(user_data);
    const Part part(job.args.n_rows, job.kernel->row_tile, index, job.n_threads);
    if (part.begin >= part.end) return;
    kern::MulMatArgs args = job.args;
    args.row_begin = part.begin;
    args.row_end = part.end;
    job.kernel->run(args);
}

void pack_part(int index, void* user_data) {
    const MatrixJob& job = *static_cast<MatrixJob*>(user_data);
    const kern::ActFormat& format = *job.kernel->act;
    const Part part(job.args.n_cols, format.col_tile, index, job.n_threads);
    if (part.begin >= part.end) return;
    format.pack(job.x, job.args.k, job.args.k, job.args.n_cols, part.begin, part.end, job.packed_acts);
}

KernelTiming summary(const std::vector<double>& runs, uint64_t n_bytes, uint64_t n_ops) {
    return {runs.size(), runs[runs.size() / 2], runs.front(), n_bytes, n_ops};
}

KernelTiming time_matrix(const kern::MulMatKernel& kernel, const KernelRun& run, tg::ThreadPool& pool,
                         const BenchBudget& budget) {
    const tg::Arena x = floats(run.k * run.n_cols);
    const bool packs = kernel.act->pack != nullptr;
    const auto n_cols = static_cast<uint64_t>(run.n_cols), k = static_cast<uint64_t>(run.k),
               n_rows = static_cast<uint64_t>(run.n_rows);
    const uint64_t act_bytes = packs ? kernel.act->bytes(run.k, run.n_cols) : n_cols * k * sizeof(float);
    const tg::Arena acts(packs ? static_cast<size_t>(act_bytes) : 0, "activations of a measurement");
    MatrixJob job{};
    job.kernel = &kernel;
    job.n_threads = pool.size();
    job.x = items<float>(x);
    job.packed_acts = acts.data();
    job.args.k = run.k;
    job.args.n_rows = run.n_rows;
    job.args.n_cols = run.n_cols;
    if (packs) kernel.act->pack(job.x, run.k, run.k, run.n_cols, 0, run.n_cols, job.packed_acts);
    if (run.operation == "pack") {
        const auto runs = time_runs(budget, [&] { pool.run(pack_part, &job); });
        return summary(runs, n_cols * k * sizeof(float) + act_bytes, 0);
    }
    const Matrices matrices(kernel, run);
    const tg::Arena out(static_cast<size_t>(n_cols * n_rows) * sizeof(float), "outputs of a measurement");
    job.args.weight_scale = 1.0f;
    job.args.acts = packs ? job.packed_acts : x.data();
    job.args.act_stride = run.k;
    job.args.out = items<float>(out);
    job.args.out_stride = run.n_rows;
    uint64_t turn = 0;
    const auto runs = time_runs(budget, [&] {
        job.args.weights = matrices.memory.data() + turn++ % matrices.n_copies * matrices.stride;
        pool.run(multiply_part, &job);
    });
    return summary(runs, matrices.n_bytes + act_bytes + n_cols * n_rows * sizeof(float), 2 * k * n_rows * n_cols);
}

// A run of one operation of the vector kernels over rows [begin, end) of width k. Buffers: a and b are inputs, out an output, all of
// n_cols rows; cos_sin has one row.
struct VectorData {
    const kern::VecKernels* vec;
    int64_t k;
    const float* a;
    const float* b;
    float* out;
    uint16_t* halves;
    int8_t* codes;
    const float* cos_sin;
    float* results;  // what an operation returns; keeps it from being left out
};

struct VectorOperation {
    const char* name;
    uint64_t bytes_per_value;  // read and written
    uint64_t ops_per_value;    // of products and sums; 0 where that says nothing
    void (*run)(const VectorData& d, int64_t row);
};

const float* row_of(const float* rows, const VectorData& d, int64_t row) { return rows + row * d.k; }

constexpr VectorOperation kVectorOperations[] = {
    {"abs_max", 4, 0, [](const VectorData& d, int64_t r) { d.results[r] = d.vec->abs_max(row_of(d.a, d, r), d.k); }},
    {"quantize_i8", 5, 0,
     [](const VectorData& d, int64_t r) {
         int32_t sum = 0;
         d.results[r] = d.vec->quantize_i8(row_of(d.a, d, r), d.k, d.codes + r * d.k, &sum);
     }},
    {"rms_norm", 12, 0,
     [](const VectorData& d, int64_t r) { d.vec->rms_norm(row_of(d.a, d, r), d.b, 1e-5f, d.k, d.out + r * d.k); }},
    {"softmax", 8, 0, [](const VectorData& d, int64_t r) { d.vec->softmax(d.out + r * d.k, d.k); }},
    {"rope_halves", 12, 0,
     [](const VectorData& d, int64_t r) { d.vec->rope_halves(d.out + r * d.k, d.cos_sin, d.k / 2 * 2); }},
    {"rope_pairs", 12, 0,
     [](const VectorData& d, int64_t r) { d.vec->rope_pairs(d.out + r * d.k, d.cos_sin, d.k / 2 * 2); }},
    {"relu2_mul", 12, 0,
     [](const VectorData& d, int64_t r) {
         d.vec->relu2_mul(row_of(d.a, d, r), row_of(d.b, d, r), d.out + r * d.k, d.k);
     }},
    {"silu_mul", 12, 0,
     [](const VectorData& d, int64_t r) {
         d.vec->silu_mul(row_of(d.a, d, r), row_of(d.b, d, r), d.out + r * d.k, d.k);
     }},
    {"gelu_mul", 12, 0,
     [](const VectorData& d, int64_t r) {
         d.vec->gelu_mul(row_of(d.a, d, r), row_of(d.b, d, r), d.out + r * d.k, d.k);
     }},
    {"add", 12, 0,
     [](const VectorData& d, int64_t r) { d.vec->add(row_of(d.a, d, r), row_of(d.b, d, r), d.out + r * d.k, d.k); }},
    {"scale", 8, 0,
     [](const VectorData& d, int64_t r) { d.vec->scale(row_of(d.a, d, r), 0.5f, d.out + r * d.k, d.k); }},
    {"dot", 8, 2,
     [](const VectorData& d, int64_t r) { d.results[r] = d.vec->dot(row_of(d.a, d, r), row_of(d.b, d, r), d.k); }},
    {"f32_to_f16", 6, 0,
     [](const VectorData& d, int64_t r) { d.vec->f32_to_f16(row_of(d.a, d, r), d.halves + r * d.k, d.k); }},
    {"f16_to_f32", 6, 0,
     [](const VectorData& d, int64_t r) { d.vec->f16_to_f32(d.halves + r * d.k, d.out + r * d.k, d.k); }},
};
constexpr size_t kVectorOperationCount = sizeof kVectorOperations / sizeof kVectorOperations[0];
constexpr const char* kAttend = "attend";

struct VectorJob {
    VectorData data;
    const VectorOperation* operation;
    int64_t n_cols;
    int n_threads;
};

void vector_part(int index, void* user_data) {
    const VectorJob& job = *static_cast<VectorJob*>(user_data);
    const Part part(job.n_cols, 1, index, job.n_threads);
    for (int64_t row = part.begin; row < part.end; ++row) job.operation->run(job.data, row);
}

KernelTiming time_rows(const kern::VecKernels& vec, const VectorOperation& operation, const KernelRun& run,
                       tg::ThreadPool& pool, const BenchBudget& budget) {
    const int64_t n = run.k * run.n_cols;
    const tg::Arena a = floats(n), b = floats(n), out = floats(n), results = floats(run.n_cols),
                    turns = floats(run.k + 1);
    const tg::Arena halves(static_cast<size_t>(n) * sizeof(uint16_t), "values of a measurement");
    const tg::Arena codes(static_cast<size_t>(n), "values of a measurement");
    vec.f32_to_f16(items<float>(a), items<uint16_t>(halves), n);
    for (int64_t i = 0; i + 1 < run.k;
         i += 2) {  // a turn keeps lengths, so that values stay near 1 however often it is made
        items<float>(turns)[i] = 0.8f;
        items<float>(turns)[i + 1] = 0.6f;
    }
    VectorJob job{};
    job.operation = &operation;
    job.n_cols = run.n_cols;
    job.n_threads = pool.size();
    job.data = {&vec,
                run.k,
                items<float>(a),
                items<float>(b),
                items<float>(out),
                items<uint16_t>(halves),
                items<int8_t>(codes),
                items<float>(turns),
                items<float>(results)};
    const auto runs = time_runs(budget, [&] { pool.run(vector_part, &job); });
    const auto values = static_cast<uint64_t>(n);
    return summary(runs, values * operation.bytes_per_value, values * operation.ops_per_value);
}

struct AttendJob {
    const kern::VecKernels* vec;
    const kern::AttendArgs* args;  // one for each thread
};

void attend_part(int index, void* user_data) {
    const AttendJob& job = *static_cast<AttendJob*>(user_data);
    job.vec->attend(job.args[index]);
}

// Each thread has a key head of its own, as in a model. Its cells lie side by side, so that a run streams.
KernelTiming time_attend(const kern::VecKernels& vec, const KernelRun& run, tg::ThreadPool& pool,
                         const BenchBudget& budget) {
    const auto threads = static_cast<int64_t>(pool.size());
    const int64_t n_values = run.n_rows * run.k, stride = (run.n_rows + 15) / 16 * 16;
    const uint64_t run_bytes = 2 * sizeof(uint16_t) * static_cast<uint64_t>(n_values * threads);
    const uint64_t n_copies = std::max<uint64_t>(1, (run.cold_bytes + run_bytes - 1) / run_bytes);
    MemoryCharge charge;
    charge.resize(run_bytes * n_copies, env_memory_limit(), "the cells of a measurement", kAdvice);
    const tg::Arena cache(static_cast<size_t>(run_bytes * n_copies), "keys and values of a measurement");
    const tg::Arena q = floats(threads * run.n_cols * run.k), out = floats(threads * run.n_cols * run.k);
    const tg::Arena scores = floats(threads * run.n_cols * stride);
    auto* halves = items<uint16_t>(cache);
    const tg::Arena some = floats(n_values);
    for (uint64_t i = 0; i < 2 * static_cast<uint64_t>(threads) * n_copies; ++i) {
        vec.f32_to_f16(items<float>(some), halves + i * static_cast<uint64_t>(n_values), n_values);
    }
    std::vector<int32_t> cells(static_cast<size_t>(run.n_rows));
    for (size_t i = 0; i < cells.size(); ++i) cells[i] = static_cast<int32_t>(i);
    std::vector<kern::AttendArgs> args(static_cast<size_t>(threads));
    for (int64_t t = 0; t < threads; ++t) {
        kern::AttendArgs& a = args[static_cast<size_t>(t)];
        a.q = items<float>(q) + t * run.n_cols * run.k;
        a.q_stride = a.out_stride = a.head_dim = run.k;
        a.k_stride = a.v_stride = run.k * int64_t{sizeof(uint16_t)};
        a.n_tokens = 1;
        a.n_q = run.n_cols;
        a.cells = cells.data();
        a.n_cells = run.n_rows;
        a.scale = 1.0f / std::sqrt(static_cast<float>(run.k));
        a.scores = items<float>(scores) + t * run.n_cols * stride;
        a.scores_stride = stride;
        a.out = items<float>(out) + t * run.n_cols * run.k;
    }
    AttendJob job{&vec, args.data()};
    uint64_t turn = 0;
    const auto runs = time_runs(budget, [&] {
        uint16_t* copy = halves + turn++ % n_copies * 2 * static_cast<uint64_t>(n_values * threads);
        for (int64_t t = 0; t < threads; ++t) {
            args[static_cast<size_t>(t)].k = copy + 2 * t * n_values;
            args[static_cast<size_t>(t)].v = copy + (2 * t + 1) * n_values;
        }
        pool.run(attend_part, &job);
    });
    return summary(runs, run_bytes, 4 * static_cast<uint64_t>(n_values * run.n_cols * threads));
}

void check_shape(const KernelRun& run, bool has_rows) {
    constexpr int64_t kMostK = 1 << 20, kMostRows = 1 << 24, kMostCols = 1 << 16;
    constexpr uint64_t kMostValues = uint64_t{1} << 34;
    const auto product = static_cast<uint64_t>(run.k) * static_cast<uint64_t>(has_rows ? run.n_rows : run.n_cols);
    if (run.k < 1 || run.k > kMostK || run.n_cols < 1 || run.n_cols > kMostCols || product > kMostValues ||
        (has_rows && (run.n_rows < 1 || run.n_rows > kMostRows))) {
        throw Error(BITNET_E_LIMIT, "a measurement of k " + std::to_string(run.k) + ", " + std::to_string(run.n_rows) +
                                        " rows, " + std::to_string(run.n_cols) + " columns is outside of 1.." +
                                        std::to_string(kMostK) + ", " + std::to_string(kMostRows) + ", " +
                                        std::to_string(kMostCols));
    }
}

[[noreturn]] void no_operation(const KernelRun& run) {
    std::string names;
    for (size_t i = 0; kernel_operation(run.kernel, i) != nullptr; ++i) {
        names += (names.empty() ? "" : ", ") + std::string(kernel_operation(run.kernel, i));
    }
    throw Error(BITNET_E_NOT_FOUND,
                "kernel " + run.kernel + " has no operation '" + run.operation + "'; it has " + names);
}

void require_runnable(const KernelRun& run, uint64_t needs) {
    if (kern::runs_here(needs)) return;
    throw Error(BITNET_E_UNSUPPORTED, "kernel " + run.kernel + " cannot run on this CPU; see bitnet_kernel_get_info");
}

}  // namespace

const char* kernel_operation(const std::string& kernel, size_t index) {
    if (const kern::MulMatKernel* matrix = find_matrix_kernel(kernel)) {
        if (index == 0) return "mul_mat";
        return index == 1 && matrix->act->pack != nullptr ? "pack" : nullptr;
    }
    if (find_vector_kernels(kernel) == nullptr) return nullptr;
    if (index < kVectorOperationCount) return kVectorOperations[index].name;
    return index == kVectorOperationCount ? kAttend : nullptr;
}

KernelTiming time_kernel(const KernelRun& run, const BenchBudget& budget) {
    const kern::MulMatKernel* matrix = find_matrix_kernel(run.kernel);
    const kern::VecKernels* vec = find_vector_kernels(run.kernel);
    if (matrix == nullptr && vec == nullptr) {
        throw Error(BITNET_E_NOT_FOUND, "there is no kernel '" + run.kernel + "'; see bitnet_kernel_get_info");
    }
    bool known = false;
    for (size_t i = 0; const char* name = kernel_operation(run.kernel, i); ++i) known = known || run.operation == name;
    if (!known) no_operation(run);
    require_runnable(run, matrix != nullptr ? matrix->needs : vec->needs);
    check_shape(run, matrix != nullptr || run.operation == kAttend);
    if (matrix != nullptr) {
        const kern::QuantTypeInfo& type = kern::quant_type_info(matrix->type);
        if (run.k % type.block_length != 0) {
            throw Error(BITNET_E_QUANT_INPUT, "rows of " + std::to_string(run.k) + " weights are no whole blocks of " +
                                                  std::to_string(type.block_length) + " as " + type.name + " has");
        }
        tg::ThreadPool pool(run.n_threads);
        return time_matrix(*matrix, run, pool, budget);
    }
    tg::ThreadPool pool(run.n_threads);
    if (run.operation == kAttend) return time_attend(*vec, run, pool, budget);
    for (const VectorOperation& operation : kVectorOperations) {
        if (run.operation == operation.name) return time_rows(*vec, operation, run, pool, budget);
    }
    no_operation(run);
}

}  // namespace bitnet
