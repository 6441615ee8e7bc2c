#include "src/convert/convert_report.h"

#include <nlohmann/json.hpp>

#include "bitnet.h"

namespace bitnet {
namespace {

using Json = nlohmann::ordered_json;

const char* action_name(ConvertAction action) {
    static constexpr const char* kNames[] = {"copied", "encoded", "ternarised"};
    return kNames[static_cast<size_t>(action)];
}

Json tensor_json(const std::string& name, const ConvertedTensor& tensor) {
    return {{"name", name},
            {"action", action_name(action_of(tensor))},
            {"source_type", kern::quant_type_info(tensor.source_type).name},
            {"type", kern::quant_type_info(tensor.plan.type).name},
            {"n_values", tensor.loss.n_values},
            {"n_zeros", tensor.loss.n_zeros},
            {"n_source_bytes", tensor.n_source_bytes},
            {"n_bytes", tensor.n_bytes},
            {"is_exact", tensor.loss.is_exact()},
            {"codes_equal", tensor.loss.codes_equal},
            {"scale", scale_of(tensor)},
            {"mse", tensor.loss.mse()},
            {"max_abs_error", tensor.loss.max_abs_error},
            {"cosine", tensor.loss.cosine()},
            {"accuracy", tensor.loss.accuracy()}};
}

}  // namespace

ConvertAction action_of(const ConvertedTensor& tensor) noexcept {
    if (tensor.plan.ternarise) return ConvertAction::ternarised;
    return tensor.plan.copy ? ConvertAction::copied : ConvertAction::encoded;
}

double scale_of(const ConvertedTensor& tensor) noexcept {
    const kern::QuantTypeInfo& info = kern::quant_type_info(tensor.plan.type);
    const bool one = tensor.plan.ternarise || (info.ternary && scale_reach(tensor.plan.type) == 0);
    return one ? static_cast<double>(tensor.plan.scale) : 0.0;
}

ConvertTotals totals_of(const ConvertResult& result) noexcept {
    ConvertTotals totals;
    for (size_t i = 0; i < result.tensors.size(); ++i) {
        const ConvertedTensor& tensor = result.tensors[i];
        switch (action_of(tensor)) {
            case ConvertAction::copied: ++totals.n_copied; break;
            case ConvertAction::encoded: ++totals.n_encoded; break;
            case ConvertAction::ternarised: ++totals.n_ternarised; break;
        }
        totals.n_source_bytes += tensor.n_source_bytes;
        if (tensor.loss.is_exact()) continue;
        ++totals.n_inexact;
        if (totals.worst != SIZE_MAX && tensor.loss.accuracy() >= totals.worst_accuracy) continue;
        totals.worst = i;
        totals.worst_accuracy = tensor.loss.accuracy();
    }
    return totals;
}

std::string report_json(const ConvertReport& report) {
    const ConvertResult& result = report.result;
    const ConvertTotals totals = totals_of(result);
    Json tensors = Json::array();
    for (size_t i = 0; i < result.tensors.size(); ++i)
        tensors.push_back(tensor_json(result.names[i], result.tensors[i]));
    const Json json = {{"schema", "bitnet-conversion/1"},
                       {"library", bitnet_version_string()},
                       {"source", report.source},
                       {"file", report.file},
                       {"gguf_version", result.version},
                       {"type", kern::quant_type_info(result.main_type).name},
                       {"n_tensors", result.tensors.size()},
                       {"n_copied", totals.n_copied},
                       {"n_encoded", totals.n_encoded},
                       {"n_ternarised", totals.n_ternarised},
                       {"n_inexact", totals.n_inexact},
                       {"n_source_bytes", totals.n_source_bytes},
                       {"n_file_bytes", result.n_file_bytes},
                       {"worst_accuracy", totals.worst_accuracy},
                       {"worst_tensor", totals.worst == SIZE_MAX ? std::string() : result.names[totals.worst]},
                       {"seconds", result.seconds},
                       {"tensors", tensors}};
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace bitnet
