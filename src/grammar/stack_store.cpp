// A position is closed in two loops over what is still to do: places are expanded until each reads a byte, and edges are added
// to the rules called here. No rule begins with itself, so nodes of one position have no cycles; that is what
// check_rules is for.
//
// A call in the last place of a rule returns to where that rule returns: the called rule inherits its edges. So lists that are
// written by recursion (list ::= item list | "") keep a stack of constant depth, and no edge leads to an end state.
#include "src/grammar/stack_store.h"

#include <algorithm>
#include <string>
#include <utility>

#include "src/base/error.h"

namespace bitnet {
namespace {

// Bounds of what is kept between calls: about 16 MiB of transitions and as much of the rest.
constexpr size_t kMaxRowEntries = size_t{1} << 22;
constexpr size_t kMaxKept = size_t{1} << 20;

[[noreturn]] void exhausted(const std::string& what) {
    throw Error(BITNET_E_SECURITY_EXHAUSTION, "the grammar " + what).with_subject("grammar");
}

}  // namespace

StackStore::StackStore(const GrammarProgram& program) : program_(program), open_(program.rule_starts.size()) {
    nodes_.push_back({0, 0, 0});  // where the whole text returns to
    row_.assign(program.n_classes, kDead);
    sets_.push_back({0, 0, false});
}

void StackStore::count_step() {
    if (++n_steps_ > kMaxSteps || seen_places_.size() > kMaxPlaces || seen_edges_.size() > kMaxPlaces) {
        exhausted(
            "is too ambiguous here: too many alternatives would have to be followed for one token; write it with "
            "fewer alternatives that begin alike");
    }
}

// Also after a set that was not finished because something threw.
void StackStore::begin() noexcept {
    for (const uint32_t rule : open_rules_) open_[rule].used = false;
    open_rules_.clear();
    seen_edges_.clear();
    seen_places_.clear();
    edges_todo_.clear();
    todo_.clear();
    found_.clear();
    accepts_ = false;
}

StackStore::SetId StackStore::start() {
    begin();
    // As if the end of the text had called the root.
    call(program_.root, {GrammarProgram::kAccept, 0}, GrammarProgram::kAccept);
    return close();
}

StackStore::SetId StackStore::compute(SetId set, uint8_t byte) {
    begin();
    n_steps_ += program_.n_classes / 4;  // a new set costs its row, too
    const Set from = sets_[set];
    for (uint32_t i = 0; i < from.count; ++i) {
        const Place place = places_[from.first + i];
        const GrammarProgram::State& state = program_.states[place.state];
        for (uint32_t m = 0; m < state.count; ++m) {
            const GrammarProgram::Move& move = program_.moves[state.first + m];
            if (byte >= move.first && byte <= move.last) visit(move.target, place.node);
        }
        count_step();
    }
    const SetId to = close();
    row_[size_t{set} * program_.n_classes + program_.byte_class[byte]] = to;
    return to;
}

void StackStore::visit(uint32_t state, NodeId node) {
    count_step();
    if (seen_places_.insert(uint64_t{state} << 32 | node)) todo_.push_back({state, node});
}

StackStore::SetId StackStore::close() {
    for (;;) {
        if (!edges_todo_.empty()) {
            const EdgeToAdd next = edges_todo_.back();
            edges_todo_.pop_back();
            add_edge(next.rule, next.edge);
        } else if (!todo_.empty()) {
            const Place place = todo_.back();
            todo_.pop_back();
            expand(place);
        } else {
            break;
        }
    }
    if (found_.empty() && !accepts_) return kDead;
    finish_nodes();
    return add_set(accepts_);
}

void StackStore::expand(const Place& place) {
    using Kind = GrammarProgram::Kind;
    const GrammarProgram::State& state = program_.states[place.state];
    switch (state.kind) {
        case Kind::accept: accepts_ = true; break;
        case Kind::byte: found_.push_back(place); break;
        case Kind::split:
            for (uint32_t i = 0; i < state.count; ++i) visit(program_.targets[state.first + i], place.node);
            break;
        case Kind::call: call(state.first, place, state.count); break;
        case Kind::end:
            if ((place.node & kOpen) != 0) {
                OpenNode& node = open_[place.node & ~kOpen];
                node.ended = true;
                for (const Place& edge : node.edges) visit(edge.state, edge.node);
            } else {
                const Node node = nodes_[place.node];
                for (uint32_t i = 0; i < node.count; ++i) {
                    const Place edge = edges_[node.first + i];
                    visit(edge.state, edge.node);
                }
            }
            break;
    }
}

void StackStore::call(uint32_t rule, const Place& place, uint32_t next) {
    OpenNode& called = open_[rule];
    if (!called.used) {
        open_rules_.push_back(rule);
        called.used = true;
        called.ended = false;
        called.done = 0;
        called.edges.clear();
        called.heirs.clear();
        visit(program_.rule_starts[rule], kOpen | rule);
    }
    if (next != GrammarProgram::kEnd) {
        edges_todo_.push_back({rule, {next, place.node}});
        return;
    }
    if ((place.node & kOpen) == 0) {
        const Node node = nodes_[place.node];
        for (uint32_t i = 0; i < node.count; ++i) {
            count_step();
            edges_todo_.push_back({rule, edges_[node.first + i]});
        }
        return;
    }
    // Edges that the caller gets later are inherited, too. No edge leads to the end state, so it can mark the heir.
    if (!seen_edges_.insert(uint64_t{rule} << 50 | uint64_t{GrammarProgram::kEnd} << 32 | place.node)) return;
    OpenNode& caller = open_[place.node & ~kOpen];
    caller.heirs.push_back(rule);
    for (const Place& edge : caller.edges) {
        count_step();
        edges_todo_.push_back({rule, edge});
    }
}

void StackStore::add_edge(uint32_t rule, const Place& edge) {
    static_assert(GrammarLimits::kMaxRules <= size_t{1} << 14 && GrammarLimits::kMaxStates + 2 <= size_t{1} << 18,
                  "rule, state and node make one key");
    count_step();
    if (!seen_edges_.insert(uint64_t{rule} << 50 | uint64_t{edge.state} << 32 | edge.node)) return;
    OpenNode& node = open_[rule];
    node.edges.push_back(edge);
    if (node.ended) visit(edge.state, edge.node);
    for (const uint32_t heir : node.heirs) edges_todo_.push_back({heir, edge});
}

// Callers stand before the rules that they call, so each node finds those that its edges lead to.
void StackStore::finish_nodes() {
    const auto is_open = [](NodeId node) { return (node & kOpen) != 0; };
    std::sort(open_rules_.begin(), open_rules_.end(),
              [&](uint32_t a, uint32_t b) { return program_.rule_order[a] < program_.rule_order[b]; });
    constexpr NodeId kNeeded = 1;
    for (const Place& place : found_) {
        if (is_open(place.node)) open_[place.node & ~kOpen].done = kNeeded;
    }
    for (size_t i = open_rules_.size(); i-- > 0;) {
        if (open_[open_rules_[i]].done != kNeeded) continue;
        for (const Place& edge : open_[open_rules_[i]].edges) {
            if (is_open(edge.node)) open_[edge.node & ~kOpen].done = kNeeded;
        }
    }
    for (const uint32_t rule : open_rules_) {
        OpenNode& node = open_[rule];
        if (node.done != kNeeded) continue;
        for (Place& edge : node.edges) {
            if (is_open(edge.node)) edge.node = open_[edge.node & ~kOpen].done;
        }
        std::sort(node.edges.begin(), node.edges.end());
        node.edges.erase(std::unique(node.edges.begin(), node.edges.end()), node.edges.end());
        node.done = add_node(node.edges);
    }
    for (Place& place : found_) {
        if (is_open(place.node)) place.node = open_[place.node & ~kOpen].done;
    }
    std::sort(found_.begin(), found_.end());
    found_.erase(std::unique(found_.begin(), found_.end()), found_.end());
}

namespace {

template <typename Place>
uint64_t hash_places(const Place* places, size_t n, uint64_t seed) noexcept {
    uint64_t hash = mix_bits(seed + n);
    for (size_t i = 0; i < n; ++i) hash = mix_bits(hash ^ (uint64_t{places[i].state} << 32 | places[i].node));
    return hash;
}

}  // namespace

StackStore::NodeId StackStore::add_node(const std::vector<Place>& edges) {
    const auto hash_of = [&](NodeId id) { return hash_places(edges_.data() + nodes_[id].first, nodes_[id].count, 0); };
    const uint64_t hash = hash_places(edges.data(), edges.size(), 0);
    const NodeId known = node_ids_.find(hash, [&](NodeId id) {
        const Place* const first = edges_.data() + nodes_[id].first;
        return std::equal(first, first + nodes_[id].count, edges.begin(), edges.end());
    });
    if (known != IdTable::kNone) return known;
    uint32_t depth = 0;
    for (const Place& edge : edges) depth = std::max(depth, nodes_[edge.node].depth + 1);
    if (depth > kMaxDepth) {
        exhausted("has more than 4096 rules open within each other here; make it so that it cannot nest so deep");
    }
    const auto id = static_cast<NodeId>(nodes_.size());
    const auto first = static_cast<uint32_t>(edges_.size());
    nodes_.reserve(nodes_.size() + 1 > nodes_.capacity() ? 2 * nodes_.size() : nodes_.capacity());
    edges_.insert(edges_.end(), edges.begin(), edges.end());
    node_ids_.add(hash, id, hash_of);
    nodes_.push_back({first, static_cast<uint32_t>(edges.size()), depth});
    return id;
}

StackStore::SetId StackStore::add_set(bool accepts) {
    const auto hash_of = [&](SetId id) {
        return hash_places(places_.data() + sets_[id].first, sets_[id].count, sets_[id].accepts ? 2 : 1);
    };
    const uint64_t hash = hash_places(found_.data(), found_.size(), accepts ? 2 : 1);
    const SetId known = set_ids_.find(hash, [&](SetId id) {
        const Place* const first = places_.data() + sets_[id].first;
        return sets_[id].accepts == accepts && std::equal(first, first + sets_[id].count, found_.begin(), found_.end());
    });
    if (known != IdTable::kNone) return known;
    const auto id = static_cast<SetId>(sets_.size());
    const auto first = static_cast<uint32_t>(places_.size());
    row_.resize((size_t{id} + 1) * program_.n_classes, kUnknown);
    sets_.reserve(sets_.size() + 1 > sets_.capacity() ? 2 * sets_.size() : sets_.capacity());
    places_.insert(places_.end(), found_.begin(), found_.end());
    set_ids_.add(hash, id, hash_of);
    sets_.push_back({first, static_cast<uint32_t>(found_.size()), accepts});
    return id;
}

bool StackStore::is_full() const noexcept {
    return row_.size() > kMaxRowEntries || places_.size() > kMaxKept || edges_.size() > kMaxKept;
}

void StackStore::forget_but(std::span<SetId* const> live) {
    // What is reached from the live sets, in rising order: a node's edges lead to lower ones.
    std::vector<NodeId> new_number(nodes_.size(), 0);  // 1: wanted
    std::vector<NodeId> todo;
    const auto want = [&](NodeId node) {
        if (node != 0 && std::exchange(new_number[node], 1) == 0) todo.push_back(node);
    };
    for (const SetId* set : live) {
        for (uint32_t i = 0; i < sets_[*set].count; ++i) want(places_[sets_[*set].first + i].node);
    }
    while (!todo.empty()) {
        const Node node = nodes_[todo.back()];
        todo.pop_back();
        for (uint32_t i = 0; i < node.count; ++i) want(edges_[node.first + i].node);
    }
    StackStore fresh(program_);
    std::vector<Place> edges;
    for (NodeId node = 1; node < nodes_.size(); ++node) {
        if (new_number[node] == 0) continue;
        const Place* const first = edges_.data() + nodes_[node].first;
        edges.assign(first, first + nodes_[node].count);
        for (Place& edge : edges) edge.node = new_number[edge.node];
        std::sort(edges.begin(), edges.end());
        new_number[node] = fresh.add_node(edges);
    }
    std::vector<SetId> moved;
    for (const SetId* set : live) {
        if (*set == kDead) {
            moved.push_back(kDead);
            continue;
        }
        const Place* const first = places_.data() + sets_[*set].first;
        fresh.found_.assign(first, first + sets_[*set].count);
        for (Place& place : fresh.found_) place.node = new_number[place.node];
        std::sort(fresh.found_.begin(), fresh.found_.end());
        moved.push_back(fresh.add_set(sets_[*set].accepts));
    }
    if (fresh.row_.size() > kMaxRowEntries / 2 || fresh.places_.size() > kMaxKept / 2 ||
        fresh.edges_.size() > kMaxKept / 2) {
        exhausted(
            "is too ambiguous here: its alternatives take too much memory; write it with fewer alternatives that "
            "begin alike");
    }
    sets_.swap(fresh.sets_);
    places_.swap(fresh.places_);
    row_.swap(fresh.row_);
    nodes_.swap(fresh.nodes_);
    edges_.swap(fresh.edges_);
    std::swap(set_ids_, fresh.set_ids_);
    std::swap(node_ids_, fresh.node_ids_);
    for (size_t i = 0; i < moved.size(); ++i) *live[i] = moved[i];
}

}  // namespace bitnet
