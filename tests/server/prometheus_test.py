"""/metrics, read by the official parser of Prometheus: prometheus_test.py <server>."""

# needs: prometheus_client

import sys

import server_fixture
from prometheus_client.parser import text_string_to_metric_families

# Name, type and help of the specification (api-reference.txt, lines 398-432).
SPECIFIED = {
    "bitnet_inference_duration_seconds": ("histogram", "Time spent processing inference requests"),
    "bitnet_tokens_per_second": ("gauge", "Current token generation rate"),
    "bitnet_active_requests": ("gauge", "Current number of active requests"),
    "bitnet_model_load_duration_seconds": ("histogram", "Time to load models"),
}
OURS = {"bitnet_http_requests": "counter", "bitnet_queue_depth": "gauge", "bitnet_prompt_tokens": "counter",
        "bitnet_generated_tokens": "counter", "bitnet_reused_tokens": "counter",
        "bitnet_time_to_first_token_seconds": "histogram", "process_resident_memory_bytes": "gauge"}


def scrape(server) -> dict:
    answer = server.get("/metrics")
    assert answer.status == 200 and answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    families = list(text_string_to_metric_families(answer.text))
    assert len({family.name for family in families}) == len(families), "a family comes twice"
    return {family.name: family for family in families}


def sample(families: dict, family: str, suffix: str = "", **labels) -> float:
    found = [one.value for one in families[family].samples
             if one.name == family + suffix and labels.items() <= one.labels.items()]
    assert len(found) == 1, (family, suffix, labels, families[family].samples)
    return found[0]


def test_the_specified_names_and_what_they_count(program: str) -> None:
    with server_fixture.Server(program) as server:
        before = scrape(server)
        assert sample(before, "bitnet_active_requests") == 0
        for _ in range(3):
            assert server.post("/v1/inference", {"prompt": "Once upon a time", "max_tokens": 7}).status == 200
        server.post("/v1/inference", {"prompt": 1})
        families = scrape(server)
        for name, (kind, text) in SPECIFIED.items():
            assert name in families, (name, sorted(families))
            assert families[name].type == kind and families[name].documentation == text, families[name]
        for name, kind in OURS.items():
            assert families[name].type == kind and families[name].documentation, name
        # Absent without a GPU and without a validation.
        assert "bitnet_gpu_utilization_ratio" not in families and "bitnet_quantization_accuracy_ratio" not in families

        labels = {"quantization_type": "i2s", "device": "cpu"}
        duration = "bitnet_inference_duration_seconds"
        assert sample(families, duration, "_count", **labels) == 3
        assert sample(families, duration, "_sum", **labels) > 0
        assert sample(families, duration, "_bucket", le="+Inf", **labels) == 3
        counts = [one.value for one in families[duration].samples if one.name.endswith("_bucket")]
        assert counts == sorted(counts)
        assert sample(families, "bitnet_time_to_first_token_seconds", "_count") == 3
        assert sample(families, "bitnet_generated_tokens", "_total") <= 21
        assert sample(families, "bitnet_prompt_tokens", "_total") == 15
        assert sample(families, "bitnet_http_requests", "_total", route="/v1/inference", status="200") == 3
        assert sample(families, "bitnet_http_requests", "_total", route="/v1/inference", status="400") == 1
        assert sample(families, "bitnet_tokens_per_second", **labels) >= 0
        assert sample(families, "process_resident_memory_bytes") > 1_000_000


def test_labels_stay_few_whatever_is_asked(program: str) -> None:
    with server_fixture.Server(program) as server:
        server.get("/metrics")
        n_before = len(server.get("/metrics").text.splitlines())
        for i in range(50):
            server.get(f"/nothing/{i}")
            server.get(f"/v1/models/unknown-{i}")
            server.post("/v1/inference", {"prompt": "a", "model": f"unknown-{i}"})
        text = server.get("/metrics").text
        assert len(text.splitlines()) <= n_before + 5 and "unknown-" not in text and "/nothing" not in text, text


if __name__ == "__main__":
    server_fixture.run_tests(globals(), sys.argv[1])
