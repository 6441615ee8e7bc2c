// What each environment variable accepts, and the words for what it does not.
#include <doctest/doctest.h>

#include <functional>
#include <string>

#include "src/base/error.h"
#include "tests/support/variables.h"

using bitnet::Environment;
using test::variables;

namespace {

struct Variable {
    const char* name;
    std::function<std::string(const Environment&)> read;  // as text
};

const Variable kVariables[] = {
    {"BITNET_NUM_THREADS", [](const Environment& e) { return std::to_string(e.n_threads()); }},
    {"RAYON_NUM_THREADS", [](const Environment& e) { return std::to_string(e.n_threads()); }},
    {"BITNET_BATCH_SIZE", [](const Environment& e) { return std::to_string(e.batch_size()); }},
    {"BITNET_MEMORY_LIMIT", [](const Environment& e) { return std::to_string(e.memory_limit()); }},
    {"BITNET_DETERMINISTIC", [](const Environment& e) { return std::to_string(e.deterministic()); }},
    {"BITNET_SEED", [](const Environment& e) { return e.seed() ? std::to_string(*e.seed()) : "none"; }},
    {"BITNET_STRICT_TOKENIZERS", [](const Environment& e) { return std::to_string(e.strict_tokenizers()); }},
    {"BITNET_OFFLINE", [](const Environment& e) { return std::to_string(e.offline()); }},
};

const Variable& variable(const std::string& name) {
    for (const Variable& v : kVariables) {
        if (v.name == name) return v;
    }
    FAIL("no variable " << name);
    return kVariables[0];
}

}  // namespace

TEST_CASE("each variable of the environment reads what it promises") {
    const struct {
        const char *name, *text, *value;
    } rows[] = {
        {"BITNET_NUM_THREADS", "", "0"},       {"BITNET_NUM_THREADS", "1", "1"},
        {"BITNET_NUM_THREADS", "1024", "1024"}, {"RAYON_NUM_THREADS", "3", "3"},
        {"RAYON_NUM_THREADS", "0", "0"},       {"BITNET_BATCH_SIZE", "", "0"},
        {"BITNET_BATCH_SIZE", "64", "64"},     {"BITNET_BATCH_SIZE", "16777216", "16777216"},
        {"BITNET_MEMORY_LIMIT", "", "0"},      {"BITNET_MEMORY_LIMIT", "none", "0"},
        {"BITNET_MEMORY_LIMIT", "None", "0"},  {"BITNET_MEMORY_LIMIT", "1", "1"},
        {"BITNET_MEMORY_LIMIT", "7b", "7"},    {"BITNET_MEMORY_LIMIT", "3k", "3072"},
        {"BITNET_MEMORY_LIMIT", "512MB", "536870912"},  {"BITNET_MEMORY_LIMIT", "512MiB", "536870912"},
        {"BITNET_MEMORY_LIMIT", "2GB", "2147483648"},   {"BITNET_MEMORY_LIMIT", "16777215TB", "18446742974197923840"},
        {"BITNET_DETERMINISTIC", "", "0"},     {"BITNET_DETERMINISTIC", "1", "1"},
        {"BITNET_SEED", "", "none"},           {"BITNET_SEED", "0", "0"},
        {"BITNET_SEED", "18446744073709551615", "18446744073709551615"},
        {"BITNET_STRICT_TOKENIZERS", "1", "1"}, {"BITNET_STRICT_TOKENIZERS", "0", "0"},
        {"BITNET_OFFLINE", "1", "1"},          {"BITNET_OFFLINE", "", "0"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.name);
        CAPTURE(row.text);
        CHECK(variable(row.name).read(variables({{row.name, row.text}})) == row.value);
    }
}

TEST_CASE("anything else in a variable is an error that names it, in one line") {
    const struct {
        const char *name, *text;
    } rows[] = {
        {"BITNET_NUM_THREADS", "0"},     {"BITNET_NUM_THREADS", "1025"},   {"BITNET_NUM_THREADS", "two"},
        {"BITNET_NUM_THREADS", "2x"},    {"BITNET_NUM_THREADS", "-1"},     {"RAYON_NUM_THREADS", "-1"},
        {"RAYON_NUM_THREADS", "1025"},   {"BITNET_BATCH_SIZE", "0"},       {"BITNET_BATCH_SIZE", "16777217"},
        {"BITNET_BATCH_SIZE", "1e3"},    {"BITNET_MEMORY_LIMIT", "0"},     {"BITNET_MEMORY_LIMIT", "GB"},
        {"BITNET_MEMORY_LIMIT", "1.5GB"}, {"BITNET_MEMORY_LIMIT", "-1"},   {"BITNET_MEMORY_LIMIT", "2 GB"},
        {"BITNET_MEMORY_LIMIT", "2GBs"}, {"BITNET_MEMORY_LIMIT", "16777216TB"},
        {"BITNET_MEMORY_LIMIT", "99999999999999999999"}, {"BITNET_DETERMINISTIC", "yes"},
        {"BITNET_SEED", "x\n"},          {"BITNET_STRICT_TOKENIZERS", "true"}, {"BITNET_OFFLINE", "2"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.name);
        CAPTURE(row.text);
        try {
            variable(row.name).read(variables({{row.name, row.text}}));
            FAIL("accepted");
        } catch (const bitnet::Error& error) {
            CHECK(error.status() == BITNET_E_CONFIG);
            CHECK(error.subject() == row.name);
            CHECK(error.message().find(row.name) == 0);
            CHECK(error.message().find('\n') == std::string::npos);
        }
    }
}

TEST_CASE("a very long value is quoted in part only") {
    try {
        variables({{"BITNET_SEED", std::string(100000, '9')}}).seed();
        FAIL("accepted");
    } catch (const bitnet::Error& error) {
        CHECK(error.message().size() < 250);
    }
}

TEST_CASE("RAYON_NUM_THREADS counts only where BITNET_NUM_THREADS is not set") {
    CHECK(variables({{"BITNET_NUM_THREADS", "2"}, {"RAYON_NUM_THREADS", "nonsense"}}).n_threads() == 2);
    CHECK(variables({{"BITNET_NUM_THREADS", ""}, {"RAYON_NUM_THREADS", "5"}}).n_threads() == 5);
}
