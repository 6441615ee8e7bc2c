#include "ggml-like/weight_pack.h"

#include <algorithm>

namespace tg {
namespace {

struct PackJob {
    const Weight& weight;
    void* packed;
    int n_threads;
};

void pack_share(int thread, void* user_data) {
    const PackJob& job = *static_cast<const PackJob*>(user_data);
    const Weight& w = job.weight;
    const int64_t tile = std::max<int64_t>(w.kernel->row_tile, 1);
    const int64_t tiles = (w.n_rows + tile - 1) / tile;
    const int64_t begin = std::min(tiles * thread / job.n_threads * tile, w.n_rows);
    const int64_t end = std::min(tiles * (thread + 1) / job.n_threads * tile, w.n_rows);
    if (begin < end) w.kernel->pack(w.file_data, w.n_rows, w.padded_k(), begin, end, job.packed);
}

}  // namespace

void pack_weight(Weight& weight, const kern::KernelSet& kernels, ThreadPool& pool, std::vector<Arena>* owned) {
    weight.kernel = &kernels.for_weight(weight.type, weight.layout);
    weight.data = weight.file_data;
    if (weight.kernel->pack == nullptr) return;
    Arena packed(weight.kernel->packed_bytes(weight.n_rows, weight.padded_k()), "packed weights");
    PackJob job{weight, packed.data(), pool.size()};
    pool.run(pack_share, &job);
    weight.data = packed.data();
    owned->push_back(std::move(packed));
}

}  // namespace tg
