// Handles, and the structs of sections 1 to 17 of bitnet.h.
// Written by bindings/abi/emit_rust.py from bitnet.h; change that program, not this file.

use super::*;

#[repr(C)]
pub struct bitnet_model {
    _private: [u8; 0],
    _marker: Opaque,
}

#[repr(C)]
pub struct bitnet_tokenizer {
    _private: [u8; 0],
    _marker: Opaque,
}

#[repr(C)]
pub struct bitnet_context {
    _private: [u8; 0],
    _marker: Opaque,
}

#[repr(C)]
pub struct bitnet_sampler {
    _private: [u8; 0],
    _marker: Opaque,
}

#[repr(C)]
pub struct bitnet_grammar {
    _private: [u8; 0],
    _marker: Opaque,
}

#[repr(C)]
pub struct bitnet_chat_template {
    _private: [u8; 0],
    _marker: Opaque,
}

#[repr(C)]
pub struct bitnet_generation {
    _private: [u8; 0],
    _marker: Opaque,
}

#[repr(C)]
pub struct bitnet_adapter {
    _private: [u8; 0],
    _marker: Opaque,
}

#[repr(C)]
pub struct bitnet_validation_report {
    _private: [u8; 0],
    _marker: Opaque,
}

#[repr(C)]
pub struct bitnet_quantizer {
    _private: [u8; 0],
    _marker: Opaque,
}

#[repr(C)]
pub struct bitnet_convert_report {
    _private: [u8; 0],
    _marker: Opaque,
}

#[repr(C)]
pub struct bitnet_file {
    _private: [u8; 0],
    _marker: Opaque,
}

#[repr(C)]
pub struct bitnet_tokenizer_discovery {
    _private: [u8; 0],
    _marker: Opaque,
}

#[repr(C)]
pub struct bitnet_merge_report {
    _private: [u8; 0],
    _marker: Opaque,
}

#[repr(C)]
pub struct bitnet_cuda {
    _private: [u8; 0],
    _marker: Opaque,
}

