// Tokenizer discovery through bitnet.h, and models that are given another tokenizer.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/support/api_fixture.h"
#include "tests/support/model_edit.h"
#include "tests/support/temp_dir.h"

namespace {

struct FreeDiscovery {
    void operator()(bitnet_tokenizer_discovery* discovery) const { bitnet_tokenizer_discovery_free(discovery); }
};
using DiscoveryHandle = std::unique_ptr<bitnet_tokenizer_discovery, FreeDiscovery>;

DiscoveryHandle discover(const std::string& model, const char* tokenizer, const char* table = nullptr,
                         int32_t offline = 0) {
    bitnet_tokenizer_discovery_params params = bitnet_tokenizer_discovery_default_params();
    params.tokenizer_path = tokenizer;
    params.table_path = table;
    params.cache_dir = "/nowhere";
    params.offline = offline;
    bitnet_tokenizer_discovery* discovery = nullptr;
    test::must(bitnet_tokenizer_discovery_create(model.c_str(), &params, &discovery));
    return DiscoveryHandle(discovery);
}

bitnet_tokenizer_discovery_info info_of(const DiscoveryHandle& discovery) {
    bitnet_tokenizer_discovery_info info = {};
    info.struct_size = sizeof info;
    test::must(bitnet_tokenizer_discovery_get_info(discovery.get(), &info));
    return info;
}

// A SentencePiece-like tokenizer.json of n tokens.
std::vector<uint8_t> tokenizer_json(int n) {
    std::string text = R"({"normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"},
        "model": {"type": "BPE", "unk_token": "?", "merges": [], "vocab": {"?": 0, "\u2581": 1, "a": 2)";
    for (int i = 3; i < n; ++i) text += ", \"t" + std::to_string(i) + "\": " + std::to_string(i);
    text += "}}}";
    return {text.begin(), text.end()};
}

// The golden model without its vocabulary.
std::string bare_model(const test::TempDir& folder) {
    test::ModelEdit edit = test::ModelEdit::open(test::golden_model("b158-i2s"));
    std::erase_if(edit.keys, [](const test::EditKey& key) { return key.name.starts_with("tokenizer."); });
    return folder.write("model.gguf", edit.bytes());
}

}  // namespace

TEST_CASE("discovery of a model with a tokenizer: embedded, and everything else is told") {
    const DiscoveryHandle discovery = discover(test::golden_model("b158-i2s"), nullptr);
    const bitnet_tokenizer_discovery_info info = info_of(discovery);
    CHECK(info.strategy == BITNET_TOKENIZER_EMBEDDED);
    CHECK(std::string(info.description) == "the tokenizer inside the model file");
    CHECK(info.requires_network == 0);
    CHECK(info.uses_cache == 0);
    CHECK(info.is_large_vocab == 0);
    CHECK(std::string(info.steps).find("inside the model: used\n") == 0);
    bitnet_tokenizer* tokenizer = nullptr;
    test::must(bitnet_tokenizer_discovery_load(discovery.get(), &tokenizer));
    const test::TokenizerHandle owner(tokenizer);
    CHECK(bitnet_tokenizer_get_n_vocab(tokenizer) == info.n_vocab);
}

TEST_CASE("a model without a tokenizer: the file beside it, or what to download, or what to do") {
    const test::TempDir folder;
    const std::string model = bare_model(folder);
    const test::ModelHandle loaded = test::load_model(model);
    const int32_t n_vocab = test::info_of(loaded).n_vocab;
    bitnet_tokenizer* tokenizer = nullptr;
    DiscoveryHandle discovery = discover(model, nullptr);
    CHECK(info_of(discovery).strategy == BITNET_TOKENIZER_NOT_FOUND);
    CHECK(info_of(discovery).n_vocab == n_vocab);
    CHECK(info_of(discovery).source == nullptr);
    CHECK(bitnet_tokenizer_discovery_load(discovery.get(), &tokenizer) == BITNET_E_NOT_FOUND);
    CHECK(tokenizer == nullptr);
    CHECK(test::last_error().find("name a tokenizer file") != std::string::npos);

    const std::string row = R"({"tokenizers": [{"name": "mine", "repo": "me/mine", "files": ["tokenizer.json", "extra"],
        "cache_key": "mine", "expected_vocab": )" +
                            std::to_string(n_vocab) + "}]}";
    const std::string table = folder.write("table.json", {row.begin(), row.end()});
    discovery = discover(model, nullptr, table.c_str());
    const bitnet_tokenizer_discovery_info info = info_of(discovery);
    CHECK(info.strategy == BITNET_TOKENIZER_NEEDS_DOWNLOAD);
    CHECK(info.requires_network == 1);
    REQUIRE(info.source != nullptr);
    CHECK(std::string(info.source->repo) == "me/mine");
    REQUIRE(info.source->n_files == 2);
    CHECK(std::string(info.source->files[1]) == "extra");
    CHECK(info.source->expected_vocab == n_vocab);
    CHECK(bitnet_tokenizer_discovery_load(discovery.get(), &tokenizer) == BITNET_E_NOT_FOUND);
    CHECK(test::last_error().find("extra of me/mine") != std::string::npos);
    discovery = discover(model, nullptr, table.c_str(), 1);
    CHECK(bitnet_tokenizer_discovery_load(discovery.get(), &tokenizer) == BITNET_E_STATE);
    CHECK(test::last_error().find("BITNET_OFFLINE") != std::string::npos);

