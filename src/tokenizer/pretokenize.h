// Cuts a text into the pieces that byte-level BPE works on: the table of pre-tokenizers by their GGUF name, and the
// engine that runs their regular expressions one after the other, each inside the pieces of the one before.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/tokenizer/class_regex.h"

namespace bitnet {

// What becomes of the matches of a stage; text between matches is a piece of its own unless a match takes it.
enum class SplitBehavior : uint8_t {
    isolated,              // every match is a piece
    contiguous,            // matches that touch are one piece
    merged_with_previous,  // a match belongs to the piece before it
    merged_with_next       // a match belongs to the piece after it
};

// One stage as text. over_bytes: it comes after Hugging Face's "ByteLevel" and therefore sees one character of the
// printable byte alphabet (byte_alphabet.h) per byte.
struct PretokenizeStage {
    std::string regex;
    SplitBehavior behavior = SplitBehavior::isolated;
    bool over_bytes = false;

    bool operator==(const PretokenizeStage&) const = default;
};

// One row of the table. The first name is the one reported.
struct PretokenizerRow {
    std::vector<std::string_view> names;
    std::vector<std::string_view> regexes;
    bool ignore_merges;  // a piece that is a token is emitted whole
    bool add_bos;        // when the model file does not say
};

// nullptr for a name that is not in the table.
const PretokenizerRow* find_pretokenizer(std::string_view name);
// The first row with exactly these stages, and with this treatment of merges when it is given; nullptr when there is none.
const PretokenizerRow* find_pretokenizer(std::span<const PretokenizeStage> stages,
                                         std::optional<bool> ignore_merges = std::nullopt);
// "default, llama-bpe, ..." for messages.
std::string known_pretokenizers();
std::vector<PretokenizeStage> stages_of(const PretokenizerRow& row);

// Immutable; one per tokenizer.
class Pretokenizer {
public:
    // trusted: the expressions are those of the table, which are linear on any text; others get a time limit as well.
    Pretokenizer(std::span<const PretokenizeStage> stages, bool trusted);

    // Working memory of one encode call.
    class Scratch {
    public:
        explicit Scratch(const Pretokenizer& pretokenizer);

    private:
        friend class Pretokenizer;
        std::vector<RegexMatcher> matchers_;
        std::string classes_;
        std::vector<uint32_t> ends_;
        std::vector<uint32_t> next_ends_;
    };

    // The end offset of every piece of text, in order; the last one is text.size(). Valid until the next call.
    // text is at most 1 GiB long. Throws BITNET_E_TEXT.
    std::span<const uint32_t> split(std::string_view text, Scratch& scratch) const;

private:
    struct Stage {
        ClassRegex regex;
        SplitBehavior behavior;
        bool over_bytes;
    };
    class Deadline;

    void run_stage(size_t index, Scratch& scratch, Deadline& deadline) const;

    std::vector<Stage> stages_;
    bool trusted_;
};

}  // namespace bitnet