#[repr(C)]
pub struct bitnet_cuda_module {
    _private: [u8; 0],
    _marker: Opaque,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_error_info {
    pub struct_size: u32,
    pub status: bitnet_status,
    pub expected: u64,
    pub actual: u64,
    pub offset: u64,
    pub subject: *const c_char,
    pub message: *const c_char,
    pub family: i32,
    pub severity: i32,
    pub recoverable: i32,
    pub has_numbers: i32,
    pub has_offset: i32,
    pub n_suggestions: i32,
    pub variant: *const c_char,
    pub operation: *const c_char,
    pub file: *const c_char,
    pub model: *const c_char,
    pub device: *const c_char,
    pub memory_bytes: u64,
    pub peak_memory_bytes: u64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_kernel_info {
    pub struct_size: u32,
    pub name: *const c_char,
    pub r#type: *const c_char,
    pub level: *const c_char,
    pub runnable: i32,
    pub exact: i32,
    pub selected: i32,
    pub is_vector: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_model_params {
    pub struct_size: u32,
    pub use_mmap: i32,
    pub check_weights: i32,
    pub i2s_order: i32,
    pub n_threads: i32,
    pub vocab_only: i32,
    pub kernel: *const c_char,
    pub max_bytes: u64,
    pub on_progress: Option<bitnet_progress_callback>,
    pub progress_user_data: *mut c_void,
    pub max_tensors: u64,
    pub sha256: i32,
    pub device: *const c_char,
    pub validate: i32,
    pub tokenizer_path: *const c_char,
    pub tl_tiling: *const c_char,
    pub quantization: *const c_char,
    pub screen_head: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_reader {
    pub struct_size: u32,
    pub size: u64,
    pub read: Option<bitnet_reader_read>,
    pub user_data: *mut c_void,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_model_info {
    pub struct_size: u32,
    pub architecture: *const c_char,
    pub name: *const c_char,
    pub quantization: *const c_char,
    pub kernel: *const c_char,
    pub n_vocab: i32,
    pub n_ctx_train: i32,
    pub n_embd: i32,
    pub n_layer: i32,
    pub n_head: i32,
    pub n_head_kv: i32,
    pub head_dim: i32,
    pub n_ff: i32,
    pub rope_freq_base: f32,
    pub rms_norm_eps: f32,
    pub n_tensors: u64,
    pub n_parameters: u64,
    pub n_file_bytes: u64,
    pub bits_per_weight: f64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_tensor_info {
    pub struct_size: u32,
    pub name: *const c_char,
    pub r#type: *const c_char,
    pub n_dims: i32,
    pub shape: [i64; 4],
    pub file_offset: u64,
    pub n_bytes: u64,
    pub part: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_memory_info {
    pub struct_size: u32,
    pub weights_mapped_bytes: u64,
    pub weights_owned_bytes: u64,
    pub vocabulary_bytes: u64,
    pub kv_bytes: u64,
    pub scratch_bytes: u64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_tokenizer_info {
    pub struct_size: u32,
    pub source: *const c_char,
    pub model: *const c_char,
    pub pre: *const c_char,
    pub n_vocab: i32,
    pub bos: bitnet_token,
    pub eos: bitnet_token,
    pub eot: bitnet_token,
    pub pad: bitnet_token,
    pub unk: bitnet_token,
    pub add_bos: i32,
    pub add_eos: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_chat_message {
    pub role: *const c_char,
    pub content: *const c_char,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_context_params {
    pub struct_size: u32,
    pub n_ctx: i32,
    pub n_batch: i32,
    pub n_ubatch: i32,
    pub n_seq_max: i32,
    pub n_threads: i32,
    pub embeddings: i32,
    pub trace: i32,
    pub should_abort: Option<bitnet_context_params_should_abort>,
    pub abort_user_data: *mut c_void,
    pub max_lora_rank: i32,
    pub max_bytes: u64,
    pub timeout_us: u64,
    pub thread_pool: *const bitnet_thread_pool,
    pub on_progress: Option<bitnet_progress_callback>,
    pub progress_user_data: *mut c_void,
    pub type_k: i32,
    pub type_v: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_batch {
    pub struct_size: u32,
    pub n_tokens: i32,
    pub tokens: *const bitnet_token,
    pub positions: *const bitnet_pos,
    pub seq_ids: *const bitnet_seq_id,
    pub want_output: *const i8,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_logit_bias {
    pub token: bitnet_token,
    pub bias: f32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_sampler_params {
    pub struct_size: u32,
    pub temperature: f32,
    pub top_k: i32,
    pub top_p: f32,
    pub min_p: f32,
    pub typical_p: f32,
    pub repetition_penalty: f32,
    pub frequency_penalty: f32,
    pub presence_penalty: f32,
    pub penalty_last_n: i32,
    pub has_seed: i32,
    pub seed: u64,
    pub logit_bias: *const bitnet_logit_bias,
    pub n_logit_bias: usize,
    pub xtc_probability: f32,
    pub xtc_threshold: f32,
    pub dry_multiplier: f32,
    pub dry_base: f32,
    pub dry_allowed_length: i32,
    pub dry_penalty_last_n: i32,
    pub dry_breakers: *const bitnet_token,
    pub n_dry_breakers: usize,
    pub dynatemp_range: f32,
    pub dynatemp_exponent: f32,
    pub top_n_sigma: f32,
    pub mirostat: i32,
    pub mirostat_tau: f32,
    pub mirostat_eta: f32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_token_logprob {
    pub token: bitnet_token,
    pub logprob: f32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_metrics {
    pub struct_size: u32,
    pub load_us: u64,
    pub prefill_us: u64,
    pub prefill_tokens: u64,
    pub decode_us: u64,
    pub decode_tokens: u64,
    pub n_decodes: u64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_generation_params {
    pub struct_size: u32,
    pub max_new_tokens: i32,
    pub skip_special_tokens: i32,
    pub parse_special: i32,
    pub deadline_us: u64,
    pub sampler: *const bitnet_sampler_params,
    pub stop_sequences: *mut *const c_char,
    pub n_stop_sequences: usize,
    pub receipt: i32,
    pub n_logprobs: i32,
    pub grammar: *const bitnet_grammar,
    pub n_draft: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_generation_step {
    pub struct_size: u32,
    pub finish_reason: i32,
    pub text: *const c_char,
    pub n_bytes: usize,
    pub tokens: *const bitnet_token,
    pub n_tokens: usize,
    pub token_us: u64,
    pub cumulative_us: u64,
    pub tokens_per_second: f64,
    pub prompt_tokens_left: u64,
    pub status: i32,
    pub error: *const c_char,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_generation_result {
    pub struct_size: u32,
    pub finish_reason: i32,
    pub stop_sequence: i32,
    pub text: *const c_char,
    pub n_bytes: usize,
    pub tokens: *const bitnet_token,
    pub token_times_us: *const u64,
    pub n_tokens: usize,
    pub model_name: *const c_char,
    pub quantization: *const c_char,
    pub device: *const c_char,
    pub seed: u64,
    pub prompt_tokens: u64,
    pub reused_tokens: u64,
    pub tokenize_us: u64,
    pub prefill_us: u64,
    pub decode_us: u64,
    pub decode_steps: u64,
    pub total_us: u64,
    pub prefill_tokens_per_second: f64,
    pub decode_tokens_per_second: f64,
    pub total_tokens_per_second: f64,
    pub drafted_tokens: u64,
    pub accepted_tokens: u64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_environment_info {
    pub struct_size: u32,
    pub kernel: *const c_char,
    pub n_threads: i32,
    pub batch_size: i32,
    pub memory_limit: u64,
    pub deterministic: i32,
    pub has_seed: i32,
    pub seed: u64,
    pub strict_tokenizers: i32,
    pub offline: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_receipt_params {
    pub struct_size: u32,
    pub n_threads: i32,
    pub replay_share: f64,
    pub replay_count: i64,
    pub seed: u64,
    pub max_tokens: i32,
    pub should_abort: Option<bitnet_receipt_params_should_abort>,
    pub abort_user_data: *mut c_void,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_receipt_report {
    pub struct_size: u32,
    pub failed_check: i32,
    pub model_matched: i32,
    pub n_positions: u64,
    pub n_replayed: u64,
    pub first_mismatch: i64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_adapter_info {
    pub struct_size: u32,
    pub name: *const c_char,
    pub architecture: *const c_char,
    pub rank: i32,
    pub alpha: f32,
    pub n_tensors: u64,
    pub n_parameters: u64,
    pub n_bytes: u64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_adapter_use {
    pub adapter: *const bitnet_adapter,
    pub scale: f32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_memory_breakdown {
    pub struct_size: u32,
    pub attention_bytes: u64,
    pub feed_forward_bytes: u64,
    pub norm_bytes: u64,
    pub embedding_bytes: u64,
    pub output_bytes: u64,
    pub other_bytes: u64,
    pub total_bytes: u64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_memory_estimate {
    pub struct_size: u32,
    pub n_ctx: i32,
    pub n_batch: i32,
    pub n_ubatch: i32,
    pub n_seq_max: i32,
    pub n_threads: i32,
    pub weights_mapped_bytes: u64,
    pub weights_owned_bytes: u64,
    pub load_peak_bytes: u64,
    pub attention_bytes: u64,
    pub feed_forward_bytes: u64,
    pub norm_bytes: u64,
    pub embedding_bytes: u64,
    pub output_bytes: u64,
    pub other_bytes: u64,
    pub kv_bytes: u64,
    pub scratch_bytes: u64,
    pub activation_bytes: u64,
    pub score_bytes: u64,
    pub batch_bytes: u64,
    pub graph_bytes: u64,
    pub logits_bytes: u64,
    pub extra_output_bytes: u64,
    pub total_bytes: u64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_validation_finding {
    pub struct_size: u32,
    pub kind: i32,
    pub severity: i32,
    pub status: i32,
    pub tensor: *const c_char,
    pub message: *const c_char,
    pub count: u64,
    pub index: u64,
    pub offset: u64,
    pub has_offset: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_validation_tensor {
    pub struct_size: u32,
    pub name: *const c_char,
    pub r#type: *const c_char,
    pub role: *const c_char,
    pub n_bytes: u64,
    pub values_checked: i32,
    pub is_ternary: i32,
    pub n_values: u64,
    pub n_zeros: u64,
    pub n_zero_rows: u64,
    pub scale: f64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_validation_info {
    pub struct_size: u32,
    pub is_valid: i32,
    pub architecture: *const c_char,
    pub n_tensors: u64,
    pub n_errors: u64,
    pub n_warnings: u64,
    pub n_notes: u64,
    pub n_findings: u64,
    pub n_missing: u64,
    pub n_wrong_shapes: u64,
    pub n_ternary_values: u64,
    pub ternary_zeros: f64,
    pub seconds: f64,
    pub stored: *const bitnet_memory_breakdown,
    pub quantization_accuracy: f64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_validation_params {
    pub struct_size: u32,
    pub check_values: i32,
    pub n_threads: i32,
    pub max_findings: u32,
    pub on_progress: Option<bitnet_progress_callback>,
    pub progress_user_data: *mut c_void,
    pub max_tensors: u64,
    pub tl_tiling: *const c_char,
}
