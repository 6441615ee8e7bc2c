// The table behind find_ptx_op, which two files fill.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "tests/support/ptx_ops.h"

namespace test {

using PtxOpTable = std::map<std::string, PtxOp, std::less<>>;

void add_integer_ops(PtxOpTable& table);
void add_float_ops(PtxOpTable& table);

}  // namespace test
