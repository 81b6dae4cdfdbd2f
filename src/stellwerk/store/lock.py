"""A lock between processes, fair and bounded: writers of one SQLite file queue here, not in busy loops.

Theory of operation: two files of advisory locks, a turnstile and the seat. Who wants the seat first passes the
turnstile and holds it until the seat is free, so whoever just left the seat cannot take it again before the one
already waiting has had it. The kernel releases both when a process dies; since a forked child shares the open files,
and would keep a dead parent's seat taken, it closes them at once.
"""

from __future__ import annotations

import fcntl
import os
import weakref
from pathlib import Path


class WriteLock:
    """Hold the right to write to one database among all processes of this machine."""

    def __init__(self, path: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._turnstile = self._seat = -1
        self._turnstile = os.open(f"{path}.queue", flags, 0o600)
        self._seat = os.open(f"{path}.lock", flags, 0o600)
        _open.add(self)

    def acquire(self) -> None:
        """Wait for the seat, in turn."""
        fcntl.flock(self._turnstile, fcntl.LOCK_EX)
        try:
            fcntl.flock(self._seat, fcntl.LOCK_EX)
        finally:
            fcntl.flock(self._turnstile, fcntl.LOCK_UN)

    def release(self) -> None:
        """Leave the seat."""
        fcntl.flock(self._seat, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close both files. Idempotent."""
        descriptors = self._turnstile, self._seat
        self._turnstile = self._seat = -1
        for descriptor in descriptors:
            if descriptor >= 0:
                os.close(descriptor)


_open: weakref.WeakSet[WriteLock] = weakref.WeakSet()


def _close_in_child() -> None:
    for lock in list(_open):
        lock.close()


os.register_at_fork(after_in_child=_close_in_child)
