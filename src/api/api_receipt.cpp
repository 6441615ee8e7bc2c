// Receipts: the hash of a model, the receipt of a generation, writing and checking one.
#include <cmath>

#include "ggml-like/thread_limit.h"
#include "src/api/api_guard.h"
#include "src/api/handles.h"
#include "src/base/environment.h"
#include "src/gguf/atomic_file.h"
#include "src/receipt/receipt_error.h"
#include "src/receipt/receipt_replay.h"
#include "src/receipt/receipt_text.h"

using namespace bitnet;

namespace {

struct CheckRow {
    bitnet_receipt_check check;
    const char* name;
};
constexpr CheckRow kChecks[] = {
    {BITNET_RECEIPT_CHECK_NONE, "none"},
    {BITNET_RECEIPT_CHECK_FORMAT, "format"},
    {BITNET_RECEIPT_CHECK_COMPUTE_PATH, "compute_path"},
    {BITNET_RECEIPT_CHECK_KERNELS, "kernels"},
    {BITNET_RECEIPT_CHECK_DIGEST, "digest"},
    {BITNET_RECEIPT_CHECK_MODEL, "model"},
    {BITNET_RECEIPT_CHECK_REPLAY, "replay"},
    {BITNET_RECEIPT_CHECK_TOKEN, "token"},
};

ReceiptFacts facts_of(const bitnet_generation& generation) {
    const Generation& g = generation.generation;
    const Model& model = generation.state->model;
    SamplerConfig sampler = g.config().sampler;
    sampler.has_seed = true;
    sampler.seed = g.seed();
    return {*g.record(),
            g.prompt(),
            std::move(sampler),
            {model.name, model.hparams.architecture, model.quantization, generation.state->hash.get(*model.file)},
            bitnet_version_string(),
            bitnet_build_info(),
            model.device(),
            bitnet_finish_reason_name(g.finish_reason()),
            g.prefill_us(),
            g.decode_us(),
            generation.total_us,
            g.n_reused()};
}

size_t positions_wanted(const bitnet_receipt_params& params, size_t n_positions) {
    if (!(params.replay_share >= 0 && params.replay_share <= 1)) {
        throw Error(BITNET_E_CONFIG, "replay_share is not between 0 and 1").with_subject("replay_share");
    }
    if (params.replay_count < -1) {
        throw Error(BITNET_E_CONFIG, "replay_count = " + std::to_string(params.replay_count) + " is below -1")
            .with_subject("replay_count");
    }
    if (params.replay_count >= 0) {
        return static_cast<size_t>(std::min<uint64_t>(static_cast<uint64_t>(params.replay_count), n_positions));
    }
    return static_cast<size_t>(std::ceil(params.replay_share * static_cast<double>(n_positions)));
}

ReplayOptions replay_options(const bitnet_receipt_params& params, const Model& model, size_t n_positions) {
    ReplayOptions options;
    options.positions = choose_positions(n_positions, positions_wanted(params, n_positions), params.seed);
    if (params.max_tokens < 0) {
        throw Error(BITNET_E_CONFIG, "max_tokens = " + std::to_string(params.max_tokens) + " is below 0")
            .with_subject("max_tokens");
    }
    const int64_t trained = std::clamp<int64_t>(model.hparams.n_ctx_train, 4096, 1 << 24);
    options.max_tokens = static_cast<uint64_t>(params.max_tokens != 0 ? params.max_tokens : trained);
    if (params.n_threads < 0 || params.n_threads > 1024) {
        throw Error(BITNET_E_CONFIG, "n_threads = " + std::to_string(params.n_threads) + " is outside 0..1024")
            .with_subject("n_threads");
    }
    const int32_t asked = params.n_threads != 0 ? params.n_threads : env_num_threads();
    options.n_threads = asked == 0 ? tg::usable_cpus() : std::min(asked, tg::usable_cpus());
    options.should_abort = params.should_abort;
    options.abort_user_data = params.abort_user_data;
    return options;
}

void check_with_model(const Receipt& receipt, const bitnet_model& model, const bitnet_receipt_params& params,
                      bitnet_receipt_report& report) {
    const ReplayOptions options = replay_options(params, model.state->model, receipt.generated.size());
    if (const std::string hash = model.state->hash.get(*model.state->model.file); hash != receipt.model_sha256) {
        throw ReceiptError(BITNET_RECEIPT_CHECK_MODEL,
                           "it was made with the model " + receipt.model_sha256 + ", this one is " + hash);
    }
    report.model_matched = 1;
    if (options.positions.empty()) return;
    if (model.state->model.arch == nullptr) {
        throw Error(BITNET_E_STATE, "the model was loaded with vocab_only and has no weights; load it again without");
    }
    const std::shared_ptr<const Model> shared(model.state, &model.state->model);
    replay_receipt(receipt, shared, options, &report.n_replayed);
}

std::string_view text_of(const char* json, size_t n_bytes) {
    require(json != nullptr || n_bytes == 0, "the receipt's text is NULL");
    return {json, n_bytes};
}

void init_report(bitnet_receipt_report* report, uint32_t struct_size) {
    write_params(report, struct_size, bitnet_receipt_report{});
}

}  // namespace

