// What a step brings to a device: every list once, however many tokens read its beginning, and windows cut off.
#include "ggml-like/gpu/step_inputs.h"

#include <doctest/doctest.h>

#include <vector>

using tg::StepInputs;

namespace {

struct Step {
    std::vector<int32_t> tokens, positions, cells, n_visible, n_outside, output_rows;
    std::vector<const int32_t*> visible;

    void add(int32_t token, const int32_t* list, int32_t n, int32_t outside = 0) {
        tokens.push_back(token);
        positions.push_back(token + 100);
        cells.push_back(token + 200);
        visible.push_back(list);
        n_visible.push_back(n);
        n_outside.push_back(outside);
    }
    tg::RunInputs inputs() const {
        tg::RunInputs inputs;
        inputs.n_tokens = static_cast<int64_t>(tokens.size());
        inputs.n_outputs = static_cast<int64_t>(output_rows.size());
        inputs.tokens = tokens.data();
        inputs.positions = positions.data();
        inputs.cells = cells.data();
        inputs.visible = visible.data();
        inputs.n_visible = n_visible.data();
        inputs.n_outside = n_outside.data();
        inputs.output_rows = output_rows.data();
        return inputs;
    }
};

std::vector<int32_t> part(const StepInputs& gathered, size_t at, size_t n) {
    const auto begin = gathered.numbers().begin() + static_cast<std::ptrdiff_t>(at);
    return {begin, begin + static_cast<std::ptrdiff_t>(n)};
}

}  // namespace

TEST_CASE("tokens of one list share it, those of others have their own, and each sees its cells") {
    const std::vector<int32_t> first = {4, 7, 1, 9}, second = {3, 2};
    Step step;
    step.add(0, first.data(), 2);
    step.add(1, first.data(), 3);
    step.add(2, second.data(), 2);
    step.add(3, first.data(), 4);
    step.output_rows = {3};
    StepInputs gathered;
    for (int again = 0; again < 2; ++again) {
        gathered.gather(step.inputs(), 8);
        const StepInputs::Places& places = gathered.places();
        CHECK(part(gathered, places.tokens, 4) == step.tokens);
        CHECK(part(gathered, places.positions, 4) == step.positions);
        CHECK(part(gathered, places.cells, 4) == step.cells);
        CHECK(part(gathered, places.output_rows, 1) == step.output_rows);
        CHECK(gathered.numbers().size() == places.lists + first.size() + second.size());
        CHECK(gathered.most_cells() == 4);
        for (size_t i = 0; i < 4; ++i) {
            CAPTURE(i);
            const auto n = static_cast<size_t>(gathered.numbers()[places.count + i]);
            const auto begin = places.lists + static_cast<size_t>(gathered.numbers()[places.begin + i]);
            CHECK(part(gathered, begin, n) == std::vector<int32_t>(step.visible[i], step.visible[i] + step.n_visible[i]));
        }
    }
}

TEST_CASE("what lies outside of a window is left out where attention is windowed, and only there") {
    const std::vector<int32_t> list = {4, 7, 1, 9};
    Step step;
    step.add(0, list.data(), 3, 1);
    step.add(1, list.data(), 4, 2);
    StepInputs gathered;
    gathered.gather(step.inputs(), 8);
    const StepInputs::Places& places = gathered.places();
    CHECK(part(gathered, places.begin, 2) == std::vector<int32_t>{0, 0});
    CHECK(part(gathered, places.count, 2) == std::vector<int32_t>{3, 4});
    CHECK(part(gathered, places.windowed_begin, 2) == std::vector<int32_t>{1, 2});
    CHECK(part(gathered, places.windowed_count, 2) == std::vector<int32_t>{2, 2});
    CHECK(gathered.most_cells() == 4);
    CHECK(gathered.most_windowed_cells() == 2);
}
