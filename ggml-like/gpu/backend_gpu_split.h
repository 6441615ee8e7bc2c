// Graphs on several GPUs, one after the other: each computes the nodes of its place (Graph::begin_place) and hands the values
// that the next one needs over, from device to device. The host launches everything and waits once, at the end. What that
// brings is memory: a device waits while the others compute. Values are the bits that one device computes.
#pragma once

#include <memory>
#include <vector>

#include "ggml-like/gpu/backend_gpu.h"

namespace tg {

struct GpuPlace {
    std::shared_ptr<const GpuWeights> weights;
    bool direct = true;  // values of the place before come without the host
};

// Throws tg::Error(out_of_memory, device).
std::unique_ptr<Backend> make_gpu_split_backend(const std::vector<GpuPlace>& places, const GpuBackendShape& shape);

// Whether bytes that one device hands to another arrive as they were. Where a machine's devices only believe that they reach
// each other (an IOMMU between them), copies succeed and give other bytes.
bool gpu_hands_over(const std::shared_ptr<GpuDevice>& from, const std::shared_ptr<GpuDevice>& to);

}  // namespace tg
