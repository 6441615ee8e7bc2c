"""A running server for a test: with Server(program, "--option", ...) as server: server.post("/v1/inference", {...}).

It listens on a port that the system chose. When the test ends it gets SIGTERM and must end by itself, with exit code 0 and
nothing on standard output; its log is shown where that fails. A sanitizer's report makes the exit code another one."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request


class Answer:
    """Status, headers (without case) and body of a response."""

    def __init__(self, status: int, headers, body: bytes):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    def events(self) -> list:
        """The data of server-sent events; JSON where it is JSON."""
        data = [line[6:] for line in self.text.splitlines() if line.startswith("data: ")]
        return [json.loads(line) if line.startswith(("{", "[")) and line != "[DONE]" else line for line in data]


class Server:
    def __init__(self, program: str, *options: str, env: dict | None = None, wait: bool = True):
        self.log = tempfile.TemporaryFile(mode="w+", prefix="bitnet-server-")
        self.process = subprocess.Popen([program, "--port", "0", *options], stderr=self.log, stdout=subprocess.PIPE,
                                        env=env)
        self.port = 0
        if wait:
            self.wait_until_listening()

    def read_log(self) -> str:
        self.log.seek(0)
        return self.log.read()

    def wait_until_listening(self, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            found = re.search(r"listening.*?:(\d+)", self.read_log())
            if found:
                self.port = int(found.group(1))
                return
            time.sleep(0.02)
        raise AssertionError(f"the server does not listen; its log:\n{self.read_log()}")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def request(self, method: str, path: str, body=None, headers: dict | None = None, timeout: float = 120) -> Answer:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method,
                                         headers={"Content-Type": "application/json", **(headers or {})})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:
                return Answer(response.status, response.headers, response.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.headers, error.read())

    def get(self, path: str, **more) -> Answer:
        return self.request("GET", path, **more)

    def post(self, path: str, body, **more) -> Answer:
        return self.request("POST", path, body, **more)

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            out, _ = self.process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"the server does not end on SIGTERM; its log:\n{self.read_log()}") from None
        assert out == b"", f"the server wrote to standard output: {out!r}"
        return self.process.returncode

    def __enter__(self) -> Server:
        return self

    def __exit__(self, kind, *_) -> None:
        code = self.stop()
        if kind is not None or code != 0:
            print(self.read_log()[-4000:], file=sys.stderr)
        assert kind is not None or code == 0, f"the server ended with {code}"


def run_tests(tests, program: str) -> None:
    """Runs every function of a dict whose name begins with test_, in order, with the program's path."""
    for name, function in list(tests.items()):
        if name.startswith("test_"):
            began = time.monotonic()
            function(program)
            print(f"{name}: {time.monotonic() - began:.1f} s", flush=True)
