"""The front of the running server under raw sockets: http_test.py <server>. What is refused, and how; what slow, greedy
and vanishing clients get; that a life of requests leaves nothing behind."""

import contextlib
import json
import os
import random
import re
import resource
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

import server_fixture

HOST = "Host: localhost\r\n"
LIVE = f"GET /health/live HTTP/1.1\r\n{HOST}\r\n".encode()


class Client:
    """A socket and what was read from it but not used."""

    def __init__(self, sock: socket.socket):
        self.sock = sock
        self.sock.settimeout(20)
        self.rest = b""

    def send(self, data) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the answer may be there already
            self.sock.sendall(data if isinstance(data, bytes) else data.encode())

    def more(self) -> bool:
        try:
            data = self.sock.recv(65536)
        except (ConnectionResetError, ssl.SSLEOFError):
            data = b""
        self.rest += data
        return data != b""

    def take(self, n: int) -> bytes:
        while len(self.rest) < n:
            assert self.more(), f"the connection ended after {self.rest!r}"
        data, self.rest = self.rest[:n], self.rest[n:]
        return data

    def line(self) -> str:
        while b"\r\n" not in self.rest:
            assert self.more(), f"the connection ended after {self.rest!r}"
        line, self.rest = self.rest.split(b"\r\n", 1)
        return line.decode()

    def answer(self, head_only: bool = False) -> server_fixture.Answer:
        version, status, _ = self.line().split(" ", 2)
        assert version == "HTTP/1.1"
        headers = {}
        while line := self.line():
            name, value = line.split(": ", 1)
            assert name.lower() not in headers, f"{name} is there twice"
            headers[name.lower()] = value
        if head_only or status in ("100", "204"):
            body = b""
        elif headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self.line(), 16):
                body += self.take(size)
                assert self.line() == ""
            assert self.line() == ""
        elif "content-length" in headers:
            body = self.take(int(headers["content-length"]))
        else:
            while self.more():
                pass
            body, self.rest = self.rest, b""
        return server_fixture.Answer(int(status), headers, body)

    def ended(self) -> bool:
        """Waits for the end of the connection."""
        while self.more():
            pass
        return self.rest == b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()


def connect(server: server_fixture.Server) -> Client:
    return Client(socket.create_connection(("127.0.0.1", server.port)))


def exchange(server, data, head_only: bool = False) -> server_fixture.Answer:
    with connect(server) as client:
        client.send(data)
        return client.answer(head_only)


def check_error(answer, status: int, code: str) -> None:
    assert answer.status == status, (answer.status, answer.body)
    body = answer.json
    assert body["error_code"] == code and body["error"] and isinstance(body["details"], dict), body
    assert body["request_id"] == answer.headers["x-request-id"]


def count_of(server, what: str) -> int:
    return len(os.listdir(f"/proc/{server.process.pid}/{what}"))


def wait_for(condition, what: str, seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.01)


def log_lines(server) -> list[dict]:
    """The complete lines of the log; each is JSON."""
    text = server.read_log()
    return [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines()]


def access_line(server, request_id: str) -> dict:
    found = []

    def look() -> bool:
        found[:] = [line for line in log_lines(server) if line.get("request_id") == request_id]
        return bool(found)

    wait_for(look, f"no access line of {request_id}")
    assert len(found) == 1
    return found[0]


