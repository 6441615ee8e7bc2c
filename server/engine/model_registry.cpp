// One map of engines under one lock; loading happens outside of it.
#include "server/engine/model_registry.h"

#include "examples/stories/default_model.h"

namespace serve {

namespace {

class Registry final : public ModelRegistry {
public:
    Registry(const RegistryOptions& options, const std::vector<std::string>& first) : options_(options) {
        if (first.empty()) add_embedded();
        for (const std::string& path : first) add(path, "");
    }

    std::shared_ptr<Engine> find(const std::string& id) override {
        const std::lock_guard lock(mutex_);
        const auto found = engines_.find(id.empty() ? default_id_ : id);
        if (found == engines_.end())
            throw ApiError(ErrorCode::kModelNotFound, "the model '" + id + "' is not loaded", "model",
                           "GET /v1/models lists those that are");
        return found->second;
    }
    std::string load(const LoadRequest& request) override { return add(request.path, request.id); }
    SwapResult swap(const SwapRequest&) override { throw ApiError(ErrorCode::kValidationFailed, "not available"); }
    void unload(const std::string& id) override {
        std::shared_ptr<Engine> engine = find(id);
        const std::lock_guard lock(mutex_);
        engines_.erase(engine->facts().id);
        engine->close();
    }
    std::vector<ModelEntry> list() const override {
        const std::lock_guard lock(mutex_);
        std::vector<ModelEntry> entries;
        for (const auto& [id, engine] : engines_)
            entries.push_back({engine, "active", engine->facts(), id == default_id_, -1});
        return entries;
    }
    bool drain(std::chrono::milliseconds) override {
        for (const ModelEntry& entry : list()) entry.engine->close();
        return true;
    }
    void set_load_observer(std::function<void(const ModelFacts&)> observer) override {
        observer_ = std::move(observer);
    }

private:
    void add_embedded() {
        size_t size = 0;
        const void* bytes = default_model_bytes(&size);
        if (!bytes)
            throw ApiError(ErrorCode::kModelNotFound, "this program has no model inside", "", "Give one with -m FILE");
        bitnet_model* model = nullptr;
        check(bitnet_model_load_from_memory(bytes, size, nullptr, &model));
        start(ModelHandle(model, bitnet_model_free), "", "stories");
    }
    std::string add(const std::string& path, const std::string& id) {
        bitnet_model* model = nullptr;
        check(bitnet_model_load(path.c_str(), nullptr, &model));
        return start(ModelHandle(model, bitnet_model_free), path, id.empty() ? path : id);
    }
    std::string start(ModelHandle model, const std::string& path, const std::string& id) {
        bitnet_model_info info;
        info.struct_size = sizeof info;
        check(bitnet_model_get_info(model.get(), &info));
        ModelFacts facts;
        facts.id = id;
        facts.path = path;
        facts.name = info.name;
        facts.architecture = info.architecture;
        facts.quantization = info.quantization;
        facts.device = "cpu";
        facts.n_ctx_train = info.n_ctx_train;
        facts.n_vocab = info.n_vocab;
        facts.n_embd = info.n_embd;
        facts.n_parameters = info.n_parameters;
        facts.n_tensors = info.n_tensors;
        facts.n_bytes = info.n_file_bytes;
        facts.loaded_at = std::chrono::system_clock::now();
        std::shared_ptr<Engine> engine = start_engine(std::move(model), facts, options_.engine);
        const std::lock_guard lock(mutex_);
        if (default_id_.empty()) default_id_ = id;
        engines_[id] = engine;
        return id;
    }

    const RegistryOptions options_;
    mutable std::mutex mutex_;
    std::map<std::string, std::shared_ptr<Engine>> engines_;
    std::string default_id_;
    std::function<void(const ModelFacts&)> observer_;
};

}  // namespace

std::unique_ptr<ModelRegistry> make_model_registry(const RegistryOptions& options,
                                                   const std::vector<std::string>& first) {
    return std::make_unique<Registry>(options, first);
}

}  // namespace serve
