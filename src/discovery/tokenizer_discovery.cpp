// Every place that was looked at leaves a step, so that a user can see why a tokenizer was taken or not. Files that lie
// around by chance must not be taken: their number of tokens has to be the model's, or a little less where the model's
// matrices were padded.
#include "src/discovery/tokenizer_discovery.h"

#include <algorithm>
#include <filesystem>

#include "src/base/error.h"
#include "src/gguf/gguf_keys.h"
#include "src/gguf/gguf_reader.h"
#include "src/tokenizer/tokenizer_files.h"
#include "src/tokenizer/tokenizer_load.h"

namespace bitnet {
namespace {

namespace fs = std::filesystem;

constexpr char kEmbedding[] = "token_embd.weight";
constexpr size_t kMaxSnapshots = 64;  // per repository; a cache has a few

fs::path path_of(const std::string& utf8) { return fs::path(std::u8string(utf8.begin(), utf8.end())); }
std::string utf8_of(const fs::path& path) {
    const std::u8string text = path.u8string();
    return std::string(text.begin(), text.end());
}

bool is_file(const fs::path& path) {
    std::error_code error;
    return fs::is_regular_file(path, error);
}

std::shared_ptr<const GgufFile> open_model(const std::string& path) {
    GgufReadOptions options;
    options.on_bad_tensor = [](const std::string&, const Error&) {};  // the tokenizer does not depend on them
    try {
        return GgufFile::open(path, true, options);
    } catch (const Error& error) {
        if (error.status() == BITNET_E_FILE_NOT_FOUND || error.status() == BITNET_E_GGUF_MAGIC) throw;
        // A first part without the others, a damaged table of tensors: the metadata may still be readable.
        options.metadata_only = true;
        return GgufFile::open(path, true, options);
    }
}

int64_t vocabulary_rows(const GgufFile& file, const std::string& architecture) {
    if (const GgufTensor* embedding = file.find_tensor(kEmbedding); embedding != nullptr && embedding->n_dims == 2) {
        return embedding->ne[1];
    }
    const GgufValue* rows = file.find(architecture + gguf_key::kVocabSize);
    if (rows != nullptr && !rows->is_array()) {
        const uint64_t n = rows->as_uint().value_or(0);
        if (n > 0 && n <= kMaxVocabulary) return static_cast<int64_t>(n);
    }
    const GgufValue* tokens = file.find(gguf_key::kTokens);
    return tokens != nullptr && tokens->is_array() ? static_cast<int64_t>(tokens->size()) : 0;
}

std::string text_of(const GgufFile& file, const char* key) {
    const GgufValue* value = file.find(key);
    if (value == nullptr || value->is_array() || value->type() != GgufType::string) return {};
    return std::string(value->as_string().value().substr(0, 80));
}

[[noreturn]] void wrong_size(size_t n_tokens, int64_t n_vocab) {
    throw Error(BITNET_E_TOKENIZER, "the tokenizer has " + std::to_string(n_tokens) + " tokens, the model " +
                                        std::to_string(n_vocab) + " rows; they do not belong together")
        .with_numbers(static_cast<uint64_t>(n_vocab), n_tokens);
}

class Search {
public:
    Search(Discovery& out, const DiscoveryOptions& options) : out_(out), options_(options) {}

    void embedded(const GgufFile& file) {
        const std::string place = "inside the model";
        if (!has_vocabulary(file)) {
            note(place, "there is none");
            return;
        }
        try {
            out_.tokenizer = load_tokenizer(file);
            out_.path = file.source().name();
            take(BITNET_TOKENIZER_EMBEDDED, place);
        } catch (const Error& error) {
            if (error.status() == BITNET_E_OUT_OF_MEMORY) throw;
            note(place, error.message());
        }
    }

    // Files of a model's own folder; those with its name come first.
    void beside(const fs::path& model) {
        const std::string stem = utf8_of(model.stem());
        for (const char* name : {"tokenizer.json", "tokenizer.model"}) {
            for (const std::string& candidate : {stem + "." + name, std::string(name)}) {
                const fs::path path = fs::path(model).replace_filename(path_of(candidate));
                if (!out_.beside.empty() || !is_file(path)) continue;
                if (fits(path)) out_.beside = utf8_of(path);
            }
        }
        const fs::path parent = model.has_parent_path() ? model.parent_path() : fs::path(".");
        if (out_.beside.empty())
            note(utf8_of(parent), "no tokenizer.json or tokenizer.model that fits lies beside the model");
        take_path(BITNET_TOKENIZER_DISCOVERED, out_.beside);
    }

