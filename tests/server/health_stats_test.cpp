// Health by its rules, statistics by their definitions, and what the metrics call things.
#include <fstream>
#include <set>

#include <doctest/doctest.h>

#include "server/api/health_rules.h"
#include "server/metrics/server_metrics.h"
#include "server/metrics/system_figures.h"
#include "server/metrics/text_labels.h"
#include "tests/server/handler_fixture.h"
#include "tests/support/temp_dir.h"

using namespace serve;
using namespace std::chrono_literals;

namespace {

std::set<std::string> keys(const Json& object) {
    std::set<std::string> names;
    for (const auto& [name, value] : object.items()) names.insert(name);
    return names;
}

HealthFacts healthy_facts() {
    HealthFacts facts;
    facts.engines.resize(2);
    facts.n_models = 2;
    facts.max_queue = 10;
    return facts;
}

}  // namespace

TEST_CASE("each part of the server is healthy, degraded and unhealthy by the written rules") {
    const struct {
        const char* part;
        std::function<void(HealthFacts&)> change;
        Health expected;
    } cases[] = {
        {"model_manager", [](HealthFacts& f) { f.engines.clear(); }, Health::kDegraded},
        {"model_manager", [](HealthFacts& f) { f.engines.clear(), f.n_models = 0; }, Health::kUnhealthy},
        {"execution_router", [](HealthFacts& f) { f.engines[0].stalled = 121s; }, Health::kDegraded},
        {"execution_router", [](HealthFacts& f) { f.engines[0].stalled = f.engines[1].stalled = 121s; },
         Health::kUnhealthy},
        {"execution_router", [](HealthFacts& f) { f.engines[0].stalled = 119s; }, Health::kHealthy},
        {"batch_engine", [](HealthFacts& f) { f.engines[0].waiting = 8; }, Health::kHealthy},
        {"batch_engine", [](HealthFacts& f) { f.engines[0].waiting = 9; }, Health::kDegraded},
        {"batch_engine", [](HealthFacts& f) { f.engines[0].waiting = 10; }, Health::kDegraded},
        {"batch_engine", [](HealthFacts& f) { f.engines[0].waiting = f.engines[1].waiting = 10; }, Health::kUnhealthy},
        {"device_monitor", [](HealthFacts& f) { f.memory_free_share = 0.04; }, Health::kDegraded},
        {"device_monitor", [](HealthFacts& f) { f.engines[1].device_usable = false; }, Health::kUnhealthy},
        {"concurrency_manager", [](HealthFacts& f) { f.since_refusal = 59s; }, Health::kDegraded},
        {"concurrency_manager", [](HealthFacts& f) { f.since_refusal = 60s; }, Health::kHealthy},
        {"concurrency_manager", [](HealthFacts& f) { f.draining = true; }, Health::kUnhealthy},
    };
    CHECK(judge_server(judge_components(healthy_facts())) == Health::kHealthy);
    for (const auto& one : cases) {
        CAPTURE(std::string(one.part));
        HealthFacts facts = healthy_facts();
        one.change(facts);
        const auto components = judge_components(facts);
        CHECK(judge_server(components) == one.expected);
        for (const ComponentHealth& component : components)
            CHECK(component.health == (component.name == std::string(one.part) ? one.expected : Health::kHealthy));
    }
    HealthFacts facts = healthy_facts();
    CHECK(!has_stalled(facts));
    CHECK(takes_requests(facts));
    facts.engines[0].waiting = 10;
    CHECK(takes_requests(facts));
    facts.engines[1].waiting = 10;
    CHECK(!takes_requests(facts));
    facts.engines[1].stalled = 2h;
    CHECK(has_stalled(facts));
}

