// What PTX's instructions do to a warp's lanes, by name. An operation's shape is the width of its operands, the result first:
// p a predicate, h 16 bits, w 32, d 64.
#pragma once

#include <string_view>

#include "tests/support/ptx_program.h"

namespace test {

struct PtxOp {
    PtxRun run = nullptr;
    const char* shape = "";  // "wwp"
};

// nullptr: not known. "add.s32" and so on; no loads, stores, moves of vectors, branches.
const PtxOp* find_ptx_op(std::string_view name);
// Source and result may be of several widths: "cvt.u32.u16", with the bytes of the source's register.
PtxRun find_ptx_conversion(std::string_view name, unsigned source_bytes, unsigned* result_bytes);

// Several registers: instruction.vector.
PtxRun ptx_pack(unsigned element_bytes, unsigned n);
PtxRun ptx_unpack(unsigned element_bytes, unsigned n);
PtxRun ptx_shuffle(std::string_view mode);          // bfly idx up down; nullptr
PtxRun ptx_product(unsigned rows, unsigned depth);  // 16, 32 or 8, 16: signed bytes

}  // namespace test
