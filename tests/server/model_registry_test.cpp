// Models that come and go: loading, swapping under load, on demand, idle, limits; no request fails for it.
#include "server/engine/model_registry.h"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include <doctest/doctest.h>

#include "tests/server/engine_fixture.h"
#include "tests/support/temp_dir.h"

using namespace serve;
using namespace std::chrono_literals;
using namespace test;

namespace {

// A folder with the default model under some names.
class Folder {
public:
    explicit Folder(const std::vector<std::string>& names) {
        size_t size = 0;
        const char* bytes = static_cast<const char*>(default_model_bytes(&size));
        for (const std::string& name : names)
            std::ofstream(dir_.file(name), std::ios::binary).write(bytes, static_cast<std::streamsize>(size));
    }
    std::string file(const std::string& name) const { return dir_.file(name); }
    std::string path() const { return dir_.path().string(); }

private:
    TempDir dir_;
};

RegistryOptions options_for(const std::string& folder) {
    RegistryOptions options;
    options.models_dir = folder;
    options.engine.n_parallel = 4;
    options.engine.n_ctx = 256;
    options.engine.n_threads = 2;
    return options;
}

LoadRequest load_of(const std::string& path, const std::string& id = "") {
    LoadRequest request;
    request.path = path;
    request.id = id;
    return request;
}

SwapRequest swap_to(const std::string& path, const std::string& target) {
    SwapRequest request;
    request.path = path;
    request.target_id = target;
    return request;
}

// "id:status" of all, the default one marked.
std::string list_of(const ModelRegistry& registry) {
    std::string text;
    for (const ModelEntry& entry : registry.list())
        text += (text.empty() ? "" : " ") + entry.facts.id + ":" + entry.status + (entry.is_default ? "*" : "");
    return text;
}

template <typename Condition>
bool soon(Condition condition) {
    for (int i = 0; i < 2000 && !condition(); i++) std::this_thread::sleep_for(5ms);
    return condition();
}

}  // namespace

TEST_CASE("without a model of its own a server has the embedded one, as stories") {
    const auto registry = make_model_registry(options_for(""), {});
    CHECK(list_of(*registry) == "stories:active*");
    CHECK(registry->find("") == registry->find("stories"));
    CHECK(registry->find(registry->find("")->facts().instance) == registry->find(""));
    CHECK(code_of([&] { registry->find("other"); }) == "MODEL_NOT_FOUND");
    CHECK(code_of([&] { registry->load(load_of("x.gguf")); }) == "FORBIDDEN");
    int n_loads = 0;
    registry->set_load_observer([&](const ModelFacts& facts) {
        n_loads++;
        CHECK(facts.load_us > 0);
    });
    CHECK(n_loads == 1);  // it hears of what was there before it
}

TEST_CASE("the command line's models have ids of their own, the first is the default") {
    const Folder folder({"a.gguf"});
    const auto registry = make_model_registry(
        options_for(""), {folder.file("a.gguf"), "b=" + folder.file("a.gguf"), folder.file("a.gguf")});
    CHECK(list_of(*registry) == "a:active* a-2:active b:active");
    CHECK(code_of([&] {
              make_model_registry(options_for(""), {"b=" + folder.file("a.gguf"), "b=" + folder.file("a.gguf")});
          }) == "CONFLICT");
    CHECK(code_of([&] { make_model_registry(options_for(""), {folder.file("none.gguf")}); }) == "MODEL_NOT_FOUND");
}

