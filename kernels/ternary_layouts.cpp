// Checks and conversions of whole packed ternary tensors, for the loader. Plain C++ the compiler vectorises: each loop
// body is the same few operations on every byte, without a branch.
#include "kernels/ternary_layouts.h"

#include <cstring>

namespace kern {
namespace {

constexpr size_t kCheckChunk = 4096;  // bytes between two looks at the verdict

// Non-zero bits where a two-bit field of one of eight bytes is 3: both its bits are set.
uint64_t code3_bits(const unsigned char* bytes) {
    uint64_t word;
    std::memcpy(&word, bytes, sizeof word);
    return word & (word >> 1) & 0x5555555555555555u;
}

// Trit n of a TQ1_0 byte (ternary_layouts.h), pow3 = 3^n. In 16 bits, so that eight fit a vector register.
inline unsigned trit(unsigned byte, unsigned pow3) {
    const uint16_t fraction = static_cast<uint16_t>(byte * pow3 & 255u);
    return static_cast<uint16_t>(fraction * 3u) >> 8;
}

constexpr unsigned kPow3[] = {1, 3, 9, 27};

}  // namespace

bool ternary_codes_valid(const void* bytes, size_t n) {
    const unsigned char* p = static_cast<const unsigned char*>(bytes);
    while (n >= 8) {
        const size_t chunk = (n < kCheckChunk ? n : kCheckChunk) / 8 * 8;
        uint64_t bad = 0;
        for (size_t i = 0; i < chunk; i += 8) bad |= code3_bits(p + i);
        if (bad != 0) return false;
        p += chunk;
        n -= chunk;
    }
    unsigned bad = 0;
    for (size_t i = 0; i < n; ++i) bad |= p[i] & (p[i] >> 1) & 0x55u;
    return bad == 0;
}

bool tq2_0_blocks_valid(const void* blocks, size_t n_blocks) {
    const unsigned char* p = static_cast<const unsigned char*>(blocks);
    for (size_t b = 0; b < n_blocks; ++b, p += sizeof(BlockTq2_0)) {
        uint64_t bad = 0;
        for (size_t i = 0; i < sizeof(BlockTq2_0::qs); i += 8) bad |= code3_bits(p + i);
        if (bad != 0) return false;
    }
    return true;
}

// byte = ceil(256 v / 243) means 243 byte = 256 v + r with 0 <= r < 243, so a byte is one an encoder writes exactly
// when (243 byte mod 256) < 243. With four trits and a zero v = 3 u, the byte is ceil(256 u / 81): (81 byte mod 256) <
// 81.
bool tq1_0_blocks_valid(const void* blocks, size_t n_blocks) {
    const unsigned char* p = static_cast<const unsigned char*>(blocks);
    for (size_t b = 0; b < n_blocks; ++b, p += sizeof(BlockTq1_0)) {
        uint8_t worst = 0;
        for (size_t i = 0; i < sizeof(BlockTq1_0::qs); ++i) {
            const uint8_t rest = static_cast<uint8_t>(p[i] * 243u);
            worst = worst > rest ? worst : rest;
        }
        uint8_t worst_high = 0;
        for (size_t i = 0; i < sizeof(BlockTq1_0::qh); ++i) {
            const uint8_t rest = static_cast<uint8_t>(p[offsetof(BlockTq1_0, qh) + i] * 81u);
            worst_high = worst_high > rest ? worst_high : rest;
        }
        if (worst >= 243 || worst_high >= 81) return false;
    }
    return true;
}

// dst field f of byte p is weight 32 f + p of 128; in the source that weight lies in 16-byte group f / 2, byte p % 16,
// field 2 (f % 2) + p / 16. The group's two bytes at p % 16 thus give all four fields.
void i2s_repack_arm_order(const void* src, size_t n_weights, void* dst) {
    const unsigned char* from = static_cast<const unsigned char*>(src);
    unsigned char* to = static_cast<unsigned char*>(dst);
    for (size_t b = 0; b < n_weights / kI2sBlock; ++b, from += kI2sBlockBytes, to += kI2sBlockBytes) {
        unsigned char in[kI2sBlockBytes];
        unsigned char out[kI2sBlockBytes];
        std::memcpy(in, from, sizeof in);
        for (int p = 0; p < 16; ++p) {
            const unsigned first = in[p];
            const unsigned second = in[16 + p];
            // bytes 0..15 take source fields 0 and 2 (bits 7:6, 3:2), bytes 16..31 fields 1 and 3 (bits 5:4, 1:0)
            out[p] = static_cast<unsigned char>((first & 0xc0u) | (first & 0x0cu) << 2 | (second & 0xc0u) >> 4 |
                                                (second & 0x0cu) >> 2);
            out[16 + p] = static_cast<unsigned char>((first & 0x30u) << 2 | (first & 0x03u) << 4 |
                                                     (second & 0x30u) >> 2 | (second & 0x03u));
        }
        std::memcpy(to, out, sizeof out);
    }
}

void tq1_0_repack_as_tq2_0(const void* src, size_t n_blocks, void* dst) {
    const unsigned char* from = static_cast<const unsigned char*>(src);
    unsigned char* to = static_cast<unsigned char*>(dst);
    for (size_t b = 0; b < n_blocks; ++b, from += sizeof(BlockTq1_0), to += sizeof(BlockTq2_0)) {
        BlockTq1_0 in;
        std::memcpy(&in, from, sizeof in);
        BlockTq2_0 out = {};
        out.d = in.d;
        // Weights 0..127: trits 0..3 of qs[0..31] are the four fields of the first half.
        for (int m = 0; m < 32; ++m) {
            const unsigned byte = in.qs[m];
            out.qs[m] =
                static_cast<uint8_t>(trit(byte, 1) | trit(byte, 3) << 2 | trit(byte, 9) << 4 | trit(byte, 27) << 6);
        }
        // Weights 128..159 are trit 4 of the same bytes, 160..239 the trits of qs[32..47], 240..255 those of qh.
        uint8_t high[16];
        for (int m = 0; m < 16; ++m) high[m] = static_cast<uint8_t>(trit(in.qh[m % 4], kPow3[m / 4]));
        for (int m = 0; m < 16; ++m) {
            const unsigned byte = in.qs[32 + m];
            out.qs[32 + m] = static_cast<uint8_t>(trit(in.qs[m], 81) | trit(byte, 1) << 2 | trit(byte, 9) << 4 |
                                                  trit(byte, 81) << 6);
            out.qs[48 + m] =
                static_cast<uint8_t>(trit(in.qs[16 + m], 81) | trit(byte, 3) << 2 | trit(byte, 27) << 4 | high[m] << 6);
        }
        std::memcpy(to, &out, sizeof out);
    }
}

}  // namespace kern
