"""Every native endpoint of the running server, field for field as the specification has it: native_api_test.py <server>."""

import json
import re
import sys
import tempfile
from pathlib import Path

import server_fixture

# The JSON of the specification (api-reference.txt, lines 22-472), as sets of keys. OURS are fields beyond it.
INFERENCE = {"text", "tokens_generated", "inference_time_ms", "tokens_per_second", "device_used", "quantization_type",
             "batch_id", "batch_size", "queue_time_ms"}
OURS_INFERENCE = {"prompt_tokens", "reused_tokens", "prompt_time_ms", "finish_reason", "seed", "model"}
MODEL = {"id", "path", "status", "quantization_format", "device", "load_time", "performance_metrics", "model_info"}
OPENAI_MODEL = {"id", "object", "created", "owned_by"}
MODEL_INFO = {"parameter_count", "tensor_count", "model_size_bytes"}
PERFORMANCE = {"avg_tokens_per_second", "avg_inference_time_ms", "total_requests"}  # and accuracy_score, where validated
HEALTH = {"status", "timestamp", "components", "system_metrics", "build_info"}
COMPONENTS = {"model_manager", "execution_router", "batch_engine", "device_monitor", "concurrency_manager"}
SYSTEM = {"cpu_utilization", "memory_usage_bytes", "active_requests", "uptime_seconds"}  # and gpu_utilization, with a GPU
BUILD = {"version", "build_date", "git_commit", "features"}
STATS = {
    "server_stats": {"uptime_seconds", "total_requests", "successful_requests", "error_rate", "avg_response_time_ms"},
    "inference_stats": {"total_tokens_generated", "avg_tokens_per_second", "quantization_distribution",
                        "device_distribution"},
    "batch_engine_stats": {"total_batches", "avg_batch_size", "batch_utilization", "queue_depth"},
    "concurrency_stats": {"active_requests", "max_concurrent_requests", "rate_limited_requests", "avg_queue_time_ms"},
}
DEVICE = {"id", "type", "status", "utilization", "memory_usage_bytes", "memory_total_bytes", "active_requests",
          "capabilities"}
ERROR = {"error", "error_code", "request_id", "details"}

PROMPT = {"prompt": "Once upon a time", "max_tokens": 5, "temperature": 0}


def test_every_endpoint_field_for_field(program: str) -> None:
    with server_fixture.Server(program) as server:
        answer = server.post("/v1/inference", PROMPT)
        assert answer.status == 200 and set(answer.json) == INFERENCE | OURS_INFERENCE, answer.body
        assert answer.json["text"] == ", there was a little"
        assert answer.headers["Content-Type"].startswith("application/json")

        legacy = server.post("/inference", PROMPT)
        assert legacy.headers["Deprecation"] == "true"
        assert set(legacy.json) < INFERENCE and legacy.json["text"] == answer.json["text"]

        models = server.get("/v1/models").json
        assert models["object"] == "list" and models["data"] == models["models"] and len(models["data"]) == 1
        model = models["models"][0]
        assert set(model) >= MODEL | OPENAI_MODEL, model
        assert set(model["performance_metrics"]) >= {"total_requests"}
        assert set(model["performance_metrics"]) <= PERFORMANCE | {"accuracy_score"}
        assert set(model["model_info"]) >= MODEL_INFO
        assert server.get("/v1/models/" + model["id"]).json["id"] == model["id"]

        health = server.get("/health").json
        assert set(health) == HEALTH and set(health["components"]) == COMPONENTS, health
        assert set(health["system_metrics"]) <= SYSTEM and set(health["build_info"]) == BUILD, health
        assert health["status"] in ("healthy", "degraded")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", health["build_info"]["build_date"])
        assert re.fullmatch(r"[0-9a-f]{7,}|unknown", health["build_info"]["git_commit"])
        assert server.get("/health/live").json.keys() == {"status", "timestamp"}
        ready = server.get("/health/ready").json
        assert ready["checks"] == {"models_loaded": True, "devices_available": True, "request_processing": True}

        stats = server.get("/v1/stats").json
        assert {name: set(group) for name, group in stats.items()} == STATS, stats
        assert sum(stats["inference_stats"]["quantization_distribution"].values()) == 1
        assert sum(stats["inference_stats"]["device_distribution"].values()) == 1

        devices = server.get("/v1/devices").json["devices"]
        cpu = next(device for device in devices if device["id"] == "cpu")
        assert set(cpu) <= DEVICE and {"simd_support", "quantization_support"} <= set(cpu["capabilities"]), cpu

        for path, status in (("/v1/nothing", 404), ("/v1/inference", 405), ("/v1/models/nobody", 404)):
            error = server.get(path)
            assert error.status == status and set(error.json) == ERROR, error.body


