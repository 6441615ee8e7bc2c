// Benchmarks through bitnet.h: what they refuse, and that what they give fits together.
#include <doctest/doctest.h>

#include <string>

#include "tests/support/api_fixture.h"
#include "tests/support/temp_dir.h"

namespace {

int32_t stop(void*) { return 1; }
int32_t stop_progress(float, void*) { return 1; }

bitnet_status write_shape(const std::string& path, const char* shape, const char* head) {
    bitnet_synthetic_params params = bitnet_synthetic_default_params();
    params.shape = shape;
    params.head = head;
    return bitnet_synthetic_write(path.c_str(), &params);
}

}  // namespace

TEST_CASE("a synthetic model has the shape that the list says and the head that was asked for") {
    const test::TempDir folder;
    bitnet_synthetic_shape shape = {};
    shape.struct_size = sizeof shape;
    bool found = false;
    for (size_t i = 0; i < bitnet_synthetic_get_count(); ++i) {
        test::must(bitnet_synthetic_get_shape(i, &shape));
        CHECK(std::string(shape.down_type) == (std::string(shape.name) == "3b" ? "iq2_bn" : "i2_s"));
        CHECK(std::string(shape.model).size() > 0);
        if (std::string(shape.name) != "tiny") continue;
        found = true;
        const std::string path = folder.file("tiny.gguf");
        test::must(write_shape(path, "tiny", "q6_k"));
        const test::ModelHandle model = test::load_model(path);
        const bitnet_model_info info = test::info_of(model);
        CHECK(std::string(info.architecture) == shape.architecture);
        CHECK(info.n_layer == shape.n_layer);
        CHECK(info.n_embd == shape.n_embd);
        CHECK(info.n_ff == shape.n_ff);
        CHECK(info.n_head == shape.n_head);
        CHECK(info.n_head_kv == shape.n_head_kv);
        CHECK(info.head_dim == shape.head_dim);
        CHECK(info.n_vocab == shape.n_vocab);
        CHECK(info.n_ctx_train == shape.n_ctx_train);
        bitnet_tensor_info tensor = {};
        tensor.struct_size = sizeof tensor;
        test::must(bitnet_model_get_tensor(model.get(), 0, &tensor));
        CHECK(std::string(tensor.name) == "token_embd.weight");
        CHECK(std::string(tensor.type) == "q6_k");
    }
    CHECK(found);
    CHECK(bitnet_synthetic_get_shape(bitnet_synthetic_get_count(), &shape) == BITNET_E_NOT_FOUND);
}

TEST_CASE("a synthetic model that cannot be is refused, and no file is left") {
    const test::TempDir folder;
    const std::string path = folder.file("x.gguf");
    CHECK(write_shape(path, "huge", "q8_0") == BITNET_E_NOT_FOUND);
    CHECK(test::last_error().find("2b4t") != std::string::npos);
    CHECK(write_shape(path, "tiny", "i2_s") == BITNET_E_QUANT_FORMAT);
    CHECK(write_shape(path, "tiny", "q9") == BITNET_E_QUANT_FORMAT);
    CHECK(write_shape(path, "3b", "q6_k") == BITNET_E_QUANT_INPUT);
    CHECK(test::last_error().find("3200") != std::string::npos);
    CHECK(write_shape(folder.file("no/x.gguf"), "tiny", "q8_0") == BITNET_E_IO);
    CHECK(bitnet_synthetic_write(nullptr, nullptr) == BITNET_E_ARGUMENT);
    bitnet_synthetic_params params = bitnet_synthetic_default_params();
    params.shape = "tiny";
    params.on_progress = stop_progress;
    CHECK(bitnet_synthetic_write(path.c_str(), &params) == BITNET_E_CANCELLED);
    CHECK(folder.n_files() == 0);
}

TEST_CASE("limits and kernels are measured, or refused in words") {
    bitnet_limits_params params = bitnet_limits_default_params();
    params.n_threads = 2;
    params.n_bytes = 1 << 16;
    params.budget_us = 1;
    bitnet_machine_limits limits = {};
    limits.struct_size = sizeof limits;
    test::must(bitnet_limits_measure(&params, &limits));
    CHECK(limits.n_threads == 2);
    CHECK(limits.n_bytes == 1 << 16);
    CHECK(limits.read_bytes_per_second >= limits.plain_read_bytes_per_second);
    CHECK(limits.int8_ops_per_second > 0);
    params.level = "mmx";
    CHECK(bitnet_limits_measure(&params, &limits) == BITNET_E_CONFIG);
    params.level = nullptr;
    params.n_threads = 1025;
    CHECK(bitnet_limits_measure(&params, &limits) == BITNET_E_CONFIG);
    params.n_threads = 1;
    params.should_abort = stop;
    CHECK(bitnet_limits_measure(&params, &limits) == BITNET_E_CANCELLED);
    CHECK(bitnet_limits_measure(&params, nullptr) == BITNET_E_ARGUMENT);

    bitnet_kernel_run run = bitnet_kernel_default_run();
    bitnet_kernel_timing timing = {};
    timing.struct_size = sizeof timing;
    CHECK(bitnet_kernel_measure(&run, &timing) == BITNET_E_ARGUMENT);  // no kernel
    run.kernel = "i2s_scalar";
    run.k = 256;
    run.n_rows = 32;
    run.budget_us = 1;
    run.cold_bytes = 0;
    test::must(bitnet_kernel_measure(&run, &timing));
    CHECK(timing.n_ops == 2 * 256 * 32);
    CHECK(timing.n_runs >= 1);
    CHECK(timing.median_us >= timing.best_us);
    run.n_threads = -1;
    CHECK(bitnet_kernel_measure(&run, &timing) == BITNET_E_CONFIG);
    run.n_threads = 1;
    run.should_abort = stop;
    CHECK(bitnet_kernel_measure(&run, &timing) == BITNET_E_CANCELLED);
    CHECK(std::string(bitnet_kernel_get_operation("vec_scalar", 0)) == "abs_max");
    CHECK(bitnet_kernel_get_operation("vec_scalar", 99) == nullptr);
    CHECK(bitnet_kernel_get_operation(nullptr, 0) == nullptr);
}
