// Constants, small types and callbacks of bitnet.h.
// Written by bindings/abi/emit_rust.py from bitnet.h; change that program, not this file.

use super::*;

pub const BITNET_VERSION_MAJOR: u32 = 0;
pub const BITNET_VERSION_MINOR: u32 = 1;
pub const BITNET_VERSION_PATCH: u32 = 0;
/// What `bitnet_version_number` gives for this header.
pub const BITNET_VERSION_NUMBER: u32 = 100;

pub type bitnet_token = i32;
pub type bitnet_pos = i32;
pub type bitnet_seq_id = i32;

pub type bitnet_status = i32;
pub const BITNET_OK: bitnet_status = 0;
pub const BITNET_E_ARGUMENT: bitnet_status = -100;
pub const BITNET_E_CONFIG: bitnet_status = -101;
pub const BITNET_E_BUFFER_TOO_SMALL: bitnet_status = -102;
pub const BITNET_E_UNSUPPORTED: bitnet_status = -103;
pub const BITNET_E_NOT_FOUND: bitnet_status = -104;
pub const BITNET_E_IO: bitnet_status = -200;
pub const BITNET_E_FILE_NOT_FOUND: bitnet_status = -201;
pub const BITNET_E_GGUF_MAGIC: bitnet_status = -300;
pub const BITNET_E_GGUF_VERSION: bitnet_status = -301;
pub const BITNET_E_GGUF_TENSOR_COUNT: bitnet_status = -302;
pub const BITNET_E_GGUF_KV_COUNT: bitnet_status = -303;
pub const BITNET_E_GGUF_MISSING_TENSOR: bitnet_status = -304;
pub const BITNET_E_GGUF_TENSOR_SHAPE: bitnet_status = -305;
pub const BITNET_E_GGUF_TENSOR_DATA: bitnet_status = -306;
pub const BITNET_E_GGUF_TENSOR_TYPE: bitnet_status = -307;
pub const BITNET_E_GGUF_TRUNCATED: bitnet_status = -308;
pub const BITNET_E_GGUF_MAP: bitnet_status = -309;
pub const BITNET_E_GGUF_ALIGNMENT: bitnet_status = -310;
pub const BITNET_E_GGUF_METADATA: bitnet_status = -311;
pub const BITNET_E_MODEL_ARCHITECTURE: bitnet_status = -400;
pub const BITNET_E_MODEL_SHAPE: bitnet_status = -401;
pub const BITNET_E_TOKENIZER: bitnet_status = -500;
pub const BITNET_E_TOKEN: bitnet_status = -501;
pub const BITNET_E_TEXT: bitnet_status = -502;
pub const BITNET_E_OUT_OF_MEMORY: bitnet_status = -600;
pub const BITNET_E_LIMIT: bitnet_status = -601;
pub const BITNET_E_KV_FULL: bitnet_status = -602;
pub const BITNET_E_CANCELLED: bitnet_status = -700;
pub const BITNET_E_TIMEOUT: bitnet_status = -701;
pub const BITNET_E_STATE: bitnet_status = -702;
pub const BITNET_E_DEVICE: bitnet_status = -800;
pub const BITNET_E_DEVICE_NOT_AVAILABLE: bitnet_status = -801;
pub const BITNET_E_DEVICE_MEMORY: bitnet_status = -802;
pub const BITNET_E_DEVICE_COMPUTE: bitnet_status = -803;
pub const BITNET_E_DEVICE_FALLBACK: bitnet_status = -804;
pub const BITNET_E_DEVICE_CAPABILITY: bitnet_status = -805;
pub const BITNET_E_DEVICE_SYNC: bitnet_status = -806;
pub const BITNET_E_INTERNAL: bitnet_status = -900;
pub const BITNET_E_QUANT_FORMAT: bitnet_status = -1000;
pub const BITNET_E_QUANT_ACCURACY: bitnet_status = -1001;
pub const BITNET_E_QUANT_INPUT: bitnet_status = -1002;
pub const BITNET_E_QUANT_OUTPUT_SIZE: bitnet_status = -1003;
pub const BITNET_E_QUANT_SCALE_COUNT: bitnet_status = -1004;
pub const BITNET_E_QUANT_DEVICE: bitnet_status = -1005;
pub const BITNET_E_QUANT_GPU: bitnet_status = -1006;
pub const BITNET_E_QUANT_CUDA: bitnet_status = -1007;
pub const BITNET_E_QUANT_MEMORY: bitnet_status = -1008;
pub const BITNET_E_QUANT_OVERFLOW: bitnet_status = -1009;
pub const BITNET_E_QUANT_ZERO_POINT: bitnet_status = -1010;
pub const BITNET_E_QUANT_SCALE: bitnet_status = -1011;
pub const BITNET_E_VALIDATION: bitnet_status = -1100;
pub const BITNET_E_SECURITY_MODEL_SIZE: bitnet_status = -1200;
pub const BITNET_E_SECURITY_TENSOR_COUNT: bitnet_status = -1201;
pub const BITNET_E_SECURITY_MEMORY: bitnet_status = -1202;
pub const BITNET_E_SECURITY_OPERATION: bitnet_status = -1203;
pub const BITNET_E_SECURITY_INPUT: bitnet_status = -1204;
pub const BITNET_E_SECURITY_EXHAUSTION: bitnet_status = -1205;

