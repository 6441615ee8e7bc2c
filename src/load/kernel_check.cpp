#include "src/load/kernel_check.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "src/base/log.h"
#include "src/load/check_products.h"

namespace bitnet {
namespace {

// Rows to check with: a whole tile and a piece of the next, two where tiles are small.
int64_t rows_of(const kern::MulMatKernel& kernel, int64_t n_rows) {
    return std::min(n_rows, (kernel.row_tile > 16 ? 1 : 2) * std::max<int64_t>(kernel.row_tile, 1) + 1);
}

bool agrees(const kern::MulMatKernel& kernel, const kern::MulMatKernel& scalar, const tg::Weight& w) {
    const int64_t n_rows = rows_of(kernel, w.n_rows);
    const std::vector<float> x = check_activations(w.padded_k() * kMostCheckColumns);
    const std::vector<float> right = check_product(scalar, w, n_rows, kMostCheckColumns, x);
    for (const int64_t n_cols : kCheckColumns) {  // columns do not depend on each other
        const std::vector<float> out = check_product(kernel, w, n_rows, n_cols, x);
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
