// A text in the making that obeys a grammar: which tokens may come next, and what becomes of it when one comes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "src/grammar/grammar.h"
#include "src/grammar/stack_store.h"
#include "src/sampler/token_filter.h"

namespace bitnet {

class GrammarFilter final : public TokenFilter {
public:
    explicit GrammarFilter(std::shared_ptr<const Grammar> grammar);

    std::span<const uint64_t> allowed() override;
    void accept(bitnet_token token) override;
    void reset() noexcept override;

    // The text so far is one of the grammar's; nothing has ended it yet.
    bool may_end() const noexcept { return !ended_ && store_.accepts(now_); }
    const StackStore& store() const noexcept { return store_; }

private:
    using Mask = std::vector<uint64_t>;

    void walk(Mask& mask);
    void make_room(std::span<StackStore::SetId> path);

    const std::shared_ptr<const Grammar> grammar_;
    StackStore store_;
    StackStore::SetId start_, now_;
    bool ended_ = false;  // an end token came
    // Masks of places where the text was before: a string's inside, say, is one place for all of its characters.
    std::unordered_map<StackStore::SetId, Mask> masks_;
    std::vector<StackStore::SetId> path_;
};

}  // namespace bitnet
