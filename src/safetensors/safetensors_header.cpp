// A SAX reader, because a header may have 100 MB and the tree of it ten times that. The parser is not recursive, and
// nothing deeper than an array in an entry is accepted, so depth costs nothing.
#include "src/safetensors/safetensors_header.h"

#include <algorithm>
#include <optional>

#include <nlohmann/json.hpp>

#include "src/base/checked_math.h"
#include "src/base/error.h"
#include "src/gguf/gguf_text.h"
#include "src/safetensors/strict_json.h"

namespace bitnet {
namespace {

using nlohmann::json;

struct TypeRow {
    SafetensorsType type;
    const char* name;
    uint64_t bytes;
};
constexpr TypeRow kTypes[] = {
    {SafetensorsType::boolean, "BOOL", 1},    {SafetensorsType::u8, "U8", 1},
    {SafetensorsType::i8, "I8", 1},           {SafetensorsType::f8_e4m3, "F8_E4M3", 1},
    {SafetensorsType::f8_e5m2, "F8_E5M2", 1}, {SafetensorsType::u16, "U16", 2},
    {SafetensorsType::i16, "I16", 2},         {SafetensorsType::f16, "F16", 2},
    {SafetensorsType::bf16, "BF16", 2},       {SafetensorsType::u32, "U32", 4},
    {SafetensorsType::i32, "I32", 4},         {SafetensorsType::f32, "F32", 4},
    {SafetensorsType::u64, "U64", 8},         {SafetensorsType::i64, "I64", 8},
    {SafetensorsType::f64, "F64", 8},         {SafetensorsType::complex64, "C64", 8},
};

constexpr bool types_in_order() {
    for (size_t i = 0; i < std::size(kTypes); ++i)
        if (static_cast<size_t>(kTypes[i].type) != i) return false;
    return true;
}
static_assert(types_in_order());

class HeaderSax final : public nlohmann::json_sax<json> {
public:
    HeaderSax(SafetensorsHeader& header, const std::string& file, const SafetensorsLimits& limits)
        : header_(header), file_(file), limits_(limits) {}

    bool start_object(size_t) override {
        if (place_ == Place::nothing) return go(Place::top);
        if (place_ != Place::top) wrong("an object");
        if (name_ == "__metadata__") return go(Place::metadata);
        begin_tensor();
        return go(Place::tensor);
    }
    bool end_object() override {
        if (place_ == Place::tensor) end_tensor();
        return go(place_ == Place::top ? Place::end : Place::top);
    }
    bool start_array(size_t) override {
        if (place_ != Place::tensor) wrong("a list");
        if (key_ == "shape") return go(Place::shape);
        if (key_ == "data_offsets") return go(Place::offsets);
        wrong("a list");
    }
    bool end_array() override { return go(Place::tensor); }
    bool key(string_t& text) override {
        if (place_ == Place::top) {
            if (text.size() > limits_.max_name_bytes) {
                throw Error(BITNET_E_SECURITY_INPUT, file_ + ": the name of a tensor has " +
                                                         std::to_string(text.size()) + " bytes; the limit is " +
                                                         std::to_string(limits_.max_name_bytes))
                    .with_numbers(limits_.max_name_bytes, text.size());
            }
            name_ = std::move(text);
            if (name_ == "__metadata__" && seen_metadata_) fail("is there twice");
            seen_metadata_ = seen_metadata_ || name_ == "__metadata__";
            return true;
        }
        key_ = std::move(text);
        if (place_ == Place::tensor) enter_field();
        return true;
    }
    bool string(string_t& text) override {
        if (place_ == Place::metadata) return add_metadata(std::move(text));
        if (place_ != Place::tensor || key_ != "dtype") wrong("a text");
        const auto* row =
            std::find_if(std::begin(kTypes), std::end(kTypes), [&](const TypeRow& r) { return text == r.name; });
        if (row == std::end(kTypes)) {
            throw Error(BITNET_E_GGUF_TENSOR_TYPE, file_ + ": tensor '" + for_message(name_) +
                                                       "' has the unknown type '" + for_message(text) +
                                                       "'; save the model as BF16, F16, F32 or U8")
                .with_subject(for_message(name_));
        }
        header_.tensors.back().type = row->type;
        return true;
    }
    bool number_unsigned(number_unsigned_t value) override {
        if (place_ == Place::shape) {
            std::vector<uint64_t>& shape = header_.tensors.back().shape;
            if (shape.size() == limits_.max_dims)
                fail("has more than " + std::to_string(limits_.max_dims) + " dimensions");
            shape.push_back(value);
            return true;
        }
        if (place_ != Place::offsets) wrong("a number");
        if (n_offsets_ == 2) fail("has more than two data_offsets");
        offsets_[n_offsets_++] = value;
        return true;
    }
    bool number_integer(number_integer_t) override { wrong("a negative number"); }
    bool number_float(number_float_t, const string_t&) override { wrong("a number that is not whole or too large"); }
    bool null() override { wrong("null"); }
    bool boolean(bool) override { wrong("true or false"); }
    bool binary(binary_t&) override { wrong("binary data"); }
    bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception& error) override {
        throw Error(BITNET_E_GGUF_METADATA, file_ + ": the header is not valid JSON: " + json_reason(error) +
                                                "; the file is damaged, download it again")
            .with_offset(8 + position);
    }

private:
    enum class Place : uint8_t { nothing, top, metadata, tensor, shape, offsets, end };
    enum Field : unsigned { kDtype = 1, kShape = 2, kOffsets = 4, kAll = 7 };

