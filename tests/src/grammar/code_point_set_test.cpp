// Sets of characters as ranges of bytes, over every code point; and the tree of a vocabulary's outputs.
#include <doctest/doctest.h>

#include <map>

#include "src/grammar/code_point_set.h"
#include "src/sampler/rng.h"
#include "src/tokenizer/output_trie.h"
#include "tests/src/grammar/grammar_fixture.h"

using namespace bitnet;

TEST_CASE("byte sequences are exactly the UTF-8 forms of a set, for every code point") {
    Pcg32 rng(2);
    for (int round = 0; round < 12; ++round) {
        CodePointSet set;
        for (int i = 0; i < 4; ++i) {
            const uint32_t mask = round % 3 == 0 ? 0xFFF : round % 3 == 1 ? 0xFFFF : 0x1FFFFF;
            const uint32_t first = std::min(rng.next_u32() & mask, kMaxCodePoint);
            set.add(first, std::min(first + (rng.next_u32() & (mask >> 2)), kMaxCodePoint));
        }
        if (round % 2 == 1) set = set.inverted();
        const std::vector<ByteSequence> sequences = set.byte_sequences();
        size_t n_wrong = 0, n_in = 0, n_written = 0;
        for (uint32_t c = 0; c <= kMaxCodePoint; ++c) {
            if (is_surrogate(c)) continue;
            std::string text;
            utf8_append(text, c);
            size_t n_matching = 0;
            for (const ByteSequence& sequence : sequences) {
                bool fits = sequence.n_bytes == text.size();
                for (size_t i = 0; fits && i < text.size(); ++i) {
                    const auto byte = static_cast<uint8_t>(text[i]);
                    fits = byte >= sequence.first[i] && byte <= sequence.last[i];
                }
                n_matching += fits ? 1 : 0;
            }
            n_wrong += n_matching != (set.contains(c) ? 1u : 0u) ? 1 : 0;
            n_in += set.contains(c) ? 1 : 0;
        }
        for (const ByteSequence& sequence : sequences) {
            size_t n = 1;
            for (size_t i = 0; i < sequence.n_bytes; ++i) n *= size_t{sequence.last[i]} - sequence.first[i] + 1;
            n_written += n;
        }
        CHECK(n_wrong == 0);
        CHECK(n_written == n_in);  // nothing that is no character
    }
}

TEST_CASE("the tree of outputs holds each token once, under its bytes, and skips to the end of each branch") {
    std::vector<std::string> texts = {"b", "a", "ab", "abc", "b", "abd", "\xFF\xFE", "ba", "abcde"};
    std::vector<std::pair<std::string_view, bitnet_token>> pairs;
    for (size_t i = 0; i < texts.size(); ++i) pairs.emplace_back(texts[i], static_cast<bitnet_token>(i));
    const OutputTrie trie(pairs);
    CHECK(trie.max_depth() == 5);
    std::map<bitnet_token, std::string> found;
    std::string path;
    for (size_t i = 1; i < trie.size(); ++i) {
        path.resize(trie[i].depth - 1);
        path += static_cast<char>(trie[i].byte);
        for (const bitnet_token token : trie.tokens(i)) CHECK(found.emplace(token, path).second);
        size_t end = i + 1;
        while (end < trie.size() && trie[end].depth > trie[i].depth) ++end;
        CHECK(trie[i].end == end);
    }
    REQUIRE(found.size() == texts.size());
    for (const auto& [token, text] : found) CHECK(text == texts[static_cast<size_t>(token)]);
    CHECK(OutputTrie({}).size() == 1);
    // Control and end tokens are no text.
    const auto tokenizer = test::byte_tokenizer({"ab"});
    CHECK(tokenizer->output(tokenizer->info().bos).empty());
    CHECK(tokenizer->output(tokenizer->info().eos).empty());
    CHECK(tokenizer->output(256) == "ab");
    CHECK(tokenizer->output_trie().tokens(0).empty());
}
