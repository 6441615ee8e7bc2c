/* The model that is built into programs of this project, so that they write text before anyone has downloaded anything.
 * Link the CMake target bitnet_default_model. Which file it holds is chosen when the build is configured:
 * -DBITNET_DEFAULT_MODEL=FILE, as it comes the stories model of this folder; -DBITNET_DEFAULT_MODEL= builds none in. */
#ifndef BITNET_EXAMPLES_DEFAULT_MODEL_H
#define BITNET_EXAMPLES_DEFAULT_MODEL_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The bytes of a GGUF file for bitnet_model_load_from_memory, aligned to 64 and valid as long as the program runs; NULL
 * and *out_size 0 when none is built in. */
const void *default_model_bytes(size_t *out_size);

/* What that model must compute: a golden file for `bitnet verify` (JSON text, *out_size bytes), the file beside the model
 * with .golden.json for .gguf; NULL and 0 when there is none. */
const char *default_golden_text(size_t *out_size);

#ifdef __cplusplus
}
#endif
#endif