TEST_CASE("a model is loaded by request, or refused and nothing changes") {
    const Folder folder({"a.gguf"});
    std::ofstream(folder.file("bad.gguf")) << "no model";
    const auto registry = make_model_registry(options_for(folder.path()), {});
    CHECK(registry->load(load_of("a.gguf")) == "a");
    CHECK(registry->load(load_of(folder.file("a.gguf"), "mine")) == "mine");
    CHECK(registry->load(load_of("a.gguf")) == "a-2");
    const std::string before = list_of(*registry);
    CHECK(code_of([&] { registry->load(load_of("a.gguf", "mine")); }) == "CONFLICT");
    CHECK(code_of([&] { registry->load(load_of("bad.gguf")); }) == "VALIDATION_FAILED");
    CHECK(code_of([&] { registry->load(load_of("none.gguf")); }) == "MODEL_NOT_FOUND");
    CHECK(code_of([&] { registry->load(load_of("../x.gguf")); }) == "FORBIDDEN");
    CHECK(code_of([&] { registry->load(load_of("a.gguf", std::string(129, 'x'))); }) == "VALIDATION_FAILED");
    CHECK(code_of([&] { registry->load(load_of("a.gguf", "new\nline")); }) == "VALIDATION_FAILED");
    for (const auto& [device, code] :
         {std::pair("cuda:0", "DEVICE_UNAVAILABLE"), std::pair("gpu", "DEVICE_UNAVAILABLE"),
          std::pair("metal", "DEVICE_UNAVAILABLE"), std::pair("tpu", "VALIDATION_FAILED"), std::pair("cpu", "")}) {
        LoadRequest request = load_of("a.gguf", "device");
        request.device = device;
        CHECK_MESSAGE(code_of([&] { registry->load(request); }) == code, device);
    }
    registry->unload("device");
    CHECK(soon([&] { return list_of(*registry) == before; }));
}

TEST_CASE("a tokenizer beside the model must be the model's own") {
    const Folder folder({"a.gguf"});
    std::ofstream(folder.file("other.json")) << R"({"model":{"type":"BPE","vocab":{"a":0},"merges":[]}})";
    const auto registry = make_model_registry(options_for(folder.path()), {});
    LoadRequest request = load_of("a.gguf");
    request.tokenizer_path = "a.gguf";
    CHECK(registry->load(request) == "a");
    request.tokenizer_path = "other.json";
    CHECK(code_of([&] { registry->load(request); }) == "VALIDATION_FAILED");
    request.tokenizer_path = "../other.json";
    CHECK(code_of([&] { registry->load(request); }) == "FORBIDDEN");
    CHECK(list_of(*registry) == "a:active stories:active*");
}

TEST_CASE("a validated model tells its accuracy; below the least it does not load") {
    const Folder folder({"a.gguf"});
    const auto registry = make_model_registry(options_for(folder.path()), {});
    LoadRequest request = load_of("a.gguf");
    request.validation = {true, 1.0, 20};  // every kernel gives the same bits, so nothing less is good enough
    CHECK(registry->load(request) == "a");
    CHECK(registry->list()[0].accuracy == 1);
    request.id = "b";
    request.validation.min_accuracy = 1.5;
    CHECK(code_of([&] { registry->load(request); }) == "VALIDATION_FAILED");
    CHECK(code_of([&] { registry->find("b"); }) == "MODEL_NOT_FOUND");
}

TEST_CASE("models of every ternary format load, validate and run") {
    const std::string golden =
        (std::filesystem::path(__FILE__).parent_path() / "../golden").lexically_normal().string();
    const auto registry = make_model_registry(options_for(golden), {});
    for (const char* name : {"b158-i2s", "b158-tq1", "b158-tq2", "b25-i2s-untied"}) {
        LoadRequest request = load_of(std::string(name) + ".gguf");
        request.validation = {true, 1.0, 8};
        CHECK(registry->load(request) == name);
    }
    GenerationSpec spec;
    spec.prompt = {1};
    spec.max_tokens = 1;
    CHECK(outcome_of(*registry->find("b158-i2s")->submit(spec)).usage.generated_tokens <= 1);
    CHECK(registry->find("b158-i2s")->embed({{1, 2, 3}}, BITNET_POOLING_MEAN, false, [] { return false; })[0].size() >
          0);
}

