// The failure that bitnet_last_error() tells about, one per thread.
#pragma once

#include "src/base/error.h"

namespace bitnet {

// Never throws: when the copy itself finds no memory, a static message takes its place. operation is the function of
// bitnet.h that failed, in static storage.
void set_last_error(const Error& error, const char* operation) noexcept;
void set_last_error(bitnet_status status, const char* message, const char* operation) noexcept;
// Fields point into thread-local storage, valid until the next set_last_error on this thread.
bitnet_error_info last_error_info() noexcept;

}  // namespace bitnet
