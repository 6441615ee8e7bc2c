// Where a grammar may stand after some bytes: a set of places, each a state and the calls it will return through. Ambiguous
// grammars have exponentially many stacks of calls; here stacks share their ends (as in M. Tomita's generalized LR parsing),
// and equal stacks and equal sets of places are one. So there is a set for each different situation, and what follows
// it for each byte is computed once: repeating situations cost a look into a table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "src/grammar/grammar_program.h"
#include "src/grammar/integer_set.h"

namespace bitnet {

class StackStore {
public:
    using SetId = uint32_t;
    static constexpr SetId kDead = 0;  // no place: the bytes are no beginning of any text

    // While matching; beyond them BITNET_E_SECURITY_EXHAUSTION.
    static constexpr uint32_t kMaxDepth = 4096;               // calls within each other
    static constexpr size_t kMaxPlaces = 65536;               // in a set, and on the way to it
    static constexpr uint64_t kMaxSteps = uint64_t{1} << 23;  // between two allow_steps()

    // The program must outlive the store.
    explicit StackStore(const GrammarProgram& program);

    // Before the first byte.
    SetId start();
    SetId step(SetId set, uint8_t byte) {
        const SetId known = row_[size_t{set} * program_.n_classes + program_.byte_class[byte]];
        return known != kUnknown ? known : compute(set, byte);
    }
    // The text may end here.
    bool accepts(SetId set) const noexcept { return sets_[set].accepts; }
    // Some byte may come.
    bool goes_on(SetId set) const noexcept { return sets_[set].count != 0; }
    size_t n_places(SetId set) const noexcept { return sets_[set].count; }

    // Grants kMaxSteps again.
    void allow_steps() noexcept { n_steps_ = 0; }
    uint64_t n_steps() const noexcept { return n_steps_; }

    // When true, forget() should be called: the store grows without bound otherwise.
    bool is_full() const noexcept;
    // Forgets all but some sets, whose numbers change. Throws BITNET_E_SECURITY_EXHAUSTION when that leaves no room.
    void forget_but(std::span<SetId* const> live);

private:
    using NodeId = uint32_t;
    static constexpr SetId kUnknown = UINT32_MAX;
    static constexpr NodeId kOpen = uint32_t{1} << 31;  // a node in the making: this and its rule's number

    struct Place {
        uint32_t state;
        NodeId node;
        bool operator==(const Place&) const = default;
        auto operator<=>(const Place&) const = default;
    };
    struct Set {
        uint32_t first, count;  // in places_, rising
        bool accepts;
    };
    // A rule that was called: where it may return to (a state and the node that is current there). Edges are places.
    struct Node {
        uint32_t first, count;  // in edges_, rising
        uint32_t depth;
    };
    // The node of a rule that is called at the present position, in the making. All its callers there share it.
    struct OpenNode {
        std::vector<Place> edges;
        std::vector<uint32_t> heirs;  // rules that return directly to where this one returns
        NodeId done = 0;
        bool used = false;
        bool ended = false;  // the rule came to its end without a byte: each edge goes on at once
    };

    SetId compute(SetId set, uint8_t byte);
    void begin() noexcept;
    SetId close();
    void visit(uint32_t state, NodeId node);
    void expand(const Place& place);
    void call(uint32_t rule, const Place& place, uint32_t next);
    void add_edge(uint32_t rule, const Place& edge);
    void finish_nodes();
    SetId add_set(bool accepts);
    NodeId add_node(const std::vector<Place>& edges);
    void count_step();

    const GrammarProgram& program_;
    std::vector<Set> sets_;
    std::vector<Place> places_;
    std::vector<SetId> row_;  // per set and class of bytes
    std::vector<Node> nodes_;
    std::vector<Place> edges_;
    IdTable set_ids_, node_ids_;

    // Of the set in the making.
    std::vector<Place> todo_;
    struct EdgeToAdd {
        uint32_t rule;
        Place edge;
    };
    std::vector<EdgeToAdd> edges_todo_;
    std::vector<Place> found_;
    std::vector<OpenNode> open_;
    std::vector<uint32_t> open_rules_;
    IntegerSet seen_places_, seen_edges_;
    bool accepts_ = false;
    uint64_t n_steps_ = 0;
};

}  // namespace bitnet
