// Fine-tunings merged into a model file, and what the report of that says.
#include <cmath>
#include <utility>

#include "src/api/api_guard.h"
#include "src/api/convert_params.h"
#include "src/api/handles.h"
#include "src/arch/arch.h"
#include "src/base/stopwatch.h"
#include "src/convert/hf_source.h"
#include "src/convert/merge_report.h"
#include "src/convert/merged_source.h"
#include "src/convert/peft_adapter.h"
#include "src/gguf/gguf_keys.h"
#include "src/gguf/gguf_reader.h"
#include "src/gguf/gguf_text.h"

using namespace bitnet;

struct bitnet_merge_report {
    bitnet::MergeReport report;
};

namespace {

constexpr size_t kMostAdapters = 64;

void check_params(const bitnet_merge_params& params) {
    require(params.adapters != nullptr || params.n_adapters == 0, "bitnet_file_merge: adapters is NULL");
    require(params.n_adapters != 0 || params.checkpoint_path != nullptr,
            "bitnet_file_merge: there is nothing to merge; give an adapter or a checkpoint");
    if (params.n_adapters > kMostAdapters) {
        throw Error(BITNET_E_ARGUMENT, "bitnet_file_merge: " + std::to_string(params.n_adapters) +
                                           " adapters; at most " + std::to_string(kMostAdapters) + " at once")
            .with_numbers(kMostAdapters, params.n_adapters);
    }
    for (size_t i = 0; i < params.n_adapters; ++i) {
        require(params.adapters[i].path != nullptr, "bitnet_file_merge: the path of an adapter is NULL");
        if (std::isfinite(params.adapters[i].scale)) continue;
        throw Error(BITNET_E_ARGUMENT,
                    "bitnet_file_merge: the scale of adapter " + std::to_string(i) + " is not finite");
    }
}

// Converters know one name where model files have several; what counts is that the tensors mean the same.
bool same_tensors(std::string_view one, std::string_view other) {
    if (one == other) return true;
    const ArchRow* a = find_arch(one);
    const ArchRow* b = find_arch(other);
    return a != nullptr && b != nullptr && a->layer_tensors.data() == b->layer_tensors.data() &&
           a->traits.rope_halves == b->traits.rope_halves;
}

struct BaseModel {
    std::string architecture;
    PeftBase names;  // arch is null where no folder of transformers has such a model
};

BaseModel base_model(const char* path) {
    GgufReadOptions read;
    read.metadata_only = true;
    const auto file = GgufFile::open(path, false, read);
    BaseModel out;
    out.architecture = file->require_string(gguf_key::kArchitecture);
    for (const HfArch& arch : hf_archs()) {
        if (out.names.arch == nullptr && same_tensors(arch.gguf, out.architecture)) out.names.arch = &arch;
    }
    const auto heads = [&](const char* key) {
        return static_cast<int64_t>(file->get_uint(out.architecture + key).value_or(0));
    };
    out.names.n_head = heads(gguf_key::kHeadCount);
    out.names.n_head_kv = heads(gguf_key::kHeadCountKv);
    if (out.names.n_head_kv == 0) out.names.n_head_kv = out.names.n_head;
    return out;
}

LoraFile read_adapter(const bitnet_merge_adapter& adapter, const ModelSource& base, const BaseModel& model) {
    if (is_model_folder(adapter.path)) {
        if (model.names.arch != nullptr) return read_peft_adapter(adapter.path, adapter.scale, base, model.names);
        throw Error(BITNET_E_MODEL_ARCHITECTURE,
                    for_message(adapter.path, 1024) + ": folders of PEFT are not merged into '" +
                        for_message(model.architecture) + "'; convert the adapter to GGUF");
    }
    LoraFile file = read_lora_file(adapter.path, adapter.scale, base);
    if (same_tensors(file.architecture, model.architecture)) return file;
    const std::string shown = for_message(file.architecture);
    throw Error(BITNET_E_MODEL_ARCHITECTURE, for_message(adapter.path, 1024) + ": the adapter is for architecture '" +
                                                 shown + "', the model is '" + for_message(model.architecture) +
                                                 "'; convert it against this model")
        .with_subject(shown);
}

const MergeReport& checked(const bitnet_merge_report* report) {
    require(report != nullptr, "the report is NULL");
    return report->report;
}

}  // namespace

