// Loading models from every kind of source, and what can be asked of them.
#include "src/api/api_guard.h"
#include "src/api/handles.h"
#include "src/api/param_read.h"
#include "src/base/environment.h"
#include "src/base/log.h"
#include "src/discovery/tokenizer_discovery.h"
#include "src/gguf/byte_source.h"
#include "src/gguf/gguf_reader.h"
#include "src/load/model_load.h"
#include "src/tokenizer/tokenizer_load.h"
#include "src/validation/model_validate.h"

using namespace bitnet;

namespace {

// A model without a usable tokenizer can still be fed with ids; whoever asks for the tokenizer is told what is wrong.
void read_tokenizer(ModelState& state, const char* override_path) {
    const int64_t n_vocab = state.model.hparams.n_vocab;
    if (override_path != nullptr) {
        const std::string& architecture = state.model.hparams.architecture;
        state.tokenizer.tokenizer =
            load_tokenizer_for(override_path, n_vocab, environment().strict_tokenizers(), architecture);
        return;
    }
    try {
        state.tokenizer.tokenizer = load_tokenizer(*state.model.file);
    } catch (const Error& error) {
        if (error.status() == BITNET_E_OUT_OF_MEMORY) throw;
        if (environment().strict_tokenizers()) {
            throw Error(BITNET_E_TOKENIZER, error.message() + "; unset BITNET_STRICT_TOKENIZERS to use the model with token ids alone");
        }
        state.tokenizer_problem = error.message();
        log_message(BITNET_LOG_WARNING, "no tokenizer: " + error.message());
        return;
    }
    if (const int64_t n = state.tokenizer.tokenizer->n_vocab(); n_vocab != 0 && n != n_vocab) {
        log_message(BITNET_LOG_WARNING, "the tokenizer has " + std::to_string(n) + " tokens, the embedding " +
                                            std::to_string(n_vocab) + " rows");
    }
}

// Opens the file, and validates it first where that is asked for: the first half of the progress is the validation's then.
template <typename Open>
std::shared_ptr<const GgufFile> open_validated(const bitnet_model_params& params, const GgufReadOptions& read_options,
                                               LoadOptions& options, Open&& open) {
    require(params.validate >= 0 && params.validate <= 2, "bitnet_model_params.validate is not 0, 1 or 2");
    if (params.validate == 0 || options.vocab_only) return open(params, read_options);
    ValidationReport report(1000);
    ValidationOptions validation;
    validation.n_threads = options.n_threads;
    validation.tl_tilings = options.tl_tilings;
    if (options.on_progress) {
        const auto whole = options.on_progress;
        validation.on_progress = [whole](float progress) { return whole(0.5f * progress); };
        options.on_progress = [whole](float progress) { return whole(0.5f + 0.5f * progress); };
    }
    std::shared_ptr<const GgufFile> file = open(params, collecting(read_options, report));
    validate_gguf(*file, nullptr, validation, report);
    try {
        refuse_invalid(report, params.validate == 2);
    } catch (Error& error) {
        error.prefix(file->source().name());
        throw;
    }
    return file;
}

// open(params, read_options) gives the parsed file; path is null where there is none.
template <typename Open>
bitnet_status load(const char* operation, const char* path, const bitnet_model_params* params, bitnet_model** out_model,
                   Open&& open) {
    if (out_model != nullptr) *out_model = nullptr;
    std::shared_ptr<ModelState> state;  // outlives the call, whose failure may tell of a half-loaded model
    CallSubject subject = about(path);
    return api_call(operation, subject, [&] {
        require(out_model != nullptr, "out_model is NULL");
        const bitnet_model_params full = read_params(params, bitnet_model_params_init);
        LoadOptions options = load_options(full);
        GgufReadOptions read_options;
        read_options.metadata_only = options.vocab_only;
        if (full.max_tensors != 0) read_options.limits.allowed_tensors = full.max_tensors;
        state = std::make_shared<ModelState>();
        subject.model = state.get();
        if (path != nullptr) state->path = path;
        load_model(open_validated(full, read_options, options, open), options, &state->model);
        if (full.sha256 != 0) state->hash.get(*state->model.file, true);
        read_tokenizer(*state, full.tokenizer_path);
        *out_model = new bitnet_model{std::move(state)};
    });
}

const Model& checked(const bitnet_model* model) {
    require(model != nullptr, "the model is NULL");
    return model->state->model;
}

constexpr size_t kMaxMetadataElements = 64;

bitnet_tensor_info tensor_row(const GgufTensor& tensor) {
    bitnet_tensor_info info{};
    info.name = tensor.name.c_str();
    info.type = kern::quant_type_info(tensor.type).name;
    info.n_dims = static_cast<int32_t>(tensor.n_dims);
    std::copy(std::begin(tensor.ne), std::end(tensor.ne), info.shape);
    info.file_offset = tensor.offset;
    info.n_bytes = tensor.n_bytes;
    info.part = static_cast<int32_t>(tensor.part);
    return info;
}

}  // namespace

