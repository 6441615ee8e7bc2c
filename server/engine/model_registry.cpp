// One map of models under one lock that is held only to look and to exchange. Loading happens outside of it, one at a time
// for each id: while an id is busy, others who want it wait, everyone else goes on. Engines that were replaced or unloaded
// are kept until nobody holds them and nothing runs on them any more; a thread sees to that, and to models that idle.
#include "server/engine/model_registry.h"

#include <algorithm>
#include <condition_variable>
#include <set>
#include <thread>

#include "server/core/clock_text.h"
#include "server/engine/model_loader.h"
#include "server/engine/swap_canary.h"

namespace serve {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr const char* kEmbeddedId = "stories";
constexpr int32_t kSwapSamples = 4;  // a wrong kernel shows in the first place already; requests run meanwhile

class Registry final : public ModelRegistry {
public:
    Registry(const RegistryOptions& options, const std::vector<std::string>& first)
        : options_(with_limits(options)), folder_(options.models_dir), loader_(options_, folder_) {
        if (first.empty()) add_first(kEmbeddedId, {ModelSource::Kind::kEmbedded, "", ""});
        for (const std::string& model : first) {
            const size_t sign = model.find('=');
            const bool named = sign != model.npos && sign > 0 && model.find('/') > sign;
            const std::string path = named ? model.substr(sign + 1) : model;
            const std::string name = path.substr(path.rfind('/') + 1);
            add_first(named ? model.substr(0, sign) : free_id(id_from_file(name)),
                      {ModelSource::Kind::kFile, path, ""});
        }
        keeper_ = std::thread([this] { keep_house(); });
    }
    ~Registry() override {
        {
            const std::lock_guard lock(mutex_);
            stop_ = true;
            changed_.notify_all();
        }
        keeper_.join();
    }

    std::shared_ptr<Engine> find(const std::string& id) override {
        std::unique_lock lock(mutex_);
        std::string wanted = id.empty() ? default_id_ : id;
        while (true) {
            for (auto& [name, entry] : entries_) {
                if (!entry.engine || (name != wanted && entry.engine->facts().instance != wanted)) continue;
                entry.used = Clock::now();
                return entry.engine;
            }
            const std::optional<ModelSource> source = source_of(wanted, lock);
            if (!source) throw not_found(wanted);
            if (!busy_.count(wanted)) {
                const auto now_there = entries_.find(wanted);
                if (now_there != entries_.end() && now_there->second.engine) continue;
                Busy busy(*this, wanted, lock);
                lock.unlock();
                std::shared_ptr<Engine> engine = load_engine(wanted, *source, nullptr);
                lock.lock();
                put(wanted, engine, *source, -1);
                return engine;
            }
            changed_.wait(lock);
        }
    }

    std::string load(const LoadRequest& request) override {
        const ModelSource source{ModelSource::Kind::kFolder, folder_.open(request.path, "model_path").name,
                                 checked_device(request.device)};
        if (!request.tokenizer_path.empty()) folder_.open(request.tokenizer_path, "tokenizer_path");
        check_id(request.id);
        std::unique_lock lock(mutex_);
        if (!request.id.empty() && (is_loaded(request.id) || busy_.count(request.id)))
            throw ApiError(ErrorCode::kConflict, "there is a model '" + request.id + "' already", "model_id",
                           "Choose another id, or swap that model");
        const std::string id = request.id.empty() ? free_id(id_from_file(source.path)) : request.id;
        Busy busy(*this, id, lock);
        lock.unlock();
        double accuracy = -1;
        std::shared_ptr<Engine> engine = load_engine(id, source, [&](bitnet_model* model) {
            if (!request.tokenizer_path.empty()) loader_.check_tokenizer(request.tokenizer_path, model);
            if (request.validation.enabled)
                accuracy = loader_.validate(source, model, request.validation, Clock::now() + 10min);
        });
        lock.lock();
        put(id, engine, source, accuracy);
        return id;
    }

