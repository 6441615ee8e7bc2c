// The enums of bitnet.h that the safe layer shows. Numbers of newer libraries become `Other`.
// Written by bindings/abi/emit_rust.py from bitnet.h; change that program, not this file.

macro_rules! c_enum {
    ($(#[$about:meta])* $name:ident { $($(#[$meaning:meta])* $variant:ident = $number:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$meaning])* $variant,)*
            /// A number that this version does not know.
            Other(i32),
        }

        impl $name {
            /// From the number of bitnet.h.
            pub fn from_raw(number: i32) -> $name {
                match number {
                    $($number => $name::$variant,)*
                    other => $name::Other(other),
                }
            }

            /// The number in bitnet.h.
            pub fn raw(self) -> i32 {
                match self {
                    $($name::$variant => $number,)*
                    $name::Other(other) => other,
                }
            }
        }
    };
}

c_enum! {
    /// `bitnet_status` of bitnet.h.
    Status {
        /// `BITNET_OK`
        Ok = 0,
        /// `BITNET_E_ARGUMENT`
        Argument = -100,
        /// `BITNET_E_CONFIG`
        Config = -101,
        /// `BITNET_E_BUFFER_TOO_SMALL`
        BufferTooSmall = -102,
        /// `BITNET_E_UNSUPPORTED`
        Unsupported = -103,
        /// `BITNET_E_NOT_FOUND`
        NotFound = -104,
        /// `BITNET_E_IO`
        Io = -200,
        /// `BITNET_E_FILE_NOT_FOUND`
        FileNotFound = -201,
        /// `BITNET_E_GGUF_MAGIC`
        GgufMagic = -300,
        /// `BITNET_E_GGUF_VERSION`
        GgufVersion = -301,
        /// `BITNET_E_GGUF_TENSOR_COUNT`
        GgufTensorCount = -302,
        /// `BITNET_E_GGUF_KV_COUNT`
        GgufKvCount = -303,
        /// `BITNET_E_GGUF_MISSING_TENSOR`
        GgufMissingTensor = -304,
        /// `BITNET_E_GGUF_TENSOR_SHAPE`
        GgufTensorShape = -305,
        /// `BITNET_E_GGUF_TENSOR_DATA`
        GgufTensorData = -306,
        /// `BITNET_E_GGUF_TENSOR_TYPE`
        GgufTensorType = -307,
        /// `BITNET_E_GGUF_TRUNCATED`
        GgufTruncated = -308,
        /// `BITNET_E_GGUF_MAP`
        GgufMap = -309,
        /// `BITNET_E_GGUF_ALIGNMENT`
        GgufAlignment = -310,
        /// `BITNET_E_GGUF_METADATA`
        GgufMetadata = -311,
        /// `BITNET_E_MODEL_ARCHITECTURE`
        ModelArchitecture = -400,
        /// `BITNET_E_MODEL_SHAPE`
        ModelShape = -401,
        /// `BITNET_E_TOKENIZER`
        Tokenizer = -500,
        /// `BITNET_E_TOKEN`
        Token = -501,
        /// `BITNET_E_TEXT`
        Text = -502,
        /// `BITNET_E_OUT_OF_MEMORY`
        OutOfMemory = -600,
        /// `BITNET_E_LIMIT`
        Limit = -601,
        /// `BITNET_E_KV_FULL`
        KvFull = -602,
        /// `BITNET_E_CANCELLED`
        Cancelled = -700,
        /// `BITNET_E_TIMEOUT`
        Timeout = -701,
        /// `BITNET_E_STATE`
        State = -702,
        /// `BITNET_E_DEVICE`
        Device = -800,
        /// `BITNET_E_DEVICE_NOT_AVAILABLE`
        DeviceNotAvailable = -801,
        /// `BITNET_E_DEVICE_MEMORY`
        DeviceMemory = -802,
        /// `BITNET_E_DEVICE_COMPUTE`
        DeviceCompute = -803,
        /// `BITNET_E_DEVICE_FALLBACK`
        DeviceFallback = -804,
        /// `BITNET_E_DEVICE_CAPABILITY`
        DeviceCapability = -805,
        /// `BITNET_E_DEVICE_SYNC`
        DeviceSync = -806,
        /// `BITNET_E_INTERNAL`
        Internal = -900,
        /// `BITNET_E_QUANT_FORMAT`
        QuantFormat = -1000,
        /// `BITNET_E_QUANT_ACCURACY`
        QuantAccuracy = -1001,
        /// `BITNET_E_QUANT_INPUT`
        QuantInput = -1002,
        /// `BITNET_E_QUANT_OUTPUT_SIZE`
        QuantOutputSize = -1003,
        /// `BITNET_E_QUANT_SCALE_COUNT`
        QuantScaleCount = -1004,
        /// `BITNET_E_QUANT_DEVICE`
        QuantDevice = -1005,
        /// `BITNET_E_QUANT_GPU`
        QuantGpu = -1006,
        /// `BITNET_E_QUANT_CUDA`
        QuantCuda = -1007,
        /// `BITNET_E_QUANT_MEMORY`
        QuantMemory = -1008,
        /// `BITNET_E_QUANT_OVERFLOW`
        QuantOverflow = -1009,
        /// `BITNET_E_QUANT_ZERO_POINT`
        QuantZeroPoint = -1010,
        /// `BITNET_E_QUANT_SCALE`
        QuantScale = -1011,
        /// `BITNET_E_VALIDATION`
        Validation = -1100,
        /// `BITNET_E_SECURITY_MODEL_SIZE`
        SecurityModelSize = -1200,
        /// `BITNET_E_SECURITY_TENSOR_COUNT`
        SecurityTensorCount = -1201,
        /// `BITNET_E_SECURITY_MEMORY`
        SecurityMemory = -1202,
        /// `BITNET_E_SECURITY_OPERATION`
        SecurityOperation = -1203,
        /// `BITNET_E_SECURITY_INPUT`
        SecurityInput = -1204,
        /// `BITNET_E_SECURITY_EXHAUSTION`
        SecurityExhaustion = -1205,
    }
}

