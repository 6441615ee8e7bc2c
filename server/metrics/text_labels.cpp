// See text_labels.h.
#include "server/metrics/text_labels.h"

#include "bitnet.h"

namespace serve {

std::string quantization_label(const std::string& quantization) {
    if (quantization == "i2_s") return "i2s";
    bitnet_device_info info;
    info.struct_size = sizeof info;
    const bool is_word = !quantization.empty() && quantization.find_first_of(", ") == quantization.npos;
    if (!is_word || bitnet_device_get_info("cpu", &info) != BITNET_OK) return "other";
    // A list in one text: "f32, f16, ...".
    const std::string known = std::string(", ") + info.quantization + ", ";
    return known.find(", " + quantization + ", ") == known.npos ? "other" : quantization;
}

std::string device_label(const std::string& device) {
    bitnet_device_kind kind = BITNET_DEVICE_AUTO;
    return bitnet_device_parse(device.c_str(), &kind, nullptr) == BITNET_OK ? device : "other";
}

std::string method_label(const std::string& method) {
    for (const char* known : {"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"})
        if (method == known) return method;
    return "other";
}

std::string size_label(uint64_t n_parameters) {
    const uint64_t billions = (n_parameters + 500'000'000) / 1'000'000'000;
    if (n_parameters < 1'000'000'000) return "under_1b";
    return billions > 100 ? "over_100b" : std::to_string(billions) + "b";
}

}  // namespace serve
