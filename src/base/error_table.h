// What is known of each status apart from a single failure: its family, variant, severity, what a person can do about it.
// One row per status of bitnet.h, in the order of its list; the last error, its texts and the getters all read this.
#pragma once

#include <cstddef>

#include "bitnet.h"

namespace bitnet {

constexpr size_t kMaxSuggestions = 3;
constexpr size_t kMaxVariables = 3;

struct ErrorRow {
    bitnet_status status;
    bitnet_error_family family;
    const char* variant;  // the specification's name where it has one
    bitnet_error_severity severity;
    bool recoverable;
    // Both end with the first null. A command stands in backquotes, and FILE in it is the failure's file: the test
    // tests/scripts/suggestions_test.py runs every one of them.
    const char* suggestions[kMaxSuggestions];
    const char* variables[kMaxVariables];
};

// The row of a status; for a number that is not in the list, one that knows nothing.
const ErrorRow& error_row(bitnet_status status) noexcept;

// The suggestion or variable at an index, null past the end.
const char* suggestion_at(const ErrorRow& row, size_t index) noexcept;
const char* variable_at(const ErrorRow& row, size_t index) noexcept;

}  // namespace bitnet
