/* A content filter of your own: a shared library that defines the function below, given to the server as
 * --filter-library FILE. With C:
 *
 *     #include "content_filter_plugin.h"
 *     int bitnet_content_filter(const char *text, size_t n_bytes, int is_output) { return my_judgement(text, n_bytes); }
 *
 *     cc -shared -fPIC -o filter.so filter.c
 *
 * It is loaded once, at the start, and runs inside the server: what it breaks is the server's. */
#ifndef BITNET_CONTENT_FILTER_PLUGIN_H
#define BITNET_CONTENT_FILTER_PLUGIN_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* 0 lets the text pass; anything else blocks it: a prompt is refused with BLOCKED_CONTENT, an answer ends with the finish
 * reason "content_filter".
 * text       n_bytes of UTF-8, not ended by a NUL; lent for the call.
 * is_output  0: a text of a client (a whole prompt, or one message of a conversation). 1: what a model writes, asked after each
 *            step with the last 4096 bytes or less; what came in earlier steps has been sent.
 * Called from many threads at once; must not block for long (it holds up the answer) and must not throw. */
int bitnet_content_filter(const char *text, size_t n_bytes, int is_output);

#ifdef __cplusplus
}
#endif
#endif