    bool go(Place place) {
        place_ = place;
        return true;
    }
    [[noreturn]] void fail(const std::string& what) const {
        const std::string shown = for_message(name_);
        throw Error(BITNET_E_GGUF_METADATA,
                    file_ + ": '" + shown + "' in the header " + what + "; the file is damaged, download it again")
            .with_subject(shown);
    }
    [[noreturn]] void wrong(const char* what) const {
        if (place_ == Place::nothing)
            throw Error(BITNET_E_GGUF_METADATA,
                        file_ + ": the header is " + what + ", not an object; it is no safetensors file");
        fail("has " + std::string(what) + " where none belongs");
    }

    void begin_tensor() {
        if (header_.tensors.size() == limits_.max_tensors) {
            throw Error(BITNET_E_GGUF_TENSOR_COUNT, file_ + ": more than " + std::to_string(limits_.max_tensors) +
                                                        " tensors; no model has that many")
                .with_numbers(limits_.max_tensors, limits_.max_tensors + 1);
        }
        if (!header_.by_name.emplace(name_, header_.tensors.size()).second) fail("is there twice");
        header_.tensors.emplace_back().name = name_;
        fields_ = 0;
        n_offsets_ = 0;
    }
    void enter_field() {
        unsigned field = 0;
        if (key_ == "dtype") field = kDtype;
        if (key_ == "shape") field = kShape;
        if (key_ == "data_offsets") field = kOffsets;
        if (field == 0) fail("has the unknown key '" + for_message(key_) + "'");
        if ((fields_ & field) != 0) fail("has " + key_ + " twice");
        fields_ |= field;
    }
    bool add_metadata(string_t text) {
        if (header_.metadata.size() == limits_.max_metadata)
            fail("has more than " + std::to_string(limits_.max_metadata) + " entries");
        if (!header_.metadata.emplace(key_, std::move(text)).second)
            fail("has the key '" + for_message(key_) + "' twice");
        return true;
    }
    // Shape and extent must be of one size. A number alone has an empty shape.
    void end_tensor() {
        if (fields_ != kAll) fail("lacks dtype, shape or data_offsets");
        if (n_offsets_ != 2 || offsets_[1] < offsets_[0]) fail("has data_offsets that are no extent");
        SafetensorsTensor& tensor = header_.tensors.back();
        tensor.offset = offsets_[0];
        tensor.n_bytes = offsets_[1] - offsets_[0];
        uint64_t bytes = safetensors_type_bytes(tensor.type);
        bool fits = true;
        for (const uint64_t n : tensor.shape) fits = fits && checked_mul(bytes, n, &bytes);
        if (fits && bytes == tensor.n_bytes) return;
        throw Error(BITNET_E_GGUF_TENSOR_SHAPE, file_ + ": tensor '" + for_message(name_) + "' of shape " +
                                                    shape_text(tensor.shape) + " and type " +
                                                    safetensors_type_name(tensor.type) + " does not fit its " +
                                                    std::to_string(tensor.n_bytes) + " bytes; download the file again")
            .with_numbers(fits ? bytes : UINT64_MAX, tensor.n_bytes)
            .with_subject(for_message(name_));
    }

    SafetensorsHeader& header_;
    const std::string& file_;
    const SafetensorsLimits& limits_;
    Place place_ = Place::nothing;
    std::string name_;  // of the entry
    std::string key_;   // inside it
    bool seen_metadata_ = false;
    unsigned fields_ = 0;
    uint64_t offsets_[2] = {};
    size_t n_offsets_ = 0;
};

}  // namespace

const char* safetensors_type_name(SafetensorsType type) noexcept { return kTypes[static_cast<size_t>(type)].name; }

uint64_t safetensors_type_bytes(SafetensorsType type) noexcept { return kTypes[static_cast<size_t>(type)].bytes; }

std::string shape_text(const std::vector<uint64_t>& shape) {
    std::string text;
    for (const uint64_t n : shape) text += (text.empty() ? "" : ", ") + std::to_string(n);
    return "[" + text + "]";
}

SafetensorsHeader parse_safetensors_header(std::string_view text, const std::string& file,
                                           const SafetensorsLimits& limits) {
    SafetensorsHeader header;
    HeaderSax sax(header, file, limits);
    json::sax_parse(text, &sax);
    return header;
}

}  // namespace bitnet
