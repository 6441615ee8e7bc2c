"""What the files that are written from bitnet.h build on: enums that know numbers of newer libraries, structs that know
their size, and records made from structs."""

from __future__ import annotations

import ctypes
import dataclasses
import enum
from typing import Any, TypeVar

R = TypeVar("R", bound="Record")


class OpenEnum(enum.IntEnum):
    """Numbers that this version does not know come from newer libraries and are members, too: UNKNOWN_17."""

    @classmethod
    def _missing_(cls, value: object) -> Any:
        if not isinstance(value, int):
            return None
        member = int.__new__(cls, value)
        member._name_ = f"UNKNOWN_{value}"
        member._value_ = value
        return member


class SizedStruct(ctypes.Structure):
    """A struct whose first field tells the library how much of it the caller knows."""

    def __init__(self, *arguments: Any, **fields: Any) -> None:
        super().__init__(*arguments, **fields)
        if not arguments and "struct_size" not in fields:
            self.struct_size = ctypes.sizeof(self)


@dataclasses.dataclass(frozen=True)
class Record:
    """A struct of results, copied: nothing in it is lent."""

    @classmethod
    def read(cls: type[R], struct: ctypes.Structure) -> R:
        values = {}
        for field in dataclasses.fields(cls):
            value = getattr(struct, field.name)
            if isinstance(value, bytes):
                value = value.decode("utf-8", "replace")
            elif isinstance(value, ctypes.Array):
                value = tuple(value)
            elif isinstance(value, ctypes._Pointer):
                value = _record_of(field.type).read(value.contents) if value else None
            elif field.type == "bool":
                value = bool(value)
            elif value is None:
                value = ""
            values[field.name] = value
        return cls(**values)


def _record_of(hint: Any) -> type[Record]:
    from . import _records

    found: type[Record] = getattr(_records, str(hint).removeprefix("Optional[").removesuffix("]"))
    return found
