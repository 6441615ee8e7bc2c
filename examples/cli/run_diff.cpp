// A cause is named only where it computes B's values of the node from values that both runs agree on.
#include "run_diff.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace cli {
namespace {

// What the same place of the graph may be called in the other model.
const TracedNode* counterpart(const RunTrace& trace, const std::string& name) {
    if (const TracedNode* node = trace.find(name)) return node;
    constexpr std::string_view kRelu2 = "ffn_relu2", kSilu = "ffn_silu";
    for (const auto& [mine, other] : {std::pair(kRelu2, kSilu), std::pair(kSilu, kRelu2)}) {
        if (!name.ends_with(mine)) continue;
        return trace.find(name.substr(0, name.size() - mine.size()) + std::string(other));
    }
    return nullptr;
}

float largest_of(const float* values, int64_t n) {
    float largest = 0;
    for (int64_t i = 0; i < n; ++i) largest = std::max(largest, std::fabs(values[i]));
    return largest;
}

NodeDiff compare_nodes(const TracedNode& a, const TracedNode& b, double tolerance, bool* differs) {
    NodeDiff diff;
    diff.node = a.name;
    diff.layer = a.layer;
    *differs = false;
    if (a.width != b.width || a.n_rows != b.n_rows) {
        *differs = true;
        diff.problem = "A has " + std::to_string(a.n_rows) + " rows of " + std::to_string(a.width) + " values, B " +
                       std::to_string(b.n_rows) + " of " + std::to_string(b.width);
        return diff;
    }
    for (int64_t row = 0; row < a.n_rows; ++row) {
        const float *va = a.row(row), *vb = b.row(row);
        const double size = static_cast<double>(largest_of(va, a.width));
        bool row_differs = false;
        for (int64_t i = 0; i < a.width; ++i) {
            if (va[i] == vb[i] || (std::isnan(va[i]) && std::isnan(vb[i]))) continue;
            const double distance = std::fabs(static_cast<double>(va[i]) - static_cast<double>(vb[i]));
            const double relative = size > 0 ? distance / size : INFINITY;
            diff.largest = std::max(diff.largest, distance);
            diff.largest_relative = std::max(diff.largest_relative, relative);
            if (relative <= tolerance) continue;
            if (!*differs) {
                *differs = true;
                diff.row = row;
                diff.column = i;
                diff.a = va[i];
                diff.b = vb[i];
            }
            row_differs = true;
        }
        diff.n_rows += row_differs;
    }
    return diff;
}

// Whether a formula gives every value of a node, as exactly as floats of two programs can be compared.
bool gives(const TracedNode& node, const std::function<double(int64_t row, int64_t column)>& formula) {
    constexpr double kTolerance = 2e-3;
    for (int64_t row = 0; row < node.n_rows; ++row) {
        const double size = static_cast<double>(largest_of(node.row(row), node.width));
        for (int64_t i = 0; i < node.width; ++i)
            if (!(std::fabs(static_cast<double>(node.row(row)[i]) - formula(row, i)) <= kTolerance * size))
                return false;
    }
    return true;
}

double at(const TracedNode& node, int64_t row, int64_t column) { return static_cast<double>(node.row(row)[column]); }

void explain_activation(const RunTrace& trace, const TracedNode& a, const TracedNode& b, std::vector<Cause>& causes) {
    const std::string block = a.name.substr(0, a.name.rfind('.') + 1);
    const TracedNode *gate = trace.find(block + "ffn_gate"), *up = trace.find(block + "ffn_up");
    if (gate == nullptr || up == nullptr || gate->width != a.width || up->width != a.width) return;
    // Only the rows with outputs go on in the last layer; here all have one.
    if (gate->n_rows != a.n_rows || up->n_rows != a.n_rows) return;
    const auto silu = [&](int64_t r, int64_t i) {
        return at(*gate, r, i) / (1 + std::exp(-at(*gate, r, i))) * at(*up, r, i);
    };
    const auto relu2 = [&](int64_t r, int64_t i) {
        const double g = std::max(at(*gate, r, i), 0.0);
        return g * g * at(*up, r, i);
    };
    const auto gelu = [&](int64_t r, int64_t i) {
        const double g = at(*gate, r, i);
        return 0.5 * g * (1 + std::tanh(0.7978845608028654 * (g + 0.044715 * g * g * g))) * at(*up, r, i);
    };
    const auto name_of = [&](const TracedNode& node) {
        return gives(node, silu) ? "SiLU" : gives(node, relu2) ? "relu^2" : gives(node, gelu) ? "GELU" : "";
    };
    const std::string of_a = name_of(a), of_b = name_of(b);
    if (of_a.empty() || of_b.empty() || of_a == of_b) return;
    causes.push_back({"activation", "A's feed-forward network has " + of_a + ", B's has " + of_b});
}

// The rotation of adjacent pairs or of halves, with the angles of A's table: cosine and sine of each pair in turn.
double rotated(const TracedNode& x, const TracedNode& table, bool halves, int64_t row, int64_t column) {
    const int64_t n = table.width, in_head = column % n, head = column - in_head;
    const int64_t pair = halves ? in_head % (n / 2) : in_head / 2;
    const bool second = halves ? in_head >= n / 2 : in_head % 2 == 1;
    const int64_t i = head + (halves ? pair : 2 * pair), j = head + (halves ? pair + n / 2 : 2 * pair + 1);
    const double c = at(table, row, 2 * pair), s = at(table, row, 2 * pair + 1);
    return second ? at(x, row, i) * s + at(x, row, j) * c : at(x, row, i) * c - at(x, row, j) * s;
}

void explain_rope(const RunTrace& trace, const TracedNode& a, const TracedNode& b, std::vector<Cause>& causes) {
    const std::string block = a.name.substr(0, a.name.rfind('.') + 1);
    const TracedNode* table = trace.find("rope_table");
    const TracedNode* x = trace.find(block + (a.name.ends_with("rope_q") ? "attn_q" : "attn_k"));
    if (table == nullptr || x == nullptr || table->width < 2 || table->width % 2 != 0 || a.width % table->width != 0)
        return;
    if (x->width != a.width || x->n_rows != a.n_rows || table->n_rows != a.n_rows) return;
    const auto formula = [&](bool halves) {
        return [=](int64_t row, int64_t column) { return rotated(*x, *table, halves, row, column); };
    };
    const bool a_halves = gives(a, formula(true));
    if (!a_halves && !gives(a, formula(false))) return;
    if (gives(b, formula(!a_halves))) {
        causes.push_back({"rope_pairing", std::string("RoPE of A turns ") +
                                              (a_halves ? "halves (i, i + d/2)" : "pairs (2i, 2i+1)") + ", of B " +
                                              (a_halves ? "pairs (2i, 2i+1)" : "halves (i, i + d/2)")});
    } else {
        causes.push_back(
            {"rope", "the same vectors were turned by other angles: other positions, frequency base or scaling"});
    }
}

// A matrix node: B's values may be those of A times a factor, or A's in the other order of q and k.
void explain_matrix(const RunTrace& trace, const TracedNode& a, const TracedNode& b, std::vector<Cause>& causes) {
    double factor = 0;
    for (int64_t i = 0; i < a.width && factor == 0; ++i)
        if (std::fabs(at(a, 0, i)) >= 0.5 * static_cast<double>(largest_of(a.row(0), a.width)))
            factor = at(b, 0, i) / at(a, 0, i);
    if (std::isfinite(factor) && factor != 0 && gives(b, [&](int64_t r, int64_t i) { return factor * at(a, r, i); })) {
        char text[40];
        std::snprintf(text, sizeof text, "%.6g", factor);
        causes.push_back({"scale_factor", std::string("B's values are those of A times ") + text +
                                              ": the scale of the weights differs, or is inverted"});
        return;
    }
    const TracedNode* table = trace.find("rope_table");
    const bool is_qk = a.name.ends_with("attn_q") || a.name.ends_with("attn_k");
    if (!is_qk || table == nullptr || table->width % 2 != 0 || table->width == 0 || a.width % table->width != 0) return;
    const int64_t n = table->width;
    const auto place = [n](int64_t column) {
        const int64_t in_head = column % n;
        return column - in_head + in_head % 2 * (n / 2) + in_head / 2;
    };
    for (const bool b_is_paired : {true, false}) {
        const TracedNode &odd = b_is_paired ? b : a, &right = b_is_paired ? a : b;
        if (!gives(odd, [&](int64_t r, int64_t i) { return at(right, r, place(i)); })) continue;
        causes.push_back(
            {"rope_permuted", std::string("the rows of ") + (b_is_paired ? "B" : "A") +
                                  "'s matrix are in the order for RoPE with pairs (2i, 2i+1), the other's for halves"});
        return;
    }
}

void explain(const RunTrace& trace, const TracedNode& a, const TracedNode& b, std::vector<Cause>& causes) {
    if (a.name.ends_with("ffn_relu2") || a.name.ends_with("ffn_silu")) return explain_activation(trace, a, b, causes);
    if (a.name.ends_with("rope_q") || a.name.ends_with("rope_k")) return explain_rope(trace, a, b, causes);
    if (!tensor_of_node(a.name).empty()) explain_matrix(trace, a, b, causes);
}

}  // namespace

