/* bitnet.h - the whole C interface of libbitnet, an engine for ternary (BitNet b1.58) language models.
 *
 * The shortest program (examples/simple.c is the same with error handling):
 *
 *     bitnet_model *model;  bitnet_context *ctx;  bitnet_sampler *sampler;
 *     bitnet_model_load("model.gguf", NULL, &model);
 *     bitnet_context_create(model, NULL, &ctx);
 *     bitnet_sampler_create(NULL, &sampler);
 *     const bitnet_tokenizer *tok = bitnet_model_get_tokenizer(model);
 *     bitnet_token tokens[512], next;  char piece[64];  size_t n, bytes;
 *     bitnet_tokenizer_encode(tok, "Once upon a time", 16, BITNET_ENCODE_ADD_BOS, tokens, 512, &n);
 *     bitnet_context_decode_tokens(ctx, 0, tokens, n);
 *     for (int i = 0; i < 64; i++) {
 *         bitnet_sampler_sample_context(sampler, ctx, -1, &next);
 *         if (bitnet_tokenizer_is_end(tok, next)) break;
 *         bitnet_tokenizer_decode(tok, &next, 1, 0, piece, sizeof piece, &bytes);
 *         fwrite(piece, 1, bytes, stdout);
 *         bitnet_context_decode_tokens(ctx, 0, &next, 1);
 *     }
 *
 * Three rules
 *   Ownership  A pointer you get through an `out_` parameter of a `_create` or `_load` function is yours; give it back to
 *              the matching `_free` (NULL is fine). A returned pointer is borrowed from its parent. Handles are counted
 *              inside: a context keeps its model alive, so handles may be freed in any order.
 *   Threads    Models and tokenizers never change: share them freely. A context or a sampler serves one thread at a
 *              time; different ones run in parallel. bitnet_context_cancel is the one call for any thread.
 *   Errors     Every call that can fail returns a bitnet_status: 0 is success, a negative number tells what failed.
 *              bitnet_last_error() has the sentence to show a person. The library never prints, exits or aborts, and
 *              after a failed call every handle is as it was before.
 *
 * Promise: within one major version, source and binary compatibility are kept (before 1.0: within one minor version);
 * the SOVERSION follows. Structs grow at their end only; their first field, struct_size, says what the caller knows.
 * Results on a CPU are the same bits on every instruction set, with any number of threads and any batch size. */
#ifndef BITNET_H
#define BITNET_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- 1. Export and version ---------------------------------------------------------------------------------------- */

#if defined(BITNET_STATIC)
#define BITNET_API
#elif defined(_WIN32)
#ifdef BITNET_BUILD
#define BITNET_API __declspec(dllexport)
#else
#define BITNET_API __declspec(dllimport)
#endif
#else
#define BITNET_API __attribute__((visibility("default")))
#endif

#define BITNET_VERSION_MAJOR 0
#define BITNET_VERSION_MINOR 1
#define BITNET_VERSION_PATCH 0
#define BITNET_VERSION_NUMBER (BITNET_VERSION_MAJOR * 10000 + BITNET_VERSION_MINOR * 100 + BITNET_VERSION_PATCH)

/* The version of the loaded library as major * 10000 + minor * 100 + patch. Bindings compare it with the header they
 * were written for. Since 0.1, like everything below without another remark. */
BITNET_API uint32_t bitnet_version_number(void);
/* "0.1.0"; static storage. */
BITNET_API const char *bitnet_version_string(void);
/* One line about this build: version, compiler, kernel levels compiled in; static storage. */
BITNET_API const char *bitnet_build_info(void);

/* ---- 2. Status and errors ----------------------------------------------------------------------------------------- */

/* X(name, number, text). Families by hundreds: 1 arguments and configuration, 2 input and output, 3 GGUF, 4 model,
 * 5 tokenizer, 6 memory and capacity, 7 running, 8 devices, 9 internal, 10 quantisation, 11 validation, 12 security.
 * A number never changes its meaning. */
#define BITNET_STATUS_LIST(X)                                                                                          \
    X(BITNET_OK, 0, "success")                                                                                         \
    X(BITNET_E_ARGUMENT, -100, "an argument is not valid")                                                             \
    X(BITNET_E_CONFIG, -101, "a parameter or environment variable is not valid")                                       \
    X(BITNET_E_BUFFER_TOO_SMALL, -102, "the caller's buffer is too small; the needed size was returned")               \
    X(BITNET_E_UNSUPPORTED, -103, "not supported by this build")                                                       \
    X(BITNET_E_NOT_FOUND, -104, "no such entry")                                                                       \
    X(BITNET_E_IO, -200, "reading or writing failed")                                                                  \
    X(BITNET_E_FILE_NOT_FOUND, -201, "the file does not exist or may not be read")                                     \
    X(BITNET_E_GGUF_MAGIC, -300, "not a GGUF file")                                                                    \
    X(BITNET_E_GGUF_VERSION, -301, "unsupported GGUF version")                                                         \
    X(BITNET_E_GGUF_TENSOR_COUNT, -302, "the tensor count exceeds the limit or the file")                              \
    X(BITNET_E_GGUF_KV_COUNT, -303, "the metadata count exceeds the limit or the file")                                \
    X(BITNET_E_GGUF_MISSING_TENSOR, -304, "required tensors are missing")                                              \
    X(BITNET_E_GGUF_TENSOR_SHAPE, -305, "a tensor has the wrong shape")                                                \
    X(BITNET_E_GGUF_TENSOR_DATA, -306, "a tensor's data is corrupt")                                                   \
    X(BITNET_E_GGUF_TENSOR_TYPE, -307, "unsupported or ambiguous tensor type")                                         \
    X(BITNET_E_GGUF_TRUNCATED, -308, "the file ends before its content")                                               \
    X(BITNET_E_GGUF_MAP, -309, "mapping the file into memory failed")                                                  \
    X(BITNET_E_GGUF_ALIGNMENT, -310, "a tensor or the alignment itself is misaligned")                                 \
    X(BITNET_E_GGUF_METADATA, -311, "a metadata key is missing, duplicate or has the wrong type or value")             \
    X(BITNET_E_MODEL_ARCHITECTURE, -400, "unsupported model architecture")                                             \
    X(BITNET_E_MODEL_SHAPE, -401, "the model's hyperparameters do not fit together")                                   \
    X(BITNET_E_TOKENIZER, -500, "the vocabulary or tokenizer file is not valid")                                       \
    X(BITNET_E_TOKEN, -501, "a token id is outside the vocabulary")                                                    \
    X(BITNET_E_TEXT, -502, "the text cannot be tokenized")                                                             \
    X(BITNET_E_OUT_OF_MEMORY, -600, "out of memory")                                                                   \
    X(BITNET_E_LIMIT, -601, "a limit of the library is exceeded")                                                      \
    X(BITNET_E_KV_FULL, -602, "the context has no room for these tokens")                                              \
    X(BITNET_E_CANCELLED, -700, "cancelled by the caller")                                                             \
    X(BITNET_E_TIMEOUT, -701, "the deadline passed")                                                                   \
    X(BITNET_E_STATE, -702, "not possible in the present state, or a saved state does not fit")                        \
    X(BITNET_E_DEVICE, -800, "the device cannot be used here")                                                         \
    X(BITNET_E_DEVICE_NOT_AVAILABLE, -801, "there is no such device, or its driver cannot be used")                    \
    X(BITNET_E_DEVICE_MEMORY, -802, "the device's memory is too small")                                                \
    X(BITNET_E_DEVICE_COMPUTE, -803, "a computation on the device failed")                                             \
    X(BITNET_E_DEVICE_FALLBACK, -804, "the device cannot do this; the CPU can")                                        \
    X(BITNET_E_DEVICE_CAPABILITY, -805, "the device lacks a capability that is needed")                                \
    X(BITNET_E_DEVICE_SYNC, -806, "waiting for the device failed")                                                     \
    X(BITNET_E_INTERNAL, -900, "internal error; please report it")                                                     \
    X(BITNET_E_QUANT_FORMAT, -1000, "unsupported quantisation format")                                                 \
    X(BITNET_E_QUANT_ACCURACY, -1001, "the quantised values are too far from the originals")                           \
    X(BITNET_E_QUANT_INPUT, -1002, "the values to quantise are not valid")                                             \
    X(BITNET_E_QUANT_OUTPUT_SIZE, -1003, "the buffer for the quantised values is too small")                           \
    X(BITNET_E_QUANT_SCALE_COUNT, -1004, "the number of scales does not fit the values")                               \
    X(BITNET_E_QUANT_DEVICE, -1005, "quantising on the device failed")                                                 \
    X(BITNET_E_QUANT_GPU, -1006, "quantising on a GPU is not available")                                               \
    X(BITNET_E_QUANT_CUDA, -1007, "CUDA failed while quantising")                                                      \
    X(BITNET_E_QUANT_MEMORY, -1008, "out of memory while quantising")                                                  \
    X(BITNET_E_QUANT_OVERFLOW, -1009, "the values exceed the format's range")                                          \
    X(BITNET_E_QUANT_ZERO_POINT, -1010, "the zero point cannot be computed")                                           \
    X(BITNET_E_QUANT_SCALE, -1011, "the scale cannot be computed")                                                     \
    X(BITNET_E_VALIDATION, -1100, "the model did not pass validation")                                                 \
    X(BITNET_E_SECURITY_MODEL_SIZE, -1200, "the model is larger than the limit")                                       \
    X(BITNET_E_SECURITY_TENSOR_COUNT, -1201, "the model has more tensors than the limit")                              \
    X(BITNET_E_SECURITY_MEMORY, -1202, "more memory would be needed than the limit allows")                            \
    X(BITNET_E_SECURITY_OPERATION, -1203, "a tensor is described in a way that is unsafe to compute with")             \
    X(BITNET_E_SECURITY_INPUT, -1204, "an input is larger or deeper than any honest one")                              \
    X(BITNET_E_SECURITY_EXHAUSTION, -1205, "an input is made to use up time or memory")

typedef enum bitnet_status {
#define BITNET_STATUS_ENUM(name, number, text) name = number,
    BITNET_STATUS_LIST(BITNET_STATUS_ENUM)
#undef BITNET_STATUS_ENUM
        BITNET_STATUS_FORCE_INT32 = 0x7fffffff
} bitnet_status;

/* "BITNET_E_KV_FULL"; "BITNET_UNKNOWN" for a number this version does not know. Static storage. */
BITNET_API const char *bitnet_status_name(bitnet_status status);
/* The text of the list above. Static storage. */
BITNET_API const char *bitnet_status_text(bitnet_status status);

/* Why the last call on this thread failed: one line that says what, where and what to do next. Never NULL; "" before the
 * first failure. Valid until the next failing call on this thread. Look at the status first: success does not clear it. */
BITNET_API const char *bitnet_last_error(void);

/* What a status is about. The families are those of the specification's BitNetError, and two more: a call that cannot be
 * right, and an error of ours. X(name, number, text). */
#define BITNET_ERROR_FAMILY_LIST(X)                                                                                    \
    X(BITNET_FAMILY_NONE, 0, "None")                                                                                   \
    X(BITNET_FAMILY_MODEL, 1, "Model")                                                                                 \
    X(BITNET_FAMILY_TOKENIZATION, 2, "Tokenization")                                                                   \
    X(BITNET_FAMILY_GGUF_PARSE, 3, "GgufParse")                                                                        \
    X(BITNET_FAMILY_QUANTIZATION, 4, "Quantization")                                                                   \
    X(BITNET_FAMILY_VALIDATION, 5, "Validation")                                                                       \
    X(BITNET_FAMILY_DEVICE, 6, "Device")                                                                               \
    X(BITNET_FAMILY_IO, 7, "Io")                                                                                       \
    X(BITNET_FAMILY_CONFIG, 8, "Config")                                                                               \
    X(BITNET_FAMILY_MEMORY, 9, "Memory")                                                                               \
    X(BITNET_FAMILY_SECURITY, 10, "Security")                                                                          \
    X(BITNET_FAMILY_TIMEOUT, 11, "Timeout")                                                                            \
    X(BITNET_FAMILY_CAPACITY, 12, "Capacity")                                                                          \
    X(BITNET_FAMILY_USAGE, 13, "Usage")                                                                                \
    X(BITNET_FAMILY_INTERNAL, 14, "Internal")

typedef enum bitnet_error_family {
#define BITNET_FAMILY_ENUM(name, number, text) name = number,
    BITNET_ERROR_FAMILY_LIST(BITNET_FAMILY_ENUM)
#undef BITNET_FAMILY_ENUM
        BITNET_FAMILY_FORCE_INT32 = 0x7fffffff
} bitnet_error_family;

typedef enum bitnet_error_severity {
    BITNET_SEVERITY_NONE = 0,     /* success */
    BITNET_SEVERITY_WARNING = 1,  /* the program can go on as if nothing had happened, or ask again */
    BITNET_SEVERITY_ERROR = 2,    /* the call failed; everything else works as before */
    BITNET_SEVERITY_CRITICAL = 3, /* the process or the device is short of something; other calls may fail, too */
    BITNET_SEVERITY_FATAL = 4,    /* do not trust the library any more: end the program */
    BITNET_SEVERITY_FORCE_INT32 = 0x7fffffff
} bitnet_error_severity;

/* What is known of a status before anything failed; all strings have static storage. Numbers that this version does not
 * know have family NONE, severity ERROR, are not recoverable, and have the variant "" and no suggestions. */
BITNET_API bitnet_error_family bitnet_status_get_family(bitnet_status status);
BITNET_API bitnet_error_severity bitnet_status_get_severity(bitnet_status status);
/* 1: the same program can try again, after what the suggestions say; 0: it needs other code, another file or machine. */
BITNET_API int32_t bitnet_status_is_recoverable(bitnet_status status);
/* "InvalidMagic": the variant of the family; the specification's name where it has one. */
BITNET_API const char *bitnet_status_get_variant(bitnet_status status);
/* What a person can do, one sentence for each index from 0; NULL past the end. A command stands in `backquotes`; FILE in
 * it is the file that the failure is about. */
BITNET_API const char *bitnet_status_get_suggestion(bitnet_status status, size_t index);
/* Environment variables that may have to do with it, from 0; NULL past the end. */
BITNET_API const char *bitnet_status_get_variable(bitnet_status status, size_t index);
/* "GgufParse"; "warning", "error", "critical", "fatal"; "none" for 0, "unknown" for other numbers. Static storage. */
BITNET_API const char *bitnet_error_family_name(bitnet_error_family family);
BITNET_API const char *bitnet_error_severity_name(bitnet_error_severity severity);

/* The same failure with its numbers and its context. Fields that have no meaning for a failure are zero or "". Pointers
 * as above. */
typedef struct bitnet_error_info {
    uint32_t struct_size;
    bitnet_status status;
    uint64_t expected;   /* what would have been right: a size, a count, a limit */
    uint64_t actual;     /* what was found */
    uint64_t offset;     /* byte position in the file */
    const char *subject; /* the tensor, key, token or file it is about */
    const char *message; /* as bitnet_last_error() */
    int32_t family;      /* a bitnet_error_family */
    int32_t severity;    /* a bitnet_error_severity */
    int32_t recoverable; /* as bitnet_status_is_recoverable() */
    int32_t has_numbers; /* 1: expected and actual have a meaning, even as zeros */
    int32_t has_offset;  /* 1: offset has */
    int32_t n_suggestions;      /* for bitnet_status_get_suggestion() */
    const char *variant;        /* as bitnet_status_get_variant() */
    const char *operation;      /* the function of this header that failed: "bitnet_model_load" */
    const char *file;           /* path of the file that was read, or of the model's */
    const char *model;          /* the model's shape on one line, where one was at hand */
    const char *device;         /* "cpu, avx2": what would compute */
    uint64_t memory_bytes;      /* resident memory of the process at that time; 0 for warnings and where unknown */
    uint64_t peak_memory_bytes; /* the most it ever was until then */
} bitnet_error_info;
/* Fills as many bytes of *out_info as out_info->struct_size says (set it before the call). */
BITNET_API bitnet_status bitnet_last_error_get_info(bitnet_error_info *out_info);

/* The last failure of this thread as text; "" before the first (the JSON then has status 0). Text is followed by a NUL;
 * *out_size (may be NULL) counts without it. Less than *out_size + 1 bytes give BITNET_E_BUFFER_TOO_SMALL, *out_size and
 * nothing else; buffer may then be NULL. BITNET_E_OUT_OF_MEMORY. None of these replaces the failure it tells about.
 * For a person: the message and, each on a line of its own after "- ", the suggestions with the file's name put in. */
BITNET_API bitnet_status bitnet_last_error_get_user_message(char *buffer, size_t capacity, size_t *out_size);
/* For a bug report: everything that is known, one "name: value" on a line. */
BITNET_API bitnet_status bitnet_last_error_get_debug_message(char *buffer, size_t capacity, size_t *out_size);
/* For a program, one object on one line; what has no meaning is absent:
 *   {"schema": "bitnet-error/1", "library": "0.1.0", "status": -300, "name": "BITNET_E_GGUF_MAGIC",
 *    "family": "GgufParse", "variant": "InvalidMagic", "severity": "error", "recoverable": false, "message": "...",
 *    "details": {"expected": 1179993927, "actual": 1986359923, "offset": 0, "subject": "..."},
 *    "context": {"operation": "bitnet_model_load", "file": "...", "model": "...", "device": "cpu, avx2",
 *                "memory_bytes": 12345678, "peak_memory_bytes": 23456789},
 *    "suggestions": ["..."], "environment": {"BITNET_KERNEL": "scalar", "BITNET_NUM_THREADS": null}}
 * details, context, suggestions and environment are always there. Bytes that are no UTF-8 become U+FFFD. */
BITNET_API bitnet_status bitnet_last_error_get_json(char *buffer, size_t capacity, size_t *out_size);

/* ---- 3. Handles and small types ----------------------------------------------------------------------------------- */

typedef int32_t bitnet_token;  /* index into the vocabulary */
typedef int32_t bitnet_pos;    /* position of a token in its sequence, from 0 */
typedef int32_t bitnet_seq_id; /* sequence in a context, 0 .. n_seq_max-1 */

typedef struct bitnet_model bitnet_model;
typedef struct bitnet_tokenizer bitnet_tokenizer;
typedef struct bitnet_context bitnet_context;
typedef struct bitnet_sampler bitnet_sampler;
typedef struct bitnet_grammar bitnet_grammar;

/* ---- 4. Library: log, kernels ------------------------------------------------------------------------------------- */

typedef enum bitnet_log_level {
    BITNET_LOG_DEBUG = 0,
    BITNET_LOG_INFO = 1,
    BITNET_LOG_WARNING = 2,
    BITNET_LOG_ERROR = 3
} bitnet_log_level;
/* Called with one line without a newline, from any thread; must not throw or call into the library. */
typedef void (*bitnet_log_callback)(bitnet_log_level level, const char *message, void *user_data);
/* Sets where messages of at least min_level go; NULL (the default) is silence. Any thread; waits for running callbacks. */
BITNET_API void bitnet_log_set_callback(bitnet_log_callback callback, bitnet_log_level min_level, void *user_data);

/* One matrix or vector kernel of this build. Strings have static storage. */
typedef struct bitnet_kernel_info {
    uint32_t struct_size;
    const char *name;        /* "i2s_avx512vnni": may be given to bitnet_model_params.kernel and BITNET_KERNEL */
    const char *type;        /* weight type "i2_s", "f16", ...; "f32" rows for the vector kernels */
    const char *level;       /* instruction set level "scalar", "avx2", ... */
    int32_t runnable;        /* 1: this CPU and operating system can run it */
    int32_t exact;           /* 1: gives the bits of the scalar kernel, always */
    int32_t selected;        /* 1: what a model would use here by default */
    int32_t is_vector;       /* 1: a set of vector kernels (norm, rope, softmax, ...), 0: a matrix kernel */
} bitnet_kernel_info;
BITNET_API size_t bitnet_kernel_get_count(void);
/* BITNET_E_ARGUMENT past the end. */
BITNET_API bitnet_status bitnet_kernel_get_info(size_t index, bitnet_kernel_info *out_info);

/* Threads that this process may really use: min(CPU affinity, cgroup quota, CPUs), at least 1. */
BITNET_API int32_t bitnet_cpu_get_thread_limit(void);

/* ---- 5. Model ----------------------------------------------------------------------------------------------------- */

/* 0 continues, anything else cancels the load (BITNET_E_CANCELLED). progress runs from 0 to 1. */
typedef int32_t (*bitnet_progress_callback)(float progress, void *user_data);

typedef enum bitnet_i2s_order {
    BITNET_I2S_ORDER_X86 = 0, /* 128 weights in 32 bytes: all published files */
    BITNET_I2S_ORDER_ARM = 1  /* 64 weights in 16 bytes: files quantised by a bitnet.cpp built for ARM; repacked at load */
} bitnet_i2s_order;

typedef struct bitnet_model_params {
    uint32_t struct_size;
    int32_t use_mmap;           /* 1 (default): map the file, weights are used in place; 0: read it into memory */
    int32_t check_weights;      /* 1 (default): scan ternary codes and norms for values no converter writes */
    int32_t i2s_order;          /* a bitnet_i2s_order; the file does not record it, so it is never guessed */
    int32_t n_threads;          /* threads used for loading; 0 (default): as many as may be used */
    int32_t vocab_only;         /* 1: only metadata and tokenizer; no context can be created */
    const char *kernel;         /* NULL: $BITNET_KERNEL, or the best; else a kernel or level name */
    uint64_t max_bytes;         /* refuse with BITNET_E_SECURITY_MODEL_SIZE above this many bytes of weights;
                                 * 0: $BITNET_MEMORY_LIMIT decides, with BITNET_E_SECURITY_MEMORY */
    bitnet_progress_callback on_progress; /* may be NULL; called on the loading thread */
    void *progress_user_data;
    uint64_t max_tensors;       /* refuse with BITNET_E_SECURITY_TENSOR_COUNT above this many; 0: no limit but the reader's */
    int32_t sha256;             /* 1: compute bitnet_model_get_sha256 during the load; 0 (default): when it is asked for.
                                 * A model from a bitnet_reader has one only with 1, its bytes are gone afterwards */
    const char *device;         /* where to compute, see section 18: NULL, "auto", "cpu", "cuda:0", or several GPUs that share
                                 * the layers, "cuda:0,cuda:1" or "cuda:all"; BITNET_E_DEVICE_NOT_AVAILABLE for a device that this
                                 * library or machine does not have */
    int32_t validate;           /* 1: look for everything that bitnet_model_validate_file finds before loading, and refuse with
                                 * BITNET_E_VALIDATION where there is an error; 2: or a warning; 0 (default): neither */
    const char *tokenizer_path; /* the model's tokenizer is this file or folder (see bitnet_tokenizer_load), whatever the model
                                 * file has; BITNET_E_TOKENIZER when it has more tokens than the model has rows. NULL (default):
                                 * the one inside the model file */
    const char *tl_tiling;      /* of files whose weights are TL1 or TL2 (bitnet.cpp): the tile sizes of their conversion, which
                                 * the byte order depends on and no file records. "BM,BK,bm" for all tensors, "MxK:BM,BK,bm" for
                                 * those of M rows of K weights, several with ';' between them; "preset" or "setup_env": the
                                 * one of bitnet.cpp's two sets. NULL (default): its preset for the shape, and
                                 * BITNET_E_GGUF_TENSOR_TYPE where it has none, or two; other files need none */
    const char *quantization;   /* how ternary matrices (I2_S, and the dialects that become it) lie in memory. Never changes a
                                 * result. "i2s": 2 bits a weight, in place where the file has them so; "t5": 1.6 bits, five weights
                                 * in a byte; "tl1", "tl2": look-up tables of bitnet.cpp's manner; "auto": what is fastest here
                                 * for a prompt and as many tokens generated, measured during the load. NULL (default): "i2s". A packed copy takes the place of the mapped
                                 * bytes. BITNET_E_CONFIG for another name */
    int32_t screen_head;        /* 1 (default): a large vocabulary matrix is screened with integers (F16 by an int8 copy, Q8_0 and Q6_K by
                                 * their own), and samplers that can only draw one of the best tokens get the exact logits of those
                                 * that can matter; they draw the same tokens. 2: a small one, too; 0: neither copy nor screen.
                                 * bitnet_context_get_logits has all logits anyhow */
} bitnet_model_params;
/* Writes the defaults into the first struct_size bytes of *params. Every struct of parameters has such a function;
 * C and C++ programs use the inline form below it. */
