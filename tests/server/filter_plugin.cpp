// A content filter as a user would write it: no plums in prompts, no quinces in answers.
#include <string_view>

#include "server/filter/content_filter_plugin.h"

extern "C" int bitnet_content_filter(const char* text, size_t n_bytes, int is_output) {
    return std::string_view(text, n_bytes).find(is_output ? "quince" : "plum") != std::string_view::npos;
}
