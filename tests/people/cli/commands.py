"""What tests of the command line share: how a command is called in a process of its own, and flows to run by it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from stellwerk import flow, task

SECONDS = 30
Call = Callable[..., tuple[int, str, str]]

COMMAND = [sys.executable, "-P", "-c", "from stellwerk.cli.main import main; main()"]


def execute(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Call a command in a process of its own."""
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False, cwd=cwd)


def start(*arguments: object) -> subprocess.Popen[str]:
    """Start a command and wait until its flow says that it is ready."""
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@task
def clean(x: int) -> int:
    return x + 1


@task(retries=1, retry_delay_seconds=0)
def load(x: int) -> int:
    if x == 1:
        raise ValueError(f"no track {x}")
    return x


@flow
def child(n: int) -> int:
    return clean(n)


@flow(tags=["nightly"])
def pipeline(n: int = 3) -> dict[str, int]:
    done = [f.result(raise_on_failure=False) for f in load.map(clean.map(range(n)))]
    return {"done": len(done), "child": child(n)}
