// --lora FILE[:SCALE]: adapters for all that a command computes.
#include <algorithm>
#include <charconv>

#include "cli_common.h"

namespace cli {
namespace {

using AdapterHandle = std::unique_ptr<bitnet_adapter, Freer<bitnet_adapter_free>>;

}  // namespace

LoraArgument parse_lora(const std::string& text) {
    LoraArgument argument{text};
    const size_t colon = text.rfind(':');
    if (colon == std::string::npos) return argument;
    float scale = 0.0f;
    const char* end = text.data() + text.size();
    const auto result = std::from_chars(text.data() + colon + 1, end, scale);
    if (result.ec != std::errc() || result.ptr != end) return argument;
    return {text.substr(0, colon), scale};
}

void add_lora_option(CLI::App& app, ModelOptions& options) {
    app.add_option("--lora", options.loras,
                   "LoRA adapter to run the model with (GGUF), at a scale other than 1 with :SCALE behind it; may be "
                   "given several times")
        ->type_name("FILE[:SCALE]")
        ->allow_extra_args(false);
}

ContextHandle create_context(bitnet_model* model, const ModelOptions& options, bitnet_context_params params) {
    std::vector<AdapterHandle> adapters;
    std::vector<bitnet_adapter_use> uses;
    int64_t rank = 0;
    for (const std::string& text : options.loras) {
        const LoraArgument argument = parse_lora(text);
        bitnet_adapter* adapter = nullptr;
        check(bitnet_adapter_load(model, argument.path.c_str(), &adapter));
        adapters.emplace_back(adapter);
        uses.push_back({adapter, argument.scale});
        bitnet_adapter_info info = {};
        info.struct_size = sizeof info;
        check(bitnet_adapter_get_info(adapter, &info));
        rank += info.rank;
    }
    params.max_lora_rank = static_cast<int32_t>(std::min<int64_t>(rank, std::numeric_limits<int32_t>::max()));
    params.type_k = options.type_k;
    params.type_v = options.type_v;
    bitnet_context* context = nullptr;
    check(bitnet_context_create(model, &params, &context));
    ContextHandle handle(context);
    // The context keeps the adapters; the handles may go.
    if (!uses.empty()) check(bitnet_context_set_adapters(context, -1, uses.data(), uses.size()));
    return handle;
}

}  // namespace cli
