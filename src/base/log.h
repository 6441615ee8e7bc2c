// Messages for the host program's log callback. Silent unless one is set; the library itself never prints.
#pragma once

#include <string>

#include "bitnet.h"

namespace bitnet {

void set_log_callback(bitnet_log_callback callback, bitnet_log_level min_level, void* user_data);
// Cheap when nobody listens; may be called from any thread. Never throws.
void log_message(bitnet_log_level level, const std::string& message) noexcept;

}  // namespace bitnet
