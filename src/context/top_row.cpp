#include "src/context/top_row.h"

#include <algorithm>

namespace bitnet {

bool TopRow::read(tg::KeptRows& kept, int64_t row, size_t k, std::span<const int32_t> also, size_t n_vocab,
                  LogitRow* out) {
    tg::KeptRows::Numbers top;
    // Tokens of `also` may take places among the k largest that their logits will not keep.
    if (!kept.find_largest(row, k + also.size(), &top)) return false;
    *out = LogitRow(top.numbers.data(), top.places.data(), top.places.size(), n_vocab);
    missing_.clear();
    for (const int32_t token : also) {
        if (token >= 0 && static_cast<size_t>(token) < n_vocab && out->find(token) == out->n) missing_.push_back(token);
    }
    if (missing_.empty()) return true;
    std::sort(missing_.begin(), missing_.end());
    missing_.erase(std::unique(missing_.begin(), missing_.end()), missing_.end());
    missing_logits_.resize(missing_.size());
    kept.read_at(row, missing_, missing_logits_.data());
    tokens_.clear();
    logits_.clear();
    for (size_t i = 0, j = 0; i < top.places.size() || j < missing_.size();) {
        const bool from_top = j == missing_.size() || (i < top.places.size() && top.places[i] < missing_[j]);
        tokens_.push_back(from_top ? top.places[i] : missing_[j]);
        logits_.push_back(from_top ? top.numbers[i++] : missing_logits_[j++]);
    }
    *out = LogitRow(logits_.data(), tokens_.data(), tokens_.size(), n_vocab);
    return true;
}

}  // namespace bitnet
