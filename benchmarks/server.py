"""A server of a ground's home, as a process of its own."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
from types import TracebackType
from typing import Any

from ground import Ground, Wrong

START_LIMIT_SECONDS = 60
STOP_LIMIT_SECONDS = 30


class Server:
    """Be a server from entering to leaving.

    Attributes:
        start_seconds: from the command until /health answered.
    """

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._port = _free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.start_seconds = 0.0

    def __enter__(self) -> Server:
        began = time.perf_counter()
        self._log = open(self._ground.folder / "server.log", "w+b")
        self._process = subprocess.Popen(
            [self._ground.python, "-m", "stellwerk", "server", "start", "--port", str(self._port)],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            env=self._ground.environment,
            cwd=self._ground.folder,
        )
        while not self._answers():
            if self._process.poll() is not None or time.perf_counter() - began > START_LIMIT_SECONDS:
                self.__exit__(None, None, None)
                raise Wrong(f"the server did not start: {(self._ground.folder / 'server.log').read_text()[-2000:]}")
            time.sleep(0.002)
        self.start_seconds = time.perf_counter() - began
        while not (self._ground.home / "server.json").exists():
            time.sleep(0.002)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    @property
    def pid(self) -> int:
        """Give its process number."""
        return self._process.pid

    @property
    def secret(self) -> str:
        """Read by what processes of the same user get in."""
        told: dict[str, Any] = json.loads((self._ground.home / "server.json").read_text(encoding="utf-8"))
        return str(told["secret"])

    def cpu_seconds(self) -> float:
        """Read the processor time that it has used so far (proc(5), fields utime and stime)."""
        with open(f"/proc/{self.pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def ask(self, path: str, body: Any = None) -> Any:
        """Ask it something; what is JSON is decoded."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data)
        request.add_header("Authorization", f"Bearer {self.secret}")
        if data is not None:
            request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=60) as answer:
            content = answer.read()
            return json.loads(content) if "json" in answer.headers["Content-Type"] else content.decode()

    def metric(self, name: str) -> float:
        """Read one number of its metrics; 0 when it is not there."""
        found = re.search(rf"^{name}(?:{{.*}})? (\S+)$", self.ask("/metrics"), re.MULTILINE)
        return float(found[1]) if found else 0.0

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=1) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
