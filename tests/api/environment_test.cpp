// Environment variables are read once per process, so each setting is looked at by a child process: this program again,
// running one of the skipped test cases below, which print what they saw.
#include <doctest/doctest.h>

#include <climits>
#include <cstdio>
#include <string>
#include <vector>

#include <unistd.h>

#include "tests/support/api_fixture.h"
#include "tests/support/model_edit.h"

namespace {

// What the test case prints behind "SEEN " when it runs with these variables; they begin with the setting under test.
std::string seen_by_child(const std::string& variables, const std::string& test_case) {
    char path[PATH_MAX] = {};
    REQUIRE(::readlink("/proc/self/exe", path, sizeof path - 1) > 0);
    const std::string command = "env -u BITNET_KERNEL -u BITNET_NUM_THREADS -u RAYON_NUM_THREADS " + variables + " '" + path +
                                "' --no-skip --test-case='" + test_case + "'";
    FILE* pipe = ::popen(command.c_str(), "r");
    REQUIRE(pipe != nullptr);
    std::string output;
    for (int c; (c = std::fgetc(pipe)) != EOF;) output += static_cast<char>(c);
    const int status = ::pclose(pipe);
    INFO(output);
    REQUIRE(status == 0);
    const size_t begin = output.find("SEEN ");
    REQUIRE(begin != std::string::npos);
    return output.substr(begin + 5, output.find('\n', begin) - begin - 5);
}

void tell(const std::string& text) { std::printf("SEEN %s\n", text.c_str()); }

std::string kernel_of(const char* parameter) {
    const bitnet_model_params params = test::model_params([&](bitnet_model_params& p) { p.kernel = parameter; });
    bitnet_model* model = nullptr;
    const bitnet_status status = bitnet_model_load(test::golden_model("b158-i2s").c_str(), &params, &model);
    if (status != BITNET_OK) return test::name_of(status) + " " + test::last_error();
    const test::ModelHandle owner(model);
    return test::info_of(owner).kernel;
}

}  // namespace

TEST_CASE("child: kernel by default" * doctest::skip()) { tell(kernel_of(nullptr)); }

TEST_CASE("child: kernel by parameter" * doctest::skip()) { tell(kernel_of("scalar")); }

TEST_CASE("child: kernel marked as selected" * doctest::skip()) {
    for (size_t i = 0; i < bitnet_kernel_get_count(); ++i) {
        bitnet_kernel_info info = {};
        info.struct_size = sizeof info;
        test::must(bitnet_kernel_get_info(i, &info));
        if (info.selected != 0 && std::string(info.type) == "i2_s") tell(info.name);
    }
}

TEST_CASE("child: threads of a context" * doctest::skip()) {
    const test::ModelHandle model =
        test::load_model(test::golden_model("b158-i2s"), [](bitnet_model_params& p) { p.n_threads = 1; });
    bitnet_context* context = nullptr;
    const bitnet_status status = bitnet_context_create(model.get(), nullptr, &context);
    tell(status == BITNET_OK ? std::to_string(bitnet_context_get_n_threads(context))
                             : test::name_of(status) + " " + test::last_error());
    bitnet_context_free(context);
}

TEST_CASE("child: threads asked for by parameter" * doctest::skip()) {
    const test::ModelHandle model =
        test::load_model(test::golden_model("b158-i2s"), [](bitnet_model_params& p) { p.n_threads = 1; });
    const test::ContextHandle context = test::make_context(model, [](bitnet_context_params& p) { p.n_threads = 1; });
    tell(std::to_string(bitnet_context_get_n_threads(context.get())));
}

// A batch of 5 tokens at once: the status says whether the context takes it.
TEST_CASE("child: a batch of five" * doctest::skip()) {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    bitnet_context* context = nullptr;
    bitnet_status status = bitnet_context_create(model.get(), nullptr, &context);
    const bitnet_token tokens[5] = {1, 2, 3, 4, 5};
    if (status == BITNET_OK) status = bitnet_context_decode_tokens(context, 0, tokens, 5);
    tell(test::name_of(status) + " " + (status == BITNET_OK ? "" : test::last_error()));
    bitnet_context_free(context);
}

TEST_CASE("child: a model without a tokenizer" * doctest::skip()) {
    test::ModelEdit file = test::ModelEdit::open(test::golden_model("b158-i2s"));
    file.set_string("tokenizer.ggml.model", "t5");
    const std::vector<uint8_t> bytes = file.bytes();
    bitnet_model* model = nullptr;
    const bitnet_status status = bitnet_model_load_from_memory(bytes.data(), bytes.size(), nullptr, &model);
    tell(test::name_of(status) + " " + (status == BITNET_OK ? "" : test::last_error()));
    bitnet_model_free(model);
}