extern "C" {

bitnet_status bitnet_model_get_sha256(const bitnet_model* model, char* buffer, size_t capacity, size_t* out_size) {
    return api_call(__func__, about(model), [&] {
        require(model != nullptr, "the model is NULL");
        write_text(model->state->hash.get(*model->state->model.file), buffer, capacity, out_size);
    });
}

bitnet_status bitnet_generation_get_receipt(const bitnet_generation* generation, char* buffer, size_t capacity,
                                            size_t* out_size) {
    return api_call(__func__, about(generation), [&] {
        require(generation != nullptr, "the generation is NULL");
        const RunRecord* record = generation->generation.record();
        if (record == nullptr) {
            throw Error(BITNET_E_STATE, "the generation records nothing; set bitnet_generation_params.receipt = 1");
        }
        if (record->drawn.empty()) {
            throw Error(BITNET_E_STATE, "the generation has drawn no token yet; a receipt needs one at least");
        }
        write_text(write_receipt_text(facts_of(*generation)), buffer, capacity, out_size);
    });
}

bitnet_status bitnet_receipt_write(const char* json, size_t n_bytes, const char* path) {
    return api_call(__func__, about(path), [&] {
        require(path != nullptr, "the path is NULL");
        const std::string_view text = text_of(json, n_bytes);
        read_receipt_text(text);
        AtomicFile file(path);
        file.write(text.data(), text.size());
        file.commit();
    });
}

const char* bitnet_receipt_check_name(bitnet_receipt_check check) {
    for (const CheckRow& row : kChecks) {
        if (number_of(check) == row.check) return row.name;
    }
    return "unknown";
}

void bitnet_receipt_params_init(bitnet_receipt_params* params, uint32_t struct_size) {
    bitnet_receipt_params defaults;
    std::memset(&defaults, 0, sizeof defaults);
    defaults.replay_share = 0.05;
    defaults.replay_count = -1;
    write_params(params, struct_size, defaults);
}

bitnet_status bitnet_receipt_verify(const char* json, size_t n_bytes, const bitnet_model* model,
                                    const bitnet_receipt_params* params, bitnet_receipt_report* out_report) {
    return api_call(__func__, about(model), [&] {
        const bitnet_receipt_params full = read_params(params, bitnet_receipt_params_init);
        if (out_report != nullptr) read_params(out_report, init_report);  // a size that cannot be is found out first
        const std::string_view text = text_of(json, n_bytes);
        bitnet_receipt_report report{};
        report.first_mismatch = -1;
        try {
            const Receipt receipt = read_receipt_text(text);
            report.n_positions = receipt.generated.size();
            if (model != nullptr) check_with_model(receipt, *model, full, report);
        } catch (const ReceiptError& error) {
            report.failed_check = error.check();
            report.first_mismatch = error.position();
            if (out_report != nullptr) write_info(out_report, report);
            throw;
        }
        if (out_report != nullptr) write_info(out_report, report);
    });
}

}  // extern "C"
