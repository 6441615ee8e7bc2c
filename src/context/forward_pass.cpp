#include "src/context/forward_pass.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "src/base/error.h"
#include "src/context/context.h"

namespace bitnet {
namespace {

bool sees(const ForwardView& view, int32_t i, int32_t j) {
    if (view.mask == nullptr) return j <= i;
    return view.mask[static_cast<size_t>(i) * static_cast<size_t>(view.n_tokens) + static_cast<size_t>(j)] != 0;
}

void check(const ForwardView& view, const Context& context) {
    context.require_no_steps();
    const int32_t n_most = context.config().n_ubatch;
    if (view.n_tokens < 1 || view.n_tokens > n_most) {
        throw Error(BITNET_E_ARGUMENT, "a forward pass takes 1 to " + std::to_string(n_most) + " tokens at once, not " +
                                           std::to_string(view.n_tokens) +
                                           "; create the context with larger n_ubatch, n_batch and n_ctx")
            .with_numbers(static_cast<uint64_t>(n_most), static_cast<uint64_t>(std::max(view.n_tokens, 0)));
    }
    const int64_t n_vocab = context.model().hparams.n_vocab;
    for (int32_t i = 0; i < view.n_tokens; ++i) {
        if (view.tokens[i] < 0 || view.tokens[i] >= n_vocab) {
            throw Error(BITNET_E_TOKEN, "entry " + std::to_string(i) + ": token " + std::to_string(view.tokens[i]) +
                                            " is outside the vocabulary of " + std::to_string(n_vocab));
        }
    }
    if (view.hidden) context.require_embeddings();
}

}  // namespace

int32_t ForwardView::n_outputs() const noexcept {
    if (want_output == nullptr) return n_tokens;
    return static_cast<int32_t>(std::count_if(want_output, want_output + n_tokens, [](int8_t w) { return w != 0; }));
}

AttentionMask::AttentionMask(const ForwardView& view, const int32_t* cells, int64_t sliding_window) {
    const size_t n = static_cast<size_t>(view.n_tokens);
    positions_.resize(n);
    if (view.positions != nullptr) {
        std::copy(view.positions, view.positions + n, positions_.begin());
    } else {
        std::iota(positions_.begin(), positions_.end(), 0);
    }
    for (size_t i = 0; i < n; ++i) {
        if (positions_[i] < 0) {
            throw Error(BITNET_E_ARGUMENT,
                        "entry " + std::to_string(i) + ": position " + std::to_string(positions_[i]) + " is negative");
        }
    }
    visible_.assign(n, cells);
    n_visible_.assign(n, 0);
    n_outside_.assign(n, 0);
    const auto outside = [&](size_t i, size_t j) {
        return sliding_window != 0 && int64_t{positions_[j]} <= int64_t{positions_[i]} - sliding_window;
    };
    if (view.mask == nullptr && std::is_sorted(positions_.begin(), positions_.end())) {
        std::iota(n_visible_.begin(), n_visible_.end(), 1);
        for (size_t i = 0; i < n; ++i) {
            int32_t& count = n_outside_[i];
            if (i > 0) count = n_outside_[i - 1];
            while (outside(i, static_cast<size_t>(count))) ++count;
        }
        return;
    }
    std::vector<int32_t> order(n);
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
        const bitnet_pos at_a = positions_[static_cast<size_t>(a)], at_b = positions_[static_cast<size_t>(b)];
        return at_a != at_b ? at_a < at_b : a < b;
    });
    size_t n_listed = 0;
    for (int32_t i = 0; i < view.n_tokens; ++i) {
        int32_t& count = n_visible_[static_cast<size_t>(i)];
        int32_t& beyond = n_outside_[static_cast<size_t>(i)];
        for (int32_t j = 0; j < view.n_tokens; ++j) {
            if (!sees(view, i, j)) continue;
            ++count;
            beyond += outside(static_cast<size_t>(i), static_cast<size_t>(j)) ? 1 : 0;
        }
        if (count == beyond) {
            throw Error(
                BITNET_E_ARGUMENT,
                "row " + std::to_string(i) + (count == 0 ? " of the mask sees no token" : " of the mask sees no token within the sliding window") +
                    "; let a token that does not matter see itself");
        }
        n_listed += static_cast<size_t>(count);
    }
    lists_ = tg::Arena(n_listed * sizeof(int32_t), "attention mask");
    int32_t* next = reinterpret_cast<int32_t*>(lists_.data());
    for (int32_t i = 0; i < view.n_tokens; ++i) {
        visible_[static_cast<size_t>(i)] = next;
        for (const int32_t j : order) {
            if (sees(view, i, j)) *next++ = cells[j];
        }
    }
}

size_t Context::forward_floats(const ForwardView& view) const {
    check(view, *this);
    const int64_t width = view.hidden ? model_->hparams.n_embd : model_->hparams.n_vocab;
    return static_cast<size_t>(view.n_outputs()) * static_cast<size_t>(width);
}

void Context::forward(const ForwardView& view, float* out) {
    check(view, *this);
    if (view.n_tokens > cache_.n_free()) {
        throw Error(BITNET_E_KV_FULL, "a forward pass needs a free cell for each of its " +
                                          std::to_string(view.n_tokens) + " tokens, the context has " +
                                          std::to_string(cache_.n_free()) +
                                          "; remove a sequence or create the context with a larger n_ctx")
            .with_numbers(static_cast<uint64_t>(view.n_tokens), static_cast<uint64_t>(cache_.n_free()));
    }
    ++touched_;
    const std::span<const int32_t> cells = cache_.free_cells();
    const AttentionMask mask(view, cells.data(), model_->hparams.sliding_window);
    forget_outputs();
    if (config_.embeddings && !view.hidden)
        reserve_rows(0, view.n_outputs());
    ubatch_outputs_.clear();
    for (int32_t i = 0; i < view.n_tokens; ++i) {
        if (view.want_output == nullptr || view.want_output[i] != 0) ubatch_outputs_.push_back(i);
    }
    tg::RunInputs inputs;
    inputs.n_tokens = view.n_tokens;
    inputs.n_outputs = static_cast<int64_t>(ubatch_outputs_.size());
    inputs.tokens = view.tokens;
    inputs.positions = mask.positions().data();
    inputs.cells = cells.data();
    inputs.visible = mask.visible().data();
    inputs.n_visible = mask.n_visible().data();
    inputs.n_outside = mask.n_outside().data();
    inputs.output_rows = ubatch_outputs_.data();
    inputs.n_nodes = decoder_.n_nodes;
    if (view.hidden) inputs.n_nodes = decoder_.graph.end_of(decoder_.hidden);  // the head would be for nothing
    set_outputs(inputs, view.hidden ? nullptr : out, view.hidden ? out : reinterpret_cast<float*>(hidden_.data()));
    deadline_ = limited({});
    run(inputs);
}

}  // namespace bitnet
