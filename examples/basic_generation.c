/* Basic text generation: one call that returns the whole text.
 *     basic_generation MODEL.gguf [PROMPT]
 * Every run tells something else; BITNET_SEED=42 in the environment makes it repeat itself. */
#include <stdio.h>
#include <string.h>

#include "bitnet.h"

static int failed(const char *what) {
    fprintf(stderr, "%s: %s\n", what, bitnet_last_error());
    return 1;
}

static int run(bitnet_context *context, const char *prompt) {
    bitnet_sampler_params sampler = bitnet_sampler_default_params();
    sampler.temperature = 0.8f;
    bitnet_generation_params params = bitnet_generation_default_params();
    params.max_new_tokens = 50;
    params.sampler = &sampler;

    bitnet_generation *generation = NULL;
    if (bitnet_generate(context, 0, prompt, strlen(prompt), &params, NULL, NULL, &generation) != BITNET_OK) {
        return failed("generating");
    }
    bitnet_generation_result result;
    result.struct_size = sizeof result;
    if (bitnet_generation_get_result(generation, &result) != BITNET_OK) {
        bitnet_generation_free(generation);
        return failed("reading the result");
    }
    printf("Generated: %s\n", result.text);
    bitnet_generation_free(generation);
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
        exit_code = run(context, argc > 2 ? argv[2] : "The future of AI is");
    }
    bitnet_context_free(context); /* NULL is fine */
    bitnet_model_free(model);
    return exit_code;
}
