"""Runs the built `bitnet` command the way people and scripts do: outputs, exit codes, what goes to which stream, Ctrl-C,
closed pipes, damaged input. Usage: cli_test.py PATH_OF_BITNET [unittest options]

Only the standard library. Needs models/stories3m-i2_s.gguf under BITNET_TEST_DATA (default: ../shared/data beside the
checkout); without it the script says so and exits with 77, which ctest reports as skipped.
"""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
DATA = Path(os.environ.get("BITNET_TEST_DATA") or ROOT / "../shared/data")
MODEL = DATA / "models/stories3m-i2_s.gguf"
REFERENCE = DATA / "models/stories3m-reference.txt"
VALID = DATA / "tinystories/valid.txt"
BITNET = ""
TIMEOUT = 300

# What no test wants from the caller's environment.
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("BITNET_")}


def run(*args, stdin=b"", env=None):
    """The finished process; stdout and stderr as bytes."""
    command = [BITNET, *(str(arg) if isinstance(arg, int) else arg for arg in args)]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=TIMEOUT, env={**ENVIRONMENT, **(env or {})})


def read_reference():
    """prompt -> (prompt ids, greedy ids, text) of stories3m-reference.txt, an independent program's results."""
    cases = {}
    lines = REFERENCE.read_text(encoding="utf-8").splitlines()
    for i, line in enumerate(lines):
        match = re.fullmatch(r"PROMPT (.*) ids: ([\d ]+)", line)
        if match is None:
            continue
        greedy = [int(token) for token in lines[i + 2].removeprefix(" greedy: ").split()]
        text = lines[i + 3].removeprefix(" TEXT ").replace("<0x0A>", "\n")
        cases[match.group(1)] = ([int(token) for token in match.group(2).split()], greedy, text)
    return cases


class CliTest(unittest.TestCase):
    def ok(self, *args, **kwargs):
        result = run(*args, **kwargs)
        self.assertEqual(result.returncode, 0, result.stderr.decode(errors="replace"))
        return result

    def ok_json(self, *args, **kwargs):
        result = self.ok(*args, "--json", **kwargs)
        self.assertEqual(result.stdout.count(b"\n"), 1, "one line of JSON")
        return json.loads(result.stdout.decode("utf-8"))

    def fails(self, exit_code, pattern, *args, **kwargs):
        """One line on standard error that matches, nothing on standard output."""
        result = run(*args, **kwargs)
        error = result.stderr.decode(errors="replace")
        self.assertEqual(result.returncode, exit_code, error)
        self.assertEqual(result.stdout, b"")
        self.assertEqual(error.count("\n"), 1, error)
        self.assertTrue(error.startswith("bitnet: "), error)
        self.assertRegex(error, pattern)
        return error


class GlobalOptions(CliTest):
    def test_version_names_the_library(self):
        self.assertRegex(self.ok("--version").stdout.decode(), r"\Abitnet \d+\.\d+\.\d+\n")

    def test_help_goes_to_standard_output(self):
        text = self.ok("--help").stdout.decode()
        for command in ("run", "tokenize", "inspect", "perplexity", "kernels", "devices", "verify", "verify-receipt",
                        "validate", "estimate", "accuracy"):
            self.assertIn(command, text)
            result = self.ok(command, "--help")
            self.assertIn(b"--json", result.stdout)
            self.assertEqual(result.stderr, b"")

    def test_wrong_command_lines_give_one_line_and_exit_code_2(self):
        self.fails(2, "no command given")
        self.fails(2, "expected", "kernels", "kernels", "x")
        self.fails(2, "--frobnicate", "--frobnicate")
        self.fails(2, "frobnicate", "frobnicate")
        self.fails(2, "--frobnicate", "kernels", "--frobnicate")
        self.fails(2, "--log-level", "--log-level", "loud", "kernels")
        self.fails(2, "--predict", "run", "-m", MODEL, "-n", "many")
        self.fails(2, "--predict", "run", "-m", MODEL, "-n", "-2")
        self.fails(2, "--predict", "run", "-m", MODEL, "-n", "99999999999999999999")
        self.fails(2, "--seed", "run", "-m", MODEL, "--seed", "18446744073709551616")
        self.fails(2, "--limit", "perplexity", "-m", MODEL, "-f", VALID, "--limit", "0x10")
        self.fails(2, "--seed", "run", "-m", MODEL, "--seed", "-1")
        self.fails(2, "--temp", "run", "-m", MODEL, "--temp", "warm")
        self.fails(2, "--threads", "run", "-m", MODEL, "-t", "99999999999")
        self.fails(2, "--system", "run", "-m", MODEL, "--system", "Be brief.")
        self.fails(2, "--file", "run", "-m", MODEL, "-p", "a", "-f", "b")
        self.fails(2, "text", "tokenize", "-m", MODEL)
        self.fails(2, "--file", "perplexity", "-m", MODEL)
        self.fails(2, "--ctx", "perplexity", "-m", MODEL, "-f", VALID, "--ctx", "1")

    def test_log_level(self):
        self.assertEqual(self.ok("--log-level", "none", "kernels").stderr, b"")
        self.ok("run", "-m", MODEL, "-n", "1", "--log-level", "debug")


