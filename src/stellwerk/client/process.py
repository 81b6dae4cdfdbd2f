"""Processes: who this one is, and whether another still lives.

On Linux a process is told from a later one with the same number by its start time (field 22 of /proc/PID/stat, in
clock ticks since boot; proc(5)) and by the boot it belongs to. Elsewhere only the number and the boot decide.

Containers of one machine share its boot, and may share a host name and a database, but each may number its processes
for itself. So what names the boot also names the namespace of process numbers (pid_namespaces(7)); whoever lives in
another one can't be looked at from here.
"""

from __future__ import annotations

import os
import time
from functools import cache
from pathlib import Path

from stellwerk.model.messages import Holder


@cache
def boot_id() -> str:
    """Name the present boot of this machine and our namespace of process numbers: `BOOT/pid:[NUMBER]` on Linux."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        boot = f"booted-{time.time() - time.monotonic():.0f}"
    try:
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return boot


@cache
def _has_proc() -> bool:
    """Say whether /proc is here and speaks of our namespace: a container may have been left with another's."""
    try:
        return os.readlink("/proc/self") == str(os.getpid())
    except OSError:
        return False


def _forget() -> None:
    boot_id.cache_clear()  # a child may be the first process of a new namespace
    _has_proc.cache_clear()


os.register_at_fork(after_in_child=_forget)


def _stat(pid: int) -> tuple[str, int]:
    text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    fields = text[text.rindex(")") + 2 :].split(" ")
    return fields[0], int(fields[19])


def holder_of(pid: int) -> Holder:
    """Describe a living process of this machine; `started` is 0 where the system does not tell."""
    try:
        started = _stat(pid)[1] if _has_proc() else 0
    except (OSError, ValueError):
        started = 0
    return Holder(os.uname().nodename, boot_id(), pid, started)


def this_process() -> Holder:
    """Describe the calling process."""
    return holder_of(os.getpid())


def condition(holder: Holder) -> str:
    """Look at a process.

    Returns: `alive`; `stopped` (by SIGSTOP); `gone`; or `elsewhere` when it ran on another machine, or in a container
        into which we can't see.
    """
    if holder.host != os.uname().nodename:
        return "elsewhere"
    boot, _, namespace = holder.boot_id.partition("/")
    our_boot, _, our_namespace = boot_id().partition("/")
    if boot != our_boot:
        return "gone"
    if namespace != our_namespace:
        return "elsewhere"
    if not _has_proc():
        return _signalled(holder.pid)
    try:
        state, started = _stat(holder.pid)
    except (OSError, ValueError):
        return _signalled(holder.pid)  # mounted with hidepid, /proc shows us only processes of our own user
    if state in "ZX" or (holder.started and started != holder.started):
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
