// The table of storage types: ids and names as GGUF knows them, sizes, and arithmetic that refuses what does not fit.
#include <doctest/doctest.h>

#include <cstring>
#include <initializer_list>

#include "kernels/quant_types.h"

using kern::QuantType;

TEST_CASE("every type has the id, block and size of the file format") {
    struct Row {
        QuantType type;
        const char* name;
        uint32_t file_id, length, bytes, tail;
        bool ternary;
        bool dialect = false;
        uint32_t row_head = 0;
    };
    constexpr Row kRows[] = {
        {QuantType::f32, "f32", 0, 1, 4, 0, false},
        {QuantType::f16, "f16", 1, 1, 2, 0, false},
        {QuantType::bf16, "bf16", 30, 1, 2, 0, false},
        {QuantType::q8_0, "q8_0", 8, 32, 34, 0, false},
        {QuantType::q4_0, "q4_0", 2, 32, 18, 0, false},
        {QuantType::q6_k, "q6_k", 14, 256, 210, 0, false},
        {QuantType::iq2_s, "iq2_s", 22, 256, 82, 0, false},
        {QuantType::tq1_0, "tq1_0", 34, 256, 54, 0, true},
        {QuantType::tq2_0, "tq2_0", 35, 256, 66, 0, true},
        {QuantType::i2_s, "i2_s", 36, 128, 32, 32, true},
        {QuantType::tl1, "tl1", 38, 4, 1, 32, true, true},
        {QuantType::tl2, "tl2", 39, 32, 0, 32, true, true},
        {QuantType::iq1_bn, "iq1_bn", 134, 64, 13, 0, true, true, 2},
        {QuantType::iq2_bn, "iq2_bn", 135, 64, 16, 0, true, true, 4},
        {QuantType::iq2_bn_r4, "iq2_bn_r4", 335, 64, 16, 0, true, true, 4},
        {QuantType::q4_1, "q4_1", 3, 32, 20, 0, false},
        {QuantType::q1_0, "q1_0", 41, 128, 18, 0, false},
        {QuantType::q2_0, "q2_0", 42, 64, 18, 0, false},
        {QuantType::q2_0_g128, "q2_0_g128", 42, 128, 34, 0, false},
    };
    CHECK(sizeof kRows / sizeof kRows[0] == kern::kQuantTypeCount);
    for (const Row& row : kRows) {
        INFO(row.name);
        const kern::QuantTypeInfo& info = kern::quant_type_info(row.type);
        CHECK(info.type == row.type);
        CHECK(std::strcmp(info.name, row.name) == 0);
        CHECK(info.file_id == row.file_id);
        CHECK(info.block_length == row.length);
        CHECK(info.block_bytes == row.bytes);
        CHECK(info.tail_bytes == row.tail);
        CHECK(info.ternary == row.ternary);
        CHECK(info.dialect == row.dialect);
        CHECK(info.row_head_bytes == row.row_head);
        const bool read_only = row.file_id == 22 || row.file_id == 41 || row.file_id == 42;
        CHECK((info.decode != nullptr) != row.dialect);  // those are read by whole tensors
        CHECK((info.encode != nullptr) != (row.dialect || read_only));
        if (row.type != QuantType::q2_0_g128) CHECK(kern::find_quant_type_by_file_id(row.file_id) == &info);
        CHECK(kern::find_quant_type_by_name(row.name) == &info);
    }
}

TEST_CASE("an unknown id or name finds no type") {
    for (const uint32_t id : {4u, 31u, 33u, 37u, 40u, 43u, 4294967295u}) {
        CHECK(kern::find_quant_type_by_file_id(id) == nullptr);
    }
    for (const char* name : {"", "I2_S", "i2_s ", "q5_0"}) CHECK(kern::find_quant_type_by_name(name) == nullptr);
    CHECK(kern::find_quant_type_by_name(nullptr) == nullptr);
}

