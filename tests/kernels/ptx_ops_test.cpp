// What the PTX interpreter's instructions do, each family at its edges: by numbers that the PTX ISA gives, not by a second
// implementation.
#include <doctest/doctest.h>

#include <bit>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "tests/support/ptx_cases.h"

namespace {

uint64_t bits(float f) { return std::bit_cast<uint32_t>(f); }
uint64_t bits(double f) { return std::bit_cast<uint64_t>(f); }

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr uint64_t kNan = 0x7fffffff;     // what arithmetic gives
constexpr uint64_t kOther = 0xffc12345u;  // another one

// An instruction whose sources are %a, %b, %c and whose result is %z, h, r, d, f, g or p.
struct Row {
    const char* text;
    uint64_t a, b, c, expected;
};

std::string prepared(const std::string& text) {
    return "ld.global.u64 %d3, [%d1]; ld.global.u64 %d4, [%d1+8]; ld.global.u64 %d5, [%d1+16];\n"
           "cvt.u32.u64 %r3, %d3; cvt.u32.u64 %r4, %d4; cvt.u32.u64 %r5, %d5;\n"
           "cvt.u16.u64 %h3, %d3; cvt.u16.u64 %h4, %d4; cvt.u16.u64 %h5, %d5;\n"
           "mov.b32 %f3, %r3; mov.b32 %f4, %r4; mov.b64 %g3, %d3; mov.b64 %g4, %d4; setp.ne.s64 %p3, %d3, 0;\n"
           "setp.ne.s64 %p4, %d4, 0; setp.ne.s64 %p5, %d5, 0;\n" +
           text + "\n";
}

// 64 bits of every thread, of 40.
std::string stored(char kind) {
    std::string text;
    if (kind == 'h') text = "cvt.u64.u16 %d6, %h6;";
    if (kind == 'r') text = "cvt.u64.u32 %d6, %r6;";
    if (kind == 'f') text = "mov.b32 %r6, %f6; cvt.u64.u32 %d6, %r6;";
    if (kind == 'g') text = "mov.b64 %d6, %g6;";
    if (kind == 'p') text = "selp.b64 %d6, 1, 0, %p6;";
    return text + " mul.wide.u32 %d7, %r1, 8; add.s64 %d7, %d7, %d2; st.global.u64 [%d7], %d6;";
}

void check(const Row& row) {
    CAPTURE(row.text);
    const std::string text = row.text;
    const char kind = text[text.find('%') + 1];  // the result's
    std::vector<uint64_t> out(40, 1234567);
    REQUIRE(test::run_ptx_body(prepared(text) + stored(kind), {row.a, row.b, row.c}, &out, {.threads = 40}) == "");
    for (const uint64_t each : out) REQUIRE(each == row.expected);
}

}  // namespace

