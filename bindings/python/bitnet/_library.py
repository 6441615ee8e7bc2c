"""Finds, loads and checks libbitnet; `lib` has every function of bitnet.h under its C name.

The library is $BITNET_LIBRARY, or the one inside this package (a wheel has one), or the system's.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import sys
from pathlib import Path
from typing import Optional

from . import _abi
from ._abi_constants import HEADER_VERSION

_FOLDER = Path(__file__).resolve().parent / "lib"
_NAMES = {"darwin": ["libbitnet.dylib"], "win32": ["bitnet.dll", "libbitnet.dll"]}


class LibraryError(ImportError):
    """There is no libbitnet, or it is one of another version."""


def _fits(number: int) -> bool:
    """Within a major version everything fits, before 1.0 within a minor version."""
    major, minor, _ = HEADER_VERSION
    return number // 10000 == major and (major > 0 or number // 100 % 100 == minor)


def _check_version(library: ctypes.CDLL, path: str) -> None:
    try:
        library.bitnet_version_number.restype = ctypes.c_uint32
        number = library.bitnet_version_number()
    except AttributeError:
        raise LibraryError(f"{path} is not libbitnet: it has no bitnet_version_number") from None
    if not _fits(number):
        found = f"{number // 10000}.{number // 100 % 100}.{number % 100}"
        wanted = ".".join(map(str, HEADER_VERSION))
        raise LibraryError(f"{path} is libbitnet {found}, but this package is for {wanted}: install the two of one version")


def load_library(path: str) -> ctypes.CDLL:
    """Loads a libbitnet and gives its functions their types. Raises LibraryError with the reason."""
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise LibraryError(f"cannot load libbitnet: {error}") from None
    _check_version(library, path)
    for name, result, parameters in _abi.PROTOTYPES:
        try:
            function = getattr(library, name)
        except AttributeError:
            raise LibraryError(f"{path} has no {name}: it is older than this package") from None
        function.restype = result
        function.argtypes = parameters
    return library


def _carried() -> Optional[str]:
    """The library inside this package. What it needs lies beside it and is loaded first, so that it is found there."""
    for name in _NAMES.get(sys.platform, ["libbitnet.so"]):
        path = _FOLDER / name
        if path.exists():
            for needed in sorted(_FOLDER.iterdir()):
                if needed != path and ".so" in needed.name:
                    ctypes.CDLL(str(needed))
            return str(path)
    return None


def find_library() -> str:
    """Path or name of the library to load. Raises LibraryError where there is none."""
    path = os.environ.get("BITNET_LIBRARY") or _carried() or ctypes.util.find_library("bitnet")
    if path is None:
        raise LibraryError("there is no libbitnet: install the wheel that carries it, or install the library, or set "
                           "BITNET_LIBRARY to its path")
    return path


lib = load_library(find_library())