c_enum! {
    /// `bitnet_error_family` of bitnet.h.
    Family {
        /// `BITNET_FAMILY_NONE`
        None = 0,
        /// `BITNET_FAMILY_MODEL`
        Model = 1,
        /// `BITNET_FAMILY_TOKENIZATION`
        Tokenization = 2,
        /// `BITNET_FAMILY_GGUF_PARSE`
        GgufParse = 3,
        /// `BITNET_FAMILY_QUANTIZATION`
        Quantization = 4,
        /// `BITNET_FAMILY_VALIDATION`
        Validation = 5,
        /// `BITNET_FAMILY_DEVICE`
        Device = 6,
        /// `BITNET_FAMILY_IO`
        Io = 7,
        /// `BITNET_FAMILY_CONFIG`
        Config = 8,
        /// `BITNET_FAMILY_MEMORY`
        Memory = 9,
        /// `BITNET_FAMILY_SECURITY`
        Security = 10,
        /// `BITNET_FAMILY_TIMEOUT`
        Timeout = 11,
        /// `BITNET_FAMILY_CAPACITY`
        Capacity = 12,
        /// `BITNET_FAMILY_USAGE`
        Usage = 13,
        /// `BITNET_FAMILY_INTERNAL`
        Internal = 14,
    }
}

c_enum! {
    /// `bitnet_error_severity` of bitnet.h.
    Severity {
        /// `BITNET_SEVERITY_NONE`
        None = 0,
        /// `BITNET_SEVERITY_WARNING`
        Warning = 1,
        /// `BITNET_SEVERITY_ERROR`
        Error = 2,
        /// `BITNET_SEVERITY_CRITICAL`
        Critical = 3,
        /// `BITNET_SEVERITY_FATAL`
        Fatal = 4,
    }
}

c_enum! {
    /// `bitnet_log_level` of bitnet.h.
    LogLevel {
        /// `BITNET_LOG_DEBUG`
        Debug = 0,
        /// `BITNET_LOG_INFO`
        Info = 1,
        /// `BITNET_LOG_WARNING`
        Warning = 2,
        /// `BITNET_LOG_ERROR`
        Error = 3,
    }
}

