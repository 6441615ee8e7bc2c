// The golden models: what tests/golden/*.golden.json says about each, with the logits the oracle expects.
#pragma once

#include <algorithm>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/support/api_fixture.h"
#include "tests/support/temp_dir.h"

namespace test {

struct GoldenCase {
    std::string name;
    std::string path;
    std::string same_logits_as;  // another golden model whose logits have equal bits, or ""
    Tokens prompt;
    size_t n_vocab;
    std::vector<Logits> expected;  // per token of the prompt
};

inline std::vector<GoldenCase> golden_cases() {
    std::vector<GoldenCase> cases;
    for (const auto& entry : std::filesystem::directory_iterator(golden_dir())) {
        const std::string file = entry.path().filename().string();
        if (file.size() < 12 || file.substr(file.size() - 12) != ".golden.json") continue;
        std::ifstream in(entry.path());
        const nlohmann::json json = nlohmann::json::parse(in);
        GoldenCase c{json.at("name"),
                     (golden_dir() / json.at("model").get<std::string>()).string(),
                     json.value("same_logits_as", ""),
                     json.at("prompt").get<Tokens>(),
                     json.at("n_vocab"),
                     {}};
        const std::vector<uint8_t> bytes = read_file(golden_dir() / json.at("logits").get<std::string>());
        REQUIRE(bytes.size() == c.prompt.size() * c.n_vocab * sizeof(float));
        for (size_t i = 0; i < c.prompt.size(); ++i) {
            c.expected.emplace_back(c.n_vocab);
            std::memcpy(c.expected.back().data(), bytes.data() + i * c.n_vocab * sizeof(float),
                        c.n_vocab * sizeof(float));
        }
        cases.push_back(std::move(c));
    }
    std::sort(cases.begin(), cases.end(), [](const GoldenCase& a, const GoldenCase& b) { return a.name < b.name; });
    REQUIRE(cases.size() == 16);  // one more golden model: one more here, so that none gets lost unseen
    return cases;
}

}  // namespace test
