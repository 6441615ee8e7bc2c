// A kernel that computes wrongly is found at load and replaced (fault injection), and a context tells of it.
#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <vector>

#include "kernels/cpu/cpu_features.h"
#include "src/base/log.h"
#include "src/context/device_stats.h"
#include "src/load/kernel_check.h"
#include "src/load/model_load.h"
#include "tests/support/golden_case.h"
#include "tests/support/kernel_cases.h"

using namespace bitnet;

namespace {

const kern::MulMatKernel* original = nullptr;  // what the broken kernel makes its sums with
bool (*breaks)(int64_t n_cols) = nullptr;
bool one_column(int64_t n_cols) { return n_cols == 1; }

// Every sum right but the last bit of one: what a compiler's mistake may look like.
void run_broken(const kern::MulMatArgs& args) {
    original->run(args);
    if (!breaks(args.n_cols)) return;
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
            if (kernel.type != type || !kern::runs_here(kernel.needs)) continue;
            CAPTURE(kernel.name);
            for (const int64_t n_rows : {1, 3, 16, 200}) {
                const RandomWeight w(type, n_rows, 256);
                Model model = with_kernels();
                model.kernels.slot(type, kernel.layout) = &kernel;
                tg::Weight weight = w.weight;
                weight.layout = kernel.layout;
                KernelCheck(&model).check(weight);
                CHECK(model.n_kernel_fallbacks == 0);
                CHECK(&model.kernels.for_weight(type, kernel.layout) == &kernel);
            }
        }
    }
}

