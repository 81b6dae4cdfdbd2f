"""A lock between processes, fair and bounded: writers of one SQLite file queue here, not in busy loops.

Theory of operation: two files of advisory locks, a turnstile and the seat. Who wants the seat first passes the
turnstile and holds it until the seat is free, so whoever just left the seat cannot take it again before the one
already waiting has had it. The kernel releases both when a process dies; since a forked child shares the open files,
and would keep a dead parent's seat taken, it closes them at once.

The kernel can wait for such a lock, but not until a time. So a lock that is taken is tried again after short sleeps
that grow with the wait, by a quarter of it: only one process at a time waits for the seat, and it comes at most that
much late. Between the sleeps signals are noted.
"""

from __future__ import annotations

import fcntl
import os
import time
import weakref
from pathlib import Path

from stellwerk.errors import UnavailableError

WAIT_SECONDS = 60.0  # in all: more than any transaction takes, and what SQLite itself waits for its own locks
SHORTEST_SECONDS, LONGEST_SECONDS = 0.000_05, 0.004
SHARE = 0.25  # of the wait so far is slept next
"""Measured on 2 cores, 4 and 50 processes that hold the lock 0.1 or 2 ms each: as many turns a second as with the
kernel's own wait, but a third fewer for fifty at 0.1 ms. A longest sleep of 10 ms made a turn of four processes wait three
times as long, one of 0.5 ms cost fifty processes two thirds of their turns."""


class WriteLock:
    """Hold the right to write to one database among all processes of this machine."""

    def __init__(self, path: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._path = path
        self._turnstile = self._seat = -1
        self._turnstile = os.open(f"{path}.queue", flags, 0o600)
        self._seat = os.open(f"{path}.lock", flags, 0o600)
        _open.add(self)

    def acquire(self) -> None:
        """Wait for the seat, in turn.

        Raises:
            UnavailableError: it was not free within `WAIT_SECONDS`; nothing is held.

        Cost: a microsecond when it is free.
        """
        started = 0.0
        if not _take(self._turnstile):
            started = time.monotonic()
            self._wait(self._turnstile, started)
        try:
            if not _take(self._seat):
                self._wait(self._seat, started or time.monotonic())
        finally:
            fcntl.flock(self._turnstile, fcntl.LOCK_UN)

    def _wait(self, descriptor: int, started: float) -> None:
        began = time.monotonic()
        while True:
            now = time.monotonic()
            if now - started >= WAIT_SECONDS:
                raise self._taken(descriptor)
            time.sleep(min(max((now - began) * SHARE, SHORTEST_SECONDS), LONGEST_SECONDS))
            if _take(descriptor):
                return

    def _taken(self, descriptor: int) -> UnavailableError:
        pid = holder_pid(self._seat) or holder_pid(descriptor)
        who = f"process {pid}{_name(pid)}" if pid else "another process"
        return UnavailableError(
            f"The database {self._path} is being written by {who} for more than {WAIT_SECONDS:g} s.",
            hint=f"See whether {who} is stopped or hangs; let it go on or end it, then try again.",
            is_passing=True,
            pid=pid,
        )

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


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def holder_pid(descriptor: int) -> int:
    """Find which process holds the lock on an open file; 0 when the system does not tell.

    Source: /proc/locks, proc_locks(5): number, FLOCK, ADVISORY, WRITE, pid, device:inode, start, end.
    """
    file = os.fstat(descriptor)
    place = f"{os.major(file.st_dev):02x}:{os.minor(file.st_dev):02x}:{file.st_ino}"
    try:
        lines = Path("/proc/locks").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0
    for line in lines:
        fields = line.split()
        if len(fields) >= 6 and fields[1] == "FLOCK" and fields[5] == place:
            return max(0, int(fields[4]))  # those of another PID namespace are 0 or -1
    return 0


def _name(pid: int) -> str:
    try:
        return f" ({Path(f'/proc/{pid}/comm').read_text(encoding='utf-8', errors='replace').strip()})"
    except OSError:
        return ""


_open: weakref.WeakSet[WriteLock] = weakref.WeakSet()


def _close_in_child() -> None:
    for lock in list(_open):
        lock.close()


os.register_at_fork(after_in_child=_close_in_child)
