#include "receipt_files.h"

namespace cli {
namespace {

constexpr size_t kMaxReceipts = 1000;
constexpr int kVersion = 1;

}  // namespace

std::string get_receipt(const bitnet_generation* generation) {
    return fetch_text([&](char* out, size_t capacity, size_t* size) {
        return bitnet_generation_get_receipt(generation, out, capacity, size);
    });
}

std::vector<std::string> read_golden(std::string_view text, const std::string& name) {
    const auto refuse = [&](const std::string& why) -> Failure {
        return {kExitFailure, name + ": not a golden file: " + why + "; make one with bitnet verify --write"};
    };
    const nlohmann::json root = nlohmann::json::parse(text, nullptr, false);
    if (!root.is_object()) throw refuse("no JSON object");
    const auto golden = root.find("golden");
    if (golden == root.end() || *golden != kVersion) throw refuse("\"golden\" is not " + std::to_string(kVersion));
    const auto receipts = root.find("receipts");
    if (receipts == root.end() || !receipts->is_array() || receipts->empty()) throw refuse("it has no receipts");
    if (receipts->size() > kMaxReceipts) throw refuse("it has more than " + std::to_string(kMaxReceipts) + " receipts");
    std::vector<std::string> texts;
    for (const nlohmann::json& receipt : *receipts) texts.push_back(dump(receipt));
    return texts;
}

std::string golden_text(const std::vector<std::string>& receipts) {
    std::string text = "{\"golden\": " + std::to_string(kVersion) + ",\n\"receipts\": [\n";
    for (size_t i = 0; i < receipts.size(); ++i) text += (i != 0 ? ",\n" : "") + receipts[i];
    return text + "]}\n";
}

}  // namespace cli
