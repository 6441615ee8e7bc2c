#include "src/context/session_state.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "bitnet.h"
#include "ggml-like/graph_trace.h"
#include "src/base/error.h"
#include "src/context/sequence_adapters.h"
#include "src/context/state_bytes.h"

namespace bitnet {
namespace {

constexpr char kMagic[8] = {'B', 'N', 'S', 'E', 'S', '0', '0', '1'};
constexpr size_t kHeadBytes = 40;
constexpr size_t kRecordBytes = 2 * sizeof(int32_t);  // of a cell, a node, a tail
constexpr size_t kChecksumBytes = 8;
constexpr size_t kPieceBytes = size_t{1} << 16;
constexpr size_t kCellsAtOnce = 32;

[[noreturn]] void bad_session(const std::string& what) {
    throw Error(BITNET_E_STATE, "the saved session " + what + "; save it again with this model");
}

// Counts come from a file: three times below 2^32, times factors below 2^36.
uint64_t bytes_of(const KvCache& cache, uint64_t n_cells, uint64_t n_nodes, uint64_t n_tails) {
    return kHeadBytes + (n_cells + n_nodes + n_tails) * kRecordBytes + kChecksumBytes + n_cells * kv_cell_bytes(cache);
}

uint64_t bytes_of(const KvCache& cache, const SavedTree& tree) {
    return bytes_of(cache, tree.cells.size(), tree.nodes.size(), tree.tails.size());
}

// Of the model and of what the sequences that are not empty were computed with.
uint64_t fingerprint_of(const SavedTree& tree, uint64_t model, const AdapterTag& tag_of) {
    uint64_t hash = model;
    for (const SavedTree::Tail& tail : tree.tails) {
        const uint64_t tag = tag_of ? tag_of(tail.id) : 0;
        if (tag != 0) hash = fingerprint_with(fingerprint_with(hash, static_cast<uint64_t>(tail.id)), tag);
    }
    return hash;
}

// Collects small writes into pieces and keeps the checksum.
class Pieces {
public:
    Pieces(const SessionSink& sink, uint64_t all) : sink_(sink), all_(all) { piece_.reserve(kPieceBytes); }

    void write(const void* data, size_t n) {
        checksum_ = tg::checksum_bytes(data, n, checksum_);
        if (piece_.size() + n > kPieceBytes) flush();
        if (n > kPieceBytes) {
            give(data, n);
            return;
        }
        const uint8_t* bytes = static_cast<const uint8_t*>(data);
        piece_.insert(piece_.end(), bytes, bytes + n);
    }
    template <typename T>
    void number(T value) {
        uint8_t bytes[sizeof value];
        uint8_t* to = bytes;
        put_le(to, value);
        write(bytes, sizeof bytes);
    }
    void pair(int32_t a, int32_t b) {
        number(static_cast<uint32_t>(a));
        number(static_cast<uint32_t>(b));
    }
    void finish() {
        number(checksum_);
        flush();
    }

private:
    void flush() {
        if (!piece_.empty()) give(piece_.data(), piece_.size());
        piece_.clear();
    }
    void give(const void* data, size_t n) {
        done_ += n;
        sink_(data, n, done_, all_);
    }