pub type bitnet_error_family = i32;
pub const BITNET_FAMILY_NONE: bitnet_error_family = 0;
pub const BITNET_FAMILY_MODEL: bitnet_error_family = 1;
pub const BITNET_FAMILY_TOKENIZATION: bitnet_error_family = 2;
pub const BITNET_FAMILY_GGUF_PARSE: bitnet_error_family = 3;
pub const BITNET_FAMILY_QUANTIZATION: bitnet_error_family = 4;
pub const BITNET_FAMILY_VALIDATION: bitnet_error_family = 5;
pub const BITNET_FAMILY_DEVICE: bitnet_error_family = 6;
pub const BITNET_FAMILY_IO: bitnet_error_family = 7;
pub const BITNET_FAMILY_CONFIG: bitnet_error_family = 8;
pub const BITNET_FAMILY_MEMORY: bitnet_error_family = 9;
pub const BITNET_FAMILY_SECURITY: bitnet_error_family = 10;
pub const BITNET_FAMILY_TIMEOUT: bitnet_error_family = 11;
pub const BITNET_FAMILY_CAPACITY: bitnet_error_family = 12;
pub const BITNET_FAMILY_USAGE: bitnet_error_family = 13;
pub const BITNET_FAMILY_INTERNAL: bitnet_error_family = 14;

pub type bitnet_error_severity = i32;
pub const BITNET_SEVERITY_NONE: bitnet_error_severity = 0;
pub const BITNET_SEVERITY_WARNING: bitnet_error_severity = 1;
pub const BITNET_SEVERITY_ERROR: bitnet_error_severity = 2;
pub const BITNET_SEVERITY_CRITICAL: bitnet_error_severity = 3;
pub const BITNET_SEVERITY_FATAL: bitnet_error_severity = 4;

pub type bitnet_log_level = i32;
pub const BITNET_LOG_DEBUG: bitnet_log_level = 0;
pub const BITNET_LOG_INFO: bitnet_log_level = 1;
pub const BITNET_LOG_WARNING: bitnet_log_level = 2;
pub const BITNET_LOG_ERROR: bitnet_log_level = 3;

pub type bitnet_i2s_order = i32;
pub const BITNET_I2S_ORDER_X86: bitnet_i2s_order = 0;
pub const BITNET_I2S_ORDER_ARM: bitnet_i2s_order = 1;

pub const BITNET_ENCODE_ADD_BOS: u32 = 1;
pub const BITNET_ENCODE_PARSE_SPECIAL: u32 = 2;
pub const BITNET_ENCODE_ADD_DEFAULT: u32 = 4;

pub const BITNET_DECODE_SPECIAL: u32 = 1;
pub const BITNET_DECODE_START: u32 = 2;

