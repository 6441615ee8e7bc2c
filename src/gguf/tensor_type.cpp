// The table of tensor types by id and dialect, and the rule that picks a row. To teach the reader a new type, add its
// row to kernels/quant_types.cpp; the row here is there already, or tells which ids it competes with.
#include "src/gguf/tensor_type.h"

#include <string>
#include <vector>

#include "src/base/checked_math.h"
#include "src/base/error.h"
#include "src/gguf/gguf_text.h"

namespace bitnet {
namespace {

constexpr char kGgml[] = "ggml";
constexpr char kBitnetCpp[] = "bitnet.cpp";
constexpr char kIk[] = "ik_llama.cpp";
constexpr char kPrism[] = "Prism";

constexpr char kReadable[] = "";
constexpr char kRequantize[] = "quantise the original model to i2_s, tq2_0 or f16 instead";
constexpr char kRemoved[] = "ggml removed this type; quantise the original model again";
constexpr char kNotWeights[] = "it is a type for values in memory, not for weights in files; convert the model again";

template <uint64_t kLength, uint64_t kBytes>
bool block_bytes(uint64_t k, uint64_t n_rows, uint64_t* out) {
    return k % kLength == 0 && checked_mul(k / kLength * kBytes, n_rows, out);
}

bool tl2_bytes(uint64_t k, uint64_t n_rows, uint64_t* out) {
    if (k > INT64_MAX || n_rows > INT64_MAX) return false;
    return kern::quant_tensor_bytes(kern::QuantType::tl2, static_cast<int64_t>(k), static_cast<int64_t>(n_rows), out);
}

// Sorted by id. Where a dialect is settled for good: 36 is i2_s always, because ggml removed its own 36 before any file
// had it; 38 is tl1 for the same reason; 22 is iq2_s, a non-ternary type easily confused with i2_s by name.
constexpr TensorTypeRow kRows[] = {
    {0, "f32", kGgml, kReadable},
    {1, "f16", kGgml, kReadable},
    {2, "q4_0", kGgml, kRequantize},
    {3, "q4_1", kGgml, kRequantize},
    {4, "q4_2", kGgml, kRemoved},
    {5, "q4_3", kGgml, kRemoved},
    {6, "q5_0", kGgml, kRequantize},
    {7, "q5_1", kGgml, kRequantize},
    {8, "q8_0", kGgml, kRequantize},
    {9, "q8_1", kGgml, kNotWeights},
    {10, "q2_k", kGgml, kRequantize},
    {11, "q3_k", kGgml, kRequantize},
    {12, "q4_k", kGgml, kRequantize},
    {13, "q5_k", kGgml, kRequantize},
    {14, "q6_k", kGgml, kRequantize},
    {15, "q8_k", kGgml, kNotWeights},
    {16, "iq2_xxs", kGgml, kRequantize},
    {17, "iq2_xs", kGgml, kRequantize},
    {18, "iq3_xxs", kGgml, kRequantize},
    {19, "iq1_s", kGgml, kRequantize},
    {20, "iq4_nl", kGgml, kRequantize},
    {21, "iq3_s", kGgml, kRequantize},
    {22, "iq2_s", kGgml, kRequantize},
    {23, "iq4_xs", kGgml, kRequantize},
    {24, "i8", kGgml, kNotWeights},
    {25, "i16", kGgml, kNotWeights},
    {26, "i32", kGgml, kNotWeights},
    {27, "i64", kGgml, kNotWeights},
    {28, "f64", kGgml, kRequantize},
    {29, "iq1_m", kGgml, kRequantize},
    {30, "bf16", kGgml, kRequantize},
    {31, "q4_0_4_4", kGgml, kRemoved},
    {32, "q4_0_4_8", kGgml, kRemoved},
    {33, "q4_0_8_8", kGgml, kRemoved},
    {34, "tq1_0", kGgml, kRequantize},
    {35, "tq2_0", kGgml, kRequantize},
    {36, "i2_s", kBitnetCpp, kRequantize},
    {37, "i8_s", kBitnetCpp, kNotWeights},
    {38, "tl1", kBitnetCpp, kRequantize},
    {39, "tl2", kBitnetCpp, kRequantize, 39, false, tl2_bytes},
    {39, "mxfp4", kGgml, kRequantize, 0, true, block_bytes<32, 17>},
    {40, "nvfp4", kGgml, kRequantize},
    {41, "q1_0", kGgml, kRequantize},
    {42, "q2_0", kGgml, kRequantize, 0, false, block_bytes<64, 18>},
    {42, "q2_0_g128", kPrism, kRequantize, 0, false, block_bytes<128, 34>},
    {97, "q8_0_x4", kIk, kNotWeights},
    {98, "q8_1_x4", kIk, kNotWeights},
    {99, "q8_2_x4", kIk, kNotWeights},
    {133, "q6_0", kIk, kRequantize},
    {134, "iq1_bn", kIk, kRequantize},
    {135, "iq2_bn", kIk, kRequantize},
    {136, "q8_k64", kIk, kNotWeights},
    {137, "iq2_k", kIk, kRequantize},
    {138, "iq3_k", kIk, kRequantize},
    {139, "iq4_k", kIk, kRequantize},
    {140, "iq5_k", kIk, kRequantize},
    {141, "iq6_k", kIk, kRequantize},
    {142, "iq2_tn", kIk, kRequantize},
    {142, "a private 2-bit type", kPrism, kRequantize},
    {143, "iq1_tn", kIk, kRequantize},
    {143, "a private 2-bit type", kPrism, kRequantize},
    {144, "iq4_ks", kIk, kRequantize},
    {145, "iq2_ks", kIk, kRequantize},
    {146, "iq4_kss", kIk, kRequantize},
    {147, "q8_k16", kIk, kNotWeights},
    {148, "q8_k32", kIk, kNotWeights},
    {149, "q8_kr8", kIk, kNotWeights},
    {150, "q8_k128", kIk, kNotWeights},
    {151, "q8_kv", kIk, kNotWeights},
    {152, "iq5_ks", kIk, kRequantize},
    {153, "iq2_kt", kIk, kRequantize},
    {154, "iq3_kt", kIk, kRequantize},
    {155, "iq4_kt", kIk, kRequantize},
    {156, "iq3_ks", kIk, kRequantize},
    {157, "iq2_kl", kIk, kRequantize},
    {158, "iq1_kt", kIk, kRequantize},
    {202, "q4_0_r8", kIk, kRequantize},
    {206, "q5_0_r4", kIk, kRequantize},
    {208, "q8_0_r8", kIk, kRequantize},
    {210, "q2_k_r4", kIk, kRequantize},
    {211, "q3_k_r4", kIk, kRequantize},
    {212, "q4_k_r4", kIk, kRequantize},
    {213, "q5_k_r4", kIk, kRequantize},
    {214, "q6_k_r4", kIk, kRequantize},
    {216, "iq2_xxs_r4", kIk, kRequantize},
    {217, "iq2_xs_r4", kIk, kRequantize},
    {218, "iq3_xxs_r4", kIk, kRequantize},
    {219, "iq1_s_r4", kIk, kRequantize},
    {220, "iq4_nl_r4", kIk, kRequantize},
    {221, "iq3_s_r4", kIk, kRequantize},
    {222, "iq2_s_r4", kIk, kRequantize},
    {223, "iq4_xs_r8", kIk, kRequantize},
    {229, "iq1_m_r4", kIk, kRequantize},
    {230, "bf16_r16", kIk, kRequantize},
    {233, "q6_0_r4", kIk, kRequantize},
    {335, "iq2_bn_r4", kIk, kRequantize},
    {337, "iq2_k_r4", kIk, kRequantize},
    {338, "iq3_k_r4", kIk, kRequantize},
    {339, "iq4_k_r4", kIk, kRequantize},
    {340, "iq5_k_r4", kIk, kRequantize},
    {344, "iq4_ks_r4", kIk, kRequantize},
    {352, "iq5_ks_r4", kIk, kRequantize},
    {353, "mxfp4_r8", kIk, kRequantize},
    {397, "q8_k_r16", kIk, kNotWeights},
    {398, "q8_kv_r8", kIk, kNotWeights},
    {399, "q8_k_r8", kIk, kNotWeights},
};

std::string readable_names() {
    std::string names;
    for (int i = 0; i < kern::kQuantTypeCount; ++i) {
        if (i > 0) names += ", ";
        names += kern::quant_type_info(static_cast<kern::QuantType>(i)).name;
    }
    return names;
}

std::string reading(const TensorTypeRow& row) { return std::string(row.name) + " (" + row.dialect + ")"; }

[[noreturn]] void fail(const TensorTypeQuery& query, const std::string& what) {
    throw Error(BITNET_E_GGUF_TENSOR_TYPE, "tensor '" + for_message(query.tensor) + "' " + what)
        .with_numbers(0, query.file_type_id)
        .with_subject(for_message(query.tensor));
}

// The bytes between two tensors are the first one's size, with or without padding to the alignment.
bool fits(const TensorTypeRow& row, const TensorTypeQuery& query) {
    uint64_t bytes = 0;
    if (row.bytes == nullptr || !row.bytes(query.k, query.n_rows, &bytes)) return false;
    if (bytes == query.span) return true;
    return checked_align_up(bytes, query.alignment, &bytes) && bytes == query.span;
}

// The reading of an id with several rows; nullptr when the evidence contradicts itself or is missing.
const TensorTypeRow* decide(const std::vector<const TensorTypeRow*>& readings, const TensorTypeQuery& query) {
    const TensorTypeRow* claimed = nullptr;
    const TensorTypeRow* fallback = nullptr;
    const TensorTypeRow* fitting = nullptr;
    int n_fitting = 0;
    for (const TensorTypeRow* row : readings) {
        if (row->claimed_by != 0 && query.file_type == uint64_t{row->claimed_by}) claimed = row;
        if (row->is_default) fallback = row;
        if (!fits(*row, query)) continue;
        fitting = row;
        ++n_fitting;
    }
    // A claim of the metadata holds unless the size speaks for another reading alone.
    if (claimed != nullptr) return n_fitting == 0 || fits(*claimed, query) ? claimed : nullptr;
    if (n_fitting > 0) return n_fitting == 1 ? fitting : nullptr;
    return fallback;
}

}  // namespace

std::span<const TensorTypeRow> tensor_type_rows() noexcept { return kRows; }

kern::QuantType resolve_tensor_type(const TensorTypeQuery& query) {
    std::vector<const TensorTypeRow*> readings;
    for (const TensorTypeRow& row : kRows)
        if (row.file_id == query.file_type_id) readings.push_back(&row);
    const std::string id = std::to_string(query.file_type_id);
    if (readings.empty())
        fail(query, "has unknown type " + id + "; this version reads " + readable_names() +
                        "; update bitnet or convert the model again");
    const TensorTypeRow* row = readings.size() == 1 ? readings.front() : decide(readings, query);
    if (row == nullptr) {
        std::string all = reading(*readings.front());
        for (size_t i = 1; i < readings.size(); ++i) all += " or " + reading(*readings[i]);
        fail(query, "has type id " + id + ", which means " + all + ", and neither general.file_type nor its " +
                        std::to_string(query.span) + " bytes tell which; " + kRequantize);
    }
    // Asked by name, because ids are what cannot be trusted; a test compares the ids of both tables.
    const kern::QuantTypeInfo* info = kern::find_quant_type_by_name(row->name);
    if (info == nullptr)
        fail(query, "has type " + reading(*row) + ", id " + id + ", which this version cannot read (it reads " +
                        readable_names() + "); " + row->advice);
    return info->type;
}

}  // namespace bitnet
