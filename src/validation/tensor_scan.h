// Reads every value of a tensor on all threads and counts what may be wrong with them. Counts and sums do not depend on the
// number of threads: rows are scanned in groups whose size is fixed, and their results are added in the order of the rows.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "ggml-like/thread_pool.h"
#include "src/gguf/gguf_reader.h"

namespace bitnet {

// Something that may occur often: how often, and where first.
struct Occurrences {
    uint64_t count = 0;
    uint64_t first = 0;

    void note(uint64_t index) {
        if (count++ == 0) first = index;
    }
    void append(const Occurrences& later) {
        if (count == 0) first = later.first;
        count += later.count;
    }
};

struct TensorScan {
    uint64_t n_values = 0;
    uint64_t n_zeros = 0;
    Occurrences not_finite;  // values
    Occurrences bad_rows;    // with codes that mean no ternary weight
    Occurrences zero_rows;
    double magnitudes = 0.0;  // sum over the finite values; those of I2_S without the tensor's scale

    bool all_zero() const { return n_zeros == n_values; }
    void append(const TensorScan& later);
};

class TensorScanner {
public:
    explicit TensorScanner(int n_threads);

    // Rows longer than that of any model are not scanned: they would need a buffer of their length.
    static bool can_scan(const GgufTensor& tensor) noexcept { return tensor.ne[0] <= kMaxRow; }
    // data: the tensor's bytes, or null to take them from the file. go_on is told how many bytes are done, and stops the scan
    // with false; then the result is too. Throws what reading throws.
    bool scan(const GgufFile& file, const GgufTensor& tensor, const uint8_t* data,
              const std::function<bool(uint64_t n_bytes)>& go_on, TensorScan* out);

private:
    static constexpr int64_t kMaxRow = int64_t{1} << 22;

    tg::ThreadPool pool_;
    std::vector<float> values_;   // one stretch per thread
    std::vector<uint8_t> bytes_;  // of the rows at hand, where the file is not mapped
    std::vector<TensorScan> groups_;
};

}  // namespace bitnet
