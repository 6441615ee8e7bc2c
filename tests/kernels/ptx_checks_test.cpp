// What the PTX interpreter finds wrong: texts that it cannot read, and kernels that a GPU would answer with a fault, a hang or
// garbage. Each of them beside the like of it that is right.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/support/ptx_cases.h"

namespace {

constexpr const char* kShared = ".shared .align 16 .b8 room[1024];";
// %r2: the thread's word of room.
constexpr const char* kWord = "mov.u32 %r3, room; shl.b32 %r2, %r1, 2; add.s32 %r2, %r2, %r3;";
constexpr const char* kZero = "mov.u32 %r9, 0;";

struct Blocks {
    uint32_t n = 1;
    uint32_t threads = 64;
};

std::string ran(const std::string& body, const Blocks& blocks = {}, test::GridOrder order = test::GridOrder::forward) {
    std::vector<uint64_t> in(8, 5), out(512, 0);
    return test::run_ptx_body(std::string(kZero) + kWord + body, in, &out, {.x = blocks.n, .threads = blocks.threads},
                              kShared, order);
}

// "" where it is there, else all of what was said.
std::string missing(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos ? "" : "said: " + text;
}

std::string refused(const std::string& text) {
    try {
        const test::PtxProgram program(text);
        return "read";
    } catch (const test::PtxError& error) {
        return error.what();
    }
}

std::string refused_body(const std::string& body) { return refused(test::ptx_module(body)); }

}  // namespace

TEST_CASE("PTX: what is not known is named with its line when the text is read") {
    CHECK(refused(test::ptx_module("")) == "read");
    CHECK(missing(refused_body("fma.rn.f32 %f1, %f2, %f3, %f4;"), "'fma.rn.f32' is not known") == "");
    CHECK(missing(refused_body("\n\natom.global.add.u32 %r2, [%d1], 1;"),
                  "PTX line 13: `atom.global.add.u32 %r2, [%d1], 1;`") == "");
    for (const char* name :
         {"add.f16", "add.f32", "mul.ftz.f32", "div.approx.f32", "cvt.f32.s32", "cvt.rni.s32.f32", "ex2.approx.f32",
          "setp.lt.and.s32", "ld.local.u32", "ld.volatile.global.u32", "st.global.nc.u32", "bar.red.popc.u32",
          "shfl.sync.bfly.b64", "vote.sync.all.pred", "mma.sync.aligned.m16n8k16.row.col.s32.s8.s8.s32", "call"}) {
        CHECK(missing(refused_body(std::string(name) + " %r1, %r2;"), "is not known") == "");
    }
    CHECK(missing(refused_body("add.s32 %r2, %r3;"), "has 3 operands, not 2") == "");
    CHECK(missing(refused_body("add.s32 %r2, %r3, %d4;"), "'%d4' has 64 bits, not 32") == "");
    CHECK(missing(refused_body("add.s32 %r2, %r3, %r16;"), "'%r16' is neither") == "");
    CHECK(missing(refused_body("add.s32 %q2, %r3, 1;"), "'%q2' is not a register") == "");
    CHECK(missing(refused_body("mov.u32 %r2, nowhere;"), "'nowhere' is neither") == "");
    CHECK(missing(refused_body("bra $there;"), "there is no label '$there'") == "");
    CHECK(missing(refused_body("here: here: ret;"), "stands twice") == "");
    CHECK(missing(refused_body("ld.global.v4.u32 {%r2, %r3}, [%d1];"), "has not 4 elements") == "");
    CHECK(missing(refused_body("ld.global.v4.u64 {%d2, %d3, %d4, %d5}, [%d1];"), "is not known") == "");
    CHECK(missing(refused_body("ld.global.u32 %r2, %d1;"), "not an address in brackets") == "");
    CHECK(missing(refused_body("ld.global.u32 %r2, [%r1];"), "too few for an address") == "");
    CHECK(missing(refused_body("ld.global.u64 %r2, [%d1];"), "registers of 32 bits") == "");
    CHECK(missing(refused_body("ld.global.u32 %r2, [%d1+x];"), "adds no number") == "");
    CHECK(missing(refused_body("bar.sync 16;"), "barriers are 0 to 15") == "");
    CHECK(missing(refused_body(".local .align 4 .b8 depot[16];"), "'.local' is not known") == "");
    CHECK(missing(refused_body("add.s32 %r2, %r3, 1"), "is neither a register") == "");  // the next one's ; ends it
    CHECK(missing(refused(".version 8.0\n.target sm_80\n.visible .func f() { ret; }"), "only kernels") == "");
    CHECK(missing(refused(".target compute_80"), "no target") == "");
    CHECK(missing(refused(".global .b32 table[4];"), "'.global' is not known") == "");
    CHECK(missing(refused(".visible .entry k() { add.s32"), "is missing") == "");
    CHECK(missing(refused(".visible .entry k() { ret;"), "is missing") == "");
    CHECK(missing(refused(".visible .entry k() { ret; } .visible .entry k() { ret; }"), "stands twice") == "");
}

