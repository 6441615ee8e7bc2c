#include "src/context/sequence_adapters.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "ggml-like/graph_trace.h"
#include "src/base/error.h"

namespace bitnet {
namespace {

constexpr float kMaxScale = 1e6f;  // with alpha's bound no factor overflows

}  // namespace

uint64_t fingerprint_with(uint64_t fingerprint, uint64_t tag) noexcept {
    return tg::checksum_bytes(&tag, sizeof tag, fingerprint);
}

SequenceAdapters::SequenceAdapters(const Model& model, int32_t max_rank, int32_t n_ubatch, int32_t n_seq)
    : model_(model), max_rank_(max_rank) {
    if (max_rank == 0) return;
    sets_.resize(static_cast<size_t>(n_seq));
    tokens_.reserve(static_cast<size_t>(n_ubatch));
    outputs_.reserve(static_cast<size_t>(n_ubatch));
}

uint64_t SequenceAdapters::bytes_needed(int32_t max_rank, int32_t n_ubatch, int32_t n_seq) noexcept {
    if (max_rank == 0) return 0;
    return static_cast<uint64_t>(n_seq) * sizeof(std::shared_ptr<const Set>) +
           2 * static_cast<uint64_t>(n_ubatch) * sizeof(tg::LoraSegment);
}

uint64_t SequenceAdapters::bytes() const noexcept {
    return sets_.capacity() * sizeof sets_[0] + (tokens_.capacity() + outputs_.capacity()) * sizeof tokens_[0];
}

std::shared_ptr<const SequenceAdapters::Set> SequenceAdapters::make_set(std::span<const AdapterUse> uses) const {
    auto set = std::make_shared<Set>();
    uint64_t rank = 0, tag = tg::checksum_bytes(nullptr, 0);
    for (const AdapterUse& use : uses) {
        if (!(std::fabs(use.scale) <= kMaxScale)) {
            throw Error(BITNET_E_CONFIG, "the scale " + std::to_string(use.scale) + " of adapter '" +
                                             use.adapter->label + "' is outside -1e6..1e6")
                .with_subject("scale");
        }
        if (use.adapter->model.get() != &model_) {
            throw Error(BITNET_E_STATE, "adapter '" + use.adapter->label +
                                            "' was loaded for another model handle; load it for this one")
                .with_subject(use.adapter->label);
        }
        // Adding 0 * B (A x) would be the same but for the sign of zeros; leaving it out is the same in every bit.
        if (use.scale == 0.0f) continue;
        set->held.push_back(use.adapter);
        set->uses.push_back({use.adapter->pairs.data(), use.scale});
        rank += static_cast<uint64_t>(use.adapter->rank);
        tag = tg::checksum_bytes(&use.adapter->fingerprint, sizeof use.adapter->fingerprint, tag);
        tag = tg::checksum_bytes(&use.scale, sizeof use.scale, tag);
    }
    if (set->uses.empty()) return nullptr;
    if (max_rank_ == 0) {
        throw Error(BITNET_E_STATE,
                    "the context was created without room for adapters; set "
                    "bitnet_context_params.max_lora_rank to " +
                        std::to_string(rank) + " or more");
    }
    if (rank > static_cast<uint64_t>(max_rank_)) {
        throw Error(BITNET_E_LIMIT, "the adapters have rank " + std::to_string(rank) +
                                        " together, the context has room for " + std::to_string(max_rank_) +
                                        "; create it with a larger max_lora_rank")
            .with_numbers(static_cast<uint64_t>(max_rank_), rank);
    }
    set->tag = tag != 0 ? tag : 1;
    return set;
}

void SequenceAdapters::set(const KvCache& cache, bitnet_seq_id id, std::span<const AdapterUse> uses) {
    const std::shared_ptr<const Set> set = make_set(uses);
    const uint64_t new_tag = set != nullptr ? set->tag : 0;
    const bitnet_seq_id first = id < 0 ? 0 : id, last = id < 0 ? cache.n_seq() - 1 : id;
    for (bitnet_seq_id i = first; i <= last; ++i) {
        if (cache.size(i) == 0 || tag(i) == new_tag) continue;
        throw Error(BITNET_E_STATE, "sequence " + std::to_string(i) + " holds " + std::to_string(cache.size(i)) +
                                        " tokens that were computed with other adapters; remove them first");
    }
    if (sets_.empty()) return;
    for (bitnet_seq_id i = first; i <= last; ++i) sets_[static_cast<size_t>(i)] = set;
}

void SequenceAdapters::copy(bitnet_seq_id from, bitnet_seq_id to) noexcept {
    if (!sets_.empty()) sets_[static_cast<size_t>(to)] = sets_[static_cast<size_t>(from)];
}

uint64_t SequenceAdapters::tag(bitnet_seq_id id) const noexcept {
    if (id < 0 || static_cast<size_t>(id) >= sets_.size()) return 0;
    const Set* set = sets_[static_cast<size_t>(id)].get();
    return set != nullptr ? set->tag : 0;
}

uint64_t SequenceAdapters::fingerprint(uint64_t model_fingerprint, bitnet_seq_id id) const noexcept {
    const uint64_t own = tag(id);
    return own != 0 ? fingerprint_with(model_fingerprint, own) : model_fingerprint;
}

void SequenceAdapters::extend(std::vector<tg::LoraSegment>& segments, int64_t row, bitnet_seq_id id) const noexcept {
    const Set* set = sets_[static_cast<size_t>(id)].get();
    const tg::LoraUse* uses = set != nullptr ? set->uses.data() : nullptr;
    if (segments.empty() || segments.back().uses != uses) {
        segments.push_back({row, row, uses, set != nullptr ? static_cast<int64_t>(set->uses.size()) : 0});
    }
    ++segments.back().end;
}

void SequenceAdapters::cut(const BatchView& batch, int32_t begin, int32_t end, const std::vector<int32_t>& outputs,
                           tg::RunInputs& inputs) noexcept {
    if (sets_.empty()) return;
    tokens_.clear();
    outputs_.clear();
    for (int32_t i = begin; i < end; ++i) extend(tokens_, i - begin, batch.seq_of(i));
    for (size_t i = 0; i < outputs.size(); ++i) {
        extend(outputs_, static_cast<int64_t>(i), batch.seq_of(begin + outputs[i]));
    }
    inputs.lora_tokens = {tokens_.data(), static_cast<int64_t>(tokens_.size())};
    inputs.lora_outputs = {outputs_.data(), static_cast<int64_t>(outputs_.size())};
}

}  // namespace bitnet
