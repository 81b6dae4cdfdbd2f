"""A disk that is full in the middle of a flow: what the person is told, and what the record says afterwards."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

STELLWERK = str(Path(sys.executable).with_name("stellwerk"))
SMALL = 3 << 20  # bytes

SCRIPT = """
import sys
from stellwerk import flow, get_run_logger, task

@task
def fill(n):
    get_run_logger().info("x" * 20_000)
    return n

@flow
def filler():
    for n in range(2_000):
        fill(n)
    print("NEVER")

if __name__ == "__main__":
    filler()
"""


class Disk:
    """A home on which little fits, until there is room."""

    def __init__(self, home: Path, is_mounted: bool) -> None:
        self.home = home
        self.is_mounted = is_mounted
        self._has_room = False

    def make_room(self) -> None:
        """Free some space."""
        self._has_room = True
        if self.is_mounted:
            subprocess.run(["mount", "-o", "remount,size=40m", str(self.home)], check=True)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        limit: Callable[[], None] | None = None
        if not self.is_mounted and not self._has_room:
            hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
            limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL, hard))  # noqa: E731
        return subprocess.run(
            command,
            cwd=self.home.parent,
            env={**os.environ, "STELLWERK_HOME": str(self.home)},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
            preexec_fn=limit,
        )

    def runs(self) -> list[dict[str, Any]]:
        """Ask the command line what ran."""
        done = self.run(STELLWERK, "runs", "ls", "--json")
        assert done.returncode == 0, done.stderr
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found


@pytest.fixture(params=["disk", "limit"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    """Give a home on a disk of 3 MB; or one with files of up to 3 MB, also where one may not mount."""
    home = tmp_path / "small"
    home.mkdir(mode=0o700)
    command = ["mount", "-t", "tmpfs", "-o", f"size={SMALL},mode=700", "tmpfs", str(home)]
    may_mount = request.param == "disk" and shutil.which("mount") and not os.geteuid()
    is_mounted = may_mount and subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        yield Disk(home, bool(is_mounted))
    finally:
        if is_mounted:
            subprocess.run(["umount", "-l", str(home)], check=True)


@pytest.mark.parametrize("road", ["python", "stellwerk run"])
def test_a_flow_that_meets_a_full_disk_says_so_and_is_crashed(disk: Disk, tmp_path: Path, road: str) -> None:
    script = tmp_path / "filler.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script)] if road == "python" else [STELLWERK, "run", str(script)]
    done = disk.run(*command)
    # Crashed, where that could still be recorded; else something that is no ending of a flow.
    assert done.returncode in ((1,) if road == "python" else (3, 6)), done.stderr[-3000:]
    assert "NEVER" not in done.stdout
    told = [line for line in done.stderr.splitlines() if line.strip()]
    path = disk.home / "stellwerk.db"
    message, hint = f"The database {path} can't be used just now: disk I/O error.", "  → Check that the folder"
    if disk.is_mounted:
        message = f"The disk under {path} is full: nothing more can be recorded."
        hint = "  → Free some space, or set STELLWERK_HOME to a folder on another disk."
    (place,) = (number for number, line in enumerate(told) if line.endswith(message) and "could not be" not in line)
    assert told[place + 1].startswith(hint)
    if road == "python":
        assert place == len(told) - 2
    assert "Exception ignored" not in done.stderr
    assert done.stderr.count("Traceback") <= 2, done.stderr[-3000:]  # what SQLite said, and what came of it
    disk.make_room()
    (run,) = disk.runs()
    assert (run["flow"], run["state"]) == ("filler", "crashed")
    assert run["cause"]
    # With room, the same home takes the next run.
    script.write_text(SCRIPT.replace("2_000", "2"))
    assert disk.run(*command).returncode == 0
    assert [each["state"] for each in disk.runs()] == ["completed", "crashed"]


RESULTS = """
from stellwerk import flow, task

@task
def grow(n):
    return bytes([n]) * 1_000_000

@flow
def results():
    for n in range(10):
        grow(n)

if __name__ == "__main__":
    results()
"""


@pytest.mark.parametrize("disk", ["disk"], indirect=True)  # each result is a file of its own, so no limit meets them
def test_results_for_which_there_is_no_room_end_the_flow(disk: Disk, tmp_path: Path) -> None:
    if not disk.is_mounted:
        pytest.skip("only root may mount a small disk")
    script = tmp_path / "results.py"
    script.write_text(RESULTS)
    done = disk.run(sys.executable, str(script))
    assert done.returncode == 1, done.stderr[-3000:]
    message, hint = [line for line in done.stderr.splitlines() if line.strip()][-2:]
    assert "is full" in message
    assert "Free some space" in hint
    disk.make_room()
    (run,) = disk.runs()
    assert run["state"] in ("failed", "crashed")
