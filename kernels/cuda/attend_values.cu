// Attention behind the scores: softmax and the weighted sums of the values, out[d] = (sum of e * v[d]) * (1 / sum of e).
//
// A sum adds its cells one by one, so one sum takes as long as its additions take one after the other, and no grid is faster.
// What is left is that nothing else holds it up: a warp that adds finds weights and values as floats in shared memory,
// while the threads that produce them are two or three tiles of cells ahead: a tile in shared memory, the next one on
// its way from memory into their registers, the numbers of the cells behind that.
//
// attend_values_1: a block for 32 dimensions of one query head; one warp adds, eight produce, in two groups that take turns.
// attend_values_4, _8: a warp adds four or eight queries (of one KV head), all warps produce; for many tokens.
#include "kernels/cuda/attend_tile.h"

namespace kern::gpu {
namespace {

constexpr int kSlice = 32;  // dimensions: a thread each
constexpr int kItems = 4;   // eight values each, that a thread produces of a tile

// What a block's threads share (AttendShape::shared_bytes); tiles are double.
template <class S>
struct Shared {
    Query* queries;  // [n_queries]
    float* values;   // [2][cells][n_slices * kSlice]
    float* weights;  // [2][n_queries][cells]
    float* maxima;   // [kAttendQueries], of warps
    int n_slices;
    int n_queries;

    GPU_MEMBER Shared(unsigned char* memory, int slices, int n) : n_slices(slices), n_queries(n) {
        queries = reinterpret_cast<Query*>(memory);
        values = reinterpret_cast<float*>(queries + n);
        weights = values + 2 * S::cells * slices * kSlice;
        maxima = weights + 2 * S::cells * n;
    }
    // Known where one warp adds for all: its loads then need no arithmetic for their addresses.
    GPU_MEMBER int width() const { return S::groups > 1 ? kSlice : n_slices * kSlice; }
    GPU_MEMBER float* value_tile(int t) const { return values + (t & 1) * S::cells * width(); }
    GPU_MEMBER float* weight_tile(int t) const { return weights + (t & 1) * S::cells * n_queries; }
};

// Where each query is and what it sees; the largest score of each, NaNs passed over.
template <class S>
GPU_FUNCTION void find_queries(const GpuAttendArgs& args, const AttendBlock& block, const Shared<S>& shared) {
    const int n_queries = shared.n_queries, tid = static_cast<int>(threadIdx.x);
    if (tid < n_queries) shared.queries[tid] = query_of(args, block, tid);
    __syncthreads();
    const int n_warps = static_cast<int>(blockDim.x / kWarp), lane = tid % kWarp;
    const int parts = n_warps > n_queries ? n_warps / n_queries : 1;  // warps for a query
    for (int u = tid / kWarp; u < n_queries * parts; u += n_warps) {
        const Query query = shared.queries[u / parts];
        const int n = query.end - query.begin;
        float m = minus_infinity();
#pragma unroll 8
        for (int j = u % parts * kWarp + lane; j < n; j += parts * kWarp) m = larger(query.scores[j], m);
        m = warp_max(m);
        if (lane == 0) shared.maxima[u] = m;
    }
    __syncthreads();
    if (tid < n_queries) {
        float m = shared.maxima[tid * parts];
        for (int part = 1; part < parts; ++part) m = larger(shared.maxima[tid * parts + part], m);
        shared.queries[tid].largest = m;
    }
    __syncthreads();
}

// Eight values from d on, a multiple of 8, as the cache has them: halves, or two words of codes and a scale.
GPU_FUNCTION Bytes16 load_raw(const GpuAttendArgs& args, const uint8_t* row, int d) {
    if (args.v.type == KvType::f16) {
        return args.wide ? load_halves<true>(row, d, args.head_dim) : load_halves<false>(row, d, args.head_dim);
    }
    const int block = d / kSlice;
    const uint8_t* codes = args.v.type == KvType::q8_0 ? row + d : row + block * (kSlice / 2) + d % (kSlice / 2);
    const Bytes8 eight = args.wide ? load_codes<true>(codes) : load_codes<false>(codes);
    const uint16_t scale = reinterpret_cast<const uint16_t*>(row + args.v.scales_at)[block];
    return Bytes16{{eight.word[0], eight.word[1], scale, 0}};
}

GPU_FUNCTION void to_floats(KvType type, const Bytes16& raw, int d, float (&out)[8]) {
    if (type == KvType::f16) {
#pragma unroll
        for (int i = 0; i < 8; ++i) out[i] = half_of(raw, i);
        return;
    }
    const float scale = half_to_float(static_cast<uint16_t>(raw.word[2]));
    uint32_t words[2] = {raw.word[0], raw.word[1]};
    if (type == KvType::q4_0) {
        const bool high = d % kSlice >= kSlice / 2;
#pragma unroll
        for (int w = 0; w < 2; ++w) words[w] = high ? q4_high(words[w]) : q4_low(words[w]);
    }
#pragma unroll
    for (int i = 0; i < 8; ++i) out[i] = static_cast<float>(static_cast<int8_t>(words[i / 4] >> (8 * (i % 4)))) * scale;
}

// One thread's share of making tiles, and what it has in registers on the way: items of eight dimensions of a cell, always
// the same dimensions; and scores.
template <class S>
struct Producer {
    const GpuAttendArgs& args;
    const Shared<S>& shared;
    const int32_t* list;  // the block's cells
    const uint8_t* rows;  // the KV head's values
    int n_places;         // of the list
    int thread;           // among those of its group
    int n_threads;
    int d;       // of the head
    int in_row;  // of the tile's row
    int first_cell;
    int step;  // between the cells of two items
    int32_t cells[kItems];
    Bytes16 raw[kItems];
    float scores[S::queries];