extern "C" {

void bitnet_merge_params_init(bitnet_merge_params* params, uint32_t struct_size) {
    bitnet_merge_params defaults;
    std::memset(&defaults, 0, sizeof defaults);
    write_params(params, struct_size, defaults);
}

bitnet_status bitnet_file_merge(const char* base_path, const char* out_path, const bitnet_merge_params* params,
                                bitnet_merge_report** out_report) {
    if (out_report != nullptr) *out_report = nullptr;
    return api_call(__func__, about(base_path), [&] {
        require(base_path != nullptr && out_path != nullptr, "bitnet_file_merge: a path is NULL");
        const bitnet_merge_params full = read_params(params, bitnet_merge_params_init);
        const bitnet_convert_params convert = read_params(full.convert, bitnet_convert_params_init);
        check_params(full);
        const ConvertOptions options = convert_options(convert);
        const Stopwatch watch;
        auto made = std::make_unique<bitnet_merge_report>();  // nothing may fail once the file is there
        MergeReport& report = made->report;
        report.base = base_path;
        report.file = out_path;
        if (full.checkpoint_path != nullptr) report.checkpoint = full.checkpoint_path;

        std::unique_ptr<ModelSource> base = open_convert_source(base_path, convert);
        std::unique_ptr<ModelSource> checkpoint;
        if (full.checkpoint_path != nullptr) checkpoint = open_convert_source(full.checkpoint_path, convert);
        std::vector<LoraFile> adapters;
        const BaseModel model = base_model(base_path);
        for (size_t i = 0; i < full.n_adapters; ++i) {
            report.adapters.push_back({full.adapters[i].path, full.adapters[i].scale});
            adapters.push_back(read_adapter(full.adapters[i], *base, model));
        }
        MergeOptions merge;
        merge.ternary = !options.types.matrices || kern::quant_type_info(*options.types.matrices).ternary;
        merge.n_threads = options.n_threads;
        const MergedSource source(std::move(base), std::move(checkpoint), std::move(adapters), merge);
        report.tensors = source.merged();
        for (const MergedTensor& tensor : report.tensors) report.names.push_back(source.tensors()[tensor.tensor].name);
        report.result = convert_model(source, report.file, options);
        report.seconds = static_cast<double>(watch.us()) * 1e-6;
        if (out_report != nullptr) *out_report = made.release();
    });
}

void bitnet_merge_report_free(bitnet_merge_report* report) { delete report; }

bitnet_status bitnet_merge_report_get_info(const bitnet_merge_report* report, bitnet_merge_info* out_info) {
    return api_call(__func__, [&] {
        const MergeReport& merge = checked(report);
        const MergedTensor totals = merge.totals();
        bitnet_merge_info info{};
        info.gguf_version = static_cast<int32_t>(merge.result.version);
        info.n_tensors = merge.tensors.size();
        info.n_ternary = merge.n_ternary();
        info.n_values = totals.n_values;
        info.n_codes_changed = totals.n_codes_changed;
        info.change = totals.change();
        info.relative_error = totals.relative_error();
        info.cosine = totals.cosine();
        info.change_kept = totals.change_kept_share();
        info.n_file_bytes = merge.result.n_file_bytes;
        info.seconds = merge.seconds;
        write_info(out_info, info);
    });
}

bitnet_status bitnet_merge_report_get_tensor(const bitnet_merge_report* report, size_t index,
                                             bitnet_merged_tensor* out_tensor) {
    return api_call(__func__, [&] {
        const MergeReport& merge = checked(report);
        if (index >= merge.tensors.size()) {
            throw Error(BITNET_E_NOT_FOUND, "the report has " + std::to_string(merge.tensors.size()) +
                                                " tensors, none with index " + std::to_string(index));
        }
        const MergedTensor& tensor = merge.tensors[index];
        bitnet_merged_tensor info{};
        info.is_ternary = tensor.ternary ? 1 : 0;
        info.name = merge.names[index].c_str();
        info.n_values = tensor.n_values;
        info.n_codes_changed = tensor.n_codes_changed;
        info.step = static_cast<double>(tensor.step);
        info.scale = static_cast<double>(tensor.scale);
        info.change = tensor.change();
        info.relative_error = tensor.relative_error();
        info.cosine = tensor.cosine();
        info.change_kept = tensor.change_kept_share();
        write_info(out_tensor, info);
    });
}

bitnet_status bitnet_merge_report_get_json(const bitnet_merge_report* report, char* buffer, size_t capacity,
                                           size_t* out_size) {
    return api_call(__func__, [&] { write_text(merge_report_json(checked(report)), buffer, capacity, out_size); });
}

}  // extern "C"
