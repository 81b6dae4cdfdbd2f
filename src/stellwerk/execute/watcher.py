"""The watcher: a small process that renews the leases of the process that started it.

It lives outside the interpreter that runs user code, so a C call that holds the interpreter lock for minutes keeps its
lease, while a process that is gone or stopped (SIGSTOP) loses it. Started by the first run that outlives a third of its
lease; ends by itself when the process has gone or holds no lease any more.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import TYPE_CHECKING

from stellwerk.client.process import condition, holder_of
from stellwerk.client.transport import Transport
from stellwerk.config import Config
from stellwerk.errors import StellwerkError

if TYPE_CHECKING:
    from subprocess import Popen

_started: list[Popen[bytes]] = []
_lock = threading.Lock()
os.register_at_fork(after_in_child=_started.clear)
GRACE_ROUNDS = 2  # rounds without a lease after which it ends: the next run of the same script is often near


def start(config: Config, transport: Transport) -> None:
    """Start the watcher of this process, once.

    Args:
        transport: the road of the run that needs it, which the watcher takes, too. A token comes to it as it came to
            us: by the environment or the user's file, never on its command line.
    """
    import subprocess  # a flow that is over within seconds needs no watcher

    with _lock:
        if any(process.poll() is None for process in _started):
            return
        _started.clear()
        command = [sys.executable, "-m", "stellwerk.cli.watch_process", str(os.getpid()), transport.local_database_id]
        environment = {**os.environ, "STELLWERK_LEASE_SECONDS": str(config.lease_seconds)}
        if config.api_url is not None:
            # The home stays as it was given: by it the user's file is found, which may hold the token.
            environment["STELLWERK_API_URL"] = config.api_url
            folder = "/"
            if config.source("home") == "STELLWERK_HOME":
                environment["STELLWERK_HOME"] = config.home
        else:
            folder = environment["STELLWERK_HOME"] = config.home
        if config.database_url:
            environment["STELLWERK_DATABASE_URL"] = config.database_url
        try:
            _started.append(
                subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                    cwd=folder,
                    env=environment,
                )
            )
        except OSError:
            return  # without a watcher the lease lapses only for observers on other machines


def watch(transport: Transport, pid: int, lease_seconds: float) -> None:
    """Renew the leases of a process three times a lease, until it is gone or holds none.

    Args:
        transport: the line to who keeps the record.
        pid: a living process of this machine.
        lease_seconds: how long a lease lasts without renewal.
    """
    holder = holder_of(pid)
    idle = 0
    while idle < GRACE_ROUNDS:
        state = condition(holder)
        if state == "gone":
            return
        if state == "alive":
            try:
                idle = 0 if transport.renew(holder) else idle + 1
            except StellwerkError:
                pass  # tried again in the next round; a lease lapses by its counter, not by our errors
        time.sleep(lease_seconds / 3)
