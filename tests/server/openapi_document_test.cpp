// /openapi.json and the router describe the same server.
#include <set>

#include <doctest/doctest.h>

#include "server/api/openapi_parts.h"
#include "tests/server/handler_fixture.h"

using namespace serve;

namespace {

// All routes that server_main adds.
struct WholeServer : HandlerFixture {
    explicit WholeServer(const ServerOptions& options = handler_options()) : HandlerFixture(options) {
        add_client_routes(state);
    }
};

void collect_references(const Json& json, std::set<std::string>& names) {
    if (json.is_object())
        for (const auto& [key, value] : json.items()) {
            if (key == "$ref")
                names.insert(value.get<std::string>());
            else
                collect_references(value, names);
        }
    if (json.is_array())
        for (const Json& item : json) collect_references(item, names);
}

}  // namespace

TEST_CASE("every route of the server is in /openapi.json, and nothing else is") {
    WholeServer server;
    std::vector<std::string> disagreements;
    openapi_document(server.state, disagreements);
    CHECK(disagreements == std::vector<std::string>());
    const HandlerAnswer answer = server.get("/openapi.json");
    CHECK(answer.status == 200);
    const Json document = answer.json();
    CHECK(document["openapi"] == "3.1.0");
    size_t n_operations = 0;
    for (const auto& [path, operations] : document["paths"].items()) n_operations += operations.size();
    CHECK(n_operations == server.state.router.routes().size());
    // A route that nobody describes is noticed.
    server.state.router.add({"GET", "/v1/secret", Access::kUser, ErrorStyle::kNative, {}});
    openapi_document(server.state, disagreements);
    CHECK(disagreements == std::vector<std::string>{"GET /v1/secret is not described"});
}

TEST_CASE("a description without a route is noticed") {
    HandlerFixture server;  // native routes only
    std::vector<std::string> disagreements;
    const Json document = openapi_document(server.state, disagreements);
    CHECK(disagreements.size() > 20);
    CHECK(document["paths"].contains("/v1/inference"));
    CHECK(!document["paths"].contains("/api/chat"));
}

TEST_CASE("references, operation ids and credentials of /openapi.json hold") {
    ServerOptions options = handler_options();
    options.api_prefix = "/llm";
    options.max_tokens = 77;
    WholeServer server(options);
    const Json document = server.get("/llm/openapi.json").json();
    std::set<std::string> references, ids;
    collect_references(document, references);
    CHECK(references.size() > 30);
    for (const std::string& name : references) CHECK(document.contains(Json::json_pointer(name.substr(1))));
    for (const auto& [path, operations] : document["paths"].items())
        for (const auto& [method, operation] : operations.items()) {
            CHECK(ids.insert(operation["operationId"].get<std::string>()).second);
            CHECK(operation["responses"].contains("400"));
            const bool open = operation.contains("security");
            CHECK(open != operation["responses"].contains("401"));
        }
    CHECK(document["servers"][0]["url"] == "/llm");
    CHECK(document["paths"].contains("/health"));
    CHECK(document["security"].empty());
    const Json& inference = document["components"]["schemas"]["InferenceRequest"];
    CHECK(inference["properties"]["max_tokens"]["maximum"] == 77);
    CHECK(inference["properties"]["max_tokens"]["type"] == Json({"integer", "null"}));
    CHECK(inference["properties"]["temperature"]["maximum"] == 2);
    CHECK(!inference.contains("include"));
}
