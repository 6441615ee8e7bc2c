// What a step brings to a device, as one list of int32 that is copied at once: tokens, positions, cells, output rows, who
// attends together (attend_plan.h), and the lists of visible cells, each list once however many tokens read its beginning.
#pragma once

#include <cstdint>
#include <vector>

#include "ggml-like/gpu/attend_plan.h"
#include "ggml-like/op_table.h"

namespace tg {

class StepInputs {
public:
    // Offsets into numbers(); all but lists have one entry a token, or an output.
    struct Places {
        size_t tokens = 0, positions = 0, cells = 0, output_rows = 0;
        size_t begin = 0, count = 0;                    // of what a token sees, in lists
        size_t windowed_begin = 0, windowed_count = 0;  // likewise, without what lies outside of the window
        size_t tiles = 0, shares = 0;                   // of attend()
        size_t lists = 0;
    };
    // Numbers before the lists. Steps of as many tokens and outputs have all in the same places.
    static size_t most_fixed(size_t n_tokens) {
        return 8 * n_tokens + AttendPlan::most_tile_numbers(n_tokens) + AttendPlan::most_share_numbers(n_tokens);
    }

    // Numbers are kept for the next step, so that steps of the same size allocate nothing. tile_tokens: gpu_attention_tile().
    void gather(const RunInputs& inputs, int32_t tile_tokens);

    const std::vector<int32_t>& numbers() const noexcept { return numbers_; }
    const Places& places() const noexcept { return places_; }
    // No token sees more.
    int64_t most_cells() const noexcept { return most_cells_; }
    int64_t most_windowed_cells() const noexcept { return most_windowed_cells_; }
    const AttendPlan& attend() const noexcept { return attend_; }

private:
    struct List {
        const int32_t* cells;
        int32_t length;
        int32_t offset;
    };

    std::vector<int32_t> numbers_;
    std::vector<List> lists_;
    Places places_;
    AttendPlan attend_;
    int64_t most_cells_ = 0, most_windowed_cells_ = 0;
};

}  // namespace tg
