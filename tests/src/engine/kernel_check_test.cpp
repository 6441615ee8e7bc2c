// A kernel that computes wrongly is found at load and replaced (fault injection), and a context tells of it.
#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <vector>

#include "kernels/cpu/cpu_features.h"
#include "src/context/device_stats.h"
#include "src/load/kernel_check.h"
#include "src/load/model_load.h"
#include "tests/support/golden_case.h"
#include "tests/support/kernel_cases.h"

using namespace bitnet;

namespace {

const kern::MulMatKernel* original = nullptr;  // what the broken kernel makes its sums with
bool breaks_one_column = true;

// Every sum right but the last bit of one: what a compiler's mistake may look like.
void run_broken(const kern::MulMatArgs& args) {
    original->run(args);
    if ((args.n_cols == 1) != breaks_one_column) return;
    float& value = args.out[(args.n_cols - 1) * args.out_stride + args.row_begin];
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    bits ^= 1;
    std::memcpy(&value, &bits, sizeof bits);
}

Model with_kernels(const char* level = nullptr) {
    Model model;
    REQUIRE(kern::select_kernels(level, &model.kernels) == kern::KernelChoice::ok);
    return model;
}

kern::MulMatKernel broken(const kern::MulMatKernel& kernel) {
    original = &kernel;
    kern::MulMatKernel copy = kernel;
    copy.name = "broken";
    copy.run = run_broken;
    return copy;
}

// A weight of n_rows rows with codes that a converter could have written.
struct RandomWeight {
    std::vector<uint8_t> bytes;
    tg::Weight weight;

    RandomWeight(kern::QuantType type, int64_t n_rows, int64_t k) {
        uint64_t size = 0;
        REQUIRE(kern::quant_tensor_bytes(type, k, n_rows, &size));
        bytes.resize(size);
        std::vector<float> values(static_cast<size_t>(n_rows * k));
        test::Random random(7);
        for (float& value : values) value = static_cast<float>(random.below(3) - 1);
        kern::quant_type_info(type).encode(values.data(), 1.0f, n_rows * k, bytes.data());
        weight.name = "w";
        weight.type = type;
        weight.k = k;
        weight.n_rows = n_rows;
        weight.tensor_scale = 0.5f;
        weight.file_data = bytes.data();
    }
};

ContextConfig small_config() {
    ContextConfig config;
    config.n_ctx = config.n_batch = config.n_ubatch = 8;
    config.n_seq_max = config.n_threads = 1;
    return config;
}

Model golden() {
    LoadOptions options;
    Model model;
    load_model(GgufFile::open(test::golden_model("b158-i2s"), true, {}), options, &model);
    return model;
}

}  // namespace

TEST_CASE("right kernels of every type and level pass the check") {
    for (const kern::QuantType type :
         {kern::QuantType::i2_s, kern::QuantType::tq2_0, kern::QuantType::tq1_0, kern::QuantType::f32,
          kern::QuantType::f16, kern::QuantType::bf16, kern::QuantType::q8_0, kern::QuantType::q4_0}) {
        for (size_t i = 0; i < kern::mul_mat_kernel_count(); ++i) {
            const kern::MulMatKernel& kernel = kern::mul_mat_kernel_at(i);
            if (kernel.type != type || (kernel.needs & ~kern::cpu_features()) != 0) continue;
            CAPTURE(kernel.name);
            for (const int64_t n_rows : {1, 3, 16, 200}) {
                const RandomWeight w(type, n_rows, 256);
                Model model = with_kernels();
                model.kernels.mul_mat[static_cast<int>(type)] = &kernel;
                KernelCheck(&model).check(w.weight);
                CHECK(model.n_kernel_fallbacks == 0);
                CHECK(&model.kernels.for_type(type) == &kernel);
            }
        }
    }
}

TEST_CASE("a kernel with one wrong bit is replaced by the best right one, whether one token shows it or several") {
    const RandomWeight w(kern::QuantType::i2_s, 64, 256);
    for (const bool one_column : {true, false}) {
        CAPTURE(one_column);
        breaks_one_column = one_column;
        Model model = with_kernels();
        const kern::MulMatKernel& right = model.kernels.for_type(kern::QuantType::i2_s);
        const kern::MulMatKernel wrong = broken(right);
        model.kernels.mul_mat[static_cast<int>(kern::QuantType::i2_s)] = &wrong;
        KernelCheck check(&model);
        check.check(w.weight);
        CHECK(model.n_kernel_fallbacks == 1);
        CHECK(&model.kernels.for_type(kern::QuantType::i2_s) == &right);
        CHECK(model.kernel_problem.find("kernel broken gives other sums") == 0);
        CHECK(model.kernel_problem.find(std::string(right.name) + " takes its place") != std::string::npos);
        check.check(w.weight);  // known by now
        CHECK(model.n_kernel_fallbacks == 1);
    }
}

TEST_CASE("the scalar kernel is the reference and is never replaced") {
    const RandomWeight w(kern::QuantType::tq2_0, 8, 512);
    Model model = with_kernels("scalar");
    KernelCheck check(&model);
    check.check(w.weight);
    CHECK(model.n_kernel_fallbacks == 0);
    CHECK(std::string(model.kernels.for_type(kern::QuantType::tq2_0).name) == "tq2_scalar");
}

TEST_CASE("loading checks the kernels of a model, and its contexts count what was replaced") {
    Model loaded = golden();
    CHECK(loaded.n_kernel_fallbacks == 0);
    CHECK(loaded.kernel_problem.empty());
    {
        const Context context(std::make_shared<const Model>(std::move(loaded)), small_config());
        const bitnet_device_stats stats = device_stats(context);
        CHECK(stats.fallback_count == 0);
        CHECK(std::string(stats.last_cpu_error).empty());
        CHECK(device_summary(stats).find("fallbacks: 0") != std::string::npos);
        CHECK(device_summary(stats).find("last CPU error") == std::string::npos);
    }
    Model wrong = golden();
    wrong.n_kernel_fallbacks = 2;
    wrong.kernel_problem = "kernel broken gives other sums";
    const Context context(std::make_shared<const Model>(std::move(wrong)), small_config());
    const bitnet_device_stats stats = device_stats(context);
    CHECK(stats.fallback_count == 2);
    CHECK(std::string(stats.last_cpu_error) == "kernel broken gives other sums");
    CHECK(device_summary(stats).find("fallbacks: 2") != std::string::npos);
    CHECK(device_summary(stats).find("last CPU error: kernel broken") != std::string::npos);
}

TEST_CASE("a device is effective above four fifths of the operations, and the summary says what it did") {
    bitnet_device_stats stats{};
    stats.device_type = "k";
    stats.target_device = "cuda:0";
    stats.last_gpu_error = "out of range";
    stats.last_cpu_error = "";
    stats.total_operations = 10;
    stats.gpu_operations = 9;
    stats.cpu_operations = 1;
    stats.gpu_efficiency = 0.9;
    stats.memory_total_bytes = 4 << 20;
    stats.memory_used_bytes = 1 << 20;
    const std::string text = device_summary(stats);
    CHECK(text.find("k on cuda:0: 10 operations") == 0);
    CHECK(text.find("GPU: 9 operations (90.0 %), CPU: 1, fallbacks: 0") != std::string::npos);
    CHECK(text.find("memory: 1.0 of 4.0 MiB used") != std::string::npos);
    CHECK(text.find("last GPU error: out of range") != std::string::npos);
    CHECK(text.back() != '\n');
    CHECK(!is_gpu_effective(0.8));
    CHECK(is_gpu_effective(0.81));
    CHECK(!is_gpu_effective(0));
}