def test_what_cannot_be_understood_is_refused_and_ends_the_connection(program: str) -> None:
    post = f"POST /v1/inference HTTP/1.1\r\n{HOST}"
    refused = [
        "GET /\r\n", "GET / HTTP/0.9\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET  / HTTP/1.1\r\n",
        "\x16\x03\x01\x02\x00",
        "GET / HTTP/1.1\n\n", f"GET /%00 HTTP/1.1\r\n{HOST}\r\n", f"GET /{'a' * 9000} HTTP/1.1\r\n{HOST}\r\n",
        "GET / HTTP/1.1\r\n\r\n", f"GET / HTTP/1.1\r\n{HOST}{HOST}\r\n", f"GET / HTTP/1.1\r\n{HOST}X: a\0b\r\n\r\n",
        f"GET / HTTP/1.1\r\n{HOST}X : a\r\n\r\n", f"GET / HTTP/1.1\r\n{HOST}X: a\r\n b\r\n\r\n",
        "CONNECT a:1 HTTP/1.1\r\n",
        f"{post}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        f"{post}Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        f"{post}Content-Length: 1,1\r\n\r\n", f"{post}Content-Length: -1\r\n\r\n", f"{post}Content-Length: 1e3\r\n\r\n",
        f"{post}Transfer-Encoding: gzip\r\n\r\n", f"{post}Transfer-Encoding: chunked, chunked\r\n\r\n",
        f"{post}Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
        f"{post}Expect: tea\r\nContent-Length: 4\r\n\r\nabcd",
        f"{post}Transfer-Encoding: chunked\r\n\r\nzz\r\n", f"{post}Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
    ]
    with server_fixture.Server(program) as server:
        for text in refused:
            with connect(server) as client:
                client.send(text.encode("latin-1"))
                answer = client.answer()
                check_error(answer, 400, "VALIDATION_FAILED")
                assert answer.headers["connection"] == "close" and client.ended(), text
        check_error(exchange(server, f"BREW / HTTP/1.1\r\n{HOST}\r\n"), 405, "METHOD_NOT_ALLOWED")
        check_error(exchange(server, f"GET / HTTP/1.1\r\n{HOST}X: {'a' * 40000}\r\n\r\n"), 431, "HEADERS_TOO_LARGE")
        many = "".join(f"X{i}: a\r\n" for i in range(200))
        check_error(exchange(server, f"GET / HTTP/1.1\r\n{HOST}{many}\r\n"), 431, "HEADERS_TOO_LARGE")
        # In the shape that the route's clients expect, with the id that the client gave.
        answer = exchange(server, f"POST /v1/chat/completions HTTP/1.1\r\n{HOST}X-Request-Id: mine-1\r\n"
                                  "Content-Length: x\r\n\r\n")
        assert answer.status == 400 and answer.json["error"]["type"] == "invalid_request_error"
        assert answer.headers["x-request-id"] == "mine-1"
        # Fields with a meaning to other programs have none here.
        answer = exchange(server, f"GET /health/live HTTP/1.1\r\n{HOST}Range: bytes=0-1,0-1\r\nRemote_Addr: 1.2.3.4\r\n"
                                  "REMOTE_ADDR: 1.2.3.4\r\nAccept-Encoding: gzip, br\r\nX-Request-Id: two\r\n\r\n")
        assert answer.status == 200 and answer.json["status"] == "live"
        assert time.strptime(answer.headers["date"], "%a, %d %b %Y %H:%M:%S GMT")
        assert answer.headers["x-content-type-options"] == "nosniff"
        line = access_line(server, "two")
        assert line["peer"] == "127.0.0.1" and line["path"] == "/health/live" and line["status"] == 200, line


