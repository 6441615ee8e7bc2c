// The failure that bitnet_last_error() tells about, one per thread, with what is known of the call that failed.
#pragma once

#include "src/base/error.h"

namespace bitnet {

struct ModelState;

// What a call of the interface works on. Looked at only when the call fails, so giving it costs nothing.
struct CallSubject {
    const char* file = nullptr;  // the path that the caller gave
    const ModelState* model = nullptr;
};

// Both never throw: when the copy itself finds no memory, a static message takes its place. operation is the function of
// bitnet.h that failed, in static storage.
void set_last_error(const Error& error, const char* operation, const CallSubject& subject) noexcept;
void set_last_error(bitnet_status status, const char* message, const char* operation,
                    const CallSubject& subject) noexcept;
// Fields point into thread-local storage, valid until the next set_last_error on this thread.
bitnet_error_info last_error_info() noexcept;

}  // namespace bitnet
