// Builds a GGUF file of version 2 or 3, in memory or on disk. The same calls give the same bytes: keys and tensors in
// the order they were added, tensors packed one after the other, padding zero. Tensor data may be larger than memory:
// it can be produced row by row while the file is written.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/quant_types.h"
#include "src/gguf/gguf_value.h"

namespace bitnet {

// Misuse (a name twice, a shape the type cannot hold, ...) throws BITNET_E_ARGUMENT.
class GgufWriter {
public:
    explicit GgufWriter(uint32_t version = 3);

    // ---- metadata ----
    void add_u8(std::string_view key, uint8_t value);
    void add_i8(std::string_view key, int8_t value);
    void add_u16(std::string_view key, uint16_t value);
    void add_i16(std::string_view key, int16_t value);
    void add_u32(std::string_view key, uint32_t value);
    void add_i32(std::string_view key, int32_t value);
    void add_u64(std::string_view key, uint64_t value);
    void add_i64(std::string_view key, int64_t value);
    void add_f32(std::string_view key, float value);
    void add_f64(std::string_view key, double value);
    void add_bool(std::string_view key, bool value);
    void add_string(std::string_view key, std::string_view value);
    void add_u8_array(std::string_view key, std::span<const uint8_t> values);
    void add_i8_array(std::string_view key, std::span<const int8_t> values);
    void add_u16_array(std::string_view key, std::span<const uint16_t> values);
    void add_i16_array(std::string_view key, std::span<const int16_t> values);
    void add_u32_array(std::string_view key, std::span<const uint32_t> values);
    void add_i32_array(std::string_view key, std::span<const int32_t> values);
    void add_u64_array(std::string_view key, std::span<const uint64_t> values);
    void add_i64_array(std::string_view key, std::span<const int64_t> values);
    void add_f32_array(std::string_view key, std::span<const float> values);
    void add_f64_array(std::string_view key, std::span<const double> values);
    void add_bool_array(std::string_view key, const std::vector<bool>& values);
    void add_string_array(std::string_view key, std::span<const std::string> values);
    void add_string_array(std::string_view key, std::span<const std::string_view> values);
    // A value of another file, whatever its type.
    void add_value(std::string_view key, const GgufValue& value);
    // The key general.alignment; 32 without it. A power of two. Before the first tensor.
    void set_alignment(uint32_t alignment);
    bool has_key(std::string_view key) const { return keys_.find(key) != keys_.end(); }

    // ---- tensors; ne[0] is the row length, at most 4 dimensions ----
    // data: the whole tensor as stored, tail included; must stay valid until the file is written.
    void add_tensor(std::string_view name, kern::QuantType type, std::span<const int64_t> ne, const void* data);
    // write_rows stores rows [row0, row0 + n_rows), as encoded bytes, at dst; called with rising rows, once per row and
    // written file. tensor_scale: the I2_S tail; other types ignore it. Of a dialect (kern::QuantTypeInfo::dialect), whose
    // rows need not lie apart, all rows are asked for in one call: dst is the whole tensor, tail included, and zero, as
    // kern::dialect_encode wants it.
    using RowProducer = std::function<void(int64_t row0, int64_t n_rows, void* dst)>;
    void add_tensor(std::string_view name, kern::QuantType type, std::span<const int64_t> ne, RowProducer write_rows,
                    float tensor_scale = 1.0f);

    // ---- output ----
    uint64_t data_start() const;
    uint64_t file_size() const;
    // Everything before the tensor data, padding included.
    std::vector<uint8_t> head() const;
    std::vector<uint8_t> to_bytes() const;
    // Called with rising done up to total, in bytes; false cancels the writing with BITNET_E_CANCELLED.
    using Progress = std::function<bool(uint64_t done, uint64_t total)>;
    // The file appears whole under its name or not at all. Throws BITNET_E_IO.
    void write(const std::string& path, const Progress& progress = {}) const;

private:
    struct Tensor {
        std::string name;
        kern::QuantType type;
        uint32_t n_dims;
        int64_t ne[4];
        uint64_t offset;
        uint64_t n_bytes;
        const void* data;
        RowProducer write_rows;
        float scale;
    };
    using Sink = std::function<void(const void* data, size_t n)>;

    void begin_key(std::string_view key, GgufType type);
    void begin_array(std::string_view key, GgufType element, uint64_t count);
    void put_string(std::string_view text);
    template <typename T>
    void add_numbers(std::string_view key, GgufType type, std::span<const T> values);
    Tensor& new_tensor(std::string_view name, kern::QuantType type, std::span<const int64_t> ne);
    void write_data(const Sink& sink) const;
    void write_tensor(const Tensor& tensor, const Sink& sink) const;

    uint32_t version_;
    uint32_t alignment_ = 32;
    std::set<std::string, std::less<>> keys_;
    std::set<std::string, std::less<>> tensor_names_;
    std::vector<uint8_t> metadata_;  // encoded keys and values
    std::vector<Tensor> tensors_;
    uint64_t data_bytes_ = 0;
};

}  // namespace bitnet