BITNET_API void bitnet_model_params_init(bitnet_model_params *params, uint32_t struct_size);

/* Loads a model.
 * path     UTF-8 path of a GGUF file, or of the first part of a split one (name-00001-of-00005.gguf).
 * params   NULL for the defaults; read only during the call.
 * Returns  BITNET_E_FILE_NOT_FOUND, BITNET_E_IO, any of the -300s, -400s and -1200s, BITNET_E_OUT_OF_MEMORY,
 *          BITNET_E_DEVICE_NOT_AVAILABLE, BITNET_E_DEVICE_CAPABILITY, BITNET_E_DEVICE_MEMORY, BITNET_E_DEVICE_COMPUTE where a
 *          device gives other sums than the CPU, BITNET_E_CANCELLED, BITNET_E_CONFIG. *out_model is NULL after a failure.
 * Blocks. The file must not be changed while the model lives. */
BITNET_API bitnet_status bitnet_model_load(const char *path, const bitnet_model_params *params,
                                           bitnet_model **out_model);
/* The same from size bytes at data, which must stay valid and unchanged until the last handle that uses the model is
 * freed: weights are used in place. Any alignment will do; 32 bytes avoid copies. */
BITNET_API bitnet_status bitnet_model_load_from_memory(const void *data, size_t size,
                                                       const bitnet_model_params *params, bitnet_model **out_model);
/* The same from length bytes at offset of an open file (an archive, an Android asset). The descriptor is only used
 * during the call and stays the caller's. length 0: up to the end of the file. */
BITNET_API bitnet_status bitnet_model_load_from_fd(int fd, uint64_t offset, uint64_t length,
                                                   const bitnet_model_params *params, bitnet_model **out_model);

/* Reads n_bytes at offset into dst; returns 0 on success. Called on the loading thread only, during the load only. */
typedef struct bitnet_reader {
    uint32_t struct_size;
    uint64_t size; /* bytes in all */
    int32_t (*read)(void *user_data, uint64_t offset, void *dst, uint64_t n_bytes);
    void *user_data;
} bitnet_reader;
/* The same through a read callback (pack files, encrypted archives); the tensors are read once into memory. */
BITNET_API bitnet_status bitnet_model_load_from_reader(const bitnet_reader *reader, const bitnet_model_params *params,
                                                       bitnet_model **out_model);
BITNET_API void bitnet_model_free(bitnet_model *model);

/* What the file says about the model. Strings live as long as the model. */
typedef struct bitnet_model_info {
    uint32_t struct_size;
    const char *architecture;   /* "bitnet-b1.58", "bitnet-25", "bitnet", "llama", "qwen3", "gemma3" */
    const char *name;           /* general.name, or "" */
    const char *quantization;   /* the type that most weights have: "i2_s", "tq2_0", "f16", ... */
    const char *kernel;         /* the matrix kernel chosen for it */
    int32_t n_vocab;
    int32_t n_ctx_train;        /* longest context it was trained for */
    int32_t n_embd;
    int32_t n_layer;
    int32_t n_head;
    int32_t n_head_kv;
    int32_t head_dim;
    int32_t n_ff;
    float rope_freq_base;
    float rms_norm_eps;
    uint64_t n_tensors;
    uint64_t n_parameters;      /* elements of all tensors */
    uint64_t n_file_bytes;      /* of all tensors as stored */
    double bits_per_weight;     /* 8 * n_file_bytes / n_parameters */
} bitnet_model_info;
BITNET_API bitnet_status bitnet_model_get_info(const bitnet_model *model, bitnet_model_info *out_info);

/* Metadata of the file, in its order. Values come as text: numbers in decimal, booleans "true"/"false", arrays as JSON;
 * arrays longer than 64 entries end in "...". Text is followed by a NUL; *out_size counts without it. A buffer of less
 * than *out_size + 1 bytes gives BITNET_E_BUFFER_TOO_SMALL, *out_size and nothing else; buffer may then be NULL.
 * BITNET_E_NOT_FOUND for an unknown key or index. */
BITNET_API size_t bitnet_model_get_metadata_count(const bitnet_model *model);
BITNET_API bitnet_status bitnet_model_get_metadata_key(const bitnet_model *model, size_t index, char *buffer,
                                                       size_t capacity, size_t *out_size);
BITNET_API bitnet_status bitnet_model_get_metadata(const bitnet_model *model, const char *key, char *buffer,
                                                   size_t capacity, size_t *out_size);

/* One tensor of the file. Strings live as long as the model. */
typedef struct bitnet_tensor_info {
    uint32_t struct_size;
    const char *name;       /* "blk.0.attn_q.weight" */
    const char *type;       /* as stored: "i2_s", "f16", ... */
    int32_t n_dims;
    int64_t shape[4];       /* shape[0] is the input width; unused ones are 1 */
    uint64_t file_offset;   /* from the start of its file */
    uint64_t n_bytes;       /* as stored, tail included */
    int32_t part;           /* which file of a split model, from 0 */
} bitnet_tensor_info;
/* Tensors in the order of the file; none after vocab_only. BITNET_E_NOT_FOUND past the end. */
BITNET_API size_t bitnet_model_get_tensor_count(const bitnet_model *model);
BITNET_API bitnet_status bitnet_model_get_tensor(const bitnet_model *model, size_t index,
                                                 bitnet_tensor_info *out_info);

/* Bytes a model and a context over it hold. */
typedef struct bitnet_memory_info {
    uint32_t struct_size;
    uint64_t weights_mapped_bytes; /* used in place from the file or the caller's memory */
    uint64_t weights_owned_bytes;  /* read or repacked into memory of the library; norms */
    uint64_t vocabulary_bytes;     /* roughly */
    uint64_t kv_bytes;
    uint64_t scratch_bytes;        /* activations, logits, attention scores, tables */
} bitnet_memory_info;

/* The tokenizer inside the model file; lives as long as the model. NULL when the file has none this build can run;
 * bitnet_last_error() then says why. */
BITNET_API const bitnet_tokenizer *bitnet_model_get_tokenizer(const bitnet_model *model);

/* ---- 6. Tokenizer ------------------------------------------------------------------------------------------------- */

/* Loads a tokenizer alone from a .gguf file, a Hugging Face tokenizer.json or a SentencePiece tokenizer.model
 * (recognised by content; what lies beside the latter two is read with them: tokenizer_config.json,
 * special_tokens_map.json, added_tokens.json, generation_config.json, chat_template.jinja), or from a folder with one of
 * these. Returns BITNET_E_TOKENIZER with the reason, BITNET_E_SECURITY_INPUT or _EXHAUSTION for a file
 * made to do harm, or a file status. */
BITNET_API bitnet_status bitnet_tokenizer_load(const char *path, bitnet_tokenizer **out_tokenizer);
BITNET_API void bitnet_tokenizer_free(bitnet_tokenizer *tokenizer);

enum {
    BITNET_ENCODE_ADD_BOS = 1,       /* begin with the BOS token, where the model has one */
    BITNET_ENCODE_PARSE_SPECIAL = 2, /* read "<|eot_id|>" as one control token; without it, it is plain text */
    BITNET_ENCODE_ADD_DEFAULT = 4    /* BOS and EOS just as the model file says (add_bos_token, add_eos_token) */
};
/* Turns n_bytes of UTF-8 text into token ids. Invalid UTF-8 is encoded byte by byte, never refused.
 * *out_n is the number of tokens, also when BITNET_E_BUFFER_TOO_SMALL is returned (then nothing is written).
 * Time is near linear in n_bytes for any text. Any thread. */
BITNET_API bitnet_status bitnet_tokenizer_encode(const bitnet_tokenizer *tokenizer, const char *text, size_t n_bytes,
                                                 uint32_t flags, bitnet_token *out_tokens, size_t capacity,
                                                 size_t *out_n);
enum {
    BITNET_DECODE_SPECIAL = 1, /* write control tokens as their text; without it they give nothing */
    BITNET_DECODE_START = 2    /* the tokens begin a text: drop the space a SentencePiece encoder put in front */
};
/* Turns ids into bytes, without a final NUL. The bytes of one token may be part of a character: collect them with
 * bitnet_utf8_complete_prefix. Sizes as above. BITNET_E_TOKEN for an id outside the vocabulary. */
BITNET_API bitnet_status bitnet_tokenizer_decode(const bitnet_tokenizer *tokenizer, const bitnet_token *tokens,
                                                 size_t n_tokens, uint32_t flags, char *buffer, size_t capacity,
                                                 size_t *out_n_bytes);
/* The longest prefix of bytes that does not end inside a UTF-8 character (invalid bytes count as characters). */
BITNET_API size_t bitnet_utf8_complete_prefix(const char *bytes, size_t n_bytes);

typedef enum bitnet_token_attribute {
    BITNET_TOKEN_NORMAL = 1,
    BITNET_TOKEN_UNKNOWN = 2,
    BITNET_TOKEN_CONTROL = 3,
    BITNET_TOKEN_USER_DEFINED = 4,
    BITNET_TOKEN_UNUSED = 5,
    BITNET_TOKEN_BYTE = 6
} bitnet_token_attribute;
BITNET_API int32_t bitnet_tokenizer_get_n_vocab(const bitnet_tokenizer *tokenizer);
/* The token's text as the vocabulary stores it; valid as long as the tokenizer. May hold NULs: *out_n_bytes counts. */
BITNET_API bitnet_status bitnet_tokenizer_get_piece(const bitnet_tokenizer *tokenizer, bitnet_token token,
                                                    const char **out_piece, size_t *out_n_bytes);
/* The id whose stored text is exactly piece; BITNET_E_NOT_FOUND otherwise. */
BITNET_API bitnet_status bitnet_tokenizer_get_token(const bitnet_tokenizer *tokenizer, const char *piece,
                                                    size_t n_bytes, bitnet_token *out_token);
/* The ids of all tokens whose text, as bitnet_tokenizer_decode gives it, contains text; rising. E.g. "\n" for
 * bitnet_sampler_params.dry_breakers. Control tokens have no text. Reads the whole vocabulary. Sizes as
 * bitnet_tokenizer_encode. BITNET_E_ARGUMENT for an empty text. */
BITNET_API bitnet_status bitnet_tokenizer_find_tokens(const bitnet_tokenizer *tokenizer, const char *text, size_t n_bytes,
                                                      bitnet_token *out_tokens, size_t capacity, size_t *out_n);
/* A bitnet_token_attribute; 0 for an id outside the vocabulary. */
BITNET_API int32_t bitnet_tokenizer_get_attribute(const bitnet_tokenizer *tokenizer, bitnet_token token);
/* 1 when the token ends a generation: EOS, end of turn, end of message and their like. */
BITNET_API int32_t bitnet_tokenizer_is_end(const bitnet_tokenizer *tokenizer, bitnet_token token);

typedef struct bitnet_tokenizer_info {
    uint32_t struct_size;
    const char *source;  /* "gguf", "tokenizer.json", "tokenizer.model" */
    const char *model;   /* "bpe" (byte-level) or "spm" (SentencePiece BPE) */
    const char *pre;     /* "llama-bpe", "gpt-2", "falcon", ... ; "" for spm */
    int32_t n_vocab;
    bitnet_token bos, eos, eot, pad, unk; /* -1 where there is none */
    int32_t add_bos;     /* what BITNET_ENCODE_ADD_DEFAULT does */
    int32_t add_eos;
} bitnet_tokenizer_info;
BITNET_API bitnet_status bitnet_tokenizer_get_info(const bitnet_tokenizer *tokenizer,
                                                   bitnet_tokenizer_info *out_info);

typedef struct bitnet_chat_message {
    const char *role;    /* "system", "user", "assistant" */
    const char *content; /* UTF-8, NUL-terminated */
} bitnet_chat_message;
/* Encodes a conversation for the model. Contents are always plain text: they cannot smuggle in control tokens.
 * format   "bitnet", "llama3", "chatml", "falcon", "gemma", or NULL for the model's own (known by its architecture, vocabulary
 *          and template; BITNET_E_NOT_FOUND when none is recognised).
 * add_reply_header  1: end with the header after which the assistant's reply comes.
 * Sizes as bitnet_tokenizer_encode. */
BITNET_API bitnet_status bitnet_tokenizer_encode_chat(const bitnet_tokenizer *tokenizer, const char *format,
                                                      const bitnet_chat_message *messages, size_t n_messages,
                                                      int32_t add_reply_header, bitnet_token *out_tokens,
                                                      size_t capacity, size_t *out_n);

/* A chat template: how conversations are written for a model, tools included. It never changes: share it freely, also
 * between threads. It keeps what it needs of the tokenizer alive.
 * Templates come with model files and are programs, so they run in a sandbox: a subset of Jinja as chat templates use it
 * (with the settings of Hugging Face transformers), no access to anything but the conversation, every step and byte
 * counted. Texts of the conversation can never become control tokens, whatever the template does with them: only text
 * that stands in the template itself can, and the tokenizer's bos_token and its like. */
typedef struct bitnet_chat_template bitnet_chat_template;
/* format   a built-in format: "bitnet", "llama3", "chatml", "falcon", "gemma"; or NULL.
 * source   a Jinja template of n_bytes; or NULL. With both NULL it is the model's own: the template in its file; a built-in
 *          format where that is known to be wrong (official BitNet-b1.58-2B-4T files) or missing but recognised.
 * Returns  BITNET_E_NOT_FOUND when the model has no template, or the vocabulary lacks a mark of the format; BITNET_E_CONFIG
 *          for a template that is no Jinja, with line and column; BITNET_E_SECURITY_INPUT, BITNET_E_SECURITY_EXHAUSTION for
 *          one that is too large or too deep. */
BITNET_API bitnet_status bitnet_chat_template_create(const bitnet_tokenizer *tokenizer, const char *format,
                                                     const char *source, size_t n_bytes,
                                                     bitnet_chat_template **out_template);
BITNET_API void bitnet_chat_template_free(bitnet_chat_template *chat_template);
/* The built-in format's name, or "jinja"; valid as long as the template. "" for NULL. */
BITNET_API const char *bitnet_chat_template_get_name(const bitnet_chat_template *chat_template);
/* The Jinja text, NUL-terminated, valid as long as the template; "" for a built-in format and for NULL. */
BITNET_API const char *bitnet_chat_template_get_source(const bitnet_chat_template *chat_template);
/* Encodes a conversation: exactly the tokens of the template's text, BOS where the template writes it.
 * json     an object of the template's variables: "messages" [{"role", "content", ...}], "tools", "add_generation_prompt"
 *          (end with what the reply follows), and whatever else the template reads ("enable_thinking"). "now", seconds
 *          since 1970, is the time that strftime_now shows, in UTC; without it, the clock's.
 *          Built-in formats know the roles system, user and assistant, contents that are text or a list of
 *          {"type": "text", "text"}, and no tools.
 * Sizes as bitnet_tokenizer_encode. Any thread.
 * Returns  BITNET_E_ARGUMENT for what is no such object and for what the template cannot write or refuses itself
 *          (raise_exception), with its sentence; BITNET_E_UNSUPPORTED for tools in a format without;
 *          BITNET_E_SECURITY_EXHAUSTION, after some milliseconds, for a template that does too much work;
 *          BITNET_E_SECURITY_INPUT for JSON that is too large or too deep. */
BITNET_API bitnet_status bitnet_chat_template_encode(const bitnet_chat_template *chat_template, const char *json,
                                                     size_t n_bytes, bitnet_token *out_tokens, size_t capacity,
                                                     size_t *out_n);
/* The same as text, control tokens as their text, to look at: encoded anew, it would no longer be known which of them stood
 * in the template. Text and sizes as bitnet_model_get_metadata. */
BITNET_API bitnet_status bitnet_chat_template_render(const bitnet_chat_template *chat_template, const char *json,
                                                     size_t n_bytes, char *buffer, size_t capacity, size_t *out_size);

/* ---- 7. Context --------------------------------------------------------------------------------------------------- */

typedef enum bitnet_pooling {
    BITNET_POOLING_LAST = 0, /* the last token's hidden state */
    BITNET_POOLING_MEAN = 1, /* the mean over the sequence's tokens in the batch */
    BITNET_POOLING_CLS = 2,  /* the first token's, of those in the batch */
    BITNET_POOLING_MODEL = 3 /* as the file says in <architecture>.pooling_type; MEAN where it says nothing */
} bitnet_pooling;

typedef struct bitnet_thread_pool bitnet_thread_pool; /* threads of the host, see section 21 */

/* How the KV cache keeps numbers. Q8_0 and Q4_0: int8 or 4-bit codes with one F16 scale for 32 numbers of a head; attention
 * then multiplies integers. */
typedef enum bitnet_kv_type {
    BITNET_KV_F16 = 0,
    BITNET_KV_Q8_0 = 1, /* 8.5 bits a number */
    BITNET_KV_Q4_0 = 2, /* 4.5 bits a number */
    BITNET_KV_FORCE_INT32 = 0x7fffffff
} bitnet_kv_type;

typedef struct bitnet_context_params {
    uint32_t struct_size;
    int32_t n_ctx;       /* KV cells shared by all sequences; 0 (default): what the model was trained for, at most 4096 */
    int32_t n_batch;     /* tokens per bitnet_context_decode at most; 0 (default): n_ctx, or $BITNET_BATCH_SIZE if less */
    int32_t n_ubatch;    /* tokens computed at once; default 512. Never changes a result */
    int32_t n_seq_max;   /* sequences; default 1, at most 4096 */
    int32_t n_threads;   /* 0 (default): $BITNET_NUM_THREADS or bitnet_cpu_get_thread_limit(); never changes a result */
    int32_t embeddings;  /* 1: decode also keeps the hidden state of every token marked for output */
    int32_t trace;       /* 1: record what ran, see bitnet_context_get_trace */
    /* Polled between operations, on the thread that called decode; non-zero stops the decode. May be NULL. */
    int32_t (*should_abort)(void *user_data);
    void *abort_user_data;
    int32_t max_lora_rank; /* room for adapters: the sum of ranks that one sequence uses at once, at most 4096; 0 (default):
                            * no adapters, at no cost. See bitnet_context_set_adapters */
    uint64_t max_bytes;  /* refuse with BITNET_E_SECURITY_MEMORY above this many bytes of KV cache and scratch, also when a
                          * decode asks for more outputs; 0 (default): $BITNET_MEMORY_LIMIT decides */
    uint64_t timeout_us; /* a decode that takes longer stops with BITNET_E_TIMEOUT; 0 (default): no limit. See below */
    const bitnet_thread_pool *thread_pool; /* NULL (default): threads of our own; else n_threads does not count */
    /* Long prompts: called after each n_ubatch tokens of a decode, prefill, shift or generation's prompt that has more, on
     * the thread that computes, with the part that is done. Non-zero stops it like bitnet_context_cancel. May be NULL. */
    bitnet_progress_callback on_progress;
    void *progress_user_data;
    int32_t type_k; /* a bitnet_kv_type: how keys are kept; default BITNET_KV_F16. Another changes results, which are the same bits everywhere all the same */
    int32_t type_v; /* likewise for values */
} bitnet_context_params;
BITNET_API void bitnet_context_params_init(bitnet_context_params *params, uint32_t struct_size);

/* A context is what other interfaces call an inference engine with its configuration. For those who come from one:
 *   max_batch_size           n_batch: more tokens in one call are refused; n_ubatch bounds the memory of activations
 *   kv_cache_size            n_ctx, in tokens of all sequences; bitnet_context_get_memory has the bytes
 *   max_concurrent_requests  n_seq_max in one context; contexts over one model share its weights and run in parallel
 *   request_timeout          timeout_us: bounds each bitnet_context_decode, _decode_tokens, _prefill, _forward,
 *                            _next_token_logits, bitnet_sequence_shift, bitnet_generation_next_batch and each step of a
 *                            generation alone, which then ends with BITNET_FINISH_DEADLINE. Looked at where cancelling
 *                            is; the sequences are as after cancelling
 *   use_mixed_precision      does not exist: the precision is the model file's, and results are the same bits everywhere
 *   device                   the CPU */

/* Creates a context: KV cache, activations and threads are allocated here. Decoding allocates nothing more, but for room
 * when a decode asks for more outputs than any before it.
 * Returns BITNET_E_OUT_OF_MEMORY, BITNET_E_SECURITY_MEMORY (max_bytes, or BITNET_MEMORY_LIMIT), BITNET_E_CONFIG (a
 * parameter out of range), BITNET_E_STATE (a vocab_only model). */
BITNET_API bitnet_status bitnet_context_create(bitnet_model *model, const bitnet_context_params *params,
                                               bitnet_context **out_context);
BITNET_API void bitnet_context_free(bitnet_context *context);

/* Stops the decode that runs now, or else the next one, within one layer's work; it returns BITNET_E_CANCELLED and the
 * sequences are as before it. Any thread. */
BITNET_API void bitnet_context_cancel(bitnet_context *context);

BITNET_API int32_t bitnet_context_get_n_ctx(const bitnet_context *context);
BITNET_API int32_t bitnet_context_get_n_threads(const bitnet_context *context);
BITNET_API bitnet_status bitnet_context_get_memory(const bitnet_context *context, bitnet_memory_info *out_info);

/* ---- 8. Batch and decode ------------------------------------------------------------------------------------------ */

/* Tokens to run together; token i belongs to sequence seq_ids[i]. */
typedef struct bitnet_batch {
    uint32_t struct_size;
    int32_t n_tokens;
    const bitnet_token *tokens;
    const bitnet_pos *positions;   /* NULL: each token follows its sequence's last one. Else they must say the same */
    const bitnet_seq_id *seq_ids;  /* NULL: all 0 */
    const int8_t *want_output;     /* NULL: only the last token of each sequence. Else 1 where logits are wanted */
} bitnet_batch;

/* Runs the model over a batch and appends it to the sequences it names.
 * batch:   read only during the call; every array stays yours. n_tokens 0 succeeds and does nothing.
 * Returns  BITNET_OK; BITNET_E_KV_FULL (remove a sequence or create the context with a larger n_ctx);
 *          BITNET_E_CANCELLED; BITNET_E_TIMEOUT; BITNET_E_TOKEN; BITNET_E_ARGUMENT (the message names the entry).
 *          After any failure the sequences are exactly as before the call; earlier logits are gone.
 * Threads: one thread per context at a time. Blocks. */
BITNET_API bitnet_status bitnet_context_decode(bitnet_context *context, const bitnet_batch *batch);
/* The common case: appends n tokens to one sequence, output wanted for the last. */
BITNET_API bitnet_status bitnet_context_decode_tokens(bitnet_context *context, bitnet_seq_id seq_id,
                                                      const bitnet_token *tokens, size_t n_tokens);

/* The logits, n_vocab floats, of batch entry index of the last decode (negative: counted from the end, -1 is the last
 * entry). Lent until the next decode on this context. BITNET_E_NOT_FOUND where no output was asked for. */
