"""`bitnet run` and `bitnet chat` under a grammar: what comes out is parsed by Python's json and checked against the schema.
Usage: grammar_cli_test.py PATH_OF_BITNET [unittest options]

Only the standard library and the model that is built into the command.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

BITNET = ""
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("BITNET_")}
SCHEMA = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "minLength": 1, "maxLength": 20},
        "year": {"type": "integer", "minimum": 1900, "maximum": 2030},
        "tags": {"type": "array", "items": {"enum": ["happy", "sad", "funny"]}, "maxItems": 2},
        "end": {"type": ["boolean", "null"]},
    },
    "required": ["title", "year", "tags", "end"],
    "additionalProperties": False,
}


def run(*args, stdin=b""):
    return subprocess.run([BITNET, *map(str, args)], input=stdin, capture_output=True, timeout=300, env=ENVIRONMENT)


class GrammarTest(unittest.TestCase):
    def ok(self, *args, **kwargs):
        result = run(*args, **kwargs)
        self.assertEqual(result.returncode, 0, result.stderr.decode(errors="replace"))
        return result.stdout.decode("utf-8")

    def check_schema(self, text):
        value = json.loads(text)
        self.assertEqual(list(value), ["title", "year", "tags", "end"])
        self.assertIsInstance(value["title"], str)
        self.assertTrue(1 <= len(value["title"]) <= 20, value)
        self.assertTrue(isinstance(value["year"], int) and 1900 <= value["year"] <= 2030, value)
        self.assertLessEqual(len(value["tags"]), 2)
        self.assertLessEqual(set(value["tags"]), {"happy", "sad", "funny"})
        self.assertIn(value["end"], [True, False, None])

    def test_a_schema_gives_json_that_obeys_it_for_any_seed(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "schema.json")
            path.write_text(json.dumps(SCHEMA), encoding="utf-8")
            texts = set()
            for seed in range(4):
                text = self.ok("run", "-p", "Once upon a time", "-n", 300, "--seed", seed, "--temp", 1.2, "--json-schema", path)
                self.check_schema(text)
                texts.add(text)
            self.assertGreater(len(texts), 1)
            self.assertEqual(text, self.ok("run", "-p", "Once upon a time", "-n", 300, "--seed", 3, "--temp", 1.2, "--json-schema", "-",
                                           stdin=json.dumps(SCHEMA).encode()))

    def test_a_grammar_comes_from_a_file_or_the_command_line(self):
        gbnf = 'root ::= ("yes" | "no") ", " [a-z]{3,5} "."'
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "g.gbnf")
            path.write_text(gbnf, encoding="utf-8")
            text = self.ok("run", "-p", "Is it?", "--seed", 1, "--grammar", path)
        self.assertRegex(text, r"\A(yes|no), [a-z]{3,5}\.\n\Z")
        self.assertEqual(text, self.ok("run", "-p", "Is it?", "--seed", 1, "--grammar-text", gbnf))

    def test_replies_of_a_chat_obey_it_one_by_one(self):
        text = self.ok("chat", "--no-history", "--format", "plain", "--grammar-text", 'root ::= "<" [a-z]{2} ">"', stdin=b"one\ntwo\n")
        self.assertEqual(len(re.findall(r"<[a-z]{2}>", text)), 2, text)

    def test_a_bad_grammar_is_a_failure_that_names_its_place(self):
        result = run("run", "-p", "a", "--grammar-text", 'root ::= "a"\nother :: "b"')
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stdout, b"")
        self.assertIn(b"grammar line 2, column 7", result.stderr)
        result = run("run", "-p", "a", "--json-schema", "-", stdin=b'{"items": {"not": {}}}')
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"#/items/not", result.stderr)

    def test_only_one_of_the_options_may_be_given(self):
        result = run("run", "-p", "a", "--grammar-text", 'root ::= "a"', "--json-schema", "x.json")
        self.assertEqual(result.returncode, 2, result.stderr)


if __name__ == "__main__":
    BITNET = sys.argv.pop(1)
    unittest.main()