TEST_CASE("PTX: whole numbers") {
    const Row rows[] = {
        {"add.s32 %r6, %r3, %r4;", 0x7fffffff, 1, 0, 0x80000000},
        {"add.s16 %h6, %h3, %h4;", 0xffff, 2, 0, 1},
        {"add.s64 %d6, %d3, -5;", 2, 0, 0, ~uint64_t{2}},
        {"sub.s32 %r6, %r3, %r4;", 3, 5, 0, 0xfffffffe},
        {"sub.u64 %d6, %d3, %d4;", 0, 1, 0, ~uint64_t{0}},
        {"mul.lo.s32 %r6, %r3, %r4;", 0xffffffff, 7, 0, 0xfffffff9},
        {"mul.lo.u16 %h6, %h3, %h4;", 0xffff, 0xffff, 0, 1},
        {"mul.lo.s64 %d6, %d3, %d4;", 0x100000001, 0x100000001, 0, 0x200000001},
        {"mul.wide.s32 %d6, %r3, %r4;", 0xffffffff, 3, 0, uint64_t(-3)},
        {"mul.wide.u32 %d6, %r3, %r4;", 0xffffffff, 3, 0, 0x2fffffffd},
        {"mul.wide.u16 %r6, %h3, %h4;", 0xffff, 0xffff, 0, 0xfffe0001},
        {"mul.wide.s16 %r6, %h3, %h4;", 0xffff, 2, 0, 0xfffffffe},
        {"mul.hi.u32 %r6, %r3, %r4;", 0x80000000, 6, 0, 3},
        {"mul.hi.s32 %r6, %r3, %r4;", 0xffffffff, 6, 0, 0xffffffff},
        {"mad.lo.s32 %r6, %r3, %r4, %r5;", 5, 7, 0xffffffff, 34},
        {"div.s32 %r6, %r3, %r4;", uint32_t(-7), 2, 0, uint32_t(-3)},
        {"div.s32 %r6, %r3, %r4;", 0x80000000, 0xffffffff, 0, 0x80000000},
        {"div.u32 %r6, %r3, %r4;", 0xfffffff9, 2, 0, 0x7ffffffc},
        {"div.s64 %d6, %d3, %d4;", uint64_t(-7), 2, 0, uint64_t(-3)},
        {"rem.s64 %d6, %d3, %d4;", uint64_t(-7), 2, 0, uint64_t(-1)},
        {"rem.u32 %r6, %r3, %r4;", 17, 5, 0, 2},
        {"min.s32 %r6, %r3, %r4;", 0xffffffff, 1, 0, 0xffffffff},
        {"min.u32 %r6, %r3, %r4;", 0xffffffff, 1, 0, 1},
        {"max.s64 %d6, %d3, %d4;", uint64_t(-9), uint64_t(-8), 0, uint64_t(-8)},
        {"max.u64 %d6, %d3, %d4;", uint64_t(-9), 8, 0, uint64_t(-9)},
        {"neg.s32 %r6, %r3;", 5, 0, 0, 0xfffffffb},
        {"abs.s32 %r6, %r3;", 0xfffffffb, 0, 0, 5},
        {"dp4a.s32.s32 %r6, %r3, %r4, %r5;", 0x80ff0201, 0x7f020304, 100, uint32_t(100 + 4 + 6 - 2 - 128 * 127)},
        {"dp4a.u32.u32 %r6, %r3, %r4, %r5;", 0xffffffff, 0xffffffff, 1, 4 * 65025 + 1},
    };
    for (const Row& row : rows) check(row);
    std::vector<uint64_t> lanes(40, 0);
    REQUIRE(test::run_ptx_body("mov.u32 %r6, %laneid;" + stored('r'), {0}, &lanes, {.threads = 40}) == "");
    CHECK(lanes[31] == 31);
    CHECK(lanes[39] == 7);
}