    GPU_MEMBER Producer(const GpuAttendArgs& a, const Shared<S>& s, const AttendBlock& block, int t, int n)
        : args(a), shared(s), thread(t), n_threads(n) {
        const int chunks = shared.width() / 8;  // divides n_threads
        list = args.cells + block.low;
        rows = args.v.base + block.kv_head * args.n_cells_all * args.v.head_bytes;
        n_places = block.n_places;
        first_cell = thread / chunks;
        step = n_threads / chunks;
        in_row = (thread - first_cell * chunks) * 8;
        d = static_cast<int>(blockIdx.x) * shared.width() + in_row;
    }
    GPU_MEMBER void fetch_cells(int tile) {
#pragma unroll
        for (int r = 0; r < kItems; ++r) {
            const int c = first_cell + r * step, place = tile * S::cells + c;
            cells[r] = c < S::cells && place < n_places ? list[place] : -1;
        }
    }
    // The values of the cells fetched before, and the tile's scores.
    GPU_MEMBER void fetch_values(int tile) {
#pragma unroll
        for (int r = 0; r < kItems; ++r) {
            raw[r] = no_bytes16();
            if (cells[r] >= 0 && d < args.head_dim) raw[r] = load_raw(args, rows + cells[r] * args.v.head_bytes, d);
        }
#pragma unroll
        for (int r = 0; r < S::queries; ++r) {
            const int item = thread + r * n_threads, i = item / S::cells;
            scores[r] = minus_infinity();  // not seen: a weight of 0, or of NaN where all of the query's are
            if (i < shared.n_queries) {
                const Query& query = shared.queries[i];
                const int place = tile * S::cells + item % S::cells;
                if (place >= query.begin && place < query.end) scores[r] = query.scores[place - query.begin];
            }
        }
    }
    // Into shared memory, as floats and as weights.
    GPU_MEMBER void put(int tile) {
        float* values = shared.value_tile(tile);
        float* weights = shared.weight_tile(tile);
#pragma unroll
        for (int r = 0; r < kItems; ++r) {
            const int c = first_cell + r * step;
            if (c < S::cells) {
                float out[8];
                to_floats(args.v.type, raw[r], d, out);
                auto* to = reinterpret_cast<Floats4*>(values + c * shared.width() + in_row);
                to[0] = Floats4{{out[0], out[1], out[2], out[3]}};
                to[1] = Floats4{{out[4], out[5], out[6], out[7]}};
            }
        }
#pragma unroll
        for (int r = 0; r < S::queries; ++r) {
            const int item = thread + r * n_threads, i = item / S::cells;
            if (i < shared.n_queries) weights[item] = exact::exp_value(scores[r] - shared.queries[i].largest);
        }
    }
};

// One warp's sums: a dimension a thread, S::queries queries from `first` on.
template <class S>
struct Adder {
    static constexpr int kPairs = (S::queries + 1) / 2;

    const Shared<S>& shared;
    int first;
    int n;  // queries that there are
    int in_row;
    float sums[S::queries] = {};
    float weight_sums[kPairs] = {};  // a lane of the sum of query 2 k in threads 0..15, of 2 k + 1 in the others

    GPU_MEMBER Adder(const Shared<S>& s, int first_query, int dimension)
        : shared(s), first(first_query), n(s.n_queries - first_query), in_row(dimension) {
        if (n > S::queries) n = S::queries;
    }
    GPU_MEMBER const Query& query(int j) const { return shared.queries[j < n ? first + j : first]; }

    // All weights of a tile. A lane adds every sixteenth place of the block's; in the query's own list that is every sixteenth
    // place too, of a lane some steps further round. The tree pairs lanes by their distance, so it gives the same bits.
    GPU_MEMBER void add_weights(const float* weights) {
        const int lane = static_cast<int>(threadIdx.x % kLanes),
                  second = static_cast<int>(threadIdx.x % kWarp / kLanes);
#pragma unroll
        for (int k = 0; k < kPairs; ++k) {
            const int j = S::queries == 1 ? 0 : 2 * k + second;
            if (j < n) {
                const float* row = weights + (first + j) * S::cells;
#pragma unroll
                for (int c = 0; c < S::cells; c += kLanes) weight_sums[k] = weight_sums[k] + row[lane + c];
            }
        }
    }

    // Whether all queries see all places of [low, high).
    GPU_MEMBER bool see_all(int low, int high) const {
        bool all = true;
#pragma unroll
        for (int j = 0; j < S::queries; ++j) {
            all = all && query(j).begin <= low && query(j).end >= high;
        }
        return all;
    }

