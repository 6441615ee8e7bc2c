/* What C writes after "Once upon a time", greedily: greedy_reference MODEL.gguf. The C# test compares its own text with these bytes. */
#include <stdio.h>

#include "bitnet.h"

int main(int argc, char **argv) {
    bitnet_model *model = NULL;
    bitnet_context *context = NULL;
    bitnet_generation *generation = NULL;
    bitnet_sampler_params sampler = bitnet_sampler_default_params();
    bitnet_generation_params params = bitnet_generation_default_params();
    bitnet_generation_result result;
    int exit_code = 1;
    sampler.temperature = 0;
    params.sampler = &sampler;
    params.max_new_tokens = 48;
    result.struct_size = sizeof result;
    if (argc == 2 && bitnet_model_load(argv[1], NULL, &model) == BITNET_OK &&
        bitnet_context_create(model, NULL, &context) == BITNET_OK &&
        bitnet_generate(context, 0, "Once upon a time", 16, &params, NULL, NULL, &generation) == BITNET_OK &&
        bitnet_generation_get_result(generation, &result) == BITNET_OK) {
        exit_code = fwrite(result.text, 1, result.n_bytes, stdout) == result.n_bytes ? 0 : 1;
    } else {
        fprintf(stderr, "greedy_reference: %s\n", bitnet_last_error());
    }
    bitnet_generation_free(generation);
    bitnet_context_free(context);
    bitnet_model_free(model);
    return exit_code;
}
