// Which rows of a large float matrix can give the largest products, found without reading the matrix: an int8 copy of it, half
// or a quarter of its bytes, gives every product nearly, and how far each can be off is bounded. Only rows whose
// product could be among the k largest are then multiplied exactly. The result is that of the whole matrix, bit for bit.
//
// With w = s q + e for a row and x = t b + d for the vector (q and b integers), the exact product differs from s t (q . b) by
//   e . x + s q . d <= |e| |x| + |s q| |d|    (Cauchy and Schwarz)
// |e| and |s q| are kept per row, |d| <= t / 2 * sqrt(k). To that comes what floats lose: the exact kernel adds k / 16 products
// in each of 16 lanes and then the lanes, so it is off by (k / 16 + 6) 2^-24 |w| |x| at most (N. Higham, Accuracy and
// Stability of Numerical Algorithms, 3.1), and the copy's product is rounded once.
//
// Which rows can be among the k largest is decided against k real products, those of the rows that promise most: the k-th
// largest is at least the least of them. So a row's own error counts, but none of theirs, and half as many rows remain as
// where bounds are compared with bounds (SmolLM2 135M with an F16 head: 2 of 49,152 for the best token, 145 for the best 50).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ggml-like/arena.h"
#include "ggml-like/thread_pool.h"
#include "ggml-like/weight.h"
#include "kernels/cpu/kernel_select.h"

namespace tg {

// Q8_0 and Q6_K have integers themselves: there is no copy, e is 0, and only the vector is rounded.
struct HeadScreen {
    const Weight* exact = nullptr;
    Weight rows;                    // the copy, as f32, or the matrix: mul_mat with it gives the near products
    Arena memory;                   // of the copy and of these:
    const float* errors = nullptr;  // [n_rows] >= |e|; infinite where the row has a number that is none
    const float* norms = nullptr;   // [n_rows] >= |s q| + |e|
    float largest_norm = 0.0f;
};

// Whether a matrix can be screened: a type that is read as floats, in the file's own layout, and no further factor.
bool can_screen(const Weight& weight, const kern::KernelSet& kernels) noexcept;
// Of the memory that it takes, and of what is read for a vector.
size_t head_screen_bytes(const Weight& weight) noexcept;
size_t head_screen_read_bytes(const Weight& weight) noexcept;
// Everything but the memory: enough for building graphs. The weight must outlive it.
void plan_head_screen(const Weight& weight, const kern::KernelSet& kernels, HeadScreen* out);
// Whether it is a copy, so that few rows of the matrix are read from then on.
bool is_head_copy(const HeadScreen& screen) noexcept;
// Told of rows that fill_head_screen has read and will not read again, by the thread that read them.
struct RowsRead {
    void (*call)(int64_t begin, int64_t end, void* user_data) = nullptr;
    void* user_data = nullptr;
};
// Reads the whole matrix once. Throws tg::Error(out_of_memory).
void fill_head_screen(const kern::VecKernels& vec, ThreadPool& pool, HeadScreen* screen, const RowsRead& on_read = {});

// The products of rows with x, each to out[row], as the whole matrix gives them.
void exact_products(const HeadScreen& screen, const float* x, std::span<const int32_t> rows, float* out) noexcept;

class RowSelection {
public:
    // Makes room for selections of n_most rows, which allocate nothing then; and what that takes.
    void reserve(size_t n_most);
    static size_t bytes_needed(size_t n_most) noexcept { return n_most * (sizeof(Least) + sizeof(int32_t)); }
    // Finds the rows, rising, that can be among the k >= 1 largest products with x, ties included; near: their near
    // products, of which k give way to exact ones. False, and rows() means nothing, where there would be more than n_most,
    // or no bound holds (x has a number that is none, or is next to nothing; products can overflow). Throws std::bad_alloc
    // only, where there is no room.
    bool select(const HeadScreen& screen, const kern::VecKernels& vec, const float* x, float* near, size_t k,
                size_t n_most);
    const std::vector<int32_t>& rows() const noexcept { return rows_; }
    size_t bytes() const noexcept { return least_.capacity() * sizeof(Least) + rows_.capacity() * sizeof(int32_t); }

private:
    // What the product of a row is at least.
    struct Least {
        float product;
        int32_t row;
        bool operator>(const Least& other) const noexcept { return product > other.product; }
    };
    std::vector<Least> least_;
    std::vector<int32_t> rows_;
};

}  // namespace tg
