/* The file BITNET_DEFAULT_MODEL_FILE as constant data of the program. The assembler copies it in: as a C array 2 MB would
 * take a compiler seconds and hundreds of megabytes. It lies in a read-only section, so running programs share its pages
 * and nothing is read before it is used. */
#include "default_model.h"

#if defined(BITNET_DEFAULT_MODEL_FILE) || defined(BITNET_DEFAULT_GOLDEN_FILE)

#if !defined(__GNUC__)
#error "embedding a model needs .incbin (GCC, Clang); configure with -DBITNET_DEFAULT_MODEL= to build without one"
#endif

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
/* C names have an underscore in front on some systems. */
#define SYMBOL(name) TEXT(__USER_LABEL_PREFIX__) name

#if defined(__wasm__)

/* Objects of WebAssembly are lists of symbols with sizes; the second follows the first in the same section. */
#define EMBED(name, file)                                                                                              \
    __asm__(".section .rodata." name ",\"\",@\n"                                                                        \
            ".p2align 6\n"                                                                                             \
            ".globl " name "_begin\n"                                                                                  \
            ".type " name "_begin,@object\n" name "_begin:\n"                                                          \
            ".incbin \"" file "\"\n"                                                                                   \
            ".size " name "_begin, .-" name "_begin\n"                                                                 \
            ".globl " name "_end\n"                                                                                    \
            ".type " name "_end,@object\n" name "_end:\n"                                                              \
            ".int8 0\n"                                                                                                \
            ".size " name "_end, 1\n"                                                                                  \
            ".text\n")

#else

#if defined(__APPLE__)
#define READ_ONLY_SECTION ".const_data\n"
#elif defined(_WIN32)
#define READ_ONLY_SECTION ".section .rdata,\"dr\"\n"
#else
#define READ_ONLY_SECTION ".section .rodata\n"
#endif

/* Defines name_begin and name_end around the bytes of a file. */
#define EMBED(name, file)                                                                                              \
    __asm__(READ_ONLY_SECTION                                                                                          \
            ".balign 64\n"                                                                                             \
            ".globl " SYMBOL(name "_begin") "\n"                                                                       \
            SYMBOL(name "_begin") ":\n"                                                                                \
            ".incbin \"" file "\"\n"                                                                                   \
            ".globl " SYMBOL(name "_end") "\n"                                                                         \
            SYMBOL(name "_end") ":\n"                                                                                  \
            ".byte 0\n"                                                                                                \
            ".text\n")

#endif  /* __wasm__ */

#endif

#ifdef BITNET_DEFAULT_MODEL_FILE

EMBED("default_model", BITNET_DEFAULT_MODEL_FILE);
extern const unsigned char default_model_begin[];
extern const unsigned char default_model_end[];

const void *default_model_bytes(size_t *out_size) {
    *out_size = (size_t)(default_model_end - default_model_begin);
    return default_model_begin;
}

#else

const void *default_model_bytes(size_t *out_size) {
    *out_size = 0;
    return NULL;
}

#endif

#ifdef BITNET_DEFAULT_GOLDEN_FILE

EMBED("default_golden", BITNET_DEFAULT_GOLDEN_FILE);
extern const char default_golden_begin[];
extern const char default_golden_end[];

const char *default_golden_text(size_t *out_size) {
    *out_size = (size_t)(default_golden_end - default_golden_begin);
    return default_golden_begin;
}

#else

const char *default_golden_text(size_t *out_size) {
    *out_size = 0;
    return NULL;
}

#endif
