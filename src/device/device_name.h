// Names of devices as text: what bitnet.h says of bitnet_device_parse and bitnet_device_format.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "bitnet.h"

namespace bitnet {

struct DeviceName {
    bitnet_device_kind kind = BITNET_DEVICE_AUTO;
    int32_t index = 0;  // which of a kind; 0 for all but CUDA

    friend bool operator==(const DeviceName&, const DeviceName&) = default;
};

inline constexpr int32_t kMaxDeviceIndex = 255;

// Nothing for a text that is no name.
std::optional<DeviceName> parse_device_name(std::string_view text) noexcept;
// "cpu", "cuda:0"; "" for a kind or an index without a name.
std::string format_device_name(DeviceName name);
// "auto", "cpu", "cuda", "metal"; "unknown". Static storage.
const char* device_kind_name(bitnet_device_kind kind) noexcept;

}  // namespace bitnet
