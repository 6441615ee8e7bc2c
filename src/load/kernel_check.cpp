#include "src/load/kernel_check.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "ggml-like/arena.h"
#include "src/base/log.h"

namespace bitnet {
namespace {

// One token is another path through a kernel than a few, and those than many, for which rows are unpacked.
constexpr int64_t kColumns[] = {1, 5, 19};
constexpr int64_t kMostColumns = 19;

// Rows to check with: a whole tile and a piece of the next, two where tiles are small.
int64_t rows_of(const kern::MulMatKernel& kernel, int64_t n_rows) {
    return std::min(n_rows, (kernel.row_tile > 16 ? 1 : 2) * std::max<int64_t>(kernel.row_tile, 1) + 1);
}


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
    tg::Arena packed(kernel.pack != nullptr ? kernel.packed_bytes(n_rows, w.padded_k()) : 1, "kernel check");
    if (kernel.pack != nullptr) {
        for (int64_t row = 0; row < n_rows; row += tile) {
            kernel.pack(w.file_data, n_rows, w.padded_k(), row, std::min(row + tile, n_rows), packed.data());
        }
    }
    const size_t act_bytes = kernel.act->bytes(w.padded_k(), n_cols);
    tg::Arena acts(std::max<size_t>(act_bytes, 1), "kernel check");
    if (act_bytes != 0) kernel.act->pack(x.data(), w.padded_k(), w.padded_k(), n_cols, 0, n_cols, acts.data());
    std::vector<float> out(static_cast<size_t>(n_rows * n_cols));
    kern::MulMatArgs args{};
    args.weights = kernel.pack != nullptr ? packed.data() : w.file_data;
    args.weight_scale = w.tensor_scale;
    args.acts = act_bytes != 0 ? static_cast<const void*>(acts.data()) : x.data();
    args.act_stride = w.padded_k();
    args.out = out.data();
    args.out_stride = n_rows;
    args.k = w.padded_k();
    args.n_rows = kernel.pack != nullptr ? n_rows : w.n_rows;
    args.n_cols = n_cols;
    args.row_begin = 0;
    args.row_end = n_rows;
    kernel.run(args);
    return out;
}

bool agrees(const kern::MulMatKernel& kernel, const kern::MulMatKernel& scalar, const tg::Weight& w) {
    const int64_t n_rows = rows_of(kernel, w.n_rows);
    const std::vector<float> x = activations(w.padded_k() * kMostColumns);
    const std::vector<float> right = product(scalar, w, n_rows, kMostColumns, x);
    for (const int64_t n_cols : kColumns) {  // columns do not depend on each other
        const std::vector<float> out = product(kernel, w, n_rows, n_cols, x);
        if (std::memcmp(out.data(), right.data(), out.size() * sizeof(float)) != 0) return false;
    }
    return true;
}

// The kernels of a type in a list that run here, best first; the last one is the scalar one.
std::vector<const kern::MulMatKernel*> candidates(kern::QuantType type, size_t n,
                                                  const kern::MulMatKernel& (*at)(size_t),
                                                  kern::WeightLayout layout = kern::WeightLayout::stored) {
    std::vector<const kern::MulMatKernel*> found;
    for (size_t i = 0; i < n; ++i) {
        if (at(i).type == type && at(i).layout == layout && kern::runs_here(at(i).needs)) found.push_back(&at(i));
    }
    return found;
}

}  // namespace

// Replaces *chosen, one of these, until it agrees with the scalar kernel.
void KernelCheck::settle(const std::vector<const kern::MulMatKernel*>& all, const kern::MulMatKernel& scalar,
                         const tg::Weight& weight, const kern::MulMatKernel** chosen) {
    const auto at = std::find(all.begin(), all.end(), *chosen);
    auto next = at == all.end() ? all.begin() : at + 1;  // whatever comes before was not wanted
    while (*chosen != &scalar && (*chosen)->exact && !agrees(**chosen, scalar, weight)) {
        const kern::MulMatKernel* wrong = *chosen;
        *chosen = *next++;
        ++model_.n_kernel_fallbacks;
        model_.kernel_problem = std::string("kernel ") + wrong->name + " gives other sums than " + scalar.name +
                                " for '" + weight.name + "'; " + (*chosen)->name + " takes its place; please report it";
        log_message(BITNET_LOG_WARNING, model_.kernel_problem);
    }
    log_message(BITNET_LOG_DEBUG, std::string("kernel ") + (*chosen)->name + " checked with rows of " +
                                      std::to_string(weight.k) + " weights");
}

void KernelCheck::check(const tg::Weight& weight) {
    const kern::MulMatKernel*& stored = model_.kernels.mul_mat[static_cast<int>(weight.type)];
    const auto of_type = candidates(weight.type, kern::mul_mat_kernel_count(), kern::mul_mat_kernel_at);
    const kern::MulMatKernel& scalar = *of_type.back();
    if (checked_.emplace(weight.type, kern::WeightLayout::stored, weight.padded_k()).second) {
        settle(of_type, scalar, weight, &stored);
    }
    if (!checked_.emplace(weight.type, weight.layout, weight.padded_k()).second) return;
    // A layout is chosen to be fast: rather the kernel of the type than its scalar one, where that was not asked for.
    const kern::MulMatKernel*& chosen = model_.kernels.slot(weight.type, weight.layout);
    auto all = candidates(weight.type, kern::mul_mat_kernel_count(), kern::mul_mat_kernel_at, weight.layout);
    if (chosen == all.back()) all.erase(all.begin(), all.end() - 1);
    if (chosen != all.back()) all.pop_back();
    all.push_back(stored);
    settle(all, scalar, weight, &chosen);
}

void KernelCheck::check(tg::HeadScreen& screen) {
    const kern::MulMatKernel*& chosen = model_.kernels.screen[static_cast<int>(screen.rows.type)];
    const auto all = candidates(screen.rows.type, kern::screen_kernel_count(), kern::screen_kernel_at);
    settle(all, *all.back(), screen.rows, &chosen);
    screen.rows.kernel = chosen;
}

}  // namespace bitnet
