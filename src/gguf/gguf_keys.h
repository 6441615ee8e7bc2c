// Names of metadata keys that more than one file needs. Keys that begin with the architecture's name are built by those
// who know the architecture.
#pragma once

namespace bitnet::gguf_key {

inline constexpr char kArchitecture[] = "general.architecture";
inline constexpr char kName[] = "general.name";
inline constexpr char kType[] = "general.type";
inline constexpr char kAlignment[] = "general.alignment";
inline constexpr char kFileType[] = "general.file_type";
inline constexpr char kQuantizationVersion[] = "general.quantization_version";

inline constexpr char kAdapterType[] = "adapter.type";
inline constexpr char kAdapterAlpha[] = "adapter.lora.alpha";
inline constexpr char kAdapterInvocationTokens[] = "adapter.alora.invocation_tokens";

inline constexpr char kSplitNumber[] = "split.no";  // counted from 0
inline constexpr char kSplitCount[] = "split.count";
inline constexpr char kSplitTensorCount[] = "split.tensors.count";

// Appended to the architecture: "bitnet-b1.58" + kBlockCount.
inline constexpr char kVocabSize[] = ".vocab_size";
inline constexpr char kContextLength[] = ".context_length";
inline constexpr char kEmbeddingLength[] = ".embedding_length";
inline constexpr char kBlockCount[] = ".block_count";
inline constexpr char kFeedForwardLength[] = ".feed_forward_length";
inline constexpr char kHeadCount[] = ".attention.head_count";
inline constexpr char kHeadCountKv[] = ".attention.head_count_kv";
inline constexpr char kKeyLength[] = ".attention.key_length";
inline constexpr char kValueLength[] = ".attention.value_length";
inline constexpr char kRmsEpsilon[] = ".attention.layer_norm_rms_epsilon";
inline constexpr char kRopeDimensionCount[] = ".rope.dimension_count";
inline constexpr char kRopeFreqBase[] = ".rope.freq_base";
inline constexpr char kRopeScalingType[] = ".rope.scaling.type";
inline constexpr char kRopeScalingFactor[] = ".rope.scaling.factor";
inline constexpr char kRopeFreqBaseSliding[] = ".rope.freq_base_swa";
inline constexpr char kSlidingWindow[] = ".attention.sliding_window";
inline constexpr char kSlidingPattern[] = ".attention.sliding_window_pattern";
inline constexpr char kCausal[] = ".attention.causal";
inline constexpr char kAttentionSoftcap[] = ".attn_logit_softcapping";
inline constexpr char kFinalSoftcap[] = ".final_logit_softcapping";
inline constexpr char kPoolingType[] = ".pooling_type";
inline constexpr char kHiddenActivation[] = ".hidden_activation";

inline constexpr char kTokenizerModel[] = "tokenizer.ggml.model";
inline constexpr char kTokenizerPre[] = "tokenizer.ggml.pre";
inline constexpr char kTokens[] = "tokenizer.ggml.tokens";
inline constexpr char kScores[] = "tokenizer.ggml.scores";
inline constexpr char kTokenTypes[] = "tokenizer.ggml.token_type";
inline constexpr char kMerges[] = "tokenizer.ggml.merges";
inline constexpr char kBosId[] = "tokenizer.ggml.bos_token_id";
inline constexpr char kEosId[] = "tokenizer.ggml.eos_token_id";
inline constexpr char kEotId[] = "tokenizer.ggml.eot_token_id";
inline constexpr char kEomId[] = "tokenizer.ggml.eom_token_id";
inline constexpr char kUnknownId[] = "tokenizer.ggml.unknown_token_id";
inline constexpr char kSeparatorId[] = "tokenizer.ggml.seperator_token_id";  // spelled like this in every file
inline constexpr char kPaddingId[] = "tokenizer.ggml.padding_token_id";
inline constexpr char kAddBos[] = "tokenizer.ggml.add_bos_token";
inline constexpr char kAddEos[] = "tokenizer.ggml.add_eos_token";
inline constexpr char kAddSpacePrefix[] = "tokenizer.ggml.add_space_prefix";
inline constexpr char kRemoveExtraWhitespaces[] = "tokenizer.ggml.remove_extra_whitespaces";
inline constexpr char kChatTemplate[] = "tokenizer.chat_template";

}  // namespace bitnet::gguf_key
