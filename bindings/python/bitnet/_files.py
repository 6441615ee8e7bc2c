"""Model files: looking inside, converting, merging fine-tunings, and finding the tokenizer that belongs to one."""

from __future__ import annotations

import array
import ctypes
import dataclasses
import json
from typing import TYPE_CHECKING, Any, Callable, Mapping, Optional

from . import _abi
from ._abi_constants import TokenizerStrategy
from ._errors import BitnetError, check
from ._handles import Calls, Handle, floats, from_c, get_record, params, read_text, to_c_text
from ._library import lib
from ._records import (
    ConvertedTensor, ConvertInfo, FileInfo, FileTensor, MergedTensor, MergeInfo, TokenizerDiscoveryInfo,
)
from ._reports import read_list
from ._tokenizer import Path, Tokenizer, path_text

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._options import ConvertOptions, MergeOptions, TokenizerDiscoveryOptions


@dataclasses.dataclass(frozen=True)
class ConvertReport:
    """What was written, and what each tensor lost."""

    info: ConvertInfo
    tensors: list[ConvertedTensor]
    details: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class MergeReport:
    """What merging changed, and what rounding to three values lost of it."""

    info: MergeInfo
    tensors: list[MergedTensor]
    details: dict[str, Any]


def _run(call: Callable[[Any], int], kind: Any, calls: Calls) -> Any:
    """call(&report), with what callbacks raised instead of the library's BITNET_E_CANCELLED."""
    pointer = ctypes.POINTER(kind)()
    try:
        check(call(ctypes.byref(pointer)))
    except BitnetError:
        calls.raise_kept()
        raise
    return pointer


def convert_file(source: Path, target: Path, **options: "Unpack[ConvertOptions]") -> ConvertReport:
    """Writes a model (a GGUF file of any dialect, or a Hugging Face folder) as a new GGUF file: type="i2_s", head_type="q6_k",
    ternarize=1, ... The file appears whole or not at all."""
    calls = Calls()
    struct, _held = params(_abi.bitnet_convert_params, options, calls)
    report = _run(lambda out: lib.bitnet_file_convert(path_text(source), path_text(target), ctypes.byref(struct), out),
                  _abi.bitnet_convert_report, calls)
    try:
        calls.raise_kept()
        return ConvertReport(
            get_record(ConvertInfo, _abi.bitnet_convert_info, lib.bitnet_convert_report_get_info, report),
            read_list(ConvertedTensor, _abi.bitnet_converted_tensor, lib.bitnet_convert_report_get_tensor, report),
            json.loads(read_text(lambda out, room, size: lib.bitnet_convert_report_get_json(report, out, room, size))))
    finally:
        lib.bitnet_convert_report_free(report)


def merge_files(base: Path, target: Path, **options: "Unpack[MergeOptions]") -> MergeReport:
    """Writes a model with fine-tunings merged into its weights: adapters=[(path, scale), ...], checkpoint_path=..., and
    convert={...}, the options of convert_file."""
    calls, plain = Calls(), dict(options)
    adapters = [(path_text(path), float(scale)) for path, scale in options.get("adapters") or ()]
    convert: Optional[Mapping[str, Any]] = options.get("convert")
    plain.pop("adapters", None)
    plain.pop("convert", None)
    struct, _held = params(_abi.bitnet_merge_params, plain, calls)
    uses = (_abi.bitnet_merge_adapter * max(len(adapters), 1))()
    for use, (path, scale) in zip(uses, adapters):
        use.path, use.scale = path, scale
    struct.adapters, struct.n_adapters = uses, len(adapters)
    if convert is not None:
        how, _too = params(_abi.bitnet_convert_params, convert, calls)
        struct.convert = ctypes.pointer(how)
    report = _run(lambda out: lib.bitnet_file_merge(path_text(base), path_text(target), ctypes.byref(struct), out),
                  _abi.bitnet_merge_report, calls)
    try:
        calls.raise_kept()
        return MergeReport(
            get_record(MergeInfo, _abi.bitnet_merge_info, lib.bitnet_merge_report_get_info, report),
            read_list(MergedTensor, _abi.bitnet_merged_tensor, lib.bitnet_merge_report_get_tensor, report),
            json.loads(read_text(lambda out, room, size: lib.bitnet_merge_report_get_json(report, out, room, size))))
    finally:
        lib.bitnet_merge_report_free(report)


