// The environment variables of the library: read once per process, parsed strictly. A bad value is an error where it would
// count, and only there: parameters of a call always win over the environment. An empty variable counts as unset.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace bitnet {

class Environment {
public:
    // lookup(name): the variable's value or null. The process's own environment is environment().
    using Lookup = std::function<const char*(const char* name)>;
    explicit Environment(const Lookup& lookup);

    // Each throws BITNET_E_CONFIG naming variable and value for anything but what it says.
    const std::string& kernel() const noexcept { return kernel_; }  // BITNET_KERNEL: a kernel or level; empty: automatic
    int32_t n_threads() const;                // BITNET_NUM_THREADS, else RAYON_NUM_THREADS: 1..1024; 0 when unset
    int32_t batch_size() const;               // BITNET_BATCH_SIZE: 1..2^24; 0 when unset
    uint64_t memory_limit() const;            // BITNET_MEMORY_LIMIT: bytes ("512MB", "2GB", "none"); 0: none
    bool deterministic() const;               // BITNET_DETERMINISTIC: 0 or 1
    std::optional<uint64_t> seed() const;     // BITNET_SEED: 0..2^64-1
    bool strict_tokenizers() const;           // BITNET_STRICT_TOKENIZERS: 0 or 1
    bool offline() const;                     // BITNET_OFFLINE: 0 or 1
    // Folders of downloads, ours first: BITNET_CACHE, else bitnet in XDG_CACHE_HOME or HOME/.cache; then Hugging Face's:
    // HF_HUB_CACHE, else hub in HF_HOME, else huggingface/hub in XDG_CACHE_HOME or HOME/.cache.
    const std::vector<std::string>& cache_dirs() const noexcept { return cache_dirs_; }

private:
    std::string kernel_, n_threads_, rayon_threads_, batch_size_, memory_limit_, deterministic_, seed_, strict_tokenizers_,
        offline_;
    std::vector<std::string> cache_dirs_;
};

// The environment as it was when first asked for.
const Environment& environment();

inline const std::string& env_kernel() { return environment().kernel(); }
inline int32_t env_num_threads() { return environment().n_threads(); }
inline int32_t env_batch_size() { return environment().batch_size(); }
inline uint64_t env_memory_limit() { return environment().memory_limit(); }

}  // namespace bitnet
