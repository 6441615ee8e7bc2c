// Structs grow at their end: older programs with shorter ones get the defaults for the rest, newer ones with longer
// ones are understood as far as this library goes, and a forgotten size is an error and no accident.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "tests/support/api_fixture.h"

namespace {

// Init with every size up to and beyond the struct: the first bytes are those of the whole, the size is the caller's,
// and not a byte behind it is touched.
template <typename Params>
void check_init(void (*init)(Params*, uint32_t)) {
    Params whole;
    init(&whole, sizeof whole);
    CHECK(whole.struct_size == sizeof whole);
    for (uint32_t size = 0; size < sizeof(Params) + 64; ++size) {
        CAPTURE(size);
        std::vector<unsigned char> memory(sizeof(Params) + 128, 0xcd);
        init(reinterpret_cast<Params*>(memory.data()), size);
        for (size_t i = size < 4 ? 0 : size; i < memory.size(); ++i) REQUIRE(memory[i] == 0xcd);
        if (size < 4) continue;
        uint32_t written;
        std::memcpy(&written, memory.data(), 4);
        CHECK(written == size);
        const size_t known = std::min<size_t>(size, sizeof(Params));
        CHECK(std::memcmp(memory.data() + 4, reinterpret_cast<unsigned char*>(&whole) + 4, known - 4) == 0);
        for (size_t i = known; i < size; ++i) REQUIRE(memory[i] == 0);
    }
}

// A struct of answers filled with every size.
template <typename Info, typename Get>
void check_info(Get get) {
    Info whole = {};
    whole.struct_size = sizeof whole;
    test::must(get(&whole));
    for (uint32_t size = 0; size < sizeof(Info) + 32; ++size) {
        std::vector<unsigned char> memory(sizeof(Info) + 64, 0xcd);
        std::memcpy(memory.data(), &size, 4);
        Info* info = reinterpret_cast<Info*>(memory.data());
        if (size < 4) {
            CHECK(get(info) == BITNET_E_ARGUMENT);
            continue;
        }
        test::must(get(info));
        CHECK(info->struct_size == size);
        const size_t known = std::min<size_t>(size, sizeof(Info));
        // Times may differ from call to call; all other fields are constant here.
        CHECK(std::memcmp(memory.data() + 4, reinterpret_cast<unsigned char*>(&whole) + 4, known - 4) == 0);
        for (size_t i = known; i < memory.size(); ++i) REQUIRE(memory[i] == 0xcd);
    }
}

}  // namespace

TEST_CASE("params_init writes the defaults into as many bytes as the caller has") {
    check_init(bitnet_model_params_init);
    check_init(bitnet_context_params_init);
    check_init(bitnet_sampler_params_init);
    check_init(bitnet_generation_params_init);
    check_init(bitnet_validation_params_init);
}

TEST_CASE("the inline helpers give what the functions give") {
    bitnet_model_params m;
    bitnet_context_params c;
    bitnet_sampler_params s;
    std::memset(&m, 0, sizeof m);
    std::memset(&c, 0, sizeof c);
    std::memset(&s, 0, sizeof s);
    bitnet_model_params_init(&m, sizeof m);
    bitnet_context_params_init(&c, sizeof c);
    bitnet_sampler_params_init(&s, sizeof s);
    CHECK(m.use_mmap == 1);
    CHECK(m.check_weights == 1);
    CHECK(m.kernel == nullptr);
    CHECK(m.max_bytes == 0);
    CHECK(c.n_ubatch == 512);
    CHECK(c.n_seq_max == 1);
    CHECK(c.n_ctx == 0);
    CHECK(s.temperature == 0.7f);
    CHECK(s.top_k == 50);
    CHECK(s.top_p == 0.9f);
    CHECK(s.penalty_last_n == 64);
    const bitnet_model_params m2 = bitnet_model_default_params();
    const bitnet_context_params c2 = bitnet_context_default_params();
    const bitnet_sampler_params s2 = bitnet_sampler_default_params();
    CHECK(std::memcmp(&m, &m2, sizeof m) == 0);
    CHECK(std::memcmp(&c, &c2, sizeof c) == 0);
    CHECK(std::memcmp(&s, &s2, sizeof s) == 0);
}

TEST_CASE("answers are cut at the caller's size") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const test::ContextHandle context = test::make_context(model);
    check_info<bitnet_model_info>([&](bitnet_model_info* info) { return bitnet_model_get_info(model.get(), info); });
    check_info<bitnet_kernel_info>([&](bitnet_kernel_info* info) { return bitnet_kernel_get_info(0, info); });
    check_info<bitnet_memory_info>(
        [&](bitnet_memory_info* info) { return bitnet_context_get_memory(context.get(), info); });
    check_info<bitnet_metrics>([&](bitnet_metrics* info) { return bitnet_context_get_metrics(context.get(), info); });
    check_info<bitnet_tokenizer_info>([&](bitnet_tokenizer_info* info) {
        return bitnet_tokenizer_get_info(bitnet_model_get_tokenizer(model.get()), info);
    });
    check_info<bitnet_error_info>([&](bitnet_error_info* info) { return bitnet_last_error_get_info(info); });
    check_info<bitnet_memory_breakdown>(
        [&](bitnet_memory_breakdown* info) { return bitnet_model_get_memory_breakdown(model.get(), info); });
    check_info<bitnet_memory_estimate>(
        [&](bitnet_memory_estimate* info) { return bitnet_model_estimate_memory(model.get(), nullptr, info); });
    bitnet_validation_report* report = nullptr;
    test::must(bitnet_model_validate_file(test::golden_model("b158-zero-layer").c_str(), nullptr, &report));
    check_info<bitnet_validation_info>(
        [&](bitnet_validation_info* info) { return bitnet_validation_report_get_info(report, info); });
    check_info<bitnet_validation_finding>(
        [&](bitnet_validation_finding* info) { return bitnet_validation_report_get_finding(report, 0, info); });
    check_info<bitnet_validation_tensor>(
        [&](bitnet_validation_tensor* info) { return bitnet_validation_report_get_tensor(report, 0, info); });
    bitnet_validation_report_free(report);
}

