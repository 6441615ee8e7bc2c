"""A text in the making, one step at a time, and what came out."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import json
from typing import TYPE_CHECKING, Any, Callable, Iterator, Mapping, Optional, Sequence, Union

from . import _abi
from ._abi_constants import FinishReason, Status
from ._errors import BitnetError, check, error_for
from ._grammar import Grammar, Schema
from ._handles import Calls, Handle, bytes_at, fill, read_text, stops, to_bytes, to_c_text, token_array
from ._library import lib
from ._options import GenerationOptions, SamplerOptions
from ._records import GenerationResult, GenerationStep
from ._sampler import SAMPLER_FIELDS, TokenLogprob, sampler_struct

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._context import Context

#: A text, its bytes, or tokens: ChatTemplate.encode, Tokenizer.encode.
Prompt = Union[str, bytes, Sequence[int]]


class GenerateOptions(GenerationOptions, SamplerOptions, total=False):
    json_schema: Schema


@dataclasses.dataclass(frozen=True)
class Step(GenerationStep):
    """What one step brought: .text, often "", and .tokens, the one that was drawn, if any."""

    finish_reason: FinishReason
    text: str
    tokens: list[int]


@dataclasses.dataclass(frozen=True)
class Result(GenerationResult):
    """A text and how it came about; str() is the text."""

    finish_reason: FinishReason
    text: str
    tokens: list[int]
    token_times_us: list[int]

    def __str__(self) -> str:
        return self.text


def _read_step(struct: Any) -> Step:
    plain = dataclasses.asdict(GenerationStep.read(struct))
    plain.update(finish_reason=FinishReason(struct.finish_reason), text=_text(struct), tokens=struct.tokens[:struct.n_tokens])
    return Step(**plain)


def _text(struct: Any) -> str:
    return bytes_at(struct, "text", struct.n_bytes).decode("utf-8", "replace")


@contextlib.contextmanager
def _generation_struct(context: "Context", options: Mapping[str, Any]) -> Iterator[Any]:
    """A bitnet_generation_params with these options, for the length of a call that reads it."""
    struct = _abi.bitnet_generation_params()
    lib.bitnet_generation_params_init(ctypes.byref(struct), ctypes.sizeof(struct))
    plain = {name: value for name, value in options.items() if name not in SAMPLER_FIELDS}
    sampler, held = sampler_struct({name: value for name, value in options.items() if name in SAMPLER_FIELDS})
    struct.sampler = ctypes.pointer(sampler)
    stop = plain.pop("stop_sequences", None)
    grammar: Optional[Grammar] = plain.pop("grammar", None)
    schema = plain.pop("json_schema", None)
    if stop:
        texts = [to_c_text(text, "a stop sequence") for text in ([stop] if isinstance(stop, str) else stop)]
        struct.stop_sequences, struct.n_stop_sequences = (ctypes.c_char_p * len(texts))(*texts), len(texts)
        held.append(texts)
    held += fill(struct, plain, Calls())
    with contextlib.ExitStack() as stack:
        if schema is not None:
            if grammar is not None:
                raise ValueError("json_schema and grammar exclude each other")
            with context.tokenizer as tokenizer:
                grammar = stack.enter_context(Grammar.from_json_schema(tokenizer, schema))
        if grammar is not None:
            struct.grammar = stack.enter_context(grammar._use())
        yield struct


class Generation(Handle):
    """A text in the making. It uses its context only inside a step, so several on sequences of one context can take turns.

        with context.generation("Once upon a time", max_new_tokens=50) as generation:
            for piece in generation:
                print(piece, end="")
        print(generation.result.finish_reason)
    """

    _free_name = "bitnet_generation_free"
    _exclusive = True

    def __init__(self, context: "Context", prompt: Prompt, *, sequence: int = 0, **options: "Unpack[GenerateOptions]") -> None:
        pointer = ctypes.POINTER(_abi.bitnet_generation)()
        with _generation_struct(context, options) as struct, context._use() as used:
            if isinstance(prompt, (str, bytes)):
                raw = to_bytes(prompt)
                status = lib.bitnet_generation_create(used, sequence, raw, len(raw), ctypes.byref(struct), ctypes.byref(pointer))
            else:
                ids = token_array(prompt)
                status = lib.bitnet_generation_create_from_tokens(used, sequence, ids, len(ids), ctypes.byref(struct),
                                                                  ctypes.byref(pointer))
            check(status)
        self._adopt(context, pointer, options)

    def _adopt(self, context: "Context", pointer: Any, options: Mapping[str, Any]) -> None:
        Handle.__init__(self, pointer)
        self._keeps = context._keeps
        self._context = context
        self._n_logprobs = options.get("n_logprobs") or 0
        self._struct = _abi.bitnet_generation_step()
        self._finished = False
        self._result: Optional[Result] = None

    @property
    def finished(self) -> bool:
        return self._finished

    def close(self) -> None:
        if not self._closed and self._pointer is not None:
            with contextlib.suppress(BitnetError):  # result can be read afterwards
                self._result = self._read_result()
        super().close()

    def __del__(self) -> None:
        if getattr(self, "_pointer", None) is not None:
            super().close()

    def step(self) -> Step:
        """Draws one token. After the last step it brings nothing more."""
        with self._use() as pointer, self._context._use():
            check(lib.bitnet_generation_next(pointer, ctypes.byref(self._struct)))
            self._finished = self._struct.finish_reason != FinishReason.NONE
            return _read_step(self._struct)

    def next_text(self) -> Optional[str]:
        """Steps until there is text to show; None at the end."""
        struct = self._struct
        while not self._finished:
            with self._use() as pointer, self._context._use():
                check(lib.bitnet_generation_next(pointer, ctypes.byref(struct)))
                self._finished = struct.finish_reason != FinishReason.NONE
                if struct.n_bytes:
                    return _text(struct)
        return None

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        piece = self.next_text()
        if piece is None:
            raise StopIteration
        return piece

    def run(self) -> Result:
        """All the steps that are left."""
        while self.next_text() is not None:
            pass
        return self.result

    @property
    def result(self) -> Result:
        """What it has brought so far; still there after closing."""
        if self._closed and self._result is not None:
            return self._result
        return self._read_result()

    def _read_result(self) -> Result:
        struct = _abi.bitnet_generation_result()
        with self._use() as pointer:
            check(lib.bitnet_generation_get_result(pointer, ctypes.byref(struct)))
            plain = dataclasses.asdict(GenerationResult.read(struct))
            plain.update(finish_reason=FinishReason(struct.finish_reason), text=_text(struct),
                         tokens=struct.tokens[:struct.n_tokens], token_times_us=struct.token_times_us[:struct.n_tokens])
            return Result(**plain)

    def logprobs(self) -> tuple[float, list[TokenLogprob]]:
        """Log-probabilities of the token that the last step brought and of the best ones. Needs n_logprobs."""
        own, count = ctypes.c_float(), ctypes.c_size_t()
        room = max(self._n_logprobs, 1)
        top = (_abi.bitnet_token_logprob * room)()
        with self._use() as pointer:
            check(lib.bitnet_generation_get_logprobs(pointer, ctypes.byref(own), top, room, ctypes.byref(count)))
        return own.value, [TokenLogprob(entry.token, entry.logprob) for entry in top[:count.value]]

    def receipt(self) -> dict[str, Any]:
        """The proof of how the text came about; see verify_receipt, which takes receipt_text(). Needs receipt=1."""
        found: dict[str, Any] = json.loads(self.receipt_text())
        return found

    def receipt_text(self) -> str:
        with self._use() as pointer:
            return read_text(lambda out, room, size: lib.bitnet_generation_get_receipt(pointer, out, room, size))


def generate(context: "Context", prompt: Prompt, sequence: int, on_step: Optional[Callable[[Step], object]],
             options: Mapping[str, Any]) -> Result:
    """Context.generate. Without a callback Python looks for signals between the steps."""
    if on_step is None:
        with Generation(context, prompt, sequence=sequence, **options) as generation:
            return generation.run()
    if not isinstance(prompt, (str, bytes)):
        return _generate_from_tokens(context, prompt, sequence, on_step, options)
    calls, raw = Calls(), to_bytes(prompt)
    callback = calls.wrap(_abi.bitnet_generation_callback, lambda step, _: stops(on_step(_read_step(step.contents))))
    pointer = ctypes.POINTER(_abi.bitnet_generation)()
    with _generation_struct(context, options) as struct, context._use() as used:
        check(lib.bitnet_generate(used, sequence, raw, len(raw), ctypes.byref(struct), callback, None, ctypes.byref(pointer)))
    made = Generation.__new__(Generation)
    made._adopt(context, pointer, options)
    with made:
        calls.raise_kept()
        return made.result


def _generate_from_tokens(context: "Context", prompt: Sequence[int], sequence: int, on_step: Callable[[Step], object],
                          options: Mapping[str, Any]) -> Result:
    with Generation(context, prompt, sequence=sequence, **options) as generation:
        while not generation.finished:
            if on_step(generation.step()) is False and not generation.finished:
                return dataclasses.replace(generation.result, finish_reason=FinishReason.CANCELLED)
        return generation.result


def step_together(generations: Sequence[Generation], max_tokens: int = 0) -> list[Step]:
    """Advances several generations of one context, each on a sequence of its own, in one pass through the model. What went wrong
    with one alone is in its step's status and error."""
    if not generations:
        return []
    context, count = generations[0]._context, len(generations)
    if any(one._context is not context for one in generations):
        raise ValueError("generations of one context step together")
    steps = (_abi.bitnet_generation_step * count)()
    steps[0].struct_size = ctypes.sizeof(_abi.bitnet_generation_step)
    with contextlib.ExitStack() as stack:
        pointers = [stack.enter_context(one._use()) for one in generations]
        handles = (ctypes.POINTER(_abi.bitnet_generation) * count)(*pointers)
        stack.enter_context(context._use())
        check(lib.bitnet_generation_next_batch(handles, count, max_tokens, steps))
        found = [_read_step(step) for step in steps]
    for one, step in zip(generations, found):
        one._finished = step.finish_reason != FinishReason.NONE
    return found


def generate_many(context: "Context", prompts: Sequence[Prompt], width: int, options: Mapping[str, Any]) -> list[Result]:
    """Context.generate_many: a sequence that is done takes the next prompt."""
    results: list[Optional[Result]] = [None] * len(prompts)
    waiting = list(range(len(prompts)))[::-1]
    running: dict[int, tuple[int, Generation]] = {}
    try:
        while waiting or running:
            for sequence in range(width):
                if waiting and sequence not in running:
                    index = waiting.pop()
                    running[sequence] = index, Generation(context, prompts[index], sequence=sequence, **options)
            sequences = list(running)
            steps = step_together([running[sequence][1] for sequence in sequences])
            for sequence, step in zip(sequences, steps):
                index, generation = running[sequence]
                if step.status != Status.OK:
                    raise error_for(step.status, step.error)
                if generation.finished:
                    results[index] = generation.result
                    running.pop(sequence)[1].close()
                    context.sequence_remove(sequence)
    finally:
        for _, generation in running.values():
            generation.close()
    return [result for result in results if result is not None]
