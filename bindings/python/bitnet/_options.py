"""What calls take as keyword arguments: the library's structs of parameters. bitnet.h says what each means;
what is not given has the library's default.

Written by bindings/abi/emit_python.py from bitnet.h 0.1.0; do not edit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Mapping, Sequence, TypedDict

if TYPE_CHECKING:
    from ._grammar import Grammar


class ModelOptions(TypedDict, total=False):
    use_mmap: int
    check_weights: int
    i2s_order: int
    n_threads: int
    vocab_only: int
    kernel: str
    max_bytes: int
    on_progress: Callable[[float], object]
    max_tensors: int
    sha256: int
    device: str
    validate: int
    tokenizer_path: str
    tl_tiling: str
    quantization: str
    screen_head: int


class ContextOptions(TypedDict, total=False):
    n_ctx: int
    n_batch: int
    n_ubatch: int
    n_seq_max: int
    n_threads: int
    embeddings: int
    trace: int
    should_abort: Callable[[], object]
    max_lora_rank: int
    max_bytes: int
    timeout_us: int
    on_progress: Callable[[float], object]
    type_k: int
    type_v: int


class SamplerOptions(TypedDict, total=False):
    temperature: float
    top_k: int
    top_p: float
    min_p: float
    typical_p: float
    repetition_penalty: float
    frequency_penalty: float
    presence_penalty: float
    penalty_last_n: int
    seed: int
    logit_bias: Mapping[int, float]
    xtc_probability: float
    xtc_threshold: float
    dry_multiplier: float
    dry_base: float
    dry_allowed_length: int
    dry_penalty_last_n: int
    dry_breakers: Sequence[int]
    dynatemp_range: float
    dynatemp_exponent: float
    top_n_sigma: float
    mirostat: int
    mirostat_tau: float
    mirostat_eta: float


class GenerationOptions(TypedDict, total=False):
    max_new_tokens: int
    skip_special_tokens: int
    parse_special: int
    deadline_us: int
    stop_sequences: Sequence[str]
    receipt: int
    n_logprobs: int
    grammar: Grammar
    n_draft: int


class ReceiptOptions(TypedDict, total=False):
    n_threads: int
    replay_share: float
    replay_count: int
    seed: int
    max_tokens: int
    should_abort: Callable[[], object]


class ValidationOptions(TypedDict, total=False):
    check_values: int
    n_threads: int
    max_findings: int
    on_progress: Callable[[float], object]
    max_tensors: int
    tl_tiling: str


class QuantizeOptions(TypedDict, total=False):
    asymmetric: int
    block_size: int
    type: str


class QuantizerOptions(TypedDict, total=False):
    allow_fallback: int
    device: str
    min_accuracy: float
    n_threads: int
    kernel: str
    max_bytes: int


class ConvertOptions(TypedDict, total=False):
    ternarize: int
    type: str
    head_type: str
    embedding_type: str
    gguf_version: int
    i2s_order: int
    n_threads: int
    on_progress: Callable[[float], object]
    max_tensors: int
    tl_tiling: str


class Conv2dOptions(TypedDict, total=False):
    n_threads: int
    stride: Sequence[int]
    padding: Sequence[int]
    dilation: Sequence[int]
    kernel: str


class TokenizerDiscoveryOptions(TypedDict, total=False):
    offline: int
    strict: int
    tokenizer_path: str
    cache_dir: str
    table_path: str


class MergeOptions(TypedDict, total=False):
    adapters: Sequence[tuple[str, float]]
    checkpoint_path: str
    convert: ConvertOptions


class SyntheticOptions(TypedDict, total=False):
    shape: str
    head: str
    seed: int
    on_progress: Callable[[float], object]


class LimitsOptions(TypedDict, total=False):
    n_threads: int
    level: str
    n_bytes: int
    budget_us: int
    should_abort: Callable[[], object]