    void cached() {
        if (!out_.source) {
            note("caches", "which repository the tokenizer is from is not known");
            return;
        }
        for (const std::string& folder : options_.cache_dirs) {
            if (!out_.cached.empty()) break;
            look_in_cache(path_of(folder));
        }
        if (out_.cached.empty()) {
            note("caches",
                 "none of " + std::to_string(options_.cache_dirs.size()) + " folders has " + out_.source->repo);
        }
        take_path(BITNET_TOKENIZER_CACHED, out_.cached);
    }

    void download() {
        if (out_.tokenizer != nullptr) return;
        if (!out_.source) {
            note("download", "no row of the compatibility matrix fits a model of architecture '" + out_.architecture +
                                 "' with " + std::to_string(out_.n_vocab) + " tokens");
        } else {
            take(BITNET_TOKENIZER_NEEDS_DOWNLOAD, out_.source->repo);
        }
    }

private:
    void note(const std::string& place, const std::string& result) { out_.steps.push_back({place, result}); }

    void take(bitnet_tokenizer_strategy strategy, const std::string& place) {
        out_.strategy = strategy;
        note(place, strategy == BITNET_TOKENIZER_NEEDS_DOWNLOAD ? "to be downloaded" : "used");
    }

    // Loads what fits where nothing was taken before.
    void take_path(bitnet_tokenizer_strategy strategy, const std::string& path) {
        if (path.empty()) return;
        if (out_.tokenizer != nullptr) {
            note(path, "fits too");
            return;
        }
        out_.tokenizer = std::move(candidate_);
        out_.path = path;
        take(strategy, path);
    }

    // The layout of Hugging Face's cache, which downloads by programs of this project have too, and a plain folder per key.
    void look_in_cache(const fs::path& root) {
        const std::string repo =
            "models--" + std::string(out_.source->repo).replace(out_.source->repo.find('/'), 1, "--");
        std::vector<fs::path> folders = {root / out_.source->cache_key};
        std::error_code error;
        for (fs::directory_iterator entry(root / repo / "snapshots", error), end; !error && entry != end;
             entry.increment(error)) {
            if (folders.size() > kMaxSnapshots) break;
            folders.push_back(entry->path());
        }
        std::sort(folders.begin() + 1, folders.end());
        for (const fs::path& folder : folders) {
            const fs::path path = folder / out_.source->files.front();
            if (!out_.cached.empty() || !is_file(path)) continue;
            if (fits(path)) out_.cached = utf8_of(path);
        }
    }

    bool fits(const fs::path& path) {
        const std::string name = utf8_of(path);
        try {
            size_t n_tokens = 0;
            auto tokenizer = load_tokenizer_for(name, out_.n_vocab, options_.strict, out_.architecture, &n_tokens);
            // A padded matrix has some more rows than there are tokens, a foreign model many more.
            const auto n_vocab = static_cast<size_t>(out_.n_vocab);
            if (n_vocab != 0 && n_tokens < n_vocab - n_vocab / 8) wrong_size(n_tokens, out_.n_vocab);
            candidate_ = std::move(tokenizer);
            return true;
        } catch (const Error& error) {
            if (error.status() == BITNET_E_OUT_OF_MEMORY) throw;
            note(name, error.message());
            return false;
        }
    }

