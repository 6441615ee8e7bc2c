// How a matrix lies in the memory of a GPU: every field of the file's blocks becomes a plane of its own, all blocks of
// the matrix one after the other in it, so that codes are loaded 16 bytes at a time at their natural alignment and
// scales lie side by side. Nothing grows; a type of one field (I2_S, F32, F16, BF16) lies as in the file.
//   TQ1_0   is written as TQ2_0 first
//   IQ2_S   has the table of its 1024 rows of magnitudes as a last plane: uint16, two bits a magnitude
// Planes begin at multiples of 256 bytes from the address of the matrix, which is aligned likewise.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/quant_types.h"

namespace kern::gpu {

inline constexpr int kMaxPlanes = 6;

struct WeightPlanes {
    int64_t offset[kMaxPlanes] = {};  // of each plane that there is
    int64_t bytes = 0;                // of the whole matrix, a multiple of 256
    int64_t file_row_bytes = 0;       // of the rows that pack_weight_rows reads
};

// Whether matrices of this type can be multiplied on a GPU: all but the dialects, which become I2_S when they are loaded.
bool gpu_has_type(QuantType type);

// k: a multiple of the type's block length. Needs gpu_has_type and a matrix whose bytes as a file has them fit int64.
WeightPlanes weight_planes(QuantType type, int64_t k, int64_t n_rows);

// True where the bytes are those of the file, row after row: nothing needs to be packed.
bool lies_as_in_file(QuantType type);

// A piece of one plane that packing made: n_bytes at from belong at `offset` of the matrix.
struct PackedPiece {
    int64_t offset;
    const uint8_t* from;
    int64_t n_bytes;
};

// Packs rows [row_begin, row_end), of which row_begin is at file_rows, into `scratch`, which holds packed_scratch_bytes
// of that many rows. Writes up to kMaxPlanes pieces and returns how many; each is one copy to the device.
int64_t packed_scratch_bytes(QuantType type, int64_t k, int64_t n_rows);
int pack_weight_rows(QuantType type, int64_t k, int64_t n_rows, int64_t row_begin, int64_t row_end,
                     const uint8_t* file_rows, uint8_t* scratch, PackedPiece* pieces);

}  // namespace kern::gpu
