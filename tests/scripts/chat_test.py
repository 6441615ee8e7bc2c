"""Talks with `bitnet chat` through pipes and through a terminal: replies, /commands, files, Ctrl-C, a full context.
Usage: chat_test.py PATH_OF_BITNET [unittest options]. Only the standard library; uses the model that is built in."""

import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TEMPLATE_MODEL = ROOT / "tests/golden/llama-i2s.gguf"  # tiny, and without a chat format
CHAT_MODEL = ROOT / "tests/golden/b158-i2s.gguf"  # tiny, and it knows a chat format
BITNET = ""
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("BITNET_")}


def chat(lines, *args):
    """The finished process after these lines of input."""
    text = lines if isinstance(lines, bytes) else "".join(line + "\n" for line in lines).encode()
    return subprocess.run([BITNET, "chat", "--no-history", *map(str, args)], input=text, capture_output=True, timeout=300,
                          env=ENVIRONMENT)


class ThroughPipes(unittest.TestCase):
    def ok(self, lines, *args):
        result = chat(lines, *args)
        self.assertEqual(result.returncode, 0, result.stderr.decode(errors="replace"))
        return result.stdout.decode("utf-8", errors="replace"), result.stderr.decode("utf-8", errors="replace")

    def test_a_seed_repeats_the_conversation_and_regenerate_says_something_else(self):
        lines = ["Once upon a time", "/regenerate"]
        first, _ = self.ok(lines, "--seed", 1, "-n", 20)
        self.assertEqual(first, self.ok(lines, "--seed", 1, "-n", 20)[0])
        self.assertNotEqual(first, self.ok(lines, "--seed", 2, "-n", 20)[0])
        one, _ = self.ok(["Once upon a time"], "--seed", 1, "-n", 20)
        self.assertTrue(first.startswith(one))
        self.assertNotEqual(first[len(one):], one)

    def test_the_reply_is_what_run_writes(self):
        expected = subprocess.run([BITNET, "run", "-p", "Once upon a time", "--temp", "0", "-n", "30"], capture_output=True,
                                  timeout=300, env=ENVIRONMENT).stdout.decode()
        self.assertEqual(self.ok(["Once upon a time"], "--temp", 0, "-n", 30)[0], expected)

    def test_a_conversation_goes_on_from_its_file(self):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "talk.json"
            whole, _ = self.ok(["Tom ran.", "He"], "--temp", 0, "-n", 12)
            self.ok(["Tom ran.", f"/save {file}"], "--temp", 0, "-n", 12)
            messages = json.loads(file.read_text())["messages"]
            self.assertEqual([m["role"] for m in messages], ["user", "assistant"])
            rest, _ = self.ok(["He"], "--temp", 0, "-n", 12, "--load", file)
            self.assertEqual(whole.splitlines()[1:], rest.splitlines())
            self.assertEqual(os.listdir(folder), ["talk.json"])

    def test_many_lines_make_one_message(self):
        joined, _ = self.ok(["Tom ran.\\", "He fell."], "--temp", 0, "-n", 5)
        block, _ = self.ok(['"""', "Tom ran.", "He fell.", '"""'], "--temp", 0, "-n", 5)
        self.assertEqual(joined, block)
        self.assertEqual(len(joined.splitlines()), 1)

    def test_sampling_options_are_those_of_run(self):
        args = ("--mirostat", 2, "--dry-multiplier", 1, "--seed", 5, "-n", 20)
        expected = subprocess.run([BITNET, "run", "-p", "Once upon a time", *map(str, args)], capture_output=True,
                                  timeout=300, env=ENVIRONMENT).stdout.decode()
        self.assertEqual(self.ok(["Once upon a time"], *args)[0], expected)
        refused = chat(["x"], "--mirostat", 7)
        self.assertEqual(refused.returncode, 1)
        self.assertIn(b"sampler parameter mirostat is 7", refused.stderr)

    def test_every_command_of_help_is_there(self):
        _, help_text = self.ok(["/help"])
        names = re.findall(r"^\s+/(\w+)", help_text, re.MULTILINE)
        self.assertEqual(set(names), {"help", "reset", "regenerate", "save", "load", "system", "stats", "quit"})
        out, stats = self.ok(["Hello", "/stats", "/reset", "/stats", "/system Be kind.", "/system", "/quit", "never read"], "-n", 3)
        self.assertEqual(len(out.splitlines()), 1)
        self.assertIn("2 messages, 1 replies", stats)
        self.assertIn("0 messages, 1 replies", stats)

    def test_a_full_context_forgets_the_oldest_turns_and_says_so(self):
        lines = ["Once upon a time there was a dog"] * 6
        out, told = self.ok(lines, "--temp", 0, "-n", 20, "--ctx", 96)
        self.assertGreaterEqual(len(out.splitlines()), 6)
        self.assertIn("the context is full: the oldest", told)
        refused = chat(lines, "--temp", 0, "-n", 20, "--ctx", 96, "--no-shift")
        self.assertEqual(refused.returncode, 1)
        self.assertIn(b"the context is full", refused.stderr)
        self.assertNotIn(b"are forgotten", refused.stderr)
        long = chat(["a dog and a cat " * 60, "Tom"], "-n", 3, "--ctx", 32)
        self.assertEqual(long.returncode, 1)
        self.assertRegex(long.stderr.decode(), r"needs \d+ tokens, the context holds 32; shorten the message")
        self.assertEqual(len(long.stdout.splitlines()), 1, "the next message is answered")

    def test_a_chat_model_gets_its_format_and_the_system_message(self):
        plain, _ = self.ok(["hi"], "-m", CHAT_MODEL, "--temp", 0, "-n", 4)
        run = subprocess.run([BITNET, "run", "-m", str(CHAT_MODEL), "--chat", "--temp", "0", "-n", "4", "-p", "hi"],
                             capture_output=True, timeout=300, env=ENVIRONMENT).stdout
        self.assertEqual(plain, run.decode(errors="replace"))
        with_system, told = self.ok(["hi", "/stats"], "-m", CHAT_MODEL, "--temp", 0, "-n", 4, "--system", "x")
        run = subprocess.run([BITNET, "run", "-m", str(CHAT_MODEL), "--chat", "--system", "x", "--temp", "0", "-n", "4", "-p",
                              "hi"], capture_output=True, timeout=300, env=ENVIRONMENT).stdout
        self.assertEqual(with_system, run.decode(errors="replace"))
        self.assertIn("3 messages", told)

    def test_a_model_whose_format_is_not_built_in_is_written_to_with_its_template(self):
        source = b"{{ bos_token }}{% for m in messages %}{{ m.role|upper }} {{ m.content }};{% endfor %}{% if add_generation_prompt %}A:{% endif %}"
        key = b"tokenizer.chat_template"
        entry = b""
        for padding in range(64):  # a whole number of alignments, so that the tensors stay where the file says
            text = source + b"{#" + b" " * padding + b"#}"
            entry = struct.pack("<Q", len(key)) + key + struct.pack("<IQ", 8, len(text)) + text
            if len(entry) % 64 == 0:
                break
        data = TEMPLATE_MODEL.read_bytes()
        n_entries = struct.unpack_from("<Q", data, 16)[0]
        with tempfile.TemporaryDirectory() as folder:
            model = Path(folder) / "own.gguf"
            model.write_bytes(data[:16] + struct.pack("<Q", n_entries + 1) + entry + data[24:])
            replies, _ = self.ok(["hi"], "-m", model, "--temp", 0, "-n", 4)
            run = subprocess.run([BITNET, "run", "-m", str(model), "--temp", "0", "-n", "4", "-p", "USER hi;A:"],
                                 capture_output=True, timeout=300, env=ENVIRONMENT).stdout
            self.assertEqual(replies, run.decode(errors="replace"))
            other, _ = self.ok(["hi"], "-m", model, "--temp", 0, "-n", 4, "--format", "plain")
            self.assertNotEqual(replies, other)

    def test_what_goes_wrong_is_one_line_and_the_conversation_goes_on(self):
        with tempfile.TemporaryDirectory() as folder:
            bad = Path(folder) / "bad.json"
            for text, expected in (("{", "not a conversation"), ("[]", "not a conversation"), ("", "not a conversation"),
                                   ('{"schema":"bitnet-chat-1","messages":[1]}', "not an object"),
                                   ('{"schema":"bitnet-chat-1","messages":[{"role":"god","content":""}]}', "'god'"),
                                   ('{"schema":"bitnet-chat-1","messages":[{"role":"user","content":"\\u0000"}]}', "NUL"),
                                   ("[" * 100000, "not a conversation")):
                bad.write_text(text)
                result = chat(["Tom", f"/load {bad}", "/stats"], "-n", 3)
                self.assertEqual(result.returncode, 1)
                self.assertIn(expected, result.stderr.decode())
                self.assertIn("2 messages", result.stderr.decode())
            for lines, expected in ((["/nothing"], "no command /nothing"), (["/save"], "/save needs FILE"),
                                    (["/quit now"], "takes nothing"), (["/regenerate"], "no reply"),
                                    ([f"/save {folder}/no/where"], "cannot be written"), (["/load /nowhere"], "cannot be opened")):
                result = chat(lines)
                self.assertEqual((result.returncode, result.stdout), (1, b""), lines)
                self.assertIn(expected, result.stderr.decode())
            self.assertEqual(chat(b"a\0b\nTom\n", "-n", 2).returncode, 1)
            self.assertEqual(chat(["x"], "--format", "nonsense").returncode, 1)
            self.assertEqual(chat(["x"], "--top-p", "7").returncode, 1)
            self.assertEqual(chat(b"\xff\xfe\n\n \n", "-n", 2).returncode, 0)


