// How a model predicts a text in windows, as llama-perplexity cuts them, and how two models' predictions differ. Sums are taken
// in the order of the text with this program's own exp and log, so digits depend on model and text alone.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cli_common.h"

namespace cli {

// Which tokens are run together, and which predictions count.
struct Windows {
    int32_t n_ctx = 512;  // tokens of a window
    int32_t stride = 0;   // 0: windows follow each other and the second half of each counts; else a window begins each
                          // stride tokens, and its last stride predictions count
    bitnet_token bos =
        -1;  // takes the place of a window's first token, where a window begins within the text; -1: nothing does
    std::vector<bitnet_token> tokens;
    size_t n_windows = 0;

    size_t begin(size_t window) const { return window * static_cast<size_t>(stride > 0 ? stride : n_ctx); }
    // The first position whose prediction counts, and how many do. Position i predicts the token at i + 1.
    int32_t first() const { return stride > 0 ? n_ctx - stride - 1 : n_ctx / 2; }
    int32_t n_scored() const { return n_ctx - 1 - first(); }
    bitnet_token target(size_t window, int32_t position) const {
        return tokens[begin(window) + static_cast<size_t>(position) + 1];
    }
};
// As many windows as the text has, at most limit (0: no limit). Throws Failure for a text that is too short.
Windows cut_windows(const bitnet_tokenizer* tokenizer, const std::string& text, int32_t n_ctx, int32_t stride,
                    uint64_t limit, const std::string& name);

// Runs windows through a model, several sequences at a time, and shows the logits of each scored position in order.
class WindowRunner {
public:
    WindowRunner(bitnet_model* model, const ModelOptions& options, const Windows& windows, int32_t n_batch);
    // Windows that one call of run takes.
    size_t n_at_once() const { return n_seq_; }
    // Windows [window, window + n); sink(window, position, logits).
    void run(size_t window, size_t n,
             const std::function<void(size_t window, int32_t position, const float* logits)>& sink);
    const bitnet_context* context() const { return context_.get(); }
    size_t n_vocab() const { return n_vocab_; }

private:
    const Windows& windows_;
    size_t n_vocab_, n_seq_, n_outputs_;
    ContextHandle context_;
};

// The mean of values and the standard error of that mean.
struct Mean {
    uint64_t n = 0;
    double sum = 0, squares = 0;

    void add(double value) {
        ++n;
        sum += value;
        squares += value * value;
    }
    double mean() const { return sum / static_cast<double>(n); }
    double error() const;
};

// The logarithms of all probabilities: log softmax in double.
struct LogProbs {
    std::vector<double> values;
    size_t best = 0;  // the likeliest token, the lowest of equals
    bool finite = true;

    void from_logits(const float* logits, size_t n);
};

// What a comparison of two models' predictions has gathered.
class Divergence {
public:
    // Base and model at one position, and the token that came. Tokens to which the base gives least or less (the logarithm of
    // a probability) count as if they could not come.
    void add(const LogProbs& base, const LogProbs& model, bitnet_token target, double least);

    Mean nats, base_nats, ratio, kld, difference, squared_difference;  // difference: of the target's probabilities
    uint64_t n_same_top = 0;
    std::vector<float> klds, differences;
};

}  // namespace cli
