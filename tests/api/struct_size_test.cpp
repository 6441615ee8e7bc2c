// Structs grow at their end: older programs with shorter ones get the defaults for the rest, newer ones with longer
// ones are understood as far as this library goes, and a forgotten size is an error and no accident.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "tests/support/adapter_file.h"
#include "tests/support/api_fixture.h"
#include "tests/support/temp_dir.h"

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

// Every struct whose size the caller tells, with the size of its first version (bytes on 64-bit systems). A size stands for
// programs that exist: it never changes. tests/rules/struct_layout.py finds a struct without a row.
struct StructRow {
    const char* name;
    size_t first_size;
    size_t size;
};
#define STRUCT_ROW(name, first_size)                                                                                   \
    { #name, first_size, sizeof(name) }
const StructRow kStructs[] = {
    STRUCT_ROW(bitnet_adapter_info, 56),
    STRUCT_ROW(bitnet_allocator, 32),
    STRUCT_ROW(bitnet_batch, 40),
    STRUCT_ROW(bitnet_context_params, 48),
    STRUCT_ROW(bitnet_conv2d_params, 64),
    STRUCT_ROW(bitnet_convert_info, 96),
    STRUCT_ROW(bitnet_convert_params, 72),
    STRUCT_ROW(bitnet_converted_tensor, 112),
    STRUCT_ROW(bitnet_cuda_info, 240),
    STRUCT_ROW(bitnet_cuda_launch_parameters, 64),
    STRUCT_ROW(bitnet_cuda_memory_stats, 40),
    STRUCT_ROW(bitnet_cuda_performance_stats, 64),
    STRUCT_ROW(bitnet_cuda_work, 56),
    STRUCT_ROW(bitnet_device_info, 72),
    STRUCT_ROW(bitnet_device_memory, 40),
    STRUCT_ROW(bitnet_device_stats, 152),
    STRUCT_ROW(bitnet_environment_info, 56),
    STRUCT_ROW(bitnet_error_info, 48),
    STRUCT_ROW(bitnet_file_info, 48),
    STRUCT_ROW(bitnet_file_tensor, 88),
    STRUCT_ROW(bitnet_forward_input, 48),
    STRUCT_ROW(bitnet_generation_params, 48),
    STRUCT_ROW(bitnet_generation_result, 168),
    STRUCT_ROW(bitnet_generation_step, 64),
    STRUCT_ROW(bitnet_kernel_info, 48),
    STRUCT_ROW(bitnet_kernel_run, 80),
    STRUCT_ROW(bitnet_kernel_timing, 40),
    STRUCT_ROW(bitnet_limits_params, 48),
    STRUCT_ROW(bitnet_machine_limits, 56),
    STRUCT_ROW(bitnet_memory_breakdown, 64),
    STRUCT_ROW(bitnet_memory_estimate, 168),
    STRUCT_ROW(bitnet_memory_info, 48),
    STRUCT_ROW(bitnet_merge_info, 88),
    STRUCT_ROW(bitnet_merge_params, 40),
    STRUCT_ROW(bitnet_merged_tensor, 80),
    STRUCT_ROW(bitnet_metrics, 56),
    STRUCT_ROW(bitnet_model_config, 80),
    STRUCT_ROW(bitnet_model_info, 112),
    STRUCT_ROW(bitnet_model_params, 56),
    STRUCT_ROW(bitnet_node_value, 64),
    STRUCT_ROW(bitnet_pass_shape, 16),
    STRUCT_ROW(bitnet_pass_work, 56),
    STRUCT_ROW(bitnet_performance_metrics, 128),
    STRUCT_ROW(bitnet_quantization_info, 80),
    STRUCT_ROW(bitnet_quantize_accuracy, 56),
    STRUCT_ROW(bitnet_quantize_config, 24),
    STRUCT_ROW(bitnet_quantizer_params, 48),
    STRUCT_ROW(bitnet_quantizer_stats, 728),
    STRUCT_ROW(bitnet_reader, 32),
    STRUCT_ROW(bitnet_receipt_params, 56),
    STRUCT_ROW(bitnet_receipt_report, 40),
    STRUCT_ROW(bitnet_sampler_params, 72),
    STRUCT_ROW(bitnet_synthetic_params, 48),
    STRUCT_ROW(bitnet_synthetic_shape, 72),
    STRUCT_ROW(bitnet_tensor_info, 88),
    STRUCT_ROW(bitnet_tokenizer_discovery_info, 88),
    STRUCT_ROW(bitnet_tokenizer_discovery_params, 40),
    STRUCT_ROW(bitnet_tokenizer_info, 64),
    STRUCT_ROW(bitnet_tokenizer_source, 48),
    STRUCT_ROW(bitnet_type_usage, 48),
    STRUCT_ROW(bitnet_validation_finding, 64),
    STRUCT_ROW(bitnet_validation_info, 104),
    STRUCT_ROW(bitnet_validation_params, 40),
    STRUCT_ROW(bitnet_validation_tensor, 80),
};

// The first size of Struct: what the oldest program tells.
uint32_t first_size_of(const char* name) {
    for (const StructRow& row : kStructs) {
        if (std::strcmp(row.name, name) == 0) return static_cast<uint32_t>(row.first_size);
    }
    FAIL("no row for ", name);
    return 0;
}
#define FIRST_SIZE(name) first_size_of(#name)

}  // namespace

