#include "ggml-like/gpu/gpu_kept_rows.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "kernels/cuda/kernel_args.h"

namespace tg {
namespace {

// How many are looked for: few sizes, so that texts whose samplers want other numbers share a search.
constexpr int32_t kSizes[] = {1, 64, 256, kern::gpu::kMostTop};
constexpr int64_t kMostFound = int64_t{1} << 16;                  // numbers of a search
constexpr int64_t kScratchBytes = int64_t{8} << 20;               // unless one row needs more
constexpr int64_t kFoundBytes = sizeof(int32_t) + sizeof(float);  // of a number

// Of one row: what the launches leave for each other, and the answer.
int64_t row_bytes(int64_t width, int32_t k) {
    return static_cast<int64_t>(gpu_top_scratch(width, k)) + k * kFoundBytes;
}

int64_t rows_at_once(int64_t width, int32_t k, int64_t n_rows, int64_t n_bytes) {
    return std::clamp<int64_t>(std::min(n_bytes / row_bytes(width, k), kMostFound / k), 1,
                               std::max<int64_t>(n_rows, 1));
}

size_t device_bytes(int64_t width, int64_t max_rows) {
    constexpr int32_t k = kern::gpu::kMostTop;
    return static_cast<size_t>(rows_at_once(width, k, max_rows, kScratchBytes) * row_bytes(width, k));
}

size_t host_bytes(int64_t max_rows) {
    return static_cast<size_t>(std::min(kMostFound, std::max<int64_t>(max_rows, 1) * kern::gpu::kMostTop) *
                               kFoundBytes);
}

}  // namespace

size_t GpuKeptRows::scratch_bytes(int64_t width, int64_t max_rows) {
    return device_bytes(width, max_rows) + host_bytes(max_rows);
}

GpuKeptRows::GpuKeptRows(std::shared_ptr<GpuDevice> device, GpuStream& stream, int64_t width, int64_t max_rows)
    : stream_(stream), width_(width), scratch_(std::move(device), device_bytes(width, max_rows), "the largest logits") {
    found_.reserve(host_bytes(max_rows));
}

void GpuKeptRows::take(const float* rows, int64_t n_rows) {
    rows_ = rows;
    n_rows_ = n_rows;
    found_rows_ = 0;
    const int32_t k = std::exchange(asked_k_, 0);
    if (k != 0 && n_rows != 0) find(0, k);
}

void GpuKeptRows::read(int64_t row, float* to) {
    stream_.copy_out(to, rows_ + row * width_, static_cast<size_t>(width_) * sizeof(float));
}

void GpuKeptRows::read_at(int64_t row, std::span<const int32_t> places, float* to) {
    const size_t most = scratch_.size() / static_cast<size_t>(kFoundBytes);
    for (size_t done = 0; done < places.size(); done += most) {
        const size_t n = std::min(most, places.size() - done);
        auto* at = reinterpret_cast<int32_t*>(scratch_.data());
        auto* numbers = reinterpret_cast<float*>(at + n);
        stream_.copy_in(at, places.data() + done, n * sizeof(int32_t));
        gpu_pick_rows(stream_, rows_ + row * width_, 1, at, static_cast<int64_t>(n), numbers);
        stream_.copy_out(to + done, numbers, n * sizeof(float));
    }
}

bool GpuKeptRows::find_largest(int64_t row, size_t k, Numbers* out) {
    const int32_t* size =
        std::find_if(std::begin(kSizes), std::end(kSizes), [&](int32_t s) { return static_cast<size_t>(s) >= k; });
    if (size == std::end(kSizes)) return false;
    asked_k_ = std::max(asked_k_, *size);
    if (found_k_ < *size || row < found_first_ || row >= found_first_ + found_rows_) {
        const int64_t at_once = rows_at_once(width_, asked_k_, n_rows_, static_cast<int64_t>(scratch_.size()));
        find(row / at_once * at_once, asked_k_);
    }
    const auto at = static_cast<size_t>((row - found_first_) * found_k_), n = static_cast<size_t>(found_k_);
    const auto* all = reinterpret_cast<const int32_t*>(found_.data());
    const auto* numbers = reinterpret_cast<const float*>(all + static_cast<size_t>(found_rows_) * n) + at;
    const std::span places(all + at, n);
    const auto n_there = static_cast<size_t>(std::find(places.begin(), places.end(), -1) - places.begin());
    *out = {places.first(n_there), {numbers, n_there}};
    return true;
}

void GpuKeptRows::find(int64_t first_row, int32_t k) {
    found_rows_ = 0;
    const int64_t n_rows =
        std::min(rows_at_once(width_, k, n_rows_, static_cast<int64_t>(scratch_.size())), n_rows_ - first_row);
    GpuTop work;
    work.x = rows_ + first_row * width_;
    work.width = width_;
    work.n_rows = n_rows;
    work.k = k;
    work.scratch = scratch_.data();
    work.places =
        reinterpret_cast<int32_t*>(scratch_.data() + static_cast<size_t>(n_rows) * gpu_top_scratch(width_, k));
    work.numbers = reinterpret_cast<float*>(work.places + n_rows * k);
    gpu_top(stream_, work);
    found_.resize(static_cast<size_t>(n_rows * k * kFoundBytes));
    stream_.copy_out(found_.data(), work.places, found_.size());
    found_first_ = first_row;
    found_k_ = k;
    found_rows_ = n_rows;
}

}  // namespace tg
