// OpenAI's Responses API, Anthropic's and Ollama's protocol in /openapi.json; server/api/README.md says what their fields do.
#include "server/api/openapi_parts.h"

namespace serve {

const char* openapi_responses_part() {
    return R"json({
"paths": {
  "/v1/responses": {"post": {"tag": "openai", "summary": "A reply, by OpenAI's Responses API; nothing is stored",
    "request": "ResponsesRequest", "response": "ResponsesResponse", "stream": "text/event-stream"}}
},
"schemas": {
  "ResponsesRequest": {"type": "object", "request": true, "include": ["SamplerFields"], "required": ["input"],
   "properties": {
    "model": {"type": "string"},
    "input": {"anyOf": [{"type": "string"}, {"type": "array", "minItems": 1, "maxItems": 4096, "items": {"anyOf": [
      {"type": "object", "request": true, "required": ["role", "content"], "properties": {
        "type": {"const": "message"}, "role": {"enum": ["system", "developer", "user", "assistant"]},
        "content": {"$ref": "#/components/schemas/TextParts"}}},
      {"type": "object", "request": true, "required": ["type", "call_id", "name"], "properties": {
        "type": {"const": "function_call"}, "call_id": {"type": "string"}, "name": {"type": "string"},
        "arguments": {"type": "string"}}},
      {"type": "object", "required": ["type", "call_id", "output"], "properties": {
        "type": {"const": "function_call_output"}, "call_id": {"type": "string"},
        "output": {"$ref": "#/components/schemas/TextParts"}}},
      {"type": "object", "request": true, "required": ["type"], "properties": {"type": {"const": "reasoning"},
        "content": {"type": "array", "maxItems": 1024, "items": {"type": "object", "required": ["text"],
          "properties": {"text": {"type": "string"}}}}}}]}}]},
    "instructions": {"type": "string"},
    "max_output_tokens": {"type": "integer", "minimum": 1, "maximum": "MAX_TOKENS"},
    "stream": {"type": "boolean", "default": false},
    "stream_options": {"type": "object"},
    "tools": {"type": "array", "maxItems": 128, "items": {"type": "object", "request": true,
      "required": ["type", "name"], "properties": {"type": {"const": "function"},
        "name": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}, "description": {"type": "string"},
        "parameters": {"type": "object"}, "strict": {"type": "boolean"}}}},
    "tool_choice": {"anyOf": [{"enum": ["auto", "none", "required"]}, {"type": "object", "required": ["type", "name"],
      "properties": {"type": {"const": "function"}, "name": {"type": "string"}}}]},
    "parallel_tool_calls": {"type": "boolean", "default": true},
    "text": {"type": "object", "request": true, "properties": {
      "verbosity": {"enum": ["low", "medium", "high"]},
      "format": {"anyOf": [
        {"type": "object", "required": ["type"], "properties": {"type": {"const": "text"}}},
        {"type": "object", "request": true, "required": ["type"], "properties": {"type": {"const": "json_object"},
          "schema": {"type": "object"}}},
        {"type": "object", "required": ["type", "schema"], "properties": {"type": {"const": "json_schema"},
          "schema": {"type": "object"}}}]}}},
    "reasoning": {"type": "object", "request": true, "properties": {
      "effort": {"enum": ["none", "minimal", "low", "medium", "high", "xhigh"]}}},
    "metadata": {"type": "object", "maxProperties": 16, "additionalProperties": {"type": "string", "maxLength": 512}},
    "include": {"type": "array", "maxItems": 16, "items": {"type": "string"}},
    "top_logprobs": {"type": "integer", "minimum": 0, "maximum": 0},
    "truncation": {"enum": ["disabled"]},
    "store": {"const": false, "description": "Nothing is stored"},
    "background": {"const": false},
    "previous_response_id": {"type": "null", "description": "Nothing is stored"},
    "conversation": {"type": "null"},
    "prompt": {"type": "null"},
    "timeout_ms": {"type": "integer", "minimum": 1, "maximum": 3600000},
    "priority": {"enum": ["low", "normal", "high", "critical"]},
    "user": {"type": "string"}}},
  "ResponsesResponse": {"type": "object", "required": ["id", "object", "created_at", "status", "error",
   "incomplete_details", "instructions", "metadata", "model", "output", "parallel_tool_calls", "temperature",
   "tool_choice", "tools", "top_p", "usage"], "properties": {
    "id": {"type": "string"}, "object": {"const": "response"}, "created_at": {"type": "integer"},
    "status": {"enum": ["completed", "incomplete"]}, "error": {"type": "null"},
    "incomplete_details": {"anyOf": [{"type": "null"}, {"type": "object", "required": ["reason"], "properties": {
      "reason": {"enum": ["max_output_tokens", "content_filter"]}}}]},
    "model": {"type": "string"},
    "output": {"type": "array", "items": {"type": "object", "required": ["id", "type", "status"], "properties": {
      "id": {"type": "string"}, "type": {"enum": ["message", "function_call", "reasoning"]},
      "status": {"const": "completed"}}}},
    "usage": {"type": "object", "required": ["input_tokens", "output_tokens", "total_tokens"], "properties": {
      "input_tokens": {"type": "integer", "minimum": 0}, "output_tokens": {"type": "integer", "minimum": 0},
      "total_tokens": {"type": "integer", "minimum": 0}}}}}
}})json";
}

