"""Logs: what user code logs or prints inside a run is recorded with it.

One handler on the root logger finds the run by the calling context. It never touches anything in a forked child, whose
copy of the buffers belongs to the parent.
"""

from __future__ import annotations

import builtins
import logging
import os
import sys
import time
from functools import lru_cache
from typing import Any

from stellwerk.execute import progress
from stellwerk.execute.owner import now
from stellwerk.execute.results import clean
from stellwerk.execute.scope import Frame
from stellwerk.sdk.context import current
from stellwerk.sdk.parameters import shown

RUN_LOGGER = "stellwerk.run"
LONGEST = 1 << 20  # bytes of a line
_print = builtins.print
_input = builtins.input


class RunHandler(logging.Handler):
    """Record log lines with the run they were logged in; show them on stderr where nothing else would."""

    def handle(self, record: logging.LogRecord) -> Any:
        """Pass a line on, without the handler's lock: lines are put in order by the owner, and one who waits there must
        not keep others from logging.
        """
        kept: Any = self.filter(record)
        if kept:
            self.emit(kept if isinstance(kept, logging.LogRecord) else record)
        return kept

    def emit(self, record: logging.LogRecord) -> None:
        """Record one line. Slows the one who logs when lines come faster than they are stored."""
        frame = current.get()
        if not isinstance(frame, Frame) or frame.scope.owner.pid != os.getpid():
            if record.levelno >= logging.WARNING and _is_alone(self):
                _show(record.name, record, self.format(record))
            return
        try:
            text = record.getMessage()
            if record.exc_info and record.exc_info[1] is not None:
                text += "\n" + logging.Formatter().formatException(record.exc_info)
        except Exception as problem:
            text = f"{shown(record.msg)} % {shown(record.args)} can't be formatted: {type(problem).__name__}"
        name = "run" if record.name == RUN_LOGGER else record.name
        at = int(record.created * 1_000_000)
        frame.scope.owner.log(frame.run_id_bytes, frame.attempt, at, record.levelno, clean(name), clean(_bounded(text)))
        if (record.levelno >= logging.WARNING or record.name == RUN_LOGGER) and _is_alone(self):
            _show(frame.name, record, text)


def _bounded(text: str) -> str:
    """Cut a line that is longer than anybody reads, and say so."""
    if len(text) <= LONGEST // 4 or len(text.encode("utf-8", "replace")) <= LONGEST:
        return text
    kept = text.encode("utf-8", "replace")[:LONGEST].decode("utf-8", "ignore")
    return f"{kept}… ({len(text) - len(kept):,} more characters)"


def _is_alone(handler: logging.Handler) -> bool:
    handlers = logging.root.handlers
    return len(handlers) == 1 and handlers[0] is handler


def _show(name: str, record: logging.LogRecord, text: str) -> None:
    try:
        head = f"{_clock(int(record.created))} {record.levelname:<7} {progress.harmless(name)}"
        progress.write(f"{head} · {progress.harmless(text, breaks=True)}\n")
    except (OSError, ValueError, AttributeError):
        pass  # stderr is closed or gone: the line is recorded all the same


@lru_cache(maxsize=4)
def _clock(second: int) -> str:
    return time.strftime("%H:%M:%S", time.localtime(second))


_handler: RunHandler | None = None


def install(level: str) -> None:
    """Put the handler in place, once a process. Levels the user has set stay."""
    global _handler
    root = logging.root
    run_logger = logging.getLogger(RUN_LOGGER)
    if run_logger.level == logging.NOTSET:
        run_logger.setLevel(level)
    if _handler is not None and _handler in root.handlers:
        return
    if not root.handlers and root.level == logging.WARNING:
        # Nobody configured logging: record what the setting asks for, not only warnings.
        root.setLevel(level)
    _handler = _handler or RunHandler()
    root.addHandler(_handler)
    builtins.print = _recording_print
    builtins.input = _asking_input


def _recording_print(*values: Any, **options: Any) -> None:
    frame = current.get()
    if (
        isinstance(frame, Frame)
        and frame.print_logs
        and options.get("file") in (None, sys.stdout)
        and frame.scope.owner.pid == os.getpid()
    ):
        text = str(options.get("sep", " ") if options.get("sep") is not None else " ").join(str(v) for v in values)
        owner = frame.scope.owner
        owner.log(frame.run_id_bytes, frame.attempt, now(), logging.INFO, "print", clean(_bounded(text)))
    _print(*values, **options)


def _asking_input(prompt: object = "", /) -> str:
    with progress.paused():
        return _input(prompt)


def warn(frame: Frame, text: str) -> None:
    """Log a warning of the engine's own in a run."""
    token = current.set(frame)
    try:
        logging.getLogger(RUN_LOGGER).warning("%s", text)
    finally:
        current.reset(token)
