// Writes out the short form of the parts, and adds what follows from the routes: who may ask, and the errors in the style of the
// route's clients.
#include <algorithm>
#include <cctype>
#include <set>

#include "server/api/openapi_parts.h"

namespace serve {

namespace {

constexpr const char* kSchemas = "#/components/schemas/";

Json reference(const std::string& schema) { return {{"$ref", kSchemas + schema}}; }

// null counts as absent in every field that may be absent.
Json or_null(const Json& schema) {
    if (schema.contains("type") && schema["type"].is_string() && !schema.contains("const") &&
        !schema.contains("enum")) {
        if (schema["type"] == "null") return schema;
        Json nullable = schema;
        nullable["type"] = {schema["type"], "null"};
        return nullable;
    }
    if (schema.contains("enum")) {
        Json nullable = schema;
        nullable["enum"].push_back(nullptr);
        return nullable;
    }
    Json nullable;
    nullable["anyOf"] = Json::array({schema, Json{{"type", "null"}}});
    if (schema.contains("description")) nullable["description"] = schema["description"];
    return nullable;
}

class SchemaWriter {
public:
    SchemaWriter(const Json& schemas, int64_t max_tokens) : schemas_(schemas), max_tokens_(max_tokens) {}

    Json written(const Json& schema) const {
        if (schema.is_array()) {
            Json list = Json::array();
            for (const Json& item : schema) list.push_back(written(item));
            return list;
        }
        if (schema == "MAX_TOKENS") return max_tokens_;
        if (!schema.is_object()) return schema;
        Json result = Json::object();
        for (const auto& [key, value] : schema.items())
            if (key != "request" && key != "include" && key != "properties") result[key] = written(value);
        Json properties = included(schema);
        if (properties.empty()) return result;
        const bool request = schema.value("request", false);
        for (auto& [name, property] : properties.items()) {
            property = written(property);
            if (request && !is_required(schema, name)) property = or_null(property);
        }
        result["properties"] = std::move(properties);
        return result;
    }

private:
    static bool is_required(const Json& schema, const std::string& name) {
        if (!schema.contains("required")) return false;
        const Json& required = schema["required"];
        return std::find(required.begin(), required.end(), name) != required.end();
    }
    // A schema's properties with those it includes, its own last.
    Json included(const Json& schema) const {
        Json properties = Json::object();
        if (schema.contains("include"))
            for (const Json& name : schema["include"])
                properties.update(included(schemas_.at(name.get<std::string>())));
        // A property that is called properties is none of ours: no schema here has one.
        if (schema.contains("properties")) properties.update(schema["properties"]);
        return properties;
    }

