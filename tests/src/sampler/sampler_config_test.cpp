// Parameters that are refused, with the words a person gets to read, and where a seed comes from.
#include <doctest/doctest.h>

#include <cfloat>
#include <functional>
#include <limits>
#include <string>

#include "src/base/error.h"
#include "src/sampler/sampler.h"
#include "src/sampler/seed_source.h"
#include "tests/support/variables.h"

using bitnet::Error;
using bitnet::Sampler;
using bitnet::SamplerConfig;
using bitnet::choose_seed;
using test::variables;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// The message of the refusal, "" when the configuration is accepted.
std::string refusal(const std::function<void(SamplerConfig&)>& change) {
    SamplerConfig config;
    config.has_seed = true;
    change(config);
    try {
        Sampler sampler(config);
    } catch (const Error& error) {
        CHECK(error.status() == BITNET_E_CONFIG);
        CHECK(error.message().find('\n') == std::string::npos);
        return error.message();
    }
    return "";
}

}  // namespace

TEST_CASE("the defaults are those of the specification") {
    const SamplerConfig config;
    CHECK(config.temperature == 0.7f);
    CHECK(config.top_k == 50);
    CHECK(config.top_p == 0.9f);
    CHECK(config.min_p == 0);
    CHECK(config.typical_p == 1);
    CHECK(config.repetition_penalty == 1);
    CHECK(config.frequency_penalty == 0);
    CHECK(config.presence_penalty == 0);
    CHECK(config.penalty_last_n == 64);
    CHECK(!config.has_seed);
}

TEST_CASE("values at the edge of their range are accepted") {
    CHECK(refusal([](SamplerConfig& c) { c.temperature = -FLT_MAX; }) == "");
    CHECK(refusal([](SamplerConfig& c) { c.temperature = FLT_MAX; }) == "");
    CHECK(refusal([](SamplerConfig& c) { c.top_k = 2147483647; }) == "");
    for (const float edge : {0.0f, 1.0f}) {
        CHECK(refusal([=](SamplerConfig& c) { c.top_p = c.min_p = c.typical_p = edge; }) == "");
    }
    CHECK(refusal([](SamplerConfig& c) { c.repetition_penalty = FLT_TRUE_MIN; }) == "");
    CHECK(refusal([](SamplerConfig& c) { c.frequency_penalty = c.presence_penalty = -FLT_MAX; }) == "");
    CHECK(refusal([](SamplerConfig& c) { c.penalty_last_n = -1; }) == "");
    CHECK(refusal([](SamplerConfig& c) { c.penalty_last_n = 2147483647, c.presence_penalty = 1; }) == "");
    CHECK(refusal([](SamplerConfig& c) { c.logit_bias = {{2147483647, -kInf}, {0, FLT_MAX}}; }) == "");
}

TEST_CASE("values out of range are refused by name, value and range") {
    CHECK(refusal([](SamplerConfig& c) { c.temperature = kNan; }) ==
          "sampler parameter temperature is nan; it must be a finite number (0 or less picks the best token)");
    CHECK(refusal([](SamplerConfig& c) { c.top_p = 1.5f; }) ==
          "sampler parameter top_p is 1.5; it must be between 0 and 1 (off)");
    CHECK(refusal([](SamplerConfig& c) { c.top_k = -3; }) ==
          "sampler parameter top_k is -3; it must be 0 (off) or more");
    for (const float bad : {kNan, -0.001f, 1.001f, kInf, -kInf}) {
        CAPTURE(bad);
        CHECK(refusal([=](SamplerConfig& c) { c.top_p = bad; }).find(" top_p ") != std::string::npos);
        CHECK(refusal([=](SamplerConfig& c) { c.min_p = bad; }).find(" min_p ") != std::string::npos);
        CHECK(refusal([=](SamplerConfig& c) { c.typical_p = bad; }).find(" typical_p ") != std::string::npos);
    }
    for (const float bad : {kNan, kInf, -kInf}) {
        CAPTURE(bad);
        CHECK(refusal([=](SamplerConfig& c) { c.temperature = bad; }).find(" temperature ") != std::string::npos);
        CHECK(refusal([=](SamplerConfig& c) { c.frequency_penalty = bad; }).find(" frequency_") != std::string::npos);
        CHECK(refusal([=](SamplerConfig& c) { c.presence_penalty = bad; }).find(" presence_") != std::string::npos);
    }
    for (const float bad : {kNan, kInf, 0.0f, -1.0f})
        CHECK(refusal([=](SamplerConfig& c) { c.repetition_penalty = bad; }).find(" repetition_") != std::string::npos);
    CHECK(refusal([](SamplerConfig& c) { c.penalty_last_n = -2; }).find(" penalty_last_n is -2") != std::string::npos);
    CHECK(refusal([](SamplerConfig& c) {
              c.logit_bias = {{0, 1}, {-5, 1}};
          }).find("logit_bias[1].token is -5") != std::string::npos);
    CHECK(refusal([](SamplerConfig& c) {
              c.logit_bias = {{0, kNan}};
          }).find("logit_bias[0].bias is nan") != std::string::npos);
    CHECK(refusal([](SamplerConfig& c) {
              c.logit_bias = {{0, kInf}};
          }).find("logit_bias[0].bias is inf") != std::string::npos);
}

TEST_CASE("without a seed each sampler gets its own, and reports it") {
    const uint64_t a = choose_seed(variables({})), b = choose_seed(variables({}));
    CHECK(a != b);
    SamplerConfig config;
    config.has_seed = true;
    config.seed = a;
    CHECK(Sampler(config).seed() == a);
}

TEST_CASE("BITNET_DETERMINISTIC=1 replaces a fresh seed by a fixed one, BITNET_SEED goes first") {
    CHECK(choose_seed(variables({{"BITNET_SEED", ""}, {"BITNET_DETERMINISTIC", "1"}})) == bitnet::kDeterministicSeed);
    CHECK(choose_seed(variables({{"BITNET_SEED", "7"}, {"BITNET_DETERMINISTIC", "1"}})) == 7);
    CHECK(choose_seed(variables({{"BITNET_SEED", "7"}, {"BITNET_DETERMINISTIC", "0"}})) == 7);
    CHECK(choose_seed(variables({{"BITNET_SEED", "18446744073709551615"}})) == 18446744073709551615ull);
}

TEST_CASE("a seed variable that is not a number is an error, not a random seed") {
    for (const char* bad : {"x", "12x", " 12", "-1", "1.5", "0x10", "18446744073709551616", "4 2", "\n1"}) {
        CAPTURE(bad);
        try {
            choose_seed(variables({{"BITNET_SEED", bad}}));
            FAIL("accepted");
        } catch (const Error& error) {
            CHECK(error.status() == BITNET_E_CONFIG);
            CHECK(error.subject() == "BITNET_SEED");
            CHECK(error.message().find('\n') == std::string::npos);
        }
    }
    for (const char* bad : {"yes", "2", "true", "01"}) {
        CAPTURE(bad);
        CHECK_THROWS_AS(choose_seed(variables({{"BITNET_DETERMINISTIC", bad}})), Error);
    }
}
