// Encoding of keys, tensor table and data for GgufWriter. Lengths and counts are 64-bit, as versions 2 and 3 have them.
#include "src/gguf/gguf_writer.h"

#include <algorithm>
#include <utility>

#include "src/base/checked_math.h"
#include "src/base/error.h"
#include "src/gguf/atomic_file.h"
#include "src/gguf/gguf_keys.h"
#include "src/gguf/gguf_limits.h"
#include "src/gguf/gguf_text.h"
#include "src/gguf/little_endian.h"

namespace bitnet {
namespace {

// Rows are produced into a block of about this size; progress is told per block.
constexpr uint64_t kBlockBytes = uint64_t{4} << 20;

template <typename T>
void put(std::vector<uint8_t>& out, T value) {
    out.resize(out.size() + sizeof value);
    store_le(out.data() + out.size() - sizeof value, value);
}

void put_bytes(std::vector<uint8_t>& out, const void* data, size_t n) {
    const auto* bytes = static_cast<const uint8_t*>(data);
    out.insert(out.end(), bytes, bytes + n);
}

[[noreturn]] void misuse(std::string_view subject, const std::string& what) {
    const std::string shown = for_message(subject);
    throw Error(BITNET_E_ARGUMENT, "writing GGUF: '" + shown + "' " + what).with_subject(shown);
}

void check_name(std::string_view name, uint64_t max_bytes) {
    const bool plain = std::none_of(name.begin(), name.end(),
                                    [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
    if (name.empty() || name.size() > max_bytes || !plain)
        misuse(name, "is not a name of 1 to " + std::to_string(max_bytes) + " bytes without control characters");
}

uint64_t padding(uint64_t size, uint64_t alignment) { return (alignment - size % alignment) % alignment; }

}  // namespace

GgufWriter::GgufWriter(uint32_t version) : version_(version) {
    if (version != 2 && version != 3) misuse(std::to_string(version), "is not a version to write; 2 and 3 are");
}

void GgufWriter::begin_key(std::string_view key, GgufType type) {
    check_name(key, GgufLimits{}.max_key_bytes);
    if (key == gguf_key::kAlignment && type != GgufType::u32) misuse(key, "must be a u32");
    if (!keys_.emplace(key).second) misuse(key, "is there already");
    put_string(key);
    put(metadata_, static_cast<uint32_t>(type));
}

void GgufWriter::begin_array(std::string_view key, GgufType element, uint64_t count) {
    begin_key(key, GgufType::array);
    put(metadata_, static_cast<uint32_t>(element));
    put(metadata_, count);
}

void GgufWriter::put_string(std::string_view text) {
    put(metadata_, static_cast<uint64_t>(text.size()));
    put_bytes(metadata_, text.data(), text.size());
}

template <typename T>
void GgufWriter::add_numbers(std::string_view key, GgufType type, std::span<const T> values) {
    begin_array(key, type, values.size());
    put_bytes(metadata_, values.data(), values.size_bytes());
}

// add_NAME and add_NAME_array of the numeric types.
#define BITNET_GGUF_ADD(name, T)                                                                                       \
    void GgufWriter::add_##name(std::string_view key, T value) {                                                       \
        begin_key(key, GgufType::name);                                                                                \
        put(metadata_, value);                                                                                         \
    }                                                                                                                  \
    void GgufWriter::add_##name##_array(std::string_view key, std::span<const T> values) {                             \
        add_numbers(key, GgufType::name, values);                                                                      \
    }
BITNET_GGUF_ADD(u8, uint8_t)
BITNET_GGUF_ADD(i8, int8_t)
BITNET_GGUF_ADD(u16, uint16_t)
BITNET_GGUF_ADD(i16, int16_t)
BITNET_GGUF_ADD(i32, int32_t)
BITNET_GGUF_ADD(u64, uint64_t)
BITNET_GGUF_ADD(i64, int64_t)
BITNET_GGUF_ADD(f32, float)
BITNET_GGUF_ADD(f64, double)
#undef BITNET_GGUF_ADD

void GgufWriter::add_u32(std::string_view key, uint32_t value) {
    if (key == gguf_key::kAlignment) {
        if (!is_power_of_two(value)) misuse(key, "is " + std::to_string(value) + ", not a power of two");
        if (!tensors_.empty()) misuse(key, "comes after the first tensor, whose place depends on it");
        alignment_ = value;
    }
    begin_key(key, GgufType::u32);
    put(metadata_, value);
}

void GgufWriter::add_u32_array(std::string_view key, std::span<const uint32_t> values) {
    add_numbers(key, GgufType::u32, values);
}

void GgufWriter::set_alignment(uint32_t alignment) { add_u32(gguf_key::kAlignment, alignment); }

void GgufWriter::add_bool(std::string_view key, bool value) {
    begin_key(key, GgufType::boolean);
    put(metadata_, static_cast<uint8_t>(value));
}

void GgufWriter::add_bool_array(std::string_view key, const std::vector<bool>& values) {
    begin_array(key, GgufType::boolean, values.size());
    for (const bool value : values) put(metadata_, static_cast<uint8_t>(value));
}

void GgufWriter::add_string(std::string_view key, std::string_view value) {
    begin_key(key, GgufType::string);
    put_string(value);
}

void GgufWriter::add_string_array(std::string_view key, std::span<const std::string> values) {
    begin_array(key, GgufType::string, values.size());
    for (const std::string& value : values) put_string(value);
}

void GgufWriter::add_string_array(std::string_view key, std::span<const std::string_view> values) {
    begin_array(key, GgufType::string, values.size());
    for (const std::string_view value : values) put_string(value);
}

void GgufWriter::add_value(std::string_view key, const GgufValue& value) {
    if (key == gguf_key::kAlignment) {
        if (value.is_array() || value.type() != GgufType::u32) misuse(key, "is " + value.description() + ", not a u32");
        return set_alignment(static_cast<uint32_t>(*value.as_uint()));
    }
    if (value.is_array())
        begin_array(key, value.type(), value.size());
    else
        begin_key(key, value.type());
    if (value.type() != GgufType::string) return put_bytes(metadata_, value.raw().data(), value.raw().size());
    for (size_t i = 0; i < value.size(); ++i) put_string(*value.as_string(i));
}

GgufWriter::Tensor& GgufWriter::new_tensor(std::string_view name, kern::QuantType type, std::span<const int64_t> ne) {
    check_name(name, GgufLimits{}.max_tensor_name_bytes);
    if (ne.size() < 1 || ne.size() > 4) misuse(name, "has " + std::to_string(ne.size()) + " dimensions, not 1 to 4");
    Tensor tensor{
        std::string(name), type, static_cast<uint32_t>(ne.size()), {1, 1, 1, 1}, data_bytes_, 0, nullptr, {}, 1.0f};
    uint64_t elements = 1;
    for (size_t d = 0; d < ne.size(); ++d) {
        if (ne[d] < 1 || !checked_mul(elements, static_cast<uint64_t>(ne[d]), &elements) || elements > INT64_MAX)
            misuse(name, "has a dimension of " + std::to_string(ne[d]) + " weights, too few or too many");
        tensor.ne[d] = ne[d];
    }
    const int64_t n_rows = tensor.ne[1] * tensor.ne[2] * tensor.ne[3];
    uint64_t end = 0;
    if (!kern::quant_tensor_bytes(type, ne[0], n_rows, &tensor.n_bytes) ||
        !checked_add(data_bytes_, tensor.n_bytes, &end) || !checked_align_up(end, alignment_, &end))
        misuse(name, "has rows of " + std::to_string(ne[0]) + " weights, which " + kern::quant_type_info(type).name +
                         " cannot store");
    if (!tensor_names_.emplace(name).second) misuse(name, "is there already");
    data_bytes_ = end;
    return tensors_.emplace_back(std::move(tensor));
}

void GgufWriter::add_tensor(std::string_view name, kern::QuantType type, std::span<const int64_t> ne,
                            const void* data) {
    if (data == nullptr) misuse(name, "has no data");
    new_tensor(name, type, ne).data = data;
}

void GgufWriter::add_tensor(std::string_view name, kern::QuantType type, std::span<const int64_t> ne,
                            RowProducer write_rows, float tensor_scale) {
    if (!write_rows) misuse(name, "has no data");
    Tensor& tensor = new_tensor(name, type, ne);
    tensor.write_rows = std::move(write_rows);
    tensor.scale = tensor_scale;
}

uint64_t GgufWriter::data_start() const {
    uint64_t size = 4 + 4 + 8 + 8 + metadata_.size();
    for (const Tensor& tensor : tensors_) size += 8 + tensor.name.size() + 4 + 8 * uint64_t{tensor.n_dims} + 4 + 8;
    return tensors_.empty() ? size : size + padding(size, alignment_);  // a file without tensors has no data section
}

uint64_t GgufWriter::file_size() const { return data_start() + data_bytes_; }

std::vector<uint8_t> GgufWriter::head() const {
    std::vector<uint8_t> out;
    const auto total = static_cast<size_t>(data_start());
    out.reserve(total);
    put_bytes(out, "GGUF", 4);
    put(out, version_);
    put(out, static_cast<uint64_t>(tensors_.size()));
    put(out, static_cast<uint64_t>(keys_.size()));
    put_bytes(out, metadata_.data(), metadata_.size());
    for (const Tensor& tensor : tensors_) {
        put(out, static_cast<uint64_t>(tensor.name.size()));
        put_bytes(out, tensor.name.data(), tensor.name.size());
        put(out, tensor.n_dims);
        for (uint32_t d = 0; d < tensor.n_dims; ++d) put(out, tensor.ne[d]);
        put(out, kern::quant_type_info(tensor.type).file_id);
        put(out, tensor.offset);
    }
    out.resize(total);
    return out;
}

void GgufWriter::write_tensor(const Tensor& tensor, const Sink& sink) const {
    if (tensor.data != nullptr) {
        const auto* bytes = static_cast<const uint8_t*>(tensor.data);
        for (uint64_t done = 0; done < tensor.n_bytes; done += kBlockBytes)
            sink(bytes + done, static_cast<size_t>(std::min(kBlockBytes, tensor.n_bytes - done)));
        return;
    }
    const kern::QuantTypeInfo& info = kern::quant_type_info(tensor.type);
    const int64_t n_rows = tensor.ne[1] * tensor.ne[2] * tensor.ne[3];
    if (info.dialect) {
        std::vector<uint8_t> whole(static_cast<size_t>(tensor.n_bytes));
        tensor.write_rows(0, n_rows, whole.data());
        for (uint64_t done = 0; done < tensor.n_bytes; done += kBlockBytes)
            sink(whole.data() + done, static_cast<size_t>(std::min(kBlockBytes, tensor.n_bytes - done)));
        return;
    }
    const uint64_t row_bytes = kern::quant_row_bytes(tensor.type, tensor.ne[0]);
    const int64_t rows_per_block = static_cast<int64_t>(std::max<uint64_t>(1, kBlockBytes / row_bytes));
    std::vector<uint8_t> block(
        static_cast<size_t>(static_cast<uint64_t>(std::min(rows_per_block, n_rows)) * row_bytes));
    for (int64_t row = 0; row < n_rows; row += rows_per_block) {
        const int64_t n = std::min(rows_per_block, n_rows - row);
        tensor.write_rows(row, n, block.data());
        sink(block.data(), static_cast<size_t>(static_cast<uint64_t>(n) * row_bytes));
    }
    if (info.tail_bytes == 0) return;
    // One scale, then zeros: readers use the first float only, and equal models shall be equal files.
    std::vector<uint8_t> tail(info.tail_bytes);
    store_le(tail.data(), tensor.scale);
    sink(tail.data(), tail.size());
}

void GgufWriter::write_data(const Sink& sink) const {
    const std::vector<uint8_t> start = head();
    sink(start.data(), start.size());
    for (const Tensor& tensor : tensors_) {
        write_tensor(tensor, sink);
        const std::vector<uint8_t> zeros(static_cast<size_t>(padding(tensor.n_bytes, alignment_)));
        if (!zeros.empty()) sink(zeros.data(), zeros.size());
    }
}

std::vector<uint8_t> GgufWriter::to_bytes() const {
    std::vector<uint8_t> out;
    out.reserve(static_cast<size_t>(file_size()));
    write_data([&](const void* data, size_t n) { put_bytes(out, data, n); });
    return out;
}

void GgufWriter::write(const std::string& path, const Progress& progress) const {
    AtomicFile file(path);
    const uint64_t total = file_size();
    uint64_t done = 0;
    write_data([&](const void* data, size_t n) {
        file.write(data, n);
        done += n;
        if (progress && !progress(done, total))
            throw Error(BITNET_E_CANCELLED, for_message(path, 1024) + ": writing was cancelled; no file was left")
                .with_numbers(total, done);
    });
    file.commit();
}

}  // namespace bitnet
