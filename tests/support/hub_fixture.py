"""A hub of models for tests: answers like Hugging Face's, and misbehaves on request. with Hub({"m.gguf": bytes}) as hub: hub.url

HubTest is a test case that runs the command against one: self.fetch(hub), self.assert_fetched(result). hub.behave is a function of (handler, kind) that may answer in the hub's place; kind is "list" or "file", and it returns True when
it has answered. hub.requests has (path, headers) of all that was asked."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import random
import re
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPO = "acme/tiny-1.58-gguf"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def git_hash(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    @property
    def hub(self) -> Hub:
        return self.server.hub

    def do_GET(self):
        self.close_connection = True
        path = self.path.split("?")[0]
        if "://" in path:  # to a proxy, in full
            path = "/" + path.split("/", 3)[3]
        with self.hub.lock:
            self.hub.requests.append((self.path, dict(self.headers)))
        kind = "list" if path.startswith("/api/") else "file"
        try:
            if self.hub.behave and self.hub.behave(self, kind):
                return
            if kind == "list":
                self.answer(200, json.dumps(self.hub.listing()).encode(), {"Content-Type": "application/json"})
            else:
                self.send_file(path)
        except (ConnectionError, ssl.SSLError):
            pass  # the client had enough

    def answer(self, status: int, body: bytes = b"", fields: dict | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), "Connection": "close", **(fields or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def file_of(self, path: str) -> bytes | None:
        found = re.fullmatch(rf"(?:/cdn)?/{re.escape(self.hub.repo)}/resolve/([^/]+)/(.+)", path)
        return self.hub.files.get(found[2]) if found and found[1] == COMMIT else None

    def offset(self) -> int:
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        return int(found[1]) if found else 0

    def send_file(self, path: str, most: int | None = None, etag: str | None = None, honour_range: bool = True) -> None:
        """The file, or its rest as asked for; at most so many bytes of what was promised."""
        data = self.file_of(path.split("?")[0])
        if data is None:
            return self.answer(404, b"Entry not found", {"X-Error-Code": "EntryNotFound"})
        etag = etag or f'"{sha256(data)}"'
        offset = self.offset() if honour_range else 0
        if self.headers.get("If-Range", etag) != etag:
            offset = 0
        if offset >= len(data) > 0:
            return self.answer(416)
        body = data[offset:]
        self.send_response(206 if offset else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", etag)
        self.send_header("Connection", "close")
        if offset:
            self.send_header("Content-Range", f"bytes {offset}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        with self.hub.lock:
            self.hub.n_sent += len(body if most is None else body[:most])
        self.wfile.write(body if most is None else body[:most])


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_):
        pass  # clients that are killed, or that do not trust the certificate


class Hub:
    repo = REPO

    def __init__(self, files: dict[str, bytes], certificate: Path | None = None, address: str = "127.0.0.1"):
        self.files = files
        self.lock = threading.Lock()
        self.requests: list[tuple[str, dict]] = []
        self.n_sent = 0  # bytes of files
        self.behave = None
        self.more_listing = {}
        self.server = Server((address, 0), Handler)
        self.server.hub = self
        self.port = self.server.server_address[1]
        self.scheme = "http"
        self.host = "127.0.0.1"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            self.scheme, self.host = "https", "localhost"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"

    def listing(self) -> dict:
        siblings = []
        for name, data in self.files.items():
            entry = {"rfilename": name, "size": len(data), "blobId": git_hash(data)}
            if not name.endswith(".json"):
                entry["lfs"] = {"sha256": sha256(data), "size": len(data), "pointerSize": 134}
            siblings.append(entry)
        return {"id": self.repo, "sha": COMMIT, "siblings": siblings, **self.more_listing}

    def asked(self, kind: str = "file") -> list[tuple[str, dict]]:
        with self.lock:
            return [r for r in self.requests if ("/api/" in r[0]) == (kind == "list")]

    def __enter__(self) -> Hub:
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def make_certificates(folder: Path) -> tuple[Path, Path, Path]:
    """An authority, a certificate of it for localhost, and one for another name; each file of the latter with its key."""
    def openssl(*args: str) -> None:
        subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test authority", "-days", "2")
    for name in ("localhost", "elsewhere.example"):
        (folder / "names").write_text(f"subjectAltName=DNS:{name}\n", encoding="utf-8")
        openssl("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-out", f"{name}.crt", "-days",
                "2", "-extfile", "names")
        (folder / f"{name}.pem").write_bytes((folder / f"{name}.crt").read_bytes() + (folder / f"{name}.key").read_bytes())
    return folder / "ca.pem", folder / "localhost.pem", folder / "elsewhere.example.pem"


CLEAN = {key: value for key, value in os.environ.items()
         if not key.startswith(("BITNET_", "HF_", "SSL_")) and not key.lower().endswith("_proxy")}
FAST = {"--stall-timeout": 0.3, "--retry-wait": 0.01, "--retries": 3, "--connect-timeout": 2}
TOKEN = "hf_secretSecretSecret"
DATA = random.Random(1).randbytes(300_000)
BITNET = ""  # path of the command


def fast(*args):
    """The options that make waits short, where args do not have them."""
    return [str(part) for name, value in FAST.items() if name not in args for part in (name, value)]


class HubTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.cache = Path(self.folder.name) / "cache"

    def hub(self, files=None, **more):
        hub = Hub(files if files is not None else {"tiny-i2_s.gguf": DATA}, **more)
        hub.__enter__()
        self.addCleanup(hub.__exit__)
        return hub

    def environment(self, hub, **more):
        return {**CLEAN, "BITNET_CACHE": str(self.cache), "HF_HOME": str(self.cache / "none"),
                "HF_ENDPOINT": hub.url if hub else "http://127.0.0.1:9", **more}

    def bitnet(self, hub, *args, **environment):
        return subprocess.run([BITNET, *map(str, args)], capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL, env=self.environment(hub, **environment))

    def fetch(self, hub, spec=REPO, *args, **environment):
        return self.bitnet(hub, "fetch", spec, *fast(*args), *args, **environment)

    def start(self, hub, *args, **environment):
        process = subprocess.Popen([BITNET, "fetch", REPO, *fast(*args), *map(str, args)], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, env=self.environment(hub, **environment))
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def assert_fetched(self, result, data=DATA):
        self.assertEqual(result.returncode, 0, result.stderr)
        path = Path(result.stdout.removesuffix("\n"))
        self.assertEqual(path.read_bytes(), data)
        self.assertEqual(list(self.cache.rglob("*.incomplete*")), [], "nothing unfinished may stay")
        return path

    def assert_fails(self, result, *words, code=1):
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertEqual(result.stdout, "")
        last = result.stderr.strip().splitlines()[-1]
        for word in words:
            self.assertIn(word, last)
        self.assertNotIn(TOKEN, result.stderr)
        snapshots = [path for path in self.cache.rglob("snapshots/**/*") if path.is_file()]
        self.assertEqual(snapshots, [], "a file that failed must not look finished")

    def incomplete(self):
        found = list(self.cache.rglob("*.incomplete"))
        return found[0].stat().st_size if found else None

    def wait_until(self, condition):
        end = time.monotonic() + 20
        while not condition():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.005)


def main():
    """The script's own: its first argument is the command."""
    global BITNET
    BITNET = os.path.abspath(sys.argv.pop(1))
    unittest.main(module="__main__")
