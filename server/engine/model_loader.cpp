// Loading through an open file, so that what was checked is what is read.
#include "server/engine/model_loader.h"

#include <algorithm>
#include <cstring>

#include "examples/stories/default_model.h"

namespace serve {

namespace {

template <typename Info>
Info sized() {
    Info info;
    std::memset(static_cast<void*>(&info), 0, sizeof info);
    info.struct_size = sizeof info;
    return info;
}

ApiError invalid(const std::string& message, const char* field = "") {
    return ApiError(ErrorCode::kValidationFailed, message, field);
}

std::shared_ptr<bitnet_context> small_context(bitnet_model* model, int32_t n_tokens, SteadyTime& deadline) {
    bitnet_context_params params = bitnet_context_default_params();
    params.n_ctx = n_tokens;
    params.should_abort = [](void* until) -> int32_t {
        return std::chrono::steady_clock::now() > *static_cast<SteadyTime*>(until) ? 1 : 0;
    };
    params.abort_user_data = &deadline;
    bitnet_context* context = nullptr;
    check(bitnet_context_create(model, &params, &context));
    return {context, bitnet_context_free};
}

// Reads a text token by token and tells what it predicts after each.
class Reader {
public:
    Reader(bitnet_model* model, size_t n_tokens, int32_t n_vocab, SteadyTime& deadline)
        : context_(small_context(model, static_cast<int32_t>(n_tokens), deadline)),
          n_vocab_(static_cast<size_t>(n_vocab)) {}
    bitnet_token after(bitnet_token token) {
        check(bitnet_context_decode_tokens(context_.get(), 0, &token, 1));
        const float* logits = nullptr;
        check(bitnet_context_get_logits(context_.get(), -1, &logits));
        bitnet_token best = -1;
        check(bitnet_logits_argmax(logits, n_vocab_, &best));
        return best;
    }

private:
    const std::shared_ptr<bitnet_context> context_;
    const size_t n_vocab_;
};

bool same_tokenizer(const bitnet_tokenizer* a, const bitnet_tokenizer* b) {
    const int32_t n_vocab = bitnet_tokenizer_get_n_vocab(a);
    if (n_vocab != bitnet_tokenizer_get_n_vocab(b)) return false;
    for (bitnet_token token = 0; token < n_vocab; token++) {
        const char *piece_a = nullptr, *piece_b = nullptr;
        size_t n_a = 0, n_b = 0;
        check(bitnet_tokenizer_get_piece(a, token, &piece_a, &n_a));
        check(bitnet_tokenizer_get_piece(b, token, &piece_b, &n_b));
        if (std::string_view(piece_a, n_a) != std::string_view(piece_b, n_b)) return false;
    }
    const std::string sample = "The quick brown fox jumps over 13 lazy dogs.\n\tDon't they?  \xc3\xa4\xe2\x82\xac";
    return encode_text(a, sample, BITNET_ENCODE_ADD_DEFAULT) == encode_text(b, sample, BITNET_ENCODE_ADD_DEFAULT);
}

}  // namespace

std::string checked_device(const std::string& device) {
    const std::string name = device.empty() ? "auto" : device == "gpu" ? "cuda" : device;
    const bitnet_status status = bitnet_device_check(name.c_str());
    if (status != BITNET_OK) {
        ApiError error = error_from_status(status);
        error.field = "device";
        error.suggestion = "GET /v1/devices lists those that are there";
        throw error;
    }
    return name;
}

uint64_t ModelLoader::limit() const {
    if (options_.max_bytes > 0) return options_.max_bytes;
    auto info = sized<bitnet_environment_info>();
    return bitnet_environment_get_info(&info) == BITNET_OK ? info.memory_limit : 0;
}

uint64_t ModelLoader::bytes_needed(const ModelSource& source) const {
    if (source.kind == ModelSource::Kind::kEmbedded) return 0;
    ModelFolder::Opened opened;
    std::string path = source.path;
    if (source.kind == ModelSource::Kind::kFolder) {
        opened = folder_.open(source.path, "model_path");
        path = opened.file.path();
    }
    bitnet_context_params params = bitnet_context_default_params();
    params.n_ctx = std::max(0, options_.engine.n_ctx);
    bitnet_model_params model_params = bitnet_model_default_params();
    if (!options_.quantization.empty()) model_params.quantization = options_.quantization.c_str();
    auto estimate = sized<bitnet_memory_estimate>();
    check(bitnet_model_estimate_memory_from_path(path.c_str(), &model_params, &params, &estimate));
    return estimate.total_bytes;
}

ModelHandle ModelLoader::load(const ModelSource& source, const std::string& kernel, ModelFacts* facts) const {
    const auto began = std::chrono::steady_clock::now();
    const bool any = source.device.empty() || source.device == "auto";
    const std::string device = checked_device(any ? options_.device : source.device);
    bitnet_model_params params = bitnet_model_default_params();
    const std::string& chosen = kernel.empty() ? options_.kernel : kernel;
    if (!chosen.empty()) params.kernel = chosen.c_str();
    if (!options_.quantization.empty()) params.quantization = options_.quantization.c_str();
    params.device = device.c_str();
    bitnet_model* model = nullptr;
    std::string path;
    switch (source.kind) {
        case ModelSource::Kind::kEmbedded: {
            size_t size = 0;
            const void* bytes = default_model_bytes(&size);
            if (!bytes)
                throw ApiError(ErrorCode::kModelNotFound, "this server was built without a model", "",
                               "Give one with -m");
            check(bitnet_model_load_from_memory(bytes, size, &params, &model));
            break;
        }
        case ModelSource::Kind::kFile:
            path = source.path;
            check(bitnet_model_load(path.c_str(), &params, &model));
            break;
        case ModelSource::Kind::kFolder: {
            const ModelFolder::Opened opened = folder_.open(source.path, "model_path");
            path = opened.path;
            check(bitnet_model_load_from_fd(opened.file.get(), 0, 0, &params, &model));
            break;
        }
    }
    const ModelHandle handle(model, bitnet_model_free);
    if (!facts) return handle;
    auto info = sized<bitnet_model_info>();
    check(bitnet_model_get_info(model, &info));
    facts->path = path;
    facts->name = info.name;
    facts->architecture = info.architecture;
    facts->quantization = info.quantization;
    auto config = sized<bitnet_model_config>();
    check(bitnet_model_get_config(model, &config));
    facts->device = config.device;
    facts->n_ctx_train = info.n_ctx_train;
    facts->n_vocab = info.n_vocab;
    facts->n_embd = info.n_embd;
    facts->n_parameters = info.n_parameters;
    facts->n_tensors = info.n_tensors;
    facts->n_bytes = info.n_file_bytes;
    facts->loaded_at = std::chrono::system_clock::now();
    facts->load_us = static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - began).count());
    return handle;
}

