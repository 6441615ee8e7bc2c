"""What the library tells about things: its structs of results as dataclasses. bitnet.h says what each
field means; arrays and buffers of theirs are methods of the objects that have them.

Written by bindings/abi/emit_python.py from bitnet.h 0.1.0; do not edit.
"""

from __future__ import annotations

import dataclasses
from typing import Optional

from ._abi_base import Record


@dataclasses.dataclass(frozen=True)
class ErrorInfo(Record):
    status: int
    expected: int
    actual: int
    offset: int
    subject: str
    message: str
    family: int
    severity: int
    recoverable: int
    has_numbers: bool
    has_offset: bool
    n_suggestions: int
    variant: str
    operation: str
    file: str
    model: str
    device: str
    memory_bytes: int
    peak_memory_bytes: int


@dataclasses.dataclass(frozen=True)
class KernelInfo(Record):
    name: str
    type: str
    level: str
    runnable: int
    exact: int
    selected: int
    is_vector: bool


@dataclasses.dataclass(frozen=True)
class ModelInfo(Record):
    architecture: str
    name: str
    quantization: str
    kernel: str
    n_vocab: int
    n_ctx_train: int
    n_embd: int
    n_layer: int
    n_head: int
    n_head_kv: int
    head_dim: int
    n_ff: int
    rope_freq_base: float
    rms_norm_eps: float
    n_tensors: int
    n_parameters: int
    n_file_bytes: int
    bits_per_weight: float


@dataclasses.dataclass(frozen=True)
class TensorInfo(Record):
    name: str
    type: str
    n_dims: int
    shape: tuple[int, ...]
    file_offset: int
    n_bytes: int
    part: int


@dataclasses.dataclass(frozen=True)
class MemoryInfo(Record):
    weights_mapped_bytes: int
    weights_owned_bytes: int
    vocabulary_bytes: int
    kv_bytes: int
    scratch_bytes: int


@dataclasses.dataclass(frozen=True)
class TokenizerInfo(Record):
    source: str
    model: str
    pre: str
    n_vocab: int
    bos: int
    eos: int
    eot: int
    pad: int
    unk: int
    add_bos: int
    add_eos: int


@dataclasses.dataclass(frozen=True)
class Metrics(Record):
    load_us: int
    prefill_us: int
    prefill_tokens: int
    decode_us: int
    decode_tokens: int
    n_decodes: int


@dataclasses.dataclass(frozen=True)
class GenerationStep(Record):
    finish_reason: int
    text: str
    n_bytes: int
    n_tokens: int
    token_us: int
    cumulative_us: int
    tokens_per_second: float
    prompt_tokens_left: int
    status: int
    error: str


@dataclasses.dataclass(frozen=True)
class GenerationResult(Record):
    finish_reason: int
    stop_sequence: int
    text: str
    n_bytes: int
    n_tokens: int
    model_name: str
    quantization: str
    device: str
    seed: int
    prompt_tokens: int
    reused_tokens: int
    tokenize_us: int
    prefill_us: int
    decode_us: int
    decode_steps: int
    total_us: int
    prefill_tokens_per_second: float
    decode_tokens_per_second: float
    total_tokens_per_second: float
    drafted_tokens: int
    accepted_tokens: int


@dataclasses.dataclass(frozen=True)
class EnvironmentInfo(Record):
    kernel: str
    n_threads: int
    batch_size: int
    memory_limit: int
    deterministic: int
    has_seed: bool
    seed: int
    strict_tokenizers: int
    offline: int


@dataclasses.dataclass(frozen=True)
class ReceiptReport(Record):
    failed_check: int
    model_matched: int
    n_positions: int
    n_replayed: int
    first_mismatch: int


@dataclasses.dataclass(frozen=True)
class AdapterInfo(Record):
    name: str
    architecture: str
    rank: int
    alpha: float
    n_tensors: int
    n_parameters: int
    n_bytes: int


@dataclasses.dataclass(frozen=True)
class MemoryBreakdown(Record):
    attention_bytes: int
    feed_forward_bytes: int
    norm_bytes: int
    embedding_bytes: int
    output_bytes: int
    other_bytes: int
    total_bytes: int


