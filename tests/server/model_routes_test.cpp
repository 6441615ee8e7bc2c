// /v1/models over a registry that writes down what it is asked: every field of the specification arrives, and comes back.
#include <doctest/doctest.h>

#include <set>
#include <tuple>

#include "examples/stories/default_model.h"
#include "server/api/generation_request.h"
#include "tests/server/handler_fixture.h"

using namespace serve;

namespace {

std::set<std::string> keys(const Json& object) {
    std::set<std::string> names;
    for (const auto& [name, value] : object.items()) names.insert(name);
    return names;
}

class WrittenDownModels final : public ModelRegistry {
public:
    explicit WrittenDownModels(std::unique_ptr<ModelRegistry> real) : real_(std::move(real)) {}
    std::shared_ptr<Engine> find(const std::string& id) override { return real_->find(id); }
    std::string load(const LoadRequest& request) override {
        loaded = request;
        if (request.path == "bad.gguf") throw ApiError(ErrorCode::kValidationFailed, "it answers wrongly");
        return "the-new-one";
    }
    SwapResult swap(const SwapRequest& request) override {
        swapped = request;
        return {"swap_1", "new-model", "old-model", 245678};
    }
    void unload(const std::string& id) override { real_->unload(id); }
    std::vector<ModelEntry> list() const override {
        std::vector<ModelEntry> entries = real_->list();
        entries.at(0).accuracy = 0.995;
        ModelEntry on_disk;
        on_disk.status = "available";
        on_disk.facts.id = "on-disk";
        on_disk.facts.path = "on-disk.gguf";
        entries.push_back(on_disk);
        return entries;
    }
    bool drain(std::chrono::milliseconds most) override { return real_->drain(most); }
    void set_load_observer(std::function<void(const ModelFacts&)> observer) override {
        real_->set_load_observer(std::move(observer));
    }

    LoadRequest loaded;
    SwapRequest swapped;

private:
    const std::unique_ptr<ModelRegistry> real_;
};

struct WrittenDown : HandlerFixture {
    WrittenDown() {
        auto written = std::make_unique<WrittenDownModels>(std::move(state.models));
        models = written.get();
        state.models = std::move(written);
    }
    WrittenDownModels* models;
};

}  // namespace

TEST_CASE("loading a model hands on every field, and answers with id, status and message") {
    WrittenDown server;
    const HandlerAnswer answer = server.post(
        "/v1/models/load",
        {{"model_path", "m.gguf"},
         {"tokenizer_path", "tokenizer.json"},
         {"device", "cpu"},
         {"model_id", "my_model-1.5:x"},
         {"validation_config", {{"enable_cross_validation", true}, {"min_accuracy", 0.5}, {"validation_samples", 7}}}});
    CHECK(answer.status == 200);
    CHECK(answer.json() == Json({{"model_id", "the-new-one"},
                                 {"status", "success"},
                                 {"message", "Model loaded and activated successfully"}}));
    const LoadRequest& request = server.models->loaded;
    CHECK(request.path == "m.gguf");
    CHECK(request.tokenizer_path == "tokenizer.json");
    CHECK(request.device == "cpu");
    CHECK(request.id == "my_model-1.5:x");
    CHECK(request.validation.enabled);
    CHECK(request.validation.min_accuracy == 0.5);
    CHECK(request.validation.samples == 7);

    server.post("/v1/models/load", {{"model_path", "m.gguf"}});
    CHECK(server.models->loaded.device == "auto");
    CHECK(!server.models->loaded.validation.enabled);
    CHECK(server.models->loaded.validation.min_accuracy == 0.99);
    CHECK(server.models->loaded.validation.samples == 100);
    CHECK(server.post("/v1/models/load", {{"model_path", "bad.gguf"}}).code() == "VALIDATION_FAILED");
}

TEST_CASE("exchanging a model hands on every field, and answers with both ids and the time") {
    WrittenDown server;
    const HandlerAnswer answer = server.post("/v1/models/swap", {{"new_model_path", "n.gguf"},
                                                                 {"target_model_id", "stories"},
                                                                 {"swap_strategy", "atomic"},
                                                                 {"rollback_on_failure", false},
                                                                 {"validation_timeout_seconds", 5},
                                                                 {"canary_share", 0.25}});
    CHECK(answer.status == 200);
    CHECK(answer.json() == Json({{"swap_id", "swap_1"},
                                 {"status", "success"},
                                 {"new_model_id", "new-model"},
                                 {"previous_model_id", "old-model"},
                                 {"swap_time_ms", 245.678}}));
    const SwapRequest& request = server.models->swapped;
    CHECK(request.path == "n.gguf");
    CHECK(request.target_id == "stories");
    CHECK(!request.rollback_on_failure);
    CHECK(request.validation_timeout_s == 5);
    CHECK(request.canary_share == 0.25);
    server.post("/v1/models/swap", {{"new_model_path", "n.gguf"}, {"target_model_id", "stories"}});
    CHECK(server.models->swapped.rollback_on_failure);
    CHECK(server.models->swapped.validation_timeout_s == 30);
}

