#include "src/load/weight_check.h"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "kernels/ternary_layouts.h"
#include "src/base/error.h"

namespace bitnet {
namespace {

struct CheckJob {
    const tg::Weight& weight;
    int n_threads;
    std::atomic<int64_t> bad_row;
};

void check_share(int thread, void* user_data) {
    CheckJob& job = *static_cast<CheckJob*>(user_data);
    const tg::Weight& w = job.weight;
    const uint64_t bytes = kern::quant_row_bytes(w.type, w.padded_k());
    const int64_t begin = w.n_rows * thread / job.n_threads, end = w.n_rows * (thread + 1) / job.n_threads;
    for (int64_t row = begin; row < end; ++row) {
        if (codes_valid(w.type, w.file_data + static_cast<uint64_t>(row) * bytes, w.padded_k())) continue;
        int64_t known = job.bad_row.load(std::memory_order_relaxed);
        while (row < known && !job.bad_row.compare_exchange_weak(known, row, std::memory_order_relaxed)) {
        }
        return;
    }
}

}  // namespace

bool codes_valid(kern::QuantType type, const uint8_t* bytes, int64_t n) noexcept {
    switch (type) {
        case kern::QuantType::i2_s: return kern::ternary_codes_valid(bytes, static_cast<size_t>(n / 4));
        case kern::QuantType::tq2_0: return kern::tq2_0_blocks_valid(bytes, static_cast<size_t>(n / kern::kTqBlock));
        case kern::QuantType::tq1_0: return kern::tq1_0_blocks_valid(bytes, static_cast<size_t>(n / kern::kTqBlock));
        default: return true;
    }
}

void check_weight_codes(const tg::Weight& weight, tg::ThreadPool& pool) {
    if (!kern::quant_type_info(weight.type).ternary) return;
    CheckJob job{weight, pool.size(), weight.n_rows};
    pool.run(check_share, &job);
    const int64_t bad_row = job.bad_row.load(std::memory_order_relaxed);
    if (bad_row < weight.n_rows) {
        throw Error(BITNET_E_GGUF_TENSOR_DATA, "tensor '" + weight.name + "' row " + std::to_string(bad_row) +
                                                   " holds codes that mean no ternary weight; the file is damaged or mislabelled")
            .with_subject(weight.name);
    }
}

void check_norm(const std::string& name, const NormWeight& norm) {
    const auto bad = std::find_if(norm.begin(), norm.end(), [](float value) { return !std::isfinite(value); });
    if (bad == norm.end()) return;
    throw Error(BITNET_E_GGUF_TENSOR_DATA, "tensor '" + name + "' has a value that is not finite at index " +
                                               std::to_string(bad - norm.begin()) + "; the file is damaged")
        .with_subject(name);
}

void check_divisors(const std::string& name, const NormWeight& values) {
    const auto bad = std::find_if(values.begin(), values.end(), [](float value) { return !(value > 0.0f); });
    if (bad == values.end()) return;
    throw Error(BITNET_E_GGUF_TENSOR_DATA, "tensor '" + name + "' has a value that is not above 0 at index " +
                                               std::to_string(bad - values.begin()) + "; the file is damaged")
        .with_subject(name);
}

}  // namespace bitnet