TEST_CASE(
    "a kernel with one wrong bit is replaced by the best right one, whether one token shows it, several or many") {
    const RandomWeight w(kern::QuantType::i2_s, 64, 256);
    using Columns = bool (*)(int64_t);
    const Columns wrong_for[] = {[](int64_t n) { return n == 1; }, [](int64_t n) { return n > 1 && n < 17; },
                                 [](int64_t n) { return n > 16; }};  // from 17 on rows are unpacked
    for (const Columns& columns : wrong_for) {
        CAPTURE(static_cast<int>(&columns - wrong_for));
        breaks = columns;
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

TEST_CASE(
    "a layout whose kernels are wrong falls back to its other ones, then to that of the type, which is checked as "
    "well") {
    const RandomWeight w(kern::QuantType::i2_s, 64, 256);
    for (const kern::WeightLayout layout : {kern::WeightLayout::t5, kern::WeightLayout::tl1, kern::WeightLayout::tl2}) {
        tg::Weight weight = w.weight;
        weight.layout = layout;
        breaks = one_column;
        Model model = with_kernels();
        const kern::MulMatKernel& right = model.kernels.for_weight(kern::QuantType::i2_s, layout);
        const kern::MulMatKernel wrong = broken(right);
        model.kernels.slot(kern::QuantType::i2_s, layout) = &wrong;
        KernelCheck(&model).check(weight);
        CHECK(model.n_kernel_fallbacks == 1);
        const bool only_scalar = std::string(right.level) == "scalar";
        CHECK(&model.kernels.for_weight(kern::QuantType::i2_s, layout) ==
              (only_scalar ? &model.kernels.for_type(kern::QuantType::i2_s) : &right));

        // The scalar one of a layout has none below it but the type's own.
        Model scalar = with_kernels("scalar");
        const kern::MulMatKernel scalar_wrong = broken(scalar.kernels.for_weight(kern::QuantType::i2_s, layout));
        scalar.kernels.slot(kern::QuantType::i2_s, layout) = &scalar_wrong;
        KernelCheck check(&scalar);
        check.check(weight);
        CHECK(scalar.n_kernel_fallbacks >= 1);
        CHECK(scalar.kernels.for_weight(kern::QuantType::i2_s, layout).name != scalar_wrong.name);
    }
}

namespace {

// Kernels of a load that compute wrongly: what of a model's kernels each case breaks.
kern::MulMatKernel broken_matrix;
kern::VecKernels broken_vec;
kern::WeightLayout broken_layout;

void break_matrix_kernel(kern::KernelSet* chosen) {
    const kern::MulMatKernel*& slot = chosen->slot(kern::QuantType::i2_s, broken_layout);
    broken_matrix = broken(*slot);
    slot = &broken_matrix;
}

void break_head_kernel(kern::KernelSet* chosen) {
    const kern::MulMatKernel*& slot = chosen->slot(kern::QuantType::f16, kern::WeightLayout::stored);
    broken_matrix = broken(*slot);
    slot = &broken_matrix;
}

void break_norm(kern::KernelSet* chosen) {
    static const kern::VecKernels* right;
    right = chosen->vec;
    broken_vec = *right;
    broken_vec.name = "broken";
    broken_vec.rms_norm = [](const float* x, const float* weight, float eps, int64_t n, float* out) {
        right->rms_norm(x, weight, eps, n, out);
        out[n - 1] = -out[n - 1];
    };
    chosen->vec = &broken_vec;
}

void break_attention(kern::KernelSet* chosen) {
    static const kern::VecKernels* right;
    right = chosen->vec;
    broken_vec = *right;
    broken_vec.name = "broken";
    broken_vec.attend = [](const kern::AttendArgs& args) {
        right->attend(args);
        args.out[args.head_dim - 1] += 1.0f;
    };
    chosen->vec = &broken_vec;
}

// Attention over cells of one type, be it that of the keys or of the values, or what writes such cells.
template <kern::KvType type, bool keys>
void break_attention_of(kern::KernelSet* chosen) {
    static const kern::VecKernels* right;
    right = chosen->vec;
    broken_vec = *right;
    broken_vec.name = "broken";
    broken_vec.attend = [](const kern::AttendArgs& args) {
        right->attend(args);
        if ((keys ? args.k_type : args.v_type) == type) args.out[args.head_dim - 1] += 1.0f;
    };
    chosen->vec = &broken_vec;
}

template <kern::KvType type>
void break_attention_of_many(kern::KernelSet* chosen) {
    static const kern::VecKernels* right;
    right = chosen->vec;
    broken_vec = *right;
    broken_vec.name = "broken";
    broken_vec.attend = [](const kern::AttendArgs& args) {
        right->attend(args);
        if (args.v_type == type && args.n_tokens > 1) args.out[args.out_token_stride] += 1.0f;
    };
    chosen->vec = &broken_vec;
}

template <kern::KvType type>
void break_cells_of(kern::KernelSet* chosen) {
    static const kern::VecKernels* right;
    right = chosen->vec;
    broken_vec = *right;
    broken_vec.name = "broken";
    broken_vec.f32_to_kv = [](kern::KvType to, const float* x, int64_t n, void* out) {
        right->f32_to_kv(to, x, n, out);
        if (to == type) static_cast<uint8_t*>(out)[n / 2 - 1] ^= 1;
    };
    chosen->vec = &broken_vec;
}

std::vector<float> last_logits(Model model, kern::KvType cache = kern::KvType::f16) {
    const int64_t n_vocab = model.hparams.n_vocab;
    ContextConfig config = small_config();
    config.k_type = config.v_type = cache;
    Context context(std::make_shared<const Model>(std::move(model)), config);
    const bitnet_token tokens[] = {3, 14, 15, 9, 26};
    BatchView batch;
    batch.tokens = tokens;
    batch.n_tokens = 5;
    context.decode(batch);
    const float* logits = context.logits(-1);
    return std::vector<float>(logits, logits + n_vocab);
}

}  // namespace

TEST_CASE("fault injection: with any kernel of a load broken the answer is right, with a warning and a count") {
    breaks = one_column;
    using kern::KvType;
    struct Case {
        const char* quantization;
        void (*replace)(kern::KernelSet*);
        kern::WeightLayout layout = kern::WeightLayout::stored;
        KvType cache = KvType::f16;
    };
    const auto cached = [](KvType type, void (*replace)(kern::KernelSet*)) {
        return Case{"i2s", replace, kern::WeightLayout::stored, type};
    };
    for (const Case& c : {Case{"i2s", break_matrix_kernel}, Case{"t5", break_matrix_kernel, kern::WeightLayout::t5},
                          Case{"tl1", break_matrix_kernel, kern::WeightLayout::tl1},
                          Case{"tl2", break_matrix_kernel, kern::WeightLayout::tl2}, Case{"i2s", break_head_kernel},
                          Case{"i2s", break_norm}, Case{"i2s", break_attention},
                          cached(KvType::f16, break_attention_of_many<KvType::f16>),
                          cached(KvType::q8_0, break_attention_of<KvType::q8_0, true>),
                          cached(KvType::q8_0, break_attention_of<KvType::q8_0, false>),
                          cached(KvType::q8_0, break_attention_of_many<KvType::q8_0>),
                          cached(KvType::q8_0, break_cells_of<KvType::q8_0>),
                          cached(KvType::q4_0, break_attention_of<KvType::q4_0, true>),
                          cached(KvType::q4_0, break_attention_of<KvType::q4_0, false>),
                          cached(KvType::q4_0, break_attention_of_many<KvType::q4_0>),
                          cached(KvType::q4_0, break_cells_of<KvType::q4_0>)}) {
        const std::vector<float> expected = last_logits(golden(), c.cache);
        broken_layout = c.layout;
        std::string log;
        set_log_callback(
            [](bitnet_log_level, const char* message, void* text) { *static_cast<std::string*>(text) += message; },
            BITNET_LOG_WARNING, &log);
        LoadOptions options;
        options.quantization = c.quantization;
        options.replace_kernels = c.replace;
        Model model;
        load_model(GgufFile::open(test::golden_model("b158-i2s"), true, {}), options, &model);
        set_log_callback(nullptr, BITNET_LOG_ERROR, nullptr);
        CAPTURE(c.quantization);
        CAPTURE(log);
        CHECK(model.n_kernel_fallbacks == 1);
        CHECK(log.find("broken") != std::string::npos);
        CHECK(log.find("please report it") != std::string::npos);
        CHECK(log == model.kernel_problem);
        const std::vector<float> found = last_logits(std::move(model), c.cache);
        CHECK(std::memcmp(found.data(), expected.data(), expected.size() * sizeof(float)) == 0);
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
        CHECK(device_summary(stats, context).find("fallbacks: 0") != std::string::npos);
        CHECK(device_summary(stats, context).find("last CPU error") == std::string::npos);
    }
    Model wrong = golden();
    wrong.n_kernel_fallbacks = 2;
    wrong.kernel_problem = "kernel broken gives other sums";
    const Context context(std::make_shared<const Model>(std::move(wrong)), small_config());
    const bitnet_device_stats stats = device_stats(context);
    CHECK(stats.fallback_count == 2);
    CHECK(std::string(stats.last_cpu_error) == "kernel broken gives other sums");
    CHECK(device_summary(stats, context).find("fallbacks: 2") != std::string::npos);
    CHECK(device_summary(stats, context).find("last CPU error: kernel broken") != std::string::npos);
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
    const std::string text = device_summary(stats, context);
    CHECK(text.find("k on cuda:0: 10 operations") == 0);
    CHECK(text.find("GPU: 9 operations (90.0 %), CPU: 1, fallbacks: 0") != std::string::npos);
    CHECK(text.find("memory: 1.0 of 4.0 MiB used") != std::string::npos);
    CHECK(text.find("last GPU error: out of range") != std::string::npos);
    CHECK(text.back() != '\n');
    CHECK(!is_gpu_effective(0.8));
    CHECK(is_gpu_effective(0.81));
    CHECK(!is_gpu_effective(0));
}
