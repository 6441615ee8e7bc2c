#include "src/context/sequence_state.h"

#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "ggml-like/graph_trace.h"
#include "src/base/error.h"

namespace bitnet {
namespace {

constexpr char kMagic[8] = {'B', 'N', 'S', 'E', 'Q', '0', '0', '2'};
constexpr size_t kHeadBytes = 32;
constexpr size_t kChecksumBytes = 8;

template <typename T>
void put(uint8_t*& to, T value) {
    for (size_t i = 0; i < sizeof value; ++i) *to++ = static_cast<uint8_t>(static_cast<uint64_t>(value) >> (8 * i));
}

template <typename T>
T get(const uint8_t*& from) {
    uint64_t value = 0;
    for (size_t i = 0; i < sizeof(T); ++i) value |= static_cast<uint64_t>(*from++) << (8 * i);
    return static_cast<T>(value);
}

// Rows travel as they lie in memory: F16 words, little-endian on every platform this library builds for.
size_t row_bytes(const KvCache& cache) { return static_cast<size_t>(cache.row_width()) * sizeof(uint16_t); }

[[noreturn]] void bad_state(const std::string& what) {
    throw Error(BITNET_E_STATE, "the saved sequence " + what + "; save it again with this model");
}

// A token's position and id, keys and values. Every factor is bounded by hparams_read.cpp: below 2^35.
uint64_t token_bytes(const KvCache& cache) { return 2 * sizeof(int32_t) + 2 * cache.layers().size() * row_bytes(cache); }

}  // namespace

uint64_t sequence_state_bytes(const KvCache& cache, bitnet_seq_id id) {
    return kHeadBytes + cache.sequence(id).cells.size() * token_bytes(cache) + kChecksumBytes;
}

void save_sequence(const KvCache& cache, bitnet_seq_id id, uint64_t fingerprint, uint8_t* out) {
    const Sequence& sequence = cache.sequence(id);
    uint8_t* to = out;
    std::memcpy(to, kMagic, sizeof kMagic);
    to += sizeof kMagic;
    put(to, fingerprint);
    put(to, static_cast<uint32_t>(cache.layers().size()));
    put(to, static_cast<uint32_t>(cache.row_width()));
    put(to, static_cast<uint32_t>(sequence.cells.size()));
    put(to, uint32_t{0});
    for (const bitnet_pos position : sequence.positions) put(to, static_cast<uint32_t>(position));
    for (const bitnet_token token : sequence.tokens) put(to, static_cast<uint32_t>(token));
    const size_t n = row_bytes(cache);
    for (const tg::KvLayer& layer : cache.layers()) {
        for (const uint16_t* rows : {layer.k, layer.v}) {
            for (const int32_t cell : sequence.cells) {
                std::memcpy(to, rows + cell * cache.row_width(), n);
                to += n;
            }
        }
    }
    put(to, tg::checksum_bytes(out, static_cast<size_t>(to - out)));
}

void load_sequence(KvCache& cache, bitnet_seq_id id, uint64_t fingerprint, const uint8_t* data, size_t size) {
    if (size < kHeadBytes + kChecksumBytes || std::memcmp(data, kMagic, sizeof kMagic) != 0) bad_state("is not one");
    const uint8_t* from = data + sizeof kMagic;
    if (get<uint64_t>(from) != fingerprint) bad_state("belongs to another model");
    const uint32_t n_layer = get<uint32_t>(from), row_width = get<uint32_t>(from), n_tokens = get<uint32_t>(from);
    from += 4;
    if (n_layer != cache.layers().size() || row_width != cache.row_width()) bad_state("belongs to another model");
    const uint64_t body = size - kHeadBytes - kChecksumBytes;
    if (body % token_bytes(cache) != 0 || body / token_bytes(cache) != n_tokens) bad_state("is cut short or too long");
    const uint8_t* tail = data + size - kChecksumBytes;
    if (get<uint64_t>(tail) != tg::checksum_bytes(data, size - kChecksumBytes)) bad_state("is damaged (checksum)");
    std::vector<bitnet_pos> positions(n_tokens);
    int64_t last = -1;
    for (bitnet_pos& position : positions) {
        position = static_cast<bitnet_pos>(get<uint32_t>(from));
        if (position <= last) bad_state("has positions out of order");
        // The end of a sequence, one more, must be a position too.
        if (position == std::numeric_limits<bitnet_pos>::max()) bad_state("has a position out of range");
        last = position;
    }
    std::vector<bitnet_token> tokens(n_tokens);
    for (bitnet_token& token : tokens) token = static_cast<bitnet_token>(get<uint32_t>(from));
    if (n_tokens > static_cast<uint32_t>(cache.n_free_without(id))) {
        throw Error(BITNET_E_KV_FULL, "the saved sequence has " + std::to_string(n_tokens) + " tokens, the context has room for " +
                                          std::to_string(cache.n_free_without(id)) + "; use a larger n_ctx")
            .with_numbers(n_tokens, static_cast<uint64_t>(cache.n_free_without(id)));
    }
    cache.truncate(id, 0);
    for (size_t i = 0; i < positions.size(); ++i) cache.append(id, positions[i], tokens[i]);
    const size_t n = row_bytes(cache);
    for (const tg::KvLayer& layer : cache.layers()) {
        for (uint16_t* rows : {layer.k, layer.v}) {
            for (const int32_t cell : cache.sequence(id).cells) {
                std::memcpy(rows + cell * cache.row_width(), from, n);
                from += n;
            }
        }
    }
}

}  // namespace bitnet