pub type bitnet_token_attribute = i32;
pub const BITNET_TOKEN_NORMAL: bitnet_token_attribute = 1;
pub const BITNET_TOKEN_UNKNOWN: bitnet_token_attribute = 2;
pub const BITNET_TOKEN_CONTROL: bitnet_token_attribute = 3;
pub const BITNET_TOKEN_USER_DEFINED: bitnet_token_attribute = 4;
pub const BITNET_TOKEN_UNUSED: bitnet_token_attribute = 5;
pub const BITNET_TOKEN_BYTE: bitnet_token_attribute = 6;

pub type bitnet_pooling = i32;
pub const BITNET_POOLING_LAST: bitnet_pooling = 0;
pub const BITNET_POOLING_MEAN: bitnet_pooling = 1;
pub const BITNET_POOLING_CLS: bitnet_pooling = 2;
pub const BITNET_POOLING_MODEL: bitnet_pooling = 3;

pub type bitnet_kv_type = i32;
pub const BITNET_KV_F16: bitnet_kv_type = 0;
pub const BITNET_KV_Q8_0: bitnet_kv_type = 1;
pub const BITNET_KV_Q4_0: bitnet_kv_type = 2;

pub type bitnet_finish_reason = i32;
pub const BITNET_FINISH_NONE: bitnet_finish_reason = 0;
pub const BITNET_FINISH_END: bitnet_finish_reason = 1;
pub const BITNET_FINISH_STOP_SEQUENCE: bitnet_finish_reason = 2;
pub const BITNET_FINISH_LENGTH: bitnet_finish_reason = 3;
pub const BITNET_FINISH_CONTEXT_FULL: bitnet_finish_reason = 4;
pub const BITNET_FINISH_CANCELLED: bitnet_finish_reason = 5;
pub const BITNET_FINISH_DEADLINE: bitnet_finish_reason = 6;

pub type bitnet_receipt_check = i32;
pub const BITNET_RECEIPT_CHECK_NONE: bitnet_receipt_check = 0;
pub const BITNET_RECEIPT_CHECK_FORMAT: bitnet_receipt_check = 1;
pub const BITNET_RECEIPT_CHECK_COMPUTE_PATH: bitnet_receipt_check = 2;
pub const BITNET_RECEIPT_CHECK_KERNELS: bitnet_receipt_check = 3;
pub const BITNET_RECEIPT_CHECK_DIGEST: bitnet_receipt_check = 4;
pub const BITNET_RECEIPT_CHECK_MODEL: bitnet_receipt_check = 5;
pub const BITNET_RECEIPT_CHECK_REPLAY: bitnet_receipt_check = 6;
pub const BITNET_RECEIPT_CHECK_TOKEN: bitnet_receipt_check = 7;

pub type bitnet_finding_kind = i32;
pub const BITNET_FINDING_FILE: bitnet_finding_kind = 1;
pub const BITNET_FINDING_MISSING: bitnet_finding_kind = 2;
pub const BITNET_FINDING_SHAPE: bitnet_finding_kind = 3;
pub const BITNET_FINDING_TYPE: bitnet_finding_kind = 4;
pub const BITNET_FINDING_EXTENT: bitnet_finding_kind = 5;
pub const BITNET_FINDING_UNUSED: bitnet_finding_kind = 6;
pub const BITNET_FINDING_NOT_FINITE: bitnet_finding_kind = 7;
pub const BITNET_FINDING_CODE: bitnet_finding_kind = 8;
pub const BITNET_FINDING_SCALE: bitnet_finding_kind = 9;
pub const BITNET_FINDING_ZERO_TENSOR: bitnet_finding_kind = 10;
pub const BITNET_FINDING_ZERO_ROWS: bitnet_finding_kind = 11;
pub const BITNET_FINDING_NOT_CHECKED: bitnet_finding_kind = 12;

pub type bitnet_finding_severity = i32;
pub const BITNET_FINDING_NOTE: bitnet_finding_severity = 0;
pub const BITNET_FINDING_WARNING: bitnet_finding_severity = 1;
pub const BITNET_FINDING_ERROR: bitnet_finding_severity = 2;

pub type bitnet_device_kind = i32;
pub const BITNET_DEVICE_AUTO: bitnet_device_kind = 0;
pub const BITNET_DEVICE_CPU: bitnet_device_kind = 1;
pub const BITNET_DEVICE_CUDA: bitnet_device_kind = 2;
pub const BITNET_DEVICE_METAL: bitnet_device_kind = 3;

