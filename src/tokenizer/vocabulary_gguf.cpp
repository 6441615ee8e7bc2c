// GGUF metadata -> Vocabulary. Files differ in which keys they have; what a missing key means follows the programs that
// read such files today, with one exception: BitNet files without tokenizer.ggml.pre mean Llama 3's, not "default".
#include <optional>

#include "src/base/error.h"
#include "src/gguf/gguf_reader.h"
#include "src/tokenizer/vocabulary.h"
#include "src/tokenizer/vocabulary_keys.h"

namespace bitnet {
namespace {

// Writers store "none" as -1 in this unsigned field.
constexpr uint64_t kNoId = 0xFFFFFFFFu;
constexpr size_t kMaxStages = 64;
constexpr char kCharsMap[] = "tokenizer.ggml.precompiled_charsmap";

std::optional<int32_t> read_id(const GgufFile& file, const char* key, size_t n_tokens) {
    const std::optional<uint64_t> id = file.get_uint(key);
    if (!id || *id == kNoId) return std::nullopt;
    if (*id < n_tokens) return static_cast<int32_t>(*id);
    throw Error(BITNET_E_TOKENIZER, std::string(key) + " is " + std::to_string(*id) + " but the vocabulary has only " +
                                        std::to_string(n_tokens) + " tokens; convert the file again")
        .with_numbers(n_tokens, *id)
        .with_subject(key);
}

const GgufValue* sized_array(const GgufFile& file, const char* key, GgufType element, size_t n_tokens,
                             const char* what = "tokens") {
    const GgufValue* array = file.get_array(key, element);
    if (array == nullptr || array->size() == n_tokens) return array;
    throw Error(BITNET_E_TOKENIZER, std::string(key) + " has " + std::to_string(array->size()) + " entries for " +
                                        std::to_string(n_tokens) + " " + what + "; convert the file again")
        .with_numbers(n_tokens, array->size())
        .with_subject(key);
}

void read_tokens(const GgufFile& file, Vocabulary& v) {
    const GgufValue* tokens = file.get_array(gguf_key::kTokens, GgufType::string);
    if (tokens == nullptr || tokens->size() == 0) {
        throw Error(BITNET_E_TOKENIZER,
                    std::string("the file has no ") + gguf_key::kTokens + "; load a tokenizer from another file")
            .with_subject(gguf_key::kTokens);
    }
    if (tokens->size() > kMaxVocabulary) {
        throw Error(BITNET_E_TOKENIZER,
                    "the vocabulary has " + std::to_string(tokens->size()) + " tokens; at most 16777216 are supported")
            .with_numbers(kMaxVocabulary, tokens->size());
    }
    v.tokens.reserve(tokens->size());
    for (size_t i = 0; i < tokens->size(); ++i) v.tokens.emplace_back(tokens->as_string(i).value());
}

void read_ids(const GgufFile& file, Vocabulary& v) {
    const size_t n = v.tokens.size();
    if (v.kind == VocabularyKind::spm) {  // SentencePiece's own defaults
        v.unk = 0;
        if (n > 1) v.bos = 1;
        if (n > 2) v.eos = 2;
    }
    const std::pair<const char*, int32_t*> keys[] = {{gguf_key::kBosId, &v.bos},     {gguf_key::kEosId, &v.eos},
                                                     {gguf_key::kEotId, &v.eot},     {gguf_key::kEomId, &v.eom},
                                                     {gguf_key::kPaddingId, &v.pad}, {gguf_key::kUnknownId, &v.unk}};
    for (const auto& [key, id] : keys) {
        if (file.find(key) != nullptr) *id = read_id(file, key, n).value_or(-1);
    }
}

void read_attributes(const GgufFile& file, Vocabulary& v) {
    const size_t n = v.tokens.size();
    v.attributes.assign(n, BITNET_TOKEN_NORMAL);
    if (const GgufValue* types = sized_array(file, gguf_key::kTokenTypes, GgufType::i32, n)) {
        for (size_t i = 0; i < n; ++i) {
            const int64_t type = types->as_int(i).value();
            if (type < 0 || type > BITNET_TOKEN_BYTE) {
                throw Error(BITNET_E_TOKENIZER, "token " + std::to_string(i) + " has the unknown type " +
                                                    std::to_string(type) + "; convert the file again")
                    .with_subject(gguf_key::kTokenTypes);
            }
            if (type > 0) v.attributes[i] = static_cast<uint8_t>(type);  // 0 is "undefined": as good as normal
        }
        return;
    }
    for (const int32_t id : {v.bos, v.eos, v.eot, v.eom, v.pad}) {
        if (id >= 0) v.attributes[static_cast<size_t>(id)] = BITNET_TOKEN_CONTROL;
    }
    if (v.unk >= 0) v.attributes[static_cast<size_t>(v.unk)] = BITNET_TOKEN_UNKNOWN;
    if (v.kind == VocabularyKind::bpe) return;
    for (size_t i = 0; i < n; ++i) {
        if (byte_of_token_text(v.tokens[i]) >= 0) v.attributes[i] = BITNET_TOKEN_BYTE;
    }
}

[[noreturn]] void wrong_key(const char* key, const std::string& what) {
    throw Error(BITNET_E_TOKENIZER, std::string(key) + " " + what + "; convert the file again").with_subject(key);
}

void read_merges(const GgufFile& file, Vocabulary& v) {
    const GgufValue* merges = file.get_array(gguf_key::kMerges, GgufType::string);
    if (merges == nullptr) {
        throw Error(BITNET_E_TOKENIZER,
                    std::string("the vocabulary has no ") + gguf_key::kMerges + "; convert the file again")
            .with_subject(gguf_key::kMerges);
    }
    v.merges.reserve(merges->size());
    for (size_t i = 0; i < merges->size(); ++i) {
        const std::string_view text = merges->as_string(i).value();
        // The first part may itself be a space in alphabets that are not GPT-2's, so the search begins behind it.
        const size_t space = text.find(' ', 1);
        if (space == std::string_view::npos || space + 1 == text.size()) {
            throw Error(BITNET_E_TOKENIZER, "merge " + std::to_string(i) + " (" + quote_text(text) +
                                                ") is not two texts with a space between; convert the file again")
                .with_subject(gguf_key::kMerges);
        }
        MergeText merge{std::string(text.substr(0, space)), static_cast<uint32_t>(space)};
        merge.text += text.substr(space + 1);
        v.merges.push_back(std::move(merge));
    }
}

// The stages of a pre-tokenizer without a name (vocabulary_keys.h).
void read_custom_stages(const GgufFile& file, Vocabulary& v) {
    const GgufValue* regexes = file.get_array(tokenizer_key::kPreRegexes, GgufType::string);
    if (regexes == nullptr) {
        throw Error(BITNET_E_TOKENIZER, std::string("unknown pre-tokenizer 'custom' (") + gguf_key::kTokenizerPre +
                                            " without " + tokenizer_key::kPreRegexes + "); convert the file again")
            .with_subject("custom");
    }
    if (regexes->size() > kMaxStages) {
        wrong_key(tokenizer_key::kPreRegexes,
                  "has " + std::to_string(regexes->size()) + " stages; at most 64 are supported");
    }
    const GgufValue* behaviors =
        sized_array(file, tokenizer_key::kPreBehaviors, GgufType::u8, regexes->size(), "pre-tokenizer stages");
    const GgufValue* over_bytes =
        sized_array(file, tokenizer_key::kPreOverBytes, GgufType::boolean, regexes->size(), "pre-tokenizer stages");
    for (size_t i = 0; i < regexes->size(); ++i) {
        PretokenizeStage stage;
        stage.regex = regexes->as_string(i).value();
        const uint64_t behavior = behaviors != nullptr ? behaviors->as_uint(i).value() : 0;
        if (behavior > static_cast<uint64_t>(SplitBehavior::merged_with_next)) {
            wrong_key(tokenizer_key::kPreBehaviors, "has the unknown value " + std::to_string(behavior));
        }
        stage.behavior = static_cast<SplitBehavior>(behavior);
        stage.over_bytes = over_bytes != nullptr && over_bytes->as_bool(i).value();
        if (i > 0 && v.stages.back().over_bytes && !stage.over_bytes) {
            wrong_key(tokenizer_key::kPreOverBytes, "goes back from bytes to characters");
        }
        v.stages.push_back(std::move(stage));
    }
}

void read_token_flags(const GgufFile& file, Vocabulary& v) {
    const GgufValue* flags = sized_array(file, tokenizer_key::kTokenFlags, GgufType::u8, v.tokens.size());
    if (flags == nullptr) return;
    const std::span<const uint8_t> bytes = flags->raw();
    v.token_flags.assign(bytes.begin(), bytes.end());
    for (const uint8_t bits : v.token_flags) {
        if (bits > kAllTokenFlags)
            wrong_key(tokenizer_key::kTokenFlags, "has the unknown value " + std::to_string(bits));
    }
}

void read_extra_ends(const GgufFile& file, Vocabulary& v) {
    const GgufValue* ids = file.get_array(tokenizer_key::kEndIds, GgufType::u32);
    if (ids == nullptr) return;
    for (size_t i = 0; i < ids->size(); ++i) {
        const uint64_t id = ids->as_uint(i).value();
        if (id >= v.tokens.size()) {
            wrong_key(tokenizer_key::kEndIds, "names token " + std::to_string(id) + " of a vocabulary of " +
                                                  std::to_string(v.tokens.size()) + " tokens");
        }
        v.extra_ends.push_back(static_cast<int32_t>(id));
    }
}

void read_bpe(const GgufFile& file, Vocabulary& v) {
    const bool is_bitnet = v.architecture == "bitnet-b1.58" || v.architecture == "bitnet-25";
    v.pre = file.get_string(gguf_key::kTokenizerPre).value_or(is_bitnet ? "llama-bpe" : "default");
    if (const PretokenizerRow* row = find_pretokenizer(v.pre)) {  // an unknown name is refused by the encoder
        v.ignore_merges = row->ignore_merges;
        v.add_bos = row->add_bos;
    } else if (v.pre == "custom") {
        read_custom_stages(file, v);
    }
    v.ignore_merges = file.get_bool(tokenizer_key::kIgnoreMerges).value_or(v.ignore_merges);
    v.prefix_space = file.get_bool(tokenizer_key::kPrefixSpace).value_or(false);
    v.nfc = file.get_bool(tokenizer_key::kNfc).value_or(false);
    read_merges(file, v);
}

SpacePrefix read_space_prefix(const GgufFile& file) {
    const bool standard = file.get_bool(gguf_key::kAddSpacePrefix).value_or(true);
    const std::optional<std::string_view> name = file.get_string(tokenizer_key::kSpacePrefix);
    if (!name) return standard ? SpacePrefix::each_fragment : SpacePrefix::never;
    for (const SpacePrefix prefix : {SpacePrefix::never, SpacePrefix::each_fragment, SpacePrefix::text_start}) {
        if (*name == space_prefix_name(prefix)) return prefix;
    }
    wrong_key(tokenizer_key::kSpacePrefix, "is " + quote_text(std::string(name->substr(0, 40))) +
                                               ", which is none of never, each_fragment, text_start");
}

void read_spm(const GgufFile& file, Vocabulary& v) {
    const GgufValue* scores = sized_array(file, gguf_key::kScores, GgufType::f32, v.tokens.size());
    if (scores == nullptr) {
        throw Error(BITNET_E_TOKENIZER, std::string("the SentencePiece vocabulary has no ") + gguf_key::kScores +
                                            "; convert the file again")
            .with_subject(gguf_key::kScores);
    }
    v.scores.reserve(scores->size());
    for (size_t i = 0; i < scores->size(); ++i) v.scores.push_back(static_cast<float>(scores->as_float(i).value()));
    if (const GgufValue* map = file.find(kCharsMap); map != nullptr && map->size() > 0) {
        throw Error(BITNET_E_TOKENIZER,
                    std::string("the vocabulary wants text normalized by ") + kCharsMap + ", which is not supported")
            .with_subject(kCharsMap);
    }
    v.add_bos = true;
    v.space_prefix = read_space_prefix(file);
    const std::pair<const char*, bool*> flags[] = {{tokenizer_key::kPrefixOnlyIfAbsent, &v.prefix_only_if_absent},
                                                   {tokenizer_key::kSplitAtSpaces, &v.split_at_spaces},
                                                   {tokenizer_key::kEscapeAfterAdded, &v.escape_after_added},
                                                   {tokenizer_key::kNormalizeAdded, &v.normalize_added},
                                                   {tokenizer_key::kByteFallback, &v.byte_fallback},
                                                   {tokenizer_key::kFuseUnknown, &v.fuse_unknown}};
    for (const auto& [key, flag] : flags) *flag = file.get_bool(key).value_or(*flag);
    if (file.get_bool(tokenizer_key::kMergeByRank).value_or(false)) {
        v.merge_by_score = false;
        read_merges(file, v);
    }
    v.remove_extra_whitespaces = file.get_bool(gguf_key::kRemoveExtraWhitespaces).value_or(false);
}

}  // namespace

bool has_vocabulary(const GgufFile& file) { return file.find(gguf_key::kTokenizerModel) != nullptr; }

Vocabulary read_vocabulary_gguf(const GgufFile& file) {
    const std::optional<std::string_view> model = file.get_string(gguf_key::kTokenizerModel);
    if (!model) {
        throw Error(BITNET_E_TOKENIZER, std::string("the file has no vocabulary (no ") + gguf_key::kTokenizerModel +
                                            "); load a tokenizer from another file")
            .with_subject(gguf_key::kTokenizerModel);
    }
    Vocabulary v;
    if (*model == "llama") {
        v.kind = VocabularyKind::spm;
    } else if (*model != "gpt2") {
        const std::string name(model->substr(0, 80));
        throw Error(BITNET_E_TOKENIZER, "unsupported tokenizer model " + quote_text(name) +
                                            "; this build reads 'gpt2' (byte-level "
                                            "BPE) and 'llama' (SentencePiece BPE)")
            .with_subject(name);
    }
    v.source = "gguf";
    v.architecture = file.get_string(gguf_key::kArchitecture).value_or("");
    v.chat_template = file.get_string(gguf_key::kChatTemplate).value_or("");
    read_tokens(file, v);
    read_ids(file, v);
    read_attributes(file, v);
    read_token_flags(file, v);
    read_extra_ends(file, v);
    if (v.kind == VocabularyKind::bpe) {
        read_bpe(file, v);
    } else {
        read_spm(file, v);
    }
    v.add_bos = file.get_bool(gguf_key::kAddBos).value_or(v.add_bos);
    v.add_eos = file.get_bool(gguf_key::kAddEos).value_or(v.add_eos);
    return v;
}

}  // namespace bitnet