TEST_CASE("child: seed of a sampler" * doctest::skip()) {
    bitnet_sampler* sampler = nullptr;
    const bitnet_status status = bitnet_sampler_create(nullptr, &sampler);
    tell(status == BITNET_OK ? std::to_string(bitnet_sampler_get_seed(sampler)) : test::name_of(status));
    bitnet_sampler_free(sampler);
}

TEST_CASE("child: the whole environment" * doctest::skip()) {
    bitnet_environment_info info = {};
    info.struct_size = sizeof info;
    const bitnet_status status = bitnet_environment_get_info(&info);
    if (status != BITNET_OK) {
        tell(test::name_of(status) + " " + test::last_error());
        return;
    }
    tell(std::string(info.kernel) + " " + std::to_string(info.n_threads) + " " + std::to_string(info.batch_size) + " " +
         std::to_string(info.memory_limit) + " " + std::to_string(info.deterministic) + " " + std::to_string(info.has_seed) +
         " " + std::to_string(info.seed) + " " + std::to_string(info.strict_tokenizers) + " " + std::to_string(info.offline));
}

TEST_CASE("BITNET_KERNEL chooses the level where the parameter is NULL, and a parameter wins over it") {
    const std::string best = seen_by_child("BITNET_KERNEL=", "child: kernel by default");
    CHECK(best.substr(0, 4) == "i2s_");
    CHECK(seen_by_child("BITNET_KERNEL=scalar", "child: kernel by default") == "i2s_scalar");
    CHECK(seen_by_child("BITNET_KERNEL=i2s_scalar", "child: kernel by default") == "i2s_scalar");
    CHECK(seen_by_child("BITNET_KERNEL=" + best, "child: kernel by parameter") == "i2s_scalar");
    CHECK(seen_by_child("BITNET_KERNEL=nonsense", "child: kernel by parameter") == "i2s_scalar");
    CHECK(seen_by_child("BITNET_KERNEL=scalar", "child: kernel marked as selected") == "i2s_scalar");
    CHECK(seen_by_child("BITNET_KERNEL=nonsense", "child: kernel marked as selected") == best);
    for (const std::string& level : test::runnable_levels()) {
        CHECK(seen_by_child("BITNET_KERNEL=" + level, "child: kernel by default").substr(0, 4) == "i2s_");
    }
    const std::string refused = seen_by_child("BITNET_KERNEL=nonsense", "child: kernel by default");
    CHECK(refused.find("BITNET_E_CONFIG") == 0);
    CHECK(refused.find("'nonsense'") != std::string::npos);
    CHECK(refused.find("scalar") != std::string::npos);
}

TEST_CASE("BITNET_NUM_THREADS counts where the parameter is 0, and nonsense in it is an error with its name") {
    CHECK(seen_by_child("BITNET_NUM_THREADS=1", "child: threads of a context") == "1");
    CHECK(seen_by_child("BITNET_NUM_THREADS=1024", "child: threads of a context") ==
          std::to_string(bitnet_cpu_get_thread_limit()));
    CHECK(seen_by_child("BITNET_NUM_THREADS=", "child: threads of a context") ==
          std::to_string(bitnet_cpu_get_thread_limit()));
    for (const char* bad : {"0", "-1", "1025", "two", "2x", "' 2'", "99999999999"}) {
        CAPTURE(std::string(bad));
        const std::string refused =
            seen_by_child(std::string("BITNET_NUM_THREADS=") + bad, "child: threads of a context");
        CHECK(refused.find("BITNET_E_CONFIG") == 0);
        CHECK(refused.find("BITNET_NUM_THREADS") != std::string::npos);
        CHECK(seen_by_child(std::string("BITNET_NUM_THREADS=") + bad, "child: threads asked for by parameter") == "1");
    }
}

TEST_CASE("RAYON_NUM_THREADS stands in for BITNET_NUM_THREADS") {
    CHECK(seen_by_child("RAYON_NUM_THREADS=1", "child: threads of a context") == "1");
    CHECK(seen_by_child("RAYON_NUM_THREADS=many BITNET_NUM_THREADS=1", "child: threads of a context") == "1");
    CHECK(seen_by_child("RAYON_NUM_THREADS=many", "child: threads of a context").find("BITNET_E_CONFIG RAYON_NUM") == 0);
}

TEST_CASE("BITNET_BATCH_SIZE bounds the batch of a context that does not say its own") {
    CHECK(seen_by_child("BITNET_BATCH_SIZE=5", "child: a batch of five") == "BITNET_OK ");
    CHECK(seen_by_child("BITNET_BATCH_SIZE=4", "child: a batch of five").find("BITNET_E_ARGUMENT") == 0);
    CHECK(seen_by_child("BITNET_BATCH_SIZE=1000000", "child: a batch of five") == "BITNET_OK ");
    CHECK(seen_by_child("BITNET_BATCH_SIZE=x", "child: a batch of five").find("BITNET_E_CONFIG BITNET_BATCH_SIZE") == 0);
}

