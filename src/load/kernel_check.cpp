#include "src/load/kernel_check.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "ggml-like/arena.h"
#include "kernels/cpu/cpu_features.h"
#include "src/base/log.h"

namespace bitnet {
namespace {

constexpr int64_t kTiles = 2;    // whole tiles of rows, and a piece of one more
constexpr int64_t kColumns = 5;  // one token is another path through a kernel than several

// Activations in -4..4 with the bits of splitmix64: the same in every run, and every code of a weight meets both signs.
std::vector<float> activations(int64_t n) {
    std::vector<float> values(static_cast<size_t>(n));
    uint64_t state = 0x42544e45;
    for (float& value : values) {
        uint64_t z = (state += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        value = static_cast<float>(static_cast<int64_t>(z >> 40) - (int64_t{1} << 23)) / float{1 << 21};
    }
    return values;
}

// The first n_rows of a weight times n_cols columns, the way the engine runs a kernel.
std::vector<float> product(const kern::MulMatKernel& kernel, const tg::Weight& w, int64_t n_rows, int64_t n_cols,
                           const std::vector<float>& x) {
    const int64_t tile = std::max<int64_t>(kernel.row_tile, 1);
    tg::Arena packed(kernel.pack != nullptr ? kernel.packed_bytes(n_rows, w.k) : 1, "kernel check");
    if (kernel.pack != nullptr) {
        for (int64_t row = 0; row < n_rows; row += tile) {
            kernel.pack(w.file_data, n_rows, w.k, row, std::min(row + tile, n_rows), packed.data());
        }
    }
    const size_t act_bytes = kernel.act->bytes(w.k, n_cols);
    tg::Arena acts(std::max<size_t>(act_bytes, 1), "kernel check");
    if (act_bytes != 0) kernel.act->pack(x.data(), w.k, w.k, n_cols, 0, n_cols, acts.data());
    std::vector<float> out(static_cast<size_t>(n_rows * n_cols));
    kern::MulMatArgs args{};
    args.weights = kernel.pack != nullptr ? packed.data() : w.file_data;
    args.weight_scale = w.tensor_scale;
    args.acts = act_bytes != 0 ? static_cast<const void*>(acts.data()) : x.data();
    args.act_stride = w.k;
    args.out = out.data();
    args.out_stride = n_rows;
    args.k = w.k;
    args.n_rows = n_rows;
    args.n_cols = n_cols;
    args.row_begin = 0;
    args.row_end = n_rows;
    kernel.run(args);
    return out;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
    return std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

bool agrees(const kern::MulMatKernel& kernel, const kern::MulMatKernel& scalar, const tg::Weight& w) {
    const int64_t n_rows = std::min(w.n_rows, kTiles * std::max<int64_t>(kernel.row_tile, 1) + 1);
    const std::vector<float> x = activations(w.k * kColumns);
    for (const int64_t n_cols : {int64_t{1}, kColumns}) {
        if (!same_bits(product(kernel, w, n_rows, n_cols, x), product(scalar, w, n_rows, n_cols, x))) return false;
    }
    return true;
}

// The kernels of a type that run here, best first; the last one is the scalar reference.
std::vector<const kern::MulMatKernel*> candidates(kern::QuantType type) {
    std::vector<const kern::MulMatKernel*> found;
    for (size_t i = 0; i < kern::mul_mat_kernel_count(); ++i) {
        const kern::MulMatKernel& kernel = kern::mul_mat_kernel_at(i);
        if (kernel.type == type && (kernel.needs & ~kern::cpu_features()) == 0) found.push_back(&kernel);
    }
    return found;
}

}  // namespace

void KernelCheck::check(const tg::Weight& weight) {
    if (!checked_.emplace(weight.type, weight.k).second) return;
    const std::vector<const kern::MulMatKernel*> all = candidates(weight.type);
    const kern::MulMatKernel& scalar = *all.back();
    const kern::MulMatKernel*& chosen = model_.kernels.mul_mat[static_cast<int>(weight.type)];
    const auto at = std::find(all.begin(), all.end(), chosen);
    auto next = at == all.end() ? all.begin() : at + 1;  // whatever comes before was not wanted
    while (chosen != &scalar && chosen->exact && !agrees(*chosen, scalar, weight)) {
        const kern::MulMatKernel* wrong = chosen;
        chosen = *next++;
        ++model_.n_kernel_fallbacks;
        model_.kernel_problem = std::string("kernel ") + wrong->name + " gives other sums than " + scalar.name +
                                " for '" + weight.name + "'; " + chosen->name + " takes its place; please report it";
        log_message(BITNET_LOG_WARNING, model_.kernel_problem);
    }
    log_message(BITNET_LOG_DEBUG, std::string("kernel ") + chosen->name + " checked with rows of " +
                                      std::to_string(weight.k) + " weights");
}

}  // namespace bitnet