TEST_CASE("tensor sizes are those of published files") {
    uint64_t bytes = 0;
    REQUIRE(kern::quant_tensor_bytes(QuantType::i2_s, 2560, 6912, &bytes));
    CHECK(bytes == 2560u * 6912u / 4u + 32u);
    REQUIRE(kern::quant_tensor_bytes(QuantType::f16, 2560, 128256, &bytes));
    CHECK(bytes == 656670720u);
    REQUIRE(kern::quant_tensor_bytes(QuantType::q6_k, 2560, 128256, &bytes));
    CHECK(bytes == 128256u * 2100u);
    REQUIRE(kern::quant_tensor_bytes(QuantType::tq1_0, 2560, 3, &bytes));
    CHECK(bytes == 3u * 540u);
    CHECK(kern::quant_row_bytes(QuantType::tq2_0, 6912) == 27u * 66u);
    CHECK(kern::quant_row_bytes(QuantType::i2_s, 2560) == 640u);
    // TL2 reserves (k - 256) M / 3 * 5 / 8 + 256 M / 2 * 4 / 8 bytes, rounded up to 32, and 32 more.
    REQUIRE(kern::quant_tensor_bytes(QuantType::tl2, 4096, 1024, &bytes));
    CHECK(bytes == 864u * 1024u + 32u);
    REQUIRE(kern::quant_tensor_bytes(QuantType::tl2, 320, 32, &bytes));
    CHECK(bytes == (64u * 32u / 3u * 5u / 8u + 2048u + 31u) / 32u * 32u + 32u);
    REQUIRE(kern::quant_tensor_bytes(QuantType::tl1, 4096, 1024, &bytes));
    CHECK(bytes == 4096u * 1024u / 4u + 32u);
    CHECK(kern::quant_row_bytes(QuantType::iq2_bn, 2560) == 4u + 640u);
    CHECK(kern::quant_row_bytes(QuantType::iq1_bn, 2560) == 2u + 520u);
    REQUIRE(kern::quant_tensor_bytes(QuantType::i2_s, 2560, 0, &bytes));
    CHECK(bytes == 32u);
    REQUIRE(kern::quant_tensor_bytes(QuantType::i2_s, 0, INT64_MAX, &bytes));
    CHECK(bytes == 32u);
}

TEST_CASE("sizes that do not fit or do not divide are refused and leave the result alone") {
    uint64_t bytes = 77;
    CHECK_FALSE(kern::quant_tensor_bytes(QuantType::i2_s, 64, 1, &bytes));
    CHECK_FALSE(kern::quant_tensor_bytes(QuantType::tq2_0, 2560 + 128, 1, &bytes));
    CHECK_FALSE(kern::quant_tensor_bytes(QuantType::q8_0, 33, 1, &bytes));
    CHECK_FALSE(kern::quant_tensor_bytes(QuantType::f32, -1, 1, &bytes));
    CHECK_FALSE(kern::quant_tensor_bytes(QuantType::f32, 1, -1, &bytes));
    CHECK_FALSE(kern::quant_tensor_bytes(QuantType::f32, INT64_MAX, INT64_MAX, &bytes));
    CHECK_FALSE(kern::quant_tensor_bytes(QuantType::f32, INT64_MAX, 1, &bytes));
    CHECK_FALSE(kern::quant_tensor_bytes(QuantType::q8_0, INT64_MAX / 32 * 32, INT64_MAX, &bytes));
    CHECK_FALSE(kern::quant_tensor_bytes(QuantType::f16, int64_t{1} << 62, 2, &bytes));
    CHECK_FALSE(kern::quant_tensor_bytes(QuantType::tl2, 224, 32, &bytes));
    CHECK_FALSE(kern::quant_tensor_bytes(QuantType::tl2, 1 << 20, INT64_MAX, &bytes));
    CHECK_FALSE(kern::quant_tensor_bytes(QuantType::iq2_bn, 96, 1, &bytes));
    CHECK(bytes == 77);
    CHECK(kern::quant_tensor_bytes(QuantType::f16, int64_t{1} << 61, 3, &bytes));
    CHECK(bytes == uint64_t{3} << 62);
}