def test_bodies_are_bounded_before_they_are_kept(program: str) -> None:
    post = f"POST /v1/inference HTTP/1.1\r\n{HOST}"
    chunked = f"{post}Transfer-Encoding: chunked\r\n\r\n"
    with server_fixture.Server(program, "--max-body-bytes", "1000", "--max-buffered-bytes", "1500") as server:
        check_error(exchange(server, f"{post}Content-Length: 1001\r\n\r\n"), 413, "PAYLOAD_TOO_LARGE")
        check_error(exchange(server, f"{post}Content-Length: 999999999999999999\r\n\r\n"), 413, "PAYLOAD_TOO_LARGE")
        check_error(exchange(server, f"{chunked}ffffffffff\r\n"), 413, "PAYLOAD_TOO_LARGE")
        check_error(exchange(server, chunked + "100\r\n" + "a" * 256 + "\r\n300\r\n"), 413, "PAYLOAD_TOO_LARGE")
        check_error(exchange(server, chunked + ("1;" + "e" * 200 + "\r\na\r\n") * 900), 400, "VALIDATION_FAILED")
        # An answer is there before the body: no 100 Continue for what is refused.
        expect = f"{post}Expect: 100-continue\r\n"
        check_error(exchange(server, f"{expect}Content-Length: 1001\r\n\r\n"), 413, "PAYLOAD_TOO_LARGE")
        body = json.dumps({"prompt": "Once", "max_tokens": 1})
        with connect(server) as client:
            client.send(f"{expect}Content-Length: {len(body)}\r\n\r\n")
            assert client.answer().status == 100
            client.send(body)
            assert client.answer().status == 200
            # The connection goes on, with the body in pieces.
            client.send(chunked)
            for letter in body:
                client.send(f"1\r\n{letter}\r\n")
            client.send("0\r\nTrailer: x\r\n\r\n")
            assert client.answer().status == 200
        # The bodies of all together are bounded, too.
        with connect(server) as one, connect(server) as two:
            one.send(f"{post}Content-Length: 1000\r\n\r\n" + "a" * 900)
            wait_for(lambda: count_of(server, "task") >= 3, "no thread for a connection")
            time.sleep(0.1)
            two.send(f"{post}Content-Length: 1000\r\n\r\n" + "a" * 900)
            answer = two.answer()
            check_error(answer, 503, "SERVICE_UNAVAILABLE")
            assert answer.headers["retry-after"] == "1"
            one.send("a" * 100)
            check_error(one.answer(), 400, "VALIDATION_FAILED")


def test_slow_clients_are_cut_off(program: str) -> None:
    options = ["--header-timeout=1", "--body-timeout=2", "--write-timeout=1", "--idle-timeout=1"]
    post = f"POST /v1/inference HTTP/1.1\r\n{HOST}"
    with server_fixture.Server(program, *options) as server:
        descriptors = count_of(server, "fd")
        failures = []

        def play(name, scene) -> None:
            try:
                began = time.monotonic()
                with connect(server) as client:
                    scene(client)
                    assert client.ended() or name == "greedy", client.rest
                assert time.monotonic() - began < 30, f"{name} lasted too long"
            except Exception as error:  # told by the test's own thread
                failures.append(f"{name}: {error!r}")

        def drip(client, text, each: float) -> None:
            """Sends a byte at a time until the server answers."""
            client.sock.settimeout(each)
            for letter in text:
                client.send(letter)
                try:
                    if client.more():
                        break
                except TimeoutError:
                    continue
            client.sock.settimeout(20)
            check_error(client.answer(), 408, "REQUEST_TIMEOUT")

        def silent(_) -> None:
            pass  # a browser connects ahead of need; it gets no answer to what it has not asked

        def idle(client) -> None:
            client.send(LIVE)
            assert client.answer().status == 200

        def half_head(client) -> None:
            client.send("GET / HTTP/1.1\r\nHost: a")
            check_error(client.answer(), 408, "REQUEST_TIMEOUT")

        def half_body(client) -> None:
            client.send(f"{post}Content-Length: 10\r\n\r\nabc")
            check_error(client.answer(), 408, "REQUEST_TIMEOUT")

        def half_chunk(client) -> None:
            client.send(f"{post}Transfer-Encoding: chunked\r\n\r\n5\r\nab")
            check_error(client.answer(), 408, "REQUEST_TIMEOUT")

        def greedy(client) -> None:
            """Asks and asks and reads nothing."""
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.sock.settimeout(0.2)
            try:
                while True:
                    client.sock.sendall(LIVE * 1000)
            except (TimeoutError, OSError):
                pass
            client.sock.settimeout(20)
            while client.more():  # what the system had taken still comes, then the end
                client.rest = b""

        scenes = {"silent": silent, "idle": idle, "half head": half_head, "half body": half_body,
                  "half chunk": half_chunk, "greedy": greedy,
                  "slow head": lambda client: drip(client, "GET / HTTP/1.1\r\nX: " + "a" * 99, 0.1),
                  "slow body": lambda client: drip(client, [f"{post}Content-Length: 99\r\n\r\n"] + ["a"] * 98, 0.1)}
        threads = [threading.Thread(target=play, args=scene) for scene in scenes.items()]
        for thread in threads:
            thread.start()
        # Nobody waits for them.
        began = time.monotonic()
        assert server.get("/health/live").status == 200 and time.monotonic() - began < 5
        for thread in threads:
            thread.join()
        assert not failures, failures
        wait_for(lambda: count_of(server, "fd") <= descriptors, "connections are left")