const char* openapi_anthropic_part() {
    return R"json({
"paths": {
  "/v1/messages": {"post": {"tag": "anthropic", "summary": "The next message, by Anthropic's Messages API",
    "request": "MessagesRequest", "response": "AnthropicMessage", "stream": "text/event-stream"}},
  "/v1/messages/count_tokens": {"post": {"tag": "anthropic", "summary": "The tokens of a conversation",
    "request": "CountTokensRequest", "response": "CountTokensResponse"}}
},
"schemas": {
  "AnthropicError": {"type": "object", "required": ["type", "error", "request_id"], "properties": {
    "type": {"const": "error"}, "request_id": {"type": "string"},
    "error": {"type": "object", "required": ["type", "message"], "properties": {
      "type": {"enum": ["invalid_request_error", "authentication_error", "permission_error", "not_found_error",
        "request_too_large", "rate_limit_error", "overloaded_error", "api_error"]},
      "message": {"type": "string"}}}}},
  "TextBlocks": {"anyOf": [{"type": "string"}, {"type": "array", "maxItems": 4096, "items": {"type": "object",
    "required": ["type", "text"], "properties": {"type": {"const": "text"}, "text": {"type": "string"}}}}]},
  "AnthropicUserTurn": {"type": "object", "required": ["role", "content"], "properties": {"role": {"const": "user"},
    "content": {"anyOf": [{"type": "string"}, {"type": "array", "maxItems": 4096, "items": {"anyOf": [
      {"type": "object", "required": ["type", "text"], "properties": {
        "type": {"const": "text"}, "text": {"type": "string"}}},
      {"type": "object", "request": true, "required": ["type", "tool_use_id"], "properties": {
        "type": {"const": "tool_result"}, "tool_use_id": {"type": "string"},
        "content": {"$ref": "#/components/schemas/TextBlocks"}, "is_error": {"type": "boolean"}}}]}}]}}},
  "AnthropicAssistantTurn": {"type": "object", "required": ["role", "content"], "properties": {
    "role": {"const": "assistant"},
    "content": {"anyOf": [{"type": "string"}, {"type": "array", "maxItems": 4096, "items": {"anyOf": [
      {"type": "object", "required": ["type", "text"], "properties": {
        "type": {"const": "text"}, "text": {"type": "string"}}},
      {"type": "object", "required": ["type", "thinking"], "properties": {
        "type": {"const": "thinking"}, "thinking": {"type": "string"}}},
      {"type": "object", "required": ["type"], "properties": {"type": {"const": "redacted_thinking"}}},
      {"type": "object", "request": true, "required": ["type", "id", "name"], "properties": {
        "type": {"const": "tool_use"}, "id": {"type": "string"}, "name": {"type": "string"},
        "input": {"type": "object"}}}]}}]}}},
  "CountTokensRequest": {"type": "object", "request": true, "required": ["model", "messages"], "properties": {
    "model": {"type": "string"},
    "system": {"$ref": "#/components/schemas/TextBlocks"},
    "messages": {"type": "array", "minItems": 1, "maxItems": 4096, "description": "The last one is the user's",
      "items": {"anyOf": [{"$ref": "#/components/schemas/AnthropicUserTurn"},
        {"$ref": "#/components/schemas/AnthropicAssistantTurn"}]}},
    "tools": {"type": "array", "maxItems": 128, "items": {"type": "object", "request": true,
      "required": ["name", "input_schema"], "properties": {"type": {"const": "custom"},
        "name": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}, "description": {"type": "string"},
        "input_schema": {"type": "object"}, "strict": {"type": "boolean"}}}},
    "tool_choice": {"anyOf": [
      {"type": "object", "request": true, "required": ["type"], "properties": {"type": {"enum": ["auto", "any", "none"]},
        "disable_parallel_tool_use": {"type": "boolean"}}},
      {"type": "object", "request": true, "required": ["type", "name"], "properties": {"type": {"const": "tool"},
        "name": {"type": "string"}, "disable_parallel_tool_use": {"type": "boolean"}}}]},
    "thinking": {"type": "object", "request": true, "required": ["type"], "properties": {
      "type": {"enum": ["enabled", "adaptive", "disabled"]},
      "budget_tokens": {"type": "integer", "minimum": 1, "maximum": 2147483647}}},
    "output_config": {"type": "object", "request": true, "properties": {"format": {"type": "object",
      "required": ["type", "schema"], "properties": {"type": {"const": "json_schema"},
        "schema": {"type": "object"}}}}}}},
  "MessagesRequest": {"type": "object", "request": true, "include": ["SamplerFields", "CountTokensRequest"],
   "required": ["model", "messages", "max_tokens"], "properties": {
    "max_tokens": {"type": "integer", "minimum": 1, "maximum": "MAX_TOKENS"},
    "temperature": {"type": "number", "minimum": 0, "maximum": 1, "default": 1},
    "stop_sequences": {"type": "array", "maxItems": 64, "items": {"type": "string", "minLength": 1, "maxLength": 1024}},
    "stream": {"type": "boolean", "default": false},
    "priority": {"enum": ["low", "normal", "high", "critical"]},
    "metadata": {"type": "object", "request": true, "properties": {"user_id": {"type": "string"}}}}},
  "AnthropicMessage": {"type": "object", "required": ["id", "type", "role", "model", "content", "stop_reason",
   "stop_sequence", "usage"], "properties": {
    "id": {"type": "string"}, "type": {"const": "message"}, "role": {"const": "assistant"}, "model": {"type": "string"},
    "content": {"type": "array", "items": {"anyOf": [
      {"type": "object", "required": ["type", "text"], "properties": {
        "type": {"const": "text"}, "text": {"type": "string"}}},
      {"type": "object", "required": ["type", "thinking", "signature"], "properties": {
        "type": {"const": "thinking"}, "thinking": {"type": "string"}, "signature": {"type": "string"}}},
      {"type": "object", "required": ["type", "id", "name", "input"], "properties": {"type": {"const": "tool_use"},
        "id": {"type": "string"}, "name": {"type": "string"}, "input": {"type": "object"}}}]}},
    "stop_reason": {"enum": ["end_turn", "max_tokens", "stop_sequence", "tool_use", "refusal",
      "model_context_window_exceeded"]},
    "stop_sequence": {"type": ["string", "null"]},
    "usage": {"type": "object", "required": ["input_tokens", "output_tokens", "cache_read_input_tokens",
     "cache_creation_input_tokens"], "additionalProperties": {"type": "integer", "minimum": 0}}}},
  "CountTokensResponse": {"type": "object", "required": ["input_tokens"], "properties": {
    "input_tokens": {"type": "integer", "minimum": 0}}}
}})json";
}

