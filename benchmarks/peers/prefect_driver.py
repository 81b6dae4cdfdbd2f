"""Prefect 3: a server of its own on SQLite, fresh for each sample, and the workloads `prefect_*.py`.

Its defaults are left alone, but for telemetry: results are not persisted, which is less work than Stellwerk does.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from ground import HERE, Ground, Wrong, import_milliseconds

from peers.peer import Measured

SAMPLES = 3
TASKS = 1_000  # of a chain and of a fan-out: at 25 recorded tasks a second, ten thousand would take seven minutes each
PAIRS = 3
READY_SECONDS = 120


class Prefect:
    """Do the work on Prefect 3.

    Args:
        python: the interpreter of a virtual environment with Prefect in it.
    """

    name = "prefect"

    def __init__(self, python: str) -> None:
        self._python = python
        self._version = ""

    def __enter__(self) -> Prefect:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def measure(self, case: str) -> Measured | None:
        """Measure a case: see `Peer.measure`."""
        if case not in ("import", "hello", "chain", "fanout"):
            return None
        self._version = self._version or self._ask_version()
        if case == "import":
            with self._ground() as ground:
                samples = [import_milliseconds(ground, "prefect", PAIRS)[0] for _ in range(SAMPLES)]
            return Measured(samples, self._version, f"{SAMPLES} samples")
        return self._hello() if case == "hello" else self._rates(case)

    def _ask_version(self) -> str:
        with self._ground() as ground:
            code = "import importlib.metadata as m; print(m.version('prefect'))"
            return ground.run("-c", code).output.strip()

    def _ground(self) -> Ground:
        ground = Ground(self._python, {"PREFECT_SERVER_ANALYTICS_ENABLED": "false"})
        ground.environment["PREFECT_HOME"] = str(ground.home)
        return ground

    def _hello(self) -> Measured:
        script = HERE / "peers" / "prefect_hello.py"
        with self._server() as ground:
            ground.run(script)  # warm-up
            samples = [ground.run(script).wall_seconds for _ in range(SAMPLES)]
            _wait_count(ground.environment["PREFECT_API_URL"], SAMPLES + 1)
        return Measured(samples, self._version, f"with its server running, {SAMPLES} samples")

    def _rates(self, case: str) -> Measured:
        script = HERE / "peers" / f"prefect_{case}.py"
        recorded, returned = [], []
        for _ in range(SAMPLES):
            with self._server() as ground:  # a server with no past, as Stellwerk's home has none
                told = ground.run(script, TASKS).told
            recorded.append(TASKS / told["seconds"])
            returned.append(TASKS / told["returned_seconds"])
        what = f"{TASKS:,} tasks until its API shows them completed, {SAMPLES} samples"
        return Measured(recorded, self._version, what, returned)

    @contextmanager
    def _server(self) -> Iterator[Ground]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        with self._ground() as ground:
            api = f"http://127.0.0.1:{port}/api"
            command = [self._python, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
            with open(ground.folder / "server", "w+b") as told:
                server = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=told,
                    stderr=told,
                    cwd=ground.folder,
                    env=ground.environment,
                    start_new_session=True,
                )
                try:
                    _wait_ready(api, server)
                    ground.environment["PREFECT_API_URL"] = api
                    yield ground
                finally:
                    os.killpg(server.pid, signal.SIGTERM)
                    try:
                        server.wait(20)
                    except subprocess.TimeoutExpired:
                        os.killpg(server.pid, signal.SIGKILL)
                        server.wait()


def _wait_ready(api: str, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        if server.poll() is not None:
            raise Wrong(f"Prefect's server ended with exit code {server.returncode} instead of starting")
        try:
            with urllib.request.urlopen(f"{api}/health", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise Wrong(f"Prefect's server was not ready after {READY_SECONDS} s")


def _wait_count(api: str, count: int) -> None:
    wanted = {"task_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}
    request = urllib.request.Request(
        f"{api}/task_runs/count", json.dumps(wanted).encode(), {"Content-Type": "application/json"}
    )
    end = time.monotonic() + READY_SECONDS
    found = -1
    while time.monotonic() < end:
        with urllib.request.urlopen(request, timeout=60) as answer:
            found = json.load(answer)
        if found == count:
            return
        time.sleep(0.2)
    raise Wrong(f"Prefect's API shows {found} completed task runs instead of {count}")
