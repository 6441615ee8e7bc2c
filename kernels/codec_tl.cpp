// TL1 and TL2, the look-up-table types of bitnet.cpp (pictures: ternary_dialects.h), a row at a time. What belongs to a
// row lies scattered over its tile, at strides that depend on the tiling alone.
#include <cstring>

#include "kernels/ternary_dialects.h"
#include "kernels/ternary_layouts.h"

namespace kern {
namespace {

constexpr int64_t kMostTile = int64_t{1} << 24;  // keeps products of a tile's sides far from overflow

// Two codes from an index 3 w0 + w1 + 4 of 0..8.
bool put_pair(unsigned index, I2sRowWriter& out) {
    out.put(index > 8 ? 1 : index / 3);
    out.put(index > 8 ? 1 : index % 3);
    return index <= 8;
}

// Three codes from |t| and the sign of t = 9 w0 + 3 w1 + w2. No encoder gives 0 a sign.
bool put_triple(unsigned index, unsigned negative, I2sRowWriter& out) {
    const bool valid = index <= 13 && (index != 0 || negative == 0);
    const unsigned digits = !valid ? 13u : negative != 0 ? 13u - index : 13u + index;
    out.put(digits / 9);
    out.put(digits / 3 % 3);
    out.put(digits % 3);
    return valid;
}

unsigned pair_of(const float* w) { return 3 * ternary_code(w[0]) + ternary_code(w[1]); }

struct Tl1Place {
    int64_t first;                // byte of the row's first four weights
    int64_t tile, step;           // bytes from one BK columns to the next, and from one `by` columns to the next
    int64_t tiles, steps, bytes;  // how many of each; bytes of a step, 16 apart

    Tl1Place(const DialectShape& s, int64_t row) {
        const TlTiling& t = s.tiling;
        const int64_t by = 256 / t.bm;
        const int64_t in_tile = row % t.bm_rows;
        step = t.bm * by / 4;
        tile = t.bm_rows * t.bk / 4;
        first = row / t.bm_rows * (t.bm_rows * s.k / 4) + in_tile / t.bm * (t.bm * t.bk / 4) +
                in_tile % t.bm / 16 * (by / 4 * 16) + row % 16;
        tiles = s.k / t.bk;
        steps = t.bk / by;
        bytes = by / 4;
    }

    // visit(byte of the next four weights)
    template <class Visit>
    void each(Visit visit) const {
        for (int64_t i = 0; i < tiles; ++i) {
            for (int64_t j = 0; j < steps; ++j) {
                const int64_t at = first + i * tile + j * step;
                for (int64_t b = 0; b < bytes; ++b) visit(at + 16 * b);
            }
        }
    }
};

struct Tl2Place {
    int64_t lane;  // of the row in a block of 32 bytes
    int64_t sign_number, sign_shift;
    int64_t triples, signs, pairs;  // bytes of the row's first block in each region
    int64_t k3, tiles, blocks, pair_tiles;
    int64_t triple_tile, sign_tile, pair_tile;  // bytes from one tile of columns to the next

    Tl2Place(const DialectShape& s, int64_t row) {
        constexpr int64_t kGroup[4] = {0, 2, 1, 3};
        const TlTiling& t = s.tiling;
        const int64_t rr = row % 32, band = row / t.bm_rows, group = row % t.bm_rows / 32, groups = t.bm_rows / 32;
        lane = kGroup[rr / 8] * 8 + rr % 8;
        sign_number = rr % 16;
        sign_shift = rr / 16;
        tiles = s.k / t.bk;
        k3 = tiles * t.bk;
        blocks = t.bk / 6;
        pair_tiles = (s.k - k3) / 32;
        triple_tile = groups * blocks * 32;
        sign_tile = groups * (t.bk / 24) * 32;
        pair_tile = groups * 8 * 32;
        triples = band * tiles * triple_tile + group * blocks * 32;
        signs = s.n_rows * k3 / 6 + band * tiles * sign_tile + group * (t.bk / 24) * 32;
        pairs = s.n_rows * k3 / 6 + s.n_rows * k3 / 24 + band * pair_tiles * pair_tile + group * 8 * 32;
    }

    // visit(byte of two triples, byte of the u16 with their signs, bit of the even one's sign)
    template <class Visit>
    void each_triples(Visit visit) const {
        for (int64_t i = 0; i < tiles; ++i) {
            for (int64_t b = 0; b < blocks; ++b) {
                const int64_t sign = signs + i * sign_tile + b / 4 * 32 + 2 * sign_number;
                visit(triples + i * triple_tile + b * 32 + lane, sign,
                      static_cast<int>(15 - (4 * (b % 4) + sign_shift)));
            }
        }
    }