std::string tensor_of_node(std::string_view node) {
    if (node == "embedding") return "token_embd.weight";
    if (node == "logits") return "output.weight";
    const std::string_view last = node.substr(node.rfind('.') + 1);
    constexpr std::string_view kWithWeights[] = {"attn_norm",     "attn_q",       "attn_k",   "attn_v",
                                                 "attn_sub_norm", "attn_output",  "ffn_norm", "ffn_gate",
                                                 "ffn_up",        "ffn_sub_norm", "ffn_down", "output_norm"};
    const bool has = std::find(std::begin(kWithWeights), std::end(kWithWeights), last) != std::end(kWithWeights);
    return has ? std::string(node) + ".weight" : "";
}

RunDiff compare_runs(const RunTrace& a, const RunTrace& b, double tolerance) {
    RunDiff diff;
    for (const TracedNode& node : a.nodes) {
        const TracedNode* other = counterpart(b, node.name);
        if (other == nullptr) {
            diff.only_a.push_back(node.name);
            continue;
        }
        ++diff.n_compared;
        bool differs = false;
        NodeDiff found = compare_nodes(node, *other, tolerance, &differs);
        if (!differs) {
            diff.largest_relative_before = std::max(diff.largest_relative_before, found.largest_relative);
            continue;
        }
        if (found.problem.empty()) explain(a, node, *other, found.causes);
        diff.first = std::move(found);
        break;
    }
    return diff;
}

}  // namespace cli