BITNET_API bitnet_status bitnet_context_get_logits(bitnet_context *context, int32_t index, const float **out_logits);
/* The hidden state after the last norm, n_embd floats, of a batch entry with output. Needs params.embeddings.
 * normalize 1 divides by the Euclidean length (a zero vector stays zero). Copies into out (n_embd floats). */
BITNET_API bitnet_status bitnet_context_get_embedding(bitnet_context *context, int32_t index, int32_t normalize,
                                                      float *out, size_t capacity);
/* The pooled hidden state of one sequence's entries with output in the last decode. */
BITNET_API bitnet_status bitnet_context_get_sequence_embedding(bitnet_context *context, bitnet_seq_id seq_id,
                                                               bitnet_pooling pooling, int32_t normalize, float *out,
                                                               size_t capacity);

/* ---- 9. Sequences: ranges are positions [p0, p1), negative p0 = 0, negative p1 = the end -----------------------------
 *
 * Sequences share KV cells token by token: a copy shares what it has in common with its source and takes cells only for what
 * it appends; a cell is free again when the last sequence that holds it forgets it. A thousand branches of one prompt
 * take no memory beyond the prompt's; n_seq_max costs a few dozen bytes each, and room for the lists of a step, at most
 * 4 MiB (or 4 bytes per cell, if that is more). One thread per context at a time, as everywhere. */

/* Forgets a range of a sequence (negative seq_id: of every sequence). Costs what is dropped and what lies behind it. Behind a
 * range taken from the middle, tokens keep their positions, and what they have seen of the range stays in them; see
 * bitnet_sequence_shift for the other way. BITNET_E_OUT_OF_MEMORY is possible only where a middle that several sequences
 * share is removed; nothing is changed then. */
BITNET_API bitnet_status bitnet_sequence_remove(bitnet_context *context, bitnet_seq_id seq_id, bitnet_pos p0,
                                                bitnet_pos p1);
/* Forgets the last n_tokens of a sequence. Costs what is dropped. BITNET_E_ARGUMENT where it holds fewer. */
BITNET_API bitnet_status bitnet_sequence_rewind(bitnet_context *context, bitnet_seq_id seq_id, size_t n_tokens);
/* Makes dst a copy of a range of src; what dst held is forgotten. The cells are shared, nothing is computed again. The cost of
 * a range that begins with the sequence is that of what lies behind it in src; of another one it is the range's. */
BITNET_API bitnet_status bitnet_sequence_copy(bitnet_context *context, bitnet_seq_id src, bitnet_seq_id dst,
                                              bitnet_pos p0, bitnet_pos p1);
/* Makes dst a copy of all of src: takes the same time whatever its length, besides forgetting what dst held. */
BITNET_API bitnet_status bitnet_sequence_fork(bitnet_context *context, bitnet_seq_id src, bitnet_seq_id dst);
/* Forgets every sequence but this one. */
BITNET_API bitnet_status bitnet_sequence_keep(bitnet_context *context, bitnet_seq_id seq_id);
/* The position the next token will get, 0 for an empty sequence, -1 for an id outside the context. */
BITNET_API bitnet_pos bitnet_sequence_get_end(const bitnet_context *context, bitnet_seq_id seq_id);
/* The sequence's tokens in order. *out_n is their number, also when BITNET_E_BUFFER_TOO_SMALL is returned. Results are the same
 * bits every time, so tokens are the smallest snapshot there is, 4 bytes each: bitnet_context_prefill makes the sequence
 * again, and keeps what it already holds of it. */
BITNET_API bitnet_status bitnet_sequence_get_tokens(const bitnet_context *context, bitnet_seq_id seq_id,
                                                    bitnet_token *out_tokens, size_t capacity, size_t *out_n);
/* KV cells that no sequence holds: how many tokens still fit. */
BITNET_API int32_t bitnet_context_get_n_free(const bitnet_context *context);
/* Context shift, exactly: forgets a range, moves the later tokens down and computes them anew, so that the sequence is, bit for
 * bit, what it would be had it never held the range. Rotated keys cannot be moved without error, so this costs a prefill of
 * what lies behind the range; drop much at once, rarely. bitnet_context_get_logits(context, -1) then gives the last token's.
 * *out_n_computed  (may be NULL) tokens computed; 0 where the range holds no token (nothing changes) or all of them.
 * Returns  as bitnet_context_prefill. It needs no free cell: where old and new tokens do not fit side by side the old ones
 *          go first, and a failure (cancelled, say) leaves what lies before the range. */
BITNET_API bitnet_status bitnet_sequence_shift(bitnet_context *context, bitnet_seq_id seq_id, bitnet_pos p0,
                                               bitnet_pos p1, size_t *out_n_computed);

/* Writes the sequence's state (tokens, their keys and values, positions, a checksum, the model's shape) into buffer.
 * Sizes as everywhere: *out_size is always the needed size. */
BITNET_API bitnet_status bitnet_sequence_save(const bitnet_context *context, bitnet_seq_id seq_id, void *buffer,
                                              size_t capacity, size_t *out_size);
/* The same for the tokens from position from_pos on, with a hash of those before: a branch without its trunk. 0 or less
 * saves all. BITNET_E_STATE where the sequence does not hold every position before from_pos. */
BITNET_API bitnet_status bitnet_sequence_save_delta(const bitnet_context *context, bitnet_seq_id seq_id,
                                                    bitnet_pos from_pos, void *buffer, size_t capacity,
                                                    size_t *out_size);
/* Replaces the sequence by a saved one. A delta replaces what the sequence holds from its from_pos on; before that it must
 * hold the same tokens. BITNET_E_STATE when the data is damaged, of another model or goes on from other tokens,
 * BITNET_E_KV_FULL when it does not fit; the sequence is then as before. One of the -800s where a GPU fails to take it: the
 * sequence then holds what lies before from_pos, or nothing. Data may come from anyone. */
BITNET_API bitnet_status bitnet_sequence_load(bitnet_context *context, bitnet_seq_id seq_id, const void *data,
                                              size_t size);

/* Writes all sequences of the context into a file, shared cells once. The file appears whole or not at all; one that was there
 * stays until then.
 * path         UTF-8.
 * on_progress  may be NULL; called on this thread; non-zero stops (BITNET_E_CANCELLED), and no file is written.
 * Returns      BITNET_E_IO with the system's reason. */
BITNET_API bitnet_status bitnet_context_save_session(const bitnet_context *context, const char *path,
                                                     bitnet_progress_callback on_progress, void *user_data);
/* Replaces all sequences of the context by those of a session; sequences that it does not hold are empty then. The file is
 * read into memory first. It may come from anyone.
 * Returns  BITNET_E_FILE_NOT_FOUND, BITNET_E_IO; BITNET_E_STATE when it is damaged, was saved with another model or has
 *          a sequence outside this context; BITNET_E_KV_FULL when it holds more tokens than n_ctx; BITNET_E_CANCELLED.
 *          After a failure the sequences are as before; where a GPU failed to take them (one of the -800s) they are empty. */
BITNET_API bitnet_status bitnet_context_load_session(bitnet_context *context, const char *path,
                                                     bitnet_progress_callback on_progress, void *user_data);
/* The same to and from memory. Sizes as bitnet_sequence_save. */
BITNET_API bitnet_status bitnet_context_save_session_to_memory(const bitnet_context *context, void *buffer,
                                                               size_t capacity, size_t *out_size);
BITNET_API bitnet_status bitnet_context_load_session_from_memory(bitnet_context *context, const void *data,
                                                                 size_t size);

/* ---- 10. Sampler -------------------------------------------------------------------------------------------------- */

typedef struct bitnet_logit_bias {
    bitnet_token token;
    float bias; /* added to the logit; -INFINITY forbids the token */
} bitnet_logit_bias;

/* Steps run in this order: bias, penalties, DRY, (temperature <= 0: greedy), top-n-sigma, temperature, top-k, typical, top-p,
 * min-p, XTC, draw. Mirostat takes the place of top-n-sigma, top-k, typical, top-p, min-p and XTC. Each filter sees what
 * the one before it left, with the probabilities at the temperature in use; none takes the last token away.
 *   typical      C. Meister et al. 2022: the tokens whose surprise is nearest to the entropy, up to a mass of typical_p.
 *   top-n-sigma  C. Tang et al. 2024: logits at least the largest minus top_n_sigma times the standard deviation of all
 *                finite ones.
 *   temperature  With dynatemp_range (the formula of koboldcpp and llama.cpp): low + (high - low) * (H / ln n)^
 *                dynatemp_exponent, where low and high are temperature -+ dynatemp_range, low not below 0, and H is the
 *                entropy at temperature 1 of the n tokens that top-k leaves: sure steps are colder, open ones hotter.
 *   DRY          p-e-w 2024: a token that would go on with a repetition of n >= dry_allowed_length tokens (the end of the
 *                accepted ones, found again earlier and there followed by the token) loses dry_multiplier * dry_base^
 *                (n - dry_allowed_length). Breakers end repetitions and are never weakened themselves: line breaks, quotes
 *                and the like, see bitnet_tokenizer_find_tokens.
 *   XTC          p-e-w 2024: with a chance of xtc_probability, of the tokens whose probability is at least xtc_threshold
 *                all but the least likely one are left out; so nothing happens where fewer than two reach it.
 *   mirostat     S. Basu et al. 2021, algorithm 2: drops tokens of a surprise above mu bits (never the best one), draws, and
 *                mu -= mirostat_eta * (surprise of the token among those kept - mirostat_tau); mu begins as 2 mirostat_tau.
 *                Algorithm 1 keeps the k best instead, with k from mu and the slope of the 100 best (Zipf's exponent).
 * Logits that are NaN count as -infinity. If no finite logit is left the token is the lowest id that is not forbidden.
 * Ties go to the lowest id. The generator is PCG32 (M. O'Neill 2014) seeded with seed; its stream depends on nothing
 * else: one draw per token, before it one for XTC where that is on, none when greedy. The arithmetic is the library's
 * own, so a seed gives the same tokens on every machine. */
typedef struct bitnet_sampler_params {
    uint32_t struct_size;
    float temperature;         /* default 0.7; 0 or less: greedy */
    int32_t top_k;             /* default 50; 0: off */
    float top_p;               /* default 0.9; 1: off */
    float min_p;               /* default 0; 0: off */
    float typical_p;           /* default 1; 1: off */
    float repetition_penalty;  /* default 1; 1: off. > 0 logits are divided by it, others multiplied */
    float frequency_penalty;   /* default 0; subtracted once per occurrence */
    float presence_penalty;    /* default 0; subtracted once */
    int32_t penalty_last_n;    /* accepted tokens that count; default 64; 0: none; -1: all */
    int32_t has_seed;          /* 0 (default): $BITNET_SEED, or 42 with BITNET_DETERMINISTIC=1, or a fresh seed from the
                                * operating system; 1: use seed */
    uint64_t seed;
    const bitnet_logit_bias *logit_bias; /* copied */
    size_t n_logit_bias;
    float xtc_probability;     /* 0 .. 1; default 0: off */
    float xtc_threshold;       /* 0 .. 1; default 0.1; above 0.5 no two tokens reach it */
    float dry_multiplier;      /* default 0: off */
    float dry_base;            /* 1 or more; default 1.75 */
    int32_t dry_allowed_length; /* 1 or more; default 2: the shortest repetition that is weakened */
    int32_t dry_penalty_last_n; /* accepted tokens to look for repetitions in, 0 (none) .. 2^20; default 1024. The time per
                                 * token is linear in it */
    const bitnet_token *dry_breakers; /* copied; default none */
    size_t n_dry_breakers;
    float dynatemp_range;      /* default 0: off */
    float dynatemp_exponent;   /* above 0; default 1 */
    float top_n_sigma;         /* default 0: off */
    int32_t mirostat;          /* default 0: off; 1 or 2: the algorithm */
    float mirostat_tau;        /* the surprise to hold, in bits; default 5 */
    float mirostat_eta;        /* how fast to follow; default 0.1 */
} bitnet_sampler_params;
BITNET_API void bitnet_sampler_params_init(bitnet_sampler_params *params, uint32_t struct_size);

/* Creates a sampler; it knows no model and no context. BITNET_E_CONFIG for a parameter that is NaN or out of range. */
BITNET_API bitnet_status bitnet_sampler_create(const bitnet_sampler_params *params, bitnet_sampler **out_sampler);
BITNET_API void bitnet_sampler_free(bitnet_sampler *sampler);
/* Picks a token from n_vocab logits (not changed) and accepts it. BITNET_E_ARGUMENT for n_vocab 0. */
BITNET_API bitnet_status bitnet_sampler_sample(bitnet_sampler *sampler, const float *logits, size_t n_vocab,
                                               bitnet_token *out_token);
/* The same on the logits of a batch entry of the context's last decode. */
BITNET_API bitnet_status bitnet_sampler_sample_context(bitnet_sampler *sampler, bitnet_context *context,
                                                       int32_t index, bitnet_token *out_token);
/* Tells the penalties and DRY about a token that was not sampled here, e.g. of the prompt. */
BITNET_API bitnet_status bitnet_sampler_accept(bitnet_sampler *sampler, bitnet_token token);
/* Forgets accepted tokens and starts the generator and mirostat again. */
BITNET_API bitnet_status bitnet_sampler_reset(bitnet_sampler *sampler);
/* The seed in use. */
BITNET_API uint64_t bitnet_sampler_get_seed(const bitnet_sampler *sampler);
/* The probabilities the next draw would use, n_vocab floats that sum to 1 (0 for tokens filtered out); draws nothing. */
BITNET_API bitnet_status bitnet_sampler_get_probabilities(bitnet_sampler *sampler, const float *logits,
                                                          size_t n_vocab, float *out_probabilities);

/* Functions of the logits alone, without a sampler; the logits are as the model gave them, n_vocab 1 or more. NaN counts as
 * -infinity, +infinity as the largest float; where no logit is above -infinity token 0 has all the probability. Sums are
 * doubles in the order of ids. BITNET_E_ARGUMENT for a NULL or n_vocab 0. Any thread. */

/* The token of the largest logit, the lowest id among equals. */
BITNET_API bitnet_status bitnet_logits_argmax(const float *logits, size_t n_vocab, bitnet_token *out_token);
/* exp(logit) over the sum of all: n_vocab floats. out_probabilities may be the logits. */
BITNET_API bitnet_status bitnet_logits_softmax(const float *logits, size_t n_vocab, float *out_probabilities);
/* One token from these logits and parameters, by nothing else: a fresh sampler's first draw. params as
 * bitnet_sampler_create; without a seed in them every call chooses its own. */
BITNET_API bitnet_status bitnet_logits_sample(const float *logits, size_t n_vocab, const bitnet_sampler_params *params,
                                              bitnet_token *out_token);

typedef struct bitnet_token_logprob {
    bitnet_token token;
    float logprob; /* natural logarithm of the softmax; -INFINITY for a token that cannot come */
} bitnet_token_logprob;
/* Log-probabilities, for evaluation and display: no temperature, bias, penalty or filter enters.
 * token        whose logprob *out_logprob gets; out_logprob may be NULL, then token is not looked at.
 *              BITNET_E_TOKEN outside the vocabulary.
 * out_top      room for n_top entries (NULL for 0): the most likely tokens, best first, the lowest id among equals.
 *              n_top is at most n_vocab. */
BITNET_API bitnet_status bitnet_logits_get_top_logprobs(const float *logits, size_t n_vocab, bitnet_token token,
                                                        float *out_logprob, bitnet_token_logprob *out_top,
                                                        size_t n_top);

/* ---- 11. Metrics -------------------------------------------------------------------------------------------------- */

typedef struct bitnet_metrics {
    uint32_t struct_size;
    uint64_t load_us;          /* time the model took to load */
    uint64_t prefill_us;       /* time in decode calls with more than one token per sequence */
    uint64_t prefill_tokens;
    uint64_t decode_us;        /* time in decode calls with one token per sequence */
    uint64_t decode_tokens;
    uint64_t n_decodes;        /* calls that succeeded */
} bitnet_metrics;
BITNET_API bitnet_status bitnet_context_get_metrics(const bitnet_context *context, bitnet_metrics *out_metrics);
BITNET_API bitnet_status bitnet_context_reset_metrics(bitnet_context *context);
/* What the last decode ran, as JSON: an array of {"op","name","kernel","rows","us","checksum"} per graph node, with a
 * 64-bit checksum of the node's output bits as hexadecimal text. Needs params.trace. Sizes as bitnet_model_get_metadata. */
BITNET_API bitnet_status bitnet_context_get_trace(const bitnet_context *context, char *buffer, size_t capacity,
                                                  size_t *out_size);

/* ---- 12. Generation ----------------------------------------------------------------------------------------------- */

typedef enum bitnet_finish_reason {
    BITNET_FINISH_NONE = 0,          /* not finished */
    BITNET_FINISH_END = 1,           /* the model ended the text */
    BITNET_FINISH_STOP_SEQUENCE = 2, /* one of stop_sequences came up */
    BITNET_FINISH_LENGTH = 3,        /* max_new_tokens are there */
    BITNET_FINISH_CONTEXT_FULL = 4,  /* no KV cell is free */
    BITNET_FINISH_CANCELLED = 5,     /* bitnet_context_cancel, should_abort, or the callback said so */
    BITNET_FINISH_DEADLINE = 6       /* deadline_us is over, or a step took longer than the context's timeout_us */
} bitnet_finish_reason;
/* "none", "end", "stop_sequence", "length", "context_full", "cancelled", "deadline"; "unknown". Static storage. */
BITNET_API const char *bitnet_finish_reason_name(bitnet_finish_reason reason);

typedef struct bitnet_generation_params {
    uint32_t struct_size;
    int32_t max_new_tokens;      /* default 100; -1: until something else ends the text */
    int32_t skip_special_tokens; /* 1 (default): control tokens give no text; 0: their text */
    int32_t parse_special;       /* 0 (default): "<|eot_id|>" in a prompt is plain text; 1: the control token */
    uint64_t deadline_us;        /* microseconds from the create call on, the prompt included; 0 (default): none */
    const bitnet_sampler_params *sampler; /* NULL: the defaults of a sampler; read during the call only */
    const char *const *stop_sequences;    /* NUL-terminated, at most 64 of at most 1024 bytes; copied */
    size_t n_stop_sequences;
    int32_t receipt;             /* 1: record what bitnet_generation_get_receipt needs; costs a SHA-256 of n_vocab floats
                                  * per token. 0 (default): no receipt. BITNET_E_UNSUPPORTED with a grammar, and from
                                  * bitnet_generation_next for a sequence with adapters: a receipt names neither */
    int32_t n_logprobs;          /* 1 .. 20: keep the log-probabilities of each token and of that many best ones, for
                                  * bitnet_generation_get_logprobs; 0 (default): none */
    const bitnet_grammar *grammar; /* NULL (default), or what the text must obey, see section 15; kept alive */
    int32_t n_draft;             /* 1 .. 16: guess up to so many tokens ahead where the end of the text repeats an earlier place of
                                  * prompt or text, and check them in one pass; the tokens drawn are the same ones, sooner.
                                  * 0 (default): none */
} bitnet_generation_params;
BITNET_API void bitnet_generation_params_init(bitnet_generation_params *params, uint32_t struct_size);

/* A text in the making over one sequence of a context. It uses the context only inside bitnet_generation_next and _next_batch,
 * on the caller's thread; several may share one context, each on its own sequence. It may be freed after its context; a step
 * then is BITNET_E_STATE. */
typedef struct bitnet_generation bitnet_generation;

/* Prepares a generation; nothing is computed yet. When it runs, the sequence keeps what it already holds of the prompt
 * (see bitnet_context_prefill), so a prompt that goes on from an earlier text is cheap.
 * prompt   n_bytes of UTF-8; BOS is put in front where the model file asks for it, or where there is nothing else.
 * params   NULL for the defaults; read during the call only.
 * Returns  BITNET_E_TOKENIZER for a model without one; BITNET_E_CONFIG, BITNET_E_LIMIT for a parameter out of range;
 *          BITNET_E_KV_FULL for a prompt longer than the context. */
BITNET_API bitnet_status bitnet_generation_create(bitnet_context *context, bitnet_seq_id seq_id, const char *prompt,
                                                  size_t n_bytes, const bitnet_generation_params *params,
                                                  bitnet_generation **out_generation);
/* The same from tokens, for example those of bitnet_tokenizer_encode_chat. They are copied. */
BITNET_API bitnet_status bitnet_generation_create_from_tokens(bitnet_context *context, bitnet_seq_id seq_id,
                                                              const bitnet_token *tokens, size_t n_tokens,
                                                              const bitnet_generation_params *params,
                                                              bitnet_generation **out_generation);
BITNET_API void bitnet_generation_free(bitnet_generation *generation);

/* What one step brought. Pointers are lent until the next call on the generation. */
typedef struct bitnet_generation_step {
    uint32_t struct_size;
    int32_t finish_reason;      /* a bitnet_finish_reason; anything but NONE: this was the last step */
    const char *text;           /* what can be shown now, NUL-terminated; often "" */
    size_t n_bytes;
    const bitnet_token *tokens; /* the token of this step, where it brought one */
    size_t n_tokens;            /* 1 or 0 */
    uint64_t token_us;          /* time this token took; the first one includes the prompt */
    uint64_t cumulative_us;     /* of all tokens so far */
    double tokens_per_second;   /* tokens so far over cumulative_us */
    uint64_t prompt_tokens_left; /* of the prompt, still to be computed; above 0 the step brought no token. This field and
                                  * the next two are of interest after bitnet_generation_next_batch */
    int32_t status;             /* a bitnet_status of this generation alone; BITNET_OK, but for what a batch's step says */
    const char *error;          /* its message; "" for BITNET_OK */
} bitnet_generation_step;
/* Draws one token. Text comes as whole UTF-8 characters, and is held back while it may be the beginning of a stop
 * sequence: no part of one is ever given out. The texts of all steps together are the result's text. A call after the
 * last step succeeds and brings nothing. Cancelling and the deadline are ends, not failures: the status is BITNET_OK.
 * Returns  BITNET_E_KV_FULL when the prompt does not fit beside the other sequences, BITNET_E_STATE when the sequence was
 *          changed by others; after any failure the call may be repeated, no token is lost. */
BITNET_API bitnet_status bitnet_generation_next(bitnet_generation *generation, bitnet_generation_step *out_step);

/* Advances several generations of one context together: one pass through the model for all of them, which reads the weights
 * once and is faster than one after the other. Each gets the same tokens, text, log-probabilities and receipt, bit for bit,
 * whatever runs beside it; it may be stepped alone at one time and in a batch at another.
 * generations  of the same context, each on a sequence of its own, at most n_seq_max; those that have ended may be among them.
 * max_tokens   computes at most so many tokens, 0: n_batch. Each generation that is past its prompt comes first, with one
 *              token, however small max_tokens is; what is left goes to prompts, in the order of the array. So no text waits
 *              longer than for max_tokens of somebody's prompt. Where its prompt becomes complete a generation draws its
 *              first token in the same call; until then its steps bring none, and prompt_tokens_left falls.
 *              Guesses (n_draft) ride in the same pass, with what all these leave of max_tokens, of n_batch and n_ubatch and of
 *              free cells. Where some were right, the calls after it bring the tokens that they have computed already, and
 *              nothing else: such a call takes no pass, the steps of all others bring nothing, and their turn is the next one.
 * out_steps    n_generations steps, in the same order. out_steps[0].struct_size says how large each of the array's structs
 *              is; the call sets the others'.
 * On its first step a generation keeps what its sequence holds of the prompt and forgets what lies behind that. What goes
 * wrong with one generation is told in its step's status and does not disturb the others: BITNET_E_KV_FULL for a prompt
 * that does not fit beside the others' tokens and the prompts before it in the array, else as bitnet_generation_next. That
 * one may be tried again, or freed. Its deadline, looked at when the call begins, ends a generation within its prompt too; a
 * full context ends those that no cell is left for, the last in the array first.
 * Times: the whole call counts for each generation that took part, in token_us (the first token's is the sum of all calls
 *          that computed its prompt), prefill_us up to the end of the prompt, decode_us after it.
 * Returns  BITNET_E_CANCELLED (bitnet_context_cancel, should_abort, on_progress), BITNET_E_TIMEOUT (the context's timeout_us)
 *          or what else stops the pass for all: no generation has ended by that, no token is lost, out_steps is as before,
 *          and the call may be repeated. BITNET_E_ARGUMENT says which entry cannot be. */
