"""Commands in this process, over what the test records."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import Call

import stellwerk
from stellwerk.cli.main import main
from stellwerk.testing import Recorded

FLOWS = """
import asyncio, os, signal, sys, time
from stellwerk import Skip, flow, get_run_logger, task

@task
def square(x: int) -> int:
    return x * x

@flow
def squares(n: int = 3, label: str = "x") -> int:
    return sum(f.result() for f in square.map(range(n)))

@flow
def says(code: str, days: list[int] | None = None): return f"{code!r} {days!r}"

@flow
def breaks():
    square(1)
    raise ValueError("no such train\\x1b[31m")

@flow
def exits(): sys.exit(7)

@flow
def dies():
    square(1)
    os._exit(9)

@flow
def skips(): raise Skip("no trains today")

@flow
async def waits(n: int):
    await asyncio.sleep(0)
    return n

@flow
def yields():
    yield 1
    return "end"

@flow
def stays():
    square(2)
    print("ready", flush=True)
    time.sleep(60)

@flow
def talks():
    for n in range(20):
        get_run_logger().info("line %d", n)
    get_run_logger().warning("late\\n\\x1b[31mvery")

@flow
def wrong_call(): return square(1, 2)

@flow
def unpicklable(): return (x for x in [])
"""


@pytest.fixture(autouse=True)
def environment(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands read what the test records, in a pipe."""
    monkeypatch.setenv("STELLWERK_HOME", str(recorded.home))
    monkeypatch.setenv("PYTHONPATH", str(Path(stellwerk.__file__).parents[1]))
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Call a command in this process: its exit code, what it said on stdout and on stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        told = capsys.readouterr()
        code = ended.value.code
        return (code if isinstance(code, int) else 0), told.out, told.err

    return run


@pytest.fixture
def read(call: Call) -> Callable[..., Any]:
    """Call a command that prints JSON; what it printed, decoded."""

    def run(*arguments: str) -> Any:
        code, out, _ = call(*arguments)
        assert code == 0
        return json.loads(out)

    return run


@pytest.fixture
def flows(tmp_path: Path) -> Path:
    """Write a file of flows."""
    path = tmp_path / "trains.py"
    path.write_text(FLOWS)
    return path
