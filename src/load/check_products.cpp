#include "src/load/check_products.h"

#include <algorithm>

#include "ggml-like/arena.h"

namespace bitnet {

// The bits of splitmix64.
std::vector<float> check_activations(int64_t n) {
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

std::vector<float> check_product(const kern::MulMatKernel& kernel, const tg::Weight& w, int64_t n_rows, int64_t n_cols,
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

}  // namespace bitnet