    SwapResult swap(const SwapRequest& request) override {
        const auto began = Clock::now();
        const ModelSource source{ModelSource::Kind::kFolder, folder_.open(request.path, "new_model_path").name, ""};
        std::unique_lock lock(mutex_);
        const std::string id = request.target_id.empty() ? default_id_ : request.target_id;
        changed_.wait(lock, [&] { return !busy_.count(id) || stop_; });
        if (!is_loaded(id)) throw not_found(id);
        Busy busy(*this, id, lock);
        const std::shared_ptr<Engine> old = entries_[id].engine;
        lock.unlock();
        double accuracy = -1;
        SteadyTime deadline;
        std::shared_ptr<Engine> engine = load_engine(id, source, [&](bitnet_model* model) {
            deadline = Clock::now() + std::chrono::seconds(std::clamp(request.validation_timeout_s, 1, 86400));
            tolerate(request, [&] {
                accuracy = loader_.validate(source, model, {true, 0.99, kSwapSamples}, deadline);
            });
        });
        tolerate(request, [&] { try_out(*engine, deadline); });
        if (request.canary_share > 0) tolerate(request, [&] { run_canary(*old, *engine, request, deadline); });
        lock.lock();
        if (!is_loaded(id)) throw not_found(id);
        put(id, engine, source, accuracy);
        SwapResult result;
        result.swap_id = random_id("swap_");
        result.new_model_id = engine->facts().instance;
        result.previous_model_id = old->facts().instance;
        result.swap_us =
            static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - began).count());
        return result;
    }

    void unload(const std::string& id) override {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return !busy_.count(id) || stop_; });
        auto found = entries_.find(id);
        for (auto entry = entries_.begin(); entry != entries_.end() && found == entries_.end(); ++entry)
            if (entry->second.engine && entry->second.engine->facts().instance == id) found = entry;
        if (found == entries_.end() || !found->second.engine) throw not_found(id);
        retire(std::move(found->second.engine));
        const bool was_default = found->first == default_id_;
        entries_.erase(found);
        if (was_default) default_id_ = entries_.empty() ? "" : entries_.begin()->first;
        changed_.notify_all();
    }

    std::vector<ModelEntry> list() const override {
        std::unique_lock lock(mutex_);
        std::vector<ModelEntry> list;
        std::set<std::string> ids;
        const auto add_name = [&](const std::string& id, const char* status, const std::string& path) {
            if (!ids.insert(id).second) return;
            ModelEntry entry;
            entry.status = status;
            entry.facts.id = id;
            entry.facts.path = path;
            entry.is_default = id == default_id_;
            list.push_back(std::move(entry));
        };
        for (const auto& [id, entry] : entries_) {
            if (!entry.engine) continue;
            ids.insert(id);
            list.push_back({entry.engine, "active", entry.engine->facts(), id == default_id_, entry.accuracy});
        }
        for (const std::string& id : busy_) add_name(id, "loading", "");
        for (const std::shared_ptr<Engine>& engine : retired_)
            if (ids.insert(engine->facts().id).second)
                list.push_back({engine, "unloading", engine->facts(), false, -1});
        for (const auto& [id, entry] : entries_) add_name(id, "available", entry.source.path);
        for (const ModelFolder::Listed& file : files(lock)) add_name(file.id, "available", file.name);
        return list;
    }

    bool drain(std::chrono::milliseconds most) override {
        const auto end = Clock::now() + most;
        std::vector<std::shared_ptr<Engine>> engines;
        {
            const std::lock_guard lock(mutex_);
            closing_ = true;
            for (const auto& [id, entry] : entries_)
                if (entry.engine) engines.push_back(entry.engine);
            engines.insert(engines.end(), retired_.begin(), retired_.end());
        }
        for (const std::shared_ptr<Engine>& engine : engines) engine->close();
        const auto all_idle = [&] {
            return std::all_of(engines.begin(), engines.end(), [](const auto& engine) { return engine->idle(); });
        };
        while (!all_idle()) {
            if (Clock::now() >= end) return false;
            std::this_thread::sleep_for(5ms);
        }
        return true;
    }

    void set_load_observer(std::function<void(const ModelFacts&)> observer) override {
        const std::lock_guard lock(observer_mutex_);
        observer_ = std::move(observer);
        for (const ModelFacts& facts : loaded_)
            if (observer_) observer_(facts);
        loaded_.clear();
    }

