#include "src/device/device_name.h"

#include <charconv>

namespace bitnet {
namespace {

struct KindRow {
    bitnet_device_kind kind;
    const char* name;
    bool numbered;
};
constexpr KindRow kKinds[] = {
    {BITNET_DEVICE_AUTO, "auto", false},
    {BITNET_DEVICE_CPU, "cpu", false},
    {BITNET_DEVICE_CUDA, "cuda", true},
    {BITNET_DEVICE_METAL, "metal", false},
};

// Plain decimal: a second way to write the same number would make two names of one device.
std::optional<int32_t> parse_index(std::string_view text) noexcept {
    if (text.empty() || (text.size() > 1 && text.front() == '0')) return std::nullopt;
    int32_t index = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
    if (error != std::errc() || end != text.data() + text.size() || index < 0 || index > kMaxDeviceIndex) {
        return std::nullopt;
    }
    return text.front() == '-' ? std::nullopt : std::optional(index);
}

}  // namespace

std::optional<DeviceName> parse_device_name(std::string_view text) noexcept {
    for (const KindRow& row : kKinds) {
        const std::string_view name = row.name;
        if (text == name) return DeviceName{row.kind, 0};
        if (!row.numbered || !text.starts_with(name) || text[name.size()] != ':') continue;
        if (const auto index = parse_index(text.substr(name.size() + 1))) return DeviceName{row.kind, *index};
    }
    return std::nullopt;
}

std::string format_device_name(DeviceName name) {
    for (const KindRow& row : kKinds) {
        if (row.kind != name.kind) continue;
        if (name.index < 0 || name.index > (row.numbered ? kMaxDeviceIndex : 0)) return "";
        return row.numbered ? std::string(row.name) + ":" + std::to_string(name.index) : row.name;
    }
    return "";
}

const char* device_kind_name(bitnet_device_kind kind) noexcept {
    for (const KindRow& row : kKinds) {
        if (row.kind == kind) return row.name;
    }
    return "unknown";
}

}  // namespace bitnet
