// Conversions of metadata values. The thirteen types are rows of one table; a conversion asks for the row's kind
// (unsigned, signed, real, ...) and width instead of naming every type.
#include "src/gguf/gguf_value.h"

#include <cmath>
#include <limits>

#include "src/gguf/gguf_text.h"
#include "src/gguf/little_endian.h"

namespace bitnet {
namespace {

enum class Kind : uint8_t { none, natural, whole, real, truth, text };

struct TypeRow {
    const char* name;
    const char* plural;
    Kind kind;
    uint8_t bytes;
};

// Indexed by the type's id in the file.
constexpr TypeRow kTypes[] = {
    {"u8", "u8", Kind::natural, 1},     {"i8", "i8", Kind::whole, 1},      {"u16", "u16", Kind::natural, 2},
    {"i16", "i16", Kind::whole, 2},     {"u32", "u32", Kind::natural, 4},  {"i32", "i32", Kind::whole, 4},
    {"f32", "f32", Kind::real, 4},      {"bool", "bools", Kind::truth, 1}, {"string", "strings", Kind::text, 0},
    {"array", "arrays", Kind::none, 0}, {"u64", "u64", Kind::natural, 8},  {"i64", "i64", Kind::whole, 8},
    {"f64", "f64", Kind::real, 8},
};
constexpr TypeRow kUnknown = {"unknown", "unknown", Kind::none, 0};

const TypeRow& row_of(GgufType type) noexcept {
    const auto id = static_cast<uint32_t>(type);
    return id < sizeof kTypes / sizeof kTypes[0] ? kTypes[id] : kUnknown;
}

uint64_t load_natural(const uint8_t* p, uint8_t bytes) noexcept {
    uint64_t value = 0;
    std::memcpy(&value, p, bytes);
    return value;
}

int64_t load_whole(const uint8_t* p, uint8_t bytes) noexcept {
    const int shift = 64 - 8 * bytes;
    return static_cast<int64_t>(load_natural(p, bytes) << shift) >> shift;  // extends the sign
}

}  // namespace

const char* gguf_type_name(GgufType type) noexcept { return row_of(type).name; }
size_t gguf_type_bytes(GgufType type) noexcept { return row_of(type).bytes; }

std::optional<uint64_t> GgufValue::as_uint(size_t i) const {
    const TypeRow& row = row_of(type_);
    if (i >= count_) return std::nullopt;
    const uint8_t* p = data_ + i * row.bytes;
    if (row.kind == Kind::natural) return load_natural(p, row.bytes);
    if (row.kind != Kind::whole) return std::nullopt;
    const int64_t value = load_whole(p, row.bytes);
    return value < 0 ? std::nullopt : std::optional<uint64_t>(static_cast<uint64_t>(value));
}

std::optional<int64_t> GgufValue::as_int(size_t i) const {
    const TypeRow& row = row_of(type_);
    if (i >= count_) return std::nullopt;
    const uint8_t* p = data_ + i * row.bytes;
    if (row.kind == Kind::whole) return load_whole(p, row.bytes);
    if (row.kind != Kind::natural) return std::nullopt;
    const uint64_t value = load_natural(p, row.bytes);
    constexpr auto kMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
    return value > kMax ? std::nullopt : std::optional<int64_t>(static_cast<int64_t>(value));
}

std::optional<double> GgufValue::as_float(size_t i) const {
    const TypeRow& row = row_of(type_);
    if (i >= count_) return std::nullopt;
    const uint8_t* p = data_ + i * row.bytes;
    if (row.kind == Kind::real) return row.bytes == 4 ? double{load_le<float>(p)} : load_le<double>(p);
    constexpr int64_t kExact = int64_t{1} << 53;  // beyond it not every integer is a double
    const std::optional<int64_t> whole = as_int(i);
    if (!whole || *whole > kExact || *whole < -kExact) return std::nullopt;
    return static_cast<double>(*whole);
}

std::optional<bool> GgufValue::as_bool(size_t i) const {
    if (i >= count_ || row_of(type_).kind != Kind::truth) return std::nullopt;
    return data_[i] != 0;
}

std::optional<std::string_view> GgufValue::as_string(size_t i) const {
    if (i >= count_ || row_of(type_).kind != Kind::text) return std::nullopt;
    const uint8_t* p = data_ + (string_offsets_ != nullptr ? string_offsets_[i] : 0);
    return std::string_view(reinterpret_cast<const char*>(p) + length_bytes_,
                            static_cast<size_t>(load_natural(p, length_bytes_)));
}

std::span<const uint8_t> GgufValue::raw() const noexcept { return {data_, count_ * row_of(type_).bytes}; }

void GgufValue::append_element(std::string& out, size_t i) const {
    const TypeRow& row = row_of(type_);
    const uint8_t* p = data_ + i * row.bytes;
    switch (row.kind) {
        case Kind::natural: out += std::to_string(load_natural(p, row.bytes)); break;
        case Kind::whole: out += std::to_string(load_whole(p, row.bytes)); break;
        case Kind::truth: out += *p != 0 ? "true" : "false"; break;
        case Kind::real: {
            const bool single = row.bytes == 4;
            // JSON has no infinities and no NaN.
            if (is_array_ && !std::isfinite(single ? double{load_le<float>(p)} : load_le<double>(p)))
                out += "null";
            else
                out += single ? float_text(load_le<float>(p)) : float_text(load_le<double>(p));
            break;
        }
        case Kind::text:
            if (is_array_)
                append_json_string(out, *as_string(i));
            else
                out += *as_string(i);
            break;
        case Kind::none: break;
    }
}

std::string GgufValue::to_text(size_t max_elements) const {
    std::string out;
    if (!is_array_) {
        append_element(out, 0);
        return out;
    }
    out += '[';
    for (size_t i = 0; i < count_ && i < max_elements; ++i) {
        if (i > 0) out += ", ";
        append_element(out, i);
    }
    if (count_ > max_elements) out += max_elements > 0 ? ", ..." : "...";
    out += ']';
    return out;
}

std::string GgufValue::description() const {
    const TypeRow& row = row_of(type_);
    return is_array_ ? "an array of " + std::to_string(count_) + " " + row.plural : std::string("a ") + row.name;
}

}  // namespace bitnet
