// Adapters: loading them for a model, and which sequence uses which.
#include <vector>

#include "src/api/api_guard.h"
#include "src/api/handles.h"
#include "src/base/environment.h"
#include "src/gguf/byte_source.h"
#include "src/gguf/gguf_reader.h"
#include "src/load/adapter_load.h"

using namespace bitnet;

namespace {

template <typename Open>
bitnet_status load(const char* operation, const bitnet_model* model, const char* path, bitnet_adapter** out_adapter,
                   Open&& open) {
    if (out_adapter != nullptr) *out_adapter = nullptr;
    CallSubject subject = about(model);
    subject.file = path;
    return api_call(operation, subject, [&] {
        require(model != nullptr && out_adapter != nullptr, "the model or out_adapter is NULL");
        const std::shared_ptr<const GgufFile> file = open();
        // The adapter sees the model through a pointer that keeps the whole state alive.
        const std::shared_ptr<const Model> shared(model->state, &model->state->model);
        *out_adapter = new bitnet_adapter{load_adapter(*file, shared, env_memory_limit())};
    });
}

}  // namespace

extern "C" {

bitnet_status bitnet_adapter_load(const bitnet_model* model, const char* path, bitnet_adapter** out_adapter) {
    return load(__func__, model, path, out_adapter, [&] {
        require(path != nullptr, "the path is NULL");
        return GgufFile::open(path, true);
    });
}

bitnet_status bitnet_adapter_load_from_memory(const bitnet_model* model, const void* data, size_t size,
                                              bitnet_adapter** out_adapter) {
    return load(__func__, model, nullptr, out_adapter, [&] {
        require(data != nullptr || size == 0, "data is NULL");
        return GgufFile::read(open_memory_source(data, size));
    });
}

void bitnet_adapter_free(bitnet_adapter* adapter) { delete adapter; }

bitnet_status bitnet_adapter_get_info(const bitnet_adapter* adapter, bitnet_adapter_info* out_info) {
    return api_call(__func__, [&] {
        require(adapter != nullptr, "the adapter is NULL");
        const Adapter& a = *adapter->adapter;
        bitnet_adapter_info info{};
        info.name = a.name.c_str();
        info.architecture = a.architecture.c_str();
        info.rank = a.rank;
        info.alpha = a.alpha;
        info.n_tensors = a.n_tensors;
        info.n_parameters = a.n_parameters;
        info.n_bytes = a.data.size() + a.pairs.size() * sizeof a.pairs[0];
        write_info(out_info, info);
    });
}

bitnet_status bitnet_context_set_adapters(bitnet_context* context, bitnet_seq_id seq_id, const bitnet_adapter_use* uses,
                                          size_t n_uses) {
    return api_call(__func__, about(context), [&] {
        require(context != nullptr, "the context is NULL");
        require(uses != nullptr || n_uses == 0, "uses is NULL");
        if (seq_id >= 0) context->context.check_sequence(seq_id);
        if (n_uses > SequenceAdapters::kMaxUses) {
            throw Error(BITNET_E_LIMIT, std::to_string(n_uses) + " adapters at once are more than " +
                                            std::to_string(SequenceAdapters::kMaxUses) + "; merge some of them")
                .with_numbers(SequenceAdapters::kMaxUses, n_uses);
        }
        std::vector<AdapterUse> list;
        for (size_t i = 0; i < n_uses; ++i) {
            require(uses[i].adapter != nullptr, "an adapter in uses is NULL");
            list.push_back({uses[i].adapter->adapter, uses[i].scale});
        }
        context->context.adapters().set(context->context.cache(), seq_id, list);
    });
}

}  // extern "C"
