"""A context: one model's KV cache, sequences and threads. It serves one thread at a time; cancel() is for any."""

from __future__ import annotations

import array
import contextlib
import ctypes
import dataclasses
import json
from typing import TYPE_CHECKING, Any, AsyncIterator, Callable, Iterator, Optional, Sequence, Union

from . import _abi
from ._abi_constants import ForwardOutput, Pooling
from ._errors import BitnetError, check
from ._handles import (
    Calls, Handle, R, floats, from_c, get_record, params, read_bytes, read_text, read_tokens, stops, token_array,
)
from ._library import lib
from ._model import Adapter, Model
from ._records import DeviceStats, MemoryInfo, Metrics, PerformanceMetrics
from ._tokenizer import Path, Tokenizer, model_tokenizer, path_text

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._generation import GenerateOptions, Generation, Prompt, Result, Step
    from ._options import ContextOptions

FLOAT_POINTER = ctypes.POINTER(ctypes.c_float)


class Context(Handle):
    """Computes with a model. Options are those of bitnet_context_params: n_ctx, n_seq_max, n_threads, embeddings=1,
    timeout_us, on_progress=callable, should_abort=callable, max_lora_rank, ...

    on_progress(progress) returning False, should_abort() returning True, and what either raises, stop the running call. Ctrl-C
    does, too, between parts of n_ubatch tokens. should_abort is asked some hundred times per token: it costs time."""

    _free_name = "bitnet_context_free"
    _exclusive = True

    def __init__(self, model: Model, **options: "Unpack[ContextOptions]") -> None:
        self._calls = Calls()
        self._give_up = give_up = [False]
        given = options.get("on_progress")
        # Always there: while it runs Python sees signals. It knows no `self`, so that nothing refers to itself.
        options["on_progress"] = lambda part: False if give_up[0] else None if given is None else given(part)
        struct, _held = params(_abi.bitnet_context_params, options, self._calls)
        pointer = ctypes.POINTER(_abi.bitnet_context)()
        info = model.info
        with model._use() as used:
            check(lib.bitnet_context_create(used, ctypes.byref(struct), ctypes.byref(pointer)))
            super().__init__(pointer)
            self._keeps = model._keeps
            self._tokenizer: Any = None  # the context keeps the model, and so this, whoever closes that
            self._no_tokenizer: Optional[BitnetError] = None
            try:
                self._tokenizer = model_tokenizer(used)
            except BitnetError as error:
                self._no_tokenizer = error
        self._n_vocab, self._n_embd, self._n_seq_max = info.n_vocab, info.n_embd, struct.n_seq_max

    @contextlib.contextmanager
    def _use(self) -> Iterator[Any]:
        pointer = self._begin(exclusive=True)
        try:
            try:
                yield pointer
            except BitnetError:
                self._calls.raise_kept()  # why it was cancelled
                raise
            self._calls.raise_kept()
        finally:
            self._end(exclusive=True)

    def cancel(self) -> None:
        """Stops the call that computes now, or else the next one. Any thread. A generation ends with FinishReason.CANCELLED,
        other calls raise Cancelled."""
        pointer = self._begin(exclusive=False)
        try:
            lib.bitnet_context_cancel(pointer)
        finally:
            self._end(exclusive=False)

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer, also after the model was closed."""
        if self._no_tokenizer is not None:
            raise self._no_tokenizer
        return Tokenizer._borrow(self, self._tokenizer)

    # ---- texts ----

    def generate(self, prompt: "Prompt", *, sequence: int = 0, on_step: "Optional[Callable[[Step], object]]" = None,
                 **options: "Unpack[GenerateOptions]") -> "Result":
        """Writes a text to its end. Options are those of bitnet_generation_params and bitnet_sampler_params: max_new_tokens,
        stop_sequences, temperature, top_p, seed, deadline_us, grammar, n_logprobs, receipt, ...; and json_schema.

        on_step(step) sees each step; returning False, or raising, ends the text. It cannot use this context."""
        from ._generation import generate

        return generate(self, prompt, sequence, on_step, options)

    def generation(self, prompt: "Prompt", *, sequence: int = 0, **options: "Unpack[GenerateOptions]") -> "Generation":
        """A text in the making: iterate over its pieces, then look at .result."""
        from ._generation import Generation

        return Generation(self, prompt, sequence=sequence, **options)

    def stream(self, prompt: "Prompt", *, sequence: int = 0, **options: "Unpack[GenerateOptions]") -> Iterator[str]:
        """The pieces of a text as they are written. Leaving the loop stops the work."""
        with self.generation(prompt, sequence=sequence, **options) as generation:
            yield from generation

    async def astream(self, prompt: "Prompt", *, sequence: int = 0,
                      **options: "Unpack[GenerateOptions]") -> AsyncIterator[str]:
        """The same for asyncio: each step runs in a thread of the loop's executor, one after the other."""
        import asyncio

        loop = asyncio.get_running_loop()
        with self.generation(prompt, sequence=sequence, **options) as generation:
            while True:
                step = asyncio.ensure_future(loop.run_in_executor(None, generation.next_text))
                try:
                    piece = await asyncio.shield(step)
                except asyncio.CancelledError:
                    self._give_up[0] = True  # and not cancel(), which would stop the next call where this one is through
                    try:
                        await step
                    finally:
                        self._give_up[0] = False
                    raise
                if piece is None:
                    return
                yield piece

    def generate_many(self, prompts: "Sequence[Prompt]", **options: "Unpack[GenerateOptions]") -> "list[Result]":
        """Texts for several prompts, n_seq_max of them at a time in one pass through the model. Each is the text that it would
        be alone."""
        from ._generation import generate_many

        return generate_many(self, prompts, self._n_seq_max, options)

    # ---- embeddings ----

    def embed(self, text: "Prompt", *, pooling: Pooling = Pooling.MEAN, normalize: bool = True,
              sequence: int = 0) -> "array.array[float]":
        """The embedding of a text, n_embd floats. Needs embeddings=1. The sequence is emptied before and after."""
        tokens = self._tokens(text)
        out = (ctypes.c_float * self._n_embd)()
        batch, _held = _batch(tokens, [sequence] * len(tokens), None, [True] * len(tokens))
        with self._use() as pointer:
            check(lib.bitnet_sequence_remove(pointer, sequence, -1, -1))
            check(lib.bitnet_context_decode(pointer, ctypes.byref(batch)))
            status = lib.bitnet_context_get_sequence_embedding(pointer, sequence, pooling, normalize, out, self._n_embd)
            lib.bitnet_sequence_remove(pointer, sequence, -1, -1)
            check(status)
        return floats(out, self._n_embd)

    def embedding(self, index: int = -1, *, normalize: bool = False) -> "array.array[float]":
        """The hidden state of an entry of the last decode."""
        out = (ctypes.c_float * self._n_embd)()
        with self._use() as pointer:
            check(lib.bitnet_context_get_embedding(pointer, index, normalize, out, self._n_embd))
        return floats(out, self._n_embd)

    def _tokens(self, prompt: "Prompt") -> Sequence[int]:
        if not isinstance(prompt, (str, bytes)):
            return prompt
        with self.tokenizer as tokenizer:
            return tokenizer.encode(prompt, add_default=True)

    # ---- decode ----

    def decode(self, tokens: Sequence[int], *, sequence: int = 0) -> None:
        """Appends tokens to a sequence; logits of the last one are there afterwards."""
        ids = token_array(tokens)
        with self._use() as pointer:
            check(lib.bitnet_context_decode_tokens(pointer, sequence, ids, len(ids)))

    def decode_batch(self, tokens: Sequence[int], sequences: Sequence[int], *, positions: Optional[Sequence[int]] = None,
                     want_output: Optional[Sequence[bool]] = None) -> None:
        """Runs tokens of several sequences together: token i belongs to sequences[i]."""
        batch, _held = _batch(tokens, sequences, positions, want_output)
        with self._use() as pointer:
            check(lib.bitnet_context_decode(pointer, ctypes.byref(batch)))

    def prefill(self, tokens: Sequence[int], *, sequence: int = 0) -> int:
        """Makes a sequence hold exactly these tokens, computing only what it does not hold; gives how many it held."""
        ids, reused = token_array(tokens), ctypes.c_size_t()
        with self._use() as pointer:
            check(lib.bitnet_context_prefill(pointer, sequence, ids, len(ids), ctypes.byref(reused)))
        return reused.value

    def logits(self, index: int = -1) -> "array.array[float]":
        """A copy of the logits of an entry of the last decode, n_vocab floats."""
        lent = FLOAT_POINTER()
        with self._use() as pointer:
            check(lib.bitnet_context_get_logits(pointer, index, ctypes.byref(lent)))
            return floats(lent, self._n_vocab)

    def next_token_logits(self, tokens: Sequence[int], *, temperature: float = 1.0,
                          sequence: int = 0) -> "array.array[float]":
        """The logits of the token after these, divided by temperature."""
        ids, out = token_array(tokens), (ctypes.c_float * self._n_vocab)()
        with self._use() as pointer:
            check(lib.bitnet_context_next_token_logits(pointer, sequence, ids, len(ids), temperature, out, len(out), None))
        return floats(out, len(out))

    def forward(self, tokens: Sequence[int], *, positions: Optional[Sequence[int]] = None, mask: Optional[bytes] = None,
                hidden: bool = False) -> "array.array[float]":
        """One pass outside of any sequence, with any attention mask of n * n bytes; a row of logits (hidden: of hidden
        states) for each token, one after the other."""
        ids, width = token_array(tokens), self._n_embd if hidden else self._n_vocab
        if positions is not None and len(positions) != len(ids) or mask is not None and len(mask) != len(ids) ** 2:
            raise ValueError("positions has one entry for each token, mask one byte for each pair of them")
        places = None if positions is None else token_array(positions)
        pairs = None if mask is None else (ctypes.c_uint8 * len(mask)).from_buffer_copy(mask)
        given = _abi.bitnet_forward_input(n_tokens=len(ids), tokens=ids, positions=places, mask=pairs)
        given.output = ForwardOutput.HIDDEN if hidden else ForwardOutput.LOGITS
        out = (ctypes.c_float * (width * len(ids)))()
        with self._use() as pointer:
            check(lib.bitnet_context_forward(pointer, ctypes.byref(given), out, len(out), None))
        return floats(out, len(out))

    def decode_begin(self, tokens: Sequence[int], *, sequence: int = 0) -> None:
        """A decode in pieces, for programs that have a frame to draw: then step() until it gives True."""
        batch, _held = _batch(tokens, [sequence] * len(tokens), None, None)
        with self._use() as pointer:
            check(lib.bitnet_context_decode_begin(pointer, ctypes.byref(batch)))

    def step(self, budget_us: int) -> bool:
        """About budget_us microseconds of work; True when the decode is done."""
        done = ctypes.c_int32()
        with self._use() as pointer:
            check(lib.bitnet_context_step(pointer, budget_us, ctypes.byref(done)))
        return bool(done.value)

    def decode_abandon(self) -> None:
        with self._use() as pointer:
            lib.bitnet_context_decode_abandon(pointer)

    # ---- sequences ----

    def sequence_tokens(self, sequence: int = 0) -> list[int]:
        with self._use() as pointer:
            return read_tokens(lambda out, room, count: lib.bitnet_sequence_get_tokens(pointer, sequence, out, room, count), 256)

    def sequence_end(self, sequence: int = 0) -> int:
        """The position that the next token will get."""
        with self._use() as pointer:
            return int(lib.bitnet_sequence_get_end(pointer, sequence))

    def sequence_remove(self, sequence: int = 0, start: int = 0, end: int = -1) -> None:
        """Forgets positions start up to end (-1: the last); sequence -1: of all sequences."""
        with self._use() as pointer:
            check(lib.bitnet_sequence_remove(pointer, sequence, start, end))

    def sequence_rewind(self, n_tokens: int, *, sequence: int = 0) -> None:
        with self._use() as pointer:
            check(lib.bitnet_sequence_rewind(pointer, sequence, max(n_tokens, 0)))

    def sequence_copy(self, source: int, target: int, start: int = 0, end: int = -1) -> None:
        with self._use() as pointer:
            check(lib.bitnet_sequence_copy(pointer, source, target, start, end))

    def sequence_fork(self, source: int, target: int) -> None:
        """Makes target a copy of source; nothing is computed again."""
        with self._use() as pointer:
            check(lib.bitnet_sequence_fork(pointer, source, target))

    def sequence_keep(self, sequence: int) -> None:
        """Forgets every other sequence."""
        with self._use() as pointer:
            check(lib.bitnet_sequence_keep(pointer, sequence))

    def sequence_shift(self, start: int, end: int, *, sequence: int = 0) -> int:
        """Forgets a range and computes anew what lies behind it; gives how many tokens that were."""
        computed = ctypes.c_size_t()
        with self._use() as pointer:
            check(lib.bitnet_sequence_shift(pointer, sequence, start, end, ctypes.byref(computed)))
        return computed.value

    def clear(self) -> None:
        """Forgets all sequences."""
        self.sequence_remove(-1)

    def sequence_save(self, sequence: int = 0) -> bytes:
        with self._use() as pointer:
            return read_bytes(lambda out, room, size: lib.bitnet_sequence_save(pointer, sequence, out, room, size))

    def sequence_load(self, data: bytes, *, sequence: int = 0) -> None:
        with self._use() as pointer:
            check(lib.bitnet_sequence_load(pointer, sequence, bytes(data), len(data)))

    # ---- sessions ----

    def session(self) -> bytes:
        """All sequences as bytes, for load_session in any context over the same model."""
        with self._use() as pointer:
            return read_bytes(lambda out, room, size: lib.bitnet_context_save_session_to_memory(pointer, out, room, size))

    def save_session(self, path: Path, on_progress: Optional[Callable[[float], object]] = None) -> None:
        """All sequences into a file, which appears whole or not at all."""
        self._session(lib.bitnet_context_save_session, path, on_progress)

    def load_session(self, source: Union[Path, bytes, bytearray],
                     on_progress: Optional[Callable[[float], object]] = None) -> None:
        """Replaces all sequences by those of session() or of a file of save_session()."""
        if not isinstance(source, (bytes, bytearray)):
            self._session(lib.bitnet_context_load_session, source, on_progress)
            return
        with self._use() as pointer:
            check(lib.bitnet_context_load_session_from_memory(pointer, bytes(source), len(source)))

    def _session(self, function: Callable[..., int], path: Path, on_progress: Optional[Callable[[float], object]]) -> None:
        calls = Calls()
        progress = _abi.bitnet_progress_callback()
        if on_progress is not None:
            given = on_progress
            progress = calls.wrap(_abi.bitnet_progress_callback, lambda part, _: stops(given(part)))
        with self._use() as pointer:
            try:
                check(function(pointer, path_text(path), progress, None))
            except BitnetError:
                calls.raise_kept()
                raise
            calls.raise_kept()

    # ---- adapters ----

    def set_adapters(self, *adapters: Union[Adapter, tuple[Adapter, float]], sequence: int = -1) -> None:
        """The adapters, each with its scale or 1, that a sequence (-1: every one) runs with from now on; none takes them away.
        Needs max_lora_rank, and sequences without tokens."""
        uses = (_abi.bitnet_adapter_use * max(len(adapters), 1))()
        with contextlib.ExitStack() as stack:
            for use, one in zip(uses, adapters):
                adapter, use.scale = one if isinstance(one, tuple) else (one, 1.0)
                use.adapter = stack.enter_context(adapter._use())
            check(lib.bitnet_context_set_adapters(stack.enter_context(self._use()), sequence, uses, len(adapters)))

    # ---- figures ----

    def set_node_callback(self, callback: "Optional[Callable[[NodeValue], object]]") -> None:
        """callback(node) sees what every node of the graph computes, from the next decode on; None ends that. It cannot use the
        library. What it raises comes out of the call that computes, after it."""
        kind = _abi.bitnet_node_callback
        if callback is None:
            made = kind()
        else:
            given = callback
            made = self._calls.wrap(kind, lambda value, _: given(NodeValue._of(value.contents)), None)
        with self._use() as pointer:
            check(lib.bitnet_context_set_node_callback(pointer, made, None))

    @property
    def n_ctx(self) -> int:
        """KV cells, shared by all sequences."""
        return self._number(lib.bitnet_context_get_n_ctx)

    @property
    def n_free(self) -> int:
        """Tokens that still fit."""
        with self._use() as pointer:
            return int(lib.bitnet_context_get_n_free(pointer))

    @property
    def n_threads(self) -> int:
        return self._number(lib.bitnet_context_get_n_threads)

    def _number(self, function: Callable[[Any], int]) -> int:
        pointer = self._begin(exclusive=False)
        try:
            return function(pointer)
        finally:
            self._end(exclusive=False)

    @property
    def memory(self) -> MemoryInfo:
        with self._use() as pointer:
            return get_record(MemoryInfo, _abi.bitnet_memory_info, lib.bitnet_context_get_memory, pointer)

    @property
    def metrics(self) -> Metrics:
        with self._use() as pointer:
            return get_record(Metrics, _abi.bitnet_metrics, lib.bitnet_context_get_metrics, pointer)

    def performance(self) -> PerformanceMetrics:
        """Counters and latencies; any thread, also while the context computes."""
        return self._any_thread(PerformanceMetrics, _abi.bitnet_performance_metrics, lib.bitnet_context_get_performance)

    def device_stats(self) -> DeviceStats:
        """What ran on which device; any thread, also while the context computes."""
        return self._any_thread(DeviceStats, _abi.bitnet_device_stats, lib.bitnet_context_get_device_stats)

    def _any_thread(self, record: type[R], kind: Any, function: Callable[..., int]) -> R:
        pointer = self._begin(exclusive=False)
        try:
            return get_record(record, kind, function, pointer)
        finally:
            self._end(exclusive=False)

    def reset_metrics(self) -> None:
        """metrics, performance() and device_stats() begin anew."""
        with self._use() as pointer:
            check(lib.bitnet_context_reset_metrics(pointer))
            check(lib.bitnet_context_reset_performance(pointer))
            check(lib.bitnet_context_reset_device_stats(pointer))

    def trace(self) -> list[dict[str, Any]]:
        """What the last decode ran, node by node. Needs trace=1."""
        with self._use() as pointer:
            text = read_text(lambda out, room, size: lib.bitnet_context_get_trace(pointer, out, room, size))
        found: list[dict[str, Any]] = json.loads(text)
        return found


