// One safetensors file: u64 length of a JSON header, the header, then the tensors' bytes, row-major and little-endian.
// The header names each tensor's type, shape and extent; extents must cover the bytes behind it exactly, one after the
// other, so no byte is hidden and none read twice.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "src/gguf/byte_source.h"

namespace bitnet {

enum class SafetensorsType : uint8_t {
    boolean,
    u8,
    i8,
    f8_e4m3,
    f8_e5m2,
    u16,
    i16,
    f16,
    bf16,
    u32,
    i32,
    f32,
    u64,
    i64,
    f64,
    complex64
};
const char* safetensors_type_name(SafetensorsType type) noexcept;  // "BF16", as the header has it
uint64_t safetensors_type_bytes(SafetensorsType type) noexcept;

struct SafetensorsTensor {
    std::string name;
    SafetensorsType type = SafetensorsType::u8;
    std::vector<uint64_t> shape;  // the last dimension is the one whose elements lie side by side; empty: one number
    uint64_t offset = 0;          // absolute position in the file
    uint64_t n_bytes = 0;
};

struct SafetensorsLimits {
    uint64_t max_header_bytes = 100'000'000;  // the format's own limit
    uint64_t max_tensors = 65536;
    uint64_t max_name_bytes = 512;
    uint64_t max_dims = 8;
    uint64_t max_metadata = 4096;  // entries of __metadata__
};

// Never changes after reading; reading data is safe from any number of threads.
class SafetensorsFile {
public:
    // Throws BITNET_E_GGUF_TRUNCATED, _METADATA (the header is not what it must be), _TENSOR_TYPE, _TENSOR_SHAPE (shape and
    // extent disagree), _TENSOR_DATA (overlap, gap, bytes that belong to nothing), _TENSOR_COUNT, BITNET_E_SECURITY_INPUT.
    static SafetensorsFile read(std::unique_ptr<ByteSource> source, const SafetensorsLimits& limits = {});

    // In the order of their bytes.
    const std::vector<SafetensorsTensor>& tensors() const noexcept { return tensors_; }
    const SafetensorsTensor* find(std::string_view name) const;  // nullptr: there is none
    const std::map<std::string, std::string>& metadata() const noexcept { return metadata_; }
    const std::string& name() const noexcept { return source_->name(); }
    // [offset, offset + n) of the tensor's bytes.
    void read_data(const SafetensorsTensor& tensor, uint64_t offset, void* dst, uint64_t n) const;

private:
    SafetensorsFile() = default;

    std::unique_ptr<ByteSource> source_;
    std::vector<SafetensorsTensor> tensors_;
    std::map<std::string, size_t, std::less<>> by_name_;
    std::map<std::string, std::string> metadata_;
};

// "[640, 2560]", for messages.
std::string shape_text(const std::vector<uint64_t>& shape);

}  // namespace bitnet
