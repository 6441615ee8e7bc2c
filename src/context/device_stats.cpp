#include "src/context/device_stats.h"

#include <cstdio>
#include <cstring>

namespace bitnet {
namespace {

double average(double sum, uint64_t n) { return n != 0 ? sum / static_cast<double>(n) : 0; }

// The kernel of most of the work: that of the layers, which all have the same types.
const char* matrix_kernel(const Model& model) {
    if (model.weights.layers.empty()) return model.kernels.vec->name;
    return model.weights.layers.front().ffn_down.kernel->name;
}

void append_line(std::string& text, const char* format, auto... values) {
    char line[256];
    std::snprintf(line, sizeof line, format, values...);
    text += std::string(text.empty() ? "" : "\n") + line;
}

uint64_t operations_of(const tg::WorkCounters& work) {
    uint64_t sum = 0;
    for (const std::atomic<uint64_t>& n : work.operations) sum += n.load(std::memory_order_relaxed);
    return sum;
}

}  // namespace

bool is_gpu_effective(double gpu_efficiency) { return gpu_efficiency > 0.8; }

bitnet_device_stats device_stats(const Context& context) {
    uint64_t n[tg::kWorkKinds] = {};
    double ms[tg::kWorkKinds] = {};
    bitnet_device_stats stats{};
    for (size_t i = 0; i < tg::kWorkKinds; ++i) {
        for (size_t place = 0; place < context.backend().n_places(); ++place) {
            const tg::WorkCounters& work = context.backend().place(place).work();
            n[i] += work.operations[i].load(std::memory_order_relaxed);
            ms[i] += static_cast<double>(work.ns[i].load(std::memory_order_relaxed)) / 1e6;
        }
        stats.total_operations += n[i];
        stats.total_time_ms += ms[i];
    }
    constexpr size_t kQuantize = static_cast<size_t>(tg::WorkKind::quantize);
    constexpr size_t kMulMat = static_cast<size_t>(tg::WorkKind::mul_mat);
    stats.quantization_operations = n[kQuantize];
    stats.quantization_time_ms = ms[kQuantize];
    stats.matmul_operations = n[kMulMat];
    stats.matmul_time_ms = ms[kMulMat];
    stats.average_quantization_time_ms = average(ms[kQuantize], n[kQuantize]);
    stats.average_matmul_time_ms = average(ms[kMulMat], n[kMulMat]);
    stats.device_type = matrix_kernel(context.model());
    stats.target_device = context.backend().name();
    const bool on_cpu = std::strcmp(stats.target_device, "cpu") == 0;
    (on_cpu ? stats.cpu_operations : stats.gpu_operations) = stats.total_operations;
    stats.gpu_efficiency = average(static_cast<double>(stats.gpu_operations), stats.total_operations);
    stats.is_gpu_effective = is_gpu_effective(stats.gpu_efficiency) ? 1 : 0;
    stats.fallback_count = context.model().n_kernel_fallbacks + (context.model().gpu_problem.empty() ? 0 : 1);
    stats.last_gpu_error = context.model().gpu_problem.c_str();
    stats.last_cpu_error = context.model().kernel_problem.c_str();
    return stats;
}

std::string device_summary(const bitnet_device_stats& stats, const Context& context) {
    const auto count = [](uint64_t n) { return static_cast<unsigned long long>(n); };
    std::string text;
    append_line(text, "%s on %s: %llu operations in %.3f ms", stats.device_type, stats.target_device,
                count(stats.total_operations), stats.total_time_ms);
    append_line(text, "matrix products: %llu in %.3f ms, %.6f ms each", count(stats.matmul_operations),
                stats.matmul_time_ms, stats.average_matmul_time_ms);
    append_line(text, "quantised activations: %llu in %.3f ms, %.6f ms each", count(stats.quantization_operations),
                stats.quantization_time_ms, stats.average_quantization_time_ms);
    append_line(text, "GPU: %llu operations (%.1f %%), CPU: %llu, fallbacks: %llu", count(stats.gpu_operations),
                100 * stats.gpu_efficiency, count(stats.cpu_operations), count(stats.fallback_count));
    constexpr double kMebi = 1024.0 * 1024.0;
    const std::vector<GpuShare>& shares = context.model().gpus;
    for (size_t i = 0; shares.size() > 1 && i < shares.size(); ++i) {
        append_line(text, "%s: layers %lld..%lld, %llu operations, %.1f MiB of weights%s",
                    tg::gpu_device_name(shares[i].index), static_cast<long long>(shares[i].first_layer),
                    static_cast<long long>(shares[i].end_layer - 1),
                    count(operations_of(context.backend().place(i).work())),
                    static_cast<double>(shares[i].weights->bytes()) / kMebi,
                    shares[i].direct ? "" : ", values come through the host");
    }
    if (stats.memory_total_bytes != 0) {
        append_line(text, "memory: %.1f of %.1f MiB used", static_cast<double>(stats.memory_used_bytes) / kMebi,
                    static_cast<double>(stats.memory_total_bytes) / kMebi);
    }
    if (*stats.last_gpu_error != '\0') text += "\nlast GPU error: " + std::string(stats.last_gpu_error);
    if (*stats.last_cpu_error != '\0') text += "\nlast CPU error: " + std::string(stats.last_cpu_error);
    return text;
}

}  // namespace bitnet
