/* The file BITNET_DEFAULT_MODEL_FILE as constant data of the program. The assembler copies it in: as a C array 2 MB would
 * take a compiler seconds and hundreds of megabytes. It lies in a read-only section, so running programs share its pages
 * and nothing is read before it is used. */
#include "default_model.h"

#ifdef BITNET_DEFAULT_MODEL_FILE

#if !defined(__GNUC__)
#error "embedding a model needs .incbin (GCC, Clang); configure with -DBITNET_DEFAULT_MODEL= to build without one"
#endif

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
/* C names have an underscore in front on some systems. */
#define SYMBOL(name) TEXT(__USER_LABEL_PREFIX__) name

#if defined(__APPLE__)
#define READ_ONLY_SECTION ".const_data\n"
#elif defined(_WIN32)
#define READ_ONLY_SECTION ".section .rdata,\"dr\"\n"
#else
#define READ_ONLY_SECTION ".section .rodata\n"
#endif

__asm__(READ_ONLY_SECTION
        ".balign 64\n"
        ".globl " SYMBOL("default_model_begin") "\n"
        SYMBOL("default_model_begin") ":\n"
        ".incbin \"" BITNET_DEFAULT_MODEL_FILE "\"\n"
        ".globl " SYMBOL("default_model_end") "\n"
        SYMBOL("default_model_end") ":\n"
        ".byte 0\n"
        ".text\n");

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
