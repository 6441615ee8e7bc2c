// Counters and histograms of the whole server, and their text for Prometheus. Any thread. Labels come from small sets that
// we make ourselves (patterns of routes, types of weights), never from what a client sends.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "server/core/server_state.h"

namespace serve {

// Since the server started. Requests of public routes (health, the page) do not count.
struct Totals {
    uint64_t requests = 0;
    uint64_t successful = 0;  // answered with a status below 400
    uint64_t response_us = 0;
    uint64_t texts = 0;  // whose computation began and that have ended
    uint64_t generated_tokens = 0;
    uint64_t decode_us = 0;
    uint64_t queue_us = 0;
    std::map<std::string, uint64_t> texts_by_quantization;  // "i2s"
    std::map<std::string, uint64_t> texts_by_device;        // "cpu", "gpu"
};

class Metrics {
public:
    virtual ~Metrics() = default;
    // An answer went out; route is null where none matched.
    virtual void observe_request(const HttpRequest& request, const Route* route, int status, uint64_t total_us) = 0;
    // A text has ended, however.
    virtual void observe_text(const ModelFacts& facts, const Usage& usage) = 0;
    // Its first token reached the client's connection so long after it was submitted.
    virtual void observe_first_token(const ModelFacts& facts, double seconds) = 0;
    virtual void observe_load(const ModelFacts& facts) = 0;
    virtual Totals totals() const = 0;
    // How long ago a request was refused because there were too many (status 429); a very long time where none was.
    virtual std::chrono::seconds since_refusal() const = 0;
    // Text exposition format 0.0.4, with the gauges as they are now.
    virtual std::string text(const ServerState& state) = 0;
};

std::shared_ptr<Metrics> make_metrics();

}  // namespace serve