private:
    struct Entry {
        std::shared_ptr<Engine> engine;  // null: unloaded because nobody used it, comes back when asked for
        ModelSource source;
        double accuracy = -1;
        SteadyTime used = {};
    };

    // While one lives its id is being loaded or swapped.
    class Busy {
    public:
        // Locked by lock on both ends; the registry's lock may be let go in between.
        Busy(Registry& registry, std::string id, std::unique_lock<std::mutex>& lock)
            : registry_(registry), id_(std::move(id)), lock_(lock) {
            registry_.busy_.insert(id_);
        }
        ~Busy() {
            if (!lock_.owns_lock()) lock_.lock();
            registry_.busy_.erase(id_);
            registry_.changed_.notify_all();
        }
        Busy(const Busy&) = delete;
        Busy& operator=(const Busy&) = delete;

    private:
        Registry& registry_;
        const std::string id_;
        std::unique_lock<std::mutex>& lock_;
    };

    static RegistryOptions with_limits(RegistryOptions options) {
        options.engine.max_bytes = options.max_bytes;
        options.max_models = std::max(options.max_models, 1);
        return options;
    }
    static ApiError not_found(const std::string& id) {
        return ApiError(ErrorCode::kModelNotFound,
                        id.empty() ? "no model is loaded" : "the model '" + id + "' is not loaded", "model",
                        "GET /v1/models lists those that are there");
    }
    static void check_id(const std::string& id) {
        const bool plain =
            std::all_of(id.begin(), id.end(), [](char c) { return static_cast<unsigned char>(c) > ' ' && c != 127; });
        if (id.size() > 128 || !plain)
            throw ApiError(ErrorCode::kValidationFailed, "an id has at most 128 bytes and no spaces", "model_id");
    }

    // What fails stops the swap, unless the request wants the new model anyway.
    template <typename Check>
    static void tolerate(const SwapRequest& request, Check check) {
        try {
            check();
        } catch (const ApiError&) {
            if (request.rollback_on_failure) throw;
        }
    }

    // The new model writes a few tokens before anybody depends on it.
    static void try_out(Engine& engine, SteadyTime deadline) {
        bitnet_tokenizer_info info;
        info.struct_size = sizeof info;
        const bitnet_tokenizer* tokenizer = bitnet_model_get_tokenizer(engine.model());
        if (!tokenizer) return;
        check(bitnet_tokenizer_get_info(tokenizer, &info));
        GenerationSpec spec;
        spec.prompt.push_back(info.bos >= 0 ? info.bos : 0);
        spec.max_tokens = std::min(4, engine.facts().n_ctx - 1);
        spec.deadline = deadline;
        try {
            const std::shared_ptr<Job> job = engine.submit(std::move(spec));
            while (true) {
                const std::optional<Step> step = job->wait(1s);
                if (step && step->finish != BITNET_FINISH_NONE) return;
            }
        } catch (const ApiError& error) {
            throw ApiError(ErrorCode::kValidationFailed, "the new model wrote no text: " + error.message);
        }
    }

    // Under the lock: whether the model is in memory.
    bool is_loaded(const std::string& id) const {
        const auto found = entries_.find(id);
        return found != entries_.end() && found->second.engine;
    }
    std::string free_id(const std::string& wanted) const {
        std::string id = wanted;
        for (int i = 2; is_loaded(id) || busy_.count(id); i++) id = wanted + "-" + std::to_string(i);
        return id;
    }
    std::optional<ModelSource> source_of(const std::string& id, std::unique_lock<std::mutex>& lock) const {
        const auto found = entries_.find(id);
        if (found != entries_.end()) return found->second.source;
        for (const ModelFolder::Listed& file : files(lock))
            if (file.id == id) return ModelSource{ModelSource::Kind::kFolder, file.name, ""};
        return std::nullopt;
    }
    // The folder, looked at five times a second at most.
    const std::vector<ModelFolder::Listed>& files(const std::unique_lock<std::mutex>&) const {
        const SteadyTime now = Clock::now();
        if (folder_.exists() && (files_read_ == SteadyTime{} || now - files_read_ > 200ms)) {
            files_ = folder_.list();
            files_read_ = now;
        }
        return files_;
    }

    // Loads a model beside all others, outside the lock, after making room for it.
    template <typename Check>
    std::shared_ptr<Engine> load_engine(const std::string& id, const ModelSource& source, Check check_model) {
        const std::lock_guard one_at_a_time(loading_mutex_);  // so that what is free stays free until it is taken
        make_room(loader_.bytes_needed(source), id);
        ModelFacts facts;
        ModelHandle model = loader_.load(source, "", &facts);
        facts.id = id;
        static std::atomic<uint64_t> n_instances = 0;  // of the process: caches tell models apart by it
        facts.instance = "model_" + std::to_string(++n_instances);
        if constexpr (!std::is_same_v<Check, std::nullptr_t>) check_model(model.get());
        std::shared_ptr<Engine> engine = start_engine(std::move(model), std::move(facts), options_.engine);
        const std::lock_guard lock(observer_mutex_);
        if (observer_)
            observer_(engine->facts());
        else if (loaded_.size() < 1000)
            loaded_.push_back(engine->facts());
        return engine;
    }

    // Unloads models that idle, those first that were not used longest, until one more fits. A swap needs no place: it gives
    // one back.
    void make_room(uint64_t bytes, const std::string& id) {
        const uint64_t limit = loader_.limit();
        while (true) {
            std::shared_ptr<Engine> victim;
            {
                std::unique_lock lock(mutex_);
                if (closing_ || stop_) throw ApiError(ErrorCode::kUnavailable, "the server is shutting down");
                const auto n_loaded = std::count_if(entries_.begin(), entries_.end(),
                                                    [](const auto& entry) { return entry.second.engine != nullptr; });
                const bool place = is_loaded(id) || n_loaded < options_.max_models;
                const uint64_t used = bitnet_memory_get_used();
                const bool memory = limit == 0 || used + bytes <= limit;
                if (place && memory) return;
                const auto idle = longest_idle(id);
                if (idle == entries_.end()) {
                    ApiError error(ErrorCode::kUnavailable,
                                   place ? "the model needs " + std::to_string(bytes) + " bytes beside " +
                                               std::to_string(used) + " in use; the limit is " + std::to_string(limit)
                                         : std::to_string(n_loaded) + " models are loaded and in use",
                                   "", "Unload a model first");
                    error.retry_after_s = place ? 0 : 1;
                    throw error;
                }
                victim = std::move(idle->second.engine);
                idle->second.engine = nullptr;
            }
            victim.reset();  // here, not in the keeper: its memory is wanted now
        }
    }

    std::map<std::string, Entry>::iterator longest_idle(const std::string& except) {
        auto best = entries_.end();
        for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
            const auto& [id, model] = *entry;
            if (!model.engine || id == except || busy_.count(id) || !may_leave(id, model)) continue;
            if (best == entries_.end() || model.used < best->second.used) best = entry;
        }
        return best;
    }
    // Nobody holds it but the map, nothing runs.
    bool may_leave(const std::string& id, const Entry& entry) const {
        return (id != default_id_ || options_.unload_default) && entry.engine.use_count() == 1 && entry.engine->idle();
    }

    // Under the lock: the engine serves the id from now on.
    void put(const std::string& id, const std::shared_ptr<Engine>& engine, const ModelSource& source, double accuracy) {
        Entry& entry = entries_[id];
        if (entry.engine) retire(std::move(entry.engine));
        entry = {engine, source, accuracy, Clock::now()};
        if (default_id_.empty()) default_id_ = id;
        if (closing_) engine->close();
    }
    void retire(std::shared_ptr<Engine> engine) {
        retired_.push_back(std::move(engine));
        changed_.notify_all();
    }

    void add_first(const std::string& id, const ModelSource& source) {
        check_id(id);
        if (is_loaded(id)) throw ApiError(ErrorCode::kConflict, "two models are named '" + id + "'");
        std::shared_ptr<Engine> engine = load_engine(id, source, nullptr);
        const std::lock_guard lock(mutex_);
        put(id, engine, source, -1);
    }

    void keep_house() {
        std::unique_lock lock(mutex_);
        while (!stop_) {
            if (!retired_.empty())
                changed_.wait_for(lock, 20ms);
            else if (options_.idle_unload_s > 0)
                changed_.wait_for(lock, 250ms);
            else
                changed_.wait(lock);
            std::vector<std::shared_ptr<Engine>> done;
            std::erase_if(retired_, [&](std::shared_ptr<Engine>& engine) {
                // Only the list holds it, so nobody can give it another text.
                if (engine.use_count() != 1 || !engine->idle()) return false;
                done.push_back(std::move(engine));
                return true;
            });
            const SteadyTime now = Clock::now();
            for (auto& [id, entry] : entries_) {
                if (options_.idle_unload_s <= 0 || !entry.engine || busy_.count(id)) continue;
                if (!may_leave(id, entry)) {
                    if (!entry.engine->idle()) entry.used = now;
                } else if (now - entry.used >= std::chrono::seconds(options_.idle_unload_s)) {
                    done.push_back(std::move(entry.engine));
                    entry.engine = nullptr;
                }
            }
            lock.unlock();
            done.clear();
            lock.lock();
        }
    }

    const RegistryOptions options_;
    const ModelFolder folder_;
    const ModelLoader loader_;
    std::mutex loading_mutex_;

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::string, Entry> entries_;
    std::set<std::string> busy_;
    std::vector<std::shared_ptr<Engine>> retired_;
    std::string default_id_;
    bool closing_ = false;
    bool stop_ = false;
    mutable std::vector<ModelFolder::Listed> files_;
    mutable SteadyTime files_read_ = {};

    std::mutex observer_mutex_;
    std::function<void(const ModelFacts&)> observer_;
    std::vector<ModelFacts> loaded_;  // before there was an observer

    std::thread keeper_;  // last: it uses all of the above
};

}  // namespace

std::unique_ptr<ModelRegistry> make_model_registry(const RegistryOptions& options,
                                                   const std::vector<std::string>& first) {
    return std::make_unique<Registry>(options, first);
}

}  // namespace serve