def test_connections_are_kept_and_pipelined(program: str) -> None:
    with server_fixture.Server(program) as server, connect(server) as client:
        for _ in range(100):
            client.send(LIVE * 100)
            for _ in range(100):
                answer = client.answer()
                assert answer.status == 200 and answer.headers["connection"] == "keep-alive"
        # Answers come in order, also behind bodies and failures that leave the connection usable.
        body = b'{"prompt":"Once","max_tokens":1}'
        post = f"POST /v1/inference HTTP/1.1\r\n{HOST}Content-Length: {len(body)}\r\n\r\n".encode() + body
        head = f"HEAD /health/live HTTP/1.1\r\n{HOST}\r\n".encode()
        missing = f"GET /nothing HTTP/1.1\r\n{HOST}\r\n".encode()
        client.send(post + missing + head + LIVE)
        assert client.answer().json["tokens_generated"] == 1
        check_error(client.answer(), 404, "NOT_FOUND")
        answer = client.answer(head_only=True)
        assert answer.status == 200 and int(answer.headers["content-length"]) > 10
        assert "accept-ranges" not in answer.headers
        assert client.answer().json["status"] == "live"
        # And the last one ends it.
        client.send(f"GET /health/live HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n".encode() + LIVE)
        assert client.answer().headers["connection"] == "close" and client.ended()
        assert exchange(server, "GET /health/live HTTP/1.0\r\n\r\n").headers["connection"] == "close"
        old = f"GET /health/live HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
        assert exchange(server, old).headers["connection"] == "keep-alive"


def test_methods(program: str) -> None:
    with server_fixture.Server(program) as server:
        answer = exchange(server, f"OPTIONS /health/live HTTP/1.1\r\n{HOST}\r\n")
        assert answer.status == 204 and answer.headers["allow"] == "GET, HEAD, OPTIONS"
        assert "content-length" not in answer.headers
        assert exchange(server, f"OPTIONS * HTTP/1.1\r\n{HOST}\r\n").status == 204
        check_error(exchange(server, f"OPTIONS /nothing HTTP/1.1\r\n{HOST}\r\n"), 404, "NOT_FOUND")
        for method in ("PUT", "PATCH", "TRACE", "DELETE"):
            answer = exchange(server, f"{method} /health/live HTTP/1.1\r\n{HOST}\r\n")
            check_error(answer, 405, "METHOD_NOT_ALLOWED")
            assert answer.headers["allow"] == "GET"
        answer = exchange(server, f"HEAD /nothing HTTP/1.1\r\n{HOST}\r\n", head_only=True)
        assert answer.status == 404 and int(answer.headers["content-length"]) > 10