TEST_CASE("PTX: bits, shifts and choices") {
    const Row rows[] = {
        {"and.b32 %r6, %r3, %r4;", 0xff00ff00, 0x0ff00ff0, 0, 0x0f000f00},
        {"or.b64 %d6, %d3, %d4;", 1, uint64_t{1} << 63, 0, (uint64_t{1} << 63) | 1},
        {"xor.b16 %h6, %h3, 255;", 0x1234, 0, 0, 0x12cb},
        {"not.b32 %r6, %r3;", 0xff, 0, 0, 0xffffff00},
        {"shl.b32 %r6, %r3, %r4;", 3, 31, 0, 0x80000000},
        {"shl.b32 %r6, %r3, %r4;", 3, 32, 0, 0},
        {"shl.b64 %d6, %d3, %r4;", 3, 63, 0, uint64_t{1} << 63},
        {"shl.b16 %h6, %h3, %r4;", 3, 15, 0, 0x8000},
        {"shr.u32 %r6, %r3, %r4;", 0x80000000, 31, 0, 1},
        {"shr.u32 %r6, %r3, %r4;", 0x80000000, 33, 0, 0},
        {"shr.s32 %r6, %r3, %r4;", 0x80000000, 100, 0, 0xffffffff},
        {"shr.s64 %d6, %d3, %r4;", uint64_t{1} << 63, 62, 0, uint64_t(-2)},
        {"shr.b64 %d6, %d3, %r4;", uint64_t{1} << 63, 62, 0, 2},
        {"shr.s16 %h6, %h3, %r4;", 0x8000, 15, 0, 0xffff},
        {"bfi.b32 %r6, %r3, %r4, 8, 12;", 0xabc, 0xffffffff, 0, 0xfffabcff},
        {"bfi.b32 %r6, %r3, %r4, 24, 32;", 0x1ff, 0x11111111, 0, 0xff111111},
        {"bfi.b64 %d6, %d3, %d4, 32, 32;", 0x12345678, 0x9abcdef0, 0, 0x123456789abcdef0},
        {"bfi.b64 %d6, %d3, %d4, 70, 4;", 1, 2, 0, 2},
        {"prmt.b32 %r6, %r3, %r4, 0x7610;", 0x33221100, 0x77665544, 0, 0x77661100},
        {"prmt.b32 %r6, %r3, %r4, %r5;", 0x33228100, 0x77665544, 0x8901, 0x00ff0081},
        {"selp.b32 %r6, %r3, %r4, %p5;", 1, 2, 1, 1},
        {"selp.f32 %f6, %f3, 0f7FC00000, %p5;", 1, 2, 0, 0x7fc00000},
        {"and.pred %p6, %p3, %p4;", 1, 0, 0, 0},
        {"or.pred %p6, %p3, %p4;", 1, 0, 0, 1},
        {"xor.pred %p6, %p3, -1;", 1, 0, 0, 0},
        {"not.pred %p6, %p3;", 0, 0, 0, 1},
        {"mov.pred %p6, 1;", 0, 0, 0, 1},
        {"setp.lt.s32 %p6, %r3, %r4;", 0xffffffff, 0, 0, 1},
        {"setp.lt.u32 %p6, %r3, %r4;", 0xffffffff, 0, 0, 0},
        {"setp.le.s64 %p6, %d3, %d4;", 7, 7, 0, 1},
        {"setp.gt.s16 %p6, %h3, %h4;", 0xffff, 0, 0, 0},
        {"setp.ge.u64 %p6, %d3, %d4;", ~uint64_t{0}, 0, 0, 1},
        {"setp.eq.b16 %p6, %h3, %h4;", 0x10001, 1, 0, 1},
        {"setp.ne.s32 %p6, %r3, %r4;", 1, 1, 0, 0},
        {"mov.b32 %r6, {%h3, %h4};", 0x1111, 0x2222, 0, 0x22221111},
        {"mov.b64 %d6, {%r3, %r4};", 1, 2, 0, 0x200000001},
        {"mov.b64 %d6, {%h3, %h4, %h5, %h3};", 1, 2, 3, 0x0001000300020001},
        {"mov.b64 {%r6, %r7}, %d3;", 0x200000001, 0, 0, 1},
        {"mov.b64 {_, %r6}, %d3;", 0x200000001, 0, 0, 2},
    };
    for (const Row& row : rows) check(row);
}

