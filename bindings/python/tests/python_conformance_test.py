"""The scenarios of bindings/conformance.md for Python; each test has the scenario's id in its name."""

from __future__ import annotations

import array
import gc
import math
import os
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path

from python_test_support import LIBRARY, MODEL, PROMPT, BitnetTest, bitnet, compile_c

TEXTS = ["", "Once upon a time", "  two spaces,\ttab\nline", "Überraschung – naïve façade", "模型会讲故事", "🦙👩‍👩‍👧 emoji 🎉", "a\0b"]
# Any words in any order: the default model knows no chat format.
TEMPLATE = ("{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
            "{% if add_generation_prompt %}assistant:{% endif %}")


class Conformance(BitnetTest):
    def test_C01_missing_file(self):
        with self.assertRaises(bitnet.FileMissingError) as caught:
            bitnet.Model("/no/such/model.gguf")
        error = caught.exception
        self.assertEqual((error.status, error.name, error.family),
                         (bitnet.Status.FILE_NOT_FOUND, "BITNET_E_FILE_NOT_FOUND", bitnet.ErrorFamily.IO))
        self.assertIn("/no/such/model.gguf", str(error))
        self.assertTrue(error.suggestions[0])
        self.assertIn(error.suggestions[0], error.user_message)
        self.assertEqual(error.info.operation, "bitnet_model_load")
        self.assertIsInstance(error, FileNotFoundError)

    def test_C02_round_trip(self):
        tokenizer = self.model.tokenizer
        for text in TEXTS:
            self.assertEqual(tokenizer.decode(tokenizer.encode(text), start=True), text)
        for raw in (b"\xff\xfe half \xe4\xbd", bytes(range(256))):
            self.assertEqual(tokenizer.decode_bytes(tokenizer.encode(raw), start=True), raw)

    def test_C03_greedy_text(self):
        program = self.folder / "greedy_text"
        library = Path(LIBRARY)
        compile_c(Path(__file__).with_name("greedy_text.c"), program, str(library), f"-Wl,-rpath,{library.parent}")
        expected = subprocess.run([program, MODEL, PROMPT], capture_output=True, check=True).stdout
        text = self.greedy(self.context(), n=48)
        self.assertEqual(text.encode(), expected)
        self.assertGreater(len(text), 100)

    def test_C04_stop_sequence(self):
        context = self.context()
        whole = self.greedy(context)
        stop = whole[20:26]
        result = context.generate(PROMPT, temperature=0, max_new_tokens=24, stop_sequences=["never ever", stop])
        self.assertEqual(result.text, whole[:whole.index(stop)])
        self.assertEqual((result.finish_reason, result.stop_sequence), (bitnet.FinishReason.STOP_SEQUENCE, 1))
        self.assertEqual(self.greedy(context, stop_sequences=stop), result.text)  # one text is one sequence

    def test_C05_cancel_from_another_thread(self):
        context = self.context(n_ctx=512)
        cancelled = []

        def cancel():
            time.sleep(0.05)
            cancelled.append(time.monotonic())
            context.cancel()

        # A text that fills the context may be over sooner than the thread comes; then the next one is cancelled.
        thread = threading.Thread(target=cancel)
        thread.start()
        results = []
        while True:
            result = context.generate(PROMPT, max_new_tokens=-1, temperature=0)
            results.append(result.finish_reason)
            if result.finish_reason == bitnet.FinishReason.CANCELLED:
                break
            self.assertLess(len(results), 10000)
        ended = time.monotonic()
        thread.join()
        self.assertLess(ended - cancelled[0], 1)
        self.assertEqual(self.greedy(context), self.greedy(self.context()))

    def test_C06_free_in_wrong_order(self):
        model = bitnet.Model(MODEL)
        tokenizer, context, sampler = model.tokenizer, model.context(), bitnet.Sampler(temperature=0)
        grammar = bitnet.Grammar(tokenizer, 'root ::= "yes" | "no"')
        generation = context.generation(PROMPT, temperature=0, max_new_tokens=24)
        expected = self.greedy(self.context())
        self.assertTrue(next(generation))
        model.close()
        model.close()
        self.assertEqual("".join([generation.result.text, *generation]), expected)
        tokens = tokenizer.encode(PROMPT)
        context.prefill(tokens)
        self.assertEqual(sampler.sample_context(context), bitnet.argmax(context.logits()))
        borrowed = context.tokenizer
        tokenizer.close()
        self.assertEqual(borrowed.decode(tokens, start=True), PROMPT)
        self.assertIn(context.generate("Is it?", grammar=grammar, max_new_tokens=8).text, ("yes", "no"))
        context.close()
        self.assertEqual(generation.result.text, expected)
        self.assertEqual(borrowed.decode(tokens, start=True), PROMPT)
        for one in (sampler, generation, grammar, borrowed, tokenizer, context, model):
            one.close()
            one.close()
            self.assertTrue(one.closed)

    def test_C07_two_contexts(self):
        prompts = ["Once upon a time", "The little dog"]
        alone = [self.greedy(self.context(n_threads=1), prompt, 60) for prompt in prompts]
        contexts = [self.context(n_threads=1) for _ in prompts]
        texts: list[list[str]] = [[], []]

        def write(index):
            for _ in range(4):
                texts[index].append(self.greedy(contexts[index], prompts[index], 60))
                contexts[index].clear()

        threads = [threading.Thread(target=write, args=(index,)) for index in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(texts, [[alone[0]] * 4, [alone[1]] * 4])
        self.assertNotEqual(alone[0], alone[1])

    def test_C08_throwing_callback(self):
        class Mine(Exception):
            pass

        def throw(*_):
            raise Mine("from a callback")

        with self.assertRaisesRegex(Mine, "from a callback"):
            bitnet.Model(MODEL, on_progress=throw)
        with self.assertRaises(bitnet.Cancelled):
            bitnet.Model(MODEL, on_progress=lambda progress: False)
        context = self.context(n_ubatch=16)
        steps = []

        def interrupt(step):
            raise KeyboardInterrupt

        def throw_third(step):
            steps.append(step)
            if len(steps) == 3:
                raise Mine
        for prompt in (PROMPT, self.model.tokenizer.encode(PROMPT)):
            steps.clear()
            with self.assertRaises(Mine):
                context.generate(prompt, on_step=throw_third)
            self.assertEqual(len(steps), 3)
        with self.assertRaises(KeyboardInterrupt):  # Ctrl-C may come in a callback, too
            context.generate(PROMPT, on_step=interrupt)
        for options in ({"on_progress": throw}, {"should_abort": throw}):
            busy = self.context(n_ubatch=16, **options)
            with self.assertRaises(Mine):
                busy.prefill(list(range(300, 400)))
            with self.assertRaises(Mine):
                busy.generate("word " * 100)
        with self.assertRaises(Mine):
            context.save_session(self.folder / "session", throw)
        with self.assertRaises(Mine):
            bitnet.Model.from_reader(10**6, throw)
        caught, hook = [], sys.unraisablehook
        sys.unraisablehook = lambda args: caught.append(args.exc_type)
        bitnet.set_log_callback(throw, bitnet.LogLevel.DEBUG)
        try:
            bitnet.Model(MODEL).close()
        finally:
            bitnet.set_log_callback(None)
            sys.unraisablehook = hook
        self.assertEqual(set(caught), {Mine})
        self.assertEqual(self.greedy(context), self.greedy(self.context()))

    def test_C09_streaming(self):
        context = self.context()
        whole = context.generate(PROMPT, max_new_tokens=40, seed=3).text
        pieces = list(context.stream(PROMPT, max_new_tokens=40, seed=3))
        self.assertEqual("".join(pieces), whole)
        self.assertGreater(len(pieces), 20)
        self.assertEqual("".join(context.stream("🦙", seed=3)), context.generate("🦙", seed=3).text)
        before = context.performance().tokens_generated
        stream = context.stream(PROMPT, max_new_tokens=400, temperature=0)
        for _ in stream:
            break
        stream.close()
        self.assertLess(context.performance().tokens_generated - before, 5)
        self.assertEqual(self.greedy(context), self.greedy(self.context()))

    def test_C10_chat(self):
        context = self.context()
        template = context.tokenizer.chat_template(source=TEMPLATE)
        chat = bitnet.Chat(context, system="You tell stories.", template=template)
        first = chat.send("A story of a dog, please.", max_new_tokens=12, temperature=0)
        second = "".join(chat.stream("And of a cat?", max_new_tokens=12, temperature=0))
        self.assertTrue(first.strip() and second.strip())
        self.assertEqual([message["role"] for message in chat.messages], ["system", "user", "assistant", "user", "assistant"])
        self.assertEqual(chat.messages[2]["content"], first)
        prompt = template.render(chat.messages[:4])
        self.assertEqual(prompt, f"system: You tell stories.\nuser: A story of a dog, please.\nassistant: {first}\n"
                                 "user: And of a cat?\nassistant:")
        alone = self.context()
        self.assertEqual(self.greedy(alone, template.encode(chat.messages[:4]), 12), second)
        self.assertGreater(chat.result.reused_tokens, 10)  # what the context holds is not computed again

    def test_C11_embeddings(self):
        context = self.context(embeddings=1)
        dog, cat, again = (context.embed(text) for text in ("A dog barks.", "A cat sleeps.", "A dog barks."))
        self.assertEqual(dog.tobytes(), again.tobytes())
        self.assertNotEqual(dog.tobytes(), cat.tobytes())
        self.assertAlmostEqual(math.sqrt(sum(x * x for x in dog)), 1, places=5)
        raw = context.embed("A dog barks.", normalize=False)
        self.assertEqual(len(raw), self.model.info.n_embd)
        length = math.sqrt(sum(x * x for x in raw))
        self.assertGreater(abs(length - 1), 1e-3)
        for x, y in zip(raw, dog):
            self.assertAlmostEqual(x / length, y, places=5)
        self.assertNotEqual(context.embed("A dog barks.", pooling=bitnet.Pooling.LAST).tobytes(), dog.tobytes())
        with self.assertRaises(bitnet.UsageError):
            self.context().embed("A dog barks.")

    def test_C12_use_after_close(self):
        model = bitnet.Model(MODEL)
        context, tokenizer, sampler = model.context(), model.tokenizer, bitnet.Sampler()
        template, generation = tokenizer.chat_template(source=TEMPLATE), context.generation(PROMPT)
        grammar, metadata = bitnet.Grammar(tokenizer, 'root ::= "a"'), model.metadata
        uses = {
            "Model": (model, [lambda: model.info, lambda: model.tokenizer, lambda: model.context(), lambda: model.sha256,
                              lambda: model.validate(), lambda: metadata["general.name"], lambda: len(metadata)]),
            "Context": (context, [lambda: context.generate("a"), lambda: list(context.stream("a")), lambda: context.logits(),
                                  lambda: context.decode([1]), lambda: context.n_ctx, lambda: context.session(),
                                  lambda: context.tokenizer, lambda: context.cancel(), lambda: next(generation),
                                  lambda: context.performance(), lambda: bitnet.Sampler().sample_context(context)]),
            "Tokenizer": (tokenizer, [lambda: tokenizer.encode("a"), lambda: tokenizer.decode([1]), lambda: tokenizer.info,
                                      lambda: tokenizer.chat_template(), lambda: bitnet.Grammar(tokenizer, "")]),
            "Sampler": (sampler, [lambda: sampler.sample(array.array("f", [1, 2])), lambda: sampler.reset()]),
            "ChatTemplate": (template, [lambda: template.encode([]), lambda: template.name]),
            "Grammar": (grammar, [lambda: bitnet.Sampler().set_grammar(grammar)]),
            "Generation": (generation, [lambda: next(generation), lambda: generation.step(), lambda: generation.logprobs()]),
        }
        for name, (handle, calls) in uses.items():
            handle.close()
            for call in calls:
                with self.assertRaisesRegex(bitnet.ClosedError, f"this {name} is closed"):
                    call()
            with self.assertRaises(bitnet.ClosedError), handle:
                pass

    def test_C13_bad_input(self):
        context = self.context()
        tokenizer = self.model.tokenizer
        for call in (lambda: bitnet.Model("a\0b"), lambda: context.generate("a", stop_sequences=["a\0b"]),
                     lambda: bitnet.check_device("cpu\0"), lambda: self.model.metadata["a\0b"],
                     lambda: context.decode_batch([1, 2], [0]), lambda: context.forward([1, 2], mask=b"\1")):
            with self.assertRaises(ValueError):
                call()
        for text in ("a\0b", "\ud800 lone surrogate \udcff".encode("utf-8", "surrogatepass"), b"\xff\xfe\x80"):
            self.assertEqual(context.generate(text, max_new_tokens=3).finish_reason, bitnet.FinishReason.LENGTH)
        self.assertEqual(len(context.generate("", max_new_tokens=5, temperature=0).tokens), 5)
        self.assertEqual(context.generate("a", max_new_tokens=0).tokens, [])
        self.assertEqual(context.generate(PROMPT, max_new_tokens=2**31 - 1, deadline_us=1000).finish_reason,
                         bitnet.FinishReason.DEADLINE)
        for options in ({"max_new_tokens": -2}, {"temperature": math.nan}, {"top_k": -1}, {"top_p": 1.5}, {"mirostat": 7}):
            with self.assertRaises((bitnet.ConfigError, bitnet.CapacityError, bitnet.UsageError)) as caught:
                context.generate("a", **options)
            self.assertTrue(caught.exception.message)
        for options in ({"max_new_tokens": 2**31}, {"top_k": 2**40}, {"seed": -1}, {"seed": 2**64}, {"top_k": 1.5}):
            with self.assertRaises(OverflowError):
                context.generate("a", **options)
        for options in ({"max_tokens": 3}, {"struct_size": 3}):
            with self.assertRaisesRegex(TypeError, "has no option"):
                context.generate("a", **options)
        for sequence in (-1, 1, 10**6):
            with self.assertRaises(bitnet.UsageError):
                context.generate("a", sequence=sequence)
        for tokens in ([self.model.info.n_vocab], [-1]):
            with self.assertRaises(bitnet.TokenizationError):
                tokenizer.decode(tokens)
            with self.assertRaises(bitnet.BitnetError):
                context.decode(tokens)
        with self.assertRaises(OverflowError):
            tokenizer.decode([2**31])
        with self.assertRaises(bitnet.BitnetError):
            context.decode([5] * (context.n_ctx + 1))
        with self.assertRaises(bitnet.BitnetError):
            self.model.context(n_ctx=-5)
        with self.assertRaises(TypeError):
            bitnet.Sampler().sample(array.array("d", [1.0]))
        with self.assertRaises(bitnet.GgufError):
            bitnet.Model.from_bytes(b"GARBAGE" * 100)
        with self.assertRaises(bitnet.ConfigError):
            bitnet.Grammar(tokenizer, "root ::= (")

    def test_C14_version(self):
        from bitnet._abi_constants import HEADER_VERSION
        from bitnet._library import load_library
        self.assertEqual(bitnet.library_version(), ".".join(map(str, HEADER_VERSION)))
        self.assertEqual(bitnet.__version__.split(".")[:2], bitnet.library_version().split(".")[:2])
        major, minor, patch = HEADER_VERSION
        # Another patch passes the check of the version, and then has none of the functions.
        for number, message in ((10000 * (major + 1), f"libbitnet {major + 1}.0.0.*is for {major}.{minor}.{patch}"),
                                (10000 * major + 100 * (minor + 1), f"libbitnet {major}.{minor + 1}.0"),
                                (10000 * major + 100 * minor + patch + 1, "has no bitnet_version_string")):
            source, library = self.folder / "version.c", self.folder / f"version{number}.so"
            source.write_text(f"unsigned bitnet_version_number(void) {{ return {number}; }}")
            compile_c(source, library, "-shared", "-fPIC")
            with self.assertRaisesRegex(bitnet.LibraryError, message):
                load_library(str(library))
        source.write_text("int something_else;")
        compile_c(source, self.folder / "other.so", "-shared", "-fPIC")
        with self.assertRaisesRegex(bitnet.LibraryError, "is not libbitnet"):
            load_library(str(self.folder / "other.so"))
        with self.assertRaisesRegex(bitnet.LibraryError, "cannot load"):
            load_library("/no/such/libbitnet.so")

    def test_C15_sessions(self):
        context = self.context()
        half = context.generate(PROMPT, temperature=0, max_new_tokens=20)
        tokens = context.sequence_tokens()
        path = self.folder / "story.session"
        context.save_session(path)
        saved, one = context.session(), context.sequence_save(0)
        prompt = self.model.tokenizer.encode(PROMPT, add_default=True) + half.tokens
        expected = self.greedy(context, prompt)
        for load in (lambda other: other.load_session(saved), lambda other: other.load_session(path),
                     lambda other: other.sequence_load(one)):
            other = self.context()
            load(other)
            self.assertEqual(other.sequence_tokens(), tokens)
            result = other.generate(prompt, temperature=0, max_new_tokens=24)
            self.assertEqual(result.text, expected)
            self.assertEqual(result.reused_tokens, len(tokens))
        broken = bytearray(saved)
        broken[len(broken) // 2] ^= 1
        for damaged in (broken, saved[:-1], b""):
            with self.assertRaises(bitnet.BitnetError):
                other.load_session(damaged)
        self.assertEqual(self.greedy(other, prompt), expected)
        with self.assertRaises(bitnet.FileMissingError):
            other.load_session(self.folder / "none")

    @unittest.skipUnless(sys.platform == "linux", "reads /proc")
    def test_C16_memory(self):
        def round_trip(close):
            model = bitnet.Model(MODEL, n_threads=1)
            context, sampler, tokenizer = model.context(n_ctx=64, n_threads=1), bitnet.Sampler(), model.tokenizer
            grammar = bitnet.Grammar(tokenizer, 'root ::= "yes"')
            generation = context.generation("Hello", max_new_tokens=2, grammar=grammar)
            generation.run()
            context.prefill(tokenizer.encode("Hello"))
            sampler.sample(context.logits())
            try:
                bitnet.Model("/no/such/file")
            except bitnet.FileMissingError:
                pass
            if close:  # else they go when nothing names them any more
                for one in (model, context, generation, sampler, tokenizer, grammar):
                    one.close()

        def resident():
            gc.collect()
            return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

        used = bitnet.memory_used()
        for index in range(40):
            round_trip(index % 2)
        before = resident()
        for index in range(200):
            round_trip(index % 2)
        self.assertLess(resident() - before, 3 << 20)  # one leaked context alone is more than this in 200 rounds
        self.assertEqual(bitnet.memory_used(), used)


if __name__ == "__main__":
    unittest.main()