    GPU_MEMBER void add_values(const float* values, const float* weights) {
        const float* v = values + in_row;
#pragma unroll(8 / S::queries)
        for (int c = 0; c < S::cells; c += 4) {
            Floats4 e[S::queries];
            float value[4];
#pragma unroll
            for (int j = 0; j < S::queries; ++j) {
                const int i = j < n ? first + j : first;
                e[j] = *reinterpret_cast<const Floats4*>(weights + i * S::cells + c);
            }
#pragma unroll
            for (int k = 0; k < 4; ++k) value[k] = v[(c + k) * shared.width()];
#pragma unroll
            for (int k = 0; k < 4; ++k) {
#pragma unroll
                for (int j = 0; j < S::queries; ++j) sums[j] = sums[j] + e[j].f[k] * value[k];
            }
        }
    }

    // The same where some queries do not see some of the cells: those must not even be multiplied by 0, as they may be
    // infinite.
    GPU_MEMBER void add_seen_values(const float* values, const float* weights, int low) {
#pragma unroll
        for (int j = 0; j < S::queries; ++j) {
            const float* row = weights + (j < n ? first + j : first) * S::cells;
            const int begin = query(j).begin - low, end = query(j).end - low;
            const int to = end < S::cells ? end : S::cells;
            for (int c = begin > 0 ? begin : 0; c < to; ++c) {
                sums[j] = sums[j] + row[c] * values[c * shared.width() + in_row];
            }
        }
    }

    GPU_MEMBER void finish(const GpuAttendArgs& args, int d) {
#pragma unroll
        for (int k = 0; k < kPairs; ++k) {
            const float factor = 1.0f / lanes_tree(weight_sums[k]);
#pragma unroll
            for (int j = 2 * k; j < 2 * k + 2 && j < S::queries; ++j) {
                const float own = __shfl_sync(kWholeWarp, factor, j % 2 * kLanes);
                if (j < n && d < args.head_dim) query(j).out[d] = canonical_nan(sums[j] * own);
            }
        }
    }
};

template <class S>
GPU_FUNCTION void attend_values(const GpuAttendArgs& args) {
    const AttendBlock block(args, args.first_tile + static_cast<int>(blockIdx.z));
    const Shared<S> shared(gpu_dynamic_shared<unsigned char>(), args.block_slices, block.n_queries());
    const int warp = static_cast<int>(threadIdx.x / kWarp), lane = static_cast<int>(threadIdx.x % kWarp);
    const int in_row = warp % args.block_slices * kSlice + lane;
    const int first_query = warp / args.block_slices * S::queries;
    const bool adds = first_query < shared.n_queries && (S::groups == 1 || warp == 0);
    // Producers: all warps, or those behind the one that adds.
    constexpr int kFirst = S::groups == 1 ? 0 : kWarp;
    const int n_producers = (static_cast<int>(blockDim.x) - kFirst) / S::groups;
    const int producer = static_cast<int>(threadIdx.x) - kFirst;
    const int group = producer < 0 ? -1 : producer / n_producers;

    find_queries(args, block, shared);
    Producer<S> make(args, shared, block, producer - group * n_producers, n_producers);
    Adder<S> adder(shared, adds ? first_query : 0, in_row);
    const int n_places = block.n_places, n_tiles = (n_places + S::cells - 1) / S::cells;
    // Tile t belongs to group t mod groups. When t is put into shared memory, its makers go on with the values of
    // t + groups, whose cells they know by then, and with the cells of t + 2 * groups.
    if (group >= 0) {
        make.fetch_cells(group);
        make.fetch_values(group);
        make.fetch_cells(group + S::groups);
    }
    for (int t = -1; t < n_tiles; ++t) {
        if (group >= 0 && (t + 1) % S::groups == group) {
            make.put(t + 1);
            make.fetch_values(t + 1 + S::groups);
            make.fetch_cells(t + 1 + 2 * S::groups);
        }
        if (adds && t >= 0) {
            const float* values = shared.value_tile(t);
            const float* weights = shared.weight_tile(t);
            const int low = t * S::cells, high = low + S::cells < n_places ? low + S::cells : n_places;
            // Behind the last cell lie weights and values of 0: a sum is never -0, so adding +0 changes nothing.
            if (adder.see_all(low, high)) {
                adder.add_values(values, weights);
            } else {
                adder.add_seen_values(values, weights, low);
            }
            adder.add_weights(weights);
        }
        __syncthreads();
    }
    if (adds) adder.finish(args, static_cast<int>(blockIdx.x) * shared.width() + in_row);
}

}  // namespace

GPU_KERNEL(attend_values_1, GpuAttendArgs, 384) { attend_values<AttendOne>(args); }

GPU_KERNEL(attend_values_4, GpuAttendArgs, 512) { attend_values<AttendFour>(args); }

GPU_KERNEL(attend_values_8, GpuAttendArgs, 512) { attend_values<AttendEight>(args); }

}  // namespace kern::gpu
