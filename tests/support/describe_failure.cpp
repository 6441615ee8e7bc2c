// For tests/scripts/suggestions_test.py. Without an argument: the statuses with their suggestions, one JSON object per
// line. With a file: loads it as a model and prints the failure's JSON, or {} when the model is good.
#include <cstdio>
#include <string>

#include <nlohmann/json.hpp>

#include "bitnet.h"

namespace {

void print_table() {
    const auto print = [](bitnet_status status) {
        nlohmann::json row = {{"name", bitnet_status_name(status)}, {"suggestions", nlohmann::json::array()}};
        for (size_t i = 0; bitnet_status_get_suggestion(status, i) != nullptr; ++i) {
            row["suggestions"].push_back(bitnet_status_get_suggestion(status, i));
        }
        std::puts(row.dump().c_str());
    };
#define PRINT_STATUS(name, number, text) print(name);
    BITNET_STATUS_LIST(PRINT_STATUS)
#undef PRINT_STATUS
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        print_table();
        return 0;
    }
    bitnet_model* model = nullptr;
    if (bitnet_model_load(argv[1], nullptr, &model) == BITNET_OK) {
        bitnet_model_free(model);
        std::puts("{}");
        return 0;
    }
    std::string text(1 << 20, '\0');
    if (bitnet_last_error_get_json(text.data(), text.size(), nullptr) != BITNET_OK) return 1;
    std::puts(text.c_str());
    return 0;
}