TEST_CASE("health has the fields of the specification, and no figure of a GPU without one") {
    HandlerFixture server;
    const Json health = server.get("/health").json();
    CHECK(keys(health) == std::set<std::string>{"status", "timestamp", "components", "system_metrics", "build_info"});
    CHECK(keys(health["components"]) == std::set<std::string>{"model_manager", "execution_router", "batch_engine",
                                                              "device_monitor", "concurrency_manager"});
    CHECK(keys(health["build_info"]) == std::set<std::string>{"version", "build_date", "git_commit", "features"});
    CHECK(health["build_info"]["version"] == bitnet_version_string());
    CHECK(health["build_info"]["build_date"].get<std::string>().size() == 20);
    CHECK(!health["system_metrics"].contains("gpu_utilization"));
    CHECK(health["system_metrics"]["memory_usage_bytes"].get<uint64_t>() > 1000000);
    CHECK(keys(server.get("/health/live").json()) == std::set<std::string>{"status", "timestamp"});
    const Json ready = server.get("/health/ready").json();
    CHECK(ready["status"] == "ready");
    CHECK(ready["checks"] ==
          Json({{"models_loaded", true}, {"devices_available", true}, {"request_processing", true}}));
    server.state.models->unload("stories");
    CHECK(server.get("/health/ready").status == 503);
    CHECK(wait_until([&] { return server.get("/health").status == 503; }));  // listed until its texts have ended
    CHECK(server.get("/health/ready").json()["checks"]["models_loaded"] == false);
}

TEST_CASE("statistics count what happened: totals, the error rate, and shares that sum to 1") {
    HandlerFixture server;
    const Json before = server.get("/v1/stats").json();
    CHECK(keys(before) ==
          std::set<std::string>{"server_stats", "inference_stats", "batch_engine_stats", "concurrency_stats"});
    CHECK(before["server_stats"]["total_requests"] == 0);
    CHECK(before["server_stats"]["error_rate"] == 0.0);
    CHECK(before["inference_stats"]["device_distribution"].empty());
    for (int i = 0; i < 2; i++)
        server.post("/v1/inference", {{"prompt", "Once"}, {"max_tokens", 4}, {"temperature", 0}});
    server.post("/v1/inference", {{"prompt", 1}});
    server.get("/health/live");  // does not count
    const Json after = server.get("/v1/stats").json();
    CHECK(keys(after["server_stats"]) == std::set<std::string>{"uptime_seconds", "total_requests",
                                                               "successful_requests", "error_rate",
                                                               "avg_response_time_ms"});
    CHECK(after["server_stats"]["total_requests"] == 4);  // with the first question for statistics
    CHECK(after["server_stats"]["successful_requests"] == 3);
    CHECK(after["server_stats"]["error_rate"] == 0.25);
    CHECK(after["server_stats"]["avg_response_time_ms"].get<double>() > 0);
    CHECK(keys(after["inference_stats"]) == std::set<std::string>{"total_tokens_generated", "avg_tokens_per_second",
                                                                  "quantization_distribution", "device_distribution"});
    CHECK(after["inference_stats"]["total_tokens_generated"] == 8);
    CHECK(after["inference_stats"]["quantization_distribution"] == Json({{"i2s", 1.0}}));
    CHECK(after["inference_stats"]["device_distribution"] == Json({{"cpu", 1.0}}));
    CHECK(keys(after["batch_engine_stats"]) ==
          std::set<std::string>{"total_batches", "avg_batch_size", "batch_utilization", "queue_depth"});
    CHECK(keys(after["concurrency_stats"]) == std::set<std::string>{"active_requests", "max_concurrent_requests",
                                                                    "rate_limited_requests", "avg_queue_time_ms"});

    // Of three kinds of weights and two devices.
    ModelFacts facts;
    Usage usage;
    usage.prefill_us = 1;
    for (const char* type : {"tq1_0", "f16", "tq1_0"}) {
        facts.quantization = type;
        facts.device = std::string(type) == "f16" ? "cuda:0" : "cpu";
        server.state.metrics->observe_text(facts, usage);
    }
    const Json mixed = server.get("/v1/stats").json()["inference_stats"];
    for (const char* name : {"quantization_distribution", "device_distribution"}) {
        double sum = 0;
        for (const Json& share : mixed[name]) sum += share.get<double>();
        CHECK(sum == doctest::Approx(1));
    }
    CHECK(mixed["device_distribution"]["gpu"] == 0.2);
    CHECK(mixed["quantization_distribution"]["tq1_0"] == 0.4);
}

