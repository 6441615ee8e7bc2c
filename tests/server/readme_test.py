"""server/README.md is true: readme_test.py <server> [--write]. Every example with curl is run against the server and its answer has
the shape that is shown; the table of options is what --help says (--write brings it up to date)."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import server_fixture

ROOT = Path(__file__).parents[2]
README = ROOT / "server" / "README.md"
BEGIN, END = "<!-- options: written by readme_test.py --write -->\n", "<!-- end of options -->"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MORE = "..."  # as a key: and others


def options_table(program: str) -> str:
    """The options of --help as rows: names, default, what they do."""
    shown = subprocess.run([program, "--help"], check=True, capture_output=True, text=True).stdout
    rows = ["| | default | |", "|---|---|---|"]
    lines = shown.splitlines()
    for i, line in enumerate(lines):
        found = re.match(r"  (-\S+)(.*?)\s*\(Env:BITNET_SERVER_\w+\)$", line)
        if not found:
            continue
        names, kind = found.groups()
        default = (re.search(r"=(\S+)$", kind) or [None, ""])[1]
        kind = re.sub(r"=\S+$", "", kind).strip().removeprefix(":").removesuffix(" ...")
        choices = re.search(r"(\w+):\{(.*)\}", kind)
        kind = choices.group(2).replace(",", ", ") if choices else kind
        value = f" {kind}" if kind else ""
        what = " ".join(lines[i + 1].split()).replace("|", "\\|")
        rows.append(f"| `{names.replace(',', ', ')}{value}` | {default} | {what} |")
    assert len(rows) > 20, "the help is not read rightly"
    return "\n".join(rows) + "\n"


def table_in(text: str) -> str:
    return text.split(BEGIN)[1].split(END)[0]


def differences(shown, given, where: str = "") -> list[str]:
    """Where the shape of a JSON value is another one: keys, types, and for arrays the first element."""
    if isinstance(shown, dict):
        if not isinstance(given, dict):
            return [f"{where} is no object"]
        missing = set(shown) - set(given) - {MORE}
        added = set(given) - set(shown) if MORE not in shown else set()
        problems = [f"{where}.{key} is missing" for key in missing] + [f"{where}.{key} is not shown" for key in added]
        for key in set(shown) & set(given):
            problems += differences(shown[key], given[key], f"{where}.{key}")
        return problems
    if isinstance(shown, list):
        if not isinstance(given, list) or bool(shown) != bool(given):
            return [f"{where} is no such array"]
        return differences(shown[0], given[0], f"{where}[0]") if shown else []
    number = (int, float)
    same = type(shown) is type(given) or (type(shown) in number and type(given) in number)
    return [] if same else [f"{where} is {given!r}, shown as {shown!r}"]


def run_example(commands: str, server: server_fixture.Server) -> str:
    commands = commands.replace("localhost:8080", f"localhost:{server.port}")
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", commands], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, f"{commands}\nends with {done.returncode}: {done.stderr}"
    return done.stdout


def check_answer(kind: str, shown: str, given: str, commands: str) -> None:
    if kind == "json":
        problems = differences(json.loads(shown), json.loads(given.splitlines()[-1]))
    else:  # events, in their order
        problems = []
        events = [line for line in given.splitlines() if line]
        expected = [line for line in shown.splitlines() if line]
        if len(events) != len(expected):
            problems.append(f"{len(events)} events, {len(expected)} are shown")
        for line, event in zip(expected, events):
            problems += differences(json.loads(line.removeprefix("data: ")), json.loads(event.removeprefix("data: ")))
    assert not problems, f"{commands}\nanswers\n{given}\nbut {problems}"


def test_the_table_of_options_is_the_help(program: str) -> None:
    text = README.read_text(encoding="utf-8")
    table = options_table(program)
    if "--write" in sys.argv:
        README.write_text(text.replace(BEGIN + table_in(text), BEGIN + table), encoding="utf-8")
    else:
        assert table_in(text) == table, f"the help has changed; run {Path(__file__).name} SERVER --write"
    # And every option that the text names is one.
    prose = text.replace(table_in(text), "")
    known = set(re.findall(r"--[a-z][\w-]*", table)) | {"--config", "--help", "--install", "--workflow", "--preset"}
    named = {name for code in re.findall(r"`([^`\n]+)`", prose) for name in re.findall(r"(?<!\S)--[a-z][\w-]*", code)}
    assert named <= known, f"the README names {named - known}"


def test_every_example_answers_as_shown(program: str) -> None:
    if not shutil.which("curl"):
        print("no curl here: the examples are not run")
        return
    blocks = BLOCK.findall(README.read_text(encoding="utf-8"))
    n_run = 0
    with tempfile.TemporaryDirectory(prefix="bitnet-models-") as folder:
        shutil.copy(ROOT / "examples" / "stories" / "stories.gguf", Path(folder) / "second.gguf")
        with server_fixture.Server(program, "--models-dir", folder) as server:
            for i, (kind, commands) in enumerate(blocks):
                if kind != "sh" or "curl" not in commands:
                    continue
                given = run_example(commands, server)
                n_run += 1
                if i + 1 < len(blocks) and blocks[i + 1][0] in ("json", "text"):
                    check_answer(*blocks[i + 1], given, commands)
    assert n_run >= 7, "examples are missing"


def test_the_key_file_shown_is_accepted(program: str) -> None:
    text = README.read_text(encoding="utf-8")
    shown = next(block for kind, block in BLOCK.findall(text) if kind == "" and "sha256:" in block)
    with tempfile.NamedTemporaryFile("w", suffix=".keys") as keys:
        keys.write(shown)
        keys.flush()
        with server_fixture.Server(program, "--api-key-file", keys.name) as server:
            assert server.get("/v1/models").status == 401
            for key, admin in (("k-3d9a1f27c48b6e50a7", True), ("test", False)):  # the second by its SHA-256
                bearer = {"Authorization": f"Bearer {key}"}
                assert server.get("/v1/models", headers=bearer).status == 200
                assert (server.request("DELETE", "/v1/models/none", headers=bearer).status == 403) is not admin


if __name__ == "__main__":
    server_fixture.run_tests(globals(), sys.argv[1])