TEST_CASE("no struct is shorter than its first version") {
    for (const StructRow& row : kStructs) {
        CAPTURE(row.name);
        CHECK(row.size >= row.first_size);
        CHECK(row.size % 8 == 0);
    }
}

TEST_CASE("a program that tells the first size of every struct works") {
    bitnet_model_params model_params = bitnet_model_default_params();
    model_params.max_tensors = 1;  // younger than the program: what lies there is not read
    model_params.struct_size = FIRST_SIZE(bitnet_model_params);
    bitnet_model* model = nullptr;
    test::must(bitnet_model_load(test::golden_model("b158-i2s").c_str(), &model_params, &model));
    const test::ModelHandle owner(model);

    const std::vector<uint8_t> bytes = test::read_file(test::golden_model("b158-i2s"));
    bitnet_reader reader = {};
    reader.struct_size = FIRST_SIZE(bitnet_reader);
    reader.size = bytes.size();
    reader.read = [](void* user_data, uint64_t offset, void* dst, uint64_t n_bytes) -> int32_t {
        std::memcpy(dst, static_cast<const uint8_t*>(user_data) + offset, n_bytes);
        return 0;
    };
    reader.user_data = const_cast<uint8_t*>(bytes.data());
    bitnet_model* read = nullptr;
    test::must(bitnet_model_load_from_reader(&reader, &model_params, &read));
    bitnet_model_free(read);

    bitnet_context_params context_params = bitnet_context_default_params();
    context_params.struct_size = FIRST_SIZE(bitnet_context_params);
    bitnet_context* context = nullptr;
    test::must(bitnet_context_create(model, &context_params, &context));
    const test::ContextHandle context_owner(context);
    const bitnet_token token = 5;
    bitnet_batch batch = {};
    batch.struct_size = FIRST_SIZE(bitnet_batch);
    batch.n_tokens = 1;
    batch.tokens = &token;
    test::must(bitnet_context_decode(context, &batch));

    bitnet_sampler_params sampler_params = bitnet_sampler_default_params();
    sampler_params.struct_size = FIRST_SIZE(bitnet_sampler_params);
    sampler_params.temperature = 0;
    bitnet_sampler* sampler = nullptr;
    test::must(bitnet_sampler_create(&sampler_params, &sampler));
    bitnet_token next = -1;
    test::must(bitnet_sampler_sample_context(sampler, context, -1, &next));
    bitnet_sampler_free(sampler);

    bitnet_generation_params params = bitnet_generation_default_params();
    params.struct_size = FIRST_SIZE(bitnet_generation_params);
    params.sampler = &sampler_params;
    params.max_new_tokens = 2;
    const test::Tokens prompt = {token};
    bitnet_generation* generation = nullptr;
    test::must(bitnet_generation_create_from_tokens(context, 0, prompt.data(), prompt.size(), &params, &generation));
    // Answers are filled up to the first size and not a byte further.
    const auto filled = [](uint32_t size, auto get) {
        std::vector<unsigned char> memory(size + 64, 0xcd);
        std::memcpy(memory.data(), &size, sizeof size);
        test::must(get(memory.data()));
        for (size_t i = size; i < memory.size(); ++i) REQUIRE(memory[i] == 0xcd);
        return memory;
    };
#define FILLED(type, call)                                                                                             \
    filled(FIRST_SIZE(type), [&](void* p) {                                                                            \
        auto* out = static_cast<type*>(p);                                                                             \
        return call;                                                                                                   \
    })
    const auto step = FILLED(bitnet_generation_step, bitnet_generation_next(generation, out));
    CHECK(reinterpret_cast<const bitnet_generation_step*>(step.data())->tokens[0] == next);
    const auto result = FILLED(bitnet_generation_result, bitnet_generation_get_result(generation, out));
    CHECK(reinterpret_cast<const bitnet_generation_result*>(result.data())->n_tokens == 1);
    bitnet_generation_free(generation);
    FILLED(bitnet_model_info, bitnet_model_get_info(model, out));
    FILLED(bitnet_tensor_info, bitnet_model_get_tensor(model, 0, out));
    FILLED(bitnet_kernel_info, bitnet_kernel_get_info(0, out));
    FILLED(bitnet_memory_info, bitnet_context_get_memory(context, out));
    FILLED(bitnet_metrics, bitnet_context_get_metrics(context, out));
    FILLED(bitnet_tokenizer_info, bitnet_tokenizer_get_info(bitnet_model_get_tokenizer(model), out));
    FILLED(bitnet_error_info, bitnet_last_error_get_info(out));
    FILLED(bitnet_environment_info, bitnet_environment_get_info(out));
    FILLED(bitnet_device_memory, bitnet_device_get_memory("cpu", out));
    FILLED(bitnet_device_info, bitnet_device_get_info("cpu", out));
    FILLED(bitnet_quantization_info, bitnet_model_get_quantization(model, out));
    FILLED(bitnet_type_usage, bitnet_model_get_type(model, 0, out));
    FILLED(bitnet_model_config, bitnet_model_get_config(model, out));
    FILLED(bitnet_performance_metrics, bitnet_context_get_performance(context, out));
    FILLED(bitnet_device_stats, bitnet_context_get_device_stats(context, out));
#undef FILLED
}

