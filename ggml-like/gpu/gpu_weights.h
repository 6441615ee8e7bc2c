// The values of a model or an adapter on one device: its matrices in the layout of the device's kernels, its vectors as they are. Made
// once while the model loads, then shared by all contexts over it and never changed.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "ggml-like/gpu/gpu_device.h"
#include "ggml-like/gpu/gpu_ops.h"
#include "ggml-like/weight.h"

namespace tg {

// A block of a device's memory; gives it back.
class GpuMemoryBlock {
public:
    GpuMemoryBlock() = default;
    GpuMemoryBlock(std::shared_ptr<GpuDevice> device, size_t n_bytes, const char* what);
    ~GpuMemoryBlock();
    GpuMemoryBlock(GpuMemoryBlock&& other) noexcept;
    GpuMemoryBlock& operator=(GpuMemoryBlock&& other) noexcept;

    uint8_t* data() const noexcept { return data_; }
    size_t size() const noexcept { return size_; }
    float* floats() const noexcept { return reinterpret_cast<float*>(data_); }

private:
    std::shared_ptr<GpuDevice> device_;
    uint8_t* data_ = nullptr;
    size_t size_ = 0;
};

// "cuda:0"; static storage.
const char* gpu_device_name(int32_t index);

// Throws tg::Error(device) for a weight that is on none.
const GpuWeight& on_gpu(const Weight& weight);

class GpuWeights {
public:
    // Throws tg::Error as all here do: out_of_memory or device.
    explicit GpuWeights(std::shared_ptr<GpuDevice> device);

    // Packs and uploads a weight whose file_data is there, and sets weight.gpu.
    void add(Weight& weight);
    // A vector, known by the address of its values.
    void add_floats(const float* values, size_t n, const char* what);

    // Null for null.
    const float* find_floats(const float* values) const;
    // out[n_cols][n_rows] of x[n_cols][padded_k], for checks.
    void multiply(const Weight& weight, const float* x, int64_t n_cols, float* out);

    const std::shared_ptr<GpuDevice>& device() const noexcept { return device_; }
    uint64_t bytes() const noexcept { return bytes_; }

private:
    const GpuMemoryBlock& keep(size_t n_bytes, const char* what);
    const float* upload_floats(const float* values, size_t n, const char* what);
    void upload_matrix(const Weight& weight, uint8_t* to);

    std::shared_ptr<GpuDevice> device_;
    std::unique_ptr<GpuStream> stream_;  // for uploads and checks
    std::vector<GpuMemoryBlock> blocks_;
    std::deque<GpuWeight> weights_;  // addresses stay
    std::unordered_map<const float*, const float*> floats_;
    uint64_t bytes_ = 0;
};

// What a weight takes on a device, without the scales of its rows.
uint64_t gpu_weight_bytes(const Weight& weight);

}  // namespace tg
