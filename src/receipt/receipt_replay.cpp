#include "src/receipt/receipt_replay.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <span>
#include <string>
#include <utility>

#include "src/context/prefill.h"
#include "src/receipt/receipt_error.h"
#include "src/sampler/rng.h"

namespace bitnet {
namespace {

void check_vocabulary(const std::vector<bitnet_token>& tokens, int64_t n_vocab) {
    for (const bitnet_token token : tokens) {
        if (token < n_vocab) continue;
        throw ReceiptError(
            BITNET_RECEIPT_CHECK_FORMAT,
            "token " + std::to_string(token) + " is outside the model's vocabulary of " + std::to_string(n_vocab));
    }
}

std::set<std::string> ops_of(const std::vector<std::string>& kernels) {
    std::set<std::string> ops;
    for (const std::string& kernel : kernels) ops.insert(kernel.substr(0, kernel.find('/')));
    return ops;
}

ContextConfig context_config(size_t n_tokens, const ReplayOptions& options) {
    constexpr int32_t kBatch = 512;
    ContextConfig config;
    config.n_ctx = static_cast<int32_t>(n_tokens);
    config.n_batch = config.n_ubatch = std::min(config.n_ctx, kBatch);
    config.n_seq_max = 1;
    config.n_threads = options.n_threads;
    config.should_abort = options.should_abort;
    config.abort_user_data = options.abort_user_data;
    return config;
}

void check_position(const Receipt& receipt, size_t i, const float* logits, size_t n_vocab, Sampler& sampler) {
    const std::string where = "position " + std::to_string(i);
    const Sha256Digest& before = i == 0 ? receipt.statement : receipt.chain[i - 1];
    const bitnet_token token = receipt.generated[i];
    if (chain_link(before, receipt.statement, token, logits_digest(logits, n_vocab)) != receipt.chain[i]) {
        throw ReceiptError(BITNET_RECEIPT_CHECK_REPLAY,
                           "at " + where + " the model gives other logits, or a field was changed after the run",
                           static_cast<int64_t>(i));
    }
    if (const bitnet_token drawn = sampler.sample(logits, n_vocab); drawn != token) {
        throw ReceiptError(BITNET_RECEIPT_CHECK_TOKEN,
                           "at " + where + " the sampler draws token " + std::to_string(drawn) + ", the receipt says " +
                               std::to_string(token),
                           static_cast<int64_t>(i));
    }
}

}  // namespace

std::vector<size_t> choose_positions(size_t n_all, size_t n, uint64_t seed) {
    std::vector<size_t> positions(n_all);
    std::iota(positions.begin(), positions.end(), size_t{0});
    n = std::min(n, n_all);
    Pcg32 rng(seed);
    for (size_t i = 0; i < n; ++i) {
        const uint64_t high = rng.next_u32();
        const uint64_t random = (high << 32) | rng.next_u32();
        std::swap(positions[i], positions[i + static_cast<size_t>(random % (n_all - i))]);
    }
    positions.resize(n);
    std::sort(positions.begin(), positions.end());
    return positions;
}

void replay_receipt(const Receipt& receipt, std::shared_ptr<const Model> model, const ReplayOptions& options,
                    uint64_t* out_n_replayed) {
    *out_n_replayed = 0;
    const int64_t n_vocab = model->hparams.n_vocab;
    check_vocabulary(receipt.prompt, n_vocab);
    check_vocabulary(receipt.generated, n_vocab);
    if (options.positions.empty()) return;
    Sampler sampler(receipt.sampler);
    std::vector<size_t> positions = options.positions;
    if (sampler.learns_from_logits()) {
        // What it draws somewhere depends on all logits before: they are all computed again.
        positions.resize(options.positions.back() + 1);
        std::iota(positions.begin(), positions.end(), size_t{0});
    }
    const size_t n_prompt = receipt.prompt.size();
    const size_t n_longest = n_prompt + options.positions.back();
    if (n_longest > options.max_tokens) {
        throw Error(BITNET_E_LIMIT, "the replay needs a text of " + std::to_string(n_longest) +
                                        " tokens, the limit is " + std::to_string(options.max_tokens) +
                                        "; raise max_tokens")
            .with_numbers(options.max_tokens, n_longest);
    }
    std::vector<bitnet_token> tokens = receipt.prompt;
    tokens.insert(tokens.end(), receipt.generated.begin(), receipt.generated.end());
    Context context(std::move(model), context_config(n_longest, options));
    KernelLog kernels;
    context.log_kernels(&kernels);
    for (const bitnet_token token : receipt.prompt) sampler.accept(token);
    size_t n_followed = 0;
    for (const size_t position : positions) {
        for (; n_followed < position; ++n_followed) sampler.follow(receipt.generated[n_followed]);
        prefill_sequence(context, 0, std::span(tokens).first(n_prompt + position));
        check_position(receipt, position, context.logits(-1), static_cast<size_t>(n_vocab), sampler);
        n_followed = position + 1;
        ++*out_n_replayed;
    }
    // Kernels of another machine have other names, but the model has the same operations everywhere.
    if (ops_of(receipt.kernels) != ops_of(kernels.names())) {
        throw ReceiptError(BITNET_RECEIPT_CHECK_KERNELS, "its kernels are not those of the operations of this model");
    }
}

}  // namespace bitnet