    const SessionSink& sink_;
    const uint64_t all_;
    uint64_t done_ = 0;
    uint64_t checksum_ = tg::checksum_bytes(nullptr, 0);
    std::vector<uint8_t> piece_;
};

}  // namespace

uint64_t session_bytes(const KvCache& cache) { return bytes_of(cache, cache.save()); }

uint64_t most_session_bytes(const KvCache& cache) {
    // A path of its own for each sequence through all cells; more nodes are none.
    const uint64_t n_cells = static_cast<uint64_t>(cache.n_cells()), n_seq = static_cast<uint64_t>(cache.n_seq());
    return bytes_of(cache, n_cells, n_cells * n_seq, n_seq);
}

void save_session(const KvCache& cache, uint64_t fingerprint, const SessionSink& sink, const AdapterTag& tag_of) {
    const SavedTree tree = cache.save();
    Pieces out(sink, bytes_of(cache, tree));
    out.write(kMagic, sizeof kMagic);
    out.number(fingerprint_of(tree, fingerprint, tag_of));
    out.number(static_cast<uint32_t>(cache.layers().size()));
    out.number(kv_shape_word(cache));
    out.number(static_cast<uint32_t>(tree.cells.size()));
    out.number(static_cast<uint32_t>(tree.nodes.size()));
    out.number(static_cast<uint32_t>(tree.tails.size()));
    out.number(uint32_t{BITNET_VERSION_NUMBER});
    for (const SavedTree::Cell& cell : tree.cells) out.pair(cell.position, cell.token);
    for (const SavedTree::Node& node : tree.nodes) out.pair(node.parent, node.cell);
    for (const SavedTree::Tail& tail : tree.tails) out.pair(tail.id, tail.last);
    std::vector<uint8_t> some;
    for (const tg::KvLayer& layer : cache.layers()) {
        for (const tg::CellRows& rows : kv_rows(cache, layer)) {
            const size_t row_bytes = static_cast<size_t>(rows.n_heads * rows.head_bytes);
            some.resize(std::min(kCellsAtOnce, tree.place.size()) * row_bytes);
            for (size_t at = 0; at < tree.place.size(); at += kCellsAtOnce) {
                const size_t n = std::min(kCellsAtOnce, tree.place.size() - at);
                cache.backend().read_cells(rows, tree.place.data() + at, n, some.data());
                out.write(some.data(), n * row_bytes);
            }
        }
    }
    out.finish();
}

void load_session(KvCache& cache, uint64_t fingerprint, const uint8_t* data, size_t size, const AdapterTag& tag_of) {
    if (size < kHeadBytes + kChecksumBytes || std::memcmp(data, kMagic, sizeof kMagic) != 0) bad_session("is not one");
    const uint8_t* from = data + sizeof kMagic;
    const uint64_t saved_fingerprint = get_le<uint64_t>(from);
    const uint32_t n_layer = get_le<uint32_t>(from), shape = get_le<uint32_t>(from);
    if (n_layer != cache.layers().size() || ((shape ^ kv_shape_word(cache)) & kWidthMask) != 0)
        bad_session("was saved with another model");
    if (const std::string problem = kv_types_problem(cache, shape); !problem.empty()) bad_session(problem);
    const uint32_t n_cells = get_le<uint32_t>(from), n_nodes = get_le<uint32_t>(from), n_tails = get_le<uint32_t>(from);
    from += sizeof(uint32_t);
    constexpr uint32_t kMost = static_cast<uint32_t>(std::numeric_limits<int32_t>::max());
    if (n_cells > kMost || n_nodes > kMost || n_tails > kMost) bad_session("has counts out of range");
    if (bytes_of(cache, n_cells, n_nodes, n_tails) != size) bad_session("is cut short or too long");
    const uint8_t* tail = data + size - kChecksumBytes;
    if (get_le<uint64_t>(tail) != tg::checksum_bytes(data, size - kChecksumBytes)) bad_session("is damaged (checksum)");

    SavedTree tree;
    const auto read_pairs = [&](auto& to, uint32_t n) {
        to.resize(n);
        for (auto& [a, b] : to) {
            a = static_cast<int32_t>(get_le<uint32_t>(from));
            b = static_cast<int32_t>(get_le<uint32_t>(from));
        }
    };
    read_pairs(tree.cells, n_cells);
    read_pairs(tree.nodes, n_nodes);
    read_pairs(tree.tails, n_tails);
    if (fingerprint_of(tree, fingerprint, tag_of) != saved_fingerprint) {
        bad_session("was saved with another model or other adapters of its sequences");
    }
    cache.restore(tree);
    if (n_cells == 0) return;
    std::vector<int32_t> cells(n_cells);
    std::iota(cells.begin(), cells.end(), 0);
    try {
        for (const tg::KvLayer& layer : cache.layers()) {
            for (const tg::CellRows& rows : kv_rows(cache, layer)) {
                cache.backend().write_cells(rows, cells.data(), cells.size(), from);
                from += cells.size() * static_cast<size_t>(rows.n_heads * rows.head_bytes);
            }
        }
    } catch (...) {  // a device failed: nobody may go on from what it holds
        for (bitnet_seq_id id = 0; id < cache.n_seq(); ++id) cache.truncate(id, 0);
        throw;
    }
}

}  // namespace bitnet