def test_pages_of_other_sites(program: str) -> None:
    body = '{"prompt":"Once","max_tokens":1}'

    def post(server, fields: str):
        return exchange(server, f"POST /v1/inference HTTP/1.1\r\n{fields}Content-Length: {len(body)}\r\n\r\n{body}")

    with server_fixture.Server(program) as server:
        own = f"Host: 127.0.0.1:{server.port}\r\nOrigin: http://127.0.0.1:{server.port}\r\n"
        assert post(server, own).status == 200
        check_error(post(server, f"{HOST}Origin: http://evil.example\r\n"), 403, "FORBIDDEN")
        check_error(post(server, "Host: evil.example\r\nOrigin: http://evil.example\r\n"), 403, "FORBIDDEN")
        answer = exchange(server, f"OPTIONS /v1/inference HTTP/1.1\r\n{HOST}Origin: http://evil.example\r\n"
                                  "Access-Control-Request-Method: POST\r\n\r\n")
        check_error(answer, 403, "FORBIDDEN")
        assert "access-control-allow-origin" not in answer.headers
    with tempfile.NamedTemporaryFile("w", suffix=".keys") as keys:
        keys.write("alice-0123456789abc alice\n")
        keys.flush()
        options = ("--cors-origin", "https://app.example", "--api-key-file", keys.name)
        with server_fixture.Server(program, *options) as server:
            page = f"{HOST}Origin: https://app.example\r\n"
            # Without a key: browsers send none with a preflight.
            answer = exchange(server, f"OPTIONS /v1/inference HTTP/1.1\r\n{page}Access-Control-Request-Method: POST\r\n"
                                      "Access-Control-Request-Headers: authorization, content-type\r\n\r\n")
            assert answer.status == 204 and answer.headers["access-control-allow-origin"] == "https://app.example"
            assert "POST" in answer.headers["access-control-allow-methods"] and answer.headers["vary"] == "Origin"
            assert answer.headers["access-control-allow-headers"] == "authorization, content-type"
            for fields in (page, f"{page}Content-Length: x\r\n"):  # failures, too, can be read
                answer = exchange(server, f"GET /nothing HTTP/1.1\r\n{fields}\r\n")
                assert answer.headers["access-control-allow-origin"] == "https://app.example"
            answer = exchange(server, f"GET /health/live HTTP/1.1\r\n{HOST}Origin: https://b.example\r\n\r\n")
            assert "access-control-allow-origin" not in answer.headers and answer.headers["vary"] == "Origin"


def test_connections_beyond_the_limit_are_answered_at_once(program: str) -> None:
    with server_fixture.Server(program, "--max-connections", "3") as server:
        clients = [connect(server) for _ in range(3)]
        for client in clients:
            client.send(LIVE)
            assert client.answer().status == 200
        for _ in range(5):
            with connect(server) as client:
                client.send(LIVE)
                answer = client.answer()
                check_error(answer, 503, "SERVICE_UNAVAILABLE")
                assert answer.headers["retry-after"] == "1" and client.ended()
        clients[0].sock.close()

        def free() -> bool:
            with connect(server) as client:
                client.send(LIVE)
                return client.answer().status == 200

        wait_for(free, "no place becomes free")
        for client in clients[1:]:
            client.sock.close()
        # Nor does it stop where the system has no descriptor left.
        used = count_of(server, "fd")
        hard = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)[1]
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (used, hard))
        with connect(server) as first:
            first.send(LIVE)
            others = [connect(server) for _ in range(6)]
            wait_for(lambda: "no file descriptor is left" in server.read_log(), "it does not tell")
            for client in others:
                client.sock.close()
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (hard, hard))
        wait_for(free, "it does not recover")


