// Which type a type id means: the table of dialects, and the rule where one id has several readings.
#include "src/gguf/tensor_type.h"

#include <set>
#include <string>

#include <doctest/doctest.h>

#include "src/gguf/gguf_reader.h"
#include "tests/src/gguf/gguf_test_helpers.h"
#include "tests/support/gguf_bytes.h"

using namespace bitnet;
using test::contains;
using test::error_of;

namespace {

constexpr uint64_t kK = 2560, kRows = 640;
// Sizes by the formulas of the formats, written out.
constexpr uint64_t kTl2Bytes = ((kK - 256) * kRows / 3 * 5 / 8 + 256 * kRows / 2 * 4 / 8 + 31) / 32 * 32 + 32;
constexpr uint64_t kMxfp4Bytes = kK / 32 * 17 * kRows;

TensorTypeQuery query(uint32_t id, uint64_t span = 1 << 20, std::optional<uint64_t> file_type = {}) {
    TensorTypeQuery q;
    q.tensor = "blk.0.ffn_up.weight";
    q.file_type_id = id;
    q.k = kK;
    q.n_rows = kRows;
    q.span = span;
    q.file_type = file_type;
    return q;
}

std::string refusal(const TensorTypeQuery& q) {
    const Error error = error_of([&] { resolve_tensor_type(q); });
    CHECK(error.status() == BITNET_E_GGUF_TENSOR_TYPE);
    CHECK(error.subject() == "blk.0.ffn_up.weight");
    CHECK(error.actual() == q.file_type_id);
    CHECK(contains(error.message(), "'blk.0.ffn_up.weight'"));
    return error.message();
}

}  // namespace

TEST_CASE("every type the kernels know has its id in the table, with one reading") {
    for (int i = 0; i < kern::kQuantTypeCount; ++i) {
        const kern::QuantTypeInfo& info = kern::quant_type_info(static_cast<kern::QuantType>(i));
        CAPTURE(info.name);
        if (info.file_id == 39 || info.file_id == 42) continue;  // these have two, see below
        CHECK(resolve_tensor_type(query(info.file_id)) == info.type);
        // The file type must not matter for them: bitnet.cpp writes 40 into files with many types.
        for (const uint64_t file_type : {0, 1, 36, 38, 39, 40})
            CHECK(resolve_tensor_type(query(info.file_id, 77, file_type)) == info.type);
    }
}

TEST_CASE("36 is i2_s in every file, and 22 is iq2_s, which is something else") {
    CHECK(resolve_tensor_type(query(36)) == kern::QuantType::i2_s);
    CHECK(resolve_tensor_type(query(22)) == kern::QuantType::iq2_s);
}

TEST_CASE("39 is tl2 by file type or size, mxfp4 otherwise") {
    CHECK(resolve_tensor_type(query(39, kTl2Bytes, 39)) == kern::QuantType::tl2);
    CHECK(resolve_tensor_type(query(39, 12345, 39)) ==
          kern::QuantType::tl2);  // no size fits: the file type is believed
    CHECK(resolve_tensor_type(query(39, kTl2Bytes)) == kern::QuantType::tl2);
    CHECK(resolve_tensor_type(query(39, kTl2Bytes, 7)) == kern::QuantType::tl2);
    CHECK(contains(refusal(query(39, kMxfp4Bytes)), "type mxfp4 (ggml)"));
    CHECK(contains(refusal(query(39, 12345)), "type mxfp4"));
    CHECK(contains(refusal(query(39, 12345, 38)), "type mxfp4"));  // ggml's and ik's file type of mxfp4
}

TEST_CASE("a file type that the size contradicts is refused with both readings named") {
    const std::string message = refusal(query(39, kMxfp4Bytes, 39));
    CHECK(contains(message, "tl2 (bitnet.cpp) or mxfp4 (ggml)"));
    CHECK(contains(message, std::to_string(kMxfp4Bytes)));
}

TEST_CASE("sizes that fit two readings once padded are refused with both named") {
    TensorTypeQuery q = query(39);
    q.k = 256;
    q.n_rows = 1;
    q.alignment = 4096;
    q.span = 4096;
    CHECK(contains(refusal(q), "tl2 (bitnet.cpp) or mxfp4 (ggml)"));
    q.file_type = 39;  // now one of them is claimed
    CHECK(resolve_tensor_type(q) == kern::QuantType::tl2);
}

