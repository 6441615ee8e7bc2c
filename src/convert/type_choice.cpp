// Names and numbers come from the table of kernels/quant_types.cpp; a type added there can be chosen here.
#include "src/convert/type_choice.h"

#include <cstring>
#include <utility>

#include "kernels/ternary_dialects.h"
#include "src/base/error.h"
#include "src/gguf/gguf_text.h"
#include "src/model/tensor_role.h"

namespace bitnet {
namespace {

using kern::QuantType;
using kern::QuantTypeInfo;

// general.file_type by the type that most weights have: llama.cpp's numbers, bitnet.cpp's for i2_s and its tables,
// ik_llama.cpp's for its own types.
struct FileTypeRow {
    const char* name;
    uint32_t file_type;
};
constexpr FileTypeRow kFileTypes[] = {
    {"q4_1", 3},  {"f32", 0},   {"f16", 1},      {"q4_0", 2},     {"q8_0", 7},
    {"q6_k", 18}, {"bf16", 32}, {"tq1_0", 36},   {"tq2_0", 37},   {"i2_s", 40},
    {"tl1", 38},  {"tl2", 39},  {"iq1_bn", 136}, {"iq2_bn", 137}, {"iq2_bn_r4", 337},
};

bool same_name(const char* a, const char* b) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    for (; *a != '\0' || *b != '\0'; ++a, ++b) {
        if (lower(*a) != lower(*b)) return false;
    }
    return true;
}

bool is_writable(const QuantTypeInfo& info) { return info.encode != nullptr || info.dialect; }

// "i2_s, tq2_0": types that can be written and whose blocks divide a row; k 0: any.
std::string writable_names(int64_t k, bool ternary_too) {
    std::string names;
    for (int i = kern::kQuantTypeCount - 1; i >= 0; --i) {
        const QuantTypeInfo& info = kern::quant_type_info(static_cast<QuantType>(i));
        if (k != 0 && kern::dialect_is_tiled(info.type)) continue;  // needs more of a shape than whole blocks
        if (!is_writable(info) || (info.ternary && !ternary_too) || k % info.block_length != 0) continue;
        names += (names.empty() ? "" : ", ") + std::string(info.name);
    }
    return names;
}

void require_whole_blocks(const SourceTensor& tensor, QuantType type) {
    const QuantTypeInfo& info = kern::quant_type_info(type);
    if (tensor.ne[0] % info.block_length == 0) return;
    const std::string shown = for_message(tensor.name);
    throw Error(BITNET_E_QUANT_INPUT, "tensor '" + shown + "' has rows of " + std::to_string(tensor.ne[0]) +
                                          " weights, which are not whole blocks of " +
                                          std::to_string(info.block_length) + ", as " + info.name +
                                          " needs them; choose one of " + writable_names(tensor.ne[0], true))
        .with_numbers(info.block_length, static_cast<uint64_t>(tensor.ne[0]))
        .with_subject(shown);
}

QuantType embedding_or_head(const SourceTensor& tensor, const WantedTypes& wanted, bool is_embedding, bool has_head) {
    std::optional<QuantType> asked = is_embedding ? wanted.embedding : wanted.head;
    if (is_embedding && !has_head && !asked) asked = wanted.head;
    if (!asked) {
        const bool shrinks = wanted.matrices && *wanted.matrices != QuantType::f32;
        return tensor.stored == QuantType::f32 && shrinks ? QuantType::f16 : tensor.stored;
    }
    const QuantTypeInfo& info = kern::quant_type_info(*asked);
    if (info.ternary && *asked != tensor.stored) {
        const std::string shown = for_message(tensor.name);
        throw Error(BITNET_E_QUANT_FORMAT, "tensor '" + shown + "' cannot be " + info.name +
                                               ": a model whose embedding or head is ternary answers nonsense; choose "
                                               "one of " +
                                               writable_names(0, false))
            .with_subject(shown);
    }
    return *asked;
}

}  // namespace

QuantType find_file_type(const char* name, const char* option) {
    for (int i = 0; i < kern::kQuantTypeCount; ++i) {
        const QuantTypeInfo& info = kern::quant_type_info(static_cast<QuantType>(i));
        if (same_name(name, info.name) && is_writable(info)) return info.type;
    }
    const std::string shown = for_message(name, 32);
    std::string text = std::string(option) + ": no type '" + shown + "' to write";
    for (const auto& [own, instead] : {std::pair("int8", "q8_0"), std::pair("int4", "q4_0")}) {
        if (same_name(name, own))
            text = std::string(option) + ": " + own +
                   " is a type of bitnet_quantizer_quantize, not one that GGUF files have; " + instead +
                   " is the nearest";
    }
    throw Error(BITNET_E_QUANT_FORMAT, text + "; this version writes " + writable_names(0, true)).with_subject(shown);
}

int64_t scale_reach(QuantType type) noexcept {
    const QuantTypeInfo& info = kern::quant_type_info(type);
    if (std::strncmp(info.name, "tq", 2) == 0) return info.block_length;
    return std::strncmp(info.name, "iq", 2) == 0 ? -1 : 0;
}

bool is_layer_matrix(const SourceTensor& tensor) noexcept {
    const TensorRole role = tensor_role(tensor.name);
    return tensor.n_dims > 1 && (role == TensorRole::attention || role == TensorRole::feed_forward);
}

QuantType choose_type(const SourceTensor& tensor, const WantedTypes& wanted, bool has_head) {
    if (tensor.n_dims == 1) return QuantType::f32;
    const TensorRole role = tensor_role(tensor.name);
    QuantType type = tensor.stored;
    if (role == TensorRole::embedding || role == TensorRole::output) {
        type = embedding_or_head(tensor, wanted, role == TensorRole::embedding, has_head);
    } else if (is_layer_matrix(tensor)) {
        type = wanted.matrices.value_or(tensor.stored);
    }
    require_whole_blocks(tensor, type);
    return type;
}

std::optional<uint32_t> general_file_type(QuantType type) noexcept {
    for (const FileTypeRow& row : kFileTypes) {
        if (std::strcmp(row.name, kern::quant_type_info(type).name) == 0) return row.file_type;
    }
    return std::nullopt;
}

}  // namespace bitnet
