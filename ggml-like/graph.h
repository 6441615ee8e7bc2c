// A graph: values (matrices whose rows are tokens) and nodes (operations), built once per context. Row counts are
// symbolic - "as many as the step has tokens" or "outputs" - so one graph and one memory plan serve a prompt of 500
// tokens and a single token alike, and nothing is allocated while decoding. Builders check shapes and append a node.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ggml-like/weight.h"
#include "kernels/mul_mat_kernel.h"
#include "kernels/vec_kernels.h"

namespace tg {

using ValueId = int32_t;
inline constexpr ValueId kNoValue = -1;

// What a value's rows count when the graph runs.
enum class Rows : uint8_t { tokens, outputs };

enum class ValueType : uint8_t {
    f32,     // width floats a row
    packed,  // activations in a kernel's ActFormat
};

// Where a value's memory comes from.
enum class Home : uint8_t {
    arena,     // placed by the memory plan
    external,  // a pointer given with each run (RunInputs::external)
};

struct Value {
    std::string name;
    int64_t width = 0;
    Rows rows = Rows::tokens;
    ValueType type = ValueType::f32;
    const kern::ActFormat* format = nullptr;  // packed values only
    Home home = Home::arena;
    int32_t external_slot = -1;
    int32_t n_readers = 0;  // nodes that read it
};

enum class OpKind : uint8_t {
    get_rows,    // token ids -> rows of a weight, times a factor
    rope_table,  // positions -> cos, sin pairs
    rms_norm,    // over a row, or over each of its heads
    pack_acts,   // floats -> a kernel's activation format
    mul_mat,
    rope,
    kv_store,
    attention,
    add,
    relu2_mul,
    silu_mul,
    gelu_mul,
    pick_rows,   // tokens -> outputs
    lora_down,   // x -> A x of the adapters of each row
    lora_up,     // y += B (A x), in place
    pad,         // rows made longer with zeros
};
inline constexpr int kOpCount = 16;

// The keys and values of one layer, a KV head's cells side by side, so that attention reads memory in one stream: cell c of
// head h begins at (h * n_cells + c) * kern::kv_head_bytes(type, head_dim).
struct KvLayer {
    uint8_t* k = nullptr;
    uint8_t* v = nullptr;
    kern::KvType k_type = kern::KvType::f16;
    kern::KvType v_type = kern::KvType::f16;
    int64_t n_cells = 0;
    int32_t place = 0;  // which of the backend's memories they are in
};

struct RopeParams {
    bool halves = false;                  // pairs (i, i + n_dims/2) as NEOX; else (2i, 2i+1)
    int32_t n_dims = 0;
    double freq_base = 10000.0;
    double freq_scale = 1.0;              // linear scaling: positions are multiplied by it
    const float* freq_factors = nullptr;  // n_dims/2 divisors, or null; read while the graph is built
};

// Parameters of all operations; each reads its own few.
struct OpParams {
    const Weight* weight = nullptr;
    const float* norm_weight = nullptr;  // [width], may be null
    float eps = 0.0f;
    RopeParams rope;
    const kern::RopeFrequency* frequencies = nullptr;  // rope_table: n_dims/2 of them, owned by the graph
    KvLayer kv;
    int32_t n_head = 0;     // heads in the input row
    int32_t n_head_kv = 0;
    int32_t head_dim = 0;   // rms_norm: 0 is the whole row
    bool windowed = false;  // attention: only what lies in the sliding window
    float factor = 1.0f;    // get_rows
    int32_t lora_slot = 0;  // lora_down, lora_up: which of an adapter's pairs
};

struct Node {
    OpKind op;
    ValueId inputs[2] = {kNoValue, kNoValue};
    ValueId output = kNoValue;  // kNoValue: kv_store writes only the cache
    OpParams params;
    std::string name;           // for traces: "blk.3.attn_q"
};

class Graph {
public:
    Graph() = default;
    Graph(Graph&&) = default;  // nodes point into the graph's own lists, so it moves but is never copied
    Graph& operator=(Graph&&) = default;

    // Each builder returns its output. Shapes that do not fit throw tg::Error(shape) naming the node.
    ValueId get_rows(const Weight& table, std::string name, float factor = 1.0f);
    ValueId rope_table(const RopeParams& rope, std::string name);
    ValueId rms_norm(ValueId x, const float* weight, int64_t weight_width, float eps, std::string name);
    // The same for each head of the row by itself; weight_width is the heads' width.
    ValueId head_norm(ValueId x, const float* weight, int64_t weight_width, float eps, std::string name);
    // The activations of x as the kernel of w wants them; the same node again for a second weight of the same format.
    ValueId pack_for(ValueId x, const Weight& w);
    ValueId mul_mat(const Weight& w, ValueId x, std::string name);
    // Rotates in place: the result is the same value.
    void rope(ValueId x, ValueId table, const RopeParams& rope, int32_t n_head, int32_t head_dim, std::string name);
    void kv_store(ValueId k, ValueId v, const KvLayer& kv, int32_t head_dim, std::string name);
    ValueId attention(ValueId q, const KvLayer& kv, int32_t n_head, int32_t n_head_kv, int32_t head_dim, std::string name,
                      bool windowed = false);
    ValueId add(ValueId a, ValueId b, std::string name);
    ValueId relu2_mul(ValueId gate, ValueId up, std::string name);
    ValueId silu_mul(ValueId gate, ValueId up, std::string name);
    ValueId gelu_mul(ValueId gate, ValueId up, std::string name);
    ValueId pick_rows(ValueId x, std::string name);
    // The inner products A x of all adapters that a row uses, max_rank floats a row; x is what the base matrix sees.
    ValueId lora_down(ValueId x, int64_t max_rank, int32_t slot, std::string name);
    // Adds B times those to y in place: the result is the same value.
    void lora_up(ValueId y, ValueId down, int32_t slot, std::string name);
    // What is built from here on belongs to the backend's next place (Backend::allocate_at).
    void begin_place() { place_begins_.push_back(nodes_.size()); }
    // Marks a value as living at RunInputs::external[slot].
    void make_external(ValueId x, int32_t slot);
    // Gives the i-th kv_store and the i-th attention their layer of a cache: a graph may be built before its cache.
    void bind_kv(const std::vector<KvLayer>& layers);

    const std::vector<Value>& values() const noexcept { return values_; }
    const std::vector<Node>& nodes() const noexcept { return nodes_; }
    // The first nodes of all places but the first.
    const std::vector<size_t>& place_begins() const noexcept { return place_begins_; }
    // The values that nodes before this one make and nodes from it on touch.
    std::vector<ValueId> values_across(size_t node) const;
    const Value& value(ValueId id) const { return values_[static_cast<size_t>(id)]; }
    // What the lists and names take.
    size_t bytes() const noexcept;
    // How many of the first nodes must run for a value to be there.
    size_t end_of(ValueId id) const noexcept;

private:
    ValueId new_value(std::string name, int64_t width, Rows rows, ValueType type = ValueType::f32,
                      const kern::ActFormat* format = nullptr);
    ValueId pad(ValueId x, int64_t width);
    ValueId glu(OpKind op, ValueId gate, ValueId up, std::string name);
    void append(Node node);

    std::vector<Value> values_;
    std::vector<Node> nodes_;
    std::vector<size_t> place_begins_;
    std::vector<std::vector<kern::RopeFrequency>> frequencies_;  // one list per rope_table; the lists never move
};

}  // namespace tg