BITNET_API bitnet_status bitnet_generation_next_batch(bitnet_generation *const *generations, size_t n_generations,
                                                      size_t max_tokens, bitnet_generation_step *out_steps);

/* Log-probabilities of the token that the last step brought (see bitnet_logits_get_top_logprobs).
 * out_logprob  of the token itself; may be NULL.
 * out_top      the n_logprobs best (fewer for a smaller vocabulary); *out_n their number, also when
 *              BITNET_E_BUFFER_TOO_SMALL is returned; then nothing is written.
 * Returns      BITNET_E_STATE when n_logprobs is 0 or the last step brought no token. */
BITNET_API bitnet_status bitnet_generation_get_logprobs(const bitnet_generation *generation, float *out_logprob,
                                                        bitnet_token_logprob *out_top, size_t capacity,
                                                        size_t *out_n);

/* 0 goes on, anything else ends the text (BITNET_FINISH_CANCELLED). Called on the calling thread; must not throw. */
typedef int32_t (*bitnet_generation_callback)(const bitnet_generation_step *step, void *user_data);
/* Creates a generation and runs it to its end; on_step may be NULL. The result is read from *out_generation. */
BITNET_API bitnet_status bitnet_generate(bitnet_context *context, bitnet_seq_id seq_id, const char *prompt,
                                         size_t n_bytes, const bitnet_generation_params *params,
                                         bitnet_generation_callback on_step, void *user_data,
                                         bitnet_generation **out_generation);

/* What a generation has brought so far. Pointers are lent until the next call on the generation. */
typedef struct bitnet_generation_result {
    uint32_t struct_size;
    int32_t finish_reason;   /* a bitnet_finish_reason */
    int32_t stop_sequence;   /* which of stop_sequences came up, else -1 */
    const char *text;        /* NUL-terminated; without prompt and stop sequence */
    size_t n_bytes;
    const bitnet_token *tokens;     /* without the prompt and the token that ended the text */
    const uint64_t *token_times_us; /* time of each token; the first one includes the prompt */
    size_t n_tokens;
    const char *model_name;   /* general.name, or ""; lives as long as the generation, like the next two */
    const char *quantization; /* as bitnet_model_info */
    const char *device;       /* "cpu", "cuda:0" */
    uint64_t seed;            /* repeats the text */
    uint64_t prompt_tokens;   /* reused ones included */
    uint64_t reused_tokens;   /* that the sequence held already */
    uint64_t tokenize_us;
    uint64_t prefill_us;
    uint64_t decode_us;       /* of what came after the prompt, sampling included */
    uint64_t decode_steps;    /* tokens computed after the prompt; the last one of a text needs no step */
    uint64_t total_us;        /* from the create call to the last step, the caller's own time included */
    double prefill_tokens_per_second; /* computed ones over prefill_us; 0 where there is no time to divide by */
    double decode_tokens_per_second;
    double total_tokens_per_second;   /* n_tokens over total_us */
    uint64_t drafted_tokens;          /* guessed, see bitnet_generation_params.n_draft */
    uint64_t accepted_tokens;         /* of those, the ones that were drawn */
} bitnet_generation_result;
BITNET_API bitnet_status bitnet_generation_get_result(const bitnet_generation *generation,
                                                      bitnet_generation_result *out_result);

/* Makes a sequence hold exactly these tokens and computes only what it does not hold yet, at least the last token, whose
 * logits bitnet_context_get_logits(context, -1) then gives. More than n_batch tokens are decoded in parts.
 * *out_n_reused  (may be NULL) tokens that were there already.
 * Returns  as bitnet_context_decode. After a failure the sequence is as before, except that where old and new tokens do
 *          not fit side by side it holds only their common beginning. */
BITNET_API bitnet_status bitnet_context_prefill(bitnet_context *context, bitnet_seq_id seq_id,
                                                const bitnet_token *tokens, size_t n_tokens, size_t *out_n_reused);

/* ---- 13. Environment -------------------------------------------------------------------------------------------- */

/* The environment variables of the library. They are read once, when first needed, and never set; a parameter of a call
 * wins over them; an empty one counts as unset. A bad value is BITNET_E_CONFIG from the call for which it would count.
 *   BITNET_KERNEL             a kernel or level name, see bitnet_model_params.kernel
 *   BITNET_NUM_THREADS        1 .. 1024; RAYON_NUM_THREADS is read where it is not set
 *   BITNET_BATCH_SIZE         1 .. 2^24: n_batch of contexts that do not say theirs, at most n_ctx
 *   BITNET_MEMORY_LIMIT       what all models and contexts of the process hold together: weights, mapped ones too, KV
 *                             caches, scratch. What would go beyond is refused before it is allocated, with
 *                             BITNET_E_SECURITY_MEMORY; a call with a max_bytes of its own is not. "512MB", "2GB" (powers
 *                             of 1024), "none"
 *   BITNET_DETERMINISTIC      0 or 1: samplers without a seed use 42. Everything else is deterministic anyway
 *   BITNET_SEED               0 .. 2^64-1: the seed of samplers that were given none
 *   BITNET_STRICT_TOKENIZERS  0 or 1: a model file whose tokenizer this build cannot run does not load (BITNET_E_TOKENIZER)
 *   BITNET_OFFLINE            0 or 1: programs on this library must not use the network; the library never does
 *   BITNET_CACHE              folder of downloads, see section 25; without it bitnet in XDG_CACHE_HOME or ~/.cache. Hugging
 *                             Face's own cache is looked at too: HF_HUB_CACHE, hub in HF_HOME, or its place in
 *                             XDG_CACHE_HOME or ~/.cache */
typedef struct bitnet_environment_info {
    uint32_t struct_size;
    const char *kernel;        /* "" when unset; static storage */
    int32_t n_threads;         /* 0 when unset, like the next two */
    int32_t batch_size;
    uint64_t memory_limit;     /* bytes */
    int32_t deterministic;
    int32_t has_seed;
    uint64_t seed;
    int32_t strict_tokenizers;
    int32_t offline;
} bitnet_environment_info;
/* What the library found. BITNET_E_CONFIG names the first variable with a bad value: a program that wants to fail early
 * calls this first. Any thread. */
BITNET_API bitnet_status bitnet_environment_get_info(bitnet_environment_info *out_info);

/* ---- 14. Receipts ------------------------------------------------------------------------------------------------ */

/* A receipt is JSON text that says how a text came about, in a form that anyone with the model can check:
 *   schema_version "1.0.0"; compute_path "real"; kernels, those that ran, as "op/kernel", sorted; model {name,
 *   architecture, quantization, sha256}; build {version, info}; device {backend_type, threads}; seed; sampler (its
 *   parameters); prompt_ids; generated_ids, the token that ended the text included; finish_reason; metrics
 *   {tokens_per_second, total_latency_ms, backend_type, prefill_ms, decode_ms, prompt_tokens, reused_tokens,
 *   generated_tokens} (tokens_per_second: generated ones over the total); timestamp (UTC);
 *   chain, one SHA-256 per generated token; digest, a SHA-256 over all the rest.
 * What protects what, with C the text's canonical form (keys sorted, no spaces) without "chain" and "digest":
 *   digest    = SHA-256 of C with "chain": catches accidents. It is no signature; whoever edits a receipt can make it anew.
 *   chain[i]  = SHA-256 of chain[i-1], S, token i as 4 bytes and the SHA-256 of the logits it was drawn from (floats), with
 *               S = SHA-256 of C and chain[-1] = S; numbers are little-endian. Every link holds every field of the text, so
 *               changing one takes the logits of all positions, that is: running the model. bitnet_receipt_verify computes
 *               some positions again and finds who did not.
 * A receipt cannot prove when or how fast something ran: who really ran the model may state any time. */

/* The SHA-256 of the model file as 64 hexadecimal digits, the same that `sha256sum` prints; from memory, a descriptor or
 * a reader: of the bytes they gave. For a split model: of the parts' SHA-256s, 32 bytes each, in order. Computed at the
 * first call, then kept; reads the whole file, some 4 seconds per GB, and cannot be cancelled. Any thread.
 * BITNET_E_STATE where the bytes are not at hand: a reader (see bitnet_model_params.sha256), or a split model with
 * vocab_only. Sizes as bitnet_model_get_metadata. */
BITNET_API bitnet_status bitnet_model_get_sha256(const bitnet_model *model, char *buffer, size_t capacity,
                                                 size_t *out_size);

/* The receipt of what a generation has brought so far. Needs bitnet_generation_params.receipt; hashes the model if that
 * was not done yet. BITNET_E_STATE without the parameter and before the first token. Sizes as bitnet_model_get_metadata. */
BITNET_API bitnet_status bitnet_generation_get_receipt(const bitnet_generation *generation, char *buffer,
                                                       size_t capacity, size_t *out_size);

/* Writes a receipt to a file that appears whole or not at all. BITNET_E_VALIDATION for what bitnet_receipt_verify would
 * refuse without a model, BITNET_E_IO. path is UTF-8; its folder must exist. */
BITNET_API bitnet_status bitnet_receipt_write(const char *json, size_t n_bytes, const char *path);

typedef enum bitnet_receipt_check {
    BITNET_RECEIPT_CHECK_NONE = 0,         /* nothing is wrong */
    BITNET_RECEIPT_CHECK_FORMAT = 1,       /* not JSON of this schema, or fields that contradict each other */
    BITNET_RECEIPT_CHECK_COMPUTE_PATH = 2, /* compute_path is not "real" */
    BITNET_RECEIPT_CHECK_KERNELS = 3,      /* no kernels, one with "mock" in its name, or not those of this model */
    BITNET_RECEIPT_CHECK_DIGEST = 4,       /* the text was changed */
    BITNET_RECEIPT_CHECK_MODEL = 5,        /* made with another model */
    BITNET_RECEIPT_CHECK_REPLAY = 6,       /* computing a position again gives something else */
    BITNET_RECEIPT_CHECK_TOKEN = 7         /* the sampler draws another token from these logits */
} bitnet_receipt_check;
/* "none", "format", "compute_path", ...; "unknown". Static storage. */
BITNET_API const char *bitnet_receipt_check_name(bitnet_receipt_check check);

typedef struct bitnet_receipt_params {
    uint32_t struct_size;
    int32_t n_threads;      /* for the replay; as bitnet_context_params */
    double replay_share;    /* 0..1, default 0.05: share of the positions to compute again, rounded up. Where
                             * the sampler used mirostat also every position before the last of them: it learns from all */
    int64_t replay_count;   /* that many positions instead; -1 (default): use replay_share */
    uint64_t seed;          /* which positions: a person who checks should choose it, see bitnet_receipt_verify */
    int32_t max_tokens;     /* refuse to replay longer texts (BITNET_E_LIMIT); 0 (default): the larger of the model's
                             * n_ctx_train and 4096 */
    int32_t (*should_abort)(void *user_data); /* as bitnet_context_params; BITNET_E_CANCELLED. May be NULL */
    void *abort_user_data;
} bitnet_receipt_params;
BITNET_API void bitnet_receipt_params_init(bitnet_receipt_params *params, uint32_t struct_size);

typedef struct bitnet_receipt_report {
    uint32_t struct_size;
    int32_t failed_check;    /* a bitnet_receipt_check */
    int32_t model_matched;   /* 1: a model was given, and it is the receipt's */
    uint64_t n_positions;    /* generated tokens of the receipt */
    uint64_t n_replayed;     /* of those, computed again and found the same */
    int64_t first_mismatch;  /* the lowest position that was computed again and differs, else -1 */
} bitnet_receipt_report;

/* Checks a receipt: its form and digest; with a model also that it is the same file, and the replay of positions that seed
 * picks: logits and chain must give the same bits, and the sampler must draw the same token. Positions share their
 * beginnings: a replay costs one prompt as long as the last position. A forger who knows seed beforehand can be right in
 * the chosen positions alone, so take an unpredictable one.
 * json     n_bytes of UTF-8, at most 16 MiB; any bytes are safe.
 * model    NULL: only form and digest.
 * params   NULL for the defaults.
 * Returns  BITNET_OK; BITNET_E_VALIDATION (the message says what and where); BITNET_E_LIMIT; BITNET_E_STATE for a model
 *          without hash or weights; BITNET_E_CANCELLED; BITNET_E_CONFIG for a parameter out of range.
 * *out_report (may be NULL) is filled when the status is BITNET_OK or BITNET_E_VALIDATION. */
BITNET_API bitnet_status bitnet_receipt_verify(const char *json, size_t n_bytes, const bitnet_model *model,
                                               const bitnet_receipt_params *params, bitnet_receipt_report *out_report);

/* ---- 15. Grammar ------------------------------------------------------------------------------------------------- */

/* A compiled grammar: which texts a model may write. It never changes: share it freely, also between threads. It is
 * compiled to bytes, so characters may be split over tokens. It keeps its tokenizer alive.
 * Limits, so that grammars may come from anyone: 1 MiB of text, 16384 rules, groups nested 128 deep, 65535 repetitions,
 * 200000 states once repetitions are written out; while matching, 4096 open rules within each other, 65536 alternatives
 * at once, and a bound on the work for each token. */

/* Compiles a grammar in GBNF, as llama.cpp describes it:
 *     root  ::= item ("," " "? item)* # a comment
 *     item  ::= "a\n" | [a-z0-9_]+ | [^\x00-\x1F"]{2,5} | . | other-rule
 * Literals and classes know \n \r \t \\ \" \[ \] \- \^ \xHH \uHHHH \UHHHHHHHH. A line ends a rule, except in groups and after
 * ::= and |. Repetitions are * + ? {m} {m,} {m,n}.
 * root     the rule that is the whole text, NUL-terminated; NULL for "root".
 * Returns  BITNET_E_CONFIG for what is not a grammar, with line and column or the rules' names: wrong syntax, rules that are
 *          not or twice defined, that begin with themselves (left recursion), or that cannot end.
 *          BITNET_E_SECURITY_INPUT beyond the limits above. */
BITNET_API bitnet_status bitnet_grammar_create_from_gbnf(const bitnet_tokenizer *tokenizer, const char *text,
                                                         size_t n_bytes, const char *root,
                                                         bitnet_grammar **out_grammar);
/* The same for the JSON texts that obey a JSON schema (the common part of draft 2020-12). `{}` and `true` allow any JSON.
 * Known are type, properties, required, additionalProperties, items, prefixItems, minItems, maxItems, enum, const, anyOf,
 * oneOf (as anyOf), allOf, $ref into the schema itself, minLength, maxLength, pattern (anchored with ^ and $; no look-around,
 * no back-reference), format (date, time, date-time, uuid), minimum, maximum, exclusiveMinimum and exclusiveMaximum of
 * integers, and whole minimum and maximum of numbers. What only describes (title, description, default, examples, ...) is
 * passed over. Any other keyword is BITNET_E_CONFIG, which names it and where it stands as a JSON pointer.
 * What is written obeys the schema, but not all that does can be written: properties come in the schema's order,
 * others only where additionalProperties allows them in so many words or there are no properties; white space is short;
 * numbers have at most 16 digits before and behind the point. */
BITNET_API bitnet_status bitnet_grammar_create_from_json_schema(const bitnet_tokenizer *tokenizer, const char *schema,
                                                                size_t n_bytes, bitnet_grammar **out_grammar);
BITNET_API void bitnet_grammar_free(bitnet_grammar *grammar);
/* The grammar of a schema as GBNF with the rule "root". Text and sizes as bitnet_model_get_metadata. */
BITNET_API bitnet_status bitnet_json_schema_to_gbnf(const char *schema, size_t n_bytes, char *buffer, size_t capacity,
                                                    size_t *out_size);

/* From now on the sampler gives only tokens that the grammar allows, starting anew: other tokens are forbidden before all
 * other steps, also where a bias wants them. Tokens that end a text are allowed where the grammar may end, and are all
 * that is allowed once it must; other control tokens never are. The grammar is kept alive; NULL takes it away.
 * bitnet_sampler_accept moves the grammar on as well, and is BITNET_E_STATE for a token that it does not allow: tell it
 * about the prompt before this call. bitnet_sampler_reset brings the grammar back to its start.
 * Sampling then also returns BITNET_E_STATE where no token of the vocabulary can go on, and
 * BITNET_E_SECURITY_EXHAUSTION for a grammar that is too ambiguous or too deep at this place. */
BITNET_API bitnet_status bitnet_sampler_set_grammar(bitnet_sampler *sampler, const bitnet_grammar *grammar);

/* ---- 16. Adapters ------------------------------------------------------------------------------------------------ */

/* LoRA: what a fine-tuning learned, kept beside the model as pairs of thin matrices A [n_in, rank] and B [rank, n_out] for
 * some of its matrices W. An adapted matrix gives
 *
 *     W x  +  scale * alpha / rank * B (A x)          (alpha 0: scale * B (A x))
 *
 * with x in full precision, before it is rounded for a ternary W. W itself never changes, so one model in memory serves
 * any number of adapters, and sequences with different ones, or none, run together in one batch. Results are the same bits
 * everywhere, as without adapters, and a sequence without any has the bits of a context without any.
 *
 * An adapter of one model. It never changes: any thread may use it. */
typedef struct bitnet_adapter bitnet_adapter;

/* Loads an adapter for a model.
 * path     UTF-8 path of a GGUF file as llama.cpp's convert_lora_to_gguf writes it: general.type "adapter", adapter.type
 *          "lora", adapter.lora.alpha, tensors "<tensor of the model>.lora_a" and ".lora_b" in f32, f16 or bf16, rank 1 to
 *          4096. Any matrix of a layer may be adapted, and output.weight where the model has one; not the embedding.
 * Returns  BITNET_E_MODEL_ARCHITECTURE for an adapter of an architecture with other tensors; BITNET_E_NOT_FOUND where it
 *          adapts a tensor that the model has not, BITNET_E_GGUF_MISSING_TENSOR where half of a pair is missing,
 *          BITNET_E_GGUF_TENSOR_SHAPE, _TENSOR_TYPE, _TENSOR_DATA (NaN, infinity), BITNET_E_LIMIT (rank), each naming the
 *          tensor; BITNET_E_UNSUPPORTED for an adapter of another kind; BITNET_E_STATE for a vocab_only model; the file
 *          statuses of bitnet_model_load. *out_adapter is NULL after a failure.
 * The file is read into memory, not mapped, and may change or go afterwards. The adapter keeps its model alive. */
BITNET_API bitnet_status bitnet_adapter_load(const bitnet_model *model, const char *path, bitnet_adapter **out_adapter);
/* The same from size bytes at data, which are copied. */
BITNET_API bitnet_status bitnet_adapter_load_from_memory(const bitnet_model *model, const void *data, size_t size,
                                                         bitnet_adapter **out_adapter);
/* Sequences that use it go on using it. */
BITNET_API void bitnet_adapter_free(bitnet_adapter *adapter);

/* Strings live as long as the adapter. */
typedef struct bitnet_adapter_info {
    uint32_t struct_size;
    const char *name;         /* general.name, or "" */
    const char *architecture; /* as the file says */
    int32_t rank;             /* the largest of its pairs: what it takes of max_lora_rank */
    float alpha;              /* adapter.lora.alpha, 0 where the file has none */
    uint64_t n_tensors;       /* two per adapted matrix */
    uint64_t n_parameters;    /* elements of all tensors */
    uint64_t n_bytes;         /* memory it holds */
} bitnet_adapter_info;
BITNET_API bitnet_status bitnet_adapter_get_info(const bitnet_adapter *adapter, bitnet_adapter_info *out_info);

typedef struct bitnet_adapter_use {
    const bitnet_adapter *adapter;
    float scale; /* -1e6 .. 1e6; 1: as it was trained; 0: the adapter is left out */
} bitnet_adapter_use;
/* Says which adapters a sequence runs with from now on, instead of those before; n_uses 0: none. They are added in the
 * order given. They stay with the sequence, not with its tokens: removing tokens, prefill and shift leave them; copying or
 * forking a sequence copies them.
 * seq_id   negative: every sequence; all or none are changed.
 * uses     n_uses of them, at most 64; read during the call only. The adapters may be freed afterwards.
 * Returns  BITNET_E_STATE for a sequence that holds tokens, unless its adapters and scales stay as they are: its keys and
 *          values were computed with others, so remove its tokens first. Also for an adapter loaded for another model
 *          handle, and where max_lora_rank of the context is 0. BITNET_E_LIMIT where the ranks add up to more than
 *          max_lora_rank; BITNET_E_CONFIG for a scale out of range.
 * Saved sequences and sessions remember which adapters and scales they were computed with: they load only into sequences
 * that have the same ones set (BITNET_E_STATE otherwise). One thread per context at a time. */
BITNET_API bitnet_status bitnet_context_set_adapters(bitnet_context *context, bitnet_seq_id seq_id,
                                                     const bitnet_adapter_use *uses, size_t n_uses);

/* ---- 17. Validation and memory ----------------------------------------------------------------------------------- */

/* Bytes that a model's tensors take in memory, by what they are for; their sum is total_bytes, which is
 * weights_mapped_bytes + weights_owned_bytes of bitnet_memory_info. A matrix whose kernel wants a layout of its own counts
 * as packed; an embedding counts as stored too then, because its rows are looked up there. */
typedef struct bitnet_memory_breakdown {
    uint32_t struct_size;
    uint64_t attention_bytes;    /* q, k, v and output matrices */
    uint64_t feed_forward_bytes; /* gate, up and down matrices */
    uint64_t norm_bytes;
    uint64_t embedding_bytes;
    uint64_t output_bytes;       /* 0 where the embedding is the output matrix as well */
    uint64_t other_bytes;        /* e.g. rope_freqs.weight */
    uint64_t total_bytes;
} bitnet_memory_breakdown;
/* All zero for a vocab_only model. Any thread. */
BITNET_API bitnet_status bitnet_model_get_memory_breakdown(const bitnet_model *model,
                                                           bitnet_memory_breakdown *out_breakdown);

/* What a model and one context over it will hold, to the byte, before any of it is allocated. The same code plans here and
 * when a model is loaded and a context created, so bitnet_context_get_memory reports the same numbers afterwards.
 * Not in it, and small: the vocabulary and metadata (read when the model is loaded; bitnet_memory_info.vocabulary_bytes
 * tells), names and tables of a few hundred bytes per tensor, stacks of threads, and up to 63 bytes per block for alignment. */
