// Rows that a run has left on a device. The largest numbers are looked for in many rows at once, since one call's answer serves the
// other texts of a step, and right behind the next run, which then waits once for both.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "ggml-like/gpu/gpu_weights.h"
#include "ggml-like/kept_rows.h"

namespace tg {

class GpuKeptRows final : public KeptRows {
public:
    // For rows of a width, at most max_rows of a run.
    GpuKeptRows(std::shared_ptr<GpuDevice> device, GpuStream& stream, int64_t width, int64_t max_rows);

    // Of the device's memory, and of the host's for what was found.
    static size_t scratch_bytes(int64_t width, int64_t max_rows);
    size_t scratch_bytes() const noexcept { return scratch_.size() + found_.capacity(); }

    // A run has left these rows.
    void take(const float* rows, int64_t n_rows);

    void read(int64_t row, float* to) override;
    void read_at(int64_t row, std::span<const int32_t> places, float* to) override;
    bool find_largest(int64_t row, size_t k, Numbers* out) override;

private:
    void find(int64_t first_row, int32_t k);

    GpuStream& stream_;
    const int64_t width_;
    GpuMemoryBlock scratch_;
    const float* rows_ = nullptr;
    int64_t n_rows_ = 0;
    int32_t asked_k_ = 0;  // the most that was asked for since the last run
    // What was found, of found_rows_ rows from found_first_ on: int32 places of all, then float numbers of all.
    std::vector<std::byte> found_;
    int64_t found_first_ = 0, found_rows_ = 0;
    int32_t found_k_ = 0;
};

}  // namespace tg