TEST_CASE("PTX: numbers with fractions") {
    const float tiny = 0x1p-149f;
    const Row rows[] = {
        {"add.rn.f32 %f6, %f3, %f4;", bits(1.0f), bits(0x1p-24f), 0, bits(1.0f)},
        {"add.rn.f32 %f6, %f3, %f4;", bits(0x1p-126f), bits(-tiny), 0, 0x007fffff},
        {"add.rn.f32 %f6, %f3, %f4;", bits(kInf), bits(-kInf), 0, kNan},
        {"add.rn.f32 %f6, %f3, %f4;", kOther, bits(1.0f), 0, kNan},
        {"sub.rn.f32 %f6, %f3, %f4;", bits(1.0f), bits(1.0f), 0, 0},
        {"mul.rn.f32 %f6, %f3, %f4;", bits(tiny), bits(0.5f), 0, 0},
        {"mul.rn.f32 %f6, %f3, %f4;", bits(-3.0f), bits(tiny), 0, 0x80000003},
        {"div.rn.f32 %f6, %f3, %f4;", bits(1.0f), bits(3.0f), 0, 0x3eaaaaab},
        {"div.rn.f32 %f6, %f3, %f4;", bits(0.0f), bits(0.0f), 0, kNan},
        {"rcp.rn.f32 %f6, %f3;", bits(-0.0f), 0, 0, bits(-kInf)},
        {"sqrt.rn.f32 %f6, %f3;", bits(2.0f), 0, 0, 0x3fb504f3},
        {"sqrt.rn.f32 %f6, %f3;", bits(-1.0f), 0, 0, kNan},
        {"neg.f32 %f6, %f3;", bits(0.0f), 0, 0, bits(-0.0f)},
        {"abs.f32 %f6, %f3;", bits(-2.0f), 0, 0, bits(2.0f)},
        {"min.f32 %f6, %f3, %f4;", kOther, bits(2.0f), 0, bits(2.0f)},
        {"min.f32 %f6, %f3, %f4;", bits(2.0f), kOther, 0, bits(2.0f)},
        {"max.f32 %f6, %f3, %f4;", kOther, kOther, 0, kNan},
        {"min.f32 %f6, %f3, %f4;", bits(0.0f), bits(-0.0f), 0, bits(-0.0f)},
        {"max.f32 %f6, %f3, %f4;", bits(-0.0f), bits(0.0f), 0, bits(0.0f)},
        {"max.f32 %f6, %f3, 0fC2FE0000;", bits(-200.0f), 0, 0, bits(-127.0f)},
        {"mov.f32 %f6, %f3;", kOther, 0, 0, kOther},
        {"selp.f32 %f6, %f3, %f4, %p5;", kOther, 0, 1, kOther},
        {"setp.lt.f32 %p6, %f3, %f4;", bits(1.0f), kOther, 0, 0},
        {"setp.ltu.f32 %p6, %f3, %f4;", bits(1.0f), kOther, 0, 1},
        {"setp.leu.f32 %p6, %f3, %f4;", bits(2.0f), bits(1.0f), 0, 0},
        {"setp.leu.f32 %p6, %f3, %f4;", bits(1.0f), bits(1.0f), 0, 1},
        {"setp.geu.f32 %p6, %f3, %f4;", kOther, bits(1.0f), 0, 1},
        {"setp.gtu.f32 %p6, %f3, %f4;", bits(1.0f), bits(1.0f), 0, 0},
        {"setp.eq.f32 %p6, %f3, %f4;", bits(0.0f), bits(-0.0f), 0, 1},
        {"setp.ne.f32 %p6, %f3, %f4;", kOther, kOther, 0, 0},
        {"setp.neu.f32 %p6, %f3, %f4;", kOther, kOther, 0, 1},
        {"setp.equ.f32 %p6, %f3, %f4;", kOther, bits(1.0f), 0, 1},
        {"setp.num.f32 %p6, %f3, %f4;", bits(1.0f), kOther, 0, 0},
        {"setp.nan.f32 %p6, %f3, %f4;", bits(1.0f), kOther, 0, 1},
        {"setp.gt.f64 %p6, %g3, %g4;", bits(2.0), bits(1.0), 0, 1},
        {"add.rn.f64 %g6, %g3, %g4;", bits(1.0), bits(0x1p-52), 0, bits(1.0 + 0x1p-52)},
        {"mul.rn.f64 %g6, %g3, %g4;", bits(3.0), bits(0.1), 0, bits(3.0 * 0.1)},
        {"div.rn.f64 %g6, %g3, %g4;", bits(0.0), bits(0.0), 0, 0x7fffffffffffffff},
    };
    for (const Row& row : rows) check(row);
}

