// Reads the environment strictly, and asks the operating system otherwise.
#include "src/sampler/seed_source.h"

#include <charconv>
#include <cstdlib>
#include <exception>
#include <random>
#include <string>
#include <string_view>

#include "src/base/error.h"

namespace bitnet {
namespace {

std::string_view environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string_view() : std::string_view(value);
}

// A hostile value must not make the message long or break its one line.
std::string quoted(std::string_view value) {
    std::string text = "'";
    for (const char c : value.substr(0, 40)) text += c >= ' ' && c <= '~' ? c : '?';
    text += value.size() > 40 ? "...'" : "'";
    return text;
}

uint64_t parse_seed(std::string_view value) {
    uint64_t seed = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seed);
    if (error != std::errc() || end != value.data() + value.size())
        throw Error(BITNET_E_CONFIG, "BITNET_SEED is " + quoted(value) +
                                         "; it must be a whole number from 0 to 18446744073709551615. "
                                         "Correct it or unset it for a fresh seed")
            .with_subject("BITNET_SEED");
    return seed;
}

}  // namespace

uint64_t choose_seed() {
    const std::string_view deterministic = environment("BITNET_DETERMINISTIC");
    if (!deterministic.empty() && deterministic != "0" && deterministic != "1")
        throw Error(BITNET_E_CONFIG,
                    "BITNET_DETERMINISTIC is " + quoted(deterministic) + "; it must be 0 or 1. Correct it or unset it")
            .with_subject("BITNET_DETERMINISTIC");
    if (const std::string_view seed = environment("BITNET_SEED"); !seed.empty()) return parse_seed(seed);
    if (deterministic == "1") return kDeterministicSeed;
    try {
        std::random_device device;
        const uint64_t high = device();
        const uint64_t low = device();
        return (high << 32) | (low & 0xffffffffu);
    } catch (const std::exception& error) {
        throw Error(BITNET_E_IO, std::string("the operating system gave no random seed (") + error.what() +
                                     "); set has_seed and seed in bitnet_sampler_params");
    }
}

}  // namespace bitnet
