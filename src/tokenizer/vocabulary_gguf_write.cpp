// Standard keys first, which every program reads; then keys of our own for what those cannot say (vocabulary_keys.h).
// The pre-tokenizer is named by its content: a row of the table with the same expressions and settings. Without one the
// name is "custom" and the expressions themselves are in the file. A made-up name would make other programs refuse the file
// as well, and a name that nearly fits would make them give wrong tokens in silence.
#include "src/tokenizer/vocabulary_gguf_write.h"

#include <algorithm>
#include <vector>

#include "src/base/error.h"
#include "src/gguf/gguf_keys.h"
#include "src/tokenizer/tokenizer.h"
#include "src/tokenizer/tokenizer_files.h"
#include "src/tokenizer/vocabulary_keys.h"

namespace bitnet {
namespace {

constexpr uint32_t kNoId = 0xFFFFFFFFu;

void add_tokens(GgufWriter& writer, const Vocabulary& v) {
    writer.add_string_array(gguf_key::kTokens, std::span<const std::string>(v.tokens));
    const std::vector<int32_t> types(v.attributes.begin(), v.attributes.end());
    writer.add_i32_array(gguf_key::kTokenTypes, types);
}

void add_ids(GgufWriter& writer, const Vocabulary& v) {
    // Readers assume ids that a SentencePiece file does not name, so there "none" has to be said.
    const bool say_none = v.kind == VocabularyKind::spm;
    const auto add = [&](const char* key, int32_t id, bool has_default) {
        if (id >= 0) writer.add_u32(key, static_cast<uint32_t>(id));
        if (id < 0 && has_default && say_none) writer.add_u32(key, kNoId);
    };
    add(gguf_key::kBosId, v.bos, true);
    add(gguf_key::kEosId, v.eos, true);
    add(gguf_key::kUnknownId, v.unk, true);
    add(gguf_key::kPaddingId, v.pad, false);
    add(gguf_key::kEotId, v.eot, false);
    add(gguf_key::kEomId, v.eom, false);
    if (!v.extra_ends.empty()) {
        const std::vector<uint32_t> ids(v.extra_ends.begin(), v.extra_ends.end());
        writer.add_u32_array(tokenizer_key::kEndIds, ids);
    }
    writer.add_bool(gguf_key::kAddBos, v.add_bos);
    writer.add_bool(gguf_key::kAddEos, v.add_eos);
}

void add_merges(GgufWriter& writer, const Vocabulary& v) {
    std::vector<std::string> merges;
    merges.reserve(v.merges.size());
    for (const MergeText& merge : v.merges) {
        std::string text = merge.text;
        text.insert(merge.left_size, 1, ' ');
        if (text.find(' ', 1) != merge.left_size || merge.left_size + 1 == text.size()) {
            throw Error(BITNET_E_TOKENIZER, "merge " + std::to_string(merges.size()) + " (" + quote_text(text) +
                                                ") has a space in it, which a GGUF file cannot hold");
        }
        merges.push_back(std::move(text));
    }
    writer.add_string_array(gguf_key::kMerges, std::span<const std::string>(merges));
}

void add_custom_stages(GgufWriter& writer, const std::vector<PretokenizeStage>& stages) {
    std::vector<std::string> regexes;
    std::vector<uint8_t> behaviors;
    std::vector<bool> over_bytes;
    for (const PretokenizeStage& stage : stages) {
        regexes.push_back(stage.regex);
        behaviors.push_back(static_cast<uint8_t>(stage.behavior));
        over_bytes.push_back(stage.over_bytes);
    }
    writer.add_string(gguf_key::kTokenizerPre, "custom");
    writer.add_string_array(tokenizer_key::kPreRegexes, std::span<const std::string>(regexes));
    writer.add_u8_array(tokenizer_key::kPreBehaviors, behaviors);
    writer.add_bool_array(tokenizer_key::kPreOverBytes, over_bytes);
}

void add_bpe(GgufWriter& writer, const Vocabulary& v) {
    std::vector<PretokenizeStage> stages = v.stages;
    if (v.pre != "custom") {
        const PretokenizerRow* row = find_pretokenizer(v.pre);
        if (row == nullptr) throw Error(BITNET_E_TOKENIZER, "unknown pre-tokenizer " + quote_text(v.pre));
        stages = stages_of(*row);
    }
    // A vocabulary keeps its name where that says all; the rows for a name and for its expressions may differ in
    // whether merges are ignored.
    const PretokenizerRow* row = find_pretokenizer(v.pre);
    if (row == nullptr || row->ignore_merges != v.ignore_merges) row = find_pretokenizer(stages, v.ignore_merges);
    if (row == nullptr || v.prefix_space) {
        add_custom_stages(writer, stages);
        if (v.ignore_merges) writer.add_bool(tokenizer_key::kIgnoreMerges, true);
        if (v.prefix_space) writer.add_bool(tokenizer_key::kPrefixSpace, true);
    } else {
        const bool has_name = std::find(row->names.begin(), row->names.end(), v.pre) != row->names.end();
        writer.add_string(gguf_key::kTokenizerPre, has_name ? std::string_view(v.pre) : row->names[0]);
    }
    if (v.nfc) writer.add_bool(tokenizer_key::kNfc, true);
    add_merges(writer, v);
}

// Scores that order tokens as the ranks of their merges do. Programs that merge by score find the same tokens but for
// pairs of equal results, which have one rank each here.
std::vector<float> scores_of_ranks(const Vocabulary& v) {
    constexpr float kUnset = 1.0f;
    std::vector<float> scores(v.tokens.size(), kUnset);
    StringTable index;
    index.reserve_index(v.tokens.size());
    for (uint32_t id = 0; id < v.tokens.size(); ++id) {
        index.add(v.tokens[id]);
        index.index(id);
    }
    float next = 0.0f;
    for (const MergeText& merge : v.merges) {
        const uint32_t id = index.find(merge.text);
        if (id == StringTable::kNotFound || scores[id] != kUnset) continue;
        scores[id] = next;
        next -= 1.0f;
    }
    for (size_t id = 0; id < scores.size(); ++id) {
        if (scores[id] != kUnset) continue;
        const uint8_t attribute = v.attributes[id];
        if (attribute == BITNET_TOKEN_NORMAL) {
            scores[id] = next;  // a character, which nothing merges to
            next -= 1.0f;
        } else {
            scores[id] = attribute == BITNET_TOKEN_UNUSED ? kScoreOfAdded : 0.0f;
        }
    }
    return scores;
}

void add_spm(GgufWriter& writer, const Vocabulary& v) {
    writer.add_string(gguf_key::kTokenizerPre, "default");
    writer.add_f32_array(gguf_key::kScores, v.merge_by_score ? v.scores : scores_of_ranks(v));
    writer.add_bool(gguf_key::kAddSpacePrefix, v.space_prefix != SpacePrefix::never);
    writer.add_bool(gguf_key::kRemoveExtraWhitespaces, v.remove_extra_whitespaces);
    if (v.space_prefix == SpacePrefix::text_start) {
        writer.add_string(tokenizer_key::kSpacePrefix, space_prefix_name(v.space_prefix));
    }
    const Vocabulary absent;  // the values that a file without the keys means
    const struct {
        const char* key;
        bool value, absent;
    } flags[] = {{tokenizer_key::kPrefixOnlyIfAbsent, v.prefix_only_if_absent, absent.prefix_only_if_absent},
                 {tokenizer_key::kSplitAtSpaces, v.split_at_spaces, absent.split_at_spaces},
                 {tokenizer_key::kEscapeAfterAdded, v.escape_after_added, absent.escape_after_added},
                 {tokenizer_key::kNormalizeAdded, v.normalize_added, absent.normalize_added},
                 {tokenizer_key::kByteFallback, v.byte_fallback, absent.byte_fallback},
                 {tokenizer_key::kFuseUnknown, v.fuse_unknown, absent.fuse_unknown}};
    for (const auto& flag : flags) {
        if (flag.value != flag.absent) writer.add_bool(flag.key, flag.value);
    }
    if (v.merge_by_score) return;
    writer.add_bool(tokenizer_key::kMergeByRank, true);
    add_merges(writer, v);
}

// Flags of tokens that text is never searched for, or that say what the type says already, are left out.
void add_token_flags(GgufWriter& writer, const Vocabulary& v) {
    std::vector<uint8_t> flags = v.token_flags;
    for (size_t id = 0; id < flags.size(); ++id) {
        const uint8_t attribute = v.attributes[id];
        const bool is_control = attribute == BITNET_TOKEN_CONTROL || attribute == BITNET_TOKEN_UNKNOWN;
        const bool is_bpe_unused = attribute == BITNET_TOKEN_UNUSED && v.kind == VocabularyKind::bpe;
        if (is_control || is_bpe_unused) flags[id] &= static_cast<uint8_t>(~kTokenAddedOnly);
    }
    if (std::all_of(flags.begin(), flags.end(), [](uint8_t bits) { return bits == 0; })) return;
    writer.add_u8_array(tokenizer_key::kTokenFlags, flags);
}

}  // namespace

void add_vocabulary_keys(GgufWriter& writer, const Vocabulary& v) {
    check_vocabulary(v);
    writer.add_string(gguf_key::kTokenizerModel, v.kind == VocabularyKind::bpe ? "gpt2" : "llama");
    if (v.kind == VocabularyKind::bpe) {
        add_bpe(writer, v);
    } else {
        add_spm(writer, v);
    }
    add_tokens(writer, v);
    add_ids(writer, v);
    add_token_flags(writer, v);
    if (!v.chat_template.empty()) writer.add_string(gguf_key::kChatTemplate, v.chat_template);
}

void add_tokenizer_keys(GgufWriter& writer, const std::string& folder, size_t n_vocab) {
    Vocabulary vocabulary = read_vocabulary_file(folder);
    try {
        if (n_vocab > 0) fill_vocabulary(vocabulary, n_vocab);
        [[maybe_unused]] const Tokenizer usable(vocabulary);  // refuses what the written file could not be used for
        add_vocabulary_keys(writer, vocabulary);
    } catch (Error& error) {
        error.prefix(folder);
        throw;
    }
}

}  // namespace bitnet