    Discovery& out_;
    const DiscoveryOptions& options_;
    std::shared_ptr<const Tokenizer> candidate_;
};

}  // namespace

const char* describe_strategy(bitnet_tokenizer_strategy strategy) noexcept {
    switch (strategy) {
        case BITNET_TOKENIZER_NOT_FOUND: return "no tokenizer was found, and where to get one is not known";
        case BITNET_TOKENIZER_EXACT: return "the tokenizer that was asked for";
        case BITNET_TOKENIZER_EMBEDDED: return "the tokenizer inside the model file";
        case BITNET_TOKENIZER_DISCOVERED: return "a tokenizer file beside the model";
        case BITNET_TOKENIZER_CACHED: return "a tokenizer file from a cache of downloads";
        case BITNET_TOKENIZER_NEEDS_DOWNLOAD: return "the tokenizer has to be downloaded";
    }
    return "";
}

std::shared_ptr<const Tokenizer> load_tokenizer_for(const std::string& path, int64_t n_vocab, bool strict,
                                                    std::string_view architecture, size_t* n_tokens) {
    Vocabulary vocabulary = read_vocabulary_file(path);
    const size_t n = vocabulary.tokens.size();
    if (n_tokens != nullptr) *n_tokens = n;
    try {
        const auto wanted = static_cast<uint64_t>(n_vocab);
        if (n_vocab > 0 && (n > wanted || (strict && n != wanted))) wrong_size(n, n_vocab);
        if (n_vocab > 0) fill_vocabulary(vocabulary, static_cast<size_t>(n_vocab));
        if (vocabulary.architecture.empty()) vocabulary.architecture = architecture;
        return std::make_shared<const Tokenizer>(vocabulary);
    } catch (Error& error) {
        error.prefix(path);
        throw;
    }
}

Discovery discover_tokenizer(const std::string& model_path, const DiscoveryOptions& options) {
    const std::shared_ptr<const GgufFile> file = open_model(model_path);
    const std::vector<TokenizerSource> sources =
        options.table_path.empty() ? builtin_sources() : read_sources(options.table_path);
    Discovery out;
    out.offline = options.offline;
    out.architecture = text_of(*file, gguf_key::kArchitecture);
    const std::string tokenizer_model = text_of(*file, gguf_key::kTokenizerModel);
    out.model_type = !tokenizer_model.empty() ? tokenizer_model : out.architecture;
    out.n_vocab = vocabulary_rows(*file, out.architecture);
    if (const TokenizerSource* source = find_source(sources, out.architecture, tokenizer_model, out.n_vocab)) {
        out.source = *source;
    }
    if (!options.tokenizer_path.empty()) {
        out.tokenizer = load_tokenizer_for(options.tokenizer_path, out.n_vocab, options.strict, out.architecture);
        out.strategy = BITNET_TOKENIZER_EXACT;
        out.path = options.tokenizer_path;
        out.steps.push_back({out.path, "used"});
        return out;
    }
    Search search(out, options);
    search.embedded(*file);
    search.beside(path_of(model_path));
    search.cached();
    search.download();
    return out;
}

std::shared_ptr<const Tokenizer> require_discovered(const Discovery& discovery) {
    if (discovery.tokenizer != nullptr) return discovery.tokenizer;
    const std::string model =
        "the model (" + discovery.architecture + ", " + std::to_string(discovery.n_vocab) + " tokens)";
    if (!discovery.source) {
        throw Error(BITNET_E_NOT_FOUND, "there is no tokenizer for " + model +
                                            " and no row of the compatibility matrix fits; name a tokenizer file")
            .with_subject("tokenizer");
    }
    std::string files;
    for (const std::string& file : discovery.source->files) files.append(files.empty() ? "" : ", ").append(file);
    const std::string what = files + " of " + discovery.source->repo;
    if (discovery.offline) {
        throw Error(BITNET_E_STATE, "the tokenizer of " + model + " would have to be downloaded (" + what +
                                        "), but BITNET_OFFLINE forbids it; put the files beside the model")
            .with_subject("BITNET_OFFLINE");
    }
    throw Error(BITNET_E_NOT_FOUND,
                "the tokenizer of " + model + " has to be downloaded: " + what + "; put the files beside the model")
        .with_subject(discovery.source->repo);
}

void validate_tokenizer_file(const std::string& path, int32_t expected_vocab) {
    const std::shared_ptr<const Tokenizer> tokenizer = load_tokenizer(path);
    if (expected_vocab <= 0 || tokenizer->n_vocab() == expected_vocab) return;
    throw Error(BITNET_E_TOKENIZER, path + ": the tokenizer has " + std::to_string(tokenizer->n_vocab()) + " tokens, " +
                                        std::to_string(expected_vocab) +
                                        " are expected; it is another model's, or a damaged download")
        .with_numbers(static_cast<uint64_t>(expected_vocab), static_cast<uint64_t>(tokenizer->n_vocab()));
}

}  // namespace bitnet
