// Receipts through the interface: what a generation wrote is confirmed by any machine's kernels and threads, and whoever
// changed it, or never ran the model, is found out.
#include <doctest/doctest.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/api/generation_fixture.h"
#include "tests/support/temp_dir.h"

namespace {

using test::GenerationHandle;

const std::string kModel = test::golden_model("b158-i2s");
const test::Tokens kPrompt = {1, 5, 9, 2};

GenerationHandle begin(const test::ContextHandle& context, const bitnet_sampler_params& sampler, int32_t n = 12,
                       int32_t receipt = 1) {
    bitnet_generation_params params = bitnet_generation_default_params();
    params.max_new_tokens = n;
    params.sampler = &sampler;
    params.receipt = receipt;
    bitnet_generation* generation = nullptr;
    test::must(
        bitnet_generation_create_from_tokens(context.get(), 0, kPrompt.data(), kPrompt.size(), &params, &generation));
    return GenerationHandle(generation);
}

void finish(const GenerationHandle& generation) {
    bitnet_generation_step step = {};
    step.struct_size = sizeof step;
    do test::must(bitnet_generation_next(generation.get(), &step));
    while (step.finish_reason == BITNET_FINISH_NONE);
}

std::string receipt_of(const GenerationHandle& generation) {
    size_t size = 0;
    REQUIRE(test::name_of(bitnet_generation_get_receipt(generation.get(), nullptr, 0, &size)) ==
            "BITNET_E_BUFFER_TOO_SMALL");
    std::string text(size + 1, '\0');
    test::must(bitnet_generation_get_receipt(generation.get(), text.data(), text.size(), &size));
    text.resize(size);
    return text;
}

bitnet_sampler_params sampler_with(float temperature, uint64_t seed = 7) {
    bitnet_sampler_params params = bitnet_sampler_default_params();
    params.temperature = temperature;
    params.repetition_penalty = 1.2f;
    params.has_seed = 1;
    params.seed = seed;
    return params;
}

std::string receipt_of_run(const test::ModelHandle& model, float temperature = 0.9f) {
    const test::ContextHandle context = test::make_context(model);
    const bitnet_sampler_params sampler = sampler_with(temperature);
    const GenerationHandle generation = begin(context, sampler);
    finish(generation);
    return receipt_of(generation);
}

struct Verdict {
    std::string status;
    bitnet_receipt_report report;
};

Verdict verify(const std::string& text, const test::ModelHandle& model, const bitnet_receipt_params& params) {
    Verdict verdict{};
    verdict.report.struct_size = sizeof verdict.report;
    verdict.status =
        test::name_of(bitnet_receipt_verify(text.data(), text.size(), model.get(), &params, &verdict.report));
    return verdict;
}

bitnet_receipt_params all_positions() {
    bitnet_receipt_params params = bitnet_receipt_default_params();
    params.replay_share = 1;
    return params;
}

std::string failed_check(const std::string& text, const test::ModelHandle& model) {
    const Verdict verdict = verify(text, model, all_positions());
    CHECK(verdict.status == "BITNET_E_VALIDATION");
    CHECK(test::last_error().find("the receipt is refused") == 0);
    return bitnet_receipt_check_name(static_cast<bitnet_receipt_check>(verdict.report.failed_check));
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    const size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

std::string sha256_of(const test::ModelHandle& model) {
    char hex[65];
    size_t size = 0;
    test::must(bitnet_model_get_sha256(model.get(), hex, sizeof hex, &size));
    CHECK(size == 64);
    return hex;
}

}  // namespace

TEST_CASE("a receipt holds on every kernel level and thread count, greedy or drawn, wherever it was made") {
    std::vector<std::string> levels;
    for (size_t i = 0; i < bitnet_kernel_get_count(); ++i) {
        bitnet_kernel_info info = {};
        info.struct_size = sizeof info;
        test::must(bitnet_kernel_get_info(i, &info));
        if (info.runnable != 0) levels.emplace_back(info.level);
    }
    const test::ModelHandle maker = test::load_model(kModel, [](auto& p) { p.kernel = "scalar"; });
    for (const float temperature : {0.0f, 0.9f}) {
        const std::string text = receipt_of_run(maker, temperature);
        for (const std::string& level : levels) {
            const test::ModelHandle model = test::load_model(kModel, [&](auto& p) { p.kernel = level.c_str(); });
            for (const int32_t n_threads : {1, 2, 3}) {
                bitnet_receipt_params params = all_positions();
                params.n_threads = n_threads;
                const Verdict verdict = verify(text, model, params);
                CHECK(verdict.status == "BITNET_OK");
                CHECK(verdict.report.model_matched == 1);
                CHECK(verdict.report.n_positions == 12);
                CHECK(verdict.report.n_replayed == 12);
                CHECK(verdict.report.first_mismatch == -1);
            }
        }
    }
}

TEST_CASE("a share of the positions is computed again, at least one, and none without a model") {
    const test::ModelHandle model = test::load_model(kModel);
    const std::string text = receipt_of_run(model);
    bitnet_receipt_params params = bitnet_receipt_default_params();
    CHECK(verify(text, model, params).report.n_replayed == 1);  // 5 % of 12
    params.replay_share = 0.5;
    CHECK(verify(text, model, params).report.n_replayed == 6);
    params.replay_count = 4;
    CHECK(verify(text, model, params).report.n_replayed == 4);
    params.replay_count = 0;
    CHECK(verify(text, model, params).report.n_replayed == 0);
    const Verdict alone = verify(text, nullptr, params);
    CHECK(alone.status == "BITNET_OK");
    CHECK(alone.report.model_matched == 0);
    CHECK(alone.report.n_positions == 12);
}

TEST_CASE("a receipt whose text was changed is caught without a model, each check by its name") {
    const test::ModelHandle model = test::load_model(kModel);
    const std::string text = receipt_of_run(model);
    CHECK(failed_check(replaced(text, "\"real\"", "\"mock\""), model) == "compute_path");
    CHECK(failed_check(replaced(text, "mul_mat/", "mul_mat/mock_"), model) == "kernels");
    CHECK(failed_check(replaced(text, "\"seed\": 7", "\"seed\": 8"), model) == "digest");
    CHECK(failed_check(replaced(text, "\"chain\"", "\"chains\""), model) == "format");
    CHECK(failed_check(replaced(text, "1.0.0", "2.0.0"), model) == "format");
    CHECK(failed_check(text.substr(0, text.size() / 2), model) == "format");
    CHECK(failed_check("", model) == "format");
}

TEST_CASE("a receipt of another model is refused before anything is computed") {
    const std::string text = receipt_of_run(test::load_model(kModel));
    const test::ModelHandle other = test::load_model(test::golden_model("b158-tq2"));
    CHECK(failed_check(text, other) == "model");
}

TEST_CASE("there is a receipt only where one was asked for and a token was drawn") {
    const test::ModelHandle model = test::load_model(kModel);
    const test::ContextHandle context = test::make_context(model);
    const bitnet_sampler_params sampler = sampler_with(0);
    size_t size = 0;
    const GenerationHandle without = begin(context, sampler, 3, 0);
    finish(without);
    CHECK(test::name_of(bitnet_generation_get_receipt(without.get(), nullptr, 0, &size)) == "BITNET_E_STATE");
    const GenerationHandle early = begin(context, sampler);
    CHECK(test::name_of(bitnet_generation_get_receipt(early.get(), nullptr, 0, &size)) == "BITNET_E_STATE");
    finish(early);
    CHECK(verify(receipt_of(early), model, all_positions()).status == "BITNET_OK");
}

TEST_CASE("a receipt of a text that reuses what its sequence holds is confirmed from nothing") {
    const test::ModelHandle model = test::load_model(kModel);
    const test::ContextHandle context = test::make_context(model);
    const bitnet_sampler_params sampler = sampler_with(0.8f);
    finish(begin(context, sampler));
    const GenerationHandle again = begin(context, sampler);
    finish(again);
    const std::string text = receipt_of(again);
    CHECK(text.find("\"reused_tokens\":0") == std::string::npos);
    CHECK(verify(text, model, all_positions()).status == "BITNET_OK");
}

TEST_CASE("the hash of a model is that of its bytes, whatever they came from") {
    std::ifstream file(kModel, std::ios::binary);
    const std::vector<uint8_t> bytes{std::istreambuf_iterator<char>(file), {}};
    const std::string hash = sha256_of(test::load_model(kModel));
    CHECK(hash == sha256_of(test::load_model(bytes)));
    CHECK(hash == sha256_of(test::load_model(kModel, [](auto& p) { p.use_mmap = 0; })));
    CHECK(hash == sha256_of(test::load_model(kModel, [](auto& p) { p.sha256 = 1; })));

    struct Source {
        static int32_t read(void* self, uint64_t offset, void* dst, uint64_t n) {
            std::memcpy(dst, static_cast<const std::vector<uint8_t>*>(self)->data() + offset, n);
            return 0;
        }
    };
    std::vector<uint8_t> copy = bytes;
    bitnet_reader reader = {};
    reader.struct_size = sizeof reader;
    reader.size = copy.size();
    reader.read = Source::read;
    reader.user_data = &copy;
    for (const int32_t early : {0, 1}) {
        bitnet_model_params params = bitnet_model_default_params();
        params.sha256 = early;
        bitnet_model* raw = nullptr;
        test::must(bitnet_model_load_from_reader(&reader, &params, &raw));
        const test::ModelHandle model(raw);
        if (early == 1) {
            CHECK(sha256_of(model) == hash);
        } else {
            char hex[65];
            CHECK(test::name_of(bitnet_model_get_sha256(raw, hex, sizeof hex, nullptr)) == "BITNET_E_STATE");
        }
    }
}

TEST_CASE("a replay is stopped by its caller, bounded in length, and its parameters are checked") {
    const test::ModelHandle model = test::load_model(kModel);
    const std::string text = receipt_of_run(model);
    bitnet_receipt_params params = all_positions();
    params.should_abort = [](void*) -> int32_t { return 1; };
    CHECK(verify(text, model, params).status == "BITNET_E_CANCELLED");
    params = all_positions();
    params.max_tokens = 8;
    CHECK(verify(text, model, params).status == "BITNET_E_LIMIT");
    const auto refused = [&](auto change) {
        bitnet_receipt_params wrong = all_positions();
        change(wrong);
        return verify(text, model, wrong).status;
    };
    CHECK(refused([](auto& p) { p.replay_share = 1.1; }) == "BITNET_E_CONFIG");
    CHECK(refused([](auto& p) { p.replay_share = -std::numeric_limits<double>::quiet_NaN(); }) == "BITNET_E_CONFIG");
    CHECK(refused([](auto& p) { p.replay_count = -2; }) == "BITNET_E_CONFIG");
    CHECK(refused([](auto& p) { p.n_threads = -1; }) == "BITNET_E_CONFIG");
    CHECK(refused([](auto& p) { p.max_tokens = -1; }) == "BITNET_E_CONFIG");
    const test::ModelHandle words = test::load_model(kModel, [](auto& p) { p.vocab_only = 1; });
    CHECK(verify(text, words, all_positions()).status == "BITNET_E_STATE");
    CHECK(test::name_of(bitnet_receipt_verify(nullptr, 1, nullptr, nullptr, nullptr)) == "BITNET_E_ARGUMENT");
}

TEST_CASE("a receipt is written whole, and one that is none is not written") {
    const test::TempDir dir;
    const std::string path = dir.file("receipt.json");
    const std::string text = receipt_of_run(test::load_model(kModel));
    test::must(bitnet_receipt_write(text.data(), text.size(), path.c_str()));
    std::ifstream file(path, std::ios::binary);
    CHECK(std::string{std::istreambuf_iterator<char>(file), {}} == text);
    CHECK(test::name_of(bitnet_receipt_write("{}", 2, path.c_str())) == "BITNET_E_VALIDATION");
    CHECK(test::name_of(bitnet_receipt_write(text.data(), text.size(), dir.file("no/such/folder.json").c_str())) ==
          "BITNET_E_IO");
    std::ifstream still(path, std::ios::binary);
    CHECK(std::string{std::istreambuf_iterator<char>(still), {}} == text);
}
