"""Logits to a token: the sampler, and functions of logits alone. Logits are anything with a buffer of 32-bit floats."""

from __future__ import annotations

import array
import ctypes
from typing import TYPE_CHECKING, Any, Mapping, NamedTuple, Optional

from . import _abi
from ._errors import check
from ._handles import Buffer, Calls, Handle, fill, float_pointer, token_array
from ._library import lib

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._context import Context
    from ._grammar import Grammar
    from ._options import SamplerOptions

SAMPLER_FIELDS = {field[0] for field in _abi.bitnet_sampler_params._fields_}


class TokenLogprob(NamedTuple):
    token: int
    logprob: float


def sampler_struct(options: Mapping[str, Any]) -> tuple[Any, list[Any]]:
    """A bitnet_sampler_params with these options, and what must stay alive while it is used."""
    struct = _abi.bitnet_sampler_params()
    lib.bitnet_sampler_params_init(ctypes.byref(struct), ctypes.sizeof(struct))
    plain = dict(options)
    bias: Optional[Mapping[int, float]] = plain.pop("logit_bias", None)
    breakers = plain.pop("dry_breakers", None)
    held = fill(struct, plain, Calls())
    if plain.get("seed") is not None:
        struct.has_seed = 1
    if bias:
        ids = token_array(list(bias))
        entries = (_abi.bitnet_logit_bias * len(bias))()
        for entry, token, weight in zip(entries, ids, bias.values()):
            entry.token, entry.bias = token, weight
        struct.logit_bias, struct.n_logit_bias = entries, len(bias)
        held.append(entries)
    if breakers:
        ids = token_array(breakers)
        struct.dry_breakers, struct.n_dry_breakers = ids, len(ids)
        held.append(ids)
    return struct, held


class Sampler(Handle):
    """Draws tokens from logits; serves one thread at a time. Options are those of bitnet_sampler_params: temperature, top_k,
    top_p, min_p, seed, repetition_penalty, logit_bias {token: bias}, ..."""

    _free_name = "bitnet_sampler_free"
    _exclusive = True

    def __init__(self, **options: "Unpack[SamplerOptions]") -> None:
        struct, _held = sampler_struct(options)
        pointer = ctypes.POINTER(_abi.bitnet_sampler)()
        check(lib.bitnet_sampler_create(ctypes.byref(struct), ctypes.byref(pointer)))
        super().__init__(pointer)

    @property
    def seed(self) -> int:
        with self._use() as pointer:
            return int(lib.bitnet_sampler_get_seed(pointer))

    def sample(self, logits: Buffer) -> int:
        """Picks a token and accepts it."""
        values, count, _held = float_pointer(logits)
        token = ctypes.c_int32()
        with self._use() as pointer:
            check(lib.bitnet_sampler_sample(pointer, values, count, ctypes.byref(token)))
        return token.value

    def sample_context(self, context: "Context", index: int = -1) -> int:
        """The same on the logits of an entry of the context's last decode, without copying them."""
        token = ctypes.c_int32()
        with self._use() as pointer, context._use() as used:
            check(lib.bitnet_sampler_sample_context(pointer, used, index, ctypes.byref(token)))
        return token.value

    def accept(self, token: int) -> None:
        """Tells penalties, DRY and grammar about a token that was not sampled here."""
        with self._use() as pointer:
            check(lib.bitnet_sampler_accept(pointer, token_array([token])[0]))

    def reset(self) -> None:
        with self._use() as pointer:
            check(lib.bitnet_sampler_reset(pointer))

    def probabilities(self, logits: Buffer) -> "array.array[float]":
        """What the next draw would use; draws nothing."""
        values, count, _held = float_pointer(logits)
        out = array.array("f", bytes(4 * count))
        with self._use() as pointer:
            check(lib.bitnet_sampler_get_probabilities(pointer, values, count, float_pointer(out)[0]))
        return out

    def set_grammar(self, grammar: "Optional[Grammar]") -> None:
        """From now on only what the grammar allows is drawn; None takes it away."""
        with self._use() as pointer:
            if grammar is None:
                check(lib.bitnet_sampler_set_grammar(pointer, None))
            else:
                with grammar._use() as used:
                    check(lib.bitnet_sampler_set_grammar(pointer, used))
                self._keeps = grammar._keeps


def argmax(logits: Buffer) -> int:
    values, count, _held = float_pointer(logits)
    token = ctypes.c_int32()
    check(lib.bitnet_logits_argmax(values, count, ctypes.byref(token)))
    return token.value


def softmax(logits: Buffer) -> "array.array[float]":
    values, count, _held = float_pointer(logits)
    out = array.array("f", bytes(4 * count))
    check(lib.bitnet_logits_softmax(values, count, float_pointer(out)[0]))
    return out


def top_logprobs(logits: Buffer, n: int) -> list[TokenLogprob]:
    """The n most likely tokens, best first, with the logarithms of their probabilities."""
    values, count, _held = float_pointer(logits)
    entries = (_abi.bitnet_token_logprob * max(n, 1))()
    check(lib.bitnet_logits_get_top_logprobs(values, count, 0, None, entries, n))
    return [TokenLogprob(entry.token, entry.logprob) for entry in entries[:n]]
