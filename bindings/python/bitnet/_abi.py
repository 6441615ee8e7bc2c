"""bitnet.h for ctypes, whole: constants, types and prototypes.

Written by bindings/abi/emit_python.py from bitnet.h 0.1.0; do not edit.
"""

from __future__ import annotations

from ._abi_base import OpenEnum, Record, SizedStruct  # noqa: F401
from ._abi_constants import *  # noqa: F403
from ._abi_functions import PROTOTYPES as PROTOTYPES
from ._abi_types import *  # noqa: F403