TEST_CASE("PTX: memcheck") {
    CHECK(ran("ld.global.u64 %d3, [%d1+56];") == "");
    CHECK(missing(ran("ld.global.u8 %h3, [%d1+64];"), "memcheck: 1 bytes at") == "");
    CHECK(missing(ran("ld.global.u8 %h3, [%d1+-1];"), "not within an allocation") == "");
    CHECK(missing(ran("setp.eq.s32 %p1, %r1, 33; @%p1 st.global.u32 [%d1+4096], %r1;"),
                  "k: block (0, 0, 0), thread 33: memcheck") == "");
    CHECK(missing(ran("mov.u64 %d3, 0; ld.u32 %r4, [%d3];"), "not within an allocation") == "");
    CHECK(missing(ran("mov.u64 %d3, -2; ld.global.u16 %h4, [%d3];"), "not within an allocation") == "");
    std::vector<uint64_t> in(8, 5);
    const bool sixteen = reinterpret_cast<uintptr_t>(in.data()) % 16 == 0;
    std::vector<uint64_t> out(1, 0);
    const std::string at = sixteen ? "8" : "16";
    CHECK(missing(
              test::run_ptx_body("ld.global.v4.u32 {%r4, %r5, %r6, %r7}, [%d1+" + at + "];", in, &out, {.threads = 1}),
              "are not aligned to their size") == "");
    CHECK(missing(ran("ld.global.u32 %r4, [%d1+2];"), "not aligned") == "");
    CHECK(missing(ran("st.shared.v2.u32 [room+4], {%r1, %r1};"), "not aligned") == "");
    CHECK(ran("setp.eq.s32 %p1, %r1, 0; @%p1 st.shared.u8 [room+1023], %r1;") == "");
    CHECK(missing(ran("st.shared.u8 [room+1024], %r1;"), "of shared memory, of which the block has 1024") == "");
    CHECK(missing(ran("ld.shared.u32 %r4, [%r9+-4];"), "of shared memory, of which the block has 1024") == "");
    CHECK(missing(ran("ld.param.u64 %d3, [in+16];"), "of the parameters, of which there are 16") == "");
}

