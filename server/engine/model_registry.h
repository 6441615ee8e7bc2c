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
    std::string models_dir;     // models may be loaded from below it only; "": loading by request is off
    std::string kernel;         // bitnet_model_params.kernel
    int32_t idle_unload_s = 0;  // unload models that were not used that long; 0: never
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
    bool rollback_on_failure = true;
    int32_t validation_timeout_s = 30;
    double canary_share = 0;  // of the live requests that the new model also answers, silently, before the exchange
};

struct SwapResult {
    std::string swap_id;
    std::string new_model_id;
    std::string previous_model_id;
    uint64_t swap_us = 0;
};

struct ModelEntry {
    std::shared_ptr<Engine> engine;
    std::string status;  // "active", "loading", "unloading", "available" (on disk, loaded on demand)
    ModelFacts facts;    // of "available" ones only id and path
    bool is_default = false;
    double accuracy = -1;  // of its last validation; -1: not validated
};

class ModelRegistry {
public:
    virtual ~ModelRegistry() = default;

    // The engine that serves a model; "" is the default one. Loads on demand where that is allowed. Throws MODEL_NOT_FOUND.
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
    // Called after each load with the time it took (metrics). Set before the first request.
    virtual void set_load_observer(std::function<void(const ModelFacts&)> observer) = 0;
};

// first: the model to begin with, a path (trusted: it comes from the command line) or "" for the embedded one. Throws
// ApiError.
std::unique_ptr<ModelRegistry> make_model_registry(const RegistryOptions& options,
                                                   const std::vector<std::string>& first);

}  // namespace serve
