// A decode takes the tokens of several windows, one sequence each; no more outputs than 64 MiB of logits at once. Neither
// changes a digit.
#include "window_score.h"

#include <algorithm>
#include <cmath>

#include "cli_math.h"
#include "cli_platform.h"

namespace cli {
namespace {

constexpr size_t kLogitBytes = size_t{64} << 20;
constexpr size_t kTokensAtOnce = 512;

struct Entry {
    size_t window;
    int32_t position;
};

}  // namespace

Windows cut_windows(const bitnet_tokenizer* tokenizer, const std::string& text, int32_t n_ctx, int32_t stride,
                    uint64_t limit, const std::string& name) {
    const bitnet_tokenizer_info info = get_info(tokenizer);
    Windows windows;
    windows.n_ctx = n_ctx;
    windows.stride = stride;
    if (stride == 0 && info.add_bos != 0) windows.bos = info.bos;
    windows.tokens = encode(tokenizer, text, BITNET_ENCODE_ADD_DEFAULT);
    const size_t n = windows.tokens.size(), length = static_cast<size_t>(n_ctx);
    if (stride > 0) {
        // As llama-perplexity counts them: the last window ends before the text does.
        windows.n_windows =
            n > length ? (n - length + static_cast<size_t>(stride) - 1) / static_cast<size_t>(stride) : 0;
    } else {
        windows.n_windows = n / length;
    }
    if (windows.n_windows == 0)
        throw Failure{kExitFailure, name + ": its " + std::to_string(n) + " tokens are less than a window of " +
                                        std::to_string(n_ctx) + "; choose a smaller --ctx"};
    if (limit > 0) windows.n_windows = static_cast<size_t>(std::min<uint64_t>(windows.n_windows, limit));
    return windows;
}

WindowRunner::WindowRunner(bitnet_model* model, const ModelOptions& options, const Windows& windows, int32_t n_batch)
    : windows_(windows), n_vocab_(static_cast<size_t>(get_info(model).n_vocab)) {
    const size_t n_ctx = static_cast<size_t>(windows.n_ctx);
    n_seq_ = std::clamp<size_t>(kTokensAtOnce / n_ctx, 1, std::min<size_t>(windows.n_windows, 64));
    n_outputs_ =
        n_batch > 0 ? static_cast<size_t>(n_batch) : std::max<size_t>(kLogitBytes / (sizeof(float) * n_vocab_), 1);
    bitnet_context_params params = bitnet_context_default_params();
    params.n_ctx = static_cast<int32_t>(n_seq_ * n_ctx);
    params.n_seq_max = static_cast<int32_t>(n_seq_);
    params.n_threads = options.n_threads;
    params.should_abort = abort_on_signal;
    context_ = create_context(model, options, params);
}

void WindowRunner::run(size_t window, size_t n,
                       const std::function<void(size_t window, int32_t position, const float* logits)>& sink) {
    check(bitnet_sequence_remove(context_.get(), -1, -1, -1));
    std::vector<bitnet_token> tokens;
    std::vector<bitnet_seq_id> ids;
    std::vector<int8_t> want_output;
    std::vector<Entry> entries;
    size_t n_outputs = 0;
    const auto flush = [&] {
        if (tokens.empty()) return;
        if (caught_signal() != 0) throw Failure{interrupted_exit_code(), ""};
        bitnet_batch batch = {};
        batch.struct_size = sizeof batch;
        batch.n_tokens = static_cast<int32_t>(tokens.size());
        batch.tokens = tokens.data();
        batch.seq_ids = ids.data();
        batch.want_output = want_output.data();
        check(bitnet_context_decode(context_.get(), &batch));
        for (size_t i = 0; i < entries.size(); ++i) {
            if (want_output[i] == 0) continue;
            const float* logits = nullptr;
            check(bitnet_context_get_logits(context_.get(), static_cast<int32_t>(i), &logits));
            sink(entries[i].window, entries[i].position, logits);
        }
        tokens.clear();
        ids.clear();
        want_output.clear();
        entries.clear();
        n_outputs = 0;
    };
    for (size_t w = window; w < window + n; ++w) {
        // The last token predicts nothing that is known, so it is not run.
        for (int32_t position = 0; position + 1 < windows_.n_ctx; ++position) {
            const bool scored = position >= windows_.first();
            if (scored && n_outputs == n_outputs_) flush();
            tokens.push_back(position == 0 && windows_.bos >= 0
                                 ? windows_.bos
                                 : windows_.tokens[windows_.begin(w) + static_cast<size_t>(position)]);
            ids.push_back(static_cast<bitnet_seq_id>(w - window));
            want_output.push_back(scored ? 1 : 0);
            entries.push_back({w, position});
            n_outputs += scored ? 1 : 0;
        }
    }
    flush();
}

double Mean::error() const {
    if (n < 2) return 0;
    const double count = static_cast<double>(n), variance = squares / count - mean() * mean();
    return variance > 0 ? std::sqrt(variance / (count - 1)) : 0;
}

void LogProbs::from_logits(const float* logits, size_t n) {
    best = 0;
    for (size_t i = 1; i < n; ++i) best = logits[i] > logits[best] ? i : best;
    const double top = static_cast<double>(logits[best]);
    values.resize(n);
    double sum = 0;
    int n_odd = 0;
    for (size_t i = 0; i < n; ++i) {
        values[i] = static_cast<double>(logits[i]) - top;
        n_odd += !(values[i] <= 0);
    }
    for (const double value : values) sum += portable_exp(value);
    finite = n_odd == 0 && std::isfinite(top);
    if (!finite) return;
    const double log_sum = portable_log(sum);
    for (double& value : values) value -= log_sum;
}

void Divergence::add(const LogProbs& base, const LogProbs& model, bitnet_token target, double least) {
    const auto t = static_cast<size_t>(target);
    const double nats_here = -model.values[t], nats_of_base = -base.values[t];
    nats.add(nats_here);
    base_nats.add(nats_of_base);
    ratio.add(nats_here - nats_of_base);
    double sum = 0;
    for (size_t i = 0; i < base.values.size(); ++i) {
        if (base.values[i] > least) sum += portable_exp(base.values[i]) * (base.values[i] - model.values[i]);
    }
    kld.add(sum);
    klds.push_back(static_cast<float>(sum));
    const double shift = portable_exp(model.values[t]) - portable_exp(base.values[t]);
    difference.add(shift);
    squared_difference.add(shift * shift);
    differences.push_back(static_cast<float>(shift));
    n_same_top += base.best == model.best ? 1 : 0;
}

}  // namespace cli
