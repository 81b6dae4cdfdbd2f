"""Scripts that run as processes of their own, and a look at what they recorded."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stellwerk.api import views
from stellwerk.assemble import Engine, open_engine

SECONDS = 60  # until a process that should have ended counts as stuck


class Script:
    """A running script; its output so far and what it recorded."""

    def __init__(self, path: Path, text: str, **environment: str) -> None:
        header = "import os, sys, threading, time\nfrom stellwerk import flow, task, get_run_logger\n"
        path.write_text(header + textwrap.dedent(text), encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, str(path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=path.parent,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
            start_new_session=True,
        )

    def wait_for(self, text: str) -> None:
        """Read lines until one is `text`."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.strip() == text:
                return
        pytest.fail(f"the script ended without {text!r}: {self.process.communicate()[1]}")

    def end(self) -> tuple[int, str, str]:
        """Wait for its end; exit status, rest of stdout, stderr."""
        out, err = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, out, err


@contextlib.contextmanager
def opened() -> Iterator[Engine]:
    engine = open_engine()
    try:
        yield engine
    finally:
        engine.close()


def recorded(is_swept: bool = False) -> dict[str, dict[str, Any]]:
    """Read all runs by name of the task or flow."""
    with opened() as engine:
        if is_swept:
            engine.sweep()
        runs = views.recent_runs(engine.store, 1_000, include_children=True)
        return {run["task"] or run["flow"]: run for run in runs}


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + SECONDS
    while not is_so():
        if time.monotonic() > end:
            pytest.fail(f"never so: {what}")
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] != "Z"