TEST_CASE("42 is told apart by its group size, and refused with both readings when it cannot be") {
    CHECK(resolve_tensor_type(query(42, kK / 64 * 18 * kRows)) == kern::QuantType::q2_0);
    CHECK(resolve_tensor_type(query(42, kK / 128 * 34 * kRows)) == kern::QuantType::q2_0_g128);
    CHECK(contains(refusal(query(42, 1000)), "q2_0 (ggml) or q2_0_g128 (Prism)"));
}

TEST_CASE("ids without known sizes name all their readings") {
    CHECK(contains(refusal(query(142)), "iq2_tn (ik_llama.cpp) or a private 2-bit type (Prism)"));
    CHECK(contains(refusal(query(143)), "iq1_tn (ik_llama.cpp) or"));
}

TEST_CASE("types this build cannot read are named with their dialect and a way out") {
    CHECK(contains(refusal(query(37)), "i8_s (bitnet.cpp)"));
    for (const uint32_t id : {31u, 32u, 33u}) CHECK(contains(refusal(query(id)), "ggml removed"));
    CHECK(contains(refusal(query(137)), "iq2_k (ik_llama.cpp)"));
    CHECK(contains(refusal(query(12)), "q4_k (ggml), id 12"));
    for (int i = 0; i < kern::kQuantTypeCount; ++i)  // and what it can read is said
        CHECK(contains(refusal(query(12)), kern::quant_type_info(static_cast<kern::QuantType>(i)).name));
    CHECK(contains(refusal(query(43)), "unknown type 43"));
    CHECK(contains(refusal(query(UINT32_MAX)), "unknown type 4294967295"));
}

TEST_CASE("every row of the table that no kernel reads is refused by name") {
    std::set<uint32_t> ids;
    for (const TensorTypeRow& row : tensor_type_rows()) {
        CAPTURE(row.name);
        if (kern::find_quant_type_by_name(row.name) != nullptr) {
            CHECK(kern::find_quant_type_by_name(row.name)->file_id == row.file_id);
            continue;
        }
        CHECK(std::string(row.advice).size() > 10);
        const std::string message = refusal(query(row.file_id));
        if (row.file_id != 39) CHECK(contains(message, row.name));
        ids.insert(row.file_id);
    }
    CHECK(ids.size() > 60);
}

TEST_CASE("hostile shapes do not overflow the size formulas") {
    for (const uint64_t k :
         {uint64_t{1}, uint64_t{255}, uint64_t{256}, uint64_t{1} << 33, uint64_t{1} << 40, uint64_t{1} << 62})
        for (const uint64_t n_rows :
             {uint64_t{1}, uint64_t{1} << 30, uint64_t{1} << 31, uint64_t{1} << 55, uint64_t{1} << 62}) {
            TensorTypeQuery q = query(39);
            q.k = k;
            q.n_rows = n_rows;
            CHECK(contains(refusal(q), "id 39"));
            q.file_type_id = 42;
            CHECK(contains(refusal(q), "id 42"));
        }
}

TEST_CASE("the reader passes the bytes up to the next tensor and the file type to the rule") {
    const auto file_with = [](uint64_t bytes, uint32_t file_type) {
        test::GgufBytes b;
        b.counts(2, 1).key_u32("general.file_type", file_type);
        b.tensor("t", {kK, kRows}, 39, 0).tensor("u", {8}, 0, (bytes + 31) / 32 * 32).pad();
        b.zeros(static_cast<size_t>((bytes + 31) / 32 * 32 + 32));
        return b.bytes();
    };
    CHECK(test::parse(file_with(kTl2Bytes, 0))->tensors().at(0).type == kern::QuantType::tl2);
    CHECK(contains(error_of([&] { test::parse(file_with(kMxfp4Bytes, 0)); }).message(), "type mxfp4"));
    CHECK(contains(error_of([&] { test::parse(file_with(kMxfp4Bytes, 39)); }).message(), "tl2 (bitnet.cpp) or mxfp4"));
}
