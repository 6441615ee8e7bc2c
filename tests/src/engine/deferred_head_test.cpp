// That the head really waits and is screened: samplers could not tell, because their tokens are the same either way.
#include <doctest/doctest.h>

#include <cmath>
#include <memory>
#include <vector>

#include "src/context/context.h"
#include "src/load/model_load.h"
#include "tests/support/golden_case.h"

using namespace bitnet;

namespace {

std::unique_ptr<Context> decoded(int32_t screen_head) {
    LoadOptions options;
    options.screen_head = screen_head;
    auto model = std::make_shared<Model>();
    load_model(GgufFile::open(test::golden_model("b158-i2s"), true, {}), options, model.get());
    ContextConfig config;
    config.n_ctx = config.n_batch = config.n_ubatch = 16;
    config.n_seq_max = config.n_threads = 1;
    auto context = std::make_unique<Context>(model, config);
    const bitnet_token tokens[] = {3, 14, 15, 9, 26};
    BatchView batch;
    batch.tokens = tokens;
    batch.n_tokens = 5;
    context->decode(batch);
    return context;
}

size_t finite(const float* logits, int64_t n) {
    size_t count = 0;
    for (int64_t i = 0; i < n; ++i) count += std::isfinite(logits[i]) ? 1 : 0;
    return count;
}

}  // namespace

TEST_CASE("the best token of a screened head needs a few exact rows, and all logits come when they are asked for") {
    const std::unique_ptr<Context> plain = decoded(0), screened = decoded(2);
    const int64_t n_vocab = plain->model().hparams.n_vocab;
    const std::vector<float> all(plain->logits(-1), plain->logits(-1) + n_vocab);
    const std::vector<bitnet_token> also = {7};
    const LogitRow row = screened->top_logits(-1, 1, also);
    REQUIRE(row.n == static_cast<size_t>(n_vocab));
    REQUIRE(row.tokens == nullptr);
    const float* const top = row.logits;
    CHECK(screened->screen_counts().n_screened == 1);
    CHECK(screened->screen_counts().n_full == 0);
    CHECK(screened->screen_counts().n_rows < static_cast<uint64_t>(n_vocab) / 8);
    CHECK(finite(top, n_vocab) <= screened->screen_counts().n_rows + 1);
    CHECK(top[7] == all[7]);
    for (int64_t i = 0; i < n_vocab; ++i) {
        if (std::isfinite(top[i])) CHECK(top[i] == all[static_cast<size_t>(i)]);
    }
    const float* whole = screened->logits(-1);
    CHECK(std::vector<float>(whole, whole + n_vocab) == all);
    CHECK(plain->screen_counts().n_screened == 0);
}

TEST_CASE("more tokens than the screen can pay for take the whole head") {
    const std::unique_ptr<Context> plain = decoded(0), screened = decoded(2);
    const int64_t n_vocab = plain->model().hparams.n_vocab;
    const LogitRow row = screened->top_logits(-1, static_cast<size_t>(n_vocab) / 2, {});
    REQUIRE(row.n == static_cast<size_t>(n_vocab));
    const float* const top = row.logits;
    CHECK(screened->screen_counts().n_full == 1);
    const float* all = plain->logits(-1);
    CHECK(std::vector<float>(top, top + n_vocab) == std::vector<float>(all, all + n_vocab));
}
