#include "ggml-like/op_table.h"

namespace tg {
namespace {

constexpr OpRow kOps[kOpCount] = {
    {OpKind::get_rows, "get_rows", true, run_get_rows},
    {OpKind::rope_table, "rope_table", true, run_rope_table},
    {OpKind::rms_norm, "rms_norm", true, run_rms_norm},
    {OpKind::pack_acts, "pack_acts", true, run_pack_acts},
    {OpKind::mul_mat, "mul_mat", false, run_mul_mat},
    {OpKind::rope, "rope", true, run_rope},
    {OpKind::kv_store, "kv_store", true, run_kv_store},
    {OpKind::attention, "attention", false, run_attention},
    {OpKind::add, "add", true, run_add},
    {OpKind::relu2_mul, "relu2_mul", true, run_relu2_mul},
    {OpKind::silu_mul, "silu_mul", true, run_silu_mul},
    {OpKind::gelu_mul, "gelu_mul", true, run_gelu_mul},
    {OpKind::pick_rows, "pick_rows", false, run_pick_rows},
    {OpKind::lora_down, "lora_down", false, run_lora_down},
    {OpKind::lora_up, "lora_up", false, run_lora_up},
    {OpKind::pad, "pad", true, run_pad},
};

constexpr bool in_order() {
    for (int i = 0; i < kOpCount; ++i) {
        if (static_cast<int>(kOps[i].kind) != i) return false;
    }
    return true;
}
static_assert(in_order(), "the table is indexed by OpKind");

}  // namespace

const OpRow& op_row(OpKind kind) { return kOps[static_cast<int>(kind)]; }

}  // namespace tg
