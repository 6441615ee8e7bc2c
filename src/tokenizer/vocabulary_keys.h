// Keys of our own in a GGUF file, for what tokenizers of Hugging Face do and the keys that every program reads cannot say.
// Each is written only where the value differs from what a file without it means. Other programs pass over them; what they
// would then get wrong has the pre-tokenizer name "custom", which they refuse.
#pragma once

namespace bitnet::tokenizer_key {

// Byte-level BPE whose pre-tokenizer has no name: the stages in order.
inline constexpr char kPreRegexes[] = "bitnet.tokenizer.pre.regexes";       // strings
inline constexpr char kPreBehaviors[] = "bitnet.tokenizer.pre.behaviors";   // u8: a SplitBehavior each
inline constexpr char kPreOverBytes[] = "bitnet.tokenizer.pre.over_bytes";  // bool each
inline constexpr char kIgnoreMerges[] = "bitnet.tokenizer.ignore_merges";   // bool
inline constexpr char kPrefixSpace[] = "bitnet.tokenizer.prefix_space";     // bool
inline constexpr char kNfc[] = "bitnet.tokenizer.nfc";                      // bool: Vocabulary::nfc

// SentencePiece's way with spaces; all bool but the first, which is "never", "each_fragment" or "text_start".
inline constexpr char kSpacePrefix[] = "bitnet.tokenizer.space_prefix";
inline constexpr char kPrefixOnlyIfAbsent[] = "bitnet.tokenizer.prefix_only_if_absent";
inline constexpr char kSplitAtSpaces[] = "bitnet.tokenizer.split_at_spaces";
inline constexpr char kEscapeAfterAdded[] = "bitnet.tokenizer.escape_after_added";
inline constexpr char kNormalizeAdded[] = "bitnet.tokenizer.normalize_added";
inline constexpr char kByteFallback[] = "bitnet.tokenizer.byte_fallback";
inline constexpr char kFuseUnknown[] = "bitnet.tokenizer.fuse_unknown";
inline constexpr char kMergeByRank[] = "bitnet.tokenizer.merge_by_rank";  // tokenizer.ggml.merges rule, not the scores

inline constexpr char kTokenFlags[] = "bitnet.tokenizer.token_flags";  // u8 per token: bits of Vocabulary::token_flags
inline constexpr char kEndIds[] = "bitnet.tokenizer.end_token_ids";    // u32: more tokens that end a text

}  // namespace bitnet::tokenizer_key
