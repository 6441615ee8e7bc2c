// The environment goes first, then the operating system.
#include "src/sampler/seed_source.h"

#include <exception>
#include <optional>
#include <random>
#include <string>

#include "src/base/error.h"

namespace bitnet {

uint64_t choose_seed(const Environment& environment) {
    const bool deterministic = environment.deterministic();
    if (const std::optional<uint64_t> seed = environment.seed()) return *seed;
    if (deterministic) return kDeterministicSeed;
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
