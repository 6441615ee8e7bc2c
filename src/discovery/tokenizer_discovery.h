// Where the tokenizer of a model is: named by the caller, inside the model file, beside it, in a cache, or yet to be
// downloaded. The library has no network; it says what to get and checks what was got.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet.h"
#include "src/discovery/compatibility_matrix.h"
#include "src/tokenizer/tokenizer.h"

namespace bitnet {

struct DiscoveryOptions {
    std::string tokenizer_path;           // the caller's choice; "": look for one
    std::vector<std::string> cache_dirs;  // in the order in which they are looked at
    std::string table_path;               // JSON with more rows of the compatibility matrix; "": none
    bool offline = false;
    bool strict = false;  // a tokenizer with fewer tokens than the model has rows is none
};

// What was found out about one place, in the order of looking.
struct DiscoveryStep {
    std::string place;   // "inside the model", "/models/tokenizer.json", ...
    std::string result;  // "used", or why not
};

struct Discovery {
    bitnet_tokenizer_strategy strategy = BITNET_TOKENIZER_NOT_FOUND;
    std::string path;                            // of the tokenizer; "" where there is none yet
    std::string architecture;                    // of the model
    std::string model_type;                      // tokenizer.ggml.model, or else the architecture
    int64_t n_vocab = 0;                         // rows of the model's embedding, or what its metadata says
    std::string beside;                          // the file beside the model that fits; ""
    std::string cached;                          // the same in a cache
    std::optional<TokenizerSource> source;       // where it can be downloaded
    std::shared_ptr<const Tokenizer> tokenizer;  // when there is one
    std::vector<DiscoveryStep> steps;
    bool offline = false;

    bool requires_network() const noexcept { return strategy == BITNET_TOKENIZER_NEEDS_DOWNLOAD; }
    bool uses_cache() const noexcept {
        return strategy == BITNET_TOKENIZER_CACHED || strategy == BITNET_TOKENIZER_NEEDS_DOWNLOAD;
    }
};

// "a file beside the model" and the like; static.
const char* describe_strategy(bitnet_tokenizer_strategy strategy) noexcept;

// Throws what opening and reading the model throw, what load_tokenizer throws for a tokenizer_path, BITNET_E_TOKENIZER when
// that has more tokens than the model has rows, and as read_sources. What is wrong with other files is told in the steps.
Discovery discover_tokenizer(const std::string& model_path, const DiscoveryOptions& options);

// The discovered tokenizer; throws BITNET_E_NOT_FOUND saying what to download, or that there is none to be had.
std::shared_ptr<const Tokenizer> require_discovered(const Discovery& discovery);

// Throws BITNET_E_TOKENIZER when the tokenizer has another number of tokens than expected (0: any), and as load_tokenizer.
void validate_tokenizer_file(const std::string& path, int32_t expected_vocab);

// The tokenizer of path filled up to the n_vocab rows of a model (0: as it is). Throws BITNET_E_TOKENIZER when it has more
// tokens than that, or (strict) fewer, and as load_tokenizer. n_tokens gets how many it has of its own; may be null.
std::shared_ptr<const Tokenizer> load_tokenizer_for(const std::string& path, int64_t n_vocab, bool strict,
                                                    std::string_view architecture, size_t* n_tokens = nullptr);

}  // namespace bitnet
