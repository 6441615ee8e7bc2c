"""Models of a hub (--hf): fetched before the server listens, served by name, from the cache without network: hub_models_test.py
<server>. The downloads themselves are tested in scripts/hub_test.py."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import server_fixture

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
import hub_fixture  # noqa: E402

CLEAN = {key: value for key, value in os.environ.items()
         if not key.startswith(("BITNET_", "HF_")) and not key.lower().endswith("_proxy")}


def test_a_model_of_a_hub_is_fetched_once_and_served(program: str) -> None:
    story = (ROOT / "examples" / "stories" / "stories.gguf").read_bytes()
    with hub_fixture.Hub({"tiny-i2_s.gguf": story}) as hub, tempfile.TemporaryDirectory() as folder:
        env = {**CLEAN, "BITNET_CACHE": folder, "HF_HOME": folder + "/none", "HF_ENDPOINT": hub.url}
        none = server_fixture.Server(program, "--hf", hub.repo, "--offline", env=env, wait=False)
        assert none.process.wait(60) == 1
        assert "offline mode" in none.read_log() and not hub.requests
        for more in ((), ("--offline",), ("--sandbox",)):
            with server_fixture.Server(program, "--hf", f"tiny={hub.repo}:i2_s", "--idle-unload", "1", *more, env=env) as server:
                assert [model["id"] for model in server.get("/v1/models").json["data"]] == ["tiny"]
                told = server.post("/v1/completions", {"model": "tiny", "prompt": "Once", "max_tokens": 3, "temperature": 0})
                assert told.status == 200 and told.json["model"] == "tiny", told.text
                log = server.read_log()
                assert '"fetched"' in log and hub_fixture.COMMIT in log
        assert len(hub.asked()) == 1
        wrong = server_fixture.Server(program, "--hf", "no-model", env=env, wait=False)
        assert wrong.process.wait(60) == 1
        assert "is no model of a hub" in wrong.read_log()


if __name__ == "__main__":
    server_fixture.run_tests(globals(), sys.argv[1])
