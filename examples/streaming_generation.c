/* Streaming generation: the text as it is written, one step at a time.
 *     streaming_generation MODEL.gguf [PROMPT]
 * A step that fails says so and may be repeated; here the first failure ends the program. */
#include <stdio.h>
#include <string.h>

#include "bitnet.h"

static int failed(const char *what) {
    fprintf(stderr, "%s: %s\n", what, bitnet_last_error());
    return 1;
}

static int run(bitnet_context *context, const char *prompt) {
    bitnet_generation *stream = NULL;
    if (bitnet_generation_create(context, 0, prompt, strlen(prompt), NULL, &stream) != BITNET_OK) {
        return failed("beginning");
    }
    bitnet_generation_step step;
    step.struct_size = sizeof step;
    do {
        if (bitnet_generation_next(stream, &step) != BITNET_OK) {
            bitnet_generation_free(stream);
            return failed("generating");
        }
        fwrite(step.text, 1, step.n_bytes, stdout); /* whole UTF-8 characters; often nothing */
        fflush(stdout);
    } while (step.finish_reason == BITNET_FINISH_NONE);
    printf("\n");
    bitnet_generation_free(stream);
    return 0;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: %s MODEL.gguf [PROMPT]\n", argv[0]);
        return 2;
    }
    bitnet_model *model = NULL;
    bitnet_context *context = NULL;
    int exit_code;
    if (bitnet_model_load(argv[1], NULL, &model) != BITNET_OK) {
        exit_code = failed("loading");
    } else if (bitnet_context_create(model, NULL, &context) != BITNET_OK) {
        exit_code = failed("creating a context");
    } else {
        exit_code = run(context, argc > 2 ? argv[2] : "Tell me about Rust:");
    }
    bitnet_context_free(context);
    bitnet_model_free(model);
    return exit_code;
}
