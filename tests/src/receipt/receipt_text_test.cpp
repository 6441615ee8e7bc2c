// What a receipt's text may hold: sampler parameters survive to the last bit, hostile JSON is refused before it costs
// anything, and the positions of a replay are distinct and spread.
#include <doctest/doctest.h>

#include <limits>
#include <set>
#include <string>

#include "src/receipt/receipt_error.h"
#include "src/receipt/receipt_json.h"
#include "src/receipt/receipt_replay.h"
#include "src/receipt/receipt_text.h"

using namespace bitnet;

namespace {

std::string problem_of(const std::string& text) {
    try {
        read_receipt_text(text);
    } catch (const ReceiptError& error) {
        CHECK(error.status() == BITNET_E_VALIDATION);
        return std::string(bitnet_receipt_check_name(error.check())) + ": " + error.message();
    }
    return "";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

ReceiptFacts facts_of(const RunRecord& record, const std::vector<bitnet_token>& prompt, SamplerConfig sampler) {
    return {record,
            prompt,
            std::move(sampler),
            {"a \xff name", "arch", "i2_s", std::string(64, '0')},
            "1",
            "build \"info\"",
            "cpu",
            "length",
            1000,
            2000,
            3000,
            1};
}

RunRecord record_of(std::vector<bitnet_token> drawn) {
    RunRecord record;
    record.n_threads = 2;
    for (const bitnet_token token : drawn) record.logits.push_back(sha256_of(std::to_string(token)));
    record.drawn = std::move(drawn);
    tg::GraphTrace trace;
    trace.rows.resize(1);
    trace.rows[0].op = "add";
    trace.rows[0].kernel = "vec_scalar";
    trace.rows[0].rows = 1;
    record.kernels.add(trace);
    return record;
}

}  // namespace

TEST_CASE("a receipt that was written is read back: tokens, seed, sampler and chain") {
    const RunRecord record = record_of({5, 0, 2147483647});
    SamplerConfig sampler;
    sampler.temperature = 0.1f;
    sampler.top_p = 0.3333333f;
    sampler.min_p = 1e-7f;
    sampler.typical_p = 0.99999994f;
    sampler.repetition_penalty = 1.0000001f;
    sampler.frequency_penalty = -1.5f;
    sampler.penalty_last_n = -1;
    sampler.top_k = 3;
    sampler.logit_bias = {{4, 0.7f}, {9, -std::numeric_limits<float>::infinity()}};
    sampler.seed = std::numeric_limits<uint64_t>::max();
    sampler.xtc_probability = 0.3f;
    sampler.xtc_threshold = 0.15f;
    sampler.dry = {0.8f, 1.1f, 3, 77, {5, 0}};
    sampler.dynatemp_range = 0.2f;
    sampler.dynatemp_exponent = 1.7f;
    sampler.top_n_sigma = 1.3f;
    sampler.mirostat = {2, 4.9f, 0.11f};
    const std::string text = write_receipt_text(facts_of(record, {1, 2}, sampler));
    const Receipt receipt = read_receipt_text(text);
    CHECK(receipt.prompt == std::vector<bitnet_token>{1, 2});
    CHECK(receipt.generated == record.drawn);
    CHECK(receipt.kernels == std::vector<std::string>{"add/vec_scalar"});
    CHECK(receipt.sampler.seed == sampler.seed);
    CHECK(receipt.sampler.temperature == sampler.temperature);
    CHECK(receipt.sampler.top_p == sampler.top_p);
    CHECK(receipt.sampler.min_p == sampler.min_p);
    CHECK(receipt.sampler.typical_p == sampler.typical_p);
    CHECK(receipt.sampler.repetition_penalty == sampler.repetition_penalty);
    CHECK(receipt.sampler.frequency_penalty == sampler.frequency_penalty);
    CHECK(receipt.sampler.penalty_last_n == -1);
    CHECK(receipt.sampler.top_k == 3);
    REQUIRE(receipt.sampler.logit_bias.size() == 2);
    CHECK(receipt.sampler.logit_bias[0].bias == 0.7f);
    CHECK(receipt.sampler.logit_bias[1].bias == -std::numeric_limits<float>::infinity());
    CHECK(receipt.sampler.xtc_probability == 0.3f);
    CHECK(receipt.sampler.xtc_threshold == 0.15f);
    CHECK(receipt.sampler.dry.multiplier == 0.8f);
    CHECK(receipt.sampler.dry.base == 1.1f);
    CHECK(receipt.sampler.dry.allowed_length == 3);
    CHECK(receipt.sampler.dry.last_n == 77);
    CHECK(receipt.sampler.dry.breakers == std::vector<bitnet_token>{5, 0});
    CHECK(receipt.sampler.dynatemp_range == 0.2f);
    CHECK(receipt.sampler.dynatemp_exponent == 1.7f);
    CHECK(receipt.sampler.top_n_sigma == 1.3f);
    CHECK(receipt.sampler.mirostat.algorithm == 2);
    CHECK(receipt.sampler.mirostat.tau == 4.9f);
    CHECK(receipt.sampler.mirostat.eta == 0.11f);
    CHECK(receipt.chain.size() == 3);
    CHECK(receipt.chain[0] == chain_link(receipt.statement, receipt.statement, 5, sha256_of("5")));
}

TEST_CASE("a receipt names the parameters of later steps only where they are not at their defaults") {
    const RunRecord record = record_of({5});
    const std::string before = write_receipt_text(facts_of(record, {1}, {}));
    for (const char* name : {"xtc", "dry", "dynatemp", "top_n_sigma", "mirostat"}) CHECK(before.find(name) == std::string::npos);
    CHECK(read_receipt_text(before).sampler.dry.last_n == SamplerConfig().dry.last_n);
    SamplerConfig sampler;
    sampler.mirostat.algorithm = 2;
    const std::string text = write_receipt_text(facts_of(record, {1}, sampler));
    CHECK(text.find("\"mirostat\"") != std::string::npos);
    CHECK(text.find("mirostat_tau") == std::string::npos);
    CHECK(read_receipt_text(text).sampler.mirostat.algorithm == 2);
}

TEST_CASE("every byte of a receipt counts: no changed one is taken for the original") {
    const RunRecord record = record_of({7, 8});
    const std::string text = write_receipt_text(facts_of(record, {1}, {}));
    const Receipt original = read_receipt_text(text);
    for (size_t i = 0; i < text.size(); ++i) {
        for (const int bit : {0, 1, 5, 7}) {
            std::string changed = text;
            changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
            try {
                // White space between values may change; what was said may not.
                const Receipt read = read_receipt_text(changed);
                CHECK(read.statement == original.statement);
            } catch (const ReceiptError&) {
            }
        }
    }
}

TEST_CASE("hostile JSON is refused with what is wrong, whatever its size and depth") {
    CHECK(contains(problem_of(""), "format: "));
    CHECK(contains(problem_of("[]"), "not a JSON object"));
    CHECK(contains(problem_of("{}"), "'schema_version' is missing"));
    CHECK(contains(problem_of(R"({"schema_version": 1})"), "'schema_version' is not a text"));
    CHECK(contains(problem_of(R"({"schema_version": "9.0.0"})"), "schema version is '9.0.0'"));
    CHECK(contains(problem_of(R"({"a": 1, "a": 2})"), "the key 'a' is there twice"));
    CHECK(contains(problem_of("{\"a\": " + std::string(100000, '[')), "nested more than 16 deep"));
    std::string many = "{\"a\": [0";
    for (int i = 0; i < (1 << 20); ++i) many += ",0";
    CHECK(contains(problem_of(many + "]}"), "more than 1048576 values"));
    CHECK_THROWS_WITH_AS(read_receipt_text(std::string(kMaxReceiptBytes + 1, ' ')),
                         doctest::Contains("at most 16777216 are read"), Error);
    const std::string start = R"({"schema_version": "1.0.0", "compute_path": )";
    CHECK(contains(problem_of(start + R"("mock"})"), "compute_path: "));
    CHECK(contains(problem_of(start + R"("real", "kernels": []})"), "kernels: "));
    CHECK(contains(problem_of(start + R"("real", "kernels": ["mul_mat/MoCk_i2s"]})"), "is a mock"));
    CHECK(contains(problem_of(start + R"("real", "kernels": ["/x"]})"), "not of the form op/kernel"));
    CHECK(contains(problem_of(start + R"("real", "kernels": [1]})"), "not a text"));
}

TEST_CASE("the positions of a replay are distinct, rising, as many as asked for and other ones for other seeds") {
    std::set<std::vector<size_t>> seen;
    for (uint64_t seed = 0; seed < 50; ++seed) {
        const std::vector<size_t> positions = choose_positions(1000, 10, seed);
        REQUIRE(positions.size() == 10);
        for (size_t i = 0; i < positions.size(); ++i) {
            CHECK(positions[i] < 1000);
            if (i > 0) CHECK(positions[i] > positions[i - 1]);
        }
        seen.insert(positions);
    }
    CHECK(seen.size() == 50);
    CHECK(choose_positions(3, 10, 1) == std::vector<size_t>{0, 1, 2});
    CHECK(choose_positions(3, 0, 1).empty());
    CHECK(choose_positions(0, 5, 1).empty());
    // Each position comes up: 2000 draws of one in eight.
    std::vector<int> hits(8);
    for (uint64_t seed = 0; seed < 2000; ++seed) ++hits[choose_positions(8, 1, seed)[0]];
    for (const int n : hits) CHECK(n > 150);
}