    template <class Visit>
    void each_pairs(Visit visit) const {
        for (int64_t i = 0; i < pair_tiles; ++i) {
            for (int64_t b = 0; b < 8; ++b) visit(pairs + i * pair_tile + b * 32 + lane);
        }
    }
};

unsigned u16_at(const uint8_t* p) { return static_cast<unsigned>(p[0] | p[1] << 8); }

}  // namespace

bool tl2_code_bytes(uint64_t k, uint64_t n_rows, uint64_t* out) {
    if (k < 256) return false;
    if (n_rows > UINT64_MAX / 8 / k) return false;  // bounds every product below
    const uint64_t triples = (k - 256) * n_rows / 3 * 5 / 8;
    const uint64_t pairs = 256 * n_rows / 2 * 4 / 8;
    *out = (triples + pairs + 31) / 32 * 32;
    return true;
}

const char* tl_tiling_problem(const DialectShape& s) {
    const TlTiling& t = s.tiling;
    if (t.bm_rows < 1 || t.bk < 1 || t.bm < 1 || t.bm_rows > kMostTile || t.bk > kMostTile || t.bm > kMostTile)
        return "needs a tiling of three numbers above 0";
    if (s.n_rows % t.bm_rows != 0) return "has rows that are no multiple of BM of its tiling";
    if (s.type == QuantType::tl1) {
        if (t.bm != 32 && t.bm != 64) return "needs a tiling whose bm is 32 or 64";
        if (t.bm_rows % t.bm != 0) return "needs a tiling whose BM is a multiple of bm";
        if (t.bk % (256 / t.bm) != 0) return "needs a tiling whose BK is a multiple of 256 / bm";
        return s.k % t.bk != 0 ? "has rows whose length is no multiple of BK of its tiling" : nullptr;
    }
    if (t.bm != 32) return "needs a tiling whose bm is 32";
    if (t.bm_rows % 32 != 0) return "needs a tiling whose BM is a multiple of 32";
    if (t.bk % 24 != 0) return "needs a tiling whose BK is a multiple of 24";
    if (s.k % t.bk % 32 != 0)
        return "has rows whose length leaves a rest behind BK of its tiling that is no multiple of 32";
    const int64_t k3 = s.k / t.bk * t.bk;
    uint64_t reserved = 0;
    if (!tl2_code_bytes(static_cast<uint64_t>(s.k), static_cast<uint64_t>(s.n_rows), &reserved))
        return "has rows of fewer than 256 weights";
    const uint64_t used = static_cast<uint64_t>(s.n_rows) * static_cast<uint64_t>(k3 / 24 * 5 + (s.k - k3) / 4);
    return used > reserved ? "needs a tiling with a smaller BK: its codes would take more bytes than it has" : nullptr;
}

bool tl_codes_of_row(const DialectShape& s, const uint8_t* data, int64_t row, void* i2s_row) {
    I2sRowWriter out(i2s_row);
    bool valid = true;
    const auto two_pairs = [&](int64_t at) {
        const bool even = put_pair(data[at] >> 4, out), odd = put_pair(data[at] & 15u, out);
        valid = valid && even && odd;
    };
    if (s.type == QuantType::tl1) {
        Tl1Place(s, row).each(two_pairs);
        return valid;
    }
    const Tl2Place place(s, row);
    place.each_triples([&](int64_t at, int64_t sign_at, int bit) {
        const unsigned signs = u16_at(data + sign_at);
        const bool even = put_triple(data[at] >> 4, signs >> bit & 1u, out);
        const bool odd = put_triple(data[at] & 15u, signs >> (bit - 2) & 1u, out);
        valid = valid && even && odd;
    });
    place.each_pairs(two_pairs);
    return valid;
}

void tl_encode_row(const DialectShape& s, const float* src, int64_t row, uint8_t* data) {
    const auto two_pairs = [&](int64_t at) {
        data[at] = static_cast<uint8_t>(pair_of(src) << 4 | pair_of(src + 2));
        src += 4;
    };
    if (s.type == QuantType::tl1) return Tl1Place(s, row).each(two_pairs);
    const Tl2Place place(s, row);
    place.each_triples([&](int64_t at, int64_t sign_at, int bit) {
        unsigned indices = 0;
        for (int i = 0; i < 2; ++i, src += 3) {
            const unsigned digits = 9 * ternary_code(src[0]) + 3 * ternary_code(src[1]) + ternary_code(src[2]);
            indices = indices << 4 | (digits < 13 ? 13 - digits : digits - 13);
            if (digits >= 13) continue;
            const unsigned signs = u16_at(data + sign_at) | 1u << (bit - 2 * i);
            data[sign_at] = static_cast<uint8_t>(signs & 255u);
            data[sign_at + 1] = static_cast<uint8_t>(signs >> 8);
        }
        data[at] = static_cast<uint8_t>(indices);
    });
    place.each_pairs(two_pairs);
}

}  // namespace kern
