// Rotary positions: the table of (cos, sin) of a step's tokens, in the CPU's own arithmetic (exact_math.h), and the turn of
// heads in place. A thread a pair.
#include "kernels/cuda/gpu_lanes.h"
#include "kernels/cuda/kernel_args.h"
#include "kernels/cuda/rope_pairs.h"

namespace kern::gpu {

GPU_KERNEL(rope_table, RopeTableArgs, 128) {
    for_each_number(args.n_tokens * args.n_pairs, [&](int64_t i) {
        const int64_t token = i / args.n_pairs;
        const RopeFrequency frequency = args.frequencies[i - token * args.n_pairs];
        float cosine, sine;
        exact::angle_value(args.positions[token], {frequency.high, frequency.low}, &cosine, &sine);
        args.out[2 * i] = cosine;
        args.out[2 * i + 1] = sine;
    });
}

GPU_KERNEL(rope, RopeArgs, 256) {
    const int64_t n_pairs = args.n_dims / 2;
    for_each_row(args.n_tokens, [&](int64_t token) {
        const float* table = args.table + token * args.n_dims;
        float* row = args.x + token * args.n_head * args.head_dim;
        for_each_number(args.n_head * n_pairs, [&](int64_t i) {
            const int64_t head = i / n_pairs, pair = i - head * n_pairs;
            turn_pair(row + head * args.head_dim, pair, table, n_pairs, args.halves != 0);
        });
    });
}

}  // namespace kern::gpu
