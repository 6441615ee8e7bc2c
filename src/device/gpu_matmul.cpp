// The activations are packed on the host, a few hundred rows at a time: memory on both sides grows with the weights alone.
#include "src/device/gpu_matmul.h"

#include <algorithm>

#include "ggml-like/arena.h"
#include "ggml-like/gpu/gpu_ops.h"
#include "ggml-like/gpu/gpu_weights.h"
#include "kernels/cpu/kernel_select.h"
#include "kernels/cuda/weight_layouts.h"
#include "kernels/ternary_layouts.h"

namespace bitnet {
namespace {

constexpr int64_t kChunkRows = 512;

}  // namespace

void run_gpu_matmul(const std::shared_ptr<tg::GpuDevice>& device, tg::GpuStream& stream, const DeviceMatmulI2s& work) {
    // The format that GPU kernels read is the scalar kernel's.
    kern::KernelSet scalar{};
    kern::select_kernels("scalar", &scalar);
    const kern::ActFormat& format = *scalar.for_type(kern::QuantType::i2_s).act;
    const int64_t chunk = std::min(work.m, kChunkRows);
    const size_t act_bytes = format.bytes(work.k, chunk);
    const size_t out_bytes = static_cast<size_t>(chunk * work.n) * sizeof(float);
    const size_t code_bytes = static_cast<size_t>(work.n * (work.k / kern::kI2sBlock) * kern::kI2sBlockBytes);

    const auto planes = kern::gpu::weight_planes(kern::QuantType::i2_s, work.k, work.n);
    const tg::Arena acts(act_bytes, "activations of a product");
    const tg::GpuMemoryBlock weights(device, static_cast<size_t>(planes.bytes), "weights of a product");
    const tg::GpuMemoryBlock acts_there(device, act_bytes, "activations of a product");
    const tg::GpuMemoryBlock out_there(device, out_bytes, "the result of a product");
    stream.copy_in(weights.data(), work.weights, code_bytes);
    tg::GpuWeight weight;
    weight.type = kern::QuantType::i2_s;
    weight.k = work.k;
    weight.n_rows = work.n;
    weight.tensor_scale = work.weight_scale;
    weight.data = weights.data();
    for (int64_t row = 0; row < work.m; row += kChunkRows) {
        const int64_t n_rows = std::min(kChunkRows, work.m - row);
        format.pack_codes(work.activations + row * work.k, work.k,
                          work.activation_scales == nullptr ? nullptr : work.activation_scales + row, work.k, 0, n_rows,
                          acts.data());
        stream.copy_in(acts_there.data(), acts.data(), format.bytes(work.k, n_rows));
        tg::gpu_mul_mat(stream, weight, acts_there.data(), 0, n_rows, out_there.floats());
        stream.copy_out(work.out + row * work.n, out_there.data(),
                        static_cast<size_t>(n_rows * work.n) * sizeof(float));
    }
}

}  // namespace bitnet