TEST_CASE("fifty swaps under load, and no request fails or changes its text") {
    const Folder folder({"a.gguf"});
    const auto registry = make_model_registry(options_for(folder.path()), {});
    const GenerationSpec spec = story("Once upon a time", 12, 3);
    const std::string expected = text_alone(spec);
    std::atomic<bool> stop = false;
    std::atomic<int> n_right = 0, n_wrong = 0;
    std::vector<std::thread> clients;
    for (int i = 0; i < 3; i++)
        clients.emplace_back([&] {
            while (!stop) {
                try {
                    const std::shared_ptr<Engine> engine = registry->find("stories");
                    std::this_thread::yield();  // the model may be swapped between these two
                    const Outcome outcome = outcome_of(*engine->submit(spec));
                    (outcome.text == expected ? n_right : n_wrong)++;
                } catch (const ApiError&) {
                    n_wrong++;
                }
            }
        });
    std::string instance = registry->find("stories")->facts().instance;
    for (int i = 0; i < 50; i++) {
        const SwapResult result = registry->swap(swap_to("a.gguf", "stories"));
        CHECK(result.previous_model_id == instance);
        CHECK(result.new_model_id != instance);
        CHECK(result.swap_id.starts_with("swap_"));
        CHECK(result.swap_us > 0);
        instance = result.new_model_id;
    }
    stop = true;
    for (std::thread& client : clients) client.join();
    CHECK(n_right > 0);
    CHECK(n_wrong == 0);
    CHECK(soon([&] { return list_of(*registry) == "stories:active* a:available"; }));
}

TEST_CASE("a stream goes on with the old weights when its model is swapped or unloaded") {
    const Folder folder({"a.gguf"});
    const auto registry = make_model_registry(options_for(folder.path()), {});
    GenerationSpec spec = story("The dog", 150);
    spec.logit_bias = {{2, -INFINITY}, {0, -INFINITY}, {1, -INFINITY}};
    std::shared_ptr<Engine> engine = registry->find("");
    const std::shared_ptr<Job> first = engine->submit(spec), second = engine->submit(spec);
    engine.reset();  // only the registry holds it now
    registry->swap(swap_to("a.gguf", "stories"));
    const std::shared_ptr<Job> third = registry->find("")->submit(spec);
    registry->unload("stories");
    CHECK(code_of([&] { registry->unload("stories"); }) == "MODEL_NOT_FOUND");
    CHECK(code_of([&] { registry->find("stories"); }) == "MODEL_NOT_FOUND");
    CHECK(code_of([&] { registry->find(""); }) == "MODEL_NOT_FOUND");
    const std::string text = outcome_of(*first).text;
    CHECK(!text.empty());
    CHECK(outcome_of(*second).text == text);
    CHECK(outcome_of(*third).text == text);
    CHECK(soon([&] { return list_of(*registry) == "a:available"; }));
}

TEST_CASE("a swap that fails keeps the old model") {
    const Folder folder({"a.gguf"});
    std::ofstream(folder.file("bad.gguf")) << "no model";
    const auto registry = make_model_registry(options_for(folder.path()), {});
    const std::shared_ptr<Engine> engine = registry->find("");
    CHECK(code_of([&] { registry->swap(swap_to("bad.gguf", "stories")); }) == "VALIDATION_FAILED");
    CHECK(code_of([&] { registry->swap(swap_to("none.gguf", "stories")); }) == "MODEL_NOT_FOUND");
    CHECK(code_of([&] { registry->swap(swap_to("../a.gguf", "stories")); }) == "FORBIDDEN");
    CHECK(code_of([&] { registry->swap(swap_to("a.gguf", "other")); }) == "MODEL_NOT_FOUND");
    CHECK(registry->find("") == engine);
    CHECK(outcome_of(*engine->submit(story("The cat", 3))).error == "");
}

TEST_CASE("a canary answers live requests beside the old model before the swap") {
    const Folder folder({"a.gguf"});
    const auto registry = make_model_registry(options_for(folder.path()), {});
    std::atomic<bool> stop = false;
    std::atomic<int> n_wrong = 0;
    const GenerationSpec spec = story("Once upon a time", 6, 3);
    const std::string expected = text_alone(spec);
    std::thread client([&] {
        while (!stop) n_wrong += outcome_of(*registry->find("")->submit(spec)).text == expected ? 0 : 1;
    });
    SwapRequest request = swap_to("a.gguf", "stories");
    request.canary_share = 0.5;
    request.canary_texts = 3;
    const std::string old = registry->find("")->facts().instance;
    registry->swap(request);
    stop = true;
    client.join();
    CHECK(registry->find("")->facts().instance != old);
    CHECK(registry->find("")->stats().requests >= 1 + 3);  // the trial text, and those it answered silently
    CHECK(n_wrong == 0);
}

