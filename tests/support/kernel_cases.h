// What the kernel tests share: repeatable random data, matrices in any storage type at any alignment, and running one
// kernel the way the engine does (pack, row ranges, all columns) with guard values around everything it writes.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/kernel_select.h"
#include "kernels/quant_types.h"

namespace test {

// splitmix64: small, repeatable on every platform.
class Random {
public:
    explicit Random(uint64_t seed) : state_(seed) {}
    uint64_t bits() {
        uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }
    int below(int n) { return static_cast<int>(bits() % static_cast<uint64_t>(n)); }
    // In -1..1.
    float real() { return static_cast<float>(static_cast<int64_t>(bits() >> 40) - (1 << 23)) / float(1 << 23); }
    std::vector<float> reals(size_t n) {
        std::vector<float> v(n);
        for (float& x : v) x = real();
        return v;
    }

private:
    uint64_t state_;
};

// Bytes that begin `offset` past a 64-byte border and end exactly at the end of their allocation, so that a read past
// the end is one the address sanitizer sees.
class OffsetBytes {
public:
    OffsetBytes(size_t size, size_t offset)
        : memory_(static_cast<unsigned char*>(::operator new (size + offset, std::align_val_t{64}))),
          data_(memory_.get() + offset), size_(size) {
        std::memset(memory_.get(), 0xa5, size + offset);
    }
    OffsetBytes(const void* bytes, size_t size, size_t offset) : OffsetBytes(size, offset) {
        if (size > 0) std::memcpy(data_, bytes, size);
    }
    unsigned char* data() { return data_; }
    const unsigned char* data() const { return data_; }
    size_t size() const { return size_; }

private:
    struct Free {
        void operator()(unsigned char* p) const { ::operator delete (p, std::align_val_t{64}); }
    };
    std::unique_ptr<unsigned char, Free> memory_;
    unsigned char* data_;
    size_t size_;
};

// A matrix in storage: n_rows rows of k weights, without the tail.
struct Matrix {
    kern::QuantType type;
    int64_t n_rows;
    int64_t k;
    float scale;  // the tail's scale of I2_S, 1 otherwise
    OffsetBytes bytes;
};

// Packed bytes of ternary types are random codes 0..2 (0..max_code where asked), scales included; other types are
// encoded from random floats.
inline Matrix random_matrix(kern::QuantType type, int64_t n_rows, int64_t k, uint64_t seed, size_t offset = 0,
                            int max_code = 2) {
    const kern::QuantTypeInfo& info = kern::quant_type_info(type);
    Random random(seed);
    Matrix m{type, n_rows, k, 1.0f, OffsetBytes(static_cast<size_t>(n_rows) * kern::quant_row_bytes(type, k), offset)};
    unsigned char* p = m.bytes.data();
    const size_t n_blocks = m.bytes.size() / info.block_bytes;
    const auto codes = [&] {
        unsigned byte = 0;
        for (int f = 0; f < 4; ++f) byte = byte << 2 | static_cast<unsigned>(random.below(max_code + 1));
        return static_cast<unsigned char>(byte);
    };
    const auto half_scale = [&](unsigned char* at) {  // a half around 2^-6 .. 2^-5, either sign
        const unsigned half = (random.bits() & 0x83ffu) | 0x2400u;
        at[0] = static_cast<unsigned char>(half);
        at[1] = static_cast<unsigned char>(half >> 8);
    };
    switch (type) {
        case kern::QuantType::i2_s:
            m.scale = 1.2188f;
            for (size_t i = 0; i < m.bytes.size(); ++i) p[i] = codes();
            break;
        case kern::QuantType::tq2_0:
            for (size_t b = 0; b < n_blocks; ++b, p += 66) {
                for (int i = 0; i < 64; ++i) p[i] = codes();
                half_scale(p + 64);
            }
            break;
        case kern::QuantType::tq1_0:
            for (size_t b = 0; b < n_blocks; ++b, p += 54) {
                for (int i = 0; i < 48; ++i) p[i] = static_cast<unsigned char>((random.below(243) * 256 + 242) / 243);
                for (int i = 48; i < 52; ++i) p[i] = static_cast<unsigned char>((random.below(81) * 768 + 242) / 243);
                half_scale(p + 52);
            }
            break;
        case kern::QuantType::iq2_s:
        case kern::QuantType::q1_0:
        case kern::QuantType::q2_0:
        case kern::QuantType::q2_0_g128:
            for (size_t b = 0; b < n_blocks; ++b, p += info.block_bytes) {
                half_scale(p);
                for (uint32_t i = 2; i < info.block_bytes; ++i) p[i] = static_cast<unsigned char>(random.bits());
            }
            break;
        default: {
            const std::vector<float> values = random.reals(static_cast<size_t>(n_rows * k));
            info.encode(values.data(), 1.0f, n_rows * k, p);
        }
    }
    return m;
}

// The rows and columns of one product, and where the rows are cut for threads: into pieces of `rows_per_piece` (rounded
// up to the kernel's row_tile), 0 = one piece.
struct Product {
    int64_t n_rows;
    int64_t n_cols;
    int64_t rows_per_piece = 0;
};

// Runs `kernel` over the first n_rows of m and the first n_cols columns of x (column c at x + c * m.k). Returns
// out[c * n_rows + r]; sets *guards_ok to false when anything beside the outputs was written.
inline std::vector<float> run_mul_mat(const kern::MulMatKernel& kernel, const Matrix& m, const std::vector<float>& x,
                                      const Product& product, bool* guards_ok) {
    constexpr float kGuard = -7.25e11f;
    const int64_t n_cols = product.n_cols;
    const void* weights = m.bytes.data();
    OffsetBytes packed(kernel.pack != nullptr ? kernel.packed_bytes(m.n_rows, m.k) : 0, 0);
    if (kernel.pack != nullptr) {
        const int64_t half = m.n_rows / 2 / kernel.row_tile * kernel.row_tile;
        kernel.pack(weights, m.n_rows, m.k, 0, half, packed.data());
        kernel.pack(weights, m.n_rows, m.k, half, m.n_rows, packed.data());
        weights = packed.data();
    }
    OffsetBytes acts(kernel.act->bytes(m.k, n_cols), 0);
    if (kernel.act->pack != nullptr) {
        const int64_t half = n_cols / 2 / kernel.act->col_tile * kernel.act->col_tile;
        kernel.act->pack(x.data(), m.k, m.k, n_cols, 0, half, acts.data());
        kernel.act->pack(x.data(), m.k, m.k, n_cols, half, n_cols, acts.data());
    }
    // A column of outputs, then guards up to the next one; an odd stride, so columns have every alignment.
    const int64_t stride = product.n_rows + 19 + product.n_rows % 2;
    std::vector<float> out(static_cast<size_t>(stride * (n_cols + 1)), kGuard);
    int64_t piece = product.rows_per_piece > 0 ? product.rows_per_piece : product.n_rows;
    piece = (piece + kernel.row_tile - 1) / kernel.row_tile * kernel.row_tile;
    for (int64_t begin = 0; begin < product.n_rows; begin += piece) {
        kern::MulMatArgs args = {};
        args.weights = weights;
        args.weight_scale = m.scale;
        args.acts = kernel.act->pack != nullptr ? static_cast<const void*>(acts.data()) : x.data();
        args.act_stride = m.k;
        args.out = out.data() + stride / 2;
        args.out_stride = stride;
        args.k = m.k;
        args.n_rows = m.n_rows;
        args.n_cols = n_cols;
        args.row_begin = begin;
        args.row_end = begin + piece < product.n_rows ? begin + piece : product.n_rows;
        kernel.run(args);
    }
    std::vector<float> result;
    for (int64_t i = 0; i < static_cast<int64_t>(out.size()); ++i) {
        const int64_t at = i - stride / 2;
        const bool output = at >= 0 && at / stride < n_cols && at % stride < product.n_rows;
        const float value = out[static_cast<size_t>(i)];
        if (output) {
            result.push_back(value);
        } else if (value != kGuard) {
            *guards_ok = false;
        }
    }
    return result;
}

// Equal bits, or both NaN (a NaN's payload depends on the order of operands, which nothing promises).
inline bool same_bits(float a, float b) {
    return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b) || (a != a && b != b);
}

inline const kern::MulMatKernel& scalar_kernel(kern::QuantType type) {
    kern::KernelSet set;
    kern::select_kernels_for("scalar", 0, &set);
    return set.for_type(type);
}

// Every kernel of `type` this CPU can run, those of packed layouts too; the reference is left out.
inline std::vector<const kern::MulMatKernel*> fast_kernels(kern::QuantType type) {
    std::vector<const kern::MulMatKernel*> kernels;
    for (size_t i = 0; i < kern::mul_mat_kernel_count(); ++i) {
        const kern::MulMatKernel& kernel = kern::mul_mat_kernel_at(i);
        if (kernel.type != type || !kern::runs_here(kernel.needs)) continue;
        if (&kernel != &scalar_kernel(type)) kernels.push_back(&kernel);
    }
    return kernels;
}

}  // namespace test
