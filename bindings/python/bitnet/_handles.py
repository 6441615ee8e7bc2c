"""What all objects over handles share: closing, who may use them when, callbacks that raise, texts and arrays to and from C.

A handle that is closed while a call uses it is freed when that call returns, so closing never pulls memory from under anyone.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import threading
from typing import Any, Callable, Iterator, Mapping, Optional, Sequence, TypeVar, Union

from ._abi_base import Record
from ._abi_constants import Status
from ._errors import BusyError, ClosedError, check, last_error
from ._library import lib

T = TypeVar("T", bound="Handle")
R = TypeVar("R", bound=Record)
Buffer = Union[bytes, bytearray, memoryview, "array.array[float]", Any]

# Callbacks must not call into the library, but Python may collect garbage in one: what would be freed there waits here.
_in_callback = threading.local()
_waiting: list[tuple[Callable[[Any], None], Any]] = []


def _release(free: Callable[[Any], None], pointer: Any) -> None:
    if getattr(_in_callback, "depth", 0):
        _waiting.append((free, pointer))
        return
    free(pointer)
    while _waiting:
        try:
            later, held = _waiting.pop()
        except IndexError:  # another thread was faster
            return
        later(held)


class Handle:
    """Owns a handle of the library. Any number of calls may use it at once, from any thread."""

    _free_name = ""
    _exclusive = False

    def __init__(self, pointer: Any) -> None:
        self._pointer: Any = pointer
        self._lock = threading.RLock()  # garbage may be collected, and handles freed, while it is held
        self._users = 0  # calls that run, and objects that borrow from this one
        self._busy = False
        self._closed = False
        self._keeps: tuple[Any, ...] = ()  # memory of the caller's that the library uses in place
        self._free: Callable[[Any], None] = getattr(lib, self._free_name)

    @property
    def closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """Gives the handle back. Closing twice does nothing; other objects made from this one go on working."""
        with self._lock:
            self._closed = True
            if self._users:
                return  # the last user frees
            pointer, self._pointer = self._pointer, None
        if pointer is not None:
            _release(self._free, pointer)

    def __enter__(self: T) -> T:
        if self._closed:
            raise ClosedError(f"this {type(self).__name__} is closed")
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_pointer", None) is not None:
            self.close()

    def __reduce__(self) -> Any:
        raise TypeError(f"a {type(self).__name__} cannot be copied or pickled")

    def _begin(self, exclusive: bool) -> Any:
        with self._lock:
            if self._closed:
                raise ClosedError(f"this {type(self).__name__} is closed")
            if exclusive and self._busy:
                raise BusyError(f"this {type(self).__name__} is in use: it serves one thread at a time, and no callback of its "
                                "own call")
            self._busy = self._busy or exclusive
            self._users += 1
            return self._pointer

    def _end(self, exclusive: bool) -> None:
        with self._lock:
            self._users -= 1
            self._busy = self._busy and not exclusive
            if not self._closed or self._users or self._pointer is None:
                return
            pointer, self._pointer = self._pointer, None
        _release(self._free, pointer)

    @contextlib.contextmanager
    def _use(self) -> Iterator[Any]:
        """Lends the pointer for a call; ClosedError, or BusyError where the object serves one thread at a time."""
        pointer = self._begin(self._exclusive)
        try:
            yield pointer
        finally:
            self._end(self._exclusive)


class Calls:
    """The callbacks of one call or object: what they raise is kept, stops the work, and is raised again by `raise_kept`."""

    def __init__(self) -> None:
        self._kept: Optional[BaseException] = None
        self._alive: list[Any] = []

    def wrap(self, kind: Any, function: Callable[..., Any], stopped: Any = 1) -> Any:
        """A C callback that gives what function gives, and `stopped` once it has raised."""

        def call(*arguments: Any) -> Any:
            _in_callback.depth = getattr(_in_callback, "depth", 0) + 1
            try:
                return stopped if self._kept is not None else function(*arguments)
            except BaseException as error:  # KeyboardInterrupt comes out of the call, too
                self._kept = error
                return stopped
            finally:
                _in_callback.depth -= 1

        callback = kind(call)
        self._alive.append(callback)
        return callback

    def raise_kept(self) -> None:
        error, self._kept = self._kept, None
        if error is not None:
            raise error


def stops(result: object) -> int:
    """What a callback of Python returns, for the library: False stops, all else (None, too) goes on."""
    return 1 if result is False else 0


def to_c_text(text: str, what: str) -> bytes:
    """For parameters that end at a NUL: one inside would cut the text off in silence."""
    raw = text.encode("utf-8", "surrogateescape")
    if b"\0" in raw:
        raise ValueError(f"{what} has a NUL character")
    return raw


def to_bytes(text: Union[str, bytes]) -> bytes:
    """Texts with a length may hold anything; half characters that Python keeps as surrogates become their bytes again."""
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def from_c(raw: Optional[bytes]) -> str:
    return "" if raw is None else raw.decode("utf-8", "replace")


def bytes_at(struct: ctypes.Structure, field: str, size: int) -> bytes:
    """The bytes that a `const char *` field points at, NULs included."""
    address = ctypes.addressof(struct) + getattr(type(struct), field).offset
    pointer = ctypes.c_void_p.from_address(address).value
    return ctypes.string_at(pointer, size) if pointer and size else b""


def read_text(call: Callable[[Any, int, Any], int]) -> str:
    """A text of the library that tells its size first; call gets buffer, capacity and where the size goes."""
    return read_bytes(call, extra=1).decode("utf-8", "replace")


def read_bytes(call: Callable[[Any, int, Any], int], extra: int = 0) -> bytes:
    size = ctypes.c_size_t()
    room = 0
    while True:  # the text may have grown between the two calls
        buffer = ctypes.create_string_buffer(room) if room else None
        status = call(buffer, room, ctypes.byref(size))
        if status == 0:
            return ctypes.string_at(buffer, size.value) if buffer is not None else b""
        if status != Status.BUFFER_TOO_SMALL or size.value + extra <= room:
            raise last_error(status)
        room = size.value + extra + (64 if extra else 0)


def read_tokens(call: Callable[[Any, int, Any], int], guess: int) -> list[int]:
    count = ctypes.c_size_t()
    room = max(guess, 1)
    while True:
        tokens = (ctypes.c_int32 * room)()
        status = call(tokens, room, ctypes.byref(count))
        if status == 0:
            return tokens[:count.value]
        if status != Status.BUFFER_TOO_SMALL or count.value <= room:
            raise last_error(status)
        room = count.value


def token_array(tokens: Sequence[int]) -> Any:
    for token in tokens:
        if not -2147483648 <= token <= 2147483647:
            raise OverflowError(f"{token} is no token")
    return (ctypes.c_int32 * len(tokens))(*tokens)


def floats(pointer: Any, count: int) -> "array.array[float]":
    """A copy that numpy.asarray and memoryview take without another one."""
    found = array.array("f")
    found.frombytes(ctypes.string_at(pointer, 4 * count))
    return found


def float_pointer(values: Buffer) -> tuple[Any, int, Any]:
    """Pointer and length of 32-bit floats in anything with a buffer (array, numpy), and what keeps them alive."""
    try:
        view = memoryview(values)
    except TypeError:
        values = array.array("f", values)
        view = memoryview(values)
    if view.format != "f" or not view.c_contiguous:
        raise TypeError("these are not contiguous 32-bit floats")
    count = view.nbytes // 4
    held = (ctypes.c_float * count).from_buffer_copy(view) if view.readonly else (ctypes.c_float * count).from_buffer(view)
    return ctypes.cast(held, ctypes.POINTER(ctypes.c_float)), count, held


def fill(struct: Any, options: Mapping[str, Any], calls: Calls) -> list[Any]:
    """Sets the fields of a struct of parameters that have plain types or are callbacks. Gives what must stay alive."""
    fields = dict(type(struct)._fields_)
    held: list[Any] = []
    for name, value in options.items():
        kind = fields.get(name)
        if kind is None or name in ("struct_size", "reserved"):
            raise TypeError(f"{type(struct).__name__.removeprefix('bitnet_')} has no option {name!r}; it has "
                            + ", ".join(key for key in fields if key not in ("struct_size", "reserved")))
        if value is None:
            continue
        if kind is ctypes.c_char_p:
            value = to_c_text(str(value), name)
            held.append(value)
        elif name in ("on_progress", "should_abort"):
            value = calls.wrap(kind, _progress(value) if name == "on_progress" else _abort(value))
        elif kind in (ctypes.c_float, ctypes.c_double):
            value = float(value)
        elif isinstance(value, (list, tuple)):
            value = kind(*value)
        else:
            value = _whole(name, value, kind)
        setattr(struct, name, value)
    return held


def _progress(function: Callable[[float], object]) -> Callable[..., int]:
    return lambda progress, _: stops(function(progress))


def _abort(function: Callable[[], object]) -> Callable[..., int]:
    return lambda _: 1 if function() else 0


def _whole(name: str, value: Any, kind: Any) -> int:
    """ctypes would cut off what does not fit."""
    number = int(value)
    if number != value or kind(number).value != number:
        raise OverflowError(f"{name}={value!r} does not fit the library's {kind.__name__.removeprefix('c_')}")
    return number


def params(kind: Any, options: Mapping[str, Any], calls: Calls) -> tuple[Any, list[Any]]:
    """A struct of parameters with the library's defaults and these options."""
    struct = kind()
    getattr(lib, f"{kind.__name__}_init")(ctypes.byref(struct), ctypes.sizeof(struct))
    return struct, fill(struct, options, calls)


def get_record(record: type[R], kind: Any, function: Callable[..., int], *arguments: Any) -> R:
    """function(arguments..., &struct) as a dataclass."""
    struct = kind()
    check(function(*arguments, ctypes.byref(struct)))
    return record.read(struct)
