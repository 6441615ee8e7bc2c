// GGUF files put together byte by byte, so that tests can write what no writer would. Nothing is checked or corrected.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace test {

class GgufBytes {
public:
    // Magic and version. Version 1 has 32-bit counts, lengths and dimensions; all others get 64-bit ones.
    explicit GgufBytes(uint32_t version = 3) : wide_(version != 1) { raw("GGUF").u32(version); }

    template <typename T>
    GgufBytes& number(T value) {
        const size_t at = bytes_.size();
        bytes_.resize(at + sizeof value);
        std::memcpy(bytes_.data() + at, &value, sizeof value);
        return *this;
    }
    GgufBytes& u8(uint8_t value) { return number(value); }
    GgufBytes& u16(uint16_t value) { return number(value); }
    GgufBytes& u32(uint32_t value) { return number(value); }
    GgufBytes& u64(uint64_t value) { return number(value); }
    GgufBytes& f32(float value) { return number(value); }
    GgufBytes& raw(std::string_view bytes) {
        bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
        return *this;
    }
    GgufBytes& zeros(size_t n) {
        bytes_.resize(bytes_.size() + n);
        return *this;
    }
    GgufBytes& pad(size_t alignment = 32) { return zeros((alignment - bytes_.size() % alignment) % alignment); }

    GgufBytes& length(uint64_t n) { return wide_ ? u64(n) : u32(static_cast<uint32_t>(n)); }
    GgufBytes& string(std::string_view text) { return length(text.size()).raw(text); }
    GgufBytes& counts(uint64_t n_tensors, uint64_t n_keys) { return length(n_tensors).length(n_keys); }

    // A key and its type id; the value follows by other calls.
    GgufBytes& key(std::string_view name, uint32_t type) { return string(name).u32(type); }
    GgufBytes& key_u32(std::string_view name, uint32_t value) { return key(name, 4).u32(value); }
    GgufBytes& key_string(std::string_view name, std::string_view value) { return key(name, 8).string(value); }
    GgufBytes& key_array(std::string_view name, uint32_t element_type, uint64_t count) {
        return key(name, 9).u32(element_type).length(count);
    }
    GgufBytes& tensor(std::string_view name, const std::vector<uint64_t>& ne, uint32_t type, uint64_t offset) {
        string(name).u32(static_cast<uint32_t>(ne.size()));
        for (const uint64_t n : ne) length(n);
        return u32(type).u64(offset);
    }

    const std::vector<uint8_t>& bytes() const { return bytes_; }

private:
    bool wide_;
    std::vector<uint8_t> bytes_;
};

// A small valid file with every kind of thing in it: scalars, a bool array, a string array, two tensors (f32 [4], f16
// [8, 2]). The same content in every version.
inline std::vector<uint8_t> small_gguf(uint32_t version = 3) {
    GgufBytes b(version);
    b.counts(2, 6);
    b.key_string("general.architecture", "bitnet-b1.58");
    b.key_u32("general.file_type", 40);
    b.key("a.f32", 6).f32(1e-5f);
    b.key_array("a.bools", 7, 3).u8(1).u8(0).u8(1);
    b.key_array("a.strings", 8, 3).string("one").string("").string("three");
    b.key("a.i64", 11).number<int64_t>(-5);
    b.tensor("first", {4}, 0, 0).tensor("second", {8, 2}, 1, 32).pad();
    b.f32(1).f32(2).f32(3).f32(4).zeros(16);
    for (uint16_t i = 0; i < 16; ++i) b.u16(i);
    return b.bytes();
}

}  // namespace test
