// The device-aware quantiser: runs each operation on the GPU it was made for, or on the CPU, and counts where it ran and what
// failed. A fallback is never silent: it is counted, kept as the last GPU error and logged.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "ggml-like/thread_pool.h"
#include "kernels/cpu/kernel_select.h"
#include "src/device/device_driver.h"
#include "src/quantizer/quant_codec.h"

namespace bitnet {

struct QuantizerConfig {
    std::string device = "auto";  // as bitnet_device_parse reads it
    bool allow_fallback = true;
    double min_accuracy = 0;  // percent; 0: not measured
    int32_t n_threads = 1;
    std::string kernel;
    uint64_t max_bytes = 0;  // 0: no limit
};

struct QuantizerStats {
    uint64_t quantization_operations = 0;
    uint64_t matmul_operations = 0;
    double quantization_time_ms = 0;
    double matmul_time_ms = 0;
    uint64_t gpu_operations = 0;
    uint64_t cpu_operations = 0;
    uint64_t fallback_count = 0;
    std::string last_gpu_error;
    std::string last_cpu_error;

    uint64_t operations() const noexcept { return quantization_operations + matmul_operations; }
    double gpu_efficiency() const noexcept {
        return operations() == 0 ? 0 : static_cast<double>(gpu_operations) / static_cast<double>(operations());
    }
};

class Quantizer {
public:
    // Throws BITNET_E_CONFIG, BITNET_E_DEVICE_CAPABILITY (the kernel), BITNET_E_DEVICE and what opening a device gives.
    explicit Quantizer(const QuantizerConfig& config);

    // Sizes are checked; scales may be null where they are inside the bytes.
    void quantize(const QuantFormat& format, const QuantShape& shape, const float* input, void* out, float* scales);
    void dequantize(const QuantFormat& format, const QuantShape& shape, const void* data, const float* scales,
                    float* out);
    void matmul(const bitnet_i2s_matmul* asked, size_t n);

    void force_cpu_fallback();
    const char* provider() const;
    bool gpu_active() const;
    std::string device_type() const;
    const std::string& target_device() const noexcept { return target_; }
    QuantizerStats stats() const;
    void reset_stats();

private:
    enum class Work { quantization, matmul };
    template <typename Body>
    void operate(Body&& body);
    template <typename OnGpu, typename OnCpu>
    void run(Work work, uint64_t n_operations, OnGpu&& on_gpu, OnCpu&& on_cpu);
    void open_device(const QuantizerConfig& config);
    void fall_back(const std::string& what, const std::string& error);
    void require_memory(uint64_t n_bytes) const;
    tg::ThreadPool* threads();

    const bool allow_fallback_;
    const double min_accuracy_;
    const int32_t n_threads_;
    const uint64_t max_bytes_;
    std::string target_;       // as asked for
    std::string device_name_;  // of the GPU, for messages
    kern::KernelSet kernels_ = {};

    std::mutex work_;  // one operation at a time
    std::unique_ptr<tg::ThreadPool> pool_;
    std::unique_ptr<Device> device_;

    mutable std::mutex state_;  // below; held for moments, so that statistics can be read while something runs
    bool gpu_active_ = false;
    const char* gpu_provider_ = "";
    QuantizerStats stats_;
};

}  // namespace bitnet
