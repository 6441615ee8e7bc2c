"""Text to tokens and back, and chat templates. Both never change: any thread may use them."""

from __future__ import annotations

import ctypes
import json
import os
from typing import Any, Mapping, Optional, Sequence, Union

from . import _abi
from ._abi_constants import DecodeFlags, EncodeFlags, TokenAttribute
from ._errors import check, last_error
from ._handles import Handle, from_c, get_record, read_text, read_tokens, to_bytes, to_c_text, token_array
from ._library import lib
from ._records import TokenizerInfo

Path = Union[str, "os.PathLike[str]"]


def path_text(path: Path) -> bytes:
    return to_c_text(os.fsdecode(os.fspath(path)), "the path")


class Tokenizer(Handle):
    """The tokenizer of a model (Model.tokenizer, Context.tokenizer), or one from a file: tokenizer.json, tokenizer.model, .gguf."""

    _free_name = "bitnet_tokenizer_free"

    def __init__(self, path: Path) -> None:
        pointer = ctypes.POINTER(_abi.bitnet_tokenizer)()
        check(lib.bitnet_tokenizer_load(path_text(path), ctypes.byref(pointer)))
        super().__init__(pointer)

    @classmethod
    def _borrow(cls, owner: Handle, pointer: Any) -> "Tokenizer":
        """The one inside a model. It keeps its owner's handle, which keeps the model, until it is closed itself."""
        owner._begin(exclusive=False)
        self = cls.__new__(cls)
        Handle.__init__(self, pointer)
        self._free = lambda _: owner._end(exclusive=False)
        self._keeps = owner._keeps
        return self

    @property
    def info(self) -> TokenizerInfo:
        """Where it comes from, its kind, and the ids of BOS, EOS, ... (-1 where there is none)."""
        with self._use() as pointer:
            return get_record(TokenizerInfo, _abi.bitnet_tokenizer_info, lib.bitnet_tokenizer_get_info, pointer)

    @property
    def n_vocab(self) -> int:
        with self._use() as pointer:
            return int(lib.bitnet_tokenizer_get_n_vocab(pointer))

    def encode(self, text: Union[str, bytes], *, add_bos: bool = False, parse_special: bool = False,
               add_default: bool = False) -> list[int]:
        """Token ids of a text. add_default puts BOS and EOS as the model file asks; parse_special reads "<|eot_id|>" and its
        like as control tokens, which users' texts should never be."""
        raw = to_bytes(text)
        flags = (EncodeFlags.ADD_BOS * add_bos | EncodeFlags.PARSE_SPECIAL * parse_special
                 | EncodeFlags.ADD_DEFAULT * add_default)
        with self._use() as pointer:
            return read_tokens(lambda out, room, count: lib.bitnet_tokenizer_encode(
                pointer, raw, len(raw), flags, out, room, count), len(raw) // 3 + 8)

    def decode_bytes(self, tokens: Sequence[int], *, special: bool = False, start: bool = False) -> bytes:
        """The bytes of tokens; those of one token may be part of a character. special writes control tokens as their text;
        start says that the tokens begin a text (SentencePiece: without the space in front)."""
        ids = token_array(tokens)
        flags = DecodeFlags.SPECIAL * special | DecodeFlags.START * start
        size = ctypes.c_size_t()
        room = 8 * len(tokens) + 16
        with self._use() as pointer:
            while True:
                buffer = ctypes.create_string_buffer(room)
                status = lib.bitnet_tokenizer_decode(pointer, ids, len(ids), flags, buffer, room, ctypes.byref(size))
                if status == 0:
                    return buffer.raw[:size.value]
                if status != _abi.Status.BUFFER_TOO_SMALL:
                    raise last_error(status)
                room = size.value

    def decode(self, tokens: Sequence[int], *, special: bool = False, start: bool = False) -> str:
        """The same as text; what is no whole character becomes U+FFFD."""
        return self.decode_bytes(tokens, special=special, start=start).decode("utf-8", "replace")

    def piece(self, token: int) -> bytes:
        """The token's text as the vocabulary stores it."""
        text, size = ctypes.c_char_p(), ctypes.c_size_t()
        with self._use() as pointer:
            check(lib.bitnet_tokenizer_get_piece(pointer, token_array([token])[0], ctypes.byref(text), ctypes.byref(size)))
            return ctypes.string_at(ctypes.cast(text, ctypes.c_void_p), size.value)

    def token(self, piece: Union[str, bytes]) -> int:
        """The id whose stored text is exactly piece."""
        raw, token = to_bytes(piece), ctypes.c_int32()
        with self._use() as pointer:
            check(lib.bitnet_tokenizer_get_token(pointer, raw, len(raw), ctypes.byref(token)))
        return token.value

    def find(self, text: Union[str, bytes]) -> list[int]:
        """The ids of all tokens whose text contains text."""
        raw = to_bytes(text)
        with self._use() as pointer:
            return read_tokens(lambda out, room, count: lib.bitnet_tokenizer_find_tokens(
                pointer, raw, len(raw), out, room, count), 64)

    def attribute(self, token: int) -> TokenAttribute:
        with self._use() as pointer:
            return TokenAttribute(lib.bitnet_tokenizer_get_attribute(pointer, token_array([token])[0]))

    def is_end(self, token: int) -> bool:
        """Whether it ends a text: EOS, end of turn and their like."""
        with self._use() as pointer:
            return bool(lib.bitnet_tokenizer_is_end(pointer, token_array([token])[0]))

    def chat_template(self, format: Optional[str] = None, source: Optional[str] = None) -> "ChatTemplate":
        """The model's own template, a built-in format ("bitnet", "llama3", "chatml", "falcon", "gemma"), or a Jinja source."""
        return ChatTemplate(self, format, source)


def model_tokenizer(model: Any) -> Any:
    """The pointer to a model's tokenizer, lent by the model; raises why there is none."""
    pointer = lib.bitnet_model_get_tokenizer(model)
    if not pointer:
        info = _abi.bitnet_error_info()
        lib.bitnet_last_error_get_info(ctypes.byref(info))
        raise last_error(info.status)
    return pointer


class ChatTemplate(Handle):
    """How conversations are written for a model. Texts of a conversation never become control tokens."""

    _free_name = "bitnet_chat_template_free"

    def __init__(self, tokenizer: Tokenizer, format: Optional[str] = None, source: Optional[str] = None) -> None:
        pointer = ctypes.POINTER(_abi.bitnet_chat_template)()
        name = None if format is None else to_c_text(format, "format")
        raw = None if source is None else to_bytes(source)
        with tokenizer._use() as used:
            check(lib.bitnet_chat_template_create(used, name, raw, len(raw or b""), ctypes.byref(pointer)))
        super().__init__(pointer)
        self._keeps = tokenizer._keeps

    @property
    def name(self) -> str:
        """The built-in format's name, or "jinja"."""
        with self._use() as pointer:
            return from_c(lib.bitnet_chat_template_get_name(pointer))

    @property
    def source(self) -> str:
        with self._use() as pointer:
            return from_c(lib.bitnet_chat_template_get_source(pointer))

    @staticmethod
    def _json(messages: Sequence[Mapping[str, Any]], add_generation_prompt: bool, variables: Mapping[str, Any]) -> bytes:
        return json.dumps({"messages": list(messages), "add_generation_prompt": add_generation_prompt, **variables}).encode()

    def encode(self, messages: Sequence[Mapping[str, Any]], *, add_generation_prompt: bool = True,
               **variables: Any) -> list[int]:
        """The tokens of a conversation, [{"role": "user", "content": "..."}]; variables are the template's (tools, ...)."""
        raw = self._json(messages, add_generation_prompt, variables)
        with self._use() as pointer:
            return read_tokens(lambda out, room, count: lib.bitnet_chat_template_encode(
                pointer, raw, len(raw), out, room, count), 256)

    def render(self, messages: Sequence[Mapping[str, Any]], *, add_generation_prompt: bool = True, **variables: Any) -> str:
        """The same as text, to look at."""
        raw = self._json(messages, add_generation_prompt, variables)
        with self._use() as pointer:
            return read_text(lambda out, room, size: lib.bitnet_chat_template_render(pointer, raw, len(raw), out, room, size))
