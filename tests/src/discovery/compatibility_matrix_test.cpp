// The rows of the compatibility matrix, and JSON files that extend it.
#include "src/discovery/compatibility_matrix.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "src/base/error.h"
#include "tests/support/temp_dir.h"

using namespace bitnet;

namespace {

std::string refusal(const std::string& json) {
    try {
        parse_sources(json);
    } catch (const Error& error) {
        CHECK(error.status() == BITNET_E_CONFIG);
        CHECK(error.message().find('\n') == std::string::npos);
        return error.message();
    }
    return "taken";
}
// A row with one member replaced; JSON.
std::string row(const std::string& key = "", const std::string& value = "") {
    const std::pair<const char*, const char*> members[] = {{"name", "\"mine\""},
                                                           {"repo", "\"me/mine\""},
                                                           {"files", "[\"tokenizer.json\"]"},
                                                           {"cache_key", "\"mine\""},
                                                           {"expected_vocab", "777"}};
    std::string text = "{";
    for (const auto& [name, standard] : members) {
        text += std::string(text.size() > 1 ? ", \"" : "\"") + name + "\": " + (key == name ? value : standard);
    }
    if (key == "architectures" || key == "tokenizer_model") text += ", \"" + key + "\": " + value;
    return text + "}";
}
std::string table(const std::string& rows) { return "{\"tokenizers\": [" + rows + "]}"; }

}  // namespace

TEST_CASE("the matrix has the four rows of the specification, every row complete") {
    std::set<std::string> names;
    for (const TokenizerSource& source : builtin_sources()) {
        names.insert(source.name);
        CHECK(std::count(source.repo.begin(), source.repo.end(), '/') == 1);
        CHECK_FALSE(source.files.empty());
        CHECK_FALSE(source.cache_key.empty());
        CHECK(source.expected_vocab > 0);
    }
    CHECK(names.size() == builtin_sources().size());
    for (const char* name : {"llama3_128k", "llama2_32k", "gpt2_50k", "bitnet_custom"}) CHECK(names.count(name) == 1);
}

TEST_CASE("rows of a file come first, replace rows of their name and are found by architecture, kind and size") {
    const std::string extra = row("architectures", R"(["qwen3"])");
    const std::vector<TokenizerSource> sources = parse_sources(table(
        extra +
        R"(, {"name": "gpt2_50k", "repo": "a/b", "files": ["t.json"], "cache_key": "k", "expected_vocab": 50257})"));
    CHECK(sources.size() == builtin_sources().size() + 1);
    CHECK(sources[0].name == "mine");
    CHECK(find_source(sources, "gpt2", "gpt2", 50257)->repo == "a/b");
    CHECK(find_source(sources, "qwen3", "", 777)->name == "mine");
    CHECK(find_source(sources, "llama", "", 777) == nullptr);
    CHECK(find_source(sources, "qwen3", "", 778) == nullptr);
    CHECK(find_source(builtin_sources(), "llama", "llama", 128256) == nullptr);  // another kind of tokenizer
    CHECK(parse_sources(table("")).size() == builtin_sources().size());
}

TEST_CASE("a row that could lead somewhere else is refused by name") {
    CHECK(refusal(table(row())) == "taken");
    const auto refused = [](const char* key, const char* value, const char* part) {
        const std::string message = refusal(table(row(key, value)));
        INFO(message);
        return message.find("row 0") != std::string::npos && message.find(part) != std::string::npos;
    };
    CHECK(refused("name", "\"\"", "'name'"));
    CHECK(refused("name", "7", "'name'"));
    CHECK(refused("repo", "\"../../etc\"", "owner/name"));
    CHECK(refused("repo", "\"a/b/c\"", "owner/name"));
    CHECK(refused("repo", "\"a/..\"", "owner/name"));
    CHECK(refused("repo", "\"https://host/b\"", "owner/name"));
    CHECK(refused("files", "[]", "'files'"));
    CHECK(refused("files", "[\"../x\"]", "plain name"));
    CHECK(refused("files", "[\"/etc/passwd\"]", "plain name"));
    CHECK(refused("files", "[\".hidden\"]", "plain name"));
    CHECK(refused("files", "\"tokenizer.json\"", "list"));
    CHECK(refused("cache_key", "\"..\"", "'cache_key'"));
    CHECK(refused("cache_key", "null", "'cache_key'"));
    CHECK(refused("expected_vocab", "0", "'expected_vocab'"));
    CHECK(refused("expected_vocab", "-1", "'expected_vocab'"));
    CHECK(refused("expected_vocab", "99999999", "'expected_vocab'"));
    CHECK(refused("expected_vocab", "1.5", "'expected_vocab'"));
    CHECK(refused("tokenizer_model", "\"bert\"", "'tokenizer_model'"));
    CHECK(refused("architectures", "[7]", "'architectures'"));
    std::string many = "[\"a\"";
    for (int i = 0; i < 16; ++i) many += ",\"a\"";
    CHECK(refused("files", (many + "]").c_str(), "at most 16"));
    CHECK(refusal(table(row() + "," + row())).find("name of another row") != std::string::npos);
    CHECK(refusal("{}").find("'tokenizers'") != std::string::npos);
    CHECK(refusal(table("7")).find("not an object") != std::string::npos);
    CHECK(refusal("nonsense").find("not valid JSON") != std::string::npos);
    std::string rows = "7";
    for (int i = 0; i < 1000; ++i) rows += ",7";
    CHECK(refusal(table(rows)).find("at most 1000") != std::string::npos);
}

TEST_CASE("a table file is bounded, and its failures name it") {
    const test::TempDir folder;
    const std::string good = table(row());
    CHECK(read_sources(folder.write("good.json", {good.begin(), good.end()})).front().name == "mine");
    const std::string large = folder.write("large.json", std::vector<uint8_t>((size_t{1} << 20) + 1, ' '));
    const std::string bad = folder.write("bad.json", {'{', '}'});
    for (const auto& [path, status] : {std::pair(large, BITNET_E_SECURITY_INPUT), std::pair(bad, BITNET_E_CONFIG),
                                       std::pair(folder.file("none.json"), BITNET_E_FILE_NOT_FOUND)}) {
        try {
            read_sources(path);
            FAIL("taken: " << path);
        } catch (const Error& error) {
            CHECK(error.status() == status);
            CHECK(error.message().find(path) != std::string::npos);
        }
    }
}