    const Json& schemas_;
    const int64_t max_tokens_;
};

const char* error_schema(ErrorStyle style) {
    switch (style) {
        case ErrorStyle::kOpenAi: return "OpenAiError";
        case ErrorStyle::kAnthropic: return "AnthropicError";
        case ErrorStyle::kOllama: return "OllamaError";
        default: return "NativeError";
    }
}

Json json_content(const std::string& schema) { return {{"application/json", {{"schema", reference(schema)}}}}; }

Json error_responses(const Route& route, bool has_body) {
    std::set<int> statuses = {400, 403, 404, 408, 413, 429, 431, 500, 503};
    if (route.access != Access::kPublic) statuses.insert(401);
    if (has_body) statuses.insert(504);
    if (route.access == Access::kAdmin) statuses.insert({409, 504});
    Json responses = Json::object();
    for (const int status : statuses)
        responses[std::to_string(status)] = {{"description", "An error"},
                                             {"content", json_content(error_schema(route.style))}};
    return responses;
}

Json parameters(const std::string& pattern, const Json& brief) {
    Json list = Json::array();
    for (size_t at = 0; (at = pattern.find('{', at)) != pattern.npos;) {
        const size_t end = pattern.find('}', at);
        list.push_back(Json{{"name", pattern.substr(at + 1, end - at - 1)},
                            {"in", "path"},
                            {"required", true},
                            {"schema", {{"type", "string"}, {"minLength", 1}}}});
        at = end;
    }
    if (brief.contains("query"))
        for (const auto& [name, schema] : brief["query"].items())
            list.push_back(Json{{"name", name}, {"in", "query"}, {"required", false}, {"schema", schema}});
    return list;
}

Json success(const Json& brief, ErrorStyle style) {
    Json response = {{"description", "The answer"}};
    if (brief.contains("response")) response["content"] = json_content(brief["response"].get<std::string>());
    if (brief.contains("stream")) {
        const std::string media = brief["stream"].get<std::string>();
        // Of one event or line.
        Json schema = {{"type", "object"}};
        if (media == "text/event-stream")
            schema["properties"] = {{"event", {{"type", "string"}}}, {"data", {{"type", "string"}}}};
        response["content"][media] = {{"schema", std::move(schema)}};
    }
    if (brief.contains("text"))
        response["content"][brief["text"].get<std::string>()] = {{"schema", {{"type", "string"}}}};
    if (brief.value("status", 200) >= 400) response["content"] = json_content(error_schema(style));
    return response;
}

std::string operation_id(const std::string& method, const std::string& path) {
    std::string id = method;
    for (const char c : path) {
        const bool letter = std::isalnum(static_cast<unsigned char>(c)) != 0;
        if (letter)
            id += c;
        else if (id.back() != '_')
            id += '_';
    }
    while (id.back() == '_') id.pop_back();
    return id;
}

Json operation(const Route& route, const std::string& method, const std::string& path, const Json& brief) {
    Json op = {
        {"operationId", operation_id(method, path)}, {"tags", {brief.at("tag")}}, {"summary", brief.at("summary")}};
    if (brief.contains("deprecated")) op["deprecated"] = true;
    if (Json list = parameters(path, brief); !list.empty()) op["parameters"] = std::move(list);
    if (brief.contains("request"))
        op["requestBody"] = {{"required", true}, {"content", json_content(brief["request"].get<std::string>())}};
    Json responses = error_responses(route, brief.contains("request"));
    responses[std::to_string(brief.value("status", 200))] = success(brief, route.style);
    // A query that cannot be read is refused before anyone knows whose it is.
    if (brief.contains("query") && route.style != ErrorStyle::kNative)
        responses["400"]["content"]["application/json"]["schema"] = {
            {"anyOf", {reference(error_schema(route.style)), reference("NativeError")}}};
    if (brief.contains("also"))
        for (const auto& [status, schema] : brief["also"].items())
            responses[status]["content"]["application/json"]["schema"] = {
                {"anyOf", {reference(schema.get<std::string>()), reference(error_schema(route.style))}}};
    if (path == "/") responses["304"] = {{"description", "The page has not changed"}};
    op["responses"] = std::move(responses);
    if (route.access == Access::kPublic) op["security"] = Json::array();
    return op;
}

std::string lower_text(std::string text) {
    for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return text;
}

Json document_head(const ServerState& state) {
    const std::string& prefix = state.options.api_prefix;
    const bool keys = !state.options.api_key_file.empty() || !state.options.jwt_key_file.empty();
    Json head = {
        {"openapi", "3.1.0"},
        {"info",
         {{"title", "bitnet-server"},
          {"version", bitnet_version_string()},
          {"description",
           "Ternary language models over the native protocol and those of OpenAI, Anthropic and Ollama. In request "
           "bodies null counts as absent, and fields that are not listed are ignored."}}},
        {"servers", Json::array({Json{{"url", prefix.empty() ? "/" : prefix}}})}};
    // Without keys everyone may ask.
    Json security = Json::array();
    if (keys)
        for (const char* scheme : {"bearer", "api_key"}) {
            Json one = Json::object();
            one[scheme] = Json::array();
            security.push_back(std::move(one));
        }
    head["security"] = std::move(security);
    head["components"]["securitySchemes"] = {
        {"bearer", {{"type", "http"}, {"scheme", "bearer"}, {"description", "An API key or a JSON web token"}}},
        {"api_key", {{"type", "apiKey"}, {"in", "header"}, {"name", "x-api-key"}}}};
    return head;
}

const Json* find_brief(const Json& briefs, const std::string& path) {
    const auto found = briefs.find(path);
    if (found == briefs.end()) return nullptr;
    return found->contains("same_as") ? find_brief(briefs, (*found)["same_as"].get<std::string>()) : &*found;
}

}  // namespace

Json openapi_document(const ServerState& state, std::vector<std::string>& disagreements) {
    Json briefs = Json::object(), schemas = Json::object();
    for (const char* text : {openapi_native_part(), openapi_openai_part(), openapi_responses_part(),
                             openapi_anthropic_part(), openapi_ollama_part()}) {
        const Json part = Json::parse(text);
        briefs.update(part["paths"]);
        schemas.update(part["schemas"]);
    }
    Json document = document_head(state);
    const SchemaWriter writer(schemas, state.options.max_tokens);
    for (const auto& [name, schema] : schemas.items()) document["components"]["schemas"][name] = writer.written(schema);
    std::set<std::string> described;  // "post /v1/inference"
    for (const Route& route : state.router.routes()) {
        const std::string path = route.pattern.substr(state.options.api_prefix.size()), method = lower_text(route.method);
        const Json* brief = find_brief(briefs, path);
        described.insert(method + " " + path);
        if (!brief || !brief->contains(method)) {
            disagreements.push_back(route.method + " " + path + " is not described");
            continue;
        }
        document["paths"][path][method] = operation(route, method, path, (*brief)[method]);
    }
    for (const auto& [path, brief] : briefs.items())
        for (const auto& [method, operation] : find_brief(briefs, path)->items())
            if (!described.contains(method + " " + path))
                disagreements.push_back(method + " " + path + " is described but not there");
    return document;
}

}  // namespace serve