def test_tls(program: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        cert, key = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")

        def make(name: str) -> None:
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                            "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}",
                            "-keyout", key, "-out", cert], check=True, capture_output=True)

        def open_tls(server, name: str, version=ssl.TLSVersion.TLSv1_3) -> Client:
            context = ssl.create_default_context(cafile=cert)
            context.minimum_version = context.maximum_version = version
            context.set_alpn_protocols(["h2", "http/1.1"])
            sock = socket.create_connection(("127.0.0.1", server.port))
            return Client(context.wrap_socket(sock, server_hostname=name))

        make("one.example")
        with server_fixture.Server(program, "--tls-cert", cert, "--tls-key", key, "--header-timeout", "1",
                                   "--max-body-bytes", "2000000") as server:
            with connect(server) as silent, connect(server) as plain:
                plain.send(LIVE)
                assert plain.ended()
                for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                    with open_tls(server, "one.example", version) as client:
                        assert client.sock.selected_alpn_protocol() == "http/1.1"
                        host = "Host: localhost\r\n"
                        client.send(LIVE * 50)
                        assert all(client.answer().status == 200 for _ in range(50))
                        body = json.dumps({"prompt": "a" * 1000000, "max_tokens": 0})
                        client.send(f"POST /v1/inference HTTP/1.1\r\n{host}Content-Length: {len(body)}\r\n\r\n{body}")
                        assert client.answer().json["error_code"] == "PROMPT_TOO_LONG"
                assert silent.ended()  # no handshake for ever
            with open_tls(server, "one.example") as old:
                make("two.example")
                server.process.send_signal(signal.SIGHUP)
                wait_for(lambda: '"reloaded"' in server.read_log(), "SIGHUP does nothing")
                with open_tls(server, "two.example") as client:
                    client.send(LIVE)
                    assert client.answer().status == 200
                old.send(LIVE)
                assert old.answer().status == 200
            with open(key, "w", encoding="utf-8") as file:
                file.write("no key\n")
            server.process.send_signal(signal.SIGHUP)
            wait_for(lambda: "reload failed" in server.read_log(), "a wrong key is not told")
            with open_tls(server, "two.example") as client:
                client.send(LIVE)
                assert client.answer().status == 200
        failed = subprocess.run([program, "--port", "0", "--tls-cert", cert, "--tls-key", key], capture_output=True,
                                text=True, check=False)
        assert failed.returncode == 1 and "cannot use the key" in failed.stderr, failed.stderr
        assert failed.stderr.count("\n") == 1, failed.stderr


def test_addresses(program: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "server.sock")
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(path)  # as a server that was killed leaves it
        stale.close()
        server = server_fixture.Server(program, "--unix-socket", path, wait=False)
        with server:
            wait_for(lambda: "listening on unix:" in server.read_log(), "it does not listen")
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(path)
            with Client(sock) as client:
                client.send("GET /health/live HTTP/1.1\r\nHost: any\r\nX-Request-Id: a\r\n\r\n")
                assert client.answer().status == 200 and access_line(server, "a")["peer"] == "unix"
            second = subprocess.run([program, "--unix-socket", path], capture_output=True, text=True, check=False)
            assert second.returncode == 1 and "another program listens there" in second.stderr
        assert not os.path.exists(path)
    with server_fixture.Server(program, "--host", "127.0.0.1,127.0.0.2", "--api-prefix", "/llm") as server:
        for address in ("127.0.0.1", "127.0.0.2"):
            with Client(socket.create_connection((address, server.port))) as client:
                client.send(LIVE.replace(b"/health", b"/llm/health") + LIVE)
                assert client.answer().status == 200 and client.answer().status == 404
        taken = subprocess.run([program, "--port", str(server.port)], capture_output=True, text=True, check=False)
        assert taken.returncode == 1 and "cannot listen on 127.0.0.1" in taken.stderr and taken.stderr.count("\n") == 1
    with server_fixture.Server(program, "--host", "0.0.0.0") as server:
        assert any("everyone who reaches this address" in line["message"] for line in log_lines(server))
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))  # a machine without IPv6 ends here
        server = server_fixture.Server(program, "--host", "::1,127.0.0.1", wait=False)
        with server:
            wait_for(lambda: "listening on [::1]:" in server.read_log(), "it does not listen")
            port = int(server.read_log().split("listening on [::1]:")[1].split('"')[0])
            for address in ("::1", "127.0.0.1"):
                with Client(socket.create_connection((address, port))) as client:
                    name = address.replace(":", "_")
                    client.send(f"GET /health/live HTTP/1.1\r\nHost: [::1]:{port}\r\nX-Request-Id: {name}\r\n\r\n")
                    assert client.answer().status == 200
            assert access_line(server, "__1")["peer"] == "::1"


