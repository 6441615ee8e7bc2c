// Where a model's tokenizer is found, in which order, and what is said of every place that was looked at.
#include "src/discovery/tokenizer_discovery.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "src/base/error.h"
#include "src/gguf/gguf_keys.h"
#include "src/gguf/gguf_writer.h"
#include "src/tokenizer/tokenizer_load.h"
#include "src/tokenizer/vocabulary_gguf_write.h"
#include "tests/support/temp_dir.h"

using namespace bitnet;

namespace {

// As in the tokenizer's tests: "no error", or the name of the status and the message.
std::string error_of(const std::function<void()>& run) {
    try {
        run();
    } catch (const Error& error) {
        CHECK(error.message().find('\n') == std::string::npos);
        return bitnet_status_name(error.status()) + std::string(": ") + error.message();
    }
    return "no error";
}
bool has(const std::string& text, std::initializer_list<std::string_view> parts) {
    for (const std::string_view part : parts) {
        if (text.find(part) != std::string::npos) continue;
        MESSAGE(text << " lacks " << part);
        return false;
    }
    return true;
}

// A SentencePiece-like tokenizer.json of n tokens.
std::string tokenizer_json(int n) {
    std::string vocab = R"("?": 0, "\u2581": 1, "a": 2)";
    for (int i = 3; i < n; ++i) vocab += ", \"t" + std::to_string(i) + "\": " + std::to_string(i);
    return R"({"normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"},
        "model": {"type": "BPE", "unk_token": "?", "merges": [], "vocab": {)" +
           vocab + "}}}";
}

class Place {
public:
    // A model of this many rows; with_tokenizer: inside it.
    std::string model(const char* architecture, int n_vocab, bool with_tokenizer = false) {
        GgufWriter writer;
        writer.add_string(gguf_key::kArchitecture, architecture);
        if (with_tokenizer) {
            const std::string path = write("inside/tokenizer.json", tokenizer_json(n_vocab));
            add_tokenizer_keys(writer, std::filesystem::path(path).parent_path().string(), 0);
        }
        values_.assign(static_cast<size_t>(n_vocab) * 4, 0.0f);
        const int64_t ne[] = {4, n_vocab};
        writer.add_tensor("token_embd.weight", kern::QuantType::f32, ne, values_.data());
        const std::string path = folder_.file("model.gguf");
        writer.write(path);
        return path;
    }
    std::string write(const std::string& name, const std::string& text) {
        const std::filesystem::path path = folder_.path() / name;
        std::filesystem::create_directories(path.parent_path());
        return folder_.write(name, std::vector<uint8_t>(text.begin(), text.end()));
    }
    std::string path(const std::string& name) const { return folder_.file(name); }
    DiscoveryOptions options() const {
        DiscoveryOptions options;
        options.cache_dirs = {path("cache"), path("hub")};
        return options;
    }

private:
    test::TempDir folder_;
    std::vector<float> values_;
};

std::string steps_of(const Discovery& discovery) {
    std::string text;
    for (const DiscoveryStep& step : discovery.steps) text += step.place + ": " + step.result + "\n";
    return text;
}

}  // namespace

TEST_CASE("the tokenizer inside the model comes before the one beside it, which comes before a cache's") {
    Place place;
    const std::string snapshot = "hub/models--openai-community--gpt2/snapshots/abc/tokenizer.json";
    place.write(snapshot, tokenizer_json(50257));
    Discovery found = discover_tokenizer(place.model("gpt2", 50257), place.options());
    CHECK(found.strategy == BITNET_TOKENIZER_CACHED);
    CHECK(found.path == place.path(snapshot));
    CHECK(found.uses_cache());
    CHECK_FALSE(found.requires_network());
    CHECK(require_discovered(found)->n_vocab() == 50257);

    place.write("tokenizer.json", tokenizer_json(50257));
    found = discover_tokenizer(place.path("model.gguf"), place.options());
    CHECK(found.strategy == BITNET_TOKENIZER_DISCOVERED);
    CHECK(found.path == place.path("tokenizer.json"));
    CHECK(found.cached == place.path(snapshot));
    place.write("model.tokenizer.json", tokenizer_json(50257));
    found = discover_tokenizer(place.path("model.gguf"), place.options());
    CHECK(found.path == place.path("model.tokenizer.json"));

    found = discover_tokenizer(place.model("gpt2", 50257, true), place.options());
    CHECK(found.strategy == BITNET_TOKENIZER_EMBEDDED);
    CHECK(found.path == place.path("model.gguf"));
    CHECK(found.model_type == "llama");
    CHECK(found.architecture == "gpt2");
    CHECK(found.beside == place.path("model.tokenizer.json"));
    CHECK(has(steps_of(found), {"inside the model: used", "fits too"}));

    DiscoveryOptions named = place.options();
    named.tokenizer_path = place.path("tokenizer.json");
    found = discover_tokenizer(place.path("model.gguf"), named);
    CHECK(found.strategy == BITNET_TOKENIZER_EXACT);
    CHECK(found.path == named.tokenizer_path);
}

TEST_CASE("a cache of this project is looked at before Hugging Face's, by repository and by key") {
    Place place;
    place.write("hub/models--openai-community--gpt2/snapshots/abc/tokenizer.json", tokenizer_json(50257));
    place.write("cache/gpt2-50k/tokenizer.json", tokenizer_json(50257));
    const Discovery found = discover_tokenizer(place.model("gpt2", 50257), place.options());
    CHECK(found.path == place.path("cache/gpt2-50k/tokenizer.json"));
    CHECK(found.strategy == BITNET_TOKENIZER_CACHED);
}

TEST_CASE("without a file, the compatibility matrix says what to download") {
    Place place;
    const struct {
        const char* architecture;
        int n_vocab;
        const char* name;
    } cases[] = {{"bitnet-b1.58", 128256, "bitnet_custom"}, {"bitnet-25", 128256, "bitnet_custom"},
                 {"llama", 128256, "llama3_128k"},          {"llama", 32000, "llama2_32k"},
                 {"bitnet", 32002, "bitnet_1bitllm"},       {"gpt2", 50257, "gpt2_50k"}};
    for (const auto& c : cases) {
        CAPTURE(c.name);
        const Discovery found = discover_tokenizer(place.model(c.architecture, c.n_vocab), place.options());
        CHECK(found.strategy == BITNET_TOKENIZER_NEEDS_DOWNLOAD);
        CHECK(found.requires_network());
        REQUIRE(found.source);
        CHECK(found.source->name == c.name);
        CHECK(found.n_vocab == c.n_vocab);
        CHECK(has(error_of([&] { require_discovered(found); }),
                  {"BITNET_E_NOT_FOUND", found.source->repo, found.source->files[0]}));
    }
    DiscoveryOptions offline = place.options();
    offline.offline = true;
    const Discovery found = discover_tokenizer(place.model("gpt2", 50257), offline);
    CHECK(has(error_of([&] { require_discovered(found); }), {"BITNET_E_STATE", "BITNET_OFFLINE", "gpt2"}));
    const Discovery none = discover_tokenizer(place.model("llama", 777), place.options());
    CHECK(none.strategy == BITNET_TOKENIZER_NOT_FOUND);
    CHECK_FALSE(none.source);
    CHECK(has(error_of([&] { require_discovered(none); }),
              {"BITNET_E_NOT_FOUND", "llama", "777", "name a tokenizer file"}));
    CHECK(has(steps_of(none), {"no row of the compatibility matrix fits"}));
}

TEST_CASE("files that lie around and do not fit are passed over with the reason") {
    Place place;
    place.write("tokenizer.json", tokenizer_json(101));
    Discovery found = discover_tokenizer(place.model("llama", 100), place.options());
    CHECK(found.strategy == BITNET_TOKENIZER_NOT_FOUND);
    CHECK(has(steps_of(found), {"tokenizer.json: ", "101 tokens", "100 rows"}));
    place.write("tokenizer.json", tokenizer_json(80));  // fewer than seven eighths
    CHECK(discover_tokenizer(place.path("model.gguf"), place.options()).strategy == BITNET_TOKENIZER_NOT_FOUND);
    place.write("tokenizer.json", "{");
    place.write("tokenizer.model", "nonsense");
    found = discover_tokenizer(place.path("model.gguf"), place.options());
    CHECK(found.strategy == BITNET_TOKENIZER_NOT_FOUND);
    CHECK(has(steps_of(found), {"not valid JSON", "not a SentencePiece model"}));

    place.write("tokenizer.json", tokenizer_json(95));  // the model's matrices were padded
    found = discover_tokenizer(place.path("model.gguf"), place.options());
    CHECK(found.strategy == BITNET_TOKENIZER_DISCOVERED);
    CHECK(found.tokenizer->n_vocab() == 100);
    CHECK(found.tokenizer->piece(99) == "[PAD99]");
    DiscoveryOptions strict = place.options();
    strict.strict = true;
    CHECK(discover_tokenizer(place.path("model.gguf"), strict).strategy == BITNET_TOKENIZER_NOT_FOUND);
}

TEST_CASE("a tokenizer that the caller names is used or refused, never passed over") {
    Place place;
    const std::string model = place.model("llama", 100, true);
    DiscoveryOptions named = place.options();
    named.tokenizer_path = place.write("other.json", tokenizer_json(101));
    CHECK(has(error_of([&] { discover_tokenizer(model, named); }), {"BITNET_E_TOKENIZER", "other.json", "101", "100"}));
    named.tokenizer_path = place.path("missing.json");
    CHECK(has(error_of([&] { discover_tokenizer(model, named); }), {"BITNET_E_FILE_NOT_FOUND", "missing.json"}));
    CHECK(has(error_of([&] { discover_tokenizer(place.path("none.gguf"), place.options()); }),
              {"BITNET_E_FILE_NOT_FOUND", "none.gguf"}));
    const std::string text = place.write("text.gguf", "a text that is long enough for a header");
    CHECK(has(error_of([&] { discover_tokenizer(text, place.options()); }), {"BITNET_E_GGUF_MAGIC"}));
}

TEST_CASE("a tokenizer file is validated against the number of tokens that is expected") {
    Place place;
    const std::string path = place.write("tokenizer.json", tokenizer_json(50));
    validate_tokenizer_file(path, 50);
    validate_tokenizer_file(path, 0);
    CHECK(has(error_of([&] { validate_tokenizer_file(path, 51); }), {"BITNET_E_TOKENIZER", path, "50", "51"}));
    place.write("tokenizer.json", tokenizer_json(50).substr(0, 60));
    CHECK(has(error_of([&] { validate_tokenizer_file(path, 50); }), {"BITNET_E_TOKENIZER", "not valid JSON"}));
}

TEST_CASE("a cache full of links and strange names is looked through and left alone") {
    Place place;
    const std::string repo = "hub/models--openai-community--gpt2/snapshots/";
    place.write(repo + "a/tokenizer.json", "[]");
    place.write(repo + "b/tokenizer.json/folder", "x");
    std::filesystem::create_symlink(place.path("hub"), place.path(repo + "c"));
    place.write(repo + "d/tokenizer.json", tokenizer_json(50257));
    const Discovery found = discover_tokenizer(place.model("gpt2", 50257), place.options());
    CHECK(found.path == place.path(repo + "d/tokenizer.json"));
    CHECK(has(steps_of(found), {"a/tokenizer.json: "}));
}
