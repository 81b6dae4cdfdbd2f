"""What these tests share: scripts that are killed when their test is over."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from scripts import Script


@pytest.fixture
def run(tmp_path: Path, home: Path) -> Iterator[Callable[..., Script]]:
    """Start scripts; kill what is left of them."""
    started: list[Script] = []

    def start(text: str, **environment: str) -> Script:
        started.append(Script(tmp_path / f"script{len(started)}.py", text, **environment))
        return started[-1]

    yield start
    for script in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(script.process.pid, signal.SIGKILL)  # with the children that it forked
        script.process.communicate()