TEST_CASE("PTX: initcheck") {
    CHECK(missing(ran("add.s32 %r4, %r5, 1;"), "initcheck: a register that nothing wrote") == "");
    CHECK(missing(ran("@%p1 add.s32 %r4, %r1, 1;"), "initcheck: a register") == "");
    CHECK(missing(ran("setp.lt.s32 %p1, %r1, 63; @%p1 mov.u32 %r4, 1; add.s32 %r5, %r4, 1;"), "thread 63: initcheck") ==
          "");
    CHECK(ran("setp.lt.s32 %p1, %r1, 63; @%p1 mov.u32 %r4, 1; @%p1 add.s32 %r5, %r4, 1;") == "");
    CHECK(missing(ran("mov.b64 %d4, {%r1, %r5};"), "initcheck: a register") == "");
    CHECK(missing(ran("st.global.v2.u32 [%d2], {%r1, %r5};"), "initcheck: a register") == "");
    CHECK(missing(ran("ld.shared.u32 %r4, [%r2];"),
                  "initcheck: 4 bytes at 0x0 of shared memory: nobody wrote the one at 0x0") == "");
    CHECK(missing(ran("st.shared.u8 [%r2], %r1; ld.shared.u32 %r4, [%r2];"), "nobody wrote the one at 0x1") == "");
    // Not what another block left there.
    CHECK(missing(ran("mov.u32 %r4, %ctaid.x; setp.eq.s32 %p1, %r4, 0; @%p1 st.shared.u32 [%r2], %r1; ld.shared.u32 "
                      "%r5, [%r2];",
                      {.n = 2}),
                  "k: block (1, 0, 0), thread 32: initcheck") == "");
}

TEST_CASE("PTX: racecheck within a block") {
    const std::string put = "st.shared.u32 [%r2], %r1;";
    const std::string neighbour = "xor.b32 %r4, %r2, 4;";  // the word of the next lane; room begins at 0
    const std::string far = "xor.b32 %r4, %r2, 128;";      // of the other warp
    const std::string get = "ld.shared.u32 %r5, [%r4];";
    CHECK(missing(ran(put + neighbour + get),
                  "racecheck: 4 bytes at 0x4 of shared memory: a thread reads what another one writes") == "");
    CHECK(ran(put + neighbour + "bar.warp.sync -1;" + get) == "");
    CHECK(ran(put + neighbour + "bar.sync 0;" + get) == "");
    CHECK(missing(ran(put + neighbour + "shfl.sync.idx.b32 %r6, %r1, 0, 31, -1;" + get), "racecheck") ==
          "");  // orders no memory
    CHECK(missing(ran(put + "bar.sync 0;" + put + far + "bar.warp.sync -1;" + get), "writes what another one reads") ==
          "");
    CHECK(ran(put + far + "bar.sync 0;" + get) == "");
    // What was read is written, by a lane and by another warp.
    const std::string again = "st.shared.u32 [%r2], %r9;";
    CHECK(missing(ran(put + neighbour + "bar.sync 0;" + get + again), "writes what another one reads") == "");
    CHECK(ran(put + neighbour + "bar.sync 0;" + get + "bar.warp.sync -1;" + again) == "");
    CHECK(missing(ran(put + far + "bar.sync 0;" + get + "bar.warp.sync -1;" + again),
                  "reads what another one writes") == "");
    CHECK(ran(put + far + "bar.sync 0;" + get + "bar.sync 0;" + again) == "");
    CHECK(missing(ran(put + "bar.sync 0; ld.shared.u32 %r5, [room]; st.shared.u32 [%r2], %r5;"), "(several threads)") ==
          "");
    // Written twice.
    CHECK(missing(ran("st.shared.u32 [room], %r1;"), "writes what another one writes (thread 0)") == "");
    CHECK(ran("st.shared.u32 [room], %r9;", {.threads = 32}) == "");  // the same, in one instruction
    CHECK(missing(ran("st.shared.u32 [room], %r9;"), "writes what another one writes") == "");  // but for two warps
    CHECK(missing(ran("setp.eq.s32 %p1, %r1, 0; @%p1 st.shared.u32 [room], %r9; @!%p1 st.shared.u32 [room], %r9;",
                      {.threads = 32}),
                  "writes what another one writes") == "");
    CHECK(ran("st.shared.u32 [%r2], %r1; st.shared.u32 [%r2], %r9; ld.shared.u32 %r5, [%r2];") ==
          "");  // a thread's own
}

