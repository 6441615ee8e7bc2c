// Decoding by the table of types. Rows are read in stretches, so that a row as long as the file needs no second copy of it.
#include "src/gguf/tensor_rows.h"

#include <algorithm>
#include <bit>
#include <vector>

#include "src/gguf/dialect_tensor.h"
#include "src/gguf/little_endian.h"

namespace bitnet {
namespace {

constexpr int64_t kStretch = 8192;  // values decoded at once: a multiple of every block length

}  // namespace

void read_tensor_rows(const GgufFile& file, const GgufTensor& tensor, int64_t row0, int64_t n_rows, float* dst) {
    if (is_dialect(tensor)) return DialectTensor(file, tensor, TlTilings()).read_rows(row0, row0 + n_rows, dst);
    const kern::QuantTypeInfo& info = kern::quant_type_info(tensor.type);
    const uint64_t row_bytes = kern::quant_row_bytes(tensor.type, tensor.ne[0]);
    const uint8_t* mapped = file.mapped_data(tensor);
    float scale = 1.0f;
    if (info.tail_bytes != 0 && tensor.n_bytes >= info.tail_bytes) {
        uint8_t bytes[4];
        file.read_data(tensor, tensor.n_bytes - info.tail_bytes, bytes, sizeof bytes);
        scale = std::bit_cast<float>(load_le<uint32_t>(bytes));
    }
    std::vector<uint8_t> buffer(mapped == nullptr ? kern::quant_row_bytes(tensor.type, kStretch) : 0);
    for (int64_t row = row0; row < row0 + n_rows; ++row) {
        for (int64_t begin = 0; begin < tensor.ne[0]; begin += kStretch) {
            const int64_t n = std::min(kStretch, tensor.ne[0] - begin);
            const uint64_t offset = static_cast<uint64_t>(row) * row_bytes + kern::quant_row_bytes(tensor.type, begin);
            const uint8_t* bytes = mapped + (mapped != nullptr ? offset : 0);
            if (mapped == nullptr) {
                file.read_data(tensor, offset, buffer.data(), kern::quant_row_bytes(tensor.type, n));
                bytes = buffer.data();
            }
            info.decode(bytes, scale, n, dst);
            dst += n;
        }
    }
}

}  // namespace bitnet