TEST_CASE("params_init writes the defaults into as many bytes as the caller has") {
    check_init(bitnet_model_params_init);
    check_init(bitnet_context_params_init);
    check_init(bitnet_sampler_params_init);
    check_init(bitnet_generation_params_init);
    check_init(bitnet_validation_params_init);
    check_init(bitnet_tokenizer_discovery_params_init);
    check_init(bitnet_convert_params_init);
    check_init(bitnet_synthetic_params_init);
    check_init(bitnet_limits_params_init);
    check_init(bitnet_kernel_run_init);
    check_init(bitnet_cuda_work_init);
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
    check_info<bitnet_device_info>([&](bitnet_device_info* info) { return bitnet_device_get_info("cpu", info); });
    check_info<bitnet_quantization_info>(
        [&](bitnet_quantization_info* info) { return bitnet_model_get_quantization(model.get(), info); });
    check_info<bitnet_type_usage>([&](bitnet_type_usage* info) { return bitnet_model_get_type(model.get(), 0, info); });
    check_info<bitnet_model_config>(
        [&](bitnet_model_config* info) { return bitnet_model_get_config(model.get(), info); });
    const test::AdapterHandle adapter = test::load_adapter(
        model, test::full_adapter(test::golden_model("b158-i2s"), 2, test::kTypeF16, 1).bytes());
    check_info<bitnet_adapter_info>(
        [&](bitnet_adapter_info* info) { return bitnet_adapter_get_info(adapter.get(), info); });
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