def test_the_log(program: str) -> None:
    secret = "a prompt that is nobody's business"
    for options in ((), ("--log-prompts",)):
        with server_fixture.Server(program, "--log-level", "debug", *options) as server:
            for number in range(3):
                server.post("/v1/inference?token=hidden", {"prompt": secret, "max_tokens": 1},
                            headers={"X-Request-Id": f"r{number}"})
            exchange(server, f"GET /%1b HTTP/1.1\r\n{HOST}\r\n")
            exchange(server, f"GET /a%22%C3%28 HTTP/1.1\r\n{HOST}X-Request-Id: odd\r\n\r\n")
            line = access_line(server, "r1")
            assert line["method"] == "POST" and line["path"] == "/v1/inference" and line["status"] == 200
            assert line["bytes"] > 10 and line["ms"] > 0 and line["level"] == "info"
            assert access_line(server, "odd")["path"] == "/a\"\ufffd("
            assert (secret in server.read_log()) == bool(options) and "hidden" not in server.read_log()
            assert any(line.get("source") == "library" for line in log_lines(server))
    with server_fixture.Server(program, "--log-format", "text") as server:
        server.get("/health/live")
        wait_for(lambda: " info request request_id=req_" in server.read_log(), server.read_log())


def test_a_client_that_is_gone_is_not_computed_for(program: str) -> None:
    body = json.dumps({"prompt": "Once upon a time", "max_tokens": 200, "temperature": 0})

    def request(name: str, path: str = "/v1/inference") -> str:
        return f"POST {path} HTTP/1.1\r\n{HOST}X-Request-Id: {name}\r\nContent-Length: {len(body)}\r\n\r\n{body}"

    with server_fixture.Server(program, "--threads", "1") as server:
        whole = exchange(server, request("whole"))
        n_whole = access_line(server, "whole")["tokens"]
        assert whole.status == 200 and n_whole == whole.json["tokens_generated"] > 100

        def stops_early(attempt: int, path: str, begin: bytes) -> bool:
            name = f"left-{attempt}-{len(path)}"
            with connect(server) as client:
                client.send(request(name, path))
                while begin not in client.rest:
                    assert client.more(), client.rest
            line = access_line(server, name)
            return line["tokens"] < n_whole / 2 and line["prompt_tokens"] > 2

        # The whole takes a tenth of a second: on a busy machine this script may be too late, but not every time.
        for path, begin in (("/v1/inference", b""), ("/v1/inference/stream", b"data: ")):
            assert any(stops_early(attempt, path, begin) for attempt in range(30)), path