extern "C" {

void bitnet_model_params_init(bitnet_model_params* params, uint32_t struct_size) {
    bitnet_model_params defaults;
    std::memset(&defaults, 0, sizeof defaults);
    defaults.use_mmap = 1;
    defaults.check_weights = 1;
    defaults.screen_head = 1;
    write_params(params, struct_size, defaults);
}

bitnet_status bitnet_model_load(const char* path, const bitnet_model_params* params, bitnet_model** out_model) {
    return load(__func__, path, params, out_model, [&](const bitnet_model_params& full, const GgufReadOptions& options) {
        require(path != nullptr, "the path is NULL");
        return GgufFile::open(path, full.use_mmap != 0, options);
    });
}

bitnet_status bitnet_model_load_from_memory(const void* data, size_t size, const bitnet_model_params* params,
                                            bitnet_model** out_model) {
    return load(__func__, nullptr, params, out_model, [&](const bitnet_model_params&, const GgufReadOptions& options) {
        require(data != nullptr || size == 0, "data is NULL");
        return GgufFile::read(open_memory_source(data, size), options);
    });
}

bitnet_status bitnet_model_load_from_fd(int fd, uint64_t offset, uint64_t length, const bitnet_model_params* params,
                                        bitnet_model** out_model) {
    return load(__func__, nullptr, params, out_model, [&](const bitnet_model_params& full, const GgufReadOptions& options) {
        return GgufFile::read(open_fd_source(fd, offset, length, full.use_mmap != 0), options);
    });
}

bitnet_status bitnet_model_load_from_reader(const bitnet_reader* reader, const bitnet_model_params* params,
                                            bitnet_model** out_model) {
    return load(__func__, nullptr, params, out_model, [&](const bitnet_model_params&, const GgufReadOptions& options) {
        const bitnet_reader full = read_params(reader, +[](bitnet_reader* r, uint32_t size) { write_params(r, size, bitnet_reader{}); });
        require(full.read != nullptr, "bitnet_reader.read is NULL");
        return GgufFile::read(open_reader_source(full), options);
    });
}

void bitnet_model_free(bitnet_model* model) { delete model; }

bitnet_status bitnet_model_get_info(const bitnet_model* model, bitnet_model_info* out_info) {
    return api_call(__func__, about(model), [&] {
        const Model& m = checked(model);
        const Hparams& h = m.hparams;
        bitnet_model_info info{};
        info.architecture = h.architecture.c_str();
        info.name = m.name.c_str();
        info.quantization = m.quantization.c_str();
        info.kernel = "";
        if (const kern::QuantTypeInfo* type = kern::find_quant_type_by_name(m.quantization.c_str()); type != nullptr) {
            const kern::MulMatKernel* kernel = &m.kernels.for_type(type->type);
            for (const LayerWeights& layer : m.weights.layers) {  // of the layout that its matrices have
                if (layer.ffn_down.kernel != nullptr && layer.ffn_down.kernel->type == kernel->type) kernel = layer.ffn_down.kernel;
            }
            info.kernel = kernel->name;
        }
        const auto& tokenizer = model->state->tokenizer.tokenizer;
        const int64_t n_tokens = tokenizer != nullptr ? tokenizer->n_vocab() : 0;
        info.n_vocab = static_cast<int32_t>(h.n_vocab != 0 ? h.n_vocab : n_tokens);
        info.n_ctx_train = static_cast<int32_t>(std::min<int64_t>(h.n_ctx_train, INT32_MAX));
        info.n_embd = static_cast<int32_t>(h.n_embd);
        info.n_layer = static_cast<int32_t>(h.n_layer);
        info.n_head = static_cast<int32_t>(h.n_head);
        info.n_head_kv = static_cast<int32_t>(h.n_head_kv);
        info.head_dim = static_cast<int32_t>(h.head_dim);
        info.n_ff = static_cast<int32_t>(h.n_ff);
        info.rope_freq_base = static_cast<float>(h.rope_freq_base);
        info.rms_norm_eps = h.rms_norm_eps;
        info.n_tensors = m.n_tensors;
        info.n_parameters = m.n_parameters;
        info.n_file_bytes = m.n_file_bytes;
        info.bits_per_weight = m.n_parameters != 0 ? 8.0 * static_cast<double>(m.n_file_bytes) / static_cast<double>(m.n_parameters) : 0.0;
        write_info(out_info, info);
    });
}

size_t bitnet_model_get_metadata_count(const bitnet_model* model) {
    return model != nullptr ? model->state->model.file->n_keys() : 0;
}

bitnet_status bitnet_model_get_metadata_key(const bitnet_model* model, size_t index, char* buffer, size_t capacity,
                                            size_t* out_size) {
    return api_call(__func__, about(model), [&] {
        const GgufFile& file = *checked(model).file;
        if (index >= file.n_keys()) {
            throw Error(BITNET_E_NOT_FOUND, "the model has " + std::to_string(file.n_keys()) + " metadata keys, none with index " +
                                                std::to_string(index));
        }
        write_text(file.key_at(index), buffer, capacity, out_size);
    });
}

bitnet_status bitnet_model_get_metadata(const bitnet_model* model, const char* key, char* buffer, size_t capacity,
                                        size_t* out_size) {
    return api_call(__func__, about(model), [&] {
        const GgufFile& file = *checked(model).file;
        require(key != nullptr, "the key is NULL");
        const GgufValue* value = file.find(key);
        if (value == nullptr) throw Error(BITNET_E_NOT_FOUND, "the model has no metadata key '" + std::string(key).substr(0, 200) + "'");
        write_text(value->to_text(kMaxMetadataElements), buffer, capacity, out_size);
    });
}

size_t bitnet_model_get_tensor_count(const bitnet_model* model) {
    return model != nullptr ? model->state->model.file->tensors().size() : 0;
}

bitnet_status bitnet_model_get_tensor(const bitnet_model* model, size_t index, bitnet_tensor_info* out_info) {
    return api_call(__func__, about(model), [&] {
        const std::vector<GgufTensor>& tensors = checked(model).file->tensors();
        if (index >= tensors.size()) {
            throw Error(BITNET_E_NOT_FOUND, "the model has " + std::to_string(tensors.size()) + " tensors, none with index " +
                                                std::to_string(index));
        }
        write_info(out_info, tensor_row(tensors[index]));
    });
}

const bitnet_tokenizer* bitnet_model_get_tokenizer(const bitnet_model* model) {
    if (model == nullptr) return nullptr;
    if (model->state->tokenizer.tokenizer != nullptr) return &model->state->tokenizer;
    api_call(__func__, about(model), [&] { throw Error(BITNET_E_TOKENIZER, model->state->tokenizer_problem); });
    return nullptr;
}

}  // extern "C"
