"""Runs `bitnet bench` on small models: what it prints must fit together. Never how fast anything is.

    bench_cli_test.py PATH_OF_BITNET [unittest options]
"""

import csv
import io
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
MODEL = ROOT / "tests/golden/b158-i2s.gguf"
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("BITNET_")}
BITNET = ""
THREADS = 1  # 2 where the machine has them
QUICK = ("--limit-ms", "1", "--limit-mib", "1")
TINY = ("--synthetic", "tiny", *QUICK)


class Folder(unittest.TestCase):
    """Each test has a folder for its files, which is also where temporary ones go."""

    def setUp(self):
        self.temp = tempfile.TemporaryDirectory()
        self.addCleanup(self.temp.cleanup)
        self.folder = Path(self.temp.name)
        self.scratch = self.folder / "tmp"
        self.scratch.mkdir()
        self.environment = {**ENVIRONMENT, "TMPDIR": str(self.scratch)}

    def run_bench(self, *args, **more):
        return subprocess.run([BITNET, "bench", *map(str, args)], capture_output=True, timeout=300, check=False,
                              stdin=subprocess.DEVNULL, env=self.environment, **more)

    def ok(self, *args):
        result = self.run_bench(*args)
        self.assertEqual(result.returncode, 0, result.stderr.decode(errors="replace"))
        self.assertEqual(result.stderr, b"")
        self.assertEqual(list(self.scratch.iterdir()), [], "a temporary file was left behind")
        return result.stdout.decode()

    def report(self, *args):
        text = self.ok(*args, "--json")
        self.assertEqual(text.count("\n"), 1, "one line of JSON")
        return json.loads(text)

    def refused(self, pattern, *args, code=2):
        result = self.run_bench(*args)
        self.assertEqual(result.returncode, code, result)
        self.assertEqual(result.stdout, b"")
        self.assertEqual(result.stderr.count(b"\n"), 1, result.stderr)
        self.assertIn(pattern, result.stderr.decode())
        self.assertEqual(list(self.scratch.iterdir()), [])

    def near(self, left, right):
        self.assertAlmostEqual(left, right, delta=1e-9 * max(abs(left), abs(right)))


