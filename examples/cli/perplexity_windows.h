// bitnet perplexity by windows, as llama-perplexity does it, with or without a second model to compare with.
#pragma once

#include <string>

#include "cli_common.h"

namespace cli {

struct WindowOptions {
    bool wanted = false;
    int32_t stride = 0;
    bool running = false;  // show the estimate after each window
    std::string kl_save, kl_base, kl_model;
};

struct WindowRun {
    ModelOptions model;
    std::string text_file;
    int32_t n_ctx = 512;
    int32_t n_batch = 0;
    uint64_t limit = 0;
    bool json = false;
    WindowOptions windows;
};
int run_windows(const WindowRun& run);

}  // namespace cli
