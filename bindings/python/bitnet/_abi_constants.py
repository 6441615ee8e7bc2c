"""The constants of bitnet.h. BITNET_E_KV_FULL is Status.KV_FULL, BITNET_FINISH_END FinishReason.END.

Written by bindings/abi/emit_python.py from bitnet.h 0.1.0; do not edit.
"""

from __future__ import annotations

import enum

from ._abi_base import OpenEnum

HEADER_VERSION = (0, 1, 0)


class Status(OpenEnum):
    OK = 0
    ARGUMENT = -100
    CONFIG = -101
    BUFFER_TOO_SMALL = -102
    UNSUPPORTED = -103
    NOT_FOUND = -104
    IO = -200
    FILE_NOT_FOUND = -201
    GGUF_MAGIC = -300
    GGUF_VERSION = -301
    GGUF_TENSOR_COUNT = -302
    GGUF_KV_COUNT = -303
    GGUF_MISSING_TENSOR = -304
    GGUF_TENSOR_SHAPE = -305
    GGUF_TENSOR_DATA = -306
    GGUF_TENSOR_TYPE = -307
    GGUF_TRUNCATED = -308
    GGUF_MAP = -309
    GGUF_ALIGNMENT = -310
    GGUF_METADATA = -311
    MODEL_ARCHITECTURE = -400
    MODEL_SHAPE = -401
    TOKENIZER = -500
    TOKEN = -501
    TEXT = -502
    OUT_OF_MEMORY = -600
    LIMIT = -601
    KV_FULL = -602
    CANCELLED = -700
    TIMEOUT = -701
    STATE = -702
    DEVICE = -800
    DEVICE_NOT_AVAILABLE = -801
    DEVICE_MEMORY = -802
    DEVICE_COMPUTE = -803
    DEVICE_FALLBACK = -804
    DEVICE_CAPABILITY = -805
    DEVICE_SYNC = -806
    INTERNAL = -900
    QUANT_FORMAT = -1000
    QUANT_ACCURACY = -1001
    QUANT_INPUT = -1002
    QUANT_OUTPUT_SIZE = -1003
    QUANT_SCALE_COUNT = -1004
    QUANT_DEVICE = -1005
    QUANT_GPU = -1006
    QUANT_CUDA = -1007
    QUANT_MEMORY = -1008
    QUANT_OVERFLOW = -1009
    QUANT_ZERO_POINT = -1010
    QUANT_SCALE = -1011
    VALIDATION = -1100
    SECURITY_MODEL_SIZE = -1200
    SECURITY_TENSOR_COUNT = -1201
    SECURITY_MEMORY = -1202
    SECURITY_OPERATION = -1203
    SECURITY_INPUT = -1204
    SECURITY_EXHAUSTION = -1205


class ErrorFamily(OpenEnum):
    NONE = 0
    MODEL = 1
    TOKENIZATION = 2
    GGUF_PARSE = 3
    QUANTIZATION = 4
    VALIDATION = 5
    DEVICE = 6
    IO = 7
    CONFIG = 8
    MEMORY = 9
    SECURITY = 10
    TIMEOUT = 11
    CAPACITY = 12
    USAGE = 13
    INTERNAL = 14


class ErrorSeverity(OpenEnum):
    NONE = 0
    WARNING = 1
    ERROR = 2
    CRITICAL = 3
    FATAL = 4


class LogLevel(OpenEnum):
    DEBUG = 0
    INFO = 1
    WARNING = 2
    ERROR = 3


class I2sOrder(OpenEnum):
    X86 = 0
    ARM = 1


class EncodeFlags(enum.IntFlag):
    ADD_BOS = 1
    PARSE_SPECIAL = 2
    ADD_DEFAULT = 4


class DecodeFlags(enum.IntFlag):
    SPECIAL = 1
    START = 2


class TokenAttribute(OpenEnum):
    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


class Pooling(OpenEnum):
    LAST = 0
    MEAN = 1
    CLS = 2
    MODEL = 3


class KvType(OpenEnum):
    F16 = 0
    Q8_0 = 1
    Q4_0 = 2


class FinishReason(OpenEnum):
    NONE = 0
    END = 1
    STOP_SEQUENCE = 2
    LENGTH = 3
    CONTEXT_FULL = 4
    CANCELLED = 5
    DEADLINE = 6


class ReceiptCheck(OpenEnum):
    NONE = 0
    FORMAT = 1
    COMPUTE_PATH = 2
    KERNELS = 3
    DIGEST = 4
    MODEL = 5
    REPLAY = 6
    TOKEN = 7


class FindingKind(OpenEnum):
    FILE = 1
    MISSING = 2
    SHAPE = 3
    TYPE = 4
    EXTENT = 5
    UNUSED = 6
    NOT_FINITE = 7
    CODE = 8
    SCALE = 9
    ZERO_TENSOR = 10
    ZERO_ROWS = 11
    NOT_CHECKED = 12


class FindingSeverity(OpenEnum):
    NOTE = 0
    WARNING = 1
    ERROR = 2


class DeviceKind(OpenEnum):
    AUTO = 0
    CPU = 1
    CUDA = 2
    METAL = 3


class MetricHasFlags(enum.IntFlag):
    FIRST_TOKEN = 1
    AVERAGE_TOKEN = 2
    CACHE_HIT_RATE = 4
    MEMORY = 8
    ENCODE = 16
    DETOKENIZE = 32
    FORWARD = 64
    SAMPLING = 128


class Envelope(OpenEnum):
    GRID = 1
    ARBITRARY = 2


class ForwardOutput(OpenEnum):
    LOGITS = 0
    HIDDEN = 1


class ConvertAction(OpenEnum):
    COPIED = 0
    ENCODED = 1
    TERNARISED = 2


class TokenizerStrategy(OpenEnum):
    NOT_FOUND = 0
    EXACT = 1
    EMBEDDED = 2
    DISCOVERED = 3
    CACHED = 4
    NEEDS_DOWNLOAD = 5
