// Arrays of NumPy (.npy, versions 1 and 2), as far as traces need them: one or two dimensions of float32, float64 or int32,
// little-endian, rows one after the other. Files may come from anyone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cli {

struct NpyArray {
    int64_t n_rows = 0;
    int64_t width = 0;          // of a row; an array of one dimension is one row
    std::vector<float> values;  // of float32 and float64
    std::vector<int32_t> ids;   // of int32
};
// Throws Failure for what is no such array, or has more than most values.
NpyArray read_npy(const std::string& path, uint64_t most);
// The whole file.
std::string npy_of(const float* values, int64_t n_rows, int64_t width);
std::string npy_of(const std::vector<int32_t>& ids);

}  // namespace cli
