// A loaded model: immutable, shared by every context over it. Data only; load/ fills it, arch/ reads it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ggml-like/arena.h"
#include "ggml-like/gpu/gpu_weights.h"
#include "ggml-like/head_screen.h"
#include "kernels/cpu/kernel_select.h"
#include "src/base/memory_budget.h"
#include "src/model/hparams.h"
#include "src/model/tensor_role.h"
#include "src/model/weights.h"

namespace bitnet {

class GgufFile;
struct ArchRow;

// The layers that a GPU computes. With the first come the embedding, with the last the output matrix.
struct GpuShare {
    int32_t index = 0;                        // cuda:N
    int64_t first_layer = 0, end_layer = 0;
    std::shared_ptr<tg::GpuWeights> weights = {};  // null: only planned
    bool direct = true;                       // what the share before it computed comes from device to device

    int64_t n_layers() const noexcept { return end_layer - first_layer; }
};

// What a context takes there.
struct GpuContextBytes {
    uint64_t of_layer = 0;   // where a layer is: its keys and values
    uint64_t of_device = 0;  // on each device: values and scratch
};

struct Model {
    std::shared_ptr<const GgufFile> file;        // metadata, and the bytes that weights point into
    const ArchRow* arch = nullptr;               // null for vocab_only
    Hparams hparams;
    ModelWeights weights;
    kern::KernelSet kernels{};
    std::vector<tg::Arena> owned;                // packed or copied weights
    std::vector<GpuShare> gpus;                  // that compute, one after the other; none: the CPU
    std::string device_text = "cpu";             // "cuda:0,cuda:1"
    std::unique_ptr<tg::HeadScreen> screen;      // of the output head; null: every row is always multiplied
    std::string name;                            // general.name
    std::string quantization;                    // the type most weights have
    uint64_t n_tensors = 0;
    uint64_t n_parameters = 0;
    uint64_t n_file_bytes = 0;                   // of all tensors as stored
    uint64_t mapped_bytes = 0;                   // of those, used in place
    uint64_t owned_bytes = 0;                    // packed, copied or decoded
    BytesByRole bytes_by_role;                   // of both
    MemoryCharge charge;
    uint64_t fingerprint = 0;                    // of shape, tensor table and a sample of the data
    uint64_t load_us = 0;
    uint64_t n_kernel_fallbacks = 0;             // kernels that gave wrong sums at load and were replaced
    std::string tl_tiling;                       // what bitnet_model_params said of TL1 and TL2 tensors
    std::string kernel_problem;                  // the last of them
    std::string gpu_problem;                     // why the CPU computes what was meant for GPUs; "": it was not

    // "cpu", "cuda:0", "cuda:0,cuda:1"; lives as long as the model.
    const char* device() const noexcept { return device_text.c_str(); }
    bool on_gpu() const noexcept { return !gpus.empty(); }
    // Of several GPUs the last one multiplies with the output matrix, and the first one has the embedding.
    bool needs_head_copy() const noexcept { return gpus.size() > 1 && !weights.output.present(); }
    // The share with a layer; beyond the layers: the last one.
    size_t share_of(int64_t layer) const noexcept {
        size_t i = 0;
        while (i + 1 < gpus.size() && layer >= gpus[i].end_layer) ++i;
        return i;
    }
    // The share with a tensor of the file, by its name.
    size_t share_of_tensor(std::string_view tensor) const noexcept { return share_of(tensor_layer(tensor)); }
};

}  // namespace bitnet
