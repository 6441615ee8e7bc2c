/* What the page needs of bitnet.h, as functions of numbers and addresses that JavaScript can call: one model, one text at a
 * time. Structs stay on this side, so the script knows no layout. A function that fails returns 0 or a negative status;
 * web_error has the sentence. */
#include <emscripten/emscripten.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bitnet.h"

static void *file;
static bitnet_model *model;
static bitnet_context *context;
static bitnet_generation *generation;
static bitnet_generation_step step;

EMSCRIPTEN_KEEPALIVE const char *web_error(void) { return bitnet_last_error(); }
EMSCRIPTEN_KEEPALIVE const char *web_version(void) { return bitnet_build_info(); }

EMSCRIPTEN_KEEPALIVE void web_stop(void) {
    bitnet_generation_free(generation);
    generation = NULL;
}

/* Takes a GGUF file in memory from malloc, which it frees when another one comes. */
EMSCRIPTEN_KEEPALIVE int web_load(void *bytes, size_t n_bytes) {
    web_stop();
    bitnet_context_free(context);
    bitnet_model_free(model);
    free(file);
    context = NULL;
    model = NULL;
    file = bytes;
    bitnet_model_params params;
    bitnet_model_params_init(&params, sizeof params);
    params.n_threads = 1;
    bitnet_status status = bitnet_model_load_from_memory(bytes, n_bytes, &params, &model);
    if (status == BITNET_OK) {
        bitnet_context_params context_params;
        bitnet_context_params_init(&context_params, sizeof context_params);
        context_params.n_threads = 1;
        status = bitnet_context_create(model, &context_params, &context);
    }
    return status;
}

/* Begins a text. temperature 0 takes the likeliest token each time. */
EMSCRIPTEN_KEEPALIVE int web_begin(const char *prompt, int max_tokens, float temperature, uint32_t seed) {
    web_stop();
    bitnet_sampler_params sampler;
    bitnet_sampler_params_init(&sampler, sizeof sampler);
    sampler.temperature = temperature;
    sampler.seed = seed;
    bitnet_generation_params params;
    bitnet_generation_params_init(&params, sizeof params);
    params.max_new_tokens = max_tokens;
    params.sampler = &sampler;
    return bitnet_generation_create(context, 0, prompt, strlen(prompt), &params, &generation);
}

/* One token: 1 when the text goes on, 0 after its last, negative for a failure. */
EMSCRIPTEN_KEEPALIVE int web_next(void) {
    step.struct_size = sizeof step;
    const bitnet_status status = bitnet_generation_next(generation, &step);
    if (status != BITNET_OK) return status;
    return step.finish_reason == BITNET_FINISH_NONE ? 1 : 0;
}
/* Of the last web_next: text as whole UTF-8 characters, lent until the next call. */
EMSCRIPTEN_KEEPALIVE const char *web_text(void) { return step.text; }
EMSCRIPTEN_KEEPALIVE size_t web_text_size(void) { return step.n_bytes; }
EMSCRIPTEN_KEEPALIVE double web_tokens_per_second(void) { return step.tokens_per_second; }
