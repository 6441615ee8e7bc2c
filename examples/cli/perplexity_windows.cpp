// Windows in, figures out. The base of a comparison is a second model that runs beside the first, or a file of what it said.
#include "perplexity_windows.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>

#include "cli_math.h"
#include "cli_platform.h"
#include "logits_file.h"

namespace cli {
namespace {

double exp_of(double x) { return x <= 700 ? portable_exp(x) : INFINITY; }

double percentile(const std::vector<float>& sorted, double fraction) {
    const double place = fraction * static_cast<double>(sorted.size() - 1);
    const size_t below = static_cast<size_t>(place), above = std::min(below + 1, sorted.size() - 1);
    const double part = place - static_cast<double>(below);
    return (1 - part) * static_cast<double>(sorted[below]) + part * static_cast<double>(sorted[above]);
}

nlohmann::ordered_json percentiles(std::vector<float> values) {
    std::sort(values.begin(), values.end());
    nlohmann::ordered_json out;
    for (const auto& [name, fraction] :
         {std::pair("max", 1.0), std::pair("99.9", 0.999), std::pair("99", 0.99), std::pair("95", 0.95),
          std::pair("90", 0.9), std::pair("75", 0.75), std::pair("median", 0.5), std::pair("25", 0.25),
          std::pair("10", 0.1), std::pair("5", 0.05), std::pair("1", 0.01), std::pair("min", 0.0)})
        out[name] = percentile(values, fraction);
    return out;
}

nlohmann::ordered_json figures(const Divergence& d, bool compared) {
    const double perplexity = exp_of(d.nats.mean());
    nlohmann::ordered_json out = {{"perplexity", perplexity},
                                  {"perplexity_error", perplexity * d.nats.error()},
                                  {"nats_per_token", d.nats.mean()},
                                  {"nats_error", d.nats.error()},
                                  {"tokens", d.nats.n}};
    if (!compared) return out;
    const double same = static_cast<double>(d.n_same_top) / static_cast<double>(d.kld.n);
    const double rms = std::sqrt(d.squared_difference.mean());
    out["base_perplexity"] = exp_of(d.base_nats.mean());
    out["log_ratio"] = d.ratio.mean();
    out["log_ratio_error"] = d.ratio.error();
    out["mean_kld"] = d.kld.mean();
    out["mean_kld_error"] = d.kld.error();
    out["kld"] = percentiles(d.klds);
    out["same_top"] = same;
    out["same_top_error"] = d.kld.n > 1 ? std::sqrt(same * (1 - same) / static_cast<double>(d.kld.n - 1)) : 0.0;
    out["mean_p_difference"] = d.difference.mean();
    out["rms_p_difference"] = rms;
    out["rms_p_difference_error"] = rms > 0 ? d.squared_difference.error() / (2 * rms) : 0.0;
    out["p_difference"] = percentiles(d.differences);
    return out;
}

void write_text(const nlohmann::ordered_json& out) {
    for (const auto& [key, value] : out.items()) {
        if (value.is_object()) {
            for (const auto& [name, figure] : value.items()) write_out(key + "." + name + " " + dump(figure) + "\n");
            continue;
        }
        write_out(key + " " + (value.is_string() ? printable(value.get<std::string>(), false) : dump(value)) + "\n");
    }
}

bitnet_token bos_of(const bitnet_tokenizer* tokenizer) {
    const bitnet_tokenizer_info info = get_info(tokenizer);
    return info.add_bos != 0 ? info.bos : -1;
}

struct Scorer {
    const WindowRun& run;
    Windows windows;
    ModelHandle model, base_model;
    std::optional<LogitsReader> base_file;
    std::optional<LogitsWriter> writer;
    Divergence sums{};

    explicit Scorer(const WindowRun& options) : run(options) {
        model = load_model(run.model);
        const bitnet_tokenizer* tokenizer = require_tokenizer(model.get(), run.model.path);
        if (!run.windows.kl_base.empty()) {
            base_file.emplace(run.windows.kl_base);
            windows = base_file->windows();
            windows.bos = bos_of(tokenizer);
            if (run.limit > 0)
                windows.n_windows = static_cast<size_t>(std::min<uint64_t>(windows.n_windows, run.limit));
            require_vocab(base_file->n_vocab(), run.windows.kl_base);
        } else {
            // As llama-perplexity: a stride makes windows longer by half of it.
            const int32_t n_ctx = run.n_ctx + run.windows.stride / 2;
            windows =
                cut_windows(tokenizer, read_text(run.text_file), n_ctx, run.windows.stride, run.limit, run.text_file);
        }
        if (!run.windows.kl_model.empty()) {
            ModelOptions options_of_base = run.model;
            options_of_base.path = run.windows.kl_model;
            options_of_base.loras.clear();
            base_model = load_model(options_of_base);
            require_vocab(static_cast<size_t>(get_info(base_model.get()).n_vocab), run.windows.kl_model);
        }
        if (!run.windows.kl_save.empty()) writer.emplace(run.windows.kl_save, windows, n_vocab());
    }
    size_t n_vocab() const { return static_cast<size_t>(get_info(model.get()).n_vocab); }
    bool compares() const { return base_file.has_value() || base_model != nullptr; }

