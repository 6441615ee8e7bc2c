// What a model has computed on a prompt, node by node; recorded, written to a folder, and read from one, which any program can
// write: <node>.npy for each node it wants to be compared, rows for the tokens, and tokens.npy with their ids.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cli_common.h"

namespace cli {

struct TracedNode {
    std::string name;  // "blk.3.attn_q"
    std::string op;    // "" in a trace that was read
    int32_t layer = -1;
    int64_t n_rows = 0;
    int64_t width = 0;
    std::vector<float> values;

    const float* row(int64_t i) const { return values.data() + i * width; }
};

struct RunTrace {
    std::string label;  // the file or folder
    bool is_model = false;
    std::vector<bitnet_token> tokens;
    std::vector<TracedNode> nodes;  // in the order in which they ran

    const TracedNode* find(std::string_view name) const;
};

bool is_trace_folder(const std::string& path);
// Runs the tokens through the model in one piece.
RunTrace run_traced(const ModelOptions& options, const bitnet_model* model, const std::vector<bitnet_token>& tokens);
RunTrace read_trace(const std::string& folder);
// The folder must not be there; it appears whole or not at all.
void write_trace(const RunTrace& trace, const std::string& folder);

}  // namespace cli
