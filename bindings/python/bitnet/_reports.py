"""Validation of models, receipts of generations, and estimates of memory."""

from __future__ import annotations

import ctypes
import dataclasses
import json
from typing import TYPE_CHECKING, Any, Callable, Mapping, Optional, Union

from . import _abi
from ._abi_constants import FindingKind, FindingSeverity, ReceiptCheck, Status
from ._errors import BitnetError, check, last_error
from ._handles import Calls, get_record, params, read_text, to_bytes
from ._library import lib
from ._records import (
    MemoryEstimate, ReceiptReport, ValidationFinding, ValidationInfo, ValidationTensor,
)
from ._tokenizer import Path, path_text

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._model import Model
    from ._options import ContextOptions, ModelOptions, ReceiptOptions, ValidationOptions


@dataclasses.dataclass(frozen=True)
class ValidationReport:
    """What is wrong with a model or worth a look."""

    info: ValidationInfo
    findings: list[ValidationFinding]
    tensors: list[ValidationTensor]
    #: All of it, as `bitnet validate --json` prints it.
    details: dict[str, Any]

    @property
    def is_valid(self) -> bool:
        return self.info.is_valid

    @property
    def errors(self) -> list[ValidationFinding]:
        return [finding for finding in self.findings if finding.severity == FindingSeverity.ERROR]

    @staticmethod
    def kind(finding: ValidationFinding) -> FindingKind:
        return FindingKind(finding.kind)


def read_list(record: Any, kind: Any, function: Callable[..., int], pointer: Any) -> list[Any]:
    """The entries that function(pointer, index, &struct) gives, up to BITNET_E_NOT_FOUND."""
    found: list[Any] = []
    struct = kind()
    while (status := function(pointer, len(found), ctypes.byref(struct))) == 0:
        found.append(record.read(struct))
    if status != Status.NOT_FOUND:
        raise last_error(status)
    return found


def read_validation(call: Callable[[Any, Any], int], options: Mapping[str, Any]) -> ValidationReport:
    calls = Calls()
    struct, _held = params(_abi.bitnet_validation_params, options, calls)
    pointer = ctypes.POINTER(_abi.bitnet_validation_report)()
    try:
        status = call(ctypes.byref(struct), ctypes.byref(pointer))
        if status != 0:
            error = last_error(status)
            calls.raise_kept()
            raise error
        calls.raise_kept()
        return ValidationReport(
            get_record(ValidationInfo, _abi.bitnet_validation_info, lib.bitnet_validation_report_get_info, pointer),
            read_list(ValidationFinding, _abi.bitnet_validation_finding, lib.bitnet_validation_report_get_finding, pointer),
            read_list(ValidationTensor, _abi.bitnet_validation_tensor, lib.bitnet_validation_report_get_tensor, pointer),
            json.loads(read_text(lambda out, room, size: lib.bitnet_validation_report_get_json(pointer, out, room, size))))
    finally:
        lib.bitnet_validation_report_free(pointer)


def validate_file(path: Path, **options: "Unpack[ValidationOptions]") -> ValidationReport:
    """Validates a file, also one that does not load."""
    raw = path_text(path)
    return read_validation(lambda struct, out: lib.bitnet_model_validate_file(raw, struct, out), options)


def estimate_memory(path: Path, model_options: "Optional[ModelOptions]" = None,
                    **options: "Unpack[ContextOptions]") -> MemoryEstimate:
    """What a model and a context over it will hold, to the byte; only the file's header is read."""
    calls = Calls()
    model, _held = params(_abi.bitnet_model_params, model_options or {}, calls)
    context, _too = params(_abi.bitnet_context_params, options, calls)
    return get_record(MemoryEstimate, _abi.bitnet_memory_estimate, lib.bitnet_model_estimate_memory_from_path,
                      path_text(path), ctypes.byref(model), ctypes.byref(context))


@dataclasses.dataclass(frozen=True)
class Verification:
    """How a receipt held up."""

    #: ReceiptCheck.NONE: nothing is wrong.
    failed_check: ReceiptCheck
    #: What is wrong and where; "" for nothing.
    message: str
    report: ReceiptReport

    @property
    def is_good(self) -> bool:
        return self.failed_check == ReceiptCheck.NONE


def verify_receipt(receipt: Union[str, bytes], model: "Optional[Model]" = None,
                   **options: "Unpack[ReceiptOptions]") -> Verification:
    """Checks a receipt (Generation.receipt); with the model also computes some of its positions again: replay_share=0.05,
    seed=... picks them."""
    raw = to_bytes(receipt)
    calls = Calls()
    struct, _held = params(_abi.bitnet_receipt_params, options, calls)
    found = _abi.bitnet_receipt_report()
    message = ""
    try:
        if model is None:
            check(lib.bitnet_receipt_verify(raw, len(raw), None, ctypes.byref(struct), ctypes.byref(found)))
        else:
            with model._use() as used:
                check(lib.bitnet_receipt_verify(raw, len(raw), used, ctypes.byref(struct), ctypes.byref(found)))
    except BitnetError as error:
        calls.raise_kept()
        if error.status != Status.VALIDATION:
            raise
        message = error.message
    calls.raise_kept()
    return Verification(ReceiptCheck(found.failed_check), message, ReceiptReport.read(found))