TEST_CASE("an accuracy that was measured is shown, and a model on disk shows no figures") {
    WrittenDown server;
    const Json models = server.get("/v1/models").json()["models"];
    REQUIRE(models.size() == 2);
    CHECK(models[0]["performance_metrics"]["accuracy_score"] == 0.995);
    CHECK(keys(models[1]) == std::set<std::string>{"id", "object", "created", "owned_by", "path", "status", "default"});
    CHECK(models[1]["status"] == "available");
    CHECK(server.get("/metrics").body.find("bitnet_quantization_accuracy_ratio{quantization_type=\"i2s\"} 0.995") !=
          std::string::npos);
}

namespace {

// The same weights twice, called by what they could be: on another device, in another layout.
class Replicas final : public ModelRegistry {
public:
    Replicas() {
        size_t size = 0;
        const void* bytes = default_model_bytes(&size);
        bitnet_model* model = nullptr;
        check(bitnet_model_load_from_memory(bytes, size, nullptr, &model));
        const ModelHandle handle(model, bitnet_model_free);
        for (const auto& [id, device, quantization] :
             {std::tuple("first", "cpu", "i2_s"), std::tuple("second", "cpu", "tq2_0"),
              std::tuple("third", "cuda:0", "i2_s")}) {
            ModelFacts facts;
            facts.id = id;
            facts.name = "Stories";
            facts.device = device;
            facts.quantization = quantization;
            facts.n_vocab = 2048;
            EngineOptions options;
            options.n_threads = 1;
            entries_.push_back({start_engine(handle, facts, options), "active", facts, entries_.empty(), -1});
        }
    }
    std::shared_ptr<Engine> find(const std::string& id) override {
        for (const ModelEntry& entry : entries_)
            if (entry.facts.id == (id.empty() ? "first" : id)) return entry.engine;
        throw ApiError(ErrorCode::kModelNotFound, "no such model", "model");
    }
    std::string load(const LoadRequest&) override { return ""; }
    SwapResult swap(const SwapRequest&) override { return {}; }
    void unload(const std::string&) override {}
    std::vector<ModelEntry> list() const override { return entries_; }
    bool drain(std::chrono::milliseconds) override { return true; }
    void set_load_observer(std::function<void(const ModelFacts&)>) override {}

private:
    std::vector<ModelEntry> entries_;
};

}  // namespace

TEST_CASE("a hint and a device choose among loaded layouts of the same weights; a hint never fails") {
    HandlerFixture server;
    server.state.models = std::make_unique<Replicas>();
    const struct {
        const char* device;
        const char* hint;
        const char* model;
        const char* device_used;
        const char* quantization;
    } cases[] = {
        {"auto", "auto", "first", "Cpu", "i2s"},     {"auto", "i2s", "first", "Cpu", "i2s"},
        {"auto", "tq2_0", "second", "Cpu", "tq2_0"}, {"auto", "tl1", "first", "Cpu", "i2s"},
        {"cpu", "tq2_0", "second", "Cpu", "tq2_0"},  {"gpu", "auto", "third", "Cuda", "i2s"},
        {"cuda:0", "i2s", "third", "Cuda", "i2s"},   {"cuda", "tq2_0", "third", "Cuda", "i2s"},
    };
    for (const auto& one : cases) {
        CAPTURE(std::string(one.device));
        CAPTURE(std::string(one.hint));
        const HandlerAnswer answer = server.post("/v1/inference", {{"prompt", "Once"},
                                                                   {"max_tokens", 1},
                                                                   {"device_preference", one.device},
                                                                   {"quantization_hint", one.hint}});
        REQUIRE(answer.status == 200);
        CHECK(answer.json()["model"] == one.model);
        CHECK(answer.json()["device_used"] == one.device_used);
        CHECK(answer.json()["quantization_type"] == one.quantization);
    }
    for (const char* device : {"cuda:1", "metal"})
        CHECK(server.post("/v1/inference", {{"prompt", "Once"}, {"device_preference", device}}).code() ==
              "DEVICE_UNAVAILABLE");
    // By name: the one that was named, even where another would do as well.
    CHECK(server.post("/v1/inference", {{"prompt", "Once"}, {"max_tokens", 1}, {"model", "second"}}).json()["model"] ==
          "second");
    CHECK(server.post("/v1/inference", {{"prompt", "Once"}, {"model", "fourth"}}).code() == "MODEL_NOT_FOUND");
}

TEST_CASE("a text that waits gives a sign of life about every second") {
    HandlerFixture server;
    const auto job = std::make_shared<Job>();
    const RunningText text(server.state.models->find(""), job);
    int n_idle = 0;
    const TextEnd end = follow_text(
        server.state, text, [] { return false; }, [](const Step&) { return true; },
        [&] {
            n_idle++;
            Step last;
            last.finish = BITNET_FINISH_END;
            job->push(last, Usage());
            return true;
        });
    CHECK(n_idle == 1);
    CHECK(end.finish == BITNET_FINISH_END);
    CHECK(std::string(end.name()) == "end");
    // Where that sign does not reach anyone, the text is given up.
    const auto other = std::make_shared<Job>();
    const RunningText lost(server.state.models->find(""), other);
    const TextEnd given_up = follow_text(
        server.state, lost, [] { return false; }, [](const Step&) { return true; }, [] { return false; });
    CHECK(given_up.finish == BITNET_FINISH_CANCELLED);
    CHECK(other->is_cancelled());
}