def test_the_stream_as_the_specification_writes_it(program: str) -> None:
    with server_fixture.Server(program) as server:
        answer = server.post("/v1/inference/stream", {**PROMPT, "max_tokens": 40})
        assert answer.status == 200 and answer.headers["Content-Type"].startswith("text/event-stream")
        assert answer.headers["Cache-Control"] == "no-cache"
        # Nothing but data lines, comments (heartbeats) and empty lines.
        assert all(line == "" or line.startswith(("data: {", ":")) for line in answer.text.splitlines()), answer.text
        events = answer.events()
        kinds = [event["type"] for event in events]
        assert set(kinds) == {"token", "metrics", "complete"} and kinds.count("complete") == 1 and kinds[-1] == "complete"
        tokens = [event for event in events if event["type"] == "token"]
        assert all(set(event) == {"type", "text", "position"} for event in tokens)
        positions = [event["position"] for event in tokens]
        assert positions == sorted(set(positions)) and positions[0] == 0
        last = events[-1]
        assert last["final_text"] == "".join(event["text"] for event in tokens) and last["total_tokens"] == 40
        assert {"total_tokens", "inference_time_ms", "final_text"} <= set(last)
        metrics = next(event for event in events if event["type"] == "metrics")
        assert metrics["tokens_per_second"] > 0 and metrics["device"] == "Cpu"
        # A request that is refused before the first event has a status instead of a stream.
        refused = server.post("/v1/inference/stream", {"prompt": 1})
        assert refused.status == 400 and set(refused.json) == ERROR


def test_a_text_that_takes_too_long_is_a_timeout(program: str) -> None:
    with server_fixture.Server(program) as server:
        late = {"prompt": "Once upon a time", "max_tokens": 450, "timeout_ms": 1}
        answer = server.post("/v1/inference", late)
        assert answer.status == 504 and answer.json["error_code"] == "TIMEOUT", answer.body
        assert set(answer.json) == ERROR
        answer = server.post("/v1/inference/stream", late)
        if answer.status == 200:  # the headers were out before the time was over
            terminal = [event for event in answer.events() if event["type"] in ("complete", "error")]
            assert len(terminal) == 1 and terminal[0]["error_code"] == "TIMEOUT", answer.text
            assert set(terminal[0]) == ERROR | {"type"}
        else:
            assert answer.status == 504
        assert server.post("/v1/inference", PROMPT).status == 200


def test_bad_bodies_get_their_code_and_the_server_lives_on(program: str) -> None:
    bodies = [
        b"", b"{", b"[]", b"null", b'"text"', b'{"prompt":}', b'{"prompt":"a",}', b'{"prompt":"a"}}', b'{"prompt":"a"} x',
        b'{"prompt":' + b"[" * 100_000, b'{"a":' * 100_000, b'{"prompt":"a","max_tokens":' + b"9" * 400 + b"}",
        b'{"prompt":"a","temperature":1e999}', b'{"prompt":"a","max_tokens":-1}', b'{"prompt":"a","top_k":-9223372036854775809}',
        b'{"prompt":"a","seed":-5}', b'{"prompt":{"a":1}}', b'{"prompt":[[1]]}', b'{"prompt":"a","max_tokens":NaN}',
        b'{"prompt":"a","stop_sequences":{"a":1}}', b'{"prompt":"a","timeout_ms":18446744073709551616}',
    ]
    characters = [b'{"prompt":"\xff"}', b'{"prompt":"a\\u0000b"}', b'{"prompt":"\\ud800"}', b'{"prompt":"\xed\xa0\x80"}']
    with server_fixture.Server(program) as server:
        for body in bodies + characters:
            answer = server.post("/v1/inference", body)
            code = "INVALID_CHARACTERS" if body in characters else "VALIDATION_FAILED"
            assert answer.status == 400 and answer.json["error_code"] == code, (body[:60], answer.body)
            assert set(answer.json) == ERROR
        assert server.post("/v1/inference", PROMPT).json["text"] == ", there was a little"


def test_the_content_filter_is_off_by_default_and_on_with_a_list(program: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        blocked = Path(folder) / "blocked"
        blocked.write_text("# no small things\nWas A Little\n", encoding="utf-8")
        with server_fixture.Server(program, "--block-list", str(blocked)) as server:
            refused = server.post("/v1/inference", {"prompt": "There was a LITTLE dog"})
            assert refused.status == 400 and refused.json["error_code"] == "BLOCKED_CONTENT", refused.body
            answer = server.post("/v1/inference", PROMPT).json
            assert answer["finish_reason"] == "content_filter" and answer["text"] == ", there ", answer
    with server_fixture.Server(program) as server:
        assert server.post("/v1/inference", {**PROMPT, "prompt": "There was a LITTLE dog"}).status == 200


def test_the_same_seed_gives_the_same_text(program: str) -> None:
    with server_fixture.Server(program) as server:
        body = {"prompt": "Once upon a time", "max_tokens": 30}
        first = server.post("/v1/inference", body).json
        again = server.post("/v1/inference", {**body, "seed": first["seed"]}).json
        assert first["text"] == again["text"] and first["seed"] == again["seed"]
        other = server.post("/v1/inference", {**body, "seed": 1}).json
        assert other["seed"] == 1 and other["text"] != first["text"], json.dumps(other)


if __name__ == "__main__":
    server_fixture.run_tests(globals(), sys.argv[1])
