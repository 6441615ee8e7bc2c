"""The sampling options of `bitnet run` and --logprobs. Usage:
sampling_cli_test.py PATH_OF_BITNET [unittest options]

Needs the data of cli_test.py, whose helpers it uses; without it exits with 77, which ctest reports as skipped.
"""

import sys
import unittest
from pathlib import Path

import cli_test
from cli_test import MODEL


class Sampling(cli_test.CliTest):
    def greedy(self, *args):
        return self.ok_json("run", "-m", MODEL, "--temp", "0", *args)

    def test_sampling_options_do_what_they_say(self):
        greedy = self.greedy("-n", "30")["ids"]
        self.assertEqual(self.ok_json("run", "-m", MODEL, "-n", "30", "--top-k", "1")["ids"], greedy)
        self.assertEqual(self.ok_json("run", "-m", MODEL, "-n", "30", "--top-p", "0")["ids"], greedy)
        self.assertEqual(self.ok_json("run", "-m", MODEL, "-n", "30", "--min-p", "1")["ids"], greedy)
        self.assertEqual(self.ok_json("run", "-m", MODEL, "-n", "30", "--temp", "1e-6")["ids"], greedy)
        self.assertNotEqual(self.greedy("-n", "30", "--repeat-penalty", "3")["ids"], greedy)
        self.assertEqual(self.ok_json("run", "-m", MODEL, "-n", "30", "--typical-p", "0", "--top-k", "1")["ids"], greedy)
        self.assertEqual(self.ok_json("run", "-m", MODEL, "-n", "30", "--top-n-sigma", "1e-6")["ids"], greedy)
        self.assertEqual(self.greedy("-n", "30", "--repeat-penalty", "3", "--repeat-last-n", "0")["ids"], greedy)
        for option in ("--frequency-penalty", "--presence-penalty"):
            self.assertNotEqual(self.greedy("-n", "30", option, "9", "--repeat-last-n", "-1")["ids"], greedy, option)

    def test_each_sampling_step_changes_the_text_and_a_seed_repeats_it(self):
        def ids(*args):
            return self.ok_json("run", "-m", MODEL, "-p", "One day", "-n", "60", "--seed", "7", *args)["ids"]

        seen = [ids()]
        for step in (("--xtc-probability", "0.5", "--xtc-threshold", "0.05"), ("--dynatemp-range", "0.6"),
                     ("--dynatemp-range", "0.6", "--dynatemp-exponent", "3"), ("--top-n-sigma", "0.5"),
                     ("--mirostat", "1", "--mirostat-tau", "1"), ("--mirostat", "2", "--mirostat-tau", "1"),
                     ("--mirostat", "2", "--mirostat-tau", "1", "--mirostat-eta", "0.9"),
                     ("--dry-multiplier", "3", "--dry-allowed-length", "1")):
            with self.subTest(step=step):
                found = ids(*step)
                self.assertEqual(ids(*step), found)
                self.assertNotIn(found, seen)
                seen.append(found)

    def test_dry_ends_a_loop_and_breakers_end_repetitions(self):
        prompt = "Lily" + " ran and" * 5
        plain = self.greedy("-p", prompt, "-n", "12")["text"]
        dry = ("-p", prompt, "-n", "12", "--dry-multiplier", "50")
        weakened = self.greedy(*dry)["text"]
        self.assertNotEqual(weakened, plain)
        # Where every letter breaks, nothing is ever repeated.
        letters = [part for letter in "abcdefghijklmnopqrstuvwxyz. " for part in ("--dry-breaker", letter)]
        self.assertEqual(self.greedy(*dry, *letters)["text"], plain)
        self.assertEqual(self.greedy(*dry, "--dry-breaker", "")["text"], weakened)
        self.assertEqual(self.greedy(*dry, "--dry-penalty-last-n", "0")["text"], plain)
        self.assertEqual(self.greedy(*dry, "--dry-allowed-length", "500")["text"], plain)

    def test_logprobs_of_each_token_and_the_best_ones(self):
        args = ("-p", "Once upon a time", "-n", "20", "--seed", "3", "--temp", "1.4")
        plain = self.ok_json("run", "-m", MODEL, *args)
        self.assertNotIn("logprobs", plain)
        found = self.ok_json("run", "-m", MODEL, *args, "--logprobs", "20")
        self.assertEqual(found["ids"], plain["ids"])
        self.assertEqual([item["id"] for item in found["logprobs"]], plain["ids"])
        self.assertEqual("".join(item["text"] for item in found["logprobs"]), plain["text"])
        for item in found["logprobs"]:
            self.assertEqual(len(item["top"]), 20)
            values = [entry["logprob"] for entry in item["top"]]
            self.assertEqual(values, sorted(values, reverse=True))
            self.assertLess(sum(2.718281828 ** value for value in values), 1 + 1e-6)
            for entry in item["top"]:
                if entry["id"] == item["id"]:
                    self.assertEqual((entry["text"], entry["logprob"]), (item["text"], item["logprob"]))
        greedy = self.greedy("-n", "5", "--logprobs", "1")
        for item in greedy["logprobs"]:
            self.assertEqual(item["top"], [{key: item[key] for key in ("id", "text", "logprob")}])
        self.fails(2, "--json", "run", "-m", MODEL, "--logprobs", "3")
        self.fails(1, "n_logprobs = 21", "run", "-m", MODEL, "--json", "--logprobs", "21")

    def test_impossible_parameters_are_one_line_errors(self):
        for option, parameter, value in (
                ("--typical-p", "typical_p", "2"), ("--frequency-penalty", "frequency_penalty", "nan"),
                ("--presence-penalty", "presence_penalty", "inf"), ("--repeat-last-n", "penalty_last_n", "-2"),
                ("--xtc-probability", "xtc_probability", "1.5"), ("--xtc-threshold", "xtc_threshold", "-1"),
                ("--dry-multiplier", "dry_multiplier", "-1"), ("--dry-base", "dry_base", "0.5"),
                ("--dry-allowed-length", "dry_allowed_length", "0"),
                ("--dry-penalty-last-n", "dry_penalty_last_n", "1048577"),
                ("--dynatemp-range", "dynatemp_range", "-1"), ("--dynatemp-exponent", "dynatemp_exponent", "0"),
                ("--top-n-sigma", "top_n_sigma", "-1"), ("--mirostat", "mirostat", "3"),
                ("--mirostat-tau", "mirostat_tau", "-1"), ("--mirostat-eta", "mirostat_eta", "nan")):
            self.fails(1, f"sampler parameter {parameter} is ", "run", "-m", MODEL, option, value)


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: sampling_cli_test.py PATH_OF_BITNET [unittest options]")
    cli_test.BITNET = str(Path(sys.argv.pop(1)).resolve())
    if not MODEL.exists():
        print(f"SKIPPED: no test data {MODEL} (set BITNET_TEST_DATA)", file=sys.stderr)
        sys.exit(77)
    unittest.main()
