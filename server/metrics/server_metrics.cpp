// Histograms and counters live in prometheus-cpp's registry; gauges, which are facts of the moment, are made when asked for,
// so that a model that is gone leaves no series behind.
#include "server/metrics/server_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <cmath>
#include <mutex>

#include "server/auth/access_guard.h"
#include "server/metrics/system_figures.h"
#include "server/metrics/text_labels.h"

namespace serve {

namespace {

using Labels = prometheus::Labels;
using Buckets = prometheus::Histogram::BucketBoundaries;

const Buckets kDurationBuckets = {0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300};
const Buckets kFirstTokenBuckets = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30};
const Buckets kLoadBuckets = {0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300};

double seconds_of(uint64_t us) { return static_cast<double>(us) / 1e6; }

// Of gauges, one series each.
class Gauges {
public:
    void add(const char* name, const char* help, const Labels& labels, double value,
             prometheus::MetricType type = prometheus::MetricType::Gauge) {
        if (families.empty() || families.back().name != name) families.push_back({name, help, type, {}});
        prometheus::ClientMetric metric;
        for (const auto& [key, text] : labels) metric.label.push_back({key, text});
        if (type == prometheus::MetricType::Counter)
            metric.counter.value = value;
        else
            metric.gauge.value = value;
        families.back().metric.push_back(std::move(metric));
    }
    std::vector<prometheus::MetricFamily> families;
};

class PrometheusMetrics final : public Metrics {
public:
    void observe_request(const HttpRequest& request, const Route* route, int status, uint64_t total_us) override {
        requests_
            .Add({{"method", method_label(request.method)},
                  {"route", route ? route->pattern : "none"},
                  {"status", std::to_string(status)}})
            .Increment();
        const std::lock_guard lock(mutex_);
        if (status == 429) refused_at_ = std::chrono::steady_clock::now();
        if (route && route->access == Access::kPublic) return;
        totals_.requests++;
        totals_.successful += status < 400 ? 1 : 0;
        totals_.response_us += total_us;
    }

    void observe_text(const ModelFacts& facts, const Usage& usage) override {
        if (usage.prefill_us == 0 && usage.generated_tokens == 0) return;  // ended while it waited
        const std::string quantization = quantization_label(facts.quantization);
        const std::string device = device_label(facts.device);
        durations_.Add({{"quantization_type", quantization}, {"device", device}}, kDurationBuckets)
            .Observe(seconds_of(usage.total_us));
        queue_times_.Observe(seconds_of(usage.queue_us));
        prompt_tokens_.Increment(static_cast<double>(usage.prompt_tokens));
        reused_tokens_.Increment(static_cast<double>(usage.reused_tokens));
        generated_tokens_.Increment(static_cast<double>(usage.generated_tokens));
        drafted_tokens_.Increment(static_cast<double>(usage.drafted_tokens));
        accepted_tokens_.Increment(static_cast<double>(usage.accepted_tokens));
        const std::lock_guard lock(mutex_);
        totals_.texts++;
        totals_.generated_tokens += usage.generated_tokens;
        totals_.decode_us += usage.decode_us;
        totals_.queue_us += usage.queue_us;
        totals_.texts_by_quantization[quantization]++;
        totals_.texts_by_device[device == "cpu" ? "cpu" : "gpu"]++;
    }

    void observe_first_token(const ModelFacts& facts, double seconds) override {
        first_tokens_.Add({{"device", device_label(facts.device)}}, kFirstTokenBuckets).Observe(seconds);
    }

    void observe_load(const ModelFacts& facts) override {
        loads_.Add({{"model_size", size_label(facts.n_parameters)}}, kLoadBuckets).Observe(seconds_of(facts.load_us));
    }

    Totals totals() const override {
        const std::lock_guard lock(mutex_);
        return totals_;
    }

    std::chrono::seconds since_refusal() const override {
        const std::lock_guard lock(mutex_);
        if (refused_at_ == SteadyTime()) return std::chrono::hours(24 * 365);
        return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - refused_at_);
    }