class Models(Folder):
    def check_result(self, result, limits):
        samples = result["samples"]
        self.near(result["tokens_per_second"], statistics.median(samples))
        self.near(result["spread"], statistics.stdev(samples) if len(samples) > 1 else 0)
        limit = limits[result["threads"]]
        for rate, share, bound in (("bytes_per_second", "memory_share", "read_bytes_per_second"),
                                   ("int8_ops_per_second", "int8_share", "int8_ops_per_second")):
            per_token = result["bytes_per_token" if rate.startswith("bytes") else "int8_ops_per_token"]
            self.near(result[rate], per_token * result["tokens_per_second"])
            self.near(result[share], result[rate] / limit[bound])

    def test_each_test_has_a_result_whose_numbers_follow_from_the_model_and_the_limits(self):
        file = self.folder / "tiny.gguf"
        report = self.report(*TINY, "--save", file, "-p", "16,3", "-n", "2", "-d", "8,0", "-t", f"{THREADS},1", "-b", "3,1", "-r", "2")
        self.assertEqual(report["schema"], "bitnet-bench/1")
        self.assertFalse(report["interrupted"])
        limits = {limit["threads"]: limit for limit in report["limits"]}
        self.assertEqual(sorted(limits), sorted({1, THREADS}))
        for limit in limits.values():
            self.assertGreaterEqual(limit["read_bytes_per_second"], limit["plain_read_bytes_per_second"])
            self.assertGreater(limit["int8_ops_per_second"], 0)
            self.assertEqual(limit["bytes"], 1 << 20)
        wanted = [(threads, batch, depth, test) for threads in sorted({1, THREADS}) for batch in (1, 3) for depth in (0, 8)
                  for test in (("pp3", "pp16", "tg2") if batch == 1 else ("tg2",))]
        self.assertEqual([(r["threads"], r["batch"], r["depth"], r["test"]) for r in report["results"]], wanted)

        tensors = json.loads(subprocess.run([BITNET, "inspect", file, "--json"], capture_output=True, check=True,
                                            env=self.environment).stdout)["tensors"]
        sizes = {tensor["name"]: tensor for tensor in tensors}
        head = sizes["token_embd.weight"]
        self.assertEqual((report["model"]["head_type"], head["type"]), ("q8_0", "q8_0"))
        model = report["model"]
        cell = 2 * 2 * model["n_head_kv"] * model["head_dim"] * model["n_layer"]
        products = sum(2 * t["shape"][0] * t["shape"][1] for t in tensors if t["type"] == "i2_s")
        for result in report["results"]:
            self.check_result(result, limits)
            self.assertEqual(len(result["samples"]), 2)
            self.assertEqual(result["head_bytes"], head["shape"][0] * head["shape"][1] // 32 * 34)
            layers = result["layer_bytes"]
            self.assertGreaterEqual(layers, products // 2 // 4)  # two bits a weight, and norms
            self.near(result["int8_ops_per_token"], products)
            n, depth, batch = result["tokens"], result["depth"], result["batch"]
            if result["test"].startswith("pp"):
                cells, reads = depth + n + n, 1
            else:
                cells, reads = batch * sum(depth + i + 2 for i in range(n)), n
            self.near(result["kv_bytes_per_token"], cell * cells / (n * batch))
            self.near(result["bytes_per_token"], (reads * (layers + result["head_bytes"]) + cell * cells) / (n * batch))
        memory = report["memory"]
        self.assertTrue(memory["peak_bytes"] is None or memory["peak_bytes"] > memory["weight_bytes"])
        self.assertGreater(report["load"]["first_token_ms"], report["load"]["load_ms"])
        self.assertEqual(report["load"]["prompt_tokens"], 5)

    def test_all_forms_show_the_same_results(self):
        stored = self.folder / "run.json"
        stored.write_text(self.ok(*TINY, "-p", "8", "-n", "2", "-t", "1", "-b", "1,2", "-r", "3", "--json"), encoding="utf-8")
        report = json.loads(stored.read_text(encoding="utf-8"))
        self.assertEqual(self.ok("--from", stored, "--json"), stored.read_text(encoding="utf-8"))
        rows = list(csv.DictReader(io.StringIO(self.ok("--from", stored, "--csv"))))
        self.assertEqual(len(rows), 3)
        for row, result in zip(rows, report["results"], strict=True):
            for key, text in row.items():
                value = result[key]
                self.assertEqual(text, "" if value is None else value if isinstance(value, str) else json.dumps(value), key)
        markdown, text = self.ok("--from", stored, "--md"), self.ok("--from", stored)
        table = [[cell.strip() for cell in line.strip("|").split("|")] for line in markdown.splitlines() if line.startswith("|")]
        self.assertEqual(table[0][:6], ["test", "threads", "batch", "depth", "tokens/s", "+-"])
        for cells, result in zip(table[2:], report["results"], strict=True):
            shown = dict(zip(table[0], cells, strict=True))
            self.assertEqual(shown["test"], result["test"])
            self.assertEqual(shown["tokens/s"], f"{result['tokens_per_second']:.2f}")
            self.assertEqual(shown["+-"], f"{result['spread']:.2f}")
            self.assertEqual(shown["MB/token"], f"{result['bytes_per_token'] / 1e6:.2f}")
            self.assertEqual(shown["of memory"], f"{100 * result['memory_share']:.1f} %")
            self.assertEqual(shown["TOPS"], f"{result['int8_ops_per_second'] / 1e12:.3f}")
            self.assertEqual(shown["of int8"], f"{100 * result['int8_share']:.1f} %")
            self.assertTrue(any(line.split()[:5] == cells[:5] for line in text.splitlines()), cells)
        for head in ("machine: ", "model: synthetic tiny, i2_s by ", "load: ", "memory: ", "limits with 1 threads: "):
            self.assertIn("\n" + head, "\n" + text)
            self.assertIn("\n- " + head, "\n" + markdown)

    def test_a_test_of_no_tokens_is_left_out(self):
        self.assertEqual([r["test"] for r in self.report(*TINY, "-p", "0", "-n", "2", "-t", "1", "-r", "1")["results"]], ["tg2"])
        self.assertEqual([r["test"] for r in self.report(*TINY, "-p", "4", "-n", "0", "-t", "1", "-r", "1")["results"]], ["pp4"])
        # A prompt is of one sequence, whatever generates.
        report = self.report(*TINY, "-p", "4", "-n", "2", "-b", "2", "-t", "1", "-r", "1")
        self.assertEqual([(r["test"], r["batch"]) for r in report["results"]], [("pp4", 1), ("tg2", 2)])

    def test_head_kernel_file_and_the_model_inside_are_taken(self):
        few = ("-p", "0", "-n", "1", "-t", "1", "-r", "1")
        for head in ("f16", "q6_k"):
            self.assertEqual(self.report(*TINY, *few, "--head", head)["model"]["head_type"], head)
        forced = self.report(*QUICK, *few, "-m", MODEL, "--kernel", "scalar")
        self.assertEqual(forced["model"]["kernel"], "i2s_scalar")
        self.assertEqual(forced["limits"][0]["int8_level"], "scalar")
        self.assertIsNone(forced["model"]["synthetic"])
        self.assertEqual(self.report(*QUICK, *few)["model"]["label"], "the default model")

    def test_without_limits_there_are_no_shares(self):
        report = self.report("--synthetic", "tiny", "--limit-ms", "0", "-p", "4", "-n", "2", "-t", "1", "-r", "1")
        self.assertEqual(report["limits"], [])
        for result in report["results"]:
            self.assertIsNone(result["memory_share"])
            self.assertIsNone(result["int8_share"])
        self.assertIsNotNone(report["memory"]["peak_bytes"])

    def test_joules_come_from_the_packages_counters_or_are_said_to_be_absent(self):
        args = (*TINY, "-p", "0", "-n", "50", "-t", "1", "-r", "3", "--powercap", self.folder / "power")
        report = self.report(*args)
        self.assertIsNone(report["results"][0]["joules_per_token"])
        self.assertTrue(any(note.startswith("no joules per token: ") for note in report["notes"]), report["notes"])
        for name, counter in (("package-0", "a"), ("core", "b")):  # cores are part of their package
            (self.folder / "power" / counter).mkdir(parents=True)
            (self.folder / "power" / counter / "name").write_text(name + "\n", encoding="utf-8")
            (self.folder / "power" / counter / "max_energy_range_uj").write_text("1000000000000\n", encoding="utf-8")
        for counter in ("a", "b"):
            (self.folder / "power" / counter / "energy_uj").write_text("5000000\n", encoding="utf-8")
        report = self.report(*args)
        self.assertEqual(report["results"][0]["joules_per_token"], 0)
        self.assertFalse(any("joules" in note for note in report["notes"]))

        stop = threading.Event()

        def count():
            n = 0
            while not stop.is_set():
                n += 1000000
                part = self.folder / "power/part"
                part.write_text(f"{n}\n", encoding="utf-8")
                part.replace(self.folder / "power/a/energy_uj")

        counting = threading.Thread(target=count)
        counting.start()
        try:
            # On a busy machine the counter may stand still for the milliseconds of one run.
            self.assertTrue(any(self.report(*args)["results"][0]["joules_per_token"] > 0 for _ in range(20)))
        finally:
            stop.set()
            counting.join()

    def test_an_interrupt_shows_what_was_measured_and_leaves_no_file(self):
        file = self.folder / "saved.gguf"
        args = [BITNET, "bench", *TINY, "-p", "0", "-n", "500", "-t", "1", "-r", "1000", "--json", "--save", file]
        for seconds in (0.7, 3, 10):  # on a busy machine the first may come before anything was measured
            file.unlink(missing_ok=True)
            with subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment) as process:
                while not file.exists() and process.poll() is None:  # from then on a signal is noted for sure
                    time.sleep(0.01)
                time.sleep(seconds)
                process.send_signal(signal.SIGINT)
                out, err = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 130, err)
            self.assertEqual(err, b"")
            self.assertEqual(list(self.scratch.iterdir()), [])
            if out:
                break
        report = json.loads(out)
        self.assertTrue(report["interrupted"])
        self.assertIn("interrupted: some results are missing", report["notes"])
        self.assertEqual(len(report["results"]), 1)
        result = report["results"][0]
        self.assertTrue(0 < len(result["samples"]) < 1000)
        self.check_result(result, {limit["threads"]: limit for limit in report["limits"]})

    def test_wrong_options_are_one_line(self):
        for pattern, *args in (("leave nothing to measure", "-p", "0", "-n", "0"), ("-p", "-p", "x"), ("--generate", "-n", "-1"),
                               ("-t", "-t", "0"), ("this process may use", "-t", "1024"), ("-b", "-b", "1,x"), ("-d", "-d", "010x"), ("-r", "-r", "0"),
                               ("--synthetic", "--synthetic", "huge"), ("--head", "--synthetic", "tiny", "--head", "i2_s"),
                               ("exclude", "-m", MODEL, "--synthetic", "tiny"), ("--save", "--save", "x.gguf"),
                               ("no kernel or level 'mmx'", "--kernel", "mmx"), ("--csv", "--json", "--csv"),
                               ("--md", "--csv", "--md"),
                               ("context of", *TINY, "-d", "1000000", "-b", "4096")):
            with self.subTest(args=args):
                self.refused(pattern, *args)
        for pattern, *args in (("no/such.gguf", "-m", "no/such.gguf"), ("no/such.json", "--from", "no/such.json"),
                               ("3200", "--synthetic", "3b", "--head", "q6_k"),
                               ("no/", *TINY, "--save", self.folder / "no/such.gguf")):
            with self.subTest(args=args):
                self.refused(pattern, *args, code=1)

    def test_what_is_no_report_is_not_shown(self):
        path = self.folder / "x.json"
        for text in ("", "[]", "{}", '{"schema": 1}', '{"schema": "other"}', '{"schema": "bitnet-bench/1"}',
                     '{"schema": "bitnet-bench/1", "machine": 3, "limits": [], "results": [{}], "notes": []}'):
            path.write_text(text, encoding="utf-8")
            for form in ((), ("--csv",), ("--md",)):
                with self.subTest(text=text, form=form):
                    self.refused("", "--from", path, *form, code=1)


