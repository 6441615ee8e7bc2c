#include "src/base/environment.h"

#include <charconv>
#include <cstdlib>

#include "src/base/error.h"

namespace bitnet {
namespace {

struct Environment {
    std::string kernel;
    std::string num_threads;

    Environment() : kernel(value("BITNET_KERNEL")), num_threads(value("BITNET_NUM_THREADS")) {}

    static std::string value(const char* name) {
        const char* text = std::getenv(name);
        return text != nullptr ? text : "";
    }
};

const Environment& environment() {
    static const Environment instance;
    return instance;
}

}  // namespace

const std::string& env_kernel() { return environment().kernel; }

int32_t env_num_threads() {
    const std::string& text = environment().num_threads;
    if (text.empty()) return 0;
    int32_t n = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (error != std::errc() || end != text.data() + text.size() || n < 1 || n > 1024) {
        throw Error(BITNET_E_CONFIG, "BITNET_NUM_THREADS=" + text.substr(0, 40) + " is not a number from 1 to 1024; unset or correct it")
            .with_subject("BITNET_NUM_THREADS");
    }
    return n;
}

}  // namespace bitnet
