// What this library was built with, as names. One row per feature; the specification's name beside ours.
#pragma once

#include <cstddef>
#include <string_view>

namespace bitnet {

size_t feature_count() noexcept;
// nullptr past the end. Static storage.
const char* feature_name(size_t index) noexcept;
// By our name or the specification's.
bool feature_is_built(std::string_view name) noexcept;
// All names, ", " between them; static storage.
const char* feature_text();

}  // namespace bitnet
