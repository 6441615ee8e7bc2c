"""The table of clients in server/api/README.md: conformance_test.py <server> checks that it names every test that drives a
client of others, conformance_test.py --write writes it, with the versions that are installed.
# needs: anthropic ollama openai
"""

import ast
import importlib.metadata
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
README = HERE.parents[1] / "server/api/README.md"
CLIENTS = ("anthropic", "ollama", "openai")
BEGIN, END = "<!-- conformance: begin -->\n", "<!-- conformance: end -->\n"


def client_tests() -> dict[str, list[tuple[str, str]]]:
    """Client -> (script, what a test function says) of every script that needs it."""
    found: dict[str, list[tuple[str, str]]] = {client: [] for client in CLIENTS}
    for script in sorted(HERE.glob("*_test.py")):
        text = script.read_text(encoding="utf-8")
        needs = re.search(r"^# needs: (.*)$", text, re.MULTILINE)
        if script.name == Path(__file__).name or not needs:
            continue
        names = [node.name for node in ast.parse(text).body
                 if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
        for client in set(needs.group(1).split()) & set(CLIENTS):
            found[client] += [(script.name, name.removeprefix("test_").replace("_", " ")) for name in names]
    return found


def table() -> str:
    lines = ["| client | version | what is tested | by |", "|---|---|---|---|"]
    for client, tests in client_tests().items():
        version = importlib.metadata.version(client)
        lines += [f"| {client} (Python) | {version} | {what} | `{script}` |" for script, what in tests]
    return "\n".join(lines) + "\n"


def without_versions(text: str) -> str:
    return re.sub(r"\) \| [^|]* \|", ") | - |", text)


def test_the_table_of_clients_names_every_test() -> None:
    begin, rest = README.read_text(encoding="utf-8").split(BEGIN)
    written = rest.split(END)[0]
    assert begin and without_versions(written) == without_versions(table()), "run conformance_test.py --write"
    if written != table():
        print("other versions are installed than the table names; all of its tests ran with these:\n" + table())


def write() -> None:
    before, rest = README.read_text(encoding="utf-8").split(BEGIN)
    README.write_text(before + BEGIN + table() + END + rest.split(END)[1], encoding="utf-8")


if __name__ == "__main__":
    if "--write" in sys.argv:
        write()
    else:
        test_the_table_of_clients_names_every_test()