    const std::string beside = folder.write("tokenizer.json", tokenizer_json(n_vocab));
    discovery = discover(model, nullptr, table.c_str(), 1);
    CHECK(info_of(discovery).strategy == BITNET_TOKENIZER_DISCOVERED);
    CHECK(std::string(info_of(discovery).path) == beside);
    test::must(bitnet_tokenizer_discovery_load(discovery.get(), &tokenizer));
    discovery.reset();  // the tokenizer lives on
    CHECK(bitnet_tokenizer_get_n_vocab(tokenizer) == n_vocab);
    bitnet_tokenizer_free(tokenizer);
    discovery = discover(model, beside.c_str());
    CHECK(info_of(discovery).strategy == BITNET_TOKENIZER_EXACT);
}

TEST_CASE("a model is given a tokenizer of another file, and its size is checked against the model") {
    const test::TempDir folder;
    const std::string model = bare_model(folder);
    const int32_t n_vocab = test::info_of(test::load_model(model)).n_vocab;
    const std::string path = folder.write("other.json", tokenizer_json(n_vocab - 2));
    for (const std::string& file : {model, test::golden_model("b158-i2s")}) {
        const test::ModelHandle given =
            test::load_model(file, [&](bitnet_model_params& params) { params.tokenizer_path = path.c_str(); });
        const bitnet_tokenizer* tokenizer = bitnet_model_get_tokenizer(given.get());
        REQUIRE(tokenizer != nullptr);
        bitnet_tokenizer_info info = {};
        info.struct_size = sizeof info;
        test::must(bitnet_tokenizer_get_info(tokenizer, &info));
        CHECK(std::string(info.source) == "tokenizer.json");
        CHECK(info.n_vocab == n_vocab);
        bitnet_token token = 0;
        size_t n = 0;
        test::must(bitnet_tokenizer_encode(tokenizer, "a", 1, 0, &token, 1, &n));
        CHECK(token == 2);
    }
    const std::string large = folder.write("large.json", tokenizer_json(n_vocab + 1));
    const auto status = [&](const std::string& tokenizer) {
        const bitnet_model_params params =
            test::model_params([&](bitnet_model_params& p) { p.tokenizer_path = tokenizer.c_str(); });
        bitnet_model* none = nullptr;
        const bitnet_status result = bitnet_model_load(model.c_str(), &params, &none);
        CHECK(none == nullptr);
        return result;
    };
    CHECK(status(large) == BITNET_E_TOKENIZER);
    CHECK(test::last_error().find(std::to_string(n_vocab + 1) + " tokens") != std::string::npos);
    CHECK(status(folder.file("missing.json")) == BITNET_E_FILE_NOT_FOUND);
    CHECK(status(folder.path().string() + "/") == BITNET_E_FILE_NOT_FOUND);  // a folder without a tokenizer
}

TEST_CASE("a downloaded file is validated, and the rows of the matrix can be read") {
    const test::TempDir folder;
    const std::string path = folder.write("tokenizer.json", tokenizer_json(20));
    test::must(bitnet_tokenizer_validate_file(path.c_str(), 20));
    test::must(bitnet_tokenizer_validate_file(path.c_str(), 0));
    CHECK(bitnet_tokenizer_validate_file(path.c_str(), 21) == BITNET_E_TOKENIZER);
    CHECK(test::last_error().find("21 are expected") != std::string::npos);
    CHECK(bitnet_tokenizer_validate_file(path.c_str(), -1) == BITNET_E_ARGUMENT);
    CHECK(bitnet_tokenizer_validate_file(nullptr, 0) == BITNET_E_ARGUMENT);
    std::string names;
    bitnet_tokenizer_source source = {};
    source.struct_size = sizeof source;
    for (size_t i = 0; i < bitnet_tokenizer_source_get_count(); ++i) {
        test::must(bitnet_tokenizer_source_get(i, &source));
        names += std::string(source.name) + " ";
        CHECK(source.n_files > 0);
    }
    for (const char* name : {"llama3_128k ", "llama2_32k ", "gpt2_50k ", "bitnet_custom "}) {
        CHECK(names.find(name) != std::string::npos);
    }
    CHECK(bitnet_tokenizer_source_get(bitnet_tokenizer_source_get_count(), &source) == BITNET_E_NOT_FOUND);
}

TEST_CASE("discovery refuses missing pointers and tables that say nothing") {
    const test::TempDir folder;
    bitnet_tokenizer_discovery* discovery = nullptr;
    CHECK(bitnet_tokenizer_discovery_create(nullptr, nullptr, &discovery) == BITNET_E_ARGUMENT);
    const std::string model = test::golden_model("b158-i2s");
    CHECK(bitnet_tokenizer_discovery_create(model.c_str(), nullptr, nullptr) == BITNET_E_ARGUMENT);
    bitnet_tokenizer_discovery_params params = bitnet_tokenizer_discovery_default_params();
    const std::string table = folder.write("table.json", {'[', ']'});
    params.table_path = table.c_str();
    CHECK(bitnet_tokenizer_discovery_create(model.c_str(), &params, &discovery) == BITNET_E_CONFIG);
    CHECK(discovery == nullptr);
    bitnet_tokenizer_discovery_info info = {};
    info.struct_size = sizeof info;
    CHECK(bitnet_tokenizer_discovery_get_info(nullptr, &info) == BITNET_E_ARGUMENT);
    bitnet_tokenizer* tokenizer = nullptr;
    CHECK(bitnet_tokenizer_discovery_load(nullptr, &tokenizer) == BITNET_E_ARGUMENT);
    bitnet_tokenizer_discovery_free(nullptr);
}