@dataclasses.dataclass(frozen=True)
class NodeValue:
    """What one node of the graph has computed: n_rows rows of width floats, one after the other."""

    index: int
    name: str
    op: str
    kernel: str
    layer: int
    n_rows: int
    width: int
    values: "array.array[float]"

    @classmethod
    def _of(cls, node: Any) -> "NodeValue":
        return cls(node.index, from_c(node.name), from_c(node.op), from_c(node.kernel), node.layer, node.n_rows, node.width,
                   floats(node.values, node.n_rows * node.width))


def _batch(tokens: Sequence[int], sequences: Sequence[int], positions: Optional[Sequence[int]],
           want_output: Optional[Sequence[bool]]) -> tuple[Any, list[Any]]:
    for other in (sequences, positions, want_output):
        if other is not None and len(other) != len(tokens):
            raise ValueError("each token has one sequence, one position and one want_output")
    ids, owners = token_array(tokens), token_array(sequences)
    places = None if positions is None else token_array(positions)
    wanted = None if want_output is None else (ctypes.c_int8 * len(tokens))(*map(bool, want_output))
    batch = _abi.bitnet_batch(n_tokens=len(tokens), tokens=ids, positions=places, seq_ids=owners, want_output=wanted)
    return batch, [ids, owners, places, wanted]
