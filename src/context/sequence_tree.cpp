#include "src/context/sequence_tree.h"

#include <algorithm>
#include <limits>
#include <string>

#include "src/base/error.h"

namespace bitnet {

SequenceTree::SequenceTree(int32_t n_cells, int32_t n_seq)
    : cells_(static_cast<size_t>(n_cells)), sequences_(static_cast<size_t>(n_seq)) {
    free_cells_.reserve(static_cast<size_t>(n_cells));
    for (int32_t i = n_cells; i-- > 0;) free_cells_.push_back(i);
    reserve_nodes(0);
}

uint64_t SequenceTree::bytes_needed(int32_t n_cells, int32_t n_seq) noexcept {
    return static_cast<uint64_t>(n_cells) * (sizeof(Cell) + sizeof(int32_t) + sizeof(Node)) +
           static_cast<uint64_t>(n_seq) * sizeof(Sequence);
}

uint64_t SequenceTree::bytes() const noexcept {
    return bytes_needed(n_cells(), n_seq()) + static_cast<uint64_t>(nodes_.capacity() - cells_.size()) * sizeof(Node);
}

int32_t SequenceTree::ancestor(int32_t i, int32_t n_up) const noexcept {
    while (n_up-- > 0) i = node(i).parent;
    return i;
}

std::vector<SequenceTree::Entry> SequenceTree::entries(bitnet_seq_id id, int32_t begin) const {
    const int32_t n = size(id);
    std::vector<Entry> found(static_cast<size_t>(std::max(n - begin, 0)));
    int32_t at = sequence(id).last;
    for (size_t i = found.size(); i-- > 0; at = node(at).parent) {
        found[i] = {node(at).cell, cell_of(at).position, cell_of(at).token};
    }
    return found;
}

int32_t SequenceTree::n_leading(bitnet_seq_id id, const bitnet_token* tokens, int32_t n) const noexcept {
    int32_t most = std::min(size(id), n);
    int32_t at = ancestor(sequence(id).last, size(id) - most);
    for (int32_t i = most; i-- > 0; at = node(at).parent) {
        const Cell& here = cell_of(at);
        if (here.position != i || (tokens != nullptr && here.token != tokens[i])) most = i;
    }
    return most;
}

void SequenceTree::list_cells(int32_t i, int32_t n, int32_t known, int32_t* cells) const noexcept {
    for (; n-- > 0 && i != known; i = node(i).parent) cells[n] = node(i).cell;
}

// ---- counting ----------------------------------------------------------------------------------------------------------

void SequenceTree::use(int32_t i) noexcept {
    if (i >= 0) ++node(i).n_users;
}

int32_t SequenceTree::take_node(int32_t cell_index) noexcept {
    const int32_t i = first_free_node_;
    first_free_node_ = node(i).parent;
    --n_free_nodes_;
    node(i) = {-1, cell_index, 1};
    ++cell(cell_index).n_nodes;
    return i;
}

// Makes sure that n nodes can be taken and every free cell can still get its own after that.
void SequenceTree::reserve_nodes(int64_t n) {
    const int64_t missing = n + n_free() - n_free_nodes_;
    if (missing <= 0) return;
    const size_t before = nodes_.size();
    if (missing > std::numeric_limits<int32_t>::max() - static_cast<int64_t>(before)) {
        throw Error(BITNET_E_OUT_OF_MEMORY, "the sequences have too many different beginnings; remove some of them");
    }
    nodes_.resize(before + static_cast<size_t>(missing));
    for (size_t i = nodes_.size(); i-- > before;) {
        nodes_[i].parent = first_free_node_;
        first_free_node_ = static_cast<int32_t>(i);
    }
    n_free_nodes_ += static_cast<int32_t>(missing);
}

// Gives back one use of a node, and of what only it leads to.
void SequenceTree::release_node(int32_t i) noexcept {
    while (i >= 0 && --node(i).n_users == 0) {
        const int32_t parent = node(i).parent, cell_index = node(i).cell;
        if (--cell(cell_index).n_nodes == 0) free_cells_.push_back(cell_index);
        node(i).parent = first_free_node_;
        first_free_node_ = i;
        ++n_free_nodes_;
        ++epoch_;
        i = parent;
    }
}

// Nodes at the sequence's end that only it leads to, at most so many.
int32_t SequenceTree::n_unshared(const Sequence& sequence, int32_t most) const noexcept {
    int32_t n = 0;
    for (int32_t i = sequence.last; n < most && node(i).n_users == 1; i = node(i).parent) ++n;
    return n;
}

int32_t SequenceTree::n_held_alone(const Sequence& held) const noexcept {
    int32_t n = 0;
    int32_t i = held.last;
    for (int32_t left = n_unshared(held, held.size); left > 0; --left, i = node(i).parent) n += cell_of(i).n_nodes == 1;
    return n;
}

// ---- changing ----------------------------------------------------------------------------------------------------------

int32_t SequenceTree::append(bitnet_seq_id id, bitnet_pos position, bitnet_token token) noexcept {
    Sequence& sequence = at(id);
    const int32_t cell_index = free_cells_.back();
    free_cells_.pop_back();
    cell(cell_index) = {position, token, 0};
    const int32_t i = take_node(cell_index);
    node(i).parent = sequence.last;  // the sequence's use of it is now the new node's
    sequence.last = i;
    ++sequence.size;
    return cell_index;
}

void SequenceTree::append(bitnet_seq_id id, bitnet_pos position, bitnet_token token, int32_t cell_index) noexcept {
    std::iter_swap(std::find(free_cells_.rbegin(), free_cells_.rend(), cell_index), free_cells_.rbegin());
    append(id, position, token);
}

SequenceTree::Range SequenceTree::find(const Sequence& sequence, bitnet_pos p0, bitnet_pos p1) const noexcept {
    int32_t i = sequence.last, n = sequence.size;
    if (p1 >= 0) {
        for (; n > 0 && cell_of(i).position >= p1; i = node(i).parent) --n;
    }
    Range range{0, n, i};
    if (p0 <= 0) return range;
    for (; n > 0 && cell_of(i).position >= p0; i = node(i).parent) --n;
    range.begin = n;
    return range;
}

// Takes entries [begin, stop) out. What lies behind them is hung up on another parent as far as nobody else sees it, the
// rest gets new nodes, which the caller has reserved.
void SequenceTree::cut(Sequence& sequence, int32_t begin, int32_t stop) noexcept {
    if (begin == stop) return;
    const int32_t n_behind = sequence.size - stop;
    const int32_t n_own = n_unshared(sequence, n_behind);
    int32_t* link = &sequence.last;  // where the next node up is named
    for (int32_t i = 0; i < n_own; ++i) link = &node(*link).parent;
    const int32_t dropped = *link;
    int32_t i = dropped;
    for (int32_t left = n_behind - n_own; left > 0; --left, i = node(i).parent) {
        *link = take_node(node(i).cell);
        link = &node(*link).parent;
    }
    *link = ancestor(i, stop - begin);
    use(*link);
    release_node(dropped);
    sequence.size -= stop - begin;
    ++epoch_;
}

void SequenceTree::truncate(bitnet_seq_id id, int32_t n) noexcept {
    Sequence& sequence = at(id);
    if (n < sequence.size) cut(sequence, n, sequence.size);
}

void SequenceTree::remove(bitnet_seq_id id, bitnet_pos p0, bitnet_pos p1) {
    Sequence& sequence = at(id);
    const Range range = find(sequence, p0, p1);
    const int32_t n_behind = sequence.size - range.stop;
    if (range.begin < range.stop) reserve_nodes(n_behind - n_unshared(sequence, n_behind));
    cut(sequence, range.begin, range.stop);
}

void SequenceTree::remove_from_all(bitnet_pos p0, bitnet_pos p1) {
    // Nodes that are shared now may be needed by all but one; reserved first, so that a failure changes nothing.
    int64_t n = 0;
    for (const Sequence& sequence : sequences_) {
        const Range range = find(sequence, p0, p1);
        const int32_t n_behind = sequence.size - range.stop;
        if (range.begin < range.stop) n += n_behind - n_unshared(sequence, n_behind);
    }
    if (n > 0) reserve_nodes(n);
    for (bitnet_seq_id id = 0; id < n_seq(); ++id) remove(id, p0, p1);
}

void SequenceTree::copy(bitnet_seq_id from, bitnet_seq_id to, bitnet_pos p0, bitnet_pos p1) {
    const Sequence& source = sequence(from);
    const Range range = find(source, p0, p1);
    const int32_t n = range.stop - range.begin;
    if (range.begin > 0) reserve_nodes(n);
    Sequence copied{range.last, range.stop};
    use(copied.last);
    release_node(at(to).last);
    if (range.begin > 0) cut(copied, 0, range.begin);
    at(to) = copied;
}

void SequenceTree::keep(bitnet_seq_id id) noexcept {
    for (bitnet_seq_id other = 0; other < n_seq(); ++other) {
        if (other != id) truncate(other, 0);
    }
}

Sequence SequenceTree::detach(bitnet_seq_id id, int32_t n) noexcept {
    Sequence& sequence = at(id);
    const Sequence held = sequence;
    const int32_t kept = std::clamp(n, 0, held.size);
    sequence = {ancestor(held.last, held.size - kept), kept};
    use(sequence.last);
    return held;
}

void SequenceTree::attach(bitnet_seq_id id, const Sequence& held) noexcept {
    release_node(at(id).last);
    at(id) = held;
}

// ---- all at once -------------------------------------------------------------------------------------------------------

SavedTree SequenceTree::save() const {
    SavedTree tree;
    std::vector<int32_t> number(nodes_.size(), -1), cell_number(cells_.size(), -1);
    std::vector<int32_t> path;
    for (bitnet_seq_id id = 0; id < n_seq(); ++id) {
        if (sequence(id).last < 0) continue;
        path.clear();
        int32_t i = sequence(id).last;
        for (; i >= 0 && number[static_cast<size_t>(i)] < 0; i = node(i).parent) path.push_back(i);
        int32_t parent = i < 0 ? -1 : number[static_cast<size_t>(i)];
        for (size_t k = path.size(); k-- > 0;) {
            const int32_t cell_index = node(path[k]).cell;
            int32_t& cell_n = cell_number[static_cast<size_t>(cell_index)];
            if (cell_n < 0) {
                cell_n = static_cast<int32_t>(tree.cells.size());
                tree.cells.push_back({cell_of(path[k]).position, cell_of(path[k]).token});
                tree.place.push_back(cell_index);
            }
            tree.nodes.push_back({parent, cell_n});
            parent = static_cast<int32_t>(tree.nodes.size()) - 1;
            number[static_cast<size_t>(path[k])] = parent;
        }
        tree.tails.push_back({id, number[static_cast<size_t>(sequence(id).last)]});
    }
    return tree;
}

void SequenceTree::check(const SavedTree& tree) const {
    const auto require = [](bool ok, const char* what) {
        if (!ok) throw Error(BITNET_E_STATE, std::string("the saved session ") + what + "; save it again");
    };
    const auto index = [](int32_t i) { return static_cast<size_t>(i); };
    if (tree.cells.size() > cells_.size()) {
        throw Error(BITNET_E_KV_FULL, "the saved session has " + std::to_string(tree.cells.size()) +
                                          " tokens, the context has room for " + std::to_string(n_cells()) +
                                          "; create it with a larger n_ctx")
            .with_numbers(tree.cells.size(), cells_.size());
    }
    for (const SavedTree::Cell& cell : tree.cells) {
        // The end of a sequence, one more, must be a position too.
        require(cell.position >= 0 && cell.position < std::numeric_limits<bitnet_pos>::max(),
                "has a position out of range");
    }
    std::vector<uint8_t> cell_used(tree.cells.size(), 0), node_used(tree.nodes.size(), 0);
    for (size_t i = 0; i < tree.nodes.size(); ++i) {
        const auto [parent, cell] = tree.nodes[i];
        require(cell >= 0 && index(cell) < tree.cells.size(), "names a token that it does not hold");
        cell_used[index(cell)] = 1;
        require(parent >= -1 && parent < static_cast<int64_t>(i), "has tokens in a circle");
        if (parent < 0) continue;
        node_used[index(parent)] = 1;
        // So no path names a cell twice, and none is longer than the cache.
        require(tree.cells[index(cell)].position > tree.cells[index(tree.nodes[index(parent)].cell)].position,
                "has positions out of order");
    }
    bitnet_seq_id last_id = -1;
    for (const SavedTree::Tail& tail : tree.tails) {
        require(tail.id > last_id, "has sequences out of order");
        last_id = tail.id;
        require(tail.last >= 0 && index(tail.last) < tree.nodes.size(), "has a sequence without an end");
        node_used[index(tail.last)] = 1;
    }
    if (last_id >= n_seq()) {
        throw Error(BITNET_E_STATE, "the saved session has a sequence " + std::to_string(last_id) +
                                        "; create the context with a larger n_seq_max")
            .with_numbers(static_cast<uint64_t>(n_seq()), static_cast<uint64_t>(last_id) + 1);
    }
    const auto all = [](const std::vector<uint8_t>& used) {
        return std::find(used.begin(), used.end(), 0) == used.end();
    };
    require(all(cell_used) && all(node_used), "holds tokens of no sequence");
}

void SequenceTree::restore(const SavedTree& tree) {
    check(tree);
    // Counted as if nothing were held, because that is how it will be.
    const size_t n_nodes = std::max(nodes_.size(), cells_.size() - tree.cells.size() + tree.nodes.size());
    if (n_nodes > static_cast<size_t>(std::numeric_limits<int32_t>::max())) {
        throw Error(BITNET_E_OUT_OF_MEMORY, "the saved session has too many different beginnings");
    }
    std::vector<int32_t> size_at(tree.nodes.size());
    for (size_t i = 0; i < size_at.size(); ++i) {
        const int32_t parent = tree.nodes[i].parent;
        size_at[i] = parent < 0 ? 1 : size_at[static_cast<size_t>(parent)] + 1;
    }
    nodes_.reserve(n_nodes);

    nodes_.assign(n_nodes, Node{});  // nothing below allocates
    std::fill(cells_.begin(), cells_.end(), Cell{});
    std::fill(sequences_.begin(), sequences_.end(), Sequence{});
    free_cells_.clear();
    for (size_t i = 0; i < tree.cells.size(); ++i) cells_[i] = {tree.cells[i].position, tree.cells[i].token, 0};
    for (int32_t i = n_cells(); i-- > static_cast<int32_t>(tree.cells.size());) free_cells_.push_back(i);
    for (size_t i = 0; i < tree.nodes.size(); ++i) {
        nodes_[i] = {tree.nodes[i].parent, tree.nodes[i].cell, 0};
        ++cell(tree.nodes[i].cell).n_nodes;
        use(tree.nodes[i].parent);
    }
    first_free_node_ = -1;
    for (size_t i = n_nodes; i-- > tree.nodes.size();) {
        nodes_[i].parent = first_free_node_;
        first_free_node_ = static_cast<int32_t>(i);
    }
    n_free_nodes_ = static_cast<int32_t>(n_nodes - tree.nodes.size());
    for (const SavedTree::Tail& tail : tree.tails) {
        at(tail.id) = {tail.last, size_at[static_cast<size_t>(tail.last)]};
        use(tail.last);
    }
    ++epoch_;
}

}  // namespace bitnet
