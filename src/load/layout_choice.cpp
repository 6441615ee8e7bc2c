#include "src/load/layout_choice.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <limits>
#include <map>
#include <mutex>
#include <tuple>
#include <vector>

#include "ggml-like/arena.h"
#include "ggml-like/tensor_error.h"
#include "ggml-like/thread_pool.h"
#include "kernels/packed_layouts.h"
#include "src/base/error.h"
#include "src/base/log.h"
#include "src/load/model_load.h"

namespace bitnet {
namespace {

constexpr const char* kAuto = "auto";

// Larger than what the caches of most machines keep of it while the other layouts are timed. A smaller model is timed in as
// much memory as it has: what stays in the caches then stays there while it runs, too.
constexpr uint64_t kLargestBlock = uint64_t{64} << 20;
constexpr int64_t kRunBytes = int64_t{4} << 20;  // of one timing
constexpr int kRounds = 5;
// A prompt: more columns than any kernel takes without unpacking rows for them, and how many products are timed.
constexpr int64_t kPromptCols = 64;
constexpr int64_t kPromptWork = int64_t{1} << 25;
// A packed copy costs time at load and memory that processes cannot share: less than this is no reason for one.
constexpr double kWorthwhile = 1.03;

bool is_candidate(const TensorPlacer::Placed& placed, const Model& model) {
    return placed.weight->type == kern::QuantType::i2_s && placed.weight != &model.weights.token_embd;
}

int64_t layout_bytes(const kern::MulMatKernel& kernel, int64_t n_rows, int64_t k) {
    if (kernel.pack != nullptr) return static_cast<int64_t>(kernel.packed_bytes(n_rows, k));
    return n_rows * static_cast<int64_t>(kern::quant_row_bytes(kernel.type, k));
}

// Columns times a matrix of any bytes: time does not depend on the weights.
class LayoutTimer {
public:
    LayoutTimer(const kern::KernelSet& kernels, uint64_t block_bytes, tg::ThreadPool& pool)
        : kernels_(kernels), pool_(pool), block_(static_cast<size_t>(block_bytes), "measuring layouts") {
        pool_.run(
            [](int index, void* self) {
                LayoutTimer& timer = *static_cast<LayoutTimer*>(self);
                const size_t n = timer.block_.size(), threads = static_cast<size_t>(timer.pool_.size());
                uint32_t state = static_cast<uint32_t>(index) + 1;
                for (size_t i = n * static_cast<size_t>(index) / threads;
                     i < n * static_cast<size_t>(index + 1) / threads; ++i) {
                    state = state * 1664525u + 1013904223u;
                    timer.block_.data()[i] = static_cast<uint8_t>(state >> 24);
                }
            },
            this);
    }

    // Seconds per row by layout, for a token that is generated and one of a prompt together; infinite for a layout that does
    // not take rows of k, or for which the block is too small.
    std::array<double, kern::kWeightLayoutCount> times(int64_t k, int64_t n_rows) {
        std::array<double, kern::kWeightLayoutCount> generated, prompted;
        generated.fill(std::numeric_limits<double>::infinity());
        prompted = generated;
        const std::vector<float> x(static_cast<size_t>(k), 1.0f);
        for (int round = 0; round < kRounds; ++round) {  // by turns, so that a disturbance meets all of them
            for (int i = 0; i < kern::kWeightLayoutCount; ++i) {
                const auto layout = static_cast<kern::WeightLayout>(i);
                if (!kern::weight_layout_takes(layout, k)) continue;
                const kern::MulMatKernel& kernel = kernels_.for_weight(kern::QuantType::i2_s, layout);
                const auto at = static_cast<size_t>(i);
                generated[at] = std::min(generated[at], time(kernel, k, n_rows, x, 1));
                prompted[at] = std::min(prompted[at], time(kernel, k, n_rows, x, kPromptCols));
            }
        }
        for (size_t i = 0; i < generated.size(); ++i) generated[i] += prompted[i];
        return generated;
    }

private:
    struct Job {
        const kern::MulMatKernel* kernel;
        kern::MulMatArgs args;
        int n_threads;
    };

    static void run_share(int index, void* user_data) {
        const Job& job = *static_cast<const Job*>(user_data);
        kern::MulMatArgs args = job.args;
        const int64_t tiles = (args.n_rows + job.kernel->row_tile - 1) / job.kernel->row_tile;
        args.row_begin = std::min(tiles * index / job.n_threads * job.kernel->row_tile, args.n_rows);
        args.row_end = std::min(tiles * (index + 1) / job.n_threads * job.kernel->row_tile, args.n_rows);
        if (args.row_begin < args.row_end) job.kernel->run(args);
    }

    // Per row and column.
    double time(const kern::MulMatKernel& kernel, int64_t k, int64_t n_rows, const std::vector<float>& x,
                int64_t n_cols) {
        const int64_t room = static_cast<int64_t>(block_.size());
        if (n_cols > 1) n_rows = std::min(n_rows, std::max(kPromptWork / (k * n_cols), kernel.row_tile * pool_.size()));
        while (n_rows > kernel.row_tile && layout_bytes(kernel, n_rows, k) > room) n_rows /= 2;
        const int64_t bytes = layout_bytes(kernel, n_rows, k);
        if (bytes > room) return std::numeric_limits<double>::infinity();
        tg::Arena acts(std::max<size_t>(kernel.act->bytes(k, n_cols), 1), "measuring layouts");
        if (kernel.act->pack != nullptr) kernel.act->pack(x.data(), 0, k, n_cols, 0, n_cols, acts.data());
        std::vector<float> out(static_cast<size_t>(n_rows * n_cols));
        Job job{&kernel, {}, pool_.size()};
        job.args.weight_scale = 1.0f;
        job.args.acts = kernel.act->pack != nullptr ? static_cast<const void*>(acts.data()) : x.data();
        job.args.act_stride = 0;  // all columns are alike
        job.args.out = out.data();
        job.args.out_stride = n_rows;
        job.args.k = k;
        job.args.n_rows = n_rows;
        job.args.n_cols = n_cols;
        const int64_t n_runs = n_cols > 1 ? 1 : std::max<int64_t>(kRunBytes / bytes, 1);
        const auto begin = std::chrono::steady_clock::now();
        for (int64_t i = 0; i < n_runs; ++i) {  // on through the block, where this run's bytes are the longest unread
            if (at_ + bytes > room) at_ = 0;
            job.args.weights = block_.data() + at_;
            at_ += (bytes + 63) / 64 * 64;
            pool_.run(run_share, &job);
        }
        const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
        return seconds.count() / static_cast<double>(n_runs * n_rows * n_cols);
    }

