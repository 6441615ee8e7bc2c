"""Models and LoRA adapters. They never change: any thread may use them."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, Callable, Iterator, Mapping, Optional, Union

from . import _abi
from ._errors import BitnetError, check
from ._handles import Calls, Handle, get_record, params, read_text, to_c_text
from ._library import lib
from ._records import (
    AdapterInfo, MemoryBreakdown, MemoryEstimate, ModelConfig, ModelInfo, QuantizationInfo, TensorInfo, TypeUsage,
)
from ._reports import ValidationReport, read_validation
from ._tokenizer import Path, Tokenizer, model_tokenizer, path_text

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._context import Context
    from ._options import ContextOptions, ModelOptions, ValidationOptions


class Model(Handle):
    """A model from a GGUF file. Options are those of bitnet_model_params: on_progress=callable, device="auto", use_mmap=1,
    vocab_only=1, max_bytes=..., tokenizer_path=..., validate=1, ...

    on_progress(progress) is called with 0 to 1; returning False stops the load (Cancelled), and so does what it raises."""

    _free_name = "bitnet_model_free"

    def __init__(self, path: Path, **options: "Unpack[ModelOptions]") -> None:
        raw = path_text(path)
        self._load(options, lambda struct, out: lib.bitnet_model_load(raw, struct, out))

    @classmethod
    def from_bytes(cls, data: Union[bytes, bytearray, memoryview], **options: "Unpack[ModelOptions]") -> "Model":
        """From a file's bytes. They are used in place where they can be (bytes, and what may be written to: bytearray, mmap
        with ACCESS_COPY) and must not change while the model lives; others are copied."""
        held: Any = data
        if isinstance(data, bytes):
            size, place = len(data), ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p)
        else:
            view = memoryview(data).cast("B")
            size = view.nbytes
            held = (ctypes.c_char * size).from_buffer_copy(view) if view.readonly else (ctypes.c_char * size).from_buffer(view)
            place = ctypes.cast(held, ctypes.c_void_p)
        self = cls.__new__(cls)
        self._load(options, lambda struct, out: lib.bitnet_model_load_from_memory(place, size, struct, out))
        self._keeps = (held,)
        return self

    @classmethod
    def from_fd(cls, fd: int, offset: int = 0, length: int = 0, **options: "Unpack[ModelOptions]") -> "Model":
        """From length bytes at offset of an open file (0: up to its end); the descriptor stays the caller's."""
        self = cls.__new__(cls)
        self._load(options, lambda struct, out: lib.bitnet_model_load_from_fd(fd, offset, length, struct, out))
        return self

    @classmethod
    def from_reader(cls, size: int, read: Callable[[int, int], bytes], **options: "Unpack[ModelOptions]") -> "Model":
        """From read(offset, n_bytes), which gives exactly n_bytes: pack files, archives, encrypted models."""
        calls = Calls()

        def fetch(_: Any, offset: int, place: int, n_bytes: int) -> int:
            piece = read(offset, n_bytes)
            if len(piece) != n_bytes:
                raise ValueError(f"read({offset}, {n_bytes}) gave {len(piece)} bytes")
            ctypes.memmove(place, bytes(piece), n_bytes)
            return 0

        reader = _abi.bitnet_reader(size=size, read=calls.wrap(_abi.bitnet_reader_read, fetch))
        self = cls.__new__(cls)
        self._load(options, lambda struct, out: lib.bitnet_model_load_from_reader(ctypes.byref(reader), struct, out), calls)
        return self

    def _load(self, options: Mapping[str, Any], call: Callable[[Any, Any], int], calls: Optional[Calls] = None) -> None:
        calls = calls or Calls()
        struct, _held = params(_abi.bitnet_model_params, options, calls)
        pointer = ctypes.POINTER(_abi.bitnet_model)()
        try:
            check(call(ctypes.byref(struct), ctypes.byref(pointer)))
        except BitnetError:
            calls.raise_kept()
            raise
        super().__init__(pointer)
        calls.raise_kept()

    @property
    def info(self) -> ModelInfo:
        """Architecture, name, quantization and shape."""
        with self._use() as pointer:
            return get_record(ModelInfo, _abi.bitnet_model_info, lib.bitnet_model_get_info, pointer)

    @property
    def config(self) -> ModelConfig:
        """How it is run: device, types of values, KV bytes per token, rotary scaling."""
        with self._use() as pointer:
            return get_record(ModelConfig, _abi.bitnet_model_config, lib.bitnet_model_get_config, pointer)

    @property
    def metadata(self) -> "Metadata":
        """The file's metadata as a mapping of texts."""
        return Metadata(self)

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer inside the file; TokenizationError where it has none that runs here. It works on after the model was
        closed."""
        with self._use() as pointer:
            return Tokenizer._borrow(self, model_tokenizer(pointer))

    def context(self, **options: "Unpack[ContextOptions]") -> "Context":
        """A context over this model; see Context."""
        from ._context import Context

        return Context(self, **options)

    @property
    def tensors(self) -> list[TensorInfo]:
        with self._use() as pointer:
            return [get_record(TensorInfo, _abi.bitnet_tensor_info, lib.bitnet_model_get_tensor, pointer, index)
                    for index in range(lib.bitnet_model_get_tensor_count(pointer))]

    @property
    def features(self) -> list[str]:
        """ "ternary", "grouped-query-attention", ... """
        found: list[str] = []
        with self._use() as pointer:
            while (name := lib.bitnet_model_get_feature(pointer, len(found))) is not None:
                found.append(name.decode())
        return found

    @property
    def quantization(self) -> QuantizationInfo:
        with self._use() as pointer:
            return get_record(QuantizationInfo, _abi.bitnet_quantization_info, lib.bitnet_model_get_quantization, pointer)

    @property
    def types(self) -> list[TypeUsage]:
        """The room that each type of weight takes, the largest first."""
        with self._use() as pointer:
            return [get_record(TypeUsage, _abi.bitnet_type_usage, lib.bitnet_model_get_type, pointer, index)
                    for index in range(lib.bitnet_model_get_type_count(pointer))]

    @property
    def sha256(self) -> str:
        """As sha256sum prints it; reads the whole file when it is first asked for."""
        with self._use() as pointer:
            return read_text(lambda out, room, size: lib.bitnet_model_get_sha256(pointer, out, room, size))

    @property
    def memory(self) -> MemoryBreakdown:
        with self._use() as pointer:
            return get_record(MemoryBreakdown, _abi.bitnet_memory_breakdown, lib.bitnet_model_get_memory_breakdown, pointer)

    def estimate_memory(self, **options: "Unpack[ContextOptions]") -> MemoryEstimate:
        """What the model and a context with these options hold, to the byte."""
        struct, _held = params(_abi.bitnet_context_params, options, Calls())
        with self._use() as pointer:
            return get_record(MemoryEstimate, _abi.bitnet_memory_estimate, lib.bitnet_model_estimate_memory, pointer,
                              ctypes.byref(struct))

    def validate(self, **options: "Unpack[ValidationOptions]") -> ValidationReport:
        """Everything that is wrong with it or worth a look; reads all of its bytes."""
        with self._use() as pointer:
            return read_validation(lambda struct, out: lib.bitnet_model_validate(pointer, struct, out), options)

class Metadata(Mapping[str, str]):
    """metadata["general.name"]; in the order of the file. Values are texts: numbers in decimal, arrays as JSON."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def __len__(self) -> int:
        with self._model._use() as pointer:
            return int(lib.bitnet_model_get_metadata_count(pointer))

    def __iter__(self) -> Iterator[str]:
        for index in range(len(self)):
            with self._model._use() as pointer:
                key = read_text(lambda out, room, size: lib.bitnet_model_get_metadata_key(pointer, index, out, room, size))
            yield key

    def __getitem__(self, key: str) -> str:
        raw = to_c_text(key, "the key")
        try:
            with self._model._use() as pointer:
                return read_text(lambda out, room, size: lib.bitnet_model_get_metadata(pointer, raw, out, room, size))
        except BitnetError as error:
            if error.status == _abi.Status.NOT_FOUND:
                raise KeyError(key) from None
            raise

class Adapter(Handle):
    """A LoRA adapter for a model, from a GGUF file or its bytes. See Context.set_adapters."""

    _free_name = "bitnet_adapter_free"

    def __init__(self, model: Model, source: Union[Path, bytes, bytearray]) -> None:
        pointer = ctypes.POINTER(_abi.bitnet_adapter)()
        with model._use() as used:
            if isinstance(source, (bytes, bytearray)):
                status = lib.bitnet_adapter_load_from_memory(used, bytes(source), len(source), ctypes.byref(pointer))
            else:
                status = lib.bitnet_adapter_load(used, path_text(source), ctypes.byref(pointer))
            check(status)
        super().__init__(pointer)
        self._keeps = model._keeps

    @property
    def info(self) -> AdapterInfo:
        with self._use() as pointer:
            return get_record(AdapterInfo, _abi.bitnet_adapter_info, lib.bitnet_adapter_get_info, pointer)
