// OpenAI's and llama-server's endpoints in /openapi.json, as far as this server reads and writes them.
#include "server/api/openapi_parts.h"

namespace serve {

const char* openapi_openai_part() {
    return R"json({
"paths": {
  "/v1/chat/completions": {"post": {"tag": "openai", "summary": "The next message of a conversation",
    "request": "ChatCompletionRequest", "response": "ChatCompletion", "stream": "text/event-stream"}},
  "/chat/completions": {"same_as": "/v1/chat/completions"},
  "/v1/completions": {"post": {"tag": "openai", "summary": "Texts that go on from prompts",
    "request": "CompletionRequest", "response": "Completion", "stream": "text/event-stream"}},
  "/v1/embeddings": {"post": {"tag": "openai", "summary": "Texts as vectors", "request": "EmbeddingRequest",
    "response": "EmbeddingList"}},
  "/embeddings": {"same_as": "/v1/embeddings"},
  "/v1/rerank": {"post": {"tag": "openai", "summary": "Documents by their likeness to a query",
    "request": "RerankRequest", "response": "RerankResponse"}},
  "/rerank": {"same_as": "/v1/rerank"},
  "/tokenize": {"post": {"tag": "tokens", "summary": "A text, or a conversation, as tokens",
    "request": "TokenizeRequest", "response": "TokenizeResponse"}},
  "/detokenize": {"post": {"tag": "tokens", "summary": "Tokens as text", "request": "DetokenizeRequest",
    "response": "DetokenizeResponse"}},
  "/apply-template": {"post": {"tag": "tokens", "summary": "A conversation as the text that the model sees",
    "request": "ApplyTemplateRequest", "response": "ApplyTemplateResponse"}},
  "/props": {"get": {"tag": "tokens", "summary": "What the server is, as llama-server tells it",
    "query": {"model": {"type": "string"}}, "response": "AnyObject"}},
  "/slots": {"get": {"tag": "tokens", "summary": "Which texts are at work, as llama-server tells it",
    "query": {"model": {"type": "string"}, "fail_on_no_slot": {"type": "string"}}, "response": "SlotList"}},
  "/infill": {"post": {"tag": "openai", "summary": "A text between two, with models that were trained for it",
    "request": "InfillRequest", "response": "AnyObject"}}
},
"schemas": {
  "OpenAiError": {"type": "object", "required": ["error"], "properties": {"error": {"type": "object",
   "required": ["message", "type", "param", "code"], "properties": {
    "message": {"type": "string"}, "type": {"type": "string"}, "param": {"type": ["string", "null"]},
    "code": {"type": "string"}}}}},
  "GenerationFields": {"type": "object", "include": ["SamplerFields"], "properties": {
    "stop": {"anyOf": [{"type": "string", "minLength": 1, "maxLength": 1024},
      {"type": "array", "maxItems": 16, "items": {"type": "string", "minLength": 1, "maxLength": 1024}}]},
    "timeout_ms": {"type": "integer", "minimum": 1, "maximum": 3600000},
    "priority": {"enum": ["low", "normal", "high", "critical"]},
    "max_tokens": {"type": "integer", "minimum": 0, "maximum": "MAX_TOKENS"},
    "model": {"type": "string"}}},
  "StreamFields": {"type": "object", "properties": {
    "stream": {"type": "boolean", "default": false},
    "stream_options": {"type": "object", "request": true, "properties": {"include_usage": {"type": "boolean"}}},
    "n": {"type": "integer", "minimum": 1, "maximum": 8, "default": 1},
    "user": {"type": "string"}}},
  "ToolCall": {"type": "object", "required": ["id", "type", "function"], "properties": {
    "id": {"type": "string"}, "type": {"const": "function"},
    "function": {"type": "object", "required": ["name", "arguments"], "properties": {
      "name": {"type": "string"}, "arguments": {"type": "string"}}}}},
  "TextParts": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "object",
    "required": ["type", "text"], "properties": {
     "type": {"enum": ["text", "input_text", "output_text"]}, "text": {"type": "string"}}}}]},
  "ChatMessage": {"anyOf": [
    {"type": "object", "request": true, "required": ["role", "content"], "properties": {
      "role": {"enum": ["system", "developer", "user"]}, "content": {"$ref": "#/components/schemas/TextParts"},
      "name": {"type": "string"}}},
    {"type": "object", "request": true, "required": ["role"], "properties": {
      "role": {"const": "assistant"}, "content": {"$ref": "#/components/schemas/TextParts"},
      "reasoning_content": {"type": "string"},
      "tool_calls": {"type": "array", "maxItems": 128, "items": {"$ref": "#/components/schemas/ToolCall"}}}},
    {"type": "object", "request": true, "required": ["role", "content"], "properties": {
      "role": {"enum": ["tool", "function"]}, "content": {"$ref": "#/components/schemas/TextParts"},
      "tool_call_id": {"type": "string"}, "name": {"type": "string"}}}]},
  "FunctionTool": {"type": "object", "required": ["type", "function"], "properties": {"type": {"const": "function"},
    "function": {"type": "object", "request": true, "required": ["name"], "properties": {
      "name": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}, "description": {"type": "string"},
      "parameters": {"type": "object"}, "strict": {"type": "boolean"}}}}},
  "ResponseFormat": {"anyOf": [
    {"type": "object", "required": ["type"], "properties": {"type": {"const": "text"}}},
    {"type": "object", "request": true, "required": ["type"], "properties": {"type": {"const": "json_object"},
      "schema": {"type": "object"}}},
    {"type": "object", "required": ["type", "json_schema"], "properties": {"type": {"const": "json_schema"},
      "json_schema": {"type": "object", "required": ["schema"], "properties": {
        "schema": {"type": "object"}}}}}]},
  "ChatFields": {"type": "object", "properties": {
    "messages": {"type": "array", "minItems": 1, "maxItems": 4096,
      "items": {"$ref": "#/components/schemas/ChatMessage"}},
    "tools": {"type": "array", "maxItems": 128, "items": {"$ref": "#/components/schemas/FunctionTool"}},
    "tool_choice": {"anyOf": [{"enum": ["auto", "none", "required"]}, {"type": "object",
      "required": ["type", "function"], "properties": {"type": {"const": "function"}, "function": {"type": "object",
        "required": ["name"], "properties": {"name": {"type": "string"}}}}}]},
    "parallel_tool_calls": {"type": "boolean", "default": true},
    "response_format": {"$ref": "#/components/schemas/ResponseFormat"},
    "grammar": {"type": "string"},
    "reasoning_format": {"enum": ["none", "auto", "deepseek"]},
    "chat_template_kwargs": {"type": "object"}}},
  "ChatCompletionRequest": {"type": "object", "request": true, "required": ["messages"],
   "include": ["GenerationFields", "StreamFields", "ChatFields"], "properties": {
    "max_completion_tokens": {"type": "integer", "minimum": 0, "maximum": "MAX_TOKENS"},
    "logprobs": {"type": "boolean"},
    "top_logprobs": {"type": "integer", "minimum": 0, "maximum": 20}}},
  "OpenAiUsage": {"type": "object", "required": ["prompt_tokens", "completion_tokens", "total_tokens"], "properties": {
    "prompt_tokens": {"type": "integer", "minimum": 0}, "completion_tokens": {"type": "integer", "minimum": 0},
    "total_tokens": {"type": "integer", "minimum": 0},
    "prompt_tokens_details": {"type": "object", "properties": {"cached_tokens": {"type": "integer", "minimum": 0}}}}},
  "ChatCompletion": {"type": "object", "required": ["id", "object", "created", "model", "choices", "usage"],
   "properties": {
    "id": {"type": "string"}, "object": {"const": "chat.completion"}, "created": {"type": "integer"},
    "model": {"type": "string"}, "system_fingerprint": {"type": "string"},
    "choices": {"type": "array", "items": {"type": "object", "required": ["index", "message", "finish_reason"],
     "properties": {
      "index": {"type": "integer", "minimum": 0},
      "message": {"type": "object", "required": ["role", "content"], "properties": {
        "role": {"const": "assistant"}, "content": {"type": ["string", "null"]},
        "reasoning_content": {"type": "string"}, "refusal": {"type": "null"},
        "tool_calls": {"type": "array", "items": {"$ref": "#/components/schemas/ToolCall"}}}},
      "logprobs": {"type": ["object", "null"]},
      "finish_reason": {"enum": ["stop", "length", "tool_calls", "content_filter"]}}}},
    "usage": {"$ref": "#/components/schemas/OpenAiUsage"}, "timings": {"type": "object"}}},
  "CompletionRequest": {"type": "object", "request": true, "required": ["prompt"],
   "include": ["GenerationFields", "StreamFields"], "properties": {
    "prompt": {"$ref": "#/components/schemas/TextsOrTokens"},
    "max_completion_tokens": {"type": "integer", "minimum": 0, "maximum": "MAX_TOKENS"},
    "best_of": {"type": "integer", "minimum": 1, "maximum": 20},
    "logprobs": {"type": "integer", "minimum": 0, "maximum": 20},
    "echo": {"type": "boolean"},
    "suffix": {"type": "string", "maxLength": 0},
    "response_format": {"$ref": "#/components/schemas/ResponseFormat"},
    "grammar": {"type": "string"}}},
  "TextsOrTokens": {"anyOf": [{"type": "string"},
    {"type": "array", "minItems": 1, "maxItems": 64, "items": {"type": "string"}},
    {"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": 0, "maximum": 2147483647}},
    {"type": "array", "minItems": 1, "maxItems": 64, "items": {"type": "array", "minItems": 1,
      "items": {"type": "integer", "minimum": 0, "maximum": 2147483647}}}]},
  "Completion": {"type": "object", "required": ["id", "object", "created", "model", "choices", "usage"], "properties": {
    "id": {"type": "string"}, "object": {"const": "text_completion"}, "created": {"type": "integer"},
    "model": {"type": "string"}, "system_fingerprint": {"type": "string"},
    "choices": {"type": "array", "items": {"type": "object", "required": ["text", "index", "finish_reason"],
     "properties": {"text": {"type": "string"}, "index": {"type": "integer", "minimum": 0},
      "logprobs": {"type": ["object", "null"]}, "finish_reason": {"enum": ["stop", "length", "content_filter"]}}}},
    "usage": {"$ref": "#/components/schemas/OpenAiUsage"}, "timings": {"type": "object"}}},
  "EmbeddingRequest": {"type": "object", "request": true, "required": ["input"], "properties": {
    "input": {"$ref": "#/components/schemas/TextsOrTokens"},
    "model": {"type": "string"},
    "encoding_format": {"enum": ["float", "base64"]},
    "dimensions": {"type": "integer", "minimum": 1, "maximum": 2147483647},
    "pooling": {"enum": ["last", "mean"]},
    "normalize": {"type": "boolean", "default": true},
    "user": {"type": "string"}}},
  "EmbeddingList": {"type": "object", "required": ["object", "data", "model", "usage"], "properties": {
    "object": {"const": "list"}, "model": {"type": "string"}, "usage": {"type": "object"},
    "data": {"type": "array", "items": {"type": "object", "required": ["object", "index", "embedding"], "properties": {
      "object": {"const": "embedding"}, "index": {"type": "integer", "minimum": 0},
      "embedding": {"anyOf": [{"type": "array", "items": {"type": "number"}}, {"type": "string"}]}}}}}},
  "RerankRequest": {"type": "object", "request": true, "required": ["query", "documents"], "properties": {
    "query": {"type": "string"},
    "documents": {"type": "array", "minItems": 1, "maxItems": 2048, "items": {"anyOf": [{"type": "string"},
      {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}]}},
    "top_n": {"type": "integer", "minimum": 1, "maximum": 2147483647},
    "return_documents": {"type": "boolean"},
    "pooling": {"enum": ["last", "mean"]},
    "model": {"type": "string"}}},
  "RerankResponse": {"type": "object", "required": ["model", "object", "results", "usage"], "properties": {
    "model": {"type": "string"}, "object": {"const": "list"}, "usage": {"type": "object"},
    "results": {"type": "array", "items": {"type": "object", "required": ["index", "relevance_score"], "properties": {
      "index": {"type": "integer", "minimum": 0}, "relevance_score": {"type": "number"},
      "document": {"type": "object"}}}}}},
  "TokenizeRequest": {"type": "object", "request": true, "include": ["ChatFields"], "properties": {
    "content": {"type": "string"}, "prompt": {"type": "string"}, "model": {"type": "string"},
    "add_special": {"type": "boolean"}, "parse_special": {"type": "boolean"}, "with_pieces": {"type": "boolean"}}},
  "TokenizeResponse": {"type": "object", "required": ["tokens", "count", "max_model_len"], "properties": {
    "tokens": {"type": "array", "items": {"type": ["integer", "object"]}}, "count": {"type": "integer", "minimum": 0},
    "max_model_len": {"type": "integer", "minimum": 1}}},
  "DetokenizeRequest": {"type": "object", "request": true, "required": ["tokens"], "properties": {
    "tokens": {"type": "array", "maxItems": 1048576, "items": {"type": "integer", "minimum": 0, "maximum": 2147483647}},
    "model": {"type": "string"}}},
  "DetokenizeResponse": {"type": "object", "required": ["content", "prompt", "count"], "properties": {
    "content": {"type": "string"}, "prompt": {"type": "string"}, "count": {"type": "integer", "minimum": 0}}},
  "ApplyTemplateRequest": {"type": "object", "request": true, "include": ["ChatFields"], "required": ["messages"],
   "properties": {"model": {"type": "string"}, "add_generation_prompt": {"type": "boolean"}}},
  "ApplyTemplateResponse": {"type": "object", "required": ["prompt", "count", "format"], "properties": {
    "prompt": {"type": "string"}, "count": {"type": "integer", "minimum": 0},
    "format": {"enum": ["template", "built-in", "plain"]}}},
  "SlotList": {"type": "array", "items": {"type": "object", "required": ["id", "n_ctx", "is_processing"], "properties": {
    "id": {"type": "integer"}, "n_ctx": {"type": "integer"}, "is_processing": {"type": "boolean"}}}},
  "InfillRequest": {"type": "object", "request": true, "include": ["GenerationFields"],
   "required": ["input_prefix", "input_suffix"], "properties": {
    "input_prefix": {"type": "string"}, "input_suffix": {"type": "string"},
    "n_predict": {"type": "integer", "minimum": 0, "maximum": "MAX_TOKENS"}, "stream": {"const": false}}}
}})json";
}

}  // namespace serve
