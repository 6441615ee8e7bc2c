// The enums and callbacks of bitnet.h.
// Written by bindings/abi/emit_csharp.py from bitnet.h 0.1.0, where every name is explained. Do not edit.
using System;
using System.Runtime.InteropServices;

namespace BitNet.Interop
{
    public enum bitnet_status
    {
        BITNET_OK = 0,
        BITNET_E_ARGUMENT = -100,
        BITNET_E_CONFIG = -101,
        BITNET_E_BUFFER_TOO_SMALL = -102,
        BITNET_E_UNSUPPORTED = -103,
        BITNET_E_NOT_FOUND = -104,
        BITNET_E_IO = -200,
        BITNET_E_FILE_NOT_FOUND = -201,
        BITNET_E_GGUF_MAGIC = -300,
        BITNET_E_GGUF_VERSION = -301,
        BITNET_E_GGUF_TENSOR_COUNT = -302,
        BITNET_E_GGUF_KV_COUNT = -303,
        BITNET_E_GGUF_MISSING_TENSOR = -304,
        BITNET_E_GGUF_TENSOR_SHAPE = -305,
        BITNET_E_GGUF_TENSOR_DATA = -306,
        BITNET_E_GGUF_TENSOR_TYPE = -307,
        BITNET_E_GGUF_TRUNCATED = -308,
        BITNET_E_GGUF_MAP = -309,
        BITNET_E_GGUF_ALIGNMENT = -310,
        BITNET_E_GGUF_METADATA = -311,
        BITNET_E_MODEL_ARCHITECTURE = -400,
        BITNET_E_MODEL_SHAPE = -401,
        BITNET_E_TOKENIZER = -500,
        BITNET_E_TOKEN = -501,
        BITNET_E_TEXT = -502,
        BITNET_E_OUT_OF_MEMORY = -600,
        BITNET_E_LIMIT = -601,
        BITNET_E_KV_FULL = -602,
        BITNET_E_CANCELLED = -700,
        BITNET_E_TIMEOUT = -701,
        BITNET_E_STATE = -702,
        BITNET_E_DEVICE = -800,
        BITNET_E_DEVICE_NOT_AVAILABLE = -801,
        BITNET_E_DEVICE_MEMORY = -802,
        BITNET_E_DEVICE_COMPUTE = -803,
        BITNET_E_DEVICE_FALLBACK = -804,
        BITNET_E_DEVICE_CAPABILITY = -805,
        BITNET_E_DEVICE_SYNC = -806,
        BITNET_E_INTERNAL = -900,
        BITNET_E_QUANT_FORMAT = -1000,
        BITNET_E_QUANT_ACCURACY = -1001,
        BITNET_E_QUANT_INPUT = -1002,
        BITNET_E_QUANT_OUTPUT_SIZE = -1003,
        BITNET_E_QUANT_SCALE_COUNT = -1004,
        BITNET_E_QUANT_DEVICE = -1005,
        BITNET_E_QUANT_GPU = -1006,
        BITNET_E_QUANT_CUDA = -1007,
        BITNET_E_QUANT_MEMORY = -1008,
        BITNET_E_QUANT_OVERFLOW = -1009,
        BITNET_E_QUANT_ZERO_POINT = -1010,
        BITNET_E_QUANT_SCALE = -1011,
        BITNET_E_VALIDATION = -1100,
        BITNET_E_SECURITY_MODEL_SIZE = -1200,
        BITNET_E_SECURITY_TENSOR_COUNT = -1201,
        BITNET_E_SECURITY_MEMORY = -1202,
        BITNET_E_SECURITY_OPERATION = -1203,
        BITNET_E_SECURITY_INPUT = -1204,
        BITNET_E_SECURITY_EXHAUSTION = -1205,
    }

    public enum bitnet_error_family
    {
        BITNET_FAMILY_NONE = 0,
        BITNET_FAMILY_MODEL = 1,
        BITNET_FAMILY_TOKENIZATION = 2,
        BITNET_FAMILY_GGUF_PARSE = 3,
        BITNET_FAMILY_QUANTIZATION = 4,
        BITNET_FAMILY_VALIDATION = 5,
        BITNET_FAMILY_DEVICE = 6,
        BITNET_FAMILY_IO = 7,
        BITNET_FAMILY_CONFIG = 8,
        BITNET_FAMILY_MEMORY = 9,
        BITNET_FAMILY_SECURITY = 10,
        BITNET_FAMILY_TIMEOUT = 11,
        BITNET_FAMILY_CAPACITY = 12,
        BITNET_FAMILY_USAGE = 13,
        BITNET_FAMILY_INTERNAL = 14,
    }

    public enum bitnet_error_severity
    {
        BITNET_SEVERITY_NONE = 0,
        BITNET_SEVERITY_WARNING = 1,
        BITNET_SEVERITY_ERROR = 2,
        BITNET_SEVERITY_CRITICAL = 3,
        BITNET_SEVERITY_FATAL = 4,
    }

    public enum bitnet_log_level
    {
        BITNET_LOG_DEBUG = 0,
        BITNET_LOG_INFO = 1,
        BITNET_LOG_WARNING = 2,
        BITNET_LOG_ERROR = 3,
    }

    public enum bitnet_i2s_order
    {
        BITNET_I2S_ORDER_X86 = 0,
        BITNET_I2S_ORDER_ARM = 1,
    }

