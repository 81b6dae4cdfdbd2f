"""A server of a home with real runs in it, as the browser tests see it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

from servers import Server

RUNS = Path(__file__).parent / "runs.py"
SECONDS = 60  # until a flow that should have ended counts as stuck


class Served:
    """A server, its home, and the flows of runs.py in it.

    Args:
        home: a folder that need not exist yet.
        settings: of the server, as environment variables.
    """

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        self.server = Server(STELLWERK_HOME=str(home), **settings)
        self._flows: list[subprocess.Popen[str]] = []
        self._said: dict[tuple[str, ...], str] | None = None
        self.server.start()

    @property
    def url(self) -> str:
        """Give the server's own address."""
        return self.server.url

    def close(self) -> None:
        """End everything that was started here."""
        for process in self._flows:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        self.server.kill()

    # ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────
    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a flow of runs.py as a process."""
        return self._start(RUNS, *arguments)

    def execute(self, script: Path) -> None:
        """Run another script to its end; it must succeed."""
        assert self._start(script).wait(SECONDS) == 0

    def _start(self, script: Path, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, str(script), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=self._environment(),
            start_new_session=True,
        )
        self._flows.append(process)
        return process

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a flow and wait until its code is at work."""
        process = self.start(*arguments)
        assert process.stdout is not None
        assert process.stdout.readline() == "at work\n"
        return process

    def run(self, *arguments: str) -> None:
        """Run a flow to its end, however it ends."""
        self.start(*arguments).communicate(timeout=SECONDS)

    # ── what the command line says ───────────────────────────────────────────────────────────────────────────────────
    def cli(self, *arguments: str) -> Any:
        """Run a command and return the JSON that it printed."""
        if self._said is not None and arguments in self._said:
            return json.loads(self._said[arguments])
        command = [sys.executable, "-m", "stellwerk", *arguments, "--json"]
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, env=self._environment(), timeout=SECONDS
        )
        if self._said is not None:
            self._said[arguments] = done.stdout
        return json.loads(done.stdout)

    def settle(self) -> None:
        """Say that nothing more will be recorded, so that a command need not be run twice."""
        self._said = {}

    def runs(self, flow: str = "", *options: str) -> list[dict[str, Any]]:
        """List runs, the newest first; those of one flow if it is named."""
        found: list[dict[str, Any]] = self.cli("runs", "ls", "--limit", "10000", *options)
        return [run for run in found if not flow or run["flow"] == flow]

    def newest(self, flow: str) -> dict[str, Any]:
        """Find the newest run of a flow that no other run called."""
        return self.runs(flow)[0]

    def shown(self, run: dict[str, Any]) -> dict[str, Any]:
        """Show a run with its tasks."""
        found: dict[str, Any] = self.cli("runs", "show", run["id"])
        return found

    # ── getting in ───────────────────────────────────────────────────────────────────────────────────────────────────
    def code(self) -> str:
        """Make a one-time code, as `stellwerk open` does."""
        request = urllib.request.Request(
            f"{self.url}/api/links",
            data=b"{}",
            headers={"Authorization": f"Bearer {self.server.secret()}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return str(json.load(answer)["code"])

    def link(self, *arguments: str) -> str:
        """Let `stellwerk open` make a link."""
        command = [sys.executable, "-m", "stellwerk", "open", "--print", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=self._environment())
        return done.stdout.strip().splitlines()[-1]

    def _environment(self) -> dict[str, str]:
        """Give the environment of processes that use this home, without settings of another."""
        others = {name: value for name, value in os.environ.items() if not name.startswith("STELLWERK_")}
        return {**others, "STELLWERK_HOME": str(self.home), "PYTHONUNBUFFERED": "1", "COLUMNS": "200"}


def seed(served: Served) -> None:
    """Put a run of every ending into a home, and one that goes on."""
    ending = [served.start("seed"), served.start("chatty")]
    struck, stopped = served.begin("struck"), served.begin("stopped")
    struck.send_signal(signal.SIGKILL)
    stopped.send_signal(signal.SIGINT)
    for process in (*ending, struck, stopped):
        process.communicate(timeout=SECONDS)
    served.begin("lasting")
    # That a process is gone is noticed by others, within a moment.
    while served.newest("struck")["state"] == "running":
        pass
    served.settle()
