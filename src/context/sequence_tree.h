// Who holds which KV cell. A cell is one token's place in the cache; a node says "this cell comes after that node". Nodes form
// trees that grow at their ends, so a sequence is no list but the number of its last node: forking one copies that number,
// going back follows parents, and branches share their beginning however many there are. These are copy-on-write pages of
// one token each: nothing is ever copied to go on from a shared node, and memory does not depend on the sequences.
// Nodes and cells are counted and free again when nothing names them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "bitnet.h"

namespace bitnet {

// A sequence: its entries are the path from the root to last, in rising order of position.
struct Sequence {
    int32_t last = -1;  // node; -1 = empty
    int32_t size = 0;   // entries
};

// All sequences with their own numbering of cells and nodes: what a session file holds.
struct SavedTree {
    struct Cell {
        bitnet_pos position;
        bitnet_token token;
    };
    struct Node {
        int32_t parent;  // a lower number, or -1
        int32_t cell;
    };
    struct Tail {
        bitnet_seq_id id;  // rising
        int32_t last;      // its last node
    };
    std::vector<Cell> cells;
    std::vector<Node> nodes;
    std::vector<Tail> tails;     // of the sequences that are not empty
    std::vector<int32_t> place;  // per cell: its number in the cache
};

class SequenceTree {
public:
    struct Entry {
        int32_t cell;
        bitnet_pos position;
        bitnet_token token;
    };

    SequenceTree(int32_t n_cells, int32_t n_seq);
    // What a tree takes when it is made. It takes more only where ranges were cut out of the middle of shared sequences.
    static uint64_t bytes_needed(int32_t n_cells, int32_t n_seq) noexcept;
    uint64_t bytes() const noexcept;

    int32_t n_cells() const noexcept { return static_cast<int32_t>(cells_.size()); }
    int32_t n_free() const noexcept { return static_cast<int32_t>(free_cells_.size()); }
    // Cells that no sequence holds: anyone may write to their keys and values until the next token is appended.
    std::span<const int32_t> free_cells() const noexcept { return free_cells_; }
    int32_t n_seq() const noexcept { return static_cast<int32_t>(sequences_.size()); }
    const Sequence& sequence(bitnet_seq_id id) const { return sequences_[static_cast<size_t>(id)]; }
    int32_t size(bitnet_seq_id id) const { return sequence(id).size; }
    // The position that follows.
    bitnet_pos end(bitnet_seq_id id) const {
        return sequence(id).last < 0 ? 0 : cell_of(sequence(id).last).position + 1;
    }
    bitnet_pos cell_position(int32_t cell) const noexcept { return cells_[static_cast<size_t>(cell)].position; }
    // The entries from number begin on. Allocates.
    std::vector<Entry> entries(bitnet_seq_id id, int32_t begin = 0) const;
    // How many leading entries are these tokens at positions 0, 1, 2, ...; at most n. tokens may be null: any will do.
    int32_t n_leading(bitnet_seq_id id, const bitnet_token* tokens, int32_t n) const noexcept;
    // Writes the cells of the n entries that end in node, the last one first, up to where the path meets known (-1: all).
    void list_cells(int32_t node, int32_t n, int32_t known, int32_t* cells) const noexcept;
    // Changes whenever a node was freed or hung up elsewhere: until then a node stands for the same path.
    uint64_t epoch() const noexcept { return epoch_; }

    // Appends a token at the sequence's end and returns its cell. The caller has seen n_free() > 0; then there is a node.
    int32_t append(bitnet_seq_id id, bitnet_pos position, bitnet_token token) noexcept;
    // The same in this cell, which must be free. Costs a look at those that became free after it.
    void append(bitnet_seq_id id, bitnet_pos position, bitnet_token token, int32_t cell) noexcept;
    // Keeps the first n entries: how a failed decode takes its tokens back. Costs what is dropped.
    void truncate(bitnet_seq_id id, int32_t n) noexcept;
    // Costs what is dropped and what lies behind it. Throws std::bad_alloc, Error with nothing changed.
    void remove(bitnet_seq_id id, bitnet_pos p0, bitnet_pos p1);
    void remove_from_all(bitnet_pos p0, bitnet_pos p1);
    // Costs the entries behind the range, and its own where it does not begin with the sequence. Throws as remove.
    void copy(bitnet_seq_id from, bitnet_seq_id to, bitnet_pos p0, bitnet_pos p1);
    void keep(bitnet_seq_id id) noexcept;

    // Takes off all but the first n entries. What comes back, the sequence as it was, is still held: attach or release it.
    Sequence detach(bitnet_seq_id id, int32_t n) noexcept;
    void attach(bitnet_seq_id id, const Sequence& held) noexcept;
    void release(const Sequence& held) noexcept { release_node(held.last); }
    // Cells that releasing it would free.
    int32_t n_held_alone(const Sequence& held) const noexcept;
    // Cells that would be free if this sequence were removed.
    int32_t n_free_without(bitnet_seq_id id) const noexcept { return n_free() + n_held_alone(sequence(id)); }

    SavedTree save() const;
    // Replaces all sequences; cell i of the tree gets cell i of the cache. The tree may come from anyone: throws
    // BITNET_E_STATE where it is not one, BITNET_E_KV_FULL where it does not fit, with nothing changed.
    void restore(const SavedTree& tree);

private:
    struct Cell {
        bitnet_pos position = 0;
        bitnet_token token = 0;
        int32_t n_nodes = 0;  // that name it
    };
    struct Node {
        int32_t parent = -1;  // in a free node: the next free one
        int32_t cell = 0;
        int32_t n_users = 0;  // nodes it is the parent of, and sequences that end here
    };
    struct Range {
        int32_t begin, stop;  // entries
        int32_t last;         // the node of entry stop - 1
    };

    Sequence& at(bitnet_seq_id id) { return sequences_[static_cast<size_t>(id)]; }
    Node& node(int32_t i) { return nodes_[static_cast<size_t>(i)]; }
    const Node& node(int32_t i) const { return nodes_[static_cast<size_t>(i)]; }
    Cell& cell(int32_t i) { return cells_[static_cast<size_t>(i)]; }
    const Cell& cell_of(int32_t i) const { return cells_[static_cast<size_t>(node(i).cell)]; }
    Range find(const Sequence& sequence, bitnet_pos p0, bitnet_pos p1) const noexcept;
    int32_t ancestor(int32_t i, int32_t n_up) const noexcept;
    int32_t n_unshared(const Sequence& sequence, int32_t most) const noexcept;
    void use(int32_t i) noexcept;
    int32_t take_node(int32_t cell) noexcept;
    void reserve_nodes(int64_t n);
    void release_node(int32_t i) noexcept;
    void cut(Sequence& sequence, int32_t begin, int32_t stop) noexcept;
    void check(const SavedTree& tree) const;

    std::vector<Cell> cells_;
    std::vector<int32_t> free_cells_;  // a stack; the lowest cell is on top at first
    // At least as many are free as cells are free, so appending never allocates.
    std::vector<Node> nodes_;
    int32_t first_free_node_ = -1;
    int32_t n_free_nodes_ = 0;
    std::vector<Sequence> sequences_;
    uint64_t epoch_ = 0;
};

}  // namespace bitnet