TEST_CASE("PTX: racecheck looks at each byte") {
    const std::string own = "mov.u32 %r3, room; add.s32 %r4, %r3, %r1; st.shared.u8 [%r4], %r1;";
    CHECK(ran(own) == "");
    CHECK(ran(own + "bar.sync 0; and.b32 %r5, %r4, -4; ld.shared.u32 %r6, [%r5];") == "");
    CHECK(missing(ran(own + "and.b32 %r5, %r4, -4; ld.shared.u32 %r6, [%r5];"), "racecheck: 4 bytes at 0x0") == "");
    CHECK(missing(ran(own + "bar.sync 0; ld.shared.u8 %h5, [%r4]; st.shared.u32 [%r2], %r1;"),
                  "writes what another one reads") == "");
    CHECK(ran(own + "bar.sync 0; ld.shared.u8 %h5, [%r4]; bar.sync 0; st.shared.u32 [%r2], %r1;") == "");
    CHECK(missing(ran("st.shared.u32 [%r2], %r1;" + own), "writes what another one writes") == "");
    CHECK(ran("st.shared.u32 [%r2], %r1; bar.sync 0;" + own) == "");
}

TEST_CASE("PTX: racecheck within a block looks at the device's memory too") {
    const std::string own = "mul.wide.u32 %d4, %r1, 4; add.s64 %d4, %d4, %d2;";
    const std::string put = own + "st.global.u32 [%d4], %r1;";
    const std::string get =
        "xor.b32 %r4, %r1, 1; mul.wide.u32 %d5, %r4, 4; add.s64 %d5, %d5, %d2; ld.global.u32 %r5, [%d5];";
    CHECK(missing(ran(put + get), ": a thread reads what another one writes (thread 1)") == "");
    CHECK(ran(put + "bar.warp.sync -1;" + get) == "");
    CHECK(ran(put + "bar.sync 0;" + get) == "");
    CHECK(missing(ran(own + get + put), "a thread writes what another one reads") == "");
    CHECK(missing(ran("st.global.u32 [%d2], %r1;"), "a thread writes what another one writes (thread 0)") == "");
    CHECK(ran("st.global.v2.u32 [%d2], {%r9, %r9};", {.threads = 32}) == "");
    CHECK(
        missing(
            ran("ld.global.u32 %r5, [%d2]; bar.warp.sync -1; setp.eq.s32 %p1, %r1, 32; @%p1 st.global.u32 [%d2], %r1;"),
            "(several threads)") == "");
}

TEST_CASE("PTX: racecheck between blocks") {
    const std::string block =
        "mov.u32 %r4, %ctaid.x; setp.eq.s32 %p2, %r1, 0; mul.wide.u32 %d4, %r4, 8; add.s64 %d4, %d4, %d2;";
    for (const auto order : {test::GridOrder::forward, test::GridOrder::backward}) {
        CHECK(ran(block + "@%p2 st.global.u64 [%d4], %d4;", {.n = 4}, order) == "");
        CHECK(ran(block + "@%p2 ld.global.u64 %d5, [%d2];", {.n = 4}, order) == "");
        CHECK(missing(ran(block + "@%p2 st.global.u64 [%d2], %d4;", {.n = 4}, order),
                      "a block writes what another one writes") == "");
        CHECK(missing(ran(block + "@%p2 ld.global.u64 %d5, [%d2+8]; @%p2 st.global.u64 [%d4], %d5;", {.n = 2}, order),
                      "racecheck") == "");
        // Bytes beside each other are not in conflict, those of a wider access are.
        const std::string byte = "cvt.u64.u32 %d5, %r4; add.s64 %d5, %d5, %d2; @%p2 st.global.u8 [%d5], %r1;";
        CHECK(ran(block + byte, {.n = 4}, order) == "");
        CHECK(missing(ran(block + byte + "@%p2 ld.global.u16 %h5, [%d2];", {.n = 2}, order), "racecheck") == "");
    }
    CHECK(missing(ran(block + "@%p2 ld.global.u64 %d5, [%d2+8]; @%p2 st.global.u64 [%d4], %d5;", {.n = 2}),
                  "a block writes what another one reads (several blocks)") == "");
    // The next launch may.
    std::vector<uint64_t> in(1, 0), out(1, 0);
    for (int i = 0; i < 2; ++i) {
        CHECK(test::run_ptx_body("ld.global.u64 %d3, [%d2]; add.s64 %d3, %d3, 1; setp.eq.s32 %p1, %r1, 0;"
                                 "@%p1 st.global.u64 [%d2], %d3;",
                                 in, &out, {.threads = 1}) == "");
    }
    CHECK(out[0] == 2);
}

