// The quantiser.
#include <algorithm>
#include <cstdio>

#include "ggml-like/thread_limit.h"
#include "src/api/api_guard.h"
#include "src/base/environment.h"
#include "src/device/host_memory.h"
#include "src/quantizer/quant_accuracy.h"
#include "src/quantizer/quantizer.h"

using namespace bitnet;

struct bitnet_quantizer {
    Quantizer quantizer;
};

namespace {

QuantFormat read_format(const bitnet_quantize_config* config) {
    const bitnet_quantize_config c = read_params(config, bitnet_quantize_config_init);
    return find_quant_format(c.type, c.block_size, c.asymmetric != 0);
}

void require_floats(const void* floats, const char* name) {
    if (floats == nullptr) throw Error(BITNET_E_QUANT_INPUT, std::string(name) + " is NULL").with_subject(name);
    if (reinterpret_cast<uintptr_t>(floats) % alignof(float) != 0) {
        throw Error(BITNET_E_QUANT_INPUT, std::string(name) + " is not aligned as floats are").with_subject(name);
    }
}

// The scales outside of the bytes: exactly as many as there are, or none where the bytes hold them, too.
const float* require_scales(const QuantFormat& format, const QuantShape& shape, const float* scales, size_t n_scales) {
    const bool may_miss = format.has_tensor_scale();
    if (n_scales != shape.n_scales && !(n_scales == 0 && may_miss)) {
        throw Error(BITNET_E_QUANT_SCALE_COUNT, std::to_string(n_scales) + " scales were given; these values as " +
                                                    format.name + " have " + std::to_string(shape.n_scales))
            .with_numbers(shape.n_scales, n_scales)
            .with_subject(format.name);
    }
    if (n_scales == 0) return nullptr;
    require_floats(scales, "scales");
    return scales;
}

QuantizerConfig read_config(const bitnet_quantizer_params* params) {
    const bitnet_quantizer_params p = read_params(params, bitnet_quantizer_params_init);
    QuantizerConfig config;
    config.device = p.device != nullptr ? p.device : "auto";
    config.allow_fallback = p.allow_fallback != 0;
    config.min_accuracy = p.min_accuracy;
    if (p.n_threads < 0 || p.n_threads > 1024) {
        throw Error(BITNET_E_CONFIG, "n_threads = " + std::to_string(p.n_threads) + " is outside 0..1024")
            .with_subject("n_threads");
    }
    const int32_t asked = p.n_threads != 0 ? p.n_threads : env_num_threads();
    config.n_threads = asked == 0 ? tg::usable_cpus() : std::min(asked, tg::usable_cpus());
    config.kernel = p.kernel != nullptr ? p.kernel : env_kernel();
    config.max_bytes = p.max_bytes != 0 ? p.max_bytes : env_memory_limit();
    return config;
}

template <size_t kSize>
void copy_cut(char (&out)[kSize], const std::string& text) {
    const size_t n = std::min(text.size(), kSize - 1);
    std::memcpy(out, text.data(), n);
}

bitnet_quantizer_stats stats_of(const Quantizer& quantizer) {
    const QuantizerStats stats = quantizer.stats();
    bitnet_quantizer_stats out;
    std::memset(&out, 0, sizeof out);
    const auto average = [](double sum, uint64_t n) { return n == 0 ? 0.0 : sum / static_cast<double>(n); };
    copy_cut(out.device_type, quantizer.device_type());
    copy_cut(out.target_device, quantizer.target_device());
    out.total_operations = stats.operations();
    out.quantization_operations = stats.quantization_operations;
    out.matmul_operations = stats.matmul_operations;
    out.total_time_ms = stats.quantization_time_ms + stats.matmul_time_ms;
    out.quantization_time_ms = stats.quantization_time_ms;
    out.matmul_time_ms = stats.matmul_time_ms;
    out.gpu_operations = stats.gpu_operations;
    out.cpu_operations = stats.cpu_operations;
    out.fallback_count = stats.fallback_count;
    out.gpu_efficiency = stats.gpu_efficiency();
    out.is_gpu_effective = out.gpu_efficiency > 0.8 ? 1 : 0;
    copy_cut(out.last_gpu_error, stats.last_gpu_error);
    copy_cut(out.last_cpu_error, stats.last_cpu_error);
    const HostMemory memory = host_memory().value_or(HostMemory{});
    out.memory_used_bytes = memory.total_bytes - memory.free_bytes;
    out.memory_total_bytes = memory.total_bytes;
    out.average_quantization_time_ms = average(stats.quantization_time_ms, stats.quantization_operations);
    out.average_matmul_time_ms = average(stats.matmul_time_ms, stats.matmul_operations);
    return out;
}

std::string summary_of(const bitnet_quantizer_stats& stats) {
    const auto count = [](uint64_t n) { return std::to_string(n); };
    const auto decimal = [](double value, const char* unit) {
        char text[48];
        std::snprintf(text, sizeof text, "%.1f%s", value, unit);
        return std::string(text);
    };
    constexpr double kMiB = 1024.0 * 1024.0;
    std::string text = std::string("device: ") + stats.device_type + " (asked for: " + stats.target_device + ")\n";
    text += "operations: " + count(stats.total_operations) + " (" + count(stats.quantization_operations) +
            " quantisations, " + count(stats.matmul_operations) + " products) in " +
            decimal(stats.total_time_ms, " ms") + "\n";
    text += "average: " + decimal(stats.average_quantization_time_ms, " ms") + " a quantisation, " +
            decimal(stats.average_matmul_time_ms, " ms") + " a product\n";
    text += "where: " + count(stats.gpu_operations) + " on the GPU, " + count(stats.cpu_operations) + " on the CPU, " +
            count(stats.fallback_count) + " fallbacks, GPU efficiency " + decimal(stats.gpu_efficiency * 100, " %") +
            (stats.is_gpu_effective != 0 ? " (effective)" : "") + "\n";
    text += "host memory: " + decimal(static_cast<double>(stats.memory_used_bytes) / kMiB, " MiB") + " used of " +
            decimal(static_cast<double>(stats.memory_total_bytes) / kMiB, " MiB") + "\n";
    if (stats.last_gpu_error[0] != '\0') text += std::string("last GPU error: ") + stats.last_gpu_error + "\n";
    if (stats.last_cpu_error[0] != '\0') text += std::string("last CPU error: ") + stats.last_cpu_error + "\n";
    return text;
}

}  // namespace

