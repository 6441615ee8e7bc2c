// From a file to a checked model: where it comes from, whether there is memory for it, whether it computes what it should.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "server/engine/model_folder.h"
#include "server/engine/model_registry.h"

namespace serve {

// Where a model can be had again.
struct ModelSource {
    enum class Kind { kEmbedded, kFile, kFolder };
    Kind kind = Kind::kEmbedded;
    std::string path;    // kFile: any path, the command line's; kFolder: below the folder of models
    std::string device;  // as asked for
};

// The library's name for a device of a request; "gpu" is "cuda". Throws DEVICE_UNAVAILABLE, VALIDATION_FAILED.
std::string checked_device(const std::string& device);

class ModelLoader {
public:
    ModelLoader(const RegistryOptions& options, const ModelFolder& folder) : options_(options), folder_(folder) {}

    // The bytes that weights and an engine's context will take at least; 0 for the embedded model, which is there already.
    uint64_t bytes_needed(const ModelSource& source) const;
    // What all models may hold together; 0: any.
    uint64_t limit() const;

    // Loads it; kernel "" is the options'. Throws what the library says. facts: all but id and instance.
    ModelHandle load(const ModelSource& source, const std::string& kernel, ModelFacts* facts) const;
    // The file's tokenizer must be the model's own: the library runs no other. Throws VALIDATION_FAILED.
    void check_tokenizer(const std::string& path, const bitnet_model* model) const;
    // How much of the model is as it should be, 0 .. 1: the part of its ternary weights that are valid, and of the
    // positions of a fixed text where the scalar kernel predicts the same token. Throws VALIDATION_FAILED below
    // config.min_accuracy, and where the deadline passes first.
    double validate(const ModelSource& source, bitnet_model* model, const ValidationConfig& config,
                    SteadyTime deadline) const;

private:
    double cross_validate(const ModelSource& source, bitnet_model* model, int32_t n_samples, SteadyTime deadline) const;

    const RegistryOptions& options_;
    const ModelFolder& folder_;
};

}  // namespace serve
