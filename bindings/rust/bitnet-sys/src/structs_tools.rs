// The structs of the later sections of bitnet.h.
// Written by bindings/abi/emit_rust.py from bitnet.h; change that program, not this file.

use super::*;

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_device_memory {
    pub struct_size: u32,
    pub total: u64,
    pub free: u64,
    pub used: u64,
    pub limit_bytes: u64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_device_info {
    pub struct_size: u32,
    pub kind: i32,
    pub index: i32,
    pub supports_f16: i32,
    pub supports_bf16: i32,
    pub supports_int8: i32,
    pub max_threads: i32,
    pub compute_capability: [i32; 2],
    pub name: *const c_char,
    pub simd: *const c_char,
    pub kernel_level: *const c_char,
    pub quantization: *const c_char,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_quantization_info {
    pub struct_size: u32,
    pub block_length: i32,
    pub r#type: *const c_char,
    pub n_parameters: u64,
    pub n_bytes: u64,
    pub bits_per_weight: f64,
    pub compression_f16: f64,
    pub compression_f32: f64,
    pub ternary_parameters: u64,
    pub ternary_bytes: u64,
    pub ternary_bits_per_weight: f64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_type_usage {
    pub struct_size: u32,
    pub ternary: i32,
    pub r#type: *const c_char,
    pub n_tensors: u64,
    pub n_parameters: u64,
    pub n_bytes: u64,
    pub bits_per_weight: f64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_model_config {
    pub struct_size: u32,
    pub max_seq_len: i32,
    pub device: *const c_char,
    pub dtype: *const c_char,
    pub activation_dtype: *const c_char,
    pub activation: *const c_char,
    pub kv_dtype: *const c_char,
    pub kv_bytes_per_token: u64,
    pub rope_dimensions: i32,
    pub tied_embeddings: i32,
    pub rope_scaling: *const c_char,
    pub rope_scaling_factor: f64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_performance_metrics {
    pub struct_size: u32,
    pub present: u32,
    pub backend_type: *const c_char,
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

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_device_stats {
    pub struct_size: u32,
    pub is_gpu_effective: i32,
    pub device_type: *const c_char,
    pub target_device: *const c_char,
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
    pub last_gpu_error: *const c_char,
    pub last_cpu_error: *const c_char,
    pub memory_used_bytes: u64,
    pub memory_total_bytes: u64,
    pub average_quantization_time_ms: f64,
    pub average_matmul_time_ms: f64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_quantize_config {
    pub struct_size: u32,
    pub asymmetric: i32,
    pub block_size: u64,
    pub r#type: *const c_char,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_quantize_accuracy {
    pub struct_size: u32,
    pub envelope: i32,
    pub is_within: i32,
    pub codes_equal: i32,
    pub n_values: u64,
    pub mse: f64,
    pub max_abs_error: f64,
    pub cosine: f64,
    pub accuracy: f64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_quantizer_params {
    pub struct_size: u32,
    pub allow_fallback: i32,
    pub device: *const c_char,
    pub min_accuracy: f64,
    pub n_threads: i32,
    pub kernel: *const c_char,
    pub max_bytes: u64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_i2s_matmul {
    pub activations: *const i8,
    pub activation_scales: *const f32,
    pub n_activation_scales: usize,
    pub weights: *const c_void,
    pub n_weight_bytes: usize,
    pub out: *mut f32,
    pub n_out: usize,
    pub m: usize,
    pub n: usize,
    pub k: usize,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_quantizer_stats {
    pub struct_size: u32,
    pub is_gpu_effective: i32,
    pub device_type: [c_char; 64],
    pub target_device: [c_char; 32],
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
    pub last_gpu_error: [c_char; 256],
    pub last_cpu_error: [c_char; 256],
    pub memory_used_bytes: u64,
    pub memory_total_bytes: u64,
    pub average_quantization_time_ms: f64,
    pub average_matmul_time_ms: f64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_forward_input {
    pub struct_size: u32,
    pub n_tokens: i32,
    pub tokens: *const bitnet_token,
    pub positions: *const bitnet_pos,
    pub mask: *const u8,
    pub want_output: *const i8,
    pub output: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_allocator {
    pub struct_size: u32,
    pub alloc: Option<bitnet_allocator_alloc>,
    pub free: Option<bitnet_allocator_free>,
    pub user_data: *mut c_void,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_thread_pool {
    pub struct_size: u32,
    pub n_threads: i32,
    pub run: Option<bitnet_thread_pool_run>,
    pub user_data: *mut c_void,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_convert_params {
    pub struct_size: u32,
    pub ternarize: i32,
    pub r#type: *const c_char,
    pub head_type: *const c_char,
    pub embedding_type: *const c_char,
    pub gguf_version: i32,
    pub i2s_order: i32,
    pub n_threads: i32,
    pub on_progress: Option<bitnet_progress_callback>,
    pub progress_user_data: *mut c_void,
    pub max_tensors: u64,
    pub tl_tiling: *const c_char,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_convert_info {
    pub struct_size: u32,
    pub gguf_version: i32,
    pub r#type: *const c_char,
    pub n_tensors: u64,
    pub n_copied: u64,
    pub n_encoded: u64,
    pub n_ternarised: u64,
    pub n_inexact: u64,
    pub n_source_bytes: u64,
    pub n_file_bytes: u64,
    pub worst_accuracy: f64,
    pub worst_tensor: *const c_char,
    pub seconds: f64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_converted_tensor {
    pub struct_size: u32,
    pub action: i32,
    pub name: *const c_char,
    pub source_type: *const c_char,
    pub r#type: *const c_char,
    pub n_values: u64,
    pub n_zeros: u64,
    pub n_source_bytes: u64,
    pub n_bytes: u64,
    pub is_exact: i32,
    pub codes_equal: i32,
    pub scale: f64,
    pub mse: f64,
    pub max_abs_error: f64,
    pub cosine: f64,
    pub accuracy: f64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_conv2d_params {
    pub struct_size: u32,
    pub n_threads: i32,
    pub stride: [u64; 2],
    pub padding: [u64; 2],
    pub dilation: [u64; 2],
    pub kernel: *const c_char,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_conv2d {
    pub input_dims: [u64; 4],
    pub weight_dims: [u64; 4],
    pub input: *const f32,
    pub n_input: usize,
    pub bias: *const f32,
    pub n_bias: usize,
    pub out: *mut f32,
    pub n_out: usize,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_file_info {
    pub struct_size: u32,
    pub version: u32,
    pub alignment: u64,
    pub n_keys: u64,
    pub n_tensors: u64,
    pub n_bytes: u64,
    pub n_parts: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_file_tensor {
    pub struct_size: u32,
    pub type_id: u32,
    pub name: *const c_char,
    pub r#type: *const c_char,
    pub problem: *const c_char,
    pub n_dims: i32,
    pub part: i32,
    pub shape: [i64; 4],
    pub file_offset: u64,
    pub n_bytes: u64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_node_value {
    pub struct_size: u32,
    pub index: i32,
    pub name: *const c_char,
    pub op: *const c_char,
    pub kernel: *const c_char,
    pub layer: i32,
    pub n_rows: i64,
    pub width: i64,
    pub values: *const f32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_tokenizer_source {
    pub struct_size: u32,
    pub expected_vocab: i32,
    pub name: *const c_char,
    pub repo: *const c_char,
    pub files: *mut *const c_char,
    pub n_files: usize,
    pub cache_key: *const c_char,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_tokenizer_discovery_params {
    pub struct_size: u32,
    pub offline: i32,
    pub strict: i32,
    pub tokenizer_path: *const c_char,
    pub cache_dir: *const c_char,
    pub table_path: *const c_char,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_tokenizer_discovery_info {
    pub struct_size: u32,
    pub strategy: i32,
    pub description: *const c_char,
    pub path: *const c_char,
    pub requires_network: i32,
    pub uses_cache: i32,
    pub n_vocab: i32,
    pub is_large_vocab: i32,
    pub architecture: *const c_char,
    pub model_type: *const c_char,
    pub beside: *const c_char,
    pub cached: *const c_char,
    pub source: *const bitnet_tokenizer_source,
    pub steps: *const c_char,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_merge_adapter {
    pub path: *const c_char,
    pub scale: f32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_merge_params {
    pub struct_size: u32,
    pub reserved: i32,
    pub adapters: *const bitnet_merge_adapter,
    pub n_adapters: usize,
    pub checkpoint_path: *const c_char,
    pub convert: *const bitnet_convert_params,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_merge_info {
    pub struct_size: u32,
    pub gguf_version: i32,
    pub n_tensors: u64,
    pub n_ternary: u64,
    pub n_values: u64,
    pub n_codes_changed: u64,
    pub change: f64,
    pub relative_error: f64,
    pub cosine: f64,
    pub change_kept: f64,
    pub n_file_bytes: u64,
    pub seconds: f64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_merged_tensor {
    pub struct_size: u32,
    pub is_ternary: i32,
    pub name: *const c_char,
    pub n_values: u64,
    pub n_codes_changed: u64,
    pub step: f64,
    pub scale: f64,
    pub change: f64,
    pub relative_error: f64,
    pub cosine: f64,
    pub change_kept: f64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_synthetic_shape {
    pub struct_size: u32,
    pub n_layer: i32,
    pub name: *const c_char,
    pub model: *const c_char,
    pub architecture: *const c_char,
    pub down_type: *const c_char,
    pub n_embd: i32,
    pub n_ff: i32,
    pub n_head: i32,
    pub n_head_kv: i32,
    pub head_dim: i32,
    pub n_vocab: i32,
    pub n_ctx_train: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_synthetic_params {
    pub struct_size: u32,
    pub reserved: i32,
    pub shape: *const c_char,
    pub head: *const c_char,
    pub seed: u64,
    pub on_progress: Option<bitnet_progress_callback>,
    pub progress_user_data: *mut c_void,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_pass_shape {
    pub struct_size: u32,
    pub n_seq: i32,
    pub n_tokens: i32,
    pub n_past: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_pass_work {
    pub struct_size: u32,
    pub n_micro_batches: i32,
    pub layer_bytes: u64,
    pub head_bytes: u64,
    pub kv_bytes: u64,
    pub total_bytes: u64,
    pub int8_ops: u64,
    pub float_ops: u64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_limits_params {
    pub struct_size: u32,
    pub n_threads: i32,
    pub level: *const c_char,
    pub n_bytes: u64,
    pub budget_us: u64,
    pub should_abort: Option<bitnet_limits_params_should_abort>,
    pub abort_user_data: *mut c_void,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_machine_limits {
    pub struct_size: u32,
    pub n_threads: i32,
    pub n_bytes: u64,
    pub read_bytes_per_second: f64,
    pub plain_read_bytes_per_second: f64,
    pub int8_ops_per_second: f64,
    pub int8_level: *const c_char,
    pub read_streams: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_kernel_run {
    pub struct_size: u32,
    pub n_threads: i32,
    pub kernel: *const c_char,
    pub operation: *const c_char,
    pub k: i64,
    pub n_rows: i64,
    pub n_cols: i64,
    pub cold_bytes: u64,
    pub budget_us: u64,
    pub should_abort: Option<bitnet_kernel_run_should_abort>,
    pub abort_user_data: *mut c_void,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_kernel_timing {
    pub struct_size: u32,
    pub n_runs: i32,
    pub median_us: f64,
    pub best_us: f64,
    pub n_bytes: u64,
    pub n_ops: u64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_cuda_info {
    pub struct_size: u32,
    pub index: i32,
    pub compute_capability: [i32; 2],
    pub n_multiprocessors: i32,
    pub max_threads_per_block: i32,
    pub max_threads_per_multiprocessor: i32,
    pub max_shared_bytes: i32,
    pub clock_khz: i32,
    pub memory_clock_khz: i32,
    pub memory_bus_bits: i32,
    pub driver_version: i32,
    pub l2_bytes: u64,
    pub memory_bytes: u64,
    pub name: [c_char; 128],
    pub uuid: [c_char; 48],
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_cuda_work {
    pub struct_size: u32,
    pub grid: [u32; 3],
    pub block: [u32; 3],
    pub shared_bytes: u32,
    pub function: *mut c_void,
    pub params: *mut *mut c_void,
    pub n_params: usize,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_cuda_memory_stats {
    pub struct_size: u32,
    pub n_allocations: u32,
    pub total_bytes: u64,
    pub free_bytes: u64,
    pub library_bytes: u64,
    pub allocated_bytes: u64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_cuda_performance_stats {
    pub struct_size: u32,
    pub n_launches: u64,
    pub n_copies_in: u64,
    pub n_copies_out: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub n_waits: u64,
    pub wait_time_ms: f64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct bitnet_cuda_launch_parameters {
    pub struct_size: u32,
    pub grid: [u32; 3],
    pub block: [u32; 3],
    pub shared_bytes: u32,
    pub tile: [u32; 3],
    pub blocks_per_multiprocessor: u32,
    pub occupancy: f64,
    pub waves: f64,
}