    std::string text(const ServerState& state) override {
        std::vector<prometheus::MetricFamily> families = registry_.Collect();
        Gauges gauges;
        add_engines(gauges, state);
        add_process(gauges, state);
        families.insert(families.end(), gauges.families.begin(), gauges.families.end());
        return prometheus::TextSerializer().Serialize(families);
    }

private:
    static void add_engines(Gauges& gauges, const ServerState& state) {
        std::map<std::pair<std::string, std::string>, double> rates;  // by device and quantisation
        std::map<std::string, double> accuracies;                     // by quantisation: the worst of the models
        double active = 0, waiting = 0, loaded = 0, cells = 0, free_cells = 0;
        for (const ModelEntry& entry : state.models->list()) {
            if (!entry.engine) continue;
            const EngineStats stats = entry.engine->stats();
            const std::string quantization = quantization_label(entry.facts.quantization);
            rates[{device_label(entry.facts.device), quantization}] += stats.tokens_per_second;
            active += stats.active;
            waiting += stats.waiting;
            cells += stats.cells;
            free_cells += stats.free_cells;
            loaded++;
            if (entry.accuracy < 0) continue;
            const auto [worst, is_new] = accuracies.try_emplace(quantization, entry.accuracy);
            if (!is_new) worst->second = std::min(worst->second, entry.accuracy);
        }
        for (const auto& [key, rate] : rates)
            gauges.add("bitnet_tokens_per_second", "Current token generation rate",
                       {{"device", key.first}, {"quantization_type", key.second}}, rate);
        gauges.add("bitnet_active_requests", "Current number of active requests", {}, active);
        gauges.add("bitnet_queue_depth", "Requests that wait for their turn", {}, waiting);
        gauges.add("bitnet_models_loaded", "Models that are loaded", {}, loaded);
        gauges.add("bitnet_kv_cells", "Tokens that the KV caches of all models hold at most", {}, cells);
        gauges.add("bitnet_kv_free_cells", "Of these, free ones", {}, free_cells);
        for (const auto& [quantization, accuracy] : accuracies)
            gauges.add("bitnet_quantization_accuracy_ratio", "Quantization accuracy vs reference",
                       {{"quantization_type", quantization}}, accuracy);
    }

    void add_process(Gauges& gauges, const ServerState& state) {
        constexpr auto kCounter = prometheus::MetricType::Counter;
        if (state.access)
            gauges.add("bitnet_rate_limited_requests_total", "Requests refused by a rate limit or quota", {},
                       static_cast<double>(state.access->n_rate_limited()), kCounter);
        if (const std::optional<double> joules = energy_.joules())
            gauges.add("bitnet_energy_joules_total", "Energy the processors took since the server started", {}, *joules,
                       kCounter);
        if (const std::optional<uint64_t> bytes = resident_bytes())
            gauges.add("process_resident_memory_bytes", "Resident memory size in bytes", {},
                       static_cast<double>(*bytes));
        if (const std::optional<double> used = cpu_seconds())
            gauges.add("process_cpu_seconds_total", "Total user and system CPU time spent in seconds", {}, *used,
                       kCounter);
        const std::chrono::duration<double> uptime = std::chrono::steady_clock::now() - state.started;
        gauges.add("bitnet_uptime_seconds", "Time since the server started", {}, uptime.count());
    }

    template <typename Builder>
    static auto& family(Builder builder, prometheus::Registry& registry, const char* name, const char* help) {
        return builder.Name(name).Help(help).Register(registry);
    }
    prometheus::Family<prometheus::Counter>& counters(const char* name, const char* help) {
        return family(prometheus::BuildCounter(), registry_, name, help);
    }
    prometheus::Family<prometheus::Histogram>& histograms(const char* name, const char* help) {
        return family(prometheus::BuildHistogram(), registry_, name, help);
    }

    prometheus::Registry registry_;
    prometheus::Family<prometheus::Counter>& requests_ =
        counters("bitnet_http_requests_total", "Answers by method, pattern of the route and status");
    prometheus::Family<prometheus::Histogram>& durations_ =
        histograms("bitnet_inference_duration_seconds", "Time spent processing inference requests");
    prometheus::Family<prometheus::Histogram>& first_tokens_ = histograms(
        "bitnet_time_to_first_token_seconds", "Time from submitting a text to its first token, waiting included");
    prometheus::Family<prometheus::Histogram>& loads_ =
        histograms("bitnet_model_load_duration_seconds", "Time to load models");
    prometheus::Histogram& queue_times_ =
        histograms("bitnet_queue_duration_seconds", "Time texts waited for their turn").Add({}, kFirstTokenBuckets);
    prometheus::Counter& prompt_tokens_ =
        counters("bitnet_prompt_tokens_total", "Tokens of prompts, reused ones included").Add({});
    prometheus::Counter& reused_tokens_ =
        counters("bitnet_reused_tokens_total", "Tokens of prompts that the prefix cache held").Add({});
    prometheus::Counter& generated_tokens_ = counters("bitnet_generated_tokens_total", "Tokens generated").Add({});
    prometheus::Counter& drafted_tokens_ =
        counters("bitnet_drafted_tokens_total", "Tokens guessed ahead, see --draft").Add({});
    prometheus::Counter& accepted_tokens_ =
        counters("bitnet_accepted_tokens_total", "Tokens guessed ahead that came up").Add({});
    EnergyMeter energy_;

    mutable std::mutex mutex_;
    Totals totals_;
    SteadyTime refused_at_ = {};
};

}  // namespace

std::shared_ptr<Metrics> make_metrics() { return std::make_shared<PrometheusMetrics>(); }

}  // namespace serve