const char* openapi_ollama_part() {
    return R"json({
"paths": {
  "/api/generate": {"post": {"tag": "ollama", "summary": "A text that goes on from a prompt",
    "request": "OllamaGenerateRequest", "response": "OllamaGenerateResponse", "stream": "application/x-ndjson"}},
  "/api/chat": {"post": {"tag": "ollama", "summary": "The next message of a conversation",
    "request": "OllamaChatRequest", "response": "OllamaChatResponse", "stream": "application/x-ndjson"}},
  "/api/tags": {"get": {"tag": "ollama", "summary": "Models", "response": "OllamaModelList"}},
  "/api/ps": {"get": {"tag": "ollama", "summary": "Loaded models", "response": "OllamaModelList"}},
  "/api/version": {"get": {"tag": "ollama", "summary": "This server's version", "response": "OllamaVersion"}},
  "/api/show": {"post": {"tag": "ollama", "summary": "One model", "request": "OllamaShowRequest",
    "response": "OllamaShowResponse"}},
  "/api/embed": {"post": {"tag": "ollama", "summary": "Texts as vectors", "request": "OllamaEmbedRequest",
    "response": "OllamaEmbedResponse"}},
  "/api/embeddings": {"post": {"tag": "ollama", "summary": "A text as a vector, the older form",
    "request": "OllamaEmbeddingsRequest", "response": "OllamaEmbeddingsResponse"}},
  "/api/pull": {"post": {"tag": "ollama", "summary": "Not available", "status": 501}},
  "/api/push": {"post": {"tag": "ollama", "summary": "Not available", "status": 501}},
  "/api/create": {"post": {"tag": "ollama", "summary": "Not available", "status": 501}},
  "/api/copy": {"post": {"tag": "ollama", "summary": "Not available", "status": 501}},
  "/api/delete": {"delete": {"tag": "ollama", "summary": "Not available", "status": 501}}
},
"schemas": {
  "OllamaError": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}},
  "KeepAlive": {"anyOf": [{"type": "number"},
    {"type": "string", "pattern": "^[-+]?(0|([0-9]{1,6}([.][0-9]{1,3})?(ns|us|ms|s|m|h)){1,4})$"}]},
  "OllamaFields": {"type": "object", "properties": {
    "model": {"type": "string", "minLength": 1, "description": "An id of /api/tags, with or without :latest"},
    "stream": {"type": "boolean", "default": true},
    "think": {"anyOf": [{"type": "boolean"}, {"enum": ["low", "medium", "high", "max"]}]},
    "format": {"anyOf": [{"enum": ["json", ""]}, {"type": "object", "description": "A JSON schema"}]},
    "keep_alive": {"$ref": "#/components/schemas/KeepAlive"},
    "logprobs": {"const": false},
    "options": {"type": "object", "request": true, "include": ["SamplerFields"], "properties": {
      "stop": {"anyOf": [{"type": "string", "minLength": 1, "maxLength": 1024},
        {"type": "array", "maxItems": 64, "items": {"type": "string", "minLength": 1, "maxLength": 1024}}]},
      "num_predict": {"type": "integer", "minimum": -2, "maximum": "MAX_TOKENS"}}}}},
  "OllamaGenerateRequest": {"type": "object", "request": true, "include": ["OllamaFields"], "required": ["model"],
   "properties": {
    "prompt": {"type": "string"},
    "system": {"type": "string"},
    "raw": {"type": "boolean"},
    "context": {"type": "array", "maxItems": 1048576,
      "items": {"type": "integer", "minimum": 0, "maximum": 2147483647}},
    "template": {"type": "string", "maxLength": 0},
    "suffix": {"type": "string", "maxLength": 0},
    "images": {"type": "array", "maxItems": 0}}},
  "OllamaFigures": {"type": "object", "properties": {
    "model": {"type": "string"}, "created_at": {"type": "string", "format": "date-time"}, "done": {"type": "boolean"},
    "done_reason": {"enum": ["stop", "length", "load", "content_filter"]},
    "total_duration": {"type": "integer", "minimum": 0}, "load_duration": {"type": "integer", "minimum": 0},
    "prompt_eval_count": {"type": "integer", "minimum": 0}, "prompt_eval_duration": {"type": "integer", "minimum": 0},
    "eval_count": {"type": "integer", "minimum": 0}, "eval_duration": {"type": "integer", "minimum": 0}}},
  "OllamaGenerateResponse": {"type": "object", "include": ["OllamaFigures"],
   "required": ["model", "created_at", "response", "done"], "properties": {
    "response": {"type": "string"}, "thinking": {"type": "string"},
    "context": {"type": "array", "items": {"type": "integer", "minimum": 0}}}},
  "OllamaMessage": {"type": "object", "request": true, "required": ["role"], "properties": {
    "role": {"enum": ["system", "user", "assistant", "tool"]}, "content": {"type": "string"},
    "thinking": {"type": "string"}, "tool_name": {"type": "string"},
    "images": {"type": "array", "maxItems": 0},
    "tool_calls": {"type": "array", "maxItems": 128, "items": {"type": "object", "required": ["function"], "properties":
      {"function": {"type": "object", "request": true, "required": ["name"], "properties": {
        "name": {"type": "string"}, "arguments": {"type": "object"}}}}}}}},
  "OllamaChatRequest": {"type": "object", "request": true, "include": ["OllamaFields"], "required": ["model"],
   "properties": {
    "messages": {"type": "array", "maxItems": 4096, "items": {"$ref": "#/components/schemas/OllamaMessage"}},
    "tools": {"type": "array", "maxItems": 128, "items": {"$ref": "#/components/schemas/FunctionTool"}}}},
  "OllamaChatResponse": {"type": "object", "include": ["OllamaFigures"],
   "required": ["model", "created_at", "message", "done"], "properties": {
    "message": {"type": "object", "required": ["role", "content"], "properties": {"role": {"const": "assistant"},
      "content": {"type": "string"}, "thinking": {"type": "string"}, "tool_calls": {"type": "array", "items":
        {"type": "object", "required": ["function"], "properties": {"function": {"type": "object",
          "required": ["name", "arguments"], "properties": {
            "name": {"type": "string"}, "arguments": {"type": "object"}}}}}}}}}},
  "OllamaDetails": {"type": "object", "required": ["format", "family", "families", "parameter_size",
   "quantization_level"], "properties": {"families": {"type": "array", "items": {"type": "string"}}},
   "additionalProperties": {"type": ["string", "array"]}},
  "OllamaModelList": {"type": "object", "required": ["models"], "properties": {"models": {"type": "array", "items":
   {"type": "object", "required": ["name", "model"], "properties": {
    "name": {"type": "string"}, "model": {"type": "string"}, "modified_at": {"type": "string", "format": "date-time"},
    "size": {"type": "integer", "minimum": 0}, "digest": {"type": "string"},
    "details": {"$ref": "#/components/schemas/OllamaDetails"}, "size_vram": {"type": "integer", "minimum": 0},
    "context_length": {"type": "integer", "minimum": 0}}}}}},
  "OllamaVersion": {"type": "object", "required": ["version"], "properties": {"version": {"type": "string"}}},
  "OllamaShowRequest": {"type": "object", "request": true, "required": ["model"], "properties": {
    "model": {"type": "string", "minLength": 1}, "verbose": {"type": "boolean"}}},
  "OllamaShowResponse": {"type": "object", "required": ["modelfile", "parameters", "template", "details", "model_info",
   "capabilities", "modified_at"], "properties": {"modelfile": {"type": "string"}, "parameters": {"type": "string"},
    "template": {"type": "string"}, "license": {"type": "string"},
    "details": {"$ref": "#/components/schemas/OllamaDetails"}, "model_info": {"type": "object"},
    "capabilities": {"type": "array", "items": {"type": "string"}},
    "modified_at": {"type": "string", "format": "date-time"}}},
  "OllamaEmbedRequest": {"type": "object", "request": true, "required": ["model", "input"], "properties": {
    "model": {"type": "string", "minLength": 1},
    "input": {"anyOf": [{"type": "string"}, {"type": "array", "maxItems": 2048, "items": {"type": "string"}}]},
    "truncate": {"type": "boolean", "default": true},
    "dimensions": {"type": "integer", "minimum": 0, "maximum": 2147483647},
    "options": {"type": "object"},
    "keep_alive": {"$ref": "#/components/schemas/KeepAlive"}}},
  "OllamaEmbedResponse": {"type": "object", "required": ["model", "embeddings"], "properties": {
    "model": {"type": "string"},
    "embeddings": {"type": "array", "items": {"type": "array", "items": {"type": "number"}}},
    "total_duration": {"type": "integer", "minimum": 0}, "load_duration": {"type": "integer", "minimum": 0},
    "prompt_eval_count": {"type": "integer", "minimum": 0}}},
  "OllamaEmbeddingsRequest": {"type": "object", "request": true, "required": ["model"], "properties": {
    "model": {"type": "string", "minLength": 1}, "prompt": {"type": "string"}, "options": {"type": "object"},
    "keep_alive": {"$ref": "#/components/schemas/KeepAlive"}}},
  "OllamaEmbeddingsResponse": {"type": "object", "required": ["embedding"], "properties": {
    "embedding": {"type": "array", "items": {"type": "number"}}}}
}})json";
}

}  // namespace serve
