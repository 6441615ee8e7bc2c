/* The program that the install tests build against every kind of package. */
#include <bitnet.h>
#include <stdio.h>

int main(void) {
    bitnet_model *model = NULL;
    printf("bitnet %s\n", bitnet_version_string());
    bitnet_status status = bitnet_model_load("no-such-model.gguf", NULL, &model);
    printf("%s: %s\n", bitnet_status_name(status), bitnet_last_error());
    bitnet_model_free(model);
    return status == BITNET_E_FILE_NOT_FOUND ? 0 : 1;
}
