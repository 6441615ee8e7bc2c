/* Prints digests of logits bits: the default model telling a story, then each model file given. Every platform must print
 * the lines of logits_bits.txt, byte for byte (golden_logits.py compares).
 *     logits_bits [--threads N] [--kernel NAME] [--to FILE] [model.gguf...]
 * --to writes them to a file where standard output may be rewritten on the way (Windows). */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bitnet.h"
#include "examples/stories/default_model.h"

enum { kStory = 48, kPrompt = 9, kSteps = 7 };

static FILE *out;
static int32_t n_threads = 1;
static const char *kernel;  /* NULL: the best */

static void check(bitnet_status status, const char *what) {
    if (status == BITNET_OK) return;
    fprintf(stderr, "%s: %s: %s\n", what, bitnet_status_name(status), bitnet_last_error());
    exit(1);
}

/* FNV-1a over the 32 bits of each number, lowest byte first on every machine. */
static uint64_t digest(const float *values, size_t n) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        for (int shift = 0; shift < 32; shift += 8) {
            hash ^= (bits >> shift) & 0xff;
            hash *= UINT64_C(0x100000001b3);
        }
    }
    return hash;
}

static bitnet_context *create_context(bitnet_model *model, const char *name) {
    bitnet_context_params params;
    bitnet_context_params_init(&params, sizeof params);
    params.n_threads = n_threads;
    params.n_ctx = 64;
    bitnet_context *context = NULL;
    check(bitnet_context_create(model, &params, &context), name);
    return context;
}

static bitnet_model_params model_params(void) {
    bitnet_model_params params;
    bitnet_model_params_init(&params, sizeof params);
    params.kernel = kernel;
    params.n_threads = n_threads;
    return params;
}

/* Decodes tokens, then follows the likeliest token; one line per step. */
static void follow(bitnet_model *model, bitnet_context *context, const char *name, const bitnet_token *tokens,
                   size_t n_tokens, int n_steps, bitnet_token *followed) {
    bitnet_model_info info = {.struct_size = sizeof info};
    check(bitnet_model_get_info(model, &info), name);
    const size_t n_vocab = (size_t)info.n_vocab;
    check(bitnet_context_decode_tokens(context, 0, tokens, n_tokens), name);
    for (int step = 0; step < n_steps; step++) {
        const float *logits = NULL;
        bitnet_token next = 0;
        check(bitnet_context_get_logits(context, -1, &logits), name);
        check(bitnet_logits_argmax(logits, n_vocab, &next), name);
        fprintf(out, "%s %d %016" PRIx64 " %" PRId32 "\n", name, step, digest(logits, n_vocab), next);
        if (followed != NULL) followed[step] = next;
        if (step + 1 < n_steps) check(bitnet_context_decode_tokens(context, 0, &next, 1), name);
    }
}

static void default_model(void) {
    const char *name = "default", *prompt = "Once upon a time";
    size_t size = 0, n_tokens = 0, n_bytes = 0;
    const void *bytes = default_model_bytes(&size);
    bitnet_model *model = NULL;
    const bitnet_model_params params = model_params();
    check(bitnet_model_load_from_memory(bytes, size, &params, &model), name);
    bitnet_context *context = create_context(model, name);
    const bitnet_tokenizer *tokenizer = bitnet_model_get_tokenizer(model);
    bitnet_token tokens[32], story[kStory];
    char text[1024];
    check(bitnet_tokenizer_encode(tokenizer, prompt, strlen(prompt), BITNET_ENCODE_ADD_BOS, tokens, 32, &n_tokens), name);
    follow(model, context, name, tokens, n_tokens, kStory, story);
    check(bitnet_tokenizer_decode(tokenizer, story, kStory, 0, text, sizeof text, &n_bytes), name);
    fprintf(out, "default text %s%.*s\n", prompt, (int)n_bytes, text);
    bitnet_context_free(context);
    bitnet_model_free(model);
}

static const char *base_name(const char *path) {
    const char *name = path;
    for (const char *p = path; *p != '\0'; p++) {
        if (*p == '/' || *p == '\\') name = p + 1;
    }
    return name;
}

static void model_file(const char *path) {
    bitnet_model *model = NULL;
    const bitnet_model_params params = model_params();
    check(bitnet_model_load(path, &params, &model), path);
    bitnet_context *context = create_context(model, path);
    bitnet_token tokens[kPrompt];
    for (int i = 0; i < kPrompt; i++) tokens[i] = 1 + 5 * i;
    follow(model, context, base_name(path), tokens, kPrompt, kSteps, NULL);
    bitnet_context_free(context);
    bitnet_model_free(model);
}

int main(int argc, char **argv) {
    int i = 1;
    out = stdout;
    for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
        if (strcmp(argv[i], "--threads") == 0) {
            n_threads = atoi(argv[i + 1]);
        } else if (strcmp(argv[i], "--kernel") == 0) {
            kernel = argv[i + 1];
        } else if (strcmp(argv[i], "--to") == 0) {
            out = fopen(argv[i + 1], "wb");
        } else {
            fprintf(stderr, "%s: unknown option %s\n", argv[0], argv[i]);
            return 2;
        }
    }
    if (out == NULL) {
        fprintf(stderr, "%s: the file of --to cannot be written\n", argv[0]);
        return 1;
    }
    default_model();
    for (; i < argc; i++) model_file(argv[i]);
    if (fflush(out) != 0 || ferror(out)) {
        fprintf(stderr, "%s: writing failed\n", argv[0]);
        return 1;
    }
    return 0;
}