class Kernels(Folder):
    def kernels(self):
        rows = json.loads(subprocess.run([BITNET, "kernels", "--json"], capture_output=True, check=True,
                                         env=self.environment).stdout)
        return [row for row in rows if row["runnable"]]

    def test_each_kernel_that_runs_here_is_timed_over_the_shapes_of_a_model(self):
        report = self.report("--kernels", *TINY, "--kernel-ms", "0", "-b", "1,2", "-p", "8", "-t", f"1,{THREADS}")
        self.assertEqual(report["schema"], "bitnet-bench-kernels/1")
        limits = {limit["threads"]: limit for limit in report["limits"]}
        types = {"i2_s", "tq1_0", "tq2_0", "f16", "q8_0", "q6_k", "f32"}
        wanted = {row["name"] for row in self.kernels() if row["type"] in types and (row["vector"] or row["type"] != "f32")}
        self.assertEqual({result["kernel"] for result in report["results"]}, wanted)
        for result in report["results"]:
            self.assertGreaterEqual(result["median_us"], result["best_us"])
            self.near(result["bytes_per_second"], result["bytes"] / max(result["median_us"] * 1e-6, 1e-9))
            if result["operation"] == "mul_mat":
                self.assertEqual(result["ops"], 2 * result["k"] * result["rows"] * result["columns"])
                self.near(result["memory_share"], result["bytes_per_second"] / limits[result["threads"]]["read_bytes_per_second"])
            ternary = result["type"] in ("i2_s", "tq1_0", "tq2_0") and result["operation"] == "mul_mat"
            self.assertEqual(result["int8_share"] is not None, ternary, result)
        matrices = {(r["k"], r["rows"], r["columns"]) for r in report["results"]
                    if r["kernel"] == "i2s_scalar" and r["operation"] == "mul_mat"}
        self.assertEqual(matrices, {(k, rows, columns) for k, rows in ((256, 256), (256, 128), (256, 512), (512, 256))
                                    for columns in (1, 2, 8)})
        self.assertIn("attend", {r["operation"] for r in report["results"]})

    def test_one_level_one_kernel_or_the_types_of_a_file(self):
        quick = ("--kernels", *QUICK, "--kernel-ms", "0", "-b", "1", "-p", "0", "-t", "1")
        report = self.report(*quick, "--synthetic", "tiny", "--kernel", "scalar")
        self.assertEqual({result["level"] for result in report["results"]}, {"scalar"})
        report = self.report(*quick, "-m", MODEL, "--kernel", "i2s_scalar")
        self.assertEqual({result["kernel"] for result in report["results"]}, {"i2s_scalar"})
        tensors = json.loads(subprocess.run([BITNET, "inspect", MODEL, "--json"], capture_output=True, check=True,
                                            env=self.environment).stdout)["tensors"]
        self.assertEqual({(r["k"], r["rows"]) for r in report["results"] if r["operation"] == "mul_mat"},
                         {tuple(t["shape"][:2]) for t in tensors if t["type"] == "i2_s"})
        stored = self.folder / "kernels.json"
        stored.write_text(json.dumps(report), encoding="utf-8")
        rows = list(csv.DictReader(io.StringIO(self.ok("--from", stored, "--csv"))))
        self.assertEqual([float(row["median_us"]) for row in rows], [r["median_us"] for r in report["results"]])
        self.assertIn("| kernel", self.ok("--from", stored, "--md"))
        self.assertIn("i2s_scalar", self.ok("--from", stored))


if __name__ == "__main__":
    BITNET = str(Path(sys.argv.pop(1)).resolve())
    machine = subprocess.run([BITNET, "devices", "--json"], capture_output=True, check=True, env=ENVIRONMENT).stdout
    THREADS = min(2, json.loads(machine)["devices"][0]["max_threads"])
    unittest.main()