class Files(CliTest):
    def test_bad_model_files_are_one_line_errors(self):
        with tempfile.TemporaryDirectory() as folder:
            missing = Path(folder) / "missing.gguf"
            text = Path(folder) / "text.gguf"
            text.write_text("Once upon a time there was no model.\n")
            empty = Path(folder) / "empty.gguf"
            empty.write_bytes(b"")
            cut = Path(folder) / "cut.gguf"
            cut.write_bytes(MODEL.read_bytes()[:200000])
            for path in (missing, text, empty, cut, Path(folder), Path("/dev/null")):
                commands = [("run", "-m", path, "-p", "x"), ("perplexity", "-m", path, "-f", VALID)]
                if path != cut:  # metadata and vocabulary come before the tensors
                    commands += [("inspect", path), ("tokenize", "-m", path, "x")]
                for args in commands:
                    with self.subTest(args=args):
                        self.fails(1, re.escape(path.name), *args)
            shown = self.ok_json("inspect", cut)
            self.assertFalse(shown["runs"])
            self.assertIn("cut.gguf", shown["problem"])
            self.assertIsNone(shown["model"])
            self.assertEqual(shown["metadata"]["general.architecture"], "bitnet")
            self.assertIn(f"cannot run: {shown['problem']}\n", self.ok("inspect", cut).stdout.decode())

    def test_a_file_name_cannot_write_to_the_terminal(self):
        error = self.fails(1, "evil", "inspect", "/tmp/\x1b[31mevil\nname")
        self.assertNotIn("\x1b", error)

    def test_bad_text_files(self):
        with tempfile.TemporaryDirectory() as folder:
            self.fails(1, "missing.txt", "run", "-m", MODEL, "-f", Path(folder) / "missing.txt")
            self.fails(1, "directory", "run", "-m", MODEL, "-f", folder)
            self.fails(1, "larger than 1 GiB", "run", "-m", MODEL, "-f", "/dev/zero")
            self.fails(1, "missing.txt", "perplexity", "-m", MODEL, "-f", Path(folder) / "missing.txt")
            empty = Path(folder) / "empty.txt"
            empty.write_text(" \n<|endoftext|>\n \n")
            self.fails(1, "no text to predict", "perplexity", "-m", MODEL, "-f", empty, "--stories")
            empty.write_text("")
            self.fails(1, "no text to predict", "perplexity", "-m", MODEL, "-f", empty)


