// The models this server serves, by id. A model is replaced by exchanging a pointer: requests that hold the old engine finish
// on it. Any thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "server/engine/engine.h"

namespace serve {

struct RegistryOptions {
    EngineOptions engine;
    std::string
        models_dir;      // models may be loaded from below it only, and are when asked for by id; "": loading is off
    std::string kernel;  // bitnet_model_params.kernel
    std::string quantization;     // bitnet_model_params.quantization
    std::string device;           // bitnet_model_params.device, of models that are not asked to be on another
    int32_t idle_unload_s = 0;    // unload models that were not used that long; 0: never. They come back when asked for
    bool unload_default = false;  // the default model too
    int32_t max_models = 8;       // loaded at once; for one more the idle one that was not used longest is unloaded
    uint64_t max_bytes = 0;       // of all models and contexts together; 0: $BITNET_MEMORY_LIMIT decides
};

struct ValidationConfig {  // of /v1/models/load
    bool enabled = false;
    double min_accuracy = 0.99;
    int32_t samples = 100;
};

struct LoadRequest {
    std::string path;  // absolute, or relative to models_dir
    std::string tokenizer_path;
    std::string device;  // "" or "auto": any
    std::string id;      // "": made from the file's name
    ValidationConfig validation;
};

struct SwapRequest {
    std::string path;
    std::string target_id;
    bool rollback_on_failure = true;  // false: a model that loads is exchanged even where it fails validation or canary
    int32_t validation_timeout_s = 30;
    double canary_share = 0;   // of the live requests that the new model also answers, silently, before the exchange
    int32_t canary_texts = 8;  // so many answers decide, or those that validation_timeout_s brings
};

struct SwapResult {
    std::string swap_id;
    std::string new_model_id;
    std::string previous_model_id;
    uint64_t swap_us = 0;
};

struct ModelEntry {
    std::shared_ptr<Engine> engine;  // null unless active or unloading
    std::string status;              // "active", "loading", "unloading", "available" (on disk, loaded on demand)
    ModelFacts facts;                // of "available" ones only id and path
    bool is_default = false;
    double accuracy = -1;  // of its last validation; -1: not validated
};

class ModelRegistry {
public:
    virtual ~ModelRegistry() = default;

    // The engine that serves a model, by id or instance; "" is the default one. Loads on demand where that is allowed, which
    // blocks. Throws MODEL_NOT_FOUND.
    virtual std::shared_ptr<Engine> find(const std::string& id) = 0;
    // Loads and adds a model, or throws and changes nothing. Returns its id. Blocks.
    virtual std::string load(const LoadRequest& request) = 0;
    // Loads the new model beside the old one, checks it, exchanges them. Throws and keeps the old one where anything fails.
    virtual SwapResult swap(const SwapRequest& request) = 0;
    // Takes a model away; requests on it finish. Throws MODEL_NOT_FOUND.
    virtual void unload(const std::string& id) = 0;
    virtual std::vector<ModelEntry> list() const = 0;
    // All engines stop taking texts; waits until they are idle, at most so long. False when some were not.
    virtual bool drain(std::chrono::milliseconds most) = 0;
    // Called after each load with the time it took (metrics), at once for the models that are there. Must not call back.
    virtual void set_load_observer(std::function<void(const ModelFacts&)> observer) = 0;
};

// first: the models to begin with, "path" or "id=path" (trusted: they come from the command line); the first one is the
// default. None: the embedded model, as "stories". Throws ApiError.
std::unique_ptr<ModelRegistry> make_model_registry(const RegistryOptions& options,
                                                   const std::vector<std::string>& first);

}  // namespace serve
