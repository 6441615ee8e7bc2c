// A file laid out like the official 2-billion model loads and decodes within the memory its users have. In a program of
// its own, because the peak of memory is that of a whole process.
#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <string>

#include "tests/support/api_fixture.h"
#include "tests/support/official_layout.h"
#include "tests/support/sanitized.h"
#include "tests/support/temp_dir.h"

namespace {

// Peak resident memory in bytes, or 0 where the system does not say.
uint64_t peak_bytes() {
    std::ifstream status("/proc/self/status");
    std::string word;
    while (status >> word) {
        uint64_t kilobytes = 0;
        if (word == "VmHWM:" && status >> kilobytes) return kilobytes * 1024;
    }
    return 0;
}

}  // namespace

TEST_CASE("the official layout loads, decodes finite numbers and stays below 2 GB") {
    const test::TempDir folder;
    const test::OfficialLayout layout = test::write_official_layout(folder.path());
    const test::ModelHandle model = test::load_model(layout.path.string());
    const bitnet_model_info info = test::info_of(model);
    CHECK(std::string(info.architecture) == "bitnet-b1.58");
    CHECK(std::string(info.quantization) == "i2_s");
    CHECK(info.n_tensors == 332);
    CHECK(info.n_file_bytes == 1179449920);
    CHECK(info.n_layer == 30);
    CHECK(info.head_dim == 128);
    const bitnet_tokenizer* tokenizer = bitnet_model_get_tokenizer(model.get());
    REQUIRE(tokenizer != nullptr);
    CHECK(bitnet_tokenizer_is_end(tokenizer, 128001) == 1);

    test::Logits first;
    for (const int32_t n_threads : {1, 2}) {
        const test::ContextHandle context = test::make_context(model, [&](bitnet_context_params& p) {
            p.n_ctx = 512;
            p.n_threads = n_threads;
        });
        test::decode(context, {128000, 1});
        test::Logits logits = test::copy_logits(context, model);
        test::decode(context, {2});
        const test::Logits second = test::copy_logits(context, model);
        logits.insert(logits.end(), second.begin(), second.end());
        int not_finite = 0, not_zero = 0;
        for (const float logit : logits) {
            not_finite += std::isfinite(logit) ? 0 : 1;
            not_zero += logit != 0.0f ? 1 : 0;
        }
        CHECK(not_finite == 0);
        CHECK(not_zero > 0);
        if (first.empty()) first = logits;
        CHECK(test::same_bits(logits, first));
    }
    if (const uint64_t peak = peak_bytes(); peak != 0 && !test::kSanitized) {
        CAPTURE(peak);
        CHECK(peak < uint64_t{2} << 30);
    }
}
