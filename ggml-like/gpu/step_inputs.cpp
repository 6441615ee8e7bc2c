#include "ggml-like/gpu/step_inputs.h"

#include <algorithm>
#include <cstddef>
#include <span>

namespace tg {

void StepInputs::gather(const RunInputs& inputs, int32_t tile_tokens) {
    const size_t n = static_cast<size_t>(inputs.n_tokens);
    lists_.clear();
    for (size_t i = 0; i < n; ++i) {
        if (!lists_.empty() && lists_.back().cells == inputs.visible[i]) {  // as with all tokens of a prompt
            lists_.back().length = std::max(lists_.back().length, inputs.n_visible[i]);
        } else {
            lists_.push_back({inputs.visible[i], inputs.n_visible[i], 0});
        }
    }
    std::sort(lists_.begin(), lists_.end(), [](const List& a, const List& b) {
        return a.cells != b.cells ? a.cells < b.cells : a.length > b.length;
    });
    const auto same = [](const List& a, const List& b) { return a.cells == b.cells; };
    lists_.erase(std::unique(lists_.begin(), lists_.end(), same), lists_.end());

    numbers_.clear();
    const auto append = [this](const int32_t* from, size_t count) {
        const size_t at = numbers_.size();
        numbers_.insert(numbers_.end(), from, from + count);
        return at;
    };
    places_.tokens = append(inputs.tokens, n);
    places_.positions = append(inputs.positions, n);
    places_.cells = append(inputs.cells, n);
    places_.output_rows = append(inputs.output_rows, static_cast<size_t>(inputs.n_outputs));
    const auto room = [&](size_t count) {
        const size_t at = numbers_.size();
        numbers_.resize(at + count);
        return at;
    };
    places_.begin = room(n);
    places_.count = room(n);
    places_.windowed_begin = room(n);
    places_.windowed_count = room(n);
    places_.tiles = room(AttendPlan::most_tile_numbers(n));
    places_.shares = room(AttendPlan::most_share_numbers(n));
    places_.lists = numbers_.size();
    int32_t offset = 0;
    for (List& list : lists_) {
        list.offset = offset;
        append(list.cells, static_cast<size_t>(list.length));
        offset += list.length;
    }
    most_cells_ = most_windowed_cells_ = 0;
    for (size_t i = 0; i < n; ++i) {
        const auto at = std::lower_bound(lists_.begin(), lists_.end(), inputs.visible[i],
                                         [](const List& list, const int32_t* cells) { return list.cells < cells; });
        const int32_t n_outside = inputs.n_outside != nullptr ? inputs.n_outside[i] : 0;
        numbers_[places_.begin + i] = at->offset;
        numbers_[places_.count + i] = inputs.n_visible[i];
        numbers_[places_.windowed_begin + i] = at->offset + n_outside;
        numbers_[places_.windowed_count + i] = inputs.n_visible[i] - n_outside;
        most_cells_ = std::max<int64_t>(most_cells_, inputs.n_visible[i]);
        most_windowed_cells_ = std::max<int64_t>(most_windowed_cells_, inputs.n_visible[i] - n_outside);
    }
    const std::span<int32_t> numbers(numbers_);
    attend_.make(numbers.subspan(places_.begin, n), numbers.subspan(places_.count, n), tile_tokens);
    std::copy(attend_.tiles().begin(), attend_.tiles().end(),
              numbers.begin() + static_cast<std::ptrdiff_t>(places_.tiles));
    std::copy(attend_.shares().begin(), attend_.shares().end(),
              numbers.begin() + static_cast<std::ptrdiff_t>(places_.shares));
}

}  // namespace tg
