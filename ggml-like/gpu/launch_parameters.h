// How a product of weights with activations is cut into blocks on a device: pure functions of its shape and the product's. The
// library's own launches choose among the shapes of its kernels (launch_matmul.cpp), programs that launch kernels of their own
// are told what shape to give them.
#pragma once

#include <cstdint>
#include <span>

#include "ggml-like/gpu/gpu_device.h"

namespace tg {

// What is left of a GpuInfo here.
struct GpuShape {
    int32_t n_multiprocessors = 0;
    int32_t max_threads_per_block = 0;
    int32_t max_threads_per_multiprocessor = 0;
    int32_t max_shared_bytes = 0;  // of a block
};

GpuShape gpu_shape_of(const GpuInfo& info);

// What a block of a kernel computes: m rows of activations, n rows of weights.
struct ProductTile {
    int64_t m = 0, n = 0;
    uint32_t threads = 0;
    int64_t shared_bytes = 0;
};
// Which of the tiles, one at least, ends a product first. Large tiles read less for every sum, small ones keep more
// multiprocessors at work.
size_t best_tile(const GpuShape& device, std::span<const ProductTile> tiles, int64_t m, int64_t n);
// Threads of a block where `lanes` of them share a row of weights and there are no tiles: fewer where blocks of 256 would leave
// multiprocessors idle.
uint32_t threads_for_rows(const GpuShape& device, int64_t n_rows, int64_t lanes);
// Whether such blocks, however small, leave multiprocessors idle.
bool rows_are_few(const GpuShape& device, int64_t n_rows, int64_t lanes);

struct LaunchParameters {
    uint32_t grid[3] = {1, 1, 1};   // blocks: of rows of weights, of activations
    uint32_t block[3] = {1, 1, 1};  // threads
    uint32_t shared_bytes = 0;      // for the tiles of three steps along k
    uint32_t tile_m = 0;            // rows of activations of a block
    uint32_t tile_n = 0;            // rows of weights of a block
    uint32_t tile_k = 0;            // of a step
    uint32_t blocks_per_multiprocessor = 0;
    double occupancy = 0;  // share of a multiprocessor's threads in blocks that are on it at once
    double waves = 0;      // how often the device is filled
};

// out (m x n) = activations (m x k) times the transpose of n x k weights. Numbers from 1; k a multiple of 128; what the
// shape does not tell (0) is taken as the least that any device of compute capability 7.5 has.
LaunchParameters launch_parameters(const GpuShape& device, int64_t m, int64_t n, int64_t k);

}  // namespace tg
