// Tokenizer discovery, and the rows of its compatibility matrix.
#include "src/api/api_guard.h"
#include "src/api/handles.h"
#include "src/base/environment.h"
#include "src/discovery/tokenizer_discovery.h"

using namespace bitnet;

namespace {

// A row as bitnet.h has it; valid as long as the TokenizerSource, which does not move.
struct SourceView {
    explicit SourceView(const TokenizerSource& source) {
        for (const std::string& file : source.files) files.push_back(file.c_str());
        view.struct_size = sizeof view;
        view.expected_vocab = source.expected_vocab;
        view.name = source.name.c_str();
        view.repo = source.repo.c_str();
        view.files = files.data();
        view.n_files = files.size();
        view.cache_key = source.cache_key.c_str();
    }
    std::vector<const char*> files;
    bitnet_tokenizer_source view{};
};

const std::vector<SourceView>& builtin_views() {
    static const std::vector<SourceView> views(builtin_sources().begin(), builtin_sources().end());
    return views;
}

// One line per step, whatever file names have in them.
std::string lines_of(const std::vector<DiscoveryStep>& steps) {
    std::string text;
    for (const DiscoveryStep& step : steps) {
        std::string line = step.place + ": " + step.result;
        for (char& c : line) {
            if (c == '\n' || c == '\r') c = ' ';
        }
        text += line + "\n";
    }
    return text;
}

}  // namespace

struct bitnet_tokenizer_discovery {
    explicit bitnet_tokenizer_discovery(Discovery found)
        : discovery(std::move(found)), steps(lines_of(discovery.steps)) {
        if (discovery.source) source.emplace(*discovery.source);
    }
    const Discovery discovery;
    const std::string steps;
    std::optional<SourceView> source;
};

extern "C" {

void bitnet_tokenizer_discovery_params_init(bitnet_tokenizer_discovery_params* params, uint32_t struct_size) {
    bitnet_tokenizer_discovery_params defaults;
    std::memset(&defaults, 0, sizeof defaults);
    write_params(params, struct_size, defaults);
}

size_t bitnet_tokenizer_source_get_count(void) { return builtin_sources().size(); }

bitnet_status bitnet_tokenizer_source_get(size_t index, bitnet_tokenizer_source* out_source) {
    return api_call(__func__, [&] {
        if (index >= builtin_views().size()) {
            throw Error(BITNET_E_NOT_FOUND, "the compatibility matrix has " + std::to_string(builtin_views().size()) +
                                                " rows, none with index " + std::to_string(index));
        }
        write_info(out_source, builtin_views()[index].view);
    });
}

bitnet_status bitnet_tokenizer_discovery_create(const char* model_path, const bitnet_tokenizer_discovery_params* params,
                                                bitnet_tokenizer_discovery** out_discovery) {
    if (out_discovery != nullptr) *out_discovery = nullptr;
    return api_call(__func__, about(model_path), [&] {
        require(model_path != nullptr && out_discovery != nullptr,
                "bitnet_tokenizer_discovery_create: a pointer is NULL");
        const bitnet_tokenizer_discovery_params full = read_params(params, bitnet_tokenizer_discovery_params_init);
        const auto text = [](const char* value) { return std::string(value != nullptr ? value : ""); };
        DiscoveryOptions options;
        options.tokenizer_path = text(full.tokenizer_path);
        options.table_path = text(full.table_path);
        options.cache_dirs = environment().cache_dirs();
        if (full.cache_dir != nullptr) options.cache_dirs = {full.cache_dir};
        options.offline = full.offline != 0 || environment().offline();
        options.strict = full.strict != 0 || environment().strict_tokenizers();
        *out_discovery = new bitnet_tokenizer_discovery(discover_tokenizer(model_path, options));
    });
}

bitnet_status bitnet_tokenizer_discovery_get_info(const bitnet_tokenizer_discovery* discovery,
                                                  bitnet_tokenizer_discovery_info* out_info) {
    return api_call(__func__, [&] {
        require(discovery != nullptr, "the discovery is NULL");
        const Discovery& d = discovery->discovery;
        bitnet_tokenizer_discovery_info info{};
        info.strategy = d.strategy;
        info.description = describe_strategy(d.strategy);
        info.path = d.path.c_str();
        info.requires_network = d.requires_network() ? 1 : 0;
        info.uses_cache = d.uses_cache() ? 1 : 0;
        info.n_vocab = static_cast<int32_t>(std::min<int64_t>(d.n_vocab, INT32_MAX));
        info.is_large_vocab = d.n_vocab > 65536 ? 1 : 0;
        info.architecture = d.architecture.c_str();
        info.model_type = d.model_type.c_str();
        info.beside = d.beside.c_str();
        info.cached = d.cached.c_str();
        info.source = discovery->source ? &discovery->source->view : nullptr;
        info.steps = discovery->steps.c_str();
        write_info(out_info, info);
    });
}

bitnet_status bitnet_tokenizer_discovery_load(const bitnet_tokenizer_discovery* discovery,
                                              bitnet_tokenizer** out_tokenizer) {
    if (out_tokenizer != nullptr) *out_tokenizer = nullptr;
    return api_call(__func__, [&] {
        require(discovery != nullptr && out_tokenizer != nullptr, "bitnet_tokenizer_discovery_load: a pointer is NULL");
        *out_tokenizer = new bitnet_tokenizer{require_discovered(discovery->discovery)};
    });
}

void bitnet_tokenizer_discovery_free(bitnet_tokenizer_discovery* discovery) { delete discovery; }

bitnet_status bitnet_tokenizer_validate_file(const char* path, int32_t expected_vocab) {
    return api_call(__func__, about(path), [&] {
        require(path != nullptr, "the path is NULL");
        require(expected_vocab >= 0, "expected_vocab is negative; 0 means any");
        validate_tokenizer_file(path, expected_vocab);
    });
}

}  // extern "C"