class GgufFile(Handle):
    """A GGUF file as it stands, of any architecture. Nothing is loaded; the file must not change while it is open."""

    _free_name = "bitnet_file_free"

    def __init__(self, path: Path) -> None:
        pointer = ctypes.POINTER(_abi.bitnet_file)()
        check(lib.bitnet_file_open(path_text(path), ctypes.byref(pointer)))
        super().__init__(pointer)

    @property
    def info(self) -> FileInfo:
        with self._use() as pointer:
            return get_record(FileInfo, _abi.bitnet_file_info, lib.bitnet_file_get_info, pointer)

    @property
    def metadata(self) -> dict[str, str]:
        """All of it as texts, arrays whole, in the file's order."""
        found: dict[str, str] = {}
        with self._use() as pointer:
            for index in range(get_record(FileInfo, _abi.bitnet_file_info, lib.bitnet_file_get_info, pointer).n_keys):
                key = read_text(lambda out, room, size: lib.bitnet_file_get_metadata_key(pointer, index, out, room, size))
                raw = to_c_text(key, "the key")
                found[key] = read_text(lambda out, room, size: lib.bitnet_file_get_metadata(pointer, raw, out, room, size))
        return found

    @property
    def tensors(self) -> list[FileTensor]:
        with self._use() as pointer:
            return read_list(FileTensor, _abi.bitnet_file_tensor, lib.bitnet_file_get_tensor, pointer)

    def read_tensor(self, index: int, first_row: int = 0, n_rows: int = 1) -> "array.array[float]":
        """The values of rows as floats, one row after the other."""
        count = ctypes.c_size_t()
        with self._use() as pointer:
            status = lib.bitnet_file_read_tensor(pointer, index, first_row, n_rows, None, 0, ctypes.byref(count))
            if status != _abi.Status.BUFFER_TOO_SMALL:
                check(status)
            out = (ctypes.c_float * max(count.value, 1))()
            check(lib.bitnet_file_read_tensor(pointer, index, first_row, n_rows, out, count.value, ctypes.byref(count)))
        return floats(out, count.value)


class TokenizerDiscovery(Handle):
    """Where the tokenizer of a model file is: a path that is given, the file itself, beside it, in a cache of downloads, or what
    has to be downloaded. The library has no network."""

    _free_name = "bitnet_tokenizer_discovery_free"

    def __init__(self, model_path: Path, **options: "Unpack[TokenizerDiscoveryOptions]") -> None:
        struct, _held = params(_abi.bitnet_tokenizer_discovery_params, options, Calls())
        pointer = ctypes.POINTER(_abi.bitnet_tokenizer_discovery)()
        check(lib.bitnet_tokenizer_discovery_create(path_text(model_path), ctypes.byref(struct), ctypes.byref(pointer)))
        super().__init__(pointer)

    @property
    def info(self) -> TokenizerDiscoveryInfo:
        with self._use() as pointer:
            return get_record(TokenizerDiscoveryInfo, _abi.bitnet_tokenizer_discovery_info,
                              lib.bitnet_tokenizer_discovery_get_info, pointer)

    @property
    def strategy(self) -> TokenizerStrategy:
        return TokenizerStrategy(self.info.strategy)

    @property
    def files(self) -> list[str]:
        """The files to download, where info.source says from where; [] where nothing has to be."""
        raw = _abi.bitnet_tokenizer_discovery_info()
        with self._use() as pointer:
            check(lib.bitnet_tokenizer_discovery_get_info(pointer, ctypes.byref(raw)))
            if not raw.source:
                return []
            source = raw.source.contents
            return [from_c(source.files[index]) for index in range(source.n_files)]

    def load(self) -> Tokenizer:
        """The tokenizer; raises what to download where there is none."""
        found = ctypes.POINTER(_abi.bitnet_tokenizer)()
        with self._use() as pointer:
            check(lib.bitnet_tokenizer_discovery_load(pointer, ctypes.byref(found)))
        tokenizer = Tokenizer.__new__(Tokenizer)
        Handle.__init__(tokenizer, found)
        return tokenizer
