#include "src/device/gpu_choice.h"

#include <algorithm>
#include <charconv>

#include "src/base/error.h"
#include "src/device/device_list.h"

namespace bitnet {
namespace {

constexpr std::string_view kAll = "cuda:all", kCpu = "cpu";

// "cuda:1", "cuda:1=3". Plain decimal, as a device's number.
std::optional<GpuChoice::Gpu> parse_gpu(std::string_view text) noexcept {
    const size_t equals = text.find('=');
    const std::optional<DeviceName> name = parse_device_name(text.substr(0, equals));
    if (!name || name->kind != BITNET_DEVICE_CUDA) return std::nullopt;
    GpuChoice::Gpu gpu{name->index, 0};
    if (equals == std::string_view::npos) return gpu;
    const std::string_view share = text.substr(equals + 1);
    if (share.empty() || share.front() < '1' || share.front() > '9') return std::nullopt;
    const auto [end, error] = std::from_chars(share.data(), share.data() + share.size(), gpu.share);
    if (error != std::errc() || end != share.data() + share.size() || gpu.share > kMaxGpuShare) return std::nullopt;
    return gpu;
}

// Adds what a part between commas names; false: it names nothing that may stand there.
bool add_part(std::string_view part, ParsedGpus& parsed) {
    if (parsed.or_cpu || parsed.all) {
        if (parsed.or_cpu || part != kCpu) return false;
        return parsed.or_cpu = true;
    }
    if (part == kAll) return parsed.all = parsed.gpus.empty();
    if (part == kCpu) return parsed.or_cpu = !parsed.gpus.empty();
    const std::optional<GpuChoice::Gpu> gpu = parse_gpu(part);
    if (!gpu) return false;
    for (const GpuChoice::Gpu& other : parsed.gpus) {
        if (other.index == gpu->index || (other.share == 0) != (gpu->share == 0)) return false;
    }
    parsed.gpus.push_back(*gpu);
    return true;
}

// Every device that can be used; why there is none.
std::string add_usable(std::vector<GpuChoice::Gpu>& gpus) {
    std::string problem;
    for (const DeviceName& device : cuda_devices()) {
        const std::string own = device_problem(device);
        if (own.empty()) gpus.push_back({device.index, 0});
        if (!own.empty() && problem.empty()) problem = own;
    }
    return gpus.empty() ? problem : "";
}

std::string first_problem(const std::vector<GpuChoice::Gpu>& gpus) {
    for (const GpuChoice::Gpu& gpu : gpus) {
        if (std::string problem = device_problem({BITNET_DEVICE_CUDA, gpu.index}); !problem.empty()) return problem;
    }
    return "";
}

}  // namespace

std::optional<ParsedGpus> parse_gpus(std::string_view text) {
    ParsedGpus parsed;
    for (size_t at = 0; at <= text.size();) {
        const size_t comma = std::min(text.find(',', at), text.size());
        if (!add_part(text.substr(at, comma - at), parsed)) return std::nullopt;
        at = comma + 1;
    }
    return parsed;
}

std::string format_gpus(const std::vector<GpuChoice::Gpu>& gpus) {
    std::string text;
    for (const GpuChoice::Gpu& gpu : gpus) {
        text += (text.empty() ? "" : ",") + format_device_name({BITNET_DEVICE_CUDA, gpu.index});
    }
    return text;
}

GpuChoice require_gpus(const char* text) {
    const std::string_view asked = text != nullptr ? text : "auto";
    const std::optional<ParsedGpus> parsed = parse_gpus(asked);
    GpuChoice choice;
    if (!parsed) {
        const bool several = asked.find(',') != std::string_view::npos || asked.find('=') != std::string_view::npos;
        if (several) {
            const std::string shown(asked.substr(0, 80));
            throw Error(BITNET_E_CONFIG, "'" + shown +
                                             "' names no devices; write each GPU once with commas between them, as "
                                             "cuda:0,cuda:1, or cuda:all, with shares for all or none, as "
                                             "cuda:0=2,cuda:1=1, and cpu only behind them")
                .with_subject(shown);
        }
        require_device(text);  // the CPU, or an error
        return choice;
    }
    choice.or_cpu = parsed->or_cpu;
    choice.gpus = parsed->gpus;
    std::string problem = parsed->all ? add_usable(choice.gpus) : first_problem(choice.gpus);
    if (problem.empty()) return choice;
    if (!choice.or_cpu) {
        throw Error(BITNET_E_DEVICE_NOT_AVAILABLE, problem + "; use cpu or auto")
            .with_subject(parsed->all ? std::string(kAll) : format_gpus(choice.gpus));
    }
    choice.gpus.clear();
    choice.problem = std::move(problem);
    return choice;
}

}  // namespace bitnet
