#include "src/quantizer/quantizer.h"

#include <chrono>
#include <cstring>
#include <new>

#include "ggml-like/gpu/gpu_driver.h"
#include "ggml-like/tensor_error.h"
#include "src/base/error.h"
#include "src/base/kernel_choice.h"
#include "src/base/log.h"
#include "src/device/device_list.h"
#include "src/quantizer/i2s_matmul.h"
#include "src/quantizer/quant_accuracy.h"

namespace bitnet {
namespace {

// One line, whatever a driver writes.
std::string one_line(std::string text) {
    for (char& c : text) {
        if (static_cast<unsigned char>(c) < 0x20) c = ' ';
    }
    return text;
}

// A failure of the device, told apart from those of the host for the statistics.
class GpuError : public Error {
public:
    using Error::Error;
};

GpuError device_error(const DeviceResult& result, bool quantizing, const std::string& device) {
    const bitnet_status status = status_of(result.fault, quantizing);
    std::string text = device + ": " + bitnet_status_text(status);
    if (!result.detail.empty()) text += " (" + one_line(result.detail) + ")";
    if (result.fault == DeviceFault::out_of_memory && result.needed != 0) {
        text += ": " + std::to_string(result.needed) + " bytes asked for, " + std::to_string(result.available) +
                " available";
    }
    text += "; use the CPU, or allow the fallback to it";
    GpuError error(status, text);
    std::move(error).with_subject(device);
    if (result.fault == DeviceFault::out_of_memory) std::move(error).with_numbers(result.needed, result.available);
    return error;
}

DeviceResult open_cuda(int32_t index, std::unique_ptr<Device>* out) {
    DeviceDriver* driver = cuda_driver();
    if (driver == nullptr) return {DeviceFault::unavailable, tg::gpu_driver().problem(), 0, 0};
    const int32_t count = driver->device_count();
    if (index >= count)
        return {DeviceFault::unavailable, "the driver finds " + std::to_string(count) + " devices", 0, 0};
    return driver->open(index, out);
}

double ms_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

Quantizer::Quantizer(const QuantizerConfig& config)
    : allow_fallback_(config.allow_fallback), min_accuracy_(config.min_accuracy), n_threads_(config.n_threads),
      max_bytes_(config.max_bytes), target_(config.device) {
    if (!(min_accuracy_ >= 0 && min_accuracy_ <= 100)) {
        throw Error(BITNET_E_CONFIG, "min_accuracy is outside of 0..100; it is a percentage")
            .with_subject("min_accuracy");
    }
    kernels_ = choose_kernels(config.kernel);
    open_device(config);
}

void Quantizer::open_device(const QuantizerConfig& config) {
    DeviceName name = require_device_name(config.device);
    if (name.kind == BITNET_DEVICE_CPU) return;
    const bool automatic = name.kind == BITNET_DEVICE_AUTO;
    // A machine without any GPU is no failure when the choice is ours.
    if (automatic) {
        DeviceDriver* const driver = cuda_driver();
        if (driver == nullptr || driver->device_count() <= 0 || !driver->chosen_by_auto()) return;
    }
    if (automatic) name = {BITNET_DEVICE_CUDA, 0};
    device_name_ = format_device_name(name);
    if (!automatic) target_ = device_name_;
    DeviceResult result = name.kind == BITNET_DEVICE_CUDA
                              ? open_cuda(name.index, &device_)
                              : DeviceResult{DeviceFault::unavailable, "not built into this library", 0, 0};
    if (result.fault == DeviceFault::none && device_ != nullptr) {
        gpu_active_ = true;
        gpu_provider_ = device_->provider();
        return;
    }
    device_.reset();
    if (result.fault == DeviceFault::none) result = {DeviceFault::unavailable, "the driver gave no device", 0, 0};
    const GpuError error = device_error(result, false, device_name_);
    if (!automatic && !allow_fallback_) throw error;
    fall_back("opening it", error.message());
}

void Quantizer::fall_back(const std::string& what, const std::string& error) {
    {
        const std::lock_guard<std::mutex> lock(state_);
        ++stats_.fallback_count;
        stats_.last_gpu_error = error;
    }
    log_message(BITNET_LOG_WARNING, "quantizer: falling back to the CPU after " + what + ": " + error);
}

// Runs on the GPU where one is active, else, or where that fails and may, on the CPU; counts and times what succeeded.
template <typename OnGpu, typename OnCpu>
void Quantizer::run(Work work, uint64_t n_operations, OnGpu&& on_gpu, OnCpu&& on_cpu) {
    const auto start = std::chrono::steady_clock::now();
    bool on_device = gpu_active();
    if (on_device) {
        const DeviceResult result = on_gpu(*device_);
        if (result.fault != DeviceFault::none) {
            const GpuError error = device_error(result, work == Work::quantization, device_name_);
            if (!allow_fallback_) {
                const std::lock_guard<std::mutex> lock(state_);
                stats_.last_gpu_error = error.message();
                throw error;
            }
            fall_back(work == Work::quantization ? "quantising" : "a product", error.message());
            on_device = false;
        }
    }
    if (!on_device) on_cpu();
    const std::lock_guard<std::mutex> lock(state_);
    (on_device ? stats_.gpu_operations : stats_.cpu_operations) += n_operations;
    (work == Work::matmul ? stats_.matmul_operations : stats_.quantization_operations) += n_operations;
    (work == Work::matmul ? stats_.matmul_time_ms : stats_.quantization_time_ms) += ms_since(start);
}

// One operation at a time; what this host could not do is kept for the statistics. No memory has a status of its own here.
template <typename Body>
void Quantizer::operate(Body&& body) {
    const std::lock_guard<std::mutex> lock(work_);
    try {
        try {
            body();
        } catch (const std::bad_alloc&) {
            throw Error(BITNET_E_QUANT_MEMORY,
                        "out of memory while quantising; free some, or take fewer values at once");
        } catch (const tg::Error& error) {
            if (error.kind() != tg::ErrorKind::out_of_memory) throw;
            throw Error(BITNET_E_QUANT_MEMORY, error.message());
        }
    } catch (const GpuError&) {
        throw;
    } catch (const Error& error) {
        const std::lock_guard<std::mutex> state(state_);
        stats_.last_cpu_error = error.message();
        throw;
    }
}

void Quantizer::require_memory(uint64_t n_bytes) const {
    if (max_bytes_ == 0 || n_bytes <= max_bytes_) return;
    throw Error(BITNET_E_QUANT_MEMORY, "the product needs " + std::to_string(n_bytes) +
                                           " bytes of working memory, allowed are " + std::to_string(max_bytes_) +
                                           "; take fewer rows at once or raise the limit")
        .with_numbers(max_bytes_, n_bytes);
}

tg::ThreadPool* Quantizer::threads() {
    if (n_threads_ <= 1) return nullptr;
    if (pool_ == nullptr) pool_ = std::make_unique<tg::ThreadPool>(n_threads_);
    return pool_.get();
}

void Quantizer::quantize(const QuantFormat& format, const QuantShape& shape, const float* input, void* out,
                         float* scales) {
    operate([&] {
        const QuantPlan plan = make_quant_plan(format, input, shape.n_values);
        run(
            Work::quantization, 1,
            [&](Device& device) {
                return device.quantize({format.name, format.block, format.asymmetric, input, shape.n_values, out,
                                        shape.n_bytes, scales, scales == nullptr ? 0 : shape.n_scales});
            },
            [&] { quantize_values(plan, input, out, scales); });
        if (min_accuracy_ > 0) require_accuracy(plan, measure_accuracy(plan, input, out, scales), min_accuracy_);
    });
}

void Quantizer::dequantize(const QuantFormat& format, const QuantShape& shape, const void* data, const float* scales,
                           float* out) {
    operate([&] {
        const float tensor_scale = check_quantized(format, data, scales, shape.n_values);
        run(
            Work::quantization, 1,
            [&](Device& device) {
                return device.dequantize({format.name, format.block, format.asymmetric, data, shape.n_bytes, scales,
                                          scales == nullptr ? 0 : shape.n_scales, shape.n_values, out});
            },
            [&] {
                const QuantPiece whole =
                    piece_of(format, shape.n_values, const_cast<void*>(data), const_cast<float*>(scales));
                decode_piece(format, tensor_scale, whole, shape.n_values, out);
            });
    });
}

void Quantizer::matmul(const bitnet_i2s_matmul* asked, size_t n) {
    operate([&] {
        const kern::MulMatKernel& kernel = kernels_.for_type(kern::QuantType::i2_s);
        std::vector<DeviceMatmulI2s> work;
        for (size_t i = 0; i < n; ++i) {
            work.push_back(checked_matmul(asked[i], n == 1 ? "" : "product " + std::to_string(i) + ": "));
            require_memory(matmul_scratch_bytes(kernel, work.back()));
        }
        run(
            Work::matmul, n, [&](Device& device) { return device.matmul_i2s(work.data(), work.size()); },
            [&] {
                for (const DeviceMatmulI2s& one : work) run_matmul(kernel, one, threads());
            });
    });
}

void Quantizer::force_cpu_fallback() {
    const std::lock_guard<std::mutex> lock(state_);
    if (gpu_active_) ++stats_.fallback_count;
    gpu_active_ = false;
}

const char* Quantizer::provider() const {
    const std::lock_guard<std::mutex> lock(state_);
    return gpu_active_ ? gpu_provider_ : kernels_.for_type(kern::QuantType::i2_s).name;
}

bool Quantizer::gpu_active() const {
    const std::lock_guard<std::mutex> lock(state_);
    return gpu_active_;
}

std::string Quantizer::device_type() const {
    const std::string cpu = kernels_.for_type(kern::QuantType::i2_s).name;
    return *gpu_provider_ == '\0' ? cpu : std::string(gpu_provider_) + "+" + cpu;
}

QuantizerStats Quantizer::stats() const {
    const std::lock_guard<std::mutex> lock(state_);
    return stats_;
}

void Quantizer::reset_stats() {
    const std::lock_guard<std::mutex> lock(state_);
    stats_ = {};
}

}  // namespace bitnet
