"""Signals: Ctrl-C, SIGTERM and SIGHUP while a flow runs in the main thread.

A signal may arrive between any two steps of Python code. The engine works under `with shield`, which puts a signal off
until its bookkeeping is done; where it calls user code or waits, `with exposed` lets the signal through at once.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Generator
from types import FrameType, TracebackType
from typing import Any

from stellwerk.errors import Abandoned

_main = threading.main_thread().ident
NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Terminated(BaseException):
    """Raised in the main thread when SIGTERM or SIGHUP arrives during a flow run."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class _Shield:
    """Put signals off while the main thread is inside; a no-op in other threads. Re-entrant."""

    __slots__ = ("depth", "pending")

    def __init__(self) -> None:
        self.depth = 0
        self.pending = 0

    def __enter__(self) -> None:
        if threading.get_ident() == _main:
            self.depth += 1

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if threading.get_ident() == _main:
            self.depth -= 1
            if self.pending and not self.depth:
                number, self.pending = self.pending, 0
                _raise(number)


class _Exposed:
    """Let signals through while the main thread runs user code or waits, although a shield is up further out."""

    __slots__ = ("depths",)

    def __init__(self) -> None:
        self.depths: list[int] = []

    def __enter__(self) -> None:
        if threading.get_ident() == _main:
            self.depths.append(shield.depth)
            shield.depth = 0
            if shield.pending:
                number, shield.pending = shield.pending, 0
                shield.depth = self.depths.pop()
                _raise(number)

    def __exit__(self, *_: object) -> None:
        if threading.get_ident() == _main:
            shield.depth = self.depths.pop()


shield = _Shield()
exposed = _Exposed()


def _raise(number: int) -> None:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise Terminated(number)


def _handle(number: int, frame: FrameType | None) -> None:
    global _waking_until
    if _waking_until and time.monotonic() < _waking_until:
        _waking_until = 0.0
    elif os.getpid() != _pid:
        # A child that was hit before it could put the handlers back: it does what it would have done without us.
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        os.kill(os.getpid(), number)
    elif shield.depth:
        shield.pending = number
    else:
        _raise(number)


class Handlers:
    """Install our handlers for the time of a root run in the main thread, where the user has none of their own."""

    def __init__(self) -> None:
        self._old: dict[int, Any] = {}

    def __enter__(self) -> Handlers:
        if threading.get_ident() == _main:
            global _pid
            _pid = os.getpid()
            _in_place.append(self)
            for number in NUMBERS:
                old = signal.getsignal(number)
                if old in (signal.SIG_DFL, signal.default_int_handler):
                    self._old[number] = signal.signal(number, _handle)
        return self

    def __exit__(self, *_: object) -> None:
        if self in _in_place:
            _in_place.remove(self)
        self.restore()

    def restore(self) -> None:
        """Put the handlers back that were there before."""
        for number, old in self._old.items():
            signal.signal(number, old)
        self._old.clear()


WAKING_SECONDS = 0.5  # within which a signal that wakes the main thread arrives; one after that is a person's
_waking_until = 0.0


def wake_main_thread() -> None:
    """Let the main thread look at what `stop_thread` has for it, also while it sleeps in C code.

    By a signal that our own handler takes for nothing; where the user has a handler, the thread sleeps on.
    """
    global _waking_until
    if _main is not None and signal.getsignal(signal.SIGINT) is _handle:
        _waking_until = time.monotonic() + WAKING_SECONDS
        signal.pthread_kill(_main, signal.SIGINT)


_in_place: list[Handlers] = []
_pid = os.getpid()


def _send_again(number: int) -> None:
    time.sleep(0.01)  # until the fork is over
    os.kill(os.getpid(), number)


class ForkMask:
    """Put signals off from before a fork until the child has the handlers that it is to have.

    CPython forgets, at the beginning of a child's life, what signals have come until then. One that comes before the
    child first runs, when its parent's handlers are still in place, would be lost.

    Args:
        is_wanted: whether handlers are in place that a child is not to keep.
    """

    def __init__(self, is_wanted: Callable[[], bool]) -> None:
        self._is_wanted = is_wanted
        self._kept = threading.local()  # several threads may fork at once

    def block(self) -> None:
        """Put them off: before the fork."""
        self._kept.mask = signal.pthread_sigmask(signal.SIG_BLOCK, NUMBERS) if self._is_wanted() else None

    def unblock(self) -> None:
        """Let them come, as before: in the child, as the last thing."""
        mask, self._kept.mask = getattr(self._kept, "mask", None), None
        if mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def unblock_in_parent(self) -> None:
        """Let them come, as before: what is raised in here would be lost, so one that came is sent again."""
        if threading.get_ident() != _main:
            self.unblock()
            return
        shield.depth += 1
        self.unblock()
        shield.depth -= 1
        if shield.pending and not shield.depth:
            number, shield.pending = shield.pending, 0
            threading.Thread(target=_send_again, args=(number,), daemon=True).start()


def _after_fork() -> None:
    # A child (of multiprocessing, say) is not ours to shield: whoever forked it ends it by SIGTERM.
    shield.depth = shield.pending = 0
    while _in_place:
        with contextlib.suppress(ValueError):  # not in what is the main thread here
            _in_place.pop().restore()
    _mask.unblock()


_mask = ForkMask(lambda: bool(_in_place))
os.register_at_fork(before=_mask.block, after_in_parent=_mask.unblock_in_parent, after_in_child=_after_fork)


def guarded(inner: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """Drive the generator of a root run with our handlers in place while it runs, not while its caller does."""
    step, given = inner.send, None
    while True:
        try:
            with Handlers():
                item = step(given)
        except StopIteration as end:
            return end.value
        except Terminated as problem:
            die_of(problem.number)
            raise
        try:
            step, given = inner.send, (yield item)
        except GeneratorExit:
            with Handlers():
                inner.close()
            raise
        except BaseException as problem:
            step, given = inner.throw, problem


def stop_thread(ident: int) -> None:
    """Ask Python code in a thread to stop, by raising `Abandoned` in it; code in C is not reached."""
    _raise_in(ident, Abandoned)


def spare_thread(ident: int) -> None:
    """Take back a `stop_thread` that has not arrived yet."""
    _raise_in(ident, None)


def _raise_in(ident: int, kind: type[BaseException] | None) -> None:
    import ctypes  # 10 ms, and rarely needed

    what = ctypes.py_object(kind) if kind is not None else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), what)


dies_of_signals = True
"""Whether a process whose flow a signal ended dies of it; a command with exit codes of its own says no."""


def die_of(number: int) -> None:
    """End this process by a signal's default action, so that its parent sees the truth (143 for SIGTERM)."""
    if not dies_of_signals:
        return
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
