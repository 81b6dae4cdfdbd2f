"""Results: from a value to recorded bytes and back, and to a preview that needs no unpickling."""

from __future__ import annotations

import hashlib
import io
import pickle
import reprlib
import sys
import types
from typing import Any

from stellwerk.client.transport import Transport
from stellwerk.errors import ResultError
from stellwerk.model.messages import Result
from stellwerk.model.states import Error

PROTOCOL = 5
_PLAIN = frozenset({int, float, bool, str, type(None)})
_NONE = pickle.dumps(None, PROTOCOL)
_shortened = reprlib.Repr()
_shortened.maxstring = _shortened.maxother = _shortened.maxlong = 400
_shortened.maxlist = _shortened.maxtuple = _shortened.maxdict = _shortened.maxset = _shortened.maxfrozenset = 20


class Unrecordable(Exception):
    """Say why a value cannot be recorded."""


def encode(value: Any) -> bytes:
    """Pickle a value; functions and classes that no module holds go by value.

    Raises:
        Unrecordable: it cannot be pickled.
    """
    try:
        return pickle.dumps(value, PROTOCOL)
    except Exception:
        pass
    try:
        import cloudpickle  # 10 ms, and rarely needed

        data: bytes = cloudpickle.dumps(value, PROTOCOL)
        return data
    except Exception as problem:
        raise Unrecordable(f"{type(value).__module__}.{type(value).__qualname__}: {problem}") from problem


def record(value: Any, transport: Transport, inline_bytes: int, limit_bytes: int, preview_bytes: int) -> Result:
    """Encode a value and put it where it belongs: with the row when small, else into the blob store.

    Raises:
        Unrecordable: it can't be pickled or is larger than `limit_bytes`.
        UnavailableError: the blob store can't take it.
    """
    data = _NONE if value is None else encode(value)
    size = len(data)
    if size > limit_bytes:
        raise Unrecordable(f"it has {size:,} bytes, more than result_limit_bytes = {limit_bytes:,}")
    digest = hashlib.blake2b(data, digest_size=32).digest()
    shown = preview(value, size, preview_bytes)
    if size <= inline_bytes:
        return Result(digest, size, shown, data)
    transport.put_blob(digest, data)
    return Result(digest, size, shown)


def preview(value: Any, size_bytes: int, limit: int) -> str:
    """Show a value in at most `limit` bytes of text, at a cost that does not grow with the value."""
    if type(value) in _PLAIN and size_bytes < limit:
        return clean(repr(value))
    try:
        text = _described(value, size_bytes)
    except Exception as problem:
        text = f"<{type(value).__name__}: its repr raised {type(problem).__name__}>"
    raw = text.encode("utf-8", "replace")
    return clean(text) if len(raw) <= limit else clean(raw[: limit - 3].decode("utf-8", "ignore") + "…")


def _described(value: Any, size_bytes: int) -> str:
    kind = type(value).__name__
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        text = f"{kind} {' × '.join(str(n) for n in shape)}"
        columns = getattr(value, "columns", None)
        if columns is not None:
            return f"{text}: {', '.join(str(column) for column in list(columns)[:40])}"
        dtype = getattr(value, "dtype", None)
        return f"{text} {dtype}" if dtype is not None else text
    if isinstance(value, (list, tuple, dict, set, frozenset, str, bytes)) or size_bytes <= 65_536:
        return _shortened.repr(value)
    return f"<{type(value).__module__}.{type(value).__qualname__}, {size_bytes:,} bytes>"


class _Unpickler(pickle.Unpickler):
    """Find `__main__.X` of the script that recorded it in the module the script is loaded as here."""

    def __init__(self, file: io.BytesIO, main: types.ModuleType | None) -> None:
        super().__init__(file)
        self._main = main

    def find_class(self, module: str, name: str) -> Any:
        if module == "__main__" and self._main is not None:
            found: Any = self._main
            for part in name.split("."):
                found = getattr(found, part)
            return found
        return super().find_class(module, name)


def decode(data: bytes, main: types.ModuleType | None = None) -> Any:
    """Give back a recorded value.

    Args:
        data: the encoded bytes, whose hash was checked.
        main: the module that stands for the script's `__main__`.

    Raises:
        ResultError: its class or module can't be found here.
    """
    try:
        return _Unpickler(io.BytesIO(data), main).load()
    except Exception as problem:
        raise ResultError(
            f"A recorded result of {len(data):,} bytes can't be loaded: {problem}.",
            hint="Import the module that defines its class, or run the task again.",
        ) from problem


def describe(problem: BaseException) -> Error:
    """Turn an exception into text; frames of the engine itself are left out."""
    import traceback  # the interpreter has it loaded only when something was raised

    told = traceback.TracebackException.from_exception(problem, limit=-50, compact=True)
    seen: set[int] = set()
    todo: list[traceback.TracebackException | None] = [told]
    while todo:
        one = todo.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        kept = [frame for frame in one.stack if not _is_ours(frame.filename)]
        one.stack = traceback.StackSummary.from_list(kept)
        todo += [one.__cause__, one.__context__]
    try:
        message = str(problem)
    except Exception as second:
        message = f"<its str() raised {type(second).__name__}>"
    kind = type(problem)
    name = (
        kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__qualname__}"
    )
    return Error(name, clean(message[:20_000]), clean("".join(told.format())[-100_000:]))


_PACKAGE = __file__.rsplit("execute", 1)[0]


def _is_ours(filename: str) -> bool:
    return (filename.startswith(_PACKAGE) and "/execute/" in filename) or filename.startswith(_PACKAGE + "sdk")


def clean(text: str) -> str:
    """Replace what a database can't hold as text: NUL characters and lone surrogates."""
    if text.isascii():
        return text.replace("\0", "\N{REPLACEMENT CHARACTER}") if "\0" in text else text
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\N{REPLACEMENT CHARACTER}")


def main_module() -> types.ModuleType | None:
    """Return the running script's module."""
    return sys.modules.get("__main__")
