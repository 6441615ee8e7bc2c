"""Runs `bitnet fetch`, `bitnet cache` and `--hf` against a hub on this machine that cuts, stalls, lies, redirects and worse.

    hub_test.py PATH_OF_BITNET [unittest options]
"""

import json
import resource
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))
import hub_fixture  # noqa: E402
from hub_fixture import COMMIT, DATA, REPO, TOKEN, HubTest, fast  # noqa: E402

TINY = ROOT / "tests/golden/b158-i2s.gguf"


class Downloads(HubTest):
    # What goes well.

    def test_a_model_is_downloaded_once(self):
        hub = self.hub()
        path = self.assert_fetched(self.fetch(hub))
        self.assertEqual(path, self.cache / "models--acme--tiny-1.58-gguf" / "snapshots" / COMMIT / "tiny-i2_s.gguf")
        self.assertEqual(len(hub.asked()), 1)
        self.assertEqual(self.assert_fetched(self.fetch(hub)), path)
        self.assertEqual(len(hub.asked()), 1, "the second time only the commit is asked for")
        self.assertEqual(len(hub.asked("list")), 2)
        self.assert_fetched(self.fetch(hub, REPO, "--revision", COMMIT))
        self.assertEqual(len(hub.asked("list")), 2, "a commit always means the same files")

    def test_json_tells_what_was_fetched(self):
        hub = self.hub()
        told = json.loads(self.fetch(hub, REPO, "--json").stdout)
        self.assertEqual((told["repo"], told["commit"]), (REPO, COMMIT))
        self.assertEqual(told["files"], [{"name": "tiny-i2_s.gguf", "path": told["path"], "n_bytes": len(DATA),
                                          "sha256": hub_fixture.sha256(DATA), "cached": False}])

    def test_run_loads_a_model_of_the_hub(self):
        hub = self.hub({"README.md": b"hello", "model.gguf": TINY.read_bytes()})
        options = ("-p", "a", "-n", 8, "--temp", 0, "-t", 1)
        expected = self.bitnet(None, "run", "-m", TINY, *options)
        self.assertEqual(self.bitnet(hub, "run", "--hf", REPO, *options).stdout, expected.stdout)
        self.assertNotEqual(expected.stdout, "")
        n = len(hub.requests)
        self.assertEqual(self.bitnet(hub, "run", "--hf", REPO, "--offline", *options).stdout, expected.stdout)
        self.assertEqual(len(hub.requests), n)
        both = self.bitnet(hub, "run", "--hf", REPO, "-m", TINY, *options)
        self.assertEqual(both.returncode, 2)

    def test_all_parts_of_a_split_model_come(self):
        parts = {f"q/big-i2_s-0000{i}-of-00003.gguf": bytes([i]) * 1000 for i in (1, 2, 3)}
        hub = self.hub({**parts, "big-f16.gguf": b"f16"})
        path = self.assert_fetched(self.fetch(hub), b"\1" * 1000)
        for name, data in parts.items():
            self.assertEqual((path.parent.parent / name).read_bytes(), data)
        self.assertFalse((path.parent.parent / "big-f16.gguf").exists())
        del hub.files["q/big-i2_s-00002-of-00003.gguf"]
        self.assertIn("part 2 of 3", self.fetch(hub).stderr)

    def test_a_file_of_any_kind_is_checked_by_gits_hash(self):
        hub = self.hub({"config.json": b'{"a": 1}'})
        self.assert_fetched(self.fetch(hub, REPO, "--file", "config.json"), b'{"a": 1}')
        hub.files["generation.json"] = b"{}"
        hub.more_listing = {"siblings": [{"rfilename": "generation.json", "size": 2, "blobId": "1" * 40}]}
        result = self.fetch(hub, REPO, "--file", "generation.json")
        self.assertEqual(result.returncode, 1)
        self.assertIn("git hash", result.stderr)

    def test_hugging_faces_own_cache_is_read_and_never_written(self):
        hub = self.hub()
        theirs = Path(self.folder.name) / "hf" / "hub" / ("models--" + REPO.replace("/", "--"))
        for name, data in (("refs/main", COMMIT.encode()), (f"snapshots/{COMMIT}/tiny-i2_s.gguf", DATA)):
            (theirs / name).parent.mkdir(parents=True)
            (theirs / name).write_bytes(data)
        home = str(Path(self.folder.name) / "hf")
        result = self.fetch(hub, HF_HOME=home)
        self.assertEqual(result.stdout.strip(), str(theirs / "snapshots" / COMMIT / "tiny-i2_s.gguf"))
        self.assertEqual(hub.asked(), [])
        self.assertEqual(self.fetch(None, REPO, "--offline", HF_HOME=home).stdout, result.stdout)
        self.assertFalse(self.cache.exists())

    def test_the_tokenizer_of_a_model_without_one_is_fetched_and_checked(self):
        stories = (ROOT / "examples/stories/tokenizer.json").read_bytes()
        hub = self.hub({"tokenizer.json": stories, "tokenizer_config.json": b"{}"})
        model, table = Path(self.folder.name) / "model.gguf", Path(self.folder.name) / "table.json"
        text = lambda value: struct.pack("<Q", len(value)) + value  # noqa: E731
        n_vocab = sum(len(part) for part in (json.loads(stories)["model"]["vocab"], json.loads(stories)["added_tokens"]))
        model.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 2) + text(b"general.architecture") + struct.pack("<I", 8) +
                          text(b"llama") + text(b"llama.vocab_size") + struct.pack("<II", 4, n_vocab))
        row = {"name": "stories", "repo": REPO, "files": ["tokenizer.json", "tokenizer_config.json"], "cache_key": "stories"}
        table.write_text(json.dumps({"tokenizers": [{**row, "expected_vocab": n_vocab}]}), encoding="utf-8")
        arguments = ("fetch", "--tokenizer", model, "--table", table, *fast())
        self.assert_fails(self.bitnet(hub, *arguments, "--offline"), "offline")
        first = self.bitnet(hub, *arguments)
        path = self.assert_fetched(first, stories)
        self.assertEqual(sorted(file.name for file in path.parent.iterdir()), ["tokenizer.json", "tokenizer_config.json"])
        again = self.bitnet(hub, *arguments, "--offline")
        self.assertEqual(again.stdout, first.stdout)
        self.assertIn("nothing to download", again.stderr)
        self.assertEqual(len(hub.asked()), 2)
        embedded = self.bitnet(hub, "fetch", "--tokenizer", TINY)
        self.assertEqual(embedded.stdout.strip(), str(TINY))
        self.assertEqual(self.bitnet(hub, "cache", "clear", REPO).returncode, 0)
        hub.files["tokenizer.json"] = stories.replace(b'"model"', b'"molde"')
        wrong = self.bitnet(hub, *arguments)
        self.assertEqual((wrong.returncode, wrong.stdout), (1, ""))
        self.assertIn("tokenizer.json", wrong.stderr)
        self.assertEqual(self.bitnet(hub, "fetch").returncode, 2)
        self.assertEqual(self.bitnet(hub, "fetch", REPO, "--tokenizer", model).returncode, 2)

    # What is cut, stalls or lies.

    def test_a_cut_download_goes_on_where_it_was(self):
        hub = self.hub()
        cuts = []

        def behave(handler, kind):
            if kind == "file" and len(cuts) < 2:
                cuts.append(1)
                handler.send_file(handler.path, most=100_000)
                return True

        hub.behave = behave
        result = self.fetch(hub)
        self.assert_fetched(result)
        ranges = [headers.get("Range") for _, headers in hub.asked()]
        self.assertEqual(ranges, [None, "bytes=100000-", "bytes=200000-"])
        self.assertEqual(hub.asked()[1][1]["If-Range"], f'"{hub_fixture.sha256(DATA)}"')
        self.assertEqual(hub.n_sent, len(DATA), "no byte was sent twice")
        self.assertIn("trying again", result.stderr)

    def test_a_server_that_ignores_ranges_is_asked_for_everything(self):
        hub = self.hub()

        def behave(handler, kind):
            if kind == "file":
                handler.send_file(handler.path, most=100_000 if len(hub.asked()) == 1 else None, honour_range=False)
                return True

        hub.behave = behave
        self.assert_fetched(self.fetch(hub))
        self.assertEqual(len(hub.asked()), 2)

    def test_cuts_at_the_same_byte_end_in_an_error(self):
        hub = self.hub()
        hub.behave = lambda handler, kind: kind == "file" and (
            handler.send_file(handler.path, most=150_000, honour_range=False) or True)
        self.assert_fails(self.fetch(hub), "gave up after 3 retries")
        self.assertEqual(len(hub.asked()), 4, "the first and three retries, which bring nothing new")

    def test_a_file_that_changes_midway_is_begun_anew(self):
        for obeys_if_range in (True, False):
            with self.subTest(obeys_if_range=obeys_if_range):
                hub = self.hub()

                def behave(handler, kind):
                    if kind != "file":
                        return False
                    if len(hub.asked()) == 1:
                        hub.files["tiny-i2_s.gguf"] = b"x" * len(DATA)  # the old one
                        handler.send_file(handler.path, most=100_000, etag='"old"')
                        hub.files["tiny-i2_s.gguf"] = DATA
                        return True
                    if not obeys_if_range:
                        del handler.headers["If-Range"]
                    handler.send_file(handler.path, etag='"new"')
                    return True

                hub.behave = behave
                self.assert_fetched(self.fetch(hub))
                self.assertEqual(self.bitnet(hub, "cache", "clear", "--all").returncode, 0)

    def test_a_stall_ends_and_the_rest_is_asked_for(self):
        hub = self.hub()
        over = threading.Event()
        self.addCleanup(over.set)

        def behave(handler, kind):
            if kind == "file" and len(hub.asked()) == 1:
                handler.send_file(handler.path, most=100_000)
                handler.wfile.flush()
                over.wait(20)
                return True

        hub.behave = behave
        result = self.fetch(hub)
        self.assert_fetched(result)
        self.assertIn("stalled", result.stderr)
        self.assertEqual(hub.n_sent, len(DATA))

    def test_a_trickle_is_a_stall_too(self):
        hub = self.hub()
        over = threading.Event()
        self.addCleanup(over.set)

        def behave(handler, kind):
            if kind == "file":
                handler.send_file(handler.path, most=0)
                while not over.wait(0.02):
                    handler.wfile.write(b"x")
                    handler.wfile.flush()
                return True

        hub.behave = behave
        self.assert_fails(self.fetch(hub, REPO, "--retries", "0"), "less than a kilobyte")

    def test_a_server_that_says_nothing_is_given_up(self):
        hub = self.hub()
        over = threading.Event()
        self.addCleanup(over.set)
        hub.behave = lambda handler, kind: over.wait(20) or True
        self.assert_fails(self.fetch(hub, REPO, "--retries", "1"), "stalled", "gave up after 1")
        self.assertEqual(len(hub.asked("list")), 2)

    def test_lengths_that_are_lies(self):
        def too_short(handler):
            handler.answer(200, DATA[:1000])

        def endless(handler):
            handler.send_response(200)
            handler.send_header("Transfer-Encoding", "chunked")
            handler.end_headers()
            while True:
                handler.wfile.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")

        def cut_without_length(handler):
            handler.send_response(200)
            handler.end_headers()
            handler.wfile.write(DATA[:1000])

        def other_part(handler):
            handler.answer(206, DATA[5:], {"Content-Range": f"bytes 5-{len(DATA) - 1}/{len(DATA)}"})

        def no_number(handler):
            handler.send_response(200)
            handler.send_header("Content-Length", "12x")
            handler.end_headers()

        for lie, word in ((too_short, "instead of"), (endless, "sends more than"), (cut_without_length, "ended after 1000 of"),
                          (other_part, "another part"), (no_number, "no number")):
            with self.subTest(lie=lie.__name__):
                hub = self.hub()
                hub.behave = lambda handler, kind, lie=lie: kind == "file" and (lie(handler) or True)
                self.assert_fails(self.fetch(hub), word)

    def test_a_wrong_hash_leaves_nothing(self):
        hub = self.hub()
        right = hub.listing()["siblings"]
        hub.more_listing = {"siblings": right}
        hub.files["tiny-i2_s.gguf"] = DATA[:-1] + b"!"
        self.assert_fails(self.fetch(hub), "SHA-256", "twice")
        self.assertEqual(self.incomplete(), 0)
        hub.files["tiny-i2_s.gguf"] = DATA
        self.assert_fetched(self.fetch(hub))

    def test_a_link_that_contradicts_the_list_is_refused(self):
        hub = self.hub()
        for fields in ({"X-Linked-Size": "17"}, {"X-Linked-Etag": '"' + "0" * 64 + '"'}):
            hub.behave = lambda handler, kind, fields=fields: kind == "file" and (
                handler.answer(302, fields={"Location": "/cdn" + handler.path, **fields}) or True)
            self.assert_fails(self.fetch(hub), "by its link")

    # Redirects and the token.

    def test_a_redirect_within_the_hub_is_followed(self):
        hub = self.hub()
        hub.behave = lambda handler, kind: kind == "file" and not handler.path.startswith("/cdn") and (
            handler.answer(307, fields={"Location": "/cdn" + handler.path, "X-Linked-Size": str(len(DATA)),
                                        "X-Linked-Etag": f'"{hub_fixture.sha256(DATA)}"'}) or True)
        self.assert_fetched(self.fetch(hub))

    def test_the_token_stays_with_the_hub(self):
        storage = self.hub()
        hub = self.hub()
        for host in ("127.0.0.1", "localhost"):
            target = f"http://{host}:{storage.port}"
            hub.behave = lambda handler, kind, target=target: kind == "file" and (
                handler.answer(302, fields={"Location": target + "/cdn" + handler.path}) or True)
            self.assert_fetched(self.fetch(hub, HF_TOKEN=TOKEN))
            self.assertEqual(self.bitnet(hub, "cache", "clear", REPO).returncode, 0)
        self.assertTrue(all(headers["Authorization"] == f"Bearer {TOKEN}" for _, headers in hub.requests))
        self.assertEqual(len(storage.requests), 2)
        for _, headers in storage.requests:
            self.assertNotIn("Authorization", headers)
            self.assertNotIn(TOKEN, str(headers))

    def test_the_token_is_not_sent_in_the_clear(self):
        result = self.fetch(None, REPO, HF_ENDPOINT="http://hub.example", HF_TOKEN=TOKEN)
        self.assert_fails(result, "without encryption", code=2)
        self.assert_fails(self.fetch(None, REPO, HF_TOKEN="a\nb"), "control characters", code=2)

    def test_redirects_without_end_or_elsewhere_are_refused(self):
        hub = self.hub()
        for location, word in (("{}", "more than 10 redirects"), ("ftp://127.0.0.1/x", "no https"), ("", "nowhere"),
                               ("http://user:pw@127.0.0.1/x", "names a user"), ("http://a b/", "spaces"),
                               ("file:///etc/passwd", "no https"), ("//[::1/x", "bracket")):
            with self.subTest(location=location):
                hub.behave = lambda handler, kind, to=location: kind == "file" and (
                    handler.answer(302, fields={"Location": to.format(handler.path)}) or True)
                self.assert_fails(self.fetch(hub), word)

    # Answers that are none.

    def test_refusals_are_told_with_what_to_do(self):
        hub = self.hub()
        for status, fields, words in ((401, {"X-Error-Code": "RepoNotFound"}, ("401", "RepoNotFound", "HF_TOKEN")),
                                      (403, {"X-Error-Code": "GatedRepo"}, ("403", "GatedRepo", "consent")),
                                      (404, {"X-Error-Code": "RevisionNotFound"}, ("404", "RevisionNotFound", "revision")),
                                      (418, {}, ("418",))):
            for kind_asked in ("list", "file"):
                with self.subTest(status=status, kind=kind_asked):
                    n = len(hub.asked(kind_asked))
                    hub.behave = lambda handler, kind, s=status, f=fields, k=kind_asked: kind == k and (
                        handler.answer(s, b"no", f) or True)
                    self.assert_fails(self.fetch(hub), *words)
                    self.assertEqual(len(hub.asked(kind_asked)), n + 1, "asking again would not help")

    def test_a_busy_or_broken_server_is_asked_again(self):
        for status in (429, 500, 503):
            for kind_asked in ("list", "file"):
                with self.subTest(status=status, kind=kind_asked):
                    hub = self.hub()
                    hub.behave = lambda handler, kind, s=status, k=kind_asked, h=hub: (
                        kind == k and len(h.asked(k)) <= 2 and (handler.answer(s, b"later") or True))
                    self.assert_fetched(self.fetch(hub))
                    self.assertEqual(self.bitnet(hub, "cache", "clear", "--all").returncode, 0)
        hub = self.hub()
        hub.behave = lambda handler, kind: kind == "file" and (handler.answer(503, b"never") or True)
        self.assert_fails(self.fetch(hub), "503", "gave up after 3 retries")
        self.assertEqual(len(hub.asked()), 4)

    def test_retry_after_is_obeyed(self):
        hub = self.hub()
        hub.behave = lambda handler, kind: kind == "file" and len(hub.asked()) == 1 and (
            handler.answer(429, b"later", {"Retry-After": "1"}) or True)
        start = time.monotonic()
        self.assert_fetched(self.fetch(hub))
        self.assertGreaterEqual(time.monotonic() - start, 1)

    def test_hostile_file_names_are_refused(self):
        for name in ("../../evil.gguf", "/etc/evil.gguf", "a/../b.gguf", "a//b.gguf", "./b.gguf", "a\nb.gguf", "a\x1b[2J.gguf",
                     "a\\b.gguf", "", "x" * 300 + ".gguf", "a/" * 600 + "b.gguf", "nul\0.gguf"):
            with self.subTest(name=name):
                hub = self.hub({name: DATA})
                self.assert_fails(self.fetch(hub), "not safe to write")
                self.assertEqual(hub.asked(), [])
                self.assertFalse(self.cache.exists())

    def test_lists_that_are_none_are_refused(self):
        entry = {"rfilename": "a.gguf", "size": 1, "lfs": {"sha256": "0" * 64}}
        lists = ((b"<html>", "no JSON"), (b"[]", "no object"), (b"{}", "no commit"), (b'{"sha":"../x"}', "no commit"),
                 (b"[" * 100_000, "nested"), (b" " * (9 << 20), "larger than 8 MiB"), (b'{"a":"\xff"}', "no JSON"),
                 ({"siblings": 3}, "siblings"), ({"siblings": [3]}, "no object"), ({"siblings": [entry, entry]}, "twice"),
                 ({"siblings": [{**entry, "size": -1}]}, "size"), ({"siblings": [{**entry, "size": 2 ** 60}]}, "size"),
                 ({"siblings": [{**entry, "lfs": {"sha256": "zz"}}]}, "SHA-256"),
                 ({"siblings": []}, "no GGUF file"))
        hub = self.hub()
        for body, word in lists:
            with self.subTest(word=word):
                data = body if isinstance(body, bytes) else json.dumps({"sha": COMMIT, **body}).encode()
                hub.behave = lambda handler, kind, data=data: handler.answer(200, data) or True
                self.assert_fails(self.fetch(hub), word)

    def test_heads_without_end_are_refused(self):
        def fields(handler):
            handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while True:
                handler.wfile.write(b"X-Padding: 1234567890\r\n" * 100)

        def line(handler):
            while True:
                handler.wfile.write(b"HTTP/1.1 200 " + b"O" * 10000)

        def framing(handler):
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:
                handler.wfile.write(b"1;" + b"x" * 10000)

        hub = self.hub()
        for nonsense, word in ((fields, "too long"), (line, "too long"), (framing, "all framing"),
                               (lambda handler: handler.wfile.write(b"SSH-2.0-x\r\n\r\n"), "no HTTP")):
            hub.behave = lambda handler, kind, nonsense=nonsense: nonsense(handler) or True
            self.assert_fails(self.fetch(hub, REPO, "--retries", "0"), word)

    def test_an_encoded_answer_is_refused(self):
        hub = self.hub()
        hub.behave = lambda handler, kind: kind == "file" and (
            handler.answer(200, b"x" * len(DATA), {"Content-Encoding": "gzip"}) or True)
        self.assert_fails(self.fetch(hub), "another encoding")
        self.assertEqual(hub.asked()[0][1]["Accept-Encoding"], "identity")

    # Several at once, and ends in the middle.

    def half_sent(self, hub):
        """Sends half of the file, and the rest when the second event is set."""
        half, go_on = threading.Event(), threading.Event()
        self.addCleanup(go_on.set)

        def behave(handler, kind):
            if kind != "file" or len(hub.asked()) > 1:
                return False
            handler.send_file(handler.path, most=150_000)
            handler.wfile.flush()
            half.set()
            go_on.wait(20)
            handler.wfile.write(DATA[150_000:])
            return True

        hub.behave = behave
        return half, go_on

    def test_two_processes_download_once(self):
        hub = self.hub()
        half, go_on = self.half_sent(hub)
        first = self.start(hub, "--stall-timeout", 20)
        self.assertTrue(half.wait(20))
        impatient = self.fetch(hub, REPO, "--lock-wait", "0")
        self.assert_fails(impatient, "another process is downloading it")
        busy = self.bitnet(hub, "cache", "clear", "--all")
        self.assertEqual((busy.returncode, busy.stdout), (1, ""))
        self.assertIn("being downloaded", busy.stderr)
        second = self.start(hub)
        self.assertTrue(select.select([second.stderr], [], [], 20)[0])
        self.assertIn("waiting", second.stderr.readline())
        go_on.set()
        out = [process.communicate(timeout=20)[0] for process in (first, second)]
        self.assertEqual((first.returncode, second.returncode), (0, 0))
        self.assertEqual(out[0], out[1])
        self.assertEqual(Path(out[0].strip()).read_bytes(), DATA)
        self.assertEqual(len(hub.asked()), 1)
        self.assertEqual(list(self.cache.rglob("*.incomplete*")), [])

    def test_a_killed_download_goes_on_where_it_was(self):
        for signal_sent, code in ((signal.SIGKILL, -9), (signal.SIGINT, 130), (signal.SIGTERM, 143)):
            with self.subTest(signal=signal_sent):
                hub = self.hub()
                half, _ = self.half_sent(hub)
                process = self.start(hub, "--stall-timeout", 20)
                self.assertTrue(half.wait(20))
                self.wait_until(lambda: self.incomplete() == 150_000)
                process.send_signal(signal_sent)
                self.assertEqual(process.wait(20), code)
                self.assertIn("unfinished", self.bitnet(hub, "cache", "list").stdout)
                self.assert_fetched(self.fetch(hub))
                self.assertEqual(hub.asked()[1][1]["Range"], "bytes=150000-")
                self.assertEqual(self.bitnet(hub, "cache", "clear", "--all").returncode, 0)

    def test_an_unfinished_file_that_was_damaged_is_fetched_anew(self):
        hub = self.hub()
        half, _ = self.half_sent(hub)
        process = self.start(hub, "--stall-timeout", 20)
        self.assertTrue(half.wait(20))
        self.wait_until(lambda: self.incomplete() == 150_000)
        process.kill()
        process.wait()
        next(self.cache.rglob("*.incomplete")).write_bytes(b"x" * 150_000)
        result = self.fetch(hub)
        self.assert_fetched(result)
        self.assertIn("downloading it once more", result.stderr)
        self.assertEqual([headers.get("Range") for _, headers in hub.asked()], [None, "bytes=150000-", None])

    def test_a_full_disk_is_told_and_what_is_there_is_kept(self):
        hub = self.hub()
        result = subprocess.run([hub_fixture.BITNET, "fetch", REPO, *fast()], capture_output=True, text=True, timeout=60,
                                env=self.environment(hub), check=False,
                                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)))
        self.assert_fails(result, "cannot be written", "BITNET_CACHE")
        self.assertEqual(self.incomplete(), 100_000)
        self.assert_fetched(self.fetch(hub))
        self.assertEqual(hub.asked()[1][1]["Range"], "bytes=100000-")

    def test_space_is_looked_for_before_it_is_filled(self):
        hub = self.hub()
        hub.more_listing = {"siblings": [{"rfilename": "a.gguf", "size": 2 ** 50, "lfs": {"sha256": "0" * 64}}]}
        hub.behave = lambda handler, kind: kind == "file" and (
            handler.answer(200, DATA, {"Content-Length": str(2 ** 50)}) or True)
        self.assert_fails(self.fetch(hub), "MiB are still needed")
        self.assertEqual(self.incomplete(), 0)

    def test_a_cache_that_cannot_be_written_is_named(self):
        self.cache.write_text("a file, no folder", encoding="utf-8")
        self.assert_fails(self.fetch(self.hub()), str(self.cache))

    # Offline, and the cache.

    def test_offline_takes_what_is_cached_and_names_what_is_not(self):
        hub = self.hub()
        for how in ({"BITNET_OFFLINE": "1"}, {"HF_HUB_OFFLINE": "1"}):
            self.assert_fails(self.fetch(hub, **how), "offline", REPO, "not in the cache")
        self.assert_fails(self.fetch(hub, REPO, "--offline"), "offline")
        run = self.bitnet(hub, "run", "--hf", REPO, "-p", "a", BITNET_OFFLINE="1")
        self.assert_fails(run, "offline")
        self.assertEqual(hub.requests, [])
        path = self.assert_fetched(self.fetch(hub))
        n = len(hub.requests)
        self.assertEqual(self.assert_fetched(self.fetch(hub, REPO + ":i2_s", BITNET_OFFLINE="1")), path)
        wrong = self.fetch(hub, REPO + ":q4_0", "--offline")
        self.assertEqual(wrong.returncode, 1)
        self.assertIn("q4_0", wrong.stderr)
        self.assertEqual(len(hub.requests), n)

    def test_without_network_the_cached_model_is_used(self):
        hub = self.hub()
        path = self.assert_fetched(self.fetch(hub))
        result = self.fetch(None)  # nobody listens there
        self.assertEqual(self.assert_fetched(result), path)
        self.assertIn("using the cached", result.stderr)
        self.assertEqual(self.bitnet(None, "cache", "clear", "--all").returncode, 0)
        self.assert_fails(self.fetch(None, REPO, "--retries", "0"), "no connection")

    def test_the_cache_is_listed_and_cleared(self):
        hub = self.hub()
        self.assert_fetched(self.fetch(hub))
        Path(self.cache / "mine.txt").write_text("not a download", encoding="utf-8")
        self.assertEqual(self.bitnet(hub, "cache", "list").stdout, f"{REPO}  01234567  tiny-i2_s.gguf  0.3 MiB\n")
        listed = json.loads(self.bitnet(hub, "cache", "list", "--json").stdout)
        self.assertEqual([(entry["repo"], entry["commit"], entry["files"][0]["n_bytes"]) for entry in listed],
                         [(REPO, COMMIT, len(DATA))])
        self.assertEqual(self.bitnet(hub, "cache", "clear").returncode, 2)
        self.assertEqual(self.bitnet(hub, "cache", "clear", "no/such").returncode, 1)
        self.assertEqual(self.bitnet(hub, "cache", "clear", "../..").returncode, 2)
        self.assertEqual(self.bitnet(hub, "cache", "clear", REPO).stdout, "removed 0.3 MiB\n")
        self.assertEqual(self.bitnet(hub, "cache", "list").stdout, "")
        theirs = self.cache / "models--their--model"
        (theirs / "blobs").mkdir(parents=True)
        self.assertEqual(self.bitnet(hub, "cache", "clear", "their/model").returncode, 2)
        self.assertEqual(self.bitnet(hub, "cache", "clear", "--all").stdout, "removed 0.0 MiB\n")
        self.assertTrue(theirs.exists())
        self.assertEqual([path.name for path in self.cache.rglob("*") if path.is_file()], ["mine.txt"])

    def test_a_file_changed_in_the_cache_is_fetched_again(self):
        hub = self.hub()
        path = self.assert_fetched(self.fetch(hub))
        path.write_bytes(DATA + b"x")
        result = self.fetch(hub)
        self.assert_fetched(result)
        self.assertIn("has been changed", result.stderr)

    def test_specs_that_are_none_are_usage_errors(self):
        for spec in ("tiny.gguf", "a/b/c", "../x", "a/..", "a--b/c", "a/b:../c", "a/b:", "/a", "a/", "https://a/b", "a/b\n"):
            with self.subTest(spec=spec):
                self.assert_fails(self.fetch(None, spec), "bitnet: ", code=2)
        for revision in ("../x", "", "-x", "a b", "a\nb", "/x"):
            self.assert_fails(self.fetch(None, REPO, f"--revision={revision}"), "bitnet: ", code=2)

    def test_a_revision_is_asked_for_in_one_piece(self):
        hub = self.hub()
        self.assert_fetched(self.fetch(hub, REPO, "--revision", "refs/pr/3"))
        self.assertIn("/revision/refs%2Fpr%2F3?", hub.asked("list")[0][0])
        self.assertIn(f"/resolve/{COMMIT}/", hub.asked()[0][0])
        self.assert_fetched(self.fetch(None, REPO, "--revision", "refs/pr/3", "--offline"))


if __name__ == "__main__":
    hub_fixture.main()
