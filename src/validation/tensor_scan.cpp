#include "src/validation/tensor_scan.h"

#include <algorithm>
#include <cmath>

#include "src/load/weight_check.h"

namespace bitnet {
namespace {

constexpr int64_t kStretch = 8192;  // values decoded at once: a multiple of every block length
constexpr int64_t kGroupRows = 16;
constexpr uint64_t kChunkBytes = uint64_t{16} << 20;  // rows between two looks at the caller's wish to stop

struct ScanJob {
    kern::QuantType type;
    int64_t k;
    int64_t first_row;  // of the tensor
    int64_t n_rows;
    const uint8_t* rows;
    float* values;  // kStretch for each thread
    std::vector<TensorScan>& groups;
    int n_threads;
};

void scan_row(const ScanJob& job, int64_t row, const uint8_t* bytes, float* values, TensorScan& out) {
    const kern::QuantTypeInfo& info = kern::quant_type_info(job.type);
    const uint64_t index = static_cast<uint64_t>(job.first_row + row);
    bool valid = true, zero = true;
    for (int64_t begin = 0; begin < job.k; begin += kStretch) {
        const int64_t n = std::min(kStretch, job.k - begin);
        const uint8_t* stretch = bytes + kern::quant_row_bytes(job.type, begin);
        valid = valid && codes_valid(job.type, stretch, n);
        info.decode(stretch, 1.0f, n, values);
        uint64_t n_zeros = 0;
        double magnitudes = 0.0;
        for (int64_t i = 0; i < n; ++i) {
            if (!std::isfinite(values[i])) {
                out.not_finite.note(index * static_cast<uint64_t>(job.k) + static_cast<uint64_t>(begin + i));
                continue;
            }
            n_zeros += values[i] == 0.0f ? 1 : 0;
            magnitudes += static_cast<double>(std::fabs(values[i]));
        }
        zero = zero && n_zeros == static_cast<uint64_t>(n);
        out.n_values += static_cast<uint64_t>(n);
        out.n_zeros += n_zeros;
        out.magnitudes += magnitudes;
    }
    if (!valid) out.bad_rows.note(index);
    if (zero) out.zero_rows.note(index);
}

void scan_share(int thread, void* user_data) {
    const ScanJob& job = *static_cast<const ScanJob*>(user_data);
    const uint64_t row_bytes = kern::quant_row_bytes(job.type, job.k);
    float* values = job.values + thread * kStretch;
    const int64_t n_groups = static_cast<int64_t>(job.groups.size());
    for (int64_t group = n_groups * thread / job.n_threads; group < n_groups * (thread + 1) / job.n_threads; ++group) {
        TensorScan& out = job.groups[static_cast<size_t>(group)];
        const int64_t end = std::min((group + 1) * kGroupRows, job.n_rows);
        for (int64_t row = group * kGroupRows; row < end; ++row) {
            scan_row(job, row, job.rows + static_cast<uint64_t>(row) * row_bytes, values, out);
        }
    }
}

}  // namespace

void TensorScan::append(const TensorScan& later) {
    n_values += later.n_values;
    n_zeros += later.n_zeros;
    not_finite.append(later.not_finite);
    bad_rows.append(later.bad_rows);
    zero_rows.append(later.zero_rows);
    magnitudes += later.magnitudes;
}

TensorScanner::TensorScanner(int n_threads)
    : pool_(n_threads), values_(static_cast<size_t>(kStretch) * static_cast<size_t>(n_threads)) {}

bool TensorScanner::scan(const GgufFile& file, const GgufTensor& tensor, const uint8_t* data,
                         const std::function<bool(uint64_t n_bytes)>& go_on, TensorScan* out) {
    *out = TensorScan();
    if (data == nullptr) data = file.mapped_data(tensor);
    const uint64_t row_bytes = kern::quant_row_bytes(tensor.type, tensor.ne[0]);
    const int64_t n_rows = tensor.n_rows();
    const int64_t step = static_cast<int64_t>(std::max<uint64_t>(kChunkBytes / row_bytes, 1));
    for (int64_t begin = 0; begin < n_rows; begin += step) {
        const int64_t n = std::min(step, n_rows - begin);
        const uint64_t offset = static_cast<uint64_t>(begin) * row_bytes,
                       n_bytes = static_cast<uint64_t>(n) * row_bytes;
        if (!go_on(offset)) return false;
        if (data == nullptr) {
            if (bytes_.size() < n_bytes) bytes_.resize(static_cast<size_t>(n_bytes));
            file.read_data(tensor, offset, bytes_.data(), n_bytes);
        }
        groups_.assign(static_cast<size_t>((n + kGroupRows - 1) / kGroupRows), TensorScan());
        ScanJob job{tensor.type,    tensor.ne[0], begin,       n, data != nullptr ? data + offset : bytes_.data(),
                    values_.data(), groups_,      pool_.size()};
        pool_.run(scan_share, &job);
        for (const TensorScan& group : groups_) out->append(group);
    }
    return true;
}

}  // namespace bitnet
