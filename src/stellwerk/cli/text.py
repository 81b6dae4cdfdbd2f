"""Text for terminals: what users wrote is made harmless, numbers and times are made readable. No I/O here."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

__all__ = [
    "COLOURS",
    "GLYPHS",
    "NO_GLYPH",
    "ago",
    "clock",
    "count_states",
    "duration",
    "lines",
    "one_line",
    "seconds_of",
    "word",
]

GLYPHS: dict[str, str] = {
    "scheduled": "○",
    "pending": "○",
    "running": "●",
    "paused": "‖",
    "cancelling": "◌",
    "completed": "✓",
    "failed": "✗",
    "crashed": "!",
    "cancelled": "⊘",
    "skipped": "–",
    "suspended": "‖",
}
NO_GLYPH = "·"
COLOURS: dict[str, str] = {
    "scheduled": "yellow",
    "pending": "yellow",
    "running": "blue",
    "paused": "yellow",
    "cancelling": "yellow",
    "completed": "green",
    "failed": "red",
    "crashed": "magenta",
    "cancelled": "yellow",
    "skipped": "cyan",
}

# C0 and C1 control characters, and those that reorder or hide text (Unicode TR 36, section 3.4: bidirectional text
# spoofing; TR 9 has the list).
_UNSAFE = "\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069\ufeff\ud800-\udfff"
_unsafe = re.compile(f"[{_UNSAFE}]")
_unsafe_or_break = re.compile(f"[\t\n{_UNSAFE}]")
_SHORT = {"\t": "\\t", "\n": "\\n", "\r": "\\r", "\x1b": "\\x1b"}


def one_line(text: object) -> str:
    """Make a text harmless in a terminal and one line long: control characters are shown, not obeyed."""
    return _unsafe_or_break.sub(_shown, str(text))


def word(run: Mapping[str, Any]) -> str:
    """Name a run as a shell takes it: its name, quoted where needed, or its id where the name could be an option."""
    name = str(run["name"])
    return shlex.quote(name) if name.isprintable() and not name.startswith("-") else str(run["id"])


def lines(text: object) -> str:
    """Make a text of several lines harmless in a terminal."""
    return _unsafe.sub(_shown, str(text).replace("\r\n", "\n"))


def _shown(found: re.Match[str]) -> str:
    character = found[0]
    number = ord(character)
    return _SHORT.get(character) or (f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}")


def duration(seconds: float | None) -> str:
    """Write a duration for people: `0.4 ms`, `12 ms`, `4.2 s`, `3 min 05 s`, `2 h 10 min`, `3 d 04 h`; empty for None."""
    if seconds is None:
        return ""
    seconds = max(seconds, 0.0)
    if seconds < 0.00995:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600:02} h"


def seconds_of(start: str | None, end: str | None, now: datetime | None = None) -> float | None:
    """Return the seconds between two RFC 3339 times; up to `now` where the end is open, None where nothing began."""
    if start is None or (end is None and now is None):
        return None
    until = datetime.fromisoformat(end) if end else now
    return (until - datetime.fromisoformat(start)).total_seconds() if until else None


def ago(moment: str | None, now: datetime) -> str:
    """Write how long ago a moment was; from a day on, its local date and time."""
    if moment is None:
        return ""
    then = datetime.fromisoformat(moment)
    seconds = (now - then).total_seconds()
    if seconds < -1:
        return clock(moment, now)
    if seconds < 60:
        return f"{max(seconds, 0):.0f} s ago"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min ago"
    if seconds < 86_400:
        return f"{seconds // 3600:.0f} h ago"
    return clock(moment, now)


def clock(moment: str | None, now: datetime | None = None) -> str:
    """Write a moment in local time: the time alone on the same day, else with the date."""
    if moment is None:
        return ""
    local = datetime.fromisoformat(moment).astimezone()
    today = (now or datetime.now(UTC)).astimezone()
    if local.date() == today.date():
        return local.strftime("%H:%M:%S")
    return local.strftime("%d %b %H:%M" if local.year == today.year else "%d %b %Y")


def count_states(states: Mapping[str, int]) -> str:
    """Write how many are in which state: `10 completed, 1 failed`."""
    return ", ".join(f"{states[state]:,} {state}" for state in GLYPHS if states.get(state))
