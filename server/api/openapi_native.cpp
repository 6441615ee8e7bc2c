// The native protocol in /openapi.json: the specification's bodies, and the sampler's fields that all protocols share.
#include "server/api/openapi_parts.h"

namespace serve {

const char* openapi_native_part() {
    return R"json({
"paths": {
  "/": {"get": {"tag": "page", "summary": "The chat page", "text": "text/html"}},
  "/openapi.json": {"get": {"tag": "health", "summary": "This document", "response": "AnyObject"}},
  "/v1/inference": {"post": {"tag": "native", "summary": "A text that goes on from a prompt",
    "request": "InferenceRequest", "response": "InferenceResponse"}},
  "/v1/inference/stream": {"post": {"tag": "native",
    "summary": "The same as server-sent events: token, metrics, then complete or error",
    "request": "InferenceRequest", "stream": "text/event-stream"}},
  "/inference": {"post": {"tag": "native", "summary": "The old form of /v1/inference", "deprecated": true,
    "request": "InferenceRequest", "response": "LegacyInferenceResponse"}},
  "/v1/models": {"get": {"tag": "models", "summary": "Models, in the specification's and OpenAI's shape at once",
    "response": "ModelList"}},
  "/v1/models/load": {"post": {"tag": "models", "summary": "Load a model", "request": "LoadRequest",
    "response": "LoadResponse"}},
  "/v1/models/swap": {"post": {"tag": "models", "summary": "Exchange a model while it serves",
    "request": "SwapRequest", "response": "SwapResponse"}},
  "/v1/models/{id}": {
    "get": {"tag": "models", "summary": "One model", "response": "Model"},
    "delete": {"tag": "models", "summary": "Unload a model", "status": 204}},
  "/health": {"get": {"tag": "health", "summary": "Components and figures of the system", "response": "Health",
    "also": {"503": "Health"}}},
  "/health/live": {"get": {"tag": "health", "summary": "Whether the process works", "response": "Liveness",
    "also": {"503": "Liveness"}}},
  "/health/ready": {"get": {"tag": "health", "summary": "Whether it takes requests", "response": "Readiness",
    "also": {"503": "Readiness"}}},
  "/v1/stats": {"get": {"tag": "health", "summary": "What was counted since the start", "response": "Stats"}},
  "/v1/devices": {"get": {"tag": "health", "summary": "Devices of this machine", "response": "DeviceList"}},
  "/metrics": {"get": {"tag": "health", "summary": "Figures for Prometheus", "text": "text/plain"}}
},
"schemas": {
  "AnyObject": {"type": "object"},
  "NativeError": {"type": "object", "required": ["error", "error_code", "request_id", "details"], "properties": {
    "error": {"type": "string"},
    "error_code": {"type": "string", "examples": ["VALIDATION_FAILED"]},
    "request_id": {"type": "string"},
    "details": {"type": "object", "properties": {"field": {"type": "string"}, "suggestion": {"type": "string"}}}}},
  "SamplerFields": {"type": "object", "properties": {
    "temperature": {"type": "number", "minimum": 0, "maximum": 2, "default": 1, "description": "0: the likeliest token"},
    "top_p": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.9},
    "top_k": {"type": "integer", "minimum": 0, "maximum": 1048576, "default": 50, "description": "0: all tokens"},
    "min_p": {"type": "number", "minimum": 0, "maximum": 1},
    "typical_p": {"type": "number", "minimum": 0, "maximum": 1},
    "repetition_penalty": {"type": "number", "minimum": 0.01, "maximum": 10, "default": 1},
    "repeat_penalty": {"type": "number", "minimum": 0.01, "maximum": 10},
    "frequency_penalty": {"type": "number", "minimum": -2, "maximum": 2},
    "presence_penalty": {"type": "number", "minimum": -2, "maximum": 2},
    "penalty_last_n": {"type": "integer", "minimum": -1, "maximum": 1048576},
    "repeat_last_n": {"type": "integer", "minimum": -1, "maximum": 1048576},
    "seed": {"type": "integer", "minimum": -1, "maximum": 18446744073709551615, "description": "-1: a fresh one"},
    "xtc_probability": {"type": "number", "minimum": 0, "maximum": 1},
    "xtc_threshold": {"type": "number", "minimum": 0, "maximum": 1},
    "dry_multiplier": {"type": "number", "minimum": 0, "maximum": 100},
    "dry_base": {"type": "number", "minimum": 1, "maximum": 100},
    "dry_allowed_length": {"type": "integer", "minimum": 1, "maximum": 1048576},
    "dry_penalty_last_n": {"type": "integer", "minimum": 0, "maximum": 1048576},
    "dynatemp_range": {"type": "number", "minimum": 0, "maximum": 2},
    "dynatemp_exponent": {"type": "number", "minimum": 0.01, "maximum": 100},
    "top_n_sigma": {"type": "number", "minimum": 0, "maximum": 100},
    "mirostat": {"type": "integer", "minimum": 0, "maximum": 2},
    "mirostat_tau": {"type": "number", "minimum": 0.01, "maximum": 100},
    "mirostat_eta": {"type": "number", "minimum": 0.0001, "maximum": 1},
    "logit_bias": {"anyOf": [
      {"type": "object", "maxProperties": 1024, "propertyNames": {"pattern": "^[0-9]{1,6}$"}, "additionalProperties":
        {"anyOf": [{"type": "number", "minimum": -1000000, "maximum": 1000000}, {"const": false}]}},
      {"type": "array", "maxItems": 1024, "items": {"type": "array", "minItems": 2, "maxItems": 2, "prefixItems": [
        {"type": "integer", "minimum": 0, "maximum": 999999}, {"type": ["number", "boolean"]}]}}]}}},
  "InferenceRequest": {"type": "object", "request": true, "include": ["SamplerFields"], "required": ["prompt"],
   "properties": {
    "prompt": {"anyOf": [{"type": "string"},
      {"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": 0, "maximum": 2147483647}}],
      "description": "A text, or tokens"},
    "max_tokens": {"type": "integer", "minimum": 0, "maximum": "MAX_TOKENS", "default": 64},
    "model": {"type": "string", "description": "An id of /v1/models; the default one where absent"},
    "stop_sequences": {"type": "array", "maxItems": 64, "items": {"type": "string", "minLength": 1, "maxLength": 1024}},
    "priority": {"enum": ["low", "normal", "high", "critical"], "default": "normal"},
    "device_preference": {"type": "string", "default": "auto", "description": "auto, cpu, gpu, metal, cuda, cuda:N"},
    "quantization_hint": {"type": "string", "default": "auto", "description": "auto, i2s, tl1, tl2 or a type's name"},
    "timeout_ms": {"type": "integer", "minimum": 1, "maximum": 3600000, "default": 30000},
    "logprobs": {"type": "integer", "minimum": 0, "maximum": 20},
    "grammar": {"type": "string", "description": "GBNF that the text must obey"},
    "json_schema": {"type": "object", "description": "A JSON schema that the text must obey"}}},
  "LegacyInferenceResponse": {"type": "object",
   "required": ["text", "tokens_generated", "inference_time_ms", "tokens_per_second"], "properties": {
    "text": {"type": "string"},
    "tokens_generated": {"type": "integer", "minimum": 0},
    "inference_time_ms": {"type": "number", "minimum": 0},
    "tokens_per_second": {"type": "number", "minimum": 0}}},
  "InferenceResponse": {"type": "object", "include": ["LegacyInferenceResponse"], "required": ["text",
   "tokens_generated", "inference_time_ms", "tokens_per_second", "device_used", "quantization_type", "batch_id",
   "batch_size", "queue_time_ms"], "properties": {
    "device_used": {"type": "string"},
    "quantization_type": {"type": "string"},
    "batch_id": {"type": "string"},
    "batch_size": {"type": "integer", "minimum": 0},
    "queue_time_ms": {"type": "number", "minimum": 0},
    "prompt_tokens": {"type": "integer", "minimum": 0},
    "reused_tokens": {"type": "integer", "minimum": 0},
    "prompt_time_ms": {"type": "number", "minimum": 0},
    "finish_reason": {"enum": ["end", "stop_sequence", "length", "context_full", "cancelled", "content_filter"]},
    "stop_sequence": {"type": "string"},
    "seed": {"type": "integer", "minimum": 0},
    "model": {"type": "string"},
    "logprobs": {"type": "array", "items": {"type": "object"}}}},
  "Model": {"type": "object", "required": ["id", "object", "created", "owned_by", "path", "status"], "properties": {
    "id": {"type": "string"},
    "object": {"const": "model"},
    "created": {"type": "integer", "minimum": 0},
    "owned_by": {"type": "string"},
    "path": {"type": "string"},
    "status": {"enum": ["active", "loading", "unloading", "available"]},
    "default": {"type": "boolean"},
    "quantization_format": {"type": "string"},
    "device": {"type": "string"},
    "load_time": {"type": "string", "format": "date-time"},
    "load_duration_ms": {"type": "number", "minimum": 0},
    "performance_metrics": {"type": "object", "required": ["total_requests"], "properties": {
      "avg_tokens_per_second": {"type": "number"}, "avg_inference_time_ms": {"type": "number"},
      "accuracy_score": {"type": "number"}, "total_requests": {"type": "integer"}}},
    "model_info": {"type": "object", "required": ["parameter_count", "tensor_count", "model_size_bytes"],
     "properties": {"parameter_count": {"type": "integer"}, "tensor_count": {"type": "integer"},
      "model_size_bytes": {"type": "integer"}, "name": {"type": "string"}, "architecture": {"type": "string"},
      "context_length": {"type": "integer"}, "training_context_length": {"type": "integer"},
      "vocabulary_size": {"type": "integer"}, "embedding_length": {"type": "integer"}}}}},
  "ModelList": {"type": "object", "required": ["object", "data", "models"], "properties": {
    "object": {"const": "list"},
    "data": {"type": "array", "items": {"$ref": "#/components/schemas/Model"}},
    "models": {"type": "array", "items": {"$ref": "#/components/schemas/Model"}}}},
  "LoadRequest": {"type": "object", "request": true, "required": ["model_path"], "properties": {
    "model_path": {"type": "string", "minLength": 1, "maxLength": 4096},
    "tokenizer_path": {"type": "string", "minLength": 1, "maxLength": 4096},
    "device": {"type": "string", "default": "auto"},
    "model_id": {"type": "string", "pattern": "^[A-Za-z0-9._:-]*$", "maxLength": 128},
    "validation_config": {"type": "object", "request": true, "properties": {
      "enable_cross_validation": {"type": "boolean", "default": false},
      "min_accuracy": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.99},
      "validation_samples": {"type": "integer", "minimum": 1, "maximum": 10000, "default": 100}}}}},
  "LoadResponse": {"type": "object", "required": ["model_id", "status", "message"], "properties": {
    "model_id": {"type": "string"}, "status": {"const": "success"}, "message": {"type": "string"}}},
  "SwapRequest": {"type": "object", "request": true, "required": ["new_model_path", "target_model_id"],
   "properties": {
    "new_model_path": {"type": "string", "minLength": 1, "maxLength": 4096},
    "target_model_id": {"type": "string"},
    "swap_strategy": {"enum": ["atomic"]},
    "rollback_on_failure": {"type": "boolean", "default": true},
    "validation_timeout_seconds": {"type": "integer", "minimum": 1, "maximum": 3600, "default": 30},
    "canary_share": {"type": "number", "minimum": 0, "maximum": 1, "default": 0}}},
  "SwapResponse": {"type": "object",
   "required": ["swap_id", "status", "new_model_id", "previous_model_id", "swap_time_ms"], "properties": {
    "swap_id": {"type": "string"}, "status": {"const": "success"}, "new_model_id": {"type": "string"},
    "previous_model_id": {"type": "string"}, "swap_time_ms": {"type": "number", "minimum": 0}}},
  "Health": {"type": "object", "required": ["status", "timestamp", "components", "system_metrics", "build_info"],
   "properties": {
    "status": {"enum": ["healthy", "degraded", "unhealthy"]},
    "timestamp": {"type": "string", "format": "date-time"},
    "components": {"type": "object", "required": ["model_manager", "execution_router", "batch_engine",
      "device_monitor", "concurrency_manager"],
     "additionalProperties": {"enum": ["healthy", "degraded", "unhealthy"]}},
    "system_metrics": {"type": "object", "required": ["active_requests", "uptime_seconds"], "properties": {
      "cpu_utilization": {"type": "number", "minimum": 0}, "gpu_utilization": {"type": "number", "minimum": 0},
      "memory_usage_bytes": {"type": "integer", "minimum": 0}, "active_requests": {"type": "integer", "minimum": 0},
      "uptime_seconds": {"type": "integer", "minimum": 0}}},
    "build_info": {"type": "object", "required": ["version", "build_date", "git_commit", "features"], "properties": {
      "version": {"type": "string"}, "build_date": {"type": "string"}, "git_commit": {"type": "string"},
      "features": {"type": "array", "items": {"type": "string"}}}}}},
  "Liveness": {"type": "object", "required": ["status", "timestamp"], "properties": {
    "status": {"enum": ["live", "stalled"]}, "timestamp": {"type": "string", "format": "date-time"}}},
  "Readiness": {"type": "object", "required": ["status", "timestamp", "checks"], "properties": {
    "status": {"enum": ["ready", "not_ready"]}, "timestamp": {"type": "string", "format": "date-time"},
    "checks": {"type": "object", "required": ["models_loaded", "devices_available", "request_processing"],
     "additionalProperties": {"type": "boolean"}}}},
  "Stats": {"type": "object",
   "required": ["server_stats", "inference_stats", "batch_engine_stats", "concurrency_stats"], "properties": {
    "server_stats": {"type": "object", "required": ["uptime_seconds", "total_requests", "successful_requests",
      "error_rate", "avg_response_time_ms"], "additionalProperties": {"type": "number"}},
    "inference_stats": {"type": "object", "required": ["total_tokens_generated", "avg_tokens_per_second",
      "quantization_distribution", "device_distribution"], "properties": {
      "total_tokens_generated": {"type": "integer", "minimum": 0},
      "avg_tokens_per_second": {"type": "number", "minimum": 0},
      "quantization_distribution": {"type": "object", "additionalProperties": {"type": "number"}},
      "device_distribution": {"type": "object", "additionalProperties": {"type": "number"}}}},
    "batch_engine_stats": {"type": "object", "required": ["total_batches", "avg_batch_size", "batch_utilization",
      "queue_depth"], "additionalProperties": {"type": "number"}},
    "concurrency_stats": {"type": "object", "required": ["active_requests", "max_concurrent_requests",
      "rate_limited_requests", "avg_queue_time_ms"], "additionalProperties": {"type": "number"}}}},
  "DeviceList": {"type": "object", "required": ["devices"], "properties": {"devices": {"type": "array", "items":
   {"type": "object", "required": ["id", "status"], "properties": {
    "id": {"type": "string"}, "type": {"type": "string"}, "device_index": {"type": "integer"},
    "status": {"enum": ["healthy", "unavailable"]}, "problem": {"type": "string"},
    "utilization": {"type": "number", "minimum": 0}, "memory_usage_bytes": {"type": "integer", "minimum": 0},
    "memory_total_bytes": {"type": "integer", "minimum": 0}, "active_requests": {"type": "integer", "minimum": 0},
    "capabilities": {"type": "object"}}}}}}
}})json";
}

}  // namespace serve