def test_signals(program: str) -> None:
    body = json.dumps({"prompt": "Once upon a time", "max_tokens": 200, "temperature": 0})
    request = f"POST /v1/inference HTTP/1.1\r\n{HOST}Content-Length: {len(body)}\r\n\r\n{body}"
    with server_fixture.Server(program, "--parallel", "1", "--threads", "1") as server:
        clients = [connect(server) for _ in range(8)]
        idle = connect(server)
        idle.send(LIVE)
        assert idle.answer().status == 200
        for client in clients:
            client.send(request)
        # One has its answer, so the others are at work or in the queue.
        wait_for(lambda: any(line.get("path") == "/v1/inference" for line in log_lines(server)), "nothing runs")
        server.process.send_signal(signal.SIGTERM)
        wait_for(lambda: '"draining"' in server.read_log(), "SIGTERM does nothing")
        # New work is refused, what is there ends, and so does whoever waits without asking.
        idle.send(request)
        answer = idle.answer()
        check_error(answer, 503, "SERVICE_UNAVAILABLE")
        assert answer.headers["retry-after"] and answer.headers["connection"] == "close"
        assert exchange(server, f"GET /health/ready HTTP/1.1\r\n{HOST}\r\n").status == 503
        assert exchange(server, LIVE).status == 200
        for client in clients:
            answer = client.answer()
            assert answer.status == 200 and answer.json["tokens_generated"] > 0
        assert server.process.wait(20) == 0
        assert log_lines(server)[-1]["message"] == "ended"
    with server_fixture.Server(program, "--parallel", "1", "--threads", "1") as server:
        clients = [connect(server) for _ in range(100)]
        for client in clients:
            client.send(request)
        wait_for(lambda: any(line.get("path") == "/v1/inference" for line in log_lines(server)), "nothing runs")
        server.process.send_signal(signal.SIGTERM)
        wait_for(lambda: '"draining"' in server.read_log(), "SIGTERM does nothing")
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(5) == 0


def test_mutated_requests_leave_nothing_behind(program: str) -> None:
    body = b'{"prompt":"Once","max_tokens":1}'
    seeds = [LIVE, LIVE + LIVE, f"HEAD /v1/models?x=%20y HTTP/1.0\r\n{HOST}\r\n".encode(),
             f"POST /v1/inference HTTP/1.1\r\n{HOST}Content-Length: {len(body)}\r\n\r\n".encode() + body,
             f"POST /v1/chat/completions HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
             "8\r\n{\"model\"\r\n3;a=b\r\n:1}\r\n0\r\nX: y\r\n\r\n".encode(),
             f"OPTIONS * HTTP/1.1\r\n{HOST}Origin: https://a.example\r\nAccess-Control-Request-Method: PUT\r\n\r\n"
             .encode()]
    pieces = [b"\r\n", b"\r\n\r\n", b"\n", b"\0", b"%", b"%00", b" ", b":", b"Content-Length: 5\r\n",
              b"Transfer-Encoding: chunked\r\n", b"HTTP/1.1", b"0\r\n", b"ffffffff\r\n", b"-1", b"9" * 30, b"A" * 9000,
              b"\xff", b"{", b"[" * 500, b"Connection: close\r\n"]
    rng = random.Random(7)

    def mutated() -> bytes:
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randrange(1, 6)):
            place = rng.randrange(len(data) + 1)
            kind = rng.randrange(5)
            if kind == 0 and place < len(data):
                data[place] = rng.randrange(256)
            elif kind == 1:
                data[place:place] = rng.choice(pieces)
            elif kind == 2:
                del data[place:place + rng.randrange(1, 20)]
            elif kind == 3:
                del data[place:]
            else:
                data[place:place] = data[rng.randrange(len(data) + 1):][:rng.randrange(1, 100)]
        return bytes(data)

    with server_fixture.Server(program) as server:
        server.get("/health/live")
        time.sleep(0.1)
        descriptors = count_of(server, "fd")
        end, n = time.monotonic() + 4, 0
        while time.monotonic() < end:
            data, n = mutated(), n + 1
            try:
                with connect(server) as client:
                    client.send(data)
                    if rng.random() < 0.8:
                        client.sock.shutdown(socket.SHUT_WR)
                        while client.more():
                            pass
                        statuses = re.findall(rb"HTTP/1\.1 (\d\d\d) [A-Z]", client.rest)
                        assert all(status < b"500" for status in statuses), (data, client.rest)
            except ConnectionResetError:
                pass
            except OSError as error:
                raise AssertionError(f"{data!r}: {error}") from error
        assert n > 100, n
        assert server.get("/health/live").status == 200
        wait_for(lambda: count_of(server, "fd") <= descriptors, "descriptors are left")


if __name__ == "__main__":
    server_fixture.run_tests(globals(), sys.argv[1])