void ModelLoader::check_tokenizer(const std::string& path, const bitnet_model* model) const {
    const ModelFolder::Opened opened = folder_.open(path, "tokenizer_path");
    bitnet_tokenizer* tokenizer = nullptr;
    if (bitnet_tokenizer_load(opened.file.path().c_str(), &tokenizer) != BITNET_OK)
        throw invalid(bitnet_last_error(), "tokenizer_path");
    const std::shared_ptr<bitnet_tokenizer> keep(tokenizer, bitnet_tokenizer_free);
    const bitnet_tokenizer* own = bitnet_model_get_tokenizer(model);
    if (!own || !same_tokenizer(own, tokenizer))
        throw ApiError(ErrorCode::kValidationFailed,
                       "this is not the tokenizer inside the model file, and a model runs with no other",
                       "tokenizer_path", "Leave the field out, or convert the model with this tokenizer");
}

double ModelLoader::validate(const ModelSource& source, bitnet_model* model, const ValidationConfig& config,
                             SteadyTime deadline) const {
    bitnet_validation_params params = bitnet_validation_default_params();
    params.on_progress = [](float, void* until) -> int32_t {
        return std::chrono::steady_clock::now() > *static_cast<SteadyTime*>(until) ? 1 : 0;
    };
    params.progress_user_data = &deadline;
    const ApiError too_slow = invalid("the validation of the model took longer than allowed");
    bitnet_validation_report* report = nullptr;
    const bitnet_status status = bitnet_model_validate(model, &params, &report);
    if (status == BITNET_E_CANCELLED) throw too_slow;
    check(status);
    const std::shared_ptr<bitnet_validation_report> keep(report, bitnet_validation_report_free);
    auto info = sized<bitnet_validation_info>();
    check(bitnet_validation_report_get_info(report, &info));
    if (!info.is_valid) {
        auto finding = sized<bitnet_validation_finding>();
        std::string message = "the model is not valid";
        for (size_t i = 0; bitnet_validation_report_get_finding(report, i, &finding) == BITNET_OK; i++) {
            if (finding.severity != BITNET_FINDING_ERROR) continue;
            message += std::string(": ") + finding.message;
            break;
        }
        throw invalid(message, "model_path");
    }
    double accuracy = info.quantization_accuracy;
    try {
        if (config.samples > 0) accuracy = std::min(accuracy, cross_validate(source, model, config.samples, deadline));
    } catch (const ApiError&) {
        if (std::chrono::steady_clock::now() > deadline) throw too_slow;
        throw;
    }
    if (!(accuracy >= config.min_accuracy))
        throw invalid(
            "the model's accuracy is " + std::to_string(accuracy) + ", below " + std::to_string(config.min_accuracy),
            "validation_config.min_accuracy");
    return accuracy;
}

double ModelLoader::cross_validate(const ModelSource& source, bitnet_model* model, int32_t n_samples,
                                   SteadyTime deadline) const {
    auto info = sized<bitnet_model_info>();
    check(bitnet_model_get_info(model, &info));
    const int32_t n_most = info.n_ctx_train > 0 ? std::min(info.n_ctx_train, 1024) : 1024;
    const size_t n = static_cast<size_t>(std::clamp(n_samples, 1, n_most));
    const ModelHandle scalar = load(source, "scalar", nullptr);
    Reader reader(model, n, info.n_vocab, deadline), reference(scalar.get(), n, info.n_vocab, deadline);
    // The scalar kernel is slow: as many places as half of the time allows.
    const SteadyTime began = std::chrono::steady_clock::now(), enough = began + (deadline - began) / 2;
    size_t n_same = 0, n_read = 0;
    uint64_t state = 42;
    while (n_read < n && (n_read == 0 || std::chrono::steady_clock::now() < enough)) {
        // Any tokens will do, as long as they are always the same ones.
        state = state * 6364136223846793005u + 1442695040888963407u;
        const auto token = static_cast<bitnet_token>((state >> 33) % static_cast<uint64_t>(info.n_vocab));
        n_same += reader.after(token) == reference.after(token) ? 1 : 0;
        n_read++;
    }
    return static_cast<double>(n_same) / static_cast<double>(n_read);
}

}  // namespace serve
