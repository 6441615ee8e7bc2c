// The types of the quantiser by name, and the sizes of what they make.
#include "src/quantizer/quant_format.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "src/base/checked_math.h"
#include "src/base/error.h"

namespace bitnet {
namespace {

constexpr const char* kWritten = "i2_s, tq1_0, tq2_0, q8_0, q4_0, q6_k, int8, int4, f16, bf16, f32";
// Types of files whose bytes depend on more than a row of values, or that are only read.
constexpr const char* kKnownOnly[] = {"tl1",  "tl2",   "iq1_bn", "iq2_bn", "iq2_bn_r4",
                                      "q4_1", "iq2_s", "q1_0",   "q2_0",   "q2_0_g128"};
constexpr uint64_t kAffineBlock = 64, kAffineStep = 16, kAffineMost = 65536;
// No address space holds more, and sums of a few such sizes stay far below 2^64.
constexpr uint64_t kMostBytes = uint64_t{1} << 47;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same_name(const char* a, const char* b) {
    for (; *a != '\0' || *b != '\0'; ++a, ++b) {
        if (lower(*a) != lower(*b)) return false;
    }
    return true;
}

[[noreturn]] void bad_format(const std::string& text, const char* type) {
    throw Error(BITNET_E_QUANT_FORMAT, text).with_subject(type);
}

int64_t affine_block(const char* name, uint64_t asked) {
    if (asked == 0) return kAffineBlock;
    if (asked % kAffineStep != 0 || asked > kAffineMost) {
        bad_format(std::string(name) + " has no blocks of " + std::to_string(asked) +
                       " values; use a multiple of 16 up to 65536, or 0 for 64",
                   name);
    }
    return static_cast<int64_t>(asked);
}

}  // namespace

QuantFormat find_quant_format(const char* type, uint64_t block_size, bool asymmetric) {
    const char* wanted = type == nullptr ? "i2_s" : type;
    for (const char* name : {"int8", "int4"}) {
        if (!same_name(wanted, name)) continue;
        return {name, nullptr, name[3] - '0', asymmetric, affine_block(name, block_size)};
    }
    const bool known_only = std::any_of(std::begin(kKnownOnly), std::end(kKnownOnly),
                                        [&](const char* name) { return same_name(wanted, name); });
    for (int i = 0; i < kern::kQuantTypeCount && !known_only; ++i) {
        const kern::QuantTypeInfo& info = kern::quant_type_info(static_cast<kern::QuantType>(i));
        if (!same_name(wanted, info.name) || info.encode == nullptr) continue;
        if (asymmetric)
            bad_format(std::string(info.name) + " has no zero point; use int8 or int4, or a symmetric config",
                       info.name);
        if (block_size != 0 && block_size != info.block_length) {
            bad_format(std::string(info.name) + " has blocks of " + std::to_string(info.block_length) +
                           " values, not of " + std::to_string(block_size) + "; leave block_size 0",
                       info.name);
        }
        return {info.name, &info, 0, false, info.block_length};
    }
    for (const char* name : kKnownOnly) {
        if (same_name(wanted, name)) {
            bad_format("quantising to " + std::string(name) + " is not in this version; it writes " + kWritten +
                           ". bitnet_file_convert (bitnet quantize) writes more types, as whole files",
                       name);
        }
    }
    const std::string name = quoted(wanted);
    throw Error(BITNET_E_QUANT_FORMAT, "no type " + name + " to quantise to; this version writes " + kWritten)
        .with_subject(name);
}

QuantShape quant_shape(const QuantFormat& format, size_t n_rows, size_t n_cols) {
    const auto shape = [&] { return std::to_string(n_rows) + " rows of " + std::to_string(n_cols) + " values"; };
    if (n_rows == 0 || n_cols == 0) throw Error(BITNET_E_QUANT_INPUT, "there are no values to quantise: " + shape());
    uint64_t n_values = 0;
    if (!checked_mul(n_rows, n_cols, &n_values) || n_values > kMostBytes / sizeof(float)) {
        throw Error(BITNET_E_QUANT_INPUT, shape() + " are more than any memory holds")
            .with_numbers(kMostBytes, UINT64_MAX);
    }
    const uint64_t block = static_cast<uint64_t>(format.block);
    if (n_cols % block != 0) {
        throw Error(BITNET_E_QUANT_INPUT, "rows of " + std::to_string(n_cols) + " values are not whole blocks of " +
                                              std::to_string(block) + ", which " + format.name +
                                              " has; pad them with zeros")
            .with_numbers((n_cols / block + 1) * block, n_cols);
    }
    const uint64_t n_blocks = n_values / block;
    uint64_t bytes = 0;
    uint64_t scales = 0;
    if (format.is_affine()) {
        bytes = n_values * static_cast<uint64_t>(format.bits) / 8 + (format.asymmetric ? n_blocks : 0);
        scales = n_blocks;
    } else {
        bytes = n_blocks * format.type->block_bytes + format.type->tail_bytes;
        scales = format.has_tensor_scale() ? 1 : 0;
    }
    return {static_cast<int64_t>(n_values), static_cast<size_t>(bytes), static_cast<size_t>(scales)};
}

}  // namespace bitnet
