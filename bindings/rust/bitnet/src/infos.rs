// What the library tells about models, devices and runs, as owned values.
// Written by bindings/abi/emit_rust.py from bitnet.h; change that program, not this file.

#![allow(missing_docs)] // each field is told about in bitnet.h, at the struct that is named here

use crate::enums::*;
use crate::ffi::text;
use bitnet_sys as sys;

/// `bitnet_kernel_info` of bitnet.h.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct KernelInfo {
    pub name: String,
    pub type_name: String,
    pub level: String,
    pub runnable: bool,
    pub exact: bool,
    pub selected: bool,
    pub is_vector: bool,
}

impl KernelInfo {
    pub(crate) unsafe fn from_raw(raw: &sys::bitnet_kernel_info) -> KernelInfo {
        KernelInfo {
            name: text(raw.name),
            type_name: text(raw.r#type),
            level: text(raw.level),
            runnable: raw.runnable != 0,
            exact: raw.exact != 0,
            selected: raw.selected != 0,
            is_vector: raw.is_vector != 0,
        }
    }
}

/// `bitnet_model_info` of bitnet.h.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ModelInfo {
    pub architecture: String,
    pub name: String,
    pub quantization: String,
    pub kernel: String,
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

impl ModelInfo {
    pub(crate) unsafe fn from_raw(raw: &sys::bitnet_model_info) -> ModelInfo {
        ModelInfo {
            architecture: text(raw.architecture),
            name: text(raw.name),
            quantization: text(raw.quantization),
            kernel: text(raw.kernel),
            n_vocab: raw.n_vocab,
            n_ctx_train: raw.n_ctx_train,
            n_embd: raw.n_embd,
            n_layer: raw.n_layer,
            n_head: raw.n_head,
            n_head_kv: raw.n_head_kv,
            head_dim: raw.head_dim,
            n_ff: raw.n_ff,
            rope_freq_base: raw.rope_freq_base,
            rms_norm_eps: raw.rms_norm_eps,
            n_tensors: raw.n_tensors,
            n_parameters: raw.n_parameters,
            n_file_bytes: raw.n_file_bytes,
            bits_per_weight: raw.bits_per_weight,
        }
    }
}

/// `bitnet_tensor_info` of bitnet.h.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TensorInfo {
    pub name: String,
    pub type_name: String,
    pub n_dims: i32,
    pub shape: [i64; 4],
    pub file_offset: u64,
    pub n_bytes: u64,
    pub part: i32,
}

impl TensorInfo {
    pub(crate) unsafe fn from_raw(raw: &sys::bitnet_tensor_info) -> TensorInfo {
        TensorInfo {
            name: text(raw.name),
            type_name: text(raw.r#type),
            n_dims: raw.n_dims,
            shape: raw.shape,
            file_offset: raw.file_offset,
            n_bytes: raw.n_bytes,
            part: raw.part,
        }
    }
}

/// `bitnet_memory_info` of bitnet.h.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct MemoryInfo {
    pub weights_mapped_bytes: u64,
    pub weights_owned_bytes: u64,
    pub vocabulary_bytes: u64,
    pub kv_bytes: u64,
    pub scratch_bytes: u64,
}

impl MemoryInfo {
    pub(crate) unsafe fn from_raw(raw: &sys::bitnet_memory_info) -> MemoryInfo {
        MemoryInfo {
            weights_mapped_bytes: raw.weights_mapped_bytes,
            weights_owned_bytes: raw.weights_owned_bytes,
            vocabulary_bytes: raw.vocabulary_bytes,
            kv_bytes: raw.kv_bytes,
            scratch_bytes: raw.scratch_bytes,
        }
    }
}

/// `bitnet_tokenizer_info` of bitnet.h.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TokenizerInfo {
    pub source: String,
    pub model: String,
    pub pre: String,
    pub n_vocab: i32,
    pub bos: i32,
    pub eos: i32,
    pub eot: i32,
    pub pad: i32,
    pub unk: i32,
    pub add_bos: bool,
    pub add_eos: bool,
}

impl TokenizerInfo {
    pub(crate) unsafe fn from_raw(raw: &sys::bitnet_tokenizer_info) -> TokenizerInfo {
        TokenizerInfo {
            source: text(raw.source),
            model: text(raw.model),
            pre: text(raw.pre),
            n_vocab: raw.n_vocab,
            bos: raw.bos,
            eos: raw.eos,
            eot: raw.eot,
            pad: raw.pad,
            unk: raw.unk,
            add_bos: raw.add_bos != 0,
            add_eos: raw.add_eos != 0,
        }
    }
}

/// `bitnet_metrics` of bitnet.h.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Metrics {
    pub load_us: u64,
    pub prefill_us: u64,
    pub prefill_tokens: u64,
    pub decode_us: u64,
    pub decode_tokens: u64,
    pub n_decodes: u64,
}

impl Metrics {
    pub(crate) unsafe fn from_raw(raw: &sys::bitnet_metrics) -> Metrics {
        Metrics {
            load_us: raw.load_us,
            prefill_us: raw.prefill_us,
            prefill_tokens: raw.prefill_tokens,
            decode_us: raw.decode_us,
            decode_tokens: raw.decode_tokens,
            n_decodes: raw.n_decodes,
        }
    }
}

/// `bitnet_environment_info` of bitnet.h.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct EnvironmentInfo {
    pub kernel: String,
    pub n_threads: i32,
    pub batch_size: i32,
    pub memory_limit: u64,
    pub deterministic: bool,
    pub has_seed: bool,
    pub seed: u64,
    pub strict_tokenizers: bool,
    pub offline: bool,
}

impl EnvironmentInfo {
    pub(crate) unsafe fn from_raw(raw: &sys::bitnet_environment_info) -> EnvironmentInfo {
        EnvironmentInfo {
            kernel: text(raw.kernel),
            n_threads: raw.n_threads,
            batch_size: raw.batch_size,
            memory_limit: raw.memory_limit,
            deterministic: raw.deterministic != 0,
            has_seed: raw.has_seed != 0,
            seed: raw.seed,
            strict_tokenizers: raw.strict_tokenizers != 0,
            offline: raw.offline != 0,
        }
    }
}

/// `bitnet_adapter_info` of bitnet.h.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct AdapterInfo {
    pub name: String,
    pub architecture: String,
    pub rank: i32,
    pub alpha: f32,
    pub n_tensors: u64,
    pub n_parameters: u64,
    pub n_bytes: u64,
}

impl AdapterInfo {
    pub(crate) unsafe fn from_raw(raw: &sys::bitnet_adapter_info) -> AdapterInfo {
        AdapterInfo {
            name: text(raw.name),
            architecture: text(raw.architecture),
            rank: raw.rank,
            alpha: raw.alpha,
            n_tensors: raw.n_tensors,
            n_parameters: raw.n_parameters,
            n_bytes: raw.n_bytes,
        }
    }
}

/// `bitnet_receipt_report` of bitnet.h.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ReceiptReport {
    pub failed_check: ReceiptCheck,
    pub model_matched: bool,
    pub n_positions: u64,
    pub n_replayed: u64,
    pub first_mismatch: i64,
}

impl ReceiptReport {
    pub(crate) unsafe fn from_raw(raw: &sys::bitnet_receipt_report) -> ReceiptReport {
        ReceiptReport {
            failed_check: ReceiptCheck::from_raw(raw.failed_check),
            model_matched: raw.model_matched != 0,
            n_positions: raw.n_positions,
            n_replayed: raw.n_replayed,
            first_mismatch: raw.first_mismatch,
        }
    }
}