    public enum bitnet_token_attribute
    {
        BITNET_TOKEN_NORMAL = 1,
        BITNET_TOKEN_UNKNOWN = 2,
        BITNET_TOKEN_CONTROL = 3,
        BITNET_TOKEN_USER_DEFINED = 4,
        BITNET_TOKEN_UNUSED = 5,
        BITNET_TOKEN_BYTE = 6,
    }

    public enum bitnet_pooling
    {
        BITNET_POOLING_LAST = 0,
        BITNET_POOLING_MEAN = 1,
        BITNET_POOLING_CLS = 2,
        BITNET_POOLING_MODEL = 3,
    }

    public enum bitnet_kv_type
    {
        BITNET_KV_F16 = 0,
        BITNET_KV_Q8_0 = 1,
        BITNET_KV_Q4_0 = 2,
    }

    public enum bitnet_finish_reason
    {
        BITNET_FINISH_NONE = 0,
        BITNET_FINISH_END = 1,
        BITNET_FINISH_STOP_SEQUENCE = 2,
        BITNET_FINISH_LENGTH = 3,
        BITNET_FINISH_CONTEXT_FULL = 4,
        BITNET_FINISH_CANCELLED = 5,
        BITNET_FINISH_DEADLINE = 6,
    }

    public enum bitnet_receipt_check
    {
        BITNET_RECEIPT_CHECK_NONE = 0,
        BITNET_RECEIPT_CHECK_FORMAT = 1,
        BITNET_RECEIPT_CHECK_COMPUTE_PATH = 2,
        BITNET_RECEIPT_CHECK_KERNELS = 3,
        BITNET_RECEIPT_CHECK_DIGEST = 4,
        BITNET_RECEIPT_CHECK_MODEL = 5,
        BITNET_RECEIPT_CHECK_REPLAY = 6,
        BITNET_RECEIPT_CHECK_TOKEN = 7,
    }

    public enum bitnet_finding_kind
    {
        BITNET_FINDING_FILE = 1,
        BITNET_FINDING_MISSING = 2,
        BITNET_FINDING_SHAPE = 3,
        BITNET_FINDING_TYPE = 4,
        BITNET_FINDING_EXTENT = 5,
        BITNET_FINDING_UNUSED = 6,
        BITNET_FINDING_NOT_FINITE = 7,
        BITNET_FINDING_CODE = 8,
        BITNET_FINDING_SCALE = 9,
        BITNET_FINDING_ZERO_TENSOR = 10,
        BITNET_FINDING_ZERO_ROWS = 11,
        BITNET_FINDING_NOT_CHECKED = 12,
    }

    public enum bitnet_finding_severity
    {
        BITNET_FINDING_NOTE = 0,
        BITNET_FINDING_WARNING = 1,
        BITNET_FINDING_ERROR = 2,
    }

    public enum bitnet_device_kind
    {
        BITNET_DEVICE_AUTO = 0,
        BITNET_DEVICE_CPU = 1,
        BITNET_DEVICE_CUDA = 2,
        BITNET_DEVICE_METAL = 3,
    }

    public enum bitnet_envelope
    {
        BITNET_ENVELOPE_GRID = 1,
        BITNET_ENVELOPE_ARBITRARY = 2,
    }

    public enum bitnet_forward_output
    {
        BITNET_FORWARD_LOGITS = 0,
        BITNET_FORWARD_HIDDEN = 1,
    }

    public enum bitnet_convert_action
    {
        BITNET_CONVERT_COPIED = 0,
        BITNET_CONVERT_ENCODED = 1,
        BITNET_CONVERT_TERNARISED = 2,
    }

    public enum bitnet_tokenizer_strategy
    {
        BITNET_TOKENIZER_NOT_FOUND = 0,
        BITNET_TOKENIZER_EXACT = 1,
        BITNET_TOKENIZER_EMBEDDED = 2,
        BITNET_TOKENIZER_DISCOVERED = 3,
        BITNET_TOKENIZER_CACHED = 4,
        BITNET_TOKENIZER_NEEDS_DOWNLOAD = 5,
    }

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    public unsafe delegate void bitnet_log_callback(bitnet_log_level level, byte* message, void* user_data);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    public unsafe delegate int bitnet_progress_callback(float progress, void* user_data);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    public unsafe delegate int bitnet_reader_read(void* user_data, ulong offset, void* dst, ulong n_bytes);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    public unsafe delegate int bitnet_context_params_should_abort(void* user_data);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    public unsafe delegate int bitnet_generation_callback(bitnet_generation_step* step, void* user_data);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    public unsafe delegate int bitnet_receipt_params_should_abort(void* user_data);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    public unsafe delegate void* bitnet_allocator_alloc(UIntPtr size, UIntPtr alignment, void* user_data);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    public unsafe delegate void bitnet_allocator_free(void* memory, UIntPtr size, UIntPtr alignment, void* user_data);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    public unsafe delegate void bitnet_thread_pool_run_task(void* arg, int index);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    public unsafe delegate void bitnet_thread_pool_run(void* user_data, IntPtr task, void* arg, int n_tasks);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    public unsafe delegate void bitnet_node_callback(bitnet_node_value* value, void* user_data);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    public unsafe delegate int bitnet_limits_params_should_abort(void* user_data);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    public unsafe delegate int bitnet_kernel_run_should_abort(void* user_data);
}
