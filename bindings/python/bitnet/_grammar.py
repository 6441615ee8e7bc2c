"""Grammars: which texts a model may write. They never change: any thread may use them."""

from __future__ import annotations

import ctypes
import json
from typing import Any, Mapping, Optional, Union

from . import _abi
from ._errors import check
from ._handles import Handle, read_text, to_bytes, to_c_text
from ._library import lib
from ._tokenizer import Tokenizer

Schema = Union[str, bool, Mapping[str, Any]]


def _schema_text(schema: Schema) -> bytes:
    return to_bytes(schema if isinstance(schema, str) else json.dumps(schema))


class Grammar(Handle):
    """A compiled grammar, from GBNF as llama.cpp describes it, or from a JSON schema. It keeps its tokenizer alive."""

    _free_name = "bitnet_grammar_free"

    def __init__(self, tokenizer: Tokenizer, gbnf: str, root: Optional[str] = None) -> None:
        raw, start = to_bytes(gbnf), None if root is None else to_c_text(root, "root")
        pointer = ctypes.POINTER(_abi.bitnet_grammar)()
        with tokenizer._use() as used:
            check(lib.bitnet_grammar_create_from_gbnf(used, raw, len(raw), start, ctypes.byref(pointer)))
        super().__init__(pointer)
        self._keeps = tokenizer._keeps

    @classmethod
    def from_json_schema(cls, tokenizer: Tokenizer, schema: Schema = True) -> "Grammar":
        """JSON texts that obey a schema; `True` and {} allow any JSON."""
        raw = _schema_text(schema)
        pointer = ctypes.POINTER(_abi.bitnet_grammar)()
        with tokenizer._use() as used:
            check(lib.bitnet_grammar_create_from_json_schema(used, raw, len(raw), ctypes.byref(pointer)))
        self = cls.__new__(cls)
        Handle.__init__(self, pointer)
        self._keeps = tokenizer._keeps
        return self


def json_schema_to_gbnf(schema: Schema) -> str:
    raw = _schema_text(schema)
    return read_text(lambda out, room, size: lib.bitnet_json_schema_to_gbnf(raw, len(raw), out, room, size))