typedef struct bitnet_memory_estimate {
    uint32_t struct_size;
    int32_t n_ctx;                 /* as a context created with these parameters would have them */
    int32_t n_batch;
    int32_t n_ubatch;
    int32_t n_seq_max;
    int32_t n_threads;
    uint64_t weights_mapped_bytes; /* used in place from the file or the caller's memory: shared, and given back under
                                    * pressure by the system */
    uint64_t weights_owned_bytes;
    uint64_t load_peak_bytes;      /* the most that loading holds at once of what is to be owned; at least
                                    * weights_owned_bytes, and 0 for a model that is loaded */
    uint64_t attention_bytes;      /* the weights again, by role as in bitnet_memory_breakdown */
    uint64_t feed_forward_bytes;
    uint64_t norm_bytes;
    uint64_t embedding_bytes;
    uint64_t output_bytes;
    uint64_t other_bytes;
    uint64_t kv_bytes;             /* keys and values of n_ctx tokens, and who holds them; linear in n_ctx */
    uint64_t scratch_bytes;        /* the sum of the following five */
    uint64_t activation_bytes;     /* values of the graph for n_ubatch tokens */
    uint64_t score_bytes;          /* attention scores, per thread */
    uint64_t batch_bytes;          /* tables of tokens and sequences of a batch */
    uint64_t graph_bytes;          /* the graph, its plan and, with params.trace, its trace */
    uint64_t logits_bytes;         /* room for one output: logits, and the hidden state with params.embeddings */
    uint64_t extra_output_bytes;   /* not in the sums: what each further output costs that a decode asks for at once */
    uint64_t total_bytes;          /* weights + kv_bytes + scratch_bytes: what BITNET_MEMORY_LIMIT counts */
} bitnet_memory_estimate;
/* For another context over a loaded model. params may be NULL. Returns what bitnet_context_create would about params. */
BITNET_API bitnet_status bitnet_model_estimate_memory(const bitnet_model *model, const bitnet_context_params *params,
                                                      bitnet_memory_estimate *out_estimate);
/* For a file that is not loaded: only its header is read, whatever its size. Both params may be NULL; use_mmap, i2s_order
 * and kernel of model_params matter. Returns what bitnet_model_load would for the header: -200s, -300s, -400s; no limit
 * is applied. */
BITNET_API bitnet_status bitnet_model_estimate_memory_from_path(const char *path, const bitnet_model_params *model_params,
                                                                const bitnet_context_params *params,
                                                                bitnet_memory_estimate *out_estimate);
/* What all models, contexts and adapters of this process hold now, as BITNET_MEMORY_LIMIT counts it. Any thread. */
BITNET_API uint64_t bitnet_memory_get_used(void);

/* What is wrong with a model, or worth a look, found by reading all of its tensors. */
typedef enum bitnet_finding_kind {
    BITNET_FINDING_FILE = 1,          /* the file as a whole, or its metadata, cannot be a model here; the loader's message */
    BITNET_FINDING_MISSING = 2,       /* a tensor that the architecture needs is not there */
    BITNET_FINDING_SHAPE = 3,         /* a tensor has another shape than the metadata says */
    BITNET_FINDING_TYPE = 4,          /* a storage type that cannot be read, or not for this tensor */
    BITNET_FINDING_EXTENT = 5,        /* bytes lie outside the file, overlap or are misaligned; or a name is there twice */
    BITNET_FINDING_UNUSED = 6,        /* a tensor that the architecture does not use, so results would be wrong */
    BITNET_FINDING_NOT_FINITE = 7,    /* NaN or infinity: in a norm, a float matrix or a block's scale */
    BITNET_FINDING_CODE = 8,          /* codes that mean no ternary weight: 3 of I2_S and TQ2_0, impossible TQ1_0 bytes */
    BITNET_FINDING_SCALE = 9,         /* the scale of a ternary tensor is not above 0 or not finite, or a divisor is not */
    BITNET_FINDING_ZERO_TENSOR = 10,  /* every value is zero */
    BITNET_FINDING_ZERO_ROWS = 11,    /* rows of a matrix are zero: outputs that are always 0 */
    BITNET_FINDING_NOT_CHECKED = 12,  /* the values could not be read any more, or are too many in a row */
    BITNET_FINDING_FORCE_INT32 = 0x7fffffff
} bitnet_finding_kind;
/* "missing", "shape", ...; "unknown". Static storage. */
BITNET_API const char *bitnet_finding_kind_name(bitnet_finding_kind kind);

typedef enum bitnet_finding_severity {
    BITNET_FINDING_NOTE = 0,    /* usual in good models: embeddings of tokens that are never used */
    BITNET_FINDING_WARNING = 1, /* the model runs; it may not do what it was trained for */
    BITNET_FINDING_ERROR = 2,   /* the model is not valid */
    BITNET_FINDING_SEVERITY_FORCE_INT32 = 0x7fffffff
} bitnet_finding_severity;
/* "note", "warning", "error"; "unknown". Static storage. */
BITNET_API const char *bitnet_finding_severity_name(bitnet_finding_severity severity);

/* One finding: at most one of a kind for each tensor. Pointers live as long as the report. */
typedef struct bitnet_validation_finding {
    uint32_t struct_size;
    int32_t kind;        /* a bitnet_finding_kind */
    int32_t severity;    /* a bitnet_finding_severity */
    int32_t status;      /* the bitnet_status with which loading fails for it, 0 where it does not */
    const char *tensor;  /* its name; "" for the file as a whole */
    const char *message; /* one line */
    uint64_t count;      /* how many rows or values, where there may be several; else 1 */
    uint64_t index;      /* the first one: of the row for CODE and ZERO_ROWS, of the value for NOT_FINITE */
    uint64_t offset;     /* its byte in the file, where has_offset is 1 */
    int32_t has_offset;
} bitnet_validation_finding;

/* A tensor as the validation saw it. Figures of the values are zero where values_checked is 0. */
typedef struct bitnet_validation_tensor {
    uint32_t struct_size;
    const char *name;      /* lives as long as the report, like type */
    const char *type;
    const char *role;      /* "attention", "feed_forward", "norm", "embedding", "output", "other" */
    uint64_t n_bytes;      /* as stored */
    int32_t values_checked;
    int32_t is_ternary;
    uint64_t n_values;
    uint64_t n_zeros;
    uint64_t n_zero_rows;
    double scale;          /* mean magnitude of the values that are not zero: a ternary tensor's scale */
} bitnet_validation_tensor;

typedef struct bitnet_validation_info {
    uint32_t struct_size;
    int32_t is_valid;          /* 1: no finding is an error */
    const char *architecture;  /* "" where the file does not say; lives as long as the report */
    uint64_t n_tensors;        /* in the file */
    uint64_t n_errors;         /* findings by severity, those that are not kept included */
    uint64_t n_warnings;
    uint64_t n_notes;
    uint64_t n_findings;       /* that are kept: max_findings at most */
    uint64_t n_missing;        /* of the errors: MISSING, SHAPE */
    uint64_t n_wrong_shapes;
    uint64_t n_ternary_values; /* in tensors of ternary types */
    double ternary_zeros;      /* part of them that is 0; about 0.3 to 0.5 in trained models. 0 without such tensors */
    double seconds;            /* that the validation took */
    const bitnet_memory_breakdown *stored; /* bytes as stored, by role; lives as long as the report */
    double quantization_accuracy; /* part of the ternary weights that come back the same when they are quantised again: all
                                   * but those of rows with codes that mean no weight. 1 without ternary weights. A file does
                                   * not hold the originals: what quantising lost says bitnet_quantize_get_accuracy */
} bitnet_validation_info;

typedef struct bitnet_validation_params {
    uint32_t struct_size;
    int32_t check_values;   /* 1 (default): read every value; 0: the header alone */
    int32_t n_threads;      /* 0 (default): as for loading */
    uint32_t max_findings;  /* kept in the report; 0 (default): 1000. All are counted */
    bitnet_progress_callback on_progress; /* may be NULL; non-zero stops: BITNET_E_CANCELLED */
    void *progress_user_data;
    uint64_t max_tensors;   /* as bitnet_model_params */
    const char *tl_tiling;  /* as bitnet_model_params, whose value counts for a loaded model */
} bitnet_validation_params;
BITNET_API void bitnet_validation_params_init(bitnet_validation_params *params, uint32_t struct_size);

typedef struct bitnet_validation_report bitnet_validation_report;
/* Validates a loaded model by the bytes it was loaded from. params may be NULL. Any thread. Blocks: it reads everything.
 * A bad model is no failure of the call: see bitnet_validation_info.is_valid. */
BITNET_API bitnet_status bitnet_model_validate(const bitnet_model *model, const bitnet_validation_params *params,
                                               bitnet_validation_report **out_report);
/* Validates a file, also one that does not load: everything that is wrong is found, not only the first. Fails only where there
 * is nothing to report on: BITNET_E_FILE_NOT_FOUND, BITNET_E_IO, BITNET_E_OUT_OF_MEMORY, BITNET_E_CANCELLED,
 * BITNET_E_SECURITY_TENSOR_COUNT (max_tensors). To refuse bad models when they are loaded see bitnet_model_params.validate. */
BITNET_API bitnet_status bitnet_model_validate_file(const char *path, const bitnet_validation_params *params,
                                                    bitnet_validation_report **out_report);
BITNET_API void bitnet_validation_report_free(bitnet_validation_report *report);
BITNET_API bitnet_status bitnet_validation_report_get_info(const bitnet_validation_report *report,
                                                           bitnet_validation_info *out_info);
/* Findings in the order in which they were found: the header's first, then those of the values, tensor by tensor.
 * BITNET_E_NOT_FOUND past the end. */
BITNET_API bitnet_status bitnet_validation_report_get_finding(const bitnet_validation_report *report, size_t index,
                                                              bitnet_validation_finding *out_finding);
/* Tensors in the order of the file. BITNET_E_NOT_FOUND past the end. */
BITNET_API bitnet_status bitnet_validation_report_get_tensor(const bitnet_validation_report *report, size_t index,
                                                             bitnet_validation_tensor *out_tensor);
/* All of it as one object on one line, tensors included; sizes as bitnet_model_get_metadata. Bytes that are no UTF-8
 * become U+FFFD.
 *   {"schema": "bitnet-validation/1", "library": "0.1.0", "file": "...", "architecture": "llama", "is_valid": false,
 *    "n_tensors": 35, "n_errors": 1, "n_warnings": 0, "n_notes": 0, "ternary_zeros": 0.42,
 *    "quantization_accuracy": 0.99, "seconds": 0.1,
 *    "memory": {"attention_bytes": 1, ..., "total_bytes": 9},
 *    "findings": [{"kind": "code", "severity": "error", "status": "BITNET_E_GGUF_TENSOR_DATA", "tensor": "...",
 *                  "message": "...", "count": 2, "index": 7, "offset": 1234}],
 *    "tensors": [{"name": "...", "type": "i2_s", "role": "attention", "n_bytes": 9, "n_values": 36, "zeros": 0.4,
 *                 "zero_rows": 0, "scale": 0.02}]}  */
BITNET_API bitnet_status bitnet_validation_report_get_json(const bitnet_validation_report *report, char *buffer,
                                                           size_t capacity, size_t *out_size);

/* ---- 18. Devices, features and performance ----------------------------------------------------------------------- */

/* A device is named by text: "auto" (the best that this library can use here), "cpu", "metal", "cuda" (the first one) or
 * "cuda:N" with N from 0 to 255 in plain decimal. Nothing else is a name: no capitals, spaces, signs or leading zeros.
 *
 * bitnet_model_params.device may name several GPUs: "cuda:0,cuda:1", or "cuda:all" for every one that can be used. Each gets
 * consecutive layers with their keys and values, the first one the embedding as well, the last one the output matrix. So many
 * go to each that the fullest device is as empty as can be, weights and a context of default parameters counted; or in given
 * proportions, "cuda:0=20,cuda:1=10", numbers from 1 to 10000 for all or for none. A device that gets no layer is left out.
 * Which one has no room for its weights is said before anything is uploaded, BITNET_E_DEVICE_MEMORY. With ",cpu" behind,
 * "cuda:0,cpu" or "cuda:all,cpu", the CPU computes the whole model where the load would fail with one of the -800s, or where
 * no context of default parameters would fit: bitnet_device_stats counts that as a fallback, and the log says why. */
typedef enum bitnet_device_kind {
    BITNET_DEVICE_AUTO = 0,
    BITNET_DEVICE_CPU = 1,
    BITNET_DEVICE_CUDA = 2,
    BITNET_DEVICE_METAL = 3,
    BITNET_DEVICE_FORCE_INT32 = 0x7fffffff
} bitnet_device_kind;
/* Reads a name. *out_index (may be NULL) is N, 0 for all but CUDA. BITNET_E_CONFIG for a text that names no device; then
 * nothing is written. It says nothing of whether there is such a device: see bitnet_device_check. */
BITNET_API bitnet_status bitnet_device_parse(const char *text, bitnet_device_kind *out_kind, int32_t *out_index);
/* Writes the name of a device, which bitnet_device_parse reads back ("cuda:0" for CUDA's first). BITNET_E_ARGUMENT for a
 * kind or an index that has none. Sizes as bitnet_model_get_metadata. */
BITNET_API bitnet_status bitnet_device_format(bitnet_device_kind kind, int32_t index, char *buffer, size_t capacity,
                                              size_t *out_size);

/* The devices that can compute here, by index; NULL past the end: the CPU, which "auto" takes, then CUDA's in the driver's
 * order. Static storage. */
BITNET_API size_t bitnet_device_get_count(void);
BITNET_API const char *bitnet_device_get_name(size_t index);
/* BITNET_OK where the device (NULL: "auto"), or each of several for a model, can be used; BITNET_E_DEVICE_NOT_AVAILABLE with
 * the reason, for example "metal: not built into this library" or "cuda:0: libcuda.so.1 is not installed; ..."; BITNET_E_CONFIG
 * for a text that names none. Any thread, like all of section 18. */
BITNET_API bitnet_status bitnet_device_check(const char *device);

/* Memory in bytes. For the CPU it is the machine's, or what the process's control group (a container's limit, cgroup 1
 * or 2) leaves of it, whichever is smaller. A CUDA device that nobody has open is opened to ask it, which takes a while. */
typedef struct bitnet_device_memory {
    uint32_t struct_size;
    uint64_t total;
    uint64_t free;        /* can be had without swapping; caches that the system would drop count as free */
    uint64_t used;        /* total - free */
    uint64_t limit_bytes; /* the control group's limit; 0: none */
} bitnet_device_memory;
/* Statuses as bitnet_device_check; BITNET_E_UNSUPPORTED where the operating system is not one of those known here. */
BITNET_API bitnet_status bitnet_device_get_memory(const char *device, bitnet_device_memory *out_memory);

/* What a device can do. Strings have static storage. */
typedef struct bitnet_device_info {
    uint32_t struct_size;
    int32_t kind;                  /* a bitnet_device_kind */
    int32_t index;
    int32_t supports_f16;          /* 1: multiplies weights of this type */
    int32_t supports_bf16;
    int32_t supports_int8;         /* 1: multiplies with 8-bit integers, as ternary weights need */
    int32_t max_threads;           /* as bitnet_cpu_get_thread_limit(); of a CUDA device: that run at once */
    int32_t compute_capability[2]; /* of a CUDA device: major, minor; -1, -1 for others */
    const char *name;              /* "cpu"; a CUDA device's own: "NVIDIA H100 80GB HBM3" */
    const char *simd;              /* instruction set levels that run here, rising: "scalar, avx2, avx512"; "" for CUDA */
    const char *kernel_level;      /* the one that models use by default: "avx512vnni"; "cuda" */
    const char *quantization;      /* types of weights it multiplies: "f32, f16, bf16, q8_0, q4_0, q6_k, tq1_0, ..." */
} bitnet_device_info;
/* Statuses as bitnet_device_check. */
BITNET_API bitnet_status bitnet_device_get_info(const char *device, bitnet_device_info *out_info);
/* Every device, those that cannot be used with the reason, as one JSON object on one line:
 *   {"schema": "bitnet-devices/1", "devices": [{"name": "cpu", "kind": "cpu", "index": 0, "available": true,
 *    "supports_f16": true, "supports_bf16": true, "supports_int8": true, "max_threads": 2, "compute_capability": null,
 *    "simd": ["scalar", "avx2"], "kernel_level": "avx2", "quantization": ["f32", ...],
 *    "memory": {"total": 8000000000, "free": 6000000000, "used": 2000000000, "limit_bytes": null}},
 *    {"name": "metal", "kind": "metal", "available": false, "problem": "metal: not built into this library"}, ...],
 *    "features": ["cpu", ...]}
 * A CUDA device has its compute capability ("9.0") and its own name ("model") there, every one that the driver finds has a row.
 * memory is null where it is not known. Sizes as bitnet_model_get_metadata. */
BITNET_API bitnet_status bitnet_device_get_json(char *buffer, size_t capacity, size_t *out_size);

/* What this library was built with, by index; NULL past the end: "cpu", "threads", "mmap", "json", "trace", "cuda", and one
 * "kernels-LEVEL" for each instruction set level. Static storage. */
BITNET_API size_t bitnet_feature_get_count(void);
BITNET_API const char *bitnet_feature_get_name(size_t index);
/* 1: built in. The specification's names are known as well: "gpu" is "cuda", "serde" is "json", "tracing" is "trace". */
BITNET_API int32_t bitnet_feature_is_built(const char *name);
/* All of them in one text, "cpu, threads, ..."; static storage. */
BITNET_API const char *bitnet_features(void);

/* How much room the weights take, counted over the tensors of the file; names and labels in the file play no part. All
 * zero after vocab_only. Strings have static storage. */
typedef struct bitnet_quantization_info {
    uint32_t struct_size;
    int32_t block_length;        /* weights that share a block of type; 1 where there are none */
    const char *type;            /* the type that most weights have, as bitnet_model_info.quantization; "" without any */
    uint64_t n_parameters;       /* of all tensors */
    uint64_t n_bytes;            /* of all tensors as stored */
    double bits_per_weight;      /* 8 * n_bytes / n_parameters */
    double compression_f16;      /* bytes the same weights would take in F16, over n_bytes */
    double compression_f32;
    uint64_t ternary_parameters; /* of tensors in a ternary type */
    uint64_t ternary_bytes;
    double ternary_bits_per_weight; /* 8 * ternary_bytes / ternary_parameters; 0 where there are none */
} bitnet_quantization_info;
BITNET_API bitnet_status bitnet_model_get_quantization(const bitnet_model *model, bitnet_quantization_info *out_info);

/* The same by type of weight, the one with the most bytes first. BITNET_E_NOT_FOUND past the end. */
typedef struct bitnet_type_usage {
    uint32_t struct_size;
    int32_t ternary;        /* 1: its weights are -1, 0 and +1 times a scale */
    const char *type;       /* "i2_s"; static storage */
    uint64_t n_tensors;
    uint64_t n_parameters;
    uint64_t n_bytes;
    double bits_per_weight;
} bitnet_type_usage;
BITNET_API size_t bitnet_model_get_type_count(const bitnet_model *model);
BITNET_API bitnet_status bitnet_model_get_type(const bitnet_model *model, size_t index, bitnet_type_usage *out_usage);

/* What the model has or is, by index; NULL past the end: "ternary", "grouped-query-attention", "sub-norms", "input-norms" (of
 * each matrix), "head-norms" (of queries and keys), "sliding-window", "tied-embeddings", "rope-scaling", "rope-factors",
 * "tokenizer", "mapped", "repacked", "gated-silu", "gated-relu2", "gated-gelu". Static storage. */
BITNET_API const char *bitnet_model_get_feature(const bitnet_model *model, size_t index);

/* How the model is run, beside the shape in bitnet_model_info. A caller chooses the device with bitnet_model_params.device and
 * the length with bitnet_context_params.n_ctx; the rest is fixed. Strings live as long as the model. */
typedef struct bitnet_model_config {
    uint32_t struct_size;
    int32_t max_seq_len;          /* n_ctx of a context that does not say its own */
    const char *device;           /* "cpu", "cuda:0"; of several GPUs those that have layers: "cuda:0,cuda:1" */
    const char *dtype;            /* what values are between operations: "f32" */
    const char *activation_dtype; /* what ternary matrices are multiplied with: "i8"; "" where there are none */
    const char *activation;       /* of the feed-forward part: "relu2", "silu", "gelu"; "" after vocab_only, as the next one */
    const char *kv_dtype;         /* "f16" */
    uint64_t kv_bytes_per_token;  /* of all layers together */
    int32_t rope_dimensions;      /* rotated dimensions of a head */
    int32_t tied_embeddings;      /* 1: the embedding is the output matrix, too */
    const char *rope_scaling;     /* "none", "linear" */
    double rope_scaling_factor;   /* 1 for "none" */
} bitnet_model_config;
BITNET_API bitnet_status bitnet_model_get_config(const bitnet_model *model, bitnet_model_config *out_config);

/* Which of the optional fields of bitnet_performance_metrics are there. */
enum {
    BITNET_METRIC_HAS_FIRST_TOKEN = 1,
    BITNET_METRIC_HAS_AVERAGE_TOKEN = 2,
    BITNET_METRIC_HAS_CACHE_HIT_RATE = 4,
    BITNET_METRIC_HAS_MEMORY = 8,
    BITNET_METRIC_HAS_ENCODE = 16,
    BITNET_METRIC_HAS_DETOKENIZE = 32,
    BITNET_METRIC_HAS_FORWARD = 64,
    BITNET_METRIC_HAS_SAMPLING = 128
};
/* What a context has done since it was made or reset. A field whose bit in present is not set is 0 and means nothing. */
typedef struct bitnet_performance_metrics {
    uint32_t struct_size;
    uint32_t present;                 /* BITNET_METRIC_HAS_... */
    const char *backend_type;         /* "cpu", "cuda:0"; static storage */
    uint64_t n_inferences;            /* generations that came to their end, whatever the reason */
    uint64_t tokens_generated;        /* drawn by generations, or with bitnet_sampler_sample_context */
    double tokens_per_second;         /* tokens_generated over total_latency_us; 0 where there is no time */
    uint64_t total_latency_us;        /* of decode calls and generations, tokenizing included; the caller's time is not */
    uint64_t first_token_latency_us;  /* of a generation, prompt included: their average */
    uint64_t average_token_latency_us; /* of the generations' other tokens */
    double cache_hit_rate;            /* of the tokens given to prefills, those that the sequence held already; 0 .. 1 */
    uint64_t memory_usage_bytes;      /* resident memory of the process, now */
    uint64_t encode_us;               /* text to tokens */
    uint64_t detokenize_us;           /* tokens to text */
    uint64_t forward_us;              /* the model itself */
    uint64_t sampling_us;             /* logits to a token */
    uint64_t error_count;             /* decodes that failed; cancelling and deadlines are no failures */
    double error_rate;                /* over all decodes; 0 .. 1 */
} bitnet_performance_metrics;
/* Reads the counters without a lock, from any thread, also while the context decodes. Each is exact; those of a step that runs
 * may be missing. What the environment has to say of performance (section 13) was applied when the context was made. */
BITNET_API bitnet_status bitnet_context_get_performance(const bitnet_context *context,
                                                        bitnet_performance_metrics *out_metrics);
/* Begins to count anew. On the context's thread: a decode on another one would be counted in part. */
BITNET_API bitnet_status bitnet_context_reset_performance(bitnet_context *context);
/* BITNET_E_ARGUMENT naming the first field that cannot be: a rate outside 0 .. 1 or not finite, a part longer than the whole,
 * tokens_per_second that is not tokens over time (to 1 %), a value without its bit, bits that do not exist. */
BITNET_API bitnet_status bitnet_performance_metrics_validate(const bitnet_performance_metrics *metrics);
/* Tokens generated per millisecond; 0 for NULL and where there is no time. */
BITNET_API double bitnet_performance_metrics_get_efficiency_ratio(const bitnet_performance_metrics *metrics);

