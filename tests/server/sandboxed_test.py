"""The server in its sandbox does all of its work and nothing else: sandboxed_test.py <server>. What the sandbox forbids is
tried from inside by sandbox_test.cpp; here it is shown to hold for every thread of the running program."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import server_fixture

MODEL = Path(__file__).parents[2] / "examples" / "stories" / "stories.gguf"


def environment() -> dict:
    # Leaks cannot be looked for in the sandbox: the sanitizer would have to stop its own process from another one.
    sanitizer = os.environ.get("ASAN_OPTIONS", "")
    return {**os.environ, "ASAN_OPTIONS": f"{sanitizer}{':' if sanitizer else ''}detect_leaks=0"}


def sandboxed(program: str, *options: str, wait: bool = True) -> server_fixture.Server:
    return server_fixture.Server(program, "--sandbox", *options, env=environment(), wait=wait)


def limits(server: server_fixture.Server) -> str:
    lines = [json.loads(line) for line in server.read_log().splitlines() if line.startswith("{")]
    return next(line["limits"] for line in lines if line.get("message", line.get("msg")) == "sandbox")


def test_every_thread_is_in_the_sandbox(program: str) -> None:
    with sandboxed(program) as server:
        assert limits(server).startswith("seccomp"), server.read_log()
        server.post("/v1/inference", {"prompt": "Once", "max_tokens": 3})
        seen = 0
        for task in Path(f"/proc/{server.process.pid}/task").iterdir():
            try:
                text = (task / "status").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue  # the thread of a connection that has just ended
            status = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
            seen += 1
            assert status["Seccomp"].strip() == "2" and status["NoNewPrivs"].strip() == "1", (task.name, status)
        assert seen >= 3, seen  # at least the listener's, the signals' and the engine's


def test_the_server_answers_in_the_sandbox(program: str) -> None:
    with sandboxed(program) as server:
        answer = server.post("/v1/inference", {"prompt": "Once upon a time", "max_tokens": 5, "temperature": 0})
        assert answer.status == 200 and answer.json["text"] == ", there was a little", answer.body
        for path in ("/", "/health", "/health/live", "/health/ready", "/v1/models", "/v1/stats", "/v1/devices", "/metrics"):
            assert server.get(path).status == 200, (path, server.get(path).body)
        # Streams and clients that go away.
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            body = json.dumps({"prompt": "Once", "max_tokens": 400}).encode()
            client.sendall(b"POST /v1/inference/stream HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                           b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            assert client.recv(100).startswith(b"HTTP/1.1 200")
        assert server.get("/nowhere").status == 404
        assert server.post("/v1/inference", b"{").status == 400


def test_models_are_loaded_from_their_folder_and_nowhere_else(program: str) -> None:
    with tempfile.TemporaryDirectory(prefix="bitnet-models-") as folder, tempfile.TemporaryDirectory() as elsewhere:
        shutil.copy(MODEL, Path(folder) / "first.gguf")
        shutil.copy(MODEL, Path(elsewhere) / "second.gguf")
        (Path(folder) / "link.gguf").symlink_to(Path(elsewhere) / "second.gguf")
        with sandboxed(program, "--models-dir", folder) as server:
            answer = server.post("/v1/models/load", {"model_path": str(Path(folder) / "first.gguf")})
            assert answer.status == 200, answer.body
            for path in ("link.gguf", str(Path(folder) / "link.gguf"), f"{folder}/../{Path(elsewhere).name}/second.gguf", str(Path(elsewhere) / "second.gguf"), "/etc/passwd"):
                assert server.post("/v1/models/load", {"model_path": path}).status in (400, 403, 404), path
            # One that came after the start is found as well.
            shutil.copy(MODEL, Path(folder) / "third.gguf")
            assert server.post("/v1/models/load", {"model_path": "third.gguf"}).status == 200
            # Exchanged and asked, it answers.
            assert server.post("/v1/models/swap", {"new_model_path": "first.gguf", "target_model_id": "third"}).status == 200
            assert server.post("/v1/inference", {"prompt": "Once", "max_tokens": 2, "model": "third"}).status == 200


def test_tls_serves_and_its_files_are_read_again(program: str) -> None:
    if not shutil.which("openssl"):
        print("no openssl command here: TLS in the sandbox is not looked at")
        return
    with tempfile.TemporaryDirectory(prefix="bitnet-tls-") as folder:
        key, certificate = f"{folder}/key.pem", f"{folder}/cert.pem"

        def make_certificate(name: str) -> None:
            new = [f"{folder}/new-key", f"{folder}/new-cert"]
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                            "-subj", f"/CN={name}", "-keyout", new[0], "-out", new[1]], check=True, capture_output=True)
            for source, target in zip(new, (key, certificate)):
                Path(target).write_bytes(Path(source).read_bytes())  # the same files: they stay readable

        def served_name(port: int) -> str:
            pem = ssl.get_server_certificate(("127.0.0.1", port))
            text = subprocess.run(["openssl", "x509", "-noout", "-subject"], input=pem.encode(), check=True, capture_output=True)
            return text.stdout.decode().split("=")[-1].strip()

        make_certificate("one")
        with sandboxed(program, "--tls-cert", certificate, "--tls-key", key) as server:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            with urllib.request.urlopen(f"https://127.0.0.1:{server.port}/health/live", context=context) as answer:
                assert answer.status == 200
            assert served_name(server.port) == "one"
            make_certificate("two")
            server.process.send_signal(signal.SIGHUP)
            end = time.monotonic() + 10
            while served_name(server.port) != "two":
                assert time.monotonic() < end, server.read_log()
                time.sleep(0.02)


def test_the_socket_file_goes_when_the_server_goes(program: str) -> None:
    with tempfile.TemporaryDirectory(prefix="bitnet-socket-") as folder:
        path = Path(folder) / "server.sock"
        process = subprocess.Popen([program, "--unix-socket", str(path), "--sandbox"], env=environment(), stderr=subprocess.PIPE)
        try:
            for line in process.stderr:
                if b"listening" in line:
                    break
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
                client.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                assert client.recv(100).startswith(b"HTTP/1.1 200")
            process.send_signal(signal.SIGTERM)
            log = process.stderr.read().decode()
            assert process.wait(30) == 0 and not path.exists(), log
        finally:
            process.kill()
            process.stderr.close()


if __name__ == "__main__":
    first = sandboxed(sys.argv[1], wait=False)
    try:
        first.wait_until_listening()
    except AssertionError:
        if "no sandbox" not in first.read_log() and "cannot be entered" not in first.read_log():
            raise
        print(f"SKIPPED: {first.read_log()}", file=sys.stderr)
        sys.exit(77)
    assert first.stop() == 0, first.read_log()
    server_fixture.run_tests(globals(), sys.argv[1])
