// The enums of bitnet.h under the names that C# programs use.
// Written by bindings/abi/emit_csharp.py from bitnet.h 0.1.0, where every name is explained. Do not edit.
namespace BitNet
{
    /// <summary>What a call of the library came to. See bitnet_status in bitnet.h.</summary>
    public enum Status
    {
        /// <summary>BITNET_OK</summary>
        Ok = 0,
        /// <summary>BITNET_E_ARGUMENT</summary>
        Argument = -100,
        /// <summary>BITNET_E_CONFIG</summary>
        Config = -101,
        /// <summary>BITNET_E_BUFFER_TOO_SMALL</summary>
        BufferTooSmall = -102,
        /// <summary>BITNET_E_UNSUPPORTED</summary>
        Unsupported = -103,
        /// <summary>BITNET_E_NOT_FOUND</summary>
        NotFound = -104,
        /// <summary>BITNET_E_IO</summary>
        Io = -200,
        /// <summary>BITNET_E_FILE_NOT_FOUND</summary>
        FileNotFound = -201,
        /// <summary>BITNET_E_GGUF_MAGIC</summary>
        GgufMagic = -300,
        /// <summary>BITNET_E_GGUF_VERSION</summary>
        GgufVersion = -301,
        /// <summary>BITNET_E_GGUF_TENSOR_COUNT</summary>
        GgufTensorCount = -302,
        /// <summary>BITNET_E_GGUF_KV_COUNT</summary>
        GgufKvCount = -303,
        /// <summary>BITNET_E_GGUF_MISSING_TENSOR</summary>
        GgufMissingTensor = -304,
        /// <summary>BITNET_E_GGUF_TENSOR_SHAPE</summary>
        GgufTensorShape = -305,
        /// <summary>BITNET_E_GGUF_TENSOR_DATA</summary>
        GgufTensorData = -306,
        /// <summary>BITNET_E_GGUF_TENSOR_TYPE</summary>
        GgufTensorType = -307,
        /// <summary>BITNET_E_GGUF_TRUNCATED</summary>
        GgufTruncated = -308,
        /// <summary>BITNET_E_GGUF_MAP</summary>
        GgufMap = -309,
        /// <summary>BITNET_E_GGUF_ALIGNMENT</summary>
        GgufAlignment = -310,
        /// <summary>BITNET_E_GGUF_METADATA</summary>
        GgufMetadata = -311,
        /// <summary>BITNET_E_MODEL_ARCHITECTURE</summary>
        ModelArchitecture = -400,
        /// <summary>BITNET_E_MODEL_SHAPE</summary>
        ModelShape = -401,
        /// <summary>BITNET_E_TOKENIZER</summary>
        Tokenizer = -500,
        /// <summary>BITNET_E_TOKEN</summary>
        Token = -501,
        /// <summary>BITNET_E_TEXT</summary>
        Text = -502,
        /// <summary>BITNET_E_OUT_OF_MEMORY</summary>
        OutOfMemory = -600,
        /// <summary>BITNET_E_LIMIT</summary>
        Limit = -601,
        /// <summary>BITNET_E_KV_FULL</summary>
        KvFull = -602,
        /// <summary>BITNET_E_CANCELLED</summary>
        Cancelled = -700,
        /// <summary>BITNET_E_TIMEOUT</summary>
        Timeout = -701,
        /// <summary>BITNET_E_STATE</summary>
        State = -702,
        /// <summary>BITNET_E_DEVICE</summary>
        Device = -800,
        /// <summary>BITNET_E_DEVICE_NOT_AVAILABLE</summary>
        DeviceNotAvailable = -801,
        /// <summary>BITNET_E_DEVICE_MEMORY</summary>
        DeviceMemory = -802,
        /// <summary>BITNET_E_DEVICE_COMPUTE</summary>
        DeviceCompute = -803,
        /// <summary>BITNET_E_DEVICE_FALLBACK</summary>
        DeviceFallback = -804,
        /// <summary>BITNET_E_DEVICE_CAPABILITY</summary>
        DeviceCapability = -805,
        /// <summary>BITNET_E_DEVICE_SYNC</summary>
        DeviceSync = -806,
        /// <summary>BITNET_E_INTERNAL</summary>
        Internal = -900,
        /// <summary>BITNET_E_QUANT_FORMAT</summary>
        QuantFormat = -1000,
        /// <summary>BITNET_E_QUANT_ACCURACY</summary>
        QuantAccuracy = -1001,
        /// <summary>BITNET_E_QUANT_INPUT</summary>
        QuantInput = -1002,
        /// <summary>BITNET_E_QUANT_OUTPUT_SIZE</summary>
        QuantOutputSize = -1003,
        /// <summary>BITNET_E_QUANT_SCALE_COUNT</summary>
        QuantScaleCount = -1004,
        /// <summary>BITNET_E_QUANT_DEVICE</summary>
        QuantDevice = -1005,
        /// <summary>BITNET_E_QUANT_GPU</summary>
        QuantGpu = -1006,
        /// <summary>BITNET_E_QUANT_CUDA</summary>
        QuantCuda = -1007,
        /// <summary>BITNET_E_QUANT_MEMORY</summary>
        QuantMemory = -1008,
        /// <summary>BITNET_E_QUANT_OVERFLOW</summary>
        QuantOverflow = -1009,
        /// <summary>BITNET_E_QUANT_ZERO_POINT</summary>
        QuantZeroPoint = -1010,
        /// <summary>BITNET_E_QUANT_SCALE</summary>
        QuantScale = -1011,
        /// <summary>BITNET_E_VALIDATION</summary>
        Validation = -1100,
        /// <summary>BITNET_E_SECURITY_MODEL_SIZE</summary>
        SecurityModelSize = -1200,
        /// <summary>BITNET_E_SECURITY_TENSOR_COUNT</summary>
        SecurityTensorCount = -1201,
        /// <summary>BITNET_E_SECURITY_MEMORY</summary>
        SecurityMemory = -1202,
        /// <summary>BITNET_E_SECURITY_OPERATION</summary>
        SecurityOperation = -1203,
        /// <summary>BITNET_E_SECURITY_INPUT</summary>
        SecurityInput = -1204,
        /// <summary>BITNET_E_SECURITY_EXHAUSTION</summary>
        SecurityExhaustion = -1205,
    }