TEST_CASE("PTX: conversions") {
    const double huge = 1e30;
    const Row rows[] = {
        {"cvt.u32.u16 %r6, %h3;", 0xffff, 0, 0, 0xffff},
        {"cvt.s32.s16 %r6, %h3;", 0xffff, 0, 0, 0xffffffff},
        {"cvt.s64.s32 %d6, %r3;", 0x80000000, 0, 0, 0xffffffff80000000},
        {"cvt.u64.u32 %d6, %r3;", 0x80000000, 0, 0, 0x80000000},
        {"cvt.s16.s8 %h6, %h3;", 0x1280, 0, 0, 0xff80},
        {"cvt.s16.s8 %h6, %r3;", 0x1280, 0, 0, 0xff80},
        {"cvt.u16.u8 %h6, %h3;", 0x1280, 0, 0, 0x80},
        {"cvt.u32.u64 %r6, %d3;", 0x123456789, 0, 0, 0x23456789},
        {"cvt.rn.f32.s32 %f6, %r3;", 16777217, 0, 0, bits(16777216.0f)},
        {"cvt.rn.f32.s32 %f6, %r3;", uint32_t(-16777219), 0, 0, bits(-16777220.0f)},
        {"cvt.rn.f32.u16 %f6, %h3;", 0xffff, 0, 0, bits(65535.0f)},
        {"cvt.rn.f32.s16 %f6, %h3;", 0xffff, 0, 0, bits(-1.0f)},
        {"cvt.rn.f32.s64 %f6, %d3;", uint64_t(-3), 0, 0, bits(-3.0f)},
        {"cvt.rn.f64.s32 %g6, %r3;", uint32_t(-3), 0, 0, bits(-3.0)},
        {"cvt.rn.f32.f64 %f6, %g3;", bits(1.0 + 0x1p-24), 0, 0, bits(1.0f)},
        {"cvt.rn.f32.f64 %f6, %g3;", bits(std::numeric_limits<double>::quiet_NaN()), 0, 0, kNan},
        {"cvt.f64.f32 %g6, %f3;", bits(0x1p-149f), 0, 0, bits(0x1p-149)},
        {"cvt.rzi.s32.f32 %r6, %f3;", bits(-2.9f), 0, 0, uint32_t(-2)},
        {"cvt.rzi.s32.f32 %r6, %f3;", bits(3e9f), 0, 0, 0x7fffffff},
        {"cvt.rzi.s32.f32 %r6, %f3;", bits(-kInf), 0, 0, 0x80000000},
        {"cvt.rzi.s32.f32 %r6, %f3;", kOther, 0, 0, 0},
        {"cvt.rzi.u32.f32 %r6, %f3;", bits(-1.0f), 0, 0, 0},
        {"cvt.rzi.s64.f64 %d6, %g3;", bits(huge), 0, 0, 0x7fffffffffffffff},
        {"cvt.rzi.s64.f64 %d6, %g3;", 0x7ff8000000000000, 0, 0, 0x8000000000000000},
        {"cvt.f32.f16 %f6, %h3;", 0x0001, 0, 0, bits(0x1p-24f)},
        {"cvt.f32.f16 %f6, %h3;", 0x83ff, 0, 0, bits(-0x1.ff8p-15f)},
        {"cvt.f32.f16 %f6, %h3;", 0x7bff, 0, 0, bits(65504.0f)},
        {"cvt.f32.f16 %f6, %h3;", 0xfc00, 0, 0, bits(-kInf)},
        {"cvt.f32.f16 %f6, %h3;", 0xfc01, 0, 0, kNan},
        {"cvt.rn.f16.f32 %h6, %f3;", bits(65519.0f), 0, 0, 0x7bff},
        {"cvt.rn.f16.f32 %h6, %f3;", bits(-65520.0f), 0, 0, 0xfc00},
        {"cvt.rn.f16.f32 %h6, %f3;", bits(0x1.8p-24f), 0, 0, 2},
        {"cvt.rn.f16.f32 %h6, %f3;", bits(0x1p-25f), 0, 0, 0},
        {"cvt.rn.f16.f32 %h6, %f3;", bits(2047.5f), 0, 0, 0x6800},
        {"cvta.to.global.u64 %d6, %d3;", 12345, 0, 0, 12345},
    };
    for (const Row& row : rows) check(row);
}

