#include "ggml-like/gpu/gpu_weights.h"

#include <algorithm>
#include <array>
#include <utility>

#include "ggml-like/arena.h"
#include "ggml-like/gpu/gpu_error.h"
#include "kernels/cpu/act_i8.h"
#include "kernels/cuda/weight_layouts.h"

namespace tg {
namespace {

constexpr int32_t kMostDevices = 256;

// Rows that are packed at once: enough for a copy to be worth its start.
constexpr int64_t kPackBytes = int64_t{8} << 20;

}  // namespace

GpuMemoryBlock::GpuMemoryBlock(std::shared_ptr<GpuDevice> device, size_t n_bytes, const char* what)
    : device_(std::move(device)), size_(n_bytes) {
    try {
        data_ = device_->allocate(std::max<size_t>(n_bytes, 1), what);
    } catch (const GpuError&) {
        throw;
    } catch (const Error& error) {
        if (error.kind() != ErrorKind::out_of_memory) throw;
        throw GpuError(GpuFault::out_of_memory, error.message());  // the host has enough
    }
}

GpuMemoryBlock::~GpuMemoryBlock() {
    if (data_ != nullptr) device_->release(data_);
}

GpuMemoryBlock::GpuMemoryBlock(GpuMemoryBlock&& other) noexcept
    : device_(std::move(other.device_)), data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

GpuMemoryBlock& GpuMemoryBlock::operator=(GpuMemoryBlock&& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
}

const char* gpu_device_name(int32_t index) {
    static const std::array<std::string, kMostDevices> names = [] {
        std::array<std::string, kMostDevices> all;
        for (int32_t i = 0; i < kMostDevices; ++i) all[static_cast<size_t>(i)] = "cuda:" + std::to_string(i);
        return all;
    }();
    return index >= 0 && index < kMostDevices ? names[static_cast<size_t>(index)].c_str() : "cuda";
}

uint64_t gpu_weight_bytes(const Weight& weight) {
    return static_cast<uint64_t>(kern::gpu::weight_planes(weight.type, weight.padded_k(), weight.n_rows).bytes);
}

const GpuWeight& on_gpu(const Weight& weight) {
    if (weight.gpu == nullptr) throw Error(ErrorKind::device, "'" + weight.name + "' is on no GPU");
    return *weight.gpu;
}

GpuWeights::GpuWeights(std::shared_ptr<GpuDevice> device) : device_(std::move(device)), stream_(device_->make_stream()) {}

const GpuMemoryBlock& GpuWeights::keep(size_t n_bytes, const char* what) {
    blocks_.emplace_back(device_, n_bytes, what);
    bytes_ += n_bytes;
    return blocks_.back();
}

const float* GpuWeights::upload_floats(const float* values, size_t n, const char* what) {
    const GpuMemoryBlock& block = keep(n * sizeof(float), what);
    stream_->copy_in(block.data(), values, n * sizeof(float));
    stream_->synchronize();
    return block.floats();
}

// Piece by piece, so that the host never holds a second copy of a large matrix.
void GpuWeights::upload_matrix(const Weight& weight, uint8_t* to) {
    const int64_t k = weight.padded_k(), n_rows = weight.n_rows;
    const kern::gpu::WeightPlanes planes = kern::gpu::weight_planes(weight.type, k, n_rows);
    const int64_t at_once = std::clamp<int64_t>(kPackBytes / std::max<int64_t>(planes.file_row_bytes, 1), 1, n_rows);
    const bool packs = !kern::gpu::lies_as_in_file(weight.type);
    Arena scratch(packs ? static_cast<size_t>(kern::gpu::packed_scratch_bytes(weight.type, k, at_once)) : 1, "packed rows");
    for (int64_t row = 0; row < n_rows; row += at_once) {
        const int64_t end = std::min(row + at_once, n_rows);
        const uint8_t* rows = weight.file_data + row * planes.file_row_bytes;
        if (!packs) {
            stream_->copy_in(to + row * planes.file_row_bytes, rows, static_cast<size_t>((end - row) * planes.file_row_bytes));
            continue;
        }
        kern::gpu::PackedPiece pieces[kern::gpu::kMaxPlanes];
        const int n = kern::gpu::pack_weight_rows(weight.type, k, n_rows, row, end, rows, scratch.data(), pieces);
        for (int i = 0; i < n; ++i) {
            stream_->copy_in(to + pieces[i].offset, pieces[i].from, static_cast<size_t>(pieces[i].n_bytes));
        }
    }
    stream_->synchronize();
}

void GpuWeights::add(Weight& weight) {
    GpuWeight on_device;
    on_device.type = weight.type;
    on_device.k = weight.padded_k();
    on_device.n_rows = weight.n_rows;
    on_device.tensor_scale = weight.tensor_scale;
    on_device.out_scale = weight.out_scale;
    const kern::gpu::WeightPlanes planes = kern::gpu::weight_planes(weight.type, weight.padded_k(), weight.n_rows);
    uint8_t* const to = keep(static_cast<size_t>(planes.bytes), weight.name.c_str()).data();
    upload_matrix(weight, to);
    on_device.data = to;
    if (weight.row_scales != nullptr) {
        on_device.row_scales = upload_floats(weight.row_scales, static_cast<size_t>(weight.n_rows), "row scales");
    }
    weights_.push_back(on_device);
    weight.gpu = &weights_.back();
}

void GpuWeights::add_floats(const float* values, size_t n, const char* what) {
    if (n != 0) floats_[values] = upload_floats(values, n, what);
}

const float* GpuWeights::find_floats(const float* values) const {
    if (values == nullptr) return nullptr;
    const auto at = floats_.find(values);
    if (at == floats_.end()) throw Error(ErrorKind::device, "a vector of the model is not on " + std::string(gpu_device_name(device_->info().index)));
    return at->second;
}

void GpuWeights::multiply(const Weight& weight, const float* x, int64_t n_cols, float* out) {
    const GpuWeight& matrix = on_gpu(weight);
    const size_t n_x = static_cast<size_t>(matrix.k * n_cols) * sizeof(float);
    const size_t n_out = static_cast<size_t>(matrix.n_rows * n_cols) * sizeof(float);
    const bool integers = kern::quant_type_info(weight.type).ternary;
    const GpuMemoryBlock floats(device_, n_x, "kernel check"), products(device_, n_out, "kernel check");
    const GpuMemoryBlock acts(device_, integers ? kern::act_bytes(matrix.k, n_cols) : 1, "kernel check");
    stream_->copy_in(floats.data(), x, n_x);
    if (integers) gpu_pack_acts(*stream_, floats.floats(), matrix.k, n_cols, acts.data());
    gpu_mul_mat(*stream_, matrix, integers ? acts.data() : floats.data(), matrix.k, n_cols, products.floats());
    stream_->copy_out(out, products.data(), n_out);
}

}  // namespace tg