class Run(CliTest):
    def greedy(self, *args, **kwargs):
        return self.ok_json("run", "-m", MODEL, "--temp", "0", *args, **kwargs)

    def test_greedy_text_is_that_of_the_independent_program(self):
        cases = read_reference()
        self.assertEqual(len(cases), 3)
        for prompt, (prompt_ids, greedy_ids, text) in cases.items():
            with self.subTest(prompt=prompt):
                result = self.greedy("-p", prompt, "-n", len(greedy_ids))
                self.assertEqual(result["prompt_ids"], prompt_ids)
                self.assertEqual(result["ids"], greedy_ids)
                # At the start of a text the space that SentencePiece puts in front is no part of it.
                self.assertEqual(result["text"], text if prompt else text.removeprefix(" "))
                self.assertEqual(result["finish_reason"], "length")

    def test_json_says_what_ran(self):
        result = self.greedy("-p", "Once upon a time", "-n", "5", "--seed", "18446744073709551615", "-t", "1")
        self.assertEqual(list(result), ["prompt", "prompt_ids", "ids", "text", "finish_reason", "seed", "metrics",
                                        "performance", "model", "threads", "kernel"])
        self.assertEqual(result["prompt"], "Once upon a time")
        self.assertEqual(result["seed"], 2**64 - 1)
        self.assertEqual(result["threads"], 1)
        self.assertEqual(result["model"]["architecture"], "bitnet")
        self.assertEqual(result["model"]["n_vocab"], 512)
        self.assertEqual(result["kernel"], result["model"]["kernel"])
        metrics = result["metrics"]
        self.assertEqual(metrics["prompt_tokens"], len(result["prompt_ids"]))
        self.assertEqual(metrics["generated_tokens"], 5)
        self.assertEqual(metrics["decode_steps"], 4)
        for key in ("load_ms", "prompt_ms", "generate_ms", "tokens_per_second", "peak_memory_bytes"):
            self.assertGreater(metrics[key], 0, key)
        performance = result["performance"]
        self.assertEqual((performance["backend_type"], performance["tokens_generated"]), ("cpu", 5))
        self.assertEqual((performance["n_inferences"], performance["error_count"]), (1, 0))
        self.assertNotIn("tokenizer_encode_time_ms", performance, "the command encodes by itself")
        self.assertGreater(performance["forward_pass_time_ms"], 0)
        self.assertLessEqual(performance["forward_pass_time_ms"], performance["total_latency_ms"])
        self.assertAlmostEqual(performance["efficiency_ratio"] * 1000, performance["tokens_per_second"], 3)

    def test_standard_output_is_the_text_and_a_newline_and_the_rest_goes_to_standard_error(self):
        args = ("-p", "Once upon a time", "-n", "60", "--seed", "3")
        plain = self.ok("run", "-m", MODEL, *args)
        result = self.ok_json("run", "-m", MODEL, *args)
        self.assertEqual(plain.stdout.decode(), result["text"] + "\n")
        error = plain.stderr.decode()
        self.assertRegex(error, r"prompt +5 tokens, [\d.]+ tokens/s\n")
        self.assertRegex(error, r"generated +60 tokens, [\d.]+ tokens/s \(length\)\n")
        self.assertRegex(error, r"load [\d.]+ ms, peak memory [\d.]+ MiB, seed 3\n")
        self.assertNotIn("Once upon", error)
        self.assertNotIn("\x1b", error)

    def test_a_seed_fixes_the_text_for_any_threads_and_kernel(self):
        def ids(*args, **kwargs):
            return self.ok_json("run", "-m", MODEL, "-p", "One day", "-n", "80", *args, **kwargs)["ids"]

        first = ids("--seed", "7")
        self.assertEqual(ids("--seed", "7", "-t", "1"), first)
        self.assertEqual(ids("--seed", "7", "-t", "3"), first)
        self.assertEqual(ids("--seed", "7", "--kernel", "scalar"), first)
        self.assertEqual(ids("--seed", "7", "--no-mmap"), first)
        self.assertEqual(ids("--seed", "7", "--ubatch", "1"), first)
        self.assertEqual(ids(env={"BITNET_SEED": "7"}), first)
        self.assertNotEqual(ids("--seed", "8"), first)
        self.assertEqual(ids(env={"BITNET_DETERMINISTIC": "1"}), ids(env={"BITNET_DETERMINISTIC": "1"}))

    def test_a_fresh_seed_is_reported_and_repeats_the_text(self):
        first = self.ok_json("run", "-m", MODEL, "-n", "40")
        again = self.ok_json("run", "-m", MODEL, "-n", "40", "--seed", first["seed"])
        self.assertEqual(again["ids"], first["ids"])
        self.assertNotEqual(self.ok_json("run", "-m", MODEL, "-n", "1")["seed"], first["seed"])

    def test_counts_at_their_edges(self):
        none = self.greedy("-p", "Once upon a time", "-n", "0")
        self.assertEqual((none["ids"], none["text"], none["finish_reason"]), ([], "", "length"))
        self.assertEqual(none["metrics"]["prompt_tokens"], 5)
        self.assertEqual(self.ok("run", "-m", MODEL, "-n", "0").stdout, b"\n")
        one = self.greedy("-p", "Once upon a time", "-n", "01")
        self.assertEqual(len(one["ids"]), 1)
        for n in ("-1", "9223372036854775807"):
            whole = self.greedy("-p", "Once upon a time", "-n", n)
            self.assertIn(whole["finish_reason"], ("end", "context_full"))
            self.assertGreater(len(whole["ids"]), 64)

    def test_the_context_limits_prompt_and_text(self):
        full = self.greedy("-p", "Once upon a time", "-n", "-1", "--ctx", "32")
        self.assertEqual(full["finish_reason"], "context_full")
        # The last token is shown although no room is left to go on from it.
        self.assertEqual(len(full["prompt_ids"]) + len(full["ids"]), 33)
        self.fails(1, r"the prompt has \d+ tokens, but the context holds 32", "run", "-m", MODEL, "--ctx", "32", "-p",
                   "Once upon a time " * 20)
        exact = self.greedy("-p", "Once upon a time", "-n", "5", "--ctx", "5")
        self.assertEqual((len(exact["ids"]), exact["finish_reason"]), (1, "context_full"))

    def test_stop_sequences_end_the_text_and_do_not_show(self):
        whole = self.greedy("-p", "Once upon a time", "-n", "60")["text"]
        found = self.greedy("-p", "Once upon a time", "-n", "60", "--stop", "never", "--stop", "to play")
        self.assertEqual((found["text"], found["finish_reason"]), (whole.split("to play")[0], "stop_sequence"))
        plain = self.ok("run", "-m", MODEL, "--temp", "0", "-p", "Once upon a time", "-n", "60", "--stop", "to play")
        self.assertEqual(plain.stdout.decode(), found["text"] + "\n")
        self.fails(1, "stop sequence 0 is empty", "run", "-m", MODEL, "--stop", "")
        self.fails(1, "stop sequence 0 has 2000 bytes", "run", "-m", MODEL, "--stop", "x" * 2000)

    def test_adapters_change_the_text_by_their_scale(self):
        golden = ROOT / "tests/golden"
        first, second = golden / "lora-first.gguf", golden / "lora-second.gguf"

        def ids(*loras):
            options = [word for lora in loras for word in ("--lora", lora)]
            return self.ok_json("run", "-m", golden / "b25-i2s-untied.gguf", "--temp", "0", "-n", "20", "-p", "the in",
                                *options)["ids"]

        plain, adapted = ids(), ids(str(first))
        self.assertNotEqual(adapted, plain)
        self.assertEqual(ids(f"{first}:0"), plain)
        self.assertEqual(ids(f"{first}:1.0"), adapted)
        self.assertEqual(ids(str(first), f"{second}:0"), adapted)
        self.assertEqual(len({tuple(ids(*loras)) for loras in ((f"{first}:2",), (str(first), f"{second}:8"), (str(first),))}), 3)
        with tempfile.TemporaryDirectory() as folder:
            colon = Path(folder) / "a:b.gguf"
            colon.write_bytes(first.read_bytes())
            self.assertEqual(ids(str(colon)), adapted)
            self.assertEqual(ids(f"{colon}:0"), plain)
            self.fails(1, "missing.gguf", "run", "-m", golden / "b25-i2s-untied.gguf", "--lora", Path(folder) / "missing.gguf")
        self.fails(1, "adapts|architecture", "run", "-m", golden / "llama-f16.gguf", "--lora", first)
        self.fails(1, "scale", "run", "-m", golden / "b25-i2s-untied.gguf", "--lora", f"{first}:nan")
        score = ["perplexity", "-m", golden / "b25-i2s-untied.gguf", "--ctx", "32", "-f", VALID, "--limit", "2"]
        scores = [self.ok_json(*score, *options)["perplexity"] for options in ([], ["--lora", f"{first}:0"], ["--lora", first])]
        self.assertEqual(scores[0], scores[1])
        self.assertNotEqual(scores[0], scores[2])

    def test_a_timeout_ends_the_text(self):
        found = self.greedy("-n", "-1", "--timeout", "0.000001")
        self.assertEqual((found["ids"], found["finish_reason"]), ([], "deadline"))
        self.assertEqual(self.greedy("-n", "5", "--timeout", "1000")["finish_reason"], "length")
        self.fails(2, "--timeout", "run", "-m", MODEL, "--timeout", "-1")
        self.fails(2, "--timeout", "run", "-m", MODEL, "--timeout", "soon")

    def test_prompts_of_every_kind(self):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "prompt.txt"
            file.write_bytes(b"One day\r\n")
            expected = self.greedy("-p", "One day", "-n", "10")
            self.assertEqual(self.greedy("-f", file, "-n", "10")["ids"], expected["ids"])
            self.assertEqual(self.greedy("-f", "-", "-n", "10", stdin=b"One day\n")["ids"], expected["ids"])
        self.assertEqual(self.greedy("-n", "3")["ids"], self.greedy("-p", "", "-n", "3")["ids"])
        for prompt in ("[a, b]", "-n", "--json", '"quoted" \\ %s {}', "\n", "héllo 🙂 \u0000".rstrip("\u0000"), " "):
            with self.subTest(prompt=prompt):
                self.assertEqual(self.greedy("-p", prompt, "-n", "3")["prompt"], prompt)

    def test_invalid_utf8_is_evaluated_and_becomes_replacement_characters_in_json(self):
        result = self.greedy("-p", b"a\xff\xc3(", "-n", "3")
        self.assertEqual(result["prompt"], "a\ufffd\ufffd(")
        self.assertGreater(len(result["prompt_ids"]), 3)

    def test_special_tokens_are_read_only_when_asked(self):
        plain = self.greedy("-p", "</s>", "-n", "1")["prompt_ids"]
        special = self.greedy("-p", "</s>", "-n", "1", "--special")["prompt_ids"]
        self.assertEqual(special, [1, 2])
        self.assertNotEqual(plain, special)

    def test_impossible_parameters_are_one_line_errors(self):
        self.fails(1, "temperature is nan", "run", "-m", MODEL, "--temp", "nan")
        self.fails(1, "temperature is inf", "run", "-m", MODEL, "--temp", "inf")
        self.fails(1, "top_p is 1.5", "run", "-m", MODEL, "--top-p", "1.5")
        self.fails(1, "top_k is -1", "run", "-m", MODEL, "--top-k", "-1")
        self.fails(1, "min_p is -1", "run", "-m", MODEL, "--min-p", "-1")
        self.fails(1, "repetition_penalty is 0", "run", "-m", MODEL, "--repeat-penalty", "0")
        self.fails(1, "nonsense", "run", "-m", MODEL, "--kernel", "nonsense")
        self.fails(1, "n_threads", "run", "-m", MODEL, "-t", "-1")
        self.fails(1, "n_ctx", "run", "-m", MODEL, "--ctx", "-5")
        self.fails(1, "BITNET_SEED", "run", "-m", MODEL, env={"BITNET_SEED": "12x"})
        self.fails(1, "BITNET_DETERMINISTIC", "run", "-m", MODEL, env={"BITNET_DETERMINISTIC": "maybe"})
        self.fails(1, "BITNET_NUM_THREADS", "run", "-m", MODEL, env={"BITNET_NUM_THREADS": "two"})

    def test_too_many_threads_is_an_error_or_the_same_text(self):
        expected = self.ok("run", "-m", MODEL, "-n", "20", "--temp", "0", "-t", "0").stdout
        result = run("run", "-m", MODEL, "-n", "20", "--temp", "0", "-t", "10000")
        if result.returncode == 0:
            self.assertEqual(result.stdout, expected)
        else:
            self.assertEqual(result.returncode, 1)
            self.assertRegex(result.stderr.decode(), r"\Abitnet: .*10000.*\n\Z")

    def test_chat_with_a_model_that_knows_no_chat_is_an_error(self):
        self.fails(1, "no chat format", "run", "-m", MODEL, "--chat", "--system", "Be brief.", "-p", "Hello")


