/* Device selection: what can compute here, and a model on the device of your choice.
 *     device_selection MODEL.gguf [DEVICE] [PROMPT]
 * DEVICE is "auto" (the default), "cpu", "cuda", "cuda:1", ... A device that cannot be used is an error with its reason, never
 * another device in silence. */
#include <stdio.h>
#include <string.h>

#include "bitnet.h"

static int failed(const char *what) {
    fprintf(stderr, "%s: %s\n", what, bitnet_last_error());
    return 1;
}

static void list_devices(void) {
    for (size_t i = 0; i < bitnet_device_get_count(); i++) {
        const char *name = bitnet_device_get_name(i);
        bitnet_device_memory memory;
        memory.struct_size = sizeof memory;
        if (bitnet_device_get_memory(name, &memory) == BITNET_OK) {
            printf("%s: %llu of %llu MiB free\n", name, (unsigned long long)(memory.free >> 20),
                   (unsigned long long)(memory.total >> 20));
        } else {
            printf("%s\n", name); /* how much memory it has is not known here */
        }
    }
}

static int run(bitnet_context *context, const char *prompt) {
    bitnet_generation *generation = NULL;
    bitnet_generation_result result;
    result.struct_size = sizeof result;
    if (bitnet_generate(context, 0, prompt, strlen(prompt), NULL, NULL, NULL, &generation) != BITNET_OK ||
        bitnet_generation_get_result(generation, &result) != BITNET_OK) {
        bitnet_generation_free(generation); /* NULL is fine */
        return failed("generating");
    }
    printf("%s: %s\n", result.device, result.text);
    bitnet_generation_free(generation);
    return 0;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: %s MODEL.gguf [DEVICE] [PROMPT]\n", argv[0]);
        return 2;
    }
    bitnet_model_params params = bitnet_model_default_params();
    params.device = argc > 2 ? argv[2] : "auto";
    bitnet_model *model = NULL;
    bitnet_context *context = NULL;
    int exit_code;
    if (bitnet_device_check(params.device) != BITNET_OK) return failed("the device");
    if (bitnet_model_load(argv[1], &params, &model) != BITNET_OK) {
        exit_code = failed("loading");
    } else if (bitnet_context_create(model, NULL, &context) != BITNET_OK) {
        exit_code = failed("creating a context");
    } else {
        list_devices();
        exit_code = run(context, argc > 3 ? argv[3] : "Hello");
    }
    bitnet_context_free(context);
    bitnet_model_free(model);
    return exit_code;
}
