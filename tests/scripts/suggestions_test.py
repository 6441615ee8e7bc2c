"""Every command that an error suggests exists and works. Usage: suggestions_test.py BITNET DESCRIBE_FAILURE [options]

The table of suggestions is walked as the library has it. Where a status can be made by a broken model file, that file is
made, the failure is asked for its suggestions, and these are run as they stand, file name and quotes included; the other
commands are run with a good file. Only the standard library and the golden models of the tree.
"""

import json
import os
import re
import shlex
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
GOLDEN = ROOT / "tests/golden/b158-i2s.gguf"
BITNET = ""
DESCRIBE = ""
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("BITNET_")}


def lines_of(*args):
    result = subprocess.run([DESCRIBE, *map(str, args)], capture_output=True, timeout=60, check=True, env=ENVIRONMENT)
    return [json.loads(line) for line in result.stdout.decode("utf-8").splitlines()]


def command_of(suggestion):
    """What stands in backquotes, or None. A file's name may hold backquotes: the outermost ones count."""
    found = re.search(r"`(.*)`", suggestion)
    return found.group(1) if found else None


def replaced(data, old, new, count=1):
    assert old in data and len(old) == len(new)
    return data.replace(old, new, count)


def with_number(data, key, value):
    """The u32 value of a metadata key changed."""
    at = data.index(struct.pack("<Q", len(key)) + key) + 8 + len(key)
    assert data[at : at + 4] == struct.pack("<I", 4)
    return data[: at + 4] + struct.pack("<I", value) + data[at + 8 :]


def with_type(data, tensor, n_dims, value):
    at = data.index(struct.pack("<Q", len(tensor)) + tensor) + 8 + len(tensor) + 4 + 8 * n_dims
    return data[:at] + struct.pack("<I", value) + data[at + 4 :]


def with_code_3(data):
    return data[:-4096] + b"\xff" * 4096


# Status -> what makes it out of a good model.
BROKEN = {
    "BITNET_E_UNSUPPORTED": lambda data: with_number(data, b"bitnet-b1.58.block_count", 2),
    "BITNET_E_GGUF_MISSING_TENSOR": lambda data: replaced(data, b"output_norm.weight", b"output_nerm.weight"),
    "BITNET_E_GGUF_TENSOR_SHAPE": lambda data: with_number(data, b"bitnet-b1.58.feed_forward_length", 512),
    "BITNET_E_GGUF_TENSOR_DATA": with_code_3,
    "BITNET_E_GGUF_TENSOR_TYPE": lambda data: with_type(data, b"output_norm.weight", 1, 99999),
    "BITNET_E_GGUF_TRUNCATED": lambda data: data[: len(data) - 1000],
    "BITNET_E_GGUF_METADATA": lambda data: replaced(data, b"bitnet-b1.58.block_count", b"bitnet-b1.58.block_cound"),
    "BITNET_E_MODEL_ARCHITECTURE": lambda data: replaced(data, b"bitnet-b1.58", b"bitnet-b1.59"),
    "BITNET_E_MODEL_SHAPE": lambda data: with_number(data, b"bitnet-b1.58.attention.head_count", 6),
}


class Suggestions(unittest.TestCase):
    def runs(self, command):
        words = shlex.split(command)
        self.assertEqual(words[0], "bitnet", command)
        result = subprocess.run(
            [BITNET, *words[1:]], stdin=subprocess.DEVNULL, capture_output=True, timeout=120, env=ENVIRONMENT
        )
        self.assertEqual(result.returncode, 0, f"{command}\n{result.stderr.decode(errors='replace')}")
        self.assertNotEqual(result.stdout, b"", command)
        return result.stdout.decode(errors="replace")

    def test_every_command_of_the_table_runs_with_a_good_file(self):
        n_commands = 0
        for row in lines_of():
            for suggestion in row["suggestions"]:
                command = command_of(suggestion)
                if command is None:
                    self.assertNotRegex(suggestion, r"\bbitnet [a-z]", "a command stands in backquotes")
                    continue
                n_commands += 1
                with self.subTest(status=row["name"], command=command):
                    self.runs(re.sub(r"\bFILE\b", shlex.quote(str(GOLDEN)), command))
        self.assertGreater(n_commands, 20)

    def test_a_broken_file_suggests_commands_that_run_on_it(self):
        data = GOLDEN.read_bytes()
        with tempfile.TemporaryDirectory(prefix="it's a `folder` ") as folder:
            for name, make in BROKEN.items():
                with self.subTest(status=name):
                    path = Path(folder) / f"{name}.gguf"
                    path.write_bytes(make(data))
                    (failure,) = lines_of(path)
                    self.assertEqual(failure["name"], name)
                    commands = list(filter(None, map(command_of, failure["suggestions"])))
                    self.assertTrue(commands, "such a file can be looked at")
                    for command in commands:
                        shown = self.runs(command)
                        if "inspect" in command and "FILE" not in command:
                            self.assertIn("cannot run: ", shown)

    def test_each_row_that_a_file_can_reach_is_made_by_one(self):
        """A row that names the file in a command and that no broken file makes is among those of other causes."""
        other_causes = {
            "BITNET_E_NOT_FOUND", "BITNET_E_GGUF_MAP", "BITNET_E_TOKEN", "BITNET_E_OUT_OF_MEMORY", "BITNET_E_KV_FULL",
            "BITNET_E_VALIDATION", "BITNET_E_SECURITY_MODEL_SIZE", "BITNET_E_SECURITY_TENSOR_COUNT",
            "BITNET_E_SECURITY_MEMORY",
        }  # fmt: skip
        named = {row["name"] for row in lines_of() for text in row["suggestions"] if "FILE" in (command_of(text) or "")}
        self.assertEqual(named, other_causes | set(BROKEN))


if __name__ == "__main__":
    BITNET, DESCRIBE = sys.argv[1:3]
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
