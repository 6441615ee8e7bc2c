// What "auto" makes of the ternary matrices: a layout wins neither by its speed for one token alone nor by that for a prompt.
#include <doctest/doctest.h>

#include <chrono>

#include "src/load/model_load.h"
#include "tests/support/golden_case.h"
#include "tests/support/sanitized.h"

using namespace bitnet;

namespace {

// Under a sanitizer a kernel takes longer than what these cases add to it.
// What calls of slow kernels take at least: those of one column, and those of a prompt's 64 together.
std::chrono::microseconds one_column, prompt;

const kern::MulMatKernel* originals[kern::kWeightLayoutCount];
kern::MulMatKernel slow[kern::kWeightLayoutCount];

template <int layout, bool for_prompts>
void run_slowly(const kern::MulMatArgs& args) {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point begin = Clock::now();
    originals[layout]->run(args);
    if (args.n_cols != (for_prompts ? 64 : 1)) return;
    while (Clock::now() - begin < (for_prompts ? prompt : one_column)) {
    }
}

template <int layout, bool for_prompts>
void slow_down(const char* name, const kern::MulMatKernel*& kernel) {
    originals[layout] = kernel;
    slow[layout] = *kernel;
    slow[layout].name = name;
    slow[layout].run = run_slowly<layout, for_prompts>;
    kernel = &slow[layout];
}

const char* stored_name = "";

// One of both is slow for prompts, the other for one column.
template <bool packed_for_prompts>
void replace(kern::KernelSet* set) {
    slow_down<0, !packed_for_prompts>(stored_name, set->mul_mat[static_cast<int>(kern::QuantType::i2_s)]);
    slow_down<1, packed_for_prompts>("slow t5", set->packed[1]);
    slow_down<2, packed_for_prompts>("slow tl1", set->packed[2]);
    slow_down<3, packed_for_prompts>("slow tl2", set->packed[3]);
}

// Microseconds a column. What is measured is kept by the name of the kernel, so each case needs one of its own.
bool is_packed(const char* name, void (*replacement)(kern::KernelSet*), int for_one, int in_prompt) {
    stored_name = name;
    one_column = std::chrono::microseconds(for_one);
    prompt = std::chrono::microseconds(64 * in_prompt);
    LoadOptions options;
    options.quantization = "auto";
    options.replace_kernels = replacement;
    Model model;
    load_model(GgufFile::open(test::golden_model("b158-i2s"), true, {}), options, &model);
    CHECK(model.n_kernel_fallbacks == 0);
    return model.weights.layers.at(0).attn_q.layout != kern::WeightLayout::stored;
}

}  // namespace

TEST_CASE("auto: a layout that saves less for a token than it loses in a prompt is not taken" *
          doctest::skip(test::kSanitized)) {
    CHECK_FALSE(is_packed("slow for a token", replace<true>, 5, 20));
}

TEST_CASE("auto: a layout that loses less for a token than it saves in a prompt is taken" *
          doctest::skip(test::kSanitized)) {
    CHECK(is_packed("slow for a prompt", replace<false>, 5, 20));
}

TEST_CASE("auto: a layout that loses more for a token than it saves in a prompt is not taken" *
          doctest::skip(test::kSanitized)) {
    CHECK_FALSE(is_packed("a little slow for a prompt", replace<false>, 20, 5));
}