class Terminals(CliTest):
    def test_on_a_terminal_the_prompt_is_shown_dim_on_standard_error_and_text_streams_to_standard_output(self):
        def read_all(fd):
            data = b""
            while True:
                try:
                    part = os.read(fd, 65536)
                except OSError:  # the other end is closed
                    return data
                if not part:
                    return data
                data += part

        out_master, out_slave = pty.openpty()
        err_master, err_slave = pty.openpty()
        process = subprocess.Popen([BITNET, "run", "-m", MODEL, "-p", "One day\x1b[2J", "-n", "20", "--temp", "0"],
                                   stdout=out_slave, stderr=err_slave, stdin=subprocess.DEVNULL, env=ENVIRONMENT)
        os.close(out_slave)
        os.close(err_slave)
        out, err = read_all(out_master), read_all(err_master)
        self.assertEqual(process.wait(TIMEOUT), 0)
        os.close(out_master)
        os.close(err_master)
        self.assertIn(b"\x1b[2mOne day\\x1b[2J\x1b[0m", err)
        self.assertIn(b"tokens/s", err)
        self.assertNotIn(b"One day", out)
        self.assertNotIn(b"\x1b", out)
        self.assertTrue(out.endswith(b"\r\n"), out)


class Interruptions(CliTest):
    def test_ctrl_c_stops_a_text_keeps_what_was_written_and_gives_the_figures(self):
        # A pipe with room for few bytes holds the command in the middle of its text until the signal was sent.
        read_end, write_end = os.pipe()
        size = fcntl.fcntl(write_end, 1031, 4096)  # F_SETPIPE_SZ
        filler = size - 40
        os.write(write_end, b"." * filler)
        process = subprocess.Popen([BITNET, "run", "-m", MODEL, "-n", "-1", "--temp", "0"], stdout=write_end,
                                   stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=ENVIRONMENT)
        os.close(write_end)
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:  # until it wrote something and is stuck
            in_pipe = struct.unpack("i", fcntl.ioctl(read_end, termios.FIONREAD, b"\0\0\0\0"))[0]
            if in_pipe > filler:
                break
            time.sleep(0.01)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        time.sleep(0.1)
        with os.fdopen(read_end, "rb") as pipe:
            text = pipe.read()[filler:].decode()
        error = process.stderr.read().decode()
        process.stderr.close()
        self.assertEqual(process.wait(TIMEOUT), 130, error)
        self.assertTrue(text.endswith("\n"))
        self.assertTrue(text.startswith("Once upon a time"), text)
        self.assertRegex(error, r"generated \d+ tokens, [\d.]+ tokens/s \(cancelled\)\n")
        self.assertIn("peak memory", error)

    def test_signals_stop_long_work_without_a_result(self):
        for sign in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(sign=sign):
                process = subprocess.Popen([BITNET, "perplexity", "-m", MODEL, "-f", DATA / "tinystories/train.txt"],
                                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT)
                time.sleep(1)
                process.send_signal(sign)
                out, error = process.communicate(timeout=TIMEOUT)
                self.assertEqual(process.returncode, 128 + sign)
                self.assertEqual((out, error), (b"", b""))

    def test_ctrl_c_while_waiting_for_a_prompt(self):
        process = subprocess.Popen([BITNET, "run", "-m", MODEL, "-f", "-"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(TIMEOUT), 130)
        out, error = process.communicate()
        self.assertEqual((out, error), (b"", b""))

    def test_a_reader_that_goes_away_ends_the_command_without_a_word(self):
        for args in (["run", "-m", MODEL, "-n", "-1"], ["run", "-m", MODEL, "-n", "3", "--json"], ["kernels"],
                     ["--help"], ["inspect", MODEL], ["tokenize", "-m", MODEL, "a b c"]):
            for ignored in (False, True):
                with self.subTest(args=args, ignored=ignored):
                    read_end, write_end = os.pipe()
                    os.close(read_end)
                    process = subprocess.Popen(
                        [BITNET, *args], stdout=write_end, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                        env=ENVIRONMENT, restore_signals=not ignored)
                    os.close(write_end)
                    _, error = process.communicate(timeout=TIMEOUT)
                    self.assertEqual((process.returncode, error), (141, b""))

    def test_a_full_disk_is_an_error(self):
        with open("/dev/full", "wb") as full:
            process = subprocess.run([BITNET, "run", "-m", MODEL, "-n", "3"], stdout=full, stderr=subprocess.PIPE,
                                     timeout=TIMEOUT, env=ENVIRONMENT)
        self.assertEqual(process.returncode, 1)
        self.assertRegex(process.stderr.decode(), r"\Abitnet: standard output cannot be written: .*\n\Z")


class Tokenize(CliTest):
    def test_ids_are_those_of_the_independent_program(self):
        for prompt, (ids, _, _) in read_reference().items():
            with self.subTest(prompt=prompt):
                result = self.ok_json("tokenize", "-m", MODEL, prompt)
                self.assertEqual(result["ids"], ids)
                self.assertEqual(result["n"], len(ids))
                self.assertEqual(len(result["pieces"]), len(ids))
                lines = self.ok("tokenize", "-m", MODEL, prompt).stdout.decode().splitlines()
                self.assertEqual(lines, [f"{i}\t{piece}" for i, piece in zip(ids, result["pieces"])])

    def test_options(self):
        with_bos = self.ok_json("tokenize", "-m", MODEL, "One day")["ids"]
        without = self.ok_json("tokenize", "-m", MODEL, "--no-bos", "One day")["ids"]
        self.assertEqual(with_bos, [1] + without)
        self.assertEqual(self.ok_json("tokenize", "-m", MODEL, "-", stdin=b"One day")["ids"], with_bos)
        self.assertEqual(self.ok_json("tokenize", "-m", MODEL, "--special", "--no-bos", "</s>")["ids"], [2])
        self.assertNotIn(2, self.ok_json("tokenize", "-m", MODEL, "--no-bos", "</s>")["ids"])
        self.assertEqual(self.ok_json("tokenize", "-m", MODEL, "--no-bos", "")["ids"], [])
        dashed = run("tokenize", "-m", MODEL, "--json", "--", "-n is an option")
        self.assertGreater(len(json.loads(dashed.stdout)["ids"]), 3)

    def test_every_line_stays_one_line_whatever_the_text_holds(self):
        text = b"a\nb\tc\x1b[31m\x00\xff\xf0\x9f\x99\x82"
        lines = self.ok("tokenize", "-m", MODEL, "-", stdin=text).stdout.split(b"\n")
        count = self.ok_json("tokenize", "-m", MODEL, "-", stdin=text)["n"]
        self.assertEqual(len(lines) - 1, count)
        for line in lines[:-1]:
            self.assertRegex(line, rb"\A\d+\t[^\x00-\x1f]*\Z")

    def test_other_tokenizer_files(self):
        for path in ("tokenizer/llama3/tokenizer.json", "tokenizer/llama2/tokenizer.model"):
            if not (DATA / path).exists():
                print(f"SKIPPED: no test data {DATA / path}", file=sys.stderr)
                continue
            with self.subTest(path=path):
                result = self.ok_json("tokenize", "-m", DATA / path, "--no-bos", "Hello world")
                self.assertEqual(result["n"], 2)


class Inspect(CliTest):
    def test_json_and_text_say_the_same(self):
        result = self.ok_json("inspect", MODEL)
        self.assertEqual(list(result), ["file", "runs", "problem", "model", "config", "quantization", "features",
                                        "tokenizer", "metadata", "tensors"])
        quantization = result["quantization"]
        self.assertEqual(quantization["type"], result["model"]["quantization"])
        self.assertAlmostEqual(quantization["bits_per_weight"], result["model"]["bits_per_weight"], 4)
        self.assertAlmostEqual(quantization["compression_f16"] * quantization["bits_per_weight"], 16, 3)
        self.assertEqual(sum(row["n_tensors"] for row in quantization["types"]), len(result["tensors"]))
        self.assertEqual(sum(row["n_bytes"] for row in quantization["types"]),
                         sum(tensor["n_bytes"] for tensor in result["tensors"]))
        self.assertEqual(result["config"]["device"], "cpu")
        self.assertEqual(result["config"]["max_seq_len"], 512)
        self.assertIn("ternary", result["features"])
        self.assertEqual(result["tokenizer"]["source"], "gguf")
        self.assertEqual((result["runs"], result["problem"]), (True, ""))
        self.assertEqual(result["model"]["n_layer"], 8)
        self.assertEqual(result["model"]["rms_norm_eps"], 1e-5)
        self.assertEqual(result["model"]["n_ctx_train"], 512)
        self.assertEqual(result["tokenizer"]["bos"], 1)
        self.assertEqual(result["metadata"]["general.architecture"], "bitnet")
        self.assertEqual(result["metadata"]["tokenizer.ggml.model"], "llama")
        text = self.ok("inspect", MODEL).stdout.decode()
        self.assertRegex(text, r"(?m)^  n_layer +8$")
        self.assertRegex(text, r"(?m)^  tokenizer.ggml.model +llama$")
        for key in result["metadata"]:
            self.assertIn(f"\n  {key} ", text)


class Devices(CliTest):
    def test_the_cpu_is_there_and_text_and_json_agree(self):
        result = self.ok_json("devices")
        self.assertEqual(result["schema"], "bitnet-devices/1")
        cpu = result["devices"][0]
        self.assertEqual((cpu["name"], cpu["available"]), ("cpu", True))
        self.assertGreaterEqual(cpu["max_threads"], 1)
        runnable = {kernel["level"] for kernel in self.ok_json("kernels") if kernel["runnable"]}
        self.assertLessEqual(runnable, set(cpu["simd"]))
        text = self.ok("devices").stdout.decode()
        self.assertRegex(text, r"\Acpu\n")
        self.assertRegex(text, rf"(?m)^  threads +{cpu['max_threads']}$")
        self.assertIn(f"  simd          {', '.join(cpu['simd'])}\n", text)
        self.assertIn(f"built with {', '.join(result['features'])}\n", text)
        for device in result["devices"][1:]:
            self.assertEqual(device["available"], "problem" not in device)
            if not device["available"]:
                self.assertIn(device["problem"], text)


class Kernels(CliTest):
    def test_the_name_is_first_and_json_agrees(self):
        kernels = self.ok_json("kernels")
        lines = self.ok("kernels").stdout.decode().splitlines()
        self.assertEqual([line.split()[0] for line in lines], [kernel["name"] for kernel in kernels])
        for line, kernel in zip(lines, kernels):
            self.assertEqual(line.split()[1:], [
                kernel["type"], "runnable" if kernel["runnable"] else "not-runnable",
                "exact" if kernel["exact"] else "inexact", kernel["level"], "selected" if kernel["selected"] else "-"])
        scalar = [kernel for kernel in kernels if kernel["level"] == "scalar"]
        self.assertTrue(scalar and all(kernel["runnable"] and kernel["exact"] for kernel in scalar))
        for kernel in kernels:
            self.assertTrue(kernel["runnable"] or not kernel["selected"], kernel)


class Perplexity(CliTest):
    def score(self, *args):
        result = self.ok("perplexity", "-m", MODEL, "--json", *args)
        return json.loads(result.stdout), result.stdout.decode()

    def test_digits_do_not_depend_on_threads_batch_or_kernel(self):
        def digits(*args):
            text = self.score("-f", VALID, "--stories", "--limit", "3", *args)[1]
            return re.match(r'\{"nats_per_token":([^,]+),"bits_per_byte":([^,]+),.*"tokens":(\d+),', text).groups()

        first = digits()
        self.assertGreaterEqual(len(first[0].replace(".", "")), 16)
        for args in (("-t", "1"), ("-t", "3"), ("--batch", "1"), ("--batch", "7"), ("--batch", "100000"), ("--no-mmap",)):
            with self.subTest(args=args):
                self.assertEqual(digits(*args), first)
        tried = set()
        for kernel in self.ok_json("kernels"):
            if kernel["runnable"] and kernel["exact"] and kernel["level"] not in tried:
                tried.add(kernel["level"])
                with self.subTest(level=kernel["level"]):
                    self.assertEqual(digits("--kernel", kernel["level"]), first)
        self.assertIn("scalar", tried)

    def test_200_stories_give_the_figures_of_the_independent_program(self):
        start = time.monotonic()
        self.score("-f", VALID, "--stories", "--limit", "2")
        if time.monotonic() - start > 3:
            self.skipTest("this build is too slow for 73,147 tokens")
        score, _ = self.score("-f", VALID, "--stories", "--limit", "200")
        self.assertEqual((score["tokens"], score["bytes"], score["stories"]), (73147, 150432, 200))
        self.assertAlmostEqual(score["nats_per_token"], 1.2208, delta=0.0005)
        self.assertAlmostEqual(score["bits_per_byte"], 0.85637, delta=0.0005)

    def test_chunks_cover_the_whole_text(self):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "text.txt"
            text = VALID.read_bytes()[:3000]
            file.write_bytes(text)
            n = self.ok_json("tokenize", "-m", MODEL, "--no-bos", "-", stdin=text)["n"]
            for ctx in (2, 17, 512):
                score, _ = self.score("-f", file, "--ctx", ctx)
                self.assertEqual((score["tokens"], score["bytes"]), (n, len(text)))
                self.assertEqual(score["chunks"], -(-n // (ctx - 1)))
            limited, _ = self.score("-f", file, "--ctx", 17, "--limit", "4")
            self.assertEqual((limited["tokens"], limited["chunks"]), (64, 4))

    def test_stories_are_split_at_separator_lines_only(self):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "stories.txt"
            file.write_text("\n\n  One day.\n \n<|endoftext|>\r\n<|endoftext|>\nTwo <|endoftext|> days.")
            score, _ = self.score("-f", file, "--stories")
            self.assertEqual(score["stories"], 2)
            self.assertEqual(score["bytes"], len("One day.") + len("Two <|endoftext|> days."))

    def test_text_output_has_the_same_figures(self):
        args = ("perplexity", "-m", MODEL, "-f", VALID, "--stories", "--limit", "2")
        score, raw = self.score(*args[3:])
        lines = dict(line.split() for line in self.ok(*args).stdout.decode().splitlines())
        self.assertEqual(lines["tokens"], str(score["tokens"]))
        self.assertEqual(lines["stories"], "2")
        self.assertIn('"nats_per_token":' + lines["nats_per_token"] + ",", raw)
        self.assertIn('"bits_per_byte":' + lines["bits_per_byte"] + ",", raw)


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: cli_test.py PATH_OF_BITNET [unittest options]")
    BITNET = str(Path(sys.argv.pop(1)).resolve())
    for needed in (MODEL, REFERENCE, VALID):
        if not needed.exists():
            print(f"SKIPPED: no test data {needed} (set BITNET_TEST_DATA)", file=sys.stderr)
            sys.exit(77)
    unittest.main()
