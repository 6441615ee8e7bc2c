#include "ggml-like/graph.h"

#include <functional>
#include <string>
#include <utility>

#include "ggml-like/tensor_error.h"

namespace tg {
namespace {

[[noreturn]] void shape_error(const std::string& node, const std::string& what) {
    throw Error(ErrorKind::shape, "graph node '" + node + "': " + what);
}

// Short texts lie inside the string itself.
size_t heap_bytes(const std::string& text) {
    const char* self = reinterpret_cast<const char*>(&text);
    const std::less<const char*> before;
    const bool inside = !before(text.data(), self) && before(text.data(), self + sizeof text);
    return inside ? 0 : text.capacity() + 1;
}

}  // namespace

ValueId Graph::new_value(std::string name, int64_t width, Rows rows, ValueType type, const kern::ActFormat* format) {
    Value value;
    value.name = std::move(name);
    value.width = width;
    value.rows = rows;
    value.type = type;
    value.format = format;
    values_.push_back(std::move(value));
    return static_cast<ValueId>(values_.size() - 1);
}

void Graph::append(Node node) {
    for (const ValueId input : node.inputs) {
        if (input != kNoValue) ++values_[static_cast<size_t>(input)].n_readers;
    }
    nodes_.push_back(std::move(node));
}

ValueId Graph::get_rows(const Weight& table, std::string name, float factor) {
    if (!table.present()) shape_error(name, "the table is absent");
    Node node{.op = OpKind::get_rows, .output = new_value(name, table.k, Rows::tokens), .params = {}, .name = name};
    node.params.weight = &table;
    node.params.factor = factor;
    const ValueId out = node.output;
    append(std::move(node));
    return out;
}

ValueId Graph::rope_table(const RopeParams& rope, std::string name) {
    if (rope.n_dims <= 0 || rope.n_dims % 2 != 0) shape_error(name, "the rotated width must be even and positive");
    Node node{.op = OpKind::rope_table, .output = new_value(name, rope.n_dims, Rows::tokens), .params = {}, .name = name};
    node.params.rope = rope;
    std::vector<kern::RopeFrequency> frequencies;
    for (int32_t i = 0; i < rope.n_dims / 2; ++i) {
        const double factor = (rope.freq_factors != nullptr ? double{rope.freq_factors[i]} : 1.0) / rope.freq_scale;
        frequencies.push_back(kern::rope_frequency(i, rope.n_dims, rope.freq_base, factor));
    }
    frequencies_.push_back(std::move(frequencies));
    node.params.frequencies = frequencies_.back().data();
    const ValueId out = node.output;
    append(std::move(node));
    return out;
}

ValueId Graph::rms_norm(ValueId x, const float* weight, int64_t weight_width, float eps, std::string name) {
    if (weight != nullptr && weight_width != value(x).width) shape_error(name, "the norm weight has another width");
    Node node{.op = OpKind::rms_norm, .inputs = {x, kNoValue},
              .output = new_value(name, value(x).width, value(x).rows), .params = {}, .name = name};
    node.params.norm_weight = weight;
    node.params.eps = eps;
    const ValueId out = node.output;
    append(std::move(node));
    return out;
}

ValueId Graph::head_norm(ValueId x, const float* weight, int64_t weight_width, float eps, std::string name) {
    if (weight_width <= 0 || value(x).width % weight_width != 0) {
        shape_error(name, "the row is not made of heads of the norm's width");
    }
    Node node{.op = OpKind::rms_norm, .inputs = {x, kNoValue},
              .output = new_value(name, value(x).width, value(x).rows), .params = {}, .name = name};
    node.params.norm_weight = weight;
    node.params.eps = eps;
    node.params.head_dim = static_cast<int32_t>(weight_width);
    const ValueId out = node.output;
    append(std::move(node));
    return out;
}

// One copy serves all matrices that take x.
ValueId Graph::pad(ValueId x, int64_t width) {
    for (auto node = nodes_.rbegin(); node != nodes_.rend() && node->output != x; ++node) {
        if (node->op == OpKind::pad && node->inputs[0] == x && value(node->output).width == width) return node->output;
    }
    std::string name = value(x).name + ".padded";
    Node node{.op = OpKind::pad, .inputs = {x, kNoValue},
              .output = new_value(name, width, value(x).rows), .params = {}, .name = name};
    const ValueId out = node.output;
    append(std::move(node));
    return out;
}

ValueId Graph::pack_for(ValueId x, const Weight& w) {
    const kern::ActFormat* format = w.kernel->act;
    if (w.padded_k() != value(x).width) x = pad(x, w.padded_k());
    if (format->pack == nullptr) return x;
    for (auto node = nodes_.rbegin(); node != nodes_.rend(); ++node) {
        if (node->output == x) break;  // x was written here, in place perhaps: older copies are stale
        if (node->op == OpKind::pack_acts && node->inputs[0] == x && value(node->output).format == format) return node->output;
    }
    std::string name = value(x).name + "." + format->name;
    Node node{.op = OpKind::pack_acts, .inputs = {x, kNoValue},
              .output = new_value(name, value(x).width, value(x).rows, ValueType::packed, format), .params = {}, .name = name};
    const ValueId out = node.output;
    append(std::move(node));
    return out;
}

ValueId Graph::mul_mat(const Weight& w, ValueId x, std::string name) {
    if (w.kernel == nullptr) shape_error(name, "weight '" + w.name + "' has no kernel");
    if (value(x).width != w.k) {
        shape_error(name, "weight '" + w.name + "' takes " + std::to_string(w.k) + " inputs, '" + value(x).name +
                              "' has " + std::to_string(value(x).width));
    }
    const ValueId acts = pack_for(x, w);
    Node node{.op = OpKind::mul_mat, .inputs = {acts, kNoValue},
              .output = new_value(name, w.n_rows, value(x).rows), .params = {}, .name = name};
    node.params.weight = &w;
    const ValueId out = node.output;
    append(std::move(node));
    return out;
}

void Graph::rope(ValueId x, ValueId table, const RopeParams& rope, int32_t n_head, int32_t head_dim, std::string name) {
    if (value(x).width != int64_t{n_head} * head_dim || rope.n_dims > head_dim || value(table).width != rope.n_dims) {
        shape_error(name, "heads and rotated width do not fit the row");
    }
    Node node{.op = OpKind::rope, .inputs = {x, table}, .output = x, .params = {}, .name = std::move(name)};
    node.params.rope = rope;
    node.params.n_head = n_head;
    node.params.head_dim = head_dim;
    append(std::move(node));
}

void Graph::kv_store(ValueId k, ValueId v, const KvLayer& kv, int32_t head_dim, std::string name) {
    if (value(k).width != value(v).width) shape_error(name, "keys and values differ in width");
    if (head_dim <= 0 || value(k).width % head_dim != 0) shape_error(name, "rows are not whole heads");
    Node node{.op = OpKind::kv_store, .inputs = {k, v}, .params = {}, .name = std::move(name)};
    node.params.kv = kv;
    node.params.head_dim = head_dim;
    append(std::move(node));
}

ValueId Graph::attention(ValueId q, const KvLayer& kv, int32_t n_head, int32_t n_head_kv, int32_t head_dim, std::string name,
                         bool windowed) {
    if (value(q).width != int64_t{n_head} * head_dim || n_head_kv <= 0 || n_head % n_head_kv != 0) {
        shape_error(name, "query heads, KV heads and head width do not fit");
    }
    Node node{.op = OpKind::attention, .inputs = {q, kNoValue},
              .output = new_value(name, value(q).width, Rows::tokens), .params = {}, .name = name};
    node.params.kv = kv;
    node.params.n_head = n_head;
    node.params.n_head_kv = n_head_kv;
    node.params.head_dim = head_dim;
    node.params.windowed = windowed;
    const ValueId out = node.output;
    append(std::move(node));
    return out;
}

ValueId Graph::add(ValueId a, ValueId b, std::string name) { return glu(OpKind::add, a, b, std::move(name)); }
ValueId Graph::relu2_mul(ValueId gate, ValueId up, std::string name) {
    return glu(OpKind::relu2_mul, gate, up, std::move(name));
}
ValueId Graph::silu_mul(ValueId gate, ValueId up, std::string name) {
    return glu(OpKind::silu_mul, gate, up, std::move(name));
}
ValueId Graph::gelu_mul(ValueId gate, ValueId up, std::string name) {
    return glu(OpKind::gelu_mul, gate, up, std::move(name));
}

ValueId Graph::glu(OpKind op, ValueId gate, ValueId up, std::string name) {
    if (value(gate).width != value(up).width || value(gate).rows != value(up).rows) {
        shape_error(name, "the two inputs differ in shape");
    }
    Node node{.op = op, .inputs = {gate, up}, .output = new_value(name, value(gate).width, value(gate).rows),
              .params = {}, .name = name};
    const ValueId out = node.output;
    append(std::move(node));
    return out;
}

ValueId Graph::pick_rows(ValueId x, std::string name) {
    if (value(x).rows != Rows::tokens) shape_error(name, "the rows are picked already");
    Node node{.op = OpKind::pick_rows, .inputs = {x, kNoValue},
              .output = new_value(name, value(x).width, Rows::outputs), .params = {}, .name = name};
    const ValueId out = node.output;
    append(std::move(node));
    return out;
}

ValueId Graph::lora_down(ValueId x, int64_t max_rank, int32_t slot, std::string name) {
    if (max_rank <= 0) shape_error(name, "the room for ranks must be positive");
    Node node{.op = OpKind::lora_down, .inputs = {x, kNoValue},
              .output = new_value(name, max_rank, value(x).rows), .params = {}, .name = name};
    node.params.lora_slot = slot;
    const ValueId out = node.output;
    append(std::move(node));
    return out;
}

void Graph::lora_up(ValueId y, ValueId down, int32_t slot, std::string name) {
    if (value(y).rows != value(down).rows) shape_error(name, "the two inputs differ in rows");
    Node node{.op = OpKind::lora_up, .inputs = {y, down}, .output = y, .params = {}, .name = std::move(name)};
    node.params.lora_slot = slot;
    append(std::move(node));
}

void Graph::bind_kv(const std::vector<KvLayer>& layers) {
    size_t n_stores = 0, n_attentions = 0;
    for (Node& node : nodes_) {
        if (node.op != OpKind::kv_store && node.op != OpKind::attention) continue;
        size_t& i = node.op == OpKind::kv_store ? n_stores : n_attentions;
        if (i >= layers.size()) shape_error(node.name, "the cache has too few layers");
        node.params.kv = layers[i++];
    }
}

size_t Graph::bytes() const noexcept {
    size_t sum = values_.capacity() * sizeof(Value) + nodes_.capacity() * sizeof(Node) +
                 frequencies_.capacity() * sizeof(frequencies_[0]) + place_begins_.capacity() * sizeof(size_t);
    for (const Value& value : values_) sum += heap_bytes(value.name);
    for (const Node& node : nodes_) sum += heap_bytes(node.name);
    for (const std::vector<kern::RopeFrequency>& list : frequencies_) sum += list.capacity() * sizeof(kern::RopeFrequency);
    return sum;
}

std::vector<ValueId> Graph::values_across(size_t node) const {
    std::vector<uint8_t> made(values_.size(), 0);
    std::vector<ValueId> across;
    for (size_t i = 0; i < nodes_.size(); ++i) {
        const Node& n = nodes_[i];
        if (i < node) {
            if (n.output != kNoValue) made[static_cast<size_t>(n.output)] = 1;
            continue;
        }
        for (const ValueId id : {n.inputs[0], n.inputs[1], n.output}) {  // some outputs are written in place
            if (id == kNoValue || made[static_cast<size_t>(id)] == 0) continue;
            across.push_back(id);
            made[static_cast<size_t>(id)] = 0;
        }
    }
    return across;
}

void Graph::make_external(ValueId x, int32_t slot) {
    Value& external = values_[static_cast<size_t>(x)];
    external.home = Home::external;
    external.external_slot = slot;
}

size_t Graph::end_of(ValueId id) const noexcept {
    size_t end = nodes_.size();
    while (end > 0 && nodes_[end - 1].output != id) --end;
    return end;
}

}  // namespace tg
