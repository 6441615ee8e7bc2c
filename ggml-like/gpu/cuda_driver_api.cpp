#include "ggml-like/gpu/cuda_driver_api.h"

#include <cstdlib>

#include "ggml-like/gpu/dynamic_library.h"

namespace tg::cuda {
namespace {

enum class Need { required, optional };

// Fills the table; the name of the first function that is missing and needed, or null.
const char* find_all(void* library, Api* api) noexcept {
    const char* missing = nullptr;
#define CUDA_FUNCTION(need, name, params)                                                                              \
    api->name = reinterpret_cast<decltype(api->name)>(find_function(library, #name));                                  \
    if (api->name == nullptr && Need::need == Need::required && missing == nullptr) missing = #name;
#include "ggml-like/gpu/cuda_functions.inc"
#undef CUDA_FUNCTION
    return missing;
}

std::string start_problem(const Api& api, Status status) {
    if (status != no_device) {
        return "NVIDIA's driver does not start: cuInit: " + describe(api, status) +
               "; check it with nvidia-smi, and install it again or restart the machine after an update";
    }
    const char* const visible = std::getenv("CUDA_VISIBLE_DEVICES");
    if (visible == nullptr) return "NVIDIA's driver finds no device";
    return std::string("NVIDIA's driver finds no device, with CUDA_VISIBLE_DEVICES set to \"") + visible + "\"";
}

}  // namespace

std::shared_ptr<const Api> load_api(const std::string& library, int needed_version, std::string* problem) {
    void* const handle = open_library(library, problem);
    if (handle == nullptr) {
        *problem += "; install NVIDIA's driver";
        return nullptr;
    }
    const auto api = std::make_shared<Api>();
    const char* const missing = find_all(handle, api.get());
    // An old driver lacks functions as well; its version is what tells a person more.
    if (api->cuDriverGetVersion != nullptr && api->cuDriverGetVersion(&api->version) == ok &&
        api->version < needed_version) {
        *problem = "NVIDIA's driver knows CUDA " + version_text(api->version) + ", this build needs " +
                   version_text(needed_version) + " or newer; update the driver";
        return nullptr;
    }
    if (missing != nullptr) {
        *problem = library + " has no function " + missing + "; install NVIDIA's driver again";
        return nullptr;
    }
    if (const Status status = api->cuInit(0); status != ok) {
        *problem = start_problem(*api, status);
        return nullptr;
    }
    return api;
}

std::string describe(const Api& api, Status status) {
    const char* name = nullptr;
    const char* text = nullptr;
    if (api.cuGetErrorName(status, &name) != ok || name == nullptr) return "error " + std::to_string(status);
    if (api.cuGetErrorString(status, &text) != ok || text == nullptr) return name;
    return std::string(name) + " (" + text + ")";
}

std::string version_text(int version) {
    return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

bool breaks_context(Status status) noexcept {
    switch (status) {
        case ecc_uncorrectable:
        case nvlink_uncorrectable:
        case illegal_address:
        case launch_timeout:
        case context_is_destroyed:
        case device_assert:
        case unknown: return true;
        default: return status >= hardware_stack_error && status <= launch_failed;
    }
}

}  // namespace tg::cuda
