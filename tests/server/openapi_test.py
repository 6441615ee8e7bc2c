"""/openapi.json against the running server, by schemathesis: openapi_test.py <server> [phases examples regex].
Every operation gets requests that fit its schema and requests that do not: nothing may be a failure of the server, and statuses,
media types, headers and bodies must be those that the document promises. The phase "coverage", which goes through every
constraint of every field, takes minutes: `openapi_test.py build/release/bin/server coverage 1 '^/v1/inference$'` for one path.
# needs: schemathesis
"""

import json
import os
import re
import subprocess
import sys
import tempfile

import server_fixture

KEY = "alice-0123456789abc"
CHECKS = ",".join(["not_a_server_error", "status_code_conformance", "content_type_conformance",
                   "response_headers_conformance", "response_schema_conformance", "negative_data_rejection",
                   "missing_required_header", "unsupported_method", "ignored_auth"])
# 501 and 504 (for requests that allow a millisecond) are what those requests ask for.
CONFIG = """
[checks]
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 501, 504]
"""
# What a text of this test may cost, in tokens: prompts that are longer are refused, texts end there.
CONTEXT = "64"
# Exchanging and unloading the only model would end the test early; their bodies are tested elsewhere.
LEFT_OUT = r"^/v1/models/swap$"


def run_schemathesis(server: server_fixture.Server, phases: str, examples: str, only: str) -> subprocess.CompletedProcess:
    document = server.get("/openapi.json").json
    # So that a good part of the requests gets as far as a text: models are named as they are, or not at all.
    for schema in document["components"]["schemas"].values():
        model = schema.get("properties", {}).get("model")
        if model and "model" in schema.get("required", []) and "messages" not in schema.get("required", []):
            model["examples"] = ["stories"]
    # The sampler's fields are the same everywhere; one protocol is enough for most of them.
    sampler = set(document["components"]["schemas"]["SamplerFields"]["properties"]) - {"temperature", "seed"}
    for name, schema in document["components"]["schemas"].items():
        for part in (schema, schema.get("properties", {}).get("options", {})):
            if name != "InferenceRequest" and sampler <= set(part.get("properties", {})):
                part["properties"] = {key: what for key, what in part["properties"].items() if key not in sampler}
    with tempfile.TemporaryDirectory(prefix="bitnet-openapi-") as folder:
        path = os.path.join(folder, "openapi.json")
        with open(os.path.join(folder, "schemathesis.toml"), "w", encoding="utf-8") as file:
            file.write(CONFIG)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(document, file)
        command = [sys.executable, "-m", "schemathesis.cli", "run", path, "--url", server.url, "--checks", CHECKS,
                   "--phases", phases, "--max-examples", examples, "--seed", "1",
                   "--generation-deterministic", "--no-shrink", "--continue-on-failure", "--request-timeout", "60",
                   "--suppress-health-check", "all", "--workers", "1", "--warnings", "off", "--no-color",
                   "-H", f"Authorization: Bearer {KEY}", "--exclude-path-regex", LEFT_OUT]
        if only:
            command += ["--include-path-regex", only]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, timeout=580)


def test_the_server_keeps_what_its_document_says(program: str, phases: str = "examples,fuzzing", examples: str = "6",
                                                only: str = "") -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".keys") as keys:
        keys.write(f"{KEY} alice admin\n")
        keys.flush()
        with server_fixture.Server(program, "--api-key-file", keys.name, "--ctx-size", CONTEXT) as server:
            run = run_schemathesis(server, phases, examples, only)
            assert run.returncode == 0, run.stdout[-20000:] + run.stderr[-4000:]
            tested = re.search(r"(\d+) generated", run.stdout)
            assert tested and int(tested.group(1)) > 200 or only, run.stdout[-2000:]
            assert server.get("/health/live").status == 200
            print(run.stdout[-400:] if only else tested.group(0))


if __name__ == "__main__":
    if len(sys.argv) > 2:
        test_the_server_keeps_what_its_document_says(*sys.argv[1:])
    else:
        server_fixture.run_tests(globals(), sys.argv[1])
