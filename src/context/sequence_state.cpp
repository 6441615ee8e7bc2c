#include "src/context/sequence_state.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "ggml-like/graph_trace.h"
#include "src/base/error.h"
#include "src/context/state_bytes.h"

namespace bitnet {
namespace {

constexpr char kMagic[8] = {'B', 'N', 'S', 'E', 'Q', '0', '0', '2'};
constexpr size_t kHeadBytes = 32;
constexpr size_t kHashBytes = 8;
constexpr size_t kChecksumBytes = 8;

[[noreturn]] void bad_state(const std::string& what) {
    throw Error(BITNET_E_STATE, "the saved sequence " + what + "; save it again with this model");
}

uint64_t token_bytes(const KvCache& cache) { return 2 * sizeof(int32_t) + kv_cell_bytes(cache); }

size_t head_bytes(int32_t n_base) { return kHeadBytes + (n_base > 0 ? kHashBytes : 0); }

// The sequence holds the positions 0 .. n_base-1.
uint64_t hash_base(const KvCache& cache, bitnet_seq_id id, int32_t n_base) {
    const std::vector<KvCache::Entry> entries = cache.entries(id);
    uint64_t hash = tg::checksum_bytes(nullptr, 0);
    for (int32_t i = 0; i < n_base; ++i) {
        uint8_t bytes[sizeof(bitnet_token)];
        uint8_t* to = bytes;
        put_le(to, static_cast<uint32_t>(entries[static_cast<size_t>(i)].token));
        hash = tg::checksum_bytes(bytes, sizeof bytes, hash);
    }
    return hash;
}

bool holds_base(const KvCache& cache, bitnet_seq_id id, int32_t n_base) {
    return cache.n_leading(id, nullptr, n_base) == n_base;
}

}  // namespace

uint64_t sequence_state_bytes(const KvCache& cache, bitnet_seq_id id, bitnet_pos n_base) {
    const int32_t base = std::max(n_base, 0);
    if (!holds_base(cache, id, base)) {
        throw Error(BITNET_E_STATE, "sequence " + std::to_string(id) + " does not hold all of the " +
                                        std::to_string(base) +
                                        " positions before those to save; save it from its first gap or as a whole");
    }
    return head_bytes(base) + static_cast<uint64_t>(cache.size(id) - base) * token_bytes(cache) + kChecksumBytes;
}

void save_sequence(const KvCache& cache, bitnet_seq_id id, bitnet_pos n_base, uint64_t fingerprint, uint8_t* out) {
    const int32_t base = std::max(n_base, 0);
    const std::vector<KvCache::Entry> entries = cache.entries(id, base);
    uint8_t* to = out;
    std::memcpy(to, kMagic, sizeof kMagic);
    to += sizeof kMagic;
    put_le(to, fingerprint);
    put_le(to, static_cast<uint32_t>(cache.layers().size()));
    put_le(to, kv_shape_word(cache));
    put_le(to, static_cast<uint32_t>(entries.size()));
    put_le(to, static_cast<uint32_t>(base));
    if (base > 0) put_le(to, hash_base(cache, id, base));
    for (const KvCache::Entry& entry : entries) put_le(to, static_cast<uint32_t>(entry.position));
    for (const KvCache::Entry& entry : entries) put_le(to, static_cast<uint32_t>(entry.token));
    std::vector<int32_t> cells;
    for (const KvCache::Entry& entry : entries) cells.push_back(entry.cell);
    for (const tg::KvLayer& layer : cache.layers()) {
        for (const tg::CellRows& rows : kv_rows(cache, layer)) {
            cache.backend().read_cells(rows, cells.data(), cells.size(), to);
            to += cells.size() * static_cast<size_t>(rows.n_heads * rows.head_bytes);
        }
    }
    put_le(to, tg::checksum_bytes(out, static_cast<size_t>(to - out)));
}

void load_sequence(KvCache& cache, bitnet_seq_id id, uint64_t fingerprint, const uint8_t* data, size_t size) {
    if (size < kHeadBytes + kChecksumBytes || std::memcmp(data, kMagic, sizeof kMagic) != 0) bad_state("is not one");
    const uint8_t* from = data + sizeof kMagic;
    if (get_le<uint64_t>(from) != fingerprint) bad_state("belongs to another model or to other adapters");
    const uint32_t n_layer = get_le<uint32_t>(from), shape = get_le<uint32_t>(from), n_tokens = get_le<uint32_t>(from);
    const int32_t n_base = static_cast<int32_t>(get_le<uint32_t>(from));
    if (n_layer != cache.layers().size() || ((shape ^ kv_shape_word(cache)) & kWidthMask) != 0)
        bad_state("belongs to another model");
    if (const std::string problem = kv_types_problem(cache, shape); !problem.empty()) bad_state(problem);
    if (n_base < 0 || size < head_bytes(n_base) + kChecksumBytes) bad_state("is cut short or too long");
    const uint64_t body = size - head_bytes(n_base) - kChecksumBytes;
    if (body % token_bytes(cache) != 0 || body / token_bytes(cache) != n_tokens) bad_state("is cut short or too long");
    const uint8_t* tail = data + size - kChecksumBytes;
    if (get_le<uint64_t>(tail) != tg::checksum_bytes(data, size - kChecksumBytes)) bad_state("is damaged (checksum)");
    if (n_base > 0) {
        const uint64_t hash = get_le<uint64_t>(from);
        if (!holds_base(cache, id, n_base) || hash_base(cache, id, n_base) != hash) {
            throw Error(BITNET_E_STATE, "the saved sequence goes on from " + std::to_string(n_base) +
                                            " tokens that sequence " + std::to_string(id) +
                                            " does not begin with; load or compute those first")
                .with_numbers(static_cast<uint64_t>(n_base), static_cast<uint64_t>(cache.size(id)));
        }
    }
    std::vector<bitnet_pos> positions(n_tokens);
    int64_t last = int64_t{n_base} - 1;
    for (bitnet_pos& position : positions) {
        position = static_cast<bitnet_pos>(get_le<uint32_t>(from));
        if (position <= last) bad_state("has positions out of order");
        // The end of a sequence, one more, must be a position too.
        if (position == std::numeric_limits<bitnet_pos>::max()) bad_state("has a position out of range");
        last = position;
    }
    std::vector<bitnet_token> tokens(n_tokens);
    for (bitnet_token& token : tokens) token = static_cast<bitnet_token>(get_le<uint32_t>(from));
    const Sequence old = cache.detach(id, n_base);
    const int32_t n_room = cache.n_free() + cache.n_held_alone(old);
    if (n_tokens > static_cast<uint32_t>(n_room)) {
        cache.attach(id, old);
        throw Error(BITNET_E_KV_FULL, "the saved sequence has " + std::to_string(n_tokens) +
                                          " tokens, the context has room for " + std::to_string(n_room) +
                                          "; use a larger n_ctx")
            .with_numbers(n_tokens, static_cast<uint64_t>(n_room));
    }
    cache.release(old);
    // Positions make room for cells: nothing of ours may fail any more, so nothing is allocated.
    std::vector<int32_t>& cells = positions;
    for (size_t i = 0; i < cells.size(); ++i) cells[i] = cache.append(id, positions[i], tokens[i]);
    try {
        for (const tg::KvLayer& layer : cache.layers()) {
            for (const tg::CellRows& rows : kv_rows(cache, layer)) {
                cache.backend().write_cells(rows, cells.data(), cells.size(), from);
                from += cells.size() * static_cast<size_t>(rows.n_heads * rows.head_bytes);
            }
        }
    } catch (...) {
        cache.truncate(id, n_base);  // a device failed: nobody may go on from what it holds
        throw;
    }
}

}  // namespace bitnet