    void require_vocab(size_t n, const std::string& name) const {
        if (n == n_vocab()) return;
        throw Failure{kExitFailure, name + ": is of a vocabulary of " + std::to_string(n) + " tokens, the model has " +
                                        std::to_string(n_vocab()) +
                                        "; only models with the same vocabulary can be compared"};
    }

    void score() {
        WindowRunner runner(model.get(), run.model, windows, run.n_batch);
        ModelOptions base_options = run.model;
        base_options.loras.clear();
        std::optional<WindowRunner> base;
        if (base_model != nullptr) base.emplace(base_model.get(), base_options, windows, run.n_batch);
        LogProbs of_model, of_base;
        std::vector<std::vector<float>> base_logits;  // of the windows at hand
        ProgressBar bar("evaluating");
        for (size_t w = 0; w < windows.n_windows; w += runner.n_at_once()) {
            const size_t n = std::min(runner.n_at_once(), windows.n_windows - w);
            base_logits.clear();
            if (base)
                base->run(w, n, [&](size_t, int32_t, const float* logits) {
                    base_logits.emplace_back(logits, logits + n_vocab());
                });
            size_t i = 0;
            runner.run(w, n, [&](size_t window, int32_t position, const float* logits) {
                of_model.from_logits(logits, n_vocab());
                require_finite(of_model, window, position, "the model");
                if (writer) writer->add(logits);
                const bitnet_token target = windows.target(window, position);
                if (!compares()) {
                    sums.nats.add(-of_model.values[static_cast<size_t>(target)]);
                } else {
                    if (base)
                        of_base.from_logits(base_logits[i++].data(), n_vocab());
                    else
                        base_file->next(of_base);
                    require_finite(of_base, window, position, "the base");
                    sums.add(of_base, of_model, target, base ? -700 : LogitsReader::kLeast);
                }
                if (run.windows.running && position + 2 == windows.n_ctx) show_running(window);
            });
            bar.update(static_cast<double>(w + n) / static_cast<double>(windows.n_windows));
        }
        if (writer) writer->finish();
    }

    static void require_finite(const LogProbs& log_probs, size_t window, int32_t position, const char* whose) {
        if (log_probs.finite) return;
        throw Failure{kExitFailure, std::string(whose) + " gives no finite probabilities at position " +
                                        std::to_string(position) + " of window " + std::to_string(window + 1) +
                                        "; weights or kernel are damaged"};
    }
    void show_running(size_t window) const {
        const double perplexity = exp_of(sums.nats.mean());
        std::fprintf(stderr, "[%zu] perplexity %.4f +/- %.4f", window + 1, perplexity, perplexity * sums.nats.error());
        if (compares()) std::fprintf(stderr, ", KL divergence %.6f +/- %.6f", sums.kld.mean(), sums.kld.error());
        std::fputc('\n', stderr);
    }
};

}  // namespace

int run_windows(const WindowRun& run) {
    require_model(run.model.path);
    const double start = now_ms();
    Scorer scorer(run);
    scorer.score();
    nlohmann::ordered_json out = figures(scorer.sums, scorer.compares());
    out["windows"] = scorer.windows.n_windows;
    out["ctx"] = scorer.windows.n_ctx;
    out["stride"] = scorer.windows.stride;
    if (run.json) {
        out["text"] = run.text_file;
        out["model"] = to_json(get_info(scorer.model.get()));
        write_out(dump(out) + "\n");
    } else {
        write_text(out);
    }
    flush_out();
    const double seconds = (now_ms() - start) / 1000;
    const double n_run = static_cast<double>(scorer.windows.n_windows) * static_cast<double>(scorer.windows.n_ctx);
    std::fprintf(stderr, "%.0f tokens in %.1f s, %.1f tokens/s, peak memory %s\n", n_run, seconds,
                 seconds > 0 ? n_run / seconds : 0.0, format_bytes(peak_memory_bytes()).c_str());
    return kExitOk;
}

}  // namespace cli
