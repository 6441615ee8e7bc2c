// The output head after the decode: all of it, or the rows that can matter. A decode of one micro-batch leaves its hidden
// states in the arena, or on a device its logits there, until the next one.
#include <algorithm>
#include <limits>

#include "src/base/stopwatch.h"
#include "src/context/context.h"

namespace bitnet {

bool Context::defers_head() const noexcept {
    return decoder_.near_logits != tg::kNoValue && split_.n_outputs() <= kMostDeferred && config_.max_lora_rank == 0 &&
           const_cast<Context*>(this)->run_trace() == nullptr;
}

// Of a decode that is one micro-batch.
void Context::leave_head(tg::RunInputs& inputs) {
    if (backend_->kept_rows() != nullptr) {
        inputs.external[kLogitsSlot] = nullptr;
        settled_.assign(static_cast<size_t>(split_.n_outputs()), 0);
        head_state_ = HeadState::kept;
    } else if (defers_head()) {
        head_inputs_ = inputs;
        inputs.n_nodes = decoder_.graph.end_of(decoder_.hidden);
        head_state_ = HeadState::deferred;
    }
}

// What is done now counts as the decode's.
template <typename Body>
void Context::late_head(Body&& body) {
    const Stopwatch time;
    body();
    const uint64_t us = time.us();
    (last_was_step_ ? metrics_.decode_us : metrics_.prefill_us) += us;
    performance_.add_forward(us);
}

void Context::run_head(size_t first_node, size_t n_nodes) {
    late_head([&] {
        tg::RunInputs inputs = head_inputs_;
        inputs.first_node = first_node;
        inputs.n_nodes = n_nodes;
        backend_->run(decoder_.graph, plan_, *arena_, inputs, {}, nullptr);
    });
}

const float* Context::logits(int32_t index) {
    const int64_t row = output_row(index);
    float* logits_row = reinterpret_cast<float*>(logits_.data()) + row * model_->hparams.n_vocab;
    if (head_state_ == HeadState::kept) {
        uint8_t& here = settled_[static_cast<size_t>(row)];
        if (here == 0) late_head([&] { backend_->kept_rows()->read(row, logits_row); });
        here = 1;
    } else if (head_state_ != HeadState::done) {
        run_head(decoder_.graph.end_of(decoder_.hidden), decoder_.n_nodes);
        head_state_ = HeadState::done;
    }
    return logits_row;
}

const float* Context::hidden_of(int64_t row) const noexcept {
    const uint8_t* rows =
        config_.embeddings ? hidden_.data() : arena_->data() + plan_.offsets[static_cast<size_t>(decoder_.hidden)];
    return reinterpret_cast<const float*>(rows) + row * model_->hparams.n_embd;
}

LogitRow Context::top_logits(int32_t index, size_t k, std::span<const bitnet_token> also) {
    const int64_t row = output_row(index);
    const auto n_vocab = static_cast<size_t>(model_->hparams.n_vocab);
    LogitRow top;
    bool found = false;
    if (head_state_ == HeadState::kept && settled_[static_cast<size_t>(row)] == 0) {
        late_head([&] { found = top_row_.read(*backend_->kept_rows(), row, k, also, n_vocab, &top); });
    } else if (head_state_ == HeadState::deferred || head_state_ == HeadState::near) {
        found = near_logits(row, k, also, &top);
    }
    return found ? top : LogitRow(logits(index), n_vocab);
}

// The rows of the head that can matter, chosen by its screen; false where all of them have to be multiplied.
bool Context::near_logits(int64_t row, size_t k, std::span<const bitnet_token> also, LogitRow* out) {
    if (head_state_ == HeadState::deferred) {
        settled_.assign(static_cast<size_t>(split_.n_outputs()), 0);
        run_head(decoder_.n_nodes, decoder_.graph.nodes().size());
        head_state_ = HeadState::near;
    }
    uint8_t& chosen = settled_[static_cast<size_t>(row)];
    const int64_t n_vocab = model_->hparams.n_vocab;
    float* logits_row = reinterpret_cast<float*>(logits_.data()) + row * n_vocab;
    const float* x = hidden_of(row);
    // Tokens of `also` may take places among the k largest that their logits will not keep.
    const size_t n_wanted = k + also.size();
    if (chosen != 0 ||
        !selection_.select(*model_->screen, *model_->kernels.vec, x, logits_row, n_wanted, most_chosen_rows(*model_))) {
        ++screen_counts_.n_full;
        return false;
    }
    chosen = 1;
    ++screen_counts_.n_screened;
    screen_counts_.n_rows += selection_.rows().size();
    std::fill(logits_row, logits_row + n_vocab, -std::numeric_limits<float>::infinity());
    tg::exact_products(*model_->screen, x, selection_.rows(), logits_row);
    for (const bitnet_token token : also) {
        if (token >= 0 && token < n_vocab) tg::exact_products(*model_->screen, x, {&token, 1}, logits_row);
    }
    *out = LogitRow(logits_row, static_cast<size_t>(n_vocab));
    return true;
}

}  // namespace bitnet