/* What ran on the devices of a context since it was made or reset. An operation is a node of the model's graph. */
typedef struct bitnet_device_stats {
    uint32_t struct_size;
    int32_t is_gpu_effective;        /* 1: gpu_efficiency is above 0.8 */
    const char *device_type;         /* the matrix kernel that computes: "i2s_avx2"; static storage */
    const char *target_device;       /* "cpu", "cuda:0", "cuda:0,cuda:1"; lives as long as the context */
    uint64_t total_operations;
    uint64_t quantization_operations; /* of them: activations to integers */
    uint64_t matmul_operations;       /* of them: matrix products */
    double total_time_ms;
    double quantization_time_ms;
    double matmul_time_ms;
    uint64_t gpu_operations;
    uint64_t cpu_operations;
    uint64_t fallback_count;         /* kernels that gave wrong sums when the model was loaded, so that slower ones took their
                                      * place, and 1 more where the CPU took the place of GPUs (a reset keeps these) */
    double gpu_efficiency;           /* gpu_operations over total_operations; 0 .. 1 */
    const char *last_gpu_error;      /* why the CPU took the place of GPUs; "" where it did not; lives as long as the context */
    const char *last_cpu_error;      /* likewise: which kernel was wrong and what took its place */
    uint64_t memory_used_bytes;      /* as bitnet_device_get_memory("cpu"); 0 where unknown */
    uint64_t memory_total_bytes;
    double average_quantization_time_ms; /* per operation; 0 without any */
    double average_matmul_time_ms;
} bitnet_device_stats;
/* As bitnet_context_get_performance: without a lock, any thread. */
BITNET_API bitnet_status bitnet_context_get_device_stats(const bitnet_context *context, bitnet_device_stats *out_stats);
BITNET_API bitnet_status bitnet_context_reset_device_stats(bitnet_context *context);
/* The same as a few lines for a person, one more for each of several GPUs: its layers, operations and weights. Sizes as
 * bitnet_model_get_metadata; numbers grow, so ask with some room. */
BITNET_API bitnet_status bitnet_context_get_device_summary(const bitnet_context *context, char *buffer, size_t capacity,
                                                           size_t *out_size);

/* ---- 19. Quantiser ----------------------------------------------------------------------------------------------- */

/* Ternary and other low-bit storage of matrices: sizes, quantising, measuring the loss, and products of int8 activations
 * with I2_S weights. Rows of n_cols floats lie one after the other. Bytes and results are the same on every CPU and with
 * any number of threads. Types:
 *   "i2_s"           ternary, blocks of 128 in 32 bytes, one float scale in the 32 bytes of tail (and as the one scale)
 *   "tq1_0" "tq2_0"  ternary, blocks of 256 in 54 and 66 bytes, a half-precision scale in each
 *   "q8_0" "q4_0"    blocks of 32 in 34 and 18 bytes; "q6_k" blocks of 256 in 210 bytes; scales inside, as GGUF files have
 *   "f16" "bf16" "f32"
 *   "int8" "int4"    blocks of block_size (default 64), one float scale a block outside of the bytes. Symmetric: w = scale *
 *                    code, -127..127 in a signed byte; or w = scale * (code - 8), 1..15, two codes a byte, the first in the
 *                    low half. Asymmetric: w = scale * (code - zero point), codes 0..255 or 0..15; the zero points, a byte
 *                    a block, lie behind the codes.
 * Ternary types keep what is ternary already, {-s, 0, +s} over the tensor (i2_s) or each block (tq1_0, tq2_0), with its s
 * (which these round to half precision). Other tensors become s * clip(round(x / s), -1, 1) with s = mean |x| over the
 * tensor, as BitNet b1.58 is trained.
 * Other types of model files ("tl1", "tl2", "iq1_bn", "iq2_bn", "iq2_bn_r4", "q4_1", "iq2_s", "q1_0", "q2_0") are known, but not
 * written here: BITNET_E_QUANT_FORMAT. bitnet_file_convert (section 22) writes the first six. */
typedef struct bitnet_quantize_config {
    uint32_t struct_size;
    int32_t asymmetric;  /* 1: codes with a zero point; "int8" and "int4" only. Default 0 */
    uint64_t block_size; /* 0 (default): the type's own. int8, int4: a multiple of 16 up to 65536; others: only their own */
    const char *type;    /* default "i2_s"; any case */
} bitnet_quantize_config;
BITNET_API void bitnet_quantize_config_init(bitnet_quantize_config *config, uint32_t struct_size);

/* What quantising n_rows x n_cols values takes: bytes of output, and scales outside of them. config NULL: the defaults.
 * Returns  BITNET_E_QUANT_FORMAT (no such type, block size or zero point), BITNET_E_QUANT_INPUT (no values, n_cols is no
 *          multiple of the block, or no memory could hold them). */
BITNET_API bitnet_status bitnet_quantize_get_size(const bitnet_quantize_config *config, size_t n_rows, size_t n_cols,
                                                  size_t *out_n_bytes, size_t *out_n_scales);

typedef enum bitnet_envelope {
    BITNET_ENVELOPE_GRID = 1,     /* a ternary type, and the values lie on its grid: nothing may be lost but the rounding
                                   * of scales to the type's precision */
    BITNET_ENVELOPE_ARBITRARY = 2 /* any other values: the loss is told, there is no mark to pass */
} bitnet_envelope;

typedef struct bitnet_quantize_accuracy {
    uint32_t struct_size;
    int32_t envelope;      /* a bitnet_envelope */
    int32_t is_within;     /* GRID: 1 when the values came back as the envelope asks, else 0; ARBITRARY: -1 */
    int32_t codes_equal;   /* 1: every value came back with its sign (-, 0, +) */
    uint64_t n_values;
    double mse;            /* mean squared error */
    double max_abs_error;
    double cosine;         /* between the values and what came back; 1 for zeros that stay zeros */
    double accuracy;       /* percent: 100 * (1 - |error| / |values|), Euclidean lengths, at least 0 */
} bitnet_quantize_accuracy;
/* Quantises and dequantises in passing and tells what was lost. Allocates little.
 * Returns  as bitnet_quantize_get_size and bitnet_quantizer_quantize. */
BITNET_API bitnet_status bitnet_quantize_get_accuracy(const bitnet_quantize_config *config, const float *input,
                                                      size_t n_rows, size_t n_cols,
                                                      bitnet_quantize_accuracy *out_accuracy);

/* Quantises on a device and counts what ran where. Any thread may use one; its operations wait for each other. */
typedef struct bitnet_quantizer bitnet_quantizer;

typedef struct bitnet_quantizer_params {
    uint32_t struct_size;
    int32_t allow_fallback; /* 1 (default): what the device cannot do runs on the CPU, counted and logged; 0: it fails */
    const char *device;     /* as in section 18; NULL, "auto": the CPU */
    double min_accuracy;    /* percent; quantising to less is BITNET_E_QUANT_ACCURACY. Default 0: not measured */
    int32_t n_threads;      /* of products; 0 (default): $BITNET_NUM_THREADS or bitnet_cpu_get_thread_limit() */
    const char *kernel;     /* as bitnet_model_params.kernel */
    uint64_t max_bytes;     /* working memory of one call (BITNET_E_QUANT_MEMORY); 0 (default): $BITNET_MEMORY_LIMIT */
} bitnet_quantizer_params;
BITNET_API void bitnet_quantizer_params_init(bitnet_quantizer_params *params, uint32_t struct_size);

/* Creates a quantiser. On a GPU, "cuda:0", it multiplies; quantising itself is the CPU's, where it falls back to if that is
 * allowed.
 * Returns  BITNET_E_CONFIG (a parameter), BITNET_E_DEVICE_CAPABILITY (the kernel), and without fallback
 *          BITNET_E_DEVICE_NOT_AVAILABLE, _MEMORY, _COMPUTE, _FALLBACK, _CAPABILITY, _SYNC or BITNET_E_DEVICE: why the
 *          device does not open. */
BITNET_API bitnet_status bitnet_quantizer_create(const bitnet_quantizer_params *params,
                                                 bitnet_quantizer **out_quantizer);
BITNET_API void bitnet_quantizer_free(bitnet_quantizer *quantizer);

/* Quantises n_rows x n_cols floats.
 * out        at least the bytes of bitnet_quantize_get_size; any alignment.
 * scales     exactly the scales of bitnet_quantize_get_size; for "i2_s" also none, as its bytes hold the scale.
 * Returns    BITNET_E_QUANT_FORMAT; BITNET_E_QUANT_INPUT (NULL, NaN, infinite, no whole blocks); BITNET_E_QUANT_OUTPUT_SIZE;
 *            BITNET_E_QUANT_SCALE_COUNT; BITNET_E_QUANT_OVERFLOW (values beyond the type's range); BITNET_E_QUANT_SCALE (a
 *            range that no float holds, or values so small that all scales would be 0); BITNET_E_QUANT_ZERO_POINT (a block
 *            whose values all lie on one side of zero, beyond the reach of its codes); BITNET_E_QUANT_ACCURACY;
 *            BITNET_E_QUANT_GPU, _CUDA, _DEVICE (on a GPU without fallback). out and scales mean nothing then. */
BITNET_API bitnet_status bitnet_quantizer_quantize(bitnet_quantizer *quantizer, const bitnet_quantize_config *config,
                                                   const float *input, size_t n_rows, size_t n_cols, void *out,
                                                   size_t n_out_bytes, float *scales, size_t n_scales);
/* The floats again. n_bytes and n_scales are those of bitnet_quantize_get_size; "i2_s" with no scales uses the one in its
 * bytes. out has room for n_out floats. BITNET_E_QUANT_INPUT for bytes that no encoder writes, BITNET_E_QUANT_SCALE for a
 * scale that is NaN or infinite, others as above. */
BITNET_API bitnet_status bitnet_quantizer_dequantize(bitnet_quantizer *quantizer, const bitnet_quantize_config *config,
                                                     const void *data, size_t n_bytes, const float *scales,
                                                     size_t n_scales, size_t n_rows, size_t n_cols, float *out,
                                                     size_t n_out);

/* out (m x n) = activations (m x k) times the transpose of weights (n x k): sums of integers, exact, each multiplied once
 * by weight scale / activation scale. All arrays are the caller's; out overlaps nothing. */
typedef struct bitnet_i2s_matmul {
    const int8_t *activations;       /* m rows of k values from -127 to 127, value = code / scale */
    const float *activation_scales;  /* m, positive; or NULL: all 1 */
    size_t n_activation_scales;      /* m or 0 */
    const void *weights;             /* n rows of k "i2_s" weights, tail with the scale included */
    size_t n_weight_bytes;
    float *out;
    size_t n_out;                    /* floats that out has room for, at least m * n */
    size_t m;
    size_t n;
    size_t k;                        /* a multiple of 128, at most 4194304 */
} bitnet_i2s_matmul;
/* Returns  BITNET_E_QUANT_INPUT, BITNET_E_QUANT_OUTPUT_SIZE, BITNET_E_QUANT_SCALE_COUNT, BITNET_E_QUANT_SCALE,
 *          BITNET_E_QUANT_MEMORY; on a GPU without fallback the statuses of bitnet_quantizer_create. */
BITNET_API bitnet_status bitnet_quantizer_matmul_i2s(bitnet_quantizer *quantizer, const bitnet_i2s_matmul *matmul);
/* Several products; all are checked before the first is computed. The message names the one that is wrong, from 0. */
BITNET_API bitnet_status bitnet_quantizer_batch_matmul_i2s(bitnet_quantizer *quantizer,
                                                           const bitnet_i2s_matmul *matmuls, size_t n_matmuls);

/* From now on everything runs on the CPU. Counts as a fallback where a GPU was active. */
BITNET_API bitnet_status bitnet_quantizer_force_cpu_fallback(bitnet_quantizer *quantizer);
/* What computes: the name of a GPU's provider, or of the matrix kernel of the CPU; "" for NULL. Lives as long as the
 * quantiser. */
BITNET_API const char *bitnet_quantizer_get_active_provider(const bitnet_quantizer *quantizer);
BITNET_API int32_t bitnet_quantizer_is_gpu_active(const bitnet_quantizer *quantizer);

/* Since creation or the last reset. Operations count when they succeeded; each product of a batch is one. */
typedef struct bitnet_quantizer_stats {
    uint32_t struct_size;
    int32_t is_gpu_effective;         /* 1: gpu_efficiency > 0.8 */
    char device_type[64];             /* what can compute: "i2s_avx2", "CudaKernel+i2s_avx2" */
    char target_device[32];           /* what was asked for: "auto", "cpu", "cuda:0" */
    uint64_t total_operations;
    uint64_t quantization_operations; /* quantise and dequantise */
    uint64_t matmul_operations;
    double total_time_ms;
    double quantization_time_ms;
    double matmul_time_ms;
    uint64_t gpu_operations;
    uint64_t cpu_operations;
    uint64_t fallback_count;          /* openings and operations meant for a GPU that the CPU took over */
    double gpu_efficiency;            /* gpu_operations / total_operations; 0 when there are none */
    char last_gpu_error[256];         /* "" when there was none; cut off where longer */
    char last_cpu_error[256];
    uint64_t memory_used_bytes;       /* as bitnet_device_get_memory("cpu"); 0 where unknown */
    uint64_t memory_total_bytes;
    double average_quantization_time_ms; /* per operation; 0 without any */
    double average_matmul_time_ms;
} bitnet_quantizer_stats;
BITNET_API bitnet_status bitnet_quantizer_get_stats(const bitnet_quantizer *quantizer,
                                                    bitnet_quantizer_stats *out_stats);
/* Sets counts, times and errors back. */
BITNET_API bitnet_status bitnet_quantizer_reset_stats(bitnet_quantizer *quantizer);
/* The same as a few lines of text. Sizes as bitnet_model_get_metadata. */
BITNET_API bitnet_status bitnet_quantizer_get_summary(const bitnet_quantizer *quantizer, char *buffer, size_t capacity,
                                                      size_t *out_size);

/* ---- 20. Forward passes and steps -------------------------------------------------------------------------------- */

typedef enum bitnet_forward_output {
    BITNET_FORWARD_LOGITS = 0, /* n_vocab floats a row */
    BITNET_FORWARD_HIDDEN = 1  /* n_embd floats a row, after the last norm; the context needs params.embeddings */
} bitnet_forward_output;

/* Tokens for one pass through the model, all at once and outside of any sequence. */
typedef struct bitnet_forward_input {
    uint32_t struct_size;
    int32_t n_tokens;             /* 1 .. n_ubatch of the context (which is at most n_batch and n_ctx) */
    const bitnet_token *tokens;
    const bitnet_pos *positions;  /* NULL: 0, 1, 2, ...; else any that are not negative, in any order, also repeated */
    const uint8_t *mask;          /* NULL: each token sees itself and those before it. Else n_tokens * n_tokens bytes: token i
                                   * sees token j, earlier or later, where mask[i * n_tokens + j] is not 0 */
    const int8_t *want_output;    /* NULL: every token. Else 1 for tokens that give a row */
    int32_t output;               /* a bitnet_forward_output; default LOGITS */
} bitnet_forward_input;

/* Runs the model over tokens with any attention mask and copies a row for each wanted token, in their order, to out.
 * A token attends to what it sees in order of position (equal ones: of index), so a causal mask gives the bits of
 * bitnet_context_decode, and tokens that see nothing of each other those of separate sequences.
 * The sequences stay as they are; n_tokens free KV cells are used during the call and free again after it. As a decode it
 * ends the life of earlier logits, can be cancelled and obeys timeout_us; it does not count in bitnet_metrics. Adapters belong
 * to sequences: here none is used.
 * capacity    floats at out. *out_n (may be NULL) is the number needed, also with BITNET_E_BUFFER_TOO_SMALL.
 * Returns     BITNET_E_ARGUMENT: more tokens than n_ubatch, a negative position, or a token that sees nothing (let padding
 *             see itself); BITNET_E_TOKEN; BITNET_E_KV_FULL: fewer than n_tokens cells are free; BITNET_E_STATE: hidden states
 *             without params.embeddings; BITNET_E_OUT_OF_MEMORY, BITNET_E_CANCELLED, BITNET_E_TIMEOUT. out is undefined then.
 * Memory      of the lists of who sees whom, 4 bytes for each pair, is taken for the call where there is a mask. */
BITNET_API bitnet_status bitnet_context_forward(bitnet_context *context, const bitnet_forward_input *input, float *out,
                                                size_t capacity, size_t *out_n);

/* The logits of the token after these, divided by temperature, copied to out (n_vocab floats). Makes seq_id hold exactly the
 * tokens, as bitnet_context_prefill does, and computes only what it does not hold. 1 leaves the logits as they are; greedy
 * and other rules are a sampler's business (bitnet_sampler_sample takes what comes out here).
 * Returns  BITNET_E_ARGUMENT for a temperature that is NaN, infinite or not above 0, BITNET_E_BUFFER_TOO_SMALL (both before
 *          anything is computed; *out_n, which may be NULL, has the size); else as bitnet_context_prefill. */
BITNET_API bitnet_status bitnet_context_next_token_logits(bitnet_context *context, bitnet_seq_id seq_id,
                                                          const bitnet_token *tokens, size_t n_tokens,
                                                          float temperature, float *out, size_t capacity,
                                                          size_t *out_n);

/* A decode in pieces, for hosts that have a frame to draw: begin takes the batch, each step does about budget_us
 * microseconds of work and returns, the last one sets *out_done. The logits are then there as after bitnet_context_decode,
 * and are the same bits.
 *
 *     bitnet_context_decode_begin(context, &batch);
 *     for (int32_t done = 0; !done; ) {            one round a frame
 *         draw_the_frame();
 *         bitnet_context_step(context, 2000, &done);
 *     }
 *
 * A step stops inside a layer, and inside a matrix or the attention of a token. It always does at least one piece of work,
 * so any budget comes to an end; a piece is a quarter of a million multiplications per thread or what cannot be cut: a
 * few to a few dozen microseconds with AVX2, up to half a millisecond with the scalar kernels. A step does not begin a piece
 * that would, judging by the longest one in it, end after the budget. Steps allocate nothing, and with n_threads = 1 all
 * work is done on the calling thread.
 *
 * Until it is done or given up every other call that uses or changes the context's sequences or outputs returns
 * BITNET_E_STATE, generations over it included; bitnet_sequence_get_end and bitnet_context_get_n_free count its tokens as
 * if they were there. bitnet_context_cancel works as with bitnet_context_decode; should_abort is asked before each piece;
 * timeout_us does not count here, because the time between steps is the host's.
 * Returns  of begin: as bitnet_context_decode; the batch is copied, and room for outputs may be allocated.
 *          Of step: BITNET_E_CANCELLED and others of bitnet_context_decode: the decode is given up; BITNET_E_STATE when
 *          none was begun. *out_done is 0 after a failure. */
BITNET_API bitnet_status bitnet_context_decode_begin(bitnet_context *context, const bitnet_batch *batch);
BITNET_API bitnet_status bitnet_context_step(bitnet_context *context, uint64_t budget_us, int32_t *out_done);
/* Gives up the decode that was begun: the sequences are as before it, outputs are gone. Does nothing where there is none. */
BITNET_API void bitnet_context_decode_abandon(bitnet_context *context);

/* ---- 21. Hooks of the host --------------------------------------------------------------------------------------- */

/* Where large blocks come from: weights that are not used in place (copied or repacked), KV caches, activations, attention
 * scores, logits, hidden states, masks of forward passes. Everything else (metadata, vocabularies, lists of sequences) is
 * small and comes from C++'s operator new, which a program can replace for itself.
 * Both functions are called from any thread, at times from several at once, and must not call into the library. */
typedef struct bitnet_allocator {
    uint32_t struct_size;
    /* size > 0 bytes at a multiple of alignment (64); NULL: there are none, and the call fails with BITNET_E_OUT_OF_MEMORY. */
    void *(*alloc)(size_t size, size_t alignment, void *user_data);
    /* Gives back what alloc gave, with the same size and alignment. Never called with NULL. */
    void (*free)(void *memory, size_t size, size_t alignment, void *user_data);
    void *user_data;
} bitnet_allocator;
/* Sets the allocator of the whole process; NULL is the library's own. Copied; the functions and user_data must stay usable
 * until the last handle is freed. BITNET_E_STATE once a block was taken: call it before any model or context is made. */
BITNET_API bitnet_status bitnet_set_allocator(const bitnet_allocator *allocator);

/* The host's threads, for bitnet_context_params.thread_pool: the context then makes none. */
struct bitnet_thread_pool {
    uint32_t struct_size;
    int32_t n_threads; /* 1 .. 1024: into how many tasks work is split; never changes a result */
    /* Calls task(arg, i) once for each i in 0 .. n_tasks-1 and returns when all have returned. Any threads, any order; at the
     * same time or one after the other: tasks never wait for each other. Called on the thread that called the library,
     * a few hundred times per token, so it should cost microseconds. Tasks do not throw, and allocate nothing.
     * Leaving out a task is BITNET_E_DEVICE from the call. Not called where n_threads is 1. */
    void (*run)(void *user_data, void (*task)(void *arg, int32_t index), void *arg, int32_t n_tasks);
    void *user_data; /* must stay usable until the context is freed */
};
/* Loading a model uses threads of the library's own (bitnet_model_params.n_threads; 1: none) in any case. */

/* ---- 22. Model files --------------------------------------------------------------------------------------------- */

/* Writes a model file anew: another storage type, another dialect, another version of GGUF. Types, in any case:
 *   "i2_s" "tq1_0" "tq2_0"              ternary, for the matrices of layers
 *   "iq2_bn" "iq2_bn_r4" "iq1_bn"       ternary, of ik_llama.cpp: a scale for each row
 *   "tl1" "tl2"                         ternary, of bitnet.cpp; their bytes depend on tile sizes, see tl_tiling
 *   "q8_0" "q6_k" "q4_1" "q4_0" "f16" "bf16" "f32"
 * What is ternary keeps its scale to the bit (half precision in "tq1_0", "tq2_0", "iq1_bn" and "f16" rounds it). Vectors (norms,
 * biases, scales) are written as f32. "int8" and "int4" of section 19 are no types of GGUF files. */
typedef struct bitnet_convert_params {
    uint32_t struct_size;
    int32_t ternarize;          /* 1: matrices of layers that are not ternary become scale * clip(round(w / scale), -1, 1) with
                                 * scale = mean |w| of the tensor; 0 (default): a ternary type refuses them */
    const char *type;           /* of the matrices of layers; NULL (default): what they have */
    const char *head_type;      /* of output.weight (of the embedding where that is the head, too); NULL: what it has, but f16
                                 * where type is given and it has f32. Never a ternary type: such models answer nonsense */
    const char *embedding_type; /* of token_embd.weight; NULL: likewise */
    int32_t gguf_version;       /* 3 (default) or 2 */
    int32_t i2s_order;          /* of a source in I2_S: a bitnet_i2s_order. What is written is always BITNET_I2S_ORDER_X86 */
    int32_t n_threads;          /* 0 (default): as many as may be used. The file is the same for any number */
    bitnet_progress_callback on_progress; /* may be NULL; non-zero stops: BITNET_E_CANCELLED */
    void *progress_user_data;
    uint64_t max_tensors;       /* as bitnet_model_params */
    const char *tl_tiling;      /* as bitnet_model_params, for TL1 and TL2 tensors that are read and those that are written */
} bitnet_convert_params;
BITNET_API void bitnet_convert_params_init(bitnet_convert_params *params, uint32_t struct_size);

/* What was written; makes sense of a file's losses tensor by tensor. */
typedef struct bitnet_convert_report bitnet_convert_report;