class ThroughATerminal(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.history = Path(self.folder.name) / "deep/history"
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(BITNET, [BITNET, "chat", "-n", "100000", "--ctx", "100000", "--temp", "1", "--seed", "5", "--history",
                               str(self.history)], {**ENVIRONMENT, "TERM": "xterm", "NO_COLOR": "1", "LC_ALL": "C.UTF-8"})
        self.seen = ""

    def tearDown(self):
        os.close(self.fd)
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        self.folder.cleanup()

    def wait_for(self, pattern, seconds=60):
        end = time.monotonic() + seconds
        while not re.search(pattern, self.seen):
            self.assertLess(time.monotonic(), end, f"{pattern!r} did not come; seen {self.seen[-500:]!r}")
            if select.select([self.fd], [], [], 0.2)[0]:
                self.seen += os.read(self.fd, 65536).decode(errors="replace")

    def type(self, text):
        self.seen = ""
        os.write(self.fd, text.encode())

    def end(self):
        try:
            while select.select([self.fd], [], [], 30)[0] and os.read(self.fd, 65536):
                pass
        except OSError:  # the other end is closed
            pass
        for _ in range(100):
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid != 0:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.1)
        self.fail("the command did not end")

    def test_editing_history_and_the_end(self):
        self.wait_for("> ")
        self.type("/stXts\x1b[D\x1b[D\x1b[D\x1b[3~\x7fta\n")  # the cursor goes back, characters go away, others come
        self.wait_for(r"(?s)(0 messages|no command).*> ")
        self.type("/stats\n")
        self.wait_for("(?s)0 messages, 0 replies.*> ")
        self.type("\x1b[A\n")  # the line before
        self.wait_for("(?s)0 messages, 0 replies.*> ")
        time.sleep(0.3)  # the terminal is in the editor's hands a moment after the prompt is there
        self.type("\x04")
        self.assertEqual(self.end(), 0)
        self.assertIn("stats", self.history.read_text())
        self.assertEqual(self.history.stat().st_mode & 0o077, 0, "what was typed is nobody else's")

    def test_ctrl_c_stops_a_reply_and_nothing_else(self):
        self.wait_for("> ")
        self.type("Once upon a time\n")
        self.wait_for(r"time\s+\S.{40}")
        os.kill(self.pid, signal.SIGINT)
        self.wait_for(r"(?s)\(stopped\).*> ")
        self.type("/stats\n")
        self.wait_for("2 messages, 1 replies")
        os.kill(self.pid, signal.SIGTERM)
        self.assertIn(self.end(), (143, 128 + signal.SIGTERM))


if __name__ == "__main__":
    BITNET = sys.argv.pop(1)
    unittest.main()
