"""Exceptions: one class per family of errors, each with status, message, suggestions and what else the library knows.

    BitnetError
      ModelError TokenizationError GgufError QuantizationError ValidationError DeviceError IoError ConfigError MemoryLimitError
      SecurityError TimeoutExceeded CapacityError UsageError InternalError     families of bitnet.h
        FileMissingError (IoError, FileNotFoundError)   Cancelled (UsageError)
        ClosedError, BusyError (UsageError)             found by this package, before the library is asked
"""

from __future__ import annotations

import ctypes
import json
from typing import Any, Callable, Optional

from . import _abi
from ._abi_constants import ErrorFamily, ErrorSeverity, Status
from ._library import lib
from ._records import ErrorInfo


class BitnetError(Exception):
    """A call of the library failed. str() is the message: one line that says what, where and what to do next."""

    def __init__(self, message: str, status: Status = Status.STATE, info: Optional[ErrorInfo] = None,
                 user_message: str = "", details: Optional[dict[str, Any]] = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        #: Everything that is known: operation, file, offset, expected and actual numbers, memory; None for ClosedError, BusyError.
        self.info = info
        #: For a person: message and suggestions, with the file's name put in.
        self.user_message = user_message or message
        #: For a program or a report: the library's JSON object.
        self.details = details or {}
        self.suggestions: list[str] = list(self.details["suggestions"] if "suggestions" in self.details else _suggestions(status))

    @property
    def name(self) -> str:
        """BITNET_E_KV_FULL"""
        return str(lib.bitnet_status_name(self.status).decode())

    @property
    def family(self) -> ErrorFamily:
        return ErrorFamily(lib.bitnet_status_get_family(self.status))

    @property
    def severity(self) -> ErrorSeverity:
        return ErrorSeverity(lib.bitnet_status_get_severity(self.status))

    @property
    def recoverable(self) -> bool:
        """The same program can try again, after what the suggestions say."""
        return bool(lib.bitnet_status_is_recoverable(self.status))

    def __reduce__(self) -> Any:  # so that pools of processes can hand it on
        return (type(self), (self.message, self.status, self.info, self.user_message, self.details))


class ModelError(BitnetError): ...
class TokenizationError(BitnetError): ...
class GgufError(BitnetError): ...
class QuantizationError(BitnetError): ...
class ValidationError(BitnetError): ...
class DeviceError(BitnetError): ...
class IoError(BitnetError): ...
class ConfigError(BitnetError): ...
class MemoryLimitError(BitnetError): ...
class SecurityError(BitnetError): ...
class TimeoutExceeded(BitnetError): ...
class CapacityError(BitnetError): ...
class UsageError(BitnetError): ...
class InternalError(BitnetError): ...


class FileMissingError(IoError, FileNotFoundError):
    """Also a FileNotFoundError, as open() raises it."""

    def __str__(self) -> str:
        return self.message


class Cancelled(UsageError):
    """Context.cancel was called, or a callback said so."""


class ClosedError(UsageError):
    """The object was closed."""

    def __init__(self, message: str) -> None:
        super().__init__(message, details={"suggestions": ["Use objects inside their `with` block, or before close()."]})

    def __reduce__(self) -> Any:
        return (type(self), (self.message,))


class BusyError(UsageError):
    """Another thread, or a callback of a running call, uses a context, sampler or generation. They serve one at a time."""

    def __init__(self, message: str) -> None:
        super().__init__(message, details={"suggestions": ["Make a context for each thread: they share the model."]})

    def __reduce__(self) -> Any:
        return (type(self), (self.message,))


_FAMILIES: dict[int, type[BitnetError]] = {
    ErrorFamily.MODEL: ModelError, ErrorFamily.TOKENIZATION: TokenizationError, ErrorFamily.GGUF_PARSE: GgufError,
    ErrorFamily.QUANTIZATION: QuantizationError, ErrorFamily.VALIDATION: ValidationError, ErrorFamily.DEVICE: DeviceError,
    ErrorFamily.IO: IoError, ErrorFamily.CONFIG: ConfigError, ErrorFamily.MEMORY: MemoryLimitError,
    ErrorFamily.SECURITY: SecurityError, ErrorFamily.TIMEOUT: TimeoutExceeded, ErrorFamily.CAPACITY: CapacityError,
    ErrorFamily.USAGE: UsageError, ErrorFamily.INTERNAL: InternalError,
}
_STATUSES: dict[int, type[BitnetError]] = {Status.FILE_NOT_FOUND: FileMissingError, Status.CANCELLED: Cancelled}


def _suggestions(status: int) -> list[str]:
    found: list[str] = []
    while (text := lib.bitnet_status_get_suggestion(status, len(found))) is not None:
        found.append(text.decode("utf-8", "replace"))
    return found


def _error_text(function: Callable[..., int]) -> str:
    size = ctypes.c_size_t()
    function(None, 0, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value + 1)
    function(buffer, len(buffer), ctypes.byref(size))
    return buffer.raw[:size.value].decode("utf-8", "replace")


def error_for(status: int, message: str) -> BitnetError:
    """The exception for a status that a struct tells, without looking at the thread's last error."""
    kind = _STATUSES.get(status) or _FAMILIES.get(lib.bitnet_status_get_family(status), BitnetError)
    return kind(message, Status(status))


def last_error(status: int) -> BitnetError:
    """The exception for a call that has just failed on this thread."""
    raw = _abi.bitnet_error_info()
    if lib.bitnet_last_error_get_info(ctypes.byref(raw)) != 0 or raw.status != status:
        return error_for(status, lib.bitnet_status_text(status).decode())
    info = ErrorInfo.read(raw)
    error = error_for(status, info.message)
    return type(error)(info.message, Status(status), info, _error_text(lib.bitnet_last_error_get_user_message),
                       json.loads(_error_text(lib.bitnet_last_error_get_json)))


def check(status: int) -> None:
    if status != 0:
        raise last_error(status)
