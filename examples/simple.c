/* The smallest complete program on bitnet.h: continues a text.
 *     bitnet_simple model.gguf "Once upon a time"
 * Every call is checked; bitnet_last_error() says what went wrong and what to do. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bitnet.h"

static bitnet_model *model;
static bitnet_context *context;
static bitnet_sampler *sampler;

/* Frees in any order, NULL included. */
static void finish(int exit_code) {
    bitnet_sampler_free(sampler);
    bitnet_context_free(context);
    bitnet_model_free(model);
    exit(exit_code);
}

static void check(bitnet_status status) {
    if (status == BITNET_OK) return;
    fprintf(stderr, "%s: %s\n", bitnet_status_name(status), bitnet_last_error());
    finish(1);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: %s model.gguf [text]\n", argv[0]);
        return 2;
    }
    const char *text = argc > 2 ? argv[2] : "Once upon a time";
    check(bitnet_model_load(argv[1], NULL, &model));
    check(bitnet_context_create(model, NULL, &context));
    check(bitnet_sampler_create(NULL, &sampler));
    const bitnet_tokenizer *tokenizer = bitnet_model_get_tokenizer(model);
    if (tokenizer == NULL) {
        fprintf(stderr, "%s holds no tokenizer that this build can run\n", argv[1]);
        finish(1);
    }

    bitnet_token tokens[512], next;
    char piece[256];
    size_t n_tokens, n_bytes;
    check(bitnet_tokenizer_encode(tokenizer, text, strlen(text), BITNET_ENCODE_ADD_BOS, tokens, 512, &n_tokens));
    check(bitnet_context_decode_tokens(context, 0, tokens, n_tokens));
    printf("%s", text);
    for (int i = 0; i < 100; i++) {
        check(bitnet_sampler_sample_context(sampler, context, -1, &next));
        if (bitnet_tokenizer_is_end(tokenizer, next)) break;
        check(bitnet_tokenizer_decode(tokenizer, &next, 1, 0, piece, sizeof piece, &n_bytes));
        fwrite(piece, 1, n_bytes, stdout);
        fflush(stdout);
        bitnet_status status = bitnet_context_decode_tokens(context, 0, &next, 1);
        if (status == BITNET_E_KV_FULL) break; /* the text is as long as the model can see */
        check(status);
    }
    printf("\n");
    finish(0);
}
