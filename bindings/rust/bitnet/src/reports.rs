// What the library tells about models, devices and runs, as owned values.
// Written by bindings/abi/emit_rust.py from bitnet.h; change that program, not this file.

#![allow(missing_docs)] // each field is told about in bitnet.h, at the struct that is named here

use crate::enums::*;
use crate::ffi::text;
use bitnet_sys as sys;

/// `bitnet_memory_breakdown` of bitnet.h.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct MemoryBreakdown {
    pub attention_bytes: u64,
    pub feed_forward_bytes: u64,
    pub norm_bytes: u64,
    pub embedding_bytes: u64,
    pub output_bytes: u64,
    pub other_bytes: u64,
    pub total_bytes: u64,
}

impl MemoryBreakdown {
    pub(crate) unsafe fn from_raw(raw: &sys::bitnet_memory_breakdown) -> MemoryBreakdown {
        MemoryBreakdown {
            attention_bytes: raw.attention_bytes,
            feed_forward_bytes: raw.feed_forward_bytes,
            norm_bytes: raw.norm_bytes,
            embedding_bytes: raw.embedding_bytes,
            output_bytes: raw.output_bytes,
            other_bytes: raw.other_bytes,
            total_bytes: raw.total_bytes,
        }
    }
}

/// `bitnet_memory_estimate` of bitnet.h.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct MemoryEstimate {
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

impl MemoryEstimate {
    pub(crate) unsafe fn from_raw(raw: &sys::bitnet_memory_estimate) -> MemoryEstimate {
        MemoryEstimate {
            n_ctx: raw.n_ctx,
            n_batch: raw.n_batch,
            n_ubatch: raw.n_ubatch,
            n_seq_max: raw.n_seq_max,
            n_threads: raw.n_threads,
            weights_mapped_bytes: raw.weights_mapped_bytes,
            weights_owned_bytes: raw.weights_owned_bytes,
            load_peak_bytes: raw.load_peak_bytes,
            attention_bytes: raw.attention_bytes,
            feed_forward_bytes: raw.feed_forward_bytes,
            norm_bytes: raw.norm_bytes,
            embedding_bytes: raw.embedding_bytes,
            output_bytes: raw.output_bytes,
            other_bytes: raw.other_bytes,
            kv_bytes: raw.kv_bytes,
            scratch_bytes: raw.scratch_bytes,
            activation_bytes: raw.activation_bytes,
            score_bytes: raw.score_bytes,
            batch_bytes: raw.batch_bytes,
            graph_bytes: raw.graph_bytes,
            logits_bytes: raw.logits_bytes,
            extra_output_bytes: raw.extra_output_bytes,
            total_bytes: raw.total_bytes,
        }
    }
}

/// `bitnet_validation_finding` of bitnet.h.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Finding {
    pub kind: FindingKind,
    pub severity: FindingSeverity,
    pub status: Status,
    pub tensor: String,
    pub message: String,
    pub count: u64,
    pub index: u64,
    pub offset: u64,
    pub has_offset: bool,
}

impl Finding {
    pub(crate) unsafe fn from_raw(raw: &sys::bitnet_validation_finding) -> Finding {
        Finding {
            kind: FindingKind::from_raw(raw.kind),
            severity: FindingSeverity::from_raw(raw.severity),
            status: Status::from_raw(raw.status),
            tensor: text(raw.tensor),
            message: text(raw.message),
            count: raw.count,
            index: raw.index,
            offset: raw.offset,
            has_offset: raw.has_offset != 0,
        }
    }
}

/// `bitnet_validation_tensor` of bitnet.h.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ValidatedTensor {
    pub name: String,
    pub type_name: String,
    pub role: String,
    pub n_bytes: u64,
    pub values_checked: bool,
    pub is_ternary: bool,
    pub n_values: u64,
    pub n_zeros: u64,
    pub n_zero_rows: u64,
    pub scale: f64,
}

impl ValidatedTensor {
    pub(crate) unsafe fn from_raw(raw: &sys::bitnet_validation_tensor) -> ValidatedTensor {
        ValidatedTensor {
            name: text(raw.name),
            type_name: text(raw.r#type),
            role: text(raw.role),
            n_bytes: raw.n_bytes,
            values_checked: raw.values_checked != 0,
            is_ternary: raw.is_ternary != 0,
            n_values: raw.n_values,
            n_zeros: raw.n_zeros,
            n_zero_rows: raw.n_zero_rows,
            scale: raw.scale,
        }
    }
}

/// `bitnet_validation_info` of bitnet.h.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ValidationInfo {
    pub is_valid: bool,
    pub architecture: String,
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
    pub stored: MemoryBreakdown,
    pub quantization_accuracy: f64,
}

