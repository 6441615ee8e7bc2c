// A file laid out exactly like the official BitNet-b1.58-2B-4T GGUF: the same 24 metadata keys, 332 tensors, offsets
// and sizes, 1.19 GB long, but sparse, so that it takes only about 10 MB of disk. Its weights are holes (zeros: I2_S
// code 0, weight -1) except for the few bytes that make a decode give finite, non-trivial numbers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "src/gguf/gguf_writer.h"

namespace test {

struct OfficialLayoutOptions {
    float weight_scale = 0.01f;                                                  // of every I2_S tensor
    bool unit_norms = true;                                                      // norm weights 1.0; else 0
    std::vector<int32_t> embedding_rows = {0, 1, 2, 3, 128000, 128001, 128009};  // rows that are not all zero
};

struct OfficialLayout {
    std::filesystem::path path;
    // True when the LLaMA-3 vocabulary was found in the test data: then the head, too, has the official size to the
    // byte. Otherwise the vocabulary is made up (128,256 tokens that obey the byte-level BPE rules).
    bool real_vocabulary = false;
};

// Writes the file into the folder. The same options give the same bytes.
OfficialLayout write_official_layout(const std::filesystem::path& folder, const OfficialLayoutOptions& options = {});

// Only the metadata keys, in the official order and with the official values; returns OfficialLayout::real_vocabulary.
bool add_official_metadata(bitnet::GgufWriter& writer);

}  // namespace test