TEST_CASE("PTX: synccheck") {
    const std::string low = "setp.lt.s32 %p1, %r1, 16;";
    CHECK(ran("bar.sync 0; bar.sync 0;") == "");
    CHECK(missing(ran(low + "@%p1 bra end; bar.sync 0; end:"),
                  "synccheck: the lanes of a warp have parted: lanes 16 to 31 wait here, lanes 0 to 15 have ended") ==
          "");
    CHECK(missing(ran("setp.lt.s32 %p1, %r1, 32; @%p1 ret; bar.sync 0;"),
                  "synccheck: the warps of a block have parted: warp 1 waits here, warp 0 has ended") == "");
    CHECK(missing(ran("setp.lt.s32 %p1, %r1, 32; @%p1 bra other; bar.sync 0; ret;\nother: bar.sync 0;"), "at line") ==
          "");
    CHECK(missing(ran(low + "@%p1 bra other; bar.sync 0; ret;\nother: bar.sync 0;"),
                  "the lanes of a warp have parted") == "");
    const std::string shuffle = "shfl.sync.bfly.b32 %r4, %r1, 1, 31, ";
    CHECK(ran(shuffle + "-1;") == "");
    CHECK(ran(low + "@%p1 " + shuffle + "0xffff;", {.threads = 32}) == "");
    CHECK(missing(ran(low + "@%p1 " + shuffle + "-1;"), "have parted") == "");
    CHECK(missing(ran(shuffle + "0xffff;"), "lanes that the mask of members does not name") == "");
    CHECK(missing(ran(low + "selp.b32 %r5, 0xffff, -1, %p1;" + shuffle + "%r5;"), "lanes name different members") ==
          "");
    CHECK(missing(ran(low + "@%p1 shfl.sync.bfly.b32 %r4, %r1, 16, 31, 0xffff;"),
                  "asked of a lane that is not there") == "");
    CHECK(missing(ran(shuffle + "-1;", {.threads = 48}), "have parted") == "");  // half a warp
    // At two instructions, of which each wants all.
    CHECK(missing(ran(low + "@%p1 bra other;" + shuffle + "-1; ret;\nother: " + shuffle + "-1;"), "have parted") == "");
    CHECK(missing(ran(low + "@%p1 bar.warp.sync -1;"), "have parted") == "");
    // Lanes that pass by, behind those that wait.
    CHECK(missing(ran(low + "@!%p1 bra away;\nhere: @%p1 " + shuffle + "-1; ret;\naway: bra here;"),
                  "lanes 0 to 15 wait here, lanes 16 to 31 have ended") == "");
    CHECK(ran(low + "@%p1 bar.warp.sync 0xffff; @!%p1 bar.warp.sync 0xffff0000;", {.threads = 32}) == "");
    const std::string product = "mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%r4, %r5}, {%r1}, {%r1}, {%r1, %r1};";
    CHECK(ran(product) == "");
    CHECK(missing(ran(low + "@%p1 " + product), "have parted") == "");
    CHECK(missing(ran("div.u32 %r4, %r1, %r9;"), "a division by zero") == "");
}

