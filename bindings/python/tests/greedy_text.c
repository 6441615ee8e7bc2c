/* Writes 48 greedy tokens after a prompt, and nothing else: what bindings compare their text with. greedy_text MODEL PROMPT */
#include <stdio.h>
#include <string.h>

#include "bitnet.h"

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    bitnet_sampler_params sampler = bitnet_sampler_default_params();
    sampler.temperature = 0;
    bitnet_generation_params params = bitnet_generation_default_params();
    params.max_new_tokens = 48;
    params.sampler = &sampler;
    bitnet_model *model = NULL;
    bitnet_context *context = NULL;
    bitnet_generation *generation = NULL;
    bitnet_generation_result result;
    result.struct_size = sizeof result;
    if (bitnet_model_load(argv[1], NULL, &model) != BITNET_OK ||
        bitnet_context_create(model, NULL, &context) != BITNET_OK ||
        bitnet_generate(context, 0, argv[2], strlen(argv[2]), &params, NULL, NULL, &generation) != BITNET_OK ||
        bitnet_generation_get_result(generation, &result) != BITNET_OK) {
        fprintf(stderr, "%s\n", bitnet_last_error());
        return 1;
    }
    fwrite(result.text, 1, result.n_bytes, stdout);
    bitnet_generation_free(generation);
    bitnet_context_free(context);
    bitnet_model_free(model);
    return 0;
}
