// The last failure as text: for a person, for a bug report, for a program. Their form is documented in bitnet.h.
#pragma once

#include <string>

#include "bitnet.h"

namespace bitnet {

// All give "" for a thread without a failure, but error_json, which then tells of BITNET_OK.
std::string user_message(const bitnet_error_info& info);
std::string debug_message(const bitnet_error_info& info);
std::string error_json(const bitnet_error_info& info);

}  // namespace bitnet