TEST_CASE("parameters of an older program keep the defaults of what it does not know") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    bitnet_context_params params = bitnet_context_default_params();
    params.n_ctx = 20;
    params.n_batch = 3;
    params.n_seq_max = 2;
    bitnet_context* context = nullptr;
    params.struct_size = offsetof(bitnet_context_params, n_seq_max);  // as if n_seq_max came later
    test::must(bitnet_context_create(model.get(), &params, &context));
    CHECK(bitnet_context_get_n_ctx(context) == 20);
    CHECK(bitnet_sequence_get_end(context, 1) == -1);
    bitnet_context_free(context);
    params.struct_size = offsetof(bitnet_context_params, n_seq_max) + sizeof params.n_seq_max;
    test::must(bitnet_context_create(model.get(), &params, &context));
    CHECK(bitnet_sequence_get_end(context, 1) == 0);
    bitnet_context_free(context);
    params.struct_size = sizeof(uint32_t);
    test::must(bitnet_context_create(model.get(), &params, &context));
    CHECK(bitnet_context_get_n_ctx(context) == test::info_of(model).n_ctx_train);
    bitnet_context_free(context);

    bitnet_model_params model_params = bitnet_model_default_params();
    model_params.max_bytes = 1;
    bitnet_model* loaded = nullptr;
    model_params.struct_size = offsetof(bitnet_model_params, max_bytes);
    test::must(bitnet_model_load(test::golden_model("b158-i2s").c_str(), &model_params, &loaded));
    bitnet_model_free(loaded);
    model_params.struct_size = sizeof model_params;
    CHECK(bitnet_model_load(test::golden_model("b158-i2s").c_str(), &model_params, &loaded) == BITNET_E_SECURITY_MODEL_SIZE);

    const test::ContextHandle owner = test::make_context(model);
    const bitnet_token token = 5;
    const bitnet_pos wrong_position = 77;
    bitnet_batch batch = {};
    batch.n_tokens = 1;
    batch.tokens = &token;
    batch.positions = &wrong_position;
    batch.struct_size = offsetof(bitnet_batch, positions);
    test::must(bitnet_context_decode(owner.get(), &batch));
    batch.struct_size = sizeof batch;
    CHECK(bitnet_context_decode(owner.get(), &batch) == BITNET_E_ARGUMENT);
}

TEST_CASE("parameters of a newer program are read as far as they are known") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    struct {
        bitnet_context_params known;
        unsigned char unknown[40];
    } newer;
    std::memset(&newer, 0x5a, sizeof newer);
    newer.known = bitnet_context_default_params();
    newer.known.struct_size = sizeof newer;
    newer.known.n_ctx = 9;
    bitnet_context* context = nullptr;
    test::must(bitnet_context_create(model.get(), &newer.known, &context));
    CHECK(bitnet_context_get_n_ctx(context) == 9);
    bitnet_context_free(context);
}

TEST_CASE("a struct_size of 0 is refused wherever one is read") {
    const test::ModelHandle model = test::load_model(test::golden_model("b158-i2s"));
    const test::ContextHandle owner = test::make_context(model);
    for (const uint32_t size : {0u, 1u, 3u}) {
        CAPTURE(size);
        bitnet_model_params m = bitnet_model_default_params();
        bitnet_context_params c = bitnet_context_default_params();
        bitnet_sampler_params s = bitnet_sampler_default_params();
        bitnet_batch b = {};
        bitnet_reader r = {};
        m.struct_size = c.struct_size = s.struct_size = b.struct_size = r.struct_size = size;
        bitnet_model* out_model = nullptr;
        bitnet_context* out_context = nullptr;
        bitnet_sampler* out_sampler = nullptr;
        CHECK(bitnet_model_load(test::golden_model("b158-i2s").c_str(), &m, &out_model) == BITNET_E_ARGUMENT);
        CHECK(test::last_error().find("struct_size") != std::string::npos);
        CHECK(bitnet_model_load_from_reader(&r, nullptr, &out_model) == BITNET_E_ARGUMENT);
        CHECK(bitnet_context_create(model.get(), &c, &out_context) == BITNET_E_ARGUMENT);
        CHECK(bitnet_sampler_create(&s, &out_sampler) == BITNET_E_ARGUMENT);
        CHECK(bitnet_context_decode(owner.get(), &b) == BITNET_E_ARGUMENT);
        CHECK(test::last_error().find("struct_size") != std::string::npos);
    }
}
