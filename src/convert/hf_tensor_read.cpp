// Rows are fetched in runs that lie side by side in the file; a run is as long as the caller's piece, so the memory is
// bounded by him.
#include "src/convert/hf_tensor_read.h"

#include <algorithm>
#include <cmath>

#include "kernels/codec_rounding.h"
#include "src/base/error.h"
#include "src/gguf/gguf_text.h"

namespace bitnet {
namespace {

using Content = HfTensor::Content;

// Where row r of the GGUF tensor is in the folder's: row 2i + p of a head is its row p * d/2 + i.
int64_t folder_row(const HfTensor& tensor, int64_t row) {
    if (tensor.pair_heads == 0) return row;
    const int64_t d = tensor.n_rows / tensor.pair_heads;
    const int64_t in_head = row % d;
    return row - in_head + in_head % 2 * (d / 2) + in_head / 2;
}

// Calls body(first row in the folder, number of rows, first row of the piece) for runs of neighbours, none of which
// crosses a multiple of `border`.
template <typename Body>
void for_runs(const HfTensor& tensor, int64_t row0, int64_t n_rows, int64_t border, Body&& body) {
    for (int64_t done = 0; done < n_rows;) {
        const int64_t first = folder_row(tensor, row0 + done);
        const int64_t room = std::min(n_rows - done, border - first % border);
        int64_t n = 1;
        while (n < room && folder_row(tensor, row0 + done + n) == first + n) ++n;
        body(first, n, done);
        done += n;
    }
}

void read_bytes(const HfTensor& tensor, int64_t first, int64_t n_rows, uint64_t row_bytes, void* dst) {
    tensor.data.file->read_data(*tensor.data.tensor, static_cast<uint64_t>(first) * row_bytes, dst,
                                static_cast<uint64_t>(n_rows) * row_bytes);
}

void check_finite(const HfTensor& tensor, int64_t first, int64_t n_rows, const float* values) {
    for (int64_t i = 0; i < n_rows * tensor.k; ++i) {
        if (std::isfinite(values[i])) continue;
        throw Error(BITNET_E_QUANT_INPUT, tensor.data.file->name() + ": tensor '" + for_message(tensor.name) +
                                              "' has " + (std::isnan(values[i]) ? "NaN" : "an infinite value") +
                                              " in row " + std::to_string(first + i / tensor.k) + ", column " +
                                              std::to_string(i % tensor.k) +
                                              "; the checkpoint is damaged, download it again")
            .with_subject(for_message(tensor.name));
    }
}

// Codes of one run of packed rows, all of one quarter.
void unpack(const HfTensor& tensor, int64_t first, int64_t n_rows, float* dst) {
    const int64_t quarter = (tensor.n_rows + 3) / 4;
    const int64_t shift = 2 * (first / quarter);
    std::vector<uint8_t> bytes(static_cast<size_t>(n_rows * tensor.k));
    read_bytes(tensor, first % quarter, n_rows, static_cast<uint64_t>(tensor.k), bytes.data());
    for (size_t i = 0; i < bytes.size(); ++i) {
        const int code = bytes[i] >> shift & 3;
        if (code == 3) {
            const auto at = static_cast<int64_t>(i);
            throw Error(BITNET_E_GGUF_TENSOR_DATA, tensor.data.file->name() + ": tensor '" + for_message(tensor.name) +
                                                       "' has the code 3 in row " +
                                                       std::to_string(first + at / tensor.k) + ", column " +
                                                       std::to_string(at % tensor.k) +
                                                       ", which stands for no weight; it is not packed as ternary "
                                                       "weights are, or damaged")
                .with_subject(for_message(tensor.name));
        }
        dst[i] = static_cast<float>(code - 1);
    }
}

void read_floats(const HfTensor& tensor, int64_t row0, int64_t n_rows, float* dst) {
    kern::QuantType type = kern::QuantType::f32;
    float_type_of(tensor.data.tensor->type, &type);
    const kern::QuantTypeInfo& info = kern::quant_type_info(type);
    for_runs(tensor, row0, n_rows, tensor.n_rows, [&](int64_t first, int64_t n, int64_t done) {
        std::vector<uint8_t> bytes(static_cast<size_t>(n * tensor.k) * info.block_bytes);
        read_bytes(tensor, first, n, static_cast<uint64_t>(tensor.k) * info.block_bytes, bytes.data());
        float* out = dst + done * tensor.k;
        info.decode(bytes.data(), 1.0f, n * tensor.k, out);
        check_finite(tensor, first, n, out);
    });
}

}  // namespace

bool float_type_of(SafetensorsType type, kern::QuantType* out) noexcept {
    switch (type) {
        case SafetensorsType::f32: *out = kern::QuantType::f32; return true;
        case SafetensorsType::f16: *out = kern::QuantType::f16; return true;
        case SafetensorsType::bf16: *out = kern::QuantType::bf16; return true;
        default: return false;
    }
}

void read_hf_trits(const HfTensor& tensor, int64_t row0, int64_t n_rows, float* dst) {
    if (tensor.content == Content::packed) {
        for_runs(tensor, row0, n_rows, (tensor.n_rows + 3) / 4,
                 [&](int64_t first, int64_t n, int64_t done) { unpack(tensor, first, n, dst + done * tensor.k); });
        return;
    }
    read_floats(tensor, row0, n_rows, dst);
    for (int64_t i = 0; i < n_rows * tensor.k; ++i)
        dst[i] = static_cast<float>(kern::round_half_even(dst[i] * tensor.factor, -1, 1));
}

void read_hf_floats(const HfTensor& tensor, int64_t row0, int64_t n_rows, float* dst) {
    const int64_t n = n_rows * tensor.k;
    if (tensor.content == Content::computed) {
        std::copy_n(tensor.values.data() + row0 * tensor.k, n, dst);
        return;
    }
    if (tensor.is_ternary()) {
        read_hf_trits(tensor, row0, n_rows, dst);
        for (int64_t i = 0; i < n; ++i) dst[i] *= tensor.scale;
        return;
    }
    read_floats(tensor, row0, n_rows, dst);
    if (tensor.content != Content::norm || tensor.offset == 0.0f) return;
    for (int64_t i = 0; i < n; ++i) dst[i] += tensor.offset;
}

void read_hf_bytes(const HfTensor& tensor, int64_t row0, int64_t n_rows, void* dst) {
    kern::QuantType type = kern::QuantType::f32;
    float_type_of(tensor.data.tensor->type, &type);
    const kern::QuantTypeInfo& info = kern::quant_type_info(type);
    const uint64_t row_bytes = static_cast<uint64_t>(tensor.k) * info.block_bytes;
    std::vector<float> values;
    for_runs(tensor, row0, n_rows, tensor.n_rows, [&](int64_t first, int64_t n, int64_t done) {
        uint8_t* out = static_cast<uint8_t*>(dst) + static_cast<uint64_t>(done) * row_bytes;
        read_bytes(tensor, first, n, row_bytes, out);
        values.resize(static_cast<size_t>(n * tensor.k));
        info.decode(out, 1.0f, n * tensor.k, values.data());
        check_finite(tensor, first, n, values.data());
    });
}

void measure_masters(HfTensor& tensor) {
    // Eight lanes, so that the sum is the same whatever the compiler makes of it, and none of them waits for another.
    constexpr int64_t kLanes = 8, kPieceValues = int64_t{1} << 18;
    const int64_t rows_per_piece = std::max<int64_t>(1, kPieceValues / tensor.k);
    std::vector<float> piece(static_cast<size_t>(std::min(rows_per_piece, tensor.n_rows) * tensor.k));
    double lanes[kLanes] = {};
    for (int64_t row = 0; row < tensor.n_rows; row += rows_per_piece) {
        const int64_t n_rows = std::min(rows_per_piece, tensor.n_rows - row);
        read_floats(tensor, row, n_rows, piece.data());
        const int64_t n = n_rows * tensor.k;
        int64_t i = 0;
        for (; i + kLanes <= n; i += kLanes)
            for (int64_t lane = 0; lane < kLanes; ++lane)
                lanes[lane] += std::fabs(static_cast<double>(piece[static_cast<size_t>(i + lane)]));
        for (; i < n; ++i) lanes[0] += std::fabs(static_cast<double>(piece[static_cast<size_t>(i)]));
    }
    double sum = 0;
    for (const double lane : lanes) sum += lane;
    const auto mean = static_cast<float>(sum / (static_cast<double>(tensor.n_rows) * static_cast<double>(tensor.k)));
    // As the models themselves compute it: the trits are of w * factor, the weights trit / factor.
    tensor.factor = 1.0f / std::max(mean, 1e-5f);
    tensor.scale = 1.0f / tensor.factor;
}

float read_hf_number(const SafetensorsModel::Entry& entry) {
    HfTensor tensor;
    tensor.name = entry.tensor->name;
    tensor.data = entry;
    tensor.n_rows = tensor.k = 1;
    float value = 0.0f;
    read_floats(tensor, 0, 1, &value);
    return value;
}

}  // namespace bitnet