@dataclasses.dataclass(frozen=True)
class MemoryEstimate(Record):
    n_ctx: int
    n_batch: int
    n_ubatch: int
    n_seq_max: int
    n_threads: int
    weights_mapped_bytes: int
    weights_owned_bytes: int
    load_peak_bytes: int
    attention_bytes: int
    feed_forward_bytes: int
    norm_bytes: int
    embedding_bytes: int
    output_bytes: int
    other_bytes: int
    kv_bytes: int
    scratch_bytes: int
    activation_bytes: int
    score_bytes: int
    batch_bytes: int
    graph_bytes: int
    logits_bytes: int
    extra_output_bytes: int
    total_bytes: int


@dataclasses.dataclass(frozen=True)
class ValidationFinding(Record):
    kind: int
    severity: int
    status: int
    tensor: str
    message: str
    count: int
    index: int
    offset: int
    has_offset: bool


@dataclasses.dataclass(frozen=True)
class ValidationTensor(Record):
    name: str
    type: str
    role: str
    n_bytes: int
    values_checked: int
    is_ternary: bool
    n_values: int
    n_zeros: int
    n_zero_rows: int
    scale: float


@dataclasses.dataclass(frozen=True)
class DeviceMemory(Record):
    total: int
    free: int
    used: int
    limit_bytes: int


@dataclasses.dataclass(frozen=True)
class DeviceInfo(Record):
    kind: int
    index: int
    supports_f16: bool
    supports_bf16: bool
    supports_int8: bool
    max_threads: int
    compute_capability: tuple[int, ...]
    name: str
    simd: str
    kernel_level: str
    quantization: str


@dataclasses.dataclass(frozen=True)
class QuantizationInfo(Record):
    block_length: int
    type: str
    n_parameters: int
    n_bytes: int
    bits_per_weight: float
    compression_f16: float
    compression_f32: float
    ternary_parameters: int
    ternary_bytes: int
    ternary_bits_per_weight: float


@dataclasses.dataclass(frozen=True)
class TypeUsage(Record):
    ternary: int
    type: str
    n_tensors: int
    n_parameters: int
    n_bytes: int
    bits_per_weight: float


@dataclasses.dataclass(frozen=True)
class ModelConfig(Record):
    max_seq_len: int
    device: str
    dtype: str
    activation_dtype: str
    activation: str
    kv_dtype: str
    kv_bytes_per_token: int
    rope_dimensions: int
    tied_embeddings: int
    rope_scaling: str
    rope_scaling_factor: float


@dataclasses.dataclass(frozen=True)
class PerformanceMetrics(Record):
    present: int
    backend_type: str
    n_inferences: int
    tokens_generated: int
    tokens_per_second: float
    total_latency_us: int
    first_token_latency_us: int
    average_token_latency_us: int
    cache_hit_rate: float
    memory_usage_bytes: int
    encode_us: int
    detokenize_us: int
    forward_us: int
    sampling_us: int
    error_count: int
    error_rate: float


@dataclasses.dataclass(frozen=True)
class DeviceStats(Record):
    is_gpu_effective: bool
    device_type: str
    target_device: str
    total_operations: int
    quantization_operations: int
    matmul_operations: int
    total_time_ms: float
    quantization_time_ms: float
    matmul_time_ms: float
    gpu_operations: int
    cpu_operations: int
    fallback_count: int
    gpu_efficiency: float
    last_gpu_error: str
    last_cpu_error: str
    memory_used_bytes: int
    memory_total_bytes: int
    average_quantization_time_ms: float
    average_matmul_time_ms: float


@dataclasses.dataclass(frozen=True)
class QuantizeAccuracy(Record):
    envelope: int
    is_within: bool
    codes_equal: int
    n_values: int
    mse: float
    max_abs_error: float
    cosine: float
    accuracy: float


@dataclasses.dataclass(frozen=True)
class QuantizerStats(Record):
    is_gpu_effective: bool
    device_type: str
    target_device: str
    total_operations: int
    quantization_operations: int
    matmul_operations: int
    total_time_ms: float
    quantization_time_ms: float
    matmul_time_ms: float
    gpu_operations: int
    cpu_operations: int
    fallback_count: int
    gpu_efficiency: float
    last_gpu_error: str
    last_cpu_error: str
    memory_used_bytes: int
    memory_total_bytes: int
    average_quantization_time_ms: float
    average_matmul_time_ms: float


@dataclasses.dataclass(frozen=True)
class ConvertInfo(Record):
    gguf_version: int
    type: str
    n_tensors: int
    n_copied: int
    n_encoded: int
    n_ternarised: int
    n_inexact: int
    n_source_bytes: int
    n_file_bytes: int
    worst_accuracy: float
    worst_tensor: str
    seconds: float


