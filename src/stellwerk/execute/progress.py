"""A progress display for terminals: how many calls of each task wait, run, are done, have failed.

What lives here: drawing a block of lines on stderr and keeping it out of the way of everything else that is printed.
What does not: counting (the scope's tally), and whether there is to be a display (the setting `progress`).

Theory of operation: the block is drawn below what was printed last, each line ending in a line break, so the cursor
always rests on an empty line below it and is never hidden: whenever the process dies, the terminal is as it should be.
To print something else, the block is erased first and drawn again at the next tick. For that, the `write` of stdout
and stderr is replaced on the stream objects themselves, since logging handlers hold on to the objects. What writes to
the file descriptors past Python is not seen. A forked child never draws, and its streams are as they were before.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

__all__ = ["Counts", "Progress", "harmless", "write"]

TICK_SECONDS = 0.1
PATIENCE_SECONDS = 0.25  # a flow that is over sooner shows no block, only its last line
MOST_LINES = 12
WAITING = ("scheduled", "pending", "paused")
WORKING = ("running", "cancelling")
FAILED = ("failed", "crashed", "cancelled")
DONE = ("completed", "skipped")
_COLOURS = {"green": 32, "red": 31, "blue": 34, "yellow": 33, "dim": 2, "bold": 1}


class Counts(Protocol):
    """Say how many calls of each task are in each state. It may change in another thread at any time."""

    rows: dict[str, dict[str, int]]


leaves_summary = True
"""Whether `stop` leaves a line; whoever says in its own words how the run ended says no."""

_lock = threading.RLock()
_active: Progress | None = None
_pauses = 0


@contextmanager
def paused() -> Iterator[None]:
    """Take the display away while somebody else has the terminal, such as a question to the user."""
    global _pauses
    with _lock:
        if _active is not None:
            _active._erase()
        _pauses += 1
    try:
        yield
    finally:
        with _lock:
            _pauses -= 1


def write(text: str) -> None:
    """Print a line on stderr, above the display if there is one."""
    if not text.endswith("\n"):
        text += "\n"
    with _lock:
        sys.stderr.write(text)  # which is line-buffered


class Progress:
    """Show how the tasks of a run stand, until `stop`.

    Args:
        counts: read at each tick.
        title: one line above the tasks.
        spent_seconds: how long the run has been running when the display starts.

    A second display at the same time (two flows in two threads) draws nothing.
    """

    def __init__(self, counts: Counts, title: str, spent_seconds: float = 0.0) -> None:
        self._counts = counts
        self._title = harmless(title)
        self._spent_seconds = spent_seconds
        self._began = time.monotonic() - spent_seconds
        self._drawn = 0  # lines of the block on the screen
        self._is_clear = True  # whether the cursor stands at the beginning of a line
        self._over = threading.Event()
        self._stream: Any = sys.stderr
        self._streams: list[Any] = []
        self._pid = os.getpid()

    def start(self) -> None:
        """Begin to draw, if stderr is a terminal that can."""
        global _active
        self._began = time.monotonic() - self._spent_seconds
        stream = self._stream = sys.stderr
        if stream is None or not stream.isatty() or os.environ.get("TERM", "dumb") == "dumb":
            return
        with _lock:
            if _active is not None:
                return
            _active = self
            for each in (sys.stdout, sys.stderr):
                if each is not None and each.isatty():
                    self._take(each)
        threading.Thread(target=self._work, name="stellwerk-progress", daemon=True).start()

    def stop(self, final_line: str) -> None:
        """Erase the block and leave a line instead: the given one with the numbers; nothing when it is empty."""
        global _active
        self._over.set()
        with _lock:
            if _active is not self or self._pid != os.getpid():
                return
            self._erase()
            _active = None
            for stream in self._streams:
                stream.__dict__.pop("write", None)
            self._streams.clear()
            if final_line and leaves_summary:
                self._put(f"{self._summary(harmless(final_line))}\n")

    def _work(self) -> None:
        if self._over.wait(PATIENCE_SECONDS):
            return
        while True:
            with _lock:
                if _active is not self:
                    return
                try:
                    self._draw()
                except (OSError, ValueError):  # the terminal is gone
                    return
            if self._over.wait(TICK_SECONDS):
                return

    # ── the screen ───────────────────────────────────────────────────────────────────────────────────────────────────
    def _take(self, stream: Any) -> None:
        """Make everything that is written to a stream go above the block."""
        original: Callable[[str], int] = stream.write

        def write_above(text: str) -> int:
            with _lock:
                if _active is self:
                    self._erase()
                    self._is_clear = text.endswith("\n") if text else self._is_clear
                return original(text)

        try:
            stream.write = write_above
        except AttributeError:  # an object of somebody else's that does not let itself be changed
            return
        self._streams.append(stream)

    def _put(self, text: str) -> None:
        """Write past the replaced `write`."""
        stream = self._stream
        type(stream).write(stream, text)
        stream.flush()

    def _erase(self) -> None:
        if self._drawn:
            drawn, self._drawn = self._drawn, 0
            self._put(f"\x1b[{drawn}A\r\x1b[J")

    def _draw(self) -> None:
        if _pauses:
            return
        if not self._is_clear:  # somebody prints a line in pieces, or asks something: wait until it is complete
            return
        width, height = _size()
        lines = self._lines(width - 1, min(MOST_LINES, height - 2))
        up = f"\x1b[{self._drawn}A\r" if self._drawn else ""
        self._put(up + "".join(f"{line}\x1b[K\n" for line in lines) + "\x1b[J")
        self._drawn = len(lines)

    # ── the lines ────────────────────────────────────────────────────────────────────────────────────────────────────
    def _rows(self) -> list[tuple[str, dict[str, int]]]:
        # list() and dict() of a dict are atomic; the counts may be off by one that is just moving.
        return [(harmless(name), dict(row)) for name, row in list(self._counts.rows.items())]

    def _lines(self, width: int, height: int) -> list[str]:
        rows = self._rows()
        done, total = 0, 0
        for _, row in rows:
            done += sum(row.get(state, 0) for state in (*DONE, *FAILED))
            total += sum(row.values())
        spent = _spent(time.monotonic() - self._began)
        tail = f"{done:,}/{total:,} done · {spent}" if total else spent
        room_for_title = width - len(tail) - 2
        if room_for_title >= 8:
            lines = [f"{_paint(_fit(self._title, room_for_title), 'bold')}  {_paint(tail, 'dim')}"]
        else:
            lines = [_paint(_fit(tail, width), "dim")]
        room = max(height - 1, 1)
        shown = _choose(rows, room)
        names = max((_cells(name) for name, _ in shown), default=0)
        name_width = min(names, max(10, width // 3))
        lines += [_line(name, row, name_width, width) for name, row in shown]
        rest = len(rows) - len(shown)
        if rest:
            lines.append(_paint(_fit(f"  … and {rest} more task{'s' if rest > 1 else ''}", width), "dim"))
        return lines

    def _summary(self, final_line: str) -> str:
        states: dict[str, int] = {}
        for _, row in self._rows():
            for state, count in row.items():
                states[state] = states.get(state, 0) + count
        order = (*DONE, *FAILED, *WORKING, *WAITING)
        said = ", ".join(f"{states[state]:,} {state}" for state in order if states.get(state, 0) > 0)
        tasks = f" · tasks: {said}" if said else ""
        return f"{final_line}{tasks} · {_spent(time.monotonic() - self._began)}"


def _choose(rows: list[tuple[str, dict[str, int]]], room: int) -> list[tuple[str, dict[str, int]]]:
    """Choose the rows that there is room for: what runs, what failed, what was done last, what is next."""
    if len(rows) <= room:
        return rows

    def rank(place: int) -> tuple[int, int]:
        row = rows[place][1]
        if any(row.get(state, 0) > 0 for state in WORKING):
            return 0, place
        if any(row.get(state, 0) > 0 for state in FAILED):
            return 1, -place
        return (2, -place) if any(row.get(state, 0) > 0 for state in DONE) else (3, place)

    chosen = sorted(sorted(range(len(rows)), key=rank)[: room - 1])
    return [rows[place] for place in chosen]


def _line(name: str, row: Mapping[str, int], name_width: int, width: int) -> str:
    """Write one task's line: name, bar, done of all, and what is running or went wrong."""
    done = sum(max(row.get(state, 0), 0) for state in DONE)
    failed = sum(max(row.get(state, 0), 0) for state in FAILED)
    working = sum(max(row.get(state, 0), 0) for state in WORKING)
    total = max(sum(row.values()), done + failed + working)
    counts = f"{done + failed:,}/{total:,}"
    told = [(f"{working:,} running", "blue")] if working else []
    told += [(f"{failed:,} failed", "red")] if failed else []
    told += [(f"{row['skipped']:,} skipped", "yellow")] if row.get("skipped", 0) > 0 else []
    label = _fit(name, name_width)
    label += " " * (name_width - _cells(label))
    room = width - 2 - name_width - 2
    bar_width = min(24, room - 12 - sum(len(text) + 2 for text, _ in told))
    parts = [f"  {label}"]
    used = 2 + name_width
    if bar_width >= 6:
        parts.append(_bar(done, failed, total, bar_width))
        used += 2 + bar_width
    for text, colour in [(counts.rjust(11 if bar_width >= 6 else 0), ""), *told]:
        if used + 2 + len(text) > width:
            break
        parts.append(_paint(text, colour))
        used += 2 + len(text)
    return "  ".join(parts)


