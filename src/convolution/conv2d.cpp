// The sum of an output is cut every kDepth weights, whatever the shape: that, and nothing about tiles or threads, is part of
// what its bits are.
#include "src/convolution/conv2d.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <initializer_list>
#include <string>

#include "ggml-like/arena.h"
#include "ggml-like/thread_pool.h"
#include "src/base/checked_math.h"
#include "src/base/error.h"

namespace bitnet {
namespace {

constexpr int64_t kDepth = 256;
constexpr int64_t kTile = 128;  // positions; kDepth x kTile floats are 128 KiB, which an L2 cache holds
constexpr int64_t kRows = 4;    // output channels of VecKernels::product4
constexpr uint64_t kMostFloats = uint64_t{1} << 45;
constexpr uint64_t kMostReach = uint64_t{1} << 47;
constexpr int64_t kWorthThreads = 1 << 20;  // multiplications for which starting a thread pays

[[noreturn]] void bad_shape(const std::string& text) { throw Error(BITNET_E_ARGUMENT, text); }

ConvAxis axis_of(const char* name, uint64_t input, uint64_t weights, uint64_t stride, uint64_t padding,
                 uint64_t dilation) {
    const std::string where = std::string("the convolution's ") + name + ": ";
    if (stride == 0 || dilation == 0) bad_shape(where + "stride and dilation must be at least 1");
    uint64_t padded = 0;
    uint64_t reach = 0;
    if (!checked_mul(padding, 2, &padded) || !checked_add(padded, input, &padded) || padded > kMostReach) {
        bad_shape(where + "an input of " + std::to_string(input) + " with " + std::to_string(padding) +
                  " of padding on each side is larger than any memory");
    }
    if (!checked_mul(dilation, weights - 1, &reach) || reach >= padded) {
        bad_shape(where + std::to_string(weights) + " weights, " + std::to_string(dilation) +
                  " apart, reach over the padded input of " + std::to_string(padded) +
                  "; pad more or use a smaller kernel");
    }
    ConvAxis axis;
    axis.input = static_cast<int64_t>(input);
    axis.weights = static_cast<int64_t>(weights);
    // One position is all there is beyond these, so they change nothing.
    axis.stride = static_cast<int64_t>(std::min(stride, kMostReach));
    axis.dilation = static_cast<int64_t>(std::min(dilation, kMostReach));
    axis.padding = static_cast<int64_t>(padding);
    axis.output = static_cast<int64_t>((padded - reach - 1) / stride + 1);
    return axis;
}

void require_count(const char* what, std::initializer_list<int64_t> factors) {
    uint64_t n = 1;
    for (const int64_t factor : factors) {
        if (!checked_mul(n, static_cast<uint64_t>(factor), &n) || n > kMostFloats) {
            bad_shape(std::string("the convolution's ") + what + ": more values than any memory holds");
        }
    }
}

struct Work {
    const kern::VecKernels& kernels;
    const ConvShape& shape;
    const ConvWeights& weights;
    const float* input;
    const float* bias;
    float* out;
    int64_t n_tiles;   // of an image
    int64_t n_groups;  // of kRows output channels
    int64_t n_splits;  // parts of the groups that items share
    int64_t n_items;
    uint8_t* scratch;  // scratch_bytes() for each thread
    std::atomic<int64_t> next{0};
};

struct Scratch {
    float values[kDepth * kTile];
    float packed[kDepth * kRows];
    float sums[kRows * kTile];
};

// The first position whose input is at or behind `from`, for input = position * stride + offset.
int64_t first_position(int64_t from, int64_t offset, int64_t stride) {
    return offset >= from ? 0 : (from - offset + stride - 1) / stride;
}

// Inputs that weights [w0, w0 + depth) of an output channel meet at positions [p0, p0 + n).
void gather(const ConvShape& s, const float* image, int64_t w0, int64_t depth, int64_t p0, int64_t n, float* values) {
    const int64_t per_plane = s.y.weights * s.x.weights;
    for (int64_t w = w0; w < w0 + depth; ++w, values += kTile) {
        const float* plane = image + w / per_plane * (s.y.input * s.x.input);
        const int64_t row_offset = w % per_plane / s.x.weights * s.y.dilation - s.y.padding;
        const int64_t offset = w % s.x.weights * s.x.dilation - s.x.padding;
        // Positions of a row that lie inside of the input.
        const int64_t inside = std::min(first_position(0, offset, s.x.stride), s.x.output);
        const int64_t outside = std::clamp(first_position(s.x.input, offset, s.x.stride), inside, s.x.output);
        std::memset(values, 0, sizeof(float) * kTile);
        for (int64_t p = p0; p < p0 + n;) {
            const int64_t y = p / s.x.output;
            const int64_t row_start = y * s.x.output;
            const int64_t end = std::min(p0 + n, row_start + s.x.output);
            const int64_t row = y * s.y.stride + row_offset;
            if (row >= 0 && row < s.y.input) {
                const int64_t from = std::max(p - row_start, inside);
                const int64_t to = std::min(end - row_start, outside);
                if (from < to) {
                    const float* src = plane + row * s.x.input + (from * s.x.stride + offset);
                    float* dst = values + (row_start + from - p0);
                    if (s.x.stride == 1) {
                        std::memcpy(dst, src, sizeof(float) * static_cast<size_t>(to - from));
                    } else {
                        for (int64_t i = 0; i < to - from; ++i) dst[i] = src[i * s.x.stride];
                    }
                }
            }
            p = end;
        }
    }
}

// Weights [w0, w0 + depth) of kRows channels, one after the other for each weight; zeros for channels that there are not.
void pack(const Work& work, int64_t channel, int64_t w0, int64_t depth, Scratch* scratch) {
    const int64_t per_channel = work.shape.per_channel();
    for (int64_t r = 0; r < kRows; ++r) {
        float* dst = scratch->packed + r;
        if (channel + r >= work.shape.out_channels) {
            for (int64_t t = 0; t < depth; ++t) dst[t * kRows] = 0.0f;
            continue;
        }
        const int64_t first = (channel + r) * per_channel + w0;
        if (work.weights.floats != nullptr) {
            const float* src = work.weights.floats + first;
            for (int64_t t = 0; t < depth; ++t) dst[t * kRows] = src[t];
        } else {
            decode_conv_codes(*work.weights.codec, work.weights.scales[channel + r], work.weights.codes,
                              static_cast<uint64_t>(first), static_cast<uint64_t>(depth), dst, kRows);
        }
    }
}

// Some output channels at a tile of positions of an image.
void run_item(const Work& work, int64_t item, Scratch* scratch) {
    const ConvShape& s = work.shape;
    const int64_t split = item % work.n_splits;
    const int64_t image = item / work.n_splits / work.n_tiles;
    const int64_t p0 = item / work.n_splits % work.n_tiles * kTile;
    const int64_t n = std::min(kTile, s.positions() - p0);
    const int64_t begin = work.n_groups * split / work.n_splits * kRows;
    const int64_t end = std::min(work.n_groups * (split + 1) / work.n_splits * kRows, s.out_channels);
    float* out = work.out + image * s.out_channels * s.positions() + p0;
    for (int64_t o = begin; o < end; ++o) {
        std::fill_n(out + o * s.positions(), n, work.bias != nullptr ? work.bias[o] : 0.0f);
    }
    const float* pixels = work.input + image * s.in_channels * s.y.input * s.x.input;
    for (int64_t w0 = 0; w0 < s.per_channel(); w0 += kDepth) {
        const int64_t depth = std::min(kDepth, s.per_channel() - w0);
        gather(s, pixels, w0, depth, p0, n, scratch->values);
        for (int64_t o = begin; o < end; o += kRows) {
            pack(work, o, w0, depth, scratch);
            work.kernels.product4(scratch->packed, scratch->values, kTile, depth, (n + 15) / 16 * 16, scratch->sums,
                                  kTile);
            for (int64_t r = 0; r < std::min(kRows, end - o); ++r) {
                float* row = out + (o + r) * s.positions();
                work.kernels.add(row, scratch->sums + r * kTile, row, n);
            }
        }
    }
}

constexpr uint64_t kScratchBytes = (sizeof(Scratch) + 63) / 64 * 64;

void run_items(int thread, void* user_data) {
    Work& work = *static_cast<Work*>(user_data);
    Scratch* scratch = reinterpret_cast<Scratch*>(work.scratch + static_cast<uint64_t>(thread) * kScratchBytes);
    for (int64_t item = work.next++; item < work.n_items; item = work.next++) run_item(work, item, scratch);
}

}  // namespace

ConvShape conv_shape(const uint64_t input_dims[4], const uint64_t weight_dims[4], const uint64_t stride[2],
                     const uint64_t padding[2], const uint64_t dilation[2]) {
    for (int i = 0; i < 4; ++i) {
        if (input_dims[i] == 0 || weight_dims[i] == 0) bad_shape("a dimension of the convolution is 0");
        if (input_dims[i] > kMostFloats || weight_dims[i] > kMostFloats) {
            bad_shape("a dimension of the convolution is larger than any memory");
        }
    }
    if (input_dims[1] != weight_dims[1]) {
        throw Error(BITNET_E_ARGUMENT, "the input has " + std::to_string(input_dims[1]) +
                                           " channels, the weights are for " + std::to_string(weight_dims[1]))
            .with_numbers(weight_dims[1], input_dims[1]);
    }
    ConvShape shape;
    shape.images = static_cast<int64_t>(input_dims[0]);
    shape.in_channels = static_cast<int64_t>(input_dims[1]);
    shape.out_channels = static_cast<int64_t>(weight_dims[0]);
    shape.y = axis_of("height", input_dims[2], weight_dims[2], stride[0], padding[0], dilation[0]);
    shape.x = axis_of("width", input_dims[3], weight_dims[3], stride[1], padding[1], dilation[1]);
    require_count("input", {shape.images, shape.in_channels, shape.y.input, shape.x.input});
    require_count("weights", {shape.out_channels, shape.in_channels, shape.y.weights, shape.x.weights});
    require_count("output", {shape.images, shape.out_channels, shape.y.output, shape.x.output});
    return shape;
}

void run_conv2d(const kern::VecKernels& kernels, const ConvShape& shape, const ConvWeights& weights, const float* input,
                const float* bias, float* out, int n_threads) {
    const int64_t n_tiles = (shape.positions() + kTile - 1) / kTile;
    const int64_t n_groups = (shape.out_channels + kRows - 1) / kRows;
    uint64_t multiplications = 0;
    if (!checked_mul(shape.n_output(), static_cast<uint64_t>(shape.per_channel()), &multiplications)) {
        multiplications = UINT64_MAX;
    }
    const int64_t most_threads = static_cast<int64_t>(std::min<uint64_t>(multiplications / kWorthThreads, 1024));
    const int64_t threads = std::clamp<int64_t>(n_threads, 1, std::max<int64_t>(most_threads, 1));
    // Enough items for every thread; channels that share a tile share its gathering, so they are split only for that.
    const int64_t tiles = shape.images * n_tiles;
    const int64_t n_splits = std::min(n_groups, threads == 1 ? 1 : (4 * threads + tiles - 1) / tiles);
    const tg::Arena scratch(kScratchBytes * static_cast<uint64_t>(threads), "working memory of a convolution");
    Work work = {kernels,  shape,    weights,          input,         bias, out, n_tiles,
                 n_groups, n_splits, tiles * n_splits, scratch.data()};
    if (threads == 1) {
        run_items(0, &work);
        return;
    }
    tg::ThreadPool pool(static_cast<int>(threads));
    pool.run(run_items, &work);
}

}  // namespace bitnet