TEST_CASE("files of the folder are loaded when asked for, once however many ask, and idle ones make room") {
    const Folder folder({"a.gguf", "b.gguf"});
    RegistryOptions options = options_for(folder.path());
    options.max_models = 2;
    const auto registry = make_model_registry(options, {});
    CHECK(list_of(*registry) == "stories:active* a:available b:available");
    std::vector<std::thread> askers;
    std::atomic<int> n_loads = 0;
    registry->set_load_observer([&](const ModelFacts& facts) { n_loads += facts.id == "a" ? 1 : 0; });
    for (int i = 0; i < 4; i++)
        askers.emplace_back([&] { outcome_of(*registry->find("a")->submit(story("The dog", 2))); });
    for (std::thread& asker : askers) asker.join();
    CHECK(n_loads == 1);
    CHECK(soon(
        [&] { return code_of([&] { registry->find("b"); }) == ""; }));  // a goes as soon as it idles; the default stays
    CHECK(list_of(*registry) == "b:active stories:active* a:available");
    const std::shared_ptr<Engine> held = registry->find("b");
    CHECK(code_of([&] { registry->find("a"); }) == "SERVICE_UNAVAILABLE");  // all are in use
    CHECK(code_of([&] { registry->find("c"); }) == "MODEL_NOT_FOUND");
}

TEST_CASE("an idle model is unloaded after its time and comes back when asked for") {
    const Folder folder({"a.gguf"});
    RegistryOptions options = options_for(folder.path());
    options.idle_unload_s = 1;
    options.unload_default = true;
    const auto registry = make_model_registry(options, {});
    const std::string first = registry->find("")->facts().instance;
    registry->load(load_of("a.gguf"));
    CHECK(soon([&] { return list_of(*registry) == "a:available stories:available*"; }));
    const std::shared_ptr<Engine> engine = registry->find("");
    CHECK(engine->facts().instance != first);
    CHECK(outcome_of(*engine->submit(story("The cat", 3))).error == "");
    CHECK(list_of(*registry) == "stories:active* a:available");
}

TEST_CASE("a model that memory does not suffice for is refused beforehand, with the figures") {
    const Folder folder({"a.gguf"});
    RegistryOptions options = options_for(folder.path());
    const auto roomy = make_model_registry(options, {});
    options.max_bytes = bitnet_memory_get_used() * 2 + (64 << 10);
    const auto registry = make_model_registry(options, {});
    std::string message;
    try {
        registry->load(load_of("a.gguf"));
    } catch (const ApiError& error) {
        CHECK(error.code == ErrorCode::kUnavailable);
        message = error.message;
    }
    CHECK(message.find(std::to_string(options.max_bytes)) != message.npos);
    CHECK(outcome_of(*registry->find("")->submit(story("The cat", 3))).error == "");
}

TEST_CASE("draining lets texts end, and takes no more") {
    const auto registry = make_model_registry(options_for(""), {});
    const std::shared_ptr<Engine> engine = registry->find("");
    const std::shared_ptr<Job> job = engine->submit(story("The dog", 100));
    CHECK(registry->drain(1min));
    CHECK(code_of([&] { engine->submit(story("The dog", 1)); }) == "SERVICE_UNAVAILABLE");
    CHECK(outcome_of(*job).error == "");
    const auto busy = make_model_registry(options_for(""), {});
    GenerationSpec spec = story("The dog", 200);
    spec.logit_bias = {{2, -INFINITY}, {0, -INFINITY}, {1, -INFINITY}};
    const std::shared_ptr<Job> running = busy->find("")->submit(spec);
    CHECK(!busy->drain(0ms));
}