extern "C" {

void bitnet_quantize_config_init(bitnet_quantize_config* config, uint32_t struct_size) {
    bitnet_quantize_config defaults;
    std::memset(&defaults, 0, sizeof defaults);
    defaults.type = "i2_s";
    write_params(config, struct_size, defaults);
}

void bitnet_quantizer_params_init(bitnet_quantizer_params* params, uint32_t struct_size) {
    bitnet_quantizer_params defaults;
    std::memset(&defaults, 0, sizeof defaults);
    defaults.allow_fallback = 1;
    write_params(params, struct_size, defaults);
}

bitnet_status bitnet_quantize_get_size(const bitnet_quantize_config* config, size_t n_rows, size_t n_cols,
                                       size_t* out_n_bytes, size_t* out_n_scales) {
    return api_call(__func__, [&] {
        const QuantShape shape = quant_shape(read_format(config), n_rows, n_cols);
        if (out_n_bytes != nullptr) *out_n_bytes = shape.n_bytes;
        if (out_n_scales != nullptr) *out_n_scales = shape.n_scales;
    });
}

bitnet_status bitnet_quantize_get_accuracy(const bitnet_quantize_config* config, const float* input, size_t n_rows,
                                           size_t n_cols, bitnet_quantize_accuracy* out_accuracy) {
    return api_call(__func__, [&] {
        const QuantFormat format = read_format(config);
        const QuantShape shape = quant_shape(format, n_rows, n_cols);
        require_floats(input, "input");
        const QuantAccuracy accuracy = measure_accuracy(make_quant_plan(format, input, shape.n_values), input);
        bitnet_quantize_accuracy out;
        std::memset(&out, 0, sizeof out);
        out.envelope = accuracy.on_grid ? BITNET_ENVELOPE_GRID : BITNET_ENVELOPE_ARBITRARY;
        out.is_within = !accuracy.on_grid ? -1 : accuracy.within ? 1 : 0;
        out.codes_equal = accuracy.codes_equal ? 1 : 0;
        out.n_values = static_cast<uint64_t>(accuracy.n_values);
        out.mse = accuracy.mse;
        out.max_abs_error = accuracy.max_abs_error;
        out.cosine = accuracy.cosine;
        out.accuracy = accuracy.accuracy;
        write_info(out_accuracy, out);
    });
}

bitnet_status bitnet_quantizer_create(const bitnet_quantizer_params* params, bitnet_quantizer** out_quantizer) {
    if (out_quantizer != nullptr) *out_quantizer = nullptr;
    return api_call(__func__, [&] {
        require(out_quantizer != nullptr, "bitnet_quantizer_create: out_quantizer is NULL");
        *out_quantizer = new bitnet_quantizer{Quantizer(read_config(params))};
    });
}

void bitnet_quantizer_free(bitnet_quantizer* quantizer) { delete quantizer; }

bitnet_status bitnet_quantizer_quantize(bitnet_quantizer* quantizer, const bitnet_quantize_config* config,
                                        const float* input, size_t n_rows, size_t n_cols, void* out, size_t n_out_bytes,
                                        float* scales, size_t n_scales) {
    return api_call(__func__, [&] {
        require(quantizer != nullptr && out != nullptr, "bitnet_quantizer_quantize: quantizer or out is NULL");
        const QuantFormat format = read_format(config);
        const QuantShape shape = quant_shape(format, n_rows, n_cols);
        require_floats(input, "input");
        if (n_out_bytes < shape.n_bytes) {
            throw Error(BITNET_E_QUANT_OUTPUT_SIZE, "out has " + std::to_string(n_out_bytes) +
                                                        " bytes; these values as " + format.name + " need " +
                                                        std::to_string(shape.n_bytes))
                .with_numbers(shape.n_bytes, n_out_bytes)
                .with_subject(format.name);
        }
        const bool wanted = require_scales(format, shape, scales, n_scales) != nullptr;
        quantizer->quantizer.quantize(format, shape, input, out, wanted ? scales : nullptr);
    });
}

bitnet_status bitnet_quantizer_dequantize(bitnet_quantizer* quantizer, const bitnet_quantize_config* config,
                                          const void* data, size_t n_bytes, const float* scales, size_t n_scales,
                                          size_t n_rows, size_t n_cols, float* out, size_t n_out) {
    return api_call(__func__, [&] {
        require(quantizer != nullptr, "bitnet_quantizer_dequantize: the quantizer is NULL");
        const QuantFormat format = read_format(config);
        const QuantShape shape = quant_shape(format, n_rows, n_cols);
        if (data == nullptr) throw Error(BITNET_E_QUANT_INPUT, "data is NULL").with_subject("data");
        if (n_bytes != shape.n_bytes) {
            throw Error(BITNET_E_QUANT_INPUT, "data has " + std::to_string(n_bytes) + " bytes; these values as " +
                                                  format.name + " have " + std::to_string(shape.n_bytes))
                .with_numbers(shape.n_bytes, n_bytes)
                .with_subject(format.name);
        }
        require_floats(out, "out");
        if (n_out < static_cast<size_t>(shape.n_values)) {
            throw Error(BITNET_E_QUANT_OUTPUT_SIZE, "out has room for " + std::to_string(n_out) + " floats, " +
                                                        std::to_string(shape.n_values) + " are needed")
                .with_numbers(static_cast<uint64_t>(shape.n_values), n_out);
        }
        quantizer->quantizer.dequantize(format, shape, data, require_scales(format, shape, scales, n_scales), out);
    });
}

bitnet_status bitnet_quantizer_matmul_i2s(bitnet_quantizer* quantizer, const bitnet_i2s_matmul* matmul) {
    return api_call(__func__, [&] {
        require(quantizer != nullptr && matmul != nullptr, "bitnet_quantizer_matmul_i2s: a pointer is NULL");
        quantizer->quantizer.matmul(matmul, 1);
    });
}

bitnet_status bitnet_quantizer_batch_matmul_i2s(bitnet_quantizer* quantizer, const bitnet_i2s_matmul* matmuls,
                                                size_t n_matmuls) {
    return api_call(__func__, [&] {
        require(quantizer != nullptr, "bitnet_quantizer_batch_matmul_i2s: the quantizer is NULL");
        require(matmuls != nullptr || n_matmuls == 0, "bitnet_quantizer_batch_matmul_i2s: matmuls is NULL");
        if (n_matmuls != 0) quantizer->quantizer.matmul(matmuls, n_matmuls);
    });
}

bitnet_status bitnet_quantizer_force_cpu_fallback(bitnet_quantizer* quantizer) {
    return api_call(__func__, [&] {
        require(quantizer != nullptr, "the quantizer is NULL");
        quantizer->quantizer.force_cpu_fallback();
    });
}

const char* bitnet_quantizer_get_active_provider(const bitnet_quantizer* quantizer) {
    return quantizer == nullptr ? "" : quantizer->quantizer.provider();
}

int32_t bitnet_quantizer_is_gpu_active(const bitnet_quantizer* quantizer) {
    return quantizer != nullptr && quantizer->quantizer.gpu_active() ? 1 : 0;
}

bitnet_status bitnet_quantizer_get_stats(const bitnet_quantizer* quantizer, bitnet_quantizer_stats* out_stats) {
    return api_call(__func__, [&] {
        require(quantizer != nullptr, "the quantizer is NULL");
        write_info(out_stats, stats_of(quantizer->quantizer));
    });
}

bitnet_status bitnet_quantizer_reset_stats(bitnet_quantizer* quantizer) {
    return api_call(__func__, [&] {
        require(quantizer != nullptr, "the quantizer is NULL");
        quantizer->quantizer.reset_stats();
    });
}

bitnet_status bitnet_quantizer_get_summary(const bitnet_quantizer* quantizer, char* buffer, size_t capacity,
                                           size_t* out_size) {
    return api_call(__func__, [&] {
        require(quantizer != nullptr, "the quantizer is NULL");
        write_text(summary_of(stats_of(quantizer->quantizer)), buffer, capacity, out_size);
    });
}

}  // extern "C"
