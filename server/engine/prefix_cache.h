// Which sequences of a context hold the tokens of finished texts, so that a text which begins like one of them need not
// compute that beginning again. Tenants never meet: a text is only ever found by its own tenant, so neither its tokens nor
// the time they save tell anyone else that it was there. Knows numbers of sequences; what they hold is the context's.
#pragma once

#include <list>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bitnet.h"

namespace serve {

// How many tokens two texts have in common at their beginning.
size_t common_prefix(std::span<const bitnet_token> a, std::span<const bitnet_token> b);

class PrefixCache {
public:
    struct Hit {
        bitnet_seq_id sequence = -1;
        size_t n_tokens = 0;
    };

    // The sequence that has the most in common with the beginning of tokens; it counts as just used. Nothing below
    // kLeastTokens.
    std::optional<Hit> find(const std::string& tenant, std::span<const bitnet_token> tokens);
    // Keeps a sequence that holds these tokens. What is free now: sequences that hold no more than the beginning of this
    // one, or this one where another holds all of it.
    std::vector<bitnet_seq_id> keep(bitnet_seq_id sequence, std::string tenant, std::vector<bitnet_token> tokens);
    // Lets go of the sequence that was not used longest; -1 when there is none.
    bitnet_seq_id evict();
    size_t size() const { return entries_.size(); }

    static constexpr size_t kLeastTokens = 4;

private:
    struct Entry {
        bitnet_seq_id sequence;
        std::string tenant;
        std::vector<bitnet_token> tokens;
    };
    std::list<Entry> entries_;  // the one used last in front
};

}  // namespace serve