impl ValidationInfo {
    pub(crate) unsafe fn from_raw(raw: &sys::bitnet_validation_info) -> ValidationInfo {
        ValidationInfo {
            is_valid: raw.is_valid != 0,
            architecture: text(raw.architecture),
            n_tensors: raw.n_tensors,
            n_errors: raw.n_errors,
            n_warnings: raw.n_warnings,
            n_notes: raw.n_notes,
            n_findings: raw.n_findings,
            n_missing: raw.n_missing,
            n_wrong_shapes: raw.n_wrong_shapes,
            n_ternary_values: raw.n_ternary_values,
            ternary_zeros: raw.ternary_zeros,
            seconds: raw.seconds,
            stored: MemoryBreakdown::from_raw(&*raw.stored),
            quantization_accuracy: raw.quantization_accuracy,
        }
    }
}

/// `bitnet_device_memory` of bitnet.h.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DeviceMemory {
    pub total: u64,
    pub free: u64,
    pub used: u64,
    pub limit_bytes: u64,
}

impl DeviceMemory {
    pub(crate) unsafe fn from_raw(raw: &sys::bitnet_device_memory) -> DeviceMemory {
        DeviceMemory {
            total: raw.total,
            free: raw.free,
            used: raw.used,
            limit_bytes: raw.limit_bytes,
        }
    }
}

/// `bitnet_device_info` of bitnet.h.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DeviceInfo {
    pub kind: DeviceKind,
    pub index: i32,
    pub supports_f16: bool,
    pub supports_bf16: bool,
    pub supports_int8: bool,
    pub max_threads: i32,
    pub compute_capability: [i32; 2],
    pub name: String,
    pub simd: String,
    pub kernel_level: String,
    pub quantization: String,
}

impl DeviceInfo {
    pub(crate) unsafe fn from_raw(raw: &sys::bitnet_device_info) -> DeviceInfo {
        DeviceInfo {
            kind: DeviceKind::from_raw(raw.kind),
            index: raw.index,
            supports_f16: raw.supports_f16 != 0,
            supports_bf16: raw.supports_bf16 != 0,
            supports_int8: raw.supports_int8 != 0,
            max_threads: raw.max_threads,
            compute_capability: raw.compute_capability,
            name: text(raw.name),
            simd: text(raw.simd),
            kernel_level: text(raw.kernel_level),
            quantization: text(raw.quantization),
        }
    }
}

/// `bitnet_quantization_info` of bitnet.h.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct QuantizationInfo {
    pub block_length: i32,
    pub type_name: String,
    pub n_parameters: u64,
    pub n_bytes: u64,
    pub bits_per_weight: f64,
    pub compression_f16: f64,
    pub compression_f32: f64,
    pub ternary_parameters: u64,
    pub ternary_bytes: u64,
    pub ternary_bits_per_weight: f64,
}

impl QuantizationInfo {
    pub(crate) unsafe fn from_raw(raw: &sys::bitnet_quantization_info) -> QuantizationInfo {
        QuantizationInfo {
            block_length: raw.block_length,
            type_name: text(raw.r#type),
            n_parameters: raw.n_parameters,
            n_bytes: raw.n_bytes,
            bits_per_weight: raw.bits_per_weight,
            compression_f16: raw.compression_f16,
            compression_f32: raw.compression_f32,
            ternary_parameters: raw.ternary_parameters,
            ternary_bytes: raw.ternary_bytes,
            ternary_bits_per_weight: raw.ternary_bits_per_weight,
        }
    }
}

/// `bitnet_type_usage` of bitnet.h.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TypeUsage {
    pub ternary: bool,
    pub type_name: String,
    pub n_tensors: u64,
    pub n_parameters: u64,
    pub n_bytes: u64,
    pub bits_per_weight: f64,
}

impl TypeUsage {
    pub(crate) unsafe fn from_raw(raw: &sys::bitnet_type_usage) -> TypeUsage {
        TypeUsage {
            ternary: raw.ternary != 0,
            type_name: text(raw.r#type),
            n_tensors: raw.n_tensors,
            n_parameters: raw.n_parameters,
            n_bytes: raw.n_bytes,
            bits_per_weight: raw.bits_per_weight,
        }
    }
}

/// `bitnet_model_config` of bitnet.h.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ModelConfig {
    pub max_seq_len: i32,
    pub device: String,
    pub dtype: String,
    pub activation_dtype: String,
    pub activation: String,
    pub kv_dtype: String,
    pub kv_bytes_per_token: u64,
    pub rope_dimensions: i32,
    pub tied_embeddings: bool,
    pub rope_scaling: String,
    pub rope_scaling_factor: f64,
}

