"""The library itself: version, log, kernels, devices, features, environment."""

from __future__ import annotations

import atexit
import json
import logging
import sys
from typing import Any, Callable, Optional

from . import _abi
from ._abi_constants import LogLevel
from ._errors import check
from ._handles import _in_callback, from_c, get_record, read_text, to_c_text
from ._library import lib
from ._records import DeviceInfo, DeviceMemory, EnvironmentInfo, KernelInfo

_log_callback: Any = None
_PYTHON_LEVELS = {LogLevel.DEBUG: logging.DEBUG, LogLevel.INFO: logging.INFO, LogLevel.WARNING: logging.WARNING,
                  LogLevel.ERROR: logging.ERROR}


def library_version() -> str:
    return from_c(lib.bitnet_version_string())


def build_info() -> str:
    return from_c(lib.bitnet_build_info())


def set_log_callback(callback: Optional[Callable[[LogLevel, str], object]], min_level: LogLevel = LogLevel.INFO) -> None:
    """callback(level, line) gets what the library has to say, from any thread; None, the default, is silence. It must not use
    the library. No call waits for what it raises, so that goes to sys.unraisablehook."""
    global _log_callback
    if callback is None:
        made = _abi.bitnet_log_callback()
    else:
        given = callback

        def call(level: int, line: bytes, _: Any) -> None:
            _in_callback.depth = getattr(_in_callback, "depth", 0) + 1
            try:
                given(LogLevel(level), line.decode("utf-8", "replace"))
            except BaseException as error:
                _report_unraisable(given, error)
            finally:
                _in_callback.depth -= 1

        made = _abi.bitnet_log_callback(call)
    lib.bitnet_log_set_callback(made, min_level, None)  # waits for running callbacks
    _log_callback = made


class _Unraisable:
    """What sys.unraisablehook takes."""

    def __init__(self, source: Any, error: BaseException) -> None:
        self.exc_type, self.exc_value, self.exc_traceback = type(error), error, error.__traceback__
        self.err_msg = "Exception ignored in the log callback"
        self.object = source


def _report_unraisable(source: Any, error: BaseException) -> None:
    try:
        sys.unraisablehook(_Unraisable(source, error))  # type: ignore[arg-type]
    except Exception:  # a hook of the program's that fails has nowhere to go
        pass


def log_to(logger: logging.Logger, min_level: LogLevel = LogLevel.INFO) -> None:
    """Sends the library's log to one of the logging package."""
    set_log_callback(lambda level, line: logger.log(_PYTHON_LEVELS.get(level, logging.ERROR), "%s", line), min_level)


@atexit.register
def _end_log() -> None:
    if _log_callback is not None:
        set_log_callback(None)


def kernels() -> list[KernelInfo]:
    return [get_record(KernelInfo, _abi.bitnet_kernel_info, lib.bitnet_kernel_get_info, index)
            for index in range(lib.bitnet_kernel_get_count())]


def thread_limit() -> int:
    """Threads that this process may really use."""
    return int(lib.bitnet_cpu_get_thread_limit())


def devices() -> list[str]:
    """Names of the devices that can compute here, the best first."""
    return [from_c(lib.bitnet_device_get_name(index)) for index in range(lib.bitnet_device_get_count())]


def all_devices() -> dict[str, Any]:
    """Every device, those that cannot be used with the reason."""
    found: dict[str, Any] = json.loads(read_text(lambda out, room, size: lib.bitnet_device_get_json(out, room, size)))
    return found


def check_device(device: str = "auto") -> None:
    """Raises DeviceError with the reason where it cannot be used, ConfigError for what is no name of a device."""
    check(lib.bitnet_device_check(to_c_text(device, "device")))


def device_memory(device: str = "cpu") -> DeviceMemory:
    return get_record(DeviceMemory, _abi.bitnet_device_memory, lib.bitnet_device_get_memory, to_c_text(device, "device"))


def device_info(device: str = "cpu") -> DeviceInfo:
    return get_record(DeviceInfo, _abi.bitnet_device_info, lib.bitnet_device_get_info, to_c_text(device, "device"))


def features() -> list[str]:
    """What the library was built with."""
    return [from_c(lib.bitnet_feature_get_name(index)) for index in range(lib.bitnet_feature_get_count())]


def environment() -> EnvironmentInfo:
    """The BITNET_... variables as the library read them; ConfigError names one with a bad value."""
    return get_record(EnvironmentInfo, _abi.bitnet_environment_info, lib.bitnet_environment_get_info)


def memory_used() -> int:
    """Bytes that all models, contexts and adapters of this process hold."""
    return int(lib.bitnet_memory_get_used())


def utf8_complete_prefix(data: bytes) -> int:
    """How many of the bytes do not end inside a character."""
    return int(lib.bitnet_utf8_complete_prefix(data, len(data)))
