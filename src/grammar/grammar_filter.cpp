#include "src/grammar/grammar_filter.h"

#include <string>
#include <utility>

#include "src/base/error.h"
#include "src/grammar/gbnf_parser.h"

namespace bitnet {
namespace {

constexpr size_t kMaxMaskBytes = size_t{4} << 20;  // of all masks that are kept

void set_bit(std::vector<uint64_t>& mask, bitnet_token token) noexcept {
    mask[static_cast<size_t>(token) / 64] |= uint64_t{1} << (static_cast<size_t>(token) % 64);
}

}  // namespace

Grammar::Grammar(std::shared_ptr<const Tokenizer> tokenizer, std::string_view gbnf, std::string_view root)
    : tokenizer_(std::move(tokenizer)), program_(compile_grammar(parse_gbnf(gbnf), root)) {}

GrammarFilter::GrammarFilter(std::shared_ptr<const Grammar> grammar)
    : grammar_(std::move(grammar)), store_(grammar_->program()), start_(store_.start()), now_(start_) {}

// The store must not grow without bound; what is needed later are the start, the present place, and the path of a walk.
void GrammarFilter::make_room(std::span<StackStore::SetId> path) {
    if (!store_.is_full()) return;
    std::vector<StackStore::SetId*> live = {&start_, &now_};
    for (StackStore::SetId& set : path) live.push_back(&set);
    store_.forget_but(live);
    masks_.clear();
}

// Bytes that lead nowhere end the walk for all tokens that begin with them.
void GrammarFilter::walk(Mask& mask) {
    const OutputTrie& trie = grammar_->tokenizer().output_trie();
    path_.resize(size_t{trie.max_depth()} + 1);
    path_[0] = now_;
    for (size_t i = 1; i < trie.size();) {
        const OutputTrie::Node& node = trie[i];
        make_room(std::span(path_).first(node.depth));
        const StackStore::SetId set = store_.step(path_[node.depth - 1], node.byte);
        if (set == StackStore::kDead) {
            i = node.end;
            continue;
        }
        path_[node.depth] = set;
        for (const bitnet_token token : trie.tokens(i)) set_bit(mask, token);
        ++i;
    }
}

std::span<const uint64_t> GrammarFilter::allowed() {
    const Tokenizer& tokenizer = grammar_->tokenizer();
    // An ended text keeps its place, whose mask is another: it has the number of no place.
    const StackStore::SetId key = ended_ ? StackStore::kDead : now_;
    if (const auto known = masks_.find(key); known != masks_.end()) return known->second;
    Mask mask((static_cast<size_t>(tokenizer.n_vocab()) + 63) / 64);
    store_.allow_steps();
    if (!ended_) walk(mask);
    if (ended_ || store_.accepts(now_)) {
        for (const bitnet_token token : tokenizer.ends()) set_bit(mask, token);
    }
    bool some = false;
    for (const uint64_t word : mask) some = some || word != 0;
    if (!some) {
        throw Error(BITNET_E_STATE,
                    store_.accepts(now_)
                        ? "the grammar ends here and the vocabulary has no token that ends a text; stop here"
                        : "no token of the vocabulary can go on as the grammar wants it; allow other "
                          "characters at this place")
            .with_subject("grammar");
    }
    if ((masks_.size() + 1) * mask.size() * sizeof(uint64_t) > kMaxMaskBytes) masks_.clear();
    // make_room may have moved the present place.
    return masks_.insert_or_assign(ended_ ? StackStore::kDead : now_, std::move(mask)).first->second;
}

void GrammarFilter::accept(bitnet_token token) {
    const Tokenizer& tokenizer = grammar_->tokenizer();
    const auto refuse = [&](const std::string& why) {
        throw Error(BITNET_E_STATE,
                    "the grammar does not allow token " + std::to_string(token) + " here: " + why +
                        "; set the grammar behind the prompt, and accept only what was sampled under it")
            .with_subject("grammar");
    };
    if (tokenizer.is_end(token)) {
        if (!ended_ && !store_.accepts(now_)) refuse("the text may not end yet");
        ended_ = true;
        return;
    }
    if (ended_) refuse("the text has ended");
    const std::string_view text = tokenizer.output(token);
    if (text.empty()) refuse("it is no text");
    store_.allow_steps();
    StackStore::SetId to = now_;
    for (const char byte : text) {
        make_room({&to, 1});
        to = store_.step(to, static_cast<uint8_t>(byte));
        if (to == StackStore::kDead) refuse("its bytes do not fit");
    }
    now_ = to;
}

void GrammarFilter::reset() noexcept {
    now_ = start_;
    ended_ = false;
}

}  // namespace bitnet