impl ModelConfig {
    pub(crate) unsafe fn from_raw(raw: &sys::bitnet_model_config) -> ModelConfig {
        ModelConfig {
            max_seq_len: raw.max_seq_len,
            device: text(raw.device),
            dtype: text(raw.dtype),
            activation_dtype: text(raw.activation_dtype),
            activation: text(raw.activation),
            kv_dtype: text(raw.kv_dtype),
            kv_bytes_per_token: raw.kv_bytes_per_token,
            rope_dimensions: raw.rope_dimensions,
            tied_embeddings: raw.tied_embeddings != 0,
            rope_scaling: text(raw.rope_scaling),
            rope_scaling_factor: raw.rope_scaling_factor,
        }
    }
}

/// `bitnet_performance_metrics` of bitnet.h.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PerformanceMetrics {
    pub present: u32,
    pub backend_type: String,
    pub n_inferences: u64,
    pub tokens_generated: u64,
    pub tokens_per_second: f64,
    pub total_latency_us: u64,
    pub first_token_latency_us: u64,
    pub average_token_latency_us: u64,
    pub cache_hit_rate: f64,
    pub memory_usage_bytes: u64,
    pub encode_us: u64,
    pub detokenize_us: u64,
    pub forward_us: u64,
    pub sampling_us: u64,
    pub error_count: u64,
    pub error_rate: f64,
}

impl PerformanceMetrics {
    pub(crate) unsafe fn from_raw(raw: &sys::bitnet_performance_metrics) -> PerformanceMetrics {
        PerformanceMetrics {
            present: raw.present,
            backend_type: text(raw.backend_type),
            n_inferences: raw.n_inferences,
            tokens_generated: raw.tokens_generated,
            tokens_per_second: raw.tokens_per_second,
            total_latency_us: raw.total_latency_us,
            first_token_latency_us: raw.first_token_latency_us,
            average_token_latency_us: raw.average_token_latency_us,
            cache_hit_rate: raw.cache_hit_rate,
            memory_usage_bytes: raw.memory_usage_bytes,
            encode_us: raw.encode_us,
            detokenize_us: raw.detokenize_us,
            forward_us: raw.forward_us,
            sampling_us: raw.sampling_us,
            error_count: raw.error_count,
            error_rate: raw.error_rate,
        }
    }
}

/// `bitnet_device_stats` of bitnet.h.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DeviceStats {
    pub is_gpu_effective: bool,
    pub device_type: String,
    pub target_device: String,
    pub total_operations: u64,
    pub quantization_operations: u64,
    pub matmul_operations: u64,
    pub total_time_ms: f64,
    pub quantization_time_ms: f64,
    pub matmul_time_ms: f64,
    pub gpu_operations: u64,
    pub cpu_operations: u64,
    pub fallback_count: u64,
    pub gpu_efficiency: f64,
    pub last_gpu_error: String,
    pub last_cpu_error: String,
    pub memory_used_bytes: u64,
    pub memory_total_bytes: u64,
    pub average_quantization_time_ms: f64,
    pub average_matmul_time_ms: f64,
}

impl DeviceStats {
    pub(crate) unsafe fn from_raw(raw: &sys::bitnet_device_stats) -> DeviceStats {
        DeviceStats {
            is_gpu_effective: raw.is_gpu_effective != 0,
            device_type: text(raw.device_type),
            target_device: text(raw.target_device),
            total_operations: raw.total_operations,
            quantization_operations: raw.quantization_operations,
            matmul_operations: raw.matmul_operations,
            total_time_ms: raw.total_time_ms,
            quantization_time_ms: raw.quantization_time_ms,
            matmul_time_ms: raw.matmul_time_ms,
            gpu_operations: raw.gpu_operations,
            cpu_operations: raw.cpu_operations,
            fallback_count: raw.fallback_count,
            gpu_efficiency: raw.gpu_efficiency,
            last_gpu_error: text(raw.last_gpu_error),
            last_cpu_error: text(raw.last_cpu_error),
            memory_used_bytes: raw.memory_used_bytes,
            memory_total_bytes: raw.memory_total_bytes,
            average_quantization_time_ms: raw.average_quantization_time_ms,
            average_matmul_time_ms: raw.average_matmul_time_ms,
        }
    }
}
