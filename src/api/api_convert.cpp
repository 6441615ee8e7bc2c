// Model files written anew, and what the report of that says.
#include <utility>

#include "src/api/api_guard.h"
#include "src/api/convert_params.h"
#include "src/api/handles.h"
#include "src/api/param_read.h"
#include "src/convert/convert_report.h"
#include "src/convert/gguf_source.h"
#include "src/convert/hf_source.h"

using namespace bitnet;

struct bitnet_convert_report {
    bitnet::ConvertReport report;
};

namespace bitnet {

std::unique_ptr<ModelSource> open_convert_source(const char* path, const bitnet_convert_params& params) {
    if (is_model_folder(path)) return open_model_folder(path);
    GgufSourceOptions options;
    options.i2s_arm_order = params.i2s_order == BITNET_I2S_ORDER_ARM;
    if (params.max_tensors != 0) options.limits.allowed_tensors = params.max_tensors;
    if (params.tl_tiling != nullptr) options.tl_tilings = TlTilings(params.tl_tiling);
    return GgufSource::open(path, options);
}

ConvertOptions convert_options(const bitnet_convert_params& params) {
    ConvertOptions options;
    if (params.type != nullptr) options.types.matrices = find_file_type(params.type, "type");
    if (params.head_type != nullptr) options.types.head = find_file_type(params.head_type, "head_type");
    if (params.embedding_type != nullptr)
        options.types.embedding = find_file_type(params.embedding_type, "embedding_type");
    if (params.tl_tiling != nullptr) options.tl_tilings = TlTilings(params.tl_tiling);
    if (params.gguf_version != 2 && params.gguf_version != 3)
        throw Error(BITNET_E_CONFIG,
                    "gguf_version = " + std::to_string(params.gguf_version) + " is no version to write; 2 and 3 are")
            .with_subject("gguf_version");
    if (params.i2s_order != BITNET_I2S_ORDER_X86 && params.i2s_order != BITNET_I2S_ORDER_ARM)
        throw Error(BITNET_E_CONFIG, "i2s_order = " + std::to_string(params.i2s_order) + " is no bitnet_i2s_order")
            .with_subject("i2s_order");
    options.version = static_cast<uint32_t>(params.gguf_version);
    options.ternarise = params.ternarize != 0;
    options.n_threads = loading_threads(params.n_threads);
    if (params.on_progress != nullptr) {
        options.on_progress = [callback = params.on_progress, user_data = params.progress_user_data](float progress) {
            return callback(progress, user_data) == 0;
        };
    }
    return options;
}

}  // namespace bitnet

namespace {

const ConvertReport& checked(const bitnet_convert_report* report) {
    require(report != nullptr, "the report is NULL");
    return report->report;
}

}  // namespace

extern "C" {

void bitnet_convert_params_init(bitnet_convert_params* params, uint32_t struct_size) {
    bitnet_convert_params defaults;
    std::memset(&defaults, 0, sizeof defaults);
    defaults.gguf_version = 3;
    write_params(params, struct_size, defaults);
}

bitnet_status bitnet_file_convert(const char* source_path, const char* out_path, const bitnet_convert_params* params,
                                  bitnet_convert_report** out_report) {
    if (out_report != nullptr) *out_report = nullptr;
    return api_call(__func__, about(source_path), [&] {
        require(source_path != nullptr && out_path != nullptr, "bitnet_file_convert: a path is NULL");
        const bitnet_convert_params full = read_params(params, bitnet_convert_params_init);
        const ConvertOptions options = convert_options(full);
        auto made = std::make_unique<bitnet_convert_report>();  // nothing may fail once the file is there
        made->report.source = source_path;
        made->report.file = out_path;
        const std::unique_ptr<ModelSource> source = open_convert_source(source_path, full);
        made->report.result = convert_model(*source, made->report.file, options);
        if (out_report != nullptr) *out_report = made.release();
    });
}

void bitnet_convert_report_free(bitnet_convert_report* report) { delete report; }

bitnet_status bitnet_convert_report_get_info(const bitnet_convert_report* report, bitnet_convert_info* out_info) {
    return api_call(__func__, [&] {
        const ConvertResult& result = checked(report).result;
        const ConvertTotals totals = totals_of(result);
        bitnet_convert_info info{};
        info.gguf_version = static_cast<int32_t>(result.version);
        info.type = kern::quant_type_info(result.main_type).name;
        info.n_tensors = result.tensors.size();
        info.n_copied = totals.n_copied;
        info.n_encoded = totals.n_encoded;
        info.n_ternarised = totals.n_ternarised;
        info.n_inexact = totals.n_inexact;
        info.n_source_bytes = totals.n_source_bytes;
        info.n_file_bytes = result.n_file_bytes;
        info.worst_accuracy = totals.worst_accuracy;
        info.worst_tensor = totals.worst == SIZE_MAX ? "" : result.names[totals.worst].c_str();
        info.seconds = result.seconds;
        write_info(out_info, info);
    });
}

bitnet_status bitnet_convert_report_get_tensor(const bitnet_convert_report* report, size_t index,
                                               bitnet_converted_tensor* out_tensor) {
    return api_call(__func__, [&] {
        const ConvertResult& result = checked(report).result;
        if (index >= result.tensors.size()) {
            throw Error(BITNET_E_NOT_FOUND, "the report has " + std::to_string(result.tensors.size()) +
                                                " tensors, none with index " + std::to_string(index));
        }
        const ConvertedTensor& tensor = result.tensors[index];
        bitnet_converted_tensor info{};
        info.action = static_cast<int32_t>(action_of(tensor));
        info.name = result.names[index].c_str();
        info.source_type = kern::quant_type_info(tensor.source_type).name;
        info.type = kern::quant_type_info(tensor.plan.type).name;
        info.n_values = static_cast<uint64_t>(tensor.loss.n_values);
        info.n_zeros = static_cast<uint64_t>(tensor.loss.n_zeros);
        info.n_source_bytes = tensor.n_source_bytes;
        info.n_bytes = tensor.n_bytes;
        info.is_exact = tensor.loss.is_exact() ? 1 : 0;
        info.codes_equal = tensor.loss.codes_equal ? 1 : 0;
        info.scale = scale_of(tensor);
        info.mse = tensor.loss.mse();
        info.max_abs_error = tensor.loss.max_abs_error;
        info.cosine = tensor.loss.cosine();
        info.accuracy = tensor.loss.accuracy();
        write_info(out_tensor, info);
    });
}

bitnet_status bitnet_convert_report_get_json(const bitnet_convert_report* report, char* buffer, size_t capacity,
                                             size_t* out_size) {
    return api_call(__func__, [&] { write_text(report_json(checked(report)), buffer, capacity, out_size); });
}

}  // extern "C"