TEST_CASE("PTX: launches that a kernel is not made for") {
    std::vector<uint64_t> in(1, 0), out(1, 0);
    const auto launch = [&](const tg::GpuGrid& grid) { return test::run_ptx_body("", in, &out, grid, kShared); };
    CHECK(launch({.threads = 64, .shared_bytes = 47 * 1024}) == "");
    CHECK(missing(launch({.threads = 65}), "k: launch: blocks of 65 threads, not of up to 64") == "");
    CHECK(missing(launch({.threads = 0}), "blocks of 0 threads") == "");
    CHECK(missing(launch({.z = 0, .threads = 32}), "without blocks") == "");
    CHECK(missing(launch({.threads = 64, .shared_bytes = 47 * 1024 + 1}),
                  "1024 and 48129 bytes of shared memory, more than 49152") == "");
    const test::PtxProgram program(test::ptx_module(""));
    test::PtxBuffers memory;
    const uint64_t args[2] = {};
    CHECK_THROWS_WITH_AS(
        test::run_ptx(
            {.program = program, .kernel = "k", .args = args, .n_args = 8, .grid = {.threads = 1}, .memory = memory}),
        "k: launch: 8 bytes of parameters, not 16", test::GridError);
    CHECK_THROWS_WITH_AS(
        test::run_ptx({.program = program, .kernel = "other", .grid = {.threads = 1}, .memory = memory}),
        "other: launch: the PTX has no such kernel", test::GridError);
}

// Lanes part in loops of different lengths, within branches, and meet again for a shuffle of all.
TEST_CASE("PTX: lanes that part come together again") {
    std::vector<uint64_t> in(1, 0), out(64, 0);
    const std::string body =
        "mov.u32 %r2, 0; mov.u32 %r3, 0;\n"
        "loop: add.s32 %r2, %r2, %r3; and.b32 %r4, %r3, 1; setp.eq.s32 %p1, %r4, 0; @%p1 bra even;\n"
        "add.s32 %r2, %r2, 1000; bra.uni joined;\n"
        "even: add.s32 %r2, %r2, 1;\n"
        "joined: add.s32 %r3, %r3, 1; setp.le.u32 %p2, %r3, %r1; @%p2 bra loop;\n"
        "shfl.sync.bfly.b32 %r5, %r2, 1, 31, -1; bar.sync 0;\n"
        "setp.gt.u32 %p3, %r1, 40; @!%p3 bra out; add.s32 %r5, %r5, 5; @%p3 bra out; add.s32 %r5, %r5, 7;\n"
        "out: cvt.u64.u32 %d3, %r5; mul.wide.u32 %d4, %r1, 8; add.s64 %d4, %d4, %d2; st.global.u64 [%d4], %d3;";
    for (const auto order : {test::GridOrder::forward, test::GridOrder::backward}) {
        REQUIRE(test::run_ptx_body(body, in, &out, {.threads = 64}, "", order) == "");
        for (uint64_t thread = 0; thread < 64; ++thread) {
            const uint64_t n = (thread ^ 1) + 1;
            CHECK(out[thread] == n * (n - 1) / 2 + n / 2 * 1000 + (n + 1) / 2 + (thread > 40 ? 5 : 0));
        }
    }
    // A shuffle within a loop's body that some leave before: those wait behind it, for nobody.
    CHECK(missing(
              test::run_ptx_body("mov.u32 %r3, 0;\nloop: shfl.sync.bfly.b32 %r5, %r1, 1, 31, -1; add.s32 %r3, %r3, 1;\n"
                                 "setp.lt.u32 %p1, %r3, %r1; @%p1 bra loop;",
                                 in, &out, {.threads = 32}),
              "have parted") == "");
    // Lanes that jump ahead and back wait in front of it until all are there.
    CHECK(test::run_ptx_body(
              "setp.lt.u32 %p1, %r1, 9; @%p1 bra away;\nback: shfl.sync.bfly.b32 %r5, %r1, 1, 31, -1; ret;\n"
              "away: bra back;",
              in, &out, {.threads = 32}) == "");
}
