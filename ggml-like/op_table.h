// One row per operation: its name and how a thread does its share. Every operation splits its outputs among threads,
// never a sum, so the number of threads cannot change a bit.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ggml-like/graph.h"
#include "ggml-like/lora.h"
#include "kernels/cpu/kernel_select.h"

namespace tg {

// What changes from step to step. All arrays are read only and belong to the caller.
struct RunInputs {
    int64_t n_tokens = 0;
    int64_t n_outputs = 0;
    const int32_t* tokens = nullptr;               // [n_tokens]
    const int32_t* positions = nullptr;            // [n_tokens]
    const int32_t* cells = nullptr;                // [n_tokens] KV cell each token's keys and values go to
    const int32_t* const* visible = nullptr;       // [n_tokens] cells each token sees, in order of position
    const int32_t* n_visible = nullptr;            // [n_tokens] at least 1
    // [n_tokens] how many of those, the first ones, windowed attention passes over; less than n_visible. Null: none.
    const int32_t* n_outside = nullptr;
    const int32_t* output_rows = nullptr;          // [n_outputs] token index of each output
    float* external[2] = {nullptr, nullptr};       // memory of external values
    LoraSegments lora_tokens;                      // read by lora_down and lora_up only
    LoraSegments lora_outputs;
    size_t first_node = 0;                         // what ran before is still in the arena
    size_t n_nodes = SIZE_MAX;                     // nodes from there on stay out
};

// What one thread sees while it runs a node.
struct OpContext {
    const Graph& graph;
    const Node& node;
    const RunInputs& inputs;
    const kern::VecKernels& vec;
    uint8_t* arena;
    const size_t* offsets;
    float* scratch;          // of this thread, scratch_floats long
    int64_t scratch_floats;
    int thread;
    int n_threads;

    int64_t rows(ValueId id) const {
        return graph.value(id).rows == Rows::tokens ? inputs.n_tokens : inputs.n_outputs;
    }
    uint8_t* bytes(ValueId id) const {
        const Value& value = graph.value(id);
        if (value.home == Home::external) return reinterpret_cast<uint8_t*>(inputs.external[value.external_slot]);
        return arena + offsets[static_cast<size_t>(id)];
    }
    float* row(ValueId id, int64_t i) const {
        return reinterpret_cast<float*>(bytes(id)) + i * graph.value(id).width;
    }
    // This thread's part [*begin, *end) of n items in units of granule.
    void share(int64_t n, int64_t granule, int64_t* begin, int64_t* end) const {
        const int64_t units = (n + granule - 1) / granule;
        *begin = units * thread / n_threads * granule;
        *end = units * (thread + 1) / n_threads * granule;
        if (*begin > n) *begin = n;
        if (*end > n) *end = n;
    }
};

struct OpRow {
    OpKind kind;
    const char* name;
    // Row i of the output is made from row i of the inputs alone, and rows are split by share(rows, 1): two such nodes in
    // a chain need no meeting of threads in between, because each thread goes on with its own rows.
    bool row_local;
    void (*run)(const OpContext& context);
};

const OpRow& op_row(OpKind kind);

void run_get_rows(const OpContext& context);
void run_rope_table(const OpContext& context);
void run_rms_norm(const OpContext& context);
void run_pack_acts(const OpContext& context);
void run_mul_mat(const OpContext& context);
void run_rope(const OpContext& context);
void run_kv_store(const OpContext& context);
void run_attention(const OpContext& context);
void run_add(const OpContext& context);
void run_relu2_mul(const OpContext& context);
void run_silu_mul(const OpContext& context);
void run_gelu_mul(const OpContext& context);
void run_pad(const OpContext& context);
void run_pick_rows(const OpContext& context);
void run_lora_down(const OpContext& context);
void run_lora_up(const OpContext& context);

}  // namespace tg