    /// <summary>What a status is about. See bitnet_error_family in bitnet.h.</summary>
    public enum ErrorFamily
    {
        /// <summary>BITNET_FAMILY_NONE</summary>
        None = 0,
        /// <summary>BITNET_FAMILY_MODEL</summary>
        Model = 1,
        /// <summary>BITNET_FAMILY_TOKENIZATION</summary>
        Tokenization = 2,
        /// <summary>BITNET_FAMILY_GGUF_PARSE</summary>
        GgufParse = 3,
        /// <summary>BITNET_FAMILY_QUANTIZATION</summary>
        Quantization = 4,
        /// <summary>BITNET_FAMILY_VALIDATION</summary>
        Validation = 5,
        /// <summary>BITNET_FAMILY_DEVICE</summary>
        Device = 6,
        /// <summary>BITNET_FAMILY_IO</summary>
        Io = 7,
        /// <summary>BITNET_FAMILY_CONFIG</summary>
        Config = 8,
        /// <summary>BITNET_FAMILY_MEMORY</summary>
        Memory = 9,
        /// <summary>BITNET_FAMILY_SECURITY</summary>
        Security = 10,
        /// <summary>BITNET_FAMILY_TIMEOUT</summary>
        Timeout = 11,
        /// <summary>BITNET_FAMILY_CAPACITY</summary>
        Capacity = 12,
        /// <summary>BITNET_FAMILY_USAGE</summary>
        Usage = 13,
        /// <summary>BITNET_FAMILY_INTERNAL</summary>
        Internal = 14,
    }

    /// <summary>How bad a failure is. See bitnet_error_severity in bitnet.h.</summary>
    public enum ErrorSeverity
    {
        /// <summary>BITNET_SEVERITY_NONE</summary>
        None = 0,
        /// <summary>BITNET_SEVERITY_WARNING</summary>
        Warning = 1,
        /// <summary>BITNET_SEVERITY_ERROR</summary>
        Error = 2,
        /// <summary>BITNET_SEVERITY_CRITICAL</summary>
        Critical = 3,
        /// <summary>BITNET_SEVERITY_FATAL</summary>
        Fatal = 4,
    }

    /// <summary>How much a log message matters. See bitnet_log_level in bitnet.h.</summary>
    public enum LogLevel
    {
        /// <summary>BITNET_LOG_DEBUG</summary>
        Debug = 0,
        /// <summary>BITNET_LOG_INFO</summary>
        Info = 1,
        /// <summary>BITNET_LOG_WARNING</summary>
        Warning = 2,
        /// <summary>BITNET_LOG_ERROR</summary>
        Error = 3,
    }

    /// <summary>What kind of token one is. See bitnet_token_attribute in bitnet.h.</summary>
    public enum TokenAttribute
    {
        /// <summary>BITNET_TOKEN_NORMAL</summary>
        Normal = 1,
        /// <summary>BITNET_TOKEN_UNKNOWN</summary>
        Unknown = 2,
        /// <summary>BITNET_TOKEN_CONTROL</summary>
        Control = 3,
        /// <summary>BITNET_TOKEN_USER_DEFINED</summary>
        UserDefined = 4,
        /// <summary>BITNET_TOKEN_UNUSED</summary>
        Unused = 5,
        /// <summary>BITNET_TOKEN_BYTE</summary>
        Byte = 6,
    }

