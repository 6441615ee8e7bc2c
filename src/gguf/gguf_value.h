// One metadata value of a GGUF file: a view into the file's head, where numbers stay as stored and strings are found
// through an index of offsets, so that a vocabulary of 128,000 tokens costs 4 bytes per token beside the file itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace bitnet {

enum class GgufType : uint32_t {
    u8 = 0,
    i8 = 1,
    u16 = 2,
    i16 = 3,
    u32 = 4,
    i32 = 5,
    f32 = 6,
    boolean = 7,
    string = 8,
    array = 9,
    u64 = 10,
    i64 = 11,
    f64 = 12
};

// "u32", "string", ...; "type 77" is never needed because the reader refuses unknown types.
const char* gguf_type_name(GgufType type) noexcept;
// Bytes of one element; 0 for strings and arrays, which have no fixed size, and for unknown types.
size_t gguf_type_bytes(GgufType type) noexcept;

// Scalars are arrays of one element. Valid as long as the GgufFile it came from.
class GgufValue {
public:
    GgufType type() const noexcept { return type_; }  // element type for arrays
    bool is_array() const noexcept { return is_array_; }
    size_t size() const noexcept { return count_; }  // elements; 1 for a scalar

    // Conversions of element i without loss; nullopt when the type or the range does not fit or i is past the end.
    std::optional<uint64_t> as_uint(size_t i = 0) const;
    std::optional<int64_t> as_int(size_t i = 0) const;
    std::optional<double> as_float(size_t i = 0) const;  // integers convert too, up to 2^53
    std::optional<bool> as_bool(size_t i = 0) const;
    std::optional<std::string_view> as_string(size_t i = 0) const;  // constant time; the bytes as stored
    // As text for people: decimal numbers, true/false, JSON arrays; at most max_elements of an array, then "...".
    std::string to_text(size_t max_elements) const;
    // "array of 128256 strings", "u32": what the value is, for messages.
    std::string description() const;
    // Elements of a numeric type as stored: little-endian, unaligned. Empty for strings.
    std::span<const uint8_t> raw() const noexcept;

    // For the reader. data: the first element. string_offsets: for arrays of strings, where each length field begins,
    // counted from data; length_bytes: width of those fields (4 in version 1, else 8).
    GgufValue(GgufType type, bool is_array, size_t count, const uint8_t* data, const uint32_t* string_offsets,
              uint8_t length_bytes) noexcept
        : data_(data), string_offsets_(string_offsets), count_(count), type_(type), is_array_(is_array),
          length_bytes_(length_bytes) {}

private:
    void append_element(std::string& out, size_t i) const;

    const uint8_t* data_;
    const uint32_t* string_offsets_;
    size_t count_;
    GgufType type_;
    bool is_array_;
    uint8_t length_bytes_;
};

}  // namespace bitnet
