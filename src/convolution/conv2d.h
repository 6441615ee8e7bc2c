// Two-dimensional convolution. Shapes are checked here once, against overflow too; what runs afterwards cannot fail but for
// want of memory.
//
// Output positions of one image are taken in tiles. A thread gathers, for a tile and up to 256 weights of a kernel, the
// inputs that they meet (zeros where there is padding) into a block that stays in cache, and multiplies it with four output
// channels at a time. So every stride, dilation and padding, and float and coded weights, run the same inner loop, and the
// matrix of all inputs ("im2col") is never made.
#pragma once

#include <cstdint>

#include "kernels/vec_kernels.h"
#include "src/convolution/conv_codec.h"

namespace bitnet {

// One of the two directions.
struct ConvAxis {
    int64_t input = 0;
    int64_t weights = 0;
    int64_t stride = 1;
    int64_t padding = 0;
    int64_t dilation = 1;
    int64_t output = 0;
};

struct ConvShape {
    int64_t images = 0;
    int64_t in_channels = 0;
    int64_t out_channels = 0;
    ConvAxis y;
    ConvAxis x;

    int64_t per_channel() const noexcept { return in_channels * y.weights * x.weights; }
    int64_t positions() const noexcept { return y.output * x.output; }
    uint64_t n_input() const noexcept { return static_cast<uint64_t>(images * in_channels * y.input * x.input); }
    uint64_t n_weights() const noexcept { return static_cast<uint64_t>(out_channels * per_channel()); }
    uint64_t n_output() const noexcept { return static_cast<uint64_t>(images * out_channels * positions()); }
};

// Throws BITNET_E_ARGUMENT. Every product of the shape is then below 2^45, every coordinate below 2^47.
ConvShape conv_shape(const uint64_t input_dims[4], const uint64_t weight_dims[4], const uint64_t stride[2],
                     const uint64_t padding[2], const uint64_t dilation[2]);

struct ConvWeights {
    const float* floats = nullptr;     // or
    const ConvCodec* codec = nullptr;  // with
    const uint8_t* codes = nullptr;
    const float* scales = nullptr;
};

// bias may be null. Uses up to n_threads threads, fewer for little work.
void run_conv2d(const kern::VecKernels& kernels, const ConvShape& shape, const ConvWeights& weights, const float* input,
                const float* bias, float* out, int n_threads);

}  // namespace bitnet