TEST_CASE("PTX: memory of all kinds and widths") {
    const std::string declared = ".shared .align 16 .b8 room[64];";
    const std::vector<uint64_t> in = {0x8081828384858687, 0x0123456789abcdef, 3, 4};
    const auto one = [&](const std::string& text, uint64_t expected) {
        CAPTURE(text);
        std::vector<uint64_t> out(1, 0);
        REQUIRE(test::run_ptx_body(text + stored('d'), in, &out, {.threads = 1, .shared_bytes = 16}, declared) == "");
        CHECK(out[0] == expected);
    };
    one("ld.global.u8 %h3, [%d1+7]; cvt.u64.u16 %d6, %h3;", 0x80);
    one("ld.global.s8 %h3, [%d1+7]; cvt.s64.s16 %d6, %h3;", ~uint64_t{0x7f});
    one("ld.global.nc.u16 %h3, [%d1]; cvt.u64.u16 %d6, %h3;", 0x8687);
    one("ld.global.s32 %d6, [%d1+4];", 0xffffffff80818283);
    one("ld.global.v2.u64 {%d3, %d6}, [%d1+16];", 4);
    one("ld.global.v4.u32 {%r3, %r4, %r5, %r6}, [%d1]; cvt.u64.u32 %d6, %r6;", 0x01234567);
    one("ld.param.v2.u32 {%r3, %r4}, [in]; mov.b64 %d3, {%r3, %r4}; sub.s64 %d6, %d3, %d1;", 0);
    one("mov.b64 %d3, in; add.s64 %d3, %d3, 16; ld.param.u64 %d6, [%d3+-8]; sub.s64 %d6, %d6, %d2;", 0);
    one("ld.u64 %d6, [%d1+8];", 0x0123456789abcdef);
    one("mov.u32 %r3, room; mov.u16 %h3, 1; mov.u16 %h4, 2; mov.u16 %h5, 0x103; mov.u16 %h6, 4;"
        "st.shared.v4.u8 [%r3+4], {%h3, %h4, %h5, %h6}; ld.shared.u32 %r6, [room+4]; cvt.u64.u32 %d6, %r6;",
        0x04030201);
}

TEST_CASE("PTX: shared memory of the kernel and of the launch, and generic addresses") {
    const std::string declared = ".shared .align 4 .b8 first[20]; .shared .align 16 .b8 second[16];";
    std::vector<uint64_t> out(4, 0);
    const std::string text =
        "mov.u32 %r3, first; mov.u32 %r4, second; mov.u32 %r5, dynamic; mov.u32 %r6, 0x01020304; cvt.u16.u32 %h3, "
        "%r6;\n"
        "st.shared.u8 [%r3], %h3; st.shared.u32 [second], %r6; st.shared.u32 [%r5+12], %r6; cvt.u64.u32 %d3, %r5;\n"
        "{ .reg .b64 %t; cvt.u64.u32 %t, %r4; cvta.shared.u64 %d4, %t; }\n"
        "ld.u16 %h4, [%d4+2]; cvt.u64.u16 %d5, %h4; st.global.u64 [%d2], %d5;\n"
        "add.s64 %d4, %d4, 16; st.u64 [%d4], %d5; ld.shared.u64 %d5, [%r5]; st.global.u64 [%d2+8], %d5;\n"
        "st.global.u64 [%d2+16], %d3; ld.shared.u8 %h5, [first]; cvt.u64.u16 %d5, %h5; st.u64 [%d2+24], %d5;";
    REQUIRE(test::run_ptx_body(text, {0}, &out, {.threads = 1, .shared_bytes = 16}, declared) == "");
    CHECK(out == std::vector<uint64_t>{0x0102, 0x0102, 48, 4});  // 20, up to 32, 16 more
}

TEST_CASE("PTX: lanes give each other values within their segments") {
    std::vector<uint64_t> out(32, 0);
    const auto shuffled = [&](const std::string& mode, const std::string& by, const std::string& c) {
        const std::string text = "add.s32 %r3, %r1, 100; shfl.sync." + mode + ".b32 %r6|%p6, %r3, " + by + ", " + c +
                                 ", -1;" + "selp.b32 %r7, 1000, 0, %p6; add.s32 %r6, %r6, %r7;" + stored('r');
        REQUIRE(test::run_ptx_body(text, {0}, &out, {.threads = 32}) == "");
        return out;
    };
    for (const uint64_t l : {0, 7, 16, 31}) {
        CHECK(shuffled("bfly", "16", "31")[l] == 1100 + (l ^ 16));
        CHECK(shuffled("bfly", "1", "0x181f")[l] == 1100 + (l ^ 1));
        CHECK(shuffled("idx", "%r1", "31")[l] == 1100 + l);
        CHECK(shuffled("idx", "3", "0x181f")[l] == 1100 + l / 8 * 8 + 3);
        CHECK(shuffled("up", "8", "0")[l] == (l >= 8 ? 1100 + l - 8 : 100 + l));
        CHECK(shuffled("down", "8", "31")[l] == (l + 8 < 32 ? 1100 + l + 8 : 100 + l));
    }
}

