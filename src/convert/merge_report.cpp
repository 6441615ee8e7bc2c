#include "src/convert/merge_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "bitnet.h"

namespace bitnet {
namespace {

using Json = nlohmann::ordered_json;

void add_quality(Json& json, const MergedTensor& tensor) {
    json["change"] = tensor.change();
    json["relative_error"] = tensor.relative_error();
    json["cosine"] = tensor.cosine();
    json["change_kept"] = tensor.change_kept_share();
}

}  // namespace

MergedTensor MergeReport::totals() const noexcept {
    MergedTensor sum;
    for (const MergedTensor& tensor : tensors) sum.add(tensor);
    return sum;
}

uint64_t MergeReport::n_ternary() const noexcept {
    return static_cast<uint64_t>(
        std::count_if(tensors.begin(), tensors.end(), [](const MergedTensor& tensor) { return tensor.ternary; }));
}

std::string merge_report_json(const MergeReport& report) {
    const MergedTensor totals = report.totals();
    Json json = {{"schema", "bitnet-merge/1"}, {"library", bitnet_version_string()}, {"base", report.base}};
    json["adapters"] = Json::array();
    for (const MergeReport::Adapter& adapter : report.adapters)
        json["adapters"].push_back({{"path", adapter.path}, {"scale", adapter.scale}});
    json["checkpoint"] = report.checkpoint.empty() ? Json() : Json(report.checkpoint);
    json["file"] = report.file;
    json["n_tensors"] = report.tensors.size();
    json["n_ternary"] = report.n_ternary();
    json["n_values"] = totals.n_values;
    json["n_codes_changed"] = totals.n_codes_changed;
    add_quality(json, totals);
    json["n_file_bytes"] = report.result.n_file_bytes;
    json["seconds"] = report.seconds;
    json["tensors"] = Json::array();
    for (size_t i = 0; i < report.tensors.size(); ++i) {
        const MergedTensor& tensor = report.tensors[i];
        Json row = {{"name", report.names[i]},     {"is_ternary", tensor.ternary},
                    {"n_values", tensor.n_values}, {"n_codes_changed", tensor.n_codes_changed},
                    {"step", tensor.step},         {"scale", tensor.scale}};
        add_quality(row, tensor);
        json["tensors"].push_back(std::move(row));
    }
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace bitnet