    const kern::KernelSet& kernels_;
    tg::ThreadPool& pool_;
    tg::Arena block_;
    int64_t at_ = 0;
};

// What was measured in this process: by the kernels, threads, shape and memory.
using MeasuredKey = std::tuple<std::string, int, int64_t, int64_t, uint64_t>;
std::mutex measured_mutex;
std::map<MeasuredKey, kern::WeightLayout> measured;

kern::WeightLayout fastest(const std::array<double, kern::kWeightLayoutCount>& times) {
    const auto best = std::min_element(times.begin(), times.end());
    return times[0] < *best * kWorthwhile ? kern::WeightLayout::stored
                                          : static_cast<kern::WeightLayout>(best - times.begin());
}

void log_choice(int64_t k, int64_t n_rows, int n_threads, kern::WeightLayout layout,
                const std::array<double, kern::kWeightLayoutCount>& times) {
    std::string text = "matrices of " + std::to_string(n_rows) + " rows of " + std::to_string(k) + " weights become " +
                       kern::weight_layout_name(layout) + "; speed for a token generated and one of a prompt on " +
                       std::to_string(n_threads) + (n_threads == 1 ? " thread" : " threads") + " against i2s:";
    for (int i = 1; i < kern::kWeightLayoutCount; ++i) {
        char number[32];
        std::snprintf(number, sizeof number, " %.2f", times[0] / times[static_cast<size_t>(i)]);
        text +=
            std::string(i == 1 ? " " : ", ") + kern::weight_layout_name(static_cast<kern::WeightLayout>(i)) + number;
    }
    log_message(BITNET_LOG_INFO, text);
}

void choose_by_time(const LoadOptions& options, const TensorPlacer& placer, Model& model) {
    uint64_t total = 0;
    for (const TensorPlacer::Placed& placed : placer.placed()) {
        if (is_candidate(placed, model))
            total +=
                static_cast<uint64_t>(placed.weight->n_rows) * static_cast<uint64_t>(placed.weight->padded_k() / 4);
    }
    if (total == 0) return;
    const uint64_t block_bytes = std::min(total, kLargestBlock);
    const std::string kernel = model.kernels.for_type(kern::QuantType::i2_s).name;
    const std::lock_guard<std::mutex> lock(measured_mutex);
    MemoryCharge charge;
    std::unique_ptr<tg::ThreadPool> pool;
    std::unique_ptr<LayoutTimer> timer;
    for (const TensorPlacer::Placed& placed : placer.placed()) {
        if (!is_candidate(placed, model)) continue;
        tg::Weight& weight = *placed.weight;
        const MeasuredKey key(kernel, options.n_threads, weight.padded_k(), weight.n_rows, block_bytes);
        auto known = measured.find(key);
        if (known == measured.end()) {
            if (timer == nullptr) {
                charge.resize(block_bytes, options.memory_limit, "measuring layouts",
                              "choose a quantization instead of auto");
                pool = std::make_unique<tg::ThreadPool>(options.n_threads);
                timer = std::make_unique<LayoutTimer>(model.kernels, block_bytes, *pool);
            }
            const auto times = timer->times(weight.padded_k(), weight.n_rows);
            known = measured.emplace(key, fastest(times)).first;
            log_choice(weight.padded_k(), weight.n_rows, options.n_threads, known->second, times);
        }
        weight.layout = known->second;
    }
}

}  // namespace

void require_quantization(const std::string& name) {
    kern::WeightLayout layout;
    if (name.empty() || name == kAuto || kern::find_weight_layout(name.c_str(), &layout)) return;
    throw Error(BITNET_E_CONFIG,
                "quantization '" + name.substr(0, 32) + "' is unknown; known are i2s, t5, tl1, tl2 and auto")
        .with_subject("quantization");
}

void choose_layouts(const LoadOptions& options, const TensorPlacer& placer, Model& model) {
    if (model.on_gpu()) {
        if (options.quantization.empty() || options.quantization == kAuto || options.quantization == "i2s") return;
        throw Error(BITNET_E_CONFIG,
                    "quantization '" + options.quantization +
                        "' is a layout of the CPU's; leave it out, or write i2s or auto, with device " + model.device())
            .with_subject("quantization");
    }
    if (options.quantization == kAuto) return choose_by_time(options, placer, model);
    kern::WeightLayout layout = kern::WeightLayout::stored;
    if (!options.quantization.empty()) kern::find_weight_layout(options.quantization.c_str(), &layout);
    for (const TensorPlacer::Placed& placed : placer.placed()) {
        if (!is_candidate(placed, model)) continue;
        if (kern::weight_layout_takes(layout, placed.weight->padded_k())) {
            placed.weight->layout = layout;
        } else {
            log_message(BITNET_LOG_INFO,
                        "'" + placed.weight->name + "' stays i2s: its rows are too long for " + options.quantization);
        }
    }
}

}  // namespace bitnet
