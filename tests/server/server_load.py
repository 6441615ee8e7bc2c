"""Load on a running server, and what it did under it: server_load.py MODE --port N [...]; one JSON object comes out.

    streams   --clients texts at once over SSE for --seconds; each that ends begins anew
    short     --rate GET /health/live a second over --clients kept connections for --seconds
    requests  --count short completions over --clients connections; resident memory of --pid at each tenth
    first     time to the first token: --clients at once against one alone, same prompts
    tokens    tokens per second of --clients, each --count completions of --tokens tokens

The same generator measures llama-server: all but "short" speak the OpenAI protocol. Needs nothing but Python."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import time

WORDS = "once upon a time there was little girl who had red ball and big dog ran to the park with mom".split()


def prompt_text(rng: random.Random, n_words: int) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(n_words))


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


class Connection:
    """One kept HTTP/1.1 connection."""

    def __init__(self, host: str, port: int):
        self.host, self.port = host, port
        self.reader = self.writer = None

    async def open(self) -> None:
        self.reader, self.writer = await asyncio.open_connection(self.host, self.port, limit=1 << 22)

    def close(self) -> None:
        if self.writer:
            self.writer.close()
        self.reader = self.writer = None

    async def begin(self, method: str, path: str, body=None) -> tuple[int, dict]:
        data = b"" if body is None else json.dumps(body).encode()
        # A server may close a kept connection after an answer; that is no failure of the next request.
        kept = self.reader is not None
        line = await self.send(method, path, data) if kept else b""
        if not line:
            self.close()
            await self.open()
            line = await self.send(method, path, data)
        status = int(line.split()[1])
        headers = {}
        while (line := await self.reader.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        return status, headers

    async def send(self, method: str, path: str, data: bytes) -> bytes:
        """The status line, empty where the connection is closed."""
        self.writer.write(f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\nContent-Type: application/json\r\n"
                          f"Content-Length: {len(data)}\r\n\r\n".encode() + data)
        try:
            await self.writer.drain()
            return await self.reader.readline()
        except ConnectionError:
            return b""

    async def chunks(self, headers: dict):
        if "content-length" in headers:
            yield await self.reader.readexactly(int(headers["content-length"]))
        elif headers.get("transfer-encoding", "").lower() == "chunked":
            while size := int(await self.reader.readline(), 16):
                yield await self.reader.readexactly(size)
                await self.reader.readexactly(2)
            await self.reader.readline()

    async def fetch(self, method: str, path: str, body=None) -> tuple[int, bytes]:
        status, headers = await self.begin(method, path, body)
        data = b"".join([chunk async for chunk in self.chunks(headers)])
        if headers.get("connection", "").lower() == "close":
            self.close()
        return status, data


class Tally:
    """What the clients saw."""

    def __init__(self):
        self.n_done = 0
        self.n_tokens = 0
        self.errors: list[str] = []
        self.first_s: list[float] = []
        self.gaps_s: list[float] = []
        self.total_s: list[float] = []

    def summary(self, seconds: float) -> dict:
        result = {"seconds": round(seconds, 2), "completed": self.n_done, "errors": len(self.errors),
                  "tokens": self.n_tokens, "tokens_per_second": round(self.n_tokens / seconds, 1)}
        for name, values in (("first_token_s", self.first_s), ("gap_s", self.gaps_s), ("request_s", self.total_s)):
            if values:
                result[name] = {"median": round(statistics.median(values), 5), "p99": round(percentile(values, 0.99), 5),
                                "most": round(max(values), 5)}
        if self.errors:
            result["first_error"] = self.errors[0]
        return result


async def stream_text(connection: Connection, tally: Tally, prompt: str, n_tokens: int, seed: int, model: str) -> None:
    """One streamed completion; counts what comes."""
    began = last = time.monotonic()
    try:
        status, headers = await connection.begin("POST", "/v1/completions", {
            "model": model, "prompt": prompt, "max_tokens": n_tokens, "seed": seed, "stream": True,
            "stream_options": {"include_usage": True}})
        tail, seen, finished = b"", False, False
        async for chunk in connection.chunks(headers):
            now = time.monotonic()
            if not seen:
                tally.first_s.append(now - began)
            else:
                tally.gaps_s.append(now - last)
            seen, last = True, now
            tail = (tail + chunk)[-4096:]
            finished = finished or b"[DONE]" in tail
            for line in chunk.split(b"\n"):
                if b'"completion_tokens"' in line and line.startswith(b"data: "):
                    tally.n_tokens += (json.loads(line[6:]).get("usage") or {}).get("completion_tokens", 0)
        if status != 200 or not finished:
            raise RuntimeError(f"status {status}, ended with {tail[-200:]!r}")
        tally.n_done += 1
        tally.total_s.append(time.monotonic() - began)
    except (OSError, RuntimeError, ValueError, IndexError, asyncio.IncompleteReadError) as error:
        tally.errors.append(f"{type(error).__name__}: {error}")
        connection.close()


async def run_streams(args) -> dict:
    tally, end = Tally(), time.monotonic() + args.seconds

    async def client(number: int) -> None:
        rng, connection = random.Random(number), Connection(args.host, args.port)
        while time.monotonic() < end:
            await stream_text(connection, tally, prompt_text(rng, args.words), args.tokens, rng.randrange(1 << 30), args.model)
        connection.close()

    began = time.monotonic()
    await asyncio.gather(*[client(i) for i in range(args.clients)])
    return tally.summary(time.monotonic() - began)


async def run_short(args) -> dict:
    tally, began = Tally(), time.monotonic()

    async def client(number: int) -> None:
        connection, interval = Connection(args.host, args.port), args.clients / args.rate
        due = began + interval * number / args.clients
        while due < began + args.seconds:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            try:
                sent = time.monotonic()
                status, _ = await connection.fetch("GET", "/health/live")
                tally.total_s.append(time.monotonic() - sent)
                tally.n_done += status == 200
                if status != 200:
                    tally.errors.append(f"status {status}")
            except (OSError, ValueError, IndexError, asyncio.IncompleteReadError) as error:
                tally.errors.append(repr(error))
                connection.close()
            due += interval
        connection.close()

    await asyncio.gather(*[client(i) for i in range(args.clients)])
    seconds = time.monotonic() - began
    return {**tally.summary(seconds), "requests_per_second": round(tally.n_done / seconds, 1)}


def resident_bytes(pid: int) -> int:
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


async def run_requests(args) -> dict:
    tally, sizes, left = Tally(), [], args.count
    began = time.monotonic()

    async def client(number: int) -> None:
        nonlocal left
        rng, connection = random.Random(number), Connection(args.host, args.port)
        while left > 0:
            left -= 1
            if args.pid and left % (args.count // 10) == 0:
                sizes.append(resident_bytes(args.pid))
            try:
                status, data = await connection.fetch("POST", "/v1/completions", {
                    "model": args.model, "prompt": prompt_text(rng, args.words), "max_tokens": args.tokens,
                    "seed": rng.randrange(1 << 30)})
                tally.n_done += status == 200
                if status == 200:
                    tally.n_tokens += json.loads(data)["usage"]["completion_tokens"]
                else:
                    tally.errors.append(f"status {status}: {data[:200]!r}")
            except (OSError, ValueError, IndexError, asyncio.IncompleteReadError) as error:
                tally.errors.append(repr(error))
                connection.close()
        connection.close()

    await asyncio.gather(*[client(i) for i in range(args.clients)])
    return {**tally.summary(time.monotonic() - began), "resident_mib": [round(size / 2**20, 1) for size in sizes]}


async def run_first(args) -> dict:
    result = {}
    for n_clients in (1, args.clients):
        tally = Tally()

        async def client(number: int) -> None:
            rng, connection = random.Random(number), Connection(args.host, args.port)
            for _ in range(args.count):
                await stream_text(connection, tally, prompt_text(rng, args.words), args.tokens, rng.randrange(1 << 30),
                                  args.model)
            connection.close()

        began = time.monotonic()
        await asyncio.gather(*[client(1000 * n_clients + i) for i in range(n_clients)])
        result[f"{n_clients}_clients"] = tally.summary(time.monotonic() - began)
    alone, crowd = (result[f"{n}_clients"]["first_token_s"]["p99"] for n in (1, args.clients))
    return {**result, "p99_ratio": round(crowd / alone, 2)}


async def run_tokens(args) -> dict:
    tally = Tally()

    async def client(number: int) -> None:
        rng, connection = random.Random(number), Connection(args.host, args.port)
        for _ in range(args.count):
            await stream_text(connection, tally, prompt_text(rng, args.words), args.tokens, rng.randrange(1 << 30), args.model)
        connection.close()

    began = time.monotonic()
    await asyncio.gather(*[client(i) for i in range(args.clients)])
    return tally.summary(time.monotonic() - began)


MODES = {"streams": run_streams, "short": run_short, "requests": run_requests, "first": run_first, "tokens": run_tokens}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--model", default="", help="the model's id; empty: the server's first")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rate", type=float, default=2000)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--words", type=int, default=12, help="of each prompt")
    parser.add_argument("--pid", type=int, default=0)
    args = parser.parse_args()
    result = asyncio.run(MODES[args.mode](args))
    print(json.dumps({"mode": args.mode, "clients": args.clients, **result}))
    return 1 if result.get("errors") else 0


if __name__ == "__main__":
    sys.exit(main())