def _bar(done: int, failed: int, total: int, width: int) -> str:
    full, empty = ("━", "─") if _is_unicode() else ("#", "-")
    bad = min(width, -(-failed * width // total)) if total else 0
    good = min(width - bad, done * width // total) if total else 0
    return _paint(full * good, "green") + _paint(full * bad, "red") + _paint(empty * (width - good - bad), "dim")


def _paint(text: str, colour: str) -> str:
    if not text or not colour or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"


def _spent(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def harmless(text: str, breaks: bool = False) -> str:
    """Show control characters instead of obeying them: names and lines are users' text.

    Args:
        breaks: let line breaks and tabs stand.
    """
    if text.isprintable():
        return text
    kept = "\n\t" if breaks else ""
    return "".join(c if c.isprintable() or c in kept else f"\\x{ord(c):02x}" for c in text)


def _cells(text: str) -> int:
    """Count the columns that a text takes up (Unicode TR 11: wide and full-width characters take two)."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _fit(text: str, width: int) -> str:
    if _cells(text) <= width:
        return text
    while text and _cells(text) > width - 1:
        text = text[:-1]
    return f"{text}…" if _is_unicode() else f"{text}~"


def _is_unicode() -> bool:
    return (getattr(sys.stderr, "encoding", None) or "").lower().replace("-", "").startswith("utf")


def _size() -> tuple[int, int]:
    try:
        width, height = os.get_terminal_size(sys.stderr.fileno())
    except (OSError, ValueError):
        width, height = 80, 24
    return width or 80, height or 24


def _after_fork() -> None:
    # The parent's thread may hold the lock, and the block on the screen is the parent's.
    global _lock, _active
    _lock = threading.RLock()
    forgotten, _active = _active, None
    if forgotten is not None:
        for stream in forgotten._streams:
            stream.__dict__.pop("write", None)


def _before_fork() -> None:
    # Nobody of us is in the midst of writing then: the child could not write past a stream's inner lock.
    _lock.acquire()


def _after_fork_in_parent() -> None:
    _lock.release()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork)
