// Which GPUs a model is asked to compute on, as text: what bitnet.h says of bitnet_model_params.device beyond one device's name.
// "cuda:0,cuda:1", "cuda:all", "cuda:0=2,cuda:1=1", each with ",cpu" behind where the CPU may take the GPUs' place.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/device/device_name.h"

namespace bitnet {

struct GpuChoice {
    struct Gpu {
        int32_t index = 0;  // cuda:N
        int32_t share = 0;  // of the layers, as 2 to 1; 0: by free memory, as for all others then
        friend bool operator==(const Gpu&, const Gpu&) = default;
    };
    std::vector<Gpu> gpus;  // none: the CPU
    bool or_cpu = false;    // where they cannot
    std::string problem;    // why the CPU has taken their place already; "": it has not

    bool empty() const noexcept { return gpus.empty(); }
};

struct ParsedGpus {
    std::vector<GpuChoice::Gpu> gpus;
    bool all = false;  // every one that can be used; gpus is empty then
    bool or_cpu = false;
};

inline constexpr int32_t kMaxGpuShare = 10000;

// Nothing for a text that names no GPU, one twice, or what is no name. A single "cuda:1" is one, too.
std::optional<ParsedGpus> parse_gpus(std::string_view text);
// "cuda:0,cuda:1"
std::string format_gpus(const std::vector<GpuChoice::Gpu>& gpus);

// What a model computes on (null: "auto"). Throws BITNET_E_CONFIG for a text that names no devices and
// BITNET_E_DEVICE_NOT_AVAILABLE with the reason, unless the text has ",cpu": then problem says it.
GpuChoice require_gpus(const char* text);

}  // namespace bitnet