@dataclasses.dataclass(frozen=True)
class ConvertedTensor(Record):
    action: int
    name: str
    source_type: str
    type: str
    n_values: int
    n_zeros: int
    n_source_bytes: int
    n_bytes: int
    is_exact: bool
    codes_equal: int
    scale: float
    mse: float
    max_abs_error: float
    cosine: float
    accuracy: float


@dataclasses.dataclass(frozen=True)
class FileInfo(Record):
    version: int
    alignment: int
    n_keys: int
    n_tensors: int
    n_bytes: int
    n_parts: int


@dataclasses.dataclass(frozen=True)
class FileTensor(Record):
    type_id: int
    name: str
    type: str
    problem: str
    n_dims: int
    part: int
    shape: tuple[int, ...]
    file_offset: int
    n_bytes: int


@dataclasses.dataclass(frozen=True)
class TokenizerSource(Record):
    expected_vocab: int
    name: str
    repo: str
    n_files: int
    cache_key: str


@dataclasses.dataclass(frozen=True)
class MergeInfo(Record):
    gguf_version: int
    n_tensors: int
    n_ternary: int
    n_values: int
    n_codes_changed: int
    change: float
    relative_error: float
    cosine: float
    change_kept: float
    n_file_bytes: int
    seconds: float


@dataclasses.dataclass(frozen=True)
class MergedTensor(Record):
    is_ternary: bool
    name: str
    n_values: int
    n_codes_changed: int
    step: float
    scale: float
    change: float
    relative_error: float
    cosine: float
    change_kept: float


@dataclasses.dataclass(frozen=True)
class SyntheticShape(Record):
    n_layer: int
    name: str
    model: str
    architecture: str
    down_type: str
    n_embd: int
    n_ff: int
    n_head: int
    n_head_kv: int
    head_dim: int
    n_vocab: int
    n_ctx_train: int


@dataclasses.dataclass(frozen=True)
class PassWork(Record):
    n_micro_batches: int
    layer_bytes: int
    head_bytes: int
    kv_bytes: int
    total_bytes: int
    int8_ops: int
    float_ops: int


@dataclasses.dataclass(frozen=True)
class MachineLimits(Record):
    n_threads: int
    n_bytes: int
    read_bytes_per_second: float
    plain_read_bytes_per_second: float
    int8_ops_per_second: float
    int8_level: str
    read_streams: int


@dataclasses.dataclass(frozen=True)
class KernelTiming(Record):
    n_runs: int
    median_us: float
    best_us: float
    n_bytes: int
    n_ops: int


@dataclasses.dataclass(frozen=True)
class CudaInfo(Record):
    index: int
    compute_capability: tuple[int, ...]
    n_multiprocessors: int
    max_threads_per_block: int
    max_threads_per_multiprocessor: int
    max_shared_bytes: int
    clock_khz: int
    memory_clock_khz: int
    memory_bus_bits: int
    driver_version: int
    l2_bytes: int
    memory_bytes: int
    name: str
    uuid: str


@dataclasses.dataclass(frozen=True)
class CudaMemoryStats(Record):
    n_allocations: int
    total_bytes: int
    free_bytes: int
    library_bytes: int
    allocated_bytes: int


@dataclasses.dataclass(frozen=True)
class CudaPerformanceStats(Record):
    n_launches: int
    n_copies_in: int
    n_copies_out: int
    bytes_in: int
    bytes_out: int
    n_waits: int
    wait_time_ms: float


@dataclasses.dataclass(frozen=True)
class CudaLaunchParameters(Record):
    grid: tuple[int, ...]
    block: tuple[int, ...]
    shared_bytes: int
    tile: tuple[int, ...]
    blocks_per_multiprocessor: int
    occupancy: float
    waves: float


@dataclasses.dataclass(frozen=True)
class ValidationInfo(Record):
    is_valid: bool
    architecture: str
    n_tensors: int
    n_errors: int
    n_warnings: int
    n_notes: int
    n_findings: int
    n_missing: int
    n_wrong_shapes: int
    n_ternary_values: int
    ternary_zeros: float
    seconds: float
    stored: Optional[MemoryBreakdown]
    quantization_accuracy: float


@dataclasses.dataclass(frozen=True)
class TokenizerDiscoveryInfo(Record):
    strategy: int
    description: str
    path: str
    requires_network: bool
    uses_cache: bool
    n_vocab: int
    is_large_vocab: bool
    architecture: str
    model_type: str
    beside: str
    cached: str
    source: Optional[TokenizerSource]
    steps: str
