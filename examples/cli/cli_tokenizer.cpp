// bitnet tokenizer: which tokenizer a model gets, where it was found, and what to download where there is none.
#include "cli_common.h"

namespace cli {
namespace {

struct TokenizerOptions {
    std::string model;
    std::string tokenizer;
    std::string cache;
    std::string table;
    bool offline = false;
    bool strict = false;
    bool json = false;
};

using DiscoveryHandle = std::unique_ptr<bitnet_tokenizer_discovery, Freer<bitnet_tokenizer_discovery_free>>;

DiscoveryHandle discover(const TokenizerOptions& options) {
    bitnet_tokenizer_discovery_params params = bitnet_tokenizer_discovery_default_params();
    params.offline = options.offline ? 1 : 0;
    params.strict = options.strict ? 1 : 0;
    params.tokenizer_path = or_null(options.tokenizer);
    params.cache_dir = or_null(options.cache);
    params.table_path = or_null(options.table);
    bitnet_tokenizer_discovery* discovery = nullptr;
    check(bitnet_tokenizer_discovery_create(options.model.c_str(), &params, &discovery));
    return DiscoveryHandle(discovery);
}

const char* strategy_name(int32_t strategy) {
    static const char* const kNames[] = {"not_found", "exact", "embedded", "discovered", "cached", "needs_download"};
    const bool known = strategy >= 0 && static_cast<size_t>(strategy) < std::size(kNames);
    return known ? kNames[strategy] : "unknown";
}

std::vector<std::string> files_of(const bitnet_tokenizer_source& source) {
    return {source.files, source.files + source.n_files};
}

std::vector<std::string> steps_of(const bitnet_tokenizer_discovery_info& info) {
    std::vector<std::string> steps;
    const std::string_view text = info.steps;
    for (size_t at = 0; at < text.size();) {
        const size_t end = std::min(text.find('\n', at), text.size());
        steps.emplace_back(text.substr(at, end - at));
        at = end + 1;
    }
    return steps;
}

nlohmann::ordered_json to_json(const bitnet_tokenizer_discovery_info& info, const bitnet_tokenizer* tokenizer) {
    nlohmann::ordered_json out = {{"strategy", strategy_name(info.strategy)},
                                  {"description", info.description},
                                  {"path", info.path},
                                  {"requires_network", info.requires_network != 0},
                                  {"uses_cache", info.uses_cache != 0},
                                  {"architecture", info.architecture},
                                  {"model_type", info.model_type},
                                  {"n_vocab", info.n_vocab},
                                  {"large_vocab", info.is_large_vocab != 0},
                                  {"beside", info.beside},
                                  {"cached", info.cached},
                                  {"steps", steps_of(info)}};
    if (info.source != nullptr) {
        out["download"] = {{"name", info.source->name},
                           {"repo", info.source->repo},
                           {"files", files_of(*info.source)},
                           {"cache_key", info.source->cache_key},
                           {"expected_vocab", info.source->expected_vocab}};
    }
    if (tokenizer != nullptr) {
        const bitnet_tokenizer_info t = get_info(tokenizer);
        out["tokenizer"] = {{"source", t.source}, {"model", t.model}, {"pre", t.pre}, {"n_vocab", t.n_vocab}};
    }
    return out;
}

void print(const bitnet_tokenizer_discovery_info& info, const bitnet_tokenizer* tokenizer) {
    const auto line = [](const char* label, const std::string& value) {
        write_out(std::string(label) + printable(value, false) + "\n");
    };
    line("tokenizer:    ", info.description);
    if (info.path[0] != '\0') line("path:         ", info.path);
    line("model:        ",
         std::string(info.architecture) + ", " + std::to_string(info.n_vocab) + " tokens" +
             (info.is_large_vocab != 0 ? " (a large vocabulary: its output layer is much of the work)" : ""));
    if (tokenizer != nullptr) {
        const bitnet_tokenizer_info t = get_info(tokenizer);
        line("kind:         ", std::string(t.model) + (t.pre[0] != '\0' ? std::string(", ") + t.pre : ""));
    }
    if (tokenizer == nullptr && info.source != nullptr) {
        std::string files;
        for (const std::string& file : files_of(*info.source)) files += " " + file;
        line("download:     ", info.source->repo + files);
    }
    write_out("looked at:\n");
    for (const std::string& step : steps_of(info)) line("  ", step);
}

int run_tokenizer(const TokenizerOptions& options) {
    const DiscoveryHandle discovery = discover(options);
    bitnet_tokenizer_discovery_info info = {};
    info.struct_size = sizeof info;
    check(bitnet_tokenizer_discovery_get_info(discovery.get(), &info));
    bitnet_tokenizer* found = nullptr;
    const bitnet_status status = bitnet_tokenizer_discovery_load(discovery.get(), &found);
    const std::string problem = status == BITNET_OK ? "" : bitnet_last_error();
    const TokenizerHandle tokenizer(found);
    if (options.json) {
        write_out(dump(to_json(info, found)) + "\n");
    } else {
        print(info, found);
    }
    flush_out();
    if (status != BITNET_OK) throw Failure{kExitFailure, problem};
    return kExitOk;
}

}  // namespace

Command add_tokenizer_command(CLI::App& app) {
    CLI::App* command = app.add_subcommand("tokenizer", "Show which tokenizer a model gets, where it is and why");
    auto options = std::make_shared<TokenizerOptions>();
    command->add_option("model", options->model, "GGUF file of the model")->required()->type_name("FILE");
    command->add_option("--tokenizer", options->tokenizer, "this file or folder: see whether it fits the model")
        ->type_name("PATH");
    command->add_option("--cache", options->cache, "look in this cache of downloads only")->type_name("FOLDER");
    command->add_option("--table", options->table, "JSON file with more rows of where tokenizers can be had")
        ->type_name("FILE");
    command->add_flag("--offline", options->offline, "a download is no way to go on");
    command->add_flag("--strict", options->strict, "take only a tokenizer with exactly the model's number of tokens");
    command->add_flag("--json", options->json, "print one JSON object");
    return {command, [options] { return run_tokenizer(*options); }};
}

}  // namespace cli