    /// <summary>How the vectors of a text's tokens become one. See bitnet_pooling in bitnet.h.</summary>
    public enum Pooling
    {
        /// <summary>BITNET_POOLING_LAST</summary>
        Last = 0,
        /// <summary>BITNET_POOLING_MEAN</summary>
        Mean = 1,
        /// <summary>BITNET_POOLING_CLS</summary>
        Cls = 2,
        /// <summary>BITNET_POOLING_MODEL</summary>
        Model = 3,
    }

    /// <summary>Why a text ended. See bitnet_finish_reason in bitnet.h.</summary>
    public enum FinishReason
    {
        /// <summary>BITNET_FINISH_NONE</summary>
        None = 0,
        /// <summary>BITNET_FINISH_END</summary>
        End = 1,
        /// <summary>BITNET_FINISH_STOP_SEQUENCE</summary>
        StopSequence = 2,
        /// <summary>BITNET_FINISH_LENGTH</summary>
        Length = 3,
        /// <summary>BITNET_FINISH_CONTEXT_FULL</summary>
        ContextFull = 4,
        /// <summary>BITNET_FINISH_CANCELLED</summary>
        Cancelled = 5,
        /// <summary>BITNET_FINISH_DEADLINE</summary>
        Deadline = 6,
    }

    /// <summary>What is wrong with a receipt. See bitnet_receipt_check in bitnet.h.</summary>
    public enum ReceiptCheck
    {
        /// <summary>BITNET_RECEIPT_CHECK_NONE</summary>
        None = 0,
        /// <summary>BITNET_RECEIPT_CHECK_FORMAT</summary>
        Format = 1,
        /// <summary>BITNET_RECEIPT_CHECK_COMPUTE_PATH</summary>
        ComputePath = 2,
        /// <summary>BITNET_RECEIPT_CHECK_KERNELS</summary>
        Kernels = 3,
        /// <summary>BITNET_RECEIPT_CHECK_DIGEST</summary>
        Digest = 4,
        /// <summary>BITNET_RECEIPT_CHECK_MODEL</summary>
        Model = 5,
        /// <summary>BITNET_RECEIPT_CHECK_REPLAY</summary>
        Replay = 6,
        /// <summary>BITNET_RECEIPT_CHECK_TOKEN</summary>
        Token = 7,
    }

    /// <summary>What validation found. See bitnet_finding_kind in bitnet.h.</summary>
    public enum FindingKind
    {
        /// <summary>BITNET_FINDING_FILE</summary>
        File = 1,
        /// <summary>BITNET_FINDING_MISSING</summary>
        Missing = 2,
        /// <summary>BITNET_FINDING_SHAPE</summary>
        Shape = 3,
        /// <summary>BITNET_FINDING_TYPE</summary>
        Type = 4,
        /// <summary>BITNET_FINDING_EXTENT</summary>
        Extent = 5,
        /// <summary>BITNET_FINDING_UNUSED</summary>
        Unused = 6,
        /// <summary>BITNET_FINDING_NOT_FINITE</summary>
        NotFinite = 7,
        /// <summary>BITNET_FINDING_CODE</summary>
        Code = 8,
        /// <summary>BITNET_FINDING_SCALE</summary>
        Scale = 9,
        /// <summary>BITNET_FINDING_ZERO_TENSOR</summary>
        ZeroTensor = 10,
        /// <summary>BITNET_FINDING_ZERO_ROWS</summary>
        ZeroRows = 11,
        /// <summary>BITNET_FINDING_NOT_CHECKED</summary>
        NotChecked = 12,
    }

    /// <summary>How bad a finding is. See bitnet_finding_severity in bitnet.h.</summary>
    public enum FindingSeverity
    {
        /// <summary>BITNET_FINDING_NOTE</summary>
        Note = 0,
        /// <summary>BITNET_FINDING_WARNING</summary>
        Warning = 1,
        /// <summary>BITNET_FINDING_ERROR</summary>
        Error = 2,
    }

    /// <summary>What computes. See bitnet_device_kind in bitnet.h.</summary>
    public enum DeviceKind
    {
        /// <summary>BITNET_DEVICE_AUTO</summary>
        Auto = 0,
        /// <summary>BITNET_DEVICE_CPU</summary>
        Cpu = 1,
        /// <summary>BITNET_DEVICE_CUDA</summary>
        Cuda = 2,
        /// <summary>BITNET_DEVICE_METAL</summary>
        Metal = 3,
    }
}
