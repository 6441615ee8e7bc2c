#include "src/base/kernel_choice.h"

#include "src/base/error.h"
#include "src/base/quoted.h"

namespace bitnet {

kern::KernelSet choose_kernels(const std::string& name) {
    kern::KernelSet kernels = {};
    switch (kern::select_kernels(name.c_str(), &kernels)) {
        case kern::KernelChoice::ok: break;
        case kern::KernelChoice::unknown_name:
            throw Error(BITNET_E_CONFIG, "unknown kernel " + quoted(name.c_str()) + "; known levels are " +
                                             kern::kernel_level_names() + ", `bitnet kernels` lists all names")
                .with_subject(quoted(name.c_str()));
        case kern::KernelChoice::not_runnable:
            throw Error(BITNET_E_DEVICE_CAPABILITY,
                        "kernel '" + name + "' cannot run on this CPU; `bitnet kernels` lists what can")
                .with_subject(name);
    }
    return kernels;
}

}  // namespace bitnet
