// Texts run side by side, each on its own sequence, a piece of each per pass: a mean needs an output for every token, and
// outputs take memory for logits, so a pass is kept small. Pieces end at the same places of a text whatever runs beside it,
// so it always gets the same bits.
#include "server/engine/embedder.h"

#include <algorithm>
#include <cmath>
#include <span>

namespace serve {

namespace {

constexpr size_t kPiece = 32;     // tokens of a text per pass
constexpr size_t kMostTexts = 8;  // per pass

ApiError gone() { return ApiError(ErrorCode::kUnavailable, "the client is gone"); }

}  // namespace

struct Embedder::Progress {
    const std::vector<bitnet_token>* tokens;
    std::vector<float>* out;
    std::vector<double> sum;
    size_t n_done = 0;
};

std::vector<std::vector<float>> Embedder::embed(const std::vector<std::vector<bitnet_token>>& texts,
                                                bitnet_pooling pooling, bool normalize,
                                                const std::function<bool()>& client_gone) {
    for (const std::vector<bitnet_token>& text : texts) {
        if (text.empty()) throw ApiError(ErrorCode::kValidationFailed, "a text to embed has no tokens", "input");
        if (text.size() > static_cast<size_t>(n_ctx_))
            throw ApiError(ErrorCode::kPromptTooLong,
                           "a text to embed has " + std::to_string(text.size()) + " tokens; the context holds " +
                               std::to_string(n_ctx_),
                           "input");
    }
    // Not the mutex itself: who waits for it could not look whether the client is still there.
    std::unique_lock lock(mutex_);
    while (!free_.wait_for(lock, std::chrono::milliseconds(50), [&] { return !busy_; }))
        if (client_gone()) throw gone();
    busy_ = true;
    lock.unlock();
    struct Ending {
        Embedder& embedder;
        ~Ending() {
            const std::lock_guard guard(embedder.mutex_);
            embedder.busy_ = false;
            embedder.free_.notify_one();
        }
    } ending{*this};
    make_context();
    std::vector<std::vector<float>> vectors(texts.size());
    for (size_t first = 0; first < texts.size();) {
        std::vector<Progress> group;
        size_t n_cells = 0;
        while (first < texts.size() && group.size() < kMostTexts &&
               n_cells + texts[first].size() <= static_cast<size_t>(n_ctx_)) {
            group.push_back({&texts[first], &vectors[first], std::vector<double>(n_embd_), 0});
            n_cells += texts[first++].size();
        }
        check(bitnet_sequence_remove(context_.get(), -1, -1, -1));
        while (std::any_of(group.begin(), group.end(), [](const Progress& p) { return p.n_done < p.tokens->size(); })) {
            if (client_gone()) throw gone();
            step(group, pooling);
        }
        for (Progress& text : group) {
            double length = 0;
            for (double& value : text.sum) {
                if (pooling == BITNET_POOLING_MEAN) value /= static_cast<double>(text.tokens->size());
                length += value * value;
            }
            length = normalize && length > 0 ? std::sqrt(length) : 1;
            for (const double value : text.sum) text.out->push_back(static_cast<float>(value / length));
        }
    }
    return vectors;
}

void Embedder::step(std::vector<Progress>& group, bitnet_pooling pooling) {
    std::vector<bitnet_token> tokens;
    std::vector<bitnet_seq_id> sequences;
    std::vector<int8_t> wanted;
    for (size_t i = 0; i < group.size(); i++) {
        Progress& text = group[i];
        const size_t end = std::min(text.tokens->size(), text.n_done + kPiece);
        for (; text.n_done < end; text.n_done++) {
            tokens.push_back((*text.tokens)[text.n_done]);
            sequences.push_back(static_cast<bitnet_seq_id>(i));
            const size_t chosen = pooling == BITNET_POOLING_CLS ? 0 : text.tokens->size() - 1;
            wanted.push_back(pooling == BITNET_POOLING_MEAN || text.n_done == chosen ? 1 : 0);
        }
    }
    bitnet_batch batch = {};
    batch.struct_size = sizeof batch;
    batch.n_tokens = static_cast<int32_t>(tokens.size());
    batch.tokens = tokens.data();
    batch.seq_ids = sequences.data();
    batch.want_output = wanted.data();
    check(bitnet_context_decode(context_.get(), &batch));
    std::vector<float> state(n_embd_);
    for (size_t i = 0; i < tokens.size(); i++) {
        if (!wanted[i]) continue;
        check(bitnet_context_get_embedding(context_.get(), static_cast<int32_t>(i), 0, state.data(), state.size()));
        std::vector<double>& sum = group[static_cast<size_t>(sequences[i])].sum;
        for (size_t j = 0; j < n_embd_; j++) sum[j] += static_cast<double>(state[j]);
    }
}

void Embedder::make_context() {
    if (context_) return;
    bitnet_model_info info;
    info.struct_size = sizeof info;
    check(bitnet_model_get_info(model_, &info));
    n_embd_ = static_cast<size_t>(info.n_embd);
    bitnet_context_params params = bitnet_context_default_params();
    params.n_ctx = n_ctx_;
    params.n_batch = std::max(n_ctx_, static_cast<int32_t>(kPiece * kMostTexts));
    params.n_ubatch = static_cast<int32_t>(kPiece * kMostTexts);
    params.n_seq_max = static_cast<int32_t>(kMostTexts);
    params.n_threads = n_threads_;
    params.embeddings = 1;
    bitnet_context* context = nullptr;
    check(bitnet_context_create(model_, &params, &context));
    context_.reset(context, bitnet_context_free);
}

}  // namespace serve
