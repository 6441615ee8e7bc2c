// A block computes a tile of the output. Large tiles read less for every sum, small ones keep more multiprocessors at work: the
// tile is taken that ends first, by counting rounds of the whole device and what a round reads and multiplies.
#include "ggml-like/gpu/launch_parameters.h"

#include <algorithm>
#include <iterator>

namespace tg {
namespace {

constexpr int64_t kStep = 128;       // of k: a block of I2_S
constexpr int64_t kSteps = 3;        // in shared memory at once: one computed, two on their way
constexpr int64_t kMostBlocks = 32;  // on a multiprocessor; 16 on the oldest, whose threads end first
constexpr int64_t kMostGridY = 65535;
constexpr uint32_t kVectorThreads = 256;

struct Tile {
    int64_t m, n;
    uint32_t threads;

    // int8 activations and two bits a weight.
    int64_t step_bytes() const { return (m + n / 4) * kStep; }
    int64_t shared_bytes() const { return kSteps * step_bytes(); }
};
constexpr Tile kTiles[] = {{128, 128, 256}, {64, 128, 256}, {64, 64, 128}, {32, 64, 128}, {16, 64, 128}, {16, 32, 64}};
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

LaunchParameters finish(const GpuShape& device, const Tile& tile, uint32_t threads, int64_t shared_bytes, int64_t m,
                        int64_t n) {
    LaunchParameters out;
    const int64_t over_m = over(m, tile.m);
    out.grid[0] = static_cast<uint32_t>(std::min<int64_t>(over(n, tile.n), INT32_MAX));
    out.grid[2] = static_cast<uint32_t>(std::min(over(over_m, kMostGridY), kMostGridY));
    out.grid[1] = static_cast<uint32_t>(std::min(over(over_m, out.grid[2]), kMostGridY));
    out.block[0] = threads;
    out.shared_bytes = static_cast<uint32_t>(shared_bytes);
    out.tile_m = static_cast<uint32_t>(tile.m);
    out.tile_n = static_cast<uint32_t>(tile.n);
    out.tile_k = static_cast<uint32_t>(kStep);
    const int64_t at_once = blocks_at_once(device, threads, shared_bytes);
    out.blocks_per_multiprocessor = static_cast<uint32_t>(at_once);
    out.occupancy = std::min(1.0, static_cast<double>(at_once * threads) / device.max_threads_per_multiprocessor);
    out.waves = static_cast<double>(over(n, tile.n)) * static_cast<double>(over_m) /
                static_cast<double>(at_once * device.n_multiprocessors);
    return out;
}

// Rounds of the device times what a multiprocessor does in one, in products of a byte with a byte. Reading a byte counts as
// so many of them: an H100's multiprocessor makes 2048 a clock, and its share of what the cache gives is about 35 bytes.
double time_of(const GpuShape& device, const Tile& tile, int64_t m, int64_t n) {
    constexpr double kProductsPerByte = 60;
    const int64_t at_once = blocks_at_once(device, tile.threads, tile.shared_bytes());
    const double blocks = static_cast<double>(over(m, tile.m)) * static_cast<double>(over(n, tile.n));
    const double per_round = static_cast<double>(at_once * device.n_multiprocessors);
    const double rounds = std::max(1.0, blocks / per_round);
    // A round that is not full is as long as its fullest multiprocessor.
    const double busy = blocks >= per_round
                            ? static_cast<double>(at_once)
                            : static_cast<double>(over(static_cast<int64_t>(blocks), device.n_multiprocessors));
    const double products = static_cast<double>(tile.m * tile.n * kStep);
    const double bytes = static_cast<double>(tile.step_bytes());
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

LaunchParameters launch_parameters(const GpuShape& asked, int64_t m, int64_t n, int64_t k) {
    (void)k;  // every block walks all of it, whatever the tile
    const GpuShape device = with_defaults(asked);
    if (m <= kVectorRows) {
        // Fewer threads a block where whole blocks would leave multiprocessors idle.
        uint32_t threads =
            static_cast<uint32_t>(std::min<int64_t>(kVectorThreads, device.max_threads_per_block / 32 * 32));
        threads = std::max<uint32_t>(threads, 32);
        while (threads > 64 && over(n, threads / 32) < 2 * int64_t{device.n_multiprocessors}) threads /= 2;
        return finish(device, {kVectorRows, threads / 32, threads}, threads, 0, m, n);
    }
    const Tile* best = nullptr;
    double best_time = 0;
    for (const Tile& tile : kTiles) {
        if (tile.shared_bytes() > device.max_shared_bytes ||
            tile.threads > static_cast<uint32_t>(device.max_threads_per_block)) {
            continue;
        }
        const double time = time_of(device, tile, m, n);
        if (best == nullptr || time < best_time) {
            best = &tile;
            best_time = time;
        }
    }
    if (best == nullptr) best = std::end(kTiles) - 1;  // no device is so small
    return finish(device, *best, best->threads, best->shared_bytes(), m, n);
}

}  // namespace tg
