// A block computes a tile of the output. The tile is taken that ends first, by counting rounds of the whole device and what a round
// reads and multiplies.
#include "ggml-like/gpu/launch_parameters.h"

#include <algorithm>

namespace tg {
namespace {

constexpr int64_t kStep = 128;       // of k: a block of I2_S
constexpr int64_t kSteps = 3;        // in shared memory at once: one computed, two on their way
constexpr int64_t kMostBlocks = 32;  // on a multiprocessor; 16 on the oldest, whose threads end first
constexpr int64_t kMostGridY = 65535;
constexpr uint32_t kMostVectorThreads = 256, kLeastVectorThreads = 64;

// int8 activations and two bits a weight, for a step.
constexpr int64_t step_bytes(int64_t m, int64_t n) { return (m + n / 4) * kStep; }

constexpr ProductTile tile(int64_t m, int64_t n, uint32_t threads) {
    return {m, n, threads, kSteps * step_bytes(m, n)};
}
constexpr ProductTile kTiles[] = {tile(128, 128, 256), tile(64, 128, 256), tile(64, 64, 128),
                                  tile(32, 64, 128),   tile(16, 64, 128),  tile(16, 32, 64)};
// For so few rows of activations that the weights' bytes are all that counts: a warp per row of weights, and they come
// straight from memory.
constexpr int64_t kVectorRows = 8;

int64_t over(int64_t n, int64_t of) { return n / of + (n % of != 0 ? 1 : 0); }

int64_t blocks_at_once(const GpuShape& device, uint32_t threads, int64_t shared_bytes) {
    int64_t blocks =
        std::min<int64_t>(device.max_threads_per_multiprocessor / static_cast<int64_t>(threads), kMostBlocks);
    // A multiprocessor has at least what one block may have; the driver keeps 1 KiB for each.
    if (shared_bytes != 0) blocks = std::min(blocks, (device.max_shared_bytes + 1024) / (shared_bytes + 1024));
    return std::max<int64_t>(blocks, 1);
}

LaunchParameters finish(const GpuShape& device, const ProductTile& tile, int64_t m, int64_t n) {
    LaunchParameters out;
    const int64_t over_m = over(m, tile.m);
    out.grid[0] = static_cast<uint32_t>(std::min<int64_t>(over(n, tile.n), INT32_MAX));
    out.grid[2] = static_cast<uint32_t>(std::min(over(over_m, kMostGridY), kMostGridY));
    out.grid[1] = static_cast<uint32_t>(std::min(over(over_m, out.grid[2]), kMostGridY));
    out.block[0] = tile.threads;
    out.shared_bytes = static_cast<uint32_t>(tile.shared_bytes);
    out.tile_m = static_cast<uint32_t>(tile.m);
    out.tile_n = static_cast<uint32_t>(tile.n);
    out.tile_k = static_cast<uint32_t>(kStep);
    const int64_t at_once = blocks_at_once(device, tile.threads, tile.shared_bytes);
    out.blocks_per_multiprocessor = static_cast<uint32_t>(at_once);
    out.occupancy = std::min(1.0, static_cast<double>(at_once * tile.threads) / device.max_threads_per_multiprocessor);
    out.waves = static_cast<double>(over(n, tile.n)) * static_cast<double>(over_m) /
                static_cast<double>(at_once * device.n_multiprocessors);
    return out;
}

// Rounds of the device times what a multiprocessor does in one, in products of a byte with a byte. Reading a byte counts as
// so many of them: an H100's multiprocessor makes 2048 a clock, and its share of what the cache gives is about 35 bytes.
double time_of(const GpuShape& device, const ProductTile& tile, int64_t m, int64_t n) {
    constexpr double kProductsPerByte = 60;
    const int64_t at_once = blocks_at_once(device, tile.threads, tile.shared_bytes);
    const double blocks = static_cast<double>(over(m, tile.m)) * static_cast<double>(over(n, tile.n));
    const double per_round = static_cast<double>(at_once * device.n_multiprocessors);
    const double rounds = std::max(1.0, blocks / per_round);
    // A round that is not full is as long as its fullest multiprocessor.
    const double busy = blocks >= per_round
                            ? static_cast<double>(at_once)
                            : static_cast<double>(over(static_cast<int64_t>(blocks), device.n_multiprocessors));
    const double products = static_cast<double>(tile.m * tile.n * kStep);
    const double bytes = static_cast<double>(step_bytes(tile.m, tile.n));
    return rounds * busy * std::max(products, bytes * kProductsPerByte);
}

GpuShape with_defaults(GpuShape device) {
    const auto fill = [](int32_t& number, int32_t least) { number = number > 0 ? number : least; };
    fill(device.n_multiprocessors, 1);
    fill(device.max_threads_per_block, 1024);
    fill(device.max_threads_per_multiprocessor, 1024);
    fill(device.max_shared_bytes, 48 * 1024);
    return device;
}

}  // namespace

GpuShape gpu_shape_of(const GpuInfo& info) {
    return with_defaults({info.n_multiprocessors, info.max_threads_per_block, info.max_threads_per_multiprocessor,
                          info.max_shared_bytes});
}

size_t best_tile(const GpuShape& asked, std::span<const ProductTile> tiles, int64_t m, int64_t n) {
    const GpuShape device = with_defaults(asked);
    size_t best = tiles.size();
    double best_time = 0;
    for (size_t i = 0; i < tiles.size(); ++i) {
        if (tiles[i].shared_bytes > device.max_shared_bytes ||
            tiles[i].threads > static_cast<uint32_t>(device.max_threads_per_block)) {
            continue;
        }
        const double time = time_of(device, tiles[i], m, n);
        if (best == tiles.size() || time < best_time) {
            best = i;
            best_time = time;
        }
    }
    return std::min(best, tiles.size() - 1);  // no device is so small
}

uint32_t threads_for_rows(const GpuShape& asked, int64_t n_rows, int64_t lanes) {
    const GpuShape device = with_defaults(asked);
    uint32_t threads =
        static_cast<uint32_t>(std::min<int64_t>(kMostVectorThreads, device.max_threads_per_block / 32 * 32));
    threads = std::max<uint32_t>(threads, 32);
    while (threads > kLeastVectorThreads && over(n_rows * lanes, threads) < 2 * int64_t{device.n_multiprocessors}) {
        threads /= 2;
    }
    return threads;
}

bool rows_are_few(const GpuShape& asked, int64_t n_rows, int64_t lanes) {
    return over(n_rows * lanes, kLeastVectorThreads) < 2 * int64_t{with_defaults(asked).n_multiprocessors};
}

LaunchParameters launch_parameters(const GpuShape& asked, int64_t m, int64_t n, int64_t k) {
    (void)k;  // every block walks all of it, whatever the tile
    const GpuShape device = with_defaults(asked);
    if (m <= kVectorRows) {
        const uint32_t threads = threads_for_rows(device, n, 32);
        return finish(device, {kVectorRows, threads / 32, threads, 0}, m, n);
    }
    return finish(device, kTiles[best_tile(device, kTiles, m, n)], m, n);
}

}  // namespace tg
