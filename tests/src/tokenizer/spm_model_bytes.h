// The bytes of small SentencePiece models, made field by field.
#pragma once

#include <bit>
#include <cstdint>
#include <string>

namespace test::spm_bytes {

inline std::string varint(uint64_t value) {
    std::string out;
    for (; value > 127; value >>= 7) out.push_back(static_cast<char>((value & 127) | 128));
    return out + static_cast<char>(value);
}
inline std::string number_field(uint32_t id, uint64_t value) { return varint(id << 3) + varint(value); }
inline std::string bytes_field(uint32_t id, const std::string& bytes) {
    return varint(id << 3 | 2) + varint(bytes.size()) + bytes;
}
inline std::string float_field(uint32_t id, float value) {
    const uint32_t bits = std::bit_cast<uint32_t>(value);
    std::string out = varint(id << 3 | 5);
    for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(bits >> shift));
    return out;
}

inline std::string piece(const std::string& text, float score, uint64_t type) {
    return bytes_field(1, bytes_field(1, text) + float_field(2, score) + (type == 1 ? "" : number_field(3, type)));
}

inline std::string pieces() {
    return piece("<unk>", 0, 2) + piece("<s>", 0, 3) + piece("</s>", 0, 3) + piece("\xE2\x96\x81", -1, 1) +
           piece("a", -2, 1) + piece("b", -3, 1) +
           piece(
               "\xE2\x96\x81"
               "a",
               -4, 1) +
           piece("ab", -5, 1);
}
inline std::string trainer(uint64_t model_type = 2) { return bytes_field(2, number_field(3, model_type)); }
inline std::string normalizer(const std::string& fields = "") {
    return bytes_field(3, bytes_field(1, "identity") + fields);
}

}  // namespace test::spm_bytes