TEST_CASE("BITNET_STRICT_TOKENIZERS refuses a model whose tokenizer cannot be used") {
    CHECK(seen_by_child("BITNET_STRICT_TOKENIZERS=0", "child: a model without a tokenizer") == "BITNET_OK ");
    const std::string refused = seen_by_child("BITNET_STRICT_TOKENIZERS=1", "child: a model without a tokenizer");
    CHECK(refused.find("BITNET_E_TOKENIZER") == 0);
    CHECK(refused.find("BITNET_STRICT_TOKENIZERS") != std::string::npos);
}

TEST_CASE("BITNET_SEED and BITNET_DETERMINISTIC give samplers without a seed theirs") {
    CHECK(seen_by_child("BITNET_SEED=18446744073709551615", "child: seed of a sampler") == "18446744073709551615");
    CHECK(seen_by_child("BITNET_DETERMINISTIC=1", "child: seed of a sampler") == "42");
    CHECK(seen_by_child("BITNET_DETERMINISTIC=1 BITNET_SEED=7", "child: seed of a sampler") == "7");
    CHECK(seen_by_child("BITNET_SEED=seven", "child: seed of a sampler") == "BITNET_E_CONFIG");
}

TEST_CASE("the environment can be asked for as a whole, and its first bad value is named") {
    CHECK(seen_by_child("BITNET_NUM_THREADS=2 BITNET_BATCH_SIZE=64 BITNET_MEMORY_LIMIT=2GB BITNET_DETERMINISTIC=1 BITNET_SEED=5 "
                        "BITNET_STRICT_TOKENIZERS=1 BITNET_OFFLINE=1 BITNET_KERNEL=scalar",
                        "child: the whole environment") == "scalar 2 64 2147483648 1 1 5 1 1");
    CHECK(seen_by_child("BITNET_OFFLINE=", "child: the whole environment") == " 0 0 0 0 0 0 0 0");
    CHECK(seen_by_child("BITNET_OFFLINE=maybe", "child: the whole environment").find("BITNET_E_CONFIG BITNET_OFFLINE") == 0);
    CHECK(seen_by_child("BITNET_MEMORY_LIMIT=much", "child: the whole environment").find("BITNET_E_CONFIG BITNET_MEM") == 0);
}

TEST_CASE("child: contexts until one is refused" * doctest::skip()) {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    bitnet_context_params params = bitnet_context_default_params();
    params.n_ctx = 4096;
    bitnet_memory_estimate estimate = {};
    estimate.struct_size = sizeof estimate;
    test::must(bitnet_model_estimate_memory(model.get(), &params, &estimate));
    std::vector<test::ContextHandle> contexts;
    bitnet_context* context = nullptr;
    bitnet_status status = BITNET_OK;
    while (contexts.size() < 100 && (status = bitnet_context_create(model.get(), &params, &context)) == BITNET_OK) {
        contexts.emplace_back(context);
    }
    const uint64_t used = bitnet_memory_get_used(), limit = uint64_t{16} << 20;
    const uint64_t weights = estimate.weights_mapped_bytes + estimate.weights_owned_bytes;
    const uint64_t each = estimate.kv_bytes + estimate.scratch_bytes;
    const bool exact = contexts.size() == (limit - weights) / each && used == weights + contexts.size() * each;
    const std::string message = status == BITNET_OK ? "" : test::last_error();
    // A limit of its own wins over the environment; what is freed can be had again.
    params.max_bytes = each;
    const bool own = bitnet_context_create(model.get(), &params, &context) == BITNET_OK;
    bitnet_context_free(context);
    params.max_bytes = 0;
    contexts.pop_back();
    const bool again = bitnet_context_create(model.get(), &params, &context) == BITNET_OK;
    bitnet_context_free(context);
    tell(test::name_of(status) + (exact ? " exact" : " inexact") + (own ? " own" : "") + (again ? " again " : " ") + message);
}

TEST_CASE("BITNET_MEMORY_LIMIT holds for all models and contexts of the process together, and refuses beforehand") {
    const std::string seen = seen_by_child("BITNET_MEMORY_LIMIT=16MB", "child: contexts until one is refused");
    CHECK(seen.find("BITNET_E_SECURITY_MEMORY exact own again ") == 0);
    CHECK(seen.find("16777216") != std::string::npos);
    CHECK(seen.find("n_ctx") != std::string::npos);
}

TEST_CASE("BITNET_MEMORY_LIMIT refuses a model with more weights") {
    CHECK(seen_by_child("BITNET_MEMORY_LIMIT=1GB", "child: kernel by default").substr(0, 4) == "i2s_");
    CHECK(seen_by_child("BITNET_MEMORY_LIMIT=1KB", "child: kernel by default").find("BITNET_E_SECURITY_MEMORY") == 0);
    CHECK(seen_by_child("BITNET_MEMORY_LIMIT=x", "child: kernel by default").find("BITNET_E_CONFIG BITNET_MEMORY_LIMIT") == 0);
}