/* Converts a model.
 * source_path  a GGUF file in any dialect that this version reads, or the first part of a split one; or a folder as Hugging
 *              Face has it: config.json, safetensors, tokenizer.
 * out_path     the new file. It appears whole, replacing what was there, or not at all; its folder must exist. It must not
 *              be a file of the source.
 * params       NULL for the defaults.
 * out_report   may be NULL; else free it with bitnet_convert_report_free. NULL after a failure.
 * Returns      what bitnet_model_load returns for a source that cannot be read; BITNET_E_CONFIG (a parameter);
 *              BITNET_E_ARGUMENT (out_path is the source); BITNET_E_QUANT_FORMAT (no such type, or a ternary embedding);
 *              BITNET_E_QUANT_INPUT (a tensor that is not ternary where a ternary type is asked for, with NaN or infinite values,
 *              or whose rows are no whole blocks); BITNET_E_QUANT_OVERFLOW, BITNET_E_QUANT_SCALE (values or a scale that the
 *              type cannot hold); BITNET_E_LIMIT (rows longer than those of any model); BITNET_E_IO (writing failed: a full
 *              disk); BITNET_E_CANCELLED; BITNET_E_OUT_OF_MEMORY.
 * Blocks. Any thread. Reads and writes in pieces: some megabytes of memory per thread, whatever the size of the model. */
BITNET_API bitnet_status bitnet_file_convert(const char *source_path, const char *out_path,
                                             const bitnet_convert_params *params, bitnet_convert_report **out_report);
BITNET_API void bitnet_convert_report_free(bitnet_convert_report *report);

typedef struct bitnet_convert_info {
    uint32_t struct_size;
    int32_t gguf_version;
    const char *type;         /* that most weights of the layers have; static storage */
    uint64_t n_tensors;
    uint64_t n_copied;        /* tensors by bitnet_convert_action */
    uint64_t n_encoded;
    uint64_t n_ternarised;
    uint64_t n_inexact;       /* tensors that lost something */
    uint64_t n_source_bytes;  /* of all tensors, as the source has them */
    uint64_t n_file_bytes;    /* of the new file */
    double worst_accuracy;    /* the least accuracy of a tensor, percent; */
    const char *worst_tensor; /* and its name, "" where nothing was lost; lives as long as the report */
    double seconds;
} bitnet_convert_info;
BITNET_API bitnet_status bitnet_convert_report_get_info(const bitnet_convert_report *report,
                                                        bitnet_convert_info *out_info);

typedef enum bitnet_convert_action {
    BITNET_CONVERT_COPIED = 0,    /* the source's bytes */
    BITNET_CONVERT_ENCODED = 1,   /* the same values in another type, as far as it can hold them */
    BITNET_CONVERT_TERNARISED = 2 /* other values: params.ternarize */
} bitnet_convert_action;

/* One tensor. Losses compare what the new file holds with what the source held; they are measured, not estimated. */
typedef struct bitnet_converted_tensor {
    uint32_t struct_size;
    int32_t action;          /* a bitnet_convert_action */
    const char *name;        /* lives as long as the report */
    const char *source_type; /* static storage, like type */
    const char *type;
    uint64_t n_values;
    uint64_t n_zeros;        /* in the new file */
    uint64_t n_source_bytes;
    uint64_t n_bytes;
    int32_t is_exact;        /* 1: every value is the source's */
    int32_t codes_equal;     /* 1: every value kept its sign (-, 0, +) */
    double scale;            /* of a ternary tensor, where it is one for all; else 0 */
    double mse;              /* as in bitnet_quantize_accuracy */
    double max_abs_error;
    double cosine;
    double accuracy;
} bitnet_converted_tensor;
/* Tensors in the order of the file. BITNET_E_NOT_FOUND past the end. */
BITNET_API bitnet_status bitnet_convert_report_get_tensor(const bitnet_convert_report *report, size_t index,
                                                          bitnet_converted_tensor *out_tensor);
/* All of it as one object on one line; sizes as bitnet_model_get_metadata.
 *   {"schema": "bitnet-conversion/1", "library": "0.1.0", "source": "...", "file": "...", "gguf_version": 3, "type": "i2_s",
 *    "n_tensors": 332, "n_copied": 121, "n_encoded": 211, "n_ternarised": 0, "n_inexact": 0, "n_source_bytes": 9,
 *    "n_file_bytes": 9, "worst_accuracy": 100.0, "worst_tensor": "", "seconds": 1.5,
 *    "tensors": [{"name": "...", "action": "encoded", "source_type": "f16", "type": "i2_s", "n_values": 9, "n_zeros": 3,
 *                 "n_source_bytes": 9, "n_bytes": 9, "is_exact": true, "codes_equal": true, "scale": 1.2, "mse": 0.0,
 *                 "max_abs_error": 0.0, "cosine": 1.0, "accuracy": 100.0}]} */
BITNET_API bitnet_status bitnet_convert_report_get_json(const bitnet_convert_report *report, char *buffer,
                                                        size_t capacity, size_t *out_size);

/* ---- 23. Convolution --------------------------------------------------------------------------------------------- */

/* Two-dimensional convolutions (cross-correlations, as everywhere in neural networks) of images with weights in float or in
 * one of three codecs of their own:
 *     out[n][o][y][x] = bias[o] + sum over i, ky, kx of
 *                       weight[o][i][ky][kx] * padded input[n][i][y * stride + ky * dilation][x * stride + kx * dilation]
 * Padding is zeros that are multiplied as any value, so an infinite weight over them gives NaN. NaN and infinite values pass.
 * Products are added one by one in the order of the weights, 256 at a time, and those sums to the bias: the same bits on
 * every instruction set, with any number of threads and any batch.
 *
 * Codecs. Weights lie in OIHW order; weight = scale of its output channel * value, rounded once.
 *   "i2s4"      2 bits: value -2, -1, 1, 2 for code 0, 1, 2, 3; four a byte, the first in the lowest bits, without a gap
 *               between channels; unused bits of the last byte are 0. Not the ternary "i2_s" of section 19: it has no 0
 *   "tl1-conv"  a byte, linear: value max((byte - 128) / 127, -1), so 1 and 0 are -1, 128 is 0, 255 is 1
 *   "tl2-conv"  a byte, finer near zero: value v * |v| with the v of "tl1-conv", computed as c * |c| / 16129 with c = 127 v
 * The last two have nothing to do with the "tl1" and "tl2" of model files. */
typedef struct bitnet_conv2d_params {
    uint32_t struct_size;
    int32_t n_threads;    /* 0 (default): $BITNET_NUM_THREADS or bitnet_cpu_get_thread_limit(); small work takes fewer */
    uint64_t stride[2];   /* height, width; at least 1. Default 1, 1 */
    uint64_t padding[2];  /* zeros on each side. Default 0, 0 */
    uint64_t dilation[2]; /* distance of neighbouring weights in the input, at least 1. Default 1, 1 */
    const char *kernel;   /* as bitnet_model_params.kernel */
} bitnet_conv2d_params;
BITNET_API void bitnet_conv2d_params_init(bitnet_conv2d_params *params, uint32_t struct_size);

/* Images, bias and output of a convolution; all arrays are the caller's, out overlaps nothing. */
typedef struct bitnet_conv2d {
    uint64_t input_dims[4];  /* images, channels, height, width; input lies in this order (NCHW) */
    uint64_t weight_dims[4]; /* output channels, input channels, height, width (OIHW) */
    const float *input;
    size_t n_input;          /* exactly the product of input_dims */
    const float *bias;       /* one for each output channel; or NULL: 0 */
    size_t n_bias;           /* output channels or 0 */
    float *out;              /* NCHW, with the dimensions of bitnet_conv2d_get_output_dims */
    size_t n_out;            /* floats that out has room for */
} bitnet_conv2d;

/* out_dims gets images, output channels, height and width: (size + 2 * padding - dilation * (weights - 1) - 1) / stride + 1.
 * params NULL: the defaults.
 * Returns  BITNET_E_ARGUMENT: a dimension, stride or dilation of 0; channels that differ; weights that reach over the padded
 *          input; a size that no memory could hold. */
BITNET_API bitnet_status bitnet_conv2d_get_output_dims(const bitnet_conv2d_params *params, const uint64_t input_dims[4],
                                                       const uint64_t weight_dims[4], uint64_t out_dims[4]);
/* Convolves with weights in float; n_weights is exactly the product of weight_dims.
 * Returns  as bitnet_conv2d_get_output_dims; BITNET_E_ARGUMENT (a pointer is NULL or not aligned, a count is wrong);
 *          BITNET_E_BUFFER_TOO_SMALL (out); BITNET_E_CONFIG (n_threads, kernel); BITNET_E_DEVICE_CAPABILITY (the kernel);
 *          BITNET_E_OUT_OF_MEMORY (it takes some 150 KB a thread). Nothing is written then. */
BITNET_API bitnet_status bitnet_conv2d_f32(const bitnet_conv2d_params *params, const bitnet_conv2d *conv,
                                           const float *weights, size_t n_weights);
/* The same with weights of a codec, decoded in passing: the bits of bitnet_conv2d_f32 with what bitnet_conv2d_dequantize
 * gives. n_bytes is exactly that of bitnet_conv2d_get_quantized_size; one scale for each output channel.
 * Returns  also BITNET_E_QUANT_FORMAT (no such codec), BITNET_E_QUANT_INPUT (n_bytes), BITNET_E_QUANT_SCALE_COUNT,
 *          BITNET_E_QUANT_SCALE (a scale that is NaN or infinite). */
BITNET_API bitnet_status bitnet_conv2d_quantized(const bitnet_conv2d_params *params, const bitnet_conv2d *conv,
                                                 const char *codec, const void *weights, size_t n_bytes,
                                                 const float *scales, size_t n_scales);

/* Bytes of n_channels * n_per_channel weights in a codec. BITNET_E_QUANT_FORMAT; BITNET_E_QUANT_INPUT (none, or too many). */
BITNET_API bitnet_status bitnet_conv2d_get_quantized_size(const char *codec, size_t n_channels, size_t n_per_channel,
                                                          size_t *out_n_bytes);
/* Each channel's scale is its largest |weight| (half of it for "i2s4"), each weight gets the nearest value, the smaller one
 * in size of two that are as near; a channel of zeros gets the scale 0. What a codec has written it writes again.
 * Returns  as bitnet_conv2d_get_quantized_size; BITNET_E_QUANT_INPUT (NULL, NaN, infinite), BITNET_E_QUANT_OUTPUT_SIZE
 *          (less room than that size), BITNET_E_QUANT_SCALE_COUNT (not n_channels). Nothing is written then. */
BITNET_API bitnet_status bitnet_conv2d_quantize(const char *codec, const float *weights, size_t n_channels,
                                                size_t n_per_channel, void *out, size_t n_out_bytes, float *scales,
                                                size_t n_scales);
/* The floats again; out has room for n_out of them. Statuses as above and BITNET_E_QUANT_SCALE. */
BITNET_API bitnet_status bitnet_conv2d_dequantize(const char *codec, const void *data, size_t n_bytes,
                                                  const float *scales, size_t n_scales, size_t n_channels,
                                                  size_t n_per_channel, float *out, size_t n_out);

/* ---- 24. Looking inside files and runs --------------------------------------------------------------------------- */

/* A GGUF file as it stands, of any architecture; also one with tensors that this version cannot read, which are listed with
 * what is wrong with them. Nothing is loaded: the file is mapped, and must not be changed while it is open. It never
 * changes: share it freely between threads. */
typedef struct bitnet_file bitnet_file;
/* path     UTF-8 path of a GGUF file, or of the first part of a split one.
 * Returns  BITNET_E_FILE_NOT_FOUND, BITNET_E_IO, or what is wrong with the file's header, metadata or table (any of the -300s
 *          and -1200s, but for single tensors). */
BITNET_API bitnet_status bitnet_file_open(const char *path, bitnet_file **out_file);
BITNET_API void bitnet_file_free(bitnet_file *file);

typedef struct bitnet_file_info {
    uint32_t struct_size;
    uint32_t version;   /* of the format, 1 .. 3 */
    uint64_t alignment; /* of tensors */
    uint64_t n_keys;    /* metadata entries */
    uint64_t n_tensors;
    uint64_t n_bytes;   /* of all parts */
    int32_t n_parts;    /* 1, or the files of a split model */
} bitnet_file_info;
BITNET_API bitnet_status bitnet_file_get_info(const bitnet_file *file, bitnet_file_info *out_info);
/* Metadata in the file's order, as bitnet_model_get_metadata_key and bitnet_model_get_metadata give it, but arrays whole. */
BITNET_API bitnet_status bitnet_file_get_metadata_key(const bitnet_file *file, size_t index, char *buffer, size_t capacity,
                                                      size_t *out_size);
BITNET_API bitnet_status bitnet_file_get_metadata(const bitnet_file *file, const char *key, char *buffer, size_t capacity,
                                                  size_t *out_size);

/* One tensor of a file. Strings live as long as the file. */
typedef struct bitnet_file_tensor {
    uint32_t struct_size;
    uint32_t type_id;     /* as the file has it; ids have other meanings in other programs */
    const char *name;
    const char *type;     /* "i2_s", "f16", ...; "" where this version cannot tell or read it */
    const char *problem;  /* why its values cannot be read, one line; "" for nothing */
    int32_t n_dims;
    int32_t part;         /* which file of a split model, from 0 */
    int64_t shape[4];     /* shape[0] is the length of a row; unused ones are 1 */
    uint64_t file_offset; /* from the start of its file */
    uint64_t n_bytes;     /* as stored, tail included; 0 where there is a problem */
} bitnet_file_tensor;
/* Tensors in the order of the file. BITNET_E_NOT_FOUND past the end. */
BITNET_API bitnet_status bitnet_file_get_tensor(const bitnet_file *file, size_t index, bitnet_file_tensor *out_tensor);
/* The values of rows [first_row, first_row + n_rows) as floats, shape[0] each, scales of the type applied. I2_S bytes are
 * read in the order of all published files (BITNET_I2S_ORDER_X86). Rows are counted through the dimensions behind the first.
 * capacity    floats at out. *out_n (may be NULL) is the number needed, also with BITNET_E_BUFFER_TOO_SMALL.
 * Returns     BITNET_E_NOT_FOUND for an index past the end, BITNET_E_ARGUMENT for rows outside the tensor,
 *             BITNET_E_GGUF_TENSOR_DATA for a tensor with a problem, BITNET_E_IO. */
BITNET_API bitnet_status bitnet_file_read_tensor(const bitnet_file *file, size_t index, int64_t first_row, int64_t n_rows,
                                                 float *out, size_t capacity, size_t *out_n);

/* What one node of the graph has computed. All of it is lent for the call. */
typedef struct bitnet_node_value {
    uint32_t struct_size;
    int32_t index;       /* of the node in the run, from 0 */
    const char *name;    /* "blk.3.attn_q" */
    const char *op;      /* "mul_mat" */
    const char *kernel;  /* "i2s_avx2" */
    int32_t layer;       /* 3; -1 for what belongs to none */
    int64_t n_rows;      /* a row per token of the micro-batch, in the batch's order; behind the last attention only those
                          * tokens that have an output */
    int64_t width;       /* floats in a row */
    const float *values; /* [n_rows][width] */
} bitnet_node_value;
/* Called on the thread that computes; must not throw or call into the library. */
typedef void (*bitnet_node_callback)(const bitnet_node_value *value, void *user_data);
/* From the next decode on the callback sees every node that computes floats, in the order in which they run, once per n_ubatch
 * tokens; NULL (the default) ends that. Results stay the same bits. Runs are slower with it, and cost nothing without. */
BITNET_API bitnet_status bitnet_context_set_node_callback(bitnet_context *context, bitnet_node_callback callback,
                                                          void *user_data);

/* ---- 25. Tokenizer discovery -------------------------------------------------------------------------------------- */

/* Finds the tokenizer of a model file: the one that the caller names, else inside the file, else beside it, else in a cache of
 * downloads, else what has to be downloaded. The library has no network: a program downloads what bitnet_tokenizer_source
 * names, checks it with bitnet_tokenizer_validate_file and discovers again. There is no stand-in tokenizer for tests, with or
 * without BITNET_STRICT_TOKENIZERS: a model without a tokenizer takes token ids. Any thread. */
typedef enum bitnet_tokenizer_strategy {
    BITNET_TOKENIZER_NOT_FOUND = 0,     /* none, and where to get one is not known */
    BITNET_TOKENIZER_EXACT = 1,         /* the file that the caller named */
    BITNET_TOKENIZER_EMBEDDED = 2,      /* inside the model file */
    BITNET_TOKENIZER_DISCOVERED = 3,    /* MODEL.tokenizer.json, tokenizer.json or the like with .model, beside the model */
    BITNET_TOKENIZER_CACHED = 4,        /* in a cache of downloads */
    BITNET_TOKENIZER_NEEDS_DOWNLOAD = 5 /* out_info->source says from where */
} bitnet_tokenizer_strategy;

/* Where a tokenizer can be had: a row of the compatibility matrix. */
typedef struct bitnet_tokenizer_source {
    uint32_t struct_size;
    int32_t expected_vocab;   /* tokens of the tokenizer */
    const char *name;         /* "llama3_128k", "llama2_32k", "gpt2_50k", "bitnet_custom", ... */
    const char *repo;         /* on the Hugging Face hub: "openai-community/gpt2" */
    const char *const *files; /* n_files names, all of them needed; the first is the tokenizer itself */
    size_t n_files;
    const char *cache_key;    /* "gpt2-50k": the folder in a cache for programs that do not use the hub's own layout */
} bitnet_tokenizer_source;
/* The rows that the library has; BITNET_E_NOT_FOUND from bitnet_tokenizer_source_get_count() on. Static storage. */
BITNET_API size_t bitnet_tokenizer_source_get_count(void);
BITNET_API bitnet_status bitnet_tokenizer_source_get(size_t index, bitnet_tokenizer_source *out_source);

typedef struct bitnet_tokenizer_discovery_params {
    uint32_t struct_size;
    int32_t offline;            /* 1: a download is no way to go on; 0 (default): $BITNET_OFFLINE decides */
    int32_t strict;             /* 1: only a tokenizer with exactly as many tokens as the model has rows; 0 (default):
                                 * $BITNET_STRICT_TOKENIZERS decides, else up to an eighth of the rows may be padding */
    const char *tokenizer_path; /* the caller's choice, a file or folder; NULL (default): look for one */
    const char *cache_dir;      /* the only cache to look in; NULL (default): those of section 13 */
    const char *table_path;     /* more rows for the compatibility matrix, looked at first: a JSON file {"tokenizers": [{"name",
                                 * "repo", "files", "cache_key", "expected_vocab", "architectures", "tokenizer_model"}]}, the
                                 * last two optional; a row replaces one of the same name. NULL (default): none */
} bitnet_tokenizer_discovery_params;
BITNET_API void bitnet_tokenizer_discovery_params_init(bitnet_tokenizer_discovery_params *params, uint32_t struct_size);

typedef struct bitnet_tokenizer_discovery bitnet_tokenizer_discovery;
typedef struct bitnet_tokenizer_discovery_info {
    uint32_t struct_size;
    int32_t strategy;           /* a bitnet_tokenizer_strategy */
    const char *description;    /* of the strategy, for people */
    const char *path;           /* of the tokenizer; "" where there is none */
    int32_t requires_network;
    int32_t uses_cache;         /* it comes from a cache, or a download would go there */
    int32_t n_vocab;            /* rows of the model's vocabulary; 0: unknown */
    int32_t is_large_vocab;     /* more than 65536 rows. Advice only: its output layer is a large part of the work per token,
                                 * and this library runs it on the CPU all the same */
    const char *architecture;   /* of the model */
    const char *model_type;     /* "gpt2", "llama": tokenizer.ggml.model, or else the architecture */
    const char *beside;         /* the fitting file beside the model, also where another tokenizer was taken; "" without */
    const char *cached;         /* the same in a cache */
    const bitnet_tokenizer_source *source; /* where it can be downloaded; NULL: no row fits */
    const char *steps;          /* what was looked at and what came of it: a line "place: result" each */
} bitnet_tokenizer_discovery_info;

/* Looks at the model file's metadata and at the places above. Returns any status of opening and reading it, that of
 * bitnet_tokenizer_load for tokenizer_path, and BITNET_E_CONFIG for the table. A model without a tokenizer is no failure here.
 * *out_discovery is NULL after a failure. */
BITNET_API bitnet_status bitnet_tokenizer_discovery_create(const char *model_path,
                                                           const bitnet_tokenizer_discovery_params *params,
                                                           bitnet_tokenizer_discovery **out_discovery);
/* Texts live as long as the discovery. */
BITNET_API bitnet_status bitnet_tokenizer_discovery_get_info(const bitnet_tokenizer_discovery *discovery,
                                                             bitnet_tokenizer_discovery_info *out_info);
/* The tokenizer, to be freed; with tokens that nothing uses up to n_vocab. BITNET_E_NOT_FOUND says what to download;
 * BITNET_E_STATE where it would have to be and the program is to stay offline. */
BITNET_API bitnet_status bitnet_tokenizer_discovery_load(const bitnet_tokenizer_discovery *discovery,
                                                         bitnet_tokenizer **out_tokenizer);
BITNET_API void bitnet_tokenizer_discovery_free(bitnet_tokenizer_discovery *discovery); /* NULL is fine */
/* Whether a file or folder, downloaded say, is a tokenizer that this library runs, with expected_vocab tokens (0: any).
 * BITNET_E_TOKENIZER says why not. */
BITNET_API bitnet_status bitnet_tokenizer_validate_file(const char *path, int32_t expected_vocab);

/* ---- 26. Merging fine-tunings ------------------------------------------------------------------------------------- */

/* Writes a model with fine-tunings merged into its weights: LoRA adapters, a full checkpoint, or a checkpoint with adapters on
 * top. Matrices that were ternary become ternary again, which loses what does not fit into three values; the report says how
 * much, tensor by tensor, and a loss may well be the whole change. Where that matters, run with the adapter beside the model
 * (bitnet_adapter_load), or merge into floats (params.convert->type "f16").
 *
 * Ternary again, for matrices that adapters change: codes clip(round(w / s), -1, 1) with the scale s of the base, then the scale
 * that fits them best; s again where nothing changed. For matrices of a checkpoint, which hold what BitNet training rounds:
 * s = mean |w|, codes clip(round(w / s), -1, 1). Matrices that were not ternary keep their type. */
typedef struct bitnet_merge_adapter {
    const char *path; /* a GGUF file, as bitnet_adapter_load takes it, or a folder that PEFT saved (adapter_config.json,
                       * adapter_model.safetensors) */
    float scale;      /* finite; 1: as it was trained */
} bitnet_merge_adapter;

typedef struct bitnet_merge_params {
    uint32_t struct_size;
    int32_t reserved;                     /* 0 */
    const bitnet_merge_adapter *adapters; /* added in this order */
    size_t n_adapters;                    /* at most 64 */
    const char *checkpoint_path;          /* NULL (default), or a model with the base's tensors, whose tensors replace those of the
                                           * base: a GGUF file, or a Hugging Face folder of BF16, F16 or F32 weights */
    const bitnet_convert_params *convert; /* how the file is written; NULL: the defaults of bitnet_file_convert. With a type that is
                                           * not ternary all matrices become that type and nothing is rounded to three values */
} bitnet_merge_params;
BITNET_API void bitnet_merge_params_init(bitnet_merge_params *params, uint32_t struct_size);

