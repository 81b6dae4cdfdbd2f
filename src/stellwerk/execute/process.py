"""Processes: who this one is, and whether another still lives.

On Linux a process is told from a later one with the same number by its start time (field 22 of /proc/PID/stat, in
clock ticks since boot; proc(5)) and by the boot it belongs to. Elsewhere only the number and the boot decide.
"""

from __future__ import annotations

import os
import time
from functools import cache
from pathlib import Path

from stellwerk.model.messages import Holder


@cache
def boot_id() -> str:
    """Name the present boot of this machine; the same text in every process until it restarts."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return f"booted-{time.time() - time.monotonic():.0f}"


def _stat(pid: int) -> tuple[str, int]:
    text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    fields = text[text.rindex(")") + 2 :].split(" ")
    return fields[0], int(fields[19])


def holder_of(pid: int) -> Holder:
    """Describe a living process of this machine."""
    try:
        started = _stat(pid)[1]
    except (OSError, ValueError):
        started = 0
    return Holder(os.uname().nodename, boot_id(), pid, started)


def this_process() -> Holder:
    """Describe the calling process."""
    return holder_of(os.getpid())


def condition(holder: Holder) -> str:
    """Look at a process: `alive`, `stopped` (by SIGSTOP), `gone`, or `elsewhere` when it ran on another machine."""
    if holder.host != os.uname().nodename:
        return "elsewhere"
    if holder.boot_id != boot_id():
        return "gone"
    try:
        state, started = _stat(holder.pid)
    except (OSError, ValueError):
        return _signalled(holder.pid) if not Path("/proc/self/stat").exists() else "gone"
    if started != holder.started or state in "ZX":
        return "gone"
    return "stopped" if state in "Tt" else "alive"


def _signalled(pid: int) -> str:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return "gone"
    except OSError:
        return "alive"
    return "alive"
