// A loaded model: immutable, shared by every context over it. Data only; load/ fills it, arch/ reads it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
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

struct Model {
    std::shared_ptr<const GgufFile> file;        // metadata, and the bytes that weights point into
    const ArchRow* arch = nullptr;               // null for vocab_only
    Hparams hparams;
    ModelWeights weights;
    kern::KernelSet kernels{};
    std::vector<tg::Arena> owned;                // packed or copied weights
    int32_t gpu_index = -1;                      // of the CUDA device that computes; -1: the CPU
    std::shared_ptr<tg::GpuWeights> gpu;         // the values there; null: on the CPU, or only planned
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

    // "cpu", "cuda:0"; static storage.
    const char* device() const noexcept { return gpu_index >= 0 ? tg::gpu_device_name(gpu_index) : "cpu"; }
};

}  // namespace bitnet
