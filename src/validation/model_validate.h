// Looks for everything that is wrong with a model, where loading stops at the first thing: its table of tensors against what
// its architecture needs, then every value.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "src/gguf/gguf_reader.h"
#include "src/gguf/tl_tiling.h"
#include "src/model/model.h"
#include "src/validation/validation_report.h"

namespace bitnet {

struct ValidationOptions {
    bool check_values = true;
    int n_threads = 1;
    size_t max_findings = 1000;
    TlTilings tl_tilings;                    // of tl1 and tl2 tensors; those of a loaded model are known
    std::function<bool(float)> on_progress;  // false stops; may be empty
};

// All throw BITNET_E_CANCELLED, BITNET_E_IO and the like, never for what is wrong with the model.
ValidationReport validate_path(const std::string& path, GgufReadOptions read_options, const ValidationOptions& options);
// A loaded model, by its file; where that was a callback's, by what is left of it in memory.
ValidationReport validate_model(const Model& model, const ValidationOptions& options);

// The two halves of validate_path, for a file that comes from somewhere else: options for the reader that put what is wrong
// with single tensors into the report, and the validation of what it read.
GgufReadOptions collecting(GgufReadOptions read_options, ValidationReport& report);
void validate_gguf(const GgufFile& file, const Model* model, const ValidationOptions& options,
                   ValidationReport& report);

// Throws BITNET_E_VALIDATION where the report has an error, or a warning if those count.
void refuse_invalid(const ValidationReport& report, bool warnings_too);

}  // namespace bitnet
