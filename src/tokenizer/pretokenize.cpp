// Each stage walks over the pieces of the one before and finds its matches inside them only, so a look-ahead never sees
// past the end of a piece. Positions are counted in characters (one class byte each) and turned into byte offsets once.
#include "src/tokenizer/pretokenize.h"

#include <chrono>

#include "src/base/error.h"
#include "src/base/utf8.h"
#include "src/tokenizer/byte_alphabet.h"
#include "src/tokenizer/unicode_classes.h"

namespace bitnet {
namespace {

constexpr std::string_view kGpt2 = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr std::string_view kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+)"
    R"(|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+)"
    R"(|\s+(?!\S)|\s+)";

const std::vector<PretokenizerRow>& pretokenizer_table() {
    static const std::vector<PretokenizerRow> table = {
        {{"llama-bpe", "llama3", "llama-v3", "falcon3"}, {kLlama3}, true, true},
        {{"gpt-2", "phi-2", "roberta-bpe", "gigachat", "jina-es", "jina-de", "jina-v1-en", "jina-v2-es", "jina-v2-de",
          "jina-v2-code", "mpt", "olmo", "jais"},
         {kGpt2},
         false,
         false},
        {{"falcon"}, {R"([\p{P}\$\+<=>\^~\|`]+)", kGpt2, "[0-9][0-9][0-9]"}, false, false},
        {{"default"}, {R"([\p{P}\$\+<=>\^~\|]+)", kGpt2, R"(\p{N}+)", "[0-9][0-9][0-9]"}, false, false},
        {{"qwen2", "stablelm2", "megrez"}, {kQwen2}, false, false},
        {{"smaug-bpe", "dbrx", "chatglm-bpe"}, {kLlama3}, false, false},
        {{"starcoder", "refact", "command-r", "smollm", "codeshell", "exaone", "minerva-7b"},
         {R"(\p{N})", kGpt2},
         false,
         false},
    };
    return table;
}

// Turns piece ends counted in characters into byte offsets.
void to_byte_offsets(std::string_view text, size_t n_chars, std::vector<uint32_t>& ends) {
    if (n_chars == text.size()) return;  // every character is one byte long
    uint32_t chars = 0;
    uint32_t bytes = 0;
    for (uint32_t& end : ends) {
        for (; chars < end; ++chars) bytes += utf8_decode(text.substr(bytes)).n_bytes;
        end = bytes;
    }
}

// Adds the pieces of [begin, end) to ends, given one match after the other.
class PieceWriter {
public:
    PieceWriter(std::vector<uint32_t>& ends, SplitBehavior behavior) : ends_(ends), behavior_(behavior) {}

    void start_piece(size_t begin) {
        at_ = begin;
        pending_ = Pending::none;
    }
    void match(size_t begin, size_t end) {
        if (begin > at_) gap(begin);
        switch (behavior_) {
            case SplitBehavior::isolated: emit(end); break;
            case SplitBehavior::contiguous:
                if (pending_ == Pending::match) {
                    ends_.back() = static_cast<uint32_t>(end);
                } else {
                    emit(end);
                }
                pending_ = Pending::match;
                break;
            case SplitBehavior::merged_with_previous:
                if (pending_ == Pending::gap) {
                    ends_.back() = static_cast<uint32_t>(end);
                } else {
                    emit(end);
                }
                pending_ = Pending::none;
                break;
            case SplitBehavior::merged_with_next:
                emit(end);
                pending_ = Pending::match;
                break;
        }
        at_ = end;
    }
    void finish(size_t end) {
        if (end > at_) gap(end);
    }

private:
    enum class Pending : uint8_t { none, match, gap };

    void emit(size_t end) { ends_.push_back(static_cast<uint32_t>(end)); }
    void gap(size_t end) {
        if (behavior_ == SplitBehavior::merged_with_next && pending_ == Pending::match) {
            ends_.back() = static_cast<uint32_t>(end);
        } else {
            emit(end);
        }
        pending_ = Pending::gap;
        at_ = end;
    }

    std::vector<uint32_t>& ends_;
    SplitBehavior behavior_;
    size_t at_ = 0;
    Pending pending_ = Pending::none;
};

}  // namespace

const PretokenizerRow* find_pretokenizer(std::string_view name) {
    for (const PretokenizerRow& row : pretokenizer_table()) {
        for (std::string_view candidate : row.names) {
            if (candidate == name) return &row;
        }
    }
    return nullptr;
}

