"""bitnet: an engine for ternary (BitNet b1.58) language models.

    import bitnet

    with bitnet.Model("model.gguf") as model, model.context() as context:
        for piece in context.stream("Once upon a time", max_new_tokens=50):
            print(piece, end="", flush=True)

Models, tokenizers, grammars, templates and adapters never change: any thread may use them. Contexts, samplers and generations
serve one thread at a time (BusyError otherwise); only Context.cancel is for any. Calls release the GIL. Objects close in any
order, by `with`, close(), or when they are collected. bitnet._abi and bitnet._library.lib are bitnet.h itself.
"""

from ._abi_constants import (
    DecodeFlags,
    DeviceKind,
    EncodeFlags,
    ErrorFamily,
    ErrorSeverity,
    FindingKind,
    FindingSeverity,
    FinishReason,
    ForwardOutput,
    I2sOrder,
    LogLevel,
    Pooling,
    ReceiptCheck,
    Status,
    TokenAttribute,
    TokenizerStrategy,
)
from ._chat import Chat
from ._context import Context, NodeValue
from ._errors import (
    BitnetError,
    BusyError,
    Cancelled,
    CapacityError,
    ClosedError,
    ConfigError,
    DeviceError,
    FileMissingError,
    GgufError,
    InternalError,
    IoError,
    MemoryLimitError,
    ModelError,
    QuantizationError,
    SecurityError,
    TimeoutExceeded,
    TokenizationError,
    UsageError,
    ValidationError,
)
from ._files import ConvertReport, GgufFile, MergeReport, TokenizerDiscovery, convert_file, merge_files
from ._generation import Generation, Prompt, Result, Step, step_together
from ._grammar import Grammar, json_schema_to_gbnf
from ._library import LibraryError
from ._model import Adapter, Metadata, Model
from ._quantizer import Quantized, Quantizer, quantize_accuracy
from ._reports import ValidationReport, Verification, estimate_memory, validate_file, verify_receipt
from ._sampler import Sampler, TokenLogprob, argmax, softmax, top_logprobs
from ._system import (
    all_devices,
    build_info,
    check_device,
    device_info,
    device_memory,
    devices,
    environment,
    features,
    kernels,
    library_version,
    log_to,
    memory_used,
    set_log_callback,
    thread_limit,
    utf8_complete_prefix,
)
from ._tokenizer import ChatTemplate, Tokenizer

__version__ = "0.1.0"

__all__ = [
    "Adapter", "all_devices", "argmax", "BitnetError", "build_info", "BusyError", "Cancelled", "CapacityError",
    "Chat", "ChatTemplate", "check_device", "ClosedError", "ConfigError", "Context", "convert_file",
    "ConvertReport", "DecodeFlags", "device_info", "device_memory", "DeviceError", "DeviceKind", "devices",
    "EncodeFlags", "environment", "ErrorFamily", "ErrorSeverity", "estimate_memory", "features",
    "FileMissingError", "FindingKind", "FindingSeverity", "FinishReason", "ForwardOutput", "Generation",
    "GgufError", "GgufFile", "Grammar", "I2sOrder", "InternalError", "IoError", "json_schema_to_gbnf",
    "kernels", "library_version", "LibraryError", "log_to", "LogLevel", "memory_used", "MemoryLimitError",
    "merge_files", "MergeReport", "Metadata", "Model", "ModelError", "NodeValue", "Pooling", "Prompt",
    "QuantizationError", "quantize_accuracy", "Quantized", "Quantizer", "ReceiptCheck", "Result", "Sampler",
    "SecurityError", "set_log_callback", "softmax", "Status", "Step", "step_together", "thread_limit",
    "TimeoutExceeded", "TokenAttribute", "TokenizationError", "Tokenizer", "TokenizerDiscovery",
    "TokenizerStrategy", "TokenLogprob", "top_logprobs", "UsageError", "utf8_complete_prefix", "validate_file",
    "ValidationError", "ValidationReport", "Verification", "verify_receipt",
]