TEST_CASE("labels of metrics are few, whatever a request or a file says") {
    CHECK(quantization_label("i2_s") == "i2s");
    CHECK(quantization_label("tq2_0") == "tq2_0");
    for (const char* text : {"", "evil\"} 1", "f32, f16", ","}) CHECK(quantization_label(text) == "other");
    CHECK(device_label("cpu") == "cpu");
    CHECK(device_label("cuda:1") == "cuda:1");
    CHECK(device_label("x") == "other");
    CHECK(method_label("GET") == "GET");
    CHECK(method_label("BREW") == "other");
    CHECK(size_label(5'000'000) == "under_1b");
    CHECK(size_label(2'410'000'000) == "2b");
    CHECK(size_label(100'400'000'000) == "100b");
    CHECK(size_label(700'000'000'000) == "over_100b");
    HandlerFixture server;
    server.ask("GET", "/some/path/of\"mine");
    server.ask("BREW", "/other");
    const std::string text = server.get("/metrics").body;
    CHECK(text.find("mine") == text.npos);
    CHECK(text.find("BREW") == text.npos);
    CHECK(text.find("bitnet_http_requests_total{method=\"GET\",route=\"none\",status=\"404\"} 1") != text.npos);
    CHECK(text.find("bitnet_gpu_utilization_ratio") == text.npos);
    CHECK(text.find("bitnet_quantization_accuracy_ratio") == text.npos);
}

TEST_CASE("energy is the sum of the packages' counters, around their ends, and absent where they cannot be read") {
    const test::TempDir folder;
    CHECK(!EnergyMeter(folder.file("missing")).joules());
    CHECK(!EnergyMeter(folder.path().string()).joules());
    const auto set = [&](const char* zone, uint64_t energy) {
        std::filesystem::create_directories(folder.path() / zone);
        std::ofstream(folder.path() / zone / "max_energy_range_uj") << 10'000'000;
        std::ofstream(folder.path() / zone / "energy_uj") << energy;
    };
    set("intel-rapl:0", 9'000'000);
    set("intel-rapl:1", 1'000'000);
    set("intel-rapl:0:0", 5);  // the cores of package 0, counted there
    EnergyMeter meter(folder.path().string());
    CHECK(meter.joules() == 0.0);
    set("intel-rapl:0", 9'500'000);
    set("intel-rapl:0:0", 900'000);
    CHECK(meter.joules() == 0.5);
    set("intel-rapl:0", 500'000);
    set("intel-rapl:1", 3'000'000);
    CHECK(meter.joules() == 3.5);
    std::filesystem::remove(folder.path() / "intel-rapl:1" / "energy_uj");
    CHECK(!meter.joules());
}

TEST_CASE("the machine's busy share is one, and this process has memory and time") {
    CpuUtilization cpu;
    std::optional<double> share;
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (!share && std::chrono::steady_clock::now() < end) share = cpu.read();
    REQUIRE(share);
    CHECK(*share > 0);
    CHECK(*share <= 1);
    CHECK(*resident_bytes() > 1000000);
    CHECK(*cpu_seconds() >= 0);
}

TEST_CASE("models are listed in both shapes at once, one by one, and are gone after deleting") {
    HandlerFixture server;
    server.post("/v1/inference", {{"prompt", "Once"}, {"max_tokens", 4}});
    const Json body = server.get("/v1/models").json();
    CHECK(body["object"] == "list");
    CHECK(body["data"] == body["models"]);
    REQUIRE(body["data"].size() == 1);
    const Json model = body["data"][0];
    for (const char* name : {"id", "object", "created", "owned_by", "path", "status", "quantization_format", "device",
                             "load_time", "performance_metrics", "model_info"})
        CHECK_MESSAGE(model.contains(name), name);
    CHECK(model["object"] == "model");
    CHECK(model["created"].is_number_integer());
    for (const char* name : {"parameter_count", "tensor_count", "model_size_bytes"})
        CHECK(model["model_info"][name].get<uint64_t>() > 0);
    CHECK(!model["performance_metrics"].contains("accuracy_score"));
    CHECK(server.get("/v1/models/stories").json()["id"] == "stories");
    const HandlerAnswer gone = server.ask("DELETE", "/v1/models/stories");
    CHECK(gone.status == 204);
    CHECK(gone.body == "");
    CHECK(server.ask("DELETE", "/v1/models/stories").status == 404);
    CHECK(server.post("/v1/inference", {{"prompt", "a"}, {"model", "stories"}}).code() == "MODEL_NOT_FOUND");
    // Listed as "unloading" until its texts have ended.
    CHECK(wait_until([&] { return server.get("/v1/models/stories").status == 404; }));
    CHECK(server.get("/v1/models").json()["models"].empty());
}

TEST_CASE("loading and exchanging refuse what is no path, name, device or number, and name the field") {
    HandlerFixture server;
    const struct {
        const char* path;
        Json body;
        const char* field;
    } requests[] = {
        {"/v1/models/load", {{"model_path", ""}}, "model_path"},
        {"/v1/models/load", {{"model_path", 1}}, "model_path"},
        {"/v1/models/load", {{"model_path", std::string("a\0b", 3)}}, "model_path"},
        {"/v1/models/load", {{"model_path", "m"}, {"model_id", "a/b"}}, "model_id"},
        {"/v1/models/load", {{"model_path", "m"}, {"model_id", "a\"b"}}, "model_id"},
        {"/v1/models/load", {{"model_path", "m"}, {"device", "tpu"}}, "device"},
        {"/v1/models/load", {{"model_path", "m"}, {"validation_config", 1}}, "validation_config"},
        {"/v1/models/load",
         {{"model_path", "m"}, {"validation_config", {{"min_accuracy", 2}}}},
         "validation_config.min_accuracy"},
        {"/v1/models/load",
         {{"model_path", "m"}, {"validation_config", {{"validation_samples", 0}}}},
         "validation_config.validation_samples"},
        {"/v1/models/swap", {{"new_model_path", "m"}}, "target_model_id"},
        {"/v1/models/swap",
         {{"new_model_path", "m"}, {"target_model_id", "stories"}, {"swap_strategy", "rolling"}},
         "swap_strategy"},
        {"/v1/models/swap",
         {{"new_model_path", "m"}, {"target_model_id", "stories"}, {"rollback_on_failure", 1}},
         "rollback_on_failure"},
        {"/v1/models/swap",
         {{"new_model_path", "m"}, {"target_model_id", "stories"}, {"validation_timeout_seconds", 0}},
         "validation_timeout_seconds"},
    };
    for (const auto& request : requests) {
        CAPTURE(std::string(request.field));
        const HandlerAnswer answer = server.post(request.path, request.body);
        CHECK(answer.status == 400);
        CHECK(answer.code() == "VALIDATION_FAILED");
        CHECK(answer.field() == request.field);
    }
    CHECK(server.post("/v1/models/load", {{"model_path", "m"}, {"device", "cuda:200"}}).code() == "DEVICE_UNAVAILABLE");
    for (const Route& route : server.state.router.routes())
        CHECK((route.access == Access::kAdmin) ==
              (route.method == "DELETE" || route.pattern == "/v1/models/load" || route.pattern == "/v1/models/swap"));
}

TEST_CASE("devices are listed with what they can do, and never fail without a GPU") {
    HandlerFixture server;
    const Json body = server.get("/v1/devices").json();
    REQUIRE(body["devices"].size() >= 1);
    bool has_cpu = false;
    for (const Json& device : body["devices"]) {
        if (device["id"] != "cpu") continue;
        has_cpu = true;
        CHECK(device["type"] == "Cpu");
        CHECK(device["status"] == "healthy");
        CHECK(device["memory_total_bytes"].get<uint64_t>() >= device["memory_usage_bytes"].get<uint64_t>());
        CHECK(device["active_requests"] == 0);
        CHECK(device["capabilities"]["simd_support"][0] == "scalar");
        bool has_i2s = false;
        for (const Json& type : device["capabilities"]["quantization_support"]) has_i2s = has_i2s || type == "i2s";
        CHECK(has_i2s);
        CHECK(!device.contains("gpu_info"));
    }
    CHECK(has_cpu);
}
