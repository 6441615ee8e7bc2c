// A decode of more cells than the lists of one micro-batch hold is cut in two although its tokens would fit: then the head cannot
// wait for what is asked of it, because only the last micro-batch's hidden states are still there.
#include <doctest/doctest.h>

#include <cstdio>
#include <string>
#include <vector>

#include "tests/api/generation_fixture.h"
#include "tests/support/temp_dir.h"

namespace {

constexpr int32_t kTexts = 512;
constexpr size_t kTokens = 2050;  // kTexts times so many are above BatchSplit::kMaxListCells

// The default model with a head of floats, which is screened.
test::ModelHandle screened_model(const test::TempDir& folder) {
    const std::string source = folder.file("q8.gguf"), path = folder.file("floats.gguf");
    size_t size = 0;
    const void* bytes = default_model_bytes(&size);
    FILE* file = std::fopen(source.c_str(), "wb");
    REQUIRE(file != nullptr);
    REQUIRE(std::fwrite(bytes, 1, size, file) == size);
    REQUIRE(std::fclose(file) == 0);
    bitnet_convert_params params = bitnet_convert_default_params();
    params.head_type = params.embedding_type = "f16";
    test::must(bitnet_file_convert(source.c_str(), path.c_str(), &params, nullptr));
    return test::load_model(path, [](bitnet_model_params& p) { p.screen_head = 2; });
}

}  // namespace

TEST_CASE("a decode that is cut for its lists gives each output as alone") {
    const test::TempDir folder;
    const test::ModelHandle model = screened_model(folder);
    const test::ContextHandle context = test::make_context(model, [](bitnet_context_params& p) {
        p.n_ctx = static_cast<int32_t>(kTokens) + 2 * kTexts;
        p.n_batch = p.n_ubatch = kTexts;
        p.n_seq_max = kTexts + 1;
    });
    test::Tokens prompt;
    for (size_t i = 0; i < kTokens; ++i) prompt.push_back(static_cast<bitnet_token>(5 + i * i % 300));
    test::must(bitnet_context_prefill(context.get(), kTexts, prompt.data(), prompt.size(), nullptr));
    test::Tokens tokens;
    std::vector<bitnet_seq_id> ids;
    std::vector<int8_t> wanted(kTexts, 0);
    for (bitnet_seq_id id = 0; id < kTexts; ++id) {
        test::must(bitnet_sequence_fork(context.get(), kTexts, id));
        tokens.push_back(7 + id % 200);
        ids.push_back(id);
    }
    const std::vector<int32_t> asked = {0, 17, kTexts - 1};
    for (const int32_t index : asked) wanted[static_cast<size_t>(index)] = 1;
    bitnet_batch batch = {};
    batch.struct_size = sizeof batch;
    batch.n_tokens = kTexts;
    batch.tokens = tokens.data();
    batch.seq_ids = ids.data();
    batch.want_output = wanted.data();
    test::must(bitnet_context_decode(context.get(), &batch));
    std::vector<test::Logits> together;
    for (const int32_t index : asked) together.push_back(test::copy_logits(context, model, index));
    for (size_t i = 0; i < asked.size(); ++i) {
        test::must(bitnet_sequence_fork(context.get(), kTexts, asked[i]));
        test::decode(context, {tokens[static_cast<size_t>(asked[i])]}, asked[i]);
        CAPTURE(i);
        CHECK(test::same_bits(together[i], test::copy_logits(context, model)));
    }
}