// d = a * b + c for random fragments, the plain product of matrices that the ISA's figures lay over the lanes.
TEST_CASE("PTX: products of the tensor cores") {
    std::mt19937 random(7);
    for (const bool large : {true, false}) {
        const size_t rows = large ? 16 : 8, depth = large ? 32 : 16;
        std::vector<int8_t> a(rows * depth), b(depth * 8);
        std::vector<int32_t> c(rows * 8);
        for (int8_t& each : a) each = static_cast<int8_t>(random());
        for (int8_t& each : b) each = static_cast<int8_t>(random());
        for (int32_t& each : c) each = static_cast<int32_t>(random());
        std::vector<uint64_t> in(32 * 5, 0), out(32 * 2, 0);  // of a lane: c, a, b in words
        std::vector<uint32_t> words(32 * 10, 0);
        const auto element = [](const std::vector<int8_t>& m, size_t at) {
            return uint32_t{static_cast<uint8_t>(m[at])};
        };
        for (uint32_t lane = 0; lane < 32; ++lane) {
            const uint32_t group = lane / 4, within = lane % 4;
            for (uint32_t i = 0; i < rows / 4; ++i) {  // c0 c1 of a row, c2 c3 of the row eight further down
                words[lane * 10 + i] = static_cast<uint32_t>(c[(group + i / 2 * 8) * 8 + within * 2 + i % 2]);
            }
            for (uint32_t i = 0; i < rows * depth / 32; ++i) {
                const uint32_t row = group + (i / 4 % 2 == 1 && large ? 8 : 0);
                const uint32_t k = within * 4 + i % 4 + (i >= 8 ? 16 : 0);
                words[lane * 10 + 4 + i / 4] |= element(a, row * depth + k) << (8 * (i % 4));
            }
            for (uint32_t i = 0; i < depth / 4; ++i) {
                const uint32_t k = within * 4 + i % 4 + (i >= 4 ? 16 : 0);
                words[lane * 10 + 8 + i / 4] |= element(b, k * 8 + group) << (8 * (i % 4));
            }
        }
        std::memcpy(in.data(), words.data(), words.size() * 4);
        const std::string load =
            "mul.wide.u32 %d3, %r1, 40; add.s64 %d3, %d3, %d1; mul.wide.u32 %d4, %r1, 16; add.s64 %d4, %d4, %d2;\n"
            "ld.global.v2.u32 {%r3, %r4}, [%d3]; ld.global.v2.u32 {%r5, %r6}, [%d3+8]; ld.global.v2.u32 {%r7, %r8}, "
            "[%d3+16];\n"
            "ld.global.v2.u32 {%r9, %r10}, [%d3+24]; ld.global.v2.u32 {%r11, %r12}, [%d3+32];\n";
        const std::string product =
            large ? "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%r3, %r4, %r5, %r6}, {%r7, %r8, %r9, %r10}, "
                    "{%r11, %r12}, "
                    "{%r3, %r4, %r5, %r6};"
                  : "mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%r3, %r4}, {%r7}, {%r11}, {%r3, %r4};";
        REQUIRE(test::run_ptx_body(load + product + "st.global.v4.u32 [%d4], {%r3, %r4, %r5, %r6};", in, &out,
                                   {.threads = 32}) == "");
        std::vector<uint32_t> results(32 * 4);
        std::memcpy(results.data(), out.data(), results.size() * 4);
        for (uint32_t row = 0; row < rows; ++row) {
            for (uint32_t column = 0; column < 8; ++column) {
                auto sum = static_cast<uint32_t>(c[row * 8 + column]);
                for (uint32_t k = 0; k < depth; ++k) {
                    sum += static_cast<uint32_t>(a[row * depth + k] * b[k * 8 + column]);
                }
                const uint32_t lane = row % 8 * 4 + column / 2;
                REQUIRE(results[lane * 4 + row / 8 * 2 + column % 2] == sum);
            }
        }
    }
}
