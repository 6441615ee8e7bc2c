"""What the conformance list does not name: other ways to load, options, threads, batches, grammars, adapters, reports, asyncio."""

from __future__ import annotations

import array
import asyncio
import copy
import gc
import importlib.util
import json
import logging
import os
import pickle
import random
import struct
import threading
import unittest
import weakref
from pathlib import Path

from python_test_support import MODEL, PROMPT, BitnetTest, bitnet

from bitnet import _handles, _options


def lora_file(rank: int = 2) -> bytes:
    """An adapter for blk.0.attn_q.weight of the default model, as convert_lora_to_gguf writes it."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    keys = [("general.architecture", "bitnet-b1.58"), ("general.type", "adapter"), ("general.name", "Test"),
            ("adapter.type", "lora")]
    metadata = b"".join(text(key) + struct.pack("<I", 8) + text(value) for key, value in keys)
    metadata += text("adapter.lora.alpha") + struct.pack("<If", 6, 8.0)
    numbers = random.Random(1)
    tensors, data = b"", b""
    for name, shape in (("lora_a", (256, rank)), ("lora_b", (rank, 256))):
        tensors += text(f"blk.0.attn_q.weight.{name}") + struct.pack("<IQQIQ", 2, *shape, 0, len(data))
        data += array.array("f", [numbers.uniform(-1, 1) for _ in range(256 * rank)]).tobytes()
    head = b"GGUF" + struct.pack("<IQQ", 3, 2, len(keys) + 1) + metadata + tensors
    return head + bytes(-len(head) % 32) + data


class Models(BitnetTest):
    def test_every_way_to_load_gives_the_same_model(self):
        data = Path(MODEL).read_bytes()
        expected = self.greedy(self.context())
        seen = []
        with open(MODEL, "rb") as file:
            ways = [lambda: bitnet.Model(Path(MODEL), on_progress=seen.append), lambda: bitnet.Model.from_bytes(data),
                    lambda: bitnet.Model.from_bytes(bytearray(data)), lambda: bitnet.Model.from_bytes(memoryview(data)),
                    lambda: bitnet.Model.from_fd(file.fileno()),
                    lambda: bitnet.Model.from_reader(len(data), lambda offset, n: data[offset:offset + n])]
            for way in ways:
                context = way().context(n_threads=1)
                gc.collect()  # the model's object and the bytes are gone, what the context needs is not
                self.assertEqual(self.greedy(context), expected)
                context.close()
        self.assertEqual((seen[0] >= 0, seen[-1]), (True, 1))

        class Bytes(bytearray):
            """Can be asked for whether it is still there."""

        for make in (lambda model: model.context(), lambda model: model.context().tokenizer, lambda model: model.tokenizer,
                     lambda model: bitnet.Adapter(model, lora_file()), lambda model: model.context().generation(PROMPT),
                     lambda model: bitnet.Grammar(model.tokenizer, 'root ::= "a"')):
            memory = Bytes(data)
            alive = weakref.ref(memory)
            child = make(bitnet.Model.from_bytes(memory))
            del memory
            gc.collect()
            self.assertTrue(alive() is not None)
            del child
            gc.collect()
            self.assertTrue(alive() is None)
        with self.assertRaisesRegex(ValueError, r"gave 0 bytes"):
            bitnet.Model.from_reader(len(data), lambda offset, n: b"")

    def test_what_a_model_tells(self):
        info, metadata = self.model.info, self.model.metadata
        self.assertEqual((info.architecture, info.n_embd, info.n_vocab), ("bitnet-b1.58", 256, 2048))
        self.assertEqual(metadata["general.architecture"], info.architecture)
        self.assertEqual(len(dict(metadata)), len(metadata))
        self.assertNotIn("no.such.key", metadata)
        self.assertEqual(len(self.model.tensors), info.n_tensors)
        self.assertEqual(self.model.tensors[0].shape[0], 256)
        self.assertIn("ternary", self.model.features)
        self.assertGreater(self.model.quantization.compression_f16, 3)
        self.assertEqual(self.model.types[0].type, "i2_s")
        self.assertEqual(len(self.model.sha256), 64)
        self.assertEqual(self.model.config.device, "cpu")
        with bitnet.Model(MODEL, vocab_only=1) as words:
            self.assertEqual(words.tokenizer.encode("a dog"), self.model.tokenizer.encode("a dog"))
            with self.assertRaises(bitnet.UsageError):
                words.context()

    def test_estimates_are_exact(self):
        options = {"n_ctx": 128, "n_threads": 1, "embeddings": 1}
        estimate = self.model.estimate_memory(**options)
        self.assertEqual(estimate.kv_bytes, self.context(**options).memory.kv_bytes)
        self.assertEqual(bitnet.estimate_memory(MODEL, None, **options).total_bytes, estimate.total_bytes)
        self.assertEqual(estimate.n_ctx, 128)

    def test_validation(self):
        report = self.model.validate()
        self.assertTrue(report.is_valid)
        self.assertEqual((len(report.tensors), report.details["is_valid"], report.errors), (68, True, []))
        self.assertEqual(report.info.stored.total_bytes, self.model.info.n_file_bytes)
        broken = bytearray(Path(MODEL).read_bytes())
        tensor = next(tensor for tensor in self.model.tensors if tensor.type == "i2_s")
        broken[tensor.file_offset] = 0xff
        path = self.folder / "broken.gguf"
        path.write_bytes(broken)
        report = bitnet.validate_file(path)
        self.assertFalse(report.is_valid)
        self.assertEqual(report.kind(report.errors[0]), bitnet.FindingKind.CODE)
        self.assertEqual(report.errors[0].tensor, tensor.name)
        with self.assertRaises(bitnet.ValidationError):
            bitnet.Model(path, validate=1)
        with self.assertRaises(bitnet.Cancelled):
            bitnet.validate_file(path, on_progress=lambda progress: False)

    def test_adapters(self):
        path = self.folder / "lora.gguf"
        path.write_bytes(lora_file())
        adapter = bitnet.Adapter(self.model, path)
        self.assertEqual((adapter.info.rank, adapter.info.name, adapter.info.alpha), (2, "Test", 8.0))
        context = self.context(max_lora_rank=2)
        plain = self.greedy(context)
        context.clear()
        context.set_adapters(adapter)
        adapted = self.greedy(context)
        self.assertNotEqual(adapted, plain)
        context.clear()
        context.set_adapters((bitnet.Adapter(self.model, lora_file()), 0.5))
        self.assertNotEqual(self.greedy(context), adapted)
        with self.assertRaises(bitnet.UsageError):
            context.set_adapters(adapter)  # the sequence holds tokens
        context.clear()
        context.set_adapters()
        self.assertEqual(self.greedy(context), plain)
        with self.assertRaises(bitnet.CapacityError):
            context.set_adapters(adapter, adapter)

    def test_errors_travel(self):
        with self.assertRaises(bitnet.FileMissingError) as caught:
            bitnet.Model("/no/such/file")
        again = pickle.loads(pickle.dumps(caught.exception))
        self.assertEqual((str(again), again.status, again.suggestions, again.info),
                         (str(caught.exception), caught.exception.status, caught.exception.suggestions, caught.exception.info))
        self.assertEqual(pickle.loads(pickle.dumps(bitnet.ClosedError("closed"))).message, "closed")
        for handle in (self.model, self.context()):
            with self.assertRaises(TypeError):
                copy.copy(handle)

    def test_options_are_those_of_the_header(self):
        self.assertIn("check_weights", _options.ModelOptions.__annotations__)
        with self.assertRaisesRegex(TypeError, "has no option 'threads'; it has use_mmap, "):
            bitnet.Model(MODEL, threads=2)
        with self.assertRaises(bitnet.DeviceError):
            bitnet.Model(MODEL, device="cuda:7")


class Contexts(BitnetTest):
    def test_one_thread_at_a_time(self):
        context, inside, leave = self.context(), threading.Event(), threading.Event()

        def wait(step):
            inside.set()
            leave.wait(10)

        thread = threading.Thread(target=lambda: context.generate(PROMPT, max_new_tokens=2, on_step=wait))
        thread.start()
        inside.wait(10)
        try:
            for call in (lambda: context.generate("a"), lambda: context.logits(), lambda: context.clear()):
                with self.assertRaisesRegex(bitnet.BusyError, "this Context is in use"):
                    call()
            self.assertGreaterEqual(context.performance().n_inferences, 0)
            context.close()  # it is freed when the call is through
            self.assertEqual(context._users, 1)
        finally:
            leave.set()
            thread.join()
        self.assertIsNone(context._pointer)
        busy = self.context()
        with self.assertRaises(bitnet.BusyError):
            busy.generate(PROMPT, on_step=lambda step: busy.clear())

    def test_results_tell_how_they_came_about(self):
        context = self.context()
        steps = []
        result = context.generate(PROMPT, max_new_tokens=8, seed=5, on_step=steps.append)
        self.assertEqual("".join(step.text for step in steps), str(result))
        self.assertEqual([token for step in steps for token in step.tokens], result.tokens)
        self.assertEqual((result.seed, result.finish_reason, result.device), (5, bitnet.FinishReason.LENGTH, "cpu"))
        self.assertEqual(len(result.token_times_us), len(result.tokens))
        self.assertEqual(steps[-1].finish_reason, bitnet.FinishReason.LENGTH)
        stopped = context.generate(PROMPT, max_new_tokens=8, on_step=lambda step: False)
        self.assertEqual(stopped.finish_reason, bitnet.FinishReason.CANCELLED)
        self.assertEqual(context.generate(PROMPT, max_new_tokens=8, temperature=0, logit_bias={token: -1000 for token in
                         result.tokens[:1]}).finish_reason, bitnet.FinishReason.LENGTH)
        with context.generation(PROMPT, max_new_tokens=3, n_logprobs=4, temperature=0) as generation:
            token = generation.step().tokens[0]
            own, best = generation.logprobs()
            self.assertEqual((best[0].token, best[0].logprob, len(best)), (token, own, 4))
            context.generate("Other", sequence=0, max_new_tokens=1)
            with self.assertRaises(bitnet.UsageError):  # others changed its sequence
                generation.run()

    def test_timeouts(self):
        slow = self.context(timeout_us=1)
        with self.assertRaises(bitnet.TimeoutExceeded):
            slow.prefill(list(range(300, 500)))
        self.assertEqual(slow.generate("a " * 200).finish_reason, bitnet.FinishReason.DEADLINE)

    def test_texts_written_together_are_those_written_alone(self):
        prompts = [PROMPT, "The dog", "A cat", "One day", "Lily"]
        alone = [self.greedy(self.context(), prompt) for prompt in prompts]
        context = self.context(n_seq_max=3)
        results = context.generate_many(prompts, temperature=0, max_new_tokens=24)
        self.assertEqual([result.text for result in results], alone)
        self.assertEqual(context.n_free, context.n_ctx)
        with self.assertRaises(bitnet.CapacityError):
            context.generate_many([PROMPT, "a b " * 400])
        other = self.context()
        with self.assertRaises(ValueError):
            bitnet.step_together([context.generation("a"), other.generation("a")])

    def test_grammars(self):
        context, tokenizer = self.context(), self.model.tokenizer
        schema = {"type": "object", "properties": {"age": {"type": "integer", "maximum": 99, "minimum": 0}}, "required": ["age"]}
        answer = json.loads(context.generate("A dog:", json_schema=schema, seed=1, max_new_tokens=60).text)
        self.assertIsInstance(answer["age"], int)
        grammar = bitnet.Grammar(tokenizer, 'start ::= "yes" | "no"', root="start")
        self.assertIn(context.generate("Is it?", grammar=grammar, seed=1).text, ("yes", "no"))
        self.assertIn("root ::=", bitnet.json_schema_to_gbnf(schema))
        sampler = bitnet.Sampler(temperature=0)
        sampler.set_grammar(bitnet.Grammar(tokenizer, 'root ::= "yes"'))
        context.prefill(tokenizer.encode("Is it?"))
        self.assertTrue("yes".startswith(tokenizer.decode([sampler.sample_context(context)])))
        with self.assertRaisesRegex(bitnet.ConfigError, "line 1"):
            bitnet.Grammar(tokenizer, "root = 1")
        with self.assertRaises(ValueError):
            context.generate("a", grammar=grammar, json_schema=schema)

    def test_logits_and_samplers(self):
        context, tokens = self.context(), self.model.tokenizer.encode(PROMPT)
        context.decode(tokens)
        logits = context.logits()
        best = bitnet.argmax(logits)
        self.assertEqual(best, max(range(len(logits)), key=lambda token: logits[token]))
        self.assertAlmostEqual(sum(bitnet.softmax(logits)), 1, places=4)
        self.assertEqual(bitnet.top_logprobs(logits, 3)[0].token, best)
        sampler = bitnet.Sampler(seed=7, top_k=40)
        drawn = [sampler.sample(logits) for _ in range(5)]
        sampler.reset()
        self.assertEqual([sampler.sample(logits) for _ in range(5)], drawn)
        self.assertEqual(sum(p > 0 for p in bitnet.Sampler(temperature=1, top_k=7, top_p=1).probabilities(logits)), 7)
        self.assertEqual(context.next_token_logits(tokens).tobytes(), logits.tobytes())
        rows = context.forward(tokens)
        self.assertEqual(rows[-len(logits):].tobytes(), logits.tobytes())
        context.clear()
        context.decode_begin(tokens)
        while not context.step(100):
            pass
        self.assertEqual(context.logits().tobytes(), logits.tobytes())
        context.decode_begin([1])
        context.decode_abandon()
        self.assertEqual(context.sequence_tokens(), tokens)

    @unittest.skipUnless(importlib.util.find_spec("numpy"), "numpy is not installed")
    def test_numpy_sees_floats_without_a_copy(self):
        import numpy

        context = self.context(embeddings=1)
        context.decode(self.model.tokenizer.encode(PROMPT))
        logits = context.logits()
        view = numpy.asarray(logits)
        self.assertEqual((view.dtype, view.shape), (numpy.dtype("float32"), (2048,)))
        view[5] = 1e9
        self.assertEqual((logits[5], bitnet.argmax(view)), (1e9, 5))
        self.assertEqual(bitnet.argmax(view[::-1].copy()), 2042)
        with self.assertRaises(TypeError):
            bitnet.argmax(view[::2])
        self.assertAlmostEqual(float(numpy.linalg.norm(context.embed("A dog"))), 1, places=5)

    def test_sequences(self):
        context, tokens = self.context(n_seq_max=3), self.model.tokenizer.encode(PROMPT)
        context.decode(tokens)
        context.sequence_fork(0, 1)
        context.decode_batch([300, 301], [0, 1], want_output=[True, True])
        self.assertNotEqual(context.logits(0).tobytes(), context.logits(1).tobytes())
        self.assertEqual(context.sequence_tokens(1), [*tokens, 301])
        context.sequence_copy(0, 2, 0, 2)
        self.assertEqual(context.sequence_end(2), 2)
        context.sequence_rewind(1)
        self.assertEqual(context.sequence_tokens(), tokens)
        self.assertEqual(context.sequence_shift(0, 1), len(tokens) - 1)
        context.sequence_keep(1)
        self.assertEqual((context.sequence_end(0), context.sequence_end(1)), (0, len(tokens) + 1))
        self.assertEqual(context.n_free, context.n_ctx - len(tokens) - 1)

    def test_figures(self):
        context = self.context(trace=1)
        context.generate(PROMPT, max_new_tokens=4)
        self.assertGreaterEqual(context.metrics.decode_tokens, 3)
        self.assertEqual(context.performance().tokens_generated, 4)
        self.assertGreater(context.device_stats().matmul_operations, 0)
        self.assertGreater(len(context.trace()), 50)
        context.reset_metrics()
        self.assertEqual((context.metrics.decode_tokens, context.performance().tokens_generated), (0, 0))

    def test_receipts(self):
        context = self.context()
        with context.generation(PROMPT, max_new_tokens=10, seed=4, receipt=1) as generation:
            generation.run()
            receipt = generation.receipt_text()
            self.assertEqual(generation.receipt()["seed"], 4)
        good = bitnet.verify_receipt(receipt, self.model, replay_share=1.0)
        self.assertTrue(good.is_good)
        self.assertEqual((good.report.n_positions, good.report.n_replayed, good.message), (10, 10, ""))
        forged = bitnet.verify_receipt(receipt.replace('"seed":4', '"seed":5').replace('"seed": 4', '"seed": 5'))
        self.assertEqual(forged.failed_check, bitnet.ReceiptCheck.DIGEST)
        self.assertTrue(forged.message)

    def test_asyncio(self):
        context, prompt = self.context(n_ubatch=16), "a long story " * 30
        expected = self.greedy(context, prompt)

        async def collect():
            return "".join([piece async for piece in context.astream(prompt, max_new_tokens=24, temperature=0)])

        async def cancel():
            task = asyncio.ensure_future(self.forever(context, prompt))
            await asyncio.sleep(0.02)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task

        self.assertEqual(asyncio.run(collect()), expected)
        asyncio.run(cancel())
        context.clear()
        self.assertEqual(self.greedy(context, prompt), expected)  # nothing of the cancelling is left

    @staticmethod
    async def forever(context, prompt):
        while True:
            context.clear()
            async for _ in context.astream(prompt, max_new_tokens=1):
                pass

    def test_calls_release_the_interpreter(self):
        counted, stop = [0], threading.Event()

        def count():
            while not stop.is_set():
                counted[0] += 1

        thread = threading.Thread(target=count)
        thread.start()
        before = counted[0]
        self.context().prefill([token % 2000 for token in range(500)])
        passed = counted[0] - before
        stop.set()
        thread.join()
        self.assertGreater(passed, 1000)


class Files(BitnetTest):
    def test_looking_inside(self):
        with bitnet.GgufFile(MODEL) as file:
            self.assertEqual(file.info.n_tensors, len(file.tensors))
            self.assertEqual(file.metadata["general.name"], "Stories")
            index = next(i for i, tensor in enumerate(file.tensors) if tensor.type == "i2_s")
            row = file.read_tensor(index, 3)
            self.assertEqual(len(row), file.tensors[index].shape[0])
            self.assertEqual(len({abs(value) for value in row}), 2)  # 0 and the scale
            with self.assertRaises(bitnet.UsageError):
                file.read_tensor(index, 10**6)

    def test_converting(self):
        seen, target = [], self.folder / "tq2.gguf"
        report = bitnet.convert_file(MODEL, target, type="tq2_0", on_progress=seen.append)
        self.assertEqual((report.info.type, len(report.tensors), report.details["type"]), ("tq2_0", 68, "tq2_0"))
        self.assertTrue(seen)
        with bitnet.Model(target) as model, model.context(n_threads=1) as context:
            self.assertTrue(self.greedy(context))
        with self.assertRaises(bitnet.QuantizationError):
            bitnet.convert_file(MODEL, self.folder / "none.gguf", type="q99")
        with self.assertRaises(ZeroDivisionError):
            bitnet.convert_file(MODEL, self.folder / "none.gguf", on_progress=lambda part: 1 / 0)
        self.assertFalse((self.folder / "none.gguf").exists())

    def test_quantising(self):
        numbers = random.Random(3)
        ternary = array.array("f", [numbers.choice((-0.5, 0, 0.5)) for _ in range(4 * 256)])
        noise = array.array("f", [numbers.gauss(0, 1) for _ in range(4 * 256)])
        with bitnet.Quantizer(n_threads=1) as quantizer:
            weights = quantizer.quantize(ternary, 256)
            self.assertEqual((len(weights.data), weights.n_rows), (4 * 64 + 32, 4))
            self.assertEqual(quantizer.dequantize(weights), ternary)
            codes = array.array("b", [numbers.randint(-127, 127) for _ in range(2 * 256)])
            product = quantizer.matmul_i2s(codes, weights, array.array("f", [2, 4]))
            exact = [sum(codes[i * 256 + k] * ternary[j * 256 + k] for k in range(256)) / (2, 4)[i]
                     for i in range(2) for j in range(4)]
            self.assertEqual(list(product), exact)
            for kind in ("q8_0", "int4"):
                back = quantizer.dequantize(quantizer.quantize(noise, 256, type=kind))
                self.assertLess(max(abs(x - y) for x, y in zip(back, noise)), 0.5)
            self.assertEqual(quantizer.stats.matmul_operations, 1)
            self.assertIn(quantizer.active_provider, quantizer.summary())
            with self.assertRaises(bitnet.QuantizationError):
                quantizer.quantize(array.array("f", [float("nan")] * 256), 256)
            with self.assertRaises(ValueError):
                quantizer.quantize(noise, 100)
        self.assertGreater(bitnet.quantize_accuracy(noise, 256, type="q8_0").accuracy, 99)
        self.assertEqual(bitnet.quantize_accuracy(ternary, 256).codes_equal, 1)

    def test_merging(self):
        adapter, target = self.folder / "merge.gguf", self.folder / "merged.gguf"
        adapter.write_bytes(lora_file())
        report = bitnet.merge_files(MODEL, target, adapters=[(adapter, 1.0)], convert={"type": "f16"})
        self.assertEqual((report.info.n_tensors, report.tensors[0].name), (1, "blk.0.attn_q.weight"))
        self.assertTrue(target.exists())
        with self.assertRaises(bitnet.UsageError):
            bitnet.merge_files(MODEL, target)

    def test_finding_tokenizers(self):
        with bitnet.TokenizerDiscovery(MODEL) as discovery:
            self.assertEqual((discovery.strategy, discovery.files), (bitnet.TokenizerStrategy.EMBEDDED, []))
            self.assertEqual(discovery.load().encode(PROMPT), self.model.tokenizer.encode(PROMPT))
        chosen = Path(MODEL).with_name("tokenizer.json")
        with bitnet.TokenizerDiscovery(MODEL, tokenizer_path=str(chosen)) as discovery:
            self.assertEqual((discovery.strategy, discovery.info.path), (bitnet.TokenizerStrategy.EXACT, str(chosen)))

    def test_looking_inside_a_run(self):
        context, nodes = self.context(), []
        context.set_node_callback(nodes.append)
        context.decode([300, 301])
        self.assertIn("blk.3.attn_q", {node.name for node in nodes})
        self.assertTrue(all(len(node.values) == node.n_rows * node.width for node in nodes))
        context.set_node_callback(lambda node: 1 / 0)
        with self.assertRaises(ZeroDivisionError):
            context.decode([302])
        context.set_node_callback(None)
        context.decode([303])


class System(BitnetTest):
    def test_log(self):
        with self.assertLogs("bitnet.test", logging.DEBUG) as logs:
            bitnet.log_to(logging.getLogger("bitnet.test"), bitnet.LogLevel.DEBUG)
            try:
                bitnet.Model(MODEL).close()
            finally:
                bitnet.set_log_callback(None)
        self.assertTrue(any("loaded" in line for line in logs.output))
        self.assertEqual({record.levelno for record in logs.records}, {logging.DEBUG, logging.INFO})

    def test_garbage_collected_in_a_callback_is_freed_after_it(self):
        waiting = []

        def collect(level, line):
            doomed.clear()
            waiting.append(len(_handles._waiting))

        doomed = [bitnet.Sampler(), bitnet.Model(MODEL)]
        bitnet.set_log_callback(collect)
        try:
            bitnet.Model(MODEL)
            bitnet.Sampler().close()
        finally:
            bitnet.set_log_callback(None)
        self.assertEqual(waiting[0], 2)
        self.assertEqual(_handles._waiting, [])

    def test_devices_and_build(self):
        self.assertIn("cpu", bitnet.devices())
        bitnet.check_device("cpu")
        with self.assertRaises(bitnet.DeviceError):
            bitnet.check_device("metal")
        with self.assertRaises(bitnet.ConfigError):
            bitnet.check_device("CPU")
        self.assertGreater(bitnet.device_memory().total, 1 << 20)
        self.assertEqual(bitnet.device_info().name, "cpu")
        self.assertIn("cpu", bitnet.features())
        self.assertIn("cpu", json.dumps(bitnet.all_devices()))
        self.assertTrue(any(kernel.selected for kernel in bitnet.kernels()))
        self.assertIn(bitnet.library_version(), bitnet.build_info())
        self.assertGreaterEqual(bitnet.thread_limit(), 1)
        self.assertEqual(bitnet.environment().kernel, os.environ.get("BITNET_KERNEL", ""))
        self.assertEqual(bitnet.utf8_complete_prefix("naï".encode()[:-1]), 2)

    def test_tokenizers(self):
        tokenizer = bitnet.Tokenizer(Path(MODEL).with_name("tokenizer.json"))
        self.assertEqual(tokenizer.encode(PROMPT), self.model.tokenizer.encode(PROMPT))
        info = self.model.tokenizer.info
        self.assertEqual(self.model.tokenizer.encode("a", add_bos=True)[0], info.bos)
        token = tokenizer.encode(" dog")[0]
        self.assertEqual(tokenizer.token(tokenizer.piece(token)), token)
        self.assertIn(token, tokenizer.find("dog"))
        self.assertTrue(self.model.tokenizer.is_end(info.eos))
        self.assertEqual(tokenizer.attribute(token), bitnet.TokenAttribute.NORMAL)
        template = tokenizer.chat_template(source="{{ messages[0].content }}{{ tail }}")
        self.assertEqual(template.render([{"role": "user", "content": "héllo"}], tail="!"), "héllo!")
        self.assertEqual(template.name, "jinja")
        with self.assertRaises(bitnet.ConfigError):
            tokenizer.chat_template(source="{% if %}")


if __name__ == "__main__":
    unittest.main()
