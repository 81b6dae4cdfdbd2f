"""Servers as processes of their own, on free ports of the loopback."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

SECONDS = 30  # until a server that should have started counts as stuck


def free_port() -> int:
    """Find a port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """One server of a home, which may be killed and started again on the same port."""

    def __init__(self, *options: str, **environment: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._options = options
        self._environment = environment
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it and wait until it is healthy."""
        command = [sys.executable, "-m", "stellwerk", "server", "start", "--port", str(self.port), *self._options]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **self._environment},
            start_new_session=True,
        )
        end = time.monotonic() + SECONDS
        while not self.is_healthy():
            if self._process.poll() is not None:
                pytest.fail(f"the server ended at once: {self._process.communicate()[1]}")
            if time.monotonic() > end:
                self.kill()
                pytest.fail("the server never became healthy")
            time.sleep(0.02)

    def is_healthy(self) -> bool:
        """Say whether it answers."""
        try:
            with urllib.request.urlopen(f"{self.url}/ready", timeout=1) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    @property
    def pid(self) -> int:
        """Give its process number."""
        assert self._process is not None
        return self._process.pid

    def secret(self) -> str:
        """Read by what processes of the same user get in."""
        home = Path(self._environment.get("STELLWERK_HOME") or os.environ["STELLWERK_HOME"])
        return str(json.loads((home / "server.json").read_text(encoding="utf-8"))["secret"])

    def kill(self) -> None:
        """Kill it at once (SIGKILL)."""
        self._end(signal.SIGKILL)

    def stop(self) -> str:
        """Ask it to end and wait until it has; return what it said on stderr."""
        return self._end(signal.SIGTERM)

    def _end(self, number: int) -> str:
        process, self._process = self._process, None
        if process is None:
            return ""
        process.send_signal(number)
        return process.communicate(timeout=SECONDS)[1]