/* What merging changed and lost, free it with bitnet_merge_report_free. */
typedef struct bitnet_merge_report bitnet_merge_report;
/* Merges. out_report may be NULL. Tokenizer and metadata are the base's.
 * Returns  what bitnet_file_convert returns, for base and checkpoint; what bitnet_adapter_load returns for an adapter;
 *          BITNET_E_ARGUMENT (neither adapters nor a checkpoint, more than 64 adapters, a scale that is not finite, out_path is one
 *          of the files read); BITNET_E_NOT_FOUND, BITNET_E_GGUF_TENSOR_SHAPE (adapter or checkpoint of another model).
 * Blocks. Any thread. Holds the adapters in memory as floats, and some megabytes per thread. */
BITNET_API bitnet_status bitnet_file_merge(const char *base_path, const char *out_path,
                                           const bitnet_merge_params *params, bitnet_merge_report **out_report);
BITNET_API void bitnet_merge_report_free(bitnet_merge_report *report);

/* Over all tensors that changed. "merged" are the weights with every change in floats, "kept" those of the new file (before the
 * rounding of a type like "q8_0", which is the conversion's); | | are Euclidean lengths. */
typedef struct bitnet_merge_info {
    uint32_t struct_size;
    int32_t gguf_version;
    uint64_t n_tensors;       /* changed: named by an adapter or the checkpoint */
    uint64_t n_ternary;       /* of these, ternary in the new file */
    uint64_t n_values;
    uint64_t n_codes_changed; /* of ternary tensors: values whose sign (-, 0, +) is not the base's */
    double change;            /* |merged - base| / |base|: how much the fine-tuning asks for */
    double relative_error;    /* |kept - merged| / |merged| */
    double cosine;            /* between kept and merged */
    double change_kept;       /* share of the change, along itself, that kept has: 1 all, 0 nothing */
    uint64_t n_file_bytes;
    double seconds;
} bitnet_merge_info;
BITNET_API bitnet_status bitnet_merge_report_get_info(const bitnet_merge_report *report, bitnet_merge_info *out_info);

/* One of the tensors that changed, by index from 0. */
typedef struct bitnet_merged_tensor {
    uint32_t struct_size;
    int32_t is_ternary;       /* in the new file */
    const char *name;         /* lives as long as the report */
    uint64_t n_values;
    uint64_t n_codes_changed;
    double step;              /* that ternary weights were rounded by, and */
    double scale;             /* what they are multiplied with in the new file; 0 where it has none of its own */
    double change;            /* as in bitnet_merge_info */
    double relative_error;
    double cosine;
    double change_kept;
} bitnet_merged_tensor;
/* BITNET_E_NOT_FOUND past the end. */
BITNET_API bitnet_status bitnet_merge_report_get_tensor(const bitnet_merge_report *report, size_t index,
                                                        bitnet_merged_tensor *out_tensor);
/* All of it as one object on one line; sizes as bitnet_model_get_metadata.
 *   {"schema": "bitnet-merge/1", "library": "0.1.0", "base": "...", "adapters": [{"path": "...", "scale": 1.0}],
 *    "checkpoint": null, "file": "...", "n_tensors": 210, "n_ternary": 210, "n_values": 9, "n_codes_changed": 9, "change": 0.1,
 *    "relative_error": 0.2, "cosine": 0.98, "change_kept": 0.3, "n_file_bytes": 9, "seconds": 1.5,
 *    "tensors": [{"name": "...", "is_ternary": true, "n_values": 9, "n_codes_changed": 9, "step": 1.2, "scale": 1.2,
 *                 "change": 0.1, "relative_error": 0.2, "cosine": 0.98, "change_kept": 0.3}]} */
BITNET_API bitnet_status bitnet_merge_report_get_json(const bitnet_merge_report *report, char *buffer, size_t capacity,
                                                      size_t *out_size);

/* ---- 27. Benchmarks ---------------------------------------------------------------------------------------------- */

/* What `bitnet bench` is made of: models of random weights, what a decode has to do at least, what the machine can do at most, and
 * kernels alone. Times and rates are measured: unlike everything else here they differ from call to call. Any thread. */

/* The shape of a published model. Strings have static storage. */
typedef struct bitnet_synthetic_shape {
    uint32_t struct_size;
    int32_t n_layer;
    const char *name;         /* "2b4t", "large", "3b", "8b"; "tiny" for tests */
    const char *model;        /* whose shape it is: "microsoft/bitnet-b1.58-2B-4T" */
    const char *architecture;
    const char *down_type;    /* type of the ffn_down matrices; all others of the layers are "i2_s" */
    int32_t n_embd;
    int32_t n_ff;
    int32_t n_head;
    int32_t n_head_kv;
    int32_t head_dim;
    int32_t n_vocab;
    int32_t n_ctx_train;
} bitnet_synthetic_shape;
BITNET_API size_t bitnet_synthetic_get_count(void);
/* BITNET_E_NOT_FOUND past the end. */
BITNET_API bitnet_status bitnet_synthetic_get_shape(size_t index, bitnet_synthetic_shape *out_shape);

typedef struct bitnet_synthetic_params {
    uint32_t struct_size;
    int32_t reserved;  /* 0 */
    const char *shape; /* default "2b4t" */
    const char *head;  /* type of the embedding, which is the output matrix as well: "q8_0" (default), "q6_k", "f16", ... */
    uint64_t seed;     /* default 1. The same seed gives the same file on every machine */
    bitnet_progress_callback on_progress; /* may be NULL; non-zero stops (BITNET_E_CANCELLED), and no file is written */
    void *progress_user_data;
} bitnet_synthetic_params;
BITNET_API void bitnet_synthetic_params_init(bitnet_synthetic_params *params, uint32_t struct_size);
/* Writes a model of that shape with random weights, as large and as fast as the real one; what it says is noise. Layers are I2_S, a
 * third of the weights zeros, with scales that keep activations near 1; but where rows are no whole blocks of it (8640 weights, in
 * "3b") they are IQ2_BN.
 * params   NULL for the defaults.
 * Returns  BITNET_E_NOT_FOUND for another shape, BITNET_E_QUANT_FORMAT for a head that is no such type or ternary,
 *          BITNET_E_QUANT_INPUT for rows that are no whole blocks of it ("3b" with "q6_k"), BITNET_E_IO. The file appears whole
 *          or not at all; a few megabytes of memory do. Blocks. */
BITNET_API bitnet_status bitnet_synthetic_write(const char *path, const bitnet_synthetic_params *params);

/* A decode: n_seq sequences, each of which holds n_past tokens, get n_tokens more; logits of each one's last token. */
typedef struct bitnet_pass_shape {
    uint32_t struct_size;
    int32_t n_seq;
    int32_t n_tokens;
    int32_t n_past;
} bitnet_pass_shape;
/* What it has to read and compute at least, by counting; nothing is measured. */
typedef struct bitnet_pass_work {
    uint32_t struct_size;
    int32_t n_micro_batches; /* of n_ubatch tokens at most; each reads the layers' weights once */
    uint64_t layer_bytes;    /* of the layers' weights, as they lie in memory, once */
    uint64_t head_bytes;     /* of the output matrix, once; where it has a copy (screen_head), of that: what a draw needs */
    uint64_t kv_bytes;       /* keys and values read and written */
    uint64_t total_bytes;    /* all of it, weights as often as they are needed */
    uint64_t int8_ops;       /* multiplications and additions of matrices whose inputs are 8-bit integers */
    uint64_t float_ops;      /* of the other matrices and of attention */
} bitnet_pass_work;
/* BITNET_E_ARGUMENT for numbers below 1 (n_past: below 0), or more than 2^24 tokens. The sequences need not exist. */
BITNET_API bitnet_status bitnet_context_get_pass_work(const bitnet_context *context, const bitnet_pass_shape *shape,
                                                      bitnet_pass_work *out_work);

typedef struct bitnet_limits_params {
    uint32_t struct_size;
    int32_t n_threads;  /* 0 (default): bitnet_cpu_get_thread_limit(); at most 1024 */
    const char *level;  /* instruction set of the 8-bit products; NULL (default): the machine's best, "amx" included */
    uint64_t n_bytes;   /* memory to read; 0 (default): 1 GiB, but at most a quarter of what is free. Make it larger than caches */
    uint64_t budget_us; /* for each way of reading and for the products; default 300000. At least one run is made */
    int32_t (*should_abort)(void *user_data); /* polled between runs; non-zero: BITNET_E_CANCELLED. May be NULL */
    void *abort_user_data;
} bitnet_limits_params;
BITNET_API void bitnet_limits_params_init(bitnet_limits_params *params, uint32_t struct_size);
typedef struct bitnet_machine_limits {
    uint32_t struct_size;
    int32_t n_threads;
    uint64_t n_bytes;                     /* that were read */
    double read_bytes_per_second;         /* of the best of several ways to read memory */
    double plain_read_bytes_per_second;   /* of plain reading: each thread from one end of its part to the other */
    double int8_ops_per_second;           /* multiplications and additions of 8-bit integers, from registers */
    const char *int8_level;               /* that did them: "avx512vnni"; static storage */
    int32_t read_streams;                 /* parts that each thread read side by side in the best way */
} bitnet_machine_limits;
/* Measures what this machine can do now: the limits that a decode's time is held against. Rates are those of the fastest run.
 * params   NULL for the defaults.
 * Returns  BITNET_E_CONFIG for a level that is none or does not run here, or threads out of range; BITNET_E_OUT_OF_MEMORY;
 *          BITNET_E_SECURITY_MEMORY where n_bytes does not fit into BITNET_MEMORY_LIMIT; BITNET_E_CANCELLED. */
BITNET_API bitnet_status bitnet_limits_measure(const bitnet_limits_params *params, bitnet_machine_limits *out_limits);

/* Operations of a kernel of bitnet_kernel_get_info, by its name, from 0; NULL past the end. A matrix kernel has "mul_mat" and, where it
 * takes activations as 8-bit integers, "pack"; a set of vector kernels has "rms_norm", "softmax", "attend", ... Static storage. */
BITNET_API const char *bitnet_kernel_get_operation(const char *kernel, size_t index);

typedef struct bitnet_kernel_run {
    uint32_t struct_size;
    int32_t n_threads;     /* default 1 */
    const char *kernel;    /* "i2s_avx2" */
    const char *operation; /* "mul_mat" (default) */
    int64_t k;             /* width of a row, at most 2^20; of "attend": of a head. Default 2560 */
    int64_t n_rows;        /* of the matrix, at most 2^24; of "attend": cells. Others do not look at it. Default 2560 */
    int64_t n_cols;        /* tokens, at most 2^16; of "attend": query heads that share keys. Default 1 */
    uint64_t cold_bytes;   /* copies of the matrix, or cells, of so many bytes are used in turn, so that they come from memory and
                            * not from a cache; 0: always the same. Default 128 MiB */
    uint64_t budget_us;    /* default 100000; at least one run is made */
    int32_t (*should_abort)(void *user_data); /* as bitnet_limits_params */
    void *abort_user_data;
} bitnet_kernel_run;
BITNET_API void bitnet_kernel_run_init(bitnet_kernel_run *run, uint32_t struct_size);
typedef struct bitnet_kernel_timing {
    uint32_t struct_size;
    int32_t n_runs;
    double median_us;  /* of one run, by all threads together */
    double best_us;
    uint64_t n_bytes;  /* that a run reads and writes at least */
    uint64_t n_ops;    /* multiplications and additions of a run; 0 for operations where they are not what takes the time */
} bitnet_kernel_timing;
/* Times one kernel alone, on random data.
 * Returns  BITNET_E_NOT_FOUND (kernel, operation); BITNET_E_UNSUPPORTED (not on this CPU); BITNET_E_LIMIT (shape);
 *          BITNET_E_QUANT_INPUT (k is no whole number of the type's blocks); BITNET_E_CONFIG (threads); BITNET_E_OUT_OF_MEMORY;
 *          BITNET_E_SECURITY_MEMORY; BITNET_E_CANCELLED. */
BITNET_API bitnet_status bitnet_kernel_measure(const bitnet_kernel_run *run, bitnet_kernel_timing *out_timing);

/* ---- 28. CUDA: a device's own doors ------------------------------------------------------------------------------- */

/* For programs that run kernels of their own beside the engine. The functions are in every build; where there is no device,
 * bitnet_cuda_open says why. Any thread may use a handle; its calls wait for each other. Its work runs in order, on a stream of
 * the handle's own. A host's own CUDA context is the current one again after every call. Statuses of all of them:
 *   BITNET_E_DEVICE_NOT_AVAILABLE  no such device or driver
 *   BITNET_E_DEVICE_CAPABILITY     the device or the driver is too old, or lacks what is asked for
 *   BITNET_E_DEVICE_MEMORY         no room on the device
 *   BITNET_E_DEVICE_COMPUTE        a launch or a kernel failed. After some failures of kernels the driver lets nothing more run
 *                                  on the device in this process: from then on all calls for it return this
 *   BITNET_E_DEVICE_SYNC           waiting failed
 *   BITNET_E_DEVICE                another call of the driver failed; the message names it
 *   BITNET_E_ARGUMENT              NULL, an address or a function that is not the handle's, sizes beyond it */
typedef struct bitnet_cuda bitnet_cuda;
typedef struct bitnet_cuda_module bitnet_cuda_module;

/* Opens cuda:index, the driver's primary context of it. Handles and models of a device share that. */
BITNET_API bitnet_status bitnet_cuda_open(int32_t index, bitnet_cuda **out_cuda);
/* Waits for its work and gives back what was allocated with it. Modules loaded with it stay until they are unloaded. */
BITNET_API void bitnet_cuda_free(bitnet_cuda *cuda);

/* What a device is. 0 where the driver does not tell. */
typedef struct bitnet_cuda_info {
    uint32_t struct_size;
    int32_t index;                         /* cuda:index */
    int32_t compute_capability[2];         /* major, minor */
    int32_t n_multiprocessors;
    int32_t max_threads_per_block;
    int32_t max_threads_per_multiprocessor;
    int32_t max_shared_bytes;              /* of a block that asks for more than 48 KiB */
    int32_t clock_khz;
    int32_t memory_clock_khz;
    int32_t memory_bus_bits;
    int32_t driver_version;                /* of CUDA, that the driver knows: 13000 is 13.0 */
    uint64_t l2_bytes;
    uint64_t memory_bytes;                 /* in all */
    char name[128];                        /* "NVIDIA H100 80GB HBM3" */
    char uuid[48];                         /* "GPU-8f3b2c1a-..." as nvidia-smi writes it; "" where unknown */
} bitnet_cuda_info;
BITNET_API bitnet_status bitnet_cuda_get_info(const bitnet_cuda *cuda, bitnet_cuda_info *out_info);

/* The driver's own handles, for its own functions: the CUcontext, and the CUmodule of the library's kernels. They live as long
 * as the handle and are not the caller's to destroy. BITNET_E_UNSUPPORTED for a device that is not NVIDIA's (in tests). */
BITNET_API bitnet_status bitnet_cuda_get_context(const bitnet_cuda *cuda, void **out_context);
BITNET_API bitnet_status bitnet_cuda_get_module(const bitnet_cuda *cuda, void **out_module);

/* Loads kernels: PTX, a text of n_bytes, which the driver compiles for the device. What its compiler says of a wrong one is in
 * the message. The module may outlive the handle. */
BITNET_API bitnet_status bitnet_cuda_load_ptx(bitnet_cuda *cuda, const char *text, size_t n_bytes,
                                              bitnet_cuda_module **out_module);
/* Waits for what runs on the device. NULL is nothing. Functions of the module are gone. */
BITNET_API void bitnet_cuda_module_free(bitnet_cuda_module *module);
/* The CUfunction of a kernel, by the name that PTX has for it (extern "C" in CUDA C++). BITNET_E_NOT_FOUND. It lives as long
 * as the module. */
BITNET_API bitnet_status bitnet_cuda_module_get_function(bitnet_cuda_module *module, const char *name, void **out_function);

typedef struct bitnet_cuda_work {
    uint32_t struct_size;
    uint32_t grid[3];      /* blocks; default 1 */
    uint32_t block[3];     /* threads of a block; default 1 */
    uint32_t shared_bytes; /* dynamic shared memory of a block */
    void *function;        /* of bitnet_cuda_module_get_function, its module loaded with this handle */
    void *const *params;   /* addresses of the kernel's parameters, as cuLaunchKernel takes them; read before the call returns */
    size_t n_params;       /* checked where the driver tells how many there are (CUDA 12.4) */
} bitnet_cuda_work;
BITNET_API void bitnet_cuda_work_init(bitnet_cuda_work *work, uint32_t struct_size);
/* Begins the work behind what the handle began before; it ends by itself. */
BITNET_API bitnet_status bitnet_cuda_launch(bitnet_cuda *cuda, const bitnet_cuda_work *work);

/* Memory of the device, by its address, a multiple of 256. n_bytes from 1. */
BITNET_API bitnet_status bitnet_cuda_allocate(bitnet_cuda *cuda, size_t n_bytes, uint64_t *out_address);
/* Waits for what runs on the device. */
BITNET_API bitnet_status bitnet_cuda_release(bitnet_cuda *cuda, uint64_t address);
/* Both lie within one allocation of the handle. The host's bytes may change once copy_in has returned; copy_out waits for all
 * work of the handle so far. */
BITNET_API bitnet_status bitnet_cuda_copy_in(bitnet_cuda *cuda, uint64_t to, const void *from, size_t n_bytes);
BITNET_API bitnet_status bitnet_cuda_copy_out(bitnet_cuda *cuda, void *to, uint64_t from, size_t n_bytes);
/* Waits for all that runs on the device, models' work included. */
BITNET_API bitnet_status bitnet_cuda_synchronize_all(bitnet_cuda *cuda);

typedef struct bitnet_cuda_memory_stats {
    uint32_t struct_size;
    uint32_t n_allocations;   /* of this handle */
    uint64_t total_bytes;     /* of the device */
    uint64_t free_bytes;      /* for anyone */
    uint64_t library_bytes;   /* allocated by this library for models, contexts and handles */
    uint64_t allocated_bytes; /* of this handle */
} bitnet_cuda_memory_stats;
BITNET_API bitnet_status bitnet_cuda_get_memory_stats(bitnet_cuda *cuda, bitnet_cuda_memory_stats *out_stats);

/* What this library did on the device, models included, since it was opened or the last reset by anyone. */
typedef struct bitnet_cuda_performance_stats {
    uint32_t struct_size;
    uint64_t n_launches;
    uint64_t n_copies_in;
    uint64_t n_copies_out;
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t n_waits;    /* of threads of the host */
    double wait_time_ms; /* that they waited, in all */
} bitnet_cuda_performance_stats;
BITNET_API bitnet_status bitnet_cuda_get_performance_stats(const bitnet_cuda *cuda,
                                                           bitnet_cuda_performance_stats *out_stats);
BITNET_API bitnet_status bitnet_cuda_reset_performance_stats(bitnet_cuda *cuda);

/* Products on the device, the same bits as bitnet_quantizer_batch_matmul_i2s (section 19) gives on any CPU, whose statuses it
 * has for what is asked; all are checked before the first is computed. Returns when they are done. */
BITNET_API bitnet_status bitnet_cuda_batch_matmul_i2s(bitnet_cuda *cuda, const bitnet_i2s_matmul *matmuls,
                                                      size_t n_matmuls);

/* How a kernel for out (m x n) = activations (m x k) times the transpose of ternary weights (n x k) is best cut into blocks. */
typedef struct bitnet_cuda_launch_parameters {
    uint32_t struct_size;
    uint32_t grid[3];                  /* blocks: of rows of weights; of rows of activations in the other two */
    uint32_t block[3];
    uint32_t shared_bytes;             /* for the tiles of three steps along k; 0 where few rows of activations need none */
    uint32_t tile[3];                  /* of a block: rows of activations, rows of weights, values of k a step */
    uint32_t blocks_per_multiprocessor;
    double occupancy;                  /* share of a multiprocessor's threads, by threads and shared memory; 0 .. 1 */
    double waves;                      /* how often the grid fills the device */
} bitnet_cuda_launch_parameters;
/* Pure arithmetic: no device needed; info may be made up, fields that are 0 count as the least of any device. BITNET_E_ARGUMENT
 * for m, n or k of 0 or beyond 2^32, or k that is no multiple of 128. */
BITNET_API bitnet_status bitnet_cuda_get_launch_parameters(const bitnet_cuda_info *info, uint64_t m, uint64_t n, uint64_t k,
                                                           bitnet_cuda_launch_parameters *out_parameters);

/* ---- Inline helpers for C and C++ --------------------------------------------------------------------------------- */

static inline bitnet_model_params bitnet_model_default_params(void) {
    bitnet_model_params p;
    bitnet_model_params_init(&p, (uint32_t)sizeof p);
    return p;
}
static inline bitnet_context_params bitnet_context_default_params(void) {
    bitnet_context_params p;
    bitnet_context_params_init(&p, (uint32_t)sizeof p);
    return p;
}
static inline bitnet_sampler_params bitnet_sampler_default_params(void) {
    bitnet_sampler_params p;
    bitnet_sampler_params_init(&p, (uint32_t)sizeof p);
    return p;
}
static inline bitnet_generation_params bitnet_generation_default_params(void) {
    bitnet_generation_params p;
    bitnet_generation_params_init(&p, (uint32_t)sizeof p);
    return p;
}
static inline bitnet_receipt_params bitnet_receipt_default_params(void) {
    bitnet_receipt_params p;
    bitnet_receipt_params_init(&p, (uint32_t)sizeof p);
    return p;
}
static inline bitnet_validation_params bitnet_validation_default_params(void) {
    bitnet_validation_params p;
    bitnet_validation_params_init(&p, (uint32_t)sizeof p);
    return p;
}
static inline bitnet_quantize_config bitnet_quantize_default_config(void) {
    bitnet_quantize_config c;
    bitnet_quantize_config_init(&c, (uint32_t)sizeof c);
    return c;
}
static inline bitnet_quantizer_params bitnet_quantizer_default_params(void) {
    bitnet_quantizer_params p;
    bitnet_quantizer_params_init(&p, (uint32_t)sizeof p);
    return p;
}
static inline bitnet_convert_params bitnet_convert_default_params(void) {
    bitnet_convert_params p;
    bitnet_convert_params_init(&p, (uint32_t)sizeof p);
    return p;
}
static inline bitnet_conv2d_params bitnet_conv2d_default_params(void) {
    bitnet_conv2d_params p;
    bitnet_conv2d_params_init(&p, (uint32_t)sizeof p);
    return p;
}
static inline bitnet_tokenizer_discovery_params bitnet_tokenizer_discovery_default_params(void) {
    bitnet_tokenizer_discovery_params p;
    bitnet_tokenizer_discovery_params_init(&p, (uint32_t)sizeof p);
    return p;
}
static inline bitnet_synthetic_params bitnet_synthetic_default_params(void) {
    bitnet_synthetic_params p;
    bitnet_synthetic_params_init(&p, (uint32_t)sizeof p);
    return p;
}
static inline bitnet_limits_params bitnet_limits_default_params(void) {
    bitnet_limits_params p;
    bitnet_limits_params_init(&p, (uint32_t)sizeof p);
    return p;
}
static inline bitnet_kernel_run bitnet_kernel_default_run(void) {
    bitnet_kernel_run r;
    bitnet_kernel_run_init(&r, (uint32_t)sizeof r);
    return r;
}
static inline bitnet_cuda_work bitnet_cuda_default_work(void) {
    bitnet_cuda_work w;
    bitnet_cuda_work_init(&w, (uint32_t)sizeof w);
    return w;
}
static inline bitnet_merge_params bitnet_merge_default_params(void) {
    bitnet_merge_params p;
    bitnet_merge_params_init(&p, (uint32_t)sizeof p);
    return p;
}

#ifdef __cplusplus
}
#endif
#endif /* BITNET_H */
