// Rows of a matrix in pieces of half a megabyte, for kernels that take several passes of columns over the same rows: only
// the first pass over a piece then reads memory.
#pragma once

#include "kernels/mul_mat_kernel.h"

namespace kern {
namespace {

// Calls body(part) for pieces of the rows of args; for all of them at once unless `several` passes follow.
template <class Body>
inline void for_row_pieces(const MulMatArgs& args, int64_t row_bytes, bool several, const Body& body) {
    constexpr int64_t kPieceBytes = 512 * 1024;
    const int64_t rows = args.row_end - args.row_begin;
    int64_t piece = several ? kPieceBytes / row_bytes : rows;
    if (piece < 16) piece = 16;
    MulMatArgs part = args;
    for (int64_t done = 0; done < rows; done += piece) {
        part.row_begin = args.row_begin + done;
        part.row_end = rows - done < piece ? args.row_end : part.row_begin + piece;
        body(part);
    }
}

}  // namespace
}  // namespace kern
