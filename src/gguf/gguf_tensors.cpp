// Placing tensors in the data section. ggml demands that tensors follow each other in table order with nothing between
// them. We only demand that each lies inside the file and that no two overlap: that is all that safety needs, files
// with gaps or another order exist, and the gap to the next tensor is also what tells some types apart.
#include "src/gguf/gguf_tensors.h"

#include <algorithm>
#include <numeric>

#include "src/base/checked_math.h"
#include "src/base/error.h"
#include "src/gguf/gguf_text.h"
#include "src/gguf/tensor_type.h"

namespace bitnet {
namespace {

std::string quoted(const GgufTensor& tensor) { return "tensor '" + for_message(tensor.name) + "'"; }

void check_alignment(const GgufTensor& tensor, uint64_t alignment) {
    if (tensor.offset % alignment == 0) return;
    throw Error(BITNET_E_GGUF_ALIGNMENT, quoted(tensor) + " begins at offset " + std::to_string(tensor.offset) +
                                             ", which is not a multiple of the alignment " + std::to_string(alignment) +
                                             "; convert the model again")
        .with_numbers(alignment, tensor.offset)
        .with_offset(tensor.offset)
        .with_subject(for_message(tensor.name));
}

uint64_t tensor_bytes(const GgufTensor& tensor) {
    const kern::QuantTypeInfo& info = kern::quant_type_info(tensor.type);
    uint64_t bytes = 0;
    if (kern::quant_tensor_bytes(tensor.type, tensor.ne[0], tensor.n_rows(), &bytes)) return bytes;
    const bool partial = tensor.ne[0] % info.block_length != 0;
    // Rows that are no whole blocks, written as one: see kernels/ternary_dialects.h.
    if (tensor.type == kern::QuantType::i2_s && tensor.n_elements() % info.block_length == 0 && tensor.n_elements() > 0)
        return static_cast<uint64_t>(tensor.n_elements()) / 4 + info.tail_bytes;
    if (tensor.type == kern::QuantType::tl2 && !partial && tensor.ne[0] < 256) {
        throw Error(BITNET_E_GGUF_TENSOR_SHAPE,
                    quoted(tensor) + " has rows of " + std::to_string(tensor.ne[0]) +
                        " weights, but tl2 needs at least 256; convert the model to another type")
            .with_numbers(256, static_cast<uint64_t>(tensor.ne[0]))
            .with_subject(for_message(tensor.name));
    }
    throw Error(partial ? BITNET_E_GGUF_TENSOR_SHAPE : BITNET_E_SECURITY_OPERATION,
                quoted(tensor) + " has rows of " + std::to_string(tensor.ne[0]) + " weights, " +
                    (partial ? "but " + std::string(info.name) + " stores them in blocks of " +
                                   std::to_string(info.block_length) + "; convert the model to another type"
                             : "and its size in bytes is more than any file holds; the file is corrupt"))
        .with_numbers(info.block_length, static_cast<uint64_t>(tensor.ne[0]))
        .with_subject(for_message(tensor.name));
}

// Positions in the table, by place in the file. The index breaks ties, so that messages do not depend on the sort.
std::vector<uint32_t> order_in_file(const std::vector<GgufTensor>& tensors) {
    std::vector<uint32_t> order(tensors.size());
    std::iota(order.begin(), order.end(), 0u);
    std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
        return tensors[a].offset != tensors[b].offset ? tensors[a].offset < tensors[b].offset : a < b;
    });
    return order;
}

void check_overlap(const GgufTensor& first, const GgufTensor& second) {
    const uint64_t room = second.offset - first.offset;
    if (first.n_bytes <= room) return;
    throw Error(BITNET_E_GGUF_TENSOR_DATA, quoted(first) + " of " + std::to_string(first.n_bytes) +
                                               " bytes runs into " + quoted(second) + ", which begins " +
                                               std::to_string(room) +
                                               " bytes behind it; the file is corrupt, download it again")
        .with_numbers(first.n_bytes, room)
        .with_offset(second.offset)
        .with_subject(for_message(first.name));
}

// Type, size and extent of one tensor; end: where the next one begins, or the data section ends.
void place_tensor(GgufTensor& tensor, uint64_t end, uint64_t room, const GgufDataSection& section) {
    check_alignment(tensor, section.alignment);
    TensorTypeQuery query;
    query.tensor = tensor.name;
    query.file_type_id = tensor.file_type_id;
    query.k = static_cast<uint64_t>(tensor.ne[0]);
    query.n_rows = static_cast<uint64_t>(tensor.n_rows());
    query.span = end > tensor.offset ? end - tensor.offset : 0;
    query.alignment = section.alignment;
    query.file_type = section.file_type;
    tensor.type = resolve_tensor_type(query);
    tensor.n_bytes = tensor_bytes(tensor);
    if (tensor.offset > room || tensor.n_bytes > room - tensor.offset) {
        const uint64_t wanted = saturated_add(section.start, saturated_add(tensor.offset, tensor.n_bytes));
        throw Error(BITNET_E_GGUF_TRUNCATED, "the file is truncated: " + quoted(tensor) + " ends at byte " +
                                                 std::to_string(wanted) + ", but there are " +
                                                 std::to_string(section.file_size) + "; download it again")
            .with_numbers(wanted, section.file_size)
            .with_offset(saturated_add(section.start, tensor.offset))
            .with_subject(for_message(tensor.name));
    }
}

// Runs a check of one tensor; its failure goes on, or to who asked for it. Returns whether there was none.
template <typename Check>
bool passes(const GgufTensor& tensor, const GgufDataSection& section, Check&& check) {
    if (!section.on_bad_tensor) {
        check();
        return true;
    }
    try {
        check();
        return true;
    } catch (const Error& error) {
        section.on_bad_tensor(tensor.name, error);
        return false;
    }
}

}  // namespace

void place_tensors(std::vector<GgufTensor>& tensors, const GgufDataSection& section) {
    const uint64_t room = section.file_size > section.start ? section.file_size - section.start : 0;
    const std::vector<uint32_t> order = order_in_file(tensors);
    for (size_t i = 0; i < order.size(); ++i) {
        GgufTensor& tensor = tensors[order[i]];
        const uint64_t end = i + 1 < order.size() ? tensors[order[i + 1]].offset : room;
        if (!passes(tensor, section, [&] { place_tensor(tensor, end, room, section); })) tensor.n_bytes = 0;
    }
    for (size_t i = 0; i + 1 < order.size(); ++i) {
        GgufTensor& tensor = tensors[order[i]];
        // Tensors that keep their bytes never share them, so reading all of them reads no byte twice.
        if (!passes(tensor, section, [&] { check_overlap(tensor, tensors[order[i + 1]]); })) tensor.n_bytes = 0;
    }
    for (GgufTensor& tensor : tensors) tensor.offset = saturated_add(tensor.offset, section.start);
}

}  // namespace bitnet