pub const BITNET_METRIC_HAS_FIRST_TOKEN: u32 = 1;
pub const BITNET_METRIC_HAS_AVERAGE_TOKEN: u32 = 2;
pub const BITNET_METRIC_HAS_CACHE_HIT_RATE: u32 = 4;
pub const BITNET_METRIC_HAS_MEMORY: u32 = 8;
pub const BITNET_METRIC_HAS_ENCODE: u32 = 16;
pub const BITNET_METRIC_HAS_DETOKENIZE: u32 = 32;
pub const BITNET_METRIC_HAS_FORWARD: u32 = 64;
pub const BITNET_METRIC_HAS_SAMPLING: u32 = 128;

pub type bitnet_envelope = i32;
pub const BITNET_ENVELOPE_GRID: bitnet_envelope = 1;
pub const BITNET_ENVELOPE_ARBITRARY: bitnet_envelope = 2;

pub type bitnet_forward_output = i32;
pub const BITNET_FORWARD_LOGITS: bitnet_forward_output = 0;
pub const BITNET_FORWARD_HIDDEN: bitnet_forward_output = 1;

pub type bitnet_convert_action = i32;
pub const BITNET_CONVERT_COPIED: bitnet_convert_action = 0;
pub const BITNET_CONVERT_ENCODED: bitnet_convert_action = 1;
pub const BITNET_CONVERT_TERNARISED: bitnet_convert_action = 2;

pub type bitnet_tokenizer_strategy = i32;
pub const BITNET_TOKENIZER_NOT_FOUND: bitnet_tokenizer_strategy = 0;
pub const BITNET_TOKENIZER_EXACT: bitnet_tokenizer_strategy = 1;
pub const BITNET_TOKENIZER_EMBEDDED: bitnet_tokenizer_strategy = 2;
pub const BITNET_TOKENIZER_DISCOVERED: bitnet_tokenizer_strategy = 3;
pub const BITNET_TOKENIZER_CACHED: bitnet_tokenizer_strategy = 4;
pub const BITNET_TOKENIZER_NEEDS_DOWNLOAD: bitnet_tokenizer_strategy = 5;

pub type bitnet_log_callback = unsafe extern "C" fn(
    level: bitnet_log_level, message: *const c_char, user_data: *mut c_void,
);
pub type bitnet_progress_callback = unsafe extern "C" fn(progress: f32, user_data: *mut c_void) -> i32;
pub type bitnet_reader_read = unsafe extern "C" fn(
    user_data: *mut c_void, offset: u64, dst: *mut c_void, n_bytes: u64,
) -> i32;
pub type bitnet_context_params_should_abort = unsafe extern "C" fn(user_data: *mut c_void) -> i32;
pub type bitnet_generation_callback = unsafe extern "C" fn(
    step: *const bitnet_generation_step, user_data: *mut c_void,
) -> i32;
pub type bitnet_receipt_params_should_abort = unsafe extern "C" fn(user_data: *mut c_void) -> i32;
pub type bitnet_allocator_alloc = unsafe extern "C" fn(
    size: usize, alignment: usize, user_data: *mut c_void,
) -> *mut c_void;
pub type bitnet_allocator_free = unsafe extern "C" fn(
    memory: *mut c_void, size: usize, alignment: usize, user_data: *mut c_void,
);
pub type bitnet_thread_pool_run_task = unsafe extern "C" fn(arg: *mut c_void, index: i32);
pub type bitnet_thread_pool_run = unsafe extern "C" fn(
    user_data: *mut c_void, task: Option<bitnet_thread_pool_run_task>, arg: *mut c_void, n_tasks: i32,
);
pub type bitnet_node_callback = unsafe extern "C" fn(value: *const bitnet_node_value, user_data: *mut c_void);
pub type bitnet_limits_params_should_abort = unsafe extern "C" fn(user_data: *mut c_void) -> i32;
pub type bitnet_kernel_run_should_abort = unsafe extern "C" fn(user_data: *mut c_void) -> i32;
