"""How to start a root run again: interpreter, folder, file and entry, or captured code; and its arguments."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from stellwerk.errors import StellwerkError
from stellwerk.execute.results import Unrecordable, clean, encode
from stellwerk.model.messages import Plan
from stellwerk.sdk.definition import Definition

ARGUMENTS_LIMIT = 64 << 20  # bytes; larger arguments are not kept in the row


def plan_of(definition: Definition, arguments: Mapping[str, Any]) -> Plan:
    """Describe how a call of a flow or task would be made again in a new process."""
    fn: Any = definition.fn
    file = getattr(getattr(fn, "__code__", None), "co_filename", "")
    module = sys.modules.get(getattr(fn, "__module__", "") or "")
    file = os.path.abspath(file) if file and os.path.exists(file) else (getattr(module, "__file__", "") or "")
    entry = getattr(fn, "__qualname__", "")
    # A path whose bytes are no text cannot be named in the record: its function is captured instead.
    is_reachable = bool(file) and "<locals>" not in entry and clean(file) == file
    code: bytes | None = None
    if not is_reachable:
        code = _pickled(fn)
    pickled = _pickled(dict(arguments)) if arguments else None
    return Plan(clean(sys.executable), clean(_folder()), file if is_reachable else "", entry, pickled, code)


def _folder() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""  # the working folder was deleted


def _pickled(value: Any) -> bytes | None:
    try:
        data = encode(value)
    except (Unrecordable, StellwerkError):
        return None
    return data if len(data) <= ARGUMENTS_LIMIT else None
