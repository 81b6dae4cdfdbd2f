"""How to start a root run again: interpreter, folder, file and entry, or captured code; and its arguments."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping
from typing import Any

from stellwerk.client.transport import Transport
from stellwerk.errors import StellwerkError
from stellwerk.execute.results import Unrecordable, clean, encode
from stellwerk.model.messages import Plan
from stellwerk.sdk.definition import Definition

INLINE_BYTES = 16 << 10  # larger arguments are a blob
LIMIT_BYTES = 64 << 20  # larger ones are not kept
CODE_BYTES = 32 << 20  # nor is larger code, which goes with the first batch


def plan_of(definition: Definition, arguments: Mapping[str, Any], transport: Transport) -> Plan:
    """Describe how a call of a flow or task would be made again in a new process.

    Writes: arguments of more than `INLINE_BYTES`, as a blob.

    Raises:
        UnavailableError: the blob store can't take them; nothing of the run was recorded yet.
    """
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
        code = code if code is not None and len(code) <= CODE_BYTES else None
    pickled = _pickled(dict(arguments)) if arguments else None
    digest = b""
    if pickled is not None and len(pickled) > INLINE_BYTES:
        digest = hashlib.blake2b(pickled, digest_size=32).digest()
        transport.put_blob(digest, pickled)
        pickled = None
    return Plan(clean(sys.executable), clean(_folder()), file if is_reachable else "", entry, pickled, code, digest)


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
    return data if len(data) <= LIMIT_BYTES else None