const PretokenizerRow* find_pretokenizer(std::span<const PretokenizeStage> stages,
                                         std::optional<bool> ignore_merges) {
    for (const PretokenizerRow& row : pretokenizer_table()) {
        const std::vector<PretokenizeStage> candidate = stages_of(row);
        if (row.ignore_merges != ignore_merges.value_or(row.ignore_merges)) continue;
        if (std::equal(candidate.begin(), candidate.end(), stages.begin(), stages.end())) return &row;
    }
    return nullptr;
}

std::string known_pretokenizers() {
    std::string out;
    for (const PretokenizerRow& row : pretokenizer_table()) {
        for (std::string_view name : row.names) out.append(out.empty() ? "" : ", ").append(name);
    }
    return out;
}

std::vector<PretokenizeStage> stages_of(const PretokenizerRow& row) {
    std::vector<PretokenizeStage> stages;
    for (std::string_view regex : row.regexes) stages.push_back({std::string(regex), SplitBehavior::isolated, false});
    return stages;
}

// A foreign expression may take long on some text although each match is limited; the whole split is limited as well.
class Pretokenizer::Deadline {
public:
    Deadline(bool active, size_t n_bytes)
        : active_(active), end_(std::chrono::steady_clock::now() + std::chrono::seconds(10) +
                                std::chrono::microseconds(20) * static_cast<int64_t>(n_bytes)) {}
    void check() {
        if (!active_ || ++calls_ % 64 != 0 || std::chrono::steady_clock::now() < end_) return;
        throw Error(
            BITNET_E_TEXT,
            "the tokenizer file's own regular expression takes too long on this text; encode it in smaller parts");
    }

private:
    bool active_;
    uint32_t calls_ = 0;
    std::chrono::steady_clock::time_point end_;
};

Pretokenizer::Pretokenizer(std::span<const PretokenizeStage> stages, bool trusted) : trusted_(trusted) {
    for (const PretokenizeStage& stage : stages) {
        stages_.push_back({ClassRegex(stage.regex), stage.behavior, stage.over_bytes});
    }
}

Pretokenizer::Scratch::Scratch(const Pretokenizer& pretokenizer) {
    for (const Stage& stage : pretokenizer.stages_) matchers_.emplace_back(stage.regex);
}

void Pretokenizer::run_stage(size_t index, Scratch& scratch, Deadline& deadline) const {
    RegexMatcher& matcher = scratch.matchers_[index];
    std::vector<uint32_t>& out = scratch.next_ends_;
    out.clear();
    PieceWriter writer(out, stages_[index].behavior);
    size_t piece_begin = 0;
    for (const uint32_t piece_end : scratch.ends_) {
        const std::string_view piece = std::string_view(scratch.classes_).substr(piece_begin, piece_end - piece_begin);
        writer.start_piece(piece_begin);
        size_t begin = 0;
        size_t end = 0;
        while (end < piece.size() && matcher.find(piece, end, begin, end)) {
            writer.match(piece_begin + begin, piece_begin + end);
            deadline.check();
        }
        writer.finish(piece_end);
        piece_begin = piece_end;
    }
    scratch.ends_.swap(out);
}

std::span<const uint32_t> Pretokenizer::split(std::string_view text, Scratch& scratch) const {
    scratch.ends_.clear();
    if (text.empty()) return {};
    Deadline deadline(!trusted_, text.size());
    size_t stage = 0;
    if (!stages_.empty() && !stages_[0].over_bytes) {
        scratch.classes_.clear();
        append_class_bytes(scratch.classes_, text);
        scratch.ends_.push_back(static_cast<uint32_t>(scratch.classes_.size()));
        for (; stage < stages_.size() && !stages_[stage].over_bytes; ++stage) run_stage(stage, scratch, deadline);
        to_byte_offsets(text, scratch.classes_.size(), scratch.ends_);
    } else {
        scratch.ends_.push_back(static_cast<uint32_t>(text.size()));
    }
    if (stage < stages_.size()) {
        scratch.classes_.clear();
        for (char byte : text) {
            scratch.classes_.push_back(static_cast<char>(class_byte(byte_to_code_point(static_cast<uint8_t>(byte)))));
        }
        for (; stage < stages_.size(); ++stage) run_stage(stage, scratch, deadline);
    }
    return scratch.ends_;
}

}  // namespace bitnet
