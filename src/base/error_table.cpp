#include "src/base/error_table.h"

#include <iterator>

namespace bitnet {
namespace {

// Sentences that several rows share.
#define DOWNLOAD_AGAIN "Download the file again and compare its size or hash with the published one."
#define CONVERT_AGAIN "Convert the original model to GGUF again with a current converter."
#define INSPECT_FILE "See what the file holds and whether it can run: `bitnet inspect FILE`."
#define LIST_TENSORS "List its tensors with type and shape: `bitnet inspect FILE --tensors`."
#define SEE_SIZE "See how large the model is: `bitnet inspect FILE`."
#define ESTIMATE_FILE "See what it takes with another context size: `bitnet estimate FILE --ctx 1024`."
#define VALIDATE_FILE "List all that is wrong with it: `bitnet validate FILE`."
#define CHECK_THE_SOURCE "Do not load this file unless you trust where it comes from."
#define USE_THE_CPU "Compute on the CPU instead; every model runs there."
#define QUANTISE_ON_CPU "Quantise on the CPU; the values are the same."
#define CHECK_THE_DEVICE "Check the device's health and driver; free the context before trying again."

#define FAMILY(name) BITNET_FAMILY_##name
#define SEVERITY(name) BITNET_SEVERITY_##name
constexpr bool kRecoverable = true, kFinal = false;

// clang-format off
constexpr ErrorRow kRows[] = {
    {BITNET_OK, FAMILY(NONE), "Success", SEVERITY(NONE), kRecoverable, {}, {}},
    {BITNET_E_ARGUMENT, FAMILY(USAGE), "InvalidArgument", SEVERITY(ERROR), kFinal,
     {"Compare the call with its comment in bitnet.h; the message names the argument."}, {}},
    {BITNET_E_CONFIG, FAMILY(CONFIG), "InvalidParameter", SEVERITY(ERROR), kRecoverable,
     {"Correct the parameter or environment variable that the message names, or leave it out for the default.",
      "List the kernels that can be named: `bitnet kernels`."},
     {"BITNET_KERNEL", "BITNET_NUM_THREADS", "BITNET_SEED"}},
    {BITNET_E_BUFFER_TOO_SMALL, FAMILY(CAPACITY), "BufferTooSmall", SEVERITY(WARNING), kRecoverable,
     {"Call again with a buffer of the size that was returned."}, {}},
    {BITNET_E_UNSUPPORTED, FAMILY(MODEL), "UnsupportedFeature", SEVERITY(ERROR), kFinal,
     {INSPECT_FILE, "Update the library, or use a model without the feature that the message names."}, {}},
    {BITNET_E_NOT_FOUND, FAMILY(USAGE), "NotFound", SEVERITY(WARNING), kRecoverable,
     {"Ask for what is there: the entry is not among the keys, tensors, tokens or outputs.",
      "List a model's metadata and tensors: `bitnet inspect FILE --tensors`."}, {}},
    {BITNET_E_IO, FAMILY(IO), "ReadOrWriteFailed", SEVERITY(ERROR), kRecoverable,
     {"Check the disk, the free space on it and the file's permissions, then try again.",
      "Copy the file to a local disk if it lies on a network."}, {}},
    {BITNET_E_FILE_NOT_FOUND, FAMILY(IO), "FileNotFound", SEVERITY(ERROR), kRecoverable,
     {"Check the path and the permissions; a relative path starts at the program's working folder.",
      "Put all parts of a split model into one folder."}, {}},

    {BITNET_E_GGUF_MAGIC, FAMILY(GGUF_PARSE), "InvalidMagic", SEVERITY(ERROR), kFinal,
     {"Give the path of a GGUF file; convert checkpoints of other formats first.", DOWNLOAD_AGAIN}, {}},
    {BITNET_E_GGUF_VERSION, FAMILY(GGUF_PARSE), "UnsupportedVersion", SEVERITY(ERROR), kFinal,
     {"Update the library for files newer than version 3.", CONVERT_AGAIN}, {}},
    {BITNET_E_GGUF_TENSOR_COUNT, FAMILY(GGUF_PARSE), "InvalidTensorCount", SEVERITY(ERROR), kFinal,
     {DOWNLOAD_AGAIN}, {}},
    {BITNET_E_GGUF_KV_COUNT, FAMILY(GGUF_PARSE), "InvalidKvCount", SEVERITY(ERROR), kFinal, {DOWNLOAD_AGAIN}, {}},
    {BITNET_E_GGUF_MISSING_TENSOR, FAMILY(GGUF_PARSE), "MissingTensor", SEVERITY(ERROR), kFinal,
     {INSPECT_FILE, CONVERT_AGAIN}, {}},
    {BITNET_E_GGUF_TENSOR_SHAPE, FAMILY(GGUF_PARSE), "InvalidTensorShape", SEVERITY(ERROR), kFinal,
     {INSPECT_FILE, CONVERT_AGAIN}, {}},
    {BITNET_E_GGUF_TENSOR_DATA, FAMILY(GGUF_PARSE), "TensorDataCorruption", SEVERITY(ERROR), kFinal,
     {DOWNLOAD_AGAIN, INSPECT_FILE,
      "A model that was quantised on ARM needs bitnet_model_params.i2s_order = BITNET_I2S_ORDER_ARM."}, {}},
    {BITNET_E_GGUF_TENSOR_TYPE, FAMILY(GGUF_PARSE), "UnsupportedTensorType", SEVERITY(ERROR), kFinal,
     {INSPECT_FILE, "Convert the model to one of the types that `bitnet kernels` lists."}, {}},
    {BITNET_E_GGUF_TRUNCATED, FAMILY(GGUF_PARSE), "FileTruncated", SEVERITY(ERROR), kFinal,
     {DOWNLOAD_AGAIN, "See whether its metadata is still there: `bitnet inspect FILE`."}, {}},
    {BITNET_E_GGUF_MAP, FAMILY(GGUF_PARSE), "MemoryMappingFailed", SEVERITY(ERROR), kRecoverable,
     {"Read the file instead, with bitnet_model_params.use_mmap = 0: `bitnet run --no-mmap -m FILE`.",
      "Check the limits of the process on address space and mapped files."}, {}},
    {BITNET_E_GGUF_ALIGNMENT, FAMILY(GGUF_PARSE), "TensorAlignment", SEVERITY(ERROR), kFinal,
     {DOWNLOAD_AGAIN, CONVERT_AGAIN}, {}},
    {BITNET_E_GGUF_METADATA, FAMILY(GGUF_PARSE), "InvalidMetadata", SEVERITY(ERROR), kFinal,
     {INSPECT_FILE, CONVERT_AGAIN}, {}},

    {BITNET_E_MODEL_ARCHITECTURE, FAMILY(MODEL), "UnsupportedArchitecture", SEVERITY(ERROR), kFinal,
     {INSPECT_FILE, "Use a BitNet b1.58 or Llama model, or update the library."}, {}},
    {BITNET_E_MODEL_SHAPE, FAMILY(MODEL), "InvalidHyperparameters", SEVERITY(ERROR), kFinal,
     {LIST_TENSORS, CONVERT_AGAIN}, {}},
    {BITNET_E_TOKENIZER, FAMILY(TOKENIZATION), "InvalidVocabulary", SEVERITY(ERROR), kFinal,
     {"Take the tokenizer file from where the model comes from, or convert the model again with its vocabulary."}, {}},
    {BITNET_E_TOKEN, FAMILY(TOKENIZATION), "TokenOutOfRange", SEVERITY(ERROR), kRecoverable,
     {"Take ids from the same model's tokenizer: `bitnet tokenize -m FILE hello`."}, {}},
    {BITNET_E_TEXT, FAMILY(TOKENIZATION), "UnencodableText", SEVERITY(ERROR), kRecoverable,
     {"Encode the text in smaller pieces, and break up very long runs of one character."}, {}},

    {BITNET_E_OUT_OF_MEMORY, FAMILY(MEMORY), "OutOfMemory", SEVERITY(CRITICAL), kRecoverable,
     {"Free contexts and models that are not needed, or create contexts with a smaller n_ctx.", SEE_SIZE},
     {"BITNET_MEMORY_LIMIT"}},
    {BITNET_E_LIMIT, FAMILY(CAPACITY), "LimitExceeded", SEVERITY(ERROR), kRecoverable,
     {"Stay within the limit that the message names, or split the work."}, {}},
    {BITNET_E_KV_FULL, FAMILY(CAPACITY), "ContextFull", SEVERITY(ERROR), kRecoverable,
     {"Remove sequences or their beginning with bitnet_sequence_remove, or create the context with a larger n_ctx.",
      "Give the command more room: `bitnet run --ctx 2048 -m FILE`."}, {}},

    {BITNET_E_CANCELLED, FAMILY(USAGE), "Cancelled", SEVERITY(WARNING), kRecoverable,
     {"Call again to go on: nothing was changed."}, {}},
    {BITNET_E_TIMEOUT, FAMILY(TIMEOUT), "DeadlinePassed", SEVERITY(ERROR), kRecoverable,
     {"Give more time, or ask for less in one call: fewer tokens or a smaller model.",
      "See that the fastest kernel is used: `bitnet kernels`."},
     {"BITNET_NUM_THREADS", "BITNET_KERNEL"}},
    {BITNET_E_STATE, FAMILY(USAGE), "WrongState", SEVERITY(ERROR), kRecoverable,
     {"Do first what the message names; a saved state fits only the model that it was saved with."}, {}},

    {BITNET_E_DEVICE, FAMILY(DEVICE), "DeviceUnusable", SEVERITY(ERROR), kRecoverable,
     {USE_THE_CPU, "List the kernels that can run here: `bitnet kernels`."}, {"BITNET_KERNEL"}},
    {BITNET_E_DEVICE_NOT_AVAILABLE, FAMILY(DEVICE), "CudaNotAvailable", SEVERITY(ERROR), kRecoverable,
     {"See which devices can be used: `bitnet devices`.", "Check that the driver is installed and that the program may use the device.",
      USE_THE_CPU},
     {"CUDA_VISIBLE_DEVICES"}},
    {BITNET_E_DEVICE_MEMORY, FAMILY(DEVICE), "CudaOutOfMemory", SEVERITY(CRITICAL), kRecoverable,
     {"Free memory of the device, create contexts with a smaller n_ctx, or use a smaller model.", USE_THE_CPU},
     {"CUDA_VISIBLE_DEVICES"}},
    {BITNET_E_DEVICE_COMPUTE, FAMILY(DEVICE), "CudaComputation", SEVERITY(CRITICAL), kRecoverable,
     {USE_THE_CPU, CHECK_THE_DEVICE}, {"CUDA_VISIBLE_DEVICES"}},
    {BITNET_E_DEVICE_FALLBACK, FAMILY(DEVICE), "CpuFallbackRequired", SEVERITY(WARNING), kRecoverable,
     {USE_THE_CPU}, {"CUDA_VISIBLE_DEVICES"}},
    {BITNET_E_DEVICE_CAPABILITY, FAMILY(DEVICE), "InsufficientCapability", SEVERITY(ERROR), kRecoverable,
     {"Leave the choice to the library, or name a kernel that can run here: `bitnet kernels`."},
     {"BITNET_KERNEL", "CUDA_VISIBLE_DEVICES"}},
    {BITNET_E_DEVICE_SYNC, FAMILY(DEVICE), "SynchronizationFailed", SEVERITY(CRITICAL), kRecoverable,
     {USE_THE_CPU, CHECK_THE_DEVICE}, {"CUDA_VISIBLE_DEVICES"}},

    {BITNET_E_INTERNAL, FAMILY(INTERNAL), "Internal", SEVERITY(FATAL), kFinal,
     {"Report it with the text of bitnet_last_error_get_debug_message()."}, {"BITNET_KERNEL", "BITNET_NUM_THREADS"}},

    {BITNET_E_QUANT_FORMAT, FAMILY(QUANTIZATION), "UnsupportedFormat", SEVERITY(ERROR), kFinal,
     {"Choose one of the types that `bitnet kernels` lists."}, {}},
    {BITNET_E_QUANT_ACCURACY, FAMILY(QUANTIZATION), "AccuracyTooLow", SEVERITY(ERROR), kRecoverable,
     {"Choose a type with more bits, or a lower minimum; weights that were not trained ternary lose much."}, {}},
    {BITNET_E_QUANT_INPUT, FAMILY(QUANTIZATION), "InputValidation", SEVERITY(ERROR), kRecoverable,
     {"Check the values and their number: no NaN, no infinity, whole blocks."}, {}},
    {BITNET_E_QUANT_OUTPUT_SIZE, FAMILY(QUANTIZATION), "OutputBufferTooSmall", SEVERITY(ERROR), kRecoverable,
     {"Call again with a buffer of the size that the message names."}, {}},
    {BITNET_E_QUANT_SCALE_COUNT, FAMILY(QUANTIZATION), "ScaleBufferMismatch", SEVERITY(ERROR), kRecoverable,
     {"Give as many scales as the message names."}, {}},
    {BITNET_E_QUANT_DEVICE, FAMILY(QUANTIZATION), "DeviceQuantizationFailed", SEVERITY(ERROR), kRecoverable,
     {QUANTISE_ON_CPU}, {"CUDA_VISIBLE_DEVICES"}},
    {BITNET_E_QUANT_GPU, FAMILY(QUANTIZATION), "GpuNotAvailable", SEVERITY(ERROR), kRecoverable,
     {QUANTISE_ON_CPU}, {"CUDA_VISIBLE_DEVICES"}},
    {BITNET_E_QUANT_CUDA, FAMILY(QUANTIZATION), "CudaError", SEVERITY(CRITICAL), kRecoverable,
     {QUANTISE_ON_CPU, CHECK_THE_DEVICE}, {"CUDA_VISIBLE_DEVICES"}},
    {BITNET_E_QUANT_MEMORY, FAMILY(QUANTIZATION), "MemoryAllocation", SEVERITY(CRITICAL), kRecoverable,
     {"Free memory, or quantise fewer values at once."}, {"BITNET_MEMORY_LIMIT"}},
    {BITNET_E_QUANT_OVERFLOW, FAMILY(QUANTIZATION), "NumericalOverflow", SEVERITY(ERROR), kRecoverable,
     {"Scale the values into the range that the message names, or choose another type."}, {}},
    {BITNET_E_QUANT_ZERO_POINT, FAMILY(QUANTIZATION), "ZeroPointCalculation", SEVERITY(ERROR), kRecoverable,
     {"Check the smallest and the largest value: the zero point must lie in the range of the codes."}, {}},
    {BITNET_E_QUANT_SCALE, FAMILY(QUANTIZATION), "ScaleCalculation", SEVERITY(ERROR), kRecoverable,
     {"Check the values: the scale must be finite."}, {}},

    {BITNET_E_VALIDATION, FAMILY(VALIDATION), "ValidationFailed", SEVERITY(ERROR), kFinal,
     {VALIDATE_FILE, DOWNLOAD_AGAIN}, {}},

    {BITNET_E_SECURITY_MODEL_SIZE, FAMILY(SECURITY), "ModelSizeLimit", SEVERITY(ERROR), kRecoverable,
     {SEE_SIZE, "Raise bitnet_model_params.max_bytes if you trust the file, or choose a smaller model."}, {}},
    {BITNET_E_SECURITY_TENSOR_COUNT, FAMILY(SECURITY), "TensorCountLimit", SEVERITY(ERROR), kRecoverable,
     {LIST_TENSORS, "Raise bitnet_model_params.max_tensors if you trust the file."}, {}},
    {BITNET_E_SECURITY_MEMORY, FAMILY(SECURITY), "MemoryLimit", SEVERITY(ERROR), kRecoverable,
     {ESTIMATE_FILE, "Raise the limit that the message names, choose a smaller model, or create contexts with a smaller n_ctx."},
     {"BITNET_MEMORY_LIMIT"}},
    {BITNET_E_SECURITY_OPERATION, FAMILY(SECURITY), "UnsafeTensorOperation", SEVERITY(ERROR), kFinal,
     {CHECK_THE_SOURCE, DOWNLOAD_AGAIN}, {}},
    {BITNET_E_SECURITY_INPUT, FAMILY(SECURITY), "InputValidation", SEVERITY(ERROR), kFinal,
     {CHECK_THE_SOURCE, DOWNLOAD_AGAIN}, {}},
    {BITNET_E_SECURITY_EXHAUSTION, FAMILY(SECURITY), "ResourceExhaustion", SEVERITY(ERROR), kFinal,
     {CHECK_THE_SOURCE}, {}},
};
// clang-format on

// Complete and in order: a status that is added to bitnet.h does not compile without its row here.
#define STATUS_NUMBER(name, number, text) name,
constexpr bitnet_status kStatuses[] = {BITNET_STATUS_LIST(STATUS_NUMBER)};
#undef STATUS_NUMBER

constexpr bool complete() {
    if (std::size(kRows) != std::size(kStatuses)) return false;
    for (size_t i = 0; i < std::size(kRows); ++i) {
        if (kRows[i].status != kStatuses[i]) return false;
    }
    return true;
}
static_assert(complete(), "every status of bitnet.h needs one row of this table, in the order of its list");

constexpr ErrorRow kUnknown = {BITNET_STATUS_FORCE_INT32, FAMILY(NONE), "", SEVERITY(ERROR), kFinal, {}, {}};

}  // namespace

const ErrorRow& error_row(bitnet_status status) noexcept {
    for (const ErrorRow& row : kRows) {
        if (row.status == status) return row;
    }
    return kUnknown;
}

const char* suggestion_at(const ErrorRow& row, size_t index) noexcept {
    return index < kMaxSuggestions ? row.suggestions[index] : nullptr;
}

const char* variable_at(const ErrorRow& row, size_t index) noexcept {
    return index < kMaxVariables ? row.variables[index] : nullptr;
}

}  // namespace bitnet