c_enum! {
    /// `bitnet_finish_reason` of bitnet.h.
    FinishReason {
        /// `BITNET_FINISH_NONE`
        None = 0,
        /// `BITNET_FINISH_END`
        End = 1,
        /// `BITNET_FINISH_STOP_SEQUENCE`
        StopSequence = 2,
        /// `BITNET_FINISH_LENGTH`
        Length = 3,
        /// `BITNET_FINISH_CONTEXT_FULL`
        ContextFull = 4,
        /// `BITNET_FINISH_CANCELLED`
        Cancelled = 5,
        /// `BITNET_FINISH_DEADLINE`
        Deadline = 6,
    }
}

c_enum! {
    /// `bitnet_token_attribute` of bitnet.h.
    TokenAttribute {
        /// `BITNET_TOKEN_NORMAL`
        Normal = 1,
        /// `BITNET_TOKEN_UNKNOWN`
        Unknown = 2,
        /// `BITNET_TOKEN_CONTROL`
        Control = 3,
        /// `BITNET_TOKEN_USER_DEFINED`
        UserDefined = 4,
        /// `BITNET_TOKEN_UNUSED`
        Unused = 5,
        /// `BITNET_TOKEN_BYTE`
        Byte = 6,
    }
}

c_enum! {
    /// `bitnet_pooling` of bitnet.h.
    Pooling {
        /// `BITNET_POOLING_LAST`
        Last = 0,
        /// `BITNET_POOLING_MEAN`
        Mean = 1,
        /// `BITNET_POOLING_CLS`
        Cls = 2,
        /// `BITNET_POOLING_MODEL`
        Model = 3,
    }
}

c_enum! {
    /// `bitnet_i2s_order` of bitnet.h.
    I2sOrder {
        /// `BITNET_I2S_ORDER_X86`
        X86 = 0,
        /// `BITNET_I2S_ORDER_ARM`
        Arm = 1,
    }
}

c_enum! {
    /// `bitnet_device_kind` of bitnet.h.
    DeviceKind {
        /// `BITNET_DEVICE_AUTO`
        Auto = 0,
        /// `BITNET_DEVICE_CPU`
        Cpu = 1,
        /// `BITNET_DEVICE_CUDA`
        Cuda = 2,
        /// `BITNET_DEVICE_METAL`
        Metal = 3,
    }
}

c_enum! {
    /// `bitnet_finding_kind` of bitnet.h.
    FindingKind {
        /// `BITNET_FINDING_FILE`
        File = 1,
        /// `BITNET_FINDING_MISSING`
        Missing = 2,
        /// `BITNET_FINDING_SHAPE`
        Shape = 3,
        /// `BITNET_FINDING_TYPE`
        Type = 4,
        /// `BITNET_FINDING_EXTENT`
        Extent = 5,
        /// `BITNET_FINDING_UNUSED`
        Unused = 6,
        /// `BITNET_FINDING_NOT_FINITE`
        NotFinite = 7,
        /// `BITNET_FINDING_CODE`
        Code = 8,
        /// `BITNET_FINDING_SCALE`
        Scale = 9,
        /// `BITNET_FINDING_ZERO_TENSOR`
        ZeroTensor = 10,
        /// `BITNET_FINDING_ZERO_ROWS`
        ZeroRows = 11,
        /// `BITNET_FINDING_NOT_CHECKED`
        NotChecked = 12,
    }
}

c_enum! {
    /// `bitnet_finding_severity` of bitnet.h.
    FindingSeverity {
        /// `BITNET_FINDING_NOTE`
        Note = 0,
        /// `BITNET_FINDING_WARNING`
        Warning = 1,
        /// `BITNET_FINDING_ERROR`
        Error = 2,
    }
}

c_enum! {
    /// `bitnet_receipt_check` of bitnet.h.
    ReceiptCheck {
        /// `BITNET_RECEIPT_CHECK_NONE`
        None = 0,
        /// `BITNET_RECEIPT_CHECK_FORMAT`
        Format = 1,
        /// `BITNET_RECEIPT_CHECK_COMPUTE_PATH`
        ComputePath = 2,
        /// `BITNET_RECEIPT_CHECK_KERNELS`
        Kernels = 3,
        /// `BITNET_RECEIPT_CHECK_DIGEST`
        Digest = 4,
        /// `BITNET_RECEIPT_CHECK_MODEL`
        Model = 5,
        /// `BITNET_RECEIPT_CHECK_REPLAY`
        Replay = 6,
        /// `BITNET_RECEIPT_CHECK_TOKEN`
        Token = 7,
    }
}
